"""What goes wrong in a sink: to the log of the program, and as notices for the monitor."""

import logging
import math
import threading
import time
from collections.abc import Callable
from typing import Any

from .._records import Notice

_LOGGER = logging.getLogger("skaudio_ad.monitoring")
# Number of seconds for which a repeated problem is counted and not reported again.
_QUIET = 300.0
# Maximum number of notices that wait for the monitor.
_MAX_NOTICES = 100
# Maximum number of characters of a text that comes from outside, such as the answer of a server.
MAX_TEXT = 500


class Problems:
    """Problems of a sink. Each problem goes to the logger "skaudio_ad.monitoring", and waits as a notice.

    Parameters
    ----------
    name : str
        Name of the sink.
    clock : callable, default=time.time
        Gives the Unix time.

    Attributes
    ----------
    counts : dict of {str: int}
        Number of times that each cause was reported.
    """

    def __init__(self, name: str, clock: Callable[[], float] = time.time) -> None:
        self.name, self.counts = name, dict[str, int]()
        self._clock, self._last, self._notices = clock, dict[str, float](), list[Notice]()
        self._unsolved = set[str]()
        self._lock = threading.Lock()

    def report(
        self, cause: str, text: str, kind: str = "sink", *, quiet: float = _QUIET, **details: Any
    ) -> None:
        """Report a problem. The same cause is reported once in `quiet` seconds at most, and counted in between.

        Parameters
        ----------
        cause : str
            One word that stays the same when the problem repeats.
        text : str
            What has happened and what to do, in sentences.
        kind : {"sink", "disk"}, default="sink"
            Kind of the notice.
        quiet : float, default=300.0
            Number of seconds for which the cause is not reported again.
        **details : object
            Further values that JSON can hold.
        """
        with self._lock:
            now = self._clock()
            self.counts[cause] = self.counts.get(cause, 0) + 1
            if now - self._last.get(cause, -math.inf) < quiet:
                return
            self._last[cause] = now
            self._unsolved.add(cause)
            self._add(cause, now, text, kind, details)

    def solved(self, cause: str, text: str) -> None:
        """Report that a problem is over, if the problem was reported.

        Parameters
        ----------
        cause : str
            Cause of the problem.
        text : str
        """
        with self._lock:
            if cause in self._unsolved:
                self._unsolved.discard(cause)
                self._add(f"{cause} solved", self._clock(), text, "sink", {})

    def _add(self, cause, now, text, kind, details):
        details = {"sink": self.name, "cause": cause, "count": self.counts.get(cause, 1), **details}
        text = f"{self.name}: {printable(text)}"
        notice = Notice(f"{self.name} {cause} {now:.0f}", now, kind, text, details=details)
        self._notices = [*self._notices, notice][-_MAX_NOTICES:]
        _LOGGER.warning("%s", text)

    def take(self) -> list[Notice]:
        """Return the notices since the last call.

        Returns
        -------
        list of Notice
        """
        with self._lock:
            notices, self._notices = self._notices, []
        return notices


def printable(text: str, max_length: int = 2 * MAX_TEXT) -> str:
    """Return a text without control characters, cut to a maximum length.

    Parameters
    ----------
    text : str
    max_length : int, default=1000

    Returns
    -------
    str
    """
    text = "".join(char if char.isprintable() else " " for char in text)
    return text if len(text) <= max_length else text[: max_length - 3] + "..."
