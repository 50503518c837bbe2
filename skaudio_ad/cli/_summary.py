"""Summarise a table of scores: decisions, expected false alarms, and a shift of the recordings."""

import numpy as np

from ..recordings._unwrap import last_step
from ..thresholds import check_shift, get_calibration_scores
from ._training import false_alarm_rate


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
    rate, promise = false_alarm_rate(last_step(pipeline))
    if rate is not None:
        lines[0] += (
            f" If all of them were normal, {rate * n_scored:.2g} false alarms would be expected "
            f"(rate {rate:.2g}, {promise})."
        )
    shift = None if n_scored < 2 else _check_shift(pipeline, scores)
    if shift is not None:
        lines.append(f"{'Warning' if shift.shifted else 'Shift check'}: {shift.summary}")
    return lines


def _check_shift(pipeline, scores):
    try:
        calibration = get_calibration_scores(pipeline)
    except ValueError:  # the detector has no calibration scores
        return None
    return check_shift(calibration, np.array(scores)) if len(calibration) else None
