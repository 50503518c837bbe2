"""`ChannelResidual`: the features of a near microphone minus a part of those of a far microphone."""

from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from .._checks import check_number
from .._clip_errors import ClipError, with_names
from .._input_checks import check_features
from .._lazy import LazySequence
from .._output import TableOutputMixin, bin_names
from .._typing import Clips

_NEAR = "near_"


class ChannelResidual(TableOutputMixin, BaseEstimator):
    """Subtract a part of the far microphone's features from those of the near microphone.

    A machine is louder in the microphone beside it, and noise of the surroundings is about as loud in both. The
    difference ``near - alpha * far`` can therefore depend less on the noise. It need not: choose `alpha` on labelled
    clips, and try 0 (the near microphone alone), which may be best.

    Embeddings of clips of two channels (``AudioLoader(channel="near-far")``) hold the near values in the first half of
    the second axis and the far values in the second half. The output has half as many features.

    Parameters
    ----------
    alpha : float, default=0.5
        Weight of the far channel, 0 or more. With 0, only the near channel counts. The default is the weight that
        systems of DCASE 2026 Task 2 use on frozen embeddings. Their reports state a gain. No stereo recordings
        were there to measure the gain again. The best weight depends on the microphones and on the embedding.

    Attributes
    ----------
    n_features_in_ : int
        Number of features of both channels together; of bins, for sequences.

    See Also
    --------
    skaudio_ad.audio.AudioLoader : Keep both channels of a recording with ``channel="near-far"``.

    Notes
    -----
    An embedding is no linear function of the sound, so the difference of two embeddings is not the embedding of the
    sound without noise. On synthetic scenes with two microphones and embeddings of "mini" (outputs "block13" and
    "block15"), ``alpha=0.5`` had a lower AUC than the near microphone alone in most cases.

    Nothing is learnt. In a pipeline the step follows the embedding, so a search over `alpha` needs every recording to
    be embedded once only, if the embedding has a `memory` or is computed before the search.

    Examples
    --------
    >>> import numpy as np
    >>> from skaudio_ad import ChannelResidual
    >>> X = np.array([[4.0, 6.0, 2.0, 8.0]])  # two features of the near channel, two of the far channel
    >>> ChannelResidual(alpha=0.5).fit_transform(X).tolist()
    [[3.0, 2.0]]
    """

    n_features_in_: int

    def __init__(self, alpha: float = 0.5) -> None:
        self.alpha = alpha

    def fit(self, X: Clips, y: Any = None) -> Self:
        """Check parameters and input. Nothing is learnt.

        Parameters
        ----------
        X : array-like of shape (n_clips, 2 * n_features), (n_clips, 2 * n_bins, n_frames) or \
(n_clips, 2 * n_channels, n_bands, n_frames)
            Near channel in the first half of the second axis, far channel in the second half. Or a list of such clips
            of different lengths, or a lazy sequence of (2 * n_bins, n_frames_i).
        y : None
            Ignored.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError, TypeError
            If `alpha` is out of range, X is empty or not finite, or its number of features is odd.
        """
        self._check(X, reset=True)
        return self

    def transform(self, X: Clips) -> Any:
        """Return ``near - alpha * far`` of every clip.

        Parameters
        ----------
        X : array-like of shape (n_clips, 2 * n_features), (n_clips, 2 * n_bins, n_frames) or \
(n_clips, 2 * n_channels, n_bands, n_frames)
            As in `fit`.

        Returns
        -------
        ndarray of shape (n_clips, n_features), (n_clips, n_bins, n_frames) or (n_clips, n_channels, n_bands, n_frames)
            A list or a lazy sequence where X is one. Clips of NaN, which could not be read, stay NaN.
        """
        clips = self._check(X, reset=False)
        residual = _Residual(self.alpha)
        if isinstance(clips, LazySequence):
            return clips.map(residual)
        if isinstance(clips, list):
            return with_names([residual(clip) for clip in clips], clips)
        return np.ascontiguousarray(np.moveaxis(residual(np.moveaxis(clips, 1, 0)), 0, 1))

    def get_feature_names_out(self, input_features: Any = None) -> npt.NDArray[np.object_]:
        """Return the names of the features of the difference.

        Parameters
        ----------
        input_features : array-like of str of shape (2 * n_features,), default=None
            Names of the features of both channels. None means those of `fit`, or x0, x1, ...

        Returns
        -------
        ndarray of str of shape (n_features,)
            Names of the near features with "residual" in place of "near". x0, x1, ... without names.
        """
        check_is_fitted(self, "n_features_in_")
        fitted = getattr(self, "feature_names_in_", None)
        names = fitted if input_features is None else np.asarray(input_features, dtype=object)
        if names is None:
            return bin_names(self.n_features_in_ // 2)
        if len(names) != self.n_features_in_:
            raise ValueError(
                f"input_features must name {self.n_features_in_} features, got {len(names)} names."
            )
        if fitted is not None and not np.array_equal(names, fitted):
            raise ValueError("input_features is not equal to feature_names_in_, the names of fit.")
        near = names[: len(names) // 2]
        return np.array([f"residual_{name.removeprefix(_NEAR)}" for name in near], dtype=object)

    def _check(self, X, *, reset):
        check_number(self.alpha, "alpha", low=0)
        checked = self._check_kind(X, reset)
        if self.n_features_in_ % 2:
            raise ValueError(
                f"ChannelResidual takes as many features of the near channel as of the far channel, got an odd number, "
                f'n_features={self.n_features_in_}: embed clips of AudioLoader(channel="near-far").'
            )
        return checked

    def _check_kind(self, X, reset):
        """Return X as an array, a list or a lazy sequence of finite numbers."""
        if isinstance(X, list) and X and all(getattr(x, "ndim", 0) == 3 for x in X):
            # Grids are checked as sequences are: with all bands of all frames in one axis.
            check_features(self, [np.asarray(x).reshape(len(x), -1) for x in X], reset=reset)
            return X
        if getattr(X, "ndim", 2) == 4:
            X = np.asarray(X)
            return check_features(self, X.reshape(*X.shape[:2], -1), reset=reset).reshape(X.shape)
        return check_features(self, X, reset=reset)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.input_tags.three_d_array = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


class _Residual:
    """Function that subtracts the second half of the first axis. A class, because the function must pickle."""

    def __init__(self, alpha):
        self.alpha = alpha

    def __call__(self, clip):
        if len(clip) % 2:
            raise ClipError(f"has {len(clip)} features, and both channels have the same number of features.")
        if clip.dtype.kind != "f":
            clip = clip.astype(np.float32)
        near, far = np.split(clip, 2)
        return near - clip.dtype.type(self.alpha) * far
