"""Page of the benchmark of detection: CSV files and Markdown tables of the rows of ``_tables.py``."""

import csv
import json
from collections import Counter
from pathlib import Path

from skaudio_ad._atomic import atomic_path

from .._report import markdown
from ._statistics import CONFIDENCE
from ._tables import MEAN

INTERVAL_NOTE = (
    f"Intervals of {CONFIDENCE:.0%} are Bayesian bootstrap intervals of the test clips. Clips of a group get one "
    "weight. The intervals do not cover the choice of training clips. With few normal clips the pAUC of most draws is "
    "larger than the pAUC of the clips, because few normal clips decide it."
)


def write_csv(path, rows):
    """Write rows with the same keys atomically. An empty cell means that there is no value."""
    if not rows:
        return
    with atomic_path(path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def write_about(path, about):
    """Write what a page of results needs besides the tables, as the reports of other benchmarks do, atomically."""
    with atomic_path(path) as temporary:
        Path(temporary).write_text(json.dumps(about, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def write_markdown(path, parts):
    """Write parts of a page atomically."""
    with atomic_path(path) as temporary:
        Path(temporary).write_text("\n\n".join(filter(None, parts)) + "\n", encoding="utf-8")


def shown(row, metric, digits=3):
    """Return a metric and its interval as text, or "" if there is no value."""
    if row[metric] is None:
        return ""
    low, high = row[f"{metric} low"], row[f"{metric} high"]
    return f"{row[metric]:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"


def set_table(rows):
    """Return the Markdown table of one set, the best mean AUC first.

    Parameters
    ----------
    rows : list of dict
        Rows of :func:`summary_rows` of one set.

    Returns
    -------
    str
    """
    ordered = sorted(rows, key=lambda row: -(row["AUC"] or 0))
    return markdown(
        [
            {
                "configuration": row["configuration"],
                "AUC": shown(row, "AUC"),
                "pAUC": shown(row, "pAUC"),
                "Omega": shown(row, "Omega"),
                "false alarms": shown(row, "false alarms", 2),
                "detected": shown(row, "detected", 2),
                **(
                    {
                        "fit, CPU s": _number(row["fit CPU seconds"]),
                        "score, CPU s": _number(row["score CPU seconds"]),
                        "features, CPU s": _number(row["feature CPU seconds"]),
                        "memory, MB": _number(row["memory"]),
                        "tasks": row["tasks"],
                        "seeds": row["seeds"],
                        "without result": row["reason"],
                        "other versions": "yes" if row["other versions"] else "",
                    }
                    if row["set"] != MEAN
                    else {}
                ),
            }
            for row in ordered
        ]
    )


def _number(value):
    return "" if value is None else f"{value:.3g}"


def pair_table(rows):
    """Return the Markdown table of differences in AUC: a row for every configuration, a column for every set.

    Parameters
    ----------
    rows : list of dict
        Result of :func:`pair_rows`.

    Returns
    -------
    str
    """
    sets = list(dict.fromkeys(row["set"] for row in rows))
    by_name = {}
    for row in rows:
        text = "{AUC difference:+.3f} [{AUC low:+.3f}, {AUC high:+.3f}]".format(**row)
        by_name.setdefault(row["configuration"], {})[row["set"]] = text
    return markdown(
        [
            {"configuration": name, **{each: own.get(each, "") for each in sets}}
            for name, own in by_name.items()
        ]
    )


def verdict(pairs, set_name, reference):
    """Return a sentence on how many configurations are better than the reference on a set, or "" if there are none.

    Parameters
    ----------
    pairs : list of dict
        Result of ``_tables.pair_rows``.
    set_name, reference : str

    Returns
    -------
    str
    """
    found = {"better": [], "level": [], "worse": []}
    for row in pairs:
        if row["set"] == set_name:
            found[row["AUC is"]].append(row["configuration"])
    counts = ", ".join(f"{len(names)} {word}" for word, names in found.items())
    if not any(found.values()):
        return ""
    better = f" Better: {', '.join(found['better'])}." if found["better"] else ""
    return (
        f"Configurations beside {reference}: {counts}. A configuration is level if the interval of its difference "
        f"in AUC contains 0.{better}"
    )


def version_table(rows):
    """Return the Markdown table of cells that were made with other versions, or "" if there are none.

    Parameters
    ----------
    rows : list of dict
        Result of :func:`cell_rows`.

    Returns
    -------
    str
    """
    counts = Counter(row["other versions"] for row in rows if row["other versions"])
    return markdown([{"versions": text, "cells": count} for text, count in counts.items()]) if counts else ""


def warning_table(cells):
    """Return the Markdown table of the warnings of all cells, the most frequent first, or "" if there are none.

    Parameters
    ----------
    cells : list of dict

    Returns
    -------
    str
    """
    counts, where = Counter(), {}
    for cell in cells:
        for text, count in cell["warnings"].items():
            counts[text] += count
            where.setdefault(text, {})[cell["asked"]["configuration"]] = None
    rows = []
    for text, count in counts.most_common():
        names = list(where[text])
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        rows.append({"warning": text, "times": count, "configurations": ", ".join(names[:3]) + more})
    return markdown(rows) if rows else ""


def rank_texts(rows):
    """Return the rows of :func:`rank_rows` as texts."""
    near = "within the critical difference of the first"
    return [
        {**row, "average rank": f"{row['average rank']:.2f}", near: "yes" if row[near] else ""}
        for row in rows
    ]
