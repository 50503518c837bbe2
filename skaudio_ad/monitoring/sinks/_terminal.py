"""A view of a monitor in a terminal."""

import math
import queue
import threading
import time
from collections import OrderedDict, deque
from dataclasses import replace
from datetime import datetime
from typing import Any

from ..._clip_errors import explain, shown
from ...recordings._events import Event
from .._records import Notice, Window
from ._format import utc
from ._problems import Problems
from ._sink import MonitorInfo, Record, Sound
from ._status import Status
from ._terminal_bars import level_bar, score_bar

# Maximum number of events and notices on the screen.
_N_EVENTS, _N_NOTICES = 5, 3
# Number of windows whose scores set the scale of the bar.
_N_SCORES = 720
# Maximum number of lines that wait for a slow reader of the output.
_MAX_LINES = 1000
# Number of redraws per second. Windows arrive more slowly.
_REDRAWS = 2
_COLOURS = {"alarm": "bold white on red", "no_sound": "bold black on yellow", "drift": "bold black on cyan"}


class TerminalSink:
    """Show a monitor in a terminal: state, level, score, p-value, drift, the last events and notices.

    If the output is no terminal, such as a pipe or a log, the sink writes one line for every event and every notice.
    A thread writes, so that a terminal that is stopped does not stop the monitor.

    Parameters
    ----------
    console : rich.console.Console or None, default=None
        Where to write. None is standard output.

    name : str, default="terminal"
        Name for messages.

    Examples
    --------
    >>> from skaudio_ad.monitoring.sinks import TerminalSink
    >>> TerminalSink()
    TerminalSink()
    """

    def __init__(self, console: Any = None, *, name: str = "terminal") -> None:
        self.console, self.name = console, name
        self._problems = Problems(name)
        self._lock = threading.Lock()
        self._writer: _Lines | _Screen | None = None
        self._info: MonitorInfo | None = None
        self._status: Status | None = None
        self._scores: deque[float] = deque(maxlen=_N_SCORES)
        self._events: OrderedDict[str, Event] = OrderedDict()
        self._notices: deque[Notice] = deque(maxlen=_N_NOTICES)

    def __repr__(self) -> str:
        return "TerminalSink()"

    def open(self, info: MonitorInfo) -> None:
        """Begin to draw, or to write lines.

        Parameters
        ----------
        info : MonitorInfo
        """
        from rich.console import Console

        console = Console(highlight=False) if self.console is None else self.console
        self._info, self._status = info, Status(info)
        if console.is_terminal and not console.is_dumb_terminal:
            self._writer = _Screen(console, self.render, self._problems)
        else:
            self._writer = _Lines(console, self._problems)

    def send(self, record: Record, sound: Sound | None = None) -> None:
        """Show a record. Does not wait for the terminal.

        Parameters
        ----------
        record : Window, Event or Notice
        sound : callable or None
            Not used.
        """
        if self._status is None or self._writer is None:
            raise RuntimeError("TerminalSink: call open(info) before send(record).")
        with self._lock:
            self._status.add(record)
            if isinstance(record, Window):
                if math.isfinite(record.score):
                    self._scores.append(record.score)
            elif isinstance(record, Event):
                self._events[record.id] = record
                if len(self._events) > _N_EVENTS:
                    self._events.popitem(last=False)
            else:
                self._notices.append(record)
        self._writer.write(record)

    def close(self, timeout: float = 10.0) -> None:
        """Draw for the last time, or write the lines that wait.

        Parameters
        ----------
        timeout : float, default=10.0
            Maximum number of seconds to wait for the terminal.
        """
        if self._writer is not None:
            self._writer.close(timeout)
            self._writer = None

    def take_notices(self) -> list[Notice]:
        """Return what went wrong since the last call.

        Returns
        -------
        list of Notice
        """
        return self._problems.take()

    def render(self) -> Any:
        """Return what the terminal shows now, for :mod:`rich`. All texts from outside are plain texts.

        Returns
        -------
        rich.console.Group
        """
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        with self._lock:
            if self._info is None or self._status is None:
                return Group()
            status, window = self._status.get(), self._status.window
            scores, events, notices = list(self._scores), list(self._events.values()), list(self._notices)
            info = self._info
        title = Text(shown(info.source), style="bold", no_wrap=True, overflow="ellipsis")
        lines = [title, _state_line(status)]
        grid = Table.grid(padding=(0, 1), expand=True)
        grid.add_column(no_wrap=True, style="dim")
        grid.add_column(ratio=1, no_wrap=True)
        grid.add_column(no_wrap=True, justify="right")
        if window is not None:
            # The end of an event that goes on is the end of the newest window.
            events = [
                replace(each, end=max(each.end, window.end)) if each.state == "raised" else each
                for each in events
            ]
            level = "silent" if window.level_db == -math.inf else _number(window.level_db, ".0f", " dB")
            grid.add_row("level", level_bar(window.level_db), level)
            score = "not scored" if math.isnan(window.score) else f"{window.score:.4g}"
            grid.add_row("score", score_bar(window.score, info.raise_level, scores), score)
            grid.add_row("", Text(f"alarm below {info.raise_level:.4g}", style="dim"), "")
            grid.add_row("p-value", "", p_text(window.p_value))
            grid.add_row("drift", Text("reported at 2", style="dim"), _number(window.drift, ".2f"))
            if window.error:
                lines.append(Text(shown(window.error), style="yellow"))
        lines.append(grid)
        lines += [_event_line(event) for event in reversed(events)] or [Text("No events yet.", style="dim")]
        lines += [_notice_line(notice) for notice in reversed(notices)]
        return Group(*lines)


def _state_line(status):
    from rich.text import Text

    line = Text(no_wrap=True, overflow="ellipsis")
    for part in [status, *status["also"]]:
        since = "" if part["since"] is None else f" since {_clock(part['since'])}"
        line.append(f" {part['word']}{since} ", style=_COLOURS.get(part["state"], "green"))
        line.append(" ")
    if not status["healthy"]:
        line.append(f"no window for {status['age']:.0f} s", style="yellow")
    return line


def _event_line(event):
    from rich.text import Text

    symbol, style = ("\N{BLACK UP-POINTING TRIANGLE}", "bold red") if event.state == "raised" else (" ", "")
    return Text(
        f"{symbol} {_clock(event.start)}  {event_text(event)}", style=style, no_wrap=True, overflow="ellipsis"
    )


def _notice_line(notice):
    from rich.text import Text

    return Text(
        f"{_clock(notice.time)}  {shown(notice.kind)}: {shown(notice.text)}", style="dim", overflow="fold"
    )


def event_text(event: Event) -> str:
    """Describe an event in one line: duration, score, p-value, frequencies.

    Parameters
    ----------
    event : Event

    Returns
    -------
    str
    """
    parts = [f"{event.end - event.start:.1f} s", f"score {event.score:.4g}"]
    if math.isfinite(event.p_value):
        parts.append(f"p-value {p_text(event.p_value)}")
    if event.low_hz is not None and event.high_hz is not None:
        parts.append(f"{event.low_hz:.0f} to {event.high_hz:.0f} Hz")
    if event.reason:
        parts.append(shown(event.reason))
    return ", ".join(parts)


def p_text(p_value: float) -> str:
    """Return a p-value as a text. A p-value is never shown as zero."""
    return "< 0.0001" if p_value < 0.0001 else _number(p_value, ".2g")


def _number(value, form, unit=""):
    return f"{value:{form}}{unit}" if math.isfinite(value) else "-"


def _clock(seconds):
    try:
        moment = datetime.fromtimestamp(seconds)
    except (OverflowError, ValueError, OSError):
        return "?"
    return f"{moment:%H:%M:%S}" if abs(time.time() - seconds) < 43200 else f"{moment:%Y-%m-%d %H:%M:%S}"


class _Screen:
    """Redraw the view in a thread, because a terminal that was stopped with Ctrl-S makes every write wait."""

    def __init__(self, console, render, problems):
        self._console, self._render, self._problems = console, render, problems
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="skaudio-ad terminal", daemon=True)
        self._thread.start()

    def write(self, record):
        """Do nothing: the thread draws the new state."""

    def _run(self):
        from rich.live import Live

        live = Live(
            console=self._console,
            get_renderable=self._render,
            auto_refresh=False,
            redirect_stdout=False,
            redirect_stderr=True,  # a warning appears above the view
        )
        try:
            with live:
                while not self._closing.wait(1 / _REDRAWS):
                    live.refresh()
                live.refresh()
        except (OSError, SystemExit) as error:  # the terminal is gone; rich ends the program at a closed pipe
            self._problems.report("write", f"cannot draw on the terminal: {error}.")

    def close(self, timeout):
        self._closing.set()
        self._thread.join(timeout)


class _Lines:
    """Write one line for every event and every notice, in a thread."""

    def __init__(self, console, problems):
        self._console, self._problems = console, problems
        self._queue: queue.Queue[str | None] = queue.Queue(_MAX_LINES)
        self._thread = threading.Thread(target=self._run, name="skaudio-ad lines", daemon=True)
        self._thread.start()

    def write(self, record):
        if isinstance(record, Window):
            return
        try:
            self._queue.put_nowait(line_of(record))
        except queue.Full:
            self._problems.report("slow", "lines were left out, because the output is read too slowly.")

    def _run(self):
        # rich would end the program at a closed pipe, and fail at a character that the output cannot show.
        file, encoding = self._console.file, self._console.encoding
        while (line := self._queue.get()) is not None:
            try:
                file.write(line.encode(encoding, "backslashreplace").decode(encoding) + "\n")
                file.flush()
            except OSError as error:
                self._problems.report("write", f"cannot write to the output: {explain(error)}.")

    def close(self, timeout):
        end = time.monotonic() + timeout
        try:
            self._queue.put(None, timeout=timeout)
        except queue.Full:
            return  # nothing reads the output
        self._thread.join(max(0.0, end - time.monotonic()))


def line_of(record: Event | Notice) -> str:
    """Return the line of an event or a notice for a log.

    Parameters
    ----------
    record : Event or Notice

    Returns
    -------
    str
        Time in UTC, kind and text, without control characters.
    """
    if isinstance(record, Notice):
        return f"{utc(record.time)} {shown(record.kind)}: {shown(record.text)}"
    moment = record.start if record.state == "raised" else record.end
    return f"{utc(moment)} event {record.state}: {shown(record.source)}, {event_text(record)} [{shown(record.id)}]"
