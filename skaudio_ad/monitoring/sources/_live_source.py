"""Base of the sources that are started again after a loss: microphones and network streams."""

import threading
from collections.abc import Iterator
from typing import Any

from ..._clip_errors import shown
from .._records import Block, Notice
from ._live_buffer import End, LiveBuffer
from ._notices import make_notice, seconds_text
from ._source import SourceError, SourceInfo
from ._timing import Timer, pause

# Number of seconds before a lost source is started again: 1, 2, 4, ... 60 s.
_FIRST_DELAY, _LAST_DELAY = 1.0, 60.0


class LiveSource:
    """A source that is started again whenever it is lost.

    Parameters
    ----------
    name : str
    patience : float
        Seconds without sound after which the source is lost.
    buffer : float
        Maximum number of seconds of sound that wait to be scored.
    timer : Timer or None
    """

    def __init__(self, name: str, patience: float, buffer: float, timer: Timer | None) -> None:
        self.name, self._patience = name, patience
        self._timer, self._closed = timer or Timer(), threading.Event()
        self._buffer = LiveBuffer(name, self._timer, buffer)
        self._is_running = False
        # A source may be closed from another thread while it starts.
        self._changing = threading.Lock()

    def describe(self) -> SourceInfo:
        """Open the source.

        Returns
        -------
        SourceInfo

        Raises
        ------
        SourceError
            If the source cannot be opened. The message says what to do.
        """
        self._run()
        return self._info()

    def stream(self, position: Any = None) -> Iterator[Block | Notice | None]:
        """Yield blocks and notices until the source is closed. A lost source is started again.

        Parameters
        ----------
        position : object, default=None
            Ignored, because live sound cannot go back.

        Yields
        ------
        Block, Notice or None

        Raises
        ------
        SourceError
            If the source cannot be opened at the first start.
        """
        self._run()
        delay, lost = _FIRST_DELAY, False
        while not self._closed.is_set():
            reason = ""
            try:
                self._run()
            except SourceError as error:
                reason = str(error)
            else:
                began = self._timer.monotonic()
                end = yield from self._listen()
                if self._closed.is_set():
                    return
                heard = self._buffer.last_arrival
                reason, is_over = self._why_lost(end)
                self._halt()
                # The writer may have held back less than a block.
                while (item := self._buffer.take_now()) is not None and not isinstance(item, End):
                    yield item
                if is_over:
                    yield self._end(reason)
                    return
                if heard > began:
                    lost = False
                if heard - began > _LAST_DELAY:
                    delay = _FIRST_DELAY
            time = self._buffer.mark_lost()
            if not lost:
                lost = True
                yield self._lost(time, reason, delay)
            yield from pause(delay, self._timer, self._closed)
            delay = min(2 * delay, _LAST_DELAY)

    def close(self) -> None:
        """Release the device or the program."""
        self._closed.set()
        self._buffer.close()
        self._halt()

    def _listen(self):
        """Yield the items of the buffer until the sound ends. Return its end, or None where the source is silent."""
        self._buffer.expect_sound()
        while not self._closed.is_set():
            item = self._buffer.get()
            if isinstance(item, End):
                return item
            if item is None and (self._buffer.silent_for() >= self._patience or not self._is_alive()):
                return None
            yield item
        return None

    def _run(self):
        """Start the device or the program unless it runs."""
        with self._changing:
            if not self._is_running and not self._closed.is_set():
                self._start()
                self._is_running = True

    def _halt(self):
        with self._changing:
            if self._is_running:
                self._is_running = False
                self._stop()
                self._buffer.forget_end()

    def _start(self) -> None:
        raise NotImplementedError

    def _stop(self) -> None:
        raise NotImplementedError

    def _info(self) -> SourceInfo:
        raise NotImplementedError

    def _is_alive(self) -> bool:
        """Whether sound may still come."""
        return True

    def _why_lost(self, end: End | None) -> tuple[str, bool]:
        """Return why no more sound comes, and whether the source is not to be started again."""
        return f"No sound has arrived for {seconds_text(self._patience)}.", False

    def _lost(self, time, reason, delay):
        return make_notice(
            "lost",
            self.name,
            time,
            f"{shown(self.name)}: the sound is lost. {reason} The source is started again after {seconds_text(delay)}, "
            "and then less and less often.",
        )

    def _end(self, reason):
        return make_notice("end", self.name, self._timer.now(), f"{shown(self.name)}: {reason}")
