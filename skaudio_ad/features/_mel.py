"""`MelTransformer` and `MFCCTransformer`."""

import math

import numpy as np
import scipy.fft

from .._checks import check_number
from ._spectral import LogMel, WaveformTransformer


class _FrameClock:
    """When a frame of a short-time Fourier transform sounds."""

    sample_rate: int
    n_fft: int
    hop_length: int

    @property
    def n_edge_frames(self):
        """Frames at either end of a clip that reach beyond it, into the padding of ``center=True``."""
        return math.ceil(self.n_fft / 2 / self.hop_length) if getattr(self, "center", True) else 0

    def frames_to_seconds(self, frames):
        """Time of the middle of a frame.

        Parameters
        ----------
        frames : array-like of float
            Positions on the last axis of what `transform` returns; fractions lie between frames.

        Returns
        -------
        ndarray of float64
            Seconds from the start of the clip.
        """
        samples = np.asarray(frames, dtype=np.float64) * self.hop_length
        return (samples if getattr(self, "center", True) else samples + self.n_fft / 2) / self.sample_rate


class MelTransformer(_FrameClock, WaveformTransformer):
    """Log-mel spectrogram of every clip, as librosa and torchaudio compute it with the same settings.

    Parameters
    ----------
    sample_rate : int, default=16000
        Samples per second of the clips, in hertz. Clips at another rate are refused.

    n_fft : int, default=1024
        Length of the Fourier transform, in samples. The defaults of `n_fft`, `hop_length`, `n_mels` and
        `power` are those of the DCASE Task 2 baselines.

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
        Formula of the mel scale; "slaney" is librosa's default, "htk" torchaudio's.

    norm : {"slaney", None}, default="slaney"
        "slaney" gives every band the same area, None the same height.

    power : float, default=2.0
        Exponent of the magnitude: 1 is magnitude, 2 is power.

    log : {"db", "natural", None}, default="db"
        "db" is ``20 / power * log10(max(mel, log_offset))``, "natural" is ``log(mel + log_offset)``, None is
        no logarithm. The reference of the decibel is 1 for every clip: loudness is often the first sign
        of a fault, and relating each clip to its own maximum would hide it.

    log_offset : float, default=1e-10
        Keeps silence finite; librosa's ``amin``.

    top_db : float or None, default=None
        Raise everything quieter than this many dB below the clip's loudest value. None keeps it, as
        torchaudio does; librosa's ``power_to_db`` has 80.

    pre_emphasis : float or None, default=None
        Coefficient a of the filter ``y[t] = x[t] - a x[t-1]``, 0.97 where one is used. None filters nothing.

    center : bool, default=True
        Whether frame t is centred on sample ``t * hop_length`` (the clip is padded), or starts there.

    pad_mode : {"constant", "reflect", "edge"}, default="constant"
        What `center` pads with; "constant" is zeros, librosa's default, and works for any length.

    lazy : bool, default=False
        Whether `transform` returns a lazy sequence that computes each spectrogram when the next step asks
        for it, so that a corpus whose spectrograms do not fit into memory can be pooled or scored.

    Notes
    -----
    Computed in float32, as librosa and torchaudio do. Results agree with librosa's to 1e-4 dB in bands within 40 dB
    of the clip's loudest, and to 2e-3 dB within 80 dB; what lies further below holds the rounding of either.
    torchaudio's own filter bank is rounded too and adds up to 6e-4 dB.

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
        sample_rate=16000,
        *,
        n_fft=1024,
        win_length=None,
        hop_length=512,
        n_mels=128,
        fmin=0.0,
        fmax=None,
        mel_scale="slaney",
        norm="slaney",
        power=2.0,
        log="db",
        log_offset=1e-10,
        top_db=None,
        pre_emphasis=None,
        center=True,
        pad_mode="constant",
        lazy=False,
    ):
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

    def band_centers(self):
        """Centre frequencies of the bands.

        Returns
        -------
        ndarray of shape (n_mels,), float64
            In hertz.
        """
        import librosa

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
    """Mel-frequency cepstral coefficients of every clip, equal to librosa's.

    The cosine transform (type 2, orthonormal) of a log-mel spectrogram in dB along its bands. Defaults are
    those of ``librosa.feature.mfcc``, but for the sample rate.

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
        Raise everything quieter than this many dB below the clip's loudest band.

    pre_emphasis : float or None, default=None
        Coefficient a of the filter ``y[t] = x[t] - a x[t-1]``. None filters nothing.

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
        sample_rate=16000,
        *,
        n_mfcc=20,
        n_fft=2048,
        win_length=None,
        hop_length=512,
        n_mels=128,
        fmin=0.0,
        fmax=None,
        mel_scale="slaney",
        top_db=80.0,
        pre_emphasis=None,
        lazy=False,
    ):
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
    """The first coefficients of the cosine transform of a log-mel spectrogram."""

    def __init__(self, log_mel, n_mfcc):
        self.log_mel, self.n_mfcc = log_mel, n_mfcc

    def __call__(self, clip):
        return scipy.fft.dct(self.log_mel(clip), axis=0, type=2, norm="ortho")[: self.n_mfcc]
