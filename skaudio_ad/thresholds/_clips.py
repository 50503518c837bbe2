"""Train a detector on some of the clips, and score clips with a detector."""

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.utils import indexable

from .._lazy import take


def as_clips(X, *others):
    """Make X and the arrays that have one entry a clip indexable. A column of a data frame becomes a list."""
    if hasattr(X, "isna") and X.ndim == 1:
        X = X.to_list()
    return indexable(X, *others)


def last_step(detector):
    """The last step of a Pipeline, of nested ones too; any other detector itself."""
    while isinstance(detector, Pipeline):
        detector = detector[-1]
    return detector


def fit_clips(detector, X, positions, params):
    """Train on the clips at `positions`. Parameters with one entry a clip are cut to these clips."""
    params = {
        name: take(value, positions) if np.shape(value)[:1] == (_n_clips(X),) else value
        for name, value in params.items()
    }
    return detector.fit(take(X, positions), None, **params)  # FrozenEstimator insists on a y


def score_clips(detector, X):
    """Scores of all clips, float64. Missing rows get NaN, whatever the detector would score them."""
    missing = missing_rows(X)
    if missing.any():
        scores = np.full(len(missing), np.nan)
        if not missing.all():
            scores[~missing] = score_clips(detector, take(X, np.flatnonzero(~missing)))
        return scores
    if isinstance(detector, Pipeline) and len(detector) > 1:
        return score_clips(detector[-1], detector[:-1].transform(X))  # a loader makes missing rows
    return np.asarray(detector.score_samples(X), dtype=np.float64)


def score_windows(detector, X):
    """Scores of every frame or window of every clip, by the last step of a Pipeline."""
    if isinstance(detector, Pipeline):
        X = detector[:-1].transform(X) if len(detector) > 1 else X
        return score_windows(detector[-1], X)
    return detector.score_frames(X)


def missing_rows(X):
    """Mask of the rows of an array or a table that are all NaN. Other containers have no missing rows."""
    if hasattr(X, "isna"):
        return X.isna().to_numpy().all(axis=1)
    if isinstance(X, np.ndarray) and X.dtype.kind == "f" and X.ndim > 1 and X.size:
        return np.isnan(X.reshape(len(X), -1)).all(axis=1)
    return np.zeros(_n_clips(X), dtype=bool)


def _n_clips(X):
    return X.shape[0] if getattr(X, "shape", ()) else len(X)  # a sparse matrix has no length
