"""Scorers for scikit-learn's model selection, of the metrics in which the anomaly is the positive class."""

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


def make_anomaly_scorer(metric, *, greater_is_better=True, response="score_samples", **kwargs):
    """Make a scorer for GridSearchCV, cross_validate and their like out of a metric.

    scikit-learn's own scorers take the normal class for the positive one where it matters (average precision,
    partial areas, F-beta), and know nothing of ``score_samples``.

    Parameters
    ----------
    metric : callable
        ``metric(y_true, scores, **kwargs) -> float``: y_true is 1 for normal and -1 for anomalous clips, and scores
        are higher for the more normal ones. With ``response="predict"`` it gets decisions, 1 and -1, instead.

    greater_is_better : bool, default=True
        False for a loss, whose negative the scorer returns: in a search greater is better.

    response : {"score_samples", "predict"}, default="score_samples"
        What `metric` gets of the estimator. Where there is no ``score_samples``, ``decision_function`` takes its
        place, of which the sign is the same.

    **kwargs : dict
        Further arguments of `metric`.

    Returns
    -------
    callable
        ``scorer(estimator, X, y) -> float``. It pickles.

    Raises
    ------
    ValueError
        By the scorer, if y is None, holds a label other than 1 and -1, or lacks normal or anomalous clips; or if no
        clip has a score.

    See Also
    --------
    get_anomaly_scorer : Scorers by name.
    pseudo_anomaly_scorer : Needs no anomaly.

    Notes
    -----
    A score of NaN stands for a clip that could not be read, and ranks below all others, as ``predict`` calls it
    anomalous: it is never taken for normal. An unreadable anomalous clip counts as found therefore, and an unreadable
    normal one as a false alarm, for all candidates of a search alike.

    Of the training clips of a NormalOnlySplit nothing can be said, since none is anomalous. HalvingGridSearchCV scores
    them unless told ``return_train_score=False``, and learning_curve does always: scikit-learn then warns, and reports
    NaN for the training scores. The test scores are not affected.

    The scorer takes no metadata: with metadata routing it requests none, and without it the sample weights of a fit
    are not passed on. Clips are weighed alike.

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
    """What scikit-learn asks of a scorer that takes no metadata."""

    def _accept_sample_weight(self):
        # scikit-learn 1.9 asks every scorer of a dict for it when a fit has sample weights. It goes with the release
        # in which metadata routing is the only way.
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
        """The metric, for who has the values of the estimator already."""
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
    """A dict of values by name, for which every clip is scored once."""

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
    """Scores of `estimator`, NaN turned into the lowest of all unless told otherwise; or its decisions."""
    if response == "predict":
        return as_labels(estimator.predict(X), name=f"what {type(estimator).__name__} predicts")
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
            f"none of the {len(scores)} clips has a score: all are NaN, clips that could not be read."
        )
    scores[unread] = np.nextafter(scores[~unread].min(), -np.inf)
    return scores


def _check_fold(y):
    """Labels of the clips to judge by, of both kinds."""
    if y is None:
        raise ValueError(
            "this scorer needs labels, 1 for normal and -1 for anomalous clips, got y=None. Without any anomaly use "
            "pseudo_anomaly_scorer, which ranks by made ones."
        )
    y_true = as_labels(y, name="y")
    missing = [kind for kind, label in (("normal", 1), ("anomalous", -1)) if not (y_true == label).any()]
    if missing:
        raise ValueError(
            f"there is no {' and no '.join(missing)} clip among the {len(y_true)} to judge by. Split with "
            "cv=NormalOnlySplit(...), which keeps anomalies out of every training fold and has them in the test folds, "
            "or use pseudo_anomaly_scorer where there is no anomaly at all. If these are the training clips of a "
            "NormalOnlySplit, set return_train_score=False."
        )
    return y_true


#: Scorers by name.
ANOMALY_SCORERS = {
    "anomaly_auc": make_anomaly_scorer(anomaly_auc_score),
    "anomaly_partial_auc": make_anomaly_scorer(partial_auc_score),
    "anomaly_partial_auc_mean": make_anomaly_scorer(partial_auc_score, convention="mean"),
    "anomaly_average_precision": make_anomaly_scorer(anomaly_average_precision_score),
    "anomaly_f1": make_anomaly_scorer(anomaly_fbeta_score, response="predict"),
    "anomaly_f2": make_anomaly_scorer(anomaly_fbeta_score, response="predict", beta=2.0),
    "anomaly_tpr_at_fpr_0.05": make_anomaly_scorer(tpr_at_fpr_score, max_fpr=0.05),
}


def get_anomaly_scorer(name):
    """A scorer by name, or one for several names that scores every clip only once.

    ============================  ====================================================================
    Name                          Metric
    ============================  ====================================================================
    "anomaly_auc"                 :func:`~skaudio_ad.metrics.anomaly_auc_score`
    "anomaly_partial_auc"         :func:`~skaudio_ad.metrics.partial_auc_score`, to a false positive
                                  rate of 0.1, standardised after McClish
    "anomaly_partial_auc_mean"    the same as DCASE's papers define it; needs 10 normal clips a fold
    "anomaly_average_precision"   :func:`~skaudio_ad.metrics.anomaly_average_precision_score`
    "anomaly_f1", "anomaly_f2"    :func:`~skaudio_ad.metrics.anomaly_fbeta_score` of ``predict``
    "anomaly_tpr_at_fpr_0.05"     :func:`~skaudio_ad.metrics.tpr_at_fpr_score`
    ============================  ====================================================================

    Parameters
    ----------
    name : str or list of str

    Returns
    -------
    callable
        ``scorer(estimator, X, y)``, which returns a float, or for a list a dict of floats by name. GridSearchCV takes
        both as `scoring`; with several it wants the name of one as `refit`.

    Raises
    ------
    ValueError
        If the name is unknown; the known ones are listed. And by the scorer, as :func:`make_anomaly_scorer` says.

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
        raise ValueError(f"name must not be empty, got {name!r}: {', '.join(ANOMALY_SCORERS)} are known.")
    return _SeveralScorers({key: get_anomaly_scorer(key) for key in names})
