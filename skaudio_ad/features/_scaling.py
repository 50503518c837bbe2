"""`ClipScaler`: min-max and z-score scaling, with statistics per clip, per bin or over the data set."""

from typing import Any, Literal, Self

import numpy as np
from sklearn.base import BaseEstimator, OneToOneFeatureMixin
from sklearn.utils.validation import check_is_fitted

from .._checks import check_number, check_option
from .._clip_errors import with_names
from .._input_checks import check_features
from .._lazy import LazySequence, is_missing
from .._output import TableOutputMixin
from .._typing import Clips, FloatArray


class ClipScaler(OneToOneFeatureMixin, TableOutputMixin, BaseEstimator):
    """Scale features or spectrograms by their range or their standard deviation.

    Parameters
    ----------
    method : {"minmax", "zscore"}, default="minmax"
        "minmax" is ``(x - min) / (max - min + eps)``, "zscore" is ``(x - mean) / (std + eps)``. The standard
        deviation divides by n - 1.

    statistics : {"clip", "bin", "dataset"}, default="clip"
        Values that the statistics come from.

        - "clip": every clip has its own statistics. Nothing is learnt, and the loudness of a clip is lost.
        - "bin": every frequency bin (or feature) has its own statistics, from the training clips. The loudness is
          kept.
        - "dataset": the statistics come from all values of the training clips. The loudness is kept.

    eps : float, default=1e-8
        Number that is added to the denominator, in the unit of the features. With this number, a constant clip becomes
        0 instead of NaN.

    Attributes
    ----------
    center_ : ndarray of shape (n_bins, 1), float64
        Minimum or mean of the training clips. One row for "dataset"; absent for "clip".

    scale_ : ndarray of shape (n_bins, 1), float64
        Range or standard deviation of the training clips. One row for "dataset"; absent for "clip".

    See Also
    --------
    sklearn.preprocessing.MinMaxScaler : Scale every feature of 2-D features to any range.

    Examples
    --------
    >>> import numpy as np
    >>> from skaudio_ad import ClipScaler
    >>> X = np.array([[[0.0, 5.0, 10.0]], [[2.0, 3.0, 4.0]]])
    >>> scaler = ClipScaler().fit(X)
    >>> scaled = scaler.transform(X)
    >>> scaled[1].round(6).tolist()
    [[0.0, 0.5, 1.0]]
    >>> scaler.inverse_transform(scaled, scaler.clip_statistics(X))[1].round(6).tolist()
    [[2.0, 3.0, 4.0]]
    """

    center_: FloatArray
    scale_: FloatArray

    def __init__(
        self,
        method: Literal["minmax", "zscore"] = "minmax",
        statistics: Literal["clip", "bin", "dataset"] = "clip",
        *,
        eps: float = 1e-8,
    ) -> None:
        self.method = method
        self.statistics = statistics
        self.eps = eps

    def fit(self, X: Clips, y: Any = None) -> Self:
        """Learn the statistics of the training clips. With ``statistics="clip"``, only check parameters and input.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_features) or (n_clips, n_bins, n_frames)
            Or a list of (n_bins, n_frames_i), or a lazy sequence of such arrays. Clips of NaN are left out.
        y : None
            Ignored.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError, TypeError
            If a parameter is unknown, or X is empty, not finite or NaN throughout.
        """
        check_option(self.method, "method", ("minmax", "zscore"))
        check_option(self.statistics, "statistics", ("clip", "bin", "dataset"))
        check_number(self.eps, "eps", low=0)
        X = check_features(self, X, reset=True)
        if self.statistics != "clip":
            self.center_, self.scale_ = self._learn(X)
        return self

    def transform(self, X: Clips) -> Any:
        """Scale every clip.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_features) or (n_clips, n_bins, n_frames)
            Or a list of (n_bins, n_frames_i), or a lazy sequence of such arrays.

        Returns
        -------
        ndarray of the same shape
            Scaled clips. A list or a lazy sequence where X is one.
        """
        check_is_fitted(self)
        clips: Any = check_features(self, X, reset=False)
        if isinstance(clips, LazySequence):
            return clips.map(self._scale_item)
        if isinstance(clips, list):
            return with_names([self._scale_item(item) for item in clips], clips)
        if self.statistics == "clip":
            return self._scale(
                clips, *self._measure(clips.reshape(len(clips), -1), axis=1, shape=_per_clip(clips))
            )
        return self._scale(clips, *self._learnt(clips))

    def inverse_transform(self, X: Clips, statistics: Any = None) -> Any:
        """Undo `transform`.

        Parameters
        ----------
        X : ndarray of shape (n_clips, n_features) or (n_clips, n_bins, n_frames), or list of 2-D ndarray
            Scaled clips.

        statistics : ndarray of shape (n_clips, 2), default=None
            Output of :meth:`clip_statistics` for the clips before scaling. Needed with ``statistics="clip"``, because
            the scaler does not keep the statistics of single clips.

        Returns
        -------
        ndarray of the same shape, or list
            Clips on their scale before `transform`.
        """
        check_is_fitted(self)
        clips: Any = check_features(self, X, reset=False)
        if self.statistics != "clip":
            if isinstance(clips, (list, LazySequence)):
                return [self._unscale(item, self.center_, self.scale_) for item in clips]
            return self._unscale(clips, *self._learnt(clips))
        if statistics is None:
            raise ValueError(
                'ClipScaler(statistics="clip") keeps no range of a clip: pass statistics='
                "scaler.clip_statistics(X) of the clips before scaling."
            )
        statistics = np.asarray(statistics, dtype=np.float64)
        if statistics.shape != (len(clips), 2):
            raise ValueError(
                f"statistics must have shape ({len(clips)}, 2), one row per clip, got {statistics.shape}."
            )
        center = statistics[:, 0]
        scale = statistics[:, 1] - center if self.method == "minmax" else statistics[:, 1]
        if isinstance(clips, (list, LazySequence)):
            return [self._unscale(item, center[i], scale[i]) for i, item in enumerate(clips)]
        return self._unscale(clips, center.reshape(_per_clip(clips)), scale.reshape(_per_clip(clips)))

    def clip_statistics(self, X: Clips) -> FloatArray:
        """Compute the statistics of every clip: minimum and maximum ("minmax"), or mean and deviation ("zscore").

        Parameters
        ----------
        X : array-like of shape (n_clips, n_features) or (n_clips, n_bins, n_frames), or list of 2-D ndarray

        Returns
        -------
        ndarray of shape (n_clips, 2), float64
            Statistics of the clips. :meth:`inverse_transform` needs these statistics.
        """
        clips: Any = check_features(self, X, reset=False)
        rows = []
        for item in clips:
            center, scale = self._measure(item.reshape(1, -1), axis=1, shape=())
            rows.append((center, center + scale if self.method == "minmax" else scale))
        return np.array(rows, dtype=np.float64)

    def _measure(self, values, *, axis, shape):
        """Return centre and scale along an axis, in float64."""
        if self.method == "minmax":
            center = values.min(axis=axis).astype(np.float64)
            scale = values.max(axis=axis).astype(np.float64) - center
        else:
            center = values.mean(axis=axis, dtype=np.float64)
            # A single value gets the deviation 0. Then eps prevents a division by 0.
            ddof = 1 if values.shape[axis] > 1 else 0
            scale = values.std(axis=axis, dtype=np.float64, ddof=ddof)
        return center.reshape(shape), scale.reshape(shape)

    def _learn(self, X):
        """Return centre and scale over the training clips. Only one clip is in memory at a time."""
        if not isinstance(X, (list, LazySequence)) and X.ndim == 2:
            X = [X[~np.isnan(X).any(axis=1)].T]  # one array: features become bins, clips become frames
        count, mean, squares, low, high = 0, 0.0, 0.0, np.inf, -np.inf
        for item in X:
            if item.size == 0 or is_missing(item):
                continue
            values = item.reshape(1, -1) if self.statistics == "dataset" else item
            # The mean and the squared deviation are updated clip by clip (Chan, Golub, LeVeque 1983).
            n, m = values.shape[1], values.mean(axis=1, dtype=np.float64, keepdims=True)
            delta = m - mean
            squares = (
                squares
                + np.square(values - m).sum(axis=1, keepdims=True)
                + delta**2 * count * n / (count + n)
            )
            mean, count = mean + delta * n / (count + n), count + n
            low = np.minimum(low, values.min(axis=1, keepdims=True))
            high = np.maximum(high, values.max(axis=1, keepdims=True))
        if not count:
            raise ValueError("ClipScaler has nothing to learn from: every clip is NaN.")
        if self.method == "minmax":
            return np.asarray(low, np.float64), np.asarray(high, np.float64) - low
        return mean, np.sqrt(squares / max(count - 1, 1))

    def _learnt(self, X):
        """Return the learnt statistics, in a shape that broadcasts over an array of clips."""
        flat = X.ndim == 2
        return (self.center_[:, 0], self.scale_[:, 0]) if flat else (self.center_, self.scale_)

    def _scale_item(self, item):
        if self.statistics == "clip":
            return self._scale(item, *self._measure(item.reshape(1, -1), axis=1, shape=()))
        return self._scale(item, self.center_, self.scale_)

    def _scale(self, x, center, scale):
        return ((x - center) / (scale + self.eps)).astype(x.dtype)

    def _unscale(self, x, center, scale):
        return (x * (scale + self.eps) + center).astype(x.dtype)

    def __sklearn_is_fitted__(self):
        return hasattr(self, "center_") or (self.statistics == "clip" and hasattr(self, "n_features_in_"))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


def _per_clip(X):
    return (len(X),) + (1,) * (X.ndim - 1)
