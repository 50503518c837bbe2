"""Generator of labelled machine sounds."""

from numbers import Integral, Real
from pathlib import Path

import numpy as np
from scipy.io import wavfile
from sklearn.utils import Bunch, check_random_state

from .._atomic import atomic_path
from ._rotating import FAN_FAULTS, PUMP_FAULTS, fan, pump
from ._scene import record
from ._strokes import SLIDER_FAULTS, VALVE_FAULTS, slider, valve

MACHINES = {
    "fan": (fan, FAN_FAULTS),
    "pump": (pump, PUMP_FAULTS),
    "slider": (slider, SLIDER_FAULTS),
    "valve": (valve, VALVE_FAULTS),
}
_NORMAL, _ANOMALOUS = 0, 1
# Below, the resonances that bearing and rail faults excite lie above the Nyquist frequency.
_LOWEST_SAMPLE_RATE = 8000
# A slide rail needs up to 0.9 s for one way there and back.
_SHORTEST_DURATION = 1.0
_SUBTLEST = 0.1


def make_machine_sounds(
    n_normal=50,
    n_anomalous=20,
    *,
    machine="fan",
    fault="mixed",
    severity="mixed",
    snr=6.0,
    duration=2.0,
    sample_rate=16000,
    output_dir=None,
    random_state=None,
):
    """Make sounds of a machine in order and of the same machine with a fault.

    Every clip draws its own operating condition (speed, load, small differences of build), room, factory
    noise and recording level. The level is drawn after the fault is in the sound, from the same range for
    both classes: loudness does not give an anomaly away.

    Parameters
    ----------
    n_normal, n_anomalous : int, default=50, 20
        Number of clips of either kind; one of them may be 0.
    machine : {"fan", "pump", "slider", "valve"}, default="fan"
        The machine: the four kinds of the MIMII data set [1]_.
    fault : str, default="mixed"
        The anomalous clips' fault, one of those in the table below; "mixed" goes round all of the machine's.
    severity : "mixed" or float, default="mixed"
        Strength of the fault: 1.0 is obvious, 0.1 is subtle, everything it adds being 20 dB weaker.
        "mixed" spreads the clips evenly between 1.0 and 0.1, in the order of the multiples of the golden
        ratio, which is even over any number of clips and for each fault.
    snr : float or (float, float), default=6.0
        Power of the machine (with its fault, in its room) over the power of the factory noise in the same
        clip, in dB; a pair is a range from which each clip draws evenly. MIMII was published at 6, 0 and
        -6 dB [1]_; the default is the easiest of the three. `inf` leaves out the noise.
    duration : float, default=2.0
        Length of a clip, in seconds, at least 1. MIMII's 10 s are more than a fast example wants.
    sample_rate : int, default=16000
        Sampling rate, in Hz, at least 8000. The default is MIMII's and the DCASE challenges' task 2.
    output_dir : str or path-like, default=None
        Write each clip as soon as it is made, as a 16-bit wav file below `output_dir/normal` and
        `output_dir/anomalous`, and keep none in memory. Files of the same names are written over; both
        folders must hold nothing else.
    random_state : int, RandomState instance or None, default=None
        Seed. Each clip has a seed of its own, derived from this one and from its number in its class, so
        normal clip 7 is the same whatever `n_normal` and `n_anomalous` are, and so is anomalous clip 7.

    Returns
    -------
    :class:`~sklearn.utils.Bunch`
        waveforms : ndarray of shape (n_clips, n_samples), float32, or None
            The clips, normal ones first, within [-1, 1]. None if they were written to `output_dir`.
        target : ndarray of shape (n_clips,), int64
            1 normal, -1 anomalous.
        sample_rate : int
            Sampling rate, in Hz.
        machine : str
            The machine.
        metadata : dict of ndarray of shape (n_clips,)
            `fault` (str, "none" for normal clips), `severity` (0.0 for normal clips), `speed` (turns, cycles
            or actuations per second), `load` (from 0 to 1), `snr` (dB) and `level` (dB relative to a full
            scale root mean square of 1).
        paths : list of str, or None
            The files written, in the order of `target`. None without `output_dir`.
        DESCR : str
            Description.

    Raises
    ------
    ValueError
        If a parameter is outside its range or a name is unknown.
    TypeError
        If a parameter that must be a number is not one.
    FileExistsError
        If `output_dir` holds files that are not of this set.

    Notes
    -----
    ========  ===============  ==============================================================================
    machine   fault            what it does
    ========  ===============  ==============================================================================
    fan       imbalance        once-per-turn tone; blade tones and air noise swell once per turn
    fan       bearing          impacts on an outer race, 3.6 per turn, ringing at 2 to 3 kHz
    fan       obstruction      low turbulence with a stall thump at 0.64 times the speed, louder blade tones
    fan       loose_mount      half-order tones and a rattle about once per turn
    pump      cavitation       random crackle in gusts above 2 kHz
    pump      leak             hiss above 2.6 kHz, weaker vane tones
    pump      bearing          impacts on an outer race, 3.2 per turn, ringing at 3 kHz
    pump      clogging         stronger vane tones and shaft tone, surging flow
    slider    rail_damage      a run of blows whenever the carriage passes one stretch of the rail
    slider    dry_rail         louder rail and a wavering squeal while it moves
    slider    loose_belt       wavering whine, slaps at start and stop, untimely end stops
    valve     leak             hiss while it is shut
    valve     sticking         late, soft or missing opening clicks with a scrape before them
    valve     bounce           the plunger strikes three times more after each opening click
    valve     contamination    duller clicks, crackling flow, a longer hiss
    ========  ===============  ==============================================================================

    The fan has 7 blades, the pump 6 vanes: blade-pass and vane-pass frequency are that times `speed`.

    References
    ----------
    .. [1] H. Purohit et al., "MIMII Dataset: Sound Dataset for Malfunctioning Industrial Machine
       Investigation and Inspection", DCASE Workshop, 2019.

    Examples
    --------
    >>> from skaudio_ad.datasets import make_machine_sounds
    >>> sounds = make_machine_sounds(4, 2, machine="pump", random_state=0)
    >>> sounds.waveforms.shape
    (6, 32000)
    >>> sounds.target
    array([ 1,  1,  1,  1, -1, -1])
    >>> sounds.metadata["fault"][-2:].tolist()
    ['cavitation', 'leak']
    """
    _check_counts(n_normal, n_anomalous)
    faults = _check_fault(machine, fault)
    _check_severity(severity)
    snr_range = _check_snr(snr)
    n_samples = _check_length(duration, sample_rate)
    # One number fixes the set; the clips' own seeds are spawned from it by their numbers (see below).
    entropy = check_random_state(random_state).randint(0, 2**31 - 1, size=4).tolist()

    kinds = [(_NORMAL, i) for i in range(n_normal)] + [(_ANOMALOUS, i) for i in range(n_anomalous)]
    names = [faults[i % len(faults)] if kind == _ANOMALOUS else "none" for kind, i in kinds]
    severities = [_severity(severity, i) if kind == _ANOMALOUS else 0.0 for kind, i in kinds]
    paths = waveforms = None
    if output_dir is not None:
        paths = _prepare_folders(Path(output_dir), machine, kinds, names)
    else:
        waveforms = np.empty((len(kinds), n_samples), dtype=np.float32)

    conditions = []
    for row, ((kind, i), name, amount) in enumerate(zip(kinds, names, severities)):
        rng = np.random.default_rng(np.random.SeedSequence(entropy, spawn_key=(kind, i)))
        clip, condition = _make_clip(rng, machine, name, amount, snr_range, n_samples, sample_rate)
        conditions.append(condition)
        if waveforms is not None:
            waveforms[row] = clip
        if paths is not None:
            # scipy and not soundfile, which waits for the disk at the end of every file and, writing floats,
            # scales by 2^15 - 1 what it reads back with 2^15.
            pcm = np.clip(np.rint(clip * 32768.0), -32768, 32767).astype(np.int16)
            with atomic_path(paths[row]) as temporary:
                wavfile.write(temporary, sample_rate, pcm)

    metadata = {"fault": np.array(names), "severity": np.array(severities)}
    metadata |= {key: np.array([c[key] for c in conditions]) for key in ("speed", "load", "snr", "level")}
    return Bunch(
        waveforms=waveforms,
        target=np.repeat(np.array([1, -1], dtype=np.int64), [n_normal, n_anomalous]),
        sample_rate=sample_rate,
        machine=machine,
        metadata=metadata,
        paths=paths,
        DESCR=(
            f"Procedural sounds of a {machine}: {n_normal} normal and {n_anomalous} anomalous clips of "
            f"{n_samples} samples at {sample_rate} Hz; faults: {', '.join(faults)}."
        ),
    )


def _make_clip(rng, machine, fault, severity, snr_range, n_samples, sample_rate):
    """One clip of shape (n_samples,), float32, and its condition."""
    machine_part, noise_part, condition = _make_parts(
        rng, machine, fault, severity, snr_range, n_samples, sample_rate
    )
    return (machine_part + noise_part).astype(np.float32), condition


def _make_parts(rng, machine, fault, severity, snr_range, n_samples, sample_rate):
    """Machine and noise of one clip, each of shape (n_samples,), and its condition."""
    snr = rng.uniform(*snr_range) if snr_range[0] < snr_range[1] else snr_range[0]
    synthesize, _ = MACHINES[machine]
    sound, condition = synthesize(rng, n_samples, sample_rate, None if fault == "none" else fault, severity)
    machine_part, noise_part, level = record(rng, sound, sample_rate, snr)
    return machine_part, noise_part, condition | {"snr": snr, "level": level}


def _severity(severity, i):
    if severity != "mixed":
        return float(severity)
    golden = (np.sqrt(5) - 1) / 2
    return float(1.0 - (1.0 - _SUBTLEST) * ((i * golden) % 1.0))


def _prepare_folders(output_dir, machine, kinds, names):
    """Make both folders and return the paths of the clips; refuse folders that hold anything else."""
    folder = {_NORMAL: output_dir / "normal", _ANOMALOUS: output_dir / "anomalous"}
    paths = [
        folder[kind] / (f"{machine}_{i:06d}.wav" if kind == _NORMAL else f"{machine}_{i:06d}_{name}.wav")
        for (kind, i), name in zip(kinds, names)
    ]
    ours = {str(path) for path in paths}
    for path in folder.values():
        path.mkdir(parents=True, exist_ok=True)
        # Hidden files are what an interrupted run, or the system's view of the folder, leaves behind.
        others = [
            str(entry)
            for entry in sorted(path.iterdir())
            if str(entry) not in ours and not entry.name.startswith(".")
        ]
        if others:
            raise FileExistsError(
                f"output_dir must hold no files but those of this set, got {len(others)} others, the first "
                f"being {others[0]!r}. Empty the folder or name a new one."
            )
    return [str(path) for path in paths]


def _check_counts(n_normal, n_anomalous):
    for name, value in (("n_normal", n_normal), ("n_anomalous", n_anomalous)):
        if not isinstance(value, Integral) or isinstance(value, bool):
            raise TypeError(f"{name} must be an integer, got {value!r}.")
        if value < 0:
            raise ValueError(f"{name} must not be negative, got {value!r}; 0 leaves that kind out.")
    if n_normal == n_anomalous == 0:
        raise ValueError("n_normal and n_anomalous must not both be 0; ask for at least one clip.")


def _check_fault(machine, fault):
    """Faults to go round, a tuple of str."""
    if machine not in MACHINES:
        raise ValueError(f"Unknown machine {machine!r}; known ones: {', '.join(MACHINES)}.")
    known = MACHINES[machine][1]
    if fault == "mixed":
        return known
    if fault not in known:
        raise ValueError(f"Unknown fault {fault!r} of a {machine}; known ones: {', '.join(known)}, mixed.")
    return (fault,)


def _check_severity(severity):
    if isinstance(severity, str) and severity == "mixed":
        return
    if not isinstance(severity, Real) or isinstance(severity, bool):
        raise TypeError(f"severity must be a number or 'mixed', got {severity!r}.")
    if not 0 < float(severity) <= 1:
        raise ValueError(
            f"severity must lie in the range (0, 1], got {severity!r}; for clips without a fault raise n_normal."
        )


def _check_snr(snr):
    """Range of the signal-to-noise ratio in dB, as two floats."""
    pair = (snr, snr) if isinstance(snr, Real) else snr
    try:
        low, high = (float(value) for value in pair)
    except (TypeError, ValueError):
        raise TypeError(f"snr must be a number of dB or a pair (low, high), got {snr!r}.") from None
    if not low <= high or low == -np.inf or (high == np.inf and low < high):
        raise ValueError(f"snr must be a number of dB or a finite pair low <= high, got {snr!r}.")
    return low, high


def _check_length(duration, sample_rate):
    """Length of a clip, in samples."""
    if not isinstance(sample_rate, Integral) or isinstance(sample_rate, bool):
        raise TypeError(f"sample_rate must be an integer number of Hz, got {sample_rate!r}.")
    if sample_rate < _LOWEST_SAMPLE_RATE:
        raise ValueError(
            f"sample_rate must be at least {_LOWEST_SAMPLE_RATE} Hz, or the faults are not audible, got "
            f"{sample_rate!r}; resample the result if you need less."
        )
    if not isinstance(duration, Real) or isinstance(duration, bool):
        raise TypeError(f"duration must be a number of seconds, got {duration!r}.")
    if not _SHORTEST_DURATION <= float(duration) < np.inf:
        raise ValueError(
            f"duration must be at least {_SHORTEST_DURATION} s, one cycle of the slowest machine, and finite, "
            f"got {duration!r}."
        )
    return round(float(duration) * int(sample_rate))
