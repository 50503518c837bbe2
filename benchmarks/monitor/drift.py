"""Alarms of the test for drift, without and with a drift, by simulated scores of windows that do not overlap."""

import numpy as np

from skaudio_ad.monitoring._independence import find_independent_step
from skaudio_ad.thresholds._martingale import ExchangeabilityMartingale

N_RUNS, N_CALIBRATION = 200, 1000
# Number of scores of a run without drift: a day of windows of 10 s.
N_STEPS = 8640
# Number of scores before a drift begins, and number of runs with a drift.
N_BEFORE, N_DRIFTS = 1000, 50


def steps_to_alarm(rng, n_steps, shift=None, persistence=0.0, is_thinned=False):
    """Return the number of the score that gives the alarm, or None.

    Parameters
    ----------
    rng : numpy.random.Generator
    n_steps : int
    shift : ndarray of shape (n_steps,), default=None
        Added to the scores, in standard deviations.
    persistence : float, default=0.0
        Correlation of neighbouring scores. 0 makes independent scores.
    is_thinned : bool, default=False
        Whether the test takes scores at the distance that a calibration finds, as a monitor does, or all scores.
    """
    scores = rng.normal(size=N_CALIBRATION + n_steps)
    if persistence:
        scale = np.sqrt(1 - persistence**2)
        for index in range(1, len(scores)):
            scores[index] = persistence * scores[index - 1] + scale * scores[index]
    calibration, new = scores[:N_CALIBRATION], scores[N_CALIBRATION:]
    new = new if shift is None else new + shift
    apart = find_independent_step([calibration], 1) if is_thinned else 1
    if apart is None:  # the calibration is too short, so a monitor does not test
        return None
    test = ExchangeabilityMartingale(calibration[::apart], random_state=int(rng.integers(2**31)))
    for step in range(0, n_steps, apart):
        test.update(float(new[step]))
        if test.is_alarm:
            return step + 1
    return None


def false_alarm_rows(n_runs=N_RUNS, n_steps=N_STEPS):
    """Return one row for independent scores, and two for scores that vary slowly."""
    made = []
    for name, persistence, is_thinned, bound in (
        ("independent", 0.0, True, "0.01"),
        ("neighbours correlated by 0.9", 0.9, True, "none: only nearly exchangeable"),
        ("neighbours correlated by 0.9, all scores tested", 0.9, False, "none: not exchangeable"),
    ):
        runs = n_runs if is_thinned else max(1, n_runs // 10)
        alarms = [
            steps_to_alarm(np.random.default_rng([seed, 1]), n_steps, None, persistence, is_thinned)
            is not None
            for seed in range(runs)
        ]
        made.append(
            {
                "scores": name,
                "runs": runs,
                "scores per run": n_steps,
                "runs with an alarm": sum(alarms),
                "share": f"{np.mean(alarms):.3f}",
                "bound": bound,
            }
        )
    return made


def power_rows(n_runs=N_DRIFTS, n_before=N_BEFORE, n_after=N_STEPS):
    """Return the number of scores from the begin of a drift to its alarm."""
    made = []
    for name, size, ramp in (
        ("step of 0.25 standard deviations", 0.25, 1),
        ("step of 0.5 standard deviations", 0.5, 1),
        ("step of 1 standard deviation", 1.0, 1),
        ("slow change, 1 standard deviation in 4000 scores", 1.0, 4000),
    ):
        shift = np.zeros(n_before + n_after)
        shift[n_before:] = -size * np.minimum(np.arange(1, n_after + 1) / ramp, 1)
        found = [
            steps_to_alarm(np.random.default_rng([seed, 2]), len(shift), shift) for seed in range(n_runs)
        ]
        late = [step - n_before for step in found if step is not None and step > n_before]
        made.append(
            {
                "drift": name,
                "runs": n_runs,
                "alarms": len(late),
                "alarms before the drift": sum(step is not None and step <= n_before for step in found),
                "scores to the alarm, median": f"{np.median(late):.0f}" if late else "",
                "scores to the alarm, 90 %": f"{np.quantile(late, 0.9):.0f}" if late else "",
            }
        )
    return made


def tables(*, quick, seed):
    """Return the tables of this part. Every run has its own seed."""
    false = false_alarm_rows(4, 500) if quick else false_alarm_rows()
    power = power_rows(2, 200, 1000) if quick else power_rows()
    calibrated = f"The scores are simulated. {N_CALIBRATION} scores calibrate the test."
    return [
        (
            "drift alarms without drift",
            false,
            f"{calibrated} The bound is for exchangeable scores. A monitor tests scores at the distance at which the "
            "calibration finds nearly no correlation.",
        ),
        (
            "drift alarms after a drift",
            power,
            f"{calibrated} The scores fall. A score every 10 s makes 360 scores an hour.",
        ),
    ]
