"""Normal recordings in shuffled order with abnormal ones put in: events and delays, with "mini"."""

import numpy as np

from skaudio_ad import AudioLoader
from skaudio_ad.datasets import load_hls_cmds, load_mimii
from skaudio_ad.presets import make_detector

from ._sounds import START, JoinedSource, calibrate, delay_row, fit_on_long_sound, judge, listen

N_SEEDS = 20
# Number of normal recordings from one abnormal recording to the next one, and number of abnormal recordings.
N_BETWEEN, N_ABNORMAL = 3, 5
# Sets: function that loads the recordings, their rate in hertz, and the duration of a window in seconds.
SETS = {
    "MIMII slider": (lambda: load_mimii("slider"), 16000, 10.0),
    "HLS-CMDS heart": (lambda: load_hls_cmds(sound="heart"), 22050, 15.0),
}


def replay(data, clips, rate, window, seed):
    """Train, calibrate and listen once.

    Half of the normal recordings train, a quarter calibrates, a quarter is replayed. Copies stay together.

    Returns
    -------
    delays : list of int or None
    n_false : int
    hours : float
        Hours of normal sound that were replayed.
    promised : float
        Number of events that the calibration promises for these hours, at most.
    """
    rng, is_normal, groups = np.random.default_rng(seed), data.target == 1, np.asarray(data.groups)
    order = rng.permutation(np.unique(groups[is_normal]))
    share = {group: place / len(order) for place, group in enumerate(order)}
    part = np.array([share.get(group, 2.0) for group in groups])
    train, quiet, live = (
        rng.permutation(np.flatnonzero(is_normal & (part >= low) & (part < high)))
        for low, high in ((0, 0.5), (0.5, 0.75), (0.75, 1))
    )
    detector = make_detector("mini", duration=window, random_state=seed)
    detector = fit_on_long_sound(detector, clips[train], rate, window, window / 2)
    source = JoinedSource(clips, rate, len(quiet), order=quiet)
    calibration = calibrate(detector, source, window, window / 2, refractory=0.0)
    abnormal = rng.permutation(np.flatnonzero(data.target == -1))[:N_ABNORMAL]
    n_clips = len(abnormal) * (N_BETWEEN + 1) + N_BETWEEN
    places = {(i + 1) * (N_BETWEEN + 1) - 1: clips[row] for i, row in enumerate(abnormal)}
    shuffled = np.concatenate([rng.permutation(live) for _ in range(n_clips // len(live) + 1)])[:n_clips]
    source = JoinedSource(clips, rate, n_clips, places, order=shuffled, skipped=rng.uniform(0, window / 2))
    times = [(START + place * window, START + (place + 1) * window) for place in places]
    delays, n_false = judge(*listen(detector, source, calibration), times, window, window / 2)
    hours = (n_clips - len(places)) * window / 3600
    return delays, n_false, hours, calibration.events_per_day * hours / 24


def row(name, n_seeds=N_SEEDS):
    """Return the row of a set over all seeds.

    Raises
    ------
    FileNotFoundError
        If the recordings are missing.
    """
    load, rate, window = SETS[name]
    data = load()
    loader = AudioLoader(rate, duration=window, pad="zeros")
    clips = np.stack([np.asarray(clip) for clip in loader.fit_transform(data.paths)])
    runs = [replay(data, clips, rate, window, seed) for seed in range(n_seeds)]
    return {
        "recordings": name,
        "runs": n_seeds,
        **delay_row([delay for run in runs for delay in run[0]]),
        "normal hours": f"{sum(run[2] for run in runs):.2f}",
        "false events": sum(run[1] for run in runs),
        "promised at most": f"{sum(run[3] for run in runs):.1f}",
        "runs above the promise": sum(run[1] > run[3] for run in runs),
    }


def tables(*, quick, seed):
    """Return the table of this part, or no table if there are no recordings."""
    made, missing = [], []
    for name in list(SETS)[: 1 if quick else None]:
        try:
            made.append(row(name, 2 if quick else N_SEEDS))
        except FileNotFoundError:
            missing.append(name)
    notes = (
        "Half of the normal recordings train, joined to a long one, a quarter calibrates, and a quarter is replayed in "
        "shuffled order, more than once. Copies stay in one part. An abnormal recording follows after three normal "
        "ones, and no refractory time follows an event. The few minutes of calibration promise little: the column "
        "holds the promise for the normal hours. The faults of these recordings are not all obvious, and some sound "
        "for a part of a recording only."
    )
    if missing:
        notes += f" Left out, because the recordings are missing: {', '.join(missing)}."
    return [("windows to the alarm (recordings)", made, notes)] if made else []
