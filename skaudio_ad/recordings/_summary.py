"""Summarise scores: decisions, the promise of the threshold, expected false alarms, a shift of the recordings."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from .._base import FALSE_ALARM_RATE, DetectorMixin
from .._typing import FloatArray
from ..detectors import FleetDetector
from ..thresholds import ShiftCheck, check_shift, get_calibration_scores
from ._unwrap import last_step


def summarize(pipeline: Any, scores: Sequence[float], decisions: Sequence[str]) -> list[str]:
    """Summarise a batch of scored recordings in a few sentences.

    Parameters
    ----------
    pipeline : estimator
        Detector that scored the recordings.
    scores : list of float
        Scores of the recordings. NaN means that a recording could not be scored.
    decisions : list of {"normal", "anomalous", "error"}

    Returns
    -------
    list of str
        Empty if no recording was scored.
    """
    counted = count_anomalies(pipeline, decisions)
    if not counted:
        return []
    lines = [f"Summary: {counted}"]
    shift = find_shift(pipeline, scores)
    if shift is not None:
        lines.append(f"{'Warning' if shift.shifted else 'Shift check'}: {shift.summary}")
    return lines


def count_anomalies(pipeline: Any, decisions: Sequence[str]) -> str:
    """Say how many recordings are anomalous, and how many false alarms are expected.

    Parameters
    ----------
    pipeline : estimator
    decisions : list of {"normal", "anomalous", "error"}

    Returns
    -------
    str
        Empty if no recording was scored.
    """
    n_scored = len(decisions) - decisions.count("error")
    if not n_scored:
        return ""
    text = f"{decisions.count('anomalous')} of {n_scored} scored recordings are anomalous."
    rate, promise = false_alarm_rate(last_step(pipeline))
    if rate is None:
        return text
    return (
        f"{text} If all of them were normal, {rate * n_scored:.2g} false alarms would be expected "
        f"(rate {rate:.2g}, {promise})."
    )


def find_shift(pipeline: Any, scores: Sequence[float]) -> ShiftCheck | None:
    """Compare a batch of scores with the calibration scores of a detector.

    Parameters
    ----------
    pipeline : estimator
    scores : list of float
        NaN means that a recording could not be scored.

    Returns
    -------
    ShiftCheck or None
        None with fewer than two scores, or if the detector has no calibration scores.
    """
    if np.count_nonzero(~np.isnan(scores)) < 2:
        return None
    calibration = find_calibration_scores(pipeline)
    return None if calibration is None else check_shift(calibration, np.array(scores))


def find_calibration_scores(pipeline: Any) -> FloatArray | None:
    """Return the calibration scores of a detector, or None if the detector has none.

    Parameters
    ----------
    pipeline : estimator

    Returns
    -------
    ndarray of shape (n_scores,) or None
    """
    try:
        scores = get_calibration_scores(pipeline)
    except ValueError:  # the detector has no calibration scores
        return None
    return scores if len(scores) else None


def describe_promise(pipeline: Any) -> str:
    """Describe the threshold of a fitted detector and its false-alarm rate, in one line.

    Parameters
    ----------
    pipeline : fitted estimator

    Returns
    -------
    str
    """
    detector = last_step(pipeline)
    if isinstance(detector, FleetDetector):
        known = zip(detector.machines_.tolist(), detector.detectors_)
        return "; ".join(f"{machine}: {describe_promise(own)}" for machine, own in known)
    rate, promise = false_alarm_rate(detector)
    if rate is None:
        return (
            "no threshold: no recording raises an alarm"
            if detector.offset_ == float("-inf")
            else "no promise"
        )
    text = f"false-alarm rate {rate:.3g} ({promise}"
    bound = getattr(detector, "false_alarm_bound_", None)
    return f"{text}, proved bound {bound:.3g})" if bound is not None and bound != rate else f"{text})"


def false_alarm_rate(detector: Any) -> tuple[float | None, str | None]:
    """Return the false-alarm rate that a fitted detector expects and its promise, or (None, None).

    Parameters
    ----------
    detector : fitted detector

    Returns
    -------
    rate : float or None
    promise : str or None
    """
    rate = getattr(detector, "false_alarm_rate_", None)
    if rate is not None:
        return rate, getattr(detector, "promise_", None) or "estimated"
    is_auto = isinstance(detector, DetectorMixin) and getattr(detector, "contamination", None) == "auto"
    return (FALSE_ALARM_RATE, "estimated") if is_auto else (None, None)
