"""Rows of the events and the windows of a long recording: on the terminal, in JSON and in CSV tables."""

import json
import math

from .._csv_text import text_cell, utf8_name
from .._json import without_nan
from ._messages import translate
from ._terminal import shown

#: Columns of the table of events.
EVENT_COLUMNS = (
    "path",
    "start_s",
    "end_s",
    "worst_time_s",
    "score",
    "p_value",
    "low_hz",
    "high_hz",
    "n_windows",
    "reason",
)


def clock(seconds):
    """Format a time as hours, minutes and seconds, such as 0:03:25.0."""
    tenths = round(10 * seconds)
    minutes, rest = divmod(tenths, 600)
    return f"{minutes // 60}:{minutes % 60:02}:{rest / 10:04.1f}"


def event_row(start, end, worst, score, p_value, path):
    """Return a line of the table of events, from texts."""
    return f"{start:>10}  {end:>10}  {worst:>10}  {score:>12}  {p_value:>7}  {path}"


def event_rows(timeline):
    """Yield the rank and the line of every event of a recording."""
    for event in () if timeline is None else timeline.events:
        p_value = "" if math.isnan(event.p_value) else f"{event.p_value:.2g}"
        times = clock(event.start), clock(event.end), clock(event.worst_time)
        yield event.score, event_row(*times, f"{event.score:.6g}", p_value, timeline.path)


def recording_json(path, timeline, error):
    """Return the rank and the JSON object of a recording."""
    worst = None if timeline is None else timeline.worst
    events = [] if timeline is None else [event_values(event) for event in timeline.events]
    values = {
        "path": path,
        "worst_time_s": None if worst is None else (worst.start + worst.end) / 2,
        "worst_score": None if worst is None else worst.score,
        "n_windows": 0 if timeline is None else len(timeline.times),
        "window_s": None if timeline is None else timeline.window,
        "hop_s": None if timeline is None else timeline.hop,
        "events": [dict(zip(EVENT_COLUMNS[1:], event[1:])) for event in events],
        "error": error,
    }
    return math.inf if worst is None else worst.score, json.dumps(without_nan(values))


def event_values(event):
    """Return the values of an event, in the order of `EVENT_COLUMNS`."""
    return (
        event.source,
        event.start,
        event.end,
        event.worst_time,
        event.score,
        event.p_value,
        event.low_hz,
        event.high_hz,
        event.n_windows,
        event.reason,
    )


def event_cells(event):
    """Return the cells of an event in a CSV table."""
    return cells(event_values(event))


def cells(row):
    """Return the cells of a row in a CSV table. The first and the last entry are texts, and the others numbers."""
    path, *values, text = row
    numbers = ["" if value is None or math.isnan(value) else value for value in values]
    return text_cell(utf8_name(path)), *numbers, text_cell(shown(translate(text)))
