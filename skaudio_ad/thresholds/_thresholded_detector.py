"""`ThresholdedDetector`: any outlier detector, with a threshold from clips that it was not trained on."""

import copy
import numbers
import warnings

import numpy as np
from sklearn import get_config
from sklearn.base import BaseEstimator, MetaEstimatorMixin, clone
from sklearn.exceptions import NotFittedError
from sklearn.utils import Bunch, get_tags, indexable
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing
from sklearn.utils.metaestimators import available_if
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import check_is_fitted

from .._base import DetectorMixin
from .._checks import check_number
from .._lazy import take
from ..metrics._labels import is_anomalous
from ._calibration import (
    check_has,
    fit_and_score,
    fit_clips,
    make_splitter,
    missing_rows,
    score_clips,
    split_clips,
    splits_by_itself,
)
from ._conformal import ConformalThreshold, conformal_p_values
from ._selector import APPROXIMATE, GUARANTEED


def _detector_has(name):
    """For `available_if`: whether the detector, fitted or to be fitted, has the method `name`."""
    return lambda self: hasattr(getattr(self, "detector_", self.detector), name)


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
        for which it takes 19 normal clips. Name it to search over ``selector__alpha``.

    cv : int, "loo", float, "prefit", splitter or iterable, default=5
        Which clips calibrate, that is, give the scores that the threshold is selected from.

        - int: all, each scored by the one of so many models that was trained without its fold. The detector is then
          trained again, on all normal clips. Folds are shuffled.
        - "loo": the same with a fold for every clip.
        - float in (0, 1): this fraction of the normal clips, at random. The detector stays the one that was trained on
          the rest.
        - "prefit": all. The detector has been trained already, on other clips, and is left as it is. Wrap it in
          :class:`~sklearn.frozen.FrozenEstimator`, or a clone of this estimator, such as a search makes, has lost what
          it learnt. (With any other `cv`, too, a frozen detector is not trained.)
        - splitter, such as :class:`~sklearn.model_selection.GroupKFold`, or an iterable of (train, test) positions: it
          splits X, y and groups. Anomalous clips are taken out of the training parts, and scored where it puts them in
          a test part. One that makes a single split works as a float does.

    n_jobs : int, default=None
        Models of the folds that are trained at the same time, as in :class:`joblib.Parallel`.

    random_state : int, RandomState instance or None, default=None
        Of the folds or the fraction. The detector has its own.

    Attributes
    ----------
    detector_ : estimator
        The one that scores.

    threshold_, offset_ : float
        On the scale of `score_samples`: below it a clip is anomalous.

    selector_ : estimator or None
        The fitted selector; None where `set_threshold` was given a number.

    calibration_scores_ : ndarray of shape (n_calibration,), float64
        Scores of the clips that calibrate, by models that had not seen them. A clip that several models scored, as
        all of them do an anomalous one with an int, counts once, with the mean.

    calibration_labels_ : ndarray of shape (n_calibration,), int
        1 for normal, -1 for anomalous clips.

    calibration_indices_ : ndarray of shape (n_calibration,), int
        Their positions in the X of `fit`. Clips that could not be read are not among them.

    false_alarm_rate_ : float or None
        What the selector expects; None where the threshold is a number.

    promise_ : str or None
        What ``false_alarm_rate_`` is worth. "guaranteed": it holds for any detector and any distribution,
        by a :class:`ConformalThreshold` and clips that took no part in training. "approximate": the same, where the
        detector was trained again on all clips; what the scores of the folds' models promise need not hold exactly for
        its own. "estimated" and "observed" are what the selector says; None where the threshold is a number.

    n_features_in_, feature_names_in_ : int, ndarray of str
        The detector's, where it has them.

    Notes
    -----
    Which `cv`? Training again on all clips makes the better detector, since few clips are the rule; scores of clips
    that no model had seen are a little lower for the models of the folds, trained on fewer clips, and the threshold
    tends to be on the safe side. This is the reasoning of the jackknife+ and CV+ [1]_, whose proofs hold for intervals
    around all models' predictions, with twice the rate, and not for one model trained on all. For a guarantee take a
    fraction, and half of the clips are not too many.

    All of X is scored and split by rows: detectors that take a square matrix of distances do not fit in.

    A row of an array that is NaN throughout stands for a clip that could not be read. It is kept from the detector,
    scores NaN, and is never called normal; detectors of scikit-learn would refuse it, or score it as any other. In a
    Pipeline this is so from the first step that makes an array, except that its last step has to put up with NaN when
    it is trained, as this package's detectors do.

    References
    ----------
    .. [1] R. F. Barber, E. J. Candes, A. Ramdas and R. J. Tibshirani, "Predictive inference with the jackknife+",
       Annals of Statistics, 2021.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.ensemble import IsolationForest
    >>> from skaudio_ad import ConformalThreshold, ThresholdedDetector
    >>> X = np.random.default_rng(0).normal(size=(99, 4))
    >>> detector = ThresholdedDetector(
    ...     IsolationForest(random_state=0), ConformalThreshold(0.1), random_state=0
    ... ).fit(X)
    >>> detector.selector_.false_alarm_rate_, detector.promise_
    (0.1, 'approximate')
    >>> detector.predict([[0.0] * 4, [9.0] * 4]).tolist()
    [1, -1]
    >>> detector.set_threshold(ConformalThreshold(0.02)).p_values([[9.0] * 4]).tolist()
    [0.01]
    """

    def __init__(self, detector, selector=None, *, cv=5, n_jobs=None, random_state=None):
        self.detector = detector
        self.selector = selector
        self.cv = cv
        self.n_jobs = n_jobs
        self.random_state = random_state

    def fit(self, X, y=None, **params):
        """Train the detector on the normal clips, and select the threshold on clips that models have not seen.

        Parameters
        ----------
        X : array-like of clips, as the detector takes them
            Arrays, lists of paths or arrays, :class:`AudioClips`.
        y : array-like of shape (n_clips,), default=None
            1 for normal, -1 for anomalous clips, which no model is trained on. None means that all are normal.
        **params : dict
            ``groups`` for a splitter; all else goes to the detector's ``fit``, what has one entry a clip with the
            clips. With metadata routing enabled, each goes where it is requested.

        Returns
        -------
        self : object

        Raises
        ------
        TypeError
            If the detector has no ``score_samples``, or the selector no ``fit``.
        ValueError
            If `cv` is none of those above, y holds other labels or too few of a kind, or the scores do not allow the
            selector what it promises. In this last case the detector is trained, and `set_threshold` can select again.
        """
        selector = ConformalThreshold() if self.selector is None else self.selector
        check_has(self.detector, "detector", ("fit", "score_samples"))
        check_has(selector, "selector", ("fit", "predict"))
        splitter = make_splitter(self.cv, self.random_state)
        X, y = indexable(X, y)
        missing = missing_rows(X)
        n_clips = len(missing)
        anomalous = np.zeros(n_clips, dtype=bool) if y is None else is_anomalous(y, name="y")
        if get_tags(selector).target_tags.required and not anomalous.any():
            raise ValueError(
                f"{type(selector).__name__} needs anomalous clips: pass y with -1 for them. Without any, "
                "ConformalThreshold selects on normal clips alone."
            )
        routed = self._route(params)
        self.__dict__.pop("threshold_", None)  # of an earlier fit
        if self.cv == "prefit":
            try:
                check_is_fitted(self.detector)
            except NotFittedError as error:
                raise NotFittedError(
                    f'cv="prefit" takes a detector that has been trained, but this {type(self.detector).__name__} has '
                    "not: fit it first, and wrap it in sklearn.frozen.FrozenEstimator, or a clone forgets it."
                ) from error
            self.detector_, self._is_refitted = self.detector, False
            scores, tested = score_clips(self.detector_, X), np.ones(n_clips, dtype=bool)
        else:
            splits = split_clips(self.cv, splitter, X, y, anomalous, missing, **routed.splitter.split)
            scores, tested = self._fit_folds(X, ~anomalous & ~missing, splits, routed.detector.fit)
        unread = np.isnan(scores) & tested | missing
        if unread.any():
            warnings.warn(
                f"{np.count_nonzero(unread)} of {n_clips} clips could not be read and have no score: the threshold is "
                "selected without them.",
                stacklevel=2,
            )
        self.calibration_indices_ = np.flatnonzero(tested & ~unread)
        self.calibration_scores_ = scores[self.calibration_indices_]
        self.calibration_labels_ = np.where(anomalous[self.calibration_indices_], -1, 1)
        try:
            return self.set_threshold(selector)
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
            self.threshold_, self.selector_ = float(threshold), None
            return self
        check_has(threshold, "threshold", ("fit", "predict"), or_else="a number or a threshold selector")
        selector = clone(threshold).fit(self.calibration_scores_, self.calibration_labels_)
        if self._is_refitted and getattr(selector, "promise_", None) == GUARANTEED:
            selector.promise_ = APPROXIMATE
        self.threshold_, self.selector_ = selector.threshold_, selector
        return self

    def score_samples(self, X):
        """Score every clip. Higher is more normal.

        Parameters
        ----------
        X : array-like of clips, as in `fit`

        Returns
        -------
        ndarray of shape (n_clips,), float64
            The detector's scores; NaN for a clip that could not be read.
        """
        check_is_fitted(self, "calibration_scores_")
        return score_clips(self.detector_, *indexable(X))

    def p_values(self, X):
        """How likely a normal clip is to score as low as each of these: conformal p-values.

        Parameters
        ----------
        X : array-like of clips, as in `fit`

        Returns
        -------
        ndarray of shape (n_clips,), float64
            ``(1 + number of normal calibration scores at or below the clip's) / (1 + their number)``, so at least
            ``1 / (n_normal + 1)``; NaN for a clip that could not be read. Exact where the clips that calibrate took no
            part in training, approximate where the detector was trained again on all, whatever the selector.
        """
        scores = self.score_samples(X)
        return conformal_p_values(np.sort(self.calibration_scores_[self.calibration_labels_ == 1]), scores)

    @available_if(_detector_has("score_frames"))
    def score_frames(self, X):
        """Score every frame or window of every clip, as the detector does.

        Parameters
        ----------
        X : array-like of clips, as in `fit`

        Returns
        -------
        ndarray of shape (n_clips, n_windows) or list of ndarray of shape (n_windows_i,)
            Higher is more normal. The threshold is for clips, not for these.
        """
        check_is_fitted(self, "calibration_scores_")
        return self.detector_.score_frames(X)

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
        return self.detector_.window_centers(n_windows)

    @property
    def offset_(self):
        """The threshold, by scikit-learn's name."""
        check_is_fitted(self, "threshold_")
        return self.threshold_

    @property
    def false_alarm_rate_(self):
        """The rate of false alarms that the selector expects."""
        check_is_fitted(self, "threshold_")
        return getattr(self.selector_, "false_alarm_rate_", None)

    @property
    def promise_(self):
        """What the selector's rate of false alarms is worth."""
        check_is_fitted(self, "threshold_")
        return getattr(self.selector_, "promise_", None)

    @property
    def n_features_in_(self):
        """Number of features that the detector was trained on."""
        return self.detector_.n_features_in_

    @property
    def feature_names_in_(self):
        """Names of the features that the detector was trained on."""
        return self.detector_.feature_names_in_

    def get_metadata_routing(self):
        """Who gets what of the parameters of `fit`.

        Returns
        -------
        MetadataRouter
        """
        router = MetadataRouter(owner=self)
        router.add(detector=self.detector, method_mapping=MethodMapping().add(caller="fit", callee="fit"))
        splitter = make_splitter(self.cv, self.random_state)
        if splitter is not None and not splits_by_itself(self.cv):
            router.add(splitter=splitter, method_mapping=MethodMapping().add(caller="fit", callee="split"))
        return router

    def _route(self, params):
        if get_config()["enable_metadata_routing"]:
            routed = process_routing(self, "fit", **params)
            return Bunch(detector=routed["detector"], splitter=routed.get("splitter") or Bunch(split={}))
        groups = params.pop("groups", None)
        if groups is not None and splits_by_itself(self.cv):
            raise ValueError(
                f"cv={self.cv!r} does not keep groups together: pass cv=GroupKFold(5), or GroupShuffleSplit(1) for a "
                "fraction."
            )
        return Bunch(detector=Bunch(fit=params), splitter=Bunch(split={"groups": groups}))

    def _fit_folds(self, X, usable, splits, params):
        """Set ``detector_``, and return the scores (n_clips,) of the folds' models and which clips they scored."""
        for number, (train, test) in enumerate(splits):
            if not len(train):
                raise ValueError(
                    f"fold {number} of cv leaves no normal clip to train on, of n_samples={len(usable)}."
                )
            both = np.intersect1d(train, test)
            if len(both):
                raise ValueError(
                    f"fold {number} of cv trains on clips that it tests, first on clip {both[0]}: a threshold from "
                    "such scores raises far more false alarms than it says. Make its two parts disjoint."
                )
        self._is_refitted = len(splits) > 1
        if self._is_refitted:
            folds = Parallel(n_jobs=self.n_jobs)(
                delayed(fit_and_score)(clone(self.detector), X, train, test, params) for train, test in splits
            )
            self.detector_ = fit_clips(clone(self.detector), X, np.flatnonzero(usable), params)
        else:
            train, test = splits[0]
            self.detector_ = fit_clips(clone(self.detector), X, train, params)
            folds = [score_clips(self.detector_, take(X, test))]
        total, n_models = np.zeros(len(usable)), np.zeros(len(usable))
        for (_, test), scores in zip(splits, folds):
            total[test] += scores
            n_models[test] += 1
        return total / np.maximum(n_models, 1), n_models > 0

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        inner = get_tags(self.detector)
        tags.input_tags = copy.deepcopy(inner.input_tags)
        tags.non_deterministic = inner.non_deterministic
        return tags
