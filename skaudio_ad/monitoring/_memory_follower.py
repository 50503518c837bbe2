"""Keep a running monitor and its memory of what is normal together."""

from collections.abc import Callable, Iterable
from typing import Any

from ..recordings._events import Event
from ..recordings._window_scorer import WindowScorer
from ._decision import EventWindows
from ._extended_detector import split_last_step
from ._memory import NormalMemory
from ._records import Notice, Window


class MemoryFollower:
    """Give the memory what it needs of a monitor, and the monitor the changes of the memory.

    Parameters
    ----------
    memory : NormalMemory
    detector : fitted pipeline
        The detector without its memory.
    scorer : WindowScorer
        Gets the extended detector, now and after every change.

    Raises
    ------
    ValueError
        If the detector has no bank that can grow, or the memory belongs to another detector or is damaged.
    """

    def __init__(self, memory: NormalMemory, detector: Any, scorer: WindowScorer) -> None:
        self._memory, self._detector, self._scorer = memory, detector, scorer
        self._event_windows = EventWindows()
        self._reported: list[Event | Notice] = []
        memory.reload_if_changed()
        self._extend()

    def take(self, records: Iterable[Window | Event | Notice]) -> None:
        """Show the memory what the monitor reports."""
        for record in records:
            if isinstance(record, Window):
                self._event_windows.push(record)
                self._memory.consider(record, self._reported)
                self._reported = []
                continue
            self._reported.append(record)
            if isinstance(record, Event):
                self._memory.keep(record, self._event_windows.of(record))

    def follow(self, clock: Callable[[], float]) -> Notice | None:
        """Take up a change of the memory. Return a notice if there is one.

        A memory that cannot be read leaves the detector as it is, because a monitor must go on.
        """
        try:
            if not self._memory.reload_if_changed():
                return None
            self._extend()
            text = "The memory of what is normal has changed, and the monitor uses it."
            details: dict[str, Any] = {"n_changes": len(self._memory.changes)}
        except (OSError, ValueError) as error:
            text = f"The memory of what is normal cannot be used, and the detector stays as it was: {error}"
            details = {"error": str(error)}
        now = clock()
        return Notice(f"memory-{now:.3f}", now, "memory", text, details=details)

    def _extend(self):
        extended = self._memory.extend(self._detector)
        self._scorer.update_detector(split_last_step(extended)[1])
