"""Write the CSV table of scores atomically, without formulas for a spreadsheet, with any file name."""

import contextlib
import csv
import io
import math
import os
import re
from pathlib import Path

from .._atomic import atomic_path
from ._common import format_time
from ._messages import translate
from ._terminal import say, shown

_COLUMNS = ("path", "score", "decision", "worst_time_s", "error", "margin", "p_value")
# Characters that begin a formula in a spreadsheet, also in the full-width forms of East Asian keyboards, and the
# apostrophe that marks a text.
_FORMULA = re.compile("['=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")


@contextlib.contextmanager
def open_table(path):
    """Write a CSV table of recordings row by row.

    The file gets its name at the end of the block and replaces an older file. If the block raises an error, an older
    file stays unchanged, and the finished rows are kept in ``NAME.partial``.

    Parameters
    ----------
    path : pathlib.Path or None
        None writes nothing.

    Yields
    ------
    callable
        Function that writes the row of a ``ScoredRecording``.
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


def text_cell(text):
    """Mark a text so that no spreadsheet reads it as a formula.

    Parameters
    ----------
    text : str

    Returns
    -------
    str
        `text`, with an apostrophe in front if `text` begins with ``= + - @``, a tab, a line break or an apostrophe. To
        get `text` back, remove one leading apostrophe from the cell.
    """
    return f"'{text}" if _FORMULA.match(text) else text


def utf8_name(path):
    r"""Turn a path into a text that UTF-8 can encode and that can be turned back into the path.

    Parameters
    ----------
    path : str

    Returns
    -------
    str
        Text in which a byte that is not UTF-8 is written as ``\xff``. A backslash is doubled, except on systems where
        a backslash separates folders.
    """
    if os.sep != "\\":
        path = path.replace("\\", "\\\\")
    return re.sub("[\ud800-\udfff]", _escape_surrogate, path)


def _escape_surrogate(match):
    code = ord(match[0])
    return f"\\x{code - 0xDC00:02x}" if 0xDC80 <= code <= 0xDCFF else f"\\u{code:04x}"
