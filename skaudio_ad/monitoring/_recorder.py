"""Write records to the log, send them to the sinks, and save the state: each record once, also after a kill."""

import dataclasses
import logging
import math
import time as _time
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from .._clip_errors import explain
from ..recordings._events import Event
from ._log import EventLog
from ._records import Notice, Window
from ._sink_group import SinkGroup
from ._state import StateFolder
from .sinks._sink import Record, Sound

_LOGGER = logging.getLogger("skaudio_ad")
# Kinds of notices of the monitor itself, which a replay of the source does not give again.
_OWN = ("start", "stop", "restart", "sink", "disk", "memory")
# Minimum number of seconds between two writes of the state, if there is no event and no notice. A restart hears the
# sound since the last write again. One write a second would wear a flash card.
_SAVE = 5.0


class Recorder:
    """Keep the order of a record: first the log, then the sinks, then the state, then the caller.

    A kill between the log and the state repeats the record after a restart. The log has the record already, and the
    sinks get the record again, because the kill may have come before the sinks.

    Parameters
    ----------
    folder : StateFolder or None
    log : EventLog
    sinks : SinkGroup
    sound : callable
        Sound for the sinks.
    clock : callable
        Returns Unix times.

    Attributes
    ----------
    counts : Counter
        Number of windows, events and notices.
    """

    def __init__(
        self,
        folder: StateFolder | None,
        log: EventLog,
        sinks: SinkGroup,
        sound: Sound,
        clock: Callable[[], float],
    ) -> None:
        self.counts: Counter[str] = Counter(windows=0, events=0, notices=0)
        self.is_urgent = False
        self._folder, self._log, self._sinks, self._sound, self._clock = folder, log, sinks, sound, clock
        self._out: list[Record] = []
        self._next_save, self._disk_failed = -math.inf, False

    def add(self, records: Iterable[Record]) -> None:
        """Write records to the log and send them to the sinks, unless an earlier run has done so.

        Parameters
        ----------
        records : iterable of Window, Event and Notice
        """
        for record in records:
            if isinstance(record, Window):
                self.counts["windows"] += 1
                self._send(record)
                continue
            if self._log.status(record) == "done":
                self._out.append(record)
                continue
            self._log.append(record)
            self.is_urgent = True
            if isinstance(record, Notice):
                self.counts["notices"] += 1
            else:
                self.counts["events"] += record.state == "raised"
            self._send(record)

    def _send(self, record):
        self._out.append(record)
        self.add(self._sinks.send(record, self._sound))

    def settle(self, until: float) -> None:
        """Send records of the log that an earlier run may not have sent, and that have not come again by now.

        Parameters
        ----------
        until : float
            Unix time: later records may still come again.
        """
        for key, record in list(self._log.pending.items()):
            time = record.end if isinstance(record, Event) else record.time
            if time <= until or (isinstance(record, Notice) and record.kind in _OWN):
                del self._log.pending[key]
                self._send(record)
                self.close_events([record])

    def close_events(self, records: Iterable[Event | Notice]) -> None:
        """Clear events that an earlier run has raised and that cannot go on.

        Parameters
        ----------
        records : iterable of Event and Notice
            Only raised events that the log has not cleared are used.
        """
        for event in records:
            if isinstance(event, Event) and event.id in self._log.unclosed:
                closed = dataclasses.replace(event, state="cleared", reason="the monitor stopped")
                if self._log.status(closed) == "new":
                    self.add([closed])

    def save(self, get_state: Callable[[], dict[str, Any]], *, force: bool = False) -> bool:
        """Save the state: at once after an event or a notice, and at most every five seconds otherwise.

        Parameters
        ----------
        get_state : callable
            Returns the state without the counts and the size of the log.
        force : bool, default=False
            Whether to save at once.

        Returns
        -------
        bool
            Whether the state was saved.
        """
        if self._folder is None:
            return False
        problem = self._log.write_waiting(at_once=force)
        if (
            problem is not None or not self._log.is_complete
        ):  # the state must not know records that a kill would lose
            return self._report_disk(problem)
        now = _time.monotonic()
        if now < self._next_save and not (force or self.is_urgent):
            return False
        self._next_save = now + _SAVE
        state = {**get_state(), "counts": dict(self.counts), "log_size": self._log.saved_size}
        try:
            self._folder.write(state)
        except OSError as error:
            return self._report_disk(error)
        self.is_urgent = self._disk_failed = False
        return True

    def _report_disk(self, error):
        """Tell the sinks once that the disk takes nothing. The log has the notice as soon as the disk has space."""
        if self._folder is not None and error is not None and not self._disk_failed:
            self._disk_failed = True
            now = self._clock()
            text = (
                f"The folder {self._folder.path} cannot be written ({explain(error)}). Records wait in memory, and a "
                "restart now would repeat some of them: free some space."
            )
            _LOGGER.error("%s", text)
            self.add([Notice(f"disk-{now:.3f}", now, "disk", text)])
        self.is_urgent = False
        return False

    def drain(self) -> list[Record]:
        """Return the records since the last call."""
        records, self._out = self._out, []
        return records
