"""`NearestNeighborsDetector`: the distance of a clip to the nearest normal clips."""

from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt
from sklearn.utils import check_random_state
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from .._checks import check_number, check_option
from .._input_checks import check_features
from .._typing import Clips, Contamination, FloatArray, IntArray, Labels, RandomState
from ._bank_growth import can_grow, grow_bank
from ._clip_rows import FARTHEST, check_kind, check_others, pool_over_time, row_batches
from ._copies import warn_of_copies, warn_of_one_clip
from ._coreset import check_coreset_size, reduce_bank
from ._density import NEIGHBORS
from ._domain_checks import (
    check_densities,
    check_domains,
    check_plain_bank,
    warn_of_domains_without_mixtures,
    warn_of_replaced_statistics,
)
from ._fit_predict import decide_held_out
from ._indexes import FaissSearch
from ._neighbor_rows import prepare_bank
from ._neighbor_search import NeighborSearch
from ._reference import Reference, distances_of_new
from ._row_detector import RowDetector

_AGGREGATES: dict[str, Any] = {"mean": np.mean, "max": np.max, "min": np.min}


class NearestNeighborsDetector(RowDetector):
    """Detect anomalies as clips far from every normal training clip.

    This is the usual detector behind embeddings. `fit` keeps the embeddings of the training clips, and the score of a
    clip is minus the distance to the nearest of them. The search is exact. Distances can be normalised by the local
    density of the training clips, and by domain.

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

    normalization : {None, "ratio", "difference", "varmin", "cluster-exit"}, default=None
        How the distance D to a training clip is made comparable between dense and sparse regions. Distances are
        normalised before the nearest neighbours are chosen. The density of a training clip is the mean of its distances
        to its K nearest other training clips, of all domains. A small value means a dense region.

        - "ratio": D divided by the density [1]_. The published sum over K neighbours differs by the factor K.
        - "difference": D minus the density [1]_.
        - "varmin": D minus alpha times the density. Alpha is Cov(d, b) / Var(b), where d is the distance of a training
          clip to its nearest other clip, and b is the density of that neighbour without the first clip. Alpha is 0
          where b does not vary.
        - "cluster-exit": as "ratio", but each training clip has its own number of neighbours, at most K [2]_. Only the
          abstract of this method was available. What is built here cuts the sorted distances before the first one that
          is larger than the one before it by more than the 0.95 quantile of all such relative gaps. The relative gap,
          the quantile 0.95 and the ratio are choices of this package.

        Divisors are at least a thousandth of the mean density, because copies have a density of 0.

    normalization_neighbors : int, default=None
        Number K of neighbours of the density; with "cluster-exit" the largest number. None is 1 for "ratio" and
        "difference" and 16 for "cluster-exit" (1 and 16 are the sizes in [1]_), and 4 for "varmin", as published. Where
        fewer clips remain, the density is the mean over those.

    domain_normalization : {None, "zscore"}, default=None
        "zscore" turns the distance to the bank of each domain into (distance - mean) / deviation before the smallest is
        chosen. Mean and deviation are those of the training clips of the domain, each compared with the other clips of
        its domain. A domain without a spread, such as one with a single clip, gets mean and deviation over all domains
        together, with a warning. No test clip has a part in them. Needs `domains` in `fit`.

    oversample : {None, "mixup", "smote"}, default=None
        Synthetic embeddings for the banks of scarce domains, which are all domains but the largest. Needs `domains` in
        `fit`.

        - "mixup": 0.9 t + 0.1 s for every clip t of a scarce domain and the five nearest clips s of the largest domain.
          The weight is the published one; the number five is a choice of this package.
        - "smote": points between a clip and one of its two nearest clips of the same domain, at random, until the
          domain has a fifth of the clips of the largest domain [3]_. A domain with two clips has one neighbour only. A
          domain with one clip stays as it is, with a warning.

        Synthetic embeddings count neither as training clips nor in densities. With ``metric="cosine"`` embeddings of
        length 1 are mixed.

    coreset_size : int, float or None, default=None
        Number of training rows (clips or frames) that are kept, or the fraction of them in (0, 1), rounded up. The
        greedy k-centre algorithm chooses the rows [4]_, so that the largest distance of a training row from the kept
        rows is small. The first row is the one farthest from the mean, so no random number is drawn. None keeps all
        rows. With fewer rows, new clips are scored faster, and the detector takes less memory.

    index : {"exact", "faiss"}, default="exact"
        How neighbours are searched. "faiss" takes an exhaustive index of FAISS, which computes in float32, and the
        extra ``skaudio_ad[faiss]``. Distances are then refined in float64, and scores equal those of "exact" up to
        1e-5 of their size. The index is a second copy of the bank. It is built at the first search and is not saved.
        On a CPU, "faiss" need not be faster than "exact": ``python -m benchmarks.speed.neighbors`` compares both.

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

    random_state : int, RandomState instance or None, default=None
        Seed of ``oversample="smote"``.

    verbose : bool, default=False
        Whether `fit` shows on stderr how many rows of the coreset are chosen.

    Attributes
    ----------
    coreset_indices_ : ndarray of int of shape (n_kept,), or None
        Kept rows in the order of the choice, so the first n of them are the coreset of n rows. For clips of one
        embedding: positions in the X of `fit`. For sequences: numbers of frames, counted through all training clips.
        None without `coreset_size`.

    coreset_radius_ : float or None
        Largest distance of a training row from the nearest kept row. None without `coreset_size`.

    offset_ : float
        Threshold on the scale of `score_samples`.

    held_out_scores_ : ndarray of shape (n_clips,), float64
        Score of every training clip of `fit`, compared with the other training clips only; with `groups` in `fit`, with
        the clips of other groups only.

    domains_ : ndarray of shape (n_domains,) or None
        Domains of the training clips, in sorted order. None where `fit` got no domains.

    n_features_in_ : int
        Number of values of an embedding.

    n_samples_fit_ : int
        Number of clips that `fit` and `partial_fit` could read.

    Notes
    -----
    A training clip is its own nearest neighbour: `score_samples` and `predict` take every training clip for perfectly
    normal. ``held_out_scores_`` and `fit_predict` compare a clip with the other clips only. A clip that is in the
    training set twice still finds its copy, scores 0, and makes the threshold stricter. Remove copies first: `fit`
    warns if more than one clip in twenty has a copy.

    **Domains.** With `domains` in `fit`, each domain has a bank, and the distance of a clip is the smallest over the
    banks. The `n_neighbors` neighbours come from one bank. A bank with fewer clips gives all that it has. New clips
    need no domain. In a cross-validation, a training part without clips of a domain has fewer banks.

    **Scores above 0** occur with "difference", "varmin" and "zscore", because distances below the usual ones are then
    negative. With fewer than 19 clips the threshold is then the lower end of Student's prediction interval for the
    scores themselves.

    ``held_out_scores_`` are exact with every combination of parameters: densities, alpha, statistics of domains and
    synthetic embeddings are computed again without the clip (group). The statistics of a domain are computed from
    scores of clips without themselves, with the density of their neighbours without them. Alpha, the limit of gaps and
    the synthetic embeddings of the other clips are not computed again for each of these inner scores. `fit` takes the
    longest with ``domain_normalization="zscore"``, because these statistics are computed once for every clip (group).
    Statistics of sequences are those of frames, so that clips with many frames count more. For these statistics `fit`
    also holds the pairs of rows that may be nearest, which with large groups are most pairs of a domain.

    All parameters have effect when `fit` is called. Parameters that are set later wait for the next `fit`.

    `partial_fit` adds clips in the precision of the bank or of the clips, whichever is higher. With "cosine", rows that
    are in the bank keep the rounding of their first precision.

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

    **With a coreset**, ``held_out_scores_`` leave out the kept rows of the clip (group) itself, and the choice of the
    other rows is not repeated. For a clip without kept rows the choice would be the same without the clip, up to the
    mean of all rows, from which the first row is chosen: without the clip the mean moves a little, and another first
    row may lead to other rows. A clip with kept rows usually gets a larger distance than with a new choice, so the
    threshold is rather low. ``ThresholdedDetector`` repeats the choice in every fold. The choice takes time in
    proportion to the number of kept rows and to the number of training rows. Kept rows in a larger number than there
    are different rows would be copies, so `fit` stops earlier with a warning.

    References
    ----------
    .. [1] K. Wilkinghoff et al., "Local density-based anomaly score normalization for domain generalization",
       arXiv:2509.10951, 2025.
    .. [2] K. Wilkinghoff, G. Wichern, J. Le Roux and Z.-H. Tan, "Mind the Gap: Detecting cluster exits for robust local
       density-based score normalization in anomalous sound detection", arXiv:2602.18777, 2026.
    .. [3] N. V. Chawla et al., "SMOTE: Synthetic minority over-sampling technique", Journal of Artificial Intelligence
       Research, 2002. The fifth and the two neighbours are those of systems in the DCASE challenge.
    .. [4] K. Roth et al., "Towards total recall in industrial anomaly detection", CVPR, 2022.

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

    Few clips of a second domain, with distances that are normalised for each domain:

    >>> domains = ["source"] * 90 + ["target"] * 10
    >>> detector = NearestNeighborsDetector(domain_normalization="zscore", oversample="mixup")
    >>> detector.fit(X[:100], domains=domains).score_domains(X[100:]).shape
    (1, 2)
    """

    # With metadata routing, domains reach the detector if ``set_fit_request(domains=True)`` asks for them.
    __metadata_request__fit = {"groups": False, "domains": False}

    # The search keeps half the squared length of a row behind the row.
    _n_spare_columns = 1

    domains_: npt.NDArray[Any] | None
    # Divisors, domains and statistics of the bank; None for plain distances without domains.
    _kept: Any

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
        coreset_size: float | None = None,
        index: Literal["exact", "faiss"] = "exact",
        time_pooling: Literal["mean", "max", "quantile"] = "mean",
        time_quantile: float = 0.95,
        contamination: Contamination = "auto",
        random_state: RandomState = None,
        verbose: bool = False,
    ) -> None:
        self.n_neighbors = n_neighbors
        self.metric = metric
        self.aggregate = aggregate
        self.normalization = normalization
        self.normalization_neighbors = normalization_neighbors
        self.domain_normalization = domain_normalization
        self.oversample = oversample
        self.coreset_size = coreset_size
        self.index = index
        self.time_pooling = time_pooling
        self.time_quantile = time_quantile
        self.contamination = contamination
        self.random_state = random_state
        self.verbose = verbose

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
        ImportError
            If ``index="faiss"`` and FAISS is not installed.
        ValueError, TypeError
            If a parameter is out of range, X is empty, not finite or too large to be squared, there are fewer than
            `n_neighbors` clips (frames) beside any one clip or group, too few clips (groups) for a density, a clip has
            no domain, a parameter needs domains and there are none, the coreset is larger than the training set, or
            `coreset_size` or ``index="faiss"`` meets densities or domains, which need all clips and an exact search.

        Warns
        -----
        UserWarning
            If more than one training clip in twenty has a copy among the others: the threshold is too strict then. If
            there is a single training clip: no threshold can be set. If a domain has no spread for "zscore", or no
            synthetic embeddings can be made. If the coreset is smaller than requested, because all other rows are
            copies.
        """
        self._warn_of_copies(self._fit(X, y, groups, domains))
        self._added_positions = np.empty(0, dtype=int)
        return self

    @available_if(can_grow)
    def partial_fit(self, X: Clips, y: Labels | None = None) -> Self:
        """Add embeddings of further normal clips to the bank. The threshold stays.

        Afterwards all clips are scored as by a detector whose `fit` had all clips. ``offset_`` and ``held_out_scores_``
        remain those of `fit`. No clip gets a lower score than before, so normal clips raise no more false alarms than
        before. A detector that is not fitted calls `fit`.

        The method does not exist with `normalization`, `coreset_size` or domains, because these need all clips at once.

        Parameters
        ----------
        X : array-like of clips, as in `fit`
        y : array-like of shape (n_clips,), default=None
            As in `fit`.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError, TypeError
            If X is empty, not finite, too large to be squared or of another kind than in `fit`. The detector is then
            unchanged.
        """
        if not hasattr(self, "offset_"):  # the last attribute that `fit` sets
            return self.fit(X, y)
        grow_bank(self, X, y)
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
        return decide_held_out(self.fit(X, y, groups, domains), X, y)

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
            Number of neighbours, at most ``n_samples_fit_``, or the rows of the coreset. None is the number in `fit`.

        Returns
        -------
        distances : ndarray of shape (n_clips, n_neighbors), float64
            Nearest first; NaN for a clip that could not be read.
        indices : ndarray of int of shape (n_clips, n_neighbors)
            Positions in the X that was given to `fit`; -1 for a clip that could not be read. Clips at the same
            distance are in the order of X. Clips of `partial_fit` are counted on behind those of `fit`.

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
        check_number(n_neighbors, "n_neighbors", low=1, high=len(self._bank), integer=True)
        distances, rows = self._search().nearest(X, n_neighbors)
        chosen = getattr(self, "coreset_indices_", None)  # detectors of older versions have no coreset
        added = getattr(self, "_added_positions", np.empty(0, dtype=int))
        positions = np.append(self._positions, added) if chosen is None else np.sort(chosen)
        return distances, np.where(rows < 0, -1, positions[rows])

    def _check_parameters(self):
        check_number(self.n_neighbors, "n_neighbors", low=1, integer=True)
        check_option(self.metric, "metric", ("cosine", "euclidean"))
        check_option(self.aggregate, "aggregate", tuple(_AGGREGATES))
        check_option(self.normalization, "normalization", (None, *NEIGHBORS))
        check_number(self.normalization_neighbors, "normalization_neighbors", low=1, integer=True, none=True)
        check_option(self.domain_normalization, "domain_normalization", (None, "zscore"))
        check_option(self.oversample, "oversample", (None, "mixup", "smote"))
        check_coreset_size(self.coreset_size)
        check_option(self.index, "index", ("exact", "faiss"))
        check_option(self.verbose, "verbose", (False, True))

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
        check_plain_bank(domains, self._settings)
        if domains is not None:
            domains = np.array(domains.tolist())  # texts of a data frame become an array of texts
        check_densities(members, self.n_samples_fit_, self._settings)
        self.domains_, self._n_rows = None if domains is None else np.unique(domains), len(rows)
        self._faiss_search = self._kept = None
        self._bank, self._center = rows, prepare_bank(rows, self.metric)
        if domains is not None or self.normalization is not None:
            held_out = self._fit_reference(members, domains)
            if not is_alone:
                self._plain_distances = self._search().leave_one_out(1, members)[:, 0]
            return np.full(len(rows), FARTHEST) if is_alone else held_out
        kept = reduce_bank(self, members)
        self._n_rows = len(self._bank)
        if is_alone:
            return np.full(len(rows), FARTHEST)
        return self._aggregate(self._search().leave_one_out(self.n_neighbors, members[kept], rows, members))

    def _row_distances(self, rows):
        if self._kept is not None:
            return self._distances_to_banks(rows).min(axis=1)
        return self._aggregate(self._search().nearest(rows, self._settings["n_neighbors"])[0])

    def _fit_reference(self, members, domains):
        """Learn densities, mixtures and domains. Return the leave-one-out distances of the training rows."""
        members = np.unique(members, return_inverse=True)[1]
        names: Any = self.domains_
        numbers: Any = np.zeros(len(members), dtype=int)
        if domains is not None:
            numbers = np.searchsorted(names, domains)
        seed = 0
        if self.oversample is not None:
            warn_of_domains_without_mixtures(self.oversample, members, numbers, names)
            seed = check_random_state(self.random_state).randint(np.iinfo(np.int32).max)
        reference = Reference(self._bank, self._center, members, numbers, self._settings, seed)
        self._bank, *self._kept, replaced = reference.kept()
        if replaced.any():
            warn_of_replaced_statistics(names[replaced])
        return reference.leave_one_out()

    def _distances_to_banks(self, rows):
        kept: Any = (*self._kept, self._settings)
        return distances_of_new(rows, self._bank, self._center, *kept)

    def _search(self):
        parts = self._bank[: self._n_rows], self._settings["metric"], self._center
        if self._settings.get("index", "exact") == "exact":  # detectors of older versions have no index
            return NeighborSearch(*parts)
        if getattr(self, "_faiss_search", None) is None:
            self._faiss_search = FaissSearch(*parts)
        return self._faiss_search

    def __getstate__(self):
        # The index is built again from the bank, because a file holds no objects of FAISS.
        return {name: value for name, value in super().__getstate__().items() if name != "_faiss_search"}

    def _aggregate(self, distances):
        return _AGGREGATES[self._settings["aggregate"]](distances, axis=1)

    def _warn_of_copies(self, lengths):
        if self.n_samples_fit_ == 1:
            warn_of_one_clip()
            return
        distances = -self.held_out_scores_
        if self._kept is not None:
            # Normalised distances do not tell copies.
            parts = np.split(self._plain_distances, np.cumsum(lengths)[:-1])
            del self._plain_distances
            distances = pool_over_time(parts, self.time_pooling, self.time_quantile)
        warn_of_copies(distances <= self._search().rounding())
