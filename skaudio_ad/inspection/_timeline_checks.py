"""Checks of the curve and the events of a timeline."""

import numpy as np


def check_curve(times, scores, kind):
    """Raise unless scores can be drawn over time.

    Parameters
    ----------
    times, scores : ndarray of shape (n_windows,)
    kind : {"score", "p-value"}

    Raises
    ------
    ValueError
    """
    if len(times) != len(scores):
        raise ValueError(
            f"times and scores must have one length, got {len(times)} times and {len(scores)} scores."
        )
    if not len(times):
        raise ValueError("there is no window to draw: times is empty.")
    if not np.isfinite(times).all():
        raise ValueError(f"times must be finite, got {times[~np.isfinite(times)][0]}.")
    falls = np.flatnonzero(np.diff(times) <= 0)
    if len(falls):
        raise ValueError(
            f"times must rise, got {times[falls[0]]:g} s before {times[falls[0] + 1]:g} s: sort the windows by time."
        )
    if np.isinf(scores).any():
        raise ValueError(
            f"scores must be finite or NaN, got infinity for window {np.flatnonzero(np.isinf(scores))[0]}."
        )
    known = scores[~np.isnan(scores)]
    if kind == "p-value" and not ((known > 0) & (known <= 1)).all():
        raise ValueError('kind="p-value" needs values in (0, 1]: pass kind="score" for scores.')


def read_events(events):
    """Return the start and the end of events.

    Parameters
    ----------
    events : iterable of (float, float) or of objects with ``start`` and ``end``

    Returns
    -------
    ndarray of shape (n_events, 2)

    Raises
    ------
    ValueError
        If an event ends before its start.
    """
    pairs = [(event.start, event.end) if hasattr(event, "start") else event for event in events]
    spans = np.array(pairs, dtype=np.float64).reshape(-1, 2)
    wrong = np.flatnonzero(~(spans[:, 1] >= spans[:, 0]))
    if len(wrong):
        low, high = spans[wrong[0]]
        raise ValueError(
            f"an event must end after its start, got the start {low:g} s and the end {high:g} s."
        )
    return spans
