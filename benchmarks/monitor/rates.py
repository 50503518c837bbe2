"""False events per day beside the promise of the calibration, by simulated scores of normal windows."""

import numpy as np

from skaudio_ad.monitoring._calibration import calibrate_scores
from skaudio_ad.monitoring._replay import Replay

from ._sounds import HOP, SECONDS

N_SEEDS, CALIBRATION_DAYS, TEST_DAYS = 40, 4, 90
_PER_DAY = round(86400 / HOP)


def independent(rng, n):
    """Scores of independent sounds. Windows overlap by half, so neighbours share one of their two halves."""
    halves = rng.normal(size=n + 1)
    return (halves[:-1] + halves[1:]) / np.sqrt(2)


def heavy_tailed(rng, n):
    """The same with halves from Student's t distribution with 3 degrees of freedom: rare scores are far away."""
    halves = rng.standard_t(3, size=n + 1)
    return halves[:-1] + halves[1:]


def bursts(rng, n):
    """Independent sounds with noisy half hours, 3 a day on average, in which scores vary twice as much."""
    scores, length = independent(rng, n), round(1800 / HOP)
    for begin in rng.integers(n, size=rng.poisson(3 * n / _PER_DAY)):
        scores[begin : begin + length] *= 2
    return scores


def slow_load(rng, n):
    """Independent sounds whose mean follows the load of the machine, with a period of a day."""
    return independent(rng, n) - np.sin(2 * np.pi * (np.arange(n) / _PER_DAY + rng.uniform()))


MODELS = {
    "independent": independent,
    "heavy tails": heavy_tailed,
    "noisy half hours": bursts,
    "load of the day": slow_load,
}


def simulate(model, seed, calibration_days=CALIBRATION_DAYS, test_days=TEST_DAYS):
    """Calibrate on some days of scores and count the events of other days.

    Parameters
    ----------
    model : callable
        Function of a generator and a number of windows that returns scores.
    seed : int
    calibration_days, test_days : float

    Returns
    -------
    calibration : AlarmCalibration
    events_per_day : float
        Of the other days.
    """
    rng = np.random.default_rng(seed)
    scores = model(rng, round((calibration_days + test_days) * _PER_DAY))
    times = np.arange(len(scores)) * HOP
    n = round(calibration_days * _PER_DAY)
    calibration = calibrate_scores([(times[:n], scores[:n])], SECONDS, HOP, events_per_day=1.0)
    policy = calibration.policy
    replay = Replay([(times[n:], scores[n:])], SECONDS, HOP, policy.clear_level, {})
    return calibration, replay.count(policy.raise_level) / (replay.hours / 24)


def rows(n_seeds=N_SEEDS, **days):
    """Return one row for every model of the scores."""
    made = []
    for name, model in MODELS.items():
        runs = [simulate(model, seed, **days) for seed in range(n_seeds)]
        promised = np.array([calibration.events_per_day for calibration, _ in runs])
        observed = np.array([rate for _, rate in runs])
        made.append(
            {
                "scores": name,
                "runs": n_seeds,
                "promised, events per day": f"{np.median(promised):.2f}",
                "observed, mean": f"{observed.mean():.2f}",
                "observed, largest": f"{observed.max():.2f}",
                "runs above the promise": int(np.sum(observed > promised)),
            }
        )
    return made


def tables(*, quick, seed):
    """Return the table of this part. The seeds are 0, 1, ..."""
    made = rows(3, calibration_days=2, test_days=3) if quick else rows()
    notes = (
        "The scores are simulated. A promise holds with 95 % confidence, so 2 of 40 runs may exceed the promise. "
        "An alarm is calibrated for 1 event per day on 4 days, and tested on the 90 days after them."
    )
    return [("false events per day (simulated scores)", made, notes)]
