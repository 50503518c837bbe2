"""`NormalOnly`: keeps anomalies out of every fit of a whole pipeline."""

from copy import deepcopy

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

from .._labels import is_anomalous
from .._lazy import take
from ._split import n_clips_of


def _has(name):
    """Whether the estimator inside has a method, as `available_if` asks."""

    def check(self):
        getattr(getattr(self, "estimator_", self.estimator), name)  # its own AttributeError says why not
        return True

    return check


def _decides(name):
    """The same for decisions, 1 and -1: what others than outlier detectors predict is something else."""

    def check(self):
        return is_outlier_detector(self.estimator) and _has(name)(self)

    return check


class NormalOnly(CallbackSupportMixin, MetaEstimatorMixin, OutlierMixin, BaseEstimator):
    """Fit a detector, or a whole pipeline that ends in one, on the normal clips of labelled data alone.

    scikit-learn's searches and cross-validation fit on whatever is in a training fold, and at the end on everything.
    Labels are there to measure by, but a scaler, an embedding's statistics or a detector that has seen the anomalies
    is judged too well. Wrapped in this class, no fit sees one: it takes out the clips labelled -1 before the first step
    of the pipeline. Without `y` all clips are normal, and are passed on as they are.

    Wrap the pipeline, not the detector at its end: ``make_pipeline(scaler, NormalOnly(detector))`` fits the scaler on
    the anomalies.

    Parameters
    ----------
    estimator : outlier detector or Pipeline
        With ``score_samples``, ``decision_function`` or ``predict``. It is cloned, and fitted without labels.

    Attributes
    ----------
    estimator_ : estimator
        The fitted clone.

    n_samples_fit_ : int
        Normal clips that it was given.

    classes_ : ndarray of shape (2,), int
        -1 and 1, which ``cross_val_predict(..., method="decision_function")`` asks for.

    n_features_in_ : int
        As of ``estimator_``, where that has it.

    feature_names_in_ : ndarray of str of shape (n_features,)
        As of ``estimator_``, where that has them.

    offset_ : float
        Threshold on the scale of ``score_samples``, of ``estimator_`` or the last step of it, where that has one.

    See Also
    --------
    NormalOnlySplit : Makes test folds that hold the anomalies.

    Notes
    -----
    Parameters of `fit` that have one entry a clip, such as `sample_weight` or `groups`, lose the same entries as X.
    With metadata routing they go where the estimator requests them, else straight to its ``fit``.

    A detector that learns its threshold from labels, such as a ``ThresholdedDetector`` with ``ROCThreshold``, goes
    around this class, not into it.

    The methods are those that the estimator has. ``predict`` and ``fit_predict`` are there for outlier detectors
    only: a ``GaussianMixture``, say, predicts the numbers of its components. There is no ``score``: say how to score
    in ``GridSearchCV(..., scoring=...)``. All else that the pipeline has, its steps and their attributes, is reached
    through ``estimator_``, which is a detector like any other, to be drawn and saved.

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

    def __init__(self, estimator):
        self.estimator = estimator

    @with_callbacks
    def fit(self, X, y=None, **params):
        """Fit on the normal clips.

        Parameters
        ----------
        X : array-like of clips
            Whatever the estimator takes: paths, ``AudioClips``, arrays, lists, data frames.
        y : array-like of shape (n_clips,), default=None
            1 for normal, -1 for anomalous clips. None means that all are normal.
        **params
            For the estimator's ``fit``; those with one entry a clip lose the anomalies' entries.

        Returns
        -------
        self : object

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
    def fit_predict(self, X, y=None):
        """Fit on the normal clips, and decide for all.

        Parameters
        ----------
        X : array-like of clips
        y : array-like of shape (n_clips,), default=None
            As in `fit`.

        Returns
        -------
        ndarray of shape (n_clips,), int
            1 or -1: for the normal clips what ``fit_predict`` of the estimator says, where it has that, which for some
            differs from ``predict`` on clips it was fitted on; for the anomalies ``predict``.
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
    def predict(self, X):
        """Decide for every clip.

        Parameters
        ----------
        X : array-like of clips

        Returns
        -------
        ndarray of shape (n_clips,), int
            1 is normal, -1 anomalous.
        """
        return self._call("predict", X)

    @available_if(_has("decision_function"))
    def decision_function(self, X):
        """Score relative to the threshold: negative is anomalous.

        Parameters
        ----------
        X : array-like of clips

        Returns
        -------
        ndarray of shape (n_clips,), float64
        """
        return self._call("decision_function", X)

    @available_if(_has("score_samples"))
    def score_samples(self, X):
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
    def score_frames(self, X):
        """Score every window of every clip: when does it sound wrong?

        Parameters
        ----------
        X : array-like of clips

        Returns
        -------
        ndarray of shape (n_clips, n_windows), or a list of (n_windows_i,)
        """
        return self._call("score_frames", X)

    @available_if(_has("transform"))
    def transform(self, X):
        """What the estimator makes of every clip.

        Parameters
        ----------
        X : array-like of clips

        Returns
        -------
        array-like of clips
        """
        return self._call("transform", X)

    def get_metadata_routing(self):
        """Where metadata goes: to the ``fit`` of the estimator.

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
        """Mask of the normal clips, (n_clips,)."""
        name = type(self.estimator).__name__
        if not hasattr(self.estimator, "fit") or isinstance(self.estimator, type):
            raise TypeError(f"estimator must be an outlier detector or a Pipeline, got {self.estimator!r}.")
        if is_classifier(self.estimator) or is_regressor(self.estimator):
            raise TypeError(
                f"{name} learns from labels, and NormalOnly keeps all but one of them out: pass an outlier detector, "
                f"or fit {name} as it is."
            )
        if y is None:
            return np.ones(n_clips_of(X), dtype=bool)
        normal = ~is_anomalous(y, name="y")
        check_consistent_length(X, normal)
        if not normal.any():
            raise ValueError(
                f"none of the {len(normal)} clips is normal (1): NormalOnly has nothing to fit on. In a "
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
    def classes_(self):
        check_is_fitted(self)
        return np.array([-1, 1])

    @property
    def n_features_in_(self):
        return self._fitted().n_features_in_

    @property
    def feature_names_in_(self):
        return self._fitted().feature_names_in_

    @property
    def offset_(self):
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
    """Whether a parameter of `fit` has one entry a clip."""
    if isinstance(value, (str, bytes, dict)) or not hasattr(value, "__getitem__"):
        return False
    return getattr(value, "shape", None) != () and n_clips_of(value) == n_clips
