"""Cut waveforms into frames, and spectrograms into patches."""

from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from .._checks import check_number
from .._input_checks import check_features
from .._lazy import ClipError, LazySequence, map_collect
from .._output import TableOutputMixin, bin_names
from .._typing import Clips
from ._spectral import WaveformTransformer


class FrameTransformer(WaveformTransformer):
    """Cut every waveform into overlapping frames.

    A clip of N samples has ``(N - frame_length) // hop_length + 1`` frames. Samples after the last whole frame are
    not used.

    Parameters
    ----------
    frame_length : int, default=2048
        Length of a frame, in samples (librosa's default).

    hop_length : int, default=512
        Step between the starts of two frames, in samples (librosa's default).

    lazy : bool, default=False
        Whether `transform` returns a lazy sequence, as in :class:`MelTransformer`.

    Notes
    -----
    The output has the shape (n_clips, frame_length, n_frames), as in ``librosa.util.frame``. Time is the last axis.

    Examples
    --------
    >>> import numpy as np
    >>> from skaudio_ad import FrameTransformer
    >>> FrameTransformer(frame_length=4, hop_length=2).fit_transform(np.arange(20.0).reshape(2, 10)).shape
    (2, 4, 4)
    """

    def __init__(self, frame_length: int = 2048, hop_length: int = 512, *, lazy: bool = False) -> None:
        self.frame_length = frame_length
        self.hop_length = hop_length
        self.lazy = lazy

    def _function(self):
        check_number(self.frame_length, "frame_length", low=1, integer=True)
        check_number(self.hop_length, "hop_length", low=1, integer=True)
        return _Windows(self.frame_length, self.hop_length, "samples", "frame_length")

    def _rate(self):
        return None

    def _n_bins(self):
        return self.frame_length


class PatchTransformer(TableOutputMixin, BaseEstimator):
    """Cut every spectrogram into overlapping patches along time.

    A spectrogram of N frames has ``(N - patch_length) // hop_length + 1`` patches. Frames after the last whole patch
    are not used.

    Parameters
    ----------
    patch_length : int, default=64
        Length of a patch, in frames. The default comes from the section classifier of the DCASE 2021 baseline.

    hop_length : int, default=8
        Step between the starts of two patches, in frames. The default comes from the same baseline.

    Notes
    -----
    The output has the shape (n_clips, n_patches, n_bins, patch_length), and is a view where the input is an array. The
    output is a list of (n_patches_i, n_bins, patch_length) where clips differ in length. 2-D input counts as clips of
    one frame.

    Examples
    --------
    >>> import numpy as np
    >>> from skaudio_ad import PatchTransformer
    >>> PatchTransformer(patch_length=32, hop_length=16).fit_transform(np.zeros((2, 128, 313))).shape
    (2, 18, 128, 32)
    """

    def __init__(self, patch_length: int = 64, hop_length: int = 8) -> None:
        self.patch_length = patch_length
        self.hop_length = hop_length

    def fit(self, X: Clips, y: Any = None) -> Self:
        """Check parameters and input. Only the number of bins is learnt.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_bins, n_frames), or list of (n_bins, n_frames_i)
        y : None
            Ignored.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError, TypeError
            If a parameter is out of range or X does not hold spectrograms.
        """
        self._function()
        check_features(self, X, reset=True)
        return self

    def transform(self, X: Clips) -> Any:
        """Return the patches of every spectrogram.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_bins, n_frames), or list of (n_bins, n_frames_i)

        Returns
        -------
        ndarray of shape (n_clips, n_patches, n_bins, patch_length)
            Patches. A list of (n_patches_i, n_bins, patch_length) where clips differ in length.

        Raises
        ------
        ValueError
            If a spectrogram is shorter than one patch.
        """
        function = self._function()
        clips: Any = check_features(self, X, reset=False)
        if isinstance(clips, (list, LazySequence)):
            return map_collect(_MovedWindows(function), clips)
        if clips.ndim == 2:
            clips = clips[:, :, np.newaxis]
        return np.moveaxis(function(clips), -1, 1)

    def get_feature_names_out(self, input_features: Any = None) -> npt.NDArray[np.object_]:
        """Return the names of the bins of a patch.

        Parameters
        ----------
        input_features : ignored

        Returns
        -------
        ndarray of str of shape (n_bins,)
            Names x0, x1, ...
        """
        check_is_fitted(self, "n_features_in_")
        return bin_names(self.n_features_in_)

    def _function(self):
        check_number(self.patch_length, "patch_length", low=1, integer=True)
        check_number(self.hop_length, "hop_length", low=1, integer=True)
        return _Windows(self.patch_length, self.hop_length, "frames", "patch_length")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.input_tags.three_d_array = True
        tags.transformer_tags.preserves_dtype = []
        return tags


class _Windows:
    """Function that cuts windows along the last axis: (..., n) to (..., length, n_windows), without a copy."""

    def __init__(self, length, hop, unit, parameter):
        self.length, self.hop, self.unit, self.parameter = length, hop, unit, parameter

    def __call__(self, x):
        if x.shape[-1] < self.length:
            raise ClipError(
                f"has {x.shape[-1]} {self.unit}, fewer than {self.parameter}={self.length}; make {self.parameter} "
                "smaller, or load longer clips (AudioLoader with a duration and a pad)."
            )
        windows = np.lib.stride_tricks.sliding_window_view(x, self.length, axis=-1)[..., :: self.hop, :]
        return np.swapaxes(windows, -1, -2)


class _MovedWindows:
    """Function that cuts one spectrogram into windows, with the windows on the first axis."""

    def __init__(self, windows):
        self.windows = windows

    def __call__(self, x):
        return np.moveaxis(self.windows(x), -1, 0)
