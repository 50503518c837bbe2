"""Sinks that write records to a file: JSON lines and a CSV table."""

import csv
import io
import json
from typing import Any

from ..._checks import check_number
from ..._csv_text import text_cell
from ..._typing import PathLike
from .._records import Notice
from ._format import record_to_dict, to_json
from ._log_file import LogFile
from ._problems import Problems, printable
from ._sink import MonitorInfo, Record, Sound

# Columns of the table. A notice has its time under "start" and "end", its text under "text", and the duration of lost
# sound under "lost_seconds". The text of an event is its reason, and the text of a window is its error.
_COLUMNS = (
    *(
        "type",
        "start_utc",
        "end_utc",
        "state",
        "kind",
        "score",
        "p_value",
        "margin",
        "level_db",
        "alarm",
        "drift",
    ),
    *(
        "low_hz",
        "high_hz",
        "worst_time_utc",
        "n_windows",
        "lost_seconds",
        "id",
        "source",
        "text",
        "start",
        "end",
    ),
    "key",
)


class JsonLinesSink:
    """Write records to a file, one JSON object a line.

    A line is appended when its record arrives. The lines of events and notices are also forced to the disk. A restart
    goes on at the end of the file: a last line that is incomplete is removed with a notice, and a record that the end
    of the file has already is not written again. While the disk is full, lines wait in memory, and a notice says so.

    Parameters
    ----------
    path : str or path-like
        File of the newest records. Its folder exists.
    windows : bool, default=True
        Whether windows are written too. False keeps events and notices only.
    max_bytes : float, default=20e6
        Maximum size of a file, in bytes. A larger file is renamed: "log.jsonl" becomes "log.1.jsonl", "log.1.jsonl"
        becomes "log.2.jsonl", and so on.
    n_files : int, default=10
        Maximum number of files, 2 or more. The oldest file is removed. The log needs `max_bytes` times `n_files` of
        disk space at most.
    name : str, default="jsonl"
        Name for messages.

    Examples
    --------
    >>> JsonLinesSink("events.jsonl", windows=False)
    JsonLinesSink('events.jsonl', windows=False)
    """

    def __init__(
        self,
        path: PathLike,
        *,
        windows: bool = True,
        max_bytes: float = 20e6,
        n_files: int = 10,
        name: str = "jsonl",
    ) -> None:
        self.path, self.windows, self.max_bytes, self.n_files = path, windows, max_bytes, n_files
        self.name = name
        self._problems = Problems(name)
        self._log: LogFile | None = None
        self._source = ""

    def __repr__(self) -> str:
        more = "" if self.windows else ", windows=False"
        return f"{type(self).__name__}({str(self.path)!r}{more})"

    def open(self, info: MonitorInfo) -> None:
        """Open the file.

        Parameters
        ----------
        info : MonitorInfo

        Raises
        ------
        OSError
            If the file cannot be written.
        ValueError
            If a parameter is invalid, or the file has other content.
        """
        check_number(self.max_bytes, "max_bytes", low=1000)
        check_number(self.n_files, "n_files", low=2, integer=True)
        log = LogFile(self.path, self.max_bytes, self.n_files, self._problems, self._key, self._header)
        log.open()
        self._log, self._source = log, info.source

    def send(self, record: Record, sound: Sound | None = None) -> None:
        """Append a record.

        Parameters
        ----------
        record : Window, Event or Notice
        sound : callable, default=None
            Not used.
        """
        if self._log is None:
            raise RuntimeError(f"{self!r} is not open. Call open first.")
        entry = record_to_dict(record, self._source)
        if entry["type"] == "window" and not self.windows:
            return
        line = self._line(entry)
        self._log.write(self._key(line), line, sync=entry["type"] != "window")

    def close(self, timeout: float = 10.0) -> None:
        """Write the lines that wait, and close the file.

        Parameters
        ----------
        timeout : float, default=10.0
            Not used.
        """
        if self._log is not None:
            self._log.close()
            self._log = None

    def take_notices(self) -> list[Notice]:
        """Return what went wrong since the last call.

        Returns
        -------
        list of Notice
        """
        return self._problems.take()

    _header = ""

    def _line(self, entry: dict[str, Any]) -> str:
        return to_json(entry)

    def _key(self, line: str) -> str:
        entry = json.loads(line)  # a JSONDecodeError is a ValueError
        if not isinstance(entry, dict) or "key" not in entry:
            raise ValueError("no record")
        return f"{entry.get('source')} {entry['key']}"


class CsvSink(JsonLinesSink):
    """Write records to a CSV table with fixed columns, one record a line.

    The file is made as that of :class:`JsonLinesSink`. Cells that a spreadsheet would read as a formula get an
    apostrophe in front, and control characters such as line breaks become spaces. Empty cells are values that a kind of
    record does not have, NaN and infinity. The details of a notice are not in the table.

    Parameters
    ----------
    path : str or path-like
        File of the newest records. Its folder exists.
    windows : bool, default=True
        Whether windows are written too. False keeps events and notices only.
    max_bytes : float, default=20e6
        Maximum size of a file, in bytes.
    n_files : int, default=10
        Maximum number of files, 2 or more.
    name : str, default="csv"
        Name for messages.

    Examples
    --------
    >>> CsvSink("windows.csv")
    CsvSink('windows.csv')
    """

    def __init__(
        self,
        path: PathLike,
        *,
        windows: bool = True,
        max_bytes: float = 20e6,
        n_files: int = 10,
        name: str = "csv",
    ) -> None:
        super().__init__(path, windows=windows, max_bytes=max_bytes, n_files=n_files, name=name)

    _header = ",".join(_COLUMNS)

    def _line(self, entry: dict[str, Any]) -> str:
        if entry["type"] == "notice":
            times = {"start": entry["time"], "end": entry["time"]}
            times |= {"start_utc": entry["time_utc"], "end_utc": entry["time_utc"]}
            entry = entry | times | {"lost_seconds": entry["duration"]}
        else:
            entry = entry | {"text": entry["reason" if entry["type"] == "event" else "error"]}
        row = io.StringIO()
        csv.writer(row, lineterminator="").writerow(_cell(entry.get(column)) for column in _COLUMNS)
        return row.getvalue()

    def _key(self, line: str) -> str:
        row = next(csv.reader([line]), [])
        if len(row) != len(_COLUMNS) or row[-1] == _COLUMNS[-1]:
            raise ValueError("no record")
        return f"{row[_COLUMNS.index('source')]} {row[-1]}"


def _cell(value):
    if isinstance(value, str):
        return text_cell(printable(value))
    return "" if value is None else value
