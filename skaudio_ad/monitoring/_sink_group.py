"""The sinks of a monitor: an error of one sink never stops the others."""

import contextlib
import logging
import time as _time
from collections import Counter
from collections.abc import Callable, Sequence

from .._clip_errors import explain
from ._records import Notice
from .sinks._sink import MonitorInfo, Record, Sink, Sound

_LOGGER = logging.getLogger("skaudio_ad")
# Maximum duration of one call of a sink without a notice, in seconds.
_SLOW = 1.0


class SinkGroup:
    """Send records to sinks, and turn the errors of sinks into notices.

    Parameters
    ----------
    sinks : sequence of Sink
    clock : callable
        Returns Unix times for the notices.

    Attributes
    ----------
    n_errors : Counter
        Number of errors by the name of the sink and the reason.

    Raises
    ------
    ValueError
        If two sinks have one name.
    TypeError
        If an object is no sink.
    """

    def __init__(self, sinks: Sequence[Sink], clock: Callable[[], float] = _time.time) -> None:
        self._sinks = list(sinks)
        for sink in self._sinks:
            if not isinstance(sink, Sink):
                raise TypeError(
                    f"a sink has a name, and the methods open, send and close; got {sink!r:.200}."
                )
        twice = [name for name, n in Counter(sink.name for sink in self._sinks).items() if n > 1]
        if twice:
            raise ValueError(
                f"sinks must have different names, got {twice[0]!r} twice; give one of them another name."
            )
        self._clock = clock
        self._open: list[Sink] = []
        self.n_errors: Counter[tuple[str, str]] = Counter()

    def open(self, info: MonitorInfo) -> None:
        """Open all sinks. If one sink raises an error, the others are closed again."""
        try:
            for sink in self._sinks:
                sink.open(info)
                self._open.append(sink)
        except BaseException:
            self.close(timeout=1.0)
            raise

    def send(self, record: Record, sound: Sound | None) -> list[Notice]:
        """Send a record to all sinks.

        Parameters
        ----------
        record : Window, Event or Notice
        sound : callable or None

        Returns
        -------
        list of Notice
            One notice for every new reason of an error.
        """
        notices = []
        for sink in self._open:
            began = _time.monotonic()
            try:
                sink.send(record, sound)
            except Exception as error:  # any error: the other sinks and the listening go on
                notices += self._note(sink, explain(error) or type(error).__name__, type(error).__name__)
            seconds = _time.monotonic() - began
            if seconds > _SLOW:
                reason = f"a call took {seconds:.1f} s, and the monitor hears nothing new during a call"
                notices += self._note(sink, reason, "slow")
        return notices

    def take_notices(self) -> list[Notice]:
        """Return what the sinks report about themselves, such as records that wait because a server does not answer."""
        notices: list[Notice] = []
        for sink in self._open:
            report = getattr(sink, "take_notices", None)
            try:
                notices += [] if report is None else report()
            except Exception as error:  # any error: the listening goes on
                notices += self._note(sink, explain(error) or type(error).__name__, type(error).__name__)
        return notices

    def _note(self, sink, reason, cause):
        self.n_errors[sink.name, cause] += 1
        if self.n_errors[sink.name, cause] > 1:
            return []
        text = f"The sink {sink.name} has a problem: {reason.rstrip('.')}. The monitor and the other sinks go on."
        _LOGGER.error("%s", text)
        now = self._clock()
        return [Notice(f"sink-{sink.name}-{cause}-{now:.3f}", now, "sink", text, details={"sink": sink.name})]

    def close(self, timeout: float = 10.0) -> None:
        """Close all sinks, for `timeout` seconds together at most if the sinks keep to their time."""
        end = _time.monotonic() + timeout
        while self._open:
            sink = self._open.pop(0)
            try:
                sink.close(max(0.1, end - _time.monotonic()))
            except Exception as error:  # any error: the other sinks are closed too
                with contextlib.suppress(Exception):
                    self._note(sink, f"closing failed: {explain(error)}", "close")
