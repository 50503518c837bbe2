"""The CSV table of scores: whole or not there, no formulas for a spreadsheet, any file name."""

import contextlib
import csv
import io
import os
import re
from pathlib import Path

from .._atomic import atomic_path
from ._common import format_time
from ._messages import translate
from ._terminal import say, shown

_COLUMNS = ("path", "score", "decision", "worst_time_s", "error")
# What a spreadsheet takes for the beginning of a formula (also in the wide forms of East Asian keyboards), and the
# apostrophe that keeps it from doing so.
_FORMULA = re.compile("['=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")


@contextlib.contextmanager
def open_table(path):
    """Write a CSV table of recordings, row by row as they come.

    The file gets its name at the end of the block, in the place of an older one. If the block raises, an older file
    stays as it is, and the finished rows are kept beside it, in ``NAME.partial``.

    Parameters
    ----------
    path : pathlib.Path or None
        None writes nothing.

    Yields
    ------
    callable
        Takes a ``ScoredRecording`` and writes its row.
    """
    if path is None:
        yield lambda recording: None
        return
    with atomic_path(path) as temporary:
        table = None
        try:
            with open(temporary, "wb", buffering=0) as file:
                table = _Table(file)
                table.write(_COLUMNS)
                yield lambda recording: table.write(_cells(recording))
        except BaseException:
            if table is not None and table.n_rows > 1 and temporary != os.fspath(path):
                _keep_rows(table, temporary, path)
            raise


def _keep_rows(table, temporary, path):
    partial = Path(f"{path}.partial")
    with contextlib.suppress(OSError):
        os.truncate(temporary, table.size)  # a full disk cuts the last row
        os.replace(temporary, partial)
        say(f"{path} is not written; its {table.n_rows - 1} finished rows are kept in {partial}.", err=True)


class _Table:
    """Rows of CSV in a file that is not buffered, so that every finished row is there."""

    def __init__(self, file):
        self.file, self.n_rows, self.size = file, 0, 0

    def write(self, cells):
        """Write one row; numbers are numbers, every other cell is quoted."""
        text = io.StringIO()
        # Quotes around every text: a spreadsheet may take semicolons for the ends of cells.
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
    )


def text_cell(text):
    """A text that no spreadsheet takes for a formula.

    Parameters
    ----------
    text : str

    Returns
    -------
    str
        `text` with an apostrophe in front where it begins with ``= + - @``, a tab, a line break or an apostrophe. So
        `text` is the cell without one leading apostrophe, where there is one.
    """
    return f"'{text}" if _FORMULA.match(text) else text


def utf8_name(path):
    r"""A path as a text that UTF-8 can hold, and from which the path can be made again.

    Parameters
    ----------
    path : str

    Returns
    -------
    str
        A byte that is not UTF-8 is written ``\xff``. Where a backslash does not separate folders, a backslash is
        doubled.
    """
    if os.sep != "\\":
        path = path.replace("\\", "\\\\")
    return re.sub("[\ud800-\udfff]", _escape_surrogate, path)


def _escape_surrogate(match):
    code = ord(match[0])
    return f"\\x{code - 0xDC00:02x}" if 0xDC80 <= code <= 0xDCFF else f"\\u{code:04x}"
