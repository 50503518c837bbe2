"""Prominence of impulsive sounds after Nordtest method NT ACOU 112 (2002)."""

import numpy as np
import scipy.fft
from scipy.signal import get_window, lfilter

# Step between two levels, in seconds. The method asks for 10 to 25 ms.
_STEP = 0.01
# Length of the frames whose spectrum is weighted, in seconds.
_FRAME = 0.025
# Time constant of the time weighting F of IEC 61672-1, in seconds.
_FAST = 0.125
# Gradient of the level above which an onset goes on, in dB per second.
_GRADIENT = 10
# Lowest level, in dB re 20 µPa: the threshold of hearing at 1 kHz. Silence before a sound would be an endless onset.
_LOWEST = 0.0
# Number of frames of one block. The spectra of an hour-long clip are never in memory together.
_BLOCK = 4096


def a_weighting(frequencies):
    """Compute the frequency weighting A of IEC 61672-1 as factors of power.

    Parameters
    ----------
    frequencies : ndarray of shape (n_frequencies,)
        Frequencies, in hertz.

    Returns
    -------
    ndarray of shape (n_frequencies,)
    """
    squares = frequencies**2
    factors = 12194.217**2 * squares**2 / ((squares + 20.598997**2) * (squares + 12194.217**2))
    factors /= np.sqrt((squares + 107.65265**2) * (squares + 737.86223**2))
    return (factors * 10 ** (2.0 / 20)) ** 2


def fast_levels(samples, sample_rate):
    """Compute the A-weighted sound pressure level with time weighting F.

    Parameters
    ----------
    samples : ndarray of shape (n_samples,)
        Sound pressure, in pascals.
    sample_rate : int
        Samples per second, in hertz.

    Returns
    -------
    levels : ndarray of shape (n_levels,)
        Levels, in dB re 20 µPa.
    step : float
        Step between two levels, in seconds.
    """
    hop, length = max(round(_STEP * sample_rate), 1), round(_FRAME * sample_rate)
    window = get_window("hann", length).astype(np.float32)
    # The two halves of the spectrum of a real signal, and the power of the window.
    weights = (
        2 * a_weighting(np.arange(length // 2 + 1) * sample_rate / length) / (length * np.sum(window**2))
    )
    frames = np.lib.stride_tricks.sliding_window_view(samples, length)[::hop]
    powers = np.empty(len(frames))
    for start in range(0, len(frames), _BLOCK):
        spectrum = scipy.fft.rfft(frames[start : start + _BLOCK] * window, axis=1)
        powers[start : start + _BLOCK] = (spectrum.real**2 + spectrum.imag**2) @ weights
    step = hop / sample_rate
    kept = np.exp(-step / _FAST)
    # The filter starts at the mean of the first 0.125 s. A start at 0 would be an onset.
    start = powers[: max(round(_FAST / step), 1)].mean()
    powers, _ = lfilter([1 - kept], [1, -kept], powers, zi=[kept * start])
    return 10 * np.log10(np.maximum(powers / 4e-10, 10 ** (_LOWEST / 10))), step


def prominence(samples, sample_rate):
    """Compute the prominence of the most prominent onset of a sound.

    Parameters
    ----------
    samples : ndarray of shape (n_samples,)
        Sound pressure, in pascals.
    sample_rate : int
        Samples per second, in hertz.

    Returns
    -------
    float
        Predicted prominence P. 0 where no onset has a positive prominence.
    """
    levels, step = fast_levels(samples, sample_rate)
    return max((_prominence(*onset) for onset in _onsets(levels, step)), default=0.0)


def _onsets(levels, step):
    """Yield (onset rate in dB/s, level difference in dB) of every onset."""
    rising = np.concatenate([[False], np.diff(levels) > _GRADIENT * step, [False]])
    edges = np.flatnonzero(np.diff(rising))
    for start, end in edges.reshape(-1, 2):
        onset = levels[start : end + 1]
        times = step * (np.arange(len(onset)) - (len(onset) - 1) / 2)
        yield np.sum(times * onset) / np.sum(times**2), onset[-1] - onset[0]


def _prominence(rate, difference):
    return max(3 * np.log10(rate) + 2 * np.log10(difference), 0.0)
