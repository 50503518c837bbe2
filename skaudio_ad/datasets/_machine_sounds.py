"""Generator of labelled machine sounds."""

from numbers import Integral, Real
from pathlib import Path
from typing import Literal

import numpy as np
from scipy.io import wavfile
from sklearn.utils import Bunch, check_random_state

from .._atomic import atomic_path
from .._typing import PathLike, RandomState
from ._rotating import FAN_FAULTS, PUMP_FAULTS, fan, pump
from ._scene import record
from ._strokes import SLIDER_FAULTS, VALVE_FAULTS, slider, valve
from ._summary import SoundsBunch

MACHINES = {
    "fan": (fan, FAN_FAULTS),
    "pump": (pump, PUMP_FAULTS),
    "slider": (slider, SLIDER_FAULTS),
    "valve": (valve, VALVE_FAULTS),
}
_NORMAL, _ANOMALOUS = 0, 1
# Minimum sampling rate, in Hz. At lower rates the resonances of bearing and rail faults lie above the Nyquist
# frequency.
_LOWEST_SAMPLE_RATE = 8000
# Minimum duration, in seconds. A slide rail needs up to 0.9 s to move there and back.
_SHORTEST_DURATION = 1.0
# Minimum severity of severity="mixed".
_SUBTLEST = 0.1


def make_machine_sounds(
    n_normal: int = 50,
    n_anomalous: int = 20,
    *,
    machine: Literal["fan", "pump", "slider", "valve"] = "fan",
    fault: str = "mixed",
    severity: float | Literal["mixed"] = "mixed",
    snr: float | tuple[float, float] = 6.0,
    duration: float = 2.0,
    sample_rate: int = 16000,
    output_dir: PathLike | None = None,
    random_state: RandomState = None,
) -> Bunch:
    """Make sounds of a healthy machine and of the same machine with a fault.

    Every clip draws its own operating condition (speed, load, small differences of build), room, factory
    noise and recording level. The level is drawn after the fault is in the sound, from the same range for
    both classes. Therefore loudness does not reveal an anomaly.

    Parameters
    ----------
    n_normal, n_anomalous : int, default=50, 20
        Number of normal and of anomalous clips. One of the two numbers may be 0.
    machine : {"fan", "pump", "slider", "valve"}, default="fan"
        Type of machine, as in the MIMII data set [1]_.
    fault : str, default="mixed"
        Fault of the anomalous clips, from the table below. "mixed" takes all faults of the machine in turn.
    severity : "mixed" or float, default="mixed"
        Strength of the fault. 1.0 is obvious. 0.1 is subtle, because everything that the fault adds is 20 dB
        weaker. "mixed" spreads the clips evenly between 1.0 and 0.1, in the order of the multiples of the golden
        ratio. This order is even over any number of clips and for each fault.
    snr : float or (float, float), default=6.0
        Signal-to-noise ratio, in dB: the power of the machine (with its fault, in its room) over the power of the
        factory noise in the same clip. A pair is a range from which each clip draws evenly. MIMII was published
        at 6, 0 and -6 dB [1]_, and the default is the easiest of the three. `inf` leaves out the noise.
    duration : float, default=2.0
        Length of a clip, in seconds, at least 1. The default is shorter than the 10 s of MIMII, so that examples
        are fast.
    sample_rate : int, default=16000
        Sampling rate, in Hz, at least 8000. The default is the rate of MIMII and of the DCASE challenges' task 2.
    output_dir : str or path-like, default=None
        Folder for 16-bit wav files. Each clip is written to `output_dir/normal` or `output_dir/anomalous` as soon
        as the clip is made, and no clip is kept in memory. Files of the same names are overwritten. The two folders
        must hold no other files. None keeps the clips in memory.
    random_state : int, RandomState instance or None, default=None
        Seed of the set. Each clip has its own seed, derived from this seed and from the clip's number in its class.
        Therefore normal clip 7 is the same for all values of `n_normal` and `n_anomalous`, and so is anomalous
        clip 7.

    Returns
    -------
    :class:`~sklearn.utils.Bunch`
        waveforms : ndarray of shape (n_clips, n_samples), float32, or None
            The clips within [-1, 1], normal clips first. None if the clips were written to `output_dir`.
        target : ndarray of shape (n_clips,), int64
            1 is normal, -1 is anomalous.
        sample_rate : int
            Sampling rate, in Hz.
        machine : str
            Type of machine.
        metadata : dict of ndarray of shape (n_clips,)
            `fault` (str, "none" for normal clips), `severity` (0.0 for normal clips), `speed` (turns, cycles
            or actuations per second), `load` (from 0 to 1), `snr` (dB) and `level` (dB relative to a root mean square
            of 1).
        paths : list of str, or None
            Paths of the files, in the order of `target`. None without `output_dir`.
        DESCR : str
            Description.

    Raises
    ------
    ValueError
        If a parameter is outside its range or a name is unknown.
    TypeError
        If a parameter that must be a number is not one.
    FileExistsError
        If `output_dir` holds files that do not belong to this set.

    Notes
    -----
    ========  ===============  ==============================================================================
    machine   fault            effect
    ========  ===============  ==============================================================================
    fan       imbalance        once-per-turn tone; blade tones and air noise swell once per turn
    fan       bearing          impacts on an outer race, 3.6 per turn, ringing at 2 to 3 kHz
    fan       obstruction      low turbulence with a stall thump at 0.64 times the speed, louder blade tones
    fan       loose_mount      half-order tones and a rattle about once per turn
    pump      cavitation       random crackle in gusts above 2 kHz
    pump      leak             hiss above 2.6 kHz, weaker vane tones
    pump      bearing          impacts on an outer race, 3.2 per turn, ringing at 3 kHz
    pump      clogging         stronger vane tones and shaft tone, surging flow
    slider    rail_damage      a series of impacts whenever the carriage passes one part of the rail
    slider    dry_rail         louder rail and a wavering squeal while the carriage moves
    slider    loose_belt       wavering whine, slaps at start and stop, end stops at irregular times
    valve     leak             hiss while the valve is shut
    valve     sticking         late, soft or missing opening clicks with a scrape before them
    valve     bounce           the plunger strikes three times more after each opening click
    valve     contamination    duller clicks, crackling flow, a longer hiss
    ========  ===============  ==============================================================================

    The fan has 7 blades, so its blade-pass frequency is 7 times `speed`. The pump has 6 vanes, so its vane-pass
    frequency is 6 times `speed`.

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
    # These numbers fix the set. The seeds of the clips are spawned from these numbers, see below.
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
            # Use scipy, because soundfile waits for the disk at the end of every file. soundfile also scales by
            # 2^15 - 1 when it writes floats, but by 2^15 when it reads.
            pcm = np.clip(np.rint(clip * 32768.0), -32768, 32767).astype(np.int16)
            with atomic_path(paths[row]) as temporary:
                wavfile.write(temporary, sample_rate, pcm)

    metadata = {"fault": np.array(names), "severity": np.array(severities)}
    metadata |= {key: np.array([c[key] for c in conditions]) for key in ("speed", "load", "snr", "level")}
    return SoundsBunch(
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
    """Make one clip of shape (n_samples,), float32, and its condition."""
    machine_part, noise_part, condition = _make_parts(
        rng, machine, fault, severity, snr_range, n_samples, sample_rate
    )
    return (machine_part + noise_part).astype(np.float32), condition


def _make_parts(rng, machine, fault, severity, snr_range, n_samples, sample_rate):
    """Make machine and noise of one clip, each of shape (n_samples,), and the condition."""
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
    """Make both folders and return the paths of the clips. Raise if a folder holds any other file."""
    folder = {_NORMAL: output_dir / "normal", _ANOMALOUS: output_dir / "anomalous"}
    paths = [
        folder[kind] / (f"{machine}_{i:06d}.wav" if kind == _NORMAL else f"{machine}_{i:06d}_{name}.wav")
        for (kind, i), name in zip(kinds, names)
    ]
    ours = {str(path) for path in paths}
    for path in folder.values():
        path.mkdir(parents=True, exist_ok=True)
        # An interrupted run or the operating system may leave hidden files.
        others = [
            str(entry)
            for entry in sorted(path.iterdir())
            if str(entry) not in ours and not entry.name.startswith(".")
        ]
        if others:
            raise FileExistsError(
                f"output_dir must hold only the files of this set, got {len(others)} other files. The first "
                f"is {others[0]!r}. Empty the folder or name a new one."
            )
    return [str(path) for path in paths]


def _check_counts(n_normal, n_anomalous):
    for name, value in (("n_normal", n_normal), ("n_anomalous", n_anomalous)):
        if not isinstance(value, Integral) or isinstance(value, bool):
            raise TypeError(f"{name} must be an integer, got {value!r}.")
        if value < 0:
            raise ValueError(f"{name} must not be negative, got {value!r}. 0 leaves out this kind.")
    if n_normal == n_anomalous == 0:
        raise ValueError("n_normal and n_anomalous must not both be 0. Ask for at least one clip.")


def _check_fault(machine, fault):
    """Return the faults to take in turn, a tuple of str."""
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
            f"severity must lie in the range (0, 1], got {severity!r}. For clips without a fault, raise n_normal."
        )


def _check_snr(snr):
    """Return the range of the signal-to-noise ratio in dB, as two floats."""
    pair = (snr, snr) if isinstance(snr, Real) else snr
    try:
        low, high = (float(value) for value in pair)
    except (TypeError, ValueError):
        raise TypeError(f"snr must be a number of dB or a pair (low, high), got {snr!r}.") from None
    if not low <= high or low == -np.inf or (high == np.inf and low < high):
        raise ValueError(f"snr must be a number of dB or a finite pair low <= high, got {snr!r}.")
    return low, high


def _check_length(duration, sample_rate):
    """Return the length of a clip, in samples."""
    if not isinstance(sample_rate, Integral) or isinstance(sample_rate, bool):
        raise TypeError(f"sample_rate must be an integer number of Hz, got {sample_rate!r}.")
    if sample_rate < _LOWEST_SAMPLE_RATE:
        raise ValueError(
            f"sample_rate must be at least {_LOWEST_SAMPLE_RATE} Hz, because faults are not audible below, got "
            f"{sample_rate!r}. Resample the result if you need a lower rate."
        )
    if not isinstance(duration, Real) or isinstance(duration, bool):
        raise TypeError(f"duration must be a number of seconds, got {duration!r}.")
    if not _SHORTEST_DURATION <= float(duration) < np.inf:
        raise ValueError(
            f"duration must be finite and at least {_SHORTEST_DURATION} s, the cycle of the slowest machine, "
            f"got {duration!r}."
        )
    return round(float(duration) * int(sample_rate))
