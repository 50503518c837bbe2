"""Cross-conformal scores: the model of every fold compares a new clip with the held-out clips of that fold."""

import numpy as np
from scipy.special import expit
from sklearn.pipeline import Pipeline

from .._base import group_weights
from .._clip_calls import learns_nothing
from .._p_values import sort_and_accumulate, weight_at_or_below

# Maximum rounding error of a sum of weights. Weights are fractions such as 1/3, so equal sums may differ slightly.
_ROUNDING = 1e-9


def cross_conformal_scores(fold_scores, calibration_scores, folds, groups=None):
    """Combine the scores of every new clip by the models of all folds into one score.

    The count of a new clip is the number of held-out clips that score no higher than the new clip. Every held-out clip
    is compared by the model that was trained without its fold. A new clip with the count j gets a score between the
    j-th smallest held-out score and the next one. New clips with the same count are ordered by the mean of their
    scores. Each score in this mean is standardised by the held-out scores of its fold.

    Therefore thresholds and p-values from the held-out scores compare counts. Below all held-out scores the result
    follows the mean of the models' scores.

    Parameters
    ----------
    fold_scores : ndarray of shape (n_folds, n_clips)
        Scores of the new clips by every model. NaN for a clip that could not be read.
    calibration_scores : ndarray of shape (n_normal,)
        Scores of the held-out normal clips, each by the model that was trained without it.
    folds : ndarray of shape (n_normal,), int
        Number of the model that was trained without the clip.
    groups : ndarray of shape (n_normal,), default=None
        Group of every held-out clip. A clip weighs 1 / (number of clips of its group). Counts are rounded up to the
        next total weight of sorted held-out scores.

    Returns
    -------
    ndarray of shape (n_clips,), float64
        The score of a clip depends on no other new clip.
    """
    weights, _ = group_weights(calibration_scores, groups)
    means, deviations = _locate_folds(calibration_scores, folds, len(fold_scores))
    counts, level = np.zeros(fold_scores.shape[1]), np.zeros(fold_scores.shape[1])
    for number, scores in enumerate(fold_scores):
        own = folds == number
        sorted_scores, weight_up_to = sort_and_accumulate(calibration_scores[own], weights[own])
        counts += weight_at_or_below(sorted_scores, weight_up_to, scores)
        level += (scores - means[number]) / deviations[number] / len(fold_scores)
    ranked, weight_up_to = sort_and_accumulate(calibration_scores, weights)
    lowest = ((calibration_scores - means[folds]) / deviations[folds]).min()
    position = np.searchsorted(weight_up_to, counts - _ROUNDING, side="left") + 1
    position[counts <= _ROUNDING] = 0
    scores = _place(position, level, ranked, lowest, deviations.mean())
    return np.where(np.isnan(level), np.nan, scores)


def _place(position, level, ranked, lowest, deviation):
    """Place every score between the held-out score at `position`, counted from 1, and the next larger one."""
    ends = np.concatenate([[-np.inf], ranked, [np.inf]])
    low = ends[position]
    high = ends[np.searchsorted(ranked, low, side="right") + 1]
    with np.errstate(invalid="ignore"):  # an end may be infinite, a level NaN
        between = low + (high - low) * expit(level)
        # Far below all held-out scores this is the mean of the models' scores, on the same scale.
        below = ranked[0] - deviation * np.logaddexp(0, lowest - level)
        above = ranked[-1] + deviation * np.logaddexp(0, level)
    scores = np.where(np.isinf(low), below, np.where(np.isinf(high), above, between))
    return np.clip(scores, low, np.nextafter(high, -np.inf))


def _locate_folds(scores, folds, n_folds):
    """Mean and standard deviation of the held-out scores of every fold. All scores are used if a fold has too few."""
    parts = [scores[folds == number] for number in range(n_folds)]
    if min(map(len, parts)) < 2 or min(part.std() for part in parts) <= 0:
        parts = [scores] * n_folds
    deviations = np.array([part.std() for part in parts])
    return np.array([part.mean() for part in parts]), np.where(deviations > 0, deviations, 1.0)


def cross_conformal_bound(rate, fold_sizes, grouped=False):
    """Proved upper bound of the false-alarm rate of a threshold whose cross-conformal p-value is `rate`.

    Each fold alone gives a valid p-value. The mean of these p-values, weighted by the folds' sizes plus one, is valid
    after doubling, for any detector (V. Vovk and R. Wang, "Combining p-values via averaging", Biometrika, 2020; V.
    Vovk, "Cross-conformal predictors", 2015): ``2 rate + 2 (1 - rate) (K - 1) / (n + K)``. If all K folds have the same
    size and training treats all clips alike, ``2 rate + (1 - K / n) / (K + 1)`` holds too. With a fold for every clip
    this is ``2 rate`` (R. F. Barber et al., "Predictive inference with the jackknife+", Annals of Statistics, 2021,
    theorem 4; for groups, Y. Lee et al., 2023).

    Parameters
    ----------
    rate : float
    fold_sizes : ndarray of shape (n_folds,)
        Number of clips, or groups, that each fold holds out.
    grouped : bool, default=False
        For groups the second bound is proved only with a fold for every group.

    Returns
    -------
    float
    """
    n, n_folds = np.sum(fold_sizes), len(fold_sizes)
    excess = 2 * (1 - rate) * (n_folds - 1) / (n + n_folds)
    if np.ptp(fold_sizes) == 0 and (n == n_folds or not grouped):
        excess = min(excess, (1 - n_folds / n) / (n_folds + 1))
    return float(min(1.0, 2 * rate + excess))


def split_off_shared_steps(detectors):
    """Split pipelines into shared first steps that learn nothing, and the rest of each pipeline.

    The shared steps, such as loading and embedding, then run once and not for every model.

    Parameters
    ----------
    detectors : list of estimator
        Fitted clones of one detector.

    Returns
    -------
    shared : Pipeline or None
    rests : list of estimator
    """
    first, n_shared = detectors[0], 0
    if isinstance(first, Pipeline):
        while n_shared < len(first) - 1 and learns_nothing(first[n_shared]):
            n_shared += 1
    if not n_shared:
        return None, list(detectors)
    rests = [detector[n_shared:] for detector in detectors]
    return first[:n_shared], [rest[-1] if len(rest) == 1 else rest for rest in rests]
