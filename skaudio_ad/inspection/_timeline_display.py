"""`TimelineDisplay`: scores over a long recording."""

import datetime as dt
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
import numpy.typing as npt
from sklearn.utils import column_or_1d

from .._checks import check_number, check_option
from ..recordings import RecordingTimeline
from ._drawing import ANOMALOUS, CURVE_STYLES, CURVES, SCORE_LABEL, THRESHOLD, count, file_name, get_axes
from ._time_axis import (
    break_at_gaps,
    envelope,
    join_near,
    label_clock_time,
    label_elapsed_time,
    runs,
    to_dates,
)
from ._timeline_checks import check_curve, read_events

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Number of columns that a long curve is reduced to. An axis on a screen has fewer pixels.
_N_COLUMNS = 2000
# Maximum number of windows that are drawn as a line. A longer curve is drawn as an envelope.
_MAX_WINDOWS = 2 * _N_COLUMNS
# Label of the vertical axis for every kind of value.
_LABELS = {"score": SCORE_LABEL, "p-value": "p-value"}


class TimelineDisplay:
    """Scores or p-values over minutes, hours or days of one recording, with the threshold and the events.

    A curve of more than 4 000 windows is drawn as an envelope: the smallest and the largest value in each of 2 000
    columns of equal duration. So a single low window among millions stays visible. Data coordinates are seconds from
    the start of the recording, or matplotlib's dates if `start` is given.

    Parameters
    ----------
    times : array-like of shape (n_windows,)
        Middles of the windows in rising order, in seconds from the start of the recording.
    scores : array-like of shape (n_windows,)
        Scores, where higher is more normal, or p-values. Windows with NaN are left blank, and the title shows their
        number.
    threshold : float, default=None
        Threshold of a window, on the scale of `scores`.
    events : iterable of (float, float) or of objects with ``start`` and ``end``, default=None
        Start and end of the events to shade, in seconds. None shades every run of windows below the threshold, and an
        empty list shades nothing.
    start : datetime.datetime, default=None
        Clock time of the start of the recording. The axis then shows the clock time, in the time zone of `start`.
    kind : {"score", "p-value"}, default="score"
        Kind of the values. P-values have a logarithmic axis, and a window is part of an event if its p-value is the
        threshold or less. A window with a score is part of an event if its score is below the threshold.
    name : str, default=None
        Name of the curve in the legend.

    Attributes
    ----------
    events_ : ndarray of shape (n_events, 2)
        Start and end of every event, in seconds.
    ax_ : matplotlib.axes.Axes
    figure_ : matplotlib.figure.Figure

    Raises
    ------
    ValueError
        If the shapes differ, the times do not rise, a score is infinite, a p-value is not in (0, 1], or an event ends
        before its start.
    TypeError
        If `start` is no datetime.

    See Also
    --------
    skaudio_ad.recordings.score_recording : Score the windows of a long recording, for `from_timeline`.
    LocalScoreDisplay : Spectrogram and local scores of a short clip.

    Examples
    --------
    >>> import numpy as np
    >>> from skaudio_ad.inspection import TimelineDisplay
    >>> times, scores = np.arange(0.5, 3600), np.full(3600, -1.0)
    >>> scores[1200:1230] = -3
    >>> display = TimelineDisplay.from_predictions(times, scores, threshold=-2)
    >>> display.events_.tolist()
    [[1200.0, 1230.0]]
    """

    events_: npt.NDArray[np.float64]
    ax_: "Axes"
    figure_: "Figure"

    def __init__(
        self,
        times: npt.ArrayLike,
        scores: npt.ArrayLike,
        *,
        threshold: float | None = None,
        events: Iterable[Any] | None = None,
        start: dt.datetime | None = None,
        kind: Literal["score", "p-value"] = "score",
        name: str | None = None,
    ) -> None:
        check_option(kind, "kind", tuple(_LABELS))
        self.times = column_or_1d(times, dtype=np.float64)
        self.scores = column_or_1d(scores, dtype=np.float64)
        check_curve(self.times, self.scores, kind)
        if threshold is not None:
            check_number(threshold, "threshold", low=-np.inf, high=np.inf, closed="neither")
        if start is not None and not isinstance(start, dt.datetime):
            raise TypeError(f"start must be a datetime.datetime or None, got {start!r}.")
        self.threshold = threshold
        self.start = start
        self.kind = kind
        self.name = name
        self.events_ = self._runs_below() if events is None else read_events(events)

    @classmethod
    def from_predictions(
        cls,
        times: npt.ArrayLike,
        scores: npt.ArrayLike,
        *,
        threshold: float | None = None,
        events: Iterable[Any] | None = None,
        start: dt.datetime | None = None,
        kind: Literal["score", "p-value"] = "score",
        name: str | None = None,
        ax: "Axes | None" = None,
    ) -> Self:
        """Draw given scores.

        Parameters
        ----------
        times : array-like of shape (n_windows,)
            Middles of the windows in rising order, in seconds from the start of the recording.
        scores : array-like of shape (n_windows,)
            Scores or p-values. Windows with NaN are left blank.
        threshold : float, default=None
            Threshold of a window, on the scale of `scores`.
        events : iterable of (float, float) or of objects with ``start`` and ``end``, default=None
            Start and end of the events to shade, in seconds. None shades every run of windows below the threshold.
        start : datetime.datetime, default=None
            Clock time of the start of the recording.
        kind : {"score", "p-value"}, default="score"
            Kind of the values.
        name : str, default=None
            Name of the curve in the legend.
        ax : matplotlib.axes.Axes, default=None

        Returns
        -------
        TimelineDisplay

        Raises
        ------
        ValueError, TypeError
            For the reasons of the class, or if all scores are NaN.
        """
        display = cls(times, scores, threshold=threshold, events=events, start=start, kind=kind, name=name)
        return display.plot(ax=ax)

    @classmethod
    def from_timeline(
        cls,
        timeline: RecordingTimeline,
        *,
        start: dt.datetime | None = None,
        kind: Literal["score", "p-value"] = "score",
        name: str | None = None,
        ax: "Axes | None" = None,
    ) -> Self:
        """Draw the windows and the events of a long recording.

        Parameters
        ----------
        timeline : RecordingTimeline
            Result of :func:`~skaudio_ad.recordings.score_recording`.
        start : datetime.datetime, default=None
            Clock time of the start of the recording.
        kind : {"score", "p-value"}, default="score"
            Kind of the values. The threshold is drawn with scores only.
        name : str, default=None
            Name of the curve in the legend. None is the name of the file.
        ax : matplotlib.axes.Axes, default=None

        Returns
        -------
        TimelineDisplay

        Raises
        ------
        ValueError
            If no window has a value of this kind.
        """
        has_threshold = kind == "score" and np.isfinite(timeline.threshold)
        return cls.from_predictions(
            timeline.times + timeline.window / 2,
            timeline.scores if kind == "score" else timeline.p_values,
            threshold=timeline.threshold if has_threshold else None,
            events=timeline.events,
            start=start,
            kind=kind,
            name=file_name(timeline.path) if name is None else name,
            ax=ax,
        )

    def plot(self, *, ax: "Axes | None" = None) -> Self:
        """Draw the display.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Axes to draw on. By default a new figure is made. If the axes hold a timeline already, the new curve has the
            next colour.

        Returns
        -------
        TimelineDisplay
        """
        present = ~np.isnan(self.scores)
        if not present.any():
            raise ValueError("there is no score to draw: all scores are NaN.")
        self.figure_, self.ax_ = get_axes(ax, (10, 3.6))
        n_before = sum(artist.get_gid() == "timeline" for artist in [*self.ax_.lines, *self.ax_.collections])
        color, style = CURVES[n_before % len(CURVES)], CURVE_STYLES[n_before % len(CURVE_STYLES)]
        self._draw_events()
        self._draw_curve(color, style)
        if self.threshold is not None:
            label = f"threshold ({self.threshold:.3g})"
            self.ax_.axhline(self.threshold, color=THRESHOLD, linestyle="--", linewidth=1, label=label)
        self.ax_.set(ylabel=_LABELS[self.kind])
        if self.kind == "p-value":
            self.ax_.set_yscale("log")
            self.ax_.yaxis.set_major_formatter("{x:g}")
        limits = self._places([self.times[0] - self._half_step(), self.times[-1] + self._half_step()])
        if n_before:
            limits = np.append(limits, self.ax_.get_xlim())
        self.ax_.set_xlim(min(limits), max(limits))
        if self.start is None:
            label_elapsed_time(self.ax_.xaxis, np.ptp(self.ax_.get_xlim()))
        else:
            label_clock_time(self.ax_.xaxis, self.start)
        if not present.all():
            n_missing = np.count_nonzero(~present)
            # The padding leaves room for the legend.
            self.ax_.set_title(
                f"{count(n_missing, 'window')} without a score left blank", fontsize="medium", pad=24
            )
        # The legend is above the axes, because inside the axes the legend would hide a part of the curve.
        if self.ax_.get_legend_handles_labels()[0]:
            self.ax_.legend(
                loc="lower right", bbox_to_anchor=(1, 1), ncols=4, frameon=False, fontsize="small"
            )
        return self

    def _places(self, seconds):
        return np.asarray(seconds) if self.start is None else to_dates(self.start, seconds)

    def _draw_curve(self, color, style):
        if len(self.times) <= _MAX_WINDOWS:
            times, scores = break_at_gaps(self.times, self.scores)
            # A window between two gaps has no line, so short curves show every window.
            marker = "." if len(self.times) <= 100 else None
            self.ax_.plot(
                self._places(times),
                scores,
                color=color,
                linestyle=style,
                linewidth=1,
                marker=marker,
                label=self.name,
                gid="timeline",
            )
            return
        edges, low, high = envelope(self.times, self.scores, _N_COLUMNS)
        n_windows = f"{len(self.times):,}".replace(",", " ")
        label = f"smallest to largest of {n_windows} windows"
        # The edges are drawn too, because a column with one value has no area.
        self.ax_.fill_between(
            self._places(edges),
            np.append(low, low[-1]),
            np.append(high, high[-1]),
            step="post",
            color=color,
            linewidth=0.8,
            label=label if self.name is None else f"{self.name}, {label}",
            gid="timeline",
        )

    def _draw_events(self):
        if not len(self.events_):
            return
        first, last = self.times[0], self.times[-1]
        spans = join_near(self.events_, (last - first) / _N_COLUMNS)
        starts, ends = self._places(spans).T
        # The edge of a span has a width in points, so that a short event in a long recording stays visible.
        self.ax_.broken_barh(
            list(zip(starts, ends - starts)),
            (0, 1),
            transform=self.ax_.get_xaxis_transform(),
            facecolor=ANOMALOUS,
            edgecolor=ANOMALOUS,
            alpha=0.3,
            linewidth=1,
            label=count(len(self.events_), "event"),
        )

    def _runs_below(self):
        """Return the start and the end of every run of windows below the threshold."""
        if self.threshold is None:
            return np.empty((0, 2))
        is_below = self.scores <= self.threshold if self.kind == "p-value" else self.scores < self.threshold
        first, last = runs(is_below)
        return np.column_stack([self.times[first] - self._half_step(), self.times[last] + self._half_step()])

    def _half_step(self):
        """Return the time that a window reaches to both sides of its middle."""
        return float(np.median(np.diff(self.times))) / 2 if len(self.times) > 1 else 0.5
