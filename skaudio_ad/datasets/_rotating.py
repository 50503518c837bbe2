"""Sounds of the two rotating machines, fan and pump, and of their faults.

Amplitudes are relative to the flow noise, whose root mean square is about 1. The `severity` of a fault scales its
sound linearly: 0.1 is 20 dB below 1.0. We chose the levels so that 1-nearest-neighbour search over log-mel means and
standard deviations finds nearly all faults of severity 1 and few faults of severity 0.1.
"""

import numpy as np

from ._physics import bearing_orders
from ._primitives import (
    bearing_impacts,
    crossings,
    harmonics,
    impacts,
    shaft_phase,
    shaped_noise,
    slow_drift,
    to_level,
)

N_BLADES = 7
N_VANES = 6
# Number of impacts per turn on the outer race: 0.4 x number of balls, a rule of thumb of condition monitoring
# (Randall & Antoni 2011). The usual bearings in motors of this size, 6204 and 6205, have 9 balls. The
# pump's bearing, 6202, has 8.
FAN_BEARING_ORDER = bearing_orders(9, 0.2)[0]
PUMP_BEARING_ORDER = bearing_orders(8, 0.2)[0]

FAN_FAULTS = ("imbalance", "bearing", "obstruction", "loose_mount")
PUMP_FAULTS = ("cavitation", "leak", "bearing", "clogging")


def _vary(rng, amplitudes, decibels):
    """Multiply amplitudes of shape (n,) by independent random errors with a standard deviation of `decibels`."""
    amplitudes = np.asarray(amplitudes, dtype=np.float64)
    return amplitudes * 10 ** (rng.normal(0, decibels / 20, size=amplitudes.shape))


def fan(rng, n_samples, sample_rate, fault, severity):
    """Make the sound of an axial fan: shaft harmonics, blade-pass tones and aerodynamic noise.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.
    n_samples : int
        Length, in samples.
    sample_rate : int
        Sampling rate, in Hz.
    fault : str or None
        One of `FAN_FAULTS`.
    severity : float
        Strength of the fault, in (0, 1].

    Returns
    -------
    sound : ndarray of shape (n_samples,)
        Sound of the machine alone.
    condition : dict
        `speed` in turns per second and `load` in [0, 1].
    """
    amount = dict.fromkeys(FAN_FAULTS, 0.0) | ({fault: severity} if fault else {})
    # A four-pole motor on 50 Hz mains turns at 25 Hz minus the slip. An inverter changes this by a few per cent.
    speed, load = rng.uniform(22.0, 26.0), rng.uniform(0.4, 1.0)
    phase = shaft_phase(rng, n_samples, sample_rate, speed, wobble=0.004)
    drift = slow_drift(rng, n_samples, sample_rate, fastest=1.0)
    once_per_turn = np.cos(2 * np.pi * np.mod(phase, 1.0))

    shaft = _vary(rng, [0.45, 0.25, 0.15, 0.1, 0.06], 1.5)
    shaft[:2] *= 1 + np.array([6.0, 3.0]) * amount["imbalance"]
    blades = _vary(rng, np.array([0.8, 0.45, 0.25, 0.12]) * (0.5 + 0.5 * load), 1.5)
    blades *= 1 + 1.2 * amount["obstruction"]
    tones = harmonics(phase, shaft)
    # An eccentric rotor disturbs the air once per turn, which makes side bands around every blade-pass tone.
    tones += harmonics(N_BLADES * phase, blades) * (1 + 0.6 * amount["imbalance"] * once_per_turn)

    # The sound power of fans is proportional to the fifth power of speed, and the spectrum moves up with speed
    # (I. J. Sharland, "Sources of noise in axial flow fans", Journal of Sound and Vibration 1(3), 1964).
    air = shaped_noise(rng, n_samples, sample_rate, low=70, high=700 * speed / 24, tilt=-0.4, order=1)
    air *= (speed / 24) ** 2.5 * (0.7 + 0.3 * load) * (1 + 0.2 * drift)
    air *= 1 + 0.6 * amount["imbalance"] * once_per_turn
    if amount["obstruction"]:
        # A blocked inlet causes a stall: more turbulence at low frequencies. The noise thumps with the stall cells,
        # which turn more slowly than the rotor. The factor 0.64 is not a simple fraction, so that the thump is not a
        # harmonic of the shaft.
        turbulence = shaped_noise(rng, n_samples, sample_rate, low=140, high=520)
        thump = 1 + 0.7 * np.cos(2 * np.pi * 0.64 * phase + rng.uniform(0, 2 * np.pi))
        air += 2.0 * amount["obstruction"] * turbulence * thump

    sound = tones + air
    if amount["bearing"]:
        ring = [(3100.0, 0.0012, 1.0), (2300.0, 0.0015, 0.6)]
        sound += (
            0.65
            * amount["bearing"]
            * bearing_impacts(rng, phase, sample_rate, order=FAN_BEARING_ORDER, modes=ring)
        )
    if amount["loose_mount"]:
        # A loose mount adds tones at half orders. The foot knocks once per turn, but sometimes it stays down.
        sound += amount["loose_mount"] * harmonics(0.5 * phase, [0.45, 0.0, 0.55, 0.0, 0.45, 0.0, 0.3])
        knocks = crossings(phase, sample_rate)
        strengths = rng.uniform(0.4, 1.6, size=len(knocks)) * (rng.uniform(size=len(knocks)) > 0.3)
        knocks = knocks + rng.normal(0, 0.002, size=len(knocks))
        plate = [(620.0, 0.012, 1.0), (1450.0, 0.008, 0.7), (2250.0, 0.005, 0.3)]
        sound += (
            0.7
            * amount["loose_mount"]
            * to_level(impacts(knocks, strengths, plate, n_samples, sample_rate), 1.0)
        )
    return sound, {"speed": speed, "load": load}


def pump(rng, n_samples, sample_rate, fault, severity):
    """Make the sound of a centrifugal pump: shaft harmonics, vane-pass tones, and flow noise that pulsates.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.
    n_samples : int
        Length, in samples.
    sample_rate : int
        Sampling rate, in Hz.
    fault : str or None
        One of `PUMP_FAULTS`.
    severity : float
        Strength of the fault, in (0, 1].

    Returns
    -------
    sound : ndarray of shape (n_samples,)
        Sound of the machine alone.
    condition : dict
        `speed` in turns per second and `load` in [0, 1].
    """
    amount = dict.fromkeys(PUMP_FAULTS, 0.0) | ({fault: severity} if fault else {})
    # A two-pole motor on 50 Hz mains turns at 50 Hz minus the slip. An inverter lowers this further.
    speed, load = rng.uniform(44.0, 49.5), rng.uniform(0.4, 1.0)
    phase = shaft_phase(rng, n_samples, sample_rate, speed, wobble=0.003)

    shaft = _vary(rng, [0.5, 0.35, 0.2, 0.12], 1.5)
    # A clogged impeller hits the cutwater harder and is out of balance. A leaking pump builds less pressure.
    shaft[0] *= 1 + 1.2 * amount["clogging"]
    vanes = _vary(rng, np.array([0.9, 0.5, 0.3, 0.2, 0.1]) * (0.5 + 0.5 * load), 1.5)
    vanes *= (1 + 0.9 * amount["clogging"]) * (1 - 0.5 * amount["leak"])
    tones = harmonics(phase, shaft) + harmonics(N_VANES * phase, vanes)

    # Pressure pulsates at the vane-pass rate. It also pulsates slowly, because of the pipes behind the pump.
    pulsation = 1 + 0.3 * np.cos(2 * np.pi * N_VANES * phase)
    surge_rate, surge_depth = rng.uniform(2.0, 4.0), 0.15 + 0.5 * amount["clogging"]
    seconds = np.arange(n_samples) / sample_rate
    surge = 1 + surge_depth * np.sin(2 * np.pi * surge_rate * seconds + rng.uniform(0, 2 * np.pi))
    flow = shaped_noise(rng, n_samples, sample_rate, low=250, high=2200, tilt=-0.3, order=1)
    flow *= pulsation * surge * (0.6 + 0.4 * load) * (1 - 0.2 * amount["clogging"])

    sound = tones + flow
    if amount["cavitation"]:
        # Collapsing bubbles make many short clicks at random times, in bursts when a vane passes low pressure.
        n_bubbles = rng.poisson(700 * n_samples / sample_rate)
        collapse = rng.uniform(0, n_samples / sample_rate, size=n_bubbles)
        at_vane = np.mod(np.interp(collapse * sample_rate, np.arange(n_samples), phase), 1.0)
        strengths = rng.exponential(size=n_bubbles) ** 1.5 * (1 + 0.8 * np.cos(2 * np.pi * at_vane))
        crackle = [(2600.0, 0.0006, 1.0), (3300.0, 0.0008, 0.7), (5200.0, 0.0004, 0.8)]
        gusts = 1 + 0.5 * slow_drift(rng, n_samples, sample_rate, fastest=6.0)
        sound += (
            0.75
            * amount["cavitation"]
            * gusts
            * to_level(impacts(collapse, strengths, crackle, n_samples, sample_rate), 1.0)
        )
    if amount["leak"]:
        high = min(6500, 0.42 * sample_rate)
        hiss = shaped_noise(rng, n_samples, sample_rate, low=2600, high=high)
        sound += (
            0.8 * amount["leak"] * hiss * (1 + 0.3 * slow_drift(rng, n_samples, sample_rate, fastest=5.0))
        )
    if amount["bearing"]:
        ring = [(3400.0, 0.0010, 1.0), (2700.0, 0.0012, 0.6)]
        sound += (
            0.85
            * amount["bearing"]
            * bearing_impacts(rng, phase, sample_rate, order=PUMP_BEARING_ORDER, modes=ring)
        )
    return sound, {"speed": speed, "load": load}
