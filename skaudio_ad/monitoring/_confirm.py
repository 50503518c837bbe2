"""What a person says about events: a false alarm, which joins the memory, or a fault; and how to take it back."""

import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from .._json import without_nan
from .._media_fragments import without_fragment
from .._typing import PathLike
from ..recordings._events import Event
from ._event_features import KeptEvent
from ._log import from_line
from ._memory import NormalMemory
from ._memory_log import MemoryChange, MemoryLog, append_line, who_writes

# Largest ratio of the distance of an event to the distance at the raise level that needs no second confirmation. Nine
# of ten false events lay below 1.5 when detectors of three MIMII units heard the normal sound of the fourth unit.
_FAR = 1.5
# Number of files that a message names.
_SHOWN = 3


@dataclass(frozen=True)
class MarkedEvent:
    """An event and what a person has said about it.

    Attributes
    ----------
    event : Event
    mark : {"normal", "fault", ""}
        "normal" is a false alarm. "" is an event that nobody has marked.
    change : str
        Change of the memory by which the windows of the event count as normal, or "".
    n_windows : int
        Number of windows that are kept. Without windows an event cannot become part of the memory.
    """

    event: Event
    mark: Literal["normal", "fault", ""]
    change: str
    n_windows: int


class EventMarks:
    """The events of a monitor, and the marks that persons have given them.

    Marks are lines of ``marks.jsonl`` in the folder of the monitor. The last mark of an event counts.

    Parameters
    ----------
    folder : str or path-like
        Folder of the state of a monitor.
    max_windows : int, default=2000
        Maximum number of windows in the memory, as for :class:`NormalMemory`.

    Raises
    ------
    FileNotFoundError
        If the folder does not exist.
    ValueError
        If the memory is damaged.
    """

    def __init__(self, folder: PathLike, *, max_windows: int = 2000) -> None:
        self.folder = Path(folder)
        if not self.folder.is_dir():
            raise FileNotFoundError(
                f"{self.folder}: no such folder. Name the folder of a monitor (`skaudio-ad watch --state FOLDER`)."
            )
        self.memory = NormalMemory(folder, max_windows=max_windows)

    def listed(self) -> list[MarkedEvent]:
        """List the events of the log and the events whose windows are kept, the oldest first."""
        kept = {found.event.id: found for found in self.memory.events.load_all()}
        events = {name: found.event for name, found in kept.items()} | _events_of_log(
            self.folder / "log.jsonl"
        )
        marks = self._read_marks()
        changes = {change.event: change.id for change in self.memory.active if change.reason == "confirmed"}
        listed = []
        for event in sorted(events.values(), key=lambda event: event.start):
            name = event.id
            mark: Any = "normal" if name in changes else marks.get(name, "")
            n_windows = len(kept[name].features) if name in kept else 0
            listed.append(MarkedEvent(event, mark, changes.get(name, ""), n_windows))
        return listed

    def find(self, name: str) -> MarkedEvent:
        """Find an event by its id, or by the first characters of its id.

        Raises
        ------
        ValueError
            If there is no such event, or there are several.
        """
        listed = self.listed()
        found = [marked for marked in listed if marked.event.id == name]
        found = found or [marked for marked in listed if name and marked.event.id.startswith(name)]
        if len(found) != 1:
            problem = "several events begin" if found else "no event begins"
            raise ValueError(f"{self.folder}: {problem} with {name!r}. --list shows the events.")
        return found[0]

    def mark_normal(self, name: str, *, force: bool = False) -> MemoryChange:
        """Say that an event was a false alarm. Its kept windows join the memory of what is normal.

        Parameters
        ----------
        name : str
            Id of the event.
        force : bool, default=False
            Whether the windows join although they lie far from all that is normal.

        Returns
        -------
        MemoryChange

        Raises
        ------
        ValueError
            If there is no such event or no window of it is kept, its windows count as normal already, the event lies
            more than 1.5 times as far from normal as the raise level and `force` is not set, or the memory is full.
        """
        marked = self.find(name)
        if marked.change:
            raise ValueError(f"the event {marked.event.id} is normal already, by the change {marked.change}.")
        kept = self.memory.events.load(marked.event.id)
        if not force and (ratio := _distance_ratio(kept)) > _FAR:
            raise ValueError(
                f"the event {kept.event.id} lies {ratio:.3g} times as far from normal as the level that raises an "
                "alarm. A false alarm usually lies a little beyond the level. Windows that join the memory hide faults "
                "that sound alike. Listen to the event; if it is normal, confirm it with --yes."
            )
        change = self.memory.add(
            kept.features,
            reason="confirmed",
            event=kept.event.id,
            source=kept.event.source,
            key=kept.detector_key,
        )
        self._write({"event": kept.event.id, "mark": "normal"})
        return change

    def mark_fault(self, name: str) -> MemoryChange | None:
        """Say that an event was a fault. Windows of the event that have joined the memory are taken back.

        Returns
        -------
        MemoryChange or None
            The undo, if windows of the event were in the memory.
        """
        marked = self.find(name)
        undo = self.memory.undo(marked.change) if marked.change else None
        self._write({"event": marked.event.id, "mark": "fault"})
        return undo

    def undo(self, change_id: str) -> MemoryChange:
        """Take a change of the memory back, and the mark of its event with it.

        Raises
        ------
        ValueError
            If there is no such addition, or it has been undone.
        """
        undo = self.memory.undo(change_id)
        if undo.event:
            self._write({"event": undo.event, "mark": ""})
        return undo

    def note_calibration(self, path: PathLike) -> None:
        """Note that a calibration rests on the memory as the memory is now."""
        changes = [change.id for change in self.memory.active]
        self._write({"calibration": os.path.abspath(path), "changes": changes})

    def calibrations_on(self, change_id: str) -> list[str]:
        """Return the paths of the calibrations that rest on a change of the memory."""
        newest = {
            str(facts["calibration"]): facts.get("changes", [])
            for facts in _read_lines(self.folder / "marks.jsonl")
            if "calibration" in facts
        }
        return [path for path, changes in newest.items() if change_id in changes]

    def _write(self, facts):
        line = json.dumps(without_nan(facts | who_writes()), ensure_ascii=False)
        with MemoryLog(self.folder / "memory").writing():
            append_line(self.folder / "marks.jsonl", line + "\n")

    def _read_marks(self):
        marks = {
            str(f["event"]): f.get("mark") for f in _read_lines(self.folder / "marks.jsonl") if "event" in f
        }
        # An event counts as normal only as long as its windows are in the memory.
        return {name: "fault" for name, mark in marks.items() if mark == "fault"}


def recalibrate(
    detector: Any, memory: NormalMemory, path: PathLike, *, training_digests: Sequence[str] = ()
) -> tuple[Any, Path]:
    """Calibrate the alarms again, with the detector that knows the memory, on the recordings of a calibration.

    Parameters
    ----------
    detector : estimator
        The detector without its memory.
    memory : NormalMemory
    path : str or path-like
        File of an :class:`AlarmCalibration`. The file is replaced, and the old one gets a number: ``alarm.1.json``.
    training_digests : sequence of str, default=()
        As for :func:`calibrate_alarms`.

    Returns
    -------
    calibration : AlarmCalibration
    old : pathlib.Path
        New path of the old file.

    Raises
    ------
    ValueError
        If the calibration belongs to another detector, or the memory holds windows of the recordings of the
        calibration.
    FileNotFoundError
        If recordings are missing. The old calibration stays valid: the memory raises scores only, so no level becomes
        too lax.
    """
    from ._calibration import AlarmCalibration, calibrate_alarms
    from ._detector_key import detector_key

    path = Path(path)
    known = AlarmCalibration.load(path)
    if known.detector_key != detector_key(detector):
        raise ValueError(
            f"{path}: the calibration belongs to another detector. Calibrate this detector anew."
        )
    _check_recordings(path, known.recordings, memory)
    policy = known.policy
    shape = {
        name: getattr(policy, name) for name in ("n_raise", "min_duration", "max_duration", "refractory")
    }
    found = calibrate_alarms(
        memory.extend(detector),
        known.recordings,
        events_per_day=known.wanted_events_per_day,
        confidence=known.confidence,
        window=known.window,
        hop=known.hop,
        shape=shape,
        extrapolate=known.extrapolated,
        training_digests=training_digests,
    )
    # The file belongs to the detector without its memory, because a monitor is started with that detector.
    found = replace(found, detector_key=known.detector_key)
    number = 1
    while (old := path.with_name(f"{path.stem}.{number}{path.suffix}")).exists():
        number += 1
    shutil.copy2(path, old)
    found.save(path)
    return found, old


def _check_recordings(path, recordings, memory):
    files = [without_fragment(recording) for recording in recordings]
    missing = [file for file in files if not os.path.exists(file)]
    if missing:
        more = f" and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else ""
        raise FileNotFoundError(
            f"{path}: {len(missing)} of {len(files)} recordings of the calibration are missing: "
            f"{', '.join(missing[:_SHOWN])}{more}. The old level stays, and its stated rate still holds, because a "
            "memory only raises scores. Bring the recordings back, or calibrate on others with `skaudio-ad calibrate`."
        )
    sources = {Path(change.source).resolve() for change in memory.active if change.source}
    heard = [file for file in files if sources & {Path(file).resolve(), *Path(file).resolve().parents}]
    if heard:
        raise ValueError(
            f"{path}: the memory holds windows of {heard[0]}, which the calibration uses too. The detector knows these "
            "windows, so the level would raise more false alarms than stated. Calibrate on recordings in which no "
            "event was confirmed."
        )


def _distance_ratio(kept: KeptEvent) -> float:
    """Distance of the least normal window relative to the distance at the raise level. Infinite if unknown."""
    worst = int(np.argmin(kept.scores))
    level = kept.scores[worst] - kept.margins[worst]
    # The score of a bank is minus a distance.
    return float(kept.scores[worst] / level) if level < 0 else float("inf")


def _events_of_log(path):
    """Read the newest state of every event in the log of a monitor."""
    records = map(from_line, _lines(path))
    return {record.id: record for record in records if isinstance(record, Event)}


def _lines(path):
    try:
        return path.read_bytes().splitlines()
    except FileNotFoundError:
        return []


def _read_lines(path):
    """Yield the objects of a file of JSON lines. A torn or damaged line is left out: it tells nothing."""
    for line in _lines(path):
        try:
            facts = json.loads(line)
        except ValueError:
            continue
        if isinstance(facts, dict):
            yield facts
