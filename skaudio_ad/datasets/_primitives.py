"""Building blocks of the machine sounds: shaped noise, harmonics, impacts that ring, slow drifts."""

import numpy as np
from scipy.fft import irfft, next_fast_len, rfftfreq
from scipy.signal import lfilter

from ._physics import band_gain, load_zone


def root_mean_square(x):
    """Return the root mean square of a waveform of shape (n_samples,)."""
    return float(np.sqrt(np.mean(np.square(x, dtype=np.float64))))


def to_level(x, level):
    """Scale a waveform of shape (n_samples,) to the root mean square `level`. Silence stays silence."""
    current = root_mean_square(x)
    return x * (level / current) if current > 0 else x


def shaped_noise(rng, n_samples, sample_rate, *, low, high, tilt=0.0, order=2):
    """Make Gaussian noise of a given colour, with a root mean square of 1.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.
    n_samples : int
        Length, in samples.
    sample_rate : int
        Sampling rate, in Hz.
    low, high : float
        Corner frequencies of the band, in Hz, at which the level is 3 dB lower.
    tilt : float, default=0
        Slope inside the band: amplitude is proportional to frequency to this power. -0.5 is pink noise.
    order : int, default=2
        Slope of both skirts: 6 dB per octave times `order`.

    Returns
    -------
    ndarray of shape (n_samples,), float32
        The noise.
    """
    # Draw the spectrum itself, because this needs one transform instead of two. The noise is made longer and then
    # cut, so that the transform has a fast length and the end of the noise does not continue at its start.
    n_fft = next_fast_len(n_samples + 64, real=True)
    frequencies = rfftfreq(n_fft, 1 / sample_rate).astype(np.float32)
    frequencies[0] = frequencies[1]
    gain = band_gain(frequencies, low, high, order=order)
    if tilt:
        gain *= (frequencies / low) ** tilt
    gain[0] = 0.0
    spectrum = rng.standard_normal((2, len(gain)), dtype=np.float32) * gain
    return to_level(irfft(spectrum[0] + 1j * spectrum[1], n_fft)[:n_samples], 1.0)


def slow_drift(rng, n_samples, sample_rate, *, fastest):
    """Make a smooth random curve that stays within [-1, 1] and has no content above `fastest` Hz.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.
    n_samples : int
        Length, in samples.
    sample_rate : int
        Sampling rate, in Hz.
    fastest : float
        Maximum frequency, in Hz, of the three sinusoids whose mean is the curve.

    Returns
    -------
    ndarray of shape (n_samples,), float64
        The curve.
    """
    frequencies = rng.uniform(0.15, 1.0, size=(3, 1)) * fastest
    starts = rng.uniform(0, 2 * np.pi, size=(3, 1))
    # Interpolate linearly between 32 points per shortest period, because three sines at every sample are slower.
    n_points = max(int(32 * fastest * n_samples / sample_rate), 2) + 1
    times = np.linspace(0, n_samples / sample_rate, n_points)
    curve = np.mean(np.sin(2 * np.pi * frequencies * times + starts), axis=0)
    return np.interp(np.arange(n_samples) / sample_rate, times, curve)


def shaft_phase(rng, n_samples, sample_rate, speed, wobble):
    """Return the phase of a shaft, in turns. The speed drifts slowly around `speed`.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.
    n_samples : int
        Length, in samples.
    sample_rate : int
        Sampling rate, in Hz.
    speed : float
        Mean speed over the clip, in turns per second.
    wobble : float
        Maximum relative deviation from `speed`.

    Returns
    -------
    ndarray of shape (n_samples,), float64
        Phase in turns. The phase starts at a random point of the first turn.
    """
    drift = slow_drift(rng, n_samples, sample_rate, fastest=0.8)
    # Subtract the mean, so that `speed` is the true mean speed of the clip, even of a short clip.
    instantaneous = speed * (1 + wobble * (drift - drift.mean()))
    return np.cumsum(instantaneous) / sample_rate + rng.uniform()


def harmonics(phase, amplitudes):
    """Return the sum of amplitudes[k - 1] * sin(2 pi k phase + k^2), by Horner's rule.

    Parameters
    ----------
    phase : ndarray of shape (n_samples,)
        Phase of the fundamental, in turns.
    amplitudes : sequence of float
        Amplitude of the fundamental, of the second harmonic, and so on.

    Returns
    -------
    ndarray of shape (n_samples,), float32
        The sum.
    """
    # Use one complex product per harmonic, because one sine per harmonic is ten times slower. Without the phase k^2
    # the harmonics would align and sound like clicks.
    turn = np.exp(2j * np.pi * np.mod(phase, 1.0)).astype(np.complex64)
    coefficients = [a * np.exp(1j * k * k) for k, a in enumerate(amplitudes, start=1)]
    total = np.full(len(phase), coefficients[-1], dtype=np.complex64)
    for coefficient in coefficients[-2::-1]:
        total *= turn
        total += np.complex64(coefficient)
    total *= turn
    return total.imag


def impacts(times, strengths, modes, n_samples, sample_rate):
    """Make the sound of impacts at given times on a structure that rings.

    Parameters
    ----------
    times : array-like of shape (n_impacts,)
        Times of the impacts, in seconds. Impacts outside the clip are left out.
    strengths : float or array-like of shape (n_impacts,)
        Strength of each impact.
    modes : sequence of (float, float, float)
        Natural frequency in Hz, decay time to 1/e in seconds, and amplitude of every mode of the structure.
    n_samples : int
        Length, in samples.
    sample_rate : int
        Sampling rate, in Hz.

    Returns
    -------
    ndarray of shape (n_samples,), float64
        The sound.
    """
    positions = np.asarray(times, dtype=np.float64) * sample_rate
    strengths = np.broadcast_to(np.asarray(strengths, dtype=np.float64), positions.shape)
    inside = (positions >= 0) & (positions < n_samples - 1)
    whole, fraction = np.divmod(positions[inside], 1.0)
    whole = whole.astype(np.intp)
    blows = np.zeros(n_samples)
    # Share an impact between its two nearest samples, because rounding to whole samples would remove jitter.
    np.add.at(blows, whole, (1 - fraction) * strengths[inside])
    np.add.at(blows, whole + 1, fraction * strengths[inside])
    sound = np.zeros(n_samples)
    for frequency, decay, amplitude in modes:
        if frequency > 0.45 * sample_rate:
            continue  # near the Nyquist frequency a two-pole filter rings at the wrong pitch
        radius, angle = np.exp(-1 / (decay * sample_rate)), 2 * np.pi * frequency / sample_rate
        sound += lfilter(
            [0.0, amplitude * np.sin(angle)], [1.0, -2 * radius * np.cos(angle), radius**2], blows
        )
    return sound


def crossings(curve, sample_rate):
    """Return the times, in seconds, at which a rising curve of shape (n_samples,) passes whole numbers."""
    whole = np.arange(np.ceil(curve[0]), curve[-1])
    return np.interp(whole, curve, np.arange(len(curve)) / sample_rate)


def bearing_impacts(rng, phase, sample_rate, *, order, modes):
    """Make the sound of rolling elements that pass a damaged spot of a bearing race.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.
    phase : ndarray of shape (n_samples,)
        Phase of the shaft, in turns.
    sample_rate : int
        Sampling rate, in Hz.
    order : float
        Defect frequency in impacts per turn. The number is not an integer, so that bearing tones differ from the
        harmonics of the shaft.
    modes : sequence of (float, float, float)
        Modes that the impacts excite, see `impacts`.

    Returns
    -------
    ndarray of shape (n_samples,), float64
        The sound, with a root mean square of 1.

    Notes
    -----
    Elements slip by 1 or 2 % of their spacing [1]_. Once per turn the impact is stronger, at the position of the
    load.

    References
    ----------
    .. [1] R. B. Randall and J. Antoni, "Rolling element bearing diagnostics - a tutorial", Mechanical
       Systems and Signal Processing 25(2), 2011.
    """
    times = crossings(order * phase, sample_rate)
    angle = 2 * np.pi * np.interp(times * sample_rate, np.arange(len(phase)), phase)
    speed = (phase[-1] - phase[0]) * sample_rate / len(phase)
    times = times + rng.normal(0, 0.015 / (order * speed), size=len(times))
    strengths = load_zone(angle, 0.4, np.cos) * rng.uniform(0.7, 1.3, size=len(times))
    return to_level(impacts(times, strengths, modes, len(phase), sample_rate), 1.0)
