"""Roughness after Daniel and Weber (1997).

P. Daniel and R. Weber, "Psychoacoustical roughness: implementation of an optimized model", Acustica 83, 113-123 (1997).
"""

import math
from functools import lru_cache

import numpy as np
import scipy.fft
from scipy.signal import get_window

from ._loudness import ATTENUATION, BAND_ENDS, THRESHOLD

# Length of a frame, in seconds, as in the paper.
FRAME = 0.2
# Critical band rates of the 47 overlapping channels, in Bark. A channel is 1 Bark wide.
_CHANNELS = np.arange(1, 48) / 2
# Steepness of the lower slope of the excitation, in dB per Bark (Terhardt).
_LOWER_SLOPE = 27
# Highest frequency of a spectral line that counts, in hertz: the upper end of the critical band rate scale.
_HIGHEST = 15500
# Lowest sample rate of the excitation, in hertz. The rectified excitation has frequencies above half the sample rate of
# the clip, which would fold back into the envelope.
_LOWEST_RATE = 8000
# Maximum number of frames. A clip of more than a minute is heard in that many frames at equal distances.
_MOST_FRAMES = 300
# Lowest frequency of a spectral line that counts, in hertz.
_LOWEST = 20

# Sensitivity to modulation, read from figure 2 of the paper: a row for the channels from each entry of
# `_FIRST_CHANNELS` on, at the modulation frequencies `_MODULATIONS` in hertz.
_MODULATIONS = np.array([0, 10, 20, 30, 40, 50, 60, 70, 80, 100, 120, 150, 200, 250, 300, 400, 500, 650])
_FIRST_CHANNELS = np.array([0, 4, 15, 20, 41])
_SENSITIVITIES = np.array(
    [
        [0, 0.47, 0.88, 0.99, 0.95, 0.89, 0.84, 0.79, 0.74, 0.66, 0.58, 0.47, 0.32, 0.19, 0.09, 0, 0, 0],
        [0, 0.25, 0.50, 0.75, 0.91, 0.98, 0.99, 0.97, 0.94, 0.87, 0.80, 0.67, 0.49, 0.36, 0.26, 0.1, 0, 0],
        [0, 0.17, 0.34, 0.52, 0.69, 0.83, 0.93, 0.97, 1.0, 0.98, 0.94, 0.87, 0.67, 0.49, 0.38, 0.22, 0.1, 0],
        [0, 0.21, 0.42, 0.58, 0.74, 0.87, 0.96, 0.99, 0.99, 0.95, 0.88, 0.77, 0.59, 0.48, 0.38, 0.22, 0.1, 0],
        [0, 0.27, 0.48, 0.63, 0.78, 0.92, 0.98, 1.0, 0.97, 0.88, 0.78, 0.67, 0.57, 0.48, 0.38, 0.22, 0.1, 0],
    ]
)
# Square of the weight of a channel at 0, 1, ... 24 Bark, read from figure 3 of the paper.
_WEIGHTS = np.array(
    [
        [0, 0.35, 0.63, 0.71, 0.67, 0.72, 0.97, 1.18, 1.25, 1.26, 1.18, 1.08],
        [0.89, 0.66, 0.51, 0.45, 0.44, 0.45, 0.46, 0.45, 0.42, 0.38, 0.34, 0.31],
    ]
).ravel()
# Number that gives 1 asper to the tone that defines the unit: 1 kHz, 60 dB, fully modulated at 70 Hz.
_CALIBRATION = 0.2022


def bark(frequencies):
    """Convert frequencies in hertz to critical band rates in Bark (Zwicker and Terhardt 1980)."""
    return 13 * np.arctan(0.00076 * frequencies) + 3.5 * np.arctan((frequencies / 7500) ** 2)


def roughness(samples, sample_rate):
    """Compute the roughness of a sound, as the mean over frames of 0.2 s.

    Parameters
    ----------
    samples : ndarray of shape (n_samples,)
        Sound pressure, in pascals. At least one frame.
    sample_rate : int
        Samples per second, in hertz.

    Returns
    -------
    float
        Roughness, in asper.
    """
    model = _model(sample_rate)
    last = len(samples) - model.n_samples
    n_frames = min(1 + math.ceil(last / model.n_samples), _MOST_FRAMES)
    starts = np.linspace(0, last, n_frames).round().astype(int)
    return float(np.mean([model.frame(samples[start : start + model.n_samples]) for start in starts]))


class _Model:
    """Roughness of single frames at one sample rate."""

    def __init__(self, sample_rate):
        self.n_samples = round(FRAME * sample_rate)
        window = get_window("blackman", self.n_samples, fftbins=True)
        # A sine has a line of its root mean square, in units of 20 µPa.
        self.window = (window * np.sqrt(2) / window.sum() / 2e-5).astype(np.float32)
        frequencies = np.arange(self.n_samples // 2 + 1) * sample_rate / self.n_samples
        self.lines = slice(*np.searchsorted(frequencies, [_LOWEST, _HIGHEST]))
        self.frequencies = frequencies[self.lines]
        self.z = bark(self.frequencies)
        middles = BAND_ENDS[:20] - np.diff(BAND_ENDS[:20], prepend=0) / 2
        self.gain = -np.interp(self.z, middles, ATTENUATION)
        self.threshold = np.interp(self.z, middles, THRESHOLD)
        thresholds = np.interp(_CHANNELS, middles, THRESHOLD)
        self.channel_threshold = thresholds[:, np.newaxis].astype(np.float32)
        # The lines that a channel contains pass unchanged. The excitation by other lines counts at the near edge.
        distance = _CHANNELS[:, np.newaxis] - self.z
        self.above = np.maximum(distance - 0.5, 0).astype(np.float32)
        self.falling = (-_LOWER_SLOPE * np.maximum(-distance - 0.5, 0)).astype(np.float32)
        self.contains = np.abs(distance) <= 0.5
        self.n_time = scipy.fft.next_fast_len(
            max(2 * self.lines.stop, round(_LOWEST_RATE * FRAME)), real=True
        )
        # The window itself has a line at 5 Hz, which is no modulation of the sound.
        modulations = np.arange(2, min(round(_MODULATIONS[-1] * FRAME), self.n_time // 2 - 1))
        rows = np.array([np.interp(modulations / FRAME, _MODULATIONS, row) for row in _SENSITIVITIES])
        self.bands = slice(2, 2 + len(modulations))
        self.sensitivity = rows[np.searchsorted(_FIRST_CHANNELS, np.arange(47), side="right") - 1]
        self.weights = np.interp(_CHANNELS, np.arange(24), _WEIGHTS)

    def frame(self, samples):
        spectrum = scipy.fft.rfft(samples * self.window)[self.lines]
        levels = 20 * np.log10(np.maximum(np.abs(spectrum), 1e-10)) + self.gain
        audible = levels > self.threshold
        if not audible.any():
            return 0.0
        envelopes = self._envelopes(spectrum * 10 ** (self.gain / 20), levels, audible)
        means = envelopes.mean(axis=1)
        # The factor 2 / n_time turns the transform into amplitudes, and half their squares is the power.
        fluctuation = scipy.fft.rfft(envelopes, axis=1)[:, self.bands] * self.sensitivity * (2 / self.n_time)
        powers = np.sum(fluctuation.real**2 + fluctuation.imag**2, axis=1) / 2
        depths = np.minimum(np.sqrt(powers) / np.maximum(means, 1e-30), 1)
        products = np.sum((fluctuation[:-2] * fluctuation[2:].conj()).real, axis=1) / 2
        correlations = products / np.maximum(np.sqrt(powers[:-2] * powers[2:]), 1e-30)
        to_next, to_last = np.append(correlations, [1, 1]), np.append([1, 1], correlations)
        return _CALIBRATION * np.sum(self.weights * (depths * to_next * to_last) ** 2)

    def _envelopes(self, spectrum, levels, audible):
        """Return the envelopes of the excitation of the channels, (47, n_time)."""
        slopes = np.minimum(-24 - 230 / self.frequencies + 0.2 * levels, 0).astype(np.float32)
        decay = slopes * self.above
        decay += self.falling
        factors = np.exp(decay * np.float32(np.log(10) / 20))
        # A line excites a channel that does not contain the line only above the threshold of the channel.
        factors *= (decay > self.channel_threshold - levels.astype(np.float32)) | self.contains
        lines = np.zeros((47, self.n_time // 2 + 1), dtype=np.complex64)
        np.multiply(factors, (spectrum * audible).astype(np.complex64), out=lines[:, self.lines])
        envelopes = scipy.fft.irfft(lines, self.n_time, axis=1)
        return np.abs(envelopes, out=envelopes)


@lru_cache(maxsize=8)
def _model(sample_rate):
    return _Model(sample_rate)
