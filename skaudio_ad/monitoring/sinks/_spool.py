"""Records that wait for delivery, in a folder or in memory, with a bound on their number and size."""

import contextlib
import errno
import json
import os
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ._format import to_json
from ._problems import Problems, printable

# Name of the file of a record: its number, and the initial of its kind.
_NAME = re.compile(r"(\d{12})-([ewn])\.json")
# Kinds of records in the order in which they are dropped from a full spool: windows, notices, events.
_KINDS = ("window", "notice", "event")
# Maximum number of refused records that are kept. The oldest are removed.
_MAX_REFUSED = 1000


@dataclass(eq=False)
class Item:
    """A record that waits.

    Attributes
    ----------
    number : int
        Place in the order of delivery.
    kind : {"window", "event", "notice"}
    size : int
        Number of bytes as JSON.
    content : bytes or None
        The record as JSON. None if the record is in a file.
    """

    number: int
    kind: str
    size: int
    content: bytes | None


class Spool:
    """Records that wait for delivery. The methods expect that the caller holds a lock.

    Parameters
    ----------
    folder : pathlib.Path or None
        Folder with one file a record. None keeps the records in memory.
    max_items : int
        Maximum number of records.
    max_bytes : float
        Maximum size of all records as JSON.
    problems : Problems

    Attributes
    ----------
    losses : dict of {str: int}
        Number of records of every kind that were dropped because the spool was full or a file was damaged.
    n_bytes : int
        Size of the records that wait.
    """

    def __init__(self, folder: Path | None, max_items: int, max_bytes: float, problems: Problems) -> None:
        self.folder, self.max_items, self.max_bytes, self.problems = folder, max_items, max_bytes, problems
        self.losses = dict.fromkeys(_KINDS, 0)
        self.n_bytes = 0
        self._items: dict[str, dict[int, Item]] = {kind: {} for kind in _KINDS}
        self._next = 0
        self._lock: Any = None

    def __len__(self) -> int:
        return sum(map(len, self._items.values()))

    def open(self) -> None:
        """Make the folder, and find the records that an earlier run has left.

        Raises
        ------
        OSError
            If the folder cannot be used, or another program uses the folder.
        """
        if self.folder is None:
            return
        from filelock import FileLock, Timeout

        self.folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.folder / ".lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise OSError(
                f"the spool {self.folder} is in use. Give every sink of a monitor another name, and every monitor "
                "another state folder."
            ) from None
        self._lock = lock
        kinds = {kind[0]: kind for kind in _KINDS}
        for name in sorted(os.listdir(self.folder)):
            match = _NAME.fullmatch(name)
            if match:
                number, kind = int(match[1]), kinds[match[2]]
                item = Item(number, kind, (self.folder / name).stat().st_size, None)
                self._items[kind][number] = item
                self.n_bytes += item.size
                self._next = number + 1
            elif name.endswith(".part"):  # a kill has left the file, and its record was never taken
                (self.folder / name).unlink()

    def put(self, entry: dict[str, Any]) -> None:
        """Take a record. In a folder, the record is on the disk afterwards; events survive a power failure.

        Parameters
        ----------
        entry : dict
            Result of :func:`record_to_dict`.
        """
        content, kind = to_json(entry).encode(), str(entry["type"])
        item = Item(self._next, kind, len(content), content)
        if not self._make_room(item):
            return
        self._next += 1
        if self.folder is not None:
            try:
                _write(self._path(item), content, sync=kind == "event")
                item.content = None
            except OSError as error:
                self.problems.report(
                    "spool",
                    f"a record that waits for delivery is kept in memory only, because {self.folder} cannot be "
                    f"written: {error.strerror or error}",
                    "disk",
                )
        self._items[kind][item.number] = item
        self.n_bytes += item.size

    def head(self) -> Item | None:
        """Return the oldest record, or None.

        Returns
        -------
        Item or None
        """
        oldest = [next(iter(items.values())) for items in self._items.values() if items]
        return min(oldest, key=lambda item: item.number, default=None)

    def read(self, item: Item) -> dict[str, Any] | None:
        """Return the content of a record, or None if its file is damaged. A damaged file is renamed and counted.

        Parameters
        ----------
        item : Item

        Returns
        -------
        dict or None
        """
        if item.content is not None:
            return json.loads(item.content)
        path = self._path(item)
        try:
            return json.loads(path.read_bytes())
        except FileNotFoundError:
            reason = "has disappeared"
        except (OSError, ValueError):
            reason = f"is damaged, and is kept as {path.stem}.damaged"
            with contextlib.suppress(OSError):
                os.replace(path, path.with_suffix(".damaged"))
        self._forget(item)
        self.losses[item.kind] += 1
        self.problems.report(
            "damaged", f"{path} {reason}. Its record ({item.kind}) was not delivered.", "disk"
        )
        return None

    def done(self, item: Item) -> None:
        """Remove a record that was delivered or dropped.

        Parameters
        ----------
        item : Item
        """
        self._forget(item)
        if self.folder is not None and item.content is None:
            with contextlib.suppress(OSError):
                self._path(item).unlink()

    def refuse(self, item: Item, entry: dict[str, Any], reason: str) -> None:
        """Put a record that the receiver does not take aside, with the reason.

        Parameters
        ----------
        item : Item
        entry : dict
            Content of the record.
        reason : str
        """
        if self.folder is not None:
            folder = self.folder / "refused"
            try:
                folder.mkdir(exist_ok=True)
                content = to_json({"reason": reason, "record": entry}).encode()
                _write(folder / f"{time.time():.3f}-{item.number:012d}-{item.kind}.json", content, sync=True)
                for name in sorted(os.listdir(folder))[:-_MAX_REFUSED]:
                    (folder / name).unlink()
            except OSError as error:
                reason += f" (The record could not be written to {folder}: {error.strerror or error})"
        self.done(item)
        kept = f"is in {self.folder / 'refused'}" if self.folder is not None else "is lost"
        self.problems.report("refused", f"a record ({item.kind}) was refused and {kept}. {reason}")

    def close(self) -> None:
        """Release the folder."""
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def _make_room(self, new):
        """Drop the oldest windows, then the oldest notices, then the oldest events. Return whether `new` fits."""
        while len(self) >= self.max_items or self.n_bytes + new.size > self.max_bytes:
            lowest = next((kind for kind, items in self._items.items() if items), None)
            if lowest is None or _KINDS.index(new.kind) < _KINDS.index(lowest):
                self._lose(new)
                return False
            dropped = next(iter(self._items[lowest].values()))
            self.done(dropped)
            self._lose(dropped)
        return True

    def _lose(self, item):
        self.losses[item.kind] += 1
        counts = ", ".join(f"{count} {kind}s" for kind, count in self.losses.items())
        self.problems.report(
            "full",
            f"the spool is full, because records could not be delivered. Dropped so far: {counts}.",
            losses=dict(self.losses),
        )

    def _forget(self, item):
        if self._items[item.kind].pop(item.number, None) is not None:
            self.n_bytes -= item.size

    def _path(self, item):
        assert self.folder is not None  # a spool in memory has no files
        return self.folder / f"{item.number:012d}-{item.kind[0]}.json"


def _write(path, content, sync):
    """Write a new file. A kill leaves the complete file, or a file that ends in ".part"."""
    temporary = f"{path}.part"
    try:
        with open(temporary, "wb", buffering=0) as file:
            if file.write(content) != len(content):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
            if sync:
                os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def folder_of(state: Path | None, name: str) -> Path | None:
    """Return the folder of the spool of a sink.

    Parameters
    ----------
    state : pathlib.Path or None
        Folder of the monitor.
    name : str
        Name of the sink.

    Returns
    -------
    pathlib.Path or None
        None without a folder of the monitor.
    """
    if state is None:
        return None
    safe = "".join(
        char if (char.isalnum() and char.isascii()) or char in "-_" else "_" for char in printable(name, 60)
    )
    return state / "spool" / (safe or "sink")
