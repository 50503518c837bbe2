"""How well scores tell anomalous clips from normal ones. Signs are turned here, once."""

import numpy as np
from scipy.stats import rankdata
from sklearn.metrics import average_precision_score, fbeta_score, roc_auc_score, roc_curve
from sklearn.utils import check_array, check_consistent_length, column_or_1d

from .._checks import check_number, check_option
from .._labels import is_anomalous


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
    anomalous, anomaly_scores = check_scores(y_true, scores)
    # By Mann and Whitney's statistic: roc_auc_score checks all again, ten times as long in a bootstrap.
    ranks, n = rankdata(anomaly_scores), np.count_nonzero(anomalous)
    return float((ranks[anomalous].sum() - n * (n + 1) / 2) / (n * (len(ranks) - n)))


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
    anomalous, anomaly_scores = check_scores(y_true, scores)
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


def anomaly_average_precision_score(y_true, scores):
    """Average precision, the anomaly being the positive class.

    Parameters
    ----------
    y_true : array-like of shape (n_clips,)
        1 for normal, -1 for anomalous clips.

    scores : array-like of shape (n_clips,)
        On the scale of ``score_samples``: higher is more normal.

    Returns
    -------
    float
        In (0, 1]; chance is the share of anomalous clips, so that values of data sets with other shares do not
        compare.

    Raises
    ------
    ValueError
        As :func:`anomaly_auc_score`.

    See Also
    --------
    sklearn.metrics.average_precision_score : Given the same labels it takes the normal clips for the positive class.

    Examples
    --------
    >>> from skaudio_ad.metrics import anomaly_average_precision_score
    >>> anomaly_average_precision_score([1, 1, -1], [3.0, 1.0, 2.0])
    0.5
    """
    anomalous, anomaly_scores = check_scores(y_true, scores)
    return float(average_precision_score(anomalous, anomaly_scores))


def tpr_at_fpr_score(y_true, scores, *, max_fpr=0.05):
    """True positive rate, the share of anomalies found, at a false-alarm rate.

    Parameters
    ----------
    y_true : array-like of shape (n_clips,)
        1 for normal, -1 for anomalous clips.

    scores : array-like of shape (n_clips,)
        On the scale of ``score_samples``: higher is more normal.

    max_fpr : float, default=0.05
        The false-alarm rate not to exceed, in [0, 1]. The default is that of the detectors' own thresholds.

    Returns
    -------
    float
        The largest share that a threshold finds whose false alarms among these normal clips are no more than
        `max_fpr`: nothing is interpolated. Below ``1 / max_fpr`` normal clips none may raise an alarm.

    Raises
    ------
    ValueError
        As :func:`anomaly_auc_score`.

    Notes
    -----
    The threshold is the best one for these very clips. A threshold that was set beforehand does no better.

    Examples
    --------
    >>> from skaudio_ad.metrics import tpr_at_fpr_score
    >>> tpr_at_fpr_score([1, 1, -1, -1], [-0.1, -0.3, -0.2, -0.9])
    0.5
    """
    check_number(max_fpr, "max_fpr", low=0, high=1)
    anomalous, anomaly_scores = check_scores(y_true, scores)
    false_alarm_rate, detection_rate, _ = roc_curve(anomalous, anomaly_scores, drop_intermediate=False)
    # 0.29 * 100 is 28.999999999999996: a rate that is met must not fail by its last digit.
    return float(detection_rate[false_alarm_rate <= max_fpr + 1e-9].max())


def anomaly_fbeta_score(y_true, y_pred, *, beta=1.0):
    """F-beta of decisions, the anomaly being the positive class.

    Parameters
    ----------
    y_true : array-like of shape (n_clips,)
        1 for normal, -1 for anomalous clips.

    y_pred : array-like of shape (n_clips,)
        Decisions, 1 and -1, as ``predict`` returns them.

    beta : float, default=1.0
        How many times as much recall, the share of anomalies found, weighs as precision, the share of alarms that
        are right. 2 where a missed fault costs more than a false alarm.

    Returns
    -------
    float
        In [0, 1]; 0 where no anomaly is found.

    Raises
    ------
    ValueError
        If a label or a decision is neither 1 nor -1, or one of the classes is missing in `y_true`.

    Examples
    --------
    >>> from skaudio_ad.metrics import anomaly_fbeta_score
    >>> anomaly_fbeta_score([1, 1, -1, -1], [1, -1, -1, -1])
    0.8
    """
    check_number(beta, "beta", low=0, closed="neither")
    anomalous = check_both_kinds(is_anomalous(y_true))
    alarms = is_anomalous(y_pred, name="y_pred")
    check_consistent_length(anomalous, alarms)
    return float(fbeta_score(anomalous, alarms, beta=beta, zero_division=0))


def separation_ratio(y_true, scores):
    """How many times as large the mean error of the anomalous clips is as that of the normal ones.

    Parameters
    ----------
    y_true : array-like of shape (n_clips,)
        1 for normal, -1 for anomalous clips.

    scores : array-like of shape (n_clips,)
        Minus errors or distances, which ``score_samples`` of detectors that reconstruct, predict or measure
        distances returns: no score is positive.

    Returns
    -------
    float
        1 where errors do not tell the clips apart; infinity where the normal clips have no error at all.

    Raises
    ------
    ValueError
        As :func:`anomaly_auc_score`; and if a score is positive, or all are 0.

    Notes
    -----
    Published beside autoencoders: errors of 0.0142 and 0.0685 of normal and abnormal heart sounds are a ratio of 4.8.
    A few anomalies with large errors make it large however many look normal, so read it beside
    :func:`anomaly_auc_score`.

    Examples
    --------
    >>> from skaudio_ad.metrics import separation_ratio
    >>> separation_ratio([1, 1, -1], [-1.0, -3.0, -8.0])
    4.0
    """
    anomalous, errors = check_scores(y_true, scores)
    if (errors < 0).any():
        raise ValueError(
            f"separation_ratio takes minus errors, none of them positive, got a score of {-errors.min():g}. Scores "
            "without a natural zero, such as log-likelihoods, have no ratio: use anomaly_auc_score."
        )
    normal, anomaly = errors[~anomalous].mean(), errors[anomalous].mean()
    if normal == 0:
        if anomaly == 0:
            raise ValueError("all scores are 0: errors of nothing but 0 have no ratio.")
        return np.inf
    return float(anomaly / normal)


def harmonic_mean_score(values):
    """Harmonic mean of metrics, which one bad value pulls down: the summary of DCASE Task 2 since 2021.

    Parameters
    ----------
    values : array-like of shape (n_values,)
        Not negative, such as areas under the curve of several machines.

    Returns
    -------
    float
        Values below the machine epsilon count as that, as in the official evaluators: one 0 makes the mean about 0.

    Raises
    ------
    ValueError
        If there is no value, or one is negative, NaN or infinite.

    Examples
    --------
    >>> from skaudio_ad.metrics import harmonic_mean_score
    >>> round(harmonic_mean_score([0.5, 1.0]), 4)
    0.6667
    """
    values = column_or_1d(check_array(values, ensure_2d=False, dtype=np.float64, input_name="values"))
    if (values < 0).any():
        raise ValueError(f"values of a harmonic mean must not be negative, got {values.min():g}.")
    return float(1 / np.mean(1 / np.maximum(values, np.finfo(np.float64).eps)))


def check_scores(y_true, scores):
    """Which clips are anomalous, and scores that are higher for them."""
    anomalous = is_anomalous(y_true)
    scores = column_or_1d(check_array(scores, ensure_2d=False, dtype=np.float64, input_name="scores"))
    check_consistent_length(anomalous, scores)
    return check_both_kinds(anomalous), -scores


def check_both_kinds(anomalous):
    """`anomalous`, if it holds clips of both kinds."""
    if anomalous.all() or not anomalous.any():
        missing = "normal (1)" if anomalous.all() else "anomalous (-1)"
        raise ValueError(f"y_true holds no {missing} clip: both kinds are needed to tell them apart.")
    return anomalous
