"""`ThresholdedDetector`: any outlier detector, with a threshold from clips that it was not trained on."""

import copy
import numbers
import warnings

import numpy as np
from sklearn import get_config
from sklearn.base import BaseEstimator, MetaEstimatorMixin, clone
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import Pipeline
from sklearn.utils import Bunch, get_tags
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from .._base import DetectorMixin
from .._checks import check_number, check_option
from .._clip_calls import missing_rows, score_clips
from .._labels import is_anomalous
from .._lazy import take
from ._calibration import (
    as_clips,
    check_has,
    check_splits,
    make_splitter,
    split_clips,
    splits_by_itself,
)
from ._conformal import ConformalThreshold
from ._cross_conformal import cross_conformal_scores
from ._fold_models import ENSEMBLE, REFIT, fit_models, mean_windows, scores_by_all, take_prefit
from ._grouped import fit_on_groups, hierarchical_p_values
from ._promises import Promise, fall_back, is_too_few, judge_promise
from ._scale_check import warn_of_another_scale


def _detector_has(name):
    """For `available_if`: whether the detector, fitted or to be fitted, has the method `name`."""

    def check(self):
        detector = self._example
        while isinstance(detector, Pipeline):
            detector = detector[-1]
        return hasattr(detector, name)

    return check


class ThresholdedDetector(MetaEstimatorMixin, DetectorMixin, BaseEstimator):
    """An outlier detector whose threshold comes from clips that it was not trained on.

    Takes any detector with ``score_samples``, higher being more normal: this package's, scikit-learn's, mixtures and
    densities, a Pipeline or a search that ends in one. The detector is trained on normal clips only. A `selector` then
    chooses the threshold from scores that models gave to clips they had not seen: those of the training clips
    themselves are too good, and a threshold from them raises far more false alarms than it says.

    Parameters
    ----------
    detector : estimator
        Has ``fit`` and ``score_samples``; :class:`~sklearn.neighbors.LocalOutlierFactor` with ``novelty=True``. It is
        cloned.

    selector : estimator, default=None
        Any threshold selector of this package. None is :class:`ConformalThreshold` with its rate of false alarms, 0.05,
        for which it takes 19 normal clips. With fewer clips, None takes the lower end of a prediction interval, and
        ``promise_`` is "estimated". Name the selector to search over ``selector__alpha``.

    cv : int, "loo", float, "prefit", splitter or iterable, default=5
        Which clips calibrate, that is, give the scores that the threshold is selected from.

        - int k: k-fold cross-validation, shuffled. All normal clips calibrate. Every clip is scored by the model that
          was trained without its fold.
        - "loo": the same with a fold for every clip, or for every group.
        - float in (0, 1): this fraction of the normal clips, or of the groups, at random. The detector is trained on
          the rest.
        - "prefit": all. The detector has been trained already, on other clips, and is left as it is. Wrap it in
          :class:`~sklearn.frozen.FrozenEstimator`, or a clone of this estimator, such as a search makes, has lost what
          it learnt. (With any other `cv`, too, a frozen detector is not trained.)
        - splitter, such as :class:`~sklearn.model_selection.GroupKFold`, or an iterable of (train, test) positions: it
          splits X, y and groups. Anomalous clips are taken out of the training parts, and scored where it puts them in
          a test part. One that makes a single split works as a float does.

    ensemble : "auto" or bool, default="auto"
        What scores new clips where `cv` makes several folds, as in
        :class:`~sklearn.calibration.CalibratedClassifierCV`.

        - True: the models of all folds. A new clip is compared, by each of them, with the clips that it had not seen.
          Scoring takes as long as that of all models together.
        - False: one more model, trained on all normal clips. The threshold comes from the scores of the folds' models,
          which may lie on another scale; `fit` warns where they do, which takes up to five more models.
        - "auto": True where the folds test every normal clip at most once and the detector is not frozen. This is what
          keeps the rate of false alarms: with ``ensemble=False`` the rate was up to ten times the one that was asked
          for, where there are about as many clips as features.

    n_jobs : int, default=None
        Models of the folds that are trained at the same time, as in :class:`joblib.Parallel`.

    random_state : int, RandomState instance or None, default=None
        Of the folds or the fraction. The detector has its own.

    Attributes
    ----------
    detector_ : estimator
        The one that scores. There is none where the models of the folds do.

    detectors_ : list of estimator
        The models of the folds, where `ensemble` keeps them.

    threshold_, offset_ : float
        On the scale of `score_samples`: below it a clip is anomalous.

    selector_ : estimator or None
        The fitted selector; None where `set_threshold` was given a number, or where `selector` is None and there are
        too few clips for it.

    calibration_scores_ : ndarray of shape (n_calibration,), float64
        Scores of the clips that calibrate, by models that had not seen them. A clip that several models scored counts
        once, with the mean; with an ensemble, an anomalous clip has its `score_samples`.

    calibration_labels_ : ndarray of shape (n_calibration,), int
        1 for normal, -1 for anomalous clips.

    calibration_indices_ : ndarray of shape (n_calibration,), int
        Their positions in the X of `fit`. Clips that could not be read are not among them.

    calibration_groups_ : ndarray of shape (n_calibration,), int, or None
        Number of the group of each, None without groups.

    calibration_folds_ : ndarray of shape (n_calibration,), int, or None
        Position in ``detectors_`` of the model that had not seen it, -1 for an anomalous clip, which none has seen;
        None without ``detectors_``.

    false_alarm_rate_ : float or None
        What the selector expects; None where the threshold is a number.

    false_alarm_bound_ : float or None
        What is proved of the rate of false alarms, for any detector and any distribution, on average over draws of
        the clips, or groups, that calibrate. None where nothing is.

    promise_ : str or None
        What ``false_alarm_rate_`` is worth; None where the threshold is a number.

        - "guaranteed": with the `confidence` that the selector was given, the rate of this very detector is no larger.
        - "guaranteed on average": the rate is no larger on average over draws of the clips that calibrate.
        - "estimated": it is what is expected, and no more. With an ensemble the rate stayed within it in all that was
          simulated, but what is proved is ``false_alarm_bound_``.
        - "observed": it was found on the clips that the threshold was chosen by.

    promise_reason_ : str or None
        Why, in a sentence or two.

    n_features_in_, feature_names_in_ : int, ndarray of str
        The detector's, where it has them.

    Notes
    -----
    Scores of an ensemble are made for thresholds. For every held-out clip, the model that had not seen it says whether
    the new clip scores at least as high. The number of these clips (cross-conformal prediction [1]_) puts the new clip
    between two of the sorted ``calibration_scores_``, and the mean of its scores by all models puts it in order with
    others there; below all of them the score goes on as that mean does. With :class:`ConformalThreshold` and a rate of
    alpha, false alarms on more than about 2 alpha of the clips are ruled out by proof [2]_, [3]_; on about alpha are
    what is found. For a guarantee of alpha itself take a fraction as `cv`: half of the clips are not too many.

    With groups, what is promised is for a clip of a group that took no part. All clips of a group count as one
    together: the p-value is ``(1 + sum over groups of the share of their clips that score as low) / (1 + n_groups)``
    [4]_, and :class:`ConformalThreshold` takes ``1 / alpha - 1`` groups. Other selectors take every clip for itself.

    All of X is scored and split by rows: detectors that take a square matrix of distances do not fit in.

    A row of an array that is NaN throughout stands for a clip that could not be read. It is kept from the detector,
    scores NaN, and is never called normal; detectors of scikit-learn would refuse it, or score it as any other. In a
    Pipeline this is so from the first step that makes an array, except that its last step has to put up with NaN when
    it is trained, as this package's detectors do.

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

    def __init__(self, detector, selector=None, *, cv=5, ensemble="auto", n_jobs=None, random_state=None):
        self.detector = detector
        self.selector = selector
        self.cv = cv
        self.ensemble = ensemble
        self.n_jobs = n_jobs
        self.random_state = random_state

    def fit(self, X, y=None, **params):
        """Train the detector on the normal clips, and select the threshold on clips that models have not seen.

        Parameters
        ----------
        X : array-like of clips, as the detector takes them
            Arrays, lists of paths or arrays, a column of a data frame, :class:`AudioClips`.
        y : array-like of shape (n_clips,), default=None
            1 for normal, -1 for anomalous clips, which no model is trained on. None means that all are normal.
        **params : dict
            ``groups``, array-like of shape (n_clips,): recordings, machines or patients. Their clips are held out
            together, and what is promised is for new ones. All else goes to the detector's ``fit``, what has one entry
            a clip with the clips. With metadata routing enabled, each goes where it is requested.

        Returns
        -------
        self : object

        Raises
        ------
        TypeError
            If the detector has no ``score_samples``, or the selector no ``fit``.
        ValueError
            If `cv` is none of those above, ``ensemble=True`` finds no models to keep, y holds other labels or too few
            of a kind, there are fewer groups than folds, or the scores do not allow the selector what it promises. In
            this last case the detector is trained, and `set_threshold` can select again.
        """
        selector = ConformalThreshold() if self.selector is None else self.selector
        check_has(self.detector, "detector", ("fit", "score_samples"))
        check_option(self.ensemble, "ensemble", ("auto", True, False))
        check_has(selector, "selector", ("fit", "predict"))
        make_splitter(self.cv, self.random_state)  # raises where there is none
        X, y = as_clips(X, y)
        missing = missing_rows(X)
        n_clips = len(missing)
        anomalous = np.zeros(n_clips, dtype=bool) if y is None else is_anomalous(y, name="y")
        if get_tags(selector).target_tags.required and not anomalous.any():
            raise ValueError(
                f"{type(selector).__name__} needs anomalous clips: pass y with -1 for them. Without any, "
                "ConformalThreshold selects on normal clips alone."
            )
        routed = self._route(params)
        self._forget()
        groups = self._check_groups(routed.splitter.split.pop("groups", None), n_clips)
        splitter = make_splitter(self.cv, self.random_state, groups is not None)
        usable = ~anomalous & ~missing
        if self.cv == "prefit":
            made = take_prefit(self.detector, self.ensemble, X)
        else:
            splits = split_clips(self.cv, splitter, X, y, anomalous, missing, groups, **routed.splitter.split)
            if getattr(splitter, "group_role", None) == "strata":
                groups = None  # such a splitter puts clips of a group on both sides, on purpose
            check_splits(splits, anomalous, groups)
            made = fit_models(
                self.detector,
                X,
                usable,
                splits,
                routed.detector.fit,
                ensemble=self.ensemble,
                n_jobs=self.n_jobs,
            )
        self._way, scores, tested = made.way, made.scores, made.tested
        if made.way == ENSEMBLE:
            self.detectors_ = made.models
        else:
            (self.detector_,) = made.models
        if made.way == REFIT and self.cv != "loo":  # with one clip less, the scale is nearly that of all
            warn_of_another_scale(
                self.detector,
                X,
                scores,
                np.flatnonzero(usable & tested),
                routed.detector.fit,
                groups=groups,
                random_state=self.random_state,
            )
        unread = np.isnan(scores) & tested | missing
        if unread.any():
            warnings.warn(
                f"{np.count_nonzero(unread)} of {n_clips} clips could not be read and have no score: the threshold is "
                "selected without them.",
                stacklevel=2,
            )
        kept = self.calibration_indices_ = np.flatnonzero(tested & ~unread)
        self.calibration_labels_ = np.where(anomalous[kept], -1, 1)
        groups = None if groups is None else np.unique(groups, return_inverse=True)[1]
        self.calibration_groups_ = None if groups is None else groups[kept]
        self.calibration_folds_ = None if made.folds is None else made.folds[kept]
        self.calibration_scores_ = scores[kept]
        if made.way == ENSEMBLE and anomalous.any():
            self._calibrate_with_anomalies(X, np.flatnonzero(anomalous & ~missing), groups)
        try:
            return self._select(self.selector)
        except ValueError as error:
            error.add_note(
                "The detector is trained all the same: set_threshold selects anew from its scores."
            )
            raise

    def fit_predict(self, X, y=None, **params):
        """Fit, and decide for every clip as if it had not been one to train on.

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
            1 is normal, -1 anomalous: by ``calibration_scores_``, and by `predict` for the clips, if any, that did not
            calibrate.
        """
        decisions = self.fit(X, y, **params).predict(X)
        decisions[self.calibration_indices_] = np.where(self.calibration_scores_ >= self.threshold_, 1, -1)
        return decisions

    def set_threshold(self, threshold):
        """Choose the threshold anew, without training: from the scores that `fit` has kept, or by hand.

        `fit` goes back to the parameter `selector`.

        Parameters
        ----------
        threshold : float or estimator
            On the scale of `score_samples`, or a selector.

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

    def score_samples(self, X):
        """Score every clip. Higher is more normal.

        Parameters
        ----------
        X : array-like of clips, as in `fit`

        Returns
        -------
        ndarray of shape (n_clips,), float64
            The detector's scores, or what an ensemble makes of its models' (see Notes); NaN for a clip that could not
            be read.
        """
        check_is_fitted(self, "calibration_scores_")
        (X,) = as_clips(X)
        if self.calibration_folds_ is None:
            return score_clips(self.detector_, X)
        normal = self.calibration_folds_ >= 0
        return cross_conformal_scores(
            scores_by_all(self.detectors_, X),
            self.calibration_scores_[normal],
            self.calibration_folds_[normal],
            None if self.calibration_groups_ is None else self.calibration_groups_[normal],
        )

    def p_values(self, X):
        """How likely a normal clip is to score as low as each of these: conformal p-values.

        Parameters
        ----------
        X : array-like of clips, as in `fit`

        Returns
        -------
        ndarray of shape (n_clips,), float64
            ``(1 + number of normal calibration scores at or below the clip's) / (1 + their number)``, so at least
            ``1 / (n_normal + 1)``; NaN for a clip that could not be read. With groups, as in the Notes. What
            ``promise_`` says of a :class:`ConformalThreshold` holds for them, whatever the selector.
        """
        scores = self.score_samples(X)
        return self._p_values_of(scores)

    @available_if(_detector_has("score_frames"))
    def score_frames(self, X):
        """Score every frame or window of every clip, as the detector does.

        Parameters
        ----------
        X : array-like of clips, as in `fit`

        Returns
        -------
        ndarray of shape (n_clips, n_windows) or list of ndarray of shape (n_windows_i,)
            Higher is more normal; of an ensemble the mean of its models. The threshold is for clips, not for these.
        """
        check_is_fitted(self, "calibration_scores_")
        (X,) = as_clips(X)
        return mean_windows(getattr(self, "detectors_", None) or [self.detector_], X)

    @available_if(_detector_has("window_centers"))
    def window_centers(self, n_windows):
        """Places of the scores of `score_frames`, in frames from the start of the clip.

        Parameters
        ----------
        n_windows : int

        Returns
        -------
        ndarray of shape (n_windows,)
        """
        check_is_fitted(self, "calibration_scores_")
        detector = self._example
        while isinstance(detector, Pipeline):
            detector = detector[-1]
        return detector.window_centers(n_windows)

    @property
    def offset_(self):
        """The threshold, by scikit-learn's name."""
        check_is_fitted(self, "threshold_")
        return self.threshold_

    @property
    def n_features_in_(self):
        """Number of features that the detector was trained on."""
        return self._example.n_features_in_

    @property
    def feature_names_in_(self):
        """Names of the features that the detector was trained on."""
        return self._example.feature_names_in_

    def get_metadata_routing(self):
        """Who gets what of the parameters of `fit`.

        Returns
        -------
        MetadataRouter
        """
        router = MetadataRouter(owner=self)
        router.add(detector=self.detector, method_mapping=MethodMapping().add(caller="fit", callee="fit"))
        # Whatever `cv` is, groups go where a splitter for groups would get them.
        by_itself = splits_by_itself(self.cv)
        splitter = GroupKFold() if by_itself else make_splitter(self.cv, self.random_state)
        router.add(splitter=splitter, method_mapping=MethodMapping().add(caller="fit", callee="split"))
        return router

    def _route(self, params):
        if get_config()["enable_metadata_routing"]:
            routed = process_routing(self, "fit", **params)
            return Bunch(detector=routed["detector"], splitter=routed.get("splitter") or Bunch(split={}))
        groups = params.pop("groups", None)
        return Bunch(detector=Bunch(fit=params), splitter=Bunch(split={"groups": groups}))

    @property
    def _example(self):
        """The detector that scores, one of several, or the one to be fitted."""
        if hasattr(self, "detectors_"):
            return self.detectors_[0]
        return getattr(self, "detector_", self.detector)

    def _forget(self):
        """Drop what an earlier fit has left."""
        for name in [name for name in vars(self) if name.endswith("_") and not name.startswith("_")]:
            delattr(self, name)

    def _check_groups(self, groups, n_clips):
        if groups is None:
            return None
        groups = np.asarray(groups)
        if groups.shape != (n_clips,):
            raise ValueError(
                f"groups must have one entry a clip: got the shape {groups.shape} for {n_clips} clips."
            )
        return groups

    def _calibrate_with_anomalies(self, X, anomalous, groups):
        """Add anomalous clips, which no model has seen, with the scores that new clips get."""
        scores = self.score_samples(take(X, anomalous))
        read = ~np.isnan(scores)
        indices = np.append(self.calibration_indices_, anomalous[read])
        order = np.argsort(indices)
        self.calibration_scores_ = np.append(self.calibration_scores_, scores[read])[order]
        added = np.full(np.count_nonzero(read), -1)
        self.calibration_labels_ = np.append(self.calibration_labels_, added)[order]
        self.calibration_folds_ = np.concatenate([self.calibration_folds_, added])[order]
        self.calibration_indices_ = indices[order]
        if groups is not None:
            self.calibration_groups_ = groups[self.calibration_indices_]

    def _normal_calibration(self):
        """Scores of the normal clips that calibrate, and their groups or None."""
        normal = self.calibration_labels_ == 1
        groups = None if self.calibration_groups_ is None else self.calibration_groups_[normal]
        return self.calibration_scores_[normal], groups

    def _p_values_of(self, scores):
        normal_scores, groups = self._normal_calibration()
        return hierarchical_p_values(normal_scores, scores, groups)

    def _select(self, selector):
        """Select the threshold anew; None is the default selector, or what stands in for it."""
        normal_scores, groups = self._normal_calibration()
        if selector is None and len(normal_scores) and is_too_few(normal_scores, groups):
            threshold, promise = fall_back(normal_scores, groups)
            return self._set(threshold, None, promise)
        selector = clone(ConformalThreshold() if selector is None else selector)
        if groups is not None and isinstance(selector, ConformalThreshold):
            fit_on_groups(selector, normal_scores, groups)
        else:
            selector.fit(self.calibration_scores_, self.calibration_labels_)
        promise = judge_promise(selector, normal_scores, self._way, groups, self._fold_sizes())
        if hasattr(selector, "promise_"):
            selector.promise_ = promise.promise_
        return self._set(selector.threshold_, selector, promise)

    def _set(self, threshold, selector, promise):
        self.threshold_, self.selector_ = threshold, selector
        for name, value in vars(promise).items():
            setattr(self, name, value)
        return self

    def _fold_sizes(self):
        """Clips, or groups, that each model of an ensemble is compared by."""
        if self.calibration_folds_ is None:
            return None
        units = np.arange(len(self.calibration_folds_))
        units = units if self.calibration_groups_ is None else self.calibration_groups_
        return np.array(
            [len(np.unique(units[self.calibration_folds_ == n])) for n in range(len(self.detectors_))]
        )

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        inner = get_tags(self.detector)
        tags.input_tags = copy.deepcopy(inner.input_tags)
        tags.non_deterministic = inner.non_deterministic
        return tags
