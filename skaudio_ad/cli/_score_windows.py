"""``skaudio-ad score`` on windows: the events of long recordings."""

import contextlib
import math

import click

from .._clip_errors import explain
from .._file_names import file_names
from ..audio import AudioReadError
from ..audio._open import read_duration
from ..recordings._exports import moments_in_file
from ..recordings._summary import false_alarm_rate
from ..recordings._timeline import WINDOW_COLUMNS, choose_policy, make_timeline
from ..recordings._unwrap import last_step
from ..recordings._window_scorer import WindowScorer
from ..recordings._window_stream import WindowStream
from ._common import describe_error
from ._event_rows import EVENT_COLUMNS, cells, clock, event_cells, event_row, event_rows, recording_json
from ._messages import translate
from ._options import FILE
from ._pictures import draw_timeline
from ._table import open_rows
from ._terminal import progress_bar, say

_options = (
    click.option(
        "--window",
        type=click.FloatRange(min=0, min_open=True),
        metavar="SECONDS",
        help="Score windows of this duration, for long recordings, and print events.  [default: windows if the "
        "detector was trained with `fit --window`, else whole recordings]",
    ),
    click.option(
        "--hop",
        type=click.FloatRange(min=0, min_open=True),
        metavar="SECONDS",
        help="Time from the start of a window to the start of the next one.  [default: half a window]",
    ),
    click.option(
        "--events-csv",
        "events_path",
        type=FILE,
        metavar="FILE.csv",
        help="File to write the events of windows to. --csv then holds all windows.",
    ),
)


def window_options(command):
    """Add the options of windows to a command."""
    for option in reversed(_options):
        command = option(command)
    return command


def find_windows(metadata, window, hop):
    """Return the duration of the windows that recordings are scored by, or None if recordings are scored as a whole.

    Parameters
    ----------
    metadata : dict
        Metadata of the saved detector.
    window, hop : float or None
        Options of the command line.

    Returns
    -------
    float or None
        The option, or the duration of the segments that the detector was trained on. NaN if only `hop` is given: the
        duration then follows from the training clips.
    """
    if window is not None:
        return window
    trained_on = (metadata.get("training") or {}).get("window")
    if trained_on is not None:
        return float(trained_on)
    return None if hop is None else math.nan


class WindowScores:
    """Score the windows of recordings, and write what was found.

    Parameters
    ----------
    pipeline : fitted estimator
    window : float
        Duration of a window in seconds. NaN is the duration of the training clips.
    hop : float or None

    Attributes
    ----------
    failed : list of str
        Recordings that could not be scored, or not to their end.
    undrawn : list of str
        Recordings that could not be drawn.
    n_events : int
    found : list of FoundMoments
        Events of all recordings, for editors of sounds.
    """

    def __init__(self, pipeline, window, hop):
        self.pipeline = pipeline
        self.scorer = WindowScorer(pipeline, window=None if math.isnan(window) else window, hop=hop)
        self.policy = choose_policy(pipeline)
        self.failed, self.undrawn, self.found = [], [], []
        self.n_events = self.n_windows = self.n_below = self.n_with_events = self.n_recordings = 0

    def run(self, paths, *, csv_path, events_path, as_json, sort, pictures):
        """Score all recordings.

        Parameters
        ----------
        paths : list of str
        csv_path, events_path : pathlib.Path or None
            Tables of windows and of events.
        as_json : bool
            Whether to print one JSON object for every recording instead of the table of events.
        sort : bool
            Whether to print the least normal recordings, or events, first.
        pictures : pathlib.Path or None
            Folder of pictures.
        """
        names = file_names(paths, ".png")
        waiting = []
        with contextlib.ExitStack() as stack:
            write_window = stack.enter_context(open_rows(csv_path, WINDOW_COLUMNS))
            write_event = stack.enter_context(open_rows(events_path, EVENT_COLUMNS))
            advance = stack.enter_context(progress_bar("scoring windows", self._expect(paths)))
            if not as_json:
                say(event_row("start", "end", "worst", "score", "p-value", "recording"))
            for path in paths:
                timeline, error = self._score(path, advance, write_window)
                for event in () if timeline is None else timeline.events:
                    write_event(event_cells(event))
                lines = [recording_json(path, timeline, error)] if as_json else list(event_rows(timeline))
                waiting += lines if sort else []
                for _, line in () if sort else lines:
                    say(line)
                if timeline is not None and pictures is not None:
                    self._draw(timeline, pictures / names[path])
            for _, line in sorted(waiting, key=lambda ranked: ranked[0]):
                say(line)

    def _expect(self, paths):
        """Number of windows of all recordings, as far as their headers tell."""
        durations = [read_duration(path) or 0.0 for path in paths]
        window, hop = self.scorer.window, self.scorer.hop
        return sum(1 + math.ceil(max(0.0, duration - window) / hop - 1e-6) for duration in durations)

    def _score(self, path, advance, write):
        """Write the windows of a recording. Return its timeline, or None, and what is wrong with the recording."""
        stream, windows = WindowStream(self.scorer, path), []
        try:
            for batch in stream:
                windows += batch
                for start, found in batch:
                    end = round(start + self.scorer.window, 9)
                    values = found.score, found.p_value, found.low_hz, found.high_hz
                    write(cells((path, start, end, *values, found.error)))
                    advance()
        except AudioReadError as error:
            self.failed.append(path)
            reason = translate(explain(error))
            say(f"Error: {path}: {reason}", err=True)
            return None, reason
        timeline = make_timeline(stream, windows, self.policy)
        self._count(timeline)
        reason = self._report(timeline)
        return timeline, reason

    def _count(self, timeline):
        self.n_recordings += 1
        self.n_windows += sum(not error for error in timeline.errors)
        self.n_below += int((timeline.scores < timeline.threshold).sum())
        self.n_events += len(timeline.events)
        self.n_with_events += bool(timeline.events)
        self.found.append(moments_in_file(timeline))

    def _report(self, timeline):
        """Print what is wrong with a recording whose windows were scored, and return it."""
        lines = []
        if timeline.error:
            lines.append(f"{translate(timeline.error)} It was scored up to {clock(timeline.duration)}.")
        failed = [index for index, error in enumerate(timeline.errors) if error]
        if failed:
            first = failed[0]
            lines.append(
                f"{len(failed)} of {len(timeline.times)} windows have no score. The window at "
                f"{clock(timeline.times[first])} {translate(timeline.errors[first])}"
            )
        if lines:
            self.failed.append(timeline.path)
        for line in lines:
            say(f"Error: {timeline.path}: {line}", err=True)
        return " ".join(lines)

    def _draw(self, timeline, path):
        """Draw one recording. An error is printed and not raised, so that the other recordings are drawn."""
        try:
            draw_timeline(timeline, path)
        except Exception as error:  # any error: a full disk, a fault of the drawing
            self.undrawn.append(timeline.path)
            say(f"Error: {timeline.path}: could not be drawn: {describe_error(error)}", err=True)

    def exit_code(self, events_found):
        """Return the exit code: 1 after an error, `events_found` if there are events, else 0."""
        if self.failed or self.undrawn:
            return 1
        return events_found if self.n_events else 0

    def summarize(self):
        """Yield the summary of all recordings, in lines."""
        for failed, what in ((self.undrawn, "drawn"), (self.failed, "scored, or not completely")):
            if failed:
                yield f"Error: {len(failed)} recording(s) could not be {what}, see above."
        if not self.n_recordings:
            return
        scorer = self.scorer
        yield (
            f"Summary: {self.n_events} event(s) in {self.n_with_events} of {self.n_recordings} recording(s). "
            f"{self.n_windows} windows of {scorer.window:g} s, every {scorer.hop:g} s."
        )
        if self.policy is None:
            yield "The detector has no threshold, so there are no events. Its scores can be compared."
            return
        rate, promise = false_alarm_rate(last_step(self.pipeline))
        if rate is not None:
            yield (
                f"{self.n_below} windows score below the threshold. If all were normal, {rate * self.n_windows:.2g} "
                f"would be expected (rate {rate:.2g}, {promise}). `skaudio-ad calibrate` sets a level by the number of "
                "false events a day."
            )
