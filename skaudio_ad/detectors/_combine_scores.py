"""Calibrate the scores of several detectors, and combine the calibrated scores of every clip."""

import numpy as np
from scipy.special import logsumexp
from scipy.stats import chi2

from .._p_values import sort_and_accumulate
from ._clip_rows import FARTHEST

# Combinations that each calibration allows.
COMBINATIONS = {"zscore": ("min", "max", "mean"), "p-value": ("min", "max", "mean", "fisher", "harmonic")}


def calibrate(how, scores, held_out, weights):
    """Bring the scores of one detector to a common scale. Higher is more normal.

    Parameters
    ----------
    how : {"zscore", "p-value"}
    scores : ndarray of shape (n_clips,)
        NaN for a clip that could not be read.
    held_out, weights : ndarray of shape (n_held_out,)
        Held-out scores of the detector. A clip weighs 1, or 1 / (number of clips of its group).

    Returns
    -------
    ndarray of shape (n_clips,)
        For "zscore" the difference from the mean held-out score, in standard deviations. For "p-value" the logarithm of
        the interpolated p-value of :func:`log_p_values`.
    """
    mean, deviation = locate(held_out, weights)
    if how == "p-value":
        return log_p_values(scores, held_out, weights, deviation)
    with np.errstate(over="ignore"):
        return np.clip((scores - mean) / deviation, -FARTHEST, FARTHEST)


def calibrate_held_out(how, held_out, weights, members):
    """Calibrate every held-out score by the held-out scores of the other clips, or of the other groups.

    Parameters
    ----------
    how, held_out, weights
        As in :func:`calibrate`.
    members : ndarray of int of shape (n_held_out,)
        Number of the clip, or of the group, of every score.

    Returns
    -------
    ndarray of shape (n_held_out,)
    """
    made = np.empty(len(held_out))
    for member in np.unique(members):
        own = members == member
        made[own] = calibrate(how, held_out[own], held_out[~own], weights[~own])
    return made


def locate(scores, weights):
    """Weighted mean and standard deviation. The deviation is 1 where all scores are equal."""
    peak = np.abs(scores).max() or 1.0  # squares of huge scores overflow
    mean = np.average(scores / peak, weights=weights)
    deviation = np.sqrt(np.average((scores / peak - mean) ** 2, weights=weights))
    return mean * peak, deviation * peak or 1.0


def log_p_values(scores, held_out, weights, deviation):
    """Logarithms of p-values that are interpolated, so that clips between two held-out scores differ.

    The conformal p-value ``(1 + W(s)) / (1 + W)`` is a step function of the score s: W(s) is the weight of the held-out
    scores at or below s. The interpolated p-value rises linearly from one step to the next between two held-out scores,
    and is at most the conformal p-value. Below all held-out scores the logarithm falls by 1 for each standard
    deviation. Above all of them the difference from 1 falls in the same way.

    Parameters
    ----------
    scores : ndarray of shape (n_clips,)
    held_out, weights : ndarray of shape (n_held_out,)
    deviation : float
        Standard deviation of the held-out scores.

    Returns
    -------
    ndarray of shape (n_clips,)
    """
    ranked, weight_up_to = sort_and_accumulate(held_out, weights)
    ends, first = np.unique(ranked, return_index=True)
    below = np.append(0.0, weight_up_to)[first]
    steps = (1 + below) / (1 + weight_up_to[-1])
    with np.errstate(over="ignore"):
        under = np.clip((ends[0] - scores) / deviation, 0, FARTHEST)
        over = np.clip((scores - ends[-1]) / deviation, 0, FARTHEST)
    inside = np.interp(scores, ends, steps)
    return np.where(over > 0, np.log1p(-(1 - steps[-1]) * np.exp(-over)), np.log(inside) - under)


def combine(how, combination, calibrated):
    """Combine calibrated scores. Higher is more normal.

    Parameters
    ----------
    how : {"zscore", "p-value"}
    combination : str
        One of ``COMBINATIONS[how]``.
    calibrated : ndarray of shape (n_detectors, n_clips)

    Returns
    -------
    ndarray of shape (n_clips,)
    """
    if how == "zscore":
        # The anomaly score is minus the z-score: its minimum over the detectors is minus the largest z-score.
        return {"min": np.max, "max": np.min, "mean": _mean}[combination](calibrated, axis=0)
    n_detectors = len(calibrated)
    if combination == "mean":
        return logsumexp(calibrated, axis=0) - np.log(n_detectors)
    if combination == "harmonic":
        return np.log(n_detectors) - logsumexp(-calibrated, axis=0)
    if combination == "fisher":
        return n_detectors * _mean(calibrated, axis=0)
    return getattr(np, combination)(calibrated, axis=0)


def _mean(values, axis):
    """The mean, without an overflow of the sum."""
    return (values / values.shape[axis]).sum(axis=axis)


def combine_p_values(combination, p_values):
    """Combine conformal p-values to one p-value, with the factor that allows any dependence.

    Parameters
    ----------
    combination : {"min", "max", "mean", "fisher", "harmonic"}
    p_values : ndarray of shape (n_detectors, n_clips)

    Returns
    -------
    ndarray of shape (n_clips,)
        At most 1.
    """
    n_detectors = len(p_values)
    if n_detectors == 1:
        return p_values[0]
    if combination == "fisher":
        return chi2.sf(-2 * np.log(p_values).sum(axis=0), 2 * n_detectors)
    if combination == "mean":
        combined = 2 * p_values.mean(axis=0)
    elif combination == "harmonic":
        # n times the harmonic mean is at least n times the minimum, which is valid. e ln(n) is proved for n > 2.
        factor = n_detectors if n_detectors == 2 else min(n_detectors, np.e * np.log(n_detectors))
        combined = factor * n_detectors / (1 / p_values).sum(axis=0)
    elif combination == "min":
        combined = n_detectors * p_values.min(axis=0)
    else:
        combined = p_values.max(axis=0)
    return np.minimum(combined, 1.0)


def judge(how, combination, names, approximate):
    """Whether the combined p-value is valid, and the reason in a sentence or two.

    Parameters
    ----------
    how, combination : str
    names : list of str
        Names of the detectors.
    approximate : list of str
        Names of the detectors that are trained on the clips that calibrate them.

    Returns
    -------
    is_valid : bool
    validity : str
    """
    if how == "zscore":
        return False, (
            'z-scores are no p-values and promise no rate. Pass calibrate="p-value", or wrap the ensemble in a '
            "ThresholdedDetector."
        )
    if combination == "fisher" and len(names) > 1:
        return False, (
            "Fisher's method takes independent p-values, and these p-values come from the same clips. Pass another "
            "combine, or wrap the ensemble in a ThresholdedDetector."
        )
    if approximate:
        return False, (
            f"The factor of combine={combination!r} allows any dependence, but the p-values of "
            f"{', '.join(approximate)} are not proved: the detector that scores new clips is trained on the clips that "
            "calibrate. cv=0.5 gives proved p-values."
        )
    return True, (
        "Every p-value is conformal, from clips that its detector was not trained on, and the factor of "
        f"combine={combination!r} allows any dependence between the detectors."
    )
