"""`ShrinkageWhitener`: decorrelate features by a shrunk covariance, also with fewer clips than features."""

import warnings
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, OneToOneFeatureMixin
from sklearn.utils.validation import check_is_fitted

from .._checks import users_level
from .._clip_errors import with_names
from .._input_checks import check_features
from .._lazy import LazySequence, is_missing
from .._output import TableOutputMixin
from .._shrinkage import find_shrinkage
from .._typing import Clips, FloatArray

# Maximum absolute value after standardisation. The squares of larger values are infinite in float64.
_LARGEST = 1e150


class ShrinkageWhitener(OneToOneFeatureMixin, TableOutputMixin, BaseEstimator):
    """Standardise and decorrelate features by the shrunk covariance of the training clips.

    Every feature gets the mean 0 and the variance 1. Then the inverse square root of the Ledoit-Wolf covariance [1]_ is
    applied. Directions in which normal clips differ count less, and correlated features count once. Directions in which
    the training clips do not differ are kept, because an anomaly may show there. Their variance is the shrinkage times
    the mean variance. No setting is needed, and any number of clips will do: 24 clips of 3000 features are common.

    Euclidean distances between whitened clips are Mahalanobis distances between the clips. A nearest-neighbour search
    on whitened embeddings (``make_pipeline(ShrinkageWhitener(), NearestNeighborsDetector())``) is the default of
    :func:`make_detector`.

    Attributes
    ----------
    mean_ : ndarray of shape (n_features,), float64
        Mean of the training clips.

    scale_ : ndarray of shape (n_features,), float64
        Standard deviation of the training clips, with n in the denominator. 1 for a constant feature.

    shrinkage_ : float
        Weight of the identity in the covariance of the standardised features, 0 to 1: the value of
        :func:`sklearn.covariance.ledoit_wolf_shrinkage`. 1 where that covariance has no inverse.

    components_ : ndarray of shape (n_components, n_features), float64
        Principal directions of the standardised training clips, with the largest variance first.

    explained_variance_ : ndarray of shape (n_components,), float64
        Variance of the standardised training clips along ``components_``, before shrinkage, with n in the denominator.

    noise_variance_ : float
        Variance after shrinkage in all directions beside ``components_``.

    n_components_ : int
        Number of directions in which the training clips differ, at most ``n_samples_fit_ - 1``.

    n_samples_fit_ : int
        Number of clips that `fit` could read; of frames, for sequences.

    n_features_in_ : int
        Number of features; of bins, for sequences.

    See Also
    --------
    sklearn.decomposition.PCA : ``PCA(whiten=True)`` drops the directions in which the training clips do not differ.
    MahalanobisDetector : Distance from the mean by the same covariance.

    Notes
    -----
    Sequences (n_clips, n_bins, n_frames) are whitened frame by frame, with the mean and covariance of all frames.

    Everything is computed in float64. The output has the type of the input. `fit` takes about ``2 n^2 p + 10 n^3``
    operations for n clips of p features where n is smaller than p, and ``2 n p^2 + 10 p^3`` otherwise. `transform`
    takes ``4 n_components p`` operations a clip, and no matrix of p x p values is made where n is smaller than p.

    A single training clip, copies of one clip, and two clips say nothing about the covariance. `fit` then warns and
    only standardises.

    References
    ----------
    .. [1] O. Ledoit and M. Wolf, "A well-conditioned estimator for large-dimensional covariance matrices", Journal of
       Multivariate Analysis, 2004.

    Examples
    --------
    >>> import numpy as np
    >>> from skaudio_ad import ShrinkageWhitener
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(1000, 2)) @ [[3.0, 0.0], [2.9, 0.5]]
    >>> whitener = ShrinkageWhitener().fit(X)
    >>> np.cov(whitener.transform(X).T).round(1).tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """

    mean_: FloatArray
    scale_: FloatArray
    shrinkage_: float
    components_: FloatArray
    explained_variance_: FloatArray
    noise_variance_: float
    n_components_: int
    n_samples_fit_: int

    def fit(self, X: Clips, y: Any = None) -> Self:
        """Learn mean, standard deviation and covariance of the training clips.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_features) or (n_clips, n_bins, n_frames)
            Or a list of (n_bins, n_frames_i), or a lazy sequence of such arrays. Clips of NaN, which could not be
            read, are left out.
        y : None
            Ignored.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            If X is empty, not finite, NaN throughout, or too large to be squared.

        Warns
        -----
        UserWarning
            If the training clips say nothing about the covariance: there are one or two, or all are alike.
        """
        clips: Any = check_features(self, X, reset=True)
        rows = _readable_rows(clips)
        if not len(rows):
            raise ValueError("ShrinkageWhitener has nothing to learn from: every clip is NaN.")
        with np.errstate(over="ignore", invalid="ignore"):
            mean, scale = rows.mean(axis=0), rows.std(axis=0)
        if not np.isfinite(scale).all():
            raise ValueError(
                f"X holds values up to {np.abs(rows).max():.3g}, too large to be squared: check the step before the "
                "ShrinkageWhitener."
            )
        # Mean and deviation of a constant feature may have rounding errors, so the values are compared.
        is_constant = (rows == rows[0]).all(axis=0)
        self.mean_ = np.where(is_constant, rows[0], mean)
        self.scale_ = np.where(is_constant | (scale == 0), 1.0, scale)
        rows -= self.mean_
        rows /= self.scale_
        self.n_samples_fit_ = len(rows)
        shape = _principal_shape(rows)
        self.components_, self.explained_variance_ = shape.directions, shape.variances
        self.n_components_ = len(shape.variances)
        self.shrinkage_, self.noise_variance_ = shape.shrinkage, shape.rest
        if not shape.is_learnt:
            warnings.warn(
                f"{len(rows)} training row(s) that differ in {self.n_components_} direction(s) say nothing about the "
                "covariance: ShrinkageWhitener only standardises. Pass more clips that differ.",
                UserWarning,
                stacklevel=users_level(),
            )
        return self

    def transform(self, X: Clips) -> Any:
        """Whiten every clip.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_features) or (n_clips, n_bins, n_frames)
            Or a list of (n_bins, n_frames_i), or a lazy sequence of such arrays.

        Returns
        -------
        ndarray of the same shape
            Whitened clips. A list or a lazy sequence where X is one. Clips of NaN stay NaN.
        """
        check_is_fitted(self)
        return self._map(check_features(self, X, reset=False), self._whiten)

    def inverse_transform(self, X: Clips) -> Any:
        """Undo `transform`.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_features) or (n_clips, n_bins, n_frames), or list of 2-D ndarray
            Whitened clips.

        Returns
        -------
        ndarray of the same shape, or list
            Clips on their scale before `transform`.
        """
        check_is_fitted(self)
        return self._map(check_features(self, X, reset=False), self._unwhiten)

    def _map(self, clips, function):
        """Apply a function of rows to an array, a list or a lazy sequence of clips."""
        if isinstance(clips, LazySequence):
            return clips.map(_OfFrames(function))
        if isinstance(clips, list):
            return with_names([_OfFrames(function)(clip) for clip in clips], clips)
        if clips.ndim == 2:
            return function(clips)
        rows = function(np.moveaxis(clips, 1, 2).reshape(-1, clips.shape[1]))
        return np.moveaxis(rows.reshape(len(clips), -1, clips.shape[1]), 1, 2)

    def _deviations(self):
        """Standard deviations after shrinkage: along the components, and in all other directions."""
        along = (1 - self.shrinkage_) * self.explained_variance_ + self.noise_variance_
        return np.sqrt(along), np.sqrt(self.noise_variance_ or 1.0)

    def _whiten(self, rows):
        along, beside = self._deviations()
        with np.errstate(over="ignore"):
            centred = np.clip((rows - self.mean_) / self.scale_, -_LARGEST, _LARGEST)
        return _rounded(self._stretch(centred, 1 / along, 1 / beside), rows.dtype)

    def _unwhiten(self, rows):
        centred = self._stretch(rows.astype(np.float64), *self._deviations())
        return _rounded(centred * self.scale_ + self.mean_, rows.dtype)

    def _stretch(self, rows, along, beside):
        """Multiply rows by a factor for every component, and by the factor `beside` in all other directions."""
        return rows * beside + ((rows @ self.components_.T) * (along - beside)) @ self.components_

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


class _OfFrames:
    """Function that applies a function of rows to the frames of one clip. A class, because the function must pickle."""

    def __init__(self, function):
        self.function = function

    def __call__(self, clip):
        return np.ascontiguousarray(self.function(clip.T).T)


@dataclass
class _Shape:
    """Principal directions of standardised rows, and the covariance after shrinkage.

    Attributes
    ----------
    directions : ndarray of shape (n_components, n_features)
    variances : ndarray of shape (n_components,)
        Variances before shrinkage, largest first.
    shrinkage : float
    rest : float
        Variance that shrinkage adds in every direction.
    is_learnt : bool
        False if the estimated covariance has no inverse. Then the covariance is the identity.
    """

    directions: npt.NDArray[np.float64]
    variances: npt.NDArray[np.float64]
    shrinkage: float
    rest: float
    is_learnt: bool


def _principal_shape(rows):
    """Find the shape of standardised rows, ndarray of shape (n_rows, n_features)."""
    n_rows, n_features = rows.shape
    lengths = np.einsum("ij,ij->i", rows, rows)
    # The smaller of the two products has the same eigenvalues.
    is_wide = n_rows < n_features
    spread, axes = np.linalg.eigh(rows @ rows.T if is_wide else rows.T @ rows)
    kept = np.flatnonzero(spread > max(rows.shape) * np.finfo(np.float64).eps * spread[-1])[::-1]
    spread, axes = spread[kept], axes[:, kept]
    directions = (axes / np.sqrt(spread)).T @ rows if is_wide else np.ascontiguousarray(axes.T)
    trace, squares, fourth = spread.sum(), np.square(spread).sum(), np.square(lengths).sum()
    shrinkage = find_shrinkage("ledoit-wolf", n_rows, n_features, trace, squares, fourth)
    rest = shrinkage * trace / (n_rows * n_features)
    variances = spread / n_rows
    lowest = rest if len(spread) < n_features else rest + (1 - shrinkage) * variances.min(initial=np.inf)
    # Rounding of sums leaves a tiny shrinkage where the exact shrinkage is 0, as for two clips.
    if not len(spread) or lowest <= 1e-12 * variances[0]:
        return _Shape(directions, variances, 1.0, 1.0, is_learnt=False)
    return _Shape(directions, variances, shrinkage, rest, is_learnt=True)


def _readable_rows(clips):
    """Copy the clips or frames that could be read into one float64 array of shape (n_rows, n_features)."""
    if not isinstance(clips, (list, LazySequence)) and clips.ndim == 2:
        return clips[~np.isnan(clips).any(axis=1)].astype(np.float64)
    frames = [clip.T for clip in clips if not is_missing(clip)]
    return np.concatenate(frames).astype(np.float64) if frames else np.empty((0, 0))


def _rounded(values, dtype):
    """Convert to the type of the input. Values beyond the type become its largest finite value."""
    if values.dtype == dtype:
        return values
    limit = np.finfo(dtype).max
    return np.clip(values, -limit, limit).astype(dtype)
