"""The check that a detector learns one batch by heart, as an assertion."""

from skaudio_ad.training import overfit_batch


def overfit_one_batch(detector, X, y=None, *, max_epochs=500, fraction=0.05):
    """Fit a clone of a detector to all clips of X in one batch, assert that the clone learns them, and return it."""
    check = overfit_batch(detector, X, y, n_clips=len(X), max_epochs=max_epochs, fraction=fraction)
    assert check.passed, str(check)
    return check.estimator
