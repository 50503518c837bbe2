"""Scorers that need no anomaly: `pseudo_anomaly_scorer` and `inlier_variance_scorer`."""

from collections.abc import Callable
from typing import Literal

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.utils import check_random_state

from .._checks import check_number, check_option
from .._labels import is_anomalous
from .._lazy import LazySequence, collect, is_missing, take
from .._typing import RandomState
from ..metrics import anomaly_auc_score
from ._scorers import Scorer, respond

_STRENGTHS = {"extrapolate": 0.25, "resample": 0.5}
# Attributes that hold the fitted pipeline in searches, NormalOnly and ThresholdedDetector.
_INNER = ("best_estimator_", "estimator_", "detector_", "detectors_")


def pseudo_anomaly_scorer(
    kind: Literal["extrapolate", "resample"] = "extrapolate",
    *,
    strength: float | None = None,
    n_pseudo_anomalies: int = 200,
    before: int | str = -1,
    random_state: RandomState = 0,
) -> Callable[..., float]:
    """Make a scorer of how well a detector tells normal clips from pseudo-anomalies.

    The scorer is for a search with normal clips only. It makes pseudo-anomalies from the features of the clips of a
    test fold, on which the detector was not fitted. The score is the area under the receiver operating characteristic
    (AUC) of these clips against the pseudo-anomalies. Use the scorer to rank candidates that differ much, such as two
    representations of sound. The notes say how far to trust the ranking.

    Parameters
    ----------
    kind : {"extrapolate", "resample"}, default="extrapolate"
        Way to make a pseudo-anomaly from random clips a, b, ... of the fold. "extrapolate" is
        ``a + strength * (a - b)``, which is further away from b than any mixture of a and b. "resample" replaces the
        share `strength` of the features of a. Each replaced feature comes from another clip, so that the values are
        normal but their combination is not.

    strength : float, default=None
        Strength of the change, positive, and for "resample" at most 1. None is 0.25 for "extrapolate" and 0.5 for
        "resample".

    n_pseudo_anomalies : int, default=200
        Number of pseudo-anomalies. More pseudo-anomalies do not replace more clips, because all pseudo-anomalies
        come from the clips of one fold.

    before : int or str, default=-1
        Step of a Pipeline that gets the pseudo-anomalies, as index or name. -1 is the last step. If the candidates
        differ in steps between the features and the detector, such as a PCA, give the first step after the features.
        Every candidate then gets the same pseudo-anomalies. For other estimators, pseudo-anomalies are made from `X`.

    random_state : int, RandomState instance or None, default=0
        Seed of the draws. An int gives all candidates the same draws.

    Returns
    -------
    callable
        ``scorer(estimator, X, y=None) -> float`` in [0, 1]. The scorer can be pickled. If it gets labels, the scorer
        uses only the clips labelled 1.

    Raises
    ------
    ValueError
        Raised by the scorer if fewer than 2 clips can be read, or if the input of the step is neither features,
        (n_clips, n_features), nor sequences of features, (n_clips, n_features, n_frames) or a list.

    See Also
    --------
    inlier_variance_scorer : Scorer that makes no anomalies.
    make_anomaly_scorer : Scorer by real anomalies. A few real anomalies are worth more than pseudo-anomalies.

    Notes
    -----
    In sequences, "resample" replaces a bin with all its frames. Clips of other lengths are repeated or cut to the
    length of a. Clips that could not be read (all values are NaN) are left out. The features of a fold are kept in
    memory. The scorer also finds a fitted pipeline inside a wrapper, such as NormalOnly.

    A pseudo-anomaly is not a fault. A value near 1 does not say how many faults a detector will find.

    ``benchmarks/detection/label_free.py`` measures the ranking on 16 data sets: four types of machine of MIMII, heart
    and lung sounds of HLS-CMDS, and the ten classes of ESC-10, each against the other nine. There are 28 candidates
    (nearest neighbours, one-class SVMs, isolation forest, densities) on statistics of log-mel spectrograms, on
    embeddings of a frozen network, or on both. The table shows means over the data sets: Spearman's rank correlation
    with the AUC on real anomalies, and in brackets the AUC on real anomalies of the chosen candidate.

    ===========  =============  ==========  ==============  ===========
    Candidates   "extrapolate"  "resample"  mean candidate  best choice
    ===========  =============  ==========  ==============  ===========
    log-mel      0.19 (.76)     0.09 (.73)  (.76)           (.85)
    embeddings   0.35 (.91)     0.32 (.91)  (.89)           (.94)
    both         0.55 (.91)     -.09 (.75)  (.83)           (.94)
    ===========  =============  ==========  ==============  ===========

    - "extrapolate" tells poor representations from good ones. It ranks detectors on one representation less well. On
      log-mel statistics its choice was no better than chance. On embeddings of MIMII the correlation was 0 (-.58 to
      .58).
    - "resample" ranked detectors on log-mel statistics of machines (0.41) and of heart and lung sounds (0.64), but not
      of ESC-10 (-.14). Between representations its ranking was misleading.
    - Among nine settings of nearest neighbours alone, neither kind chose better than chance.
    - Mixtures of two clips, ``a + w * (b - a)`` with w in (0, 1), are not available. Their ranking was reversed (-.5 on
      both representations), because mixtures lie among the normal clips.

    The default kind was chosen by these figures, so expect a lower correlation on other data. Strengths of 0.25, 0.5
    and 1 gave similar rankings.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.model_selection import GridSearchCV
    >>> from sklearn.pipeline import Pipeline
    >>> from sklearn.svm import OneClassSVM
    >>> from skaudio_ad.detectors import NearestNeighborsDetector
    >>> from skaudio_ad.model_selection import pseudo_anomaly_scorer
    >>> normal = np.random.default_rng(0).normal(size=(40, 8))
    >>> pipeline = Pipeline([("detector", OneClassSVM())])
    >>> candidates = {"detector": [OneClassSVM(), NearestNeighborsDetector()]}
    >>> search = GridSearchCV(pipeline, candidates, scoring=pseudo_anomaly_scorer(), cv=4).fit(normal)
    >>> bool(search.best_score_ > 0.5)
    True
    """
    check_option(kind, "kind", tuple(_STRENGTHS))
    if strength is None:
        strength = _STRENGTHS[kind]
    check_number(strength, "strength", low=0, high=1 if kind == "resample" else None, closed="right")
    check_number(n_pseudo_anomalies, "n_pseudo_anomalies", low=1, integer=True)
    if not isinstance(before, str):
        check_number(before, "before", integer=True)
    return _PseudoAnomalyScorer(kind, strength, n_pseudo_anomalies, before, random_state)


class _PseudoAnomalyScorer(Scorer):
    def __init__(self, kind, strength, n_pseudo_anomalies, before, random_state):
        self._kind = kind
        self._strength = strength
        self._n_pseudo_anomalies = n_pseudo_anomalies
        self._before = before
        self._random_state = random_state

    def __call__(self, estimator, X, y=None):
        front, back = _split(estimator, self._before)
        clips = _normal_clips(X, y)
        clips = _features(clips if front is None else front.transform(clips))
        if len(clips) < 2:
            raise ValueError(
                f"pseudo-anomalies need at least 2 normal clips that can be read, got {len(clips)}. Use fewer folds."
            )
        make = _extrapolate if self._kind == "extrapolate" else _resample
        # Make a data frame from a data frame, because the estimator may have been fitted on names of columns.
        values = clips.to_numpy() if hasattr(clips, "iloc") else clips
        rng = check_random_state(self._random_state)
        made = make(values, self._n_pseudo_anomalies, self._strength, rng)
        if hasattr(clips, "iloc"):
            made = type(clips)(made, columns=clips.columns)
        scores = np.concatenate([respond(back, clips), respond(back, made)])
        return anomaly_auc_score(np.repeat([1, -1], [len(clips), len(made)]), scores)

    def __repr__(self):
        return (
            f"pseudo_anomaly_scorer({self._kind!r}, strength={self._strength}, "
            f"n_pseudo_anomalies={self._n_pseudo_anomalies}, before={self._before!r}, "
            f"random_state={self._random_state!r})"
        )


def inlier_variance_scorer() -> Callable[..., float]:
    """Make a scorer that is high if the scores of normal clips have a small spread.

    The value is ``m**2 / (m**2 + v)``, where m and v are the mean and the variance of the scores of the normal clips of
    a test fold. If the scores are negative errors, the value is a lower bound: at least this share of normal clips has
    an error below twice the mean error, for any distribution (one-sided inequality of Chebyshev, after Cantelli). A
    detector whose normal clips have similar errors raises few false alarms at such a threshold. The value says nothing
    about faults.

    Returns
    -------
    callable
        ``scorer(estimator, X, y=None) -> float`` in [0, 1]. Higher is better. If it gets labels, the scorer uses only
        the clips labelled 1.

    Raises
    ------
    ValueError
        Raised by the scorer if fewer than 2 clips have a score, or if all scores are 0.

    See Also
    --------
    pseudo_anomaly_scorer : Scorer by pseudo-anomalies.

    Notes
    -----
    The value does not depend on the unit of the scores, but on their zero. Compare settings of one kind of detector
    whose scores are negative errors or distances. The scores of IsolationForest lie between -1 and 0, and around -0.5
    for all clips. They look as if they had a small spread, but do not.

    Measured in the same way as :func:`pseudo_anomaly_scorer`, the rank correlations were:

    ===================================  =======  ==========  ====
    Candidates                           log-mel  embeddings  both
    ===================================  =======  ==========  ====
    all                                  0.06     0.05        0.27
    nine settings of nearest neighbours  0.09     0.17
    twelve settings of one-class SVMs    -.05     -.26
    ===================================  =======  ==========  ====

    On one representation this is no better than chance. On log-mel statistics the choice was worse than the mean
    candidate. Report the value beside a choice, but do not choose by the value alone.

    Examples
    --------
    >>> import numpy as np
    >>> from skaudio_ad.detectors import NearestNeighborsDetector
    >>> from skaudio_ad.model_selection import inlier_variance_scorer
    >>> detector = NearestNeighborsDetector().fit([[0.0], [10.0]])
    >>> inlier_variance_scorer()(detector, [[1.0], [13.0]])  # distances of 1 and 3: 4 / (4 + 1)
    0.8
    """
    return _InlierVarianceScorer()


class _InlierVarianceScorer(Scorer):
    def __call__(self, estimator, X, y=None):
        scores = respond(estimator, _normal_clips(X, y), lowest_for_nan=False)
        scores = scores[~np.isnan(scores)]
        if len(scores) < 2:
            raise ValueError(
                f"a spread needs at least 2 normal clips with a score, got {len(scores)}. Use fewer folds."
            )
        if not scores.any():
            raise ValueError("all scores are 0. Score clips on which the detector was not fitted.")
        return float(scores.mean() ** 2 / (scores.mean() ** 2 + scores.var()))

    def __repr__(self):
        return "inlier_variance_scorer()"


def _normal_clips(X, y):
    """Return the clips that are not labelled as anomalous."""
    if y is None:
        return X
    anomalous = is_anomalous(y, name="y")
    return take(X, np.flatnonzero(~anomalous)) if anomalous.any() else X


def _split(estimator, before):
    """Split a fitted estimator into the steps that make features (None if there are none) and the steps that score."""
    pipeline = estimator
    while pipeline is not None and not isinstance(pipeline, Pipeline):
        pipeline = next((getattr(pipeline, name) for name in _INNER if hasattr(pipeline, name)), None)
        pipeline = pipeline[0] if isinstance(pipeline, list) else pipeline  # use one model of an ensemble
    if pipeline is None:
        return None, estimator
    names = [name for name, _ in pipeline.steps]
    if before not in names and not (isinstance(before, int) and -len(names) <= before < len(names)):
        raise ValueError(
            f"before must be the name of a step of the pipeline, {', '.join(names)}, or its index, got {before!r}."
        )
    index = names.index(before) if before in names else before % len(names)
    return (pipeline[:index] if index else None), pipeline[index:]


def _features(clips):
    """Return the features of readable clips: an array, a data frame, or a list if the clips differ in length."""
    if isinstance(clips, LazySequence):
        clips = collect(clips)
    if not (isinstance(clips, list) and all(np.ndim(clip) == 2 for clip in clips)):
        clips = clips if hasattr(clips, "iloc") else _array(clips)
    rows = clips.to_numpy() if hasattr(clips, "iloc") else clips
    return take(clips, np.array([i for i, clip in enumerate(rows) if not is_missing(clip)], dtype=int))


def _array(clips):
    try:
        array = np.asarray(clips)
    except ValueError:  # the clips differ in length
        array = np.empty(0)
    if array.ndim not in (2, 3) or array.dtype.kind not in "fiu":
        raise ValueError(
            "pseudo-anomalies are made of features, (n_clips, n_features), or of sequences of features. Pass a "
            "Pipeline that makes features, and as before the step that takes the features."
        )
    return array


def _extrapolate(clips, n_made, strength, rng):
    base, other = _pairs(len(clips), n_made, rng)
    if isinstance(clips, np.ndarray):
        return clips[base] + strength * (clips[base] - clips[other])
    return [
        clips[a] + strength * (clips[a] - np.resize(clips[b].T, clips[a].T.shape).T)
        for a, b in zip(base, other)
    ]


def _resample(clips, n_made, strength, rng):
    n_bins = len(clips[0])
    base, other = _pairs(len(clips), n_made, rng, n_bins)
    # Replace the same number of features in every clip, so that no clip stays unchanged.
    n_taken = max(1, round(strength * n_bins))
    taken = rng.uniform(size=(n_made, n_bins)).argsort(axis=1) < n_taken
    if isinstance(clips, np.ndarray):
        donors = clips[other, np.arange(n_bins)]
        return np.where(taken.reshape(taken.shape + (1,) * (clips.ndim - 2)), donors, clips[base])
    made = []
    for a, donors, mask in zip(base, other, taken):
        clip = np.array(clips[a])
        for index in np.flatnonzero(mask):
            clip[index] = np.resize(clips[donors[index]][index], clip.shape[1])
        made.append(clip)
    return made


def _pairs(n_clips, n_made, rng, n_others=None):
    """Draw one clip for each pseudo-anomaly, and one or `n_others` other clips."""
    base = rng.randint(n_clips, size=n_made)
    step = rng.randint(1, n_clips, size=(n_made, n_others or 1))
    other = (base[:, np.newaxis] + step) % n_clips
    return base, other if n_others else other[:, 0]
