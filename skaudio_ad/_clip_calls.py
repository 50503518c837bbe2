"""Fit a detector on a part of the clips, and score clips where some may be missing."""

from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.pipeline import Pipeline
from sklearn.utils import get_tags, indexable

from ._lazy import take
from ._typing import FloatArray, IntArray


def make_indexable(X: Any, *others: Any) -> list[Any]:
    """Make X and the arrays that have one entry a clip indexable. A column of a data frame becomes a list."""
    if hasattr(X, "isna") and X.ndim == 1:
        X = X.to_list()
    return indexable(X, *others)


def end_of_pipeline(detector: Any) -> Any:
    """Return the last step of a Pipeline, of nested ones too, or any other detector itself."""
    while isinstance(detector, Pipeline):
        detector = detector[-1]
    return detector


def learns_nothing(step: Any) -> bool:
    """Whether a step of a Pipeline is the same after any `fit`, such as a loader or a pretrained embedding."""
    if step in ("passthrough", None):
        return True
    # An embedding with weights=None has random weights, which differ from clone to clone.
    return not get_tags(step).requires_fit and getattr(step, "weights", "") is not None


def fit_clips(detector: Any, X: Any, positions: IntArray, params: dict[str, Any]) -> Any:
    """Fit a detector on the clips at `positions`.

    Parameters
    ----------
    detector : estimator
    X : array-like of n_clips clips
    positions : ndarray of int
    params : dict of {str: object}
        Further arguments of `fit`. An argument with one entry per clip is cut to the entries at `positions`.

    Returns
    -------
    estimator
        `detector`, fitted.
    """
    params = {
        name: take(value, positions) if np.shape(value)[:1] == (_n_clips(X),) else value
        for name, value in params.items()
    }
    return detector.fit(take(X, positions), None, **params)  # FrozenEstimator requires y


def score_clips(detector: Any, X: Any) -> FloatArray:
    """Score all clips. The detector never gets the missing ones.

    Parameters
    ----------
    detector : estimator with ``score_samples``
    X : array-like of n_clips clips

    Returns
    -------
    ndarray of shape (n_clips,), float64
        Higher is more normal; NaN for the clips that are missing.
    """
    missing = missing_rows(X)
    if missing.any():
        scores = np.full(len(missing), np.nan)
        if not missing.all():
            scores[~missing] = score_clips(detector, take(X, np.flatnonzero(~missing)))
        return scores
    if isinstance(detector, Pipeline) and len(detector) > 1:
        # The steps transform one by one, because a Pipeline of one step takes as long as its step for one clip.
        for _, step in detector.steps[:-1]:
            if step is not None and step != "passthrough":
                X = step.transform(X)
        return score_clips(detector[-1], X)  # any step may have left out a clip
    return np.asarray(detector.score_samples(X), dtype=np.float64)


def score_windows(detector: Any, X: Any) -> Any:
    """Score every frame or window of every clip. In a Pipeline, the last step has ``score_frames``."""
    if isinstance(detector, Pipeline):
        X = detector[:-1].transform(X) if len(detector) > 1 else X
        return score_windows(detector[-1], X)
    return detector.score_frames(X)


def missing_rows(X: Any) -> npt.NDArray[np.bool_]:
    """Find the rows of an array or a table that are NaN throughout.

    Returns
    -------
    ndarray of bool of shape (n_clips,)
        False throughout where X is neither an array nor a table.
    """
    if hasattr(X, "isna"):
        return X.isna().to_numpy().all(axis=1)
    if isinstance(X, np.ndarray) and X.dtype.kind == "f" and X.ndim > 1 and X.size:
        return np.asarray(np.isnan(X.reshape(len(X), -1)).all(axis=1))
    return np.zeros(_n_clips(X), dtype=bool)


def _n_clips(X):
    return X.shape[0] if getattr(X, "shape", ()) else len(X)  # a sparse matrix has no length
