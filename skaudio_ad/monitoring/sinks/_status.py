"""The state of a monitor at a glance: normal, alarm, no sound, drift."""

import math
import time
from collections.abc import Callable
from typing import Any

from ...recordings._events import Event
from ...recordings._measure import SILENCE
from .._records import DRIFT_ALARM, Notice, Window
from ._sink import MonitorInfo, Record

# Kinds of notices after which no sound is heard until the next window that is louder than silence for the watchdog.
_SOUNDLESS = {"lost", "silence", "end", "stop"}
# Minimum number of seconds without a window after which the monitor counts as not listening.
_MIN_PATIENCE = 10.0
_WORDS = {
    "alarm": "Alarm",
    "no_sound": "No sound",
    "drift": "Drift",
    "waiting": "Waiting for the first window",
    "normal": "Normal",
}


class Status:
    """State of a monitor, from its records. The methods may not be called at the same time.

    Parameters
    ----------
    info : MonitorInfo
    clock : callable, default=time.monotonic
        Seconds that never jump, for the time since the last window.

    Attributes
    ----------
    patience : float
        Seconds without a window after which the monitor counts as not listening: three hops and one window, at least
        10 s.
    window : Window or None
        The newest window.
    """

    def __init__(self, info: MonitorInfo, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.patience = max(_MIN_PATIENCE, info.window + 3 * info.hop)
        self.window: Window | None = None
        self._heard = self._opened = clock()
        self._open_events: dict[str, float] = {}
        self._since: dict[str, float] = {}
        self._normal_since = math.nan

    def add(self, record: Record) -> None:
        """Take the next record.

        Parameters
        ----------
        record : Window, Event or Notice
        """
        before = set(self._since)
        if isinstance(record, Window):
            self._add_window(record)
            now = record.end
        elif isinstance(record, Event):
            if record.state == "raised":
                self._open_events.setdefault(record.id, record.start)
            else:
                self._open_events.pop(record.id, None)
            self._set("alarm", bool(self._open_events), record.start)
            now = record.end
        else:
            self._add_notice(record)
            now = record.time
        if before and not self._since:
            self._normal_since = now

    def _add_window(self, window):
        if self.window is None:
            self._normal_since = window.start
        self.window, self._heard = window, self._clock()
        if math.isnan(window.level_db) or window.level_db > SILENCE:
            self._set("no_sound", False, window.start)
        if window.drift >= DRIFT_ALARM:
            self._set("drift", True, window.end)
        # An event that was raised before a restart is not sent again while the event goes on.
        self._set("alarm", window.alarm or bool(self._open_events), window.start)

    def _add_notice(self, notice: Notice):
        if notice.kind in _SOUNDLESS:  # a watchdog also reports that a silence is over
            self._set("no_sound", not notice.details.get("over", False), notice.time)
        elif notice.kind == "drift":
            self._set("drift", True, notice.time)
        elif notice.kind in ("memory", "start"):  # the detector is another one now, or begins anew
            self._set("drift", False, notice.time)

    def _set(self, name, holds, since):
        if holds:
            self._since.setdefault(name, since)
        else:
            self._since.pop(name, None)

    @property
    def is_alarm(self) -> bool:
        """Whether an event goes on."""
        return "alarm" in self._since

    @property
    def age(self) -> float:
        """Seconds since the last window, or since the start before the first window."""
        return self._clock() - self._heard

    @property
    def is_healthy(self) -> bool:
        """Whether windows arrive."""
        return self.age <= self.patience

    def get(self) -> dict[str, Any]:
        """Return the state for JSON.

        Returns
        -------
        dict
            "state": "alarm", "no_sound", "drift", "waiting" or "normal", the first that holds; "word": the same for
            people; "since": Unix time or None; "also": list of the other conditions that hold, each as a dict of
            "state", "word" and "since"; "age": seconds since the last window; "healthy": whether windows arrive.
        """
        since: dict[str, float] = dict(self._since)
        if not self.is_healthy:
            since.setdefault("no_sound", self.window.end if self.window is not None else math.nan)
        found = [_entry(name, since[name]) for name in ("alarm", "no_sound", "drift") if name in since]
        if not found:
            found = [
                _entry("waiting", math.nan) if self.window is None else _entry("normal", self._normal_since)
            ]
        return {**found[0], "also": found[1:], "age": round(self.age, 3), "healthy": self.is_healthy}


def _entry(name, since):
    return {"state": name, "word": _WORDS[name], "since": since if math.isfinite(since) else None}
