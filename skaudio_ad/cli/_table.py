"""Write the CSV table of scores atomically, without formulas for a spreadsheet, with any file name."""

import contextlib
import csv
import io
import math
import os
from pathlib import Path

from .._atomic import atomic_path
from .._csv_text import text_cell, utf8_name
from ._common import format_time
from ._messages import translate
from ._terminal import say, shown

_COLUMNS = ("path", "score", "decision", "worst_time_s", "error", "margin", "p_value")


@contextlib.contextmanager
def open_table(path):
    """Write a CSV table of recordings row by row, as :func:`open_rows` does.

    Parameters
    ----------
    path : pathlib.Path or None
        None writes nothing.

    Yields
    ------
    callable
        Function that writes the row of a ``ScoredRecording``.
    """
    with open_rows(path, _COLUMNS) as write:
        yield lambda recording: write(_cells(recording))


@contextlib.contextmanager
def open_rows(path, columns):
    """Write a CSV table row by row.

    The file gets its name at the end of the block and replaces an older file. If the block raises an error, an older
    file stays unchanged, and the finished rows are kept in ``NAME.partial``.

    Parameters
    ----------
    path : pathlib.Path or None
        None writes nothing.
    columns : sequence of str

    Yields
    ------
    callable
        Function that writes the cells of a row.
    """
    if path is None:
        yield lambda cells: None
        return
    with atomic_path(path) as temporary:
        table = None
        try:
            with open(temporary, "wb", buffering=0) as file:
                table = _Table(file)
                table.write(columns)
                yield table.write
        except BaseException:
            if table is not None and table.n_rows > 1 and temporary != os.fspath(path):
                _keep_rows(table, temporary, path)
            raise


def _keep_rows(table, temporary, path):
    partial = Path(f"{path}.partial")
    with contextlib.suppress(OSError):
        os.truncate(temporary, table.size)  # remove the last row if a full disk has cut it
        os.replace(temporary, partial)
        say(f"{path} is not written; its {table.n_rows - 1} finished rows are kept in {partial}.", err=True)


class _Table:
    """Rows of CSV in an unbuffered file, so that the file holds every finished row."""

    def __init__(self, file):
        self.file, self.n_rows, self.size = file, 0, 0

    def write(self, cells):
        """Write one row. Numbers are written without quotes, every other cell with quotes."""
        text = io.StringIO()
        # Every text has quotes, because a spreadsheet may read a semicolon as the end of a cell.
        csv.writer(text, quoting=csv.QUOTE_NONNUMERIC).writerow(cells)
        row = memoryview(text.getvalue().encode("utf-8"))
        written = 0
        while written < len(row):
            written += self.file.write(row[written:])
        self.n_rows, self.size = self.n_rows + 1, self.size + len(row)


def _cells(recording):
    worst = format_time(recording.worst_time)
    return (
        text_cell(utf8_name(recording.path)),
        "" if recording.error else float(recording.score),
        recording.decision,
        float(worst) if worst else "",
        text_cell(shown(translate(recording.error))),
        _finite(recording.margin),
        _finite(recording.p_value),
    )


def _finite(value):
    return float(value) if math.isfinite(value) else ""
