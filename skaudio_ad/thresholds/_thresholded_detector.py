"""`ThresholdedDetector`: any outlier detector, with a threshold from clips that it was not trained on."""

from __future__ import annotations

import copy
import numbers
import warnings
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from sklearn.base import BaseEstimator, MetaEstimatorMixin
from sklearn.utils import get_tags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from .._base import DetectorMixin
from .._checks import check_number, users_level
from .._clip_calls import end_of_pipeline, make_indexable, missing_rows, score_clips
from .._input_checks import check_groups
from .._labels import is_anomalous
from .._lazy import take
from .._splits import check_splits, choose_cv, make_splitter, split_clips
from .._typing import Clips, FloatArray, IntArray, Labels, RandomState
from ._calibration import Calibration, select_threshold
from ._cross_conformal import cross_conformal_scores
from ._fold_models import ENSEMBLE, NONE, REFIT, fit_models, mean_windows, scores_by_all, take_prefit
from ._group_conformal import hierarchical_p_values
from ._parameters import check_has, check_has_anomalies, check_parameters, make_router, route_fit_parameters
from ._promises import Promise
from ._scale_check import warn_of_another_scale

if TYPE_CHECKING:
    from typing import Self

    from sklearn.utils.metadata_routing import MetadataRouter


def _detector_has(name):
    """Make a check for `available_if`: whether the detector, fitted or not, has the method `name`."""
    return lambda self: hasattr(end_of_pipeline(self._example), name)


class ThresholdedDetector(MetaEstimatorMixin, DetectorMixin, BaseEstimator):
    """An outlier detector whose threshold comes from clips that it was not trained on.

    Any detector with ``score_samples`` will do if higher scores are more normal: detectors of this package and of
    scikit-learn, mixtures and densities, a Pipeline or a search that ends in a detector. The detector is trained on
    normal clips only. A `selector` then chooses the threshold from scores of clips that the scoring model had not seen.
    The training clips' own scores are too good, and a threshold from them raises far more false alarms than promised.

    Parameters
    ----------
    detector : estimator
        Has ``fit`` and ``score_samples``; :class:`~sklearn.neighbors.LocalOutlierFactor` with ``novelty=True``. The
        detector is cloned.

    selector : estimator, default=None
        Any threshold selector of this package. None is :class:`ConformalThreshold` with a false-alarm rate of 0.05,
        which takes 19 normal clips. With fewer clips, None takes the lower end of a prediction interval, and
        ``promise_`` is "estimated". Name the selector to search over ``selector__alpha``.

    cv : int, "loo", float, "prefit", "auto", splitter or iterable, default=5
        Chooses the clips that calibrate. Their scores set the threshold.

        - int k: k-fold cross-validation, shuffled. All normal clips calibrate. Every clip is scored by the model that
          was trained without its fold.
        - "loo": leave one out. Every clip, or every group, is a fold.
        - "auto": "loo" with at most 30 clips (groups), because every clip that a model may train on counts then, and 5
          with more. With one or two clips (groups) there is no threshold: `fit` warns, and no clip raises an alarm.
        - float in (0, 1): this fraction of the normal clips, or of the groups, at random. The detector is trained on
          the rest.
        - "prefit": all clips calibrate. The detector has already been trained on other clips and is not trained again.
          Wrap the detector in :class:`~sklearn.frozen.FrozenEstimator`, because a clone of this estimator, such as a
          search makes, otherwise loses what the detector learnt. (A frozen detector is not trained with any `cv`.)
        - splitter, such as :class:`~sklearn.model_selection.GroupKFold`, or an iterable of (train, test) positions:
          the splitter gets X, y and groups. Anomalous clips are removed from the training parts, and are scored in
          the test parts. A splitter with a single split works as a float does.

    ensemble : "auto" or bool, default="auto"
        The models that score new clips where `cv` makes several folds, as in
        :class:`~sklearn.calibration.CalibratedClassifierCV`.

        - True: the models of all folds. Each model compares a new clip with the clips that the model had not seen.
          Scoring takes as long as scoring by all models together.
        - False: one more model, trained on all normal clips. The threshold comes from the scores of the folds' models,
          which may lie on another scale. `fit` warns if they do. This check trains up to five more models.
        - "auto": True where the folds test every normal clip at most once and the detector is not frozen. The ensemble
          keeps the false-alarm rate. With ``ensemble=False`` the rate was up to ten times the requested rate where
          there are about as many clips as features.

    n_jobs : int, default=None
        Number of fold models that are trained at the same time, as in :class:`joblib.Parallel`.

    random_state : int, RandomState instance or None, default=None
        Seed of the folds or of the fraction. The detector has its own seed.

    Attributes
    ----------
    detector_ : estimator
        The detector that scores new clips. Absent where the models of the folds score them.

    detectors_ : list of estimator
        The models of the folds, where `ensemble` keeps them.

    threshold_, offset_ : float
        On the scale of `score_samples`. A clip with a lower score is anomalous.

    selector_ : estimator or None
        The fitted selector. None where `set_threshold` was given a number, or where `selector` is None and there are
        too few clips for the default or, with ``cv="auto"``, for any threshold.

    calibration_scores_ : ndarray of shape (n_calibration,), float64
        Scores of the clips that calibrate, by models that had not seen them. A clip that several models scored counts
        once, with the mean score. With an ensemble, an anomalous clip has the score of `score_samples`.

    calibration_labels_ : ndarray of shape (n_calibration,), int
        1 for normal, -1 for anomalous clips.

    calibration_indices_ : ndarray of shape (n_calibration,), int
        Positions of these clips in the X of `fit`. Clips that could not be read are not among them.

    calibration_groups_ : ndarray of shape (n_calibration,), int, or None
        Number of the group of every clip. None without groups.

    calibration_folds_ : ndarray of shape (n_calibration,), int, or None
        Position in ``detectors_`` of the model that had not seen the clip. -1 for an anomalous clip, because no model
        has seen anomalous clips. None without ``detectors_``.

    false_alarm_rate_ : float or None
        Rate that the selector expects. None where the threshold is a number.

    false_alarm_bound_ : float or None
        Proved upper bound of the false-alarm rate, for any detector and any distribution, on average over draws of the
        clips, or groups, that calibrate. None where no bound is proved.

    promise_ : str or None
        Strength of ``false_alarm_rate_``. None where the threshold is a number.

        - "guaranteed": the rate of this very detector is no larger, with the `confidence` of the selector.
        - "guaranteed on average": the rate is no larger on average over draws of the clips that calibrate.
        - "estimated": the rate is expected, and not proved. With an ensemble the rate stayed within this value in all
          simulations, but only ``false_alarm_bound_`` is proved.
        - "observed": the rate was found on the clips that chose the threshold.

    promise_reason_ : str or None
        The reason for ``promise_``, in a sentence or two.

    n_features_in_, feature_names_in_ : int, ndarray of str
        Taken from the detector, where it has them.

    Notes
    -----
    **Scores of an ensemble** are made for thresholds. For every held-out clip, the model that had not seen this clip
    tells whether the new clip scores at least as high. The number of these clips (cross-conformal prediction [1]_)
    places the new clip between two of the sorted ``calibration_scores_``. The mean of the new clip's scores by all
    models orders the new clips in the same place. Below all calibration scores the score follows that mean.

    With :class:`ConformalThreshold` and a rate of alpha, a false-alarm rate of more than about 2 alpha is ruled out by
    proof [2]_, [3]_, and simulations find about alpha. For a guarantee of alpha pass a fraction as `cv`: half of the
    clips are not too many.

    **With groups**, the promise is for a clip of a group that took no part. All clips of a group together count as one:
    the p-value is ``(1 + sum over groups of the share of their clips that score as low) / (1 + n_groups)`` [4]_, and
    :class:`ConformalThreshold` takes ``1 / alpha - 1`` groups. Other selectors count every clip by itself.

    X is split and scored by rows. Detectors that take a square matrix of distances are therefore not supported.

    **Missing clips**: a row of an array that is all NaN stands for a clip that could not be read. Such a clip does not
    reach the detector, scores NaN, and is never called normal. Detectors of scikit-learn would refuse the row or score
    it like any other. In a Pipeline this holds from the first step that makes an array. One exception: during training
    the last step gets the NaN rows and must accept them, as detectors of this package do.

    References
    ----------
    .. [1] V. Vovk, "Cross-conformal predictors", Annals of Mathematics and Artificial Intelligence, 2015.
    .. [2] R. F. Barber, E. J. Candes, A. Ramdas and R. J. Tibshirani, "Predictive inference with the jackknife+",
       Annals of Statistics, 2021.
    .. [3] V. Vovk and R. Wang, "Combining p-values via averaging", Biometrika, 2020.
    .. [4] Y. Lee, R. F. Barber and R. Willett, "Distribution-free inference with hierarchical data",
       arXiv:2306.06342, 2023.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.ensemble import IsolationForest
    >>> from skaudio_ad import ConformalThreshold, ThresholdedDetector
    >>> X = np.random.default_rng(0).normal(size=(99, 4))
    >>> detector = ThresholdedDetector(
    ...     IsolationForest(random_state=0), ConformalThreshold(0.1), random_state=0
    ... ).fit(X)
    >>> detector.false_alarm_rate_, detector.promise_, round(detector.false_alarm_bound_, 3)
    (0.1, 'estimated', 0.269)
    >>> detector.predict([[0.0] * 4, [9.0] * 4]).tolist()
    [1, -1]
    >>> detector.set_threshold(ConformalThreshold(0.02)).p_values([[9.0] * 4]).tolist()
    [0.01]
    """

    detector_: Any
    detectors_: list[Any]
    selector_: Any
    threshold_: float
    calibration_scores_: FloatArray
    calibration_labels_: IntArray
    calibration_indices_: IntArray
    calibration_groups_: IntArray | None
    calibration_folds_: IntArray | None
    false_alarm_rate_: float | None
    false_alarm_bound_: float | None
    promise_: str | None
    promise_reason_: str | None

    def __init__(
        self,
        detector: Any,
        selector: Any = None,
        *,
        cv: Any = 5,
        ensemble: bool | Literal["auto"] = "auto",
        n_jobs: int | None = None,
        random_state: RandomState = None,
    ) -> None:
        self.detector = detector
        self.selector = selector
        self.cv = cv
        self.ensemble = ensemble
        self.n_jobs = n_jobs
        self.random_state = random_state

    def fit(self, X: Clips, y: Labels | None = None, **params: Any) -> Self:
        """Train the detector on the normal clips, and select the threshold on clips that the models have not seen.

        Parameters
        ----------
        X : array-like of clips, as the detector takes them
            Arrays, lists of paths or arrays, a column of a data frame, :class:`AudioClips`.
        y : array-like of shape (n_clips,), default=None
            1 for normal, -1 for anomalous clips. No model is trained on anomalous clips. None means that all clips are
            normal.
        **params : dict
            ``groups``, array-like of shape (n_clips,): recordings, machines or patients. Clips of a group are held out
            together, and the promise is for new groups. All other parameters go to the detector's ``fit``. A parameter
            with one entry a clip is split with the clips. With metadata routing enabled, each parameter goes where it
            is requested.

        Returns
        -------
        self : object

        Raises
        ------
        TypeError
            If the detector has no ``score_samples``, or the selector no ``fit``.
        ValueError
            If `cv` is not one of the options above, ``ensemble=True`` finds no models to keep, y holds other labels or
            too few of a kind, there are fewer groups than folds, or the scores are too few for the selector's promise.
            In this last case the detector is trained, and `set_threshold` can select again.
        """
        selector = check_parameters(self)
        X, y = make_indexable(X, y)
        missing = missing_rows(X)
        anomalous = np.zeros(len(missing), dtype=bool) if y is None else is_anomalous(y, name="y")
        check_has_anomalies(selector, anomalous)
        fit_params, split_params = route_fit_parameters(self, params)
        self._clear_fit()
        groups = check_groups(split_params.pop("groups", None), len(missing))
        made, groups = self._fit_models(X, y, anomalous, missing, groups, fit_params, split_params)
        unread = np.isnan(made.scores) & made.tested | missing
        if unread.any():
            warnings.warn(
                f"{np.count_nonzero(unread)} of {len(missing)} clips could not be read and have no score: the "
                "threshold is selected without them.",
                stacklevel=2,
            )
        self._keep_calibration(X, made, anomalous, unread, missing, groups)
        try:
            return self._select(self.selector)
        except ValueError as error:
            error.add_note(
                "The detector is trained all the same: set_threshold selects anew from its scores."
            )
            raise

    def _fit_models(self, X, y, anomalous, missing, groups, fit_params, split_params):
        """Train the models. Return what `_fold_models` returns, and the groups that the splits keep together."""
        if self.cv == "prefit":
            made = take_prefit(self.detector, self.ensemble, X)
        else:
            usable = ~anomalous & ~missing
            cv = choose_cv(self.cv, usable, groups)
            if cv is None:
                splitter, splits = None, []
            else:
                splitter = make_splitter(cv, self.random_state, groups is not None)
                splits = split_clips(cv, splitter, X, y, anomalous, missing, groups, **split_params)
            if getattr(splitter, "group_role", None) == "strata":
                groups = None  # such a splitter puts clips of a group on both sides on purpose
            check_splits(splits, anomalous, groups)
            made = fit_models(
                self.detector, X, usable, splits, fit_params, ensemble=self.ensemble, n_jobs=self.n_jobs
            )
        if made.way == ENSEMBLE:
            self.detectors_ = made.models
        else:
            (self.detector_,) = made.models
        if made.way == NONE:
            warnings.warn(
                "one or two normal clips or groups do not show how much normal clips differ, so no threshold can be "
                "set and no clip raises an alarm. score_samples works. Fit with three or more, or call set_threshold.",
                stacklevel=users_level(),
            )
        if made.way == REFIT and cv != "loo":  # a model with one clip less has nearly the same scale
            warn_of_another_scale(
                self.detector,
                X,
                made.scores,
                np.flatnonzero(usable & made.tested),
                fit_params,
                groups=groups,
                random_state=self.random_state,
            )
        return made, groups

    def _keep_calibration(self, X, made, anomalous, unread, missing, groups):
        """Set the attributes of the clips that calibrate."""
        self._way = made.way
        kept = np.flatnonzero(made.tested & ~unread)
        groups = None if groups is None else np.unique(groups, return_inverse=True)[1]
        calibration = Calibration(
            scores=made.scores[kept],
            labels=np.where(anomalous[kept], -1, 1),
            indices=kept,
            groups=None if groups is None else groups[kept],
            folds=None if made.folds is None else made.folds[kept],
        )
        calibration.keep_in(self)
        if made.way == ENSEMBLE and anomalous.any():
            indices = np.flatnonzero(anomalous & ~missing)
            calibration.with_anomalies(indices, self.score_samples(take(X, indices)), groups).keep_in(self)

    def fit_predict(self, X: Clips, y: Labels | None = None, **params: Any) -> IntArray:
        """Fit, and decide for every clip by a score from models that had not seen the clip.

        Parameters
        ----------
        X : array-like of clips, as in `fit`
        y : array-like of shape (n_clips,), default=None
            As in `fit`.
        **params : dict
            As in `fit`.

        Returns
        -------
        ndarray of shape (n_clips,), int
            1 is normal, -1 anomalous. Clips that calibrate are decided by ``calibration_scores_``, other clips by
            `predict`.
        """
        decisions = self.fit(X, y, **params).predict(X)
        decisions[self.calibration_indices_] = np.where(self.calibration_scores_ >= self.threshold_, 1, -1)
        return decisions

    def set_threshold(self, threshold: Any) -> Self:
        """Choose another threshold without training: from the scores that `fit` has kept, or by hand.

        The next `fit` uses the parameter `selector` again.

        Parameters
        ----------
        threshold : float or estimator
            A number on the scale of `score_samples`, or a selector.

        Returns
        -------
        self : object
        """
        check_is_fitted(self, "calibration_scores_")
        if isinstance(threshold, numbers.Real):
            check_number(threshold, "threshold", low=-np.inf, high=np.inf, closed="neither")
            return self._set(float(threshold), None, Promise())
        check_has(threshold, "threshold", ("fit", "predict"), or_else="a number or a threshold selector")
        return self._select(threshold)

    def score_samples(self, X: Clips) -> FloatArray:
        """Score every clip. Higher is more normal.

        Parameters
        ----------
        X : array-like of clips, as in `fit`

        Returns
        -------
        ndarray of shape (n_clips,), float64
            The detector's scores, or an ensemble's combined scores (see Notes). NaN for a clip that could not be read.
        """
        check_is_fitted(self, "calibration_scores_")
        (X,) = make_indexable(X)
        if self.calibration_folds_ is None:
            return score_clips(self.detector_, X)
        normal = Calibration.of(self).normal()
        scores = scores_by_all(self.detectors_, X)
        return cross_conformal_scores(scores, normal.scores, normal.folds, normal.groups)

    def p_values(self, X: Clips) -> FloatArray:
        """Conformal p-values: the probability that a normal clip scores as low as each of these clips.

        Parameters
        ----------
        X : array-like of clips, as in `fit`

        Returns
        -------
        ndarray of shape (n_clips,), float64
            ``(1 + number of normal calibration scores at or below the clip's score) / (1 + n_normal)``, so at least
            ``1 / (n_normal + 1)``. NaN for a clip that could not be read. The Notes have the formula with groups. The
            promise of a :class:`ConformalThreshold` holds for the p-values with every selector.
        """
        scores = self.score_samples(X)
        normal = Calibration.of(self).normal()
        return hierarchical_p_values(normal.scores, scores, normal.groups)

    @available_if(_detector_has("score_frames"))
    def score_frames(self, X: Clips) -> FloatArray | list[FloatArray]:
        """Score every frame or window of every clip, as the detector does.

        Parameters
        ----------
        X : array-like of clips, as in `fit`

        Returns
        -------
        ndarray of shape (n_clips, n_windows) or list of ndarray of shape (n_windows_i,)
            Higher is more normal. An ensemble returns the mean of its models. The threshold is for clips, not for these
            scores.
        """
        check_is_fitted(self, "calibration_scores_")
        (X,) = make_indexable(X)
        return mean_windows(getattr(self, "detectors_", None) or [self.detector_], X)

    @available_if(_detector_has("window_centers"))
    def window_centers(self, n_windows: int) -> FloatArray:
        """Centres of the windows of `score_frames`, in frames from the start of the clip.

        Parameters
        ----------
        n_windows : int

        Returns
        -------
        ndarray of shape (n_windows,)
        """
        check_is_fitted(self, "calibration_scores_")
        return end_of_pipeline(self._example).window_centers(n_windows)

    @property
    def offset_(self) -> float:  # type: ignore[override]
        """The threshold under the name that scikit-learn uses."""
        check_is_fitted(self, "threshold_")
        return self.threshold_

    @property
    def n_features_in_(self) -> int:
        """Number of features that the detector was trained on."""
        return self._example.n_features_in_

    @property
    def feature_names_in_(self) -> Any:
        """Names of the features that the detector was trained on."""
        return self._example.feature_names_in_

    def get_metadata_routing(self) -> MetadataRouter:
        """Tell which step gets which parameters of `fit`.

        Returns
        -------
        MetadataRouter
        """
        return make_router(self)

    @property
    def _example(self):
        """The detector that scores, one of several that score, or the unfitted one."""
        if hasattr(self, "detectors_"):
            return self.detectors_[0]
        return getattr(self, "detector_", self.detector)

    def _clear_fit(self):
        """Delete the attributes of an earlier fit."""
        for name in [name for name in vars(self) if name.endswith("_") and not name.startswith("_")]:
            delattr(self, name)

    def _select(self, selector):
        """Select the threshold with a clone of `selector`, or with the default for None."""
        n_folds = len(getattr(self, "detectors_", []))
        return self._set(*select_threshold(selector, Calibration.of(self), self._way, n_folds))

    def _set(self, threshold, selector, promise):
        self.threshold_, self.selector_ = threshold, selector
        for name, value in vars(promise).items():
            setattr(self, name, value)
        return self

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        inner = get_tags(self.detector)
        tags.input_tags = copy.deepcopy(inner.input_tags)
        tags.non_deterministic = inner.non_deterministic
        return tags
