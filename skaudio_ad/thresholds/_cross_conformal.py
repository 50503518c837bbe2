"""Cross-conformal scores: a new clip against the held-out clips of every fold, by the model of that fold."""

import numpy as np
from scipy.special import expit
from sklearn.pipeline import Pipeline
from sklearn.utils import get_tags

from .._base import group_weights
from ._grouped import sort_and_accumulate, weight_at_or_below

# Weights are fractions such as 1/3: sums that are equal on paper may differ by this much.
_ROUNDING = 1e-9


def cross_conformal_scores(fold_scores, calibration_scores, folds, groups=None):
    """One score of every new clip, from its scores by the models of all folds.

    What decides is the clip's count: how many held-out clips score no higher than it, each compared by the model that
    was trained without that clip's fold. A clip of count j lies between the j-th smallest held-out score and the next,
    and above or below the other clips of that count by the mean of its scores, each standardised by the held-out
    scores of its fold. So thresholds and p-values from the held-out scores compare counts, and below all held-out
    scores the result goes on as a mean of the models' scores does.

    Parameters
    ----------
    fold_scores : ndarray of shape (n_folds, n_clips)
        Scores of the new clips by every model. NaN for a clip that could not be read.
    calibration_scores : ndarray of shape (n_normal,)
        Scores of the held-out normal clips, each by the model that was trained without it.
    folds : ndarray of shape (n_normal,), int
        Which model that was.
    groups : ndarray of shape (n_normal,), default=None
        With groups, each held-out clip counts by its share of its group. Counts are rounded up to those that a
        held-out score has.

    Returns
    -------
    ndarray of shape (n_clips,), float64
        Each clip's score depends on no other new clip.
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
    """Scores between the held-out score at `position`, counted from 1, and the next larger one."""
    ends = np.concatenate([[-np.inf], ranked, [np.inf]])
    low = ends[position]
    high = ends[np.searchsorted(ranked, low, side="right") + 1]
    with np.errstate(invalid="ignore"):  # an end that is infinite, a level that is NaN
        between = low + (high - low) * expit(level)
        # Far below all held-out scores this is the mean of the models' scores, on the scale of theirs.
        below = ranked[0] - deviation * np.logaddexp(0, lowest - level)
        above = ranked[-1] + deviation * np.logaddexp(0, level)
    scores = np.where(np.isinf(low), below, np.where(np.isinf(high), above, between))
    return np.clip(scores, low, np.nextafter(high, -np.inf))


def _locate_folds(scores, folds, n_folds):
    """Mean and standard deviation of the held-out scores of every fold, or of all where a fold has too few."""
    parts = [scores[folds == number] for number in range(n_folds)]
    if min(map(len, parts)) < 2 or min(part.std() for part in parts) <= 0:
        parts = [scores] * n_folds
    deviations = np.array([part.std() for part in parts])
    return np.array([part.mean() for part in parts]), np.where(deviations > 0, deviations, 1.0)


def cross_conformal_bound(rate, fold_sizes, grouped=False):
    """Largest false-alarm rate that is proved of a threshold whose cross-conformal p-value is `rate`.

    Each fold alone gives a valid p-value. Their mean, weighted by the folds' sizes plus one, is valid after doubling,
    for any detector (V. Vovk and R. Wang, "Combining p-values via averaging", Biometrika, 2020; V. Vovk,
    "Cross-conformal predictors", 2015): ``2 rate + 2 (1 - rate) (K - 1) / (n + K)``. Where all K folds are of the same
    size and training treats all clips alike, ``2 rate + (1 - K / n) / (K + 1)`` holds too, which with a fold for every
    clip is ``2 rate`` (R. F. Barber et al., "Predictive inference with the jackknife+", Annals of Statistics, 2021,
    theorem 4; for groups, Y. Lee et al., 2023).

    Parameters
    ----------
    rate : float
    fold_sizes : ndarray of shape (n_folds,)
        Number of clips that each fold holds out, or of groups.
    grouped : bool, default=False
        Of groups the second bound is proved with a fold for every group only.

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
    """The first steps that pipelines have in common because they learn nothing, and the rest of each.

    Loading clips and embedding them is then done once, and not by every model.

    Parameters
    ----------
    detectors : list of estimator
        Clones of one, fitted.

    Returns
    -------
    shared : Pipeline or None
    rests : list of estimator
    """
    first, n_shared = detectors[0], 0
    if isinstance(first, Pipeline):
        while n_shared < len(first) - 1 and _learns_nothing(first[n_shared]):
            n_shared += 1
    if not n_shared:
        return None, list(detectors)
    rests = [detector[n_shared:] for detector in detectors]
    return first[:n_shared], [rest[-1] if len(rest) == 1 else rest for rest in rests]


def _learns_nothing(step):
    if step in ("passthrough", None):
        return True
    # An embedding with weights=None has random weights, which differ from clone to clone.
    return not get_tags(step).requires_fit and getattr(step, "weights", "") is not None
