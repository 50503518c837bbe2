"""Cells of the benchmark of detection: one configuration with one seed on one task. Cells that are there do not run."""

import time
import traceback
import warnings
from collections import Counter
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed

from .._peak_memory import peak, reset_peak
from .._report import one_thread
from ._cell_files import asked, read_cell, write_cell
from ._statistics import cell_values, part_values

# Maximum number of characters of a warning that a cell keeps.
_WARNING_LENGTH = 200


def seeds_of(configuration, seeds):
    """Return the seeds that a configuration runs with: the first one if nothing is random."""
    return list(seeds) if configuration.is_random else list(seeds)[:1]


def package_versions(packages):
    """Return the versions of distributions by name."""
    found = {}
    for name in packages:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def alarms_of(detector, X, scores):
    """Return a mask of the clips below the threshold of a detector, or None if the detector has no threshold."""
    if hasattr(detector, "threshold_"):
        return ~(scores >= detector.threshold_)
    return np.asarray(detector.predict(X)) == -1 if hasattr(detector, "predict") else None


def run_cell(task, configuration, seed, X, facts):
    """Train and test once. An error becomes a part of the cell.

    Parameters
    ----------
    task : Task
    configuration : Configuration
    seed : int
    X : ndarray of shape (n_clips, ...) or list
        Features of the clips of the task, or paths.
    facts : dict
        Further entries of the cell.

    Returns
    -------
    dict
        What was asked, "status" ("ok" or "error"), and for "ok" metrics, seconds and the scores of all test clips.
        "memory" is the rise of the peak of the resident memory of the process above its value before `fit`, in MB.
        The features of all clips are in memory before.
    """
    y = task.y[task.test]
    cell = {
        "asked": asked(task, configuration, seed),
        "n_train": len(task.train),
        "n_normal": int(np.sum(y == 1)),
        "n_anomalous": int(np.sum(y == -1)),
        **facts,
    }
    train, test = (_take(X, positions) for positions in (task.train, task.test))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            with one_thread():
                cell |= _fit_and_score(task, configuration.detector(seed), train, test)
        except Exception as error:  # the row of the cell says why, and other cells go on
            cell |= {"status": "error", "error": _first_line(error), "traceback": traceback.format_exc()}
    counts = Counter(f"{own.category.__name__}: {_first_line(own.message)}" for own in caught)
    return cell | {"warnings": dict(counts)}


def _fit_and_score(task, detector, train, test):
    before, start = reset_peak(), _clocks()
    detector.fit(train)
    fitted = _clocks()
    scores = np.asarray(detector.score_samples(test), dtype=np.float64)
    done = _clocks()
    if n_missing := int(np.isnan(scores).sum()):
        raise ValueError(f"{n_missing} of {len(scores)} test clips have the score NaN.")
    alarms = alarms_of(detector, test, scores)
    facts = {
        "promise": getattr(detector, "promise_", None),
        **dict(zip(("fit seconds", "fit CPU seconds"), (fitted - start).tolist())),
        **dict(zip(("score seconds", "score CPU seconds"), (done - fitted).tolist())),
        "memory": max(0.0, peak() - before),
    }
    clips = {
        "scores": scores.tolist(),
        "normal": (task.y[task.test] == 1).tolist(),
        "alarms": None if alarms is None else alarms.tolist(),
        "groups": _names(task.paths if task.groups is None else task.groups, task.test),
        "machines": None if task.machines is None else _names(task.machines, task.test),
        "domains": None if task.domains is None else _names(task.domains, task.test),
    }
    every_clip = np.ones((1, len(scores)))
    metrics = {name: float(value[0]) for name, value in cell_values(clips, every_clip).items()}
    parts = {
        machine: {name: float(value[0]) for name, value in own.items()}
        for machine, own in part_values(clips, every_clip).items()
    }
    if alarms is None:
        metrics |= {"false alarms": None, "detected": None}
    return {"status": "ok", **metrics, "by machine": parts, **facts, **clips}


def _names(values, positions):
    return [str(values[position]) for position in positions]


def _clocks():
    """Wall time, and CPU time of all threads of the process, in seconds."""
    return np.array([time.perf_counter(), time.process_time()])


def run_cells(tasks, configurations, seeds, folder, *, memory=None, n_jobs=1, limit=None, facts=None):
    """Run all cells that are not in the folder.

    Parameters
    ----------
    tasks : list of Task
    configurations : list of Configuration
    seeds : list of int
    folder : path-like
    memory : path-like or None, default=None
        Folder that keeps embeddings.
    n_jobs : int, default=1
        Number of processes, as for joblib. A job is one configuration on one set.
    limit : float or None, default=None
        Maximum number of seconds of one configuration on one set. When the cells of the set together have taken
        longer, the remaining cells are left out, and their rows say why.
    facts : dict or None, default=None
        Further entries of every cell.
    """
    Path(folder).mkdir(parents=True, exist_ok=True)
    by_features = {}
    for configuration in configurations:
        by_features.setdefault(configuration.features, []).append(configuration)
    by_set = {}
    for task in tasks:
        by_set.setdefault(task.set, []).append(task)
    for own in by_features.values():
        known = (), None, _clocks()  # paths, features and seconds of the last set
        for set_tasks in by_set.values():
            jobs = [
                (configuration, _pending(set_tasks, configuration, seeds, folder, limit))
                for configuration in own
            ]
            jobs = [(configuration, pending) for configuration, pending in jobs if pending]
            if not jobs:
                continue
            paths = list(dict.fromkeys(path for task in set_tasks for path in task.paths))
            start = _clocks()
            try:
                if paths != known[0]:
                    X = paths if own[0].embed is None else _embed(own[0].embed(memory), paths)
                    known = paths, X, _clocks() - start
            except Exception as error:  # the rows of the cells say why, and other features go on
                cause = {
                    "status": "error",
                    "error": f"features: {_first_line(error)}",
                    "traceback": traceback.format_exc(),
                }
                for configuration, pending in jobs:
                    _write_without_run(folder, configuration, pending, {**(facts or {}), **cause})
                continue
            seconds = dict(zip(("feature seconds", "feature CPU seconds"), known[2].tolist()))
            kept = {**(facts or {}), **seconds, "feature clips": len(paths)}
            Parallel(n_jobs)(
                delayed(_run_job)(configuration, pending, paths, known[1], folder, limit, kept)
                for configuration, pending in jobs
            )


def _pending(tasks, configuration, seeds, folder, limit):
    """Pairs of a task and a seed whose cells are not there. All tasks run with the first seed first."""
    pairs = [(task, seed) for seed in seeds_of(configuration, seeds) for task in tasks]
    cells = [read_cell(folder, asked(task, configuration, seed)) for task, seed in pairs]
    return [pair for pair, cell in zip(pairs, cells) if cell is None or _to_repeat(cell, limit)]


def _to_repeat(cell, limit):
    """Whether a cell failed, or was left out because of a lower limit."""
    left_out = cell["status"] == "left out" and (limit is None or limit > cell["limit"])
    return left_out or cell["status"] == "error"


def _embed(transformer, paths):
    with warnings.catch_warnings(), one_thread():
        warnings.simplefilter("ignore", UserWarning)  # such as low bandwidth, which is a fact of some sets
        return transformer.fit(paths).transform(paths)


def _run_job(configuration, pending, paths, X, folder, limit, facts):
    """Run the cells of one configuration on one set."""
    rows, start = {path: row for row, path in enumerate(paths)}, time.perf_counter()
    facts = {**facts, "versions": facts.get("versions", {}) | package_versions(configuration.packages)}
    for number, (task, seed) in enumerate(pending):
        seconds = time.perf_counter() - start
        if number and limit is not None and seconds > limit:
            reason = f"{number} cells of this set took {seconds:.0f} s, more than the limit of {limit:g} s"
            why = {"status": "left out", "error": reason, "limit": limit}
            _write_without_run(folder, configuration, pending[number:], facts | why)
            return
        own = _take(X, [rows[path] for path in task.paths])
        cell = run_cell(task, configuration, seed, own, facts)
        write_cell(folder, cell)
        value = cell["error"] if cell["status"] == "error" else f"AUC {cell['AUC']:.3f}"
        took = time.perf_counter() - start - seconds
        print(
            f"{task.set}, {task.name}, {configuration.name}, seed {seed}: {value}, {took:.1f} s", flush=True
        )


def _write_without_run(folder, configuration, pending, entries):
    for task, seed in pending:
        write_cell(folder, {"asked": asked(task, configuration, seed), "warnings": {}, **entries})


def _take(X, positions):
    return X[positions] if isinstance(X, np.ndarray) else [X[position] for position in positions]


def _first_line(error):
    """First line of an error or a warning, with the type of an error."""
    text = str(error).strip().split("\n", 1)[0][:_WARNING_LENGTH]
    return text if isinstance(error, Warning) else f"{type(error).__name__}: {text}"
