"""`NearestNeighborsDetector`: the distance of a clip to the nearest normal clips."""

from typing import Any, Literal, Self

import numpy as np
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from .._checks import check_number, check_option
from .._input_checks import check_features
from .._typing import Clips, Contamination, FloatArray, IntArray, Labels, RandomState
from ._clip_rows import FARTHEST, check_kind, check_others, pool_over_time, row_batches
from ._copies import warn_of_copies, warn_of_one_clip
from ._density import NEIGHBORS
from ._domain_checks import (
    check_densities,
    check_domains,
    warn_of_domains_without_mixtures,
    warn_of_replaced_statistics,
)
from ._fit_predict import decide_held_out
from ._neighbor_rows import prepare_bank
from ._neighbor_search import NeighborSearch
from ._reference import Reference, distances_of_new
from ._row_detector import RowDetector

_AGGREGATES: dict[str, Any] = {"mean": np.mean, "max": np.max, "min": np.min}


class NearestNeighborsDetector(RowDetector):
    """Detect anomalies as clips far from every normal training clip.

    This is the usual detector behind embeddings. `fit` keeps the embeddings of the training clips, and the score of a
    clip is minus the distance to the nearest of them. The search is exact.

    X holds one embedding per clip, (n_clips, n_features), or sequences of embeddings, (n_clips, n_features, n_frames)
    or a list of (n_features, n_frames_i). Every frame of a sequence is compared with all frames of all training clips,
    and the score of the clip is pooled over time.

    Parameters
    ----------
    n_neighbors : int, default=1
        Number of nearest training clips (frames) that a clip (frame) is compared with. One neighbour is the usual
        choice on frozen embeddings [1]_. More neighbours tolerate a few anomalies among the training clips.

    metric : {"euclidean", "cosine"}, default="euclidean"
        "euclidean" is the length of the difference. "cosine" is ``(1 - cos) / 2``, 0 to 1, of the angle between two
        embeddings [1]_: the lengths of the embeddings do not count. Use "cosine" on embeddings as the network gives
        them, never behind a ``StandardScaler``. The scaler puts the normal clips around zero, where directions mean
        little and an anomaly shows by its length. A vector of zeros has no direction. Its distance is 0.5, a right
        angle, to everything but another vector of zeros.

    aggregate : {"mean", "max", "min"}, default="mean"
        How the distances to the `n_neighbors` neighbours become one distance. "max" is the distance to the farthest
        neighbour, "min" the distance to the nearest, whatever `n_neighbors` is.

    time_pooling : {"mean", "max", "quantile"}, default="mean"
        How the distances of a clip's frames become one distance: their mean, the largest, or their `time_quantile`.
        "max" and "quantile" suit faults that sound for moments only. Clips of one embedding do not need it.

    time_quantile : float, default=0.95
        Quantile for ``time_pooling="quantile"``.

    contamination : "auto" or float, default="auto"
        "auto" sets ``offset_`` so that about one normal clip in twenty raises a false alarm, judged by
        ``held_out_scores_``: their conformal 0.05 quantile, or with fewer than 19 clips (groups) the lower end of
        Student's prediction interval for the logarithms of the distances. A float is the fraction of the training
        clips that shall count as anomalous, as in scikit-learn, but judged by the leave-one-out scores, because the
        other scores of training clips are 0.

    Attributes
    ----------
    offset_ : float
        Threshold on the scale of `score_samples`.

    held_out_scores_ : ndarray of shape (n_samples_fit,), float64
        Score of every training clip, compared with the other training clips only; with `groups` in `fit`, with the
        clips of other groups only.

    n_features_in_ : int
        Number of values of an embedding.

    n_samples_fit_ : int
        Number of clips that `fit` could read.

    Notes
    -----
    A training clip is its own nearest neighbour: `score_samples` and `predict` take every training clip for perfectly
    normal. ``held_out_scores_`` and `fit_predict` compare a clip with the other clips only. A clip that is in the
    training set twice still finds its copy, scores 0, and makes the threshold stricter. Remove copies first: `fit`
    warns if more than one clip in twenty has a copy.

    All parameters have effect when `fit` is called. Parameters that are set later wait for the next `fit`.

    The embeddings are kept and searched in their own precision: float32 takes half the time of float64. Distances are
    computed from differences in float64. The distance of a clip does not depend on the other clips of the batch, and
    two clips that are nearly the same keep their distance. Features with a large offset, such as a time in seconds,
    are measured from their mean while the search looks for candidates. A row that is too large to be squared, as 1e20
    is in float32, is an error in `fit`; afterwards such a row has a distance. The full matrix of distances is never
    held. The search uses as many BLAS threads as ``OMP_NUM_THREADS`` says.

    All frames of training sequences are kept: a million frames of 384 values in float32 take 1.5 GB. The clips of a
    lazy sequence are not held in addition. The time of `fit` grows with the square of the number of frames, because
    each frame is compared with those of all other clips.

    ========  =================
    Frames    Time on one core
    ========  =================
    10 000    1 s
    100 000   2 min
    ========  =================

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

    # With metadata routing, domains reach the detector if ``set_fit_request(domains=True)`` asks for them.
    __metadata_request__fit = {"groups": False, "domains": False}

    # The search keeps half the squared length of a row behind the row.
    _n_spare_columns = 1

    def __init__(
        self,
        n_neighbors: int = 1,
        *,
        metric: Literal["euclidean", "cosine"] = "euclidean",
        aggregate: Literal["mean", "max", "min"] = "mean",
        normalization: Literal["ratio", "difference", "varmin", "cluster-exit"] | None = None,
        normalization_neighbors: int | None = None,
        domain_normalization: Literal["zscore"] | None = None,
        oversample: Literal["mixup", "smote"] | None = None,
        time_pooling: Literal["mean", "max", "quantile"] = "mean",
        time_quantile: float = 0.95,
        contamination: Contamination = "auto",
        random_state: RandomState = None,
    ) -> None:
        self.n_neighbors = n_neighbors
        self.metric = metric
        self.aggregate = aggregate
        self.normalization = normalization
        self.normalization_neighbors = normalization_neighbors
        self.domain_normalization = domain_normalization
        self.oversample = oversample
        self.time_pooling = time_pooling
        self.time_quantile = time_quantile
        self.contamination = contamination
        self.random_state = random_state

    def fit(
        self,
        X: Clips,
        y: Labels | None = None,
        groups: Labels | None = None,
        domains: Labels | None = None,
    ) -> Self:
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
        domains : array-like of shape (n_clips,), default=None
            Domain of every clip, such as "source" and "target": any labels. Every domain has a bank of its own. New
            clips need no domain.

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
            If more than one training clip in twenty has a copy among the others: the threshold is too strict then. If
            there is a single training clip: no threshold can be set.
        """
        self._warn_of_copies(self._fit(X, y, groups, domains))
        return self

    def fit_predict(
        self,
        X: Clips,
        y: Labels | None = None,
        groups: Labels | None = None,
        domains: Labels | None = None,
    ) -> IntArray:
        """Fit, and decide for every training clip as if the clip had not been in the training set.

        Parameters
        ----------
        X : array-like of clips, as in `fit`
        y, groups, domains : array-like of shape (n_clips,), default=None
            As in `fit`.

        Returns
        -------
        ndarray of shape (n_clips,), int
            1 where ``held_out_scores_`` reach ``offset_``, else -1; -1 for a clip that could not be read. Clips that y
            labels anomalous are no training clips: `predict` decides for them.
        """
        self.fit(X, y, groups, domains)
        return decide_held_out(self, X, y)

    def score_domains(self, X: Clips) -> FloatArray:
        """Score every clip by the bank of each domain alone. Higher is more normal.

        Parameters
        ----------
        X : array-like of clips, as in `fit`

        Returns
        -------
        ndarray of shape (n_clips, n_domains), float64
            Minus the distance to the bank of each of ``domains_``, pooled over time. For clips of one embedding the
            largest of them is the score of `score_samples`. NaN for a clip that could not be read.

        Raises
        ------
        ValueError
            If `fit` got no domains.
        """
        check_is_fitted(self)
        if self.domains_ is None:
            raise ValueError(
                "score_domains needs the domains of the training clips, and fit got none: pass domains to fit, one "
                "label a clip."
            )
        X = check_features(self, X, reset=False)
        check_kind(type(self).__name__, X, self._takes_frames)
        how = self._settings["time_pooling"], self._settings["time_quantile"]
        scores = []
        for rows, lengths in row_batches(X, self.n_features_in_):
            distances = np.full((len(rows), len(self.domains_)), np.nan)
            present = ~np.isnan(rows[:, 0])
            distances[present] = np.fmin(self._distances_to_banks(rows[present]), FARTHEST)
            parts = np.split(distances, np.cumsum(lengths)[:-1])
            scores += [0.0 - pool_over_time(part.T, *how) for part in parts]
        return np.array(scores)

    def kneighbors(self, X: Clips, n_neighbors: int | None = None) -> tuple[FloatArray, IntArray]:
        """Find the nearest training clips: the normal clips that a clip is most like.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_features)
        n_neighbors : int, default=None
            Number of neighbours, at most ``n_samples_fit_``. None is the number in `fit`.

        Returns
        -------
        distances : ndarray of shape (n_clips, n_neighbors), float64
            Nearest first; NaN for a clip that could not be read.
        indices : ndarray of int of shape (n_clips, n_neighbors)
            Positions in the X that was given to `fit`; -1 for a clip that could not be read. Clips at the same
            distance are in the order of X.

        Raises
        ------
        ValueError
            If the detector was fitted on sequences, whose neighbours are frames.
        """
        check_is_fitted(self)
        X = check_features(self, X, reset=False)
        check_kind(type(self).__name__, X, self._takes_frames)
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

    def _check_parameters(self):
        check_number(self.n_neighbors, "n_neighbors", low=1, integer=True)
        check_option(self.metric, "metric", ("cosine", "euclidean"))
        check_option(self.aggregate, "aggregate", tuple(_AGGREGATES))
        check_option(self.normalization, "normalization", (None, *NEIGHBORS))
        check_number(self.normalization_neighbors, "normalization_neighbors", low=1, integer=True, none=True)
        check_option(self.domain_normalization, "domain_normalization", (None, "zscore"))
        check_option(self.oversample, "oversample", (None, "mixup", "smote"))

    def _ignores_lengths(self):
        return self.metric == "cosine"

    def _fit_rows(self, rows, members, domains):
        is_alone = self.n_samples_fit_ == 1 and self.n_neighbors <= len(rows)
        if not is_alone:
            check_others(
                members,
                self.n_samples_fit_,
                self.n_neighbors,
                needs=f"n_neighbors={self.n_neighbors} needs as many",
                hint="a smaller n_neighbors",
            )
        check_domains(domains, self._settings)
        check_densities(members, self.n_samples_fit_, self._settings)
        self.domains_, self._n_rows = None if domains is None else np.unique(domains), len(rows)
        self._bank, self._center = rows, prepare_bank(rows, self.metric)
        self._kept = None
        if domains is not None or self.normalization is not None:
            held_out = self._fit_reference(members, domains)
            if not is_alone:
                self._plain_distances = self._search().leave_one_out(1, members)[:, 0]
        elif not is_alone:
            held_out = self._aggregate(self._search().leave_one_out(self.n_neighbors, members))
        return np.full(len(rows), FARTHEST) if is_alone else held_out

    def _row_distances(self, rows):
        if self._kept is not None:
            return self._distances_to_banks(rows).min(axis=1)
        return self._aggregate(self._search().nearest(rows, self._settings["n_neighbors"])[0])

    def _fit_reference(self, members, domains):
        """Learn densities, mixtures and domains. Return the leave-one-out distances of the training rows."""
        members = np.unique(members, return_inverse=True)[1]
        numbers = np.zeros(len(members), dtype=int)
        if domains is not None:
            numbers = np.searchsorted(self.domains_, domains)
        seed = 0
        if self.oversample is not None:
            warn_of_domains_without_mixtures(self.oversample, members, numbers, self.domains_)
            seed = check_random_state(self.random_state).randint(np.iinfo(np.int32).max)
        reference = Reference(self._bank, self._center, members, numbers, self._settings, seed)
        self._bank, *self._kept, replaced = reference.kept()
        if replaced.any():
            warn_of_replaced_statistics(self.domains_[replaced])
        return reference.leave_one_out()

    def _distances_to_banks(self, rows):
        return distances_of_new(rows, self._bank, self._center, *self._kept, self._settings)

    def _search(self):
        return NeighborSearch(self._bank[: self._n_rows], self._settings["metric"], self._center)

    def _aggregate(self, distances):
        return _AGGREGATES[self._settings["aggregate"]](distances, axis=1)

    def _warn_of_copies(self, lengths):
        if self.n_samples_fit_ == 1:
            warn_of_one_clip()
            return
        distances = -self.held_out_scores_
        if self._kept is not None:
            # Normalised distances do not tell copies.
            parts = np.split(vars(self).pop("_plain_distances"), np.cumsum(lengths)[:-1])
            distances = pool_over_time(parts, self.time_pooling, self.time_quantile)
        warn_of_copies(distances <= self._search().rounding())
