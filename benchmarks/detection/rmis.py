"""RMIS: the field's leaderboard of frozen embeddings, on DCASE Task 2 of 2020 to 2025 and on fault diagnosis.

The protocol is that of Fan et al., "FISHER: A foundation model for multi-modal industrial signal comprehensive
representation", 2025 (github.com/jianganbai/RMIS). Nothing is trained.

==================  =================================================================================================
embedding           output "clip" of the backbone, mean over windows of 10 s end to end, no change of level
anomaly detection   1-NN, cosine distance, one bank per machine and section. Since 2022 one bank per domain: the
                    distances to each bank are standardised over the test clips, and the smaller one is the score
year                Omega of the rules of the year in percent, of development and evaluation set; mean of the two,
                    arithmetic in 2020 and harmonic since 2021
fault diagnosis     5-NN, votes weighted by cosine similarity; ten random halves of the recordings (segments of a
                    recording stay together); mean of the macro accuracies in percent. IDMT engine has its own split
==================  =================================================================================================

The standardisation uses the test clips, so that a score since 2022 depends on the other clips of its section. That is
part of the protocol: compare these figures with the leaderboard only, and use other benchmarks to choose a detector.

These parts were run beside the code of RMIS on random embeddings: all years, on folder trees of the machines and
sections of the challenge with names from RMIS's own lists, and the splits, votes and accuracies of fault diagnosis.
Standardised scores were equal within 2e-6, accuracies and splits were equal, and the figures of the years were equal
within the two decimals to which RMIS rounds. RMIS rounds machines and sets before their mean, so that its last decimal
can differ. One step was not compared and differs: RMIS fills the last window of a recording with zeros, and our
backbones take the shorter window.

Run: ``python -m benchmarks.detection.rmis --data DIR [--years 2023 ...] [--backbone mini] [--ground-truth FOLDER]
[--memory FOLDER] [--embeddings FOLDER] [--meta FOLDER]``. DIR contains the data as for ``load_dcase_task2``.
``--ground-truth`` is the folder with ``eval_data_list_2023.csv`` of every year. Without labels a set is left out.
``--embeddings`` writes the files that RMIS reads: put FOLDER in place of ``exp/MODEL/rmis/fix/VARIANT`` of RMIS, and
its programs take the embeddings from these files. ``--meta`` is RMIS's ``data/meta_data``, which
``python -m runner.meta_data.rmis`` of RMIS writes, and adds the sets of fault diagnosis that are there.
"""

import argparse
import csv
import os
from pathlib import Path

import numpy as np

from .._report import RESULTS, Report
from ._rmis_files import write_dcase_embeddings, write_fault_embeddings
from ._rmis_protocol import RmisNeighbors, evaluate, fault_diagnosis, macro_accuracy

YEARS = tuple(range(2020, 2026))
#: Column of the classes of a set of fault diagnosis, where the column is not "scene".
CLASSES = {f"umged_{channel}": "scene_E" for channel in ("sound", "vib", "vol", "cur")}
#: Sets of fault diagnosis with an official split. The other sets are split at random.
OFFICIAL_SPLIT = ("idmt_engine",)
FAULT_SETS = (
    *("idmt_air", "idmt_engine", "wt_plane_gearbox", "mafaulda_sound", "mafaulda_vib", "sdust_bearing"),
    *("sdust_gear", "umged_sound", "umged_vib", "umged_vol", "umged_cur", "pu_vib", "pu_cur"),
)


def configurations(backbones=("mini",)):
    """Return the protocol of single recordings, one bank, as configurations of ``python -m benchmarks.detection``.

    Parameters
    ----------
    backbones : sequence of str

    Returns
    -------
    list of Configuration
        Named ``BACKBONE:rmis/1-NN``.
    """
    from ._configurations import Configuration

    return [
        Configuration(
            f"{name}:rmis/1-NN",
            f"{name}:rmis",
            lambda memory=None, name=name: embedding(name, memory),
            lambda seed: RmisNeighbors(),
        )
        for name in backbones
    ]


def embedding(backbone, memory=None):
    """Return the transformer from paths to embeddings.

    Parameters
    ----------
    backbone : str
    memory : str, path-like or None, default=None
        Folder that keeps the embeddings.

    Returns
    -------
    transformer
    """
    from skaudio_ad.presets import make_detector

    return make_detector(backbone, level=None, window=10.0, hop=10.0, output="clip", memory=memory)[:-1]


def read_meta(path):
    """Read a table of RMIS's meta data as a dict of columns."""
    with open(path, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    missing = [name for name in ("file", "path") if not rows or name not in rows[0]]
    if missing:
        raise ValueError(f"{path} lacks the columns {missing}: write it with runner.meta_data.rmis of RMIS.")
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}


def run_fault_set(name, folder, embed, write=None):
    """Run one set of fault diagnosis.

    Parameters
    ----------
    name : str
        One of `FAULT_SETS`.
    folder : path-like
        Folder of the set below RMIS's meta data.
    embed : callable
        Function of a list of paths to the embeddings.
    write : path-like or None, default=None
        Folder for RMIS's files of embeddings.

    Returns
    -------
    dict
        Row of the table.
    """
    column = CLASSES.get(name, "scene")
    if name in OFFICIAL_SPLIT:
        tables = [read_meta(Path(folder) / f"{split}.csv") for split in ("train", "test")]
        meta = {key: np.concatenate([table[key] for table in tables]) for key in tables[0]}
        sides = np.split(np.arange(len(meta["file"])), [len(tables[0]["file"])])
        X = embed(meta["path"].tolist())
        accuracies = np.array([100 * macro_accuracy(X, meta[column], *sides)])
    else:
        meta = read_meta(Path(folder) / "all.csv")
        X = embed(meta["path"].tolist())
        accuracies = fault_diagnosis(X, meta[column], meta["ori"])
        if write is not None:
            write_fault_embeddings(write, name, meta["file"], X)
    return {
        "set": name,
        "segments": len(meta["file"]),
        "classes": len(set(meta[column])),
        "macro accuracy": f"{accuracies.mean():.2f}",
        "standard deviation over splits": f"{accuracies.std():.2f}" if len(accuracies) > 1 else "",
    }


def run_year(year, options, embed):
    """Run one year of DCASE Task 2, and return the row of the table, or None with the reason printed."""
    from skaudio_ad.datasets import load_dcase_task2

    truth = options.ground_truth
    if truth is not None and (Path(truth) / f"eval_data_list_{year}.csv").is_file():
        truth = os.path.join(truth, f"eval_data_list_{year}.csv")
    try:
        data = load_dcase_task2(year, data_home=options.data, ground_truth=truth)
    except FileNotFoundError as error:
        print(f"{year} is left out: {error}", flush=True)
        return None
    data = data.subset(np.isin(data.metadata["split"], ("train", "test")))
    X = embed(data.paths)
    if options.embeddings is not None:
        write_dcase_embeddings(options.embeddings, data, X, year)
    parts, total = evaluate(data, X, year)
    return {
        "year": year,
        "recordings": len(data.paths),
        **{
            name: f"{100 * parts[key].omega:.2f}" if key in parts else "no labels"
            for key, name in (("dev", "development"), ("eval", "evaluation"))
        },
        "RMIS": "" if total is None else f"{total:.2f}",
    }


def main(arguments=None):
    """Run the benchmark with command-line arguments; see the module's docstring."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.detection.rmis")
    parser.add_argument("--data", help="folder of DCASE Task 2  [default: SKAUDIO_AD_DATA]")
    parser.add_argument("--years", nargs="+", type=int, choices=YEARS, default=YEARS)
    parser.add_argument("--backbone", default="mini", help="name of a backbone  [default: mini]")
    parser.add_argument("--ground-truth", help="folder with eval_data_list_YEAR.csv, or of an evaluator")
    parser.add_argument("--memory", help="folder that keeps embeddings")
    parser.add_argument("--embeddings", help="folder for the files of embeddings that RMIS reads")
    parser.add_argument("--meta", help="folder data/meta_data of RMIS, for fault diagnosis")
    parser.add_argument("--output", default=RESULTS)
    options = parser.parse_args(arguments)

    def embed(paths):
        return np.asarray(embedding(options.backbone, options.memory).fit_transform(paths))

    report = Report(
        "rmis",
        data=f"RMIS, embeddings of {options.backbone}.",
        seed=111,
        folder=options.output,
    )
    rows = [row for row in (run_year(year, options, embed) for year in options.years) if row is not None]
    if rows:
        report.table(
            "DCASE Task 2, percent", rows, "RMIS is the mean of both sets: arithmetic in 2020, else harmonic."
        )
    faults = [
        run_fault_set(name, Path(options.meta) / name, embed, options.embeddings)
        for name in (FAULT_SETS if options.meta else ())
        if (Path(options.meta) / name).is_dir()
    ]
    if faults:
        report.table("Fault diagnosis, percent", faults)


if __name__ == "__main__":
    main()
