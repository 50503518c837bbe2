"""Replay the scores of normal recordings, and count the events at any level."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from .._typing import FloatArray
from ..recordings import AlarmPolicy, EventFinder

# Duration of the blocks that are compared for clusters of events: events of an hour share a cause such as a visitor,
# events of a day share the weather and the work.
_BLOCK_HOURS = (1, 24)


class Replay:
    """Scores of normal recordings. Every recording is replayed on its own, so no event spans two recordings.

    Parameters
    ----------
    recordings : iterable of (starts, scores)
        Arrays of shape (n_windows,) for every recording: times in seconds and scores. NaN if a window has no score.
    window, hop : float
        Duration of a window and time from one window to the next one, in seconds.
    clear_level : float
        Score that clears an alarm.
    shape : dict
        Other parameters of the :class:`AlarmPolicy`.

    Attributes
    ----------
    hours : float
        Time in which an alarm could have been raised. Every window with a score counts for the time of a hop. The first
        windows of a recording that can raise no alarm, because of `n_raise` or `min_duration`, do not count.
    """

    def __init__(
        self,
        recordings: Iterable[tuple[npt.ArrayLike, npt.ArrayLike]],
        window: float,
        hop: float,
        clear_level: float,
        shape: dict[str, Any],
    ) -> None:
        self.window, self.hop = window, hop
        self.policy = AlarmPolicy(clear_level, clear_level, **shape)
        # Number of windows that pass before an alarm can be raised.
        waiting = math.ceil(round((self.policy.min_duration - window) / hop, 9))
        self._n_waiting = max(self.policy.n_raise - 1, waiting, 0)
        self._recordings = [_Recording(starts, scores, self.policy) for starts, scores in recordings]
        # The first windows that have a score can raise no alarm.
        self._times = [own.times[~np.isnan(own.scores)][self._n_waiting :] for own in self._recordings]
        self.hours = sum(map(len, self._times)) * hop / 3600

    @property
    def levels(self) -> FloatArray:
        """Levels at which the events change, from the strictest to the laxest: float64 of shape (n_levels,)."""
        low = np.concatenate([own.scores for own in self._recordings])
        low = np.unique(low[np.isfinite(low) & (low < self.policy.clear_level)])
        return np.append(low, self.policy.clear_level)

    def peaks(self) -> FloatArray:
        """Return the depth of every stretch that could become an event.

        Returns
        -------
        ndarray of shape (n_peaks,), float64
            The stretch is an event at every level above this score. Stretches within the refractory time after another
            one count as one.
        """
        found: list[float] = []
        for own in self._recordings:
            last = -math.inf
            begins, ends = own.times[own.first], own.times[own.last - 1] + self.window
            for begin, end, depth in zip(begins.tolist(), ends.tolist(), own.depths.tolist()):
                if begin - last < self.policy.refractory:
                    found[-1] = min(found[-1], depth)
                else:
                    found.append(depth)
                last = end
        return np.array(found)

    def count(self, level: float) -> int:
        """Return the number of events of all recordings at a level.

        Parameters
        ----------
        level : float
            Score below which a window raises an alarm.

        Returns
        -------
        int
        """
        return sum(map(len, self.find(level)))

    def find(self, level: float) -> list[list[float]]:
        """Return the start of every event at a level, for every recording."""
        policy = replace(self.policy, raise_level=level)
        return [self._find_in(own, policy) for own in self._recordings]

    def _find_in(self, own, policy):
        finder, found = EventFinder(policy, ""), []
        chosen = own.depths < policy.raise_level  # no event can begin in the other stretches
        for first, last in zip(own.first[chosen], own.last[chosen]):
            for begin, score in zip(own.times[first:last].tolist(), own.scores[first:last].tolist()):
                found += finder.push(begin, begin + self.window, score)
        return [event.start for event in found if event.state == "raised"]

    def count_in_blocks(self, level: float) -> Sequence[tuple[FloatArray, FloatArray]]:
        """Return the number of events and the hours of every block of time, for blocks of an hour and of a day.

        Parameters
        ----------
        level : float

        Returns
        -------
        list of (ndarray of shape (n_blocks,), ndarray of shape (n_blocks,))
        """
        events = self.find(level)
        made = []
        for hours in _BLOCK_HOURS:
            counts, durations = [], []
            for begins, times in zip(events, self._times):
                if not len(times):
                    continue
                edges = np.arange(times[0], times[-1] + hours * 3600, hours * 3600)
                edges = np.append(edges[edges <= times[-1]], np.inf)
                durations.append(np.histogram(times, edges)[0] * self.hop / 3600)
                # An event begins with a window before the one that raises its alarm.
                counts.append(np.histogram(np.maximum(begins, times[0]), edges)[0])
            made.append((np.concatenate(counts), np.concatenate(durations)) if counts else (np.zeros(0),) * 2)
        return made


class _Recording:
    """Windows of a recording, and its stretches: from a window that clears an alarm to the next such window.

    Such a window ends all that goes on. `depths` holds the level of every stretch above which the stretch is an event.
    """

    def __init__(self, starts, scores, policy):
        self.times, self.scores = np.asarray(starts, np.float64), np.asarray(scores, np.float64)
        clears = self.scores >= policy.clear_level
        last = np.append(np.flatnonzero(clears) + 1, len(clears))
        first = np.append(0, last[:-1])
        number = np.append(0, np.cumsum(clears))[: len(clears)]
        depths = np.full(len(last), np.inf)
        known = ~np.isnan(self.scores)
        if np.count_nonzero(known) >= policy.n_raise:
            # The highest of n_raise scores in a row must be below the level. Runs across two stretches hold a window
            # that clears, so their highest score is no depth.
            runs = np.lib.stride_tricks.sliding_window_view(self.scores[known], policy.n_raise).max(axis=1)
            np.minimum.at(depths, number[known][policy.n_raise - 1 :], runs)
        kept = depths < policy.clear_level
        self.first, self.last, self.depths = first[kept], last[kept], depths[kept]
