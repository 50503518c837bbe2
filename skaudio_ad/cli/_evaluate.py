"""``skaudio-ad evaluate``: measure how well a detector separates normal and anomalous recordings."""

import csv
import json
import sys
import warnings
from pathlib import Path

import click
import numpy as np
from scipy.stats import binomtest

from .._atomic import atomic_path
from .._csv_text import text_cell, utf8_name
from .._json import without_nan
from ..detectors import FleetDetector
from ..metrics import anomaly_auc_score, bootstrap_interval, partial_auc_score
from ..persistence import load_detector, read_metadata
from ..recordings import score_recordings
from ..recordings._check import measure_recordings
from ..recordings._summary import false_alarm_rate
from ..recordings._unwrap import last_step
from ._common import check_writable, expand_recordings, friendly_errors
from ._messages import translate
from ._options import FILE, FOLDER
from ._pictures import save_figure
from ._score import warn_of_lower_rates
from ._terminal import say, track
from ._training import DIGEST_LENGTH

# Number of files that a message names.
_SHOWN = 3
_CONFIDENCE = 0.95
_RECORDINGS = click.Path(path_type=Path)


@click.command()
@click.argument("detector", type=FILE)
@click.argument("normal", type=_RECORDINGS)
@click.argument("anomalous", type=_RECORDINGS)
@click.option(
    "--csv", "csv_path", type=FILE, metavar="FILE.csv", help="File for the score of every recording."
)
@click.option("--json", "json_path", type=FILE, metavar="FILE.json", help="File for the results as JSON.")
@click.option(
    "--plot",
    "plot_folder",
    type=FOLDER,
    metavar="FOLDER",
    help="Folder for two pictures: the curve of false alarms and detections, and the distribution of the scores.",
)
@friendly_errors
def evaluate(detector, normal, anomalous, csv_path, json_path, plot_folder):
    """Measure how well a detector separates normal and anomalous recordings.

    NORMAL and ANOMALOUS are folders or files that the detector was not trained on. The command prints the AUC and the
    partial AUC (up to a false-alarm rate of 0.1) with bootstrap intervals, and the rates of false alarms and of
    detections with binomial intervals. All intervals have 95 %.

    A detector of several machines (fit --machines) has a threshold for every machine. AUCs are then those of the
    margins, which are the scores minus the thresholds, because scores of two machines are on different scales.
    """
    sys.exit(run_evaluate(detector, normal, anomalous, csv_path, json_path, plot_folder))


def run_evaluate(detector, normal, anomalous, csv_path=None, json_path=None, plot_folder=None):
    """Evaluate a detector and print the results.

    Parameters
    ----------
    detector, normal, anomalous : pathlib.Path
        File of the detector; folders or files.
    csv_path, json_path, plot_folder : pathlib.Path or None, default=None

    Returns
    -------
    int
        Exit code: 1 if a recording could not be scored, otherwise 0.
    """
    pipeline = load_detector(detector)
    for path in (csv_path, json_path):
        if path is not None:
            check_writable(path)
    sides = {"normal": expand_recordings([normal]), "anomalous": expand_recordings([anomalous])}
    paths = [*sides["normal"], *sides["anomalous"]]
    y_true = np.repeat([1, -1], [len(side) for side in sides.values()])
    _check_files(sides, read_metadata(detector))
    if plot_folder is not None:
        check_writable(plot_folder, folder=True)
    scored = list(track(score_recordings(pipeline, paths), "scoring", len(paths)))
    for recording in scored:
        if recording.error:
            say(f"Error: {recording.path}: {translate(recording.error)}", err=True)
    readable = np.array([not recording.error for recording in scored])
    for side, label, argument in (("normal", 1, normal), ("anomalous", -1, anomalous)):
        if not readable[y_true == label].any():
            raise ValueError(f"{argument}: none of the {side} recordings could be scored, see above.")
    is_fleet = isinstance(last_step(pipeline), FleetDetector)
    # Scores of two machines are on different scales.
    scores = np.array([recording.margin if is_fleet else recording.score for recording in scored])[readable]
    alarms = np.array([recording.decision == "anomalous" for recording in scored])[readable]
    results = _measure(y_true[readable], scores, alarms, last_step(pipeline))
    if is_fleet:
        results["threshold"] = 0.0
        say("AUCs are those of the margins, because every machine has a threshold of its own.")
    _print(results)
    warn_of_lower_rates(pipeline, [path for path, good in zip(paths, readable) if good])
    failed = int(np.count_nonzero(~readable))
    if failed:
        say(f"Error: {failed} of {len(paths)} recordings could not be scored, see above.", err=True)
    if json_path is not None:
        with atomic_path(json_path) as temporary, open(temporary, "w", encoding="utf-8") as file:
            json.dump(without_nan({"detector": str(detector), **results, "failed": failed}), file, indent=1)
            file.write("\n")
    if csv_path is not None:
        _write_csv(csv_path, scored, y_true)
    if plot_folder is not None:
        _draw(results["threshold"], y_true[readable], scores, plot_folder)
    return 1 if failed else 0


def _check_files(sides, metadata):
    """Raise if a file is on both sides, and warn about copies and about recordings of the training set."""
    real = {side: {str(Path(path).resolve()): path for path in paths} for side, paths in sides.items()}
    both = sorted(set(real["normal"]) & set(real["anomalous"]))
    if both:
        raise ValueError(
            f"{len(both)} recording(s) are both normal and anomalous: {_some(both)}. Give two folders without a common "
            "file."
        )
    paths = [*sides["normal"], *sides["anomalous"]]
    rows = list(track(measure_recordings(paths, spectra=False), "checking", len(paths)))
    digests = {row.path: row.digest for row in rows if not row.error and not row.is_silent}
    first = {digests[path]: path for path in sides["normal"] if path in digests}
    copied = [path for path in sides["anomalous"] if digests.get(path) in first]
    if copied:
        raise ValueError(
            f"{len(copied)} anomalous recording(s) have the samples of a normal one: {_some(copied)}, the first being "
            f"a copy of {first[digests[copied[0]]]}. Remove one of each pair."
        )
    known = set(metadata.get("training", {}).get("digests", ()))
    trained = [path for path, digest in digests.items() if digest[:DIGEST_LENGTH] in known]
    if trained:
        say(
            f"Warning: {len(trained)} of {len(paths)} recordings are in the training set of the detector: "
            f"{_some(trained)}. The detector knows them, so the results are too good. Evaluate on other recordings.",
            err=True,
        )


def _some(paths):
    return ", ".join(paths[:_SHOWN]) + ("" if len(paths) <= _SHOWN else f" and {len(paths) - _SHOWN} more")


def _measure(y_true, scores, alarms, detector):
    """Return all results as a dict."""
    rate, promise = false_alarm_rate(detector)
    results = {
        "n_normal": int(np.count_nonzero(y_true == 1)),
        "n_anomalous": int(np.count_nonzero(y_true == -1)),
        "auc": _with_interval(anomaly_auc_score, y_true, scores),
        "partial_auc": _with_interval(partial_auc_score, y_true, scores),
        "false_alarms": _rate(alarms[y_true == 1]),
        "detected": _rate(alarms[y_true == -1]),
        "threshold": float(detector.offset_) if hasattr(detector, "offset_") else None,
        "promised_false_alarm_rate": rate,
        "promise": promise,
    }
    low = results["false_alarms"]["low"]
    results["promise_kept"] = None if rate is None else bool(low <= rate)
    return results


def _with_interval(metric, y_true, scores):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a draw of few recordings may be constant
        low, high = bootstrap_interval(metric, y_true, scores, confidence=_CONFIDENCE)
    return {"value": float(metric(y_true, scores)), "low": low, "high": high}


def _rate(alarms):
    test = binomtest(int(alarms.sum()), len(alarms))
    interval = test.proportion_ci(_CONFIDENCE, method="exact")
    return {
        "value": float(test.statistic),
        "low": float(interval.low),
        "high": float(interval.high),
        "count": int(alarms.sum()),
    }


def _print(results):
    n_normal, n_anomalous = results["n_normal"], results["n_anomalous"]
    say(f"{n_normal} normal and {n_anomalous} anomalous recordings; intervals of 95 % in brackets")
    for name, text in (("auc", "AUC"), ("partial_auc", "partial AUC")):
        found = results[name]
        say(f"{text:<13} {found['value']:.3f} [{found['low']:.3f}, {found['high']:.3f}]")
    for name, text, n in (("false_alarms", "false alarms", n_normal), ("detected", "detected", n_anomalous)):
        found = results[name]
        say(
            f"{text:<13} {found['value']:.3f} [{found['low']:.3f}, {found['high']:.3f}]  {found['count']} of {n} "
            "recordings"
        )
    rate = results["promised_false_alarm_rate"]
    if rate is None:
        say("The detector promises no false-alarm rate.")
    elif results["promise_kept"]:
        say(f"The false alarms agree with the rate of the detector, {rate:.3g} ({results['promise']}).")
    else:
        say(
            f"There are more false alarms than the rate of the detector, {rate:.3g} ({results['promise']}): these "
            "normal recordings differ from those of the training. Train on recordings like them."
        )


def _write_csv(path, scored, y_true):
    with atomic_path(path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_NONNUMERIC)
        writer.writerow(("path", "truth", "score", "decision", "margin", "p_value"))
        for recording, label in zip(scored, y_true):
            numbers = (recording.score, recording.margin, recording.p_value)
            score, margin, p_value = ("" if not np.isfinite(value) else value for value in numbers)
            truth = "normal" if label == 1 else "anomalous"
            name = text_cell(utf8_name(recording.path))
            writer.writerow((name, truth, score, recording.decision, margin, p_value))


def _draw(threshold, y_true, scores, folder):
    from matplotlib.figure import Figure

    from ..inspection import ROCDisplay, ScoreDistributionDisplay

    offset = threshold if threshold is not None and np.isfinite(threshold) else None
    for name, display in (("roc", ROCDisplay), ("distribution", ScoreDistributionDisplay)):
        figure = Figure(figsize=(7, 5), layout="constrained")
        display.from_predictions(y_true, scores, offset=offset, ax=figure.subplots())
        save_figure(figure, Path(folder) / f"{name}.png")
