"""Scorers for scikit-learn's model selection. The anomaly is the positive class of their metrics."""

from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np

from .._checks import check_option
from .._labels import as_labels
from ..metrics import (
    anomaly_auc_score,
    anomaly_average_precision_score,
    anomaly_fbeta_score,
    partial_auc_score,
    tpr_at_fpr_score,
)

_RESPONSES = ("score_samples", "predict")


def make_anomaly_scorer(
    metric: Callable[..., float],
    *,
    greater_is_better: bool = True,
    response: Literal["score_samples", "predict"] = "score_samples",
    **kwargs: Any,
) -> Callable[..., float]:
    """Make a scorer from a metric, for GridSearchCV, cross_validate and similar functions.

    scikit-learn's own scorers take the normal class as the positive class, which changes average precision, partial
    areas and F-beta. They also do not call ``score_samples``.

    Parameters
    ----------
    metric : callable
        ``metric(y_true, scores, **kwargs) -> float``. y_true is 1 for normal and -1 for anomalous clips, and scores
        are higher for more normal clips. With ``response="predict"`` the metric gets decisions (1 and -1) instead of
        scores.

    greater_is_better : bool, default=True
        False for a loss. The scorer then returns the negative loss, because a search maximises its score.

    response : {"score_samples", "predict"}, default="score_samples"
        Method of the estimator whose output `metric` gets. An estimator without ``score_samples`` is asked for
        ``decision_function``, which has the same sign.

    **kwargs : dict
        Further arguments for `metric`.

    Returns
    -------
    callable
        ``scorer(estimator, X, y) -> float``. The scorer can be pickled.

    Raises
    ------
    ValueError
        Raised by the scorer if y is None, holds a label other than 1 and -1, or lacks normal or anomalous clips, or
        if no clip has a score.

    See Also
    --------
    get_anomaly_scorer : Scorers by name.
    pseudo_anomaly_scorer : Scorer that needs no anomaly.

    Notes
    -----
    A score of NaN means that the clip could not be read. Such a clip ranks below all other clips, and ``predict``
    calls the clip anomalous. Therefore an unreadable anomalous clip counts as found, and an unreadable normal clip
    counts as a false alarm. This is the same for all candidates of a search.

    The training clips of a NormalOnlySplit cannot be scored, because no training clip is anomalous.
    HalvingGridSearchCV scores the training clips unless ``return_train_score=False``, and learning_curve always does.
    scikit-learn then warns and reports NaN for the training scores. The test scores do not change.

    The scorer takes no metadata. With metadata routing the scorer requests none. Without metadata routing the sample
    weights of a fit are not passed to the scorer. All clips have the same weight.

    Examples
    --------
    >>> from sklearn.svm import OneClassSVM
    >>> from skaudio_ad.metrics import separation_ratio
    >>> from skaudio_ad.model_selection import make_anomaly_scorer
    >>> scorer = make_anomaly_scorer(separation_ratio)
    >>> scorer
    make_anomaly_scorer(separation_ratio)
    """
    if not callable(metric):
        raise TypeError(
            f"metric must be callable, metric(y_true, scores), got {metric!r}. get_anomaly_scorer has scorers by name."
        )
    check_option(response, "response", _RESPONSES)
    return _AnomalyScorer(metric, greater_is_better, response, kwargs)


class Scorer:
    """Base class of scorers that take no metadata."""

    def _accept_sample_weight(self):
        # scikit-learn 1.9 calls this method of every scorer in a dict when a fit has sample weights. Remove the method
        # with the release in which metadata routing is the only way to pass weights.
        return False


class _AnomalyScorer(Scorer):
    def __init__(self, metric, greater_is_better, response, kwargs):
        self._metric = metric
        self._greater_is_better = greater_is_better
        self._response = response
        self._kwargs = kwargs

    def __call__(self, estimator, X, y=None):
        y_true = _check_fold(y)
        return self.of_response(y_true, respond(estimator, X, self._response))

    def of_response(self, y_true, values):
        """Return the metric of values that the estimator has computed before."""
        value = float(self._metric(y_true, values, **self._kwargs))
        return value if self._greater_is_better else -value

    @property
    def response(self):
        return self._response

    def __repr__(self):
        metric = getattr(self._metric, "__name__", repr(self._metric))
        settings = "" if self._greater_is_better else ", greater_is_better=False"
        settings += "" if self._response == "score_samples" else f", response={self._response!r}"
        settings += "".join(f", {name}={value!r}" for name, value in self._kwargs.items())
        return f"make_anomaly_scorer({metric}{settings})"


class _SeveralScorers(Scorer):
    """Scorer that returns a dict of values by name, and scores every clip once."""

    def __init__(self, scorers):
        self._scorers = scorers

    def __call__(self, estimator, X, y=None):
        y_true = _check_fold(y)
        values = {
            response: respond(estimator, X, response)
            for response in dict.fromkeys(scorer.response for scorer in self._scorers.values())
        }
        return {
            name: scorer.of_response(y_true, values[scorer.response])
            for name, scorer in self._scorers.items()
        }

    def __repr__(self):
        return f"get_anomaly_scorer({list(self._scorers)!r})"


def respond(estimator, X, response="score_samples", *, lowest_for_nan=True):
    """Return scores or decisions of `estimator`. Unless told otherwise, NaN becomes a score below all other scores."""
    if response == "predict":
        return as_labels(estimator.predict(X), name=f"the decisions of {type(estimator).__name__}")
    score = getattr(estimator, "score_samples", None) or getattr(estimator, "decision_function", None)
    if score is None:
        raise TypeError(
            f"{type(estimator).__name__} has neither score_samples nor decision_function. Use a detector, a pipeline "
            'that ends in one, or response="predict".'
        )
    scores = np.array(score(X), dtype=np.float64)
    if not lowest_for_nan:
        return scores
    unread = np.isnan(scores)
    if unread.all():
        raise ValueError(
            f"none of the {len(scores)} clips has a score: all scores are NaN, because no clip could be read."
        )
    scores[unread] = np.nextafter(scores[~unread].min(), -np.inf)
    return scores


def _check_fold(y):
    """Return the labels of a test fold, and raise unless both kinds are there."""
    if y is None:
        raise ValueError(
            "this scorer needs labels, 1 for normal and -1 for anomalous clips, got y=None. Use "
            "pseudo_anomaly_scorer if there is no anomaly."
        )
    y_true = as_labels(y, name="y")
    missing = [kind for kind, label in (("normal", 1), ("anomalous", -1)) if not (y_true == label).any()]
    if missing:
        raise ValueError(
            f"there is no {' and no '.join(missing)} clip among the {len(y_true)} clips to score. Split with "
            "cv=NormalOnlySplit(...), which puts all anomalies into the test folds. If there is no anomaly at all, use "
            "pseudo_anomaly_scorer. If these are the training clips of a NormalOnlySplit, set "
            "return_train_score=False."
        )
    return y_true


#: Scorers by name.
ANOMALY_SCORERS: dict[str, Callable[..., float]] = {
    "anomaly_auc": make_anomaly_scorer(anomaly_auc_score),
    "anomaly_partial_auc": make_anomaly_scorer(partial_auc_score),
    "anomaly_partial_auc_mean": make_anomaly_scorer(partial_auc_score, convention="mean"),
    "anomaly_average_precision": make_anomaly_scorer(anomaly_average_precision_score),
    "anomaly_f1": make_anomaly_scorer(anomaly_fbeta_score, response="predict"),
    "anomaly_f2": make_anomaly_scorer(anomaly_fbeta_score, response="predict", beta=2.0),
    "anomaly_tpr_at_fpr_0.05": make_anomaly_scorer(tpr_at_fpr_score, max_fpr=0.05),
}


def get_anomaly_scorer(name: str | Sequence[str]) -> Callable[..., Any]:
    """Return a scorer by name, or one scorer for several names that scores every clip once.

    ============================  ====================================================================
    Name                          Metric
    ============================  ====================================================================
    "anomaly_auc"                 :func:`~skaudio_ad.metrics.anomaly_auc_score`
    "anomaly_partial_auc"         :func:`~skaudio_ad.metrics.partial_auc_score`, to a false positive
                                  rate of 0.1, standardised after McClish
    "anomaly_partial_auc_mean"    the same as DCASE's papers define it; needs 10 normal clips per fold
    "anomaly_average_precision"   :func:`~skaudio_ad.metrics.anomaly_average_precision_score`
    "anomaly_f1", "anomaly_f2"    :func:`~skaudio_ad.metrics.anomaly_fbeta_score` of ``predict``
    "anomaly_tpr_at_fpr_0.05"     :func:`~skaudio_ad.metrics.tpr_at_fpr_score`
    ============================  ====================================================================

    Parameters
    ----------
    name : str or list of str
        Name from the table above, or several names.

    Returns
    -------
    callable
        ``scorer(estimator, X, y)``, which returns a float, or for a list a dict of floats by name. GridSearchCV takes
        both as `scoring`. With several names, set its `refit` to one of the names.

    Raises
    ------
    ValueError
        If the name is unknown. The message lists the known names. The scorer raises for the reasons that
        :func:`make_anomaly_scorer` lists.

    Examples
    --------
    >>> from skaudio_ad.model_selection import get_anomaly_scorer
    >>> get_anomaly_scorer("anomaly_partial_auc_mean")
    make_anomaly_scorer(partial_auc_score, convention='mean')
    """
    if isinstance(name, str):
        check_option(name, "name", tuple(ANOMALY_SCORERS))
        return ANOMALY_SCORERS[name]
    names = list(name)
    if not names:
        raise ValueError(f"name must not be empty, got {name!r}. Known names: {', '.join(ANOMALY_SCORERS)}.")
    return _SeveralScorers({key: get_anomaly_scorer(key) for key in names})
