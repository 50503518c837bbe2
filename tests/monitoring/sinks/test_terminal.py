"""The view of a monitor in a terminal."""

import io
import threading
import time

import pytest
from rich.console import Console

from skaudio_ad.monitoring.sinks import TerminalSink, _terminal
from skaudio_ad.monitoring.sinks._terminal_bars import level_bar, score_bar

from . import records
from .web import OUTSIDE


def view(*sent, width=80, **settings):
    """Lines of the view of a terminal of a width, after some records."""
    console = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None, **settings)
    sink = TerminalSink(console)
    sink.open(records.info(source=OUTSIDE))
    for record in sent:
        sink.send(record)
    plain = Console(file=io.StringIO(), width=width, color_system=None, force_terminal=False, **settings)
    plain.print(sink.render())
    sink.close()
    return plain.file.getvalue().splitlines(), console.file.getvalue()


def test_the_view_shows_the_state_the_numbers_the_events_and_the_notices():
    lines, _ = view(records.window(1, drift=0.5), records.event(), records.notice())
    text = "\n".join(lines)
    for expected in (
        "Alarm since",
        "-30 dB",
        "-1",
        "alarm below -3",
        "0.5",
        "0.50",
        "score -7.5",
        "p-value 0.01",
    ):
        assert expected in text
    assert "gap: Two seconds are missing." in text
    # The newest window ends 15 s after the start, and the event ends 20 s after the start.
    assert "20.0 s" in text


def test_an_event_that_goes_on_ends_with_the_newest_window():
    lines, _ = view(records.event(), records.window(8))
    assert any("50.0 s, score" in line for line in lines)


def test_the_last_five_events_are_shown_the_newest_first():
    lines, _ = view(*(records.event(i, "cleared", score=-10.0 - i) for i in range(7)))
    assert [line.partition("score ")[2].partition(",")[0] for line in lines if "score -" in line] == [
        "-16",
        "-15",
        "-14",
        "-13",
        "-12",
    ]


@pytest.mark.parametrize("width", [20, 40, 120])
def test_no_line_is_wider_than_the_terminal(width):
    lines, _ = view(records.window(), records.event(), width=width)
    assert max(map(len, lines)) <= width


def test_texts_from_outside_are_shown_as_texts():
    window = records.window(error=OUTSIDE)
    lines, drawn = view(
        window, records.notice(text=OUTSIDE, kind=OUTSIDE), records.event(reason=OUTSIDE), width=200
    )
    text = "\n".join(lines)
    assert text.count("[bold]x[/bold]\\x1b[31m\\u202e") >= 4
    for unsafe in ("\x1b[31m", "\u202e"):
        assert unsafe not in text + drawn


def bar(renderable, width=21, encoding="utf-8"):
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    console = Console(file=file, width=width, color_system=None)
    console.print(renderable)
    file.flush()
    return file.buffer.getvalue().decode(encoding).rstrip("\n")


@pytest.mark.parametrize(
    ("level", "n"), [(-80, 0), (-40, 10), (0, 20), (-100, 0), (5, 20), (float("nan"), 0)]
)
def test_the_bar_of_the_level_is_full_at_full_scale(level, n):
    assert bar(level_bar(level), 20, "ascii") == "#" * n + "." * (20 - n)


def test_the_bar_of_the_score_has_marks_at_the_score_and_at_the_alarm_level():
    # The scale is -0.05 to 1.05 of the range from -4 to 0. One cell is 0.22.
    assert bar(score_bar(0.0, -4.0, [-2.0]), encoding="ascii") == "=|" + "-" * 17 + "o-"
    assert bar(score_bar(float("nan"), -4.0, [0.0]), encoding="ascii") == "=|" + "-" * 19
    assert bar(score_bar(-100.0, -4.0, [0.0]), encoding="ascii").startswith("o")


def test_an_output_that_is_no_terminal_gets_one_line_for_every_event_and_notice():
    console = Console(file=io.StringIO(), width=30)
    sink = TerminalSink(console)
    sink.open(records.info())
    for record in (
        records.window(),
        records.event(),
        records.notice(text=f"a\nb {OUTSIDE}"),
        records.event(state="cleared"),
    ):
        sink.send(record)
    sink.close()
    lines = console.file.getvalue().splitlines()
    assert lines == [
        "2027-01-15T08:00:00.000Z event raised: fan, 20.0 s, score -7.5, p-value 0.01 [fan-0]",
        "2027-01-15T08:00:00.000Z gap: a\\nb <img src=x onerror=alert(1)>[bold]x[/bold]\\x1b[31m\\u202e",
        "2027-01-15T08:00:20.000Z event cleared: fan, 20.0 s, score -7.5, p-value 0.01 [fan-0]",
    ]


def test_an_output_that_nobody_reads_stops_neither_send_nor_close(monkeypatch):
    monkeypatch.setattr(_terminal, "_MAX_LINES", 3)
    reads = threading.Event()

    class Full(io.StringIO):
        def write(self, text):
            reads.wait(30)
            return super().write(text)

    sink = TerminalSink(Console(file=Full()))
    sink.open(records.info())
    begin = time.monotonic()
    for number in range(10):
        sink.send(records.notice(number))
    sink.close(timeout=0.05)
    assert time.monotonic() - begin < 5
    assert "read too slowly" in sink.take_notices()[0].text
    reads.set()


def test_an_output_that_is_closed_is_a_notice():
    class Closed(io.StringIO):
        def write(self, text):
            raise BrokenPipeError(32, "Broken pipe")

    sink = TerminalSink(Console(file=Closed()))
    sink.open(records.info())
    sink.send(records.notice())
    sink.close()
    assert "Broken pipe" in sink.take_notices()[0].text


def test_characters_that_the_output_cannot_show_are_escaped():
    file = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    sink = TerminalSink(Console(file=file))
    sink.open(records.info())
    sink.send(records.notice(text="Lüfter \N{SNOWMAN}"))
    sink.close()
    assert file.buffer.getvalue().decode().endswith("gap: L\\xfcfter \\u2603\n")
    assert sink.take_notices() == []


def test_a_terminal_that_is_gone_is_a_notice():
    class Gone(io.StringIO):
        def write(self, text):
            raise OSError(5, "Input/output error")

    sink = TerminalSink(Console(file=Gone(), force_terminal=True))
    sink.open(records.info())
    sink.close()
    assert "Input/output error" in sink.take_notices()[0].text
