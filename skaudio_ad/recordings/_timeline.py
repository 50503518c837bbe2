"""`score_recording`: the scores of all windows of one long recording, and its events."""

import csv
import html
import io
import os
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from .._atomic import atomic_path
from .._clip_errors import shown
from .._csv_text import text_cell, utf8_name
from .._pandas import import_pandas
from .._typing import FloatArray, PathLike
from ..audio import AudioReadWarning
from ._alarm_policy import AlarmPolicy
from ._events import Event, find_events
from ._moments import Moment
from ._window_scorer import WindowScore, WindowScorer
from ._window_stream import WindowStream

#: Columns of the table of windows.
WINDOW_COLUMNS = ("path", "start_s", "end_s", "score", "p_value", "low_hz", "high_hz", "error")
# Maximum number of events that a notebook shows.
_N_SHOWN = 10


@dataclass(frozen=True, eq=False)
class RecordingTimeline:
    """Scores of the windows of one recording, and its events. Times are seconds from the start of the file.

    Attributes
    ----------
    path : str
    times : ndarray of shape (n_windows,)
        Starts of the windows, in rising order.
    window, hop : float
        Duration of a window, and time between two starts, in seconds. The last window ends with the recording, so it
        may begin less than `hop` after the window before.
    scores : ndarray of shape (n_windows,)
        Higher is more normal. NaN if a window could not be scored.
    p_values : ndarray of shape (n_windows,)
        Conformal p-values. NaN if the detector has no calibration scores.
    low_hz, high_hz : ndarray of shape (n_windows,)
        Lowest and highest frequency of the band that sounds least normal. NaN if the detector does not score bands.
    errors : list of str
        Why a window has no score, or "", one entry for every window.
    events : list of Event
        Stretches that sound wrong. Empty if there are none, or if neither the detector nor the caller gave a level.
    threshold : float
        Score below which a window counts as anomalous: the level of the policy, or else of the detector. NaN if there
        is none.
    duration : float
        Time up to which the recording was scored, in seconds.
    error : str
        Why the recording could not be decoded to its end, or "".

    Examples
    --------
    >>> import numpy as np
    >>> from skaudio_ad.recordings import RecordingTimeline
    >>> timeline = RecordingTimeline("fan.wav", np.array([0.0, 5.0]), 10.0, 5.0, np.array([-1.0, -4.0]))
    >>> timeline.worst
    Moment(start=5.0, end=15.0, score=-4.0, low_hz=None, high_hz=None)
    """

    path: str
    times: FloatArray
    window: float
    hop: float
    scores: FloatArray
    p_values: FloatArray = field(default_factory=lambda: np.empty(0))
    low_hz: FloatArray = field(default_factory=lambda: np.empty(0))
    high_hz: FloatArray = field(default_factory=lambda: np.empty(0))
    errors: list[str] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    threshold: float = float("nan")
    duration: float = float("nan")
    error: str = ""

    def __post_init__(self) -> None:
        for name in ("p_values", "low_hz", "high_hz"):
            if not len(getattr(self, name)):
                object.__setattr__(self, name, np.full(len(self.times), np.nan))
        if not self.errors:
            object.__setattr__(self, "errors", [""] * len(self.times))

    @property
    def worst(self) -> Moment | None:
        """The least normal window, or None if no window has a score."""
        if np.isnan(self.scores).all():
            return None
        index = int(np.nanargmin(self.scores))
        start = float(self.times[index])
        band = _none_if_nan(self.low_hz[index]), _none_if_nan(self.high_hz[index])
        return Moment(start, start + self.window, float(self.scores[index]), *band)

    def rows(self) -> Iterator[tuple[Any, ...]]:
        """Yield the rows of the table of windows.

        Yields
        ------
        tuple
            Path, start and end in seconds, score, p-value, lowest and highest frequency, error. NaN where a value is
            missing.
        """
        columns = (self.times, self.scores, self.p_values, self.low_hz, self.high_hz)
        for (start, *values), error in zip(zip(*(column.tolist() for column in columns)), self.errors):
            yield self.path, start, round(start + self.window, 9), *values, error

    def to_frame(self) -> Any:
        """Return the windows as a table of pandas.

        Returns
        -------
        pandas.DataFrame
            One row for every window, with the columns `path`, `start_s`, `end_s`, `score`, `p_value`, `low_hz`,
            `high_hz` and `error`.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        pd = import_pandas()
        return pd.DataFrame(list(self.rows()), columns=list(WINDOW_COLUMNS))

    def to_csv(self, path: PathLike) -> None:
        """Write the windows as a CSV table. An older file is replaced when the new one is complete.

        Parameters
        ----------
        path : str or path-like

        Raises
        ------
        OSError
            If the file cannot be written.
        """
        with atomic_path(path) as temporary, open(temporary, "w", encoding="utf-8", newline="") as file:
            file.write(csv_line(WINDOW_COLUMNS))
            file.writelines(window_line(row) for row in self.rows())

    def __repr__(self) -> str:
        return f"<RecordingTimeline: {self._summary()}>"

    def _summary(self):
        text = (
            f"{shown(self.path)}, {len(self.times)} windows of {self.window:g} s, {len(self.events)} event(s)"
        )
        return f"{text}, {shown(self.error)}" if self.error else text

    def _repr_html_(self) -> str:
        """Return the summary and a table of the least normal events."""
        events = sorted(self.events, key=lambda event: event.score)[:_N_SHOWN]
        head = "".join(
            f"<th>{name}</th>" for name in ("start", "end", "score", "p-value", "low_hz", "high_hz")
        )
        rows = "".join(
            f"<tr>{''.join(f'<td>{cell}</td>' for cell in _cells(event))}</tr>" for event in events
        )
        which = f" The {len(events)} least normal:" if len(events) < len(self.events) else ""
        table = f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>" if rows else ""
        return f"<p>{html.escape(self._summary())}.{which}</p>{table}"


def score_recording(
    detector: BaseEstimator,
    path: PathLike,
    *,
    window: float | None = None,
    hop: float | None = None,
    policy: AlarmPolicy | None = None,
    progress: Callable[[float], None] | None = None,
) -> RecordingTimeline:
    """Score all windows of one long recording, and find the events that sound wrong.

    The recording is decoded block by block, so the memory does not grow with its length. A thread decodes ahead. Every
    window gets the score that the detector gives to a clip with the same samples.

    Parameters
    ----------
    detector : sklearn.pipeline.Pipeline
        Fitted pipeline that begins with an :class:`AudioLoader` and ends in a detector, trained on clips of the
        duration of a window. :func:`skaudio_ad.audio.segment` cuts long recordings into such clips. The offset of the
        loader has no effect on windows.
    path : str or path-like
        Recording. With a media fragment (``long.wav#t=600,1200``), only this stretch is scored.
    window : float, default=None
        Duration of a window, in seconds. None is the duration of the training clips.
    hop : float, default=None
        Time from the start of a window to the start of the next one, in seconds. None is half a window: a sound of at
        most half a window then lies whole in one of the windows.
    policy : AlarmPolicy, default=None
        Levels and durations of events. None takes the levels of :meth:`AlarmPolicy.from_detector`, with events of any
        duration and no refractory time, because a recording can be listened to again.
    progress : callable, default=None
        ``progress(seconds)`` is called after every batch of windows, with the time up to which the recording has been
        scored.

    Returns
    -------
    RecordingTimeline

    Raises
    ------
    ValueError
        If the detector does not begin with an AudioLoader, or was trained on clips of another duration.
    AudioReadError
        If the recording cannot be opened, lacks the channel, or is shorter than one window.
    WeightsError, ImportError
        If the weights of the network or a package are missing.

    Warns
    -----
    AudioReadWarning
        If the recording cannot be decoded to its end, such as a truncated file. The windows before the fault are
        scored, and ``error`` of the result says what is wrong. Windows that hold NaN are warned of, too.

    See Also
    --------
    score_recordings : Score recordings as a whole.
    skaudio_ad.inspection.TimelineDisplay : Draw the result.
    """
    scorer = WindowScorer(detector, window=window, hop=hop)
    stream = WindowStream(scorer, path)
    windows: list[tuple[float, WindowScore]] = []
    for batch in stream:
        windows += batch
        if progress is not None:
            progress(stream.seconds)
    timeline = make_timeline(stream, windows, choose_policy(detector, policy))
    if fault := describe_faults(timeline):
        warnings.warn(f"{shown(timeline.path)}: {fault}", AudioReadWarning, stacklevel=2)
    return timeline


def choose_policy(detector: Any, policy: AlarmPolicy | None = None) -> AlarmPolicy | None:
    """Return the policy for a recording: the given one, or that of the detector. None if there is no level."""
    if policy is not None:
        return policy
    try:
        return AlarmPolicy.from_detector(detector, max_duration=np.inf, refractory=0.0)
    except ValueError:  # the detector has no threshold
        return None


def make_timeline(
    stream: WindowStream, windows: list[tuple[float, WindowScore]], policy: AlarmPolicy | None
) -> RecordingTimeline:
    """Make the timeline of a recording whose windows have been scored.

    Parameters
    ----------
    stream : WindowStream
    windows : list of (float, WindowScore)
        All windows of the stream.
    policy : AlarmPolicy or None
        None finds no events.

    Returns
    -------
    RecordingTimeline
    """
    scorer, scores = stream.scorer, [score for _, score in windows]
    times = np.array([start for start, _ in windows], dtype=np.float64)
    values = np.array([(row.score, row.p_value) for row in scores], dtype=np.float64)
    bands = [(row.low_hz, row.high_hz) for row in scores]
    events: list[Event] = []
    if policy is not None:
        events = find_events(
            times, times + scorer.window, values[:, 0], policy, values[:, 1], bands, source=stream.path
        )
    edges = np.array(bands, dtype=np.float64)
    return RecordingTimeline(
        stream.path,
        times,
        scorer.window,
        scorer.hop,
        values[:, 0],
        values[:, 1],
        edges[:, 0],
        edges[:, 1],
        [row.error for row in scores],
        events,
        scorer.threshold if policy is None else policy.raise_level,
        stream.seconds,
        stream.error,
    )


def describe_faults(timeline: RecordingTimeline) -> str:
    """Say what could not be scored in a recording, or "".

    Parameters
    ----------
    timeline : RecordingTimeline

    Returns
    -------
    str
    """
    faults = []
    if timeline.error:
        faults.append(f"{timeline.error}. The recording was scored up to {timeline.duration:g} s.")
    failed = [index for index, error in enumerate(timeline.errors) if error]
    if failed:
        first = failed[0]
        faults.append(
            f"{len(failed)} of {len(timeline.times)} windows have no score. The first, at {timeline.times[first]:g} s, "
            f"{timeline.errors[first]}"
        )
    return " ".join(faults)


def csv_line(cells: Any) -> str:
    """Return one line of CSV. Texts have quotes, because a spreadsheet may read a semicolon as the end of a cell."""
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n").writerow(cells)
    return text.getvalue()


def window_line(row: tuple[Any, ...]) -> str:
    """Return the line of CSV of one window.

    Parameters
    ----------
    row : tuple
        Row of :meth:`RecordingTimeline.rows`.

    Returns
    -------
    str
    """
    path, *values, error = row
    numbers = ["" if value is None or np.isnan(value) else value for value in values]
    return csv_line([text_cell(utf8_name(os.fsdecode(path))), *numbers, text_cell(shown(error))])


def _none_if_nan(value):
    return None if np.isnan(value) else float(value)


def _cells(event):
    values = event.start, event.end, event.score, event.p_value, event.low_hz, event.high_hz
    return ["" if value is None or np.isnan(value) else f"{value:.4g}" for value in values]
