"""`SoundQualities`: how a clip sounds to a listener, in the units of psychoacoustics."""

from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import scipy.fft
from scipy.signal import get_window

from .._checks import check_number
from .._lazy import ClipError, map_collect
from .._typing import Clips, Float32Array
from ..audio import as_clips
from ._impulsiveness import prominence
from ._loudness import booming_index, sharpness, specific_loudness, third_octave_filters
from ._roughness import FRAME, roughness
from ._spectral import WaveformTransformer

# Length of a block of the mean spectrum, in seconds. The lowest third octave is 5.8 Hz wide.
_BLOCK = 0.5
# Maximum sound pressure level of an undistorted sound at atmospheric pressure, in dB re 20 µPa.
_LOUDEST = 194
# Maximum sound pressure of a clip, in pascals. The pressure of the air is a tenth of this number.
_HIGHEST_PRESSURE = 1e6
# Lowest frequency that a listener hears as a tone, in hertz. The brightness leaves out what is below.
_LOWEST = 20


class SoundQualities(WaveformTransformer):
    """Describe how every clip sounds to a listener: loudness, sharpness, roughness and three more qualities.

    The qualities say in what way two clips differ. Recordings have no calibration, so the values compare clips of one
    set-up, and are no measurement.

    ================  =====  =====================================================================================
    quality           unit   formula
    ================  =====  =====================================================================================
    loudness          sone   ISO 532-1, stationary method in a free field, on the mean third-octave spectrum [1]_
    sharpness         acum   DIN 45692 [2]_, on the loudness of the critical bands
    roughness         asper  Daniel and Weber [3]_, mean over frames of 0.2 s
    brightness        Hz     centroid of the mean power spectrum above 20 Hz [4]_
    boominess                booming index of Hatano and Hashimoto [5]_, in the form of the AudioCommons models [6]_
    impulsiveness            prominence P of the most prominent onset, NT ACOU 112 [7]_
    ================  =====  =====================================================================================

    Parameters
    ----------
    sample_rate : int, default=16000
        Samples per second of the clips, in hertz, from 1000 to 192000. Clips at another rate are refused. Bands above
        half the sample rate are empty, so clips of different rates do not compare.

    full_scale_level : float, default=94.0
        Sound pressure level of a clip with a root mean square of 1, in dB re 20 µPa. The default takes samples as
        pascals, as MOSQITO does, because a root mean square of 1 Pa is a level of 94 dB. The loudness rises with this
        level. If the loudness of audible recordings is 0, raise the level. Values from 0 to 194 are allowed.

    Attributes
    ----------
    names : tuple of str
        Names of the qualities, in the order of the columns.

    units : tuple of str
        Units of the qualities, in the order of the columns. Boominess and impulsiveness have none, an empty string.

    Notes
    -----
    - A clip needs at least one frame of 0.2 s.
    - Silence has 0 in every column. The mean of a clip is subtracted first, because a constant offset is no sound.
    - The roughness of a clip of more than a minute is the mean over 300 frames at equal distances.
    - The level of NT ACOU 112 is A-weighted, with time weighting F, in steps of 10 ms. A longer clip has more
      onsets, so the impulsiveness compares clips of one length. A prominence of 5 or less needs no adjustment of a
      measured level, says the method.
    - The share of the loudness below 280 Hz decides most of the booming index: 0 without such sound, about 24 without
      any other sound.
    - The roughness is scaled to 1 asper for the tone that defines the unit (1 kHz, 60 dB, fully modulated at 70 Hz).
      Outer ear and threshold come from the tables of ISO 532-1.

    References
    ----------
    .. [1] ISO 532-1:2017, "Acoustics: methods for calculating loudness, part 1: Zwicker method".
    .. [2] DIN 45692:2009, "Measurement technique for the simulation of the auditory sensation of sharpness".
    .. [3] P. Daniel and R. Weber, "Psychoacoustical roughness: implementation of an optimized model", Acustica 83,
       113-123 (1997).
    .. [4] E. Schubert and J. Wolfe, "Does timbral brightness scale with frequency and spectral centroid?", Acta
       Acustica united with Acustica 92, 820-825 (2006).
    .. [5] S. Hatano and T. Hashimoto, "Booming index as a measure for evaluating booming sensation", Inter-Noise 2000.
    .. [6] A. Pearce, T. Brookes and R. Mason, "Timbral models", AudioCommons deliverable D5.8 (2018). The paper of the
       booming index does not print the equation, so this form is the reading of AudioCommons.
    .. [7] Nordtest method NT ACOU 112, "Acoustics: prominence of impulsive sounds and for adjustment of LAeq" (2002).

    Examples
    --------
    >>> import numpy as np
    >>> from skaudio_ad import SoundQualities
    >>> time = np.arange(16000) / 16000
    >>> tone = 0.1 * np.sin(2 * np.pi * 1000 * time)
    >>> qualities = SoundQualities().fit_transform([tone, tone / 2])
    >>> qualities.shape
    (2, 6)
    >>> louder = qualities[0, 0] > qualities[1, 0]
    >>> bool(louder)
    True
    """

    names: ClassVar[tuple[str, ...]] = (
        "loudness",
        "sharpness",
        "roughness",
        "brightness",
        "boominess",
        "impulsiveness",
    )
    units: ClassVar[tuple[str, ...]] = ("sone", "acum", "asper", "Hz", "", "")

    def __init__(self, sample_rate: int = 16000, *, full_scale_level: float = 94.0) -> None:
        self.sample_rate = sample_rate
        self.full_scale_level = full_scale_level

    def transform(self, X: Clips) -> Float32Array:
        """Compute the qualities of every clip. The qualities of a clip do not depend on the other clips.

        Parameters
        ----------
        X : AudioClips, array-like of shape (n_clips, n_samples), list of 1-D ndarray, or list of paths
            Clips, also of different lengths. Arrays must be at `sample_rate`, and files are resampled to
            `sample_rate`.

        Returns
        -------
        ndarray of shape (n_clips, 6), float32
            Qualities in the order of `names`. Clips that could not be read (``on_error="skip"``) are NaN.

        Raises
        ------
        ValueError
            If a clip is shorter than 0.2 s, or is louder than any sound. The message names the clip.
        """
        clips = as_clips(self, X, sample_rate=self.sample_rate, reset=False)
        return map_collect(self._function(), clips, finite=True)

    def get_feature_names_out(self, input_features: Any = None) -> npt.NDArray[np.object_]:
        """Return the names of the qualities.

        Parameters
        ----------
        input_features : ignored

        Returns
        -------
        ndarray of str of shape (6,)
        """
        return np.array(self.names, dtype=object)

    def _function(self):
        check_number(self.sample_rate, "sample_rate", low=1000, high=192000, integer=True)
        check_number(self.full_scale_level, "full_scale_level", low=0, high=_LOUDEST)
        return _Qualities(self.sample_rate, 2e-5 * 10 ** (self.full_scale_level / 20))


class _Qualities:
    """Function from one clip (n_samples,) to its qualities (6,). A class, because the function must pickle."""

    def __init__(self, sample_rate, pascals):
        self.sample_rate, self.pascals = sample_rate, pascals

    def __call__(self, clip):
        n_samples = round(FRAME * self.sample_rate)
        if len(clip) < n_samples:
            raise ClipError(
                f"has {len(clip)} samples; the sound qualities need at least {FRAME:g} s, which is {n_samples} samples "
                f"at sample_rate={self.sample_rate}. Leave the clip out, or use AudioLoader with a duration and a pad."
            )
        peak = float(np.abs(clip).max()) * self.pascals
        if peak > _HIGHEST_PRESSURE:
            raise ClipError(
                f"has samples up to {np.abs(clip).max():g}, a sound pressure of {peak:g} Pa at the full_scale_level; "
                "samples are floats in [-1, 1]: divide by the largest value of the format."
            )
        # A constant offset is no sound, but would leak into the lowest bands.
        samples = clip - np.float32(clip.mean(dtype=np.float64))
        samples *= np.float32(self.pascals)
        frequencies, powers = _mean_spectrum(samples, self.sample_rate)
        with np.errstate(divide="ignore"):
            levels = 10 * np.log10(third_octave_filters(len(frequencies), frequencies[1]) @ powers / 4e-10)
        loudness, pattern = specific_loudness(levels)
        return np.array(
            [
                loudness,
                sharpness(loudness, pattern),
                roughness(samples, self.sample_rate),
                _centroid(frequencies, powers),
                booming_index(loudness, pattern),
                prominence(samples, self.sample_rate),
            ],
            dtype=np.float32,
        )


def _mean_spectrum(samples, sample_rate):
    """Compute the mean power spectrum of a sound (Welch's method, Hann window, half overlapping blocks of 0.5 s).

    Parameters
    ----------
    samples : ndarray of shape (n_samples,)
        Sound pressure, in pascals.
    sample_rate : int
        Samples per second, in hertz.

    Returns
    -------
    frequencies : ndarray of shape (n_frequencies,)
        Frequencies, in hertz.
    powers : ndarray of shape (n_frequencies,)
        Mean square of the sound pressure around every frequency, in square pascals. The sum is the mean square of the
        sound.
    """
    length = min(scipy.fft.next_fast_len(round(_BLOCK * sample_rate), real=True), len(samples))
    window = get_window("hann", length).astype(np.float32)
    frames = np.lib.stride_tricks.sliding_window_view(samples, length)[:: length // 2]
    # One block at a time, so that an hour-long clip needs no more memory than a short clip.
    powers = np.zeros(length // 2 + 1)
    for frame in frames:
        spectrum = scipy.fft.rfft(frame * window)
        powers += spectrum.real**2 + spectrum.imag**2
    frequencies = np.arange(len(powers)) * sample_rate / length
    return frequencies, powers * 2 / (len(frames) * length * np.sum(window**2))


def _centroid(frequencies, powers):
    """Return the mean frequency of a power spectrum above 20 Hz, in hertz. Silence has 0."""
    heard = frequencies >= _LOWEST
    total = powers[heard].sum()
    return frequencies[heard] @ powers[heard] / total if total > 0 else 0.0
