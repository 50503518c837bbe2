"""Copies of detectors whose banks hold further normal windows."""

import copy
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline

from ..audio import AudioLoader
from ..detectors import BandMemoryDetector, FleetDetector, NearestNeighborsDetector
from ..detectors._bank_growth import why_fixed
from ..recordings._unwrap import inner_pipeline, unwrap
from ..thresholds import ThresholdedDetector

# What a person can do about a detector that has no bank.
_REMEDY = (
    "Train the detector again with recordings of the sounds that are normal, or use a detector on nearest neighbours "
    "(the default of make_detector and of `skaudio-ad fit`)."
)


def split_last_step(detector: Any) -> tuple[Pipeline | None, Any]:
    """Split a detector into the pipeline that ends in its last step, or None, and the last step.

    The last step gets the features that a monitor keeps. A detector that does not begin with an :class:`AudioLoader`
    is itself a last step.
    """
    pipeline = inner_pipeline(detector)
    if isinstance(pipeline, Pipeline) and isinstance(pipeline.steps[0][1], AudioLoader):
        return pipeline, pipeline.steps[-1][1]
    return None, detector


def extend_detector(detector: Any, features: npt.NDArray[np.float32] | None) -> Any:
    """Return a copy of a fitted detector whose banks also hold these features. Its thresholds stay.

    Parameters
    ----------
    detector : estimator
        Is not changed. The copy shares all that it does not change.
    features : ndarray of shape (n_windows, n_features) or (n_windows, n_features, n_frames), or None
        Input of the last step. None only checks that there is a bank that can grow.

    Returns
    -------
    estimator
        As `detector`. A wrapper such as a search is left out.

    Raises
    ------
    ValueError
        If the detector has no bank, its bank cannot grow, or the features do not fit the detector.
    """
    pipeline, last = split_last_step(detector)
    extended = _extend(last, features)
    return extended if pipeline is None else _with_last_step(pipeline, extended)


def _extend(step, features):
    step = unwrap(step)
    if isinstance(step, FrozenEstimator):
        return _extend(step.estimator, features)
    if isinstance(step, Pipeline):
        if features is not None and len(step) > 1:
            features = step[:-1].transform(features)
        return _with_last_step(step, _extend(step.steps[-1][1], features))
    if isinstance(step, ThresholdedDetector):
        extended = copy.copy(step)
        if hasattr(step, "detectors_"):
            extended.detectors_ = [_extend(model, features) for model in step.detectors_]
        else:
            extended.detector_ = _extend(step.detector_, features)
        return extended
    if isinstance(step, FleetDetector):
        raise ValueError(
            "a memory extends the detector of one machine, got a FleetDetector: take fleet.detector_of(machine)."
        )
    if not isinstance(step, (NearestNeighborsDetector, BandMemoryDetector)):
        raise ValueError(
            f"a {type(step).__name__} has no bank of normal clips that windows could be added to. {_REMEDY}"
        )
    if reason := why_fixed(step):
        raise ValueError(
            f"windows cannot be added to this {type(step).__name__}, because {reason}. {_REMEDY}"
        )
    # partial_fit replaces the arrays of the copy, so the original keeps its own.
    return copy.copy(step) if features is None else copy.copy(step).partial_fit(features)


def _with_last_step(pipeline, last):
    extended = copy.copy(pipeline)
    extended.steps = [*pipeline.steps[:-1], (pipeline.steps[-1][0], last)]
    return extended
