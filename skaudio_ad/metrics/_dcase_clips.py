"""Tables of DCASE Task 2, read by file: the clips of a test set, their scores, and decisions on them."""

import os
from collections import Counter
from collections.abc import Mapping

import numpy as np

from .._labels import is_anomalous


def read_clips(table, columns, name="truth"):
    """Read a table that describes clips.

    Parameters
    ----------
    table : AudioDataset, data frame, dict of columns, or dict with an entry for every file
        A data set, or a table of columns with `path`, gets its files from the names in `path`. If the table holds
        several machines, the machine stands in front of the name.
    columns : sequence of str
        Columns that `table` must have.
    name : str, default="truth"
        Name of `table` in an error message.

    Returns
    -------
    clips : dict of {str: dict}
        Values of `columns` and of `machine` ("" where there is none) by file.
    aliases : dict of {str: str}
        File by path, and by the column `file` if its values differ. The dict is empty unless the table has `path`.
    """
    aliases = {}
    if isinstance(table, Mapping) and {"paths", "target", "metadata"} <= set(table):
        table = {"path": table["paths"], "target": table["target"], **table["metadata"]}
    if _has_columns(table, "path"):
        paths = [os.fspath(path) for path in table["path"]]
        names = [path.replace(os.sep, "/").rpartition("/")[2] for path in paths]
        machines = [str(machine) for machine in table["machine"]] if _has_columns(table, "machine") else []
        if len(set(machines)) > 1:
            names = [f"{machine}/{file}" for machine, file in zip(machines, names)]
        there = getattr(table, "columns", table)
        given = [str(file) for file in table["file"]] if "file" in there else []
        table = {column: table[column] for column in there} | {"file": names}
        aliases = dict(zip(paths, names))
        if len(set(given)) == len(given):
            aliases |= dict(zip(given, names))
    return _read(table, columns, name, optional={"machine": ""}), aliases


def read_values(table, column, name, clips, aliases, *, reference="truth"):
    """Read one value of every clip.

    Parameters
    ----------
    table : data frame, dict of columns, or dict of file to value
        The files, or the paths in `aliases`, of all `clips` and of no other.
    column : str
    name : str
        Name of `table` in an error message.
    clips, aliases : dict
        From :func:`read_clips`.
    reference : str, default="truth"
        Name of the table of `clips` in an error message.

    Returns
    -------
    list
        Values in the order of `clips`.
    """
    if (
        _has_columns(table, "path")
        and _has_columns(table, column)
        and (aliases or not _has_columns(table, "file"))
    ):
        table = {"file": table["path"], column: table[column]}
    rows = _read(table, [column], name)
    found = {aliases.get(file, file): row[column] for file, row in rows.items()}
    if len(found) < len(rows):
        twice = [file for path, file in aliases.items() if path in rows and file in rows]
        raise ValueError(f"{name} holds {some(twice)} more than once: by path and by name.")
    _check_same_files(clips, found, name, column, reference)
    return [found[file] for file in clips]


def check_scores_of_files(values, files, name="scores"):
    """Return scores as an array of finite numbers, or name the files without a number."""
    wrong = [file for file, value in zip(files, values) if _number(value) is None]
    if wrong:
        raise ValueError(f"{name} holds no number for {some(wrong)}. Give a score, as float, for every clip.")
    array = np.array([_number(value) for value in values], dtype=np.float64)
    unread = [file for file, value in zip(files, array) if np.isnan(value)]
    if unread:
        raise ValueError(f"{name} holds NaN for {some(unread)}: the evaluation needs a score for every clip.")
    unbounded = [file for file, value in zip(files, array) if np.isinf(value)]
    if unbounded:
        raise ValueError(f"{name} is infinite for {some(unbounded)}: the evaluation needs finite scores.")
    return array


def check_decisions_of_files(values):
    """Return a mask of the clips that a detector calls anomalous."""
    if set(values) == {0, 1} or set(values) == {0}:
        raise ValueError(
            "decisions must hold 1 (normal) and -1 (anomalous), as predict returns them, got 0 and 1. A submission "
            "writes 1 for anomalous: read its files with read_submission, or use np.where(decision == 1, -1, 1)."
        )
    return is_anomalous(values, name="decisions")


def check_targets(clips):
    """Return a mask of the anomalous clips. Clips with an unknown label are an error that names these clips."""
    unknown = [file for file, row in clips.items() if row["target"] == 0]
    targets = [row["target"] for row in clips.values()]
    if unknown and set(targets) != {0, 1}:
        raise ValueError(
            f"truth has no label (target 0) for {some(unknown)}. Add the published ground truth, or leave these clips "
            "out of truth and scores."
        )
    return is_anomalous(targets, name="target")


def some(names):
    """Return the first three names, and the number of names if there are more."""
    names = list(names)
    return ", ".join(map(repr, names[:3])) + (f", ... ({len(names)} files)" if len(names) > 3 else "")


def _has_columns(table, column):
    """Tell whether `table` is a table of columns that has `column`."""
    if hasattr(table, "columns"):
        return column in set(table.columns)
    if not isinstance(table, Mapping) or column not in table:
        return False
    return not isinstance(table[column], (str, Mapping)) and np.ndim(table[column]) == 1


def _number(value):
    try:
        return None if isinstance(value, (bool, np.bool_)) else float(value)
    except (TypeError, ValueError):
        return None


def _read(table, columns, name, optional=None):
    """Return the rows of a table as a dict of file to dict of column to value."""
    optional = optional or {}
    if hasattr(table, "columns") or _has_columns(table, "file"):
        there = set(getattr(table, "columns", table))
        missing = [column for column in ("file", *columns) if column not in there]
        if missing:
            raise ValueError(
                f"{name} must have the columns {', '.join(('file', *columns))}; {missing} missing."
            )
        kept = [*columns, *(column for column in optional if column in there)]
        files = [str(file) for file in table["file"]]
        if len(set(files)) < len(files):
            twice = [file for file, n_rows in Counter(files).items() if n_rows > 1]
            raise ValueError(
                f"{name} holds {some(twice)} more than once. If machines share a file name, put the machine in front."
            )
        values = {column: np.asarray(table[column]).tolist() for column in kept}
        for column, of_column in values.items():
            if len(of_column) != len(files):
                raise ValueError(f"{name} has {len(files)} files, but {len(of_column)} values of {column!r}.")
        rows = [dict(zip(kept, row)) for row in zip(*values.values())]
    elif isinstance(table, Mapping):
        files = [str(file) for file in table]
        rows = [dict(row) if isinstance(row, Mapping) else {columns[0]: row} for row in table.values()]
        for file, row in zip(files, rows):
            missing = [column for column in columns if column not in row]
            if missing:
                raise ValueError(
                    f"{name} must have {', '.join(columns)} for every file; {file!r} lacks {missing}."
                )
    else:
        raise TypeError(
            f"{name} must be a data frame, a dict of columns, or a dict with an entry for every file, "
            f"got {type(table).__name__}. Pair values with their files: dict(zip(paths, values))."
        )
    if not files:
        raise ValueError(f"{name} holds no files.")
    return {file: optional | row for file, row in zip(files, rows)}


def _check_same_files(clips, found, name, column, reference):
    missing = [file for file in clips if file not in found]
    unknown = [file for file in found if file not in clips]
    faults = []
    if missing:
        faults.append(f"{some(missing)} of {reference} without a {column}")
    if unknown:
        faults.append(f"{some(unknown)} of {name} not in {reference}")
    if faults:
        raise ValueError(
            f"{reference} and {name} must name the same files: {'; '.join(faults)}. Names must be equal in every "
            f"letter, including folders and suffix.{_hint(missing, unknown)}"
        )


def _hint(missing, unknown):
    """Say what to do where the names agree apart from their folders."""
    if {file.rpartition("/")[2] for file in missing} & {file.rpartition("/")[2] for file in unknown}:
        return (
            " Some names differ only in front of '/': write the machine in front on both sides, or on none."
        )
    return ""
