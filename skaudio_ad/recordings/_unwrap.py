"""The fitted pipeline inside a search, a `NormalOnly` or a `ThresholdedDetector`, and the parts of the pipeline."""

import copy

from sklearn.base import clone
from sklearn.pipeline import Pipeline

from ..audio import AudioLoader
from ..model_selection import NormalOnly
from ..thresholds import ThresholdedDetector
from ..thresholds._cross_conformal import split_off_shared_steps


def unwrap(estimator):
    """The estimator itself, or the one that a search or `NormalOnly` has around it, fitted where that is."""
    while True:
        if isinstance(estimator, NormalOnly):
            estimator = getattr(estimator, "estimator_", estimator.estimator)
        elif hasattr(estimator, "best_estimator_"):
            estimator = estimator.best_estimator_
        else:
            return estimator


def last_step(estimator):
    """The estimator itself, or the last one of the pipeline, which a search or `NormalOnly` may have around it."""
    estimator = unwrap(estimator)
    while isinstance(estimator, Pipeline):
        estimator = unwrap(estimator.steps[-1][1])
    return estimator


def find_clock(pipeline):
    """The last step that knows how frames and seconds relate, or None."""
    pipeline = inner_pipeline(pipeline)
    steps = [step for _, step in pipeline.steps if hasattr(step, "frames_to_seconds")]
    return steps[-1] if steps else None


def inner_pipeline(estimator):
    """The fitted pipeline inside a search, a `NormalOnly` or a `ThresholdedDetector`, whose threshold it gets."""
    estimator = unwrap(estimator)
    if not isinstance(estimator, ThresholdedDetector):
        return estimator
    last = copy.copy(estimator)
    if hasattr(estimator, "detectors_"):
        # Of an ensemble, steps that learn nothing are those of all its models.
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
    """The loader (which raises where a file cannot be read), the steps after it or None, and the detector."""
    pipeline = inner_pipeline(pipeline)
    if not isinstance(pipeline, Pipeline) or not isinstance(pipeline.steps[0][1], AudioLoader):
        raise ValueError(
            f"a Pipeline that begins with AudioLoader is needed to score recordings, got {pipeline!r:.200}."
        )
    # A failure must be reported with its reason, whatever the pipeline was trained with.
    loader = clone(pipeline.steps[0][1]).set_params(on_error="raise")
    return loader, pipeline[1:-1] if len(pipeline.steps) > 2 else None, pipeline.steps[-1][1]
