"""The clocks and the waiting of a source in one object, so that tests need not wait."""

import threading
import time
from collections.abc import Iterator

# Maximum number of seconds between two None of a source that waits. The protocol allows one second.
SLICE = 0.5


class Timer:
    """Clocks of the computer."""

    def now(self) -> float:
        """Return the Unix time. This clock jumps when somebody sets it."""
        return time.time()

    def monotonic(self) -> float:
        """Return seconds of a clock that never jumps."""
        return time.monotonic()

    def wait(self, event: threading.Event, seconds: float) -> None:
        """Wait `seconds`, or until `event` is set."""
        event.wait(seconds)


class Pace:
    """Waits until stored sound may be played.

    Parameters
    ----------
    speed : float
        Seconds of sound per second. Infinity never waits.
    timer : Timer
    closed : threading.Event
        Ends the waiting.
    """

    def __init__(self, speed: float, timer: Timer, closed: threading.Event) -> None:
        self._speed, self._timer, self._closed = speed, timer, closed
        self._began = timer.monotonic()

    def wait(self, played: float) -> Iterator[None]:
        """Yield None until `played` seconds of sound may have been played."""
        if self._speed == float("inf"):
            return
        due = self._began + played / self._speed
        while not self._closed.is_set() and (left := due - self._timer.monotonic()) > 0:
            self._timer.wait(self._closed, min(left, SLICE))
            yield None


def pause(seconds: float, timer: Timer, closed: threading.Event) -> Iterator[None]:
    """Yield None at least twice a second, for `seconds` or until `closed` is set. At least one None is yielded."""
    due = timer.monotonic() + seconds
    while True:
        timer.wait(closed, max(0.0, min(due - timer.monotonic(), SLICE)))
        yield None
        if closed.is_set() or timer.monotonic() >= due:
            return
