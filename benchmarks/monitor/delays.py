"""Windows from the onset of an obvious fault to its alarm, with generated sounds of four machines and "mini"."""

import numpy as np

from skaudio_ad.datasets import make_machine_sounds
from skaudio_ad.presets import make_detector

from ._sounds import (
    HOP,
    SECONDS,
    START,
    JoinedSource,
    calibrate,
    delay_row,
    fault_clips,
    fit_on_long_sound,
    judge,
    listen,
    normal_clips,
)

MACHINES = ("fan", "pump", "slider", "valve")
RATE = 16000
# Duration for which the machine keeps its speed and load, and of a fault, in seconds.
DURATION = 60.0
# Numbers of minutes to train and to calibrate, and from one fault to the next one.
N_TRAIN, N_CALIBRATE, N_BETWEEN = 20, 20, 2


def row(machine, seed, n_rounds=1, n_train=N_TRAIN, n_calibrate=N_CALIBRATE):
    """Listen to a machine with every fault of its kind in turn.

    Parameters
    ----------
    machine : str
    seed : int
    n_rounds : int
        Number of times that every fault comes.
    n_train, n_calibrate : int
        Number of minutes.

    Returns
    -------
    dict
    """
    settings = {"machine": machine, "sample_rate": RATE, "duration": DURATION}
    known = make_machine_sounds(0, 8, machine=machine, duration=1.0, random_state=0).metadata["fault"]
    kinds = list(dict.fromkeys(known.tolist())) * n_rounds
    n_clips = len(kinds) * (N_BETWEEN + 1) + N_BETWEEN
    n_normal = n_clips - len(kinds)
    normal = normal_clips(n_train + n_calibrate + n_normal, seed, **settings)
    detector = make_detector("mini", duration=SECONDS, random_state=seed)
    detector = fit_on_long_sound(detector, normal[:n_train], RATE, SECONDS, HOP)
    quiet = JoinedSource(normal[n_train:], RATE, n_calibrate, order=np.arange(n_calibrate))
    calibration = calibrate(detector, quiet, SECONDS, HOP)
    places, times = {}, []
    # The faults begin anywhere in a window.
    skipped = np.random.default_rng(seed).uniform(0, SECONDS)
    for number, kind in enumerate(kinds):
        place = number * (N_BETWEEN + 1) + N_BETWEEN
        places[place] = fault_clips(1, seed + number, fault=kind, **settings)[0]
        times.append((START + place * DURATION, START + (place + 1) * DURATION))
    order = n_train + n_calibrate + np.arange(n_clips) % n_normal
    source = JoinedSource(normal, RATE, n_clips, places, order=order, skipped=skipped)
    delays, n_false = judge(*listen(detector, source, calibration), times, SECONDS, HOP)
    hours = n_normal * DURATION / 3600
    missed = [kind for kind, delay in zip(kinds, delays) if delay is None or delay > 2]
    return {
        "machine": machine,
        **delay_row(delays),
        "later or missed": ", ".join(missed),
        "normal hours": f"{hours:.2f}",
        "false events": n_false,
        "promised at most": f"{calibration.events_per_day * hours / 24:.1f}",
    }


def tables(*, quick, seed):
    """Return the table of this part."""
    made = [row("fan", seed, 1, 5, 5)] if quick else [row(machine, seed) for machine in MACHINES]
    notes = (
        "Generated sounds with faults of severity 1 that last a minute. Speed and load of the machine change every "
        "minute. Normal sound of 20 minutes trains, and other 20 minutes calibrate the alarm. So little sound cannot "
        "promise one event per day: the column holds the promise for the normal hours. A delay of 1 is the first "
        "window that holds a part of the fault."
    )
    return [("windows to the alarm (generated sounds)", made, notes)]
