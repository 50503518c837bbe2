"""The fitted pipeline inside a search, a `NormalOnly` or a `ThresholdedDetector`, and the parts of the pipeline."""

import copy
from typing import Any

from sklearn.base import BaseEstimator, clone
from sklearn.pipeline import Pipeline

from .._clip_calls import end_of_pipeline
from ..audio import AudioLoader
from ..model_selection import NormalOnly
from ..thresholds import ThresholdedDetector
from ..thresholds._cross_conformal import split_off_shared_steps


def unwrap(estimator):
    """Return the estimator inside searches and `NormalOnly`; the fitted one if the wrapper is fitted."""
    while True:
        if isinstance(estimator, NormalOnly):
            estimator = getattr(estimator, "estimator_", estimator.estimator)
        elif hasattr(estimator, "best_estimator_"):
            estimator = estimator.best_estimator_
        else:
            return estimator


def last_step(estimator):
    """Return the last step of a pipeline, or an estimator without a pipeline, inside searches and `NormalOnly`."""
    while (inner := end_of_pipeline(unwrap(estimator))) is not estimator:
        estimator = inner
    return estimator


def find_clock(pipeline: BaseEstimator) -> Any:
    """Find the last step that converts positions of frames to seconds.

    Parameters
    ----------
    pipeline : sklearn.pipeline.Pipeline
        Pipeline, also inside a :class:`ThresholdedDetector`, a :class:`NormalOnly` or a search.

    Returns
    -------
    transformer or None
        The last step with ``frames_to_seconds``, or None if no step has this method.
    """
    pipeline = inner_pipeline(pipeline)
    steps = [step for _, step in pipeline.steps if hasattr(step, "frames_to_seconds")]
    return steps[-1] if steps else None


def inner_pipeline(estimator):
    """Return the fitted pipeline inside a search, a `NormalOnly` or a `ThresholdedDetector`.

    The last step of a pipeline from a `ThresholdedDetector` decides by the threshold of the `ThresholdedDetector`.
    """
    estimator = unwrap(estimator)
    if not isinstance(estimator, ThresholdedDetector):
        return estimator
    last = copy.copy(estimator)
    if hasattr(estimator, "detectors_"):
        # The models of an ensemble share the steps that learn nothing.
        shared, last.detectors_ = split_off_shared_steps(
            [inner_pipeline(model) for model in estimator.detectors_]
        )
        return estimator if shared is None else Pipeline([*shared.steps, ("detector", last)])
    pipeline = inner_pipeline(estimator.detector_)
    if not isinstance(pipeline, Pipeline):
        return estimator
    name, last.detector_ = pipeline.steps[-1]
    return Pipeline([*pipeline.steps[:-1], (name, last)])


def split_pipeline(pipeline):
    """Return the loader, the steps between the loader and the detector or None, and the detector.

    The loader raises an error if a file cannot be read.
    """
    pipeline = inner_pipeline(pipeline)
    if not isinstance(pipeline, Pipeline) or not isinstance(pipeline.steps[0][1], AudioLoader):
        raise ValueError(
            f"a Pipeline that begins with AudioLoader is needed to score recordings, got a {type(pipeline).__name__} "
            "without this step. Add an AudioLoader as the first step. A detector that was trained on a table of "
            "embeddings cannot score recordings."
        )
    # on_error="raise" reports the reason of a failure, also if the pipeline was trained with on_error="skip".
    loader = clone(pipeline.steps[0][1]).set_params(on_error="raise")
    return loader, pipeline[1:-1] if len(pipeline.steps) > 2 else None, pipeline.steps[-1][1]


def find_loader(pipeline):
    """Return the fitted AudioLoader that a pipeline begins with, or None if there is none."""
    pipeline = inner_pipeline(pipeline)
    first = pipeline.steps[0][1] if isinstance(pipeline, Pipeline) else None
    return first if isinstance(first, AudioLoader) else None


def find_band_edges(steps, n_bands):
    """Return the frequencies of the bands of the last embedding of a pipeline, or None if they are unknown.

    Parameters
    ----------
    steps : Pipeline or None
    n_bands : int
        Number of bands that the detector scores.

    Returns
    -------
    ndarray of shape (n_bands, 2) or None
    """
    known = [step.band_edges() for _, step in getattr(steps, "steps", ()) if hasattr(step, "band_edges")]
    edges = known[-1] if known else None
    return edges if edges is not None and len(edges) == n_bands else None


def split_detector(detector):
    """Return the steps inside a detector that come before its innermost detector, and this innermost detector.

    Parameters
    ----------
    detector : fitted detector or None
        Last step of a pipeline. Of an ensemble, the first model is taken.

    Returns
    -------
    steps : list of Pipeline
    detector : estimator or None
    """
    steps = []
    while isinstance(detector, (ThresholdedDetector, Pipeline)):
        if isinstance(detector, Pipeline):
            if len(detector.steps) > 1:
                steps.append(detector[:-1])
            detector = detector.steps[-1][1]
        else:
            models = getattr(detector, "detectors_", None)
            detector = models[0] if models else detector.detector_
    return steps, detector
