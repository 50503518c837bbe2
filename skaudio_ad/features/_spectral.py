"""Waveform to log-mel spectrogram, and what every transformer of waveforms shares.

NumPy and SciPy, not torch: a filter bank is sparse, and on one thread SciPy's transform with a sparse
product is faster than torch's with a dense one (``benchmarks/speed/mel.py``).
"""

from functools import lru_cache

import numpy as np
import scipy.fft
import scipy.sparse
from scipy.signal import get_window
from sklearn.base import BaseEstimator

from .._checks import check_number, check_option
from .._lazy import ClipError, map_collect
from .._output import TableOutputMixin, bin_names
from ..audio import as_clips

# Frames transformed at a time, so that an hour-long clip needs no more memory than its spectrogram.
_BLOCK = 1024


class WaveformTransformer(TableOutputMixin, BaseEstimator):
    """Stateless transformer from waveforms to one array per clip.

    Subclasses have ``lazy`` and define ``_function()``, which checks their parameters and returns a
    picklable function from (n_samples,) to an array, ``_rate()``, the sample rate they work at, and
    ``_n_bins()``, the rows of that array.
    """

    def fit(self, X, y=None):
        """Check parameters and input; nothing is learnt.

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

    def transform(self, X):
        """Compute the features of every clip, each by itself.

        Parameters
        ----------
        X : AudioClips, array-like of shape (n_clips, n_samples), list of 1-D ndarray, or list of paths
            Arrays are taken to be at ``sample_rate``, files are resampled to it.

        Returns
        -------
        ndarray of shape (n_clips, n_bins, n_frames), float32
            A list of (n_bins, n_frames_i) where clips differ in length; a lazy sequence of them with
            ``lazy=True``. Clips that could not be read (``on_error="skip"``) are NaN.
        """
        function = self._function()
        clips = as_clips(self, X, sample_rate=self._rate(), reset=False)
        return clips.map_features(function) if self.lazy else map_collect(function, clips, finite=True)

    def get_feature_names_out(self, input_features=None):
        """Names of the bins that `transform` returns, which a later step makes names of columns from.

        Parameters
        ----------
        input_features : ignored

        Returns
        -------
        ndarray of str of shape (n_bins,)
            x0, x1, ...
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

    Parameters are those of :class:`MelTransformer`, which documents them.
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
    import librosa.filters

    filters = librosa.filters.mel(
        sr=sample_rate, n_fft=n_fft, n_mels=n_mels, fmin=fmin, fmax=fmax, htk=htk, norm=norm
    )
    return scipy.sparse.csr_array(filters)
