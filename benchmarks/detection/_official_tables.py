"""Shared by ``official``: outcomes of the program and of ours, their files and their tables."""

import json
from dataclasses import asdict, dataclass

import numpy as np
from scipy.stats import t as student_t

from skaudio_ad.metrics import anomaly_auc_score, partial_auc_score

from .._evaluation import mean_and_range

#: The program's mode of scoring, and our preset, by the name in the tables.
MODES = {"mean squared error": ("MSE", "dcase_baseline"), "Mahalanobis": ("MAHALA", "dcase_mahalanobis_clip")}


@dataclass(frozen=True)
class Outcome:
    """Result of one training.

    Attributes
    ----------
    scores : ndarray of shape (n_clips,)
        Scores of the test clips. Higher is more normal.
    alarms : ndarray of shape (n_clips,), bool
        Test clips that are anomalous by the threshold of the detector.
    seconds, cpu_seconds : float
        Time of the training.
    """

    scores: np.ndarray
    alarms: np.ndarray
    seconds: float
    cpu_seconds: float


def keep(path, settings, result):
    """Write the result of one type of machine.

    Parameters
    ----------
    path : Path
    settings : dict
        Seeds and epochs.
    result : tuple of (ndarray, dict, dict)
        Labels of the test clips, outcomes of the program, and ours.
    """
    y, *both = result
    sides = [{mode: [asdict(own) for own in runs] for mode, runs in side.items()} for side in both]
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".part")
    partial.write_text(
        json.dumps({"settings": settings, "y": y, "sides": sides}, default=np.ndarray.tolist),
        encoding="utf-8",
    )
    partial.replace(path)


def kept(path, settings):
    """Read a result that :func:`keep` wrote with the same settings. None if there is no such result."""
    if not path.exists():
        return None
    found = json.loads(path.read_text(encoding="utf-8"))
    if found["settings"] != settings:
        return None
    theirs, ours = (
        {
            mode: [
                Outcome(np.array(own.pop("scores")), np.array(own.pop("alarms"), dtype=bool), **own)
                for own in runs
            ]
            for mode, runs in side.items()
        }
        for side in found["sides"]
    )
    return np.array(found["y"]), theirs, ours


def score_rows(results):
    """Return the rows of the table of AUCs.

    Parameters
    ----------
    results : dict of {str: tuple}
        By type of machine: labels of the test clips, outcomes of the program, and ours.

    Returns
    -------
    list of dict
    """
    measures = {"AUC": anomaly_auc_score, "partial AUC": partial_auc_score}
    rows = []
    for mode in MODES:
        means = {}
        for name, (y, *both) in results.items():
            row = {"score": mode, "machine": name}
            for measure, function in measures.items():
                program, ours = ([function(y, own.scores) for own in side[mode]] for side in both)
                means.setdefault(measure, []).append((program, ours))
                row |= _compared(measure, program, ours)
            rows.append(row)
        row = {"score": mode, "machine": "mean"}
        for measure, parts in means.items():
            # The mean over the machines, for every seed.
            row |= _compared(measure, *(np.mean(side, axis=0) for side in zip(*parts)))
        rows.append(row)
    return rows


def _compared(measure, program, ours):
    inside = min(program) <= np.mean(ours) <= max(program)
    difference = f"{np.mean(ours) - np.mean(program):+.3f}"
    if len(ours) > 1 and np.ptp(ours) + np.ptp(program) > 0:
        difference += " [{:+.3f}, {:+.3f}]".format(*_welch_interval(ours, program))
    return {
        f"{measure}, program": mean_and_range(program),
        f"{measure}, ours": mean_and_range(ours),
        f"{measure}, ours minus program": difference,
        f"{measure}, inside": "yes" if inside else "no",
    }


def _welch_interval(first, second):
    """Interval of 95 % of the difference of two means, by Welch's t test. One of both samples may be constant."""
    errors = [np.var(sample, ddof=1) / len(sample) for sample in (first, second)]
    degrees = sum(errors) ** 2 / sum(e**2 / (len(s) - 1) for e, s in zip(errors, (first, second)))
    half = student_t.ppf(0.975, degrees) * np.sqrt(sum(errors))
    difference = np.mean(first) - np.mean(second)
    return difference - half, difference + half


def time_rows(results):
    """Return the rows of the table of seconds. `results` is as for :func:`score_rows`."""
    rows = []
    for name, (_, *both) in results.items():
        # The program trains once for both modes. Ours with the same mode is the mean squared error.
        seconds = [[own.seconds for own in side["mean squared error"]] for side in both]
        cpu = [[own.cpu_seconds for own in side["mean squared error"]] for side in both]
        rows.append(
            {
                "machine": name,
                "program, s": f"{np.mean(seconds[0]):.1f}",
                "ours, s": f"{np.mean(seconds[1]):.1f}",
                "program, CPU s": f"{np.mean(cpu[0]):.1f}",
                "ours, CPU s": f"{np.mean(cpu[1]):.1f}",
                "CPU s of the program / ours": f"{np.mean(cpu[0]) / np.mean(cpu[1]):.2f}",
            }
        )
    return rows


def alarm_rows(results):
    """Return the rows of the table of decisions at each one's own threshold. `results` is as above."""
    rows = []
    for mode in MODES:
        for name, (y, *both) in results.items():
            row = {"score": mode, "machine": name}
            for side, label in zip(both, ("program", "ours")):
                rates = [np.mean([own.alarms[y == kind].mean() for own in side[mode]]) for kind in (1, -1)]
                row[f"{label}: false alarms"], row[f"{label}: detected"] = (f"{rate:.0%}" for rate in rates)
            rows.append(row)
    return rows
