"""Scorers that need no anomaly: how well made ones are told apart, and how little normal scores spread."""

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.utils import check_random_state

from .._checks import check_number, check_option
from .._labels import is_anomalous
from .._lazy import LazySequence, collect, is_missing, take
from ..metrics import anomaly_auc_score
from ._scorers import Scorer, respond

_STRENGTHS = {"extrapolate": 0.25, "resample": 0.5}
# Attributes that hold the fitted pipeline in searches, NormalOnly and ThresholdedDetector.
_INNER = ("best_estimator_", "estimator_", "detector_", "detectors_")


def pseudo_anomaly_scorer(
    kind="extrapolate", *, strength=None, n_pseudo_anomalies=200, before=-1, random_state=0
):
    """Make a scorer of how well a detector tells normal clips from anomalies made of them.

    For a search with normal clips only: the clips of a test fold, which the detector was not fitted on, against
    pseudo-anomalies made of their features, by the area under the receiver operating characteristic. An aid to rank
    candidates that differ much, such as one representation of sound and another; the notes say how far to trust it.

    Parameters
    ----------
    kind : {"extrapolate", "resample"}, default="extrapolate"
        How a pseudo-anomaly is made of clips a and b, ... of the fold, drawn at random. "extrapolate" is
        ``a + strength * (a - b)``: a, further away from b than any mixture of the two. "resample" is a with a share
        of its features, `strength`, each taken from another clip: values that occur, in combinations that do not.

    strength : float, default=None
        Positive, and for "resample" at most 1. None is 0.25 for "extrapolate" and 0.5 for "resample".

    n_pseudo_anomalies : int, default=200
        How many. Made of the clips of a fold they repeat themselves: more do not replace clips.

    before : int or str, default=-1
        Of a Pipeline, the step that gets the pseudo-anomalies: its index or name; -1 is the last. Give the first step
        after the features where candidates differ in the steps between, such as in a PCA: each is then tried on the
        same pseudo-anomalies. Of other estimators, what `X` holds is used.

    random_state : int, RandomState instance or None, default=0
        A number gives all candidates the same draws.

    Returns
    -------
    callable
        ``scorer(estimator, X, y=None) -> float`` in [0, 1]. It pickles. Of labels it takes the clips of 1, if it gets
        any, and never looks at one of -1.

    Raises
    ------
    ValueError
        By the scorer, if fewer than 2 clips can be read, or what comes to the step are no features, (n_clips,
        n_features), and no sequences of them, (n_clips, n_features, n_frames) or a list.

    See Also
    --------
    inlier_variance_scorer : Makes no anomalies.
    make_anomaly_scorer : Scores by real anomalies: a handful are worth more.

    Notes
    -----
    In sequences "resample" takes a bin with all its frames, and clips of other lengths are repeated or cut to that of
    a. Clips that could not be read, NaN throughout, take no part. The features of a fold are held in memory. A wrapper
    that holds a fitted pipeline, such as NormalOnly, is looked into.

    A pseudo-anomaly is no fault: a value near 1 says nothing about how many faults a detector will find.

    How well it ranks was measured by ``benchmarks/detection/label_free.py`` on 16 data sets: four types of machine of
    MIMII, heart and lung sounds of HLS-CMDS, and the ten classes of ESC-10, each against the others. 28 candidates (nearest
    neighbours, one-class SVMs, isolation forest, densities) took statistics of log-mel spectrograms, embeddings of a
    frozen network, or either. Given are Spearman's rank correlation with the AUC on real anomalies, and in brackets
    that AUC of the candidate chosen, as means over the data sets:

    ===========  =============  ==========  ==============  ===========
    Candidates   "extrapolate"  "resample"  mean candidate  best choice
    ===========  =============  ==========  ==============  ===========
    log-mel      0.19 (.76)     0.09 (.73)  (.76)           (.85)
    embeddings   0.35 (.91)     0.32 (.91)  (.89)           (.94)
    either       0.55 (.91)     -.09 (.75)  (.83)           (.94)
    ===========  =============  ==========  ==============  ===========

    - "extrapolate" tells poor representations from good ones, and less so detectors on one of them. On log-mel
      statistics its choice was no better than chance, and on MIMII's embeddings the correlation was 0 (-.58 to .58).
    - "resample" ranked detectors on log-mel statistics of machines (0.41) and of heart and lung sounds (0.64), but not
      on ESC-10 (-.14), and misled between representations.
    - Among nine settings of nearest neighbours alone, neither chose better than chance.
    - Mixtures of two clips, ``a + w * (b - a)`` with w in (0, 1), ranked the wrong way round (-.5 over either): they
      lie amid the normal clips. They are not offered.

    The default kind was chosen by these figures: on other data expect somewhat less. Strengths of 0.25, 0.5 and 1
    ranked alike.

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
                f"pseudo-anomalies need 2 normal clips that could be read, got {len(clips)}. Use fewer folds."
            )
        make = _extrapolate if self._kind == "extrapolate" else _resample
        # A data frame comes back as one: estimators fitted on names of columns want them.
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


def inlier_variance_scorer():
    """Make a scorer of how little the scores of normal clips spread.

    With mean m and variance v of the scores of the normal clips of a test fold the value is ``m**2 / (m**2 + v)``.
    Where scores are minus errors it is the least share of normal clips whose error stays below twice the mean error,
    whatever the distribution (the one-sided inequality of Chebyshev, after Cantelli): a detector whose normal clips all
    have about the same error raises few false alarms at a threshold that far out. Nothing is said about faults.

    Returns
    -------
    callable
        ``scorer(estimator, X, y=None) -> float`` in [0, 1], higher is better. Of labels it takes the clips of 1, if it
        gets any, and never looks at one of -1.

    Raises
    ------
    ValueError
        By the scorer, if fewer than 2 clips have a score, or all scores are 0.

    See Also
    --------
    pseudo_anomaly_scorer : Ranks by made anomalies.

    Notes
    -----
    The value does not depend on the unit of the scores, but on where their zero is. Compare settings of one kind of
    detector, whose scores are minus errors or distances. The scores of IsolationForest lie between -1 and 0 and around
    -0.5 for all clips, which looks like little spread and is not.

    Measured as :func:`pseudo_anomaly_scorer` was, it ranked detectors no better than chance on one representation
    (rank correlation 0.06 on log-mel statistics, where its choice was worse than the mean candidate, and 0.05 on
    embeddings), and weakly between two (0.27). Among nine settings of nearest neighbours it was 0.09 and 0.17, and
    among twelve of one-class SVMs -.05 and -.26. Report it beside a choice; do not choose by it alone.

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
                f"a spread needs 2 normal clips with a score, got {len(scores)}. Use fewer folds."
            )
        if not scores.any():
            raise ValueError("all scores are 0: score clips that the detector was not fitted on.")
        return float(scores.mean() ** 2 / (scores.mean() ** 2 + scores.var()))

    def __repr__(self):
        return "inlier_variance_scorer()"


def _normal_clips(X, y):
    """The clips that are not labelled as anomalous."""
    if y is None:
        return X
    anomalous = is_anomalous(y, name="y")
    return take(X, np.flatnonzero(~anomalous)) if anomalous.any() else X


def _split(estimator, before):
    """The fitted steps that make features, None without any, and what scores these."""
    pipeline = estimator
    while pipeline is not None and not isinstance(pipeline, Pipeline):
        pipeline = next((getattr(pipeline, name) for name in _INNER if hasattr(pipeline, name)), None)
        pipeline = pipeline[0] if isinstance(pipeline, list) else pipeline  # one model of an ensemble
    if pipeline is None:
        return None, estimator
    names = [name for name, _ in pipeline.steps]
    if before not in names and not (isinstance(before, int) and -len(names) <= before < len(names)):
        raise ValueError(
            f"before must name a step of the pipeline, {', '.join(names)}, or count them, got {before!r}."
        )
    index = names.index(before) if before in names else before % len(names)
    return (pipeline[:index] if index else None), pipeline[index:]


def _features(clips):
    """Features of the clips that could be read: an array, a data frame, or a list where they differ in length."""
    if isinstance(clips, LazySequence):
        clips = collect(clips)
    if not (isinstance(clips, list) and all(np.ndim(clip) == 2 for clip in clips)):
        clips = clips if hasattr(clips, "iloc") else _array(clips)
    rows = clips.to_numpy() if hasattr(clips, "iloc") else clips
    return take(clips, np.array([i for i, clip in enumerate(rows) if not is_missing(clip)], dtype=int))


def _array(clips):
    try:
        array = np.asarray(clips)
    except ValueError:  # of different lengths
        array = np.empty(0)
    if array.ndim not in (2, 3) or array.dtype.kind not in "fiu":
        raise ValueError(
            "pseudo-anomalies are made of features, (n_clips, n_features), or sequences of them: give a Pipeline "
            "that makes them, and the step that takes them as before."
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
    # As many in every clip, so that none is left as it was.
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
    """A clip for each, and another, or as many others as asked for."""
    base = rng.randint(n_clips, size=n_made)
    step = rng.randint(1, n_clips, size=(n_made, n_others or 1))
    other = (base[:, np.newaxis] + step) % n_clips
    return base, other if n_others else other[:, 0]
