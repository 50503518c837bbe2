"""`ScoreEnsemble`: several detectors, brought to one scale by their held-out scores and combined."""

import warnings
from typing import Any, Literal, Self

import numpy as np
from sklearn.utils.metaestimators import available_if
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import check_is_fitted

from .._base import DetectorMixin, choose_offset, group_weights
from .._checks import users_level
from .._clip_calls import make_indexable
from .._input_checks import number_groups
from .._lazy import take
from .._p_values import weighted_p_values
from .._splits import check_splits, make_splitter, split_clips
from .._typing import Clips, Contamination, FloatArray, IntArray, Labels, RandomState
from ._combine_scores import calibrate, calibrate_held_out, combine, combine_p_values, judge
from ._ensemble_checks import check_parameters, find_missing
from ._fit_predict import decide_held_out
from ._frames import check_present, normal_positions
from ._member_models import fit_members, score_member
from ._named_detectors import NamedDetectors

# Minimum number of clips, or groups, with held-out scores. The spread of the others is needed for every one.
_FEWEST = 3


def _has_p_values(ensemble):
    return getattr(ensemble, "_settings", vars(ensemble))["calibrate"] == "p-value"


class ScoreEnsemble(DetectorMixin, NamedDetectors):
    """Combine the scores of several detectors.

    Scores of different detectors lie on different scales. Every detector is trained on the normal clips, and its scores
    of new clips are compared with its own held-out scores of normal clips: scores of clips that the scoring model had
    not seen. The result is a z-score or a conformal p-value, and these are combined. No labelled anomaly is needed, so
    an ensemble is an alternative to choosing the best detector where there are no anomalies to choose by.

    Parameters
    ----------
    detectors : list of (str, estimator)
        Names and detectors: any estimators with ``fit`` and ``score_samples``, where higher scores are more normal.
        Detectors of this package and of scikit-learn, and Pipelines that end in one. Pipelines may start from paths
        and use different embeddings. Each detector is cloned. A detector is replaced with ``set_params(name=other)``,
        and left out with ``set_params(name="drop")``.

    combine : {"min", "max", "mean", "fisher", "harmonic"}, default="min"
        How the calibrated scores of a clip become one score. **"min" has opposite meanings for the two calibrations**,
        because a small z-score of anomaly means normal, and a small p-value means anomalous. The names are those of the
        publications.

        =========  ============  ===============================================================================
        calibrate  combine       meaning
        =========  ============  ===============================================================================
        zscore     "min"         Z-MIN: the smallest anomaly z-score. All detectors must find a clip unusual. The
                                 least alarmed detector decides.
        zscore     "max"         The largest anomaly z-score. The most alarmed detector decides.
        zscore     "mean"        The mean z-score.
        p-value    "min"         The smallest p-value (Bonferroni, Tippett). The most alarmed detector decides.
        p-value    "max"         The largest p-value. The least alarmed detector decides.
        p-value    "mean"        The arithmetic mean of the p-values.
        p-value    "harmonic"    The harmonic mean of the p-values: between "min" and "mean".
        p-value    "fisher"      Fisher's method: the sum of the logarithms of the p-values.
        =========  ============  ===============================================================================

        The default is the combination that gave 63.3 without labels, where the best choice by labels gives 64.4, with
        four detectors on DCASE data [1]_.

    calibrate : {"zscore", "p-value"}, default="zscore"
        "zscore" is ``(score - mean) / std`` with the mean and standard deviation of the held-out scores. "p-value" is
        the conformal p-value ``(1 + number of held-out scores at or below the score) / (1 + number of held-out
        scores)``.

    cv : int, "loo", float, splitter or iterable, default=5
        Clips that calibrate. A detector with leave-one-out ``held_out_scores_``, such as
        :class:`NearestNeighborsDetector`, calibrates with these, unless `cv` is a fraction. A Pipeline does so if the
        steps in front of the detector learn nothing from the clips.

        - int k: k-fold cross-validation, shuffled. Every clip is scored by a model that was trained without its fold.
          One more model is trained on all clips, and scores new clips.
        - "loo": leave one clip, or one group, out.
        - float in (0, 1): this fraction of the clips, or of the groups, calibrates. The detectors are trained on the
          rest. Only this option gives proved p-values.
        - splitter or iterable of (train, test) positions among the normal clips that can be read.

        5 is scikit-learn's default.

    n_jobs : int, default=None
        Number of detectors or folds that are trained at the same time, as in :class:`joblib.Parallel`.

    random_state : int, RandomState instance or None, default=None
        Seed of the folds or of the fraction. Each detector has its own seed.

    contamination : "auto" or float, default="auto"
        "auto" sets ``offset_`` so that about one normal clip in twenty raises a false alarm, judged by
        ``held_out_scores_``. A float is the fraction of the held-out scores that shall lie below ``offset_``.

    Attributes
    ----------
    detectors_ : list of estimator
        The fitted detectors.

    named_detectors_ : :class:`~sklearn.utils.Bunch`
        The fitted detectors by name.

    offset_ : float
        Threshold on the scale of `score_samples`.

    held_out_scores_ : ndarray of shape (n_held_out,), float64
        Combined score of every clip that calibrates. Each detector's score of the clip is held out, and is calibrated
        by the held-out scores of the other clips, or of the other groups.

    is_valid_ : bool
        Whether `p_values` are proved: for every t, the combined p-value of a normal clip is at most t with a
        probability of at most t, for any detectors and any dependence between them, on average over draws of the
        clips.

    validity_ : str
        The reason for ``is_valid_``, in a sentence or two.

    n_samples_fit_ : int
        Number of normal clips that `fit` could read.

    n_features_in_, feature_names_in_ : int, ndarray of str
        Taken from the detectors, where they have them.

    Notes
    -----
    **Scores.** With "zscore", `score_samples` is the combined z-score, where higher is more normal. With "p-value",
    `score_samples` is the logarithm of the combined p-value without its factor, and for "fisher" the sum of the
    logarithms. Conformal p-values of n clips have only n + 1 values, and all clips below the lowest held-out score
    share one of them. Therefore scores use interpolated p-values: linear between two held-out scores, and below the
    lowest held-out score the logarithm falls by 1 for each standard deviation of the detector's scores. An interpolated
    p-value is at most one step below the p-value. So clips with equal p-values are ordered by their z-scores.

    **Validity.** P-values of detectors that share training clips depend on each other. Factors make the combined
    p-value of m detectors valid for any dependence [2]_: m times the smallest, twice the mean, e ln(m) times the
    harmonic mean (m times if this is less), and 1 for the largest. There is no such factor for Fisher's method, which
    takes independent p-values. The factors cost power: a :class:`ThresholdedDetector` around the ensemble calibrates
    the combined score anew with clips that the ensemble has not seen, needs no factor, and is the recommended way to a
    promised rate of false alarms.

    **Scale.** Out-of-fold scores come from models that were trained on fewer clips than the model that scores new
    clips. Where there are about as many clips as features, a covariance or a whitening from fewer clips scores much
    lower, and the ensemble's own ``offset_`` then raises hardly any alarm. The threshold of a
    :class:`ThresholdedDetector` around the ensemble does not have this fault.

    **Missing clips**: a row of an array that is all NaN scores NaN, and so does a clip for which any detector returns
    NaN.

    References
    ----------
    .. [1] J. Zhou and M. Wang, "Scoring backends matter more than pooling: a systematic study of training-free
       anomalous sound detection under domain shift", arXiv:2606.19269, 2026.
    .. [2] V. Vovk and R. Wang, "Combining p-values via averaging", Biometrika, 2020.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.svm import OneClassSVM
    >>> from skaudio_ad import MahalanobisDetector, NearestNeighborsDetector, ScoreEnsemble
    >>> X = np.random.default_rng(0).normal(size=(60, 8))
    >>> members = [
    ...     ("nearest", NearestNeighborsDetector()),
    ...     ("mahalanobis", MahalanobisDetector()),
    ...     ("svm", OneClassSVM()),
    ... ]
    >>> ensemble = ScoreEnsemble(members, random_state=0).fit(X)
    >>> ensemble.predict([[0.0] * 8, [9.0] * 8]).tolist()
    [1, -1]
    >>> proved = ScoreEnsemble(
    ...     members, calibrate="p-value", combine="harmonic", cv=0.5, random_state=0
    ... ).fit(X)
    >>> proved.is_valid_, proved.p_values([[9.0] * 8]).round(2).tolist()
    (True, [0.1])
    """

    # With metadata routing, `groups` that a ThresholdedDetector gets go to its folds and not on to the ensemble.
    __metadata_request__fit = {"groups": False}

    detectors_: list[Any]
    offset_: float
    held_out_scores_: FloatArray
    is_valid_: bool
    validity_: str
    n_samples_fit_: int

    def __init__(
        self,
        detectors: list[tuple[str, Any]],
        *,
        combine: Literal["min", "max", "mean", "fisher", "harmonic"] = "min",
        calibrate: Literal["zscore", "p-value"] = "zscore",
        cv: Any = 5,
        n_jobs: int | None = None,
        random_state: RandomState = None,
        contamination: Contamination = "auto",
    ) -> None:
        self.detectors = detectors
        self.combine = combine
        self.calibrate = calibrate
        self.cv = cv
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.contamination = contamination

    def fit(self, X: Clips, y: Labels | None = None, groups: Labels | None = None) -> Self:
        """Train every detector on X, taken as normal, and calibrate its scores.

        Parameters
        ----------
        X : array-like of clips, as all detectors take them
            Arrays of any number of dimensions, lists of arrays or paths, lazy sequences.
        y : array-like of shape (n_clips,), default=None
            Labels. If all labels are 1 and -1, clips labelled -1 (anomalous) are left out, with a warning. If there
            are other labels, or none, all of X counts as normal.
        groups : array-like of shape (n_clips,), default=None
            Patient, machine or recording of every clip. Clips of a group are held out together, and every group counts
            once in means, p-values and the threshold.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError, TypeError
            If `detectors` are no pairs of a name and an estimator, a parameter is out of range, `calibrate` does not
            allow `combine`, there are fewer than three clips (groups) to calibrate with, or a detector fails. The
            message then names the detector.
        """
        detectors = check_parameters(self)
        X, y = make_indexable(X, y)
        missing = find_missing(X)
        numbers = number_groups(groups, len(missing))
        normal = normal_positions(y, len(missing), type(self).__name__)
        usable = np.arange(len(missing)) if normal is None else normal
        usable = usable[~missing[usable]]
        check_present(usable, len(missing) if normal is None else len(normal), type(self).__name__)
        self._settings = self.get_params(deep=False)
        members = (
            np.arange(len(usable)) if numbers is None else np.unique(numbers[usable], return_inverse=True)[1]
        )
        own_groups = None if numbers is None else members
        self._check_enough(members, "training")
        clips = X if len(usable) == len(missing) else take(X, usable)
        is_split = isinstance(self.cv, (float, np.floating))
        self.detectors_, held_out, approximate = fit_members(
            detectors,
            clips,
            own_groups,
            lambda: self._make_splits(clips, own_groups, len(usable)),
            is_split=is_split,
            n_jobs=self.n_jobs,
        )
        names = [name for name, _ in detectors]
        self._names = names
        self.n_samples_fit_ = len(usable)
        self._calibrate_with(held_out, members, own_groups, usable, np.arange(len(usable)))
        self.is_valid_, self.validity_ = judge(self.calibrate, self.combine, names, approximate)
        return self

    def fit_predict(self, X: Clips, y: Labels | None = None, groups: Labels | None = None) -> IntArray:
        """Fit, and decide for every clip that calibrates by its held-out score.

        Parameters
        ----------
        X : array-like of clips, as in `fit`
        y : array-like of shape (n_clips,), default=None
            As in `fit`.
        groups : array-like of shape (n_clips,), default=None
            As in `fit`.

        Returns
        -------
        ndarray of shape (n_clips,), int
            1 where ``held_out_scores_`` reach ``offset_``, else -1; -1 for a clip that could not be read. `predict`
            decides for clips that have no held-out score.
        """
        self.fit(X, y, groups)
        return decide_held_out(self, X, np.ones(len(find_missing(X))) if y is None else y)

    def score_samples(self, X: Clips) -> FloatArray:
        """Score every clip. Higher is more normal.

        Parameters
        ----------
        X : array-like of clips, as in `fit`

        Returns
        -------
        ndarray of shape (n_clips,), float64
            Combined calibrated scores (see Notes). NaN for a clip that could not be read.
        """
        return combine(self._fitted("calibrate"), self._fitted("combine"), self.score_detectors(X).T)

    def score_detectors(self, X: Clips) -> FloatArray:
        """Score every clip by every detector, on one scale, to see which detector finds a clip unusual.

        Parameters
        ----------
        X : array-like of clips, as in `fit`

        Returns
        -------
        ndarray of shape (n_clips, n_detectors), float64
            Calibrated scores: z-scores, or logarithms of interpolated p-values. Higher is more normal. NaN for a clip
            that could not be read.
        """
        how, scores = self._fitted("calibrate"), self._scores(X)
        calibrated = [
            calibrate(how, own, held_out, self._weights) for own, held_out in zip(scores, self._held_out)
        ]
        return np.where(np.isnan(scores).any(axis=0), np.nan, calibrated).T

    @available_if(_has_p_values)
    def p_values(self, X: Clips) -> FloatArray:
        """Combine the conformal p-values of the detectors, with a factor that allows any dependence.

        Parameters
        ----------
        X : array-like of clips, as in `fit`

        Returns
        -------
        ndarray of shape (n_clips,), float64
            Up to 1. ``is_valid_`` tells whether the rate of false alarms is proved. NaN for a clip that could not be
            read.
        """
        scores = self._scores(X)
        p_values = [weighted_p_values(own, self._weights, new) for own, new in zip(self._held_out, scores)]
        return combine_p_values(self._fitted("combine"), np.array(p_values))

    def _fitted(self, name):
        check_is_fitted(self, "detectors_")
        return self._settings[name]

    def _check_enough(self, members, kind):
        n_units = len(np.unique(members))
        if n_units < _FEWEST:
            grouped = f", all of {n_units} group{'s' * (n_units != 1)}" if n_units < len(members) else ""
            raise ValueError(
                f"{type(self).__name__} takes at least {_FEWEST} {kind} clips or groups, because the scores of one are "
                f"compared with those of the others; got n_samples={len(members)}{grouped}. Pass clips of more "
                "recordings, machines or patients."
            )

    def _make_splits(self, clips, groups, n_clips):
        splitter = make_splitter(self.cv, self.random_state, groups is not None)
        nothing = np.zeros(n_clips, dtype=bool)
        splits = split_clips(self.cv, splitter, clips, None, nothing, nothing, groups)
        check_splits(splits, nothing, groups)
        return splits

    def _calibrate_with(self, held_out, members, groups, usable, positions):
        """Keep the held-out scores, and set the threshold."""
        known = np.isfinite(held_out).all(axis=0)
        n_unknown = np.count_nonzero(np.isnan(held_out).any(axis=0) & ~np.isnan(held_out).all(axis=0))
        if n_unknown:
            warnings.warn(
                f"{n_unknown} of {len(known)} training clips have no held-out score by some detector, and do not "
                "calibrate.",
                UserWarning,
                stacklevel=users_level(),
            )
        self._check_enough(members[known], "held-out")
        self._positions = usable[known]
        self._held_out = held_out[:, known]
        own = None if groups is None else groups[known]
        self._weights = group_weights(self._held_out[0], own)[0]
        calibrated = [
            calibrate_held_out(self.calibrate, scores, self._weights, members[known])
            for scores in self._held_out
        ]
        self.held_out_scores_ = combine(self.calibrate, self.combine, np.array(calibrated))
        self.offset_ = choose_offset(
            self.contamination,
            held_out_scores=self.held_out_scores_,
            training_scores=lambda: self.held_out_scores_,
            groups=own,
        )

    def _scores(self, X):
        """Scores of every detector, (n_detectors, n_clips)."""
        check_is_fitted(self, "detectors_")
        (X,) = make_indexable(X)
        return np.array(
            Parallel(n_jobs=self.n_jobs)(
                delayed(score_member)(name, model, X) for name, model in zip(self._names, self.detectors_)
            )
        )
