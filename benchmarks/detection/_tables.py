"""Tables of the benchmark of detection, made from its cells."""

import math

import numpy as np

from ._sets import MERGED
from ._statistics import METRICS, average_ranks, blocks_of, interval, set_values, task_values

#: Name of the rows with means over the sets.
MEAN = "mean over sets"
_CELL_COLUMNS = (
    *("n_train", "n_normal", "n_anomalous", "AUC", "pAUC", "Omega", "false alarms", "detected", "promise"),
    *("fit seconds", "fit CPU seconds", "score seconds", "score CPU seconds"),
    *("feature seconds", "feature CPU seconds", "feature clips", "memory", "status", "error"),
)


def cell_rows(cells, versions):
    """Return a row for every cell: what was asked, metrics, seconds, warnings and versions.

    Parameters
    ----------
    cells : list of dict
    versions : dict of {str: str}
        Versions of this run.

    Returns
    -------
    list of dict
    """
    return [
        {key: cell["asked"][key] for key in ("set", "task", "configuration", "seed")}
        | {key: cell.get(key) for key in _CELL_COLUMNS}
        | {
            "warnings": "; ".join(f"{text} ({count} times)" for text, count in cell["warnings"].items()),
            "versions": ", ".join(f"{name} {own}" for name, own in cell.get("versions", {}).items()),
            "other versions": other_versions([cell], versions),
        }
        for cell in cells
    ]


def other_versions(cells, versions):
    """Return as text which cells were made with other versions than this run has, and with which versions."""
    found = {}
    for cell in cells:
        for name, own in cell.get("versions", {}).items():
            if versions.get(name, own) != own:
                found.setdefault(name, set()).add(own)
    return "; ".join(
        f"{name} {', '.join(sorted(own))} (now {versions[name]})" for name, own in sorted(found.items())
    )


class Results:
    """Statistics of all cells of a run.

    Parameters
    ----------
    cells : list of dict
    reference : str
        Name of the configuration that all others are compared with.
    n_draws : int

    Attributes
    ----------
    values : dict of {str: dict}
        Results of :func:`task_values` by set.
    names : list of str
        Configurations with at least one cell, in the order of the cells.
    sets : list of str
        Sets with results that count in means over the sets and in ranks. A set with one detector for all machines
        does not count, because its clips are those of another set.
    """

    def __init__(self, cells, reference, n_draws):
        self.cells, self.reference = cells, reference
        self.by_set = {}
        for cell in cells:
            self.by_set.setdefault(cell["asked"]["set"], []).append(cell)
        self.names = list(dict.fromkeys(cell["asked"]["configuration"] for cell in cells))
        self.values = {name: task_values(own, n_draws) for name, own in self.by_set.items()}
        self.tasks = {
            name: list(dict.fromkeys(cell["asked"]["task"] for cell in own))
            for name, own in self.by_set.items()
        }
        self.sets = [name for name in self.by_set if self.values[name] and not name.endswith(MERGED)]

    def complete(self, set_name, name):
        """Return whether a configuration has results on all tasks of a set."""
        return len(self.values[set_name].get(name, ())) == len(self.tasks[set_name])

    def set_mean(self, name):
        """Metrics of a configuration as means over the sets, or None if a task is missing or there is one set."""
        if len(self.sets) < 2 or not all(self.complete(each, name) for each in self.sets):
            return None
        own = [set_values(self.values[each][name]) for each in self.sets]
        return {metric: np.mean([values[metric] for values in own], axis=0) for metric in METRICS}


def summary_rows(results, versions):
    """Return a row for every set and configuration, and one for the mean over the sets.

    Parameters
    ----------
    results : Results
    versions : dict of {str: str}

    Returns
    -------
    list of dict
        Metrics with the ends of their intervals; "tasks" says on how many tasks the row stands. Seconds are sums over
        the tasks and means over the seeds. "memory" is the maximum over the cells, in MB.
    """
    rows = []
    for set_name, values in results.values.items():
        for name in results.names:
            cells = [cell for cell in results.by_set[set_name] if cell["asked"]["configuration"] == name]
            if not cells:
                continue
            row = {"set": set_name, "configuration": name}
            row["tasks"] = f"{len(values.get(name, ()))} of {len(results.tasks[set_name])}"
            row |= _with_ends(set_values(values[name]) if name in values else None)
            done = [cell for cell in cells if cell["status"] == "ok"]
            n_seeds = len({cell["asked"]["seed"] for cell in done})
            row["seeds"] = n_seeds
            for key in ("fit seconds", "fit CPU seconds", "score seconds", "score CPU seconds"):
                row[key] = sum(cell[key] for cell in done) / n_seeds if done else None
            for key in ("feature seconds", "feature CPU seconds", "memory"):
                row[key] = max((cell[key] for cell in done), default=None)
            row["cells without result"] = len(cells) - len(done)
            row["reason"] = "; ".join(
                dict.fromkeys(cell["error"] for cell in cells if cell["status"] != "ok")
            )
            row["warnings"] = sum(sum(cell["warnings"].values()) for cell in cells)
            row["other versions"] = other_versions(cells, versions)
            rows.append(row)
    for name in results.names:
        mean = results.set_mean(name)
        if mean is not None:
            rows.append(
                dict.fromkeys(rows[0])
                | {"set": MEAN, "configuration": name, "tasks": "all"}
                | _with_ends(mean)
            )
    return rows


def _with_ends(values):
    row = {}
    for metric in METRICS:
        ends = (None,) * 3 if values is None else interval(values[metric])
        ends = (None if value is None or math.isnan(value) else value for value in ends)
        row |= dict(zip((metric, f"{metric} low", f"{metric} high"), ends))
    return row


def pair_rows(results):
    """Return the differences of AUC and Omega from the reference, with paired intervals.

    Parameters
    ----------
    results : Results

    Returns
    -------
    list of dict
        Rows of a set stand on the tasks that both have; "tasks" is their number.
    """
    rows = []
    for set_name, values in results.values.items():
        for name, own in values.items():
            common = [task for task in own if task in values.get(results.reference, ())]
            if name == results.reference or not common:
                continue
            first, second = (set_values(values[each], common) for each in (name, results.reference))
            rows.append(_difference(set_name, name, first, second, len(common)))
    reference = results.set_mean(results.reference)
    for name in results.names if reference is not None else ():
        mean = results.set_mean(name)
        if name != results.reference and mean is not None:
            n_tasks = sum(len(results.tasks[each]) for each in results.sets)
            rows.append(_difference(MEAN, name, mean, reference, n_tasks))
    return rows


def _difference(set_name, name, first, second, n_tasks):
    row = {"set": set_name, "configuration": name, "tasks": n_tasks}
    for metric in ("AUC", "Omega"):
        value, low, high = interval(first[metric] - second[metric])
        row |= {f"{metric} difference": value, f"{metric} low": low, f"{metric} high": high}
    verdict = "better" if row["AUC low"] > 0 else "worse" if row["AUC high"] < 0 else "level"
    return row | {"AUC is": verdict}


def rank_rows(results):
    """Return average ranks by AUC over the blocks of all sets, best first, and facts of the test.

    Parameters
    ----------
    results : Results

    Returns
    -------
    rows : list of dict
        Configurations with results on all tasks.
    facts : dict
        "blocks", "configurations", "p-value" of the test of Friedman and "critical difference".
    """
    blocks = {}
    for set_name in results.sets:
        for name, own in blocks_of(results.values[set_name]).items():
            blocks.setdefault(name, {}).update({f"{set_name}: {block}": auc for block, auc in own.items()})
    names = [name for name in results.names if all(results.complete(each, name) for each in results.sets)]
    if not results.sets or not names:
        return [], {}
    order = list(blocks[names[0]])
    ranks, p_value, difference = average_ranks(
        np.array([[blocks[name][each] for each in order] for name in names])
    )
    best = ranks.min()
    rows = [
        {
            "configuration": names[i],
            "average rank": float(ranks[i]),
            "within the critical difference of the first": bool(ranks[i] - best <= difference),
        }
        for i in np.argsort(ranks, kind="stable")
    ]
    facts = {"blocks": len(order), "configurations": len(names)}
    return rows, facts | {"p-value": p_value, "critical difference": difference}
