"""Heads of :func:`make_detector` beside each other, all calibrated alike, on one fixed feature of one backbone.

Every recording is brought to one level and embedded once. A task has normal clips to train, and normal and anomalous
clips to test. No choice uses a label.

The sets, tasks and splits are those of ``benchmarks.detection._sets``, without the merged set.

"nearest, 5 folds" is "nearest" with ``cv=5``. With more than 30 training clips both are the same. With fewer, the
default leaves one out.

"minus nearest" is the difference of the mean AUC of a set, with a paired bootstrap interval: in every draw all heads
get the same resampled test clips of every task. "false alarms" is the mean over the tasks of the share of normal test
clips below the threshold. On PhysioNet, test clips are of patients that did not train.

Run: ``python -m benchmarks.detection.heads [--backbone mini] [--embedding-output NAME] [--data-home FOLDER]
[--sets NAME ...] [--memory FOLDER]``. Sets that are not there are left out. About 5
minutes on one core, most of them for embeddings, which `--memory` keeps.
"""

import argparse
import time
import warnings
from collections import defaultdict

import numpy as np
from scipy.stats import rankdata

from skaudio_ad.presets import HEADS, make_detector

from .._report import RESULTS, Report
from . import _sets
from ._configurations import FALSE_ALARMS

N_DRAWS, COVERAGE = 500, 0.9
REFERENCE = "nearest"


def _unpacked(tasks):
    """Return a function like `tasks` that yields (task, paths, y, train, test)."""

    def unpacked(home):
        for task in tasks(home):
            yield task.name, task.paths, task.y, task.train, task.test

    return unpacked


physionet_tasks = _unpacked(_sets.physionet)
SETS = {
    "MIMII": _unpacked(_sets.mimii),
    "HLS-CMDS": _unpacked(_sets.hls_cmds),
    "ESC-10": _unpacked(_sets.esc10),
    "PhysioNet": physionet_tasks,
}


def contenders():
    """Return the last steps of the detectors, by name."""
    made = {head: make_detector(head=head, false_alarms=FALSE_ALARMS, random_state=0)[-1] for head in HEADS}
    other = make_detector(head=REFERENCE, false_alarms=FALSE_ALARMS, random_state=0)[-1].set_params(cv=5)
    return {REFERENCE: made.pop(REFERENCE), f"{REFERENCE}, 5 folds": other, **made}


def run_task(X, y, train, test):
    """Fit every contender, and test it.

    Parameters
    ----------
    X : ndarray of shape (n_clips, n_features)
    y : ndarray of shape (n_clips,)
    train, test : ndarray of int

    Returns
    -------
    dict
        "is_normal" is a mask of the test clips; "scores", "alarms" (masks) and "seconds" hold one entry a contender.
    """
    found = {"is_normal": y[test] == 1, "scores": {}, "alarms": {}, "seconds": {}}
    for name, detector in contenders().items():
        start = time.perf_counter()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # copies are a fact of these data sets
            detector.fit(X[train])
        scores = detector.score_samples(X[test])
        found["seconds"][name] = time.perf_counter() - start
        found["scores"][name], found["alarms"][name] = scores, scores < detector.threshold_
    return found


def auc(is_normal, scores):
    """Area under the ROC curve: the share of pairs in which the normal clip scores higher. A tie counts half."""
    n_normal = np.count_nonzero(is_normal)
    ranks = rankdata(scores)[is_normal].sum() - n_normal * (n_normal + 1) / 2
    return ranks / (n_normal * (len(scores) - n_normal))


def mean_aucs(tasks, chosen=None):
    """Mean AUC over tasks of every contender. `chosen` holds positions of the test clips of every task."""
    aucs = defaultdict(list)
    for number, task in enumerate(tasks):
        rows = slice(None) if chosen is None else chosen[number]
        for name, scores in task["scores"].items():
            aucs[name].append(auc(task["is_normal"][rows], scores[rows]))
    return {name: np.mean(values) for name, values in aucs.items()}


def resampled_aucs(tasks, n_draws):
    """Mean AUCs of every contender, from resampled test clips of every task: one dict for each draw."""
    rng = np.random.default_rng(0)
    draws = []
    for _ in range(n_draws):
        chosen = [
            np.concatenate(
                [rng.choice(part, len(part)) for part in (np.flatnonzero(own), np.flatnonzero(~own))]
            )
            for own in (task["is_normal"] for task in tasks)
        ]
        draws.append(mean_aucs(tasks, chosen))
    return draws


def differences(tasks, n_draws=N_DRAWS):
    """Mean AUC minus that of the reference, with a paired bootstrap interval of the test clips.

    Parameters
    ----------
    tasks : list of dict
        Results of :func:`run_task`.
    n_draws : int, default=500

    Returns
    -------
    dict of {str: tuple of float}
        Difference, lower and upper end, by contender.
    """
    draws = resampled_aucs(tasks, n_draws)
    means = mean_aucs(tasks)
    made = {}
    for name in means:
        low, high = np.quantile(
            [d[name] - d[REFERENCE] for d in draws], [(1 - COVERAGE) / 2, (1 + COVERAGE) / 2]
        )
        made[name] = means[name] - means[REFERENCE], low, high
    return made


def summarise(results):
    """Return the rows of the three tables: AUC, difference from the reference, false alarms and seconds.

    Parameters
    ----------
    results : dict of {str: list of dict}
        Results of :func:`run_task` by set.

    Returns
    -------
    tuple of three lists of dict
    """
    aucs = {name: mean_aucs(tasks) for name, tasks in results.items()}
    minus = {name: differences(tasks) for name, tasks in results.items()}
    names = list(next(iter(aucs.values())))
    areas, gaps, alarms = [], [], []
    for head in names:
        own = {name: aucs[name][head] for name in results}
        areas.append(
            {
                "head": head,
                **{n: f"{v:.3f}" for n, v in own.items()},
                "mean": f"{np.mean(list(own.values())):.3f}",
            }
        )
        if head != REFERENCE:
            parts = {name: "{:+.3f} [{:+.3f}, {:+.3f}]".format(*minus[name][head]) for name in results}
            gaps.append({"head": head, **parts})
        rates = {
            name: f"{np.mean([task['alarms'][head][task['is_normal']].mean() for task in tasks]):.3f}"
            for name, tasks in results.items()
        }
        found = {
            f"{name}, detected": f"{np.mean([task['alarms'][head][~task['is_normal']].mean() for task in tasks]):.2f}"
            for name, tasks in results.items()
        }
        seconds = sum(task["seconds"][head] for tasks in results.values() for task in tasks)
        alarms.append({"head": head, **rates, **found, "seconds, all tasks": f"{seconds:.1f}"})
    return areas, gaps, alarms


def main(arguments=None):
    """Run the benchmark with command-line arguments; see the module's docstring."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.detection.heads")
    parser.add_argument("--backbone", default="mini", help="name of BACKBONES  [default: mini]")
    parser.add_argument(
        "--embedding-output", help="output of the backbone  [default: the one of make_detector]"
    )
    parser.add_argument("--data-home", help="folder of the data sets  [default: SKAUDIO_AD_DATA]")
    parser.add_argument("--sets", nargs="+", choices=list(SETS), default=list(SETS))
    parser.add_argument("--memory", help="folder that keeps embeddings  [default: none]")
    parser.add_argument("--output", default=RESULTS)
    options = parser.parse_args(arguments)
    embed = make_detector(options.backbone, output=options.embedding_output, memory=options.memory)[:-1]
    results = defaultdict(list)
    for name in options.sets:
        X, embedded = None, None
        try:
            for task, paths, y, train, test in SETS[name](options.data_home):
                if paths != embedded:  # splits and classes of one set share the recordings
                    X, embedded = embed.fit(paths).transform(paths), paths
                results[name].append({"task": task, "n_train": len(train), **run_task(X, y, train, test)})
        except FileNotFoundError as error:
            print(f"benchmarks.detection.heads: {name} is left out: {error}")
    if not results:
        return
    report = Report(
        "heads",
        data=f"{', '.join(results)}; {options.backbone}, output {embed[-1].output!r}; level rms.",
        seed=0,
        folder=options.output,
    )
    areas, gaps, alarms = summarise(results)
    report.table("AUC", areas, "Means over the tasks of a set; the last column is the mean over the sets.")
    report.table(f"AUC minus {REFERENCE}", gaps, f"Paired bootstrap intervals of {COVERAGE:.0%}.")
    report.table("false alarms and detected anomalies", alarms, f"Requested: {FALSE_ALARMS}.")
    tasks = [(name, task) for name, own in results.items() for task in own]
    report.table(
        "AUC of every task",
        [
            {"set": name, "task": task["task"], "training clips": task["n_train"]}
            | {head: f"{auc(task['is_normal'], scores):.3f}" for head, scores in task["scores"].items()}
            for name, task in tasks
        ],
    )


if __name__ == "__main__":
    main()
