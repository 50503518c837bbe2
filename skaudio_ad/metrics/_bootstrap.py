"""How sure a metric is: intervals by resampling clips, or whole groups of them."""

import numpy as np
from sklearn.utils import check_consistent_length, check_random_state, column_or_1d

from .._checks import check_number
from ._scores import check_scores


def bootstrap_interval(
    metric, y_true, scores, *, groups=None, confidence=0.95, n_resamples=1000, random_state=0
):
    """Percentile interval of a metric, by resampling normal and anomalous clips separately.

    Parameters
    ----------
    metric : callable
        ``metric(y_true, scores) -> float``.

    y_true : array-like of shape (n_clips,)
        1 for normal, -1 for anomalous clips.

    scores : array-like of shape (n_clips,)
        On the scale of ``score_samples``; decisions, 1 and -1, for a metric that takes those.

    groups : array-like of shape (n_clips,), default=None
        Clips that belong together: parts of one recording, copies, or all clips of a machine. Then whole groups are
        drawn, and the interval is about another recording or machine. Clips of a group resemble each other, and
        clips drawn one by one make the interval too narrow. Groups of normal clips only, of anomalous clips only and
        of both are drawn separately, as many of each as there are.

    confidence : float, default=0.95
        Probability that the interval shall hold. Percentile intervals of a few groups hold less often.

    n_resamples : int, default=1000
        Draws; 1000 is the usual least for a 95 % interval (Efron and Tibshirani 1993).

    random_state : int, RandomState instance or None, default=0
        Of the draws: a table shall not change when it is made again.

    Returns
    -------
    low, high : float

    Raises
    ------
    ValueError
        As :func:`anomaly_auc_score`; and if there is but one group of a kind, of which no draw differs.

    Examples
    --------
    >>> from skaudio_ad.metrics import anomaly_auc_score, bootstrap_interval
    >>> bootstrap_interval(anomaly_auc_score, [1, 1, 1, -1, -1, -1], [3.0, 2.0, 2.5, 1.0, 0.5, 0.0])
    (1.0, 1.0)
    """
    check_number(confidence, "confidence", low=0, high=1, closed="neither")
    check_number(n_resamples, "n_resamples", low=1, integer=True)
    anomalous, anomaly_scores = check_scores(y_true, scores)
    y_true, scores = np.where(anomalous, -1, 1), -anomaly_scores
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

    values = []
    for _ in range(n_resamples):
        drawn = draw()
        values.append(metric(y_true[drawn], scores[drawn]))
    low, high = np.quantile(values, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def _groups(groups, anomalous):
    """Clips of every group, and the groups of every kind: of anomalous clips only, of normal ones only, of both."""
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
                f"there is one group of {kind}, {names[mask].tolist()[0]!r}: at least 2 of a kind are needed, since "
                "draws of a single one do not differ. Leave its clips out, or leave groups out to draw clips."
            )
    return members, [np.flatnonzero(mask) for mask in masks.values() if mask.any()]
