"""`overfit_batch`: whether an estimator can learn a few clips by heart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import clone

from .._checks import check_number
from .._lazy import take

# Parameters that may keep a network from learning a batch by heart, and values with which they do not. With this batch
# size, every step takes all clips.
_UNHINDERED = {
    "batch_size": 10**6,
    "early_stopping": None,
    "validation_fraction": 0,
    "weight_decay": 0.0,
    "dropout": 0.0,
}


@dataclass(frozen=True)
class OverfitCheck:
    """Result of :func:`overfit_batch`. Printing the result shows the verdict.

    Attributes
    ----------
    estimator : estimator
        The fitted clone.
    loss_curve : tuple of float
        Loss of every epoch.
    fraction : float
        Fraction of the first loss below which the last loss has to fall.
    clips : ndarray of int
        Positions of the clips in X.
    """

    estimator: Any
    loss_curve: tuple[float, ...]
    fraction: float
    clips: Any

    @property
    def passed(self) -> bool:
        """Whether the last loss is below `fraction` of the first loss."""
        return self.loss_curve[-1] < self.fraction * self.loss_curve[0]

    def __str__(self):
        name, n_epochs = type(self.estimator).__name__, len(self.loss_curve)
        first, last = self.loss_curve[0], self.loss_curve[-1]
        losses = (
            f"the loss of {len(self.clips)} clips is {first:.4g} after the first epoch, and {last:.4g} after "
            f"{n_epochs} epochs"
        )
        if self.passed:
            return f"{name} learns a batch by heart: {losses}."
        return (
            f"{name} does not learn a batch by heart: {losses}, which should be below {self.fraction * first:.4g}. "
            "Raise max_epochs or learning_rate first. If the loss does not fall, check that the features are scaled, "
            "that clips with different labels differ, and that no other term of the loss outweighs the data."
        )


def overfit_batch(
    estimator: Any, X: Any, y: Any = None, *, n_clips: int = 8, max_epochs: int = 500, fraction: float = 0.1
) -> OverfitCheck:
    """Check that an estimator can learn a few clips by heart, before a long training.

    A clone is fitted on the clips in one batch, without held-out clips, early stopping, weight decay and dropout. A
    network that cannot learn a few clips by heart does not learn from many either: gradients do not reach the
    weights, features and targets do not belong together, or the learning rate is wrong by orders of magnitude.

    Parameters
    ----------
    estimator : estimator with the parameter ``max_epochs`` and the fitted attribute ``loss_curve_``
        Such as a detector or a classifier of this package. `estimator` is not changed. Give the last step of a
        pipeline and the features.
    X : array-like of clips
        What `estimator` is fitted on.
    y : array-like of shape (n_clips,) or (n_clips, n_classes), default=None
        Labels, for a classifier. The clips are then of as many classes as possible.
    n_clips : int, default=8
        Number of clips of the batch.
    max_epochs : int, default=500
        Number of epochs. Every epoch is one step, because there is one batch.
    fraction : float, default=0.1
        The check is passed if the last loss is below this fraction of the loss of the first epoch. The value is our
        choice.

    Returns
    -------
    OverfitCheck
        ``passed`` is the verdict. Printing the result shows the verdict and the losses.

    Raises
    ------
    TypeError
        If `estimator` has no parameter ``max_epochs``, or no ``loss_curve_`` after the fit.
    ValueError
        If there are fewer than `n_clips` clips, or a parameter is out of range.

    Notes
    -----
    Features of mean 0 make the check stricter, because learning the mean of a batch lowers the loss too. The loss of
    :class:`~skaudio_ad.VAEDetector` contains the divergence from the prior. Set its ``kl_weight`` to 0 to check the
    reconstruction alone.

    Examples
    --------
    >>> import numpy as np
    >>> from skaudio_ad import SequenceClassifier
    >>> from skaudio_ad.training import overfit_batch
    >>> X, y = np.random.default_rng(0).normal(size=(30, 6, 10)), np.repeat([0, 1, 2], 10)
    >>> classifier = SequenceClassifier("gru", hidden_size=16, learning_rate=0.01, random_state=0)
    >>> check = overfit_batch(classifier, X, y)
    >>> check.passed, len(check.loss_curve)
    (True, 500)
    """
    name = type(estimator).__name__
    if not hasattr(estimator, "get_params") or "max_epochs" not in estimator.get_params(deep=False):
        raise TypeError(
            f"overfit_batch takes an estimator with the parameter max_epochs, got {name}. From a pipeline, give the "
            "last step, and X from the steps before: pipeline[-1] and pipeline[:-1].fit_transform(X)."
        )
    check_number(n_clips, "n_clips", low=1, integer=True)
    check_number(max_epochs, "max_epochs", low=2, integer=True)
    check_number(fraction, "fraction", low=0, high=1, closed="neither")
    if len(X) < n_clips:
        raise ValueError(f"n_clips must be at most the number of clips, {len(X)}, got {n_clips}.")
    chosen = np.arange(n_clips) if y is None else _of_many_classes(y, n_clips)
    settings = {k: v for k, v in _UNHINDERED.items() if k in estimator.get_params(deep=False)}
    fitted = clone(estimator).set_params(**settings, max_epochs=max_epochs)
    fitted.fit(take(X, chosen), None if y is None else take(y, chosen))
    if not hasattr(fitted, "loss_curve_"):
        raise TypeError(
            f"overfit_batch needs the losses of every epoch, but {name} has no loss_curve_ after its fit."
        )
    return OverfitCheck(fitted, tuple(map(float, fitted.loss_curve_)), float(fraction), chosen)


def _of_many_classes(y, n_clips):
    """Positions of the first clips of every class, in turn, sorted."""
    labels = np.asarray(y)
    keys = [str(label) for label in labels]
    seen: dict[str, int] = {}
    rank = np.empty(len(keys), dtype=int)
    for index, key in enumerate(keys):
        rank[index] = seen.get(key, 0)
        seen[key] = rank[index] + 1
    return np.sort(np.argsort(rank, kind="stable")[:n_clips])
