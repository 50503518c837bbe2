"""Ticks of a long time axis at whole seconds, minutes and hours, and thinning of long curves."""

import datetime as dt

import numpy as np

# Steps between ticks, in seconds: from 0.1 s to 30 days.
_STEPS = np.array(
    [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30]
    + [60 * minutes for minutes in (1, 2, 5, 10, 20, 30)]
    + [3600 * hours for hours in (1, 2, 3, 6, 12, 24, 48, 120, 240, 720)]
)
# Maximum number of steps between the first and the last tick.
_MAX_STEPS = 9
# Length of an axis, in seconds, from which ticks show minutes, and from which ticks show hours.
_MINUTES, _HOURS = 120, 7200


def label_elapsed_time(axis, length):
    """Label an axis of seconds at whole seconds, minutes or hours, whichever suits its length.

    Parameters
    ----------
    axis : matplotlib.axis.Axis
        Axis whose data coordinates are seconds.
    length : float
        Length of the axis, in seconds.
    """
    from matplotlib.ticker import FuncFormatter, MultipleLocator

    step = _STEPS[min(np.searchsorted(_STEPS * _MAX_STEPS, length), len(_STEPS) - 1)]
    axis.set_major_locator(MultipleLocator(step))
    unit = next(
        unit for limit, unit in ((_MINUTES, "s"), (_HOURS, "min:s"), (np.inf, "h:min")) if length <= limit
    )
    axis.set_major_formatter(FuncFormatter(lambda value, _: _elapsed(value, unit)))
    axis.set_label_text(f"time ({unit})")


def _elapsed(seconds, unit):
    if unit == "s":
        return f"{seconds:g}"
    sign, small = "-" if seconds < 0 else "", round(abs(seconds) / (1 if unit == "min:s" else 60))
    return f"{sign}{small // 60}:{small % 60:02d}"


def label_clock_time(axis, start):
    """Label an axis of matplotlib's dates with the clock time, and with the time zone of `start`.

    Parameters
    ----------
    axis : matplotlib.axis.Axis
    start : datetime.datetime
    """
    from matplotlib.dates import MINUTELY, SECONDLY, AutoDateLocator, ConciseDateFormatter

    locator = AutoDateLocator(tz=start.tzinfo, minticks=4, maxticks=9)
    # The locator has no steps of two and twenty minutes or seconds of its own.
    for unit in (MINUTELY, SECONDLY):
        locator.intervald[unit] = [1, 2, 5, 10, 15, 20, 30]
    axis.set_major_locator(locator)
    axis.set_major_formatter(ConciseDateFormatter(locator, tz=start.tzinfo))
    zone = start.tzname()
    axis.set_label_text("clock time" if zone is None else f"clock time ({zone})")


def to_dates(start, seconds):
    """Convert seconds after `start` to matplotlib's dates, in days.

    Parameters
    ----------
    start : datetime.datetime
    seconds : ndarray

    Returns
    -------
    ndarray
    """
    from matplotlib.dates import date2num

    return date2num(start) + np.asarray(seconds) / dt.timedelta(days=1).total_seconds()


def envelope(times, values, n_columns):
    """Reduce a curve to its smallest and its largest value in every column of a picture.

    Parameters
    ----------
    times : ndarray of shape (n_values,)
        Rising times.
    values : ndarray of shape (n_values,)
        NaN values are left out.
    n_columns : int
        Number of columns of equal duration.

    Returns
    -------
    edges : ndarray of shape (n_columns + 1,)
        Edges of the columns.
    low, high : ndarray of shape (n_columns,)
        NaN in columns without a value.
    """
    edges = np.linspace(times[0], times[-1], n_columns + 1)
    starts = np.searchsorted(times, edges[:-1])
    is_empty = np.diff(starts, append=len(times)) == 0
    low, high = (function.reduceat(values, starts) for function in (np.fmin, np.fmax))
    low[is_empty] = high[is_empty] = np.nan
    return edges, low, high


def break_at_gaps(times, values):
    """Put NaN between two windows that are more than three ordinary steps apart, so that no line joins them.

    Parameters
    ----------
    times, values : ndarray of shape (n_values,)

    Returns
    -------
    times, values : ndarray of shape (n_values + n_gaps,)
    """
    steps = np.diff(times)
    if not len(steps):
        return times, values
    after = np.flatnonzero(steps > 3 * np.median(steps)) + 1
    return np.insert(times, after, times[after - 1]), np.insert(values, after, np.nan)


def runs(is_below):
    """Find the runs of True.

    Parameters
    ----------
    is_below : ndarray of bool of shape (n_windows,)

    Returns
    -------
    first, last : ndarray of shape (n_runs,), int
        Position of the first and of the last window of every run.
    """
    changes = np.diff(is_below.astype(np.int8), prepend=0, append=0)
    return np.flatnonzero(changes == 1), np.flatnonzero(changes == -1) - 1


def join_near(spans, distance):
    """Join spans that are at most `distance` apart, because a picture cannot show the gap between them.

    Parameters
    ----------
    spans : ndarray of shape (n_spans, 2)
        Start and end of every span.
    distance : float

    Returns
    -------
    ndarray of shape (n_joined, 2)
    """
    if not len(spans):
        return spans
    spans = spans[np.argsort(spans[:, 0], kind="stable")]
    ends = np.maximum.accumulate(spans[:, 1])
    is_first = np.append(True, spans[1:, 0] > ends[:-1] + distance)
    last = np.append(np.flatnonzero(is_first)[1:] - 1, len(spans) - 1)
    return np.column_stack([spans[is_first, 0], ends[last]])
