"""Make the tables of the guide that state figures, so that no figure of these tables is typed by hand.

A table stands between two comments of its page. `TABLES` names the pages and the functions that make the rows:

- Facts of the checkpoints come from the register of the package: licence, size of the download, sample rate, and mean
  average precision as the authors publish it.
- AUC and rates come from ``docs/results/detection/summary.csv``, which ``python -m benchmarks.results_page`` copies.
- Times and sizes come from ``docs/results/backbones.csv``. ``--measure`` writes this file, and the machine and the date
  into ``backbones.json``: the script times every backbone in turn with "mini", and ``describe`` counts parameters and
  multiply-accumulates. The weights are random where the published weights are not on this machine, because the time
  does not depend on the weights.

Run: ``python -m benchmarks.guide_tables [--measure]``, about four minutes with ``--measure``.
"""

import argparse
import csv
import json
import time
from datetime import UTC, datetime

import numpy as np

from skaudio_ad.embeddings import BACKBONES, BackboneEmbedding

from ._report import environment, interleave, markdown, one_thread
from .detection._tables import MEAN
from .results_page import DOCS
from .speed.embeddings import load

ABOUT = DOCS / "results" / "backbones.json"
MEASURED = DOCS / "results" / "backbones.csv"
SUMMARY = DOCS / "results" / "detection" / "summary.csv"
SETS = ("MIMII", "HLS-CMDS", "ESC-10", "PhysioNet")
START, END = "<!-- The next table is made by `python -m benchmarks.guide_tables`. -->\n\n", "<!-- End. -->\n"
TIMED_SET = "MIMII"  # set whose training times the table of heads gives
REFERENCE = "mini"
SECONDS = 10.0  # length of the clip that is embedded
# Number of timed calls of every backbone.
REPEATS = 15
SEED = 0
# Configurations of the benchmark of detection, by what the guide calls them.
FEATURES = {
    'embeddings of "mini", the default': "mini/nearest",
    'embeddings of "mn04"': "mn04/nearest",
    "log-mel statistics": "log-mel/nearest",
    "MFCC statistics": "mfcc/nearest",
    "loudness alone": "loudness",
}
HEADS = {
    '`"nearest"`, the default': "mini/nearest",
    '`"5-nearest"`': "mini/5-nearest",
    '`"mahalanobis"`': "mini/mahalanobis",
    '`"one_class_svm"`': "mini/one_class_svm",
    '`"gaussian_mixture"`': "mini/gaussian_mixture",
    "`LocalOutlierFactor` of scikit-learn": "mini/LocalOutlierFactor",
    "`IsolationForest` of scikit-learn": "mini/IsolationForest",
    "autoencoder of PyOD": "mini/PyOD AutoEncoder",
    'preset "dcase_baseline", an autoencoder on log-mel frames': "official/dcase_baseline",
}


def measure():
    """Time all backbones with one thread each, count their weights, and write both to a file."""
    rate = BACKBONES[REFERENCE].sample_rate
    clip = np.random.default_rng(SEED).normal(scale=0.1, size=(1, round(SECONDS * rate))).astype(np.float32)
    rows = []
    with one_thread():
        machine = environment()
        reference = load(REFERENCE, "torch", "float32")
        for name in BACKBONES:
            loaded = load(name, "torch", "float32")
            contenders = {
                REFERENCE: lambda: reference.embed(clip, "clip"),
                "other": lambda loaded=loaded: loaded.embed(clip, "clip"),
            }
            timings = interleave(contenders, repeats=REPEATS, clock=time.process_time)
            best, of_reference = timings["other"].best, timings[REFERENCE].best
            network = BackboneEmbedding(name).describe()
            rows.append(
                {
                    "backbone": name,
                    "CPU seconds": f"{best:.4f}",
                    f"CPU seconds of {REFERENCE}": f"{of_reference:.4f}",
                    "parameters": network.parameters,
                    "multiply-accumulates": network.multiply_accumulates,
                }
            )
            print(rows[-1], flush=True)
    with open(MEASURED, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    about = {
        "command": "python -m benchmarks.guide_tables --measure",
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "environment": machine,
    }
    ABOUT.write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")


def backbone_note():
    """Return the sentence that says how the times were measured.

    Returns
    -------
    str
    """
    about = json.loads(ABOUT.read_text(encoding="utf-8"))
    return f"Times: `{about['command']}`, {about['date']}. {about['environment']}"


def backbone_rows():
    """Return the rows of the table of backbones.

    Returns
    -------
    list of dict
    """
    measured = {row["backbone"]: row for row in _read(MEASURED)}
    means = _column("AUC", MEAN)
    made = []
    for name, backbone in BACKBONES.items():
        row, precision, mean = measured[name], backbone.mean_average_precision, means.get(f"{name}/nearest")
        time_ratio = float(row["CPU seconds"]) / float(row[f"CPU seconds of {REFERENCE}"])
        made.append(
            {
                "name": f'`"{name}"`',
                "published mAP": "" if precision is None else f"{precision:.3f}",
                "measured AUC": "" if mean is None else f"{mean:.3f}",
                "measured time": "1" if name == REFERENCE else _significant(time_ratio),
                "MB": "none" if backbone.folder else _significant(backbone.megabytes),
                "licence": backbone.licence,
                "kHz": f"{backbone.sample_rate / 1000:g}",
                "values": backbone.embedding_size,
                "weights, M": _significant(int(row["parameters"]) / 1e6),
            }
        )
    return made


def feature_rows():
    """Return the rows of the table of features.

    Returns
    -------
    list of dict
    """
    return _detection_rows("features", FEATURES)


def head_rows():
    """Return the rows of the table of heads.

    Returns
    -------
    list of dict
    """
    cost, load_cost = _column("fit CPU seconds", TIMED_SET), _column("feature CPU seconds", TIMED_SET)
    title = f"training, CPU s on {TIMED_SET}"
    seconds = [_significant(cost[key] + load_cost[key]) for key in HEADS.values()]
    return [{**row, title: value} for row, value in zip(_detection_rows("head", HEADS), seconds)]


def _detection_rows(title, configurations):
    columns = {name: _column("AUC", name) for name in SETS}
    alarms, detected = _column("false alarms", MEAN), _column("detected", MEAN)
    return [
        {
            title: name,
            **{place: f"{column[key]:.3f}" for place, column in columns.items()},
            "false alarms": f"{alarms[key]:.2f}",
            "detected": f"{detected[key]:.2f}",
        }
        for name, key in configurations.items()
    ]


def _column(name, place):
    """Return a column of the summary for one set, by configuration."""
    return {row["configuration"]: float(row[name]) for row in _read(SUMMARY) if row["set"] == place}


def _read(path):
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _significant(value):
    """Write a number with two significant digits, and whole numbers in full."""
    return f"{value:.0f}" if value >= 10 else f"{value:.2g}"


TABLES = {"backbones.md": backbone_rows, "features.md": feature_rows, "detectors.md": head_rows}
NOTES = {"backbones.md": backbone_note}


def page(name):
    """Return the text of a page with a new table.

    Parameters
    ----------
    name : str
        Name of the page in `TABLES`.

    Returns
    -------
    str
    """
    before, rest = (DOCS / name).read_text(encoding="utf-8").split(START)
    _, after = rest.split(END)
    note = f"{NOTES[name]()}\n\n" if name in NOTES else ""
    return f"{before}{START}{markdown(TABLES[name]()).strip()}\n\n{note}{END}{after}"


def main(arguments=None):
    """Run the script with command-line arguments; see the module's docstring."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.guide_tables")
    parser.add_argument("--measure", action="store_true", help="time the backbones first")
    if parser.parse_args(arguments).measure:
        measure()
    for name in TABLES:
        (DOCS / name).write_text(page(name), encoding="utf-8")


if __name__ == "__main__":
    main()
