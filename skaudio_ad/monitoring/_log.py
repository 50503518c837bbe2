"""The log of a monitor: events and notices, one JSON object a line, each exactly once."""

import contextlib
import json
import logging
import math
import os
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

from ..recordings._events import Event
from ._records import Notice
from .sinks._format import record_to_dict, to_json

_LOGGER = logging.getLogger("skaudio_ad")
# Maximum number of keys of records that a log remembers, to recognise records that a restart repeats.
_N_KEYS = 10_000
# Maximum number of bytes at the end of a log that are read at the start: more than `_N_KEYS` lines of usual length.
_TAIL = 1 << 23
# Maximum number of records that wait for a disk that is full.
_N_WAITING = 10_000
# Number of seconds between two attempts to write to a disk that is full.
_RETRY = 1.0


def key_of(record: Event | Notice) -> str:
    """Return the text that tells a record from other records. An event has one key when raised and one when cleared."""
    return f"event {record.id} {record.state}" if isinstance(record, Event) else f"notice {record.id}"


def to_line(record: Event | Notice) -> str:
    """Return a record as one line of JSON. NaN becomes null."""
    return to_json(record_to_dict(record)) + "\n"


def from_line(line: bytes) -> Event | Notice | None:
    """Return the record of a line, or None if the line holds no record."""
    try:
        facts = json.loads(line)
        cls = {"event": Event, "notice": Notice}[facts["type"]]
        known = {field.name: facts[field.name] for field in fields(cls) if field.name in facts}
        for name in ("score", "p_value", "duration"):
            if name in known and known[name] is None:
                known[name] = float("nan")
        record: Event | Notice = cls(**known)
        key_of(record)
        math.isfinite(record.time if isinstance(record, Notice) else record.start + record.end)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    return record


class EventLog:
    """Append events and notices to ``log.jsonl``, each exactly once.

    A record is written and synced before :meth:`append` returns. If the disk is full, records wait in memory, an error
    is logged, and the next call tries again.

    Parameters
    ----------
    path : pathlib.Path or None
        None keeps no file, and only remembers the keys.
    size : int or None, default=None
        Size of the log when the state was saved, in bytes. Records behind this size are pending: the state does not
        know them, so that a restart may find them again.
    clock : callable, default=time.monotonic

    Attributes
    ----------
    pending : dict of {str: Event or Notice}
        Records by their keys that stand in the log behind the saved state and have not come again.
    unclosed : dict of {str: Event}
        Events by their ids that the log had raised and not cleared when the log was opened.
    repaired : int
        Number of bytes of a torn last line that was removed when the log was opened.
    size : int
        Size of the log without waiting records, in bytes.
    """

    def __init__(
        self, path: Path | None, size: int | None = None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.path = path
        self.pending: dict[str, Event | Notice] = {}
        self._offsets: dict[str, int] = {}
        self.unclosed: dict[str, Event] = {}
        self.repaired = 0
        self.size = 0
        self.n_lost = 0
        self._clock = clock
        self._keys: OrderedDict[str, None] = OrderedDict()
        self._waiting: deque[str] = deque()
        self._next_try = -float("inf")
        self._file = None
        if path is not None:
            self._file = open(path, "ab", buffering=0)  # noqa: SIM115 -- closed by close()
            self._read(path, size)

    def _read(self, path, saved_size):
        """Remember the keys of the newest records, and remove a torn last line."""
        end = os.path.getsize(path)
        with open(path, "rb") as file:
            start = max(0, min(end - _TAIL, end if saved_size is None else saved_size))
            file.seek(start)
            content = file.read()
        torn = len(content) - (content.rfind(b"\n") + 1)
        if torn:
            os.truncate(path, end - torn)
            self.repaired = torn
        self.size = end - torn
        offset = start
        for line in content[: len(content) - torn].splitlines(keepends=True):
            record = from_line(line)
            if record is not None:
                self._remember(key_of(record))
                if isinstance(record, Event) and record.state == "raised":
                    self.unclosed[record.id] = record
                elif isinstance(record, Event):
                    self.unclosed.pop(record.id, None)
                if saved_size is not None and offset >= saved_size:
                    self.pending[key_of(record)] = record
                    self._offsets[key_of(record)] = offset
            offset += len(line)

    def status(self, record: Event | Notice) -> str:
        """Return "new", "pending" (written, but the state does not know the record) or "done"."""
        key = key_of(record)
        if key in self.pending:
            return "pending"
        return "done" if key in self._keys else "new"

    def append(self, record: Event | Notice) -> None:
        """Write a record, unless the log has the record already."""
        key = key_of(record)
        if self.pending.pop(key, None) is not None or key in self._keys:
            return
        self._remember(key)
        if self._file is None:
            return
        if len(self._waiting) == _N_WAITING:
            self._waiting.popleft()
            self.n_lost += 1
            _LOGGER.error("%s: the disk is still full, and %d records are lost.", self.path, self.n_lost)
        self._waiting.append(to_line(record))
        self.write_waiting()

    @property
    def saved_size(self) -> int:
        """Size for the state: records behind this size are pending after a restart."""
        return min([self.size, *(self._offsets[key] for key in self.pending)])

    @property
    def is_complete(self) -> bool:
        """Whether every record is on the disk."""
        return not self._waiting

    def write_waiting(self, *, at_once: bool = False) -> OSError | None:
        """Write the records that wait.

        Parameters
        ----------
        at_once : bool, default=False
            Whether to try although the last attempt failed less than a second ago.

        Returns
        -------
        OSError or None
            Reason if the disk takes no record. The reason is also logged.
        """
        if (
            not self._waiting
            or self._file is None
            or self.path is None
            or (self._clock() < self._next_try and not at_once)
        ):
            return None
        try:
            while self._waiting:
                line = self._waiting[0].encode()
                written = 0
                while written < len(line):
                    written += self._file.write(line[written:]) or 0
                os.fsync(self._file.fileno())
                self.size += len(line)
                self._waiting.popleft()
        except OSError as error:
            self._next_try = self._clock() + _RETRY
            with contextlib.suppress(OSError):  # a part of a line must not stand before the next line
                os.truncate(self.path, self.size)
            _LOGGER.error(
                "%s: the log cannot be written (%s). %d records wait in memory, and the monitor tries again every "
                "second: free some space.",
                self.path,
                error.strerror or error,
                len(self._waiting),
            )
            return error
        return None

    def _remember(self, key):
        self._keys[key] = None
        while len(self._keys) > _N_KEYS:
            self._keys.popitem(last=False)

    def close(self) -> None:
        """Write what waits, and close the file."""
        if self._file is not None:
            try:
                self.write_waiting(at_once=True)
            finally:
                self._file.close()
                self._file = None
