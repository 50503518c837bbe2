"""When to stop training: by patience, or by Prechelt's criteria."""

from collections.abc import Sequence
from typing import Literal, Self

import numpy as np
from sklearn.base import BaseEstimator, clone

from .._checks import check_number, check_option
from .._doc_links import DocLinkMixin


class Patience(DocLinkMixin, BaseEstimator):
    """Stop when the monitored loss has not improved for a number of epochs.

    For the parameter `early_stopping` of a detector.

    Parameters
    ----------
    n_iter_no_change : int, default=10
        Number of epochs without improvement to wait, as in scikit-learn's multi-layer perceptron.

    tol : float, default=1e-4
        Minimum improvement that counts, as a fraction of the best loss so far. A fraction is used because losses of
        spectrograms in dB and of scaled features differ by orders of magnitude.
    """

    def __init__(self, n_iter_no_change: int = 10, tol: float = 1e-4):
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol

    def start(self) -> Self:
        """Check the parameters, discard the record of earlier epochs, and return self."""
        check_number(self.n_iter_no_change, "n_iter_no_change", low=1, integer=True)
        check_number(self.tol, "tol", low=0)
        self._best, self._waited = np.inf, 0
        return self

    def update(self, loss: float, monitored: float) -> bool:
        """Record one epoch, and return whether to stop.

        Parameters
        ----------
        loss : float
            Training loss of the epoch.
        monitored : float
            Validation loss of the epoch, or the training loss if there is no validation set.

        Returns
        -------
        bool
        """
        # The fraction is one of the magnitude, because a negative loss, such as a log-likelihood, also improves
        # downwards.
        if monitored < self._best - (self.tol * abs(self._best) if np.isfinite(self._best) else 0):
            self._best, self._waited = monitored, 0
        else:
            self._waited += 1
        return self._waited >= self.n_iter_no_change


class Prechelt(DocLinkMixin, BaseEstimator):
    """Stop when generalisation gets worse while the training makes little progress.

    For the parameter `early_stopping` of a detector.

    E_opt is the lowest validation loss so far. The generalisation loss is ``GL = 100 (E_val / E_opt - 1)``. The
    training progress over the last k epochs is ``P_k = 1000 (mean(E_train) / min(E_train) - 1)``. Training stops when
    GL exceeds `alpha` while P_k is below `progress`.

    Parameters
    ----------
    alpha : float, default=30.0
        Maximum generalisation loss, in per cent.

    k : int, default=5
        Number of epochs over which the training progress is measured.

    progress : float, default=100.0
        Minimum training progress, in per mille.

    References
    ----------
    L. Prechelt, "Early stopping, but when?", in Neural Networks: Tricks of the Trade, 1998. The default `k` is from
    the paper. The paper uses P_k as a divisor, so `alpha` and `progress` are from the published dog-bark VAE.

    Examples
    --------
    >>> from skaudio_ad import VAEDetector
    >>> from skaudio_ad.training import Prechelt
    >>> VAEDetector(early_stopping=Prechelt(progress=5))
    VAEDetector(early_stopping=Prechelt(progress=5))
    """

    def __init__(self, alpha: float = 30.0, k: int = 5, progress: float = 100.0):
        self.alpha = alpha
        self.k = k
        self.progress = progress

    def start(self) -> Self:
        """Check the parameters, discard the record of earlier epochs, and return self."""
        check_number(self.alpha, "alpha", low=0)
        check_number(self.k, "k", low=1, integer=True)
        check_number(self.progress, "progress", low=0)
        self._losses: list[float] = []
        self._best = np.inf
        return self

    def update(self, loss: float, monitored: float) -> bool:
        """Record one epoch, and return whether to stop. Parameters as in :meth:`Patience.update`."""
        self._losses.append(loss)
        self._best = min(self._best, monitored)
        if len(self._losses) < self.k:
            return False
        return (
            generalisation_loss(monitored, self._best) > self.alpha
            and training_progress(self._losses[-self.k :]) < self.progress
        )


def generalisation_loss(loss: float, best: float) -> float:
    """Compute Prechelt's GL, in per cent: ``100 (loss / best - 1)``, or infinity if only the best loss is 0."""
    if best > 0:
        return 100 * (loss / best - 1)
    return 0.0 if loss <= best else np.inf


def training_progress(strip: Sequence[float]) -> float:
    """Compute Prechelt's P_k of training losses, in per mille: ``1000 (mean(strip) / min(strip) - 1)``."""
    lowest = min(strip)
    return 1000 * (float(np.mean(strip)) / lowest - 1) if lowest > 0 else 0.0


def make_stopping(
    early_stopping: Literal["patience", "prechelt"] | Patience | Prechelt | None,
    *,
    n_iter_no_change: int,
    tol: float,
) -> Patience | Prechelt | None:
    """Make the stopping criterion that the parameters of an estimator name.

    Parameters
    ----------
    early_stopping : {"patience", "prechelt", None}, Patience or Prechelt
        An instance is not changed. The criterion is then a started copy of the instance.
    n_iter_no_change, tol : int and float
        Parameters of "patience".

    Returns
    -------
    Patience, Prechelt or None
    """
    patience = Patience(
        n_iter_no_change, tol
    ).start()  # also checks the parameters if another criterion is used
    if isinstance(early_stopping, (Patience, Prechelt)):
        return clone(early_stopping).start()
    if not (early_stopping is None or isinstance(early_stopping, str)):
        raise TypeError(
            'early_stopping must be "patience", "prechelt", None, or an instance of Patience or Prechelt from '
            f"skaudio_ad.training, got {early_stopping!r}."
        )
    check_option(early_stopping, "early_stopping", ("patience", "prechelt", None))
    return {"patience": patience, "prechelt": Prechelt().start(), None: None}[early_stopping]
