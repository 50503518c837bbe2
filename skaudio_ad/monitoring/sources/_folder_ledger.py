"""What a folder source remembers: the files that are taken, and where each recorder stands."""

import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ._notices import as_text

# Maximum number of files in a position. A monitor writes the position about once a second.
MAX_TAKEN = 1000
# Maximum number of files that have left the folder and that a run still knows. Such a file is not read again if it
# comes back, for instance with a drive that was away.
_MAX_KNOWN = 100_000
# Maximum number of recorders whose format and last time are remembered.
MAX_RECORDERS = 64


@dataclass(frozen=True)
class FileState:
    """What the operating system says about a file."""

    name: str
    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int

    @classmethod
    def of(cls, name: str, status: os.stat_result) -> "FileState":
        """Make a state of the result of ``os.stat``."""
        return cls(name, status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)

    def same_content(self, other: "FileState | None") -> bool:
        """Whether two states are those of one file that nobody has written to between them."""
        return (
            other is not None
            and self.size == other.size
            and self.mtime_ns == other.mtime_ns
            and self.inode == other.inode
        )

    @cached_property
    def order(self) -> tuple[int, str]:
        """Key of the order in which files are read: the time of modification, then the name."""
        return self.mtime_ns, as_text(self.name)

    @cached_property
    def digest(self) -> str:
        """Short name of this version of the file, for a position."""
        text = f"{self.size} {self.mtime_ns} ".encode() + os.fsencode(self.name)
        return hashlib.blake2b(text, digest_size=8).hexdigest()


class Ledger:
    """The files that are taken, and where each recorder stands.

    Parameters
    ----------
    position : dict or None
        ``position`` of a block or a notice of the source before a restart.

    Attributes
    ----------
    current : dict or None
        The file that is being read.
    last : dict or None
        The last file that was read: recorder, end by its own time, end by the count of samples, stream.
    recorders : dict
        Sample rate, number of channels, end, whether files have followed one another without a gap, and whether a
        notice about overlapping times was given, by recorder.
    """

    def __init__(self, position: Any = None) -> None:
        kept = position or {}
        self._taken: list[str] = list(kept.get("taken", ()))
        # Every file up to this time and name is taken, but for the files in `_unread`.
        self._watermark: tuple[int, str] = tuple(kept.get("watermark", (-1, "")))
        self._unread: list[str] = list(kept.get("unread", ()))
        self._scanned: int = kept.get("scanned", -1)
        self._scanned_before = self._scanned
        self.current: dict[str, Any] | None = kept.get("current")
        self.last: dict[str, Any] | None = kept.get("last")
        self.recorders: dict[str, list[Any]] = {
            key: list(value) for key, value in kept.get("recorders", {}).items()
        }
        # The files of this run. The position holds the newest of these digests only.
        self._taken_now = dict.fromkeys(self._taken)

    def is_taken(self, state: FileState) -> bool:
        """Whether this version of a file has been read, or was reported as unreadable."""
        return state.digest in self._taken_now

    def is_older(self, state: FileState) -> bool:
        """Whether a file is too old to be among the digests of the position."""
        return state.order <= self._watermark and state.digest not in self._unread

    def was_there(self, state: FileState) -> bool:
        """Whether a file has neither arrived nor changed since the last look at the folder before a restart."""
        return state.ctime_ns <= self._scanned_before

    def take(self, digest: str) -> None:
        """Remember that a file has been read."""
        if digest in self._taken_now:
            return
        self._taken = [*self._taken, digest]  # a new list, because blocks hold the old one
        self._taken_now[digest] = None

    def note_look(self, now_ns: int) -> None:
        """Remember the Unix time of a look at the folder, in nanoseconds."""
        self._scanned = now_ns

    def remember_only(self, states: Iterable[FileState]) -> None:
        """Forget the files that have left the folder, and the oldest files, if there are too many files.

        Parameters
        ----------
        states : iterable of FileState
            All files in the folder.
        """
        if len(self._taken) <= MAX_TAKEN:
            return
        here = {state.digest: state.order for state in states}
        gone = [digest for digest in self._taken_now if digest not in here]
        for digest in gone[:-_MAX_KNOWN]:
            del self._taken_now[digest]
        kept = sorted((digest for digest in self._taken if digest in here), key=here.__getitem__)
        # Half of the room stays free, so that this method has work only now and then.
        surplus = max(0, len(kept) - MAX_TAKEN // 2)
        if surplus:
            self._watermark = max(self._watermark, here[kept[surplus - 1]])
        self._taken = kept[surplus:]
        self._unread = [
            digest
            for digest, order in here.items()
            if order <= self._watermark and digest not in self._taken_now
        ]

    def set_recorder(self, key: str, values: list[Any]) -> None:
        """Remember where a recorder stands. Positions that were given out keep the old values."""
        self.recorders = {name: item for name, item in self.recorders.items() if name != key}
        self.recorders[key] = values
        for name in list(self.recorders)[:-MAX_RECORDERS]:
            del self.recorders[name]

    def position(self) -> dict[str, Any]:
        """Return all that a restart needs, as a value that JSON can hold."""
        return {
            "taken": self._taken,
            "watermark": list(self._watermark),
            "unread": self._unread,
            "scanned": self._scanned,
            "current": self.current,
            "last": self.last,
            "recorders": self.recorders,
        }
