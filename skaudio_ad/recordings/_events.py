"""Find the events of a recording in the scores of its windows."""

import math
from collections.abc import Iterable

import numpy.typing as npt

from ._alarm_policy import AlarmPolicy
from ._event import Event
from ._event_finder import EventFinder

__all__ = ["AlarmPolicy", "Event", "EventFinder", "find_events"]


def find_events(
    starts: npt.ArrayLike,
    ends: npt.ArrayLike,
    scores: npt.ArrayLike,
    policy: AlarmPolicy,
    p_values: npt.ArrayLike | None = None,
    bands: Iterable[tuple[float | None, float | None]] | None = None,
    *,
    source: str = "",
) -> list[Event]:
    """Find the events of a recording from the scores of its windows.

    Parameters
    ----------
    starts, ends : array-like of shape (n_windows,)
        Times of the windows, in seconds.
    scores : array-like of shape (n_windows,)
        Higher is more normal. NaN if a window has no score.
    policy : AlarmPolicy
    p_values : array-like of shape (n_windows,) or None, default=None
    bands : iterable of (float or None, float or None), or None, default=None
        Lowest and highest frequency, in hertz, of the band that sounds least normal.
    source : str, default=""
        Path of the recording.

    Returns
    -------
    list of Event
        All events are cleared. An event that goes on at the end of the recording has the reason "the sound stopped".

    Raises
    ------
    ValueError
        If the arrays differ in length, or windows are not in order.

    Examples
    --------
    >>> from skaudio_ad.recordings import AlarmPolicy, find_events
    >>> policy = AlarmPolicy(raise_level=-2.0, clear_level=-1.0)
    >>> scores = [0.1, -3.0, -1.5, -2.5, 0.2, 0.3]
    >>> (event,) = find_events(range(6), range(1, 7), scores, policy)
    >>> event.start, event.end, event.score, event.reason
    (1.0, 4.0, -3.0, 'normal again')
    """
    times, until, values = (list(map(float, column)) for column in (starts, ends, scores))  # type: ignore[arg-type]
    nan = [math.nan] * len(values)
    chances = nan if p_values is None else list(map(float, p_values))  # type: ignore[arg-type]
    edges = [(None, None)] * len(values) if bands is None else list(bands)
    if len({len(column) for column in (times, until, values, chances, edges)}) > 1:
        raise ValueError(
            "starts, ends, scores, p_values and bands must have one entry for every window, got "
            f"{len(times)}, {len(until)}, {len(values)}, {len(chances)} and {len(edges)}."
        )
    finder, found = EventFinder(policy, source), []
    for start, end, score, p_value, (low, high) in zip(times, until, values, chances, edges):
        found += finder.push(start, end, score, p_value, low, high)
    if values:
        found += finder.interrupt(until[-1])
    return [event for event in found if event.state == "cleared"]
