"""Features of the windows of events, so that a person can confirm an event later."""

import hashlib
import io
import json
import os
import warnings
import zipfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from .._json import without_nan
from .._typing import FloatArray
from ..recordings._events import Event
from ._memory_log import write_synced
from ._records import Window

# Maximum number of windows of an event that are kept: the least normal ones. 50 windows, one every 5 s, are 4 minutes.
_MOST_WINDOWS = 50
# Maximum number of events whose windows are kept: the newest ones.
_MOST_EVENTS = 200


@dataclass(frozen=True)
class KeptEvent:
    """An event and the features of its least normal windows.

    Attributes
    ----------
    event : Event
    starts : ndarray of shape (n_windows,), float64
        Start of every window, in the time of the event.
    scores, margins : ndarray of shape (n_windows,), float64
        Score of every window, and the score minus the level that raises an alarm.
    features : ndarray of shape (n_windows, n_features) or (n_windows, n_features, n_frames), float32
    detector_key : str
    """

    event: Event
    starts: FloatArray
    scores: FloatArray
    margins: FloatArray
    features: npt.NDArray[np.float32]
    detector_key: str


class EventFeatures:
    """Keep the windows of the newest events, one file an event.

    Parameters
    ----------
    folder : pathlib.Path
        Made for the first event.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def keep(self, event: Event, windows: Sequence[Window], detector_key: str) -> None:
        """Write the least normal windows of an event. The oldest of too many events is deleted."""
        usable = [window for window in windows if window.features is not None]
        if not usable:
            return
        least = sorted(sorted(usable, key=lambda w: w.score)[:_MOST_WINDOWS], key=lambda w: w.start)
        buffer = io.BytesIO()
        np.savez(
            buffer,
            event=np.array(json.dumps(without_nan(asdict(event)))),
            detector_key=np.array(detector_key),
            starts=np.array([window.start for window in least]),
            scores=np.array([window.score for window in least]),
            margins=np.array([window.margin for window in least]),
            features=np.stack([np.asarray(window.features, dtype=np.float32) for window in least]),
        )
        self.folder.mkdir(parents=True, exist_ok=True)
        write_synced(self._path(event.id), buffer.getvalue())
        kept = sorted(self.folder.glob("*.npz"), key=lambda path: path.stat().st_mtime_ns)
        for path in kept[:-_MOST_EVENTS]:
            path.unlink(missing_ok=True)

    def load(self, event_id: str) -> KeptEvent:
        """Read the windows of an event.

        Raises
        ------
        FileNotFoundError
            If no windows of the event are kept.
        ValueError
            If the file is damaged.
        """
        path = self._path(event_id)
        if not path.exists():
            raise FileNotFoundError(
                f"{self.folder}: no windows of an event {event_id!r} are kept. A monitor with a memory keeps the "
                f"windows of the newest {_MOST_EVENTS} events; `skaudio-ad confirm` with --list shows them."
            )
        return _read(path)

    def load_all(self) -> list[KeptEvent]:
        """Read all events, the oldest first. A damaged file gives a warning."""
        found = []
        for path in self.folder.glob("*.npz"):
            try:
                found.append(_read(path))
            except ValueError as error:
                warnings.warn(str(error), UserWarning, stacklevel=2)
        return sorted(found, key=lambda kept: kept.event.start)

    def _path(self, event_id):
        # The id of an event comes from outside and is no name of a file.
        name = hashlib.sha256(event_id.encode("utf-8", "surrogateescape")).hexdigest()[:24]
        return self.folder / f"{name}.npz"


def _read(path):
    try:
        # A file that is opened here is also closed if the archive is damaged.
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as archive:
            facts = json.loads(str(archive["event"]))
            for name in ("score", "p_value"):
                facts[name] = np.nan if facts[name] is None else facts[name]
            arrays = {name: archive[name] for name in ("starts", "scores", "margins", "features")}
            return KeptEvent(event=Event(**facts), detector_key=str(archive["detector_key"]), **arrays)
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(
            f"{os.fspath(path)}: the kept windows of an event are damaged ({error}). Delete this file; the event "
            "cannot be confirmed any more."
        ) from None
