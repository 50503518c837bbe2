"""Sounds of the two machines that move back and forth, slide rail and solenoid valve, and of their faults.

The `severity` of a fault scales its sound linearly: 0.1 is 20 dB below 1.0. Speeds are typical of small industrial
machines. We chose the levels so that 1-nearest-neighbour search over log-mel means and standard deviations finds nearly
all faults of severity 1 and few faults of severity 0.1.
"""

import numpy as np

from ._primitives import harmonics, impacts, shaft_phase, shaped_noise, slow_drift, to_level

SLIDER_FAULTS = ("rail_damage", "dry_rail", "loose_belt")
VALVE_FAULTS = ("leak", "sticking", "bounce", "contamination")

# Speed of the carriage over one cycle of the slider: accelerate, cruise, brake, dwell, and the same on the way back.
_STROKE_KNOTS = np.array([0.0, 0.1, 0.3, 0.4, 0.5, 0.6, 0.8, 0.9, 1.0])
_STROKE_SPEED = np.array([0.0, 1.0, 1.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0])
_STROKE_ENDS = (0.4, 0.9)
_STROKE_STARTS = (0.0, 0.5)


def _times_of_phase(phase, sample_rate, fraction):
    """Return the times, in seconds, at which a rising phase, (n_samples,), reaches whole turns plus `fraction`."""
    turns = np.arange(np.floor(phase[0]), phase[-1] + 1) + fraction
    turns = turns[(turns >= phase[0]) & (turns <= phase[-1])]
    return np.interp(turns, phase, np.arange(len(phase)) / sample_rate)


def slider(rng, n_samples, sample_rate, fault, severity):
    """Make the sound of a slide rail: motor whine and rail noise that follow the carriage, knocks at both end stops.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.
    n_samples : int
        Length, in samples.
    sample_rate : int
        Sampling rate, in Hz.
    fault : str or None
        One of `SLIDER_FAULTS`.
    severity : float
        Strength of the fault, in (0, 1].

    Returns
    -------
    sound : ndarray of shape (n_samples,)
        Sound of the machine alone.
    condition : dict
        `speed` in cycles (there and back) per second and `load` in [0, 1].
    """
    amount = dict.fromkeys(SLIDER_FAULTS, 0.0) | ({fault: severity} if fault else {})
    speed, load = rng.uniform(1.2, 1.6), rng.uniform(0.4, 1.0)
    phase = shaft_phase(rng, n_samples, sample_rate, speed, wobble=0.01)
    carriage = np.interp(np.mod(phase, 1.0), _STROKE_KNOTS, _STROKE_SPEED)
    seconds = np.arange(n_samples) / sample_rate

    # The belt swings sideways whenever the carriage starts or brakes.
    starts = np.concatenate([_times_of_phase(phase, sample_rate, f) for f in _STROKE_STARTS])
    ends = np.concatenate([_times_of_phase(phase, sample_rate, f) for f in _STROKE_ENDS])
    flutter = np.sin(2 * np.pi * 21.0 * seconds + rng.uniform(0, 2 * np.pi))
    whine_speed = 620.0 * (speed / 1.4) * carriage * (1 + 0.04 * amount["loose_belt"] * flutter)
    whine = harmonics(np.cumsum(whine_speed) / sample_rate, [0.5, 0.3, 0.2, 0.1])
    whine *= carriage * (0.5 + 0.5 * load) * 10 ** (rng.normal(0, 1.5) / 20)
    whine *= 1 + 0.8 * amount["loose_belt"] * flutter

    rail = shaped_noise(rng, n_samples, sample_rate, low=900, high=3500, tilt=-0.3, order=1)
    rail *= carriage**1.5 * 10 ** (rng.normal(0, 1.0) / 20) * (speed / 1.4)
    rail *= 1 + 0.15 * slow_drift(rng, n_samples, sample_rate, fastest=8.0)
    rail *= 1 + 1.5 * amount["dry_rail"]

    stop = [(310.0, 0.025, 1.0), (1150.0, 0.010, 0.7), (2700.0, 0.005, 0.4)]
    knocks = ends + rng.normal(0, 0.003 + 0.012 * amount["loose_belt"], size=len(ends))
    strengths = (0.6 + 0.4 * load) * 10 ** (rng.normal(0, 1.5, size=len(ends)) / 20)
    sound = whine + rail + 6.0 * impacts(knocks, strengths, stop, n_samples, sample_rate)

    if amount["rail_damage"]:
        # Balls in the carriage roll over the pits of one part of the rail, the same part in both directions.
        there = np.cumsum(carriage * np.where(np.mod(phase, 1.0) < 0.45, 1.0, -1.0)) * speed / sample_rate
        way = (there - there.min()) / 0.3
        passed = np.flatnonzero(np.diff(np.floor(way * 40)) != 0)
        passed = passed[(way[passed] > 0.35) & (way[passed] < 0.65)]
        pits = [(2100.0, 0.004, 1.0), (3300.0, 0.003, 0.8), (1300.0, 0.005, 0.4)]
        blows = rng.uniform(0.4, 1.6, size=len(passed))
        sound += 5.0 * amount["rail_damage"] * impacts(seconds[passed], blows, pits, n_samples, sample_rate)
    if amount["dry_rail"]:
        # Without grease the carriage sticks and slips, which makes a wavering squeal while the carriage moves.
        waver = slow_drift(rng, n_samples, sample_rate, fastest=12.0)
        squeal = harmonics(np.cumsum(rng.uniform(2200, 2500) * (1 + 0.02 * waver)) / sample_rate, [1.0, 0.4])
        sound += 1.3 * amount["dry_rail"] * squeal * carriage * np.clip(0.6 + waver, 0, None)
    if amount["loose_belt"]:
        slaps = (np.concatenate([starts, ends])[:, None] + np.cumsum(rng.uniform(0.03, 0.06, size=4))).ravel()
        strengths = np.tile([1.0, 0.7, 0.5, 0.3], len(slaps) // 4) * rng.uniform(0.5, 1.5, size=len(slaps))
        belt = [(180.0, 0.030, 1.0), (520.0, 0.018, 0.7), (930.0, 0.010, 0.4)]
        sound += 3.5 * amount["loose_belt"] * impacts(slaps, strengths, belt, n_samples, sample_rate)
    return sound, {"speed": speed, "load": load}


def _bursts(times, n_samples, sample_rate, *, rise, decay):
    """Make an envelope, (n_samples,): a rise and an exponential decay (time constants, s) at every time (s)."""
    envelope = np.zeros(n_samples)
    for start in times:
        first = max(int(np.ceil(start * sample_rate)), 0)
        last = min(int((start + 8 * decay) * sample_rate), n_samples)
        if first < last:
            since = np.arange(first, last) / sample_rate - start
            # Without the rise the sudden start would be a click.
            envelope[first:last] += (1 - np.exp(-since / rise)) * np.exp(-since / decay)
    return envelope


def _while_open(opened, closed, n_samples, sample_rate):
    """Make a curve, (n_samples,), that is 1 between each time in `opened` and in `closed` (seconds), else 0."""
    gate = np.zeros(n_samples)
    for start, stop in zip(opened, closed):
        gate[max(int(start * sample_rate), 0) : max(int(stop * sample_rate), 0)] = 1.0
    return gate


def valve(rng, n_samples, sample_rate, fault, severity):
    """Make the sound of a solenoid valve: clicks when the valve opens and shuts, flow between them, then a hiss.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.
    n_samples : int
        Length, in samples.
    sample_rate : int
        Sampling rate, in Hz.
    fault : str or None
        One of `VALVE_FAULTS`.
    severity : float
        Strength of the fault, in (0, 1].

    Returns
    -------
    sound : ndarray of shape (n_samples,)
        Sound of the machine alone.
    condition : dict
        `speed` in actuations per second and `load` in [0, 1], the supply pressure.
    """
    amount = dict.fromkeys(VALVE_FAULTS, 0.0) | ({fault: severity} if fault else {})
    speed, load = rng.uniform(2.2, 3.2), rng.uniform(0.4, 1.0)
    duration = n_samples / sample_rate
    # Start one cycle before the clip, so that the valve can be open when the clip begins.
    commands = (np.arange(-1, int(duration * speed) + 1) + rng.uniform()) / speed
    commands = commands + rng.normal(0, 0.03 / speed, size=len(commands))
    strengths = (0.7 + 0.3 * load) * 10 ** (rng.normal(0, 1.0, size=len(commands)) / 20)
    if amount["sticking"]:
        # Friction holds the plunger, so that the plunger moves late and softly, or does not move.
        late = 0.08 * amount["sticking"] * rng.uniform(0.2, 1.0, size=len(commands))
        strengths *= 1 - 0.7 * amount["sticking"] * rng.uniform(0.3, 1.0, size=len(commands))
        stays = rng.uniform(size=len(commands)) < 0.3 * amount["sticking"]
        stays[1:] &= ~stays[:-1]  # never twice in a row, so that every clip has a click
        opened = (commands + late)[~stays]
        commands, strengths = commands[~stays], strengths[~stays]
    else:
        opened = commands
    closed = commands + 0.13 * rng.uniform(0.92, 1.08, size=len(commands))

    # Dirt on the seat damps the impact and lowers its pitch.
    pitch, damping = 1 - 0.15 * amount["contamination"], 1 - 0.4 * amount["contamination"]
    plunger = [(1350.0, 0.006, 1.0), (2900.0, 0.004, 0.9), (5600.0, 0.003, 0.8)]
    seat = [(1050.0, 0.007, 1.0), (2400.0, 0.004, 0.6), (4700.0, 0.003, 0.4)]
    plunger, seat = ([(f * pitch, d * damping, a) for f, d, a in modes] for modes in (plunger, seat))
    sound = impacts(opened, strengths, plunger, n_samples, sample_rate)
    sound += 0.7 * impacts(closed, strengths, seat, n_samples, sample_rate)

    gate = _while_open(opened, closed, n_samples, sample_rate)
    flow = shaped_noise(rng, n_samples, sample_rate, low=500, high=2000, order=1)
    sound += 0.03 * (0.5 + 0.5 * load) * gate * flow
    high = min(7000, 0.45 * sample_rate)
    hiss = shaped_noise(rng, n_samples, sample_rate, low=2800, high=high)
    release = _bursts(
        closed, n_samples, sample_rate, rise=0.004, decay=0.035 * (1 + 1.5 * amount["contamination"])
    )
    sound += 0.16 * (0.4 + 0.6 * load) * hiss * release
    # The coil, on alternating current, hums at twice the mains frequency while it holds the valve open.
    hum_phase = 100.0 * np.arange(n_samples) / sample_rate
    sound += 0.02 * gate * harmonics(hum_phase, [1.0, 0.6, 0.4, 0.2])

    if amount["leak"]:
        leak = shaped_noise(rng, n_samples, sample_rate, low=2200, high=high)
        sound += 0.05 * amount["leak"] * leak * (1 - 0.6 * gate)
    if amount["sticking"]:
        # The plunger scrapes along its tube between the command and the click.
        scrape = shaped_noise(rng, n_samples, sample_rate, low=600, high=2600)
        sound += 0.12 * amount["sticking"] * scrape * _while_open(commands, opened, n_samples, sample_rate)
    if amount["bounce"]:
        bounces = (
            opened[:, None] + np.cumsum(rng.uniform(0.018, 0.034, size=(len(opened), 3)), axis=1)
        ).ravel()
        weights = np.repeat(strengths, 3) * np.tile([1.0, 0.8, 0.6], len(opened)) * amount["bounce"]
        sound += impacts(bounces, weights, plunger, n_samples, sample_rate)
    if amount["contamination"]:
        grains = rng.uniform(0, duration, size=rng.poisson(120 * duration))
        grit = [(3700.0, 0.0008, 1.0), (2600.0, 0.001, 0.8)]
        crackle = impacts(grains, rng.exponential(size=len(grains)), grit, n_samples, sample_rate)
        sound += 0.04 * amount["contamination"] * gate * to_level(crackle, 1.0)
    return sound, {"speed": speed, "load": load}
