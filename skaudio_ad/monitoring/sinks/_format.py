"""Records of a monitor as values that JSON can hold, and as texts for people."""

import hashlib
import json
import math
from datetime import UTC, datetime
from typing import Any, Literal, TypeAlias

from ..._file_names import file_names
from ..._json import without_nan
from ...recordings._events import Event
from .._records import Notice, Window
from ._sink import Record

#: Kind of a record: what an entry "type" says.
RecordType: TypeAlias = Literal["window", "event", "notice"]
# Last second that Python's calendar can hold (year 9999).
_LAST_SECOND = 253_402_300_799.0
# Characters that JSON allows in a text and that many programs take for the end of a line.
_LINE_BREAKS = {code: f"\\u{code:04x}" for code in (0x85, 0x2028, 0x2029)}
# Number of characters of the hash in a file name: two events of one second differ with 32 bits.
_HASH_LENGTH = 8


def record_to_dict(record: Record, source: str | None = None) -> dict[str, Any]:
    """Turn a record into a dict that JSON can hold. Features and positions are left out.

    Parameters
    ----------
    record : Window, Event or Notice
    source : str, default=None
        Name of the source, for windows and notices, which do not hold the name. None adds no entry to these two.

    Returns
    -------
    dict
        "type" ("window", "event" or "notice"), "key" (:func:`record_key`), then the attributes of the record. Every
        time stands twice: in seconds, and in UTC after ISO 8601 under the name with "_utc". NaN and infinity become
        None.
    """
    kind = record_type(record)
    entry: dict[str, Any] = {"type": kind, "key": record_key(record)}
    if isinstance(record, Window):
        entry |= _times(start=record.start, end=record.end)
        names: tuple[str, ...] = (
            "score",
            "p_value",
            "margin",
            "level_db",
            "alarm",
            "drift",
            "error",
            "low_hz",
            "high_hz",
        )
    elif isinstance(record, Event):
        entry |= {"id": record.id, "source": record.source, "state": record.state, "reason": record.reason}
        entry |= _times(start=record.start, end=record.end, worst_time=record.worst_time)
        names = ("score", "p_value", "n_windows", "low_hz", "high_hz")
    else:
        entry |= {"id": record.id, "kind": record.kind, "text": record.text} | _times(time=record.time)
        names = ("duration", "details")
    entry |= {name: getattr(record, name) for name in names}
    if source is not None:
        entry.setdefault("source", source)
    return without_nan(entry)


def to_json(entry: Any) -> str:
    """Return an entry as one line of JSON, without a line break inside.

    Parameters
    ----------
    entry : object
        Such as the result of :func:`record_to_dict`.

    Returns
    -------
    str
    """
    text = json.dumps(entry, ensure_ascii=False, allow_nan=False, default=str)
    return text.translate(_LINE_BREAKS)


def record_type(record: Record) -> RecordType:
    """Return the kind of a record.

    Parameters
    ----------
    record : Window, Event or Notice

    Returns
    -------
    {"window", "event", "notice"}

    Raises
    ------
    TypeError
        If `record` is something else.
    """
    for cls, kind in _TYPES.items():
        if isinstance(record, cls):
            return kind
    raise TypeError(f"a record is a Window, an Event or a Notice, got {type(record).__name__}.")


def record_key(record: Record) -> str:
    """Return a text that tells one record of a source from all others. A record that is repeated has the same key.

    Parameters
    ----------
    record : Window, Event or Notice

    Returns
    -------
    str
        "window START", "event ID STATE" or "notice ID TIME", with times in seconds.
    """
    if isinstance(record, Window):
        return f"window {record.start:.3f}"
    if isinstance(record, Event):
        return f"event {record.id} {record.state}"
    return f"notice {record.id} {record.time:.3f}"


def utc(seconds: float) -> str | None:
    """Return a Unix time as a text after ISO 8601, with milliseconds: "2026-11-27T10:00:00.000Z".

    Parameters
    ----------
    seconds : float

    Returns
    -------
    str or None
        None if the time is NaN, infinite or beyond the year 9999.
    """
    if not math.isfinite(seconds) or abs(seconds) > _LAST_SECOND:
        return None
    milliseconds = round(seconds * 1000)
    try:
        date = datetime.fromtimestamp(milliseconds // 1000, UTC)
    except (OverflowError, ValueError, OSError):
        return None
    return f"{date:%Y-%m-%dT%H:%M:%S}.{milliseconds % 1000:03d}Z"


def event_stem(event: Event) -> str:
    """Choose the file name of an event, without an ending. The name is safe on any disk.

    Parameters
    ----------
    event : Event

    Returns
    -------
    str
        Start in UTC, readable part of the source, and a hash of the id: "20261127T100000Z_fan_1f2e3d4c". The names
        sort by time, and two events never share a name.
    """
    date = utc(event.start) or ""
    stamp = date[:19].replace("-", "").replace(":", "") + "Z" if date else "unknown"
    name = file_names([event.source], "")[event.source].replace("_", "-")[:40].strip(" .") or "source"
    digest = hashlib.sha256(event.id.encode("utf-8", "backslashreplace")).hexdigest()[:_HASH_LENGTH]
    return f"{stamp}_{name}_{digest}"


def _times(**times):
    entries = {}
    for name, seconds in times.items():
        entries[name] = seconds
        entries[f"{name}_utc"] = utc(seconds)
    return entries


_TYPES: dict[type, RecordType] = {Window: "window", Event: "event", Notice: "notice"}
