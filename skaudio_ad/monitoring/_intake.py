"""Take blocks and notices of a source, and queue what has to be done about them, in order."""

import math
import time as _time
from typing import Any, Literal, TypeAlias

from ..recordings._window_scorer import WindowScorer
from ._records import Block, Notice
from ._ring import SoundRing
from ._setup import SoundCheck
from ._stretches import Cut, Stretches
from ._times import duration_text
from ._watchdogs import Watchdogs

#: Work to do: a window to score, a record to report, or (time, reason) of a gap that ends an event.
Work: TypeAlias = tuple[Literal["cut", "record", "gap"], Any]
# Kinds of notices after which the sound does not go on where it ended.
_BREAKS = ("gap", "overrun", "lost", "clock", "rate", "channels", "end")
STOPPED = "the sound stopped"


class Intake:
    """Cut sound into windows, watch the sound, and find gaps.

    Parameters
    ----------
    scorer : WindowScorer
    check : SoundCheck
    ring : SoundRing
    saved : dict or None
        Result of :meth:`get_state` of an earlier run.

    Attributes
    ----------
    position : object
        Position of the source after the newest block.
    can_go_back : bool
        Whether the source gives the sound since the saved position again. A microphone does not.
    queue : list of Work
    queued_since : float
        Time of the oldest entry of the queue, by ``time.monotonic``. Infinity for an empty queue.
    has_moved : bool
        Whether the source has given something since the state was saved.
    """

    def __init__(
        self, scorer: WindowScorer, check: SoundCheck, ring: SoundRing, saved: dict[str, Any] | None
    ) -> None:
        self._check, self._ring = check, ring
        self.queue: list[Work] = []
        self.queued_since = math.inf
        self.has_moved = False
        self.position: Any = None
        self.can_go_back = True
        self._watchdogs: Watchdogs | None = None
        self._watchdog_rate, self._watched_until = 0, -math.inf
        self._unscored: dict[str, float] = {}
        self._has_fitted = saved is not None
        self._stretches = Stretches(scorer, None if saved is None else saved["stretch"])
        if saved is None:
            return
        self.position, self.can_go_back = saved["position"], saved["can_go_back"]
        if saved["watched_until"] is not None:
            self._watched_until = saved["watched_until"]
        if saved["watchdogs"] is not None:
            self._watchdog_rate = saved["watchdogs"]["rate"]
            self._watchdogs = Watchdogs(self._watchdog_rate)
            self._watchdogs.set_state(saved["watchdogs"]["state"])

    def take_notice(self, notice: Notice, is_known: bool) -> None:
        """Queue a notice of the source.

        Parameters
        ----------
        notice : Notice
        is_known : bool
            Whether an earlier run has done what the notice asks for, before the state was saved.
        """
        if _breaks(notice) and not is_known:
            self.end_stretch(notice.time, STOPPED)
        if notice.position is not None:
            self.position, self.has_moved = notice.position, True
        self._put("record", notice)

    def take_block(self, block: Block) -> None:
        """Queue the windows that a block completes.

        Raises
        ------
        ValueError
            If the sound does not fit the detector, and no sound before has fitted.
        """
        problem = self._check.problem(block.sample_rate, block.samples.shape[1])
        self.has_moved = True
        if problem is not None:
            self._leave_out(block, *problem)
        elif len(block.samples):
            self._report_unscored(block.time)
            if not self._stretches.continues(block):
                self.end_stretch(block.time, STOPPED)
                self._watched_until = -math.inf
            self._watch(block)
            self._ring.push(block)
            for cut in self._stretches.push(block, self.position):
                self._put("cut", cut)
            self._has_fitted = True
        self.position, self.can_go_back = block.position, block.position is not None

    def end_stretch(self, time: float, reason: str) -> None:
        """End the stretch of sound and an event that goes on.

        Parameters
        ----------
        time : float
            Unix time.
        reason : str
        """
        for cut in self._stretches.end():
            self._put("cut", cut)
        self._put("gap", (time, reason))
        self.has_moved = True

    def pop_queue(self) -> tuple[list[Work], list[Cut]]:
        """Empty the queue. Return its entries, and the windows among them."""
        queue, self.queue, self.queued_since = self.queue, [], math.inf
        return queue, [value for kind, value in queue if kind == "cut"]

    def get_state(self) -> dict[str, Any]:
        """Return the state as values that JSON can hold. The queue must be empty."""
        watchdogs = self._watchdogs
        saved = None if watchdogs is None else {"rate": self._watchdog_rate, "state": watchdogs.get_state()}
        return {
            **self._stretches.get_state(self.position),
            "can_go_back": self.can_go_back,
            "watched_until": self._watched_until,
            "watchdogs": saved,
        }

    def _put(self, kind: Literal["cut", "record", "gap"], value: Any) -> None:
        if not self.queue:
            self.queued_since = _time.monotonic()
        self.queue.append((kind, value))

    def _watch(self, block):
        end = block.time + len(block.samples) / block.sample_rate
        if end <= self._watched_until + 1e-3:  # the watchdogs have heard the block before a restart
            return
        if self._watchdogs is None or self._watchdog_rate != block.sample_rate:
            self._watchdogs, self._watchdog_rate = Watchdogs(block.sample_rate), block.sample_rate
        for notice in self._watchdogs.push(block):
            self._put("record", notice)
        self._watched_until = end

    def _leave_out(self, block, kind, text):
        """Leave out sound that the detector cannot score."""
        if not self._has_fitted:
            raise ValueError(text)
        if kind not in self._unscored:
            self.end_stretch(block.time, STOPPED)
            text += " The sound is not scored until the source fits again."
            self._put("record", Notice(f"{kind}-{block.time:.3f}", block.time, kind, text))
        seconds = len(block.samples) / block.sample_rate
        self._unscored[kind] = self._unscored.get(kind, 0.0) + seconds

    def _report_unscored(self, time):
        for kind, seconds in self._unscored.items():
            text = f"The sound fits the detector again. {duration_text(seconds)} of sound were not scored."
            self._put("record", Notice(f"{kind}-again-{time:.3f}", time, kind, text, duration=seconds))
        self._unscored.clear()


def _breaks(notice):
    """Tell whether windows end before a notice. A notice about the clock that moves no time breaks nothing."""
    return notice.kind in _BREAKS and (notice.kind != "clock" or "shift" in notice.details)
