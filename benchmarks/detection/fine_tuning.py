"""Fine-tuned backbones beside the frozen one, before one fixed head: whitened 1-NN on the clip embedding.

The labels of the tuning are labels that normal clips have. Anomalous clips and test clips take no part in any choice.

==================  =====  ===========================================================================================
set                 tasks  tuning and test
==================  =====  ===========================================================================================
MIMII, one type     4      24 normal clips of a type of machine, labels: the 4 machines; test as in ``heads``
MIMII, all types    4      96 normal clips, labels: the 16 machines; one tuning, then a head and a test for every type
ESC-10, new class   5      folds 1 to 4 of 8 classes, 256 clips, labels: the classes; test: fold 5 of these classes, and
                           all clips of the 2 other classes as anomalies
==================  =====  ===========================================================================================

24 clips are few to tune a network on, and 6 clips of a class are fewer. "head" trains a projection of 128 values on the
frozen embedding, and "last 2" the last two layers.

"minus frozen" is the difference of the mean AUC of a set, with a paired bootstrap interval of the test clips. The
interval does not hold the chance of the training: ``--seeds 3`` repeats every tuning.

Every task of every contender is a file in ``fine_tuning-cells``, so that the same command goes on after an
interruption. ``--minutes`` ends a run early, and the tables then show what is complete.

Run: ``python -m benchmarks.detection.fine_tuning [--backbones mini mn04] [--device cpu] [--jobs 1] [--seeds 1]
[--contenders NAME ...] [--quick]``. On a GPU, ``--device cuda --jobs 8`` shares it between processes. A tuning of mini
takes about 2 minutes on one free core.
"""

import argparse
import json
import time
import warnings
from collections import defaultdict
from functools import lru_cache
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed
from sklearn.pipeline import make_pipeline

from skaudio_ad.audio import AudioLoader, LevelNormalizer
from skaudio_ad.datasets import load_esc10, load_mimii
from skaudio_ad.detectors import NearestNeighborsDetector
from skaudio_ad.embeddings import BackboneEmbedding, FineTunedEmbedding
from skaudio_ad.features import ShrinkageWhitener

from .._report import RESULTS, Report
from . import machines
from .heads import COVERAGE, N_DRAWS, auc, mean_aucs, resampled_aucs

REFERENCE = "frozen"
#: Parameters of FineTunedEmbedding by the name of the contender. None is the frozen backbone.
CONTENDERS = {
    REFERENCE: None,
    "softmax, head": {"objective": "softmax", "trainable": "head"},
    "softmax, last 2": {"objective": "softmax", "trainable": 2},
    "softmax, lora": {"objective": "softmax", "trainable": "lora"},
    "softmax, all": {"objective": "softmax", "trainable": "all"},
    "arcface, all": {"objective": "arcface", "trainable": "all"},
    "adacos, all": {"objective": "adacos", "trainable": "all"},
    "self, all": {"objective": "self", "trainable": "all"},
}
SETS = ("MIMII, one type", "MIMII, all types", "ESC-10, new class")
QUICK = {"max_epochs": 1, "windows_per_clip": 1}


def mimii_one_type(home):
    """Yield (group, paths, labels, training clips, tests): a tuning for every type of machine.

    `tests` is a list of (name, clips of the head, test clips, whether a test clip is normal).
    """
    for name in machines.MACHINES:
        paths, machine, train, test, is_normal = _mimii(name, home)
        yield name, paths, machine, train, [(name, train, test, is_normal)]


def mimii_all_types(home):
    """Yield one tuning on all types of machine, as :func:`mimii_one_type` does."""
    paths, labels, trains, tests = [], [], [], []
    for name in machines.MACHINES:
        own_paths, machine, train, test, is_normal = _mimii(name, home)
        tests.append((name, train + len(paths), test + len(paths), is_normal))
        trains.append(train + len(paths))
        labels += [f"{name} {each}" for each in machine]
        paths += own_paths
    yield "all", paths, np.array(labels), np.concatenate(trains), tests


def _mimii(name, home):
    data = load_mimii(name, data_home=home)
    machine = np.asarray(data.metadata["machine_id"]).astype(str)
    train, test = machines.split(data.target, data.metadata["machine_id"])
    return list(data.paths), machine, train, test, data.target[test] == 1


def esc10_new_class(home):
    """Yield a tuning for every pair of left-out classes, as :func:`mimii_one_type` does."""
    data = load_esc10("dog bark", data_home=home)
    category, fold = np.asarray(data.metadata["category"]).astype(str), np.asarray(data.metadata["fold"])
    names = np.unique(category)
    for start in range(0, len(names), 2):
        is_new = np.isin(category, names[start : start + 2])
        train = np.flatnonzero(~is_new & (fold != 5))
        test = np.flatnonzero(is_new | (fold == 5))
        name = " and ".join(names[start : start + 2])
        yield name, list(data.paths), category, train, [(name, train, test, ~is_new[test])]


_TASKS = dict(zip(SETS, (mimii_one_type, mimii_all_types, esc10_new_class)))


@lru_cache(maxsize=2)
def _tunings(name, home):
    """All tunings of a set, in memory of a process."""
    return list(_TASKS[name](home))


@lru_cache(maxsize=2)
def _clips(paths):
    """Recordings at 32 kHz and at one level, in memory."""
    clips = make_pipeline(AudioLoader(32000, channel=0), LevelNormalizer()).fit_transform(list(paths))
    return [np.asarray(clip) for clip in clips]


def run_cell(cell, home, device, file, quick):
    """Tune one backbone on one task, test it, and write the scores.

    Parameters
    ----------
    cell : tuple
        Set, number of the tuning, backbone, contender and seed.
    home : str or None
    device : str
    file : path-like
        File of the result.
    quick : bool
        Whether to train for one short epoch, to try the benchmark.
    """
    name, number, backbone, contender, seed = cell
    group, paths, labels, train, tests = _tunings(name, home)[number]
    clips = _clips(tuple(paths))
    settings = CONTENDERS[contender]
    embedding = BackboneEmbedding(backbone, device=device)
    found = {"group": group, "n_train": len(train)}
    start = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # copies are a fact of these data sets
        if settings is not None:
            embedding = FineTunedEmbedding(
                embedding, random_state=seed, **settings, **(QUICK if quick else {})
            )
        embedding.fit([clips[i] for i in train], labels[train])
        found["seconds"] = time.perf_counter() - start
        if settings is not None:
            found |= {
                "epochs": embedding.n_iter_,
                "best": embedding.best_epoch_,
                "end": embedding.stopped_by_,
            }
        X = embedding.transform(clips)
        found["tests"] = []
        for test_name, own, test, is_normal in tests:
            head = make_pipeline(ShrinkageWhitener(), NearestNeighborsDetector()).fit(X[own])
            scores = head.score_samples(X[test])
            found["tests"].append(
                {"task": test_name, "scores": scores.tolist(), "is_normal": is_normal.tolist()}
            )
    Path(file).parent.mkdir(parents=True, exist_ok=True)
    part = Path(file).with_suffix(".part")
    part.write_text(json.dumps(found), encoding="utf-8")
    part.replace(file)


def collect(cells, folder):
    """Read the results: tasks by backbone and set, as :func:`benchmarks.detection.heads.run_task` returns them.

    A task counts only if all contenders have it.

    Parameters
    ----------
    cells : list of tuple
    folder : path-like

    Returns
    -------
    results : dict of {(str, str): list of dict}
    costs : dict of {(str, str, str): list of dict}
        Results of the tunings by backbone, set and contender.
    """
    contenders = list(dict.fromkeys(cell[3] for cell in cells))
    found, costs = defaultdict(dict), defaultdict(list)
    for cell in cells:
        file = cell_file(cell, folder)
        if file.exists():
            found[cell[2], cell[0], cell[1], cell[4]][cell[3]] = json.loads(file.read_text(encoding="utf-8"))
    results = defaultdict(list)
    for (backbone, name, _, _), made in found.items():
        if set(made) != set(contenders):
            continue
        for contender in contenders:
            costs[backbone, name, contender].append(made[contender])
        for place, test in enumerate(made[contenders[0]]["tests"]):
            results[backbone, name].append(
                {
                    "task": test["task"],
                    "is_normal": np.array(test["is_normal"]),
                    "scores": {c: np.array(made[c]["tests"][place]["scores"]) for c in contenders},
                }
            )
    return results, costs


def cell_file(cell, folder):
    """File of the result of a cell."""
    return Path(folder) / (
        "-".join(str(part).replace(", ", "_").replace(" ", "_") for part in cell) + ".json"
    )


def differences(tasks, n_draws=N_DRAWS):
    """Mean AUC of every contender minus that of the frozen backbone, with a paired bootstrap interval.

    Parameters
    ----------
    tasks : list of dict
        Of :func:`collect`.
    n_draws : int, default=500

    Returns
    -------
    dict of {str: tuple of float}
        Difference, lower and upper end, by contender.
    """
    means, draws = mean_aucs(tasks), resampled_aucs(tasks, n_draws)
    ends = (1 - COVERAGE) / 2, (1 + COVERAGE) / 2
    return {
        name: (
            means[name] - means[REFERENCE],
            *np.quantile([draw[name] - draw[REFERENCE] for draw in draws], ends),
        )
        for name in means
    }


def summarise(results, costs):
    """Return the rows of the tables: AUC, difference from the frozen backbone, and cost.

    Parameters
    ----------
    results, costs : dict
        Of :func:`collect`.

    Returns
    -------
    tuple of three lists of dict
    """
    areas, gaps, times = [], [], []
    sets = [name for name in SETS if any(key[1] == name for key in results)]
    for backbone in dict.fromkeys(key[0] for key in results):
        own = {name: results[backbone, name] for name in sets if (backbone, name) in results}
        aucs = {name: mean_aucs(tasks) for name, tasks in own.items()}
        minus = {name: differences(tasks) for name, tasks in own.items()}
        for contender in next(iter(aucs.values())):
            row = {"backbone": backbone, "contender": contender}
            made = {name: costs[backbone, name, contender] for name in own}
            areas.append(row | {name: f"{aucs[name][contender]:.3f}" if name in own else "" for name in sets})
            if contender == REFERENCE:
                continue
            shown = {
                name: "{:+.3f} [{:+.3f}, {:+.3f}]".format(*minus[name][contender]) if name in own else ""
                for name in sets
            }
            gaps.append(row | shown)
            cost = {
                name: (
                    f"{np.mean([each['seconds'] for each in made[name]]):.0f} s, "
                    f"{np.mean([each['epochs'] for each in made[name]]):.0f} epochs"
                    if name in own
                    else ""
                )
                for name in sets
            }
            times.append(row | cost)
    return areas, gaps, times


def main(arguments=None):
    """Run the benchmark with command-line arguments; see the module's docstring."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.detection.fine_tuning")
    parser.add_argument("--backbones", nargs="+", default=["mini", "mn04"], help="names of BACKBONES")
    parser.add_argument("--contenders", nargs="+", choices=list(CONTENDERS), default=list(CONTENDERS))
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--device", default="auto")
    parser.add_argument("--jobs", type=int, default=1, help="number of processes")
    parser.add_argument("--seeds", type=int, default=1, help="number of tunings of every task")
    parser.add_argument("--minutes", type=float, default=np.inf, help="no cell starts after so many minutes")
    parser.add_argument("--quick", action="store_true", help="one short epoch, to try the benchmark")
    parser.add_argument("--data-home", help="folder of the data sets  [default: SKAUDIO_AD_DATA]")
    parser.add_argument("--output", default=RESULTS)
    options = parser.parse_args(arguments)
    contenders = list(dict.fromkeys([REFERENCE, *options.contenders]))
    folder = Path(options.output) / ("fine_tuning-quick" if options.quick else "fine_tuning-cells")
    cells = []
    for name in options.sets:
        try:
            n_tunings = len(_tunings(name, options.data_home))
        except FileNotFoundError as error:
            print(f"benchmarks.detection.fine_tuning: {name} is left out: {error}")
            continue
        # The cells of a set follow each other, because a process keeps the recordings of a set in memory.
        for seed in range(options.seeds):
            for backbone in options.backbones:
                numbers = range(1 if options.quick else n_tunings)
                cells += [(name, number, backbone, c, seed) for number in numbers for c in contenders]
    if not cells:
        return
    end = time.monotonic() + 60 * options.minutes
    missing = [cell for cell in cells if not cell_file(cell, folder).exists()]
    print(f"{len(missing)} of {len(cells)} cells are to be computed", flush=True)
    Parallel(n_jobs=options.jobs)(
        delayed(_run_until)(
            end, cell, options.data_home, options.device, cell_file(cell, folder), options.quick
        )
        for cell in missing
    )
    results, costs = collect(cells, folder)
    if not results:
        print("No task is complete: run the same command again.")
        return
    report = Report(
        "fine_tuning-quick" if options.quick else "fine_tuning",
        data=f"{', '.join(dict.fromkeys(key[1] for key in results))}; level rms; device {options.device}; "
        f"{options.seeds} seeds; labels of test clips are used for these tables only.",
        seed=0,
        folder=options.output,
    )
    areas, gaps, times = summarise(results, costs)
    report.table("AUC", areas, "Means over the tasks of a set. The head is whitened 1-NN everywhere.")
    report.table("AUC minus frozen", gaps, f"Paired bootstrap intervals of {COVERAGE:.0%}.")
    report.table("cost of a tuning", times, f"Means; {options.jobs} processes at a time.")
    report.table(
        "AUC of every task",
        [
            {"backbone": backbone, "set": name, "task": task["task"]}
            | {c: f"{auc(task['is_normal'], scores):.3f}" for c, scores in task["scores"].items()}
            for (backbone, name), tasks in results.items()
            for task in tasks
        ],
    )


def _run_until(end, cell, *settings):
    """Run a cell unless the time is over. The clock of all processes of a machine is the same."""
    if time.monotonic() < end:
        run_cell(cell, *settings)


if __name__ == "__main__":
    # Processes of joblib find the functions by the name of the module, which is not __main__ to them.
    from benchmarks.detection import fine_tuning

    fine_tuning.main()
