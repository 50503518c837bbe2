"""`mel_to_audio`: sound back from log-mel spectrograms."""

import numpy as np
from scipy.signal import lfilter
from sklearn.utils import check_random_state

from .._checks import check_number
from .._lazy import ClipError, is_missing, map_collect
from ._mel import MelTransformer

# 50 steps leave the bands of a mixture of tones wrong by 0.2 dB, 200 by 0.05 dB, in 10 ms for 5 s of sound.
_INVERSION_STEPS = 200
# What float32 leaves of log_offset after the logarithm and back, relative to it.
_ROUNDING = 1e-5
# Largest magnitude to invert, 600 dB: float32 ends at 3e38, and a spectrum adds up many bands.
_LARGEST = 1e30


def mel_to_audio(X, mel, *, n_samples=None, n_iter=32, random_state=None):
    """Sound back from log-mel spectrograms, for listening to what a model made of a clip.

    The logarithm is undone, a spectrum that has these mel bands is found, and the phases, which no
    spectrogram holds, are estimated by Griffin and Lim's algorithm. What comes back sounds alike; its samples
    differ.

    Parameters
    ----------
    X : array-like of shape (n_clips, n_mels, n_frames), list of (n_mels, n_frames_i) or lazy sequence of them
        As `mel` gives them. Scaled ones go through ``ClipScaler.inverse_transform`` first.

    mel : MelTransformer
        The one that made the spectrograms: its settings say what the values mean.

    n_samples : int or None, default=None
        Length of the waveforms. None is ``(n_frames - 1) * hop_length`` if `mel` has ``center=True``, and
        ``n_fft`` samples more if it has not: up to ``hop_length - 1`` samples short of the clip, since that
        many leave no trace in the spectrogram.

    n_iter : int, default=32
        Steps of Griffin and Lim's algorithm; 32 is librosa's default.

    random_state : int, RandomState instance or None, default=None
        Of the phases to begin with, the same ones for every clip: a clip sounds the same alone and in any
        company. None draws them anew, and leaves NumPy's global generator alone.

    Returns
    -------
    ndarray of shape (n_clips, n_samples), float32
        At ``mel.sample_rate``; a list of (n_samples_i,) where clips differ in length. Loudness is kept: what
        a network puts at +60 dB comes back a thousand times louder than at 0 dB, far outside [-1, 1]. A clip
        of NaN, which could not be read, comes back as NaN.

    Raises
    ------
    TypeError
        If `mel` is no MelTransformer.
    ValueError
        If X is empty, holds NaN among numbers or infinity, has other bands than `mel`, is beyond 600 dB or
        shorter than one window, does not last `n_samples`, or the frames of `mel` overlap by less than half a
        window.

    Notes
    -----
    The spectrum minimises the Kullback-Leibler divergence of its mel bands from the given ones, with no
    negative value (Lee and Seung's multiplicative steps). ``librosa.feature.inverse.mel_to_stft`` minimises
    the squared error instead: its solver stops at an absolute tolerance, which leaves quiet clips and bands
    as they were guessed; and scaled up until it does not, it takes a hundred times longer. Within 40 dB of the
    loudest band, the bands of our spectra are exact to 0.001 dB; librosa's differ by 0.2 dB for dog barks of
    ESC-10 and by 6 dB for a faint sine of 150 Hz.

    What `log_offset` or `top_db` of `mel` has raised stays raised, but for values at `log_offset` itself:
    they are taken for silence. `pre_emphasis` is undone. Negative values of a `mel` with ``log=None`` count
    as 0.

    References
    ----------
    D. Griffin and J. Lim, "Signal estimation from modified short-time Fourier transform", IEEE Transactions
    on Acoustics, Speech, and Signal Processing, 1984.

    N. Perraudin, P. Balazs and P. L. Søndergaard, "A fast Griffin-Lim algorithm", WASPAA 2013.

    D. Lee and H. Seung, "Algorithms for non-negative matrix factorization", NIPS 2000.

    Examples
    --------
    There and back through the scaling that a network wants:

    >>> import numpy as np
    >>> from skaudio_ad import ClipScaler, MelTransformer
    >>> from skaudio_ad.features import mel_to_audio
    >>> tone = np.sin(2 * np.pi * 1000 * np.arange(16000) / 16000)  # one second of 1 kHz
    >>> mel, scaler = MelTransformer(16000), ClipScaler("minmax", statistics="clip")
    >>> spectrograms = mel.fit_transform([tone])
    >>> scaled = scaler.fit_transform(spectrograms)
    >>> ranges = scaler.clip_statistics(spectrograms)
    >>> unscaled = scaler.inverse_transform(scaled, ranges)  # or of what a network made of it
    >>> audio = mel_to_audio(unscaled, mel, n_samples=16000, random_state=0)
    >>> audio.shape
    (1, 16000)
    >>> bool(abs(np.abs(np.fft.rfft(audio[0])).argmax() - 1000) < 5)  # in Hz, at one second
    True
    """
    if not isinstance(mel, MelTransformer):
        raise TypeError(
            f"mel must be the MelTransformer that made X (in a Pipeline, one of its steps), got {mel!r:.200}."
        )
    check_number(n_samples, "n_samples", low=1, integer=True, none=True)
    check_number(n_iter, "n_iter", low=1, integer=True)
    if not len(X):
        raise ValueError("mel_to_audio got no clips: X has 0 samples, at least 1 is required.")
    random = np.random.RandomState() if random_state is None else check_random_state(random_state)
    seed = int(random.randint(np.iinfo(np.int32).max))
    return map_collect(_Inverse(mel, n_samples, n_iter, seed), X)


class _Inverse:
    """Function from one log-mel spectrogram (n_mels, n_frames) to its waveform (n_samples,), float32."""

    def __init__(self, mel, n_samples, n_iter, seed):
        self.log_mel = mel._function()
        self.padding = self.log_mel.n_fft // 2 if mel.center else 0
        win_length = mel.win_length or mel.n_fft
        if 2 * mel.hop_length > win_length:
            raise ValueError(
                "sound comes back from frames that overlap by half a window or more: hop_length must be at "
                f"most half of win_length={win_length}, got hop_length={mel.hop_length}."
            )
        self.n_samples, self.n_iter, self.seed = n_samples, n_iter, seed

    def __call__(self, clip):
        clip = np.asarray(clip)
        n_mels = self.log_mel.filters.shape[0]
        if clip.ndim != 2 or len(clip) != n_mels:
            raise ClipError(
                f"has the shape {clip.shape}, but a spectrogram of this MelTransformer is ({n_mels}, "
                "n_frames), and X (n_clips, n_mels, n_frames); a single one is X[np.newaxis]."
            )
        if is_missing(clip):
            return np.full(self.n_samples or max(1, self._shortest(clip)), np.nan, dtype=np.float32)
        if not np.isfinite(clip).all():
            raise ClipError(
                "contains NaN or infinity; only a clip that is NaN throughout stands for one that could not "
                "be read."
            )
        n_samples = self._length(clip)
        mel = self._expand(clip.astype(np.float64))
        peak = mel.max()
        if peak == 0:
            return np.zeros(n_samples, dtype=np.float32)
        scale = peak ** (1 / self.log_mel.power)
        if not scale <= _LARGEST:
            raise ClipError(
                f"reaches {clip.max():.4g}, beyond 600 dB; was a scaled spectrogram unscaled with other "
                "statistics?"
            )
        # At a peak of 1, so that loud and quiet clips are treated alike.
        audio = self._find_phases(self._find_spectrum((mel / peak).astype(np.float32)), n_samples)
        audio *= np.float32(scale)
        if self.log_mel.pre_emphasis is not None:
            audio = lfilter([1.0], [1.0, -self.log_mel.pre_emphasis], audio)
        return audio.astype(np.float32)

    def _shortest(self, clip):
        """The smallest number of samples that has so many frames."""
        n_fft, hop_length = self.log_mel.n_fft, self.log_mel.hop_length
        return (clip.shape[1] - 1) * hop_length + n_fft - 2 * self.padding

    def _length(self, clip):
        shortest = self._shortest(clip)
        longest = shortest + self.log_mel.hop_length - 1
        n_samples = shortest if self.n_samples is None else self.n_samples
        if not shortest <= n_samples <= longest:
            raise ClipError(
                f"has {clip.shape[1]} frames, which are those of {shortest} to {longest} samples, got "
                f"n_samples={n_samples}; None takes {shortest}."
            )
        if n_samples < self.log_mel.n_fft:
            raise ClipError(
                f"has {clip.shape[1]} frames, {n_samples} samples, fewer than one window of "
                f"n_fft={self.log_mel.n_fft}: too short to be turned back into sound."
            )
        return n_samples

    def _expand(self, clip):
        """Undo the logarithm, float64 (n_mels, n_frames)."""
        log, power, log_offset = self.log_mel.log, self.log_mel.power, self.log_mel.log_offset
        if log is None:
            return np.maximum(clip, 0)
        with np.errstate(over="ignore"):
            mel = np.exp(clip) if log == "natural" else 10 ** (clip * (power / 20))
        silent = mel <= log_offset * (1 + _ROUNDING)
        if log == "natural":
            mel -= log_offset
        mel[silent] = 0
        return mel

    def _find_spectrum(self, mel):
        """Magnitudes (1 + n_fft // 2, n_frames) whose mel bands are `mel`, by Lee and Seung's steps."""
        filters = self.log_mel.filters
        transposed = filters.T.tocsr()
        weights = np.asarray(filters.sum(axis=0))[:, np.newaxis]
        weights[weights == 0] = 1  # bins in no band: they stay 0
        tiny = np.finfo(np.float32).tiny
        spectrum = transposed @ mel / weights
        for _ in range(_INVERSION_STEPS):
            spectrum *= transposed @ (mel / (filters @ spectrum + tiny)) / weights
        return spectrum ** np.float32(1 / self.log_mel.power)

    def _find_phases(self, spectrum, n_samples):
        import librosa

        frame = {
            "window": self.log_mel.window,
            "hop_length": self.log_mel.hop_length,
            "n_fft": self.log_mel.n_fft,
        }
        audio = librosa.griffinlim(
            spectrum,
            n_iter=self.n_iter,
            center=self.log_mel.center,
            pad_mode=self.log_mel.pad_mode,
            length=n_samples,
            random_state=self.seed,
            **frame,
        )
        # Where only the margin of a window reaches, at an end of the clip, dividing by it makes a click
        # louder than the clip: leave the fade of the window there.
        reach = librosa.filters.window_sumsquare(n_frames=spectrum.shape[1], **frame)
        reach = reach[self.padding : self.padding + n_samples]
        return audio * np.minimum(1, reach / (0.5 * reach.max()))
