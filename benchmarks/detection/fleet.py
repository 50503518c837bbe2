"""Fleets of machines: a detector for each machine, one for each type, or one bank of all machines.

All arrangements are a :class:`FleetDetector`. The arrangements differ in what counts as a machine. All clips are
embedded once, with the default steps of :func:`make_detector`. No choice uses a label.

======  ========================================================================================================
set     machines, training and test
======  ========================================================================================================
MIMII   16 machines, 4 of each type. The first 6 normal clips of every machine train, as in
        ``benchmarks.detection.machines``. The test has 4 normal and 5 anomalous clips of a machine on average:
        16 and 20 of a type. These are few, so the intervals are wide.
ESC-10  Every class stands for a machine. In each of 5 rounds, two classes are held out and 8 classes are the
        machines. Folds 1 to 4 of a class train, and fold 5 of the class is the normal test. The anomalies of
        every machine are all clips of the two classes that are held out: sounds that no detector knows. Classes
        have no types.
======  ========================================================================================================

"mean AUC, machines" is the mean of one AUC for each machine, whose scores are on one scale. "mean AUC, types" ranks the
clips of all machines of a type together, and "AUC, all machines" ranks all test clips of a round together, both by the
margin (``decision_function``) or by conformal p-values. Raw scores of different detectors are on different scales.
With 6 training clips of a machine, a p-value has 7 possible values, so many clips are tied.

"minus one for each machine" is the difference of the mean AUC over machines, with a paired bootstrap interval: in every
draw all arrangements get the same resampled test clips. A test clip that serves several machines or rounds is resampled
once. "false alarms" and "detected" are shares of all normal and of all anomalous test clips below the threshold.

Run: ``python -m benchmarks.detection.fleet [--backbone mini] [--data-home FOLDER] [--sets NAME ...]
[--memory FOLDER]``. About 2 minutes on one core, most of them for embeddings, which `--memory` keeps.
"""

import argparse
import warnings

import numpy as np

from skaudio_ad import FleetDetector, NearestNeighborsDetector
from skaudio_ad.datasets import load_esc10, load_mimii
from skaudio_ad.presets import make_detector

from .._report import RESULTS, Report
from . import heads, machines

REFERENCE = "one for each machine"
HEADS = {"whitened nearest": "nearest", "cosine nearest": NearestNeighborsDetector(metric="cosine")}
N_DRAWS = 500


def mimii_rounds(home):
    """Return paths and the only round of MIMII, as :func:`run_round` takes rounds."""
    paths, y, machine, kind, trains = [], [], [], [], []
    for name in machines.MACHINES:
        data = load_mimii(name, data_home=home)
        train, _ = machines.split(data.target, data.metadata["machine_id"])
        paths += data.paths
        y.append(data.target)
        machine += [f"{name} {number}" for number in data.metadata["machine_id"]]
        kind += [name] * len(data.paths)
        trains.append(np.isin(np.arange(len(data.paths)), train))
    y, trains = np.concatenate(y), np.concatenate(trains)
    test = np.flatnonzero(~trains)
    return paths, [
        {
            "train": np.flatnonzero(trains),
            "test": test,
            "train machines": np.array(machine)[trains],
            "test machines": np.array(machine)[test],
            "train types": np.array(kind)[trains],
            "test types": np.array(kind)[test],
            "is_normal": y[test] == 1,
        }
    ]


def esc10_rounds(home):
    """Return paths and the five rounds of ESC-10. Two classes are held out in each round."""
    data = load_esc10("dog bark", data_home=home)
    return data.paths, esc10_splits(data.metadata["category"], data.metadata["fold"])


def esc10_splits(category, fold):
    """Make the rounds of ESC-10 from the class and the fold of every clip.

    Parameters
    ----------
    category, fold : array-like of shape (n_clips,)

    Returns
    -------
    list of dict
    """
    category, fold = np.asarray(category), np.asarray(fold)
    names, rounds = np.unique(category), []
    for held_out in names.reshape(-1, 2):
        known = [name for name in names if name not in held_out]
        anomalies = np.flatnonzero(np.isin(category, held_out))
        train = np.flatnonzero(np.isin(category, known) & (fold != 5))
        parts = [np.flatnonzero((category == name) & (fold == 5)) for name in known]
        rounds.append(
            {
                "train": train,
                "test": np.concatenate([np.r_[part, anomalies] for part in parts]),
                "train machines": category[train],
                "test machines": np.repeat(known, [len(part) + len(anomalies) for part in parts]),
                "is_normal": np.concatenate(
                    [np.repeat([True, False], [len(part), len(anomalies)]) for part in parts]
                ),
            }
        )
    return rounds


SETS = {"MIMII": mimii_rounds, "ESC-10": esc10_rounds}


def run_round(X, split, head):
    """Fit all arrangements of one head, and test them.

    Parameters
    ----------
    X : ndarray of shape (n_clips, n_features)
    split : dict
        "train" and "test" are positions in X, "train machines" and "test machines" their machines, "is_normal" a mask
        of "test". "train types" and "test types" are optional. A clip can be in "test" several times.
    head : str or estimator
        Head of :func:`make_detector`.

    Returns
    -------
    dict of {str: dict}
        By arrangement: "scores", "margin" and "p-value" of every test clip.
    """
    labels = {REFERENCE: (split["train machines"], split["test machines"])}
    if "train types" in split:
        labels["one for each type"] = split["train types"], split["test types"]
    labels["one for all"] = tuple(np.zeros(len(split[part]), dtype=int) for part in ("train", "test"))
    made = {}
    for name, (train, test) in labels.items():
        fleet = FleetDetector(make_detector(head=head, false_alarms=heads.FALSE_ALARMS)[-1])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # copies and few clips are facts of these data sets
            fleet.fit(X[split["train"]], machines=train)
            made[name] = {
                key: getattr(fleet, method)(X[split["test"]], machines=test)
                for key, method in (
                    ("scores", "score_samples"),
                    ("margin", "decision_function"),
                    ("p-value", "p_values"),
                )
            }
    return made


def make_tasks(splits, results, key, by=None):
    """Cut the rounds into tasks for ``heads.mean_aucs``.

    Parameters
    ----------
    splits : list of dict
    results : list of dict
        Results of :func:`run_round`.
    key : {"scores", "margin", "p-value"}
    by : {"test machines", "test types"} or None, default=None
        What a task holds the clips of. None makes one task of a round.

    Returns
    -------
    list of dict
        "clips" holds the positions of the test clips in X.
    """
    tasks = []
    for split, found in zip(splits, results):
        labels = np.zeros(len(split["test"]), dtype=int) if by is None else split[by]
        for label in np.unique(labels):
            own = labels == label
            tasks.append(
                {
                    "task": str(label),
                    "clips": split["test"][own],
                    "is_normal": split["is_normal"][own],
                    "scores": {name: values[key][own] for name, values in found.items()},
                }
            )
    return tasks


def differences(tasks, n_draws=N_DRAWS):
    """Mean AUC minus that of the detectors of machines, with a paired bootstrap interval over test clips.

    Clips are drawn within sets of clips that the same tasks test, so every task keeps its numbers of clips.

    Parameters
    ----------
    tasks : list of dict
        From :func:`make_tasks`.
    n_draws : int, default=500

    Returns
    -------
    dict of {str: tuple of float}
        Difference, lower and upper end, by arrangement.
    """
    uses = {}
    for number, task in enumerate(tasks):
        for clip, is_normal in zip(task["clips"].tolist(), task["is_normal"].tolist()):
            uses.setdefault(clip, []).append((number, is_normal))
    strata = {}
    for clip, own in uses.items():
        strata.setdefault(tuple(own), []).append(clip)
    rng, draws = np.random.default_rng(0), []
    for _ in range(n_draws):
        counts = np.zeros(max(uses) + 1, dtype=int)
        for clips in strata.values():
            np.add.at(counts, rng.choice(clips, len(clips)), 1)
        chosen = [np.repeat(np.arange(len(task["clips"])), counts[task["clips"]]) for task in tasks]
        draws.append(heads.mean_aucs(tasks, chosen))
    means, ends = heads.mean_aucs(tasks), [(1 - heads.COVERAGE) / 2, (1 + heads.COVERAGE) / 2]
    return {
        name: (mean - means[REFERENCE], *np.quantile([draw[name] - draw[REFERENCE] for draw in draws], ends))
        for name, mean in means.items()
    }


def summarise(head, splits, results, n_draws=N_DRAWS):
    """Return the rows of the table of one set and head, one for each arrangement.

    Parameters
    ----------
    head : str
    splits, results : list of dict
    n_draws : int, default=500

    Returns
    -------
    list of dict
    """
    by_machine = make_tasks(splits, results, "scores", "test machines")
    areas, gaps = heads.mean_aucs(by_machine), differences(by_machine, n_draws)
    columns = {}
    for key in ("margin", "p-value"):
        if "test types" in splits[0]:
            columns[f"mean AUC, types, by {key}"] = heads.mean_aucs(
                make_tasks(splits, results, key, "test types")
            )
        columns[f"AUC, all machines, by {key}"] = heads.mean_aucs(make_tasks(splits, results, key))
    is_normal = np.concatenate([split["is_normal"] for split in splits])
    rows = []
    for name in areas:
        alarms = np.concatenate([found[name]["margin"] < 0 for found in results])
        gap = "" if name == REFERENCE else "{:+.3f} [{:+.3f}, {:+.3f}]".format(*gaps[name])
        rows.append(
            {
                "head": head,
                "detectors": name,
                "mean AUC, machines": f"{areas[name]:.3f}",
                f"minus {REFERENCE}": gap,
                **{column: f"{values[name]:.3f}" for column, values in columns.items()},
                "false alarms": f"{alarms[is_normal].mean():.3f}",
                "detected": f"{alarms[~is_normal].mean():.3f}",
            }
        )
    return rows


def machine_rows(splits, results):
    """Return the AUC of every machine, with its numbers of test clips, for the first head.

    Parameters
    ----------
    splits, results : list of dict

    Returns
    -------
    list of dict
    """
    return [
        {
            "machine": task["task"],
            "normal": int(task["is_normal"].sum()),
            "anomalous": int((~task["is_normal"]).sum()),
            **{
                name: f"{heads.auc(task['is_normal'], scores):.3f}" for name, scores in task["scores"].items()
            },
        }
        for task in make_tasks(splits, results, "scores", "test machines")
    ]


def main(arguments=None):
    """Run the benchmark with command-line arguments; see the module's docstring."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.detection.fleet")
    parser.add_argument("--backbone", default="mini", help="name of BACKBONES  [default: mini]")
    parser.add_argument("--data-home", help="folder of the data sets  [default: SKAUDIO_AD_DATA]")
    parser.add_argument("--sets", nargs="+", choices=list(SETS), default=list(SETS))
    parser.add_argument("--memory", help="folder that keeps embeddings  [default: none]")
    parser.add_argument("--output", default=RESULTS)
    options = parser.parse_args(arguments)
    embed = make_detector(options.backbone, memory=options.memory)[:-1]
    report = None
    for name in options.sets:
        try:
            paths, splits = SETS[name](options.data_home)
        except FileNotFoundError as error:
            print(f"benchmarks.detection.fleet: {name} is left out: {error}")
            continue
        if report is None:
            report = Report(
                "fleet",
                data=f"{', '.join(options.sets)}; {options.backbone}, output {embed[-1].output!r}; level rms.",
                seed=0,
                folder=options.output,
            )
        X, table, by_machine = embed.fit(paths).transform(paths), [], None
        for title, head in HEADS.items():
            results = [run_round(X, split, head) for split in splits]
            table += summarise(title, splits, results)
            by_machine = by_machine or machine_rows(splits, results)
        report.table(
            name,
            table,
            f"Paired bootstrap intervals of {heads.COVERAGE:.0%}. Requested: {heads.FALSE_ALARMS}.",
        )
        report.table(f"{name}, every machine", by_machine, f"AUC with {next(iter(HEADS))}.")


if __name__ == "__main__":
    main()
