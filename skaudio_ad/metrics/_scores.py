"""Metrics of how well scores tell anomalous clips from normal ones. The sign of the scores is turned here, once."""

from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata
from sklearn.metrics import average_precision_score, fbeta_score, roc_auc_score, roc_curve
from sklearn.utils import check_array, check_consistent_length, column_or_1d

from .._checks import check_number, check_option
from .._labels import is_anomalous
from .._typing import Labels


def anomaly_auc_score(y_true: Labels, scores: npt.ArrayLike) -> float:
    """Area under the receiver operating characteristic (ROC). The anomaly is the positive class.

    Parameters
    ----------
    y_true : array-like of shape (n_clips,)
        1 for normal, -1 for anomalous clips.

    scores : array-like of shape (n_clips,)
        Scores on the scale of ``score_samples``: higher is more normal.

    Returns
    -------
    float
        Area in [0, 1]; 0.5 is chance.

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
    return area_under_roc(*check_scores(y_true, scores))


def area_under_roc(anomalous, anomaly_scores):
    """:func:`anomaly_auc_score` of checked input.

    Parameters
    ----------
    anomalous : ndarray of bool of shape (n_clips,)
    anomaly_scores : ndarray of shape (n_clips,)
        Higher is more anomalous.

    Returns
    -------
    float
    """
    # The statistic of Mann and Whitney equals the area. roc_auc_score would check the input again, which makes a
    # bootstrap ten times as slow.
    ranks, n = rankdata(anomaly_scores), np.count_nonzero(anomalous)
    return float((ranks[anomalous].sum() - n * (n + 1) / 2) / (n * (len(ranks) - n)))


def partial_auc_score(
    y_true: Labels,
    scores: npt.ArrayLike,
    *,
    max_fpr: float = 0.1,
    convention: Literal["mcclish", "mean"] = "mcclish",
) -> float:
    """Partial area under the receiver operating characteristic (ROC), up to a false-alarm rate.

    Parameters
    ----------
    y_true : array-like of shape (n_clips,)
        1 for normal, -1 for anomalous clips.

    scores : array-like of shape (n_clips,)
        Scores on the scale of ``score_samples``: higher is more normal.

    max_fpr : float, default=0.1
        Maximum false positive rate, in (0, 1]. Every DCASE Task 2 uses 0.1.

    convention : {"mcclish", "mean"}, default="mcclish"
        "mcclish" standardises the area so that 0.5 is chance. The official DCASE evaluators compute this value.
        "mean" is the definition in the DCASE papers: the mean detection rate over the
        ``floor(max_fpr * n_normal)`` normal clips that look most anomalous. Chance is about ``max_fpr / 2``.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        For the reasons that :func:`anomaly_auc_score` lists. With "mean" also if there are fewer than
        ``1 / max_fpr`` normal clips.

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
    # Round first: in floating point 0.1 * 30 is 3.0000000000000004, and 0.29 * 100 is 28.999999999999996.
    n_kept = int(np.floor(round(max_fpr * len(normal), 9)))
    if n_kept == 0:
        raise ValueError(
            f"{len(normal)} normal clips are too few for max_fpr={max_fpr}: at least {int(np.ceil(1 / max_fpr))} "
            'are needed. Use a larger max_fpr, or convention="mcclish".'
        )
    wins = anomaly_scores[anomalous][:, np.newaxis] > normal[:n_kept]
    return float(wins.mean())


def anomaly_average_precision_score(y_true: Labels, scores: npt.ArrayLike) -> float:
    """Average precision. The anomaly is the positive class.

    Parameters
    ----------
    y_true : array-like of shape (n_clips,)
        1 for normal, -1 for anomalous clips.

    scores : array-like of shape (n_clips,)
        Scores on the scale of ``score_samples``: higher is more normal.

    Returns
    -------
    float
        Average precision in (0, 1]. Chance is the share of anomalous clips. Values of data sets with different
        shares therefore do not compare.

    Raises
    ------
    ValueError
        For the reasons that :func:`anomaly_auc_score` lists.

    See Also
    --------
    sklearn.metrics.average_precision_score : Takes the normal clips as the positive class, given these labels.

    Examples
    --------
    >>> from skaudio_ad.metrics import anomaly_average_precision_score
    >>> anomaly_average_precision_score([1, 1, -1], [3.0, 1.0, 2.0])
    0.5
    """
    anomalous, anomaly_scores = check_scores(y_true, scores)
    return float(average_precision_score(anomalous, anomaly_scores))


def tpr_at_fpr_score(y_true: Labels, scores: npt.ArrayLike, *, max_fpr: float = 0.05) -> float:
    """True positive rate (the share of anomalies that are found) at a given false-alarm rate.

    Parameters
    ----------
    y_true : array-like of shape (n_clips,)
        1 for normal, -1 for anomalous clips.

    scores : array-like of shape (n_clips,)
        Scores on the scale of ``score_samples``: higher is more normal.

    max_fpr : float, default=0.05
        Maximum false-alarm rate, in [0, 1]. The default is the rate of the detectors' own thresholds.

    Returns
    -------
    float
        Largest share of anomalies that any threshold finds while its false alarms among these normal clips do not
        exceed `max_fpr`. Nothing is interpolated. With fewer than ``1 / max_fpr`` normal clips, no normal clip may
        raise an alarm.

    Raises
    ------
    ValueError
        For the reasons that :func:`anomaly_auc_score` lists.

    Notes
    -----
    The threshold is the best one for these clips. A threshold that was set before finds the same share or less.

    Examples
    --------
    >>> from skaudio_ad.metrics import tpr_at_fpr_score
    >>> tpr_at_fpr_score([1, 1, -1, -1], [-0.1, -0.3, -0.2, -0.9])
    0.5
    """
    check_number(max_fpr, "max_fpr", low=0, high=1)
    anomalous, anomaly_scores = check_scores(y_true, scores)
    false_alarm_rate, detection_rate, _ = roc_curve(anomalous, anomaly_scores, drop_intermediate=False)
    # The tolerance keeps a rate that equals the limit: in floating point 0.29 * 100 is 28.999999999999996.
    return float(detection_rate[false_alarm_rate <= max_fpr + 1e-9].max())


def anomaly_fbeta_score(y_true: Labels, y_pred: Labels, *, beta: float = 1.0) -> float:
    """F-beta of decisions. The anomaly is the positive class.

    Parameters
    ----------
    y_true : array-like of shape (n_clips,)
        1 for normal, -1 for anomalous clips.

    y_pred : array-like of shape (n_clips,)
        Decisions of ``predict``: 1 is normal, -1 is anomalous.

    beta : float, default=1.0
        Weight of recall (the share of anomalies that are found) relative to precision (the share of alarms that are
        right). Use 2 where a missed fault costs more than a false alarm.

    Returns
    -------
    float
        F-beta in [0, 1]. The value is 0 if no anomaly is found.

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


def separation_ratio(y_true: Labels, scores: npt.ArrayLike) -> float:
    """Mean error of the anomalous clips divided by the mean error of the normal clips.

    Parameters
    ----------
    y_true : array-like of shape (n_clips,)
        1 for normal, -1 for anomalous clips.

    scores : array-like of shape (n_clips,)
        Negative errors or distances, so that no score is positive. Detectors that reconstruct, predict or measure
        distances return such scores from ``score_samples``.

    Returns
    -------
    float
        The ratio is 1 if the errors do not tell the clips apart. The ratio is infinite if all normal clips have an
        error of 0.

    Raises
    ------
    ValueError
        For the reasons that :func:`anomaly_auc_score` lists, and if a score is positive or all scores are 0.

    Notes
    -----
    Publications on autoencoders report this ratio. For example, errors of 0.0142 for normal and 0.0685 for abnormal
    heart sounds give a ratio of 4.8. A few anomalies with large errors make the ratio large, even if most anomalies
    look normal. Therefore read the ratio beside :func:`anomaly_auc_score`.

    Examples
    --------
    >>> from skaudio_ad.metrics import separation_ratio
    >>> separation_ratio([1, 1, -1], [-1.0, -3.0, -8.0])
    4.0
    """
    anomalous, errors = check_scores(y_true, scores)
    if (errors < 0).any():
        raise ValueError(
            f"separation_ratio takes negative errors, and no score may be positive, got a score of "
            f"{-errors.min():g}. Scores without a natural zero, such as log-likelihoods, have no ratio: use "
            "anomaly_auc_score."
        )
    normal, anomaly = errors[~anomalous].mean(), errors[anomalous].mean()
    if normal == 0:
        if anomaly == 0:
            raise ValueError("all scores are 0, so their ratio is not defined. Use anomaly_auc_score.")
        return np.inf
    return float(anomaly / normal)


def harmonic_mean_score(values: npt.ArrayLike) -> float:
    """Harmonic mean of metrics, the summary of DCASE Task 2 since 2021.

    Parameters
    ----------
    values : array-like of shape (n_values,)
        Values that are not negative, such as the areas under the ROC curves of several machines.

    Returns
    -------
    float
        One low value makes the mean low. A value below the machine epsilon counts as the machine epsilon, as in the
        official evaluators: one value of 0 makes the mean about 0.

    Raises
    ------
    ValueError
        If `values` is empty, or a value is negative, NaN or infinite.

    Examples
    --------
    >>> from skaudio_ad.metrics import harmonic_mean_score
    >>> round(harmonic_mean_score([0.5, 1.0]), 4)
    0.6667
    """
    array = column_or_1d(check_array(values, ensure_2d=False, dtype=np.float64, input_name="values"))
    if (array < 0).any():
        raise ValueError(f"values must not be negative for a harmonic mean, got {array.min():g}.")
    return float(1 / np.mean(1 / np.maximum(array, np.finfo(np.float64).eps)))


def check_scores(y_true, scores):
    """Return a mask of the anomalous clips, and scores that are higher for these clips."""
    anomalous = is_anomalous(y_true)
    scores = column_or_1d(check_array(scores, ensure_2d=False, dtype=np.float64, input_name="scores"))
    check_consistent_length(anomalous, scores)
    return check_both_kinds(anomalous), -scores


def check_both_kinds(anomalous):
    """Return the mask `anomalous` if it marks clips of both kinds, else raise."""
    if anomalous.all() or not anomalous.any():
        missing = "normal (1)" if anomalous.all() else "anomalous (-1)"
        raise ValueError(f"y_true holds no {missing} clip. The metric needs clips of both kinds.")
    return anomalous
