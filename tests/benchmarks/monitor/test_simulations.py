"""Simulations of monitoring: sounds with faults at known times, rates, drift, and a receiver that is away."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks.monitor import _sounds, drift, latency, outage, rates, week
from benchmarks.monitor.__main__ import main
from skaudio_ad.monitoring import Window
from skaudio_ad.monitoring.sources import Source

RATE = 8000


def noise(n_clips, loud=()):
    clips = np.random.default_rng(0).uniform(-0.1, 0.1, (n_clips, round(_sounds.SECONDS * RATE)))
    for index in loud:
        clips[index] *= 9
    return clips.astype(np.float32)


def event(start, end):
    return SimpleNamespace(start=float(start), end=float(end))


def test_a_source_joins_clips_without_a_gap_and_puts_a_fault_where_it_is_told():
    clips, fault = noise(3), np.full(80_000, 0.5, dtype=np.float32)
    source = _sounds.JoinedSource(clips, RATE, 4, {2: fault}, order=[0, 2, 0, 1], skipped=1.5)
    assert isinstance(source, Source)
    blocks = list(source.stream())
    sound = np.concatenate([block.samples[:, 0] for block in blocks])
    np.testing.assert_array_equal(sound, np.concatenate([clips[0][12_000:], clips[2], fault, clips[1]]))
    assert [block.time - _sounds.START for block in blocks] == [1.5, 10, 20, 30]
    later = list(source.stream(blocks[1].position))
    assert [block.time for block in later] == [block.time for block in blocks[2:]]


@pytest.mark.parametrize(
    ("raised", "delays", "n_false"),
    [
        ([event(95, 105)], [1], 0),  # the first window that holds a part of the fault
        ([event(96, 106), event(100, 125)], [2], 0),
        ([event(100, 110.5)], [3], 0),
        ([event(135, 145)], [9], 0),  # the last window that holds a part of the fault
        ([event(85, 95)], [None], 1),
        ([event(150, 160)], [None], 1),
        ([], [None], 0),
    ],
)
def test_a_delay_counts_the_windows_that_end_after_the_onset(raised, delays, n_false):
    assert _sounds.judge(raised, raised, [(100.0, 140.0)], 10.0, 5.0) == (delays, n_false)


def test_an_event_that_was_raised_before_the_onset_does_not_find_the_fault():
    assert _sounds.judge([event(85, 95)], [event(85, 115)], [(100.0, 140.0)], 10.0, 5.0) == ([None], 0)


def test_few_days_of_scores_promise_less_and_events_are_counted_per_day():
    calibration, rate = rates.simulate(rates.independent, 0, calibration_days=1, test_days=1)
    # Without an event, one day supports -log(0.05) events a day, and fewer days than that if events come in clusters.
    assert calibration.events_per_day == pytest.approx(-np.log(0.05) * calibration.dispersion, rel=1e-2)
    scores = rates.independent(np.random.default_rng(0), 2 * 17280)[17280:]
    # Windows that overlap belong to one event, so there are at most as many events as low windows.
    assert 0 <= rate <= np.sum(scores < calibration.policy.raise_level)


@pytest.mark.parametrize("name", rates.MODELS)
def test_neighbouring_scores_share_half_of_their_sound(name):
    scores = rates.MODELS[name](np.random.default_rng(0), 20_000)
    assert np.corrcoef(scores[:-1], scores[1:])[0, 1] > 0.4


def test_a_drift_gives_an_alarm_after_its_begin_only():
    shift = np.repeat([0.0, -1.0], 200)
    assert drift.steps_to_alarm(np.random.default_rng(0), 200) is None
    assert 200 < drift.steps_to_alarm(np.random.default_rng(0), 400, shift) < 350


def test_a_receiver_that_is_away_loses_no_event(monkeypatch):
    monkeypatch.setattr(outage, "AWAY", (60, 120))
    monkeypatch.setattr(outage, "normal_clips", lambda *_: noise(9))
    monkeypatch.setattr(outage, "fault_clips", lambda *_: noise(8, loud=range(8)))
    (row,) = outage.rows(hours=200 / 3600, every=5)
    assert row["faults"] == 4
    assert row["records of events"] >= 6
    assert row["refused deliveries"] > 0
    assert (row["lost"], row["in order"]) == (0, "yes")


def test_a_week_has_a_row_at_the_start_and_after_every_day(monkeypatch):
    monkeypatch.setattr(week, "normal_clips", lambda *_: noise(15))
    monkeypatch.setattr(week, "fault_clips", lambda *_: noise(8, loud=range(8)))
    monkeypatch.setattr(week, "N_CALIBRATION_CLIPS", 20)
    monkeypatch.setattr(week, "EVERY", 10)
    rows = week.format_rows(week.listen(200.0, n_days=2), 200.0)
    assert [row["day"] for row in rows] == [0, 1, 2]
    # Windows that end before the end of the day
    assert [row["windows"] for row in rows] == [0, 38, 78]
    assert rows[-1]["events"] >= 2


def test_the_latency_runs_from_the_last_sample_of_a_window(monkeypatch):
    now = [1000.0]
    clock = SimpleNamespace(
        time=lambda: now[0], monotonic=lambda: now[0], sleep=lambda _: None, process_time=lambda: now[0]
    )
    monkeypatch.setattr(latency, "time", clock)

    class SlowMonitor:
        """Gives the record of a window a quarter of a second after the end of the window."""

        def __init__(self, detector, source, **_):
            self.source = source

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def __iter__(self):
            for number in range(3):
                now[0] = 1010.25 + 5 * number
                yield Window(1000.0 + 5 * number, 1010.0 + 5 * number, -1.0)

    monkeypatch.setattr(latency, "Monitor", SlowMonitor)
    row = latency.row(None, noise(2), 1, 20.0)
    assert row["windows"] == "3 of 3"
    assert (row["latency p50, ms"], row["latency max, ms"]) == ("250", "250")


def test_the_report_keeps_the_tables_of_parts_that_ran_before(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(rates, "tables", lambda **_: [("rates", [{"events": 1}], "Simulated.")])
    monkeypatch.setattr(drift, "tables", lambda **_: [("drift", [{"alarms": 0}], "Simulated.")])
    main(["drift", "--output", str(tmp_path)])
    main(["rates", "--quick", "--output", str(tmp_path)])
    about = json.loads((tmp_path / "monitor.json").read_text())
    assert [table["title"] for table in about["tables"]] == ["rates", "drift"]
    assert "Simulated. A quick run on" in about["tables"][0]["notes"]
    with pytest.raises(SystemExit):
        main(["rate", "--output", str(tmp_path)])
    assert "no part is called rate; the parts are rates, drift" in capsys.readouterr().err
