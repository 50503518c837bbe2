"""`RowDetector`: the shared part of detectors that measure the distance of embeddings from normal ones."""

from abc import abstractmethod
from collections.abc import Iterator
from typing import Any, Literal, Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from .._base import DetectorMixin, check_contamination, choose_offset
from .._checks import check_number, check_option
from .._input_checks import check_features, check_groups, number_groups
from .._lazy import collect
from .._typing import ClipArrays, Clips, Contamination, FloatArray, IntArray, Labels
from ._clip_rows import check_kind, check_squares, of_readable, pool_over_time, row_batches, training_rows
from ._fit_predict import decide_held_out

_LARGEST = np.finfo(np.float32).max


class RowDetector(DetectorMixin, BaseEstimator):
    """Base class of detectors whose score of a clip is minus a distance, pooled over time.

    A row is one embedding: of a clip, or of a frame of a clip. A subclass defines ``__init__``, which stores at least
    `time_pooling`, `time_quantile` and `contamination`, and the methods ``_fit_rows`` and ``_row_distances``. If the
    subclass has more parameters, ``_check_parameters`` checks them.
    """

    # With metadata routing, `groups` that a ThresholdedDetector gets go to its folds and not on to the detector.
    # ``set_fit_request(groups=True)`` asks for them.
    __metadata_request__fit = {"groups": False}

    # Number of columns of `rows` in `_fit_rows` that are left free behind the features.
    _n_spare_columns = 0

    time_pooling: Literal["mean", "max", "quantile"]
    time_quantile: float
    contamination: Contamination
    n_features_in_: int
    n_samples_fit_: int
    offset_: float
    held_out_scores_: FloatArray

    def fit(self, X: Clips, y: Labels | None = None, groups: Labels | None = None) -> Self:
        """Learn from X, taken as normal, and set the threshold.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_features) or (n_clips, n_features, n_frames)
            Or a list of (n_features, n_frames_i), or a lazy sequence of them. Clips of NaN, which could not be
            read, are left out with a warning.
        y : array-like of shape (n_clips,), default=None
            Labels. If all labels are 1 and -1, clips labelled -1 (anomalous) are left out, with a warning. If there
            are other labels, or none, all of X counts as normal.
        groups : array-like of shape (n_clips,), default=None
            Patient, machine or recording of every clip: clips of a group are alike. For ``held_out_scores_`` whole
            groups are left out. The threshold is then one for clips of new groups, and every group counts once,
            however many clips it has. Without groups the threshold is for new clips of the same groups.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError, TypeError
            If a parameter is out of range, X is empty, not finite or too large to be squared, or too few clips
            (frames) are left beside any one clip or group.
        """
        self._fit(X, y, groups)
        return self

    def fit_predict(self, X: Clips, y: Labels | None = None, groups: Labels | None = None) -> IntArray:
        """Fit, and decide for every training clip as if the clip had not been in the training set.

        Use this to find the training clips that are unlike the others. ``fit(X).predict(X)`` cannot, because every
        clip has helped to train the detector.

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
        X : array-like of shape (n_clips, n_features) or (n_clips, n_features, n_frames)
            Or a list of (n_features, n_frames_i), or a lazy sequence of them.

        Returns
        -------
        ndarray of shape (n_clips,), float64
            Minus the distance, pooled over time; NaN for a clip that could not be read.
        """
        return _pool(self._clip_distances(X), self._settings)

    def score_frames(self, X: Clips) -> ClipArrays:
        """Score every frame of every clip, to see when a clip sounds wrong. Higher is more normal.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_features) or (n_clips, n_features, n_frames)
            Or a list of (n_features, n_frames_i), or a lazy sequence of them.

        Returns
        -------
        ndarray of shape (n_clips, n_frames), float32
            Minus the distance of every frame. A list of (n_frames_i,) where clips differ in length; (n_clips, 1) for
            clips of one embedding.
        """
        distances = self._clip_distances(X)
        return collect([_negative(np.minimum(part, _LARGEST)).astype(np.float32) for part in distances])

    def window_centers(self, n_windows: int) -> FloatArray:
        """Place of every score of `score_frames`, in frames from the start of the clip.

        Parameters
        ----------
        n_windows : int

        Returns
        -------
        ndarray of shape (n_windows,)
            0, 1, ..., because each score is the score of one frame.
        """
        check_is_fitted(self)
        return np.arange(n_windows, dtype=np.float64)

    def _fit(self, X, y, groups, domains=None):
        """Do the work of `fit`. Return the number of rows of every training clip, int (n_samples_fit_,)."""
        self._check_parameters()
        check_option(self.time_pooling, "time_pooling", ("mean", "max", "quantile"))
        check_number(self.time_quantile, "time_quantile", low=0, high=1)
        check_contamination(self.contamination)
        clips: Any = check_features(self, X, reset=True)
        self._settings = self.get_params(deep=False)
        self._takes_frames = getattr(clips, "ndim", 3) == 3
        groups = number_groups(groups, len(clips))
        domains = check_groups(domains, len(clips), "domain")
        rows, lengths, self._positions = training_rows(
            clips, y, self.n_features_in_, type(self).__name__, self._n_spare_columns
        )
        if not self._ignores_lengths():
            check_squares(rows[:, : self.n_features_in_], rows.dtype)
        self.n_samples_fit_, self._n_clips_seen = len(lengths), len(clips)
        if groups is not None:
            groups = groups[self._positions]
        if domains is not None:
            domains = domains[self._positions]
        members = np.repeat(np.arange(len(lengths)) if groups is None else groups, lengths)
        distances = np.asarray(
            self._fit_rows(rows, members, None if domains is None else np.repeat(domains, lengths)),
            dtype=np.float64,
        )
        self.held_out_scores_ = _pool(np.split(distances, np.cumsum(lengths)[:-1]), self._settings)
        self.offset_ = choose_offset(
            self.contamination,
            held_out_scores=self.held_out_scores_,
            training_scores=lambda: self.held_out_scores_,
            groups=groups,
        )
        return lengths

    def _clip_distances(self, X) -> Iterator[Any]:
        """Yield the distances of every clip's rows, float64 (n_rows_i,)."""
        check_is_fitted(self)
        X = check_features(self, X, reset=False)
        check_kind(type(self).__name__, X, self._takes_frames)
        return (
            part
            for rows, lengths in row_batches(X, self.n_features_in_)
            for part in np.split(of_readable(self._row_distances, rows), np.cumsum(lengths)[:-1])
        )

    def _check_parameters(self):
        """Check the parameters of the subclass, before anything is computed."""

    def _ignores_lengths(self):
        """Whether distances depend on directions alone, so that rows may be too long to be squared."""
        return False

    @abstractmethod
    def _fit_rows(self, rows, members, domains):
        """Learn from the training rows, and measure each of them without its own clip or group.

        Parameters
        ----------
        rows : ndarray of shape (n_rows, n_features + n_spare_columns), float32 or float64
            A copy, which the detector may keep and write to.
        members : ndarray of int of shape (n_rows,)
            Number of the clip that each row belongs to, or of its group where `fit` got groups.
        domains : ndarray of shape (n_rows,) or None
            Domain of the clip that each row belongs to.

        Returns
        -------
        ndarray of shape (n_rows,), float64
            Distance of every row from what is learnt without the rows of the same member.
        """

    @abstractmethod
    def _row_distances(self, rows):
        """Measure new rows. Read parameters from ``_settings``, because a parameter set later waits for the next `fit`.

        Parameters
        ----------
        rows : ndarray of shape (n_rows, n_features)
            Finite values of any size.

        Returns
        -------
        ndarray of shape (n_rows,), float64
            Finite distances. The distance of a row does not depend on the other rows.
        """

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags


def _pool(distances, settings):
    """Scores of clips, float64 (n_clips,), from the distances of the rows of each."""
    return _negative(pool_over_time(distances, settings["time_pooling"], settings["time_quantile"]))


def _negative(distances):
    """Scores from distances: higher is more normal, and a distance of 0 gives 0, not -0."""
    return 0.0 - distances
