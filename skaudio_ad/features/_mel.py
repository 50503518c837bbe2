"""`MelTransformer` and `MFCCTransformer`."""

import math
from typing import Any, Literal

import numpy as np
import scipy.fft

from .._checks import check_number
from .._librosa import import_librosa
from .._typing import FloatArray
from ._spectral import LogMel, WaveformTransformer


class _FrameClock:
    """Times of the frames of a short-time Fourier transform."""

    sample_rate: int
    n_fft: int
    hop_length: int

    @property
    def n_edge_frames(self) -> int:
        """Number of frames at each end of a clip that reach into the padding of ``center=True``."""
        return math.ceil(self.n_fft / 2 / self.hop_length) if getattr(self, "center", True) else 0

    @property
    def frame_duration(self) -> float:
        """Duration of a frame, in seconds: `n_fft` samples."""
        return self.n_fft / self.sample_rate

    def frames_to_seconds(self, frames: Any) -> FloatArray:
        """Convert positions of frames to times. The time of a frame is the time of its middle.

        Parameters
        ----------
        frames : array-like of float
            Positions on the last axis of the output of `transform`. Fractions lie between frames.

        Returns
        -------
        ndarray of float64
            Seconds from the start of the clip.
        """
        samples = np.asarray(frames, dtype=np.float64) * self.hop_length
        return (samples if getattr(self, "center", True) else samples + self.n_fft / 2) / self.sample_rate


class MelTransformer(_FrameClock, WaveformTransformer):
    """Compute the log-mel spectrogram of every clip, as librosa and torchaudio do with the same settings.

    Parameters
    ----------
    sample_rate : int, default=16000
        Samples per second of the clips, in hertz. Clips at another rate are refused.

    n_fft : int, default=1024
        Length of the Fourier transform, in samples. The defaults of `n_fft`, `hop_length`, `n_mels` and
        `power` come from the DCASE Task 2 baselines.

    win_length : int or None, default=None
        Length of the periodic Hann window, in samples, zero-padded on both sides to `n_fft`. None is `n_fft`.

    hop_length : int, default=512
        Step between two frames, in samples.

    n_mels : int, default=128
        Number of mel bands.

    fmin : float, default=0.0
        Lower edge of the lowest band, in hertz.

    fmax : float or None, default=None
        Upper edge of the highest band, in hertz. None is half the sample rate.

    mel_scale : {"slaney", "htk"}, default="slaney"
        Formula of the mel scale. librosa's default is "slaney", torchaudio's default is "htk".

    norm : {"slaney", None}, default="slaney"
        "slaney" gives all bands the same area, None gives all bands the same height.

    power : float, default=2.0
        Exponent of the magnitude: 1 is magnitude, 2 is power.

    log : {"db", "natural", None}, default="db"
        "db" is ``20 / power * log10(max(mel, log_offset))``, "natural" is ``log(mel + log_offset)``, None is
        no logarithm. The reference of the decibel is 1 for all clips, because loudness is often the first sign
        of a fault. A reference per clip, such as the maximum of the clip, would hide the loudness.

    log_offset : float, default=1e-10
        Smallest value before the logarithm, so that silence stays finite. librosa calls this value ``amin``.

    top_db : float or None, default=None
        Range below the loudest value of the clip, in dB. Lower values are raised to the end of this range. None
        keeps all values, as torchaudio does; the default of librosa's ``power_to_db`` is 80.

    pre_emphasis : float or None, default=None
        Coefficient a of the filter ``y[t] = x[t] - a x[t-1]``. 0.97 is a common value. None means no filter.

    center : bool, default=True
        True centres frame t on sample ``t * hop_length``, and pads the clip. False starts frame t there.

    pad_mode : {"constant", "reflect", "edge"}, default="constant"
        Padding of ``center=True``. "constant" pads with zeros, is the default of librosa, and works for any length.

    lazy : bool, default=False
        Whether `transform` returns a lazy sequence, which computes a spectrogram when the next step needs the
        spectrogram. So a corpus can be pooled or scored whose spectrograms do not fit into memory.

    Notes
    -----
    The computation is in float32, as in librosa and torchaudio. The maximum differences are:

    ===================================================  ============
    difference                                           maximum
    ===================================================  ============
    from librosa, within 40 dB of the loudest band       1e-4 dB
    from librosa, within 80 dB of the loudest band       2e-3 dB
    from torchaudio, because its filter bank is rounded  6e-4 dB more
    ===================================================  ============

    Bands further below the loudest band hold rounding errors of float32, here and in librosa.

    Shapes: (n_clips, n_mels, n_frames) with ``n_frames = 1 + n_samples // hop_length`` if `center`, else
    ``1 + (n_samples - n_fft) // hop_length``.

    Examples
    --------
    >>> import numpy as np
    >>> from skaudio_ad import MelTransformer
    >>> MelTransformer().fit_transform(np.zeros((2, 160000))).shape
    (2, 128, 313)
    """

    def __init__(
        self,
        sample_rate: int = 16000,
        *,
        n_fft: int = 1024,
        win_length: int | None = None,
        hop_length: int = 512,
        n_mels: int = 128,
        fmin: float = 0.0,
        fmax: float | None = None,
        mel_scale: Literal["slaney", "htk"] = "slaney",
        norm: Literal["slaney"] | None = "slaney",
        power: float = 2.0,
        log: Literal["db", "natural"] | None = "db",
        log_offset: float = 1e-10,
        top_db: float | None = None,
        pre_emphasis: float | None = None,
        center: bool = True,
        pad_mode: Literal["constant", "reflect", "edge"] = "constant",
        lazy: bool = False,
    ) -> None:
        self.sample_rate = sample_rate
        self.n_fft = n_fft
        self.win_length = win_length
        self.hop_length = hop_length
        self.n_mels = n_mels
        self.fmin = fmin
        self.fmax = fmax
        self.mel_scale = mel_scale
        self.norm = norm
        self.power = power
        self.log = log
        self.log_offset = log_offset
        self.top_db = top_db
        self.pre_emphasis = pre_emphasis
        self.center = center
        self.pad_mode = pad_mode
        self.lazy = lazy

    def band_centers(self) -> FloatArray:
        """Compute the centre frequencies of the bands.

        Returns
        -------
        ndarray of shape (n_mels,), float64
            Frequencies, in hertz.
        """
        librosa = import_librosa()

        fmax = self.sample_rate / 2 if self.fmax is None else self.fmax
        edges = librosa.mel_frequencies(
            self.n_mels + 2, fmin=self.fmin, fmax=fmax, htk=self.mel_scale == "htk"
        )
        return edges[1:-1]

    def _function(self):
        settings = self.get_params(deep=False)
        del settings["lazy"]
        return LogMel(**settings)

    def _n_bins(self):
        return self.n_mels


class MFCCTransformer(_FrameClock, WaveformTransformer):
    """Compute the mel-frequency cepstral coefficients of every clip, as librosa does.

    The coefficients are the cosine transform (type 2, orthonormal) of a log-mel spectrogram in dB along its bands.
    All defaults except the sample rate are the defaults of ``librosa.feature.mfcc``.

    Parameters
    ----------
    sample_rate : int, default=16000
        Samples per second of the clips, in hertz. Clips at another rate are refused.

    n_mfcc : int, default=20
        Number of coefficients.

    n_fft : int, default=2048
        Length of the Fourier transform, in samples.

    win_length : int or None, default=None
        Length of the periodic Hann window, in samples. None is `n_fft`.

    hop_length : int, default=512
        Step between two frames, in samples.

    n_mels : int, default=128
        Number of mel bands.

    fmin : float, default=0.0
        Lower edge of the lowest band, in hertz.

    fmax : float or None, default=None
        Upper edge of the highest band, in hertz. None is half the sample rate.

    mel_scale : {"slaney", "htk"}, default="slaney"
        Formula of the mel scale.

    top_db : float or None, default=80.0
        Range below the loudest value of the clip, in dB. Lower values are raised to the end of this range.

    pre_emphasis : float or None, default=None
        Coefficient a of the filter ``y[t] = x[t] - a x[t-1]``. None means no filter.

    lazy : bool, default=False
        Whether `transform` returns a lazy sequence, as in :class:`MelTransformer`.

    Examples
    --------
    >>> import numpy as np
    >>> from skaudio_ad import MFCCTransformer
    >>> MFCCTransformer(n_mfcc=13).fit_transform(np.zeros((2, 16000))).shape
    (2, 13, 32)
    """

    def __init__(
        self,
        sample_rate: int = 16000,
        *,
        n_mfcc: int = 20,
        n_fft: int = 2048,
        win_length: int | None = None,
        hop_length: int = 512,
        n_mels: int = 128,
        fmin: float = 0.0,
        fmax: float | None = None,
        mel_scale: Literal["slaney", "htk"] = "slaney",
        top_db: float | None = 80.0,
        pre_emphasis: float | None = None,
        lazy: bool = False,
    ) -> None:
        self.sample_rate = sample_rate
        self.n_mfcc = n_mfcc
        self.n_fft = n_fft
        self.win_length = win_length
        self.hop_length = hop_length
        self.n_mels = n_mels
        self.fmin = fmin
        self.fmax = fmax
        self.mel_scale = mel_scale
        self.top_db = top_db
        self.pre_emphasis = pre_emphasis
        self.lazy = lazy

    def _function(self):
        settings = self.get_params(deep=False)
        del settings["lazy"]
        n_mfcc = settings.pop("n_mfcc")
        check_number(self.n_mels, "n_mels", low=1, integer=True)
        check_number(n_mfcc, "n_mfcc", low=1, high=self.n_mels, integer=True)
        log_mel = LogMel(
            **settings, norm="slaney", power=2.0, log="db", log_offset=1e-10, center=True, pad_mode="constant"
        )
        return _Cepstrum(log_mel, n_mfcc)

    def _n_bins(self):
        return self.n_mfcc


class _Cepstrum:
    """Function from one waveform to the first coefficients of the cosine transform of its log-mel spectrogram."""

    def __init__(self, log_mel, n_mfcc):
        self.log_mel, self.n_mfcc = log_mel, n_mfcc

    def __call__(self, clip):
        return scipy.fft.dct(self.log_mel(clip), axis=0, type=2, norm="ortho")[: self.n_mfcc]
