"""Bounded buffer between the thread that hears sound and the monitor that scores the sound."""

import math
import threading
from collections import deque
from dataclasses import dataclass

from ..._clip_errors import shown
from ..._typing import Float32Array
from .._records import Block, Notice
from ._notices import make_notice, seconds_text
from ._sound_clock import SoundClock
from ._timing import SLICE, Timer

# Maximum number of seconds of sound in the buffer. The time spans the slowest windows and writes to slow disks.
MAX_SECONDS = 30.0


@dataclass(frozen=True)
class End:
    """The end of the input.

    Attributes
    ----------
    text : str
        How the input has ended, in sentences.
    missing : float
        Seconds of sound that were promised and have not come. NaN if unknown.
    error : Exception or None
        Why nothing can be read.
    """

    text: str = ""
    missing: float = float("nan")
    error: Exception | None = None


@dataclass(frozen=True)
class _Heard:
    time: float
    samples: Float32Array
    sample_rate: int
    follows: bool

    @property
    def duration(self) -> float:
        return len(self.samples) / self.sample_rate


class LiveBuffer:
    """Blocks and notices in the order of time.

    Parameters
    ----------
    name : str
        Name of the source.
    timer : Timer
    max_seconds : float
        Maximum number of seconds of sound in the buffer.
    can_wait : bool, default=False
        Whether the writer waits without loss. Otherwise only a writer that is faster than real time waits.

    Notes
    -----
    When the buffer is full, the oldest sound is dropped, because a monitor must tell what sounds wrong now. A notice
    gives the duration of the dropped sound.
    """

    def __init__(
        self, name: str, timer: Timer, max_seconds: float = MAX_SECONDS, can_wait: bool = False
    ) -> None:
        self._name, self._timer, self._max, self._can_wait = name, timer, max_seconds, can_wait
        self._clock = SoundClock(name, timer)
        self._items: deque[_Heard | Notice | End] = deque()
        self._lock = threading.Lock()
        self._arrived, self._taken, self._closed = threading.Event(), threading.Event(), threading.Event()
        self._seconds = 0.0
        self._dropped: list[float] = []  # time of the first dropped sample, and duration
        self._follows, self._part = True, 0
        self._end_time: float | None = None
        self._lost_at: float | None = None
        self._last_arrival, self._silent_since = -math.inf, timer.monotonic()

    def put(self, samples: Float32Array, sample_rate: int, may_wait: bool = True) -> None:
        """Add samples of shape (n, n_channels) that have just arrived."""
        duration = len(samples) / sample_rate
        with self._lock:
            was_lost = self._lost_at is not None
            if was_lost:
                self._clock.restart()
            time, notices = self._clock.stamp(duration)
            if was_lost:
                notices.append(self._back(time))
            for notice in notices:
                self._items.append(notice)
            has_moved = was_lost or any("shift" in notice.details for notice in notices)
            heard = _Heard(time, samples, sample_rate, self._follows and not has_moved)
            self._follows = True
            self._end_time = time + duration
            self._last_arrival = self._silent_since = self._timer.monotonic()
        if may_wait and (self._can_wait or self._clock.is_fast):
            self._wait_for_room(duration)
        with self._lock:
            while self._seconds + duration > self._max and self._drop_oldest():
                pass
            self._items.append(heard)
            self._seconds += duration
        self._arrived.set()

    def put_notice(self, notice: Notice, follows: bool = True) -> None:
        """Add a notice. `follows` is False if the next block does not continue the block before the notice."""
        with self._lock:
            self._items.append(notice)
            self._follows = self._follows and follows
        self._arrived.set()

    def put_end(self, end: End) -> None:
        """Say that no more sound comes from this writer."""
        with self._lock:
            self._items.append(end)
        self._arrived.set()

    def get(self) -> Block | Notice | End | None:
        """Return the next item. None after half a second without one, and after the end of the source."""
        if not self._items and not self._closed.is_set():
            self._arrived.clear()
            if not self._items:  # nothing has arrived between the look and the clear
                self._timer.wait(self._arrived, SLICE)
        return self.take_now()

    def take_now(self) -> Block | Notice | End | None:
        """Return the next item, or None where there is none."""
        with self._lock:
            if self._dropped:
                return self._overrun()
            if not self._items:
                return None
            item = self._items.popleft()
            if not isinstance(item, _Heard):
                return item
            self._seconds -= item.duration
            self._taken.set()
            if not item.follows:
                self._part += 1
            return Block(item.time, item.samples, item.sample_rate, None, f"{self._name} {self._part}")

    def silent_for(self) -> float:
        """Return the seconds since the last sound has arrived, or since the start. 0 while the buffer holds items."""
        return 0.0 if self._items else self._timer.monotonic() - self._silent_since

    @property
    def last_arrival(self) -> float:
        """When the last sound has arrived, in seconds of the monotonic clock."""
        return self._last_arrival

    def skip(self, seconds: float) -> None:
        """Count sound that the device has lost, so that further times stay right."""
        with self._lock:
            self._clock.skip(seconds)

    def forget_end(self) -> None:
        """Take out the end of a writer that is started again."""
        with self._lock:
            self._items = deque(item for item in self._items if not isinstance(item, End))

    def expect_sound(self) -> None:
        """Begin to count the seconds without sound."""
        self._silent_since = self._timer.monotonic()

    def mark_lost(self) -> float:
        """Note that the source has vanished, and return the Unix time. The next block comes with a notice "back"."""
        with self._lock:
            if self._lost_at is None:
                self._lost_at = self._timer.now()
            return self._lost_at

    def close(self) -> None:
        """Stop all waiting."""
        self._closed.set()
        self._arrived.set()
        self._taken.set()

    def _wait_for_room(self, duration):
        began = self._timer.monotonic()
        while self._seconds + duration > self._max and self._seconds > 0 and not self._closed.is_set():
            self._taken.clear()
            if self._seconds + duration > self._max:
                self._timer.wait(self._taken, SLICE)
        self._clock.add_wait(self._timer.monotonic() - began)

    def _drop_oldest(self):
        """Drop the oldest block. Notices stay."""
        for index, item in enumerate(self._items):
            if isinstance(item, _Heard):
                del self._items[index]
                self._seconds -= item.duration
                if self._dropped:
                    self._dropped[1] += item.duration
                else:
                    self._dropped = [item.time, item.duration]
                return True
        return False

    def _overrun(self):
        time, duration = self._dropped
        self._dropped = []
        self._part += 1
        return make_notice(
            "overrun",
            self._name,
            time,
            f"{seconds_text(duration)} of sound were dropped, because scoring is slower than real time. Take a smaller "
            "backbone, a longer hop, or a faster computer.",
            duration=duration,
        )

    def _back(self, time):
        gap = float("nan") if self._end_time is None else max(0.0, time - self._end_time)
        away, self._lost_at = max(0.0, self._timer.now() - (self._lost_at or 0.0)), None
        lost = "" if math.isnan(gap) else f" {seconds_text(gap)} of sound are missing."
        return make_notice(
            "back",
            self._name,
            time,
            f"{shown(self._name)}: sound arrives again.{lost}",
            duration=gap,
            away=away,
        )
