"""The curve, the events and the ticks of a timeline follow from its times and scores."""

import datetime as dt
from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib.dates import date2num

from skaudio_ad.inspection import TimelineDisplay
from skaudio_ad.recordings import RecordingTimeline

from .artists import axes, legend_texts, line

START = dt.datetime(2026, 11, 27, 23, 50, tzinfo=dt.UTC)


def draw(times, scores, **settings):
    return TimelineDisplay.from_predictions(times, scores, ax=axes(), **settings)


def spans(ax):
    """Start and end of every shaded span."""
    shaded = [c for c in ax.collections if c.get_label().endswith(("event", "events"))]
    return [[p.vertices[:, 0].min(), p.vertices[:, 0].max()] for c in shaded for p in c.get_paths()]


def ticks(ax):
    ax.figure.canvas.draw()
    low, high = ax.get_xlim()
    return [label.get_text() for label in ax.get_xticklabels() if low <= label.get_position()[0] <= high]


def test_a_short_timeline_is_a_line_through_every_window():
    display = draw([0.5, 1.5, 2.5], [-1.0, -3.0, -1.5], threshold=-2.0, name="fan")
    ax = display.ax_
    assert line(ax, "fan").get_xydata().tolist() == [[0.5, -1.0], [1.5, -3.0], [2.5, -1.5]]
    assert set(line(ax, "threshold (-2)").get_ydata()) == {-2.0}
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("time (s)", "score (higher is more normal)")
    assert ax.get_xlim() == (0, 3)
    assert legend_texts(ax) == ["1 event", "fan", "threshold (-2)"]


def test_runs_of_windows_below_the_threshold_are_events_from_edge_to_edge():
    scores = [-1, -3, -3, -2, np.nan, -3, -1]
    display = draw(np.arange(7) * 2 + 1, scores, threshold=-2)
    assert display.events_.tolist() == [[2, 6], [10, 12]]
    assert spans(display.ax_) == [[2, 6], [10, 12]]


def test_a_p_value_that_equals_the_threshold_is_an_event_and_a_score_is_not():
    values = [0.5, 0.05, 0.5]
    assert draw([0, 1, 2], values, threshold=0.05).events_.tolist() == []
    display = draw([0, 1, 2], values, threshold=0.05, kind="p-value")
    assert display.events_.tolist() == [[0.5, 1.5]]
    assert (display.ax_.get_yscale(), display.ax_.get_ylabel()) == ("log", "p-value")


def test_given_events_replace_the_runs_below_the_threshold():
    moment = SimpleNamespace(start=1.0, end=2.0, score=-3.0)
    display = draw([0, 1, 2, 3], [0, 0, 0, -9], threshold=-1, events=[moment, (2.5, 3)])
    assert spans(display.ax_) == [[1, 2], [2.5, 3]]
    assert spans(draw([0, 1], [0, -9], threshold=-1, events=[]).ax_) == []


def test_one_low_window_among_many_stays_visible_in_the_envelope():
    rng = np.random.default_rng(0)
    times, scores = np.arange(100_000) * 0.5, rng.normal(size=100_000)
    scores[77_777] = -50
    display = draw(times, scores, threshold=-20)
    (curve,) = [c for c in display.ax_.collections if c.get_gid() == "timeline"]
    drawn = curve.get_paths()[0].vertices
    assert len(drawn) < 20_000
    assert (drawn[:, 1].min(), drawn[:, 1].max()) == (-50, scores.max())
    lowest = drawn[drawn[:, 1] == -50, 0]
    assert lowest.min() <= times[77_777] <= lowest.max()
    assert np.ptp(lowest) == pytest.approx(times[-1] / 2000)
    assert "smallest to largest of 100 000 windows" in legend_texts(display.ax_)
    assert "1 event" in legend_texts(display.ax_)


def test_windows_without_a_score_are_blank_in_the_envelope_too():
    scores = np.zeros(10_000)
    scores[5000:] = np.nan
    display = draw(np.arange(10_000), scores)
    (curve,) = [c for c in display.ax_.collections if c.get_gid() == "timeline"]
    assert curve.get_paths()[0].vertices[:, 0].max() == pytest.approx(5000, abs=10)
    assert display.ax_.get_title() == "5000 windows without a score left blank"


def test_no_line_joins_the_two_sides_of_a_gap():
    display = draw([0, 1, 2, 60, 61], [1, 1, 1, 1, 1], name="fan")
    assert np.isnan(line(display.ax_, "fan").get_ydata()).tolist() == [False] * 3 + [True] + [False] * 2


@pytest.mark.parametrize(
    ("length", "labels", "title"),
    [
        (60, ["0", "10", "20", "30", "40", "50", "60"], "time (s)"),
        (600, ["0:00", "2:00", "4:00", "6:00", "8:00", "10:00"], "time (min:s)"),
        (
            86400,
            ["0:00", "3:00", "6:00", "9:00", "12:00", "15:00", "18:00", "21:00", "24:00"],
            "time (h:min)",
        ),
    ],
    ids=str,
)
def test_ticks_are_whole_seconds_minutes_and_hours(length, labels, title):
    ax = draw(np.arange(length / 120, length, length / 60), np.zeros(60)).ax_
    assert (ticks(ax), ax.get_xlabel()) == (labels, title)


def test_a_start_time_gives_the_clock_time_in_its_zone():
    zone = dt.timezone(dt.timedelta(hours=9), "JST")
    for start, first, name in ((START, "23:52", "UTC"), (START.astimezone(zone), "08:52", "JST")):
        ax = draw(np.arange(0.5, 840), np.zeros(840), start=start).ax_
        assert ticks(ax)[1] == first
        assert ax.get_xlabel() == f"clock time ({name})"
        np.testing.assert_allclose(
            ax.get_xlim(), date2num([START, START + dt.timedelta(minutes=14)]), rtol=0, atol=5e-6
        )


def test_near_events_of_a_long_recording_are_drawn_as_one_and_counted_one_by_one():
    events = [(start, start + 0.1) for start in np.arange(0, 1000, 0.5)]
    display = draw(np.arange(100_000), np.zeros(100_000), events=events)
    assert len(spans(display.ax_)) == 1
    assert "2000 events" in legend_texts(display.ax_)


def test_two_timelines_share_the_axes():
    one = draw([10, 11], [1, 1], name="a")
    TimelineDisplay.from_predictions([0, 1], [2, 2], name="b", ax=one.ax_)
    a, b = line(one.ax_, "a"), line(one.ax_, "b")
    assert a.get_color() != b.get_color()
    assert one.ax_.get_xlim() == (-0.5, 11.5)


@pytest.mark.parametrize(
    ("arguments", "settings", "message"),
    [
        (([], []), {}, "no window to draw"),
        (([0, 1], [1]), {}, "one length, got 2 times and 1 scores"),
        (([1, 0], [1, 1]), {}, "times must rise, got 1 s before 0 s: sort"),
        (([0, np.nan], [1, 1]), {}, "times must be finite"),
        (([0, 1], [1, np.inf]), {}, "infinity for window 1"),
        (([0, 1], [np.nan, np.nan]), {}, "all scores are NaN"),
        (([0, 1], [-1, 1]), {"kind": "p-value"}, r"needs values in \(0, 1\]"),
        (([0, 1], [1, 1]), {"events": [(2, 1)]}, "event must end after its start"),
        (([0, 1], [1, 1]), {"kind": "level"}, "kind must be one of"),
    ],
    ids=str,
)
def test_what_cannot_be_drawn_raises_an_error_that_says_why(arguments, settings, message):
    with pytest.raises(ValueError, match=message):
        draw(*arguments, **settings)


def test_a_start_that_is_no_datetime_raises_an_error():
    with pytest.raises(TypeError, match=r"start must be a datetime\.datetime"):
        draw([0, 1], [1, 1], start="23:50")


def test_a_timeline_of_a_recording_is_drawn_with_its_events_and_its_threshold():
    times = np.array([0.0, 5.0, 10.0])
    event = SimpleNamespace(start=5.0, end=15.0)
    timeline = RecordingTimeline(
        "/sounds/pump$1.wav", times, 10.0, 5.0, np.array([-1.0, -4.0, np.nan]), events=[event], threshold=-2.0
    )
    display = TimelineDisplay.from_timeline(timeline, ax=axes())
    assert display.times.tolist() == [5, 10, 15]
    assert display.threshold == -2
    assert display.events_.tolist() == [[5, 15]]
    assert r"pump\$1.wav" in legend_texts(display.ax_)
    timeline.p_values[:] = 1.0, 0.05, np.nan
    display = TimelineDisplay.from_timeline(timeline, kind="p-value", name="pump", ax=axes())
    assert line(display.ax_, "pump").get_ydata()[:2].tolist() == [1, 0.05]
    assert display.threshold is None
