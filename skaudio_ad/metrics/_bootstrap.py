"""Confidence intervals of a metric, by resampling clips or whole groups of clips."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from sklearn.utils import check_consistent_length, check_random_state, column_or_1d

from .._checks import check_number
from .._typing import Labels, RandomState
from ._scores import anomaly_auc_score, check_scores


def bootstrap_interval(
    metric: Callable[..., float],
    y_true: Labels,
    scores: npt.ArrayLike,
    *,
    groups: npt.ArrayLike | None = None,
    confidence: float = 0.95,
    n_resamples: int = 1000,
    random_state: RandomState = 0,
) -> tuple[float, float]:
    """Percentile interval of a metric, by resampling normal and anomalous clips separately.

    Parameters
    ----------
    metric : callable
        ``metric(y_true, scores) -> float``.

    y_true : array-like of shape (n_clips,)
        1 for normal, -1 for anomalous clips.

    scores : array-like of shape (n_clips,)
        Scores on the scale of ``score_samples``, or decisions (1 and -1) for a metric that takes decisions.

    groups : array-like of shape (n_clips,), default=None
        Group of every clip. The clips of a group belong together, such as parts of one recording, copies, or all
        clips of a machine. With groups, whole groups are drawn, and the interval is about a new recording or machine.
        The clips of a group resemble each other, so an interval from clips drawn one by one would be too narrow.
        There are three kinds of group: normal clips only, anomalous clips only, and both. Each kind is drawn
        separately, and its number of groups stays the same.

    confidence : float, default=0.95
        Nominal probability that the interval covers the true value. With few groups a percentile interval covers the
        true value less often.

    n_resamples : int, default=1000
        Number of draws. 1000 is the usual minimum for a 95 % interval (Efron and Tibshirani 1993).

    random_state : int, RandomState instance or None, default=0
        Seed of the draws. The default gives the same interval at every call.

    Returns
    -------
    low, high : float
        Bounds of the interval.

    Raises
    ------
    ValueError
        For the reasons that :func:`anomaly_auc_score` lists, and if there is only one group of a kind, because all
        draws from one group are the same.

    Examples
    --------
    >>> from skaudio_ad.metrics import anomaly_auc_score, bootstrap_interval
    >>> bootstrap_interval(anomaly_auc_score, [1, 1, 1, -1, -1, -1], [3.0, 2.0, 2.5, 1.0, 0.5, 0.0])
    (1.0, 1.0)
    """
    check_number(confidence, "confidence", low=0, high=1, closed="neither")
    check_number(n_resamples, "n_resamples", low=1, integer=True)
    anomalous, anomaly_scores = check_scores(y_true, scores)
    labels, normality = np.where(anomalous, -1, 1), -anomaly_scores
    rng = check_random_state(random_state)
    if groups is None:
        classes = [np.flatnonzero(anomalous), np.flatnonzero(~anomalous)]

        def draw():
            return np.concatenate([rng.choice(members, len(members)) for members in classes])
    else:
        members, kinds = _groups(groups, anomalous)

        def draw():
            drawn = np.concatenate([rng.choice(kind, len(kind)) for kind in kinds])
            return np.concatenate([members[group] for group in drawn])

    if metric is anomaly_auc_score:
        # A draw of checked clips needs no check, and the scores are sorted once for all draws.
        resampled = _area_of_draws(anomalous, anomaly_scores)
    else:

        def resampled(drawn):
            return metric(labels[drawn], normality[drawn])

    values = [resampled(draw()) for _ in range(n_resamples)]
    low, high = np.quantile(values, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def _area_of_draws(anomalous, anomaly_scores):
    """Return a function of a draw, which gives the area under the ROC of the drawn clips without sorting again."""
    levels = np.unique(anomaly_scores, return_inverse=True)[1]
    cells, n_levels = 2 * levels + anomalous, levels.max() + 1

    def area(drawn):
        n_normal, n_anomalous = np.bincount(cells[drawn], minlength=2 * n_levels).reshape(n_levels, 2).T
        # Twice the number of pairs of a normal and an anomalous clip in the right order. A tie counts half.
        pairs = n_anomalous @ (2 * np.cumsum(n_normal) - n_normal)
        return pairs / 2 / (n_anomalous.sum() * n_normal.sum())

    return area


def _groups(groups, anomalous):
    """Return the clips of every group, and the groups of every kind (anomalous clips only, normal clips only, both)."""
    groups = column_or_1d(groups)
    check_consistent_length(anomalous, groups)
    names, inverse = np.unique(groups, return_inverse=True)
    members = [np.flatnonzero(inverse == group) for group in range(len(names))]
    share = np.array([anomalous[clips].mean() for clips in members])
    masks = {
        "anomalous clips only": share == 1,
        "normal clips only": share == 0,
        "normal and anomalous clips": (share > 0) & (share < 1),
    }
    for kind, mask in masks.items():
        if mask.sum() == 1:
            raise ValueError(
                f"there is one group of {kind}, {names[mask].tolist()[0]!r}: at least 2 of a kind are needed, because "
                "draws of a single group do not differ. Leave out the clips of this group, or pass groups=None to draw "
                "single clips."
            )
    return members, [np.flatnonzero(mask) for mask in masks.values() if mask.any()]
