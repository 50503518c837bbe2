"""`BandMemoryDetector`: the distance of every frequency band of a clip to the nearest normal clips."""

from typing import Any, Literal, Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from .._base import DetectorMixin, check_contamination, choose_offset
from .._checks import check_number, check_option
from .._input_checks import check_grids, number_groups
from .._typing import Clips, Contamination, FloatArray, IntArray, Labels
from ._band_rows import band_batches, make_pool, training_bands
from ._bank_growth import can_grow, join_banks
from ._clip_rows import FARTHEST, check_others, check_squares, of_readable
from ._copies import warn_of_copies, warn_of_one_clip
from ._fit_predict import decide_held_out
from ._local_density import DensitySearch
from ._neighbor_rows import prepare, prepare_bank
from ._neighbor_search import NeighborSearch


class BandMemoryDetector(DetectorMixin, BaseEstimator):
    """Detect anomalies as clips of which some frequency bands are far from those of every normal training clip.

    X holds grids of embeddings, as embeddings with ``output="grid"`` give them: one vector for every time and every
    frequency band. Every band of a clip is pooled over time. `fit` keeps a memory of the pooled vectors of each band.
    A band of a new clip is compared with the same band of the training clips, and the score of the clip is minus the
    mean over its bands of the distance to the nearest vector [1]_. A fault that sounds in one band is therefore not
    averaged away with the other bands before the comparison.

    Parameters
    ----------
    n_neighbors : int, default=1
        Number of nearest training clips that a band is compared with. The distance is the mean of the distances to
        these clips. One neighbour is the usual choice on frozen embeddings.

    metric : {"cosine", "euclidean"}, default="cosine"
        "cosine" is ``(1 - cos) / 2``, 0 to 1, the usual distance of frozen embeddings [2]_. A vector of zeros has no
        direction: its distance is 0.5 to everything but another vector of zeros. "euclidean" is the length of the
        difference.

    band_aggregate : {"mean", "max"}, default="mean"
        How the distances of the bands become one distance. "mean" is that of [1]_. "max" is the distance of the most
        unusual band.

    time_pooling : {"mean", "max", "gem", "rdp"}, default="mean"
        How the vectors of a band become one vector, before any comparison. "max" suits short sounds. "gem" is the
        generalised mean, and "rdp" is relative deviation pooling, as in :class:`TemporalPooling`.

    gem_p : float, default=3.0
        Exponent of "gem", the default of :class:`TemporalPooling`.

    rdp_gamma : float, default=20.0
        Exponent of "rdp", the default of :class:`TemporalPooling`.

    normalization : {None, "ratio", "difference"}, default=None
        Normalisation of distances by local density, in every band by itself [2]_. The density distance b(y) of a
        training clip y is its mean distance to its nearest training clips. "ratio" is the minimum over y of
        ``D(x, y) / b(y)``, "difference" the minimum of ``D(x, y) - b(y)``. None is the distance itself: on four real
        data sets without domains, normalisation was level or worse.

    normalization_neighbors : int, default=None
        Number of nearest clips for b(y). None is 1; 1 and 16 are the published values [2]_.

    contamination : "auto" or float, default="auto"
        "auto" sets ``offset_`` so that about one normal clip in twenty raises a false alarm, judged by
        ``held_out_scores_``: their conformal 0.05 quantile, or with fewer than 19 clips (groups) the lower end of
        Student's prediction interval. A float is the fraction of the leave-one-out scores that shall lie below
        ``offset_``.

    Attributes
    ----------
    n_bands_ : int
        Number of frequency bands of a grid.

    n_features_in_ : int
        Number of channels of a grid: of values of one vector.

    n_samples_fit_ : int
        Number of clips that `fit` and `partial_fit` could read.

    offset_ : float
        Threshold on the scale of `score_samples`.

    held_out_scores_ : ndarray of shape (n_clips,), float64
        Score of every training clip of `fit` by a fit without this clip; with `groups` in `fit`, without the clips of
        its group. Density distances are computed without these clips too.

    See Also
    --------
    NearestNeighborsDetector : Compares one embedding a clip, or every frame.

    Notes
    -----
    X of shape (n_clips, n_features), one embedding a clip, is one band. The detector is then a
    :class:`NearestNeighborsDetector`. X of three dimensions is an error, because the missing axis could be time or
    frequency.

    Only the pooled vectors are kept: ``n_clips * n_bands * n_channels`` values. A lazy sequence is never held as a
    whole. Without normalization the search is the exact search of :class:`NearestNeighborsDetector`. With normalization
    all pairs of clips are compared in float64, so the time of `fit` grows with the square of the number of clips.

    A training clip is its own nearest neighbour: `score_samples` takes every training clip for perfectly normal.
    ``held_out_scores_`` and `fit_predict` compare a clip with the other clips only. All parameters have effect when
    `fit` is called.

    References
    ----------
    .. [1] P. Saengthong and T. Shinozaki, "Sub-band spectral matching with localized score aggregation for robust
       anomalous sound detection", arXiv:2603.13749, 2026.
    .. [2] K. Wilkinghoff et al., "Local density-based anomaly score normalization for domain generalization",
       arXiv:2509.10951, 2025.

    Examples
    --------
    >>> import numpy as np
    >>> from skaudio_ad import BandMemoryDetector
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(41, 8, 3, 5)) + 3  # 41 clips, 8 channels, 3 bands, 5 frames
    >>> detector = BandMemoryDetector().fit(X[:40])
    >>> faulty = X[40:].copy()
    >>> faulty[:, :4, 1] -= 6  # a fault in the second band
    >>> detector.predict(X[40:]).tolist(), detector.predict(faulty).tolist()
    ([1], [-1])
    >>> int(detector.score_bands(faulty).argmin())
    1
    """

    # With metadata routing, `groups` that a ThresholdedDetector gets go to its folds and not on to the detector.
    __metadata_request__fit = {"groups": False}

    _banks: list[Any]
    _centers: list[Any]
    n_bands_: int
    n_features_in_: int
    n_samples_fit_: int
    offset_: float
    held_out_scores_: FloatArray

    def __init__(
        self,
        n_neighbors: int = 1,
        *,
        metric: Literal["cosine", "euclidean"] = "cosine",
        band_aggregate: Literal["mean", "max"] = "mean",
        time_pooling: Literal["mean", "max", "gem", "rdp"] = "mean",
        gem_p: float = 3.0,
        rdp_gamma: float = 20.0,
        normalization: Literal["ratio", "difference"] | None = None,
        normalization_neighbors: int | None = None,
        contamination: Contamination = "auto",
    ) -> None:
        self.n_neighbors = n_neighbors
        self.metric = metric
        self.band_aggregate = band_aggregate
        self.time_pooling = time_pooling
        self.gem_p = gem_p
        self.rdp_gamma = rdp_gamma
        self.normalization = normalization
        self.normalization_neighbors = normalization_neighbors
        self.contamination = contamination

    def fit(self, X: Clips, y: Labels | None = None, groups: Labels | None = None) -> Self:
        """Keep the pooled vectors of X, taken as normal, and set the threshold.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_channels, n_bands, n_frames)
            Or a list of (n_channels, n_bands, n_frames_i), or a lazy sequence of them. Time is the last axis. Clips of
            NaN, which could not be read, are left out with a warning.
        y : array-like of shape (n_clips,), default=None
            Labels. If all labels are 1 and -1, clips labelled -1 (anomalous) are left out, with a warning. If there
            are other labels, or none, all of X counts as normal.
        groups : array-like of shape (n_clips,), default=None
            Patient, machine or recording of every clip. For ``held_out_scores_`` whole groups are left out. The
            threshold is then one for clips of new groups, and every group counts once.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError, TypeError
            If a parameter is out of range, X is empty, not finite or holds no grids of one number of bands and
            channels, or too few clips are left beside any one clip or group.

        Warns
        -----
        UserWarning
            If more than one training clip in twenty has a copy among the others, or there is a single training clip.
        """
        self._check_parameters()
        clips: Any = check_grids(self, X, reset=True)
        self._settings = self.get_params(deep=False)
        numbers = number_groups(groups, len(clips))
        rows, self._positions = training_bands(self, clips, y, self._pool())
        if self.metric == "euclidean":
            check_squares(rows.reshape(-1, rows.shape[2]), rows.dtype)
        self.n_samples_fit_ = len(rows)
        own_groups = None if numbers is None else numbers[self._positions]
        members = (
            np.arange(len(rows)) if own_groups is None else np.unique(own_groups, return_inverse=True)[1]
        )
        distances, is_copy = self._fit_bands(rows, members)
        self.held_out_scores_ = 0.0 - self._aggregate(distances)
        if self.n_samples_fit_ == 1:
            warn_of_one_clip()
        else:
            warn_of_copies(is_copy)
        self.offset_ = choose_offset(
            self.contamination,
            held_out_scores=self.held_out_scores_,
            training_scores=lambda: self.held_out_scores_,
            groups=own_groups,
        )
        return self

    @available_if(can_grow)
    def partial_fit(self, X: Clips, y: Labels | None = None) -> Self:
        """Add further normal clips to the memory of every band. The threshold stays.

        Afterwards all clips are scored as by a detector whose `fit` had all clips. ``offset_`` and ``held_out_scores_``
        remain those of `fit`. A detector that is not fitted calls `fit`. The method does not exist with a
        `normalization`, because densities need all clips at once.

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
            If X is empty, not finite, too large to be squared or of other bands or channels than in `fit`. The detector
            is then unchanged.
        """
        if not hasattr(self, "offset_"):  # the last attribute that `fit` sets
            return self.fit(X, y)
        clips: Any = check_grids(self, X, reset=False)
        rows, _ = training_bands(self, clips, y, self._pool())
        metric = self._settings["metric"]
        joined = [join_banks(bank, rows[:, band], metric) for band, bank in enumerate(self._banks)]
        self._banks, self._centers = map(list, zip(*joined, strict=True))
        self.n_samples_fit_ += len(rows)
        return self

    def fit_predict(self, X: Clips, y: Labels | None = None, groups: Labels | None = None) -> IntArray:
        """Fit, and decide for every training clip as if the clip had not been in the training set.

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
            1 where ``held_out_scores_`` reach ``offset_``, else -1; -1 for a clip that could not be read. Clips that y
            labels anomalous are no training clips: `predict` decides for them.
        """
        return decide_held_out(self.fit(X, y, groups), X, y)

    def score_samples(self, X: Clips) -> FloatArray:
        """Score every clip. Higher is more normal.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_channels, n_bands, n_frames)
            Or a list of (n_channels, n_bands, n_frames_i), or a lazy sequence of them.

        Returns
        -------
        ndarray of shape (n_clips,), float64
            Minus the mean or largest distance of the bands; NaN for a clip that could not be read.
        """
        return 0.0 - self._aggregate(0.0 - self.score_bands(X))

    def score_bands(self, X: Clips) -> FloatArray:
        """Score every frequency band of every clip, to see where a clip sounds wrong. Higher is more normal.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_channels, n_bands, n_frames)
            Or a list of (n_channels, n_bands, n_frames_i), or a lazy sequence of them.

        Returns
        -------
        ndarray of shape (n_clips, n_bands), float64
            Minus the distance of every band, in the order of the bands of the grid; NaN for a clip that could not be
            read.

        Raises
        ------
        ValueError
            If X holds no grids, or grids of other bands or channels than in `fit`.
        """
        check_is_fitted(self)
        clips: Any = check_grids(self, X, reset=False)
        searches = [self._distances_of_band(band) for band in range(self.n_bands_)]
        parts = [
            np.column_stack([of_readable(search, rows[:, band]) for band, search in enumerate(searches)])
            for rows in band_batches(self, clips, self._pool())
        ]
        return 0.0 - np.concatenate(parts)

    def _check_parameters(self):
        check_number(self.n_neighbors, "n_neighbors", low=1, integer=True)
        check_option(self.metric, "metric", ("cosine", "euclidean"))
        check_option(self.band_aggregate, "band_aggregate", ("mean", "max"))
        check_option(self.time_pooling, "time_pooling", ("mean", "max", "gem", "rdp"))
        check_number(self.gem_p, "gem_p", low=0, closed="neither")
        check_number(self.rdp_gamma, "rdp_gamma", low=0)
        check_option(self.normalization, "normalization", (None, "ratio", "difference"))
        check_number(self.normalization_neighbors, "normalization_neighbors", low=1, integer=True, none=True)
        check_contamination(self.contamination)

    def _fit_bands(self, rows, members):
        """Keep the memory of every band. Return distances (n_clips, n_bands) without the own clip, and the copies."""
        n_clips, n_bands, _ = rows.shape
        normalizes, n_density = self.normalization is not None, self.normalization_neighbors or 1
        is_alone = n_clips == 1 and self.n_neighbors == 1 and not normalizes
        if not is_alone:
            self._check_enough(members, normalizes * n_density)
        self._banks, self._centers, self._densities = [], [], []
        distances, is_copy = np.full((n_clips, n_bands), FARTHEST), np.full(n_clips, not is_alone)
        for band in range(n_bands):
            if normalizes:
                self._banks.append(self._comparable(rows[:, band]))
                by_density = DensitySearch(self._banks[band], self.metric, self.normalization)
                nearest, density, own_copy = by_density.leave_one_out(self.n_neighbors, n_density, members)
                self._densities.append(density)
            else:
                spare = np.zeros((n_clips, 1), dtype=rows.dtype)
                self._banks.append(np.concatenate([rows[:, band], spare], axis=1))
                self._centers.append(prepare_bank(self._banks[band], self.metric))
                if is_alone:
                    continue
                search = NeighborSearch(self._banks[band], self.metric, self._centers[band])
                nearest = search.leave_one_out(self.n_neighbors, members)
                own_copy = nearest[:, 0] <= search.rounding()
            distances[:, band] = np.fmin(nearest.mean(axis=1), FARTHEST)
            is_copy &= own_copy
        return distances, is_copy

    def _check_enough(self, members, n_density):
        n_needed, needs = self.n_neighbors, f"n_neighbors={self.n_neighbors} needs as many"
        check_others(members, len(members), n_needed, needs=needs, hint="a smaller n_neighbors")
        if n_density:
            sizes = np.sort(np.bincount(members))
            left = len(members) - sizes[-2:].sum()
            if left < n_density or len(sizes) < 3:
                raise ValueError(
                    f"normalization={self.normalization!r} with {n_density} neighbours needs as many training clips "
                    "beside those of any two clips or groups, because the density around a clip is computed again "
                    f"when another clip is left out; got {left} from n_samples={len(members)}. Pass more clips, a "
                    "smaller normalization_neighbors, or normalization=None."
                )

    def _distances_of_band(self, band):
        """A function from rows of one band, (n_rows, n_channels), to distances, (n_rows,)."""
        settings = self._settings
        k, metric, normalization = settings["n_neighbors"], settings["metric"], settings["normalization"]
        if normalization is None:
            search = NeighborSearch(self._banks[band], metric, self._centers[band])
            return lambda rows: search.nearest(rows, k)[0].mean(axis=1)
        by_density = DensitySearch(self._banks[band], metric, normalization)
        density = self._densities[band]
        return lambda rows: by_density.nearest(self._comparable(rows), k, density).mean(axis=1)

    def _comparable(self, rows):
        """Rows in float64 as a search by density compares them: for "cosine" of length 1."""
        if self._settings["metric"] == "cosine":
            return prepare(rows, "cosine", np.float64)
        return rows.astype(np.float64)

    def _pool(self):
        settings = self._settings
        return make_pool(settings["time_pooling"], settings["gem_p"], settings["rdp_gamma"])

    def _aggregate(self, distances):
        return getattr(np, self._settings["band_aggregate"])(distances, axis=1)
