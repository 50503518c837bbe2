"""Loudness after ISO 532-1, and the qualities that are computed from the loudness of the critical bands.

The tables are the tables of ISO 532-1:2017. Zwicker et al. published them first: "Program for calculating loudness
according to DIN 45631 (ISO 532B)", Journal of the Acoustical Society of Japan (E) 12, 39 (1991).
"""

from functools import lru_cache

import numpy as np

# Number of Bark between two points at which the specific loudness is sampled, as in ISO 532-1.
BARK_STEP = 0.1
BARKS = BARK_STEP * np.arange(1, 241)

# Exact centre frequencies of the third-octave bands from 25 Hz to 12.5 kHz (IEC 61260-1), in hertz.
THIRD_OCTAVES = 1000 * 10 ** (np.arange(-16, 12) / 10)
# Half the relative width of a third-octave band: (upper - lower edge) / centre frequency is twice this number.
_HALF_WIDTH = (10**0.05 - 10**-0.05) / 2

# The levels of the bands below 300 Hz are lowered, because the ear is less sensitive there. Each row of corrections,
# in dB, holds for corrected levels up to the entry of `_LOW_LEVELS` in dB.
_LOW_LEVELS = np.array([45, 55, 65, 71, 80, 90, 100, 120])
_LOW_CORRECTIONS = np.array(
    [
        [-32, -24, -16, -10, -5, 0, -7, -3, 0, -2, 0],
        [-29, -22, -15, -10, -4, 0, -7, -2, 0, -2, 0],
        [-27, -19, -14, -9, -4, 0, -6, -2, 0, -2, 0],
        [-25, -17, -12, -9, -3, 0, -5, -2, 0, -2, 0],
        [-23, -16, -11, -7, -3, 0, -4, -1, 0, -1, 0],
        [-20, -14, -10, -6, -3, 0, -4, -1, 0, -1, 0],
        [-18, -12, -9, -6, -2, 0, -3, -1, 0, -1, 0],
        [-15, -10, -8, -4, -2, 0, -3, -1, 0, -1, 0],
    ]
)
# Positions at which the third-octave bands below 300 Hz begin to form one critical band each.
_LOW_GROUPS = (0, 6, 9)

# Threshold in quiet of the 20 critical bands, in dB.
THRESHOLD = np.array([30, 18, 12, 8, 7, 6, 5, 4, *[3] * 12], dtype=float)
# Attenuation from the free field to the inner ear, in dB.
ATTENUATION = np.array(
    [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, -0.5, -1.6, -3.2, -5.4, -5.6, -4, -1.5, 2, 5, 12], dtype=float
)
# Difference between the level of a critical band and the level of its third octave, in dB.
_BAND_DIFFERENCE = np.array(
    [-0.25, -0.6, -0.8, -0.8, -0.5, 0, 0.5, 1.1, 1.5, 1.7, 1.8, 1.8, 1.7, 1.6, 1.4, 1.2, 0.8, 0.5, 0, -0.5]
)
# Upper ends of the critical bands, in Bark. The last one ends the slope of the band below.
BAND_ENDS = np.array(
    [
        0.9,
        1.8,
        2.8,
        3.5,
        4.4,
        5.4,
        6.6,
        7.9,
        9.2,
        10.6,
        12.3,
        13.8,
        15.2,
        16.7,
        18.1,
        19.3,
        20.6,
        21.8,
        22.7,
        23.6,
        24,
    ]
)
# Steepness of the upper slopes, in sone per Bark squared: a row for each range of specific loudness, which begins at
# the entry of `_SLOPE_ENDS` in sone per Bark, and a column for each of the lowest critical bands. The last column
# holds for all bands above.
_SLOPE_ENDS = np.array(
    [21.5, 18, 15.1, 11.5, 9, 6.1, 4.4, 3.1, 2.13, 1.36, 0.82, 0.42, 0.3, 0.22, 0.15, 0.1, 0.035, 0]
)
_SLOPES = np.array(
    [
        [13, 8.2, 6.3, 5.5, 5.5, 5.5, 5.5, 5.5],
        [9, 7.5, 6, 5.1, 4.5, 4.5, 4.5, 4.5],
        [7.8, 6.7, 5.6, 4.9, 4.4, 3.9, 3.9, 3.9],
        [6.2, 5.4, 4.6, 4.0, 3.5, 3.2, 3.2, 3.2],
        [4.5, 3.8, 3.6, 3.2, 2.9, 2.7, 2.7, 2.7],
        [3.7, 3.0, 2.8, 2.35, 2.2, 2.2, 2.2, 2.2],
        [2.9, 2.3, 2.1, 1.9, 1.8, 1.7, 1.7, 1.7],
        [2.4, 1.7, 1.5, 1.35, 1.3, 1.3, 1.3, 1.3],
        [1.95, 1.45, 1.3, 1.15, 1.1, 1.1, 1.1, 1.1],
        [1.5, 1.2, 0.94, 0.86, 0.82, 0.82, 0.82, 0.82],
        [0.72, 0.67, 0.64, 0.63, 0.62, 0.62, 0.62, 0.62],
        [0.59, 0.53, 0.51, 0.50, 0.42, 0.42, 0.42, 0.42],
        [0.40, 0.33, 0.26, 0.24, 0.24, 0.22, 0.22, 0.22],
        [0.27, 0.21, 0.20, 0.18, 0.17, 0.17, 0.17, 0.17],
        [0.16, 0.15, 0.14, 0.12, 0.11, 0.11, 0.11, 0.11],
        [0.12, 0.11, 0.10, 0.08, 0.08, 0.08, 0.08, 0.08],
        [0.09, 0.08, 0.07, 0.06, 0.06, 0.06, 0.06, 0.05],
        [0.06, 0.05, 0.03, 0.02, 0.02, 0.02, 0.02, 0.02],
    ]
)


@lru_cache(maxsize=4)
def third_octave_filters(n_frequencies, step):
    """Compute the power response of the third-octave filters: Butterworth band passes of order 3.

    Parameters
    ----------
    n_frequencies : int
        Number of frequencies. The first one is 0 Hz.
    step : float
        Step between two frequencies, in hertz.

    Returns
    -------
    ndarray of shape (28, n_frequencies)
        Zero at 0 Hz.
    """
    frequencies = np.maximum(step * np.arange(n_frequencies), 1e-9)
    ratios = frequencies / THIRD_OCTAVES[:, np.newaxis]
    return 1 / (1 + ((ratios - 1 / ratios) / (2 * _HALF_WIDTH)) ** 6)


def specific_loudness(levels):
    """Compute the loudness of a stationary sound in a free field, and its distribution over the critical bands.

    Parameters
    ----------
    levels : ndarray of shape (28,)
        Levels of the third-octave bands from 25 Hz to 12.5 kHz, in dB re 20 µPa. Empty bands are -inf.

    Returns
    -------
    loudness : float
        Loudness, in sone.
    pattern : ndarray of shape (240,)
        Specific loudness at `BARKS`, in sone per Bark.
    """
    lines = list(_lines(_core_loudness(levels)))
    loudness = sum((z2 - z1) * (n1 + n2) / 2 for z1, n1, z2, n2 in lines)
    z1, n1, z2, n2 = np.array(lines).T
    line = np.minimum(np.searchsorted(z2, BARKS - 1e-9), len(z2) - 1)
    steepness = (n1 - n2) / np.maximum(z2 - z1, 1e-12)
    return loudness, np.maximum(n1[line] - (BARKS - z1[line]) * steepness[line], 0)


def _core_loudness(levels):
    """Compute the specific loudness within each of the 20 critical bands, before masking. A band of 0 is last."""
    low = levels[:11]
    fits = low + _LOW_CORRECTIONS <= _LOW_LEVELS[:, np.newaxis]
    row = np.where(fits.any(axis=0), fits.argmax(axis=0), len(_LOW_LEVELS) - 1)
    powers = 10 ** ((low + _LOW_CORRECTIONS[row, np.arange(11)]) / 10)
    with np.errstate(divide="ignore"):
        bands = 10 * np.log10(np.add.reduceat(powers, _LOW_GROUPS))
    excitation = np.concatenate([bands, levels[11:]]) - ATTENUATION
    # A quarter of the excitation at threshold is the threshold factor of ISO 532-1.
    above = np.maximum(excitation - _BAND_DIFFERENCE - THRESHOLD, -200)
    core = 0.0635 * 10 ** (0.025 * THRESHOLD) * ((0.75 + 0.25 * 10 ** (above / 10)) ** 0.25 - 1)
    core = np.where(excitation > THRESHOLD, np.maximum(core, 0), 0)
    core[0] *= min(1, 0.4 + 0.32 * core[0] ** 0.2)
    return np.append(core, 0)


def _lines(core):
    """Yield the straight lines (z1, n1, z2, n2) of the pattern, from specific loudness n1 at z1 Bark to n2 at z2.

    The pattern follows the core loudness of a band, or falls along the upper slope of the bands below where that is
    louder.
    """
    z, n = 0.0, 0.0
    for band, (end, level) in enumerate(zip(BAND_ENDS, core, strict=True)):
        column = min(max(band - 1, 0), 7)
        while z < end:
            if n <= level:
                yield z, level, end, level
                z, n = end, level
                break
            # The range of the slope is the first one that begins below n.
            row = min(int(np.searchsorted(-_SLOPE_ENDS, -n, side="right")), len(_SLOPE_ENDS) - 1)
            steepness, stop = _SLOPES[row, column], max(_SLOPE_ENDS[row], level)
            reached = z + (n - stop) / steepness
            if reached >= end:
                reached, stop = end, n - (end - z) * steepness
            yield z, n, reached, stop
            z, n = reached, stop


def sharpness(loudness, pattern):
    """Compute the sharpness of DIN 45692.

    Parameters
    ----------
    loudness : float
        Loudness, in sone.
    pattern : ndarray of shape (240,)
        Specific loudness at `BARKS`, in sone per Bark.

    Returns
    -------
    float
        Sharpness, in acum. 0 where the loudness is 0.
    """
    if loudness == 0:
        return 0.0
    weights = np.where(BARKS > 15.8, 0.85 + 0.15 * np.exp(0.42 * (BARKS - 15.8)), 1.0)
    return 0.11 * BARK_STEP * np.sum(pattern * weights * BARKS) / loudness


def booming_index(loudness, pattern):
    """Compute the booming index of Hatano and Hashimoto, in the form of the AudioCommons timbral models.

    Parameters
    ----------
    loudness : float
        Loudness, in sone.
    pattern : ndarray of shape (240,)
        Specific loudness at `BARKS`, in sone per Bark.

    Returns
    -------
    float
        Booming index, which has no unit. 0 where the loudness is 0.
    """
    if loudness == 0:
        return 0.0
    frequencies = 600 * np.sinh(BARKS / 6)
    # The weights depend on the position of the frequency among the third octaves, where 25 Hz has position 1.
    positions = 1 + np.log10(frequencies / 25) / np.log10(31.5 / 25)
    weights = 2.13 * np.exp(-0.151 * positions)
    weights[:4] = 0.8, 1.05, 1.10, 1.18
    share = np.sum(pattern[frequencies < 280]) / np.sum(pattern)
    # The weighted loudness is summed like levels in dB. The largest one is taken out, so that nothing overflows.
    summands = pattern * weights
    largest = summands.max()
    return (largest + 10 * np.log10(np.sum(10 ** ((summands - largest) / 10)))) * share
