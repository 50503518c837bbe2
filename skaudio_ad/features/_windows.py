"""Waveforms to frames, spectrograms to patches."""

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from .._checks import check_number
from .._input_checks import check_features
from .._lazy import ClipError, LazySequence, map_collect
from .._output import TableOutputMixin, bin_names
from ._spectral import WaveformTransformer


class FrameTransformer(WaveformTransformer):
    """Cut every waveform into overlapping frames.

    A clip of N samples has ``(N - frame_length) // hop_length + 1`` frames; samples after the last whole
    frame are left over.

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
    Output is (n_clips, frame_length, n_frames), time last, as in ``librosa.util.frame``.

    Examples
    --------
    >>> import numpy as np
    >>> from skaudio_ad import FrameTransformer
    >>> FrameTransformer(frame_length=4, hop_length=2).fit_transform(np.arange(20.0).reshape(2, 10)).shape
    (2, 4, 4)
    """

    def __init__(self, frame_length=2048, hop_length=512, *, lazy=False):
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

    A spectrogram of N frames has ``(N - patch_length) // hop_length + 1`` patches; frames after the last
    whole patch are left over.

    Parameters
    ----------
    patch_length : int, default=64
        Length of a patch, in frames (the section classifier of the DCASE 2021 baseline).

    hop_length : int, default=8
        Step between the starts of two patches, in frames (the same baseline).

    Notes
    -----
    Output is (n_clips, n_patches, n_bins, patch_length), a view where the input is an array; a list of
    (n_patches_i, n_bins, patch_length) where clips differ in length. 2-D input is taken as clips of one frame.

    Examples
    --------
    >>> import numpy as np
    >>> from skaudio_ad import PatchTransformer
    >>> PatchTransformer(patch_length=32, hop_length=16).fit_transform(np.zeros((2, 128, 313))).shape
    (2, 18, 128, 32)
    """

    def __init__(self, patch_length=64, hop_length=8):
        self.patch_length = patch_length
        self.hop_length = hop_length

    def fit(self, X, y=None):
        """Check parameters and input; nothing is learnt but the number of bins.

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
            If a parameter is out of range or X is no spectrograms.
        """
        self._function()
        check_features(self, X, reset=True)
        return self

    def transform(self, X):
        """Return the patches of every spectrogram.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_bins, n_frames), or list of (n_bins, n_frames_i)

        Returns
        -------
        ndarray of shape (n_clips, n_patches, n_bins, patch_length)
            Or a list of (n_patches_i, n_bins, patch_length).

        Raises
        ------
        ValueError
            If a spectrogram is shorter than one patch.
        """
        function = self._function()
        X = check_features(self, X, reset=False)
        if isinstance(X, (list, LazySequence)):
            return map_collect(_MovedWindows(function), X)
        if X.ndim == 2:
            X = X[:, :, np.newaxis]
        return np.moveaxis(function(X), -1, 1)

    def get_feature_names_out(self, input_features=None):
        """Names of the bins of a patch.

        Parameters
        ----------
        input_features : ignored

        Returns
        -------
        ndarray of str of shape (n_bins,)
            x0, x1, ...
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
    """Windows along the last axis: (..., n) to (..., length, n_windows), without a copy."""

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
    """`_Windows` of one spectrogram with the windows on the first axis."""

    def __init__(self, windows):
        self.windows = windows

    def __call__(self, x):
        return np.moveaxis(self.windows(x), -1, 0)
