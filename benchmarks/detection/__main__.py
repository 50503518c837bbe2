"""All detectors on all sets: ``python -m benchmarks.detection --data DIR``.

Every configuration trains on the normal clips of every task, and is tested on other normal and on anomalous clips.
``_sets.py`` describes sets and tasks, and ``_configurations.py`` the configurations. No choice uses a label of a test
clip. ``--list`` prints the names.

===============  =====================================================================================================
measured         definition
===============  =====================================================================================================
AUC              area under the ROC curve, mean over the tasks of a set
pAUC             area up to a false-alarm rate of 0.1, standardised after McClish, so that 0.5 is chance
Omega            harmonic mean of AUC and pAUC over all tasks of a set. A task that is judged machine by machine has
                 both for every machine, and a task with domains has an AUC for every domain, as in DCASE Task 2 since
                 2022
false alarms     share of the normal test clips below the threshold, which aims at 0.05. Mean over the tasks
detected         share of the anomalous test clips below the threshold. Mean over the tasks
fit, score       CPU seconds of the process with one thread, because CPU seconds depend less on other programs than
                 seconds of the clock, which the CSV files also have. Sums over the tasks of a set and means over the
                 seeds, without features
features         CPU seconds for the features of all clips of a set. Features are computed once for all heads. With
                 ``--memory`` these may be the seconds to read embeddings
memory           maximum rise of the peak of the resident memory from before `fit` to after scoring, in MB, without the
                 features. With ``--dask`` and threads the memory of all cells counts together
===============  =====================================================================================================

Configurations with random training run with all seeds, and others with the first seed. Values are means over the seeds.
The reference of paired differences is ``mini/nearest``, which is ``make_detector()``. Means over the sets and ranks
leave out "MIMII merged", because its clips are those of MIMII.

Every cell (task, configuration, seed) is kept in ``OUTPUT/cells``, so an interrupted run goes on where it stopped.
Tables say which cells were made with other versions of packages. ``OUTPUT`` gets ``cells.csv``, ``summary.csv``,
``pairs.csv``, ``ranks.csv``, ``detection.md``, ``detection.json`` and one picture a set.

Run: ``python -m benchmarks.detection --data DIR [--sets MIMII ...] [--detectors "mini/*" ...] [--seeds 0 1 2]
[--jobs N] [--dask ADDRESS] [--memory FOLDER] [--limit SECONDS] [--output FOLDER] [--tables] [--list]``.
"""

import argparse
import contextlib
import sys
from datetime import UTC, datetime
from pathlib import Path

from skaudio_ad._versions import environment as version_facts
from skaudio_ad._versions import package_versions as own_versions

from .._report import RESULTS, command, environment, markdown
from . import _figures, _page, _tables
from ._cell_files import asked, read_cell
from ._cells import package_versions, run_cells, seeds_of
from ._configurations import FALSE_ALARMS, REFERENCE, choose, configurations
from ._sets import SETS, load_tasks
from ._statistics import N_DRAWS

# Maximum number of seconds of a detector on a set by default, so that published systems do not take days.
LIMIT = 600.0


def main(arguments=None):
    """Run the benchmark with command-line arguments; see the module's docstring.

    Returns
    -------
    int
        0, or 1 if no data set is there.
    """
    parser = _parser()
    options = parser.parse_args(arguments)
    found, left_out = configurations()
    if options.list:
        print(
            "\n".join(
                ["Sets:", *(f"  {name}" for name in SETS), "Configurations:", *(f"  {n}" for n in found)]
            )
        )
        print("\n".join(f"  {name} is left out: {reason}" for name, reason in left_out.items()))
        return 0
    try:
        chosen = choose(options.detectors, found, left_out)
    except ValueError as error:
        parser.error(str(error))
    tasks, no_sets = load_tasks(options.sets, options.data)
    for name, reason in no_sets.items():
        print(f"benchmarks.detection: {name} is left out: {reason}")
    if not tasks:
        return 1
    seeds = list(dict.fromkeys(options.seeds))
    versions = own_versions() | {"commit": _commit()}
    folder = Path(options.output)
    if not options.tables:
        with _backend(parser, options.dask):
            run_cells(
                tasks,
                chosen,
                seeds,
                folder / "cells",
                memory=options.memory,
                n_jobs=options.jobs if options.dask is None else -1,  # -1 is all of the cluster
                limit=options.limit,
                facts={"versions": versions, "machine": environment()},
            )
    cells = collect(tasks, chosen, seeds, folder / "cells")
    if not cells:
        print(f"benchmarks.detection: {folder / 'cells'} holds no cell of these sets and detectors.")
        return 1
    for own in chosen:
        versions |= package_versions(own.packages)
    words = sys.argv[1:] if arguments is None else arguments
    about = {
        "command": command(["python", "-m", "benchmarks.detection", *words]),
        "date": datetime.now(UTC).date().isoformat(),
        "environment": environment(),
        "versions": versions,
        "left out": {**no_sets, **left_out},
    }
    report(cells, about, folder, n_draws=options.draws)
    return 0


def _parser():
    parser = argparse.ArgumentParser(prog="python -m benchmarks.detection")
    parser.add_argument("--data", help="folder of the data sets  [default: SKAUDIO_AD_DATA]")
    parser.add_argument("--sets", nargs="+", choices=list(SETS), default=list(SETS))
    parser.add_argument(
        "--detectors", nargs="+", default=["*"], metavar="NAME", help='names or patterns such as "mini/*"'
    )
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--jobs", type=int, default=1, help="number of processes  [default: 1]")
    parser.add_argument(
        "--dask",
        metavar="ADDRESS",
        help="Dask cluster of workers with one thread, which share the folders",
    )
    parser.add_argument("--memory", metavar="FOLDER", help="folder that keeps embeddings  [default: none]")
    parser.add_argument(
        "--limit",
        type=float,
        metavar="SECONDS",
        default=LIMIT,
        help=f"maximum time of a detector on a set, after which cells are left out  [default: {LIMIT}]",
    )
    parser.add_argument("--output", metavar="FOLDER", default=RESULTS / "detection")
    parser.add_argument(
        "--draws", type=int, default=N_DRAWS, help=f"draws of an interval  [default: {N_DRAWS}]"
    )
    parser.add_argument(
        "--tables", action="store_true", help="make tables of the cells that are there, run none"
    )
    parser.add_argument("--list", action="store_true", help="print the names of sets and detectors")
    return parser


def _commit():
    commit, _, state = version_facts()["skaudio_ad_git_commit"].partition("-")
    return commit[:10] + ("-" + state if state else "")


@contextlib.contextmanager
def _backend(parser, address):
    """Run the jobs of joblib on a Dask cluster, if there is an address."""
    if address is None:
        yield
        return
    try:
        from distributed import Client
    except ImportError:
        parser.error("--dask needs distributed: pip install distributed.")
    from joblib import parallel_config

    with Client(address) as client, parallel_config(backend="dask", client=client):
        yield


def collect(tasks, chosen, seeds, folder):
    """Return the cells that are there, in the order of the configurations.

    Parameters
    ----------
    tasks : list of Task
    chosen : list of Configuration
    seeds : list of int
    folder : path-like

    Returns
    -------
    list of dict
    """
    cells = [
        read_cell(folder, asked(task, own, seed))
        for own in chosen
        for seed in seeds_of(own, seeds)
        for task in tasks
    ]
    return [cell for cell in cells if cell is not None]


def report(cells, about, folder, *, n_draws=N_DRAWS):
    """Write the tables and pictures of cells, and print the page.

    Parameters
    ----------
    cells : list of dict
    about : dict
        "command", "date", "environment", "versions" (by name) and "left out" (reasons by set or configuration).
    folder : pathlib.Path
    n_draws : int, default=1000
    """
    versions, left_out = about["versions"], about["left out"]
    results = _tables.Results(cells, REFERENCE, n_draws)
    summary, pairs = _tables.summary_rows(results, versions), _tables.pair_rows(results)
    ranks, facts = _tables.rank_rows(results)
    every_cell = _tables.cell_rows(cells, versions)
    tables = {"cells": every_cell, "summary": summary, "pairs": pairs, "ranks": ranks}
    for name, rows in tables.items():
        _page.write_csv(folder / f"{name}.csv", rows)
    files = [{"title": name, "file": f"{name}.csv"} for name, rows in tables.items() if rows]
    known = {name: value for name, value in facts.items() if value == value}  # JSON has no NaN
    notes = [
        f"Thresholds aim at a false-alarm rate of {FALSE_ALARMS}. {_page.INTERVAL_NOTE}",
        *([_rank_note(facts)] if ranks else []),
    ]
    _page.write_about(folder / "detection.json", {**about, "notes": notes, "ranks": known, "tables": files})
    parts = [
        "# Anomaly detection on recordings",
        f"Command: `{about['command']}`, {about['date']}",
        about["environment"],
        f"{notes[0]} The docstring of `benchmarks.detection.__main__` defines the columns.",
    ]
    for name in (_tables.MEAN, *results.by_set):
        rows = [row for row in summary if row["set"] == name]
        if any(row["AUC"] is not None for row in rows):
            picture = _figures.picture_name(name)
            _figures.draw(rows, name, folder / picture)
            said = _page.verdict(pairs, name, REFERENCE)
            parts += [f"## {name}", said, _page.set_table(rows), f"![AUC and rates of {name}]({picture})"]
        elif rows:
            parts += [f"## {name}", _page.set_table(rows)]
    if pairs:
        parts += [f"## AUC minus {REFERENCE}", _page.pair_table(pairs)]
    if ranks:
        parts += ["## Average ranks", _rank_note(facts), markdown(_page.rank_texts(ranks))]
    if others := _page.version_table(every_cell):
        parts += ["## Cells made with other versions", others]
    if caught := _page.warning_table(cells):
        parts += ["## Warnings", caught]
    if left_out:
        parts += ["## Left out", markdown([{"name": name, "reason": why} for name, why in left_out.items()])]
    _page.write_markdown(folder / "detection.md", parts)
    print("\n\n".join(filter(None, parts)))


def _rank_note(facts):
    return (
        "Ranks by AUC over {blocks} blocks of {configurations} configurations: tasks, with the mean over random splits "
        "of the same clips. Friedman test: p = {p-value:.2g}. Two configurations differ at the level 0.05 if their "
        "average ranks differ by more than the critical difference of Nemenyi, {critical difference:.2f}."
    ).format(**facts)


if __name__ == "__main__":
    sys.exit(main())
