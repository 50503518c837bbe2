"""Base class of the sinks that deliver through an outbox."""

from collections.abc import Iterable
from typing import Any

from ..._checks import check_option
from .._records import Notice
from ._format import record_to_dict
from ._outbox import Outbox
from ._problems import Problems
from ._sink import MonitorInfo, Record, Sound
from ._spool import folder_of

#: Kinds of records that a sink can choose.
CHOICES = ("raised", "cleared", "notice", "window")


class OutboxSink:
    """Base class of the sinks that deliver through an :class:`Outbox`. A subclass has ``deliver(entry)``.

    Parameters
    ----------
    name : str
        Name for messages and for the spool in the folder of the monitor.
    on : iterable of {"raised", "cleared", "notice", "window"}
        Records that are delivered: events that are raised or cleared, notices, windows.
    timeout : float
        Maximum duration of a delivery, in seconds.
    """

    def __init__(self, name: str, on: Iterable[str], timeout: float) -> None:
        self.name, self.on, self.timeout = name, on, timeout
        self._problems = Problems(name)
        self._outbox: Outbox | None = None
        self._source = ""

    def deliver(self, entry: dict[str, Any]) -> None:
        """Deliver one record. Called in a thread."""
        raise NotImplementedError

    def open(self, info: MonitorInfo) -> None:
        """Check the parameters, and begin to deliver what an earlier run has left in the spool.

        Parameters
        ----------
        info : MonitorInfo
            Without a folder of the monitor, records wait in memory and are lost when the program ends.

        Raises
        ------
        OSError
            If the spool cannot be used.
        ValueError
            If a parameter is invalid.
        """
        if isinstance(self.on, str):
            raise ValueError(f"on must be a tuple such as ({self.on!r},), got {self.on!r}.")
        for choice in self.on:
            check_option(choice, "every entry of on", CHOICES)
        outbox = Outbox(
            folder_of(info.state, self.name), self.deliver, timeout=self.timeout + 5, problems=self._problems
        )
        outbox.open()
        self._outbox, self._source = outbox, info.source

    def send(self, record: Record, sound: Sound | None = None) -> None:
        """Put a record into the spool, if it is one of `on`. Never waits for the receiver.

        Parameters
        ----------
        record : Window, Event or Notice
        sound : callable, default=None
            Not used.
        """
        if self._outbox is None:
            raise RuntimeError(f"{self!r} is not open. Call open first.")
        entry = record_to_dict(record, self._source)
        if entry.get("state", entry["type"]) in self.on:
            self._outbox.send(entry)

    def close(self, timeout: float = 10.0) -> None:
        """Deliver what waits, for `timeout` seconds at most. The rest stays in the spool for the next run.

        Parameters
        ----------
        timeout : float, default=10.0
        """
        if self._outbox is not None:
            self._outbox.close(timeout)
            self._outbox = None

    def take_notices(self) -> list[Notice]:
        """Return what went wrong since the last call.

        Returns
        -------
        list of Notice
        """
        return self._problems.take()
