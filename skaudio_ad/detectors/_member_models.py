"""Train the detectors of an ensemble, and score training clips by models that had not seen them."""

from contextlib import contextmanager
from typing import Any

import numpy as np
from sklearn import get_config
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils.metadata_routing import get_routing_for_object
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import has_fit_parameter

from .._clip_calls import fit_clips, learns_nothing, score_clips
from .._clip_errors import ClipError
from .._lazy import take
from ._clip_rows import FARTHEST


def fit_members(detectors, X, groups, make_splits, *, is_split, n_jobs):
    """Train every detector, and collect its held-out scores.

    Parameters
    ----------
    detectors : list of (str, estimator)
        Each estimator is cloned.
    X : array-like of n_clips normal clips
    groups : ndarray of int of shape (n_clips,) or None
    make_splits : callable
        Returns a list of positions (train, test). The function is not called if no detector needs the splits.
    is_split : bool
        Whether there is one split, whose first part trains the detectors that score new clips.
    n_jobs : int or None

    Returns
    -------
    models : list of estimator
    held_out : ndarray of shape (n_detectors, n_clips)
        NaN for a clip without a held-out score.
    approximate : list of str
        Names of the detectors that are trained on the clips that have held-out scores.
    """
    every = np.arange(_n_clips(X))
    splits = make_splits() if is_split else None
    trains = splits[0][0] if is_split else every
    models = _parallel(n_jobs, len(detectors))(
        delayed(_fit)(name, detector, X, trains, groups) for name, detector in detectors
    )
    held_out = np.full((len(detectors), len(every)), np.nan)
    missing = list(range(len(detectors)))
    if not is_split:
        for number, model in enumerate(models):
            scores = leave_one_out_scores(model, len(every), groups)
            if scores is not None:
                held_out[number] = scores
                missing.remove(number)
    if missing:
        splits = splits or make_splits()
        tasks = [(number, train, test) for number in missing for train, test in splits]
        found = _parallel(n_jobs, len(tasks))(
            delayed(_score_fold)(
                detectors[number], models[number] if is_split else None, X, train, test, groups
            )
            for number, train, test in tasks
        )
        total, n_tested = np.zeros(held_out.shape), np.zeros(held_out.shape, dtype=int)
        for (number, _, test), scores in zip(tasks, found):
            total[number, test] += scores
            n_tested[number, test] += 1
        means = np.where(n_tested > 0, total / np.maximum(n_tested, 1), np.nan)
        held_out[missing] = means[missing]
    frozen = [isinstance(detector, FrozenEstimator) for _, detector in detectors]
    approximate = [name for (name, _), is_frozen in zip(detectors, frozen) if not (is_split or is_frozen)]
    return models, held_out, approximate


def leave_one_out_scores(model, n_clips, groups):
    """Scores of the training clips that a fitted detector has left out one by one, or group by group.

    Returns
    -------
    ndarray of shape (n_clips,) or None
        NaN for a clip that the detector could not use. None if the detector has no such scores, or if a step of a
        Pipeline in front of the detector has learnt from the clips.
    """
    if groups is not None and not _group_parameter(model):
        return None
    while isinstance(model, Pipeline):
        if not all(learns_nothing(step) for _, step in model.steps[:-1]):
            return None
        model = model[-1]
    if isinstance(model, FrozenEstimator) or not hasattr(model, "_positions"):
        return None
    scores = np.full(n_clips, np.nan)
    scores[model._positions] = model.held_out_scores_
    return scores


@contextmanager
def naming(name):
    """Add the name of a detector to every error."""
    try:
        yield
    except Exception as error:
        if type(error) in (ValueError, TypeError, RuntimeError):
            raise type(error)(f"detector {name!r} of the ensemble: {error}") from error
        if not isinstance(error, ClipError):  # this error names its clip
            error.add_note(f"This error comes from the detector {name!r} of the ensemble.")
        raise


def score_member(name, model, X):
    """Scores of all clips by one detector, float64 (n_clips,). An infinite score becomes the largest finite one."""
    with naming(name):
        scores = np.asarray(score_clips(model, X), dtype=np.float64)
        if scores.shape != (_n_clips(X),):
            raise ValueError(f"score_samples must return one score a clip, got the shape {scores.shape}.")
        return np.clip(scores, -FARTHEST, FARTHEST)


def _fit(name, detector, X, positions, groups):
    with naming(name):
        parameter = _group_parameter(detector)
        params: dict[str, Any] = {} if groups is None or not parameter else {parameter: groups}
        return fit_clips(clone(detector), X, positions, params)


def _score_fold(named, model, X, train, test, groups):
    name, detector = named
    model = _fit(name, detector, X, train, groups) if model is None else model
    return score_member(name, model, take(X, test))


def _group_parameter(detector):
    """Name under which `fit` of a detector takes groups; an empty text if the detector takes none."""
    if not isinstance(detector, Pipeline):
        return "groups" if has_fit_parameter(detector, "groups") else ""
    if get_config()["enable_metadata_routing"]:
        return "groups" if get_routing_for_object(detector).consumes("fit", ["groups"]) else ""
    inner = _group_parameter(detector[-1])
    return f"{detector.steps[-1][0]}__{inner}" if inner else ""


def _parallel(n_jobs, n_tasks):
    return Parallel(n_jobs=n_jobs if n_tasks > 1 else None)


def _n_clips(X):
    return X.shape[0] if getattr(X, "shape", ()) else len(X)
