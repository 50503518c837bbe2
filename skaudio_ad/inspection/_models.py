"""The steps before a detector, the fitted model inside wrappers, and the input of the model."""

import os

import numpy as np
from sklearn.pipeline import Pipeline

from .._lazy import is_missing
from ..audio import AudioClips
from ..recordings._unwrap import inner_pipeline
from ..thresholds import ThresholdedDetector


def find_model(estimator):
    """Return the steps before a detector, and the fitted detector inside all wrappers.

    Parameters
    ----------
    estimator : fitted detector or Pipeline
        The detector may be inside a :class:`ThresholdedDetector`, a :class:`NormalOnly` or a search.

    Returns
    -------
    steps : Pipeline or None
        None if the detector gets the clips themselves.
    model : estimator
        The detector, or the first model of an ensemble of folds.
    """
    pipeline = inner_pipeline(estimator)
    steps, detector = (pipeline[:-1], pipeline[-1]) if isinstance(pipeline, Pipeline) else (None, pipeline)
    model = inner_model(detector)
    if isinstance(model, Pipeline):
        steps = model[:-1] if steps is None else Pipeline([*steps.steps, *model.steps[:-1]])
        model = model[-1]
    return steps, model


def inner_model(detector):
    """Return the fitted model inside a `ThresholdedDetector`: its detector, or the first model of its folds.

    The detectors of a :class:`FleetDetector` or of a :class:`ScoreEnsemble` stay together, because one of them does not
    stand for the others.

    Parameters
    ----------
    detector : fitted detector

    Returns
    -------
    estimator
        May be a Pipeline.
    """
    if not isinstance(detector, ThresholdedDetector):
        return detector
    return getattr(detector, "detectors_", [getattr(detector, "detector_", detector)])[0]


def paths_of(clips):
    """Return the files of clips as a list, or None if the clips are no files.

    Parameters
    ----------
    clips : array-like of clips
    """
    if isinstance(clips, AudioClips):
        return clips.paths  # a loop would decode the clips
    return list(clips) if all(isinstance(clip, (str, os.PathLike)) for clip in clips) else None


def one_vector_a_clip(features):
    """Average features over time.

    Parameters
    ----------
    features : array-like of shape (n_clips, n_features) or (n_clips, ..., n_frames), or list of (..., n_frames_i)
        Time is the last axis. The bands of a grid are put one after the other.

    Returns
    -------
    ndarray of shape (n_clips, n_features), float64
        NaN throughout for a clip that could not be read.
    """
    if isinstance(features, np.ndarray) and features.ndim == 2:
        return features.astype(np.float64)
    rows = [np.asarray(clip, dtype=np.float64) for clip in features]
    rows = [row if row.ndim == 1 else row.mean(axis=-1).ravel() for row in rows]
    lengths = {len(row) for row in rows if not is_missing(row)}
    if len(lengths) > 1:
        raise ValueError(f"clips must have features of one length, got {sorted(lengths)[:5]}.")
    length = max(lengths, default=1)
    return np.array([np.full(length, np.nan) if is_missing(row) else row for row in rows])
