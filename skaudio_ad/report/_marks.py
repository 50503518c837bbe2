"""Read the marks that a listener has exported from the page of a report."""

import csv
import os
from collections.abc import Sequence
from typing import overload

import numpy as np

from .._clip_errors import shown
from .._csv_text import path_of_cell
from .._typing import IntArray, PathLike

#: Marks of the page, with the label of each.
MARKS = {"confirmed": -1, "false alarm": 1, "unsure": 0}
# Words that other tables use, such as that of `skaudio-ad evaluate --csv`.
_WORDS = {**MARKS, "anomalous": -1, "normal": 1, "": 0}
# Names of the column with the marks.
_COLUMNS = ("mark", "truth")
# Number of paths that an error names.
_SHOWN = 3


@overload
def read_marks(path: PathLike, recordings: None = None) -> dict[str, int]: ...
@overload
def read_marks(path: PathLike, recordings: Sequence[PathLike]) -> IntArray: ...
def read_marks(path: PathLike, recordings: Sequence[PathLike] | None = None) -> dict[str, int] | IntArray:
    r"""Read the marks that the page of a report exports, as labels.

    Parameters
    ----------
    path : str or path-like
        CSV table of the page, with the columns ``path`` and ``mark``. A table of ``skaudio-ad evaluate --csv``, with
        the column ``truth``, is read too.
    recordings : list of str or path-like, default=None
        Recordings that need labels.

    Returns
    -------
    dict of {str: int} or ndarray of shape (n_recordings,), int
        Labels: -1 for "confirmed" (an anomaly), 1 for "false alarm" (a normal recording), 0 for "unsure". With
        `recordings`, the labels have the order of `recordings`, and a recording without a mark has the label 0. Without
        `recordings`, the result maps every path of the table to its label.

    Raises
    ------
    FileNotFoundError
        If the table does not exist.
    ValueError
        If the table lacks a column or holds an unknown mark, marks one recording in two ways, or marks a recording that
        is not in `recordings`.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from skaudio_ad.report import read_marks
    >>> table = Path(tempfile.mkdtemp()) / "marks.csv"
    >>> _ = table.write_text("path,mark\na.wav,confirmed\nb.wav,false alarm\n")
    >>> read_marks(table, ["b.wav", "a.wav", "c.wav"]).tolist()
    [1, -1, 0]
    """
    rows = [(name, _WORDS[mark]) for name, mark in _read_rows(path)]
    labels = _unique(rows, path)
    if recordings is None:
        return labels
    return np.array([labels.get(name, 0) for name in _line_up(labels, recordings, path)], dtype=int)


def marks_of(path: PathLike, recordings: Sequence[PathLike]) -> list[str | None]:
    """Read the marks of recordings in the words of the page.

    Parameters
    ----------
    path, recordings
        As for :func:`read_marks`.

    Returns
    -------
    list of {"confirmed", "false alarm", "unsure", None}
        Mark of every recording. None if a recording has no mark.
    """
    words = {-1: "confirmed", 1: "false alarm"}
    rows = [(name, words.get(_WORDS[mark], mark or None)) for name, mark in _read_rows(path)]
    marks = _unique(rows, path)
    return [marks.get(name) for name in _line_up(marks, recordings, path)]


def _read_rows(path):
    """Return (path of a recording, word) for every row."""
    path = os.fspath(path)
    with open(path, newline="", encoding="utf-8-sig") as file:
        try:
            table = csv.DictReader(file)
            columns = [name for name in _COLUMNS if name in (table.fieldnames or ())]
            if "path" not in (table.fieldnames or ()) or not columns:
                raise ValueError(
                    f"{path}: must be a table with the columns path and mark, as the page of a report exports it, and "
                    f"has the columns {', '.join(table.fieldnames or ['none'])}. Export the marks again."
                )
            rows = [
                (line, row["path"] or "", (row[columns[0]] or "").strip().lower())
                for line, row in enumerate(table, 2)
            ]
        except (UnicodeDecodeError, csv.Error) as error:
            raise ValueError(
                f"{path}: is no CSV table in UTF-8 ({error}). Export the marks again."
            ) from error
    for line, name, word in rows:
        if word not in _WORDS:
            raise ValueError(
                f"{path}, row {line}: the mark of {shown(name)} must be one of {', '.join(filter(None, _WORDS))}, got "
                f"{shown(word)!r}. Correct the row."
            )
    return [(path_of_cell(name), word) for _, name, word in rows]


def _unique(rows, path):
    found: dict = {}
    for name, mark in rows:
        if found.setdefault(name, mark) != mark:
            raise ValueError(f"{os.fspath(path)}: marks {shown(name)} in two ways. Keep one of the rows.")
    return found


def _line_up(marks, recordings, table):
    """Return the path in the table for every recording. Paths are equal if they name one file."""
    names = [os.fsdecode(recording) for recording in recordings]
    places = {os.path.abspath(name): name for name in marks}
    known = {os.path.abspath(name) for name in names}
    missing = [name for place, name in places.items() if place not in known]
    if missing:
        more = f" and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else ""
        raise ValueError(
            f"{os.fspath(table)}: marks {len(missing)} recording(s) that are not among the recordings: "
            f"{', '.join(map(shown, missing[:_SHOWN]))}{more}. Name these recordings too, or remove their rows."
        )
    return [places.get(os.path.abspath(name), name) for name in names]
