"""When to stop training: by patience, or by Prechelt's criteria."""

import numpy as np
from sklearn.base import BaseEstimator, clone

from .._checks import check_number, check_option


class Patience(BaseEstimator):
    """Stop when the monitored loss has not improved for a number of epochs.

    For the parameter `early_stopping` of a detector.

    Parameters
    ----------
    n_iter_no_change : int, default=10
        Epochs without improvement to wait for (scikit-learn's multi-layer perceptron).

    tol : float, default=1e-4
        Smallest improvement that counts, as a fraction of the best loss so far: losses of spectrograms in
        dB and of scaled features differ by orders of magnitude.
    """

    def __init__(self, n_iter_no_change=10, tol=1e-4):
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol

    def start(self):
        """Check the parameters and forget earlier epochs; return self."""
        check_number(self.n_iter_no_change, "n_iter_no_change", low=1, integer=True)
        check_number(self.tol, "tol", low=0)
        self._best, self._waited = np.inf, 0
        return self

    def update(self, loss, monitored):
        """Note one epoch; return whether to stop.

        Parameters
        ----------
        loss : float
            Training loss of the epoch.
        monitored : float
            Validation loss of the epoch, or again the training loss where there is no validation set.

        Returns
        -------
        bool
        """
        # Of the magnitude: a negative loss, such as a log-likelihood's, improves downwards too.
        if monitored < self._best - (self.tol * abs(self._best) if np.isfinite(self._best) else 0):
            self._best, self._waited = monitored, 0
        else:
            self._waited += 1
        return self._waited >= self.n_iter_no_change


class Prechelt(BaseEstimator):
    """Stop when generalisation has got worse while training hardly progresses.

    For the parameter `early_stopping` of a detector.

    With E_opt the lowest validation loss so far, the generalisation loss is
    ``GL = 100 (E_val / E_opt - 1)``; over the last k epochs the training progress is
    ``P_k = 1000 (mean(E_train) / min(E_train) - 1)``. Training stops when GL exceeds `alpha` while P_k is
    below `progress`.

    Parameters
    ----------
    alpha : float, default=30.0
        Generalisation loss that is too much, in per cent.

    k : int, default=5
        Length of the strip of epochs that progress is measured over.

    progress : float, default=100.0
        Training progress, in per mille, below which training counts as having come to a halt.

    References
    ----------
    L. Prechelt, "Early stopping, but when?", in Neural Networks: Tricks of the Trade, 1998. `k` is the paper's;
    `alpha` and `progress` are those of the published dog-bark VAE, since the paper uses P_k as a divisor.

    Examples
    --------
    >>> from skaudio_ad import VAEDetector
    >>> from skaudio_ad.training import Prechelt
    >>> VAEDetector(early_stopping=Prechelt(progress=5))
    VAEDetector(early_stopping=Prechelt(progress=5))
    """

    def __init__(self, alpha=30.0, k=5, progress=100.0):
        self.alpha = alpha
        self.k = k
        self.progress = progress

    def start(self):
        """Check the parameters and forget earlier epochs; return self."""
        check_number(self.alpha, "alpha", low=0)
        check_number(self.k, "k", low=1, integer=True)
        check_number(self.progress, "progress", low=0)
        self._losses, self._best = [], np.inf
        return self

    def update(self, loss, monitored):
        """Note one epoch; return whether to stop. Parameters as in :meth:`Patience.update`."""
        self._losses.append(loss)
        self._best = min(self._best, monitored)
        if len(self._losses) < self.k:
            return False
        return (
            generalisation_loss(monitored, self._best) > self.alpha
            and training_progress(self._losses[-self.k :]) < self.progress
        )


def generalisation_loss(loss, best):
    """Prechelt's GL, in per cent: ``100 (loss / best - 1)``; infinite for a best loss of 0 once exceeded."""
    if best > 0:
        return 100 * (loss / best - 1)
    return 0.0 if loss <= best else np.inf


def training_progress(strip):
    """Prechelt's P_k, in per mille: ``1000 (mean(strip) / min(strip) - 1)`` of training losses."""
    lowest = min(strip)
    return 1000 * (float(np.mean(strip)) / lowest - 1) if lowest > 0 else 0.0


def make_stopping(early_stopping, *, n_iter_no_change, tol):
    """The criterion that an estimator's parameters name.

    Parameters
    ----------
    early_stopping : {"patience", "prechelt", None}, Patience or Prechelt
        An instance is not changed: the criterion is a started copy of it.
    n_iter_no_change, tol : int and float
        Of "patience".

    Returns
    -------
    Patience, Prechelt or None
    """
    patience = Patience(n_iter_no_change, tol).start()  # checks them, needed or not
    if isinstance(early_stopping, (Patience, Prechelt)):
        return clone(early_stopping).start()
    if not (early_stopping is None or isinstance(early_stopping, str)):
        raise TypeError(
            'early_stopping must be "patience", "prechelt", None, or an instance of Patience or Prechelt from '
            f"skaudio_ad.training, got {early_stopping!r}."
        )
    check_option(early_stopping, "early_stopping", ("patience", "prechelt", None))
    return {"patience": patience, "prechelt": Prechelt().start(), None: None}[early_stopping]
