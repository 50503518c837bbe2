"""How well scores tell anomalous clips from normal ones. Labels and signs are converted here, once."""

import numpy as np
from sklearn.metrics import roc_auc_score
from sklearn.utils import check_array, check_consistent_length, check_random_state, column_or_1d

from .._checks import check_number, check_option


def anomaly_auc_score(y_true, scores):
    """Area under the receiver operating characteristic, the anomaly being the positive class.

    Parameters
    ----------
    y_true : array-like of shape (n_clips,)
        1 for normal, -1 for anomalous clips.

    scores : array-like of shape (n_clips,)
        On the scale of ``score_samples``: higher is more normal.

    Returns
    -------
    float
        In [0, 1]; 0.5 is chance.

    Raises
    ------
    ValueError
        If a label is neither 1 nor -1, one of the classes is missing, or a score is NaN.

    Examples
    --------
    >>> from skaudio_ad.metrics import anomaly_auc_score
    >>> anomaly_auc_score([1, 1, -1, -1], [-0.1, -0.3, -0.2, -0.9])
    0.75
    """
    anomalous, anomaly_scores = _as_anomaly(y_true, scores)
    return float(roc_auc_score(anomalous, anomaly_scores))


def partial_auc_score(y_true, scores, *, max_fpr=0.1, convention="mcclish"):
    """Partial area under the receiver operating characteristic, up to a false-alarm rate.

    Parameters
    ----------
    y_true : array-like of shape (n_clips,)
        1 for normal, -1 for anomalous clips.

    scores : array-like of shape (n_clips,)
        On the scale of ``score_samples``: higher is more normal.

    max_fpr : float, default=0.1
        The largest false positive rate, in (0, 1]; 0.1 in every DCASE Task 2.

    convention : {"mcclish", "mean"}, default="mcclish"
        "mcclish" is standardised so that 0.5 is chance: what the official DCASE evaluators compute. "mean" is
        the definition in their papers, the mean detection rate over the ``floor(max_fpr * n_normal)`` normal
        clips that look most anomalous, for which chance is about ``max_fpr / 2``.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        As :func:`anomaly_auc_score`; and with "mean" if there are fewer than ``1 / max_fpr`` normal clips.

    References
    ----------
    D. K. McClish, "Analyzing a portion of the ROC curve", Medical Decision Making, 1989.

    Examples
    --------
    >>> from skaudio_ad.metrics import partial_auc_score
    >>> partial_auc_score([1, 1, -1, -1], [-0.1, -0.3, -0.2, -0.9], max_fpr=0.5, convention="mean")
    0.5
    """
    check_number(max_fpr, "max_fpr", low=0, high=1, closed="right")
    check_option(convention, "convention", ("mcclish", "mean"))
    anomalous, anomaly_scores = _as_anomaly(y_true, scores)
    if convention == "mcclish":
        return float(roc_auc_score(anomalous, anomaly_scores, max_fpr=max_fpr))
    normal = np.sort(anomaly_scores[~anomalous])[::-1]
    # 0.1 * 30 is 3.0000000000000004 in floating point, and 0.29 * 100 is 28.999999999999996.
    n_kept = int(np.floor(round(max_fpr * len(normal), 9)))
    if n_kept == 0:
        raise ValueError(
            f"{len(normal)} normal clips are too few for max_fpr={max_fpr}: at least {int(np.ceil(1 / max_fpr))} "
            'are needed. Use a larger max_fpr, or convention="mcclish".'
        )
    wins = anomaly_scores[anomalous][:, np.newaxis] > normal[:n_kept]
    return float(wins.mean())


def bootstrap_interval(metric, y_true, scores, *, confidence=0.95, n_resamples=1000, random_state=0):
    """Percentile interval of a metric, by resampling normal and anomalous clips separately.

    Parameters
    ----------
    metric : callable
        ``metric(y_true, scores) -> float``.

    y_true : array-like of shape (n_clips,)
        1 for normal, -1 for anomalous clips.

    scores : array-like of shape (n_clips,)
        On the scale of ``score_samples``.

    confidence : float, default=0.95
        Probability that the interval shall hold.

    n_resamples : int, default=1000
        Draws; 1000 is the usual least for a 95 % interval (Efron and Tibshirani 1993).

    random_state : int, RandomState instance or None, default=0
        Of the draws: a table shall not change when it is made again.

    Returns
    -------
    low, high : float

    Examples
    --------
    >>> from skaudio_ad.metrics import anomaly_auc_score, bootstrap_interval
    >>> bootstrap_interval(anomaly_auc_score, [1, 1, 1, -1, -1, -1], [3.0, 2.0, 2.5, 1.0, 0.5, 0.0])
    (1.0, 1.0)
    """
    check_number(confidence, "confidence", low=0, high=1, closed="neither")
    check_number(n_resamples, "n_resamples", low=1, integer=True)
    anomalous, anomaly_scores = _as_anomaly(y_true, scores)
    y_true, scores = np.where(anomalous, -1, 1), -anomaly_scores
    rng = check_random_state(random_state)
    classes = [np.flatnonzero(anomalous), np.flatnonzero(~anomalous)]
    values = []
    for _ in range(n_resamples):
        drawn = np.concatenate([rng.choice(members, len(members)) for members in classes])
        values.append(metric(y_true[drawn], scores[drawn]))
    low, high = np.quantile(values, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def _as_anomaly(y_true, scores):
    """Which clips are anomalous, and scores that are higher for them."""
    y_true = column_or_1d(y_true)
    scores = column_or_1d(check_array(scores, ensure_2d=False, dtype=np.float64, input_name="scores"))
    check_consistent_length(y_true, scores)
    labels = set(np.unique(y_true).tolist())
    if not labels <= {1, -1}:
        raise ValueError(
            f"y_true must hold 1 for normal and -1 for anomalous clips, got the labels {sorted(labels, key=str)}."
        )
    if labels != {1, -1}:
        missing = "normal (1)" if 1 not in labels else "anomalous (-1)"
        raise ValueError(f"y_true holds no {missing} clip: both kinds are needed to tell them apart.")
    return y_true == -1, -scores
