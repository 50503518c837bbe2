"""Count the false alarms of groups of clips."""

import numpy as np
from sklearn.utils import column_or_1d

from ..detectors import FleetDetector
from ..recordings._score import p_value_function
from ..recordings._unwrap import last_step
from ._drawing import check_labels


def count_alarms(y_true, is_alarm, values, groups):
    """Count the alarms among the normal clips of every group.

    Parameters
    ----------
    y_true : array-like of shape (n_clips,) or None
        1 for normal clips, -1 for anomalous clips, which are not counted. None means that all clips are normal.
    is_alarm : ndarray of bool of shape (n_clips,)
    values : ndarray of shape (n_clips,)
        Scores or p-values. A clip with NaN is left out.
    groups : array-like of shape (n_clips,)

    Returns
    -------
    names : ndarray of shape (n_groups,)
        Sorted groups that have a normal clip.
    n_alarms, n_clips : ndarray of shape (n_groups,), int
    n_left_out : int
    """
    y_true, groups = check_labels(y_true, len(values)), column_or_1d(groups)
    if len(groups) != len(values):
        raise ValueError(f"groups must have one entry a clip: got {len(groups)} for {len(values)} clips.")
    present = ~np.isnan(values)
    counted = present if y_true is None else present & (y_true == 1)
    names, numbers = np.unique(groups[counted], return_inverse=True)
    n_clips = np.bincount(numbers, minlength=len(names))
    n_alarms = np.bincount(numbers[is_alarm[counted]], minlength=len(names))
    return names, n_alarms, n_clips, np.count_nonzero(~present)


def decide_by_group(estimator, X, groups):
    """Compute scores relative to the threshold. A :class:`FleetDetector` takes the groups for the machines.

    Parameters
    ----------
    estimator : fitted detector or Pipeline
    X : array-like of clips
    groups : array-like of shape (n_clips,)

    Returns
    -------
    ndarray of shape (n_clips,)
        Negative for an alarm. NaN for a clip that could not be read.
    """
    is_fleet = isinstance(last_step(estimator), FleetDetector)
    settings = {"machines": column_or_1d(groups)} if is_fleet else {}
    return np.asarray(estimator.decision_function(X, **settings), dtype=np.float64)


def p_values_of(estimator, X):
    """Compute the conformal p-values of clips.

    Parameters
    ----------
    estimator : fitted detector or Pipeline
    X : array-like of clips

    Returns
    -------
    ndarray of shape (n_clips,)
        NaN for a clip that could not be read.

    Raises
    ------
    ValueError
        If the detector has no calibration scores, or the machines of the clips are unknown.
    """
    detector = last_step(estimator)
    if isinstance(detector, FleetDetector):
        if getattr(estimator, "machines", None) is None or not hasattr(estimator, "p_values"):
            raise ValueError(
                "a FleetDetector needs groups=, the machine of every clip. To compare several rates, pass "
                "p_values(X, machines=...) of a fleet of ThresholdedDetectors to from_predictions."
            )
        return estimator.p_values(X)
    scores = estimator.score_samples(X)
    p_values = p_value_function(estimator)(scores)
    if np.isnan(p_values).all() and not np.isnan(scores).all():
        raise ValueError(
            f"{type(detector).__name__} has no calibration scores, so its p-values are unknown: wrap the detector in a "
            "ThresholdedDetector."
        )
    return p_values


def promised_rates(estimator, names):
    """Return the false-alarm rate that a detector, or the detector of every machine of a fleet, promises.

    Parameters
    ----------
    estimator : fitted detector or Pipeline
    names : ndarray of shape (n_groups,)

    Returns
    -------
    list of float

    Raises
    ------
    ValueError
        If a detector promises no rate.
    """
    detector = last_step(estimator)
    is_fleet = isinstance(detector, FleetDetector)
    rates = []
    for name in names.tolist():
        model = last_step(detector.detector_of(name)) if is_fleet else detector
        rate = getattr(model, "false_alarm_rate_", None)
        if rate is None:
            raise ValueError(
                f"{model!r:.100} promises no false-alarm rate: wrap the detector in a ThresholdedDetector with a "
                "selector, such as ConformalThreshold."
            )
        rates.append(rate)
    return rates


def spread(values, shape, name):
    """Return one value a point. A single value is repeated.

    Parameters
    ----------
    values : array-like of any shape
    shape : tuple of int
    name : str
        Name of the values in error messages.

    Returns
    -------
    ndarray of this shape
    """
    values = np.asarray(values)
    if values.ndim and values.shape != shape:
        raise ValueError(f"{name} must be one value or have shape {shape}, got {values.shape}.")
    return np.broadcast_to(values, shape)
