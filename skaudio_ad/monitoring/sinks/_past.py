"""Events and notices of earlier runs, from the log in the folder of the monitor."""

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

from ...recordings._events import Event
from ._sink import MonitorInfo

# Maximum number of bytes at the end of the log that are read: some thousand lines.
_TAIL = 1 << 20


def read_past(info: MonitorInfo) -> list[tuple[dict[str, Any], Event | None]]:
    """Read the newest events and notices of earlier runs.

    Parameters
    ----------
    info : MonitorInfo

    Returns
    -------
    list of (dict, Event or None)
        Entries as `record_to_dict` makes them, the oldest first, each with its event. None for a notice. A line that
        is no entry is left out, because the log itself reports damage.
    """
    if info.state is None:
        return []
    try:
        with open(Path(info.state) / "log.jsonl", "rb") as file:
            file.seek(0, 2)
            start = max(0, file.tell() - _TAIL)
            file.seek(start)
            lines = file.read(_TAIL).splitlines()
    except OSError:
        return []
    found = [_entry(line) for line in lines[1 if start else 0 :]]
    return [entry for entry in found if entry is not None]


def _entry(line):
    try:
        entry = json.loads(line, parse_constant=lambda _: None)
        if entry["type"] == "event":
            event = Event(**{field.name: entry[field.name] for field in fields(Event)})
            if _are((event.start, event.end), (int, float)) and _are((event.id, event.source), str):
                return entry, event
        elif entry["type"] == "notice" and _are((entry["key"], entry["kind"], entry["text"]), str):
            return entry, None
    except (ValueError, KeyError, TypeError, RecursionError):
        pass
    return None


def _are(values, types):
    return all(isinstance(value, types) for value in values)
