"""Decisions about training clips, each by a score that the clip had no part in."""

import numpy as np

from .._lazy import take


def decide_held_out(detector, X, y):
    """Decide for every clip of the training set of a fitted detector.

    Parameters
    ----------
    detector : estimator
        Has ``held_out_scores_``, their positions in X as ``_positions``, and ``offset_``.
    X : array-like of clips
    y : array-like of shape (n_clips,) or None
        As in `fit`.

    Returns
    -------
    ndarray of shape (n_clips,), int
        1 where ``held_out_scores_`` reach ``offset_``, else -1; -1 for a clip that could not be read. `predict` decides
        about clips that y labels anomalous, because these are no training clips.
    """
    n_clips = len(X)
    decisions = np.full(n_clips, -1)
    decisions[detector._positions[detector.held_out_scores_ >= detector.offset_]] = 1
    others = np.setdiff1d(np.arange(n_clips), detector._positions)
    if y is not None and len(others):
        decisions[others] = detector.predict(take(X, others))
    return decisions
