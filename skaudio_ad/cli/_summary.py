"""Summarise a table of scores: decisions, expected false alarms, and a shift of the recordings."""

import numpy as np

from .._base import FALSE_ALARM_RATE, DetectorMixin
from ..recordings._unwrap import last_step
from ..thresholds import check_shift, get_calibration_scores


def summarize(pipeline, scores, decisions):
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
    n_scored = len(scores) - decisions.count("error")
    if not n_scored:
        return []
    lines = [f"Summary: {decisions.count('anomalous')} of {n_scored} scored recordings are anomalous."]
    rate, promise = _false_alarm_rate(last_step(pipeline))
    if rate is not None:
        lines[0] += (
            f" If all of them were normal, {rate * n_scored:.2g} false alarms would be expected "
            f"(rate {rate:.2g}, {promise})."
        )
    shift = None if n_scored < 2 else _check_shift(pipeline, scores)
    if shift is not None:
        lines.append(f"{'Warning' if shift.shifted else 'Shift check'}: {shift.summary}")
    return lines


def _false_alarm_rate(detector):
    """Return the false-alarm rate that a fitted detector expects and its promise, or (None, None)."""
    rate = getattr(detector, "false_alarm_rate_", None)
    if rate is not None:
        return rate, getattr(detector, "promise_", None) or "estimated"
    is_auto = isinstance(detector, DetectorMixin) and getattr(detector, "contamination", None) == "auto"
    return (FALSE_ALARM_RATE, "estimated") if is_auto else (None, None)


def _check_shift(pipeline, scores):
    try:
        calibration = get_calibration_scores(pipeline)
    except ValueError:  # the detector has no calibration scores
        return None
    return check_shift(calibration, np.array(scores))
