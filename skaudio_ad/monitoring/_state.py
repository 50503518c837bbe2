"""The folder of a monitor: a lock, the state for a restart, and the log."""

import json
import os
from pathlib import Path
from typing import Any

from .._atomic import atomic_path
from .._json import without_nan
from .._typing import PathLike

# Version of the format of ``state.json``.
_VERSION = 1
# Names of the values that tell whether a state belongs to a monitor, as messages call them.
_IDENTITY = {
    "detector_key": "detector",
    "window": "window",
    "hop": "hop",
    "source": "source",
}


class StateError(RuntimeError):
    """A folder that another monitor uses, or whose state belongs to another monitor. The message says what to do."""


class StateFolder:
    """Lock a folder, and keep the state of a monitor in the folder.

    Parameters
    ----------
    path : str or path-like
        Folder, which is made if it does not exist.

    Raises
    ------
    StateError
        If another monitor uses the folder.
    """

    def __init__(self, path: PathLike) -> None:
        from filelock import FileLock, Timeout

        self.path = Path(path)
        self.path.mkdir(parents=True, exist_ok=True)
        self._lock = FileLock(self.path / ".lock")
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            raise StateError(
                f"{self.path}: another monitor uses this folder (process {self._read_pid()}). Stop that monitor, or "
                "give this one a folder of its own."
            ) from None
        try:
            (self.path / "pid").write_text(f"{os.getpid()}\n", encoding="ascii")
        except BaseException:
            self._lock.release()
            raise

    def _read_pid(self):
        try:
            return (self.path / "pid").read_text(encoding="ascii").strip() or "unknown"
        except (OSError, UnicodeDecodeError):
            return "unknown"

    @property
    def log_path(self) -> Path:
        """Path of the log of events and notices."""
        return self.path / "log.jsonl"

    def read(self, identity: dict[str, Any]) -> dict[str, Any] | None:
        """Read the state of the last run.

        Parameters
        ----------
        identity : dict
            ``detector_key``, ``window``, ``hop`` and ``source`` of the monitor.

        Returns
        -------
        dict or None
            None if the folder has no state.

        Raises
        ------
        StateError
            If the state is damaged or belongs to another monitor.
        """
        path = self.path / "state.json"
        way_out = f"Choose another folder, or delete {path} to begin anew; the log stays."
        try:
            text = path.read_bytes()
        except FileNotFoundError:
            return None
        try:
            state = json.loads(text)
            version, found = state["version"], state["identity"]
            different = [name for name in _IDENTITY if found[name] != without_nan(identity[name])]
        except (ValueError, KeyError, TypeError) as error:
            raise StateError(
                f"{path}: the state is damaged ({type(error).__name__}: {error}). {way_out}"
            ) from None
        if version != _VERSION:
            raise StateError(f"{path}: another version of skaudio_ad wrote this state ({version}). {way_out}")
        if different:
            pairs = ", ".join(
                f"{_IDENTITY[name]} {_short(found[name])} and not {_short(identity[name])}"
                for name in different
            )
            raise StateError(f"{path}: the state belongs to another monitor ({pairs}). {way_out}")
        return dict(state)

    def write(self, state: dict[str, Any]) -> None:
        """Replace the state atomically. The old state stays if the disk is full."""
        text = json.dumps(without_nan({"version": _VERSION, **state}), ensure_ascii=False)
        with (
            atomic_path(self.path / "state.json") as temporary,
            open(temporary, "w", encoding="utf-8") as file,
        ):
            file.write(text)
            file.flush()
            os.fsync(file.fileno())  # the name must not be moved to a file that is still empty on the disk

    def close(self) -> None:
        """Release the lock."""
        self._lock.release()


def _short(value):
    text = str(value)
    return text if len(text) <= 40 else f"{text[:16]}..."
