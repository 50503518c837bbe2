"""What a monitor refuses before the first window, and what it survives afterwards."""

import errno
import json
import os
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from skaudio_ad.monitoring import Monitor, Notice, StateError, Window, _recorder
from skaudio_ad.monitoring._detector_key import detector_key
from skaudio_ad.monitoring._log import EventLog
from skaudio_ad.monitoring._ring import SoundRing
from skaudio_ad.monitoring._state import StateFolder
from skaudio_ad.monitoring.sources import SourceInfo
from skaudio_ad.recordings import AlarmPolicy, Event

from .stand_ins import RATE, START, KeepingSink, ListSource, blocks, loud_detector, of_kind, sound

POLICY = AlarmPolicy(-0.5, -0.4, refractory=0.0)


@pytest.fixture(scope="module")
def detector():
    return loud_detector()


@pytest.fixture(autouse=True)
def without_waiting_for_the_disk(monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda _: None)


def calibration_of(detector, **changed):
    facts = {
        "detector_key": detector_key(detector),
        "window": 1.0,
        "hop": 0.5,
        "policy": POLICY,
        "drift_interval": 1.0,
        "scores": -np.random.default_rng(0).uniform(0.19, 0.2, 300),
        "statement": "At most one false event per day.",
    }
    return SimpleNamespace(**(facts | changed))


def log_of(folder):
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def kinds(records):
    return [record.kind for record in records if isinstance(record, Notice)]


# Refused before the first window


def test_a_calibration_of_another_detector_or_window_is_refused(detector):
    source = ListSource([])
    with pytest.raises(ValueError, match="belongs to another detector"):
        Monitor(detector, source, calibration=calibration_of(detector, detector_key="0"))
    with pytest.raises(ValueError, match=r"windows of 1 s every 0.25 s"):
        Monitor(detector, source, calibration=calibration_of(detector), hop=0.25)
    with pytest.raises(ValueError, match=r"trained on clips of 1 s"):
        Monitor(detector, source, window=2.0)


def test_policy_windows_and_statement_come_from_the_calibration(detector):
    calibration = calibration_of(detector, hop=0.25)
    with Monitor(detector, ListSource([]), calibration=calibration) as monitor:
        assert (monitor.info.hop, monitor.info.raise_level) == (0.25, -0.5)
        assert monitor.info.statement == "At most one false event per day."
    with Monitor(detector, ListSource([])) as monitor:
        assert "No rate of false events is stated" in monitor.info.statement
        assert monitor.info.detector == "AudioLoader > Peak > LoudDetector"


@pytest.mark.parametrize("known", [True, False], ids=["described", "first block"])
def test_a_source_with_a_lower_rate_is_refused_before_the_first_window(detector, known):
    source = ListSource(
        blocks(sound(3, rate=500), rate=500), info=SourceInfo(500 if known else None, 1, False)
    )
    with pytest.raises(ValueError, match=r"lacks everything above 250 Hz.*allow_lower_rate=True"):
        list(Monitor(detector, source))
    source.items = blocks(sound(3, rate=500), rate=500)
    assert Monitor(detector, source, allow_lower_rate=True).run() > 0


def test_a_source_without_the_channel_of_the_detector_is_refused():
    source = ListSource([], info=SourceInfo(RATE, 1, False))
    with pytest.raises(ValueError, match=r"has 1 channel\(s\), and the detector takes channel=1"):
        Monitor(loud_detector(channel=1), source)
    assert source.n_closed == 1


def test_two_monitors_cannot_share_a_folder(detector, tmp_path):
    first = Monitor(detector, ListSource([]), state=tmp_path)
    with pytest.raises(StateError, match=rf"another monitor uses this folder \(process {os.getpid()}\)"):
        Monitor(detector, ListSource([]), state=tmp_path)
    first.close()
    Monitor(detector, ListSource([]), state=tmp_path).close()


@pytest.mark.parametrize("change", ["detector", "hop", "source", "damaged"])
def test_a_state_of_another_monitor_is_refused_with_a_way_out(detector, tmp_path, change):
    Monitor(detector, ListSource(blocks(sound(2))), state=tmp_path).run()
    source, hop, used = ListSource([]), None, detector
    if change == "detector":
        used = loud_detector(duration=1.0, pad="zeros")
    elif change == "hop":
        hop = 0.25
    elif change == "source":
        source.name = "other"
    else:
        (tmp_path / "state.json").write_text("{")
    with pytest.raises(StateError, match=rf"{change}.*delete .*state.json to begin anew"):
        Monitor(used, source, hop=hop, state=tmp_path)
    (tmp_path / "state.json").unlink()
    Monitor(used, source, hop=hop, state=tmp_path).run()


# Gaps, clocks, rates and broken samples


def test_windows_span_no_gap_and_an_event_ends_there(detector):
    before = blocks(sound(3, [(2, 3)]))
    after = blocks(sound(3), start=START + 100)
    records = list(Monitor(detector, ListSource.of([*before, *after]), policy=POLICY))
    starts = [round(record.start - START, 3) for record in records if isinstance(record, Window)]
    assert starts == [0, 0.5, 1, 1.5, 2, 100, 100.5, 101, 101.5, 102]
    (cleared,) = [r for r in records if isinstance(r, Event) and r.state == "cleared"]
    assert (cleared.reason, cleared.end - START) == ("the sound stopped", 3)


def test_window_times_follow_a_clock_that_jumps_back(detector):
    items = [*blocks(sound(2)), *blocks(sound(2), start=START - 3600)]
    records = list(Monitor(detector, ListSource.of(items), policy=POLICY))
    starts = [record.start - START for record in records if isinstance(record, Window)]
    assert starts == [0, 0.5, 1, -3600, -3599.5, -3599]


def test_a_notice_about_the_clock_that_moves_no_time_parts_no_event(detector):
    parts = blocks(sound(6, [(2, 4)]))
    items = [*parts[:6], Notice("fast", START + 3, "clock", "The sound is fast."), *parts[6:]]
    records = list(Monitor(detector, ListSource.of(items), policy=POLICY))
    assert [record.start - START for record in records if isinstance(record, Window)] == list(
        np.arange(11) / 2
    )
    assert [record.state for record in records if isinstance(record, Event)] == ["raised", "cleared"]


def test_sound_that_stops_fitting_is_left_out_with_a_notice_and_taken_up_again(detector):
    low = blocks(sound(2, rate=500), rate=500, start=START + 2)
    items = [*blocks(sound(2)), *low, *blocks(sound(2), start=START + 4)]
    records = list(Monitor(detector, ListSource.of(items), policy=POLICY))
    starts = [record.start - START for record in records if isinstance(record, Window)]
    assert starts == [0, 0.5, 1, 4, 4.5, 5]
    wrong, again = of_kind(records, "rate")
    assert "lacks everything above 250 Hz" in wrong.text
    assert (again.duration, again.time) == (2.0, START + 4)


def test_nan_samples_give_a_window_with_an_error_and_no_event(detector):
    samples = sound(3)
    samples[1200] = np.nan
    records = list(Monitor(detector, ListSource.of(blocks(samples)), policy=POLICY))
    windows = [record for record in records if isinstance(record, Window)]
    assert [bool(window.error) for window in windows] == [False, True, True, False, False]
    assert np.isnan([windows[1].score, windows[1].level_db]).all()
    assert not [record for record in records if isinstance(record, Event)]


# Sinks


class BrokenSink(KeepingSink):
    def send(self, record, sound=None):
        raise OSError("the cable is out")

    def close(self, timeout=10.0):
        raise OSError("still out")


class ReportingSink(KeepingSink):
    def take_notices(self):
        return [Notice("full", START, "sink", "The spool is full.")]


def test_a_sink_that_fails_becomes_one_notice_and_the_others_get_all(detector, tmp_path):
    sinks = [BrokenSink("broken"), ReportingSink("good")]
    records = list(
        Monitor(detector, ListSource.of(blocks(sound(3, [(1, 2)]))), sinks, POLICY, state=tmp_path)
    )
    failed, full = of_kind(records, "sink")
    assert "the cable is out" in failed.text
    assert full.text == "The spool is full."
    assert sinks[1].records == records
    (stop,) = of_kind(records, "stop")
    assert stop.details["sink_errors"] == {"broken: OSError": len(records) - 1}
    assert [entry["id"] for entry in log_of(tmp_path) if entry.get("kind") == "sink"] == [failed.id, "full"]
    assert sinks[1].n_closed == 1


class ClosingSource(ListSource):
    """Source whose monitor is closed by somebody else while the monitor waits."""

    def stream(self, position=None):
        for item in super().stream(position):
            yield item
            if len(self.sink.records) > 1:
                self.monitor.close()


def test_a_monitor_that_is_closed_while_it_waits_ends_in_order(detector, tmp_path):
    source, sink = ClosingSource.of(blocks(sound(9)), info=SourceInfo(RATE, 1, live=True)), KeepingSink()
    source.monitor = Monitor(detector, source, [sink], POLICY, state=tmp_path)
    source.sink = sink
    records = list(source.monitor)
    assert 1 <= sum(isinstance(record, Window) for record in records) < 10
    assert "was stopped" in records[-1].text
    assert (source.n_closed, sink.n_closed, log_of(tmp_path)[-1]["kind"]) == (1, 1, "stop")


def test_a_sink_gets_the_sound_before_and_during_an_event(detector):
    samples, sink = sound(4, [(2, 3)], n_channels=2), KeepingSink()
    Monitor(detector, ListSource.of(blocks(samples)), [sink], POLICY).run()
    given, rate, start = sink.sounds[-1]
    assert (rate, start) == (RATE, START + 0.5)
    np.testing.assert_array_equal(given, samples[500:3500])


def test_the_ring_keeps_a_bounded_duration_and_size():
    ring = SoundRing(2.0)
    for block in blocks(sound(20)):
        ring.push(block)
    samples, _, start = ring.sound(START, START + 100)
    assert (len(samples), start) == (2000, START + 18)
    small = SoundRing(100.0, max_bytes=4 * 1000)
    for block in blocks(sound(20)):
        small.push(block)
    assert len(small.sound(START, START + 100)[0]) == 1000
    assert len(SoundRing(1.0).sound(0, 1)[0]) == 0


def test_two_sinks_of_one_name_and_an_object_that_is_no_sink_are_refused(detector):
    with pytest.raises(ValueError, match="different names, got 'keeping' twice"):
        Monitor(detector, ListSource([]), [KeepingSink(), KeepingSink()])
    with pytest.raises(TypeError, match="a sink has a name"):
        Monitor(detector, ListSource([]), [print])


# Restart, log and disk


def test_a_restart_says_how_long_the_monitor_was_away(detector, tmp_path):
    clock = iter(np.arange(1000.0, 1e6, 100.0))
    items = blocks(sound(3))
    for _ in range(2):
        source = ListSource.of(items)
        records = list(Monitor(detector, source, state=tmp_path, clock=lambda: float(next(clock))))
    (restart,) = of_kind(records, "restart")
    assert "away for 1 min 40 s" in restart.text
    assert "goes on where it was" in restart.text
    assert not [record for record in records if isinstance(record, Window)]  # all sound was heard before


def test_an_event_of_a_microphone_is_closed_after_a_restart(detector, tmp_path):
    loud = blocks(sound(3, [(1, 3)]), has_position=False)
    live = SourceInfo(RATE, 1, True)
    monitor = Monitor(detector, ListSource(loud, info=live), policy=POLICY, state=tmp_path)
    for record in monitor:
        if isinstance(record, Window) and record.alarm:
            break
    monitor.close()
    records = list(Monitor(detector, ListSource([], info=live), policy=POLICY, state=tmp_path))
    (cleared,) = [record for record in records if isinstance(record, Event)]
    assert (cleared.state, cleared.reason) == ("cleared", "the monitor stopped")
    assert "was not heard" in of_kind(records, "restart")[0].text
    assert [entry["state"] for entry in log_of(tmp_path) if entry["type"] == "event"] == ["raised", "cleared"]


def test_a_policy_without_a_maximum_duration_goes_on_after_a_restart(detector, tmp_path):
    policy = replace(POLICY, max_duration=np.inf)
    whole = blocks(sound(6, [(2, 4)]))
    Monitor(detector, ListSource.of(whole[:6]), (), policy, state=tmp_path).run(max_windows=4)
    records = list(Monitor(detector, ListSource.of(whole), (), policy, state=tmp_path))
    (cleared,) = [record for record in records if isinstance(record, Event) and record.state == "cleared"]
    assert cleared.reason == "normal again"


def test_other_levels_after_a_restart_close_an_event_and_begin_anew(detector, tmp_path):
    source = ListSource.of(blocks(sound(6, [(1, 6)])), info=SourceInfo(RATE, 1, True))
    monitor = Monitor(detector, source, policy=POLICY, state=tmp_path)
    next(record for record in monitor if isinstance(record, Event))
    monitor.close()
    deaf = AlarmPolicy(-2.0, -2.0)
    records = list(Monitor(detector, ListSource.of(source.items), policy=deaf, state=tmp_path))
    (cleared,) = [record for record in records if isinstance(record, Event)]
    assert cleared.reason == "the levels of the alarm have changed"


def test_stop_ends_the_monitor_and_the_next_one_goes_on(detector, tmp_path):
    source = ListSource.of([item for block in blocks(sound(6)) for item in (block, None)])
    monitor = Monitor(detector, source, policy=POLICY, state=tmp_path)
    assert monitor.run(max_windows=3) == 3
    assert source.n_closed == 1
    rest = list(Monitor(detector, ListSource.of(source.items), policy=POLICY, state=tmp_path))
    assert [record.start - START for record in rest if isinstance(record, Window)] == list(
        np.arange(1.5, 5.1, 0.5)
    )


def test_a_torn_line_of_the_log_is_removed_and_reported(detector, tmp_path):
    items = blocks(sound(3, [(1, 2)]))
    Monitor(detector, ListSource.of(items), policy=POLICY, state=tmp_path).run()
    whole = (tmp_path / "log.jsonl").read_bytes()
    (tmp_path / "log.jsonl").write_bytes(whole + b'{"type": "ev')
    records = list(Monitor(detector, ListSource.of(items), policy=POLICY, state=tmp_path))
    assert "12 bytes of it were removed" in of_kind(records, "restart")[0].text
    assert (tmp_path / "log.jsonl").read_bytes().startswith(whole)
    assert len(log_of(tmp_path)) == len(whole.splitlines()) + 2


def test_the_log_waits_for_a_full_disk_and_tells_the_sinks(detector, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(_recorder, "_SAVE", 0.0)
    full = {"is": False}
    write = StateFolder.write

    class FullFile:
        def __init__(self, file):
            self.file = file

        def write(self, line):
            if full["is"]:
                self.file.write(line[:5])  # a part of the line gets on the disk
                raise OSError(errno.ENOSPC, "No space left on device")
            return self.file.write(line)

        def __getattr__(self, name):
            return getattr(self.file, name)

    def write_state(folder, state):
        if full["is"]:
            raise OSError(errno.ENOSPC, "No space left on device", str(folder.path))
        write(folder, state)

    monkeypatch.setattr(StateFolder, "write", write_state)
    read = EventLog._read
    monkeypatch.setattr(
        EventLog,
        "_read",
        lambda log, path, size: (read(log, path, size), setattr(log, "_file", FullFile(log._file))),
    )
    sink = KeepingSink()
    items = [item for block in blocks(sound(8, [(2, 3), (5, 6)])) for item in (block, None)]
    for record in Monitor(detector, ListSource.of(items), [sink], POLICY, state=tmp_path):
        if isinstance(record, Window):
            full["is"] = 2 < record.end - START < 5
    (told,) = of_kind(sink.records, "disk")
    assert "free some space" in told.text
    assert "records wait in memory" in caplog.text
    logged = [entry["key"] for entry in log_of(tmp_path) if entry["type"] == "event"]
    assert len(logged) == len(set(logged)) == 4
    assert told.id in [entry.get("id") for entry in log_of(tmp_path)]


# Drift


def test_drift_is_told_once_and_is_no_event(detector, tmp_path):
    calibration = calibration_of(detector, hop=1.0)
    items = blocks(sound(120, seed=3) * np.float32(1.5), seconds=2.0)
    half = len(items) // 2
    first = ListSource.of(items[:half], info=SourceInfo(None, None, live=True))
    records = list(Monitor(detector, first, calibration=calibration, state=tmp_path))
    rest = ListSource.of(items, info=SourceInfo(None, None, live=True))
    records += list(Monitor(detector, rest, calibration=calibration, state=tmp_path))
    (drift,) = of_kind(records, "drift")
    assert "A drift is no event" in drift.text
    assert not [record for record in records if isinstance(record, Event)]
    values = [record.drift for record in records if isinstance(record, Window)]
    assert np.isfinite(values).all()
    whole = list(Monitor(detector, replace(rest), calibration=calibration))
    np.testing.assert_allclose(values, [record.drift for record in whole if isinstance(record, Window)])
    assert of_kind(whole, "drift")[0].id == drift.id


def test_the_test_for_drift_takes_windows_at_the_distance_of_the_calibration(detector):
    calibration = calibration_of(detector, drift_interval=4.0)
    windows = [
        record
        for record in Monitor(detector, ListSource.of(blocks(sound(20, seed=3))), calibration=calibration)
        if isinstance(record, Window)
    ]
    changes = np.flatnonzero(np.diff([0.0, *(window.drift for window in windows)]))
    starts = np.array([window.start for window in windows])
    assert set(np.diff(starts[changes]).round(6)) == {4.0}


def test_p_values_come_from_the_calibration_of_the_monitor(detector):
    scores = np.array([-0.5, -0.3, -0.2, -0.1])
    calibration = calibration_of(detector, scores=scores)
    records = list(Monitor(detector, ListSource.of(blocks(sound(3))), calibration=calibration))
    windows = [record for record in records if isinstance(record, Window)]
    assert windows
    for window in windows:
        assert window.p_value == (1 + np.count_nonzero(scores <= window.score)) / 5


def test_a_calibration_that_is_too_short_for_the_drift_says_so(detector):
    calibration = calibration_of(detector, drift_interval=None)
    records = list(Monitor(detector, ListSource.of(blocks(sound(3))), calibration=calibration))
    assert "There is no test for drift" in of_kind(records, "start")[0].text
    assert np.isnan([record.drift for record in records if isinstance(record, Window)]).all()


def test_without_a_calibration_or_with_drift_false_there_is_no_test(detector):
    items = blocks(sound(3))
    for settings in ({}, {"calibration": calibration_of(detector), "drift": False}):
        records = list(Monitor(detector, ListSource.of(items), **settings))
        assert np.isnan([record.drift for record in records if isinstance(record, Window)]).all()
