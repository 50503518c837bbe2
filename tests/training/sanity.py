"""Can it learn at all? What a detector must do with one batch before anything else is worth trying."""

from sklearn.base import clone

# Regularisation is off, so that the network can memorise a batch. Every step uses the whole batch.
_UNHINDERED = {
    "batch_size": 10**6,
    "early_stopping": None,
    "validation_fraction": 0,
    "weight_decay": 0.0,
    "dropout": 0.0,
}


def overfit_one_batch(detector, X, y=None, *, max_epochs=500, fraction=0.05):
    """Fit a clone of a detector to one small batch, and assert that it learns it nearly by heart.

    A loss that stays up means that gradients do not reach the weights, that the target is not the input's own,
    or that the loss is not what the network is trained on.

    Parameters
    ----------
    detector : estimator with ``max_epochs`` and ``loss_curve_``
        Early stopping, held-out clips, weight decay and dropout are switched off where it has them. Any other
        term that keeps the loss up (the weight of a divergence) is for the caller to switch off.
    X : array-like of shape (n_clips, ...)
        A few clips; of mean zero, or learning that mean already brings the loss down.
    y : array-like of shape (n_clips,), default=None
        For a classifier.
    max_epochs : int, default=500
        Steps, since every epoch is one batch.
    fraction : float, default=0.05
        Of the first epoch's loss, which the last one's has to be below.

    Returns
    -------
    estimator
        The fitted clone.
    """
    parameters = detector.get_params()
    settings = {name: value for name, value in _UNHINDERED.items() if name in parameters}
    fitted = clone(detector).set_params(**settings, max_epochs=max_epochs).fit(X, y)
    first, last = fitted.loss_curve_[0], fitted.loss_curve_[-1]
    assert len(fitted.loss_curve_) == max_epochs
    assert last < fraction * first, (
        f"{type(detector).__name__} does not learn one batch by heart: its loss is {first:.4g} after the first "
        f"epoch and {last:.4g} after {max_epochs}, which should be below {fraction * first:.4g}."
    )
    return fitted
