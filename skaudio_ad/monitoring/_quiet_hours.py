"""Which windows of quiet normal hours join the memory without a person: rarely, and never an unusual one."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from .._checks import check_number
from ..recordings._events import Event
from ..recordings._score import p_value_function
from ._extended_detector import split_last_step
from ._records import DRIFT_ALARM, Notice, Window

_DAY = 86400.0
# Kinds of notices that tell nothing about the sound.
_HARMLESS = frozenset({"start", "memory", "sink"})


@dataclass(frozen=True)
class QuietHours:
    """Rule by which windows join the memory of what is normal without a person.

    A window joins only if the detector *without its memory* calls the window normal: a p-value of at least `low`. A
    fault that grows slowly can therefore not creep in step by step. In each part of a day one window joins at most: the
    least normal one that the rule allows, because a window that is like the bank teaches nothing.

    Parameters
    ----------
    low, high : float, default=0.1, 0.5
        Smallest and largest p-value of a window that may join. An alarm is raised at much smaller p-values. Half of all
        normal windows have a p-value above 0.5. Both are choices of this package.
    n_away : int, default=10
        Number of windows before and after an event or a notice that do not join.
    per_day : int, default=24
        Maximum number of windows that join in a day.
    """

    low: float = 0.1
    high: float = 0.5
    n_away: int = 10
    per_day: int = 24

    def __post_init__(self) -> None:
        check_number(self.low, "low", low=0.05, high=1, closed="left")
        check_number(self.high, "high", low=self.low, high=1)
        check_number(self.n_away, "n_away", low=1, integer=True)
        check_number(self.per_day, "per_day", low=1, integer=True)


class QuietPicker:
    """Pick windows by a rule, one at most in each part of a day.

    Parameters
    ----------
    rule : QuietHours
    detector : estimator
        The detector without its memory.

    Raises
    ------
    ValueError
        If the detector has no p-values.
    """

    def __init__(self, rule: QuietHours, detector: Any) -> None:
        self._rule = rule
        self._last = split_last_step(detector)[1]
        self._p_values = p_value_function(self._last)
        if np.isnan(self._p_values(np.zeros(1))[0]):
            raise ValueError(
                "quiet hours need p-values, and the detector has no calibration scores: put a ThresholdedDetector "
                "around it, as make_detector does, or confirm events only."
            )
        self._waiting: deque[Window] = deque()
        self._n_since = 0  # number of windows since the start, the last event or the last notice
        self._best: tuple[float, Window] | None = None
        self._part: int | None = None

    def push(self, window: Window, records: Iterable[Event | Notice] = ()) -> Window | None:
        """Take the next window. Return a window that joins the memory, or None.

        Parameters
        ----------
        window : Window
        records : iterable of Event and Notice
            What has been reported since the last window.
        """
        reported = any(isinstance(record, Event) or record.kind not in _HARMLESS for record in records)
        if reported or window.alarm or window.error or window.drift >= DRIFT_ALARM:
            self._waiting.clear()
            self._n_since = 0
            return None
        self._n_since += 1
        if self._n_since > self._rule.n_away and window.features is not None and window.margin >= 0:
            self._waiting.append(window)
        if len(self._waiting) > self._rule.n_away:
            self._judge(self._waiting.popleft())
        return self._end_of_part(window)

    def _judge(self, window):
        """Keep the window if it is the least normal one of its part of the day that the rule allows."""
        score = self._last.score_samples(np.asarray(window.features)[np.newaxis])
        p_value = float(self._p_values(np.asarray(score))[0])
        is_less_normal = self._best is None or p_value < self._best[0]
        if self._rule.low <= p_value <= self._rule.high and is_less_normal:
            self._best = p_value, window

    def _end_of_part(self, window):
        part, before = int(window.start // (_DAY / self._rule.per_day)), self._part
        self._part = part
        if before in (None, part) or self._best is None:
            return None
        picked, self._best = self._best[1], None
        return picked
