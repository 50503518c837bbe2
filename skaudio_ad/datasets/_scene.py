"""Surroundings of the machine: reflections and colour of the room, factory noise, recording level."""

import numpy as np
from scipy.fft import irfft, rfftfreq
from scipy.signal import oaconvolve

from ._primitives import harmonics, impacts, root_mean_square, shaped_noise, slow_drift, to_level

# Minimum and maximum level, in dB relative to full scale. 240 clips of MIMII at -6 dB, measured, have levels between
# -40 and -35 dB. At least 30 dB remain for clicks, so that clips rarely exceed full scale.
LEVEL_RANGE = (-42.0, -30.0)


def _room_response(rng, sample_rate):
    """Impulse response, (n_taps,), of the direct path, five early reflections and a slight colour of the spectrum."""
    n_taps = int(0.03 * sample_rate)
    response = np.zeros(n_taps)
    response[0] = 1.0
    delays = (rng.uniform(0.002, 0.028, size=5) * sample_rate).astype(np.intp)
    np.add.at(response, delays, rng.uniform(0.1, 0.35, size=5) * rng.choice([-1, 1], size=5))
    # Position and surfaces tilt the spectrum by up to a few decibels at both ends. A short filter is enough.
    frequencies = rfftfreq(64, 1 / sample_rate)
    octaves = np.log2(np.maximum(frequencies, 125.0) / 1000.0)
    decibels = rng.normal(0, 0.5) * octaves
    colour = np.roll(irfft(10 ** (decibels / 20)), 32) * np.hanning(64)
    return np.convolve(response, colour)


def in_room(rng, sound, sample_rate):
    """Return the sound, (n_samples,), that a microphone some metres away receives in a random room."""
    return oaconvolve(sound, _room_response(rng, sample_rate))[32 : 32 + len(sound)]


def factory_noise(rng, n_samples, sample_rate):
    """Make the background of a factory hall: rumble, mains hum, another machine, distant clanks.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.
    n_samples : int
        Length, in samples.
    sample_rate : int
        Sampling rate, in Hz.

    Returns
    -------
    ndarray of shape (n_samples,)
        The noise, with a root mean square of 1.
    """
    tilt = rng.uniform(-0.8, -0.55)
    noise = shaped_noise(rng, n_samples, sample_rate, low=50, high=0.4 * sample_rate, tilt=tilt, order=1)
    noise *= 1 + 0.25 * slow_drift(rng, n_samples, sample_rate, fastest=0.7)
    seconds = np.arange(n_samples) / sample_rate
    noise += rng.uniform(0.05, 0.25) * harmonics(50.0 * seconds + rng.uniform(), [0.4, 1.0, 0.3, 0.5])
    neighbour = rng.uniform(15, 60) * seconds + rng.uniform()
    noise += rng.uniform(0.0, 0.25) * harmonics(neighbour, rng.uniform(0, 1, size=12) ** 2)
    clanks = rng.uniform(0, n_samples / sample_rate, size=rng.poisson(0.4 * n_samples / sample_rate))
    hall = [(f, rng.uniform(0.01, 0.06), 1.0) for f in rng.uniform(300, 2800, size=2)]
    noise += rng.uniform(0.3, 1.0) * impacts(clanks, 1.0, hall, n_samples, sample_rate)
    return to_level(noise, 1.0)


def record(rng, sound, sample_rate, snr):
    """Place a machine in a room with factory noise, and record the machine at a random level.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.
    sound : ndarray of shape (n_samples,)
        Sound of the machine alone, with its fault if there is one.
    sample_rate : int
        Sampling rate, in Hz.
    snr : float
        Power of the machine over the power of the factory noise, both over the whole clip, in dB.

    Returns
    -------
    machine, noise : ndarray of shape (n_samples,)
        The two parts of the recording. Their sum is the recording and stays within [-1, 1].
    level : float
        Level of the sum, in dB relative to full scale (root mean square 1.0).
    """
    machine = to_level(in_room(rng, sound, sample_rate), 1.0)
    noise = factory_noise(rng, len(sound), sample_rate) * 10 ** (-snr / 20)
    level = rng.uniform(*LEVEL_RANGE)
    mixture = machine + noise
    # Apply the gain to machine, fault and noise together, so that loudness does not reveal the fault.
    gain = 10 ** (level / 20) / root_mean_square(mixture)
    peak = gain * np.max(np.abs(mixture))
    if peak > 1.0:  # lower the level instead of clipping, for example for one click in a silent room
        gain, level = gain / peak, level - 20 * np.log10(peak)
    return gain * machine, gain * noise, level
