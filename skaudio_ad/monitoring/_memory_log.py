"""The log of a memory: one line of JSON for every change, and one file of features for every addition."""

import functools
import getpass
import hashlib
import io
import json
import os
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from .._atomic import atomic_path
from .._json import without_nan
from .._versions import package_versions

# Number of seconds that a writer waits for another one.
_PATIENCE = 30.0


@dataclass(frozen=True)
class MemoryChange:
    """One change of the memory of what is normal.

    Attributes
    ----------
    id : str
        Name of the change, "m1", "m2", ...
    time : float
        Unix time of the change.
    reason : {"confirmed", "quiet hours", "undo"}
        "confirmed": a person has confirmed an event as normal. "quiet hours": the monitor has added a normal window by
        itself. "undo": the change `undoes` counts no more.
    event : str
        Id of the event, or "".
    n_windows : int
        Number of windows that were added. Of an undo: that were removed.
    detector_key : str
        Key of the detector that the features belong to.
    who : str
        Name of the user, or "monitor".
    version : str
        Version of the package.
    source : str
        Source of the event, or "".
    undoes : str
        Change that does not count any more, or "".
    sha256 : str
        Checksum of the file of features, or "".
    """

    id: str
    time: float
    reason: Literal["confirmed", "quiet hours", "undo"]
    event: str
    n_windows: int
    detector_key: str
    who: str
    version: str
    source: str = ""
    undoes: str = ""
    sha256: str = ""


class MemoryLog:
    """Read and extend the files of a memory.

    An addition writes its features first and its line last. A process that is killed between both leaves a file without
    a line, which the next addition removes. A torn last line is no change, and the next writer removes the line.

    Parameters
    ----------
    folder : pathlib.Path
        Folder of ``memory.jsonl``. The first change makes the folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.path = folder, folder / "memory.jsonl"

    def stamp(self) -> tuple[int, ...]:
        """Return numbers that differ after a change."""
        try:
            stat = os.stat(self.path)
        except FileNotFoundError:
            return ()
        return stat.st_ino, stat.st_size, stat.st_mtime_ns

    def read(self) -> list[MemoryChange]:
        """Read all changes, oldest first.

        Raises
        ------
        ValueError
            If a line is damaged.
        """
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            return []
        whole = content[: content.rfind(b"\n") + 1]
        known = {field.name for field in fields(MemoryChange)}
        changes = []
        for number, line in enumerate(whole.splitlines(), start=1):
            try:
                change = MemoryChange(
                    **{name: value for name, value in json.loads(line).items() if name in known}
                )
                np.isfinite(change.time + change.n_windows)
            except (ValueError, TypeError, AttributeError) as error:
                raise ValueError(
                    f"{self.path}: line {number} is damaged ({error}). Put the file back from a copy. Without a copy, "
                    f"move the folder {self.folder} away: the memory then begins anew."
                ) from None
            changes.append(change)
        return changes

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Lock the memory for a change.

        Raises
        ------
        TimeoutError
            If another process holds the lock.
        """
        from filelock import FileLock, Timeout

        self.folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.folder / ".lock")
        try:
            lock.acquire(timeout=_PATIENCE)
        except Timeout:
            raise TimeoutError(
                f"{self.folder}: another process has been changing the memory for {_PATIENCE:g} s. Try again when that "
                "process has ended."
            ) from None
        try:
            yield
        finally:
            lock.release()

    def append(self, change: MemoryChange, features: npt.NDArray[np.float32] | None = None) -> MemoryChange:
        """Write a change, and its features first. Call inside :meth:`writing`.

        Returns
        -------
        MemoryChange
            The change with the checksum of its file.
        """
        self._remove_orphans()
        facts = asdict(change)
        if features is not None:
            buffer = io.BytesIO()
            np.savez(buffer, features=features)
            facts["sha256"] = hashlib.sha256(buffer.getvalue()).hexdigest()
            write_synced(self._file(change.id), buffer.getvalue())
        line = json.dumps(without_nan(facts), ensure_ascii=False) + "\n"
        append_line(self.path, line)
        return MemoryChange(**facts)

    def features(self, change: MemoryChange) -> npt.NDArray[np.float32]:
        """Read the features of an addition, (n_windows, n_features) or (n_windows, n_features, n_frames).

        Raises
        ------
        ValueError
            If the file is missing or damaged.
        """
        path = self._file(change.id)
        try:
            content = path.read_bytes()
            if hashlib.sha256(content).hexdigest() != change.sha256:
                raise ValueError("its checksum differs from that in memory.jsonl")
            with np.load(io.BytesIO(content), allow_pickle=False) as archive:
                return np.asarray(archive["features"])
        except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
            raise ValueError(
                f"{path}: the features of the change {change.id} cannot be read ({error}). Put the file back from a "
                f"copy, or undo the change: `skaudio-ad confirm {self.folder.parent} --undo {change.id}`."
            ) from None

    def remove(self, change: MemoryChange) -> None:
        """Delete the features of a change that has been undone."""
        self._file(change.id).unlink(missing_ok=True)

    def _file(self, name):
        return self.folder / f"{name}.npz"

    def _remove_orphans(self):
        """Delete files of features that have no line, which a killed process has left."""
        known = {change.id for change in self.read()}
        for path in self.folder.glob("m*.npz"):
            if path.stem not in known:
                path.unlink(missing_ok=True)


def append_line(path: Path, line: str) -> None:
    """Append a line to a file and sync the file. A torn last line is removed first.

    Raises
    ------
    OSError
        If the line cannot be written. The file is then as before.
    """
    with open(path, "ab+", buffering=0) as file:
        file.seek(0)
        end = file.read().rfind(b"\n") + 1
        file.truncate(end)
        try:
            content = line.encode("utf-8")
            while content:
                content = content[file.write(content) or 0 :]
            os.fsync(file.fileno())
        except OSError as error:
            file.truncate(end)
            raise OSError(
                error.errno, f"{error.strerror}: nothing was changed; free some space", str(path)
            ) from error


def write_synced(path: Path, content: bytes) -> None:
    """Write a file atomically, and sync the file before it gets its name."""
    with atomic_path(path) as temporary, open(temporary, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def who_writes() -> dict[str, Any]:
    """Return the time, the user and the version for a line of a log."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError):  # a container may have a user without a name
        user = f"user {os.getuid()}" if hasattr(os, "getuid") else "unknown"
    return {"time": time.time(), "who": user, "version": _own_version()}


@functools.cache
def _own_version():
    return package_versions()["skaudio_ad"]
