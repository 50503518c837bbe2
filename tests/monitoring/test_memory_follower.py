"""A monitor that learns confirmed events while it runs, and windows of quiet hours by itself."""

import dataclasses

import numpy as np
import pytest
from sklearn.pipeline import make_pipeline

from skaudio_ad import AudioLoader, NearestNeighborsDetector, ThresholdedDetector
from skaudio_ad.monitoring import Monitor, NormalMemory, Notice, QuietHours, Window
from skaudio_ad.monitoring._confirm import EventMarks
from skaudio_ad.monitoring._quiet_hours import QuietPicker
from skaudio_ad.recordings import AlarmPolicy, Event

from .stand_ins import RATE, START, ListSource, Peak, blocks, of_kind, sound
from .test_memory import event

POLICY = AlarmPolicy(-0.3, -0.2, refractory=0.0)
# A loud sound of 8 s that comes twice, and a louder one.
ITEMS = blocks(sound(60, [(10, 18), (40, 48)]))


@pytest.fixture(scope="module")
def detector():
    """Detector of one feature, the peak of a window, which is 0.3 for a normal one and 0.9 for a loud one."""
    pipeline = make_pipeline(
        AudioLoader(RATE, duration=1.0),
        Peak(),
        ThresholdedDetector(NearestNeighborsDetector(), random_state=0),
    )
    return pipeline.fit(list(sound(60)[:, 0].reshape(60, -1)))


def listen(detector, folder, items=ITEMS, **settings):
    source = ListSource.of(items)
    return Monitor(detector, source, policy=POLICY, memory=NormalMemory(folder), **settings)


def raised(records):
    return [
        round(record.start - START)
        for record in records
        if isinstance(record, Event) and record.state == "raised"
    ]


def test_an_event_that_is_confirmed_while_the_monitor_runs_raises_no_alarm_again(detector, tmp_path):
    records = []
    for record in listen(detector, tmp_path):
        records.append(record)
        if isinstance(record, Event) and record.state == "cleared" and len(raised(records)) == 1:
            EventMarks(tmp_path).mark_normal(record.id, force=True)
    assert raised(records) == [10]
    (notice,) = of_kind(records, "memory")
    assert "has changed, and the monitor uses it" in notice.text
    assert (
        raised(list(listen(detector, tmp_path))) == []
    )  # a new monitor knows the memory from its first window
    EventMarks(tmp_path).undo("m1")
    assert raised(list(listen(detector, tmp_path))) == [10, 40]


def test_all_windows_of_an_event_are_kept_from_its_first_to_its_last(detector, tmp_path):
    events = [r for r in listen(detector, tmp_path) if isinstance(r, Event) and r.state == "cleared"]
    kept = NormalMemory(tmp_path).events.load(events[0].id)
    starts = START + np.arange(9.5, 18, 0.5)
    np.testing.assert_allclose(kept.starts, starts)
    assert kept.event == events[0]
    assert (kept.margins < 0).all()


def test_a_memory_that_is_damaged_while_the_monitor_runs_is_a_notice_and_the_monitor_goes_on(
    detector, tmp_path
):
    records = []
    for record in listen(detector, tmp_path):
        records.append(record)
        if isinstance(record, Event) and len(records) < 60:
            (tmp_path / "memory").mkdir(exist_ok=True)
            (tmp_path / "memory" / "memory.jsonl").write_text("no JSON\n")
    assert raised(records) == [10, 40]
    assert any(
        "cannot be used" in notice.text and "line 1" in notice.text for notice in of_kind(records, "memory")
    )


def test_a_detector_without_a_bank_is_refused_before_the_first_window(tmp_path):
    from .stand_ins import loud_detector

    with pytest.raises(ValueError, match="LoudDetector has no bank"):
        listen(loud_detector(), tmp_path)


# Quiet hours


@pytest.fixture(scope="module")
def head():
    """Detector of one feature, which is between 0 and 1 for normal windows."""
    X = np.random.default_rng(0).uniform(size=(80, 1)).astype(np.float32)
    return ThresholdedDetector(NearestNeighborsDetector(), cv=0.5, random_state=0).fit(X)


def windows(values, p_value=0.9, **settings):
    return [
        Window(60.0 * n, 60.0 * n + 10, -0.1, p_value, 1.0, features=np.float32([value]), **settings)
        for n, value in enumerate(values)
    ]


def picks(head, shown, records=None, rule=QuietHours(n_away=3, per_day=24)):  # noqa: B008 -- frozen
    picker = QuietPicker(rule, head)
    picked = [picker.push(window, (records or {}).get(n, ())) for n, window in enumerate(shown)]
    return [round(window.start / 60) for window in picked if window is not None]


def scores_between(head, low, high):
    """Values whose p-values lie between two others."""
    values = np.linspace(-0.3, 1.3, 400)[:, np.newaxis]
    p_values = head.p_values(values)
    return values[(p_values >= low) & (p_values <= high)][:, 0]


def test_the_least_normal_window_of_an_hour_joins_that_is_normal_without_the_memory(head):
    values = np.full(70, 0.5)
    usual, odd = scores_between(head, 0.9, 1)[0], scores_between(head, 0.3, 0.5)
    values[:] = usual
    values[20], values[40] = odd[0], scores_between(head, 0.1, 0.25)[0]
    values[30] = 9.0  # an anomaly that a larger memory takes for normal
    assert head.p_values([[9.0]])[0] < 0.1
    assert picks(head, windows(values)) == [40]


def test_windows_that_teach_nothing_and_windows_below_the_level_do_not_join(head):
    odd, usual = scores_between(head, 0.1, 0.4)[0], scores_between(head, 0.9, 1)[0]
    assert picks(head, windows([usual] * 70)) == []
    assert picks(head, windows([odd] * 70)) == [3]
    below = [dataclasses.replace(window, margin=-0.1) for window in windows([odd] * 70)]
    assert picks(head, below) == []


@pytest.mark.parametrize(
    "report", [event(), Notice("n", 0.0, "clipping", "The sound is too loud.")], ids=["event", "notice"]
)
@pytest.mark.parametrize(("at", "joins"), [(19, []), (22, []), (24, [20]), (17, []), (16, [20])])
def test_no_window_joins_near_an_event_or_a_notice(head, report, at, joins):
    values = np.full(70, scores_between(head, 0.9, 1)[0])
    values[20] = scores_between(head, 0.1, 0.4)[0]
    assert picks(head, windows(values), {at: [report]}) == joins


@pytest.mark.parametrize("settings", [{"drift": 2.5}, {"alarm": True}, {"error": "no score"}], ids=str)
def test_nothing_joins_during_drift_or_an_event(head, settings):
    odd = scores_between(head, 0.1, 0.4)[0]
    assert picks(head, windows([odd] * 130)) == [3, 58]
    assert picks(head, windows([odd] * 130, **settings)) == []


def test_quiet_hours_need_p_values():
    with pytest.warns(UserWarning, match="no threshold can be set"):
        detector = ThresholdedDetector(NearestNeighborsDetector(), cv="auto").fit([[0.0], [1.0]])
    with pytest.raises(ValueError, match="need p-values"):
        QuietPicker(QuietHours(), detector)


@pytest.mark.parametrize(
    "settings", [{"low": 0.01}, {"low": 0.5, "high": 0.4}, {"n_away": 0}, {"per_day": 0}], ids=str
)
def test_a_rule_that_would_let_unusual_windows_join_is_refused(settings):
    with pytest.raises(ValueError, match="must lie in"):
        QuietHours(**settings)


def test_quiet_windows_join_the_memory_as_the_monitor_and_leave_room_for_confirmed_ones(head, tmp_path):
    memory = NormalMemory(tmp_path, max_windows=4, quiet_hours=QuietHours(n_away=1, per_day=24))
    memory.extend(head)
    shown = windows([scores_between(head, 0.1, 0.4)[0]] * 190)
    made = [change for change in map(memory.consider, shown) if change is not None]
    assert [(change.reason, change.who, change.n_windows) for change in made] == [
        ("quiet hours", "monitor", 1)
    ] * 2
    assert memory.reload_if_changed()
    assert memory.add([[0.0], [1.0]], reason="confirmed").n_windows == 2


def test_without_a_rule_no_window_joins(head, tmp_path):
    memory = NormalMemory(tmp_path)
    memory.extend(head)
    for window in windows([scores_between(head, 0.1, 0.4)[0]] * 130):
        assert memory.consider(window) is None
    assert memory.changes == []
