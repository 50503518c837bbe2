"""Log-mel spectrogram of a waveform, and the shared base class of the transformers of waveforms.

The computation uses NumPy and SciPy instead of torch, because a filter bank is sparse. On one thread, the transform of
SciPy with a sparse product is faster than the transform of torch with a dense product (``benchmarks/speed/mel.py``).
"""

from functools import lru_cache
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import scipy.fft
import scipy.sparse
from scipy.signal import get_window
from sklearn.base import BaseEstimator

from .._checks import check_number, check_option
from .._lazy import ClipError, map_collect
from .._librosa import import_librosa
from .._output import TableOutputMixin, bin_names
from .._typing import Clips
from ..audio import as_clips

# Number of frames of one block. The spectrum of a block is small, so that an hour-long clip needs little more memory
# than its spectrogram.
_BLOCK = 1024


class WaveformTransformer(TableOutputMixin, BaseEstimator):
    """Stateless transformer from waveforms to one array per clip.

    Subclasses have a parameter ``lazy`` and define three methods:

    - ``_function()`` checks the parameters, and returns a picklable function from (n_samples,) to an array.
    - ``_rate()`` returns the sample rate that the transformer needs, or None.
    - ``_n_bins()`` returns the number of rows of the array.
    """

    def fit(self, X: Clips, y: Any = None) -> Self:
        """Check parameters and input. Nothing is learnt.

        Parameters
        ----------
        X : AudioClips, array-like of shape (n_clips, n_samples), list of 1-D ndarray, or list of paths
        y : None
            Ignored.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError, TypeError
            If a parameter is out of range, X holds no clips, or its clips are at another sample rate.
        """
        self._function()
        as_clips(self, X, sample_rate=self._rate(), reset=True)
        return self

    def transform(self, X: Clips) -> Any:
        """Compute the features of every clip. The features of a clip do not depend on the other clips.

        Parameters
        ----------
        X : AudioClips, array-like of shape (n_clips, n_samples), list of 1-D ndarray, or list of paths
            Clips. Arrays must be at ``sample_rate``, and files are resampled to ``sample_rate``.

        Returns
        -------
        ndarray of shape (n_clips, n_bins, n_frames), float32
            Features. A list of (n_bins, n_frames_i) where clips differ in length, and a lazy sequence of such
            arrays with ``lazy=True``. Clips that could not be read (``on_error="skip"``) are NaN.
        """
        function = self._function()
        clips = as_clips(self, X, sample_rate=self._rate(), reset=False)
        return clips.map_features(function) if self.lazy else map_collect(function, clips, finite=True)

    def get_feature_names_out(self, input_features: Any = None) -> npt.NDArray[np.object_]:
        """Return the names of the bins. A later step makes names of columns from these names.

        Parameters
        ----------
        input_features : ignored

        Returns
        -------
        ndarray of str of shape (n_bins,)
            Names x0, x1, ...
        """
        return bin_names(self._n_bins())

    def _rate(self):
        return self.sample_rate

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.input_tags.string = True
        tags.transformer_tags.preserves_dtype = []
        return tags


class LogMel:
    """Function from one waveform (n_samples,) to its log-mel spectrogram (n_mels, n_frames), float32.

    :class:`MelTransformer` documents the parameters.
    """

    def __init__(
        self,
        *,
        sample_rate,
        n_fft,
        win_length,
        hop_length,
        n_mels,
        fmin,
        fmax,
        mel_scale,
        norm,
        power,
        log,
        log_offset,
        top_db,
        pre_emphasis,
        center,
        pad_mode,
    ):
        check_number(sample_rate, "sample_rate", low=1, integer=True)
        check_number(n_fft, "n_fft", low=1, integer=True)
        check_number(win_length, "win_length", low=1, high=n_fft, integer=True, none=True)
        check_number(hop_length, "hop_length", low=1, integer=True)
        check_number(n_mels, "n_mels", low=1, integer=True)
        check_number(fmax, "fmax", low=0, high=sample_rate / 2, closed="right", none=True)
        fmax = sample_rate / 2 if fmax is None else fmax
        check_number(fmin, "fmin", low=0, high=fmax, closed="left")
        check_option(mel_scale, "mel_scale", ("slaney", "htk"))
        check_option(norm, "norm", ("slaney", None))
        check_number(power, "power", low=0, closed="neither")
        check_option(log, "log", ("db", "natural", None))
        check_number(log_offset, "log_offset", low=0, closed="right")
        check_number(top_db, "top_db", low=0, none=True)
        check_number(pre_emphasis, "pre_emphasis", low=0, high=1, none=True)
        check_option(pad_mode, "pad_mode", ("constant", "reflect", "edge"))
        self.n_fft, self.hop_length, self.power = n_fft, hop_length, power
        self.log, self.log_offset, self.top_db = log, log_offset, top_db
        self.pre_emphasis, self.center, self.pad_mode = pre_emphasis, center, pad_mode
        self.window = _window(n_fft, win_length or n_fft)
        self.filters = _filter_bank(
            sample_rate, n_fft, n_mels, float(fmin), float(fmax), mel_scale == "htk", norm
        )

    def __call__(self, clip):
        if self.pre_emphasis is not None:
            clip = np.concatenate([clip[:1], clip[1:] - np.float32(self.pre_emphasis) * clip[:-1]])
        if self.center:
            clip = np.pad(clip, self.n_fft // 2, mode=self.pad_mode)
        if len(clip) < self.n_fft:
            raise ClipError(
                f"has {len(clip)} samples, fewer than one window of n_fft={self.n_fft}; use a smaller n_fft, "
                "center=True, or AudioLoader with a duration and a pad."
            )
        frames = np.lib.stride_tricks.sliding_window_view(clip, self.n_fft)[:: self.hop_length]
        mel = np.empty((self.filters.shape[0], len(frames)), dtype=np.float32)
        for start in range(0, len(frames), _BLOCK):
            spectrum = scipy.fft.rfft(frames[start : start + _BLOCK] * self.window, axis=1)
            mel[:, start : start + _BLOCK] = self.filters @ np.ascontiguousarray(self._power(spectrum).T)
        return self._compress(mel)

    def _power(self, spectrum):
        squares = spectrum.real**2 + spectrum.imag**2
        return squares if self.power == 2 else squares ** np.float32(self.power / 2)

    def _compress(self, mel):
        if self.log == "natural":
            np.log(mel + np.float32(self.log_offset), out=mel)
        elif self.log == "db":
            np.log10(np.maximum(mel, np.float32(self.log_offset), out=mel), out=mel)
            mel *= np.float32(20 / self.power)
            if self.top_db is not None:
                np.maximum(mel, mel.max() - np.float32(self.top_db), out=mel)
        return mel


@lru_cache(maxsize=16)
def _window(n_fft, win_length):
    window = np.zeros(n_fft, dtype=np.float32)
    start = (n_fft - win_length) // 2
    window[start : start + win_length] = get_window("hann", win_length, fftbins=True)
    return window


@lru_cache(maxsize=16)
def _filter_bank(sample_rate, n_fft, n_mels, fmin, fmax, htk, norm):
    librosa = import_librosa()

    filters = librosa.filters.mel(
        sr=sample_rate, n_fft=n_fft, n_mels=n_mels, fmin=fmin, fmax=fmax, htk=htk, norm=norm
    )
    return scipy.sparse.csr_array(filters)
