"""`TemporalPooling`: turn the frames of a clip into one vector."""

import re
from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from .._checks import check_number
from .._doc_links import DocLinkMixin
from .._input_checks import check_features
from .._lazy import ClipError, is_missing, map_collect
from .._time_statistics import generalised_mean, relative_deviation
from .._typing import Clips

_NAMES = ("mean", "std", "min", "max", "gem", "rdp", "flatten")
_PERCENTILE = re.compile(r"percentile_(\d+(?:\.\d+)?)")


class TemporalPooling(DocLinkMixin, TransformerMixin, BaseEstimator):
    """Summarise the frames of every clip by statistics over time.

    Parameters
    ----------
    statistics : str or tuple of str, default=("mean", "std")
        Any of "mean", "std", "min", "max", "percentile_<q>" (such as "percentile_95"), "gem" (generalised
        mean), "rdp" (relative deviation pooling) and "flatten" (all frames one after the other, for clips of
        one length). The output holds the values of the statistics side by side. The mean and standard deviation of
        a log-mel spectrogram are the usual first baseline.

    gem_p : float, default=3.0
        Exponent p of the generalised mean ``mean(max(x, 1e-6)^p)^(1/p)`` of the positive part. The exponent 1 gives
        the mean, and infinity the maximum. The default comes from Radenovic et al. 2018.

    rdp_gamma : float, default=20.0
        Exponent of relative deviation pooling. The weight of a frame is ``(1 + d / max d)^gamma``, where d is the
        distance of the frame from the mean frame of the clip. So rare frames get a large weight. Published systems use
        16 to 20.

    Attributes
    ----------
    n_frames_ : int
        Number of frames of a clip; only with "flatten".

    Notes
    -----
    2-D input counts as clips of one frame. Clips that could not be read stay NaN.

    Examples
    --------
    >>> import numpy as np
    >>> from skaudio_ad import TemporalPooling
    >>> TemporalPooling().fit_transform(np.array([[[1.0, 3.0]], [[5.0, 5.0]]])).tolist()
    [[2.0, 1.0], [5.0, 0.0]]
    """

    n_frames_: int

    def __init__(
        self,
        statistics: str | Sequence[str] = ("mean", "std"),
        *,
        gem_p: float = 3.0,
        rdp_gamma: float = 20.0,
    ) -> None:
        self.statistics = statistics
        self.gem_p = gem_p
        self.rdp_gamma = rdp_gamma

    def fit(self, X: Clips, y: Any = None) -> Self:
        """Check parameters and input. Only the number of bins is learnt, and the number of frames for "flatten".

        Parameters
        ----------
        X : array-like of shape (n_clips, n_bins, n_frames)
            Or a list of (n_bins, n_frames_i), or a lazy sequence of such arrays.
        y : None
            Ignored.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError, TypeError
            If a statistic is unknown, a parameter is out of range, or X is not finite or empty.
        """
        self._names()
        X = check_features(self, X, reset=True)
        if "flatten" in self._names():
            self.n_frames_ = _n_frames(X)
        return self

    def transform(self, X: Clips) -> Any:
        """Pool every clip.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_bins, n_frames)
            Or a list of (n_bins, n_frames_i), or a lazy sequence of such arrays.

        Returns
        -------
        ndarray of shape (n_clips, n_statistics * n_bins), float32
            Statistics one after the other, with all bins of one statistic side by side; see
            :meth:`get_feature_names_out`.
        """
        check_is_fitted(self)
        clips: Any = check_features(self, X, reset=False)
        functions = [self._function(name) for name in self._names()]
        if getattr(clips, "ndim", 3) == 2:
            return _pool(functions, clips[:, :, np.newaxis])
        # Clips are pooled one by one, because a deviation over all clips would need a second copy of all clips.
        return map_collect(partial(_pool, functions), clips)

    def get_feature_names_out(self, input_features: Any = None) -> npt.NDArray[np.object_]:
        """Return the names of the output columns, such as ``x0_mean``.

        Parameters
        ----------
        input_features : array-like of str of shape (n_bins,), default=None
            Names of the bins. None means the names seen in `fit`, or x0, x1, ...

        Returns
        -------
        ndarray of str
        """
        check_is_fitted(self)
        default = getattr(self, "feature_names_in_", [f"x{i}" for i in range(self.n_features_in_)])
        bins = default if input_features is None else input_features
        if len(bins) != self.n_features_in_:
            raise ValueError(f"input_features must name {self.n_features_in_} bins, got {len(bins)} names.")
        names = []
        for statistic in self._names():
            if statistic == "flatten":
                names += [f"{name}_frame{frame}" for name in bins for frame in range(self.n_frames_)]
            else:
                names += [f"{name}_{statistic}" for name in bins]
        return np.array(names, dtype=object)

    def _names(self):
        names = [self.statistics] if isinstance(self.statistics, str) else list(self.statistics)
        if not names:
            raise ValueError("statistics must name at least one statistic, got none.")
        for name in names:
            if percentile := _PERCENTILE.fullmatch(str(name)):
                check_number(float(percentile[1]), f"the percentile of {name!r}", low=0, high=100)
            elif name not in _NAMES:
                raise ValueError(
                    f"statistics must be among {', '.join(_NAMES)}, percentile_<q>, got {name!r}."
                )
        check_number(self.gem_p, "gem_p", low=0, closed="neither")
        check_number(self.rdp_gamma, "rdp_gamma", low=0)
        return names

    def _function(self, name):
        if percentile := _PERCENTILE.fullmatch(name):
            return partial(np.percentile, q=float(percentile[1]), axis=-1)
        if name == "gem":
            return partial(generalised_mean, p=self.gem_p)
        if name == "rdp":
            return partial(relative_deviation, gamma=self.rdp_gamma)
        if name == "flatten":
            return partial(_flatten, n_frames=self.n_frames_)
        return partial(getattr(np, name), axis=-1)

    def __sklearn_is_fitted__(self):
        return hasattr(self, "n_features_in_")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.transformer_tags.preserves_dtype = []
        return tags


def _n_frames(X):
    """Return the number of frames of the first readable clip. In a list, return the most common number."""
    if isinstance(X, list):
        # If the first clip set the length, one short clip at the start would make all other clips wrong.
        lengths = Counter(clip.shape[1] for clip in X if not is_missing(clip))
        return lengths.most_common(1)[0][0] if lengths else X[0].shape[1]
    first = next((X[i] for i in range(len(X)) if not is_missing(X[i])), X[0])
    return 1 if first.ndim == 1 else first.shape[1]


def _pool(functions, x):
    """Concatenate statistics of x, (..., n_bins, n_frames) to (..., n_statistics * n_bins)."""
    return np.concatenate([np.asarray(f(x), dtype=np.float32) for f in functions], axis=-1)


def _flatten(x, n_frames):
    if x.shape[-1] != n_frames and is_missing(x):
        return np.full(x.shape[-2] * n_frames, np.nan)
    if x.shape[-1] != n_frames:
        raise ClipError(
            f'statistics="flatten" needs clips of one length: {n_frames} frames in fit, now {x.shape[-1]}. '
            "Give AudioLoader a duration and a pad."
        )
    return x.reshape(*x.shape[:-2], -1)
