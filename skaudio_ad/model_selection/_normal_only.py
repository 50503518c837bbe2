"""`NormalOnly` keeps anomalies out of every fit of a whole pipeline."""

from copy import deepcopy
from typing import Any, Self

import numpy as np
from sklearn import get_config
from sklearn.base import (
    BaseEstimator,
    MetaEstimatorMixin,
    OutlierMixin,
    clone,
    is_classifier,
    is_outlier_detector,
    is_regressor,
)
from sklearn.callback import CallbackSupportMixin, with_callbacks
from sklearn.utils import check_consistent_length, get_tags
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from .._doc_links import DocLinkMixin
from .._labels import is_anomalous
from .._lazy import take
from .._typing import Clips, FloatArray, IntArray, Labels
from ._split import n_clips_of


def _has(name):
    """Return a check for `available_if`: the inner estimator has the method."""

    def check(self):
        getattr(
            getattr(self, "estimator_", self.estimator), name
        )  # raises the estimator's own AttributeError
        return True

    return check


def _decides(name):
    """Return a check for `available_if`: the inner estimator is an outlier detector and has the method."""

    def check(self):
        return is_outlier_detector(self.estimator) and _has(name)(self)

    return check


class NormalOnly(DocLinkMixin, CallbackSupportMixin, MetaEstimatorMixin, OutlierMixin, BaseEstimator):
    """Fit a detector, or a pipeline that ends in a detector, only on the normal clips of labelled data.

    scikit-learn's searches and cross-validation fit on all clips of a training fold, and at the end on all clips. But a
    scaler, the statistics of an embedding or a detector that is fitted on anomalies makes the measured performance too
    good. This class removes the clips labelled -1 before the first step of the pipeline, so that no step is fitted on
    anomalies. Without `y` all clips are normal.

    Wrap the whole pipeline, not only the detector at its end, because
    ``make_pipeline(scaler, NormalOnly(detector))`` fits the scaler on the anomalies.

    Parameters
    ----------
    estimator : outlier detector or Pipeline
        Estimator with ``score_samples``, ``decision_function`` or ``predict``. `fit` clones the estimator and fits the
        clone without labels.

    Attributes
    ----------
    estimator_ : estimator
        Fitted clone of `estimator`.

    n_samples_fit_ : int
        Number of normal clips on which ``estimator_`` was fitted.

    classes_ : ndarray of shape (2,), int
        -1 and 1. ``cross_val_predict(..., method="decision_function")`` needs this attribute.

    n_features_in_ : int
        Number of features of ``estimator_``, if ``estimator_`` has the attribute.

    feature_names_in_ : ndarray of str of shape (n_features,)
        Names of the features of ``estimator_``, if ``estimator_`` has the attribute.

    offset_ : float
        Threshold of ``estimator_`` or of its last step, on the scale of ``score_samples``, if there is a threshold.

    See Also
    --------
    NormalOnlySplit : Splitter whose test folds hold the anomalies.

    Notes
    -----
    Parameters of `fit` that have one entry per clip, such as `sample_weight` or `groups`, lose the same entries as X.
    With metadata routing these parameters go where the estimator requests them. Without metadata routing they go to
    the ``fit`` of the estimator.

    A detector that learns its threshold from labels, such as a ``ThresholdedDetector`` with ``ROCThreshold``, must be
    around this class, not inside.

    This class has the methods that the estimator has. ``predict`` and ``fit_predict`` exist only for outlier detectors,
    because other estimators predict other values: a ``GaussianMixture`` predicts the numbers of its components. There
    is no ``score``, so pass a scorer as ``GridSearchCV(..., scoring=...)``. Steps and attributes of the pipeline are
    available through ``estimator_``, which can be drawn and saved like any detector.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skaudio_ad import NearestNeighborsDetector, NormalOnly
    >>> rng = np.random.default_rng(0)
    >>> X = np.vstack([rng.normal(size=(40, 4)), rng.normal(5, 1, size=(10, 4))])
    >>> y = np.repeat([1, -1], [40, 10])
    >>> detector = NormalOnly(make_pipeline(StandardScaler(), NearestNeighborsDetector())).fit(X, y)
    >>> detector.n_samples_fit_
    40
    >>> detector.predict(X[40:]).tolist()
    [-1, -1, -1, -1, -1, -1, -1, -1, -1, -1]
    """

    estimator_: Any
    n_samples_fit_: int

    def __init__(self, estimator: Any) -> None:
        self.estimator = estimator

    @with_callbacks
    def fit(self, X: Clips, y: Labels | None = None, **params: Any) -> Self:
        """Fit on the normal clips.

        Parameters
        ----------
        X : array-like of clips
            Clips in any form that the estimator takes: paths, ``AudioClips``, arrays, lists, data frames.
        y : array-like of shape (n_clips,), default=None
            1 for normal, -1 for anomalous clips. None means that all are normal.
        **params
            Parameters for the ``fit`` of the estimator. Parameters with one entry per clip lose the entries of the
            anomalies.

        Returns
        -------
        self : NormalOnly

        Raises
        ------
        ValueError
            If a label is neither 1 nor -1, lengths differ, or no clip is normal.
        TypeError
            If `estimator` is a classifier, a regressor, or has no ``fit``.
        """
        self._fit("fit", X, self._normal_rows(X, y), params)
        return self

    @available_if(_decides("predict"))
    @with_callbacks
    def fit_predict(self, X: Clips, y: Labels | None = None) -> IntArray:
        """Fit on the normal clips, and decide for all clips.

        Parameters
        ----------
        X : array-like of clips
        y : array-like of shape (n_clips,), default=None
            1 for normal, -1 for anomalous clips. None means that all are normal.

        Returns
        -------
        ndarray of shape (n_clips,), int
            Decisions, 1 or -1. The decisions for normal clips come from ``fit_predict`` of the estimator, if it has
            this method. For some estimators ``fit_predict`` and ``predict`` differ on the clips of the fit. The
            decisions for anomalies come from ``predict``.
        """
        normal = self._normal_rows(X, y)
        if not hasattr(self.estimator, "fit_predict"):
            self._fit("fit", X, normal)
            return self.estimator_.predict(X)
        of_normal = self._fit("fit_predict", X, normal)
        if normal.all():
            return of_normal
        decisions = np.empty(len(normal), dtype=int)
        decisions[normal] = of_normal
        decisions[~normal] = self.estimator_.predict(take(X, np.flatnonzero(~normal)))
        return decisions

    @available_if(_decides("predict"))
    def predict(self, X: Clips) -> IntArray:
        """Decide for every clip.

        Parameters
        ----------
        X : array-like of clips

        Returns
        -------
        ndarray of shape (n_clips,), int
            1 is normal, -1 is anomalous.
        """
        return self._call("predict", X)

    @available_if(_has("decision_function"))
    def decision_function(self, X: Clips) -> FloatArray:
        """Score every clip relative to the threshold. Negative is anomalous.

        Parameters
        ----------
        X : array-like of clips

        Returns
        -------
        ndarray of shape (n_clips,), float64
        """
        return self._call("decision_function", X)

    @available_if(_has("score_samples"))
    def score_samples(self, X: Clips) -> FloatArray:
        """Score every clip. Higher is more normal.

        Parameters
        ----------
        X : array-like of clips

        Returns
        -------
        ndarray of shape (n_clips,), float64
        """
        return self._call("score_samples", X)

    @available_if(_has("score_frames"))
    def score_frames(self, X: Clips) -> FloatArray | list[FloatArray]:
        """Score every window of every clip, to find the anomalous parts of a clip.

        Parameters
        ----------
        X : array-like of clips

        Returns
        -------
        ndarray of shape (n_clips, n_windows), or a list of (n_windows_i,)
        """
        return self._call("score_frames", X)

    @available_if(_has("transform"))
    def transform(self, X: Clips) -> Any:
        """Transform every clip with the estimator.

        Parameters
        ----------
        X : array-like of clips

        Returns
        -------
        array-like of clips
        """
        return self._call("transform", X)

    def get_metadata_routing(self) -> MetadataRouter:
        """Return the routing of metadata: all metadata goes to the ``fit`` of the estimator.

        Returns
        -------
        MetadataRouter
        """
        to_fit = MethodMapping().add(caller="fit", callee="fit")
        return MetadataRouter(owner=self).add(estimator=self.estimator, method_mapping=to_fit)

    def _call(self, method, X):
        check_is_fitted(self)
        return getattr(self.estimator_, method)(X)

    def _normal_rows(self, X, y):
        """Return a mask of the normal clips, (n_clips,)."""
        name = type(self.estimator).__name__
        if not hasattr(self.estimator, "fit") or isinstance(self.estimator, type):
            raise TypeError(f"estimator must be an outlier detector or a Pipeline, got {self.estimator!r}.")
        if is_classifier(self.estimator) or is_regressor(self.estimator):
            raise TypeError(
                f"{name} needs labels of both kinds, but NormalOnly removes all anomalous clips. Pass an outlier "
                f"detector, or fit {name} without NormalOnly."
            )
        if y is None:
            return np.ones(n_clips_of(X), dtype=bool)
        normal = ~is_anomalous(y, name="y")
        check_consistent_length(X, normal)
        if not normal.any():
            raise ValueError(
                f"none of the {len(normal)} clips is normal (1), so NormalOnly has no clips to fit. In a "
                "cross-validation, NormalOnlySplit gives every training fold normal clips."
            )
        return normal

    def _fit(self, method, X, normal, params=None):
        params = params or {}
        context = self._init_callback_context(max_subtasks=1)
        context.call_on_fit_task_begin(estimator=self, X=X)
        if not normal.all():
            rows = np.flatnonzero(normal)
            params = {
                name: take(value, rows) if _is_aligned(value, len(normal)) else value
                for name, value in params.items()
            }
            X = take(X, rows)
        if get_config()["enable_metadata_routing"]:
            params = process_routing(self, "fit", **params)["estimator"]["fit"]
        self.estimator_ = clone(self.estimator)
        subcontext = context.subcontext(task_name=f"{method}-on-normal")
        with subcontext.propagate_callback_context(self.estimator_):
            subcontext.call_on_fit_task_begin(estimator=self, X=X)
            result = getattr(self.estimator_, method)(X, **params)
            subcontext.call_on_fit_task_end(estimator=self, X=X)
        self.n_samples_fit_ = int(np.count_nonzero(normal))
        context.call_on_fit_task_end(estimator=self, X=X)
        return result

    @property
    def classes_(self) -> IntArray:
        check_is_fitted(self)
        return np.array([-1, 1])

    @property
    def n_features_in_(self) -> int:
        return self._fitted().n_features_in_

    @property
    def feature_names_in_(self) -> Any:
        return self._fitted().feature_names_in_

    @property
    def offset_(self) -> float:
        estimator = self._fitted()
        return getattr(estimator, "steps", [(None, estimator)])[-1][1].offset_

    def _fitted(self):
        if not hasattr(self, "estimator_"):
            raise AttributeError("NormalOnly is not fitted yet: call fit first.")
        return self.estimator_

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        inner = get_tags(self.estimator)
        tags.input_tags = deepcopy(inner.input_tags)
        tags.no_validation = inner.no_validation
        tags.non_deterministic = inner.non_deterministic
        return tags


def _is_aligned(value, n_clips):
    """Return whether a parameter of `fit` has one entry per clip."""
    if isinstance(value, (str, bytes, dict)) or not hasattr(value, "__getitem__"):
        return False
    return getattr(value, "shape", None) != () and n_clips_of(value) == n_clips
