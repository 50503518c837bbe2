"""A text file that grows line by line, with rotation, repair of a torn last line, and patience on a full disk."""

import logging
import os
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..._typing import PathLike
from ...inspection._drawing import count
from ._problems import Problems

_LOGGER = logging.getLogger("skaudio_ad.monitoring")
# Number of bytes at the end of the files that are read for the keys of their records.
_TAIL = 2_000_000
# Maximum number of keys that are kept, to recognise a record that a restart repeats.
_MAX_KEYS = 10_000
# Maximum number of bytes of lines that wait in memory while the file cannot be written.
_MAX_WAITING = 10_000_000


class LogFile:
    """Lines that are appended to a file. Old files are renamed, and the oldest are removed.

    Parameters
    ----------
    path : str or path-like
        Newest file. Older files get a number before the ending: "log.1.jsonl", "log.2.jsonl".
    max_bytes : float
        Maximum size of one file.
    n_files : int
        Maximum number of files, 2 or more.
    problems : Problems
    key_of_line : callable
        Function of a line (str) that returns the key of its record. The function raises ValueError if the line is no
        record.
    header : str, default=""
        First line of every file, without a line break.
    """

    def __init__(
        self,
        path: PathLike,
        max_bytes: float,
        n_files: int,
        problems: Problems,
        key_of_line: Callable[[str], str],
        header: str = "",
    ) -> None:
        self.path, self.max_bytes, self.n_files = Path(path), max_bytes, n_files
        self.problems, self.header = problems, header
        self._key_of_line = key_of_line
        self._file: Any = None
        self._keys: dict[str, None] = {}
        self._waiting: deque[bytes] = deque()
        self._n_lost = 0

    def open(self) -> None:
        """Open the file for appending, repair its last line, and remember the keys of the last records.

        Raises
        ------
        OSError
            If the file cannot be written.
        ValueError
            If the file has other content.
        """
        if not self.path.parent.is_dir():
            raise FileNotFoundError(f"the folder {self.path.parent} does not exist; make it first.")
        self._open_file()
        lines = [*_last_lines(self._numbered(1)), *_last_lines(self.path)]
        for line in lines[-_MAX_KEYS:]:
            try:
                self._keys[self._key_of_line(line)] = None
            except ValueError:
                continue  # the header, or a line that was cut at the beginning of the tail

    def write(self, key: str, line: str, sync: bool) -> None:
        """Append a line, unless a record with the same key is among the last records.

        Parameters
        ----------
        key : str
            Key of the record.
        line : str
            Without a line break.
        sync : bool
            Whether the line must survive a power failure.
        """
        if key in self._keys:
            _LOGGER.info("%s: %s has the record %s already", self.problems.name, self.path, key)
            return
        self._keys[key] = None
        if len(self._keys) > _MAX_KEYS:
            del self._keys[next(iter(self._keys))]
        self._waiting.append(line.encode("utf-8", "backslashreplace") + b"\n")
        self._flush(sync)

    def close(self) -> None:
        """Write the lines that wait, and close the file."""
        if self._waiting:
            self._flush(True)
        if self._waiting:
            self._n_lost += len(self._waiting)
            self._waiting.clear()
            self.problems.report(
                "lost", f"{count(self._n_lost, 'line')} could not be written to {self.path}.", "disk"
            )
        if self._file is not None:
            self._file.close()
            self._file = None

    def _flush(self, sync):
        """Write the lines that wait. A failure is reported, and the lines go on waiting."""
        try:
            while self._waiting:
                self._append(self._waiting[0])
                self._waiting.popleft()
            if sync:
                os.fsync(self._file.fileno())
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            while sum(map(len, self._waiting)) > _MAX_WAITING:
                self._waiting.popleft()
                self._n_lost += 1
            self.problems.report(
                "write",
                f"{self.path} cannot be written: {reason}. Free some space, or mend the disk. Lines that wait in "
                f"memory: {len(self._waiting)}. Older lines that were lost: {self._n_lost}.",
                "disk",
                n_waiting=len(self._waiting),
                n_lost=self._n_lost,
            )
        else:
            self.problems.solved(
                "write", f"{self.path} can be written again. Lines that were lost: {self._n_lost}."
            )
            self._n_lost = 0

    def _append(self, line):
        if self._file is None or not self._is_current():
            self._open_file()
        size = os.fstat(self._file.fileno()).st_size
        if size > len(self.header) + 1 and size + len(line) > self.max_bytes:
            self._rotate()
            size = os.fstat(self._file.fileno()).st_size
        try:
            written = self._file.write(line)
            if written != len(line):
                raise OSError(f"only {written} of {len(line)} bytes were written")
        except OSError:
            os.ftruncate(self._file.fileno(), size)  # no half line stays
            raise

    def _is_current(self):
        """Return whether the open file is still at its path: somebody may have removed or renamed the file."""
        try:
            there = os.stat(self.path)
        except FileNotFoundError:
            return False
        return os.path.samestat(there, os.fstat(self._file.fileno()))

    def _open_file(self):
        if self._file is not None:
            self._file.close()
            self._file = None
        if self.path.is_dir():
            raise IsADirectoryError(f"{self.path} is a folder; name a file.")
        file = open(self.path, "a+b", buffering=0)  # noqa: SIM115
        try:
            self._repair(file)
        except BaseException:
            file.close()
            raise
        self._file = file

    def _repair(self, file):
        """Cut a last line that was written in part, and check that the file is a log of this kind."""
        file.seek(0)
        first = file.readline(_TAIL)
        begun = f"{self.header}\n".encode() if self.header else b'{"type"'
        if first and not (first.startswith(begun) or begun.startswith(first)):
            raise ValueError(self._foreign())
        size = file.seek(0, os.SEEK_END)
        position = max(0, size - _TAIL)
        file.seek(position)
        tail = file.read()
        if size and not tail.endswith(b"\n"):
            end = position + tail.rfind(b"\n") + 1
            if end and b"\n" not in tail:
                raise ValueError(self._foreign())
            file.truncate(end)
            self.problems.report(
                "torn",
                f"the last line of {self.path} was incomplete, because the program was stopped while it wrote. "
                f"The {size - end} bytes of the line were removed.",
            )
            size = end
        if self.header and not size:
            file.write(begun)

    def _foreign(self):
        kind = "a table with these columns" if self.header else "a log of JSON lines of this sink"
        return f"{self.path} is not {kind}. Name another file, or move this file away."

    def _rotate(self):
        """Rename the files, so that a new file begins. A kill between two renames loses no line."""
        self._file.close()
        self._file = None
        for number in range(self.n_files - 1, 0, -1):
            older = self._numbered(number - 1) if number > 1 else self.path
            if older.exists():
                os.replace(older, self._numbered(number))
        self._open_file()

    def _numbered(self, number):
        return self.path.with_name(f"{self.path.stem}.{number}{self.path.suffix}")


def _last_lines(path):
    """Return the complete lines at the end of a file."""
    try:
        with open(path, "rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _TAIL))
            tail = file.read()
    except OSError:
        return []
    return tail.decode("utf-8", "replace").split("\n")  # splitlines also splits at characters of texts
