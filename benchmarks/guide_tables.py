"""Make the tables of the guide that state figures, so that no figure of these tables is typed by hand.

A table stands between two comments of its page. `TABLES` names the pages and the functions that make the rows:

- Facts of the checkpoints come from the register of the package: licence, size of the download, sample rate, and mean
  average precision as the authors publish it.
- AUC and rates come from ``docs/results/detection/summary.csv``, which ``python -m benchmarks.results_page`` copies.
- Times and counts come from ``costs.json`` of the package, which ``list_backbones`` reads too. ``--measure`` writes
  this file with the machine and the date: the script times every backbone in turn with "mn10", and ``describe`` counts
  parameters and multiply-accumulates on a window of 10 s. Backbones of any rate hear 16 kHz. The weights are random,
  because the time does not depend on the weights, so checkpoints of the same network are timed once. Every call of a
  backbone stands between two calls of "mn10", and the file holds the times whose ratio is the median, so that other
  programs on the machine change the ratio little. ``--measure NAME ...`` measures some backbones and keeps the figures
  of the others.

Run: ``python -m benchmarks.guide_tables [--measure [NAME ...]]``, about an hour with ``--measure``.
"""

import argparse
import csv
import gc
import json
import time
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np

from skaudio_ad.embeddings import BACKBONES, BackboneEmbedding, get_family, list_backbones
from skaudio_ad.embeddings._backbone_engine import backbone_engine, build_network
from skaudio_ad.embeddings._backbone_table import COSTS_FILE, TIME_REFERENCE, measured_costs, significant
from skaudio_ad.embeddings._runtimes import make_runtime
from skaudio_ad.training import inference

from ._report import environment, markdown, one_thread
from .detection._tables import MEAN
from .results_page import DOCS
from .speed.encoders import ANY_RATE, prepared

SUMMARY = DOCS / "results" / "detection" / "summary.csv"
SETS = ("MIMII", "HLS-CMDS", "ESC-10", "PhysioNet")
START, END = "<!-- The next table is made by `python -m benchmarks.guide_tables`. -->\n\n", "<!-- End. -->\n"
TIMED_SET = "MIMII"  # set whose training times the table of heads gives
SECONDS = 10.0  # length of the clip that is embedded
# Minimum and maximum number of timed calls of a backbone, and maximum seconds that calls beyond the minimum take.
REPEATS = (2, 40)
MAX_SECONDS = 6.0
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


def embedder(name):
    """Return a function that embeds a clip of `SECONDS` by a backbone with random weights, on one thread.

    The network is freed with the function, because the largest networks take gigabytes.

    Parameters
    ----------
    name : str

    Returns
    -------
    callable
    """
    import torch

    backbone = BACKBONES[name]
    backbone = replace(backbone, sample_rate=backbone.sample_rate or ANY_RATE)
    engine = backbone_engine(
        backbone, None, runtime="torch", precision="float32", device="cpu", random_state=SEED
    )
    runtime = make_runtime(
        "torch",
        build_network(engine),
        family=get_family(backbone.family),
        backbone=backbone,
        precision="float32",
        device="cpu",
    )
    n_samples = round(SECONDS * backbone.sample_rate)
    clip = np.random.default_rng(SEED).normal(scale=0.1, size=(1, n_samples)).astype(np.float32)

    def embed():
        with inference():
            return runtime(runtime.front_end(torch.from_numpy(prepared(clip, backbone))), "clip")

    return embed


def same_network(backbone):
    """Return a key that is equal for checkpoints whose embeddings take the same time.

    Parameters
    ----------
    backbone : Backbone

    Returns
    -------
    tuple
    """
    settings = {name: value for name, value in backbone.settings.items() if name != "n_classes"}
    return backbone.family, backbone.sample_rate, tuple(sorted(settings.items()))


def time_network(name, reference):
    """Time a backbone in turn with the reference.

    Parameters
    ----------
    name : str
    reference : callable
        :func:`embedder` of `TIME_REFERENCE`.

    Returns
    -------
    dict
        Seconds of a processor for one call of each, where their ratio is the median.
    """
    if name == TIME_REFERENCE:
        reference()
        seconds = _cpu_seconds(reference)
        return {"seconds": seconds, "reference_seconds": seconds}
    other = embedder(name)
    reference()
    _cpu_seconds(other)
    repeats = int(np.clip(MAX_SECONDS / _cpu_seconds(other), *REPEATS))
    before, pairs = _cpu_seconds(reference), []
    for _ in range(repeats):
        seconds, after = _cpu_seconds(other), _cpu_seconds(reference)
        pairs.append((seconds, (before + after) / 2))
        before = after
    gc.collect()
    pairs.sort(key=lambda pair: pair[0] / pair[1])
    seconds, of_reference = pairs[len(pairs) // 2]
    return {"seconds": seconds, "reference_seconds": of_reference}


def _cpu_seconds(function):
    start = time.process_time()
    function()
    return time.process_time() - start


def measure(names=()):
    """Time backbones with one thread, count their weights, and write both to the file of the package.

    Parameters
    ----------
    names : sequence of str, default=()
        Backbones to measure. () measures all.
    """
    costs = dict(measured_costs()["backbones"]) if names else {}
    machine, timed = environment(), {}
    for name in names or BACKBONES:
        rate = ANY_RATE if BACKBONES[name].sample_rate is None else None
        counts = BackboneEmbedding(name, sample_rate=rate, window=SECONDS).describe()
        costs[name] = {
            "parameters": counts.parameters,
            "multiply_accumulates": counts.multiply_accumulates,
        }
        print(name, costs[name], flush=True)
    with one_thread():
        reference = embedder(TIME_REFERENCE)
        for name in names or BACKBONES:
            network = same_network(BACKBONES[name])
            if network not in timed:
                timed[network] = time_network(name, reference)
                print(name, timed[network], flush=True)
            costs[name] |= {key: float(f"{value:.4g}") for key, value in timed[network].items()}
            _write(costs, machine)  # after every backbone, because a run takes long


def _write(costs, machine):
    about = {
        "command": "python -m benchmarks.guide_tables --measure",
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "environment": machine,
        "backbones": {name: costs[name] for name in BACKBONES if name in costs},
    }
    COSTS_FILE.write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
    measured_costs.cache_clear()


def backbone_note():
    """Return the sentence that says how the times were measured.

    Returns
    -------
    str
    """
    about = measured_costs()
    return f"Times: `{about['command']}`, {about['date']}. {about['environment']}"


def backbone_rows():
    """Return the rows of the table of backbones. Checkpoints of a family with the same figures share a row.

    Returns
    -------
    list of dict
    """
    means = _column("AUC", MEAN)
    names = {}
    for row in list_backbones().backbones:
        mean = means.get(f"{row.name}/nearest")
        figures = {
            "mAP": "" if row.mean_average_precision is None else f"{row.mean_average_precision:.3f}",
            "RMIS": "" if row.rmis is None else f"{row.rmis:.2f}",
            "SIREN": "" if row.siren is None else f"{row.siren:.2f}",
            "AUC": "" if mean is None else f"{mean:.3f}",
            "time": significant(row.relative_time),
            "GMAC": significant(row.multiply_accumulates / 1e9),
            "weights, M": significant(row.parameters / 1e6),
            "MB": "none" if BACKBONES[row.name].folder else significant(row.megabytes),
            "kHz": "any" if row.sample_rate is None else f"{row.sample_rate / 1000:g}",
            "values": row.embedding_size,
            "licence": row.licence,
        }
        names.setdefault((row.family, *figures.items()), []).append(f'`"{row.name}"`')
    return [{"name": ", ".join(own), **dict(figures)} for (_, *figures), own in names.items()]


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
    seconds = [significant(cost[key] + load_cost[key]) for key in HEADS.values()]
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
    parser.add_argument(
        "--measure",
        nargs="*",
        metavar="NAME",
        help="time these backbones first, or all where no name is given",
    )
    names = parser.parse_args(arguments).measure
    if names is not None:
        measure(names)
    for name in TABLES:
        (DOCS / name).write_text(page(name), encoding="utf-8")


if __name__ == "__main__":
    main()
