"""Deliver records in a thread, with a spool, retry and back-off, so that a slow receiver never blocks the monitor."""

import random
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ..._checks import check_number
from ..._typing import PathLike
from ...inspection._drawing import count
from .._records import Notice
from ._format import record_to_dict
from ._problems import MAX_TEXT, Problems, printable
from ._sink import Record
from ._spool import Item, Spool

#: Seconds to wait after the first, second ... failure in a row. The last value repeats.
RETRY = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 300.0)
# Maximum number of deliveries that were abandoned and still run.
_MAX_HUNG = 4
# Maximum number of seconds to wait because a receiver has asked so.
_MAX_RETRY_AFTER = 3600.0
# Largest fraction of a waiting time that is added at random, so that many senders do not return at one moment.
_JITTER = 0.25


class RetryLaterError(Exception):
    """The receiver takes no record now.

    Parameters
    ----------
    reason : str
    seconds : float, default=0.0
        Number of seconds for which the receiver asks to wait.
    """

    def __init__(self, reason: str, seconds: float = 0.0) -> None:
        super().__init__(reason)
        self.seconds = seconds


class RefusedError(Exception):
    """The receiver will never take this record. The record is put aside, and the next one is delivered."""


class Clock:
    """Time of an outbox. Tests replace the clock."""

    def time(self) -> float:
        """Return the seconds since some moment in the past. The time never goes back."""
        return time.monotonic()

    def wait(self, condition: threading.Condition, seconds: float) -> None:
        """Wait until the condition is notified, for some seconds at most.

        Parameters
        ----------
        condition : threading.Condition
            Held by the caller.
        seconds : float
        """
        condition.wait(seconds)


class Outbox:
    """Spool of records that a thread delivers in order, at least once each.

    A record is written to the spool before its delivery, and removed after the delivery. The records of a folder
    survive a restart and a kill. A record whose delivery fails is tried again until the delivery succeeds.

    Parameters
    ----------
    folder : str, path-like or None
        Folder of the spool. It is made if it is missing. None keeps the records in memory: they are lost when the
        program ends.
    deliver : callable
        Function of the record as a dict (:func:`record_to_dict`). It returns when the receiver has the record. It
        raises :class:`RetryLaterError` or any other error to be called again later, and :class:`RefusedError` if the
        receiver will never take this record. A record can arrive twice; its "key" tells.
    name : str, default="outbox"
        Name for messages.
    max_items : int, default=10000
        Maximum number of records that wait. A full spool drops the oldest windows first, then the oldest notices, and
        events last. Each loss is counted and reported.
    max_bytes : float, default=50e6
        Maximum size of the records that wait, in bytes.
    timeout : float, default=10.0
        Maximum duration of a delivery, in seconds. A delivery that takes longer is abandoned and tried again. At most
        four abandoned deliveries may still run.
    retry : sequence of float, default=(1, 2, 4, 8, 16, 32, 64, 128, 256, 300)
        Seconds to wait after the first, second ... failure in a row. The last value repeats. Up to a quarter is added
        at random.
    problems : Problems, default=None
        Where failures are reported. None makes one.
    clock : Clock, default=None
        For tests.

    Attributes
    ----------
    losses : dict of {str: int}
        Number of windows, notices and events that were dropped.
    """

    def __init__(
        self,
        folder: PathLike | None,
        deliver: Callable[[dict[str, Any]], object],
        *,
        name: str = "outbox",
        max_items: int = 10_000,
        max_bytes: float = 50e6,
        timeout: float = 10.0,
        retry: Sequence[float] = RETRY,
        problems: Problems | None = None,
        clock: Clock | None = None,
    ) -> None:
        check_number(max_items, "max_items", low=1, integer=True)
        check_number(max_bytes, "max_bytes", low=1)
        check_number(timeout, "timeout", low=0, closed="neither")
        if not len(retry) or min(retry) < 0:
            raise ValueError(f"retry must hold one waiting time or more, each 0 or more, got {retry!r}.")
        self.deliver, self.timeout, self.retry = deliver, timeout, retry
        self.problems = problems or Problems(name)
        self._spool = Spool(None if folder is None else Path(folder), max_items, max_bytes, self.problems)
        self._clock = clock or Clock()
        self._random = random.Random()
        self._changed = threading.Condition()
        self._closing, self._retry, self._n_hung = False, False, 0
        self._thread: threading.Thread | None = None

    @property
    def losses(self) -> dict[str, int]:
        """Number of windows, notices and events that were dropped."""
        return dict(self._spool.losses)

    def __len__(self) -> int:
        """Return the number of records that wait."""
        return len(self._spool)

    def open(self) -> None:
        """Find the records that an earlier run has left, and begin to deliver.

        Raises
        ------
        OSError
            If the folder cannot be used, or another program uses the folder.
        """
        self._spool.open()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name=f"{self.problems.name} outbox", daemon=True)
        self._thread.start()

    def send(self, record: Record | dict[str, Any], source: str | None = None) -> None:
        """Take a record for delivery. Returns when the record is in the spool, and never waits for the receiver.

        Parameters
        ----------
        record : Window, Event, Notice or dict
            A dict has "type" and "key" as the result of :func:`record_to_dict`.
        source : str, default=None
            Name of the source, for windows and notices.
        """
        entry = record if isinstance(record, dict) else record_to_dict(record, source)
        with self._changed:
            if self._thread is None:
                raise RuntimeError(f"the outbox {self.problems.name} is not open. Call open first.")
            self._spool.put(entry)
            self._changed.notify_all()

    def retry_now(self) -> None:
        """End a waiting time, because the receiver is there again."""
        with self._changed:
            self._retry = True
            self._changed.notify_all()

    def close(self, timeout: float = 10.0) -> None:
        """Deliver what waits, for `timeout` seconds at most and until the first failure.

        Parameters
        ----------
        timeout : float, default=10.0
        """
        if self._thread is None:
            return
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join(timeout)
        with self._changed:
            self._thread = None  # a thread that still delivers ends after this delivery
            n_left = len(self._spool)
        if n_left:
            place = self._spool.folder
            fate = "lost, because the outbox has no folder" if place is None else f"kept in {place}"
            self.problems.report("left", f"{count(n_left, 'record')} not delivered: {fate}.", n_left=n_left)
        self._spool.close()

    def take_notices(self) -> list[Notice]:
        """Return what went wrong since the last call.

        Returns
        -------
        list of Notice
        """
        return self.problems.take()

    def _run(self) -> None:
        failures = 0
        while (item := self._next_item(failures)) is not None:
            with self._changed:
                entry = self._spool.read(item)
            if entry is None:
                continue
            self._retry = False
            error = self._attempt(item, entry)
            with self._changed:
                if error is None:
                    self._spool.done(item)
                elif isinstance(error, RefusedError):
                    self._spool.refuse(item, entry, str(error))
            if error is None or isinstance(error, RefusedError):
                if error is None:
                    self.problems.solved(
                        "delivery", f"records are delivered again. Records that wait: {len(self)}."
                    )
                failures = 0
            else:
                self._report(error)
                self._wait(failures, getattr(error, "seconds", 0.0))
                failures = 0 if self._retry else failures + 1

    def _next_item(self, failures: int) -> Item | None:
        """Wait for a record. None ends the thread."""
        with self._changed:
            while True:
                current = self._thread is threading.current_thread()
                if not current or (self._closing and (failures or not len(self._spool))):
                    return None
                item = self._spool.head()
                if item is not None and self._n_hung < _MAX_HUNG:
                    return item
                if self._closing:
                    return None
                self._changed.wait()

    def _attempt(self, item: Item, entry: dict[str, Any]) -> Exception | None:
        """Deliver in a thread, which is abandoned after the timeout. Return the error of the delivery."""
        attempt = _Attempt()

        def work() -> None:
            try:
                self.deliver(entry)
            except Exception as error:
                attempt.error = error
            with self._changed:
                attempt.done.set()
                if attempt.abandoned:
                    self._n_hung -= 1
                    if attempt.error is None:  # late, but delivered
                        self._spool.done(item)
                    self._changed.notify_all()

        threading.Thread(target=work, name=f"{self.problems.name} delivery", daemon=True).start()
        attempt.done.wait(self.timeout)
        with self._changed:
            if attempt.done.is_set():
                return attempt.error
            attempt.abandoned = True
            self._n_hung += 1
        return TimeoutError(f"a delivery took more than {self.timeout:g} s")

    def _report(self, error: Exception) -> None:
        known = isinstance(error, (RetryLaterError, TimeoutError))
        reason = printable(str(error) if known else f"{type(error).__name__}: {error}", MAX_TEXT)
        self.problems.report(
            "delivery",
            f"records cannot be delivered. The delivery is tried again. Records that wait: {len(self)}. {reason}",
            n_waiting=len(self),
        )

    def _wait(self, failures: int, at_least: float) -> None:
        """Wait after a failure, until the outbox is closed."""
        seconds = max(self.retry[min(failures, len(self.retry) - 1)], min(at_least, _MAX_RETRY_AFTER))
        end = self._clock.time() + seconds * (1 + _JITTER * self._random.random())
        with self._changed:
            # Every record that is sent notifies the condition.
            while not (self._closing or self._retry) and (rest := end - self._clock.time()) > 0:
                self._clock.wait(self._changed, rest)


class _Attempt:
    """One delivery in a thread."""

    def __init__(self) -> None:
        self.done = threading.Event()
        self.abandoned = False
        self.error: Exception | None = None
