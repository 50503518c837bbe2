"""Conformal quantile and p-values where several clips come from one recording, machine or patient."""

import numpy as np

from .._base import conformal_quantile, conformal_rank, group_weights
from .._p_values import weighted_p_values
from ._selector import GUARANTEED_ON_AVERAGE, check_scores


def hierarchical_p_values(calibration_scores, scores, groups=None):
    """Conformal p-values of clips from groups that did not calibrate.

    The p-value is ``(1 + sum over groups of the share of their clips that score as low) / (1 + n_groups)``. This is
    hierarchical conformal prediction (Y. Lee, R. F. Barber and R. Willett, "Distribution-free inference with
    hierarchical data", 2023). Without groups these are the usual conformal p-values.

    Parameters
    ----------
    calibration_scores : ndarray of shape (n_normal,)
    scores : array-like of shape (n_clips,)
    groups : ndarray of shape (n_normal,), default=None
        Group of every calibration score.

    Returns
    -------
    ndarray of shape (n_clips,), float64
        NaN where the score is NaN.
    """
    scores = check_scores(scores)
    return weighted_p_values(calibration_scores, group_weights(calibration_scores, groups)[0], scores)


def fit_on_groups(selector, scores, groups):
    """Fit a :class:`ConformalThreshold` so that its promise holds for clips of a new group.

    Parameters
    ----------
    selector : ConformalThreshold
        An unfitted selector, which gets the attributes that ``fit`` sets.
    scores : ndarray of shape (n_normal,)
    groups : ndarray of shape (n_normal,)
        Group of every score.

    Returns
    -------
    ConformalThreshold

    Raises
    ------
    ValueError
        If there are too few groups for ``alpha``, or the selector asks for a `confidence`.
    """
    selector._check_parameters()
    if getattr(selector, "confidence", None) is not None:
        raise ValueError(
            f"confidence={selector.confidence} counts clips that are independent of each other, and clips of one group "
            "are not independent. Pass one clip of every group and no groups, or confidence=None."
        )
    n_groups, alpha = len(np.unique(groups)), selector.alpha
    if conformal_rank(n_groups, alpha) < 1 and selector.too_few == "estimate":
        selector.calibration_scores_ = np.sort(check_scores(scores, missing=False))
        selector._estimate(scores, groups)
        return selector
    if conformal_rank(n_groups, alpha) < 1:
        n_needed = int(np.ceil(1 / alpha - 1e-6)) - 1
        raise ValueError(
            f"alpha={alpha} takes normal clips of at least {n_needed} groups, got {n_groups}: all clips of "
            f"a group count as one, and with {n_groups} groups no threshold can promise less than 1 / {n_groups + 1}. "
            'Pass clips of more groups, a larger alpha, or too_few="estimate", which guarantees nothing.'
        )
    scores = check_scores(scores, missing=False)
    selector.calibration_scores_ = np.sort(scores)
    selector.threshold_ = conformal_quantile(scores, alpha, groups)
    weight_below = group_weights(scores, groups)[0][scores < selector.threshold_].sum()
    selector.false_alarm_rate_ = float((1 + weight_below) / (1 + n_groups))
    selector.promise_ = GUARANTEED_ON_AVERAGE
    selector.promise_reason_ = (
        f"A new group has every rank among {n_groups} groups and itself with the same probability. This holds on "
        "average over draws of the groups."
    )
    return selector
