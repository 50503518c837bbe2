"""`NearestNeighborsDetector`: how far a clip is from the nearest normal clips."""

import warnings
from functools import partial
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from .._base import DetectorMixin, check_contamination, choose_offset
from .._checks import check_features, check_groups, check_number, check_option, users_level
from .._lazy import LazySequence, collect, take
from ._frame_rows import GrowingRows
from ._frames import check_present, normal_positions, readable_clips
from ._neighbor_rows import find_center, frame_batches, frames_of, prepare
from ._neighbor_search import NeighborSearch

_AGGREGATES: dict[str, Any] = {"mean": np.mean, "max": np.max, "min": np.min}
# Largest fraction of training clips with a copy that passes without a warning: with more, the threshold, meant for one
# false alarm in twenty, lies at the distance of copies.
_FEW_COPIES = 0.05
_LARGEST = np.finfo(np.float32).max


class NearestNeighborsDetector(DetectorMixin, BaseEstimator):
    """Detect anomalies as clips far from every normal training clip.

    The detector to put behind embeddings: `fit` keeps those of the training clips, and the score of a clip is minus
    its distance to the nearest of them. The search is exact.

    X holds one embedding a clip, (n_clips, n_features), or sequences of them, (n_clips, n_features, n_frames) or a list
    of (n_features, n_frames_i): then every frame is compared with all frames of all training clips, and the clip's
    score is pooled over time.

    Parameters
    ----------
    n_neighbors : int, default=1
        Nearest training clips, or frames of training clips, that a clip or frame is compared with. The nearest alone is
        the usual choice on frozen embeddings [1]_. More forgive a few anomalies among the training clips.

    metric : {"euclidean", "cosine"}, default="euclidean"
        "euclidean" is the length of the difference. "cosine" is ``(1 - cos) / 2``, 0 to 1, of the angle between two
        embeddings [1]_: their lengths do not count. Use it on embeddings as the network gives them, never behind a
        ``StandardScaler``, which puts the normal clips around zero, where directions mean little and an anomaly shows
        by its length. A vector of zeros has no direction; it lies at 0.5, a right angle, from everything but another
        vector of zeros.

    aggregate : {"mean", "max", "min"}, default="mean"
        How the distances to the `n_neighbors` become one. "max" is the distance to the farthest of them, "min" to the
        nearest, whatever `n_neighbors`.

    time_pooling : {"mean", "max", "quantile"}, default="mean"
        How the distances of a clip's frames become one: their mean, the largest, or their `time_quantile`. "max" and
        "quantile" suit faults that sound for moments only. Without effect on clips of one embedding.

    time_quantile : float, default=0.95
        For ``time_pooling="quantile"``.

    contamination : "auto" or float, default="auto"
        "auto" sets ``offset_`` so that about one normal clip in twenty raises a false alarm, judged by
        ``held_out_scores_``: their conformal 0.05 quantile, or with fewer than 19 clips (groups) the lower end of
        Student's prediction interval for the logarithms of the distances. A float is scikit-learn's meaning, the
        fraction of the training clips that shall count as anomalous, but by the same leave-one-out scores: all others
        are 0.

    Attributes
    ----------
    offset_ : float
        Threshold on the scale of `score_samples`.

    held_out_scores_ : ndarray of shape (n_samples_fit,), float64
        Score of every training clip with itself, all its frames, left out of what it is compared with; with `groups`
        in `fit`, all clips of its group are left out.

    n_features_in_ : int
        Values of an embedding.

    n_samples_fit_ : int
        Clips that `fit` could read.

    Notes
    -----
    A training clip is its own nearest neighbour: `score_samples` and `predict` take it for perfectly normal.
    ``held_out_scores_`` and `fit_predict` leave it out of what it is compared with. A clip that is in the training set
    twice finds its copy even then, scores 0, and makes the threshold stricter. Remove copies first: `fit` warns where
    more than one clip in twenty has a copy.

    All parameters have effect when `fit` is called: the threshold belongs to their values then.

    The embeddings are kept in the precision they come in, and searched in it: float32 takes half the time of float64.
    Distances are computed from differences in float64: they do not depend on the clips beside, and two that are
    nearly the same do not lose their distance. Features with a large offset, such as a time in seconds, are measured
    from their mean while the search looks for candidates. A row too large to be squared, as 1e20 is in float32, is an
    error in `fit` and has its distance afterwards. The full matrix of distances is never held. Searching takes BLAS
    threads, as many as ``OMP_NUM_THREADS`` says.

    Of sequences every training frame is kept: a million of 384 values in float32 takes 1.5 GB. The clips of a lazy
    sequence are not held beside it. Time of `fit` grows with the square of the number of frames,
    since each is compared with those of all other clips: on one core, a second for 10 000, some two minutes for
    100 000.

    References
    ----------
    .. [1] K. Wilkinghoff et al., "Local density-based anomaly score normalization for domain generalization",
       arXiv:2509.10951, 2025.

    Examples
    --------
    >>> import numpy as np
    >>> from skaudio_ad import NearestNeighborsDetector
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(101, 16))
    >>> detector = NearestNeighborsDetector().fit(X[:100])
    >>> detector.predict(X[100:]).tolist()
    [1]
    >>> detector.predict(X[100:] + 3).tolist()
    [-1]
    >>> distances, clips = detector.kneighbors(X[:2], n_neighbors=2)
    >>> clips[:, 0].tolist()  # a training clip is nearest to itself
    [0, 1]
    """

    def __init__(
        self,
        n_neighbors=1,
        *,
        metric="euclidean",
        aggregate="mean",
        time_pooling="mean",
        time_quantile=0.95,
        contamination="auto",
    ):
        self.n_neighbors = n_neighbors
        self.metric = metric
        self.aggregate = aggregate
        self.time_pooling = time_pooling
        self.time_quantile = time_quantile
        self.contamination = contamination

    def fit(self, X, y=None, groups=None):
        """Keep the embeddings of X, taken as normal, and set the threshold.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_features) or (n_clips, n_features, n_frames)
            Or a list of (n_features, n_frames_i), or a lazy sequence of them. Clips of NaN, which could not be
            read, are left out with a warning.
        y : array-like of shape (n_clips,), default=None
            Where all labels are 1 and -1, clips labelled -1 (anomalous) are left out, with a warning. Other labels, or
            none, and X is all normal.
        groups : array-like of shape (n_clips,), default=None
            Patient, machine or recording of every clip: clips that are alike. Whole groups are left
            out for ``held_out_scores_``.
            The threshold is then one for clips of new groups, and every group counts once, however many clips it has.
            Without groups it is for new clips of the same groups.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError, TypeError
            If a parameter is out of range, X is empty, not finite or too large to be squared, or there are fewer than
            `n_neighbors` clips (frames) beside any one clip or group.

        Warns
        -----
        UserWarning
            If more than one training clip in twenty has a copy among the others: the threshold is too strict then.
        """
        return self._fit(X, y, groups)

    def fit_predict(self, X, y=None, groups=None):
        """Fit, and decide for every training clip as if it had not been one.

        Unlike ``fit(X).predict(X)``, which finds every clip in the training set, this is for finding those that are
        unlike the others.

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
            1 where ``held_out_scores_`` reach ``offset_``, else -1; -1 for a clip that could not be read. By `predict`
            for clips that y labels anomalous, which are no training clips.
        """
        self._fit(X, y, groups)
        decisions = np.full(len(X), -1)
        decisions[self._positions[self.held_out_scores_ >= self.offset_]] = 1
        others = np.setdiff1d(np.arange(len(X)), self._positions)
        if y is not None and len(others):
            decisions[others] = self.predict(take(X, others))
        return decisions

    def score_samples(self, X):
        """Score every clip. Higher is more normal.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_features) or (n_clips, n_features, n_frames)
            Or a list of (n_features, n_frames_i), or a lazy sequence of them.

        Returns
        -------
        ndarray of shape (n_clips,), float64
            Minus the distance; 0 for a copy of a training clip, NaN for a clip that could not be read.
        """
        X = self._check_input(X)
        return self._pool(self._frame_distances(X) if self._takes_frames else self._distances(X))

    def score_frames(self, X):
        """Score every frame of every clip: when does it sound wrong? Higher is more normal.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_features) or (n_clips, n_features, n_frames)
            Or a list of (n_features, n_frames_i), or a lazy sequence of them.

        Returns
        -------
        ndarray of shape (n_clips, n_frames), float32
            Minus the distance of every frame to the nearest training frames. A list of (n_frames_i,) where clips
            differ in length; (n_clips, 1) for clips of one embedding.
        """
        X = self._check_input(X)
        distances = self._frame_distances(X) if self._takes_frames else self._distances(X)[:, np.newaxis]
        return collect([_negative(np.minimum(part, _LARGEST)).astype(np.float32) for part in distances])

    def window_centers(self, n_windows):
        """Place of every score of `score_frames`, in frames from the start of the clip.

        Parameters
        ----------
        n_windows : int

        Returns
        -------
        ndarray of shape (n_windows,)
            0, 1, ...: each is of one frame.
        """
        check_is_fitted(self)
        return np.arange(n_windows, dtype=np.float64)

    def kneighbors(self, X, n_neighbors=None):
        """The nearest training clips: which normal clips is it most like?

        Parameters
        ----------
        X : array-like of shape (n_clips, n_features)
        n_neighbors : int, default=None
            By default as in `fit`; at most ``n_samples_fit_``.

        Returns
        -------
        distances : ndarray of shape (n_clips, n_neighbors), float64
            Nearest first; NaN for a clip that could not be read.
        indices : ndarray of int of shape (n_clips, n_neighbors)
            Positions in the X that was given to `fit`; -1 for a clip that could not be read. Of clips at the same
            distance the first comes first.

        Raises
        ------
        ValueError
            If the detector was fitted on sequences, whose neighbours are frames.
        """
        X = self._check_input(X)
        if self._takes_frames:
            raise ValueError(
                "kneighbors names the nearest clips, but this detector was fitted on sequences, whose neighbours are "
                "frames: fit it on one embedding a clip (TemporalPooling makes one of a sequence), or use score_frames."
            )
        if n_neighbors is None:
            n_neighbors = self._settings["n_neighbors"]
        check_number(n_neighbors, "n_neighbors", low=1, high=self.n_samples_fit_, integer=True)
        distances, rows = self._search().nearest(X, n_neighbors)
        return distances, np.where(rows < 0, -1, self._positions[rows])

    def _fit(self, X, y, groups):
        check_number(self.n_neighbors, "n_neighbors", low=1, integer=True)
        check_option(self.metric, "metric", ("cosine", "euclidean"))
        check_option(self.aggregate, "aggregate", tuple(_AGGREGATES))
        check_option(self.time_pooling, "time_pooling", ("mean", "max", "quantile"))
        check_number(self.time_quantile, "time_quantile", low=0, high=1)
        check_contamination(self.contamination)
        X = check_features(self, X, reset=True)
        names = ("n_neighbors", "metric", "aggregate", "time_pooling", "time_quantile")
        self._settings = {name: getattr(self, name) for name in names}
        self._takes_frames = getattr(X, "ndim", 3) == 3
        groups = check_groups(groups, len(X))
        ends = self._fill_bank(X, y, groups)
        if groups is not None:
            groups = groups[self._positions]
        members = np.repeat(np.arange(len(ends)) if groups is None else groups, np.diff(ends, prepend=0))
        distances = self._aggregate(self._search().leave_one_out(self.n_neighbors, members))
        scores = self._pool(np.split(distances, ends[:-1]) if self._takes_frames else distances)
        self.held_out_scores_ = scores
        self.offset_ = choose_offset(
            self.contamination, held_out_scores=scores, training_scores=lambda: scores, groups=groups
        )
        self._warn_of_copies()
        return self

    def _fill_bank(self, X, y, groups):
        """Keep all training rows, those of a clip side by side, and return where the rows of each clip end."""
        name, normal = type(self).__name__, normal_positions(y, len(X), type(self).__name__)
        if normal is not None:
            X = take(X, normal)
        kept = self._fill_with_frames(X) if self._takes_frames else self._fill_with_rows(X)
        present, lengths = map(np.array, kept)
        check_present(present, len(X), name)
        self._positions = present if normal is None else normal[present]
        self.n_samples_fit_ = len(present)
        if groups is not None:
            groups = groups[self._positions]
        _check_others(lengths, groups, self.n_neighbors, "frames" if self._takes_frames else "clips")
        self._center = find_center(self._bank, self.metric)
        return np.cumsum(lengths)

    def _fill_with_rows(self, X):
        present = [index for index, _ in readable_clips(X)]
        if present:
            rows = X if len(present) == len(X) else take(X, present)
            self._bank = prepare(rows, self.metric, np.result_type(np.float32, X.dtype))
        return present, np.ones(len(present), dtype=int)

    def _fill_with_frames(self, X):
        bank = GrowingRows()
        present: list[int] = []
        lengths: list[int] = []
        is_lazy = isinstance(X, LazySequence)
        # float64 only where it is given. What is computed later says so when it comes.
        given = () if is_lazy else {clip.dtype for clip in X}
        for index, clip in readable_clips(X):
            frames = frames_of(X, index, clip, self.n_features_in_)
            bank.expect(len(X) * len(frames) if is_lazy else sum(other.shape[1] for other in X))
            dtype = np.result_type(np.float32, clip.dtype, *given)
            bank.append(prepare(frames, self.metric, np.float32 if dtype == np.float32 else np.float64))
            present.append(index)
            lengths.append(len(frames))
        if present:
            self._bank = bank.finish()
        return np.array(present, dtype=int), lengths

    def _warn_of_copies(self):
        n_copies = np.count_nonzero(-self.held_out_scores_ <= self._search().rounding())
        if n_copies > _FEW_COPIES * self.n_samples_fit_:
            warnings.warn(
                f"{n_copies} of {self.n_samples_fit_} training clips have a copy among the others, at a distance of 0: "
                "the threshold lies where copies lie, and most new normal clips will raise an alarm. Remove the "
                "copies first; numpy.unique(X, axis=0) keeps one of each row.",
                UserWarning,
                stacklevel=users_level(),
            )

    def _check_input(self, X):
        check_is_fitted(self)
        X = check_features(self, X, reset=False)
        if (getattr(X, "ndim", 3) == 3) != self._takes_frames:
            kinds = [
                "one embedding a clip, (n_clips, n_features)",
                "sequences, (n_clips, n_features, n_frames)",
            ]
            given = f"has shape {X.shape}" if hasattr(X, "shape") else "holds sequences"
            raise ValueError(
                f"{type(self).__name__} was fitted on {kinds[self._takes_frames]}, but X {given}: pass the same "
                "kind, or fit anew."
            )
        return X

    def _search(self):
        return NeighborSearch(self._bank, self._settings["metric"], self._center)

    def _distances(self, rows):
        """Distance of every row (n_rows, n_features), float64 (n_rows,); NaN for a row of NaN."""
        return self._aggregate(self._search().nearest(rows, self._settings["n_neighbors"])[0])

    def _frame_distances(self, X):
        """Yield the distances of every clip's frames, float64 (n_frames_i,)."""
        for clips in frame_batches(X, self.n_features_in_):
            ends = np.cumsum([len(clip) for clip in clips])
            yield from np.split(self._distances(np.concatenate(clips)), ends[:-1])

    def _aggregate(self, distances):
        return _AGGREGATES[self._settings["aggregate"]](distances, axis=1)

    def _pool(self, distances):
        """Scores of clips, float64 (n_clips,), of their distances, or of those of the frames of each."""
        if self._takes_frames:
            how, q = self._settings["time_pooling"], self._settings["time_quantile"]
            pool = partial(np.quantile, q=q) if how == "quantile" else _AGGREGATES[how]
            distances = np.array([pool(part) for part in distances])
        return _negative(distances)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags


def _negative(distances):
    """Scores of distances: higher is more normal, and 0 not written as -0."""
    return 0.0 - distances


def _check_others(lengths, groups, n_neighbors, kind):
    """Raise unless even the longest clip, or the largest group, leaves enough to compare it with."""
    together = lengths if groups is None else np.bincount(groups, weights=lengths).astype(int)
    n_others = together.sum() - together.max()
    if n_others < n_neighbors:
        raise ValueError(
            f"n_neighbors={n_neighbors} needs as many training {kind} beside those of any one "
            f"{'clip' if groups is None else 'group'}, since each clip is compared with the others to set the "
            f"threshold; got {n_others} from n_samples={len(lengths)}. Pass more "
            f"{'clips' if groups is None else 'groups'}{', or a smaller n_neighbors' if n_others else ''}."
        )
