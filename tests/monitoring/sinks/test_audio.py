"""Tests of the sound of events."""

import json
import threading
import time
from types import SimpleNamespace

import matplotlib.image
import numpy as np
import pytest
import soundfile

from skaudio_ad.monitoring.sinks import AudioSink
from skaudio_ad.monitoring.sinks import _audio_files as audio_files

from .records import START, event, info, notice, sound, window

RATE = 1000


def ramp(begin, end, *, first=-np.inf, last=np.inf):
    """Give samples whose value tells their time: a second is 0.001. The monitor keeps the time from first to last."""
    begin, end = max(begin, first), min(end, last)
    times = begin + np.arange(max(0, round((end - begin) * RATE))) / RATE
    return ((times - START) / 1000)[:, None].astype(np.float32), RATE, begin


@pytest.fixture
def opened(tmp_path):
    """Function that opens a sink without pictures, which is closed after the test."""
    sinks = []

    def open_(**parameters):
        sink = AudioSink(tmp_path / "events", **({"picture": False, "min_free": 0} | parameters))
        sink.open(info())
        sinks.append(sink)
        return sink

    yield open_
    for sink in sinks:
        sink.close()


def written(folder, number=0):
    """Return the facts of the newest event, its samples, and the times of its first and last sample."""
    path = sorted(folder.glob("*.json"))[number]
    facts = json.loads(path.read_text())
    samples, rate = soundfile.read(path.with_suffix(".flac"), always_2d=True)
    return SimpleNamespace(
        facts=facts,
        samples=samples,
        rate=rate,
        start=samples[0, 0] * 1000,
        end=samples[-1, 0] * 1000 + 1 / rate,
    )


def test_the_sound_begins_before_the_event_and_ends_after_it(tmp_path, opened):
    sink = opened()
    sink.send(event(end=START + 10), lambda a, b: ramp(a, b, last=START + 10))
    sink.send(event(state="cleared"), lambda a, b: ramp(a, b, last=START + 21))
    sink.send(window(1), lambda a, b: ramp(a, b, last=START + 22))  # too early for the post-roll
    sink.send(window(3), ramp)
    sink.close()
    result = written(tmp_path / "events")
    assert result.start == pytest.approx(-5, abs=2e-3)
    assert result.end == pytest.approx(25, abs=2e-3)
    assert result.facts["state"] == "cleared"
    assert result.facts["sound"]["duration"] == 30
    assert result.facts["sound"]["start"] == START - 5
    assert sink.take_notices() == []


def test_samples_of_24_bits_are_kept_without_loss(tmp_path, opened):
    samples = np.random.default_rng(0).integers(-(2**23), 2**23, (500, 2)) / 2**23
    sink = opened()
    sink.send(event(), lambda a, b: (samples.astype(np.float32), 44100, a))
    sink.close()
    result = written(tmp_path / "events")
    np.testing.assert_array_equal(result.samples, samples.astype(np.float32))
    assert result.rate == 44100


def test_the_files_are_there_while_the_event_goes_on_and_the_picture_marks_the_event(tmp_path, opened):
    sink = opened(picture=True)
    sink.send(event(), sound)
    sink.close()
    stem = "20270115T080000Z_fan_"
    assert all(path.name.startswith(stem) for path in (tmp_path / "events").iterdir())
    assert written(tmp_path / "events").facts["state"] == "raised"
    (picture,) = (tmp_path / "events").glob("*.png")
    pixels = matplotlib.image.imread(picture)
    assert pixels.shape[:2] == (300, 800)
    # The bar of the event (#D55E00) takes 20 of 25 s: four fifths of the width of the axes.
    bar = np.abs(pixels[..., :3] - np.array([213, 94, 0]) / 255).max(axis=2) < 0.02
    row = bar[bar.sum(axis=1).argmax()]
    axes_left = np.flatnonzero(row)[0] - 5 / 20 * row.sum()
    assert 380 < row.sum() < 620
    assert 40 < axes_left < 110


def test_a_long_event_keeps_its_first_part(tmp_path, opened):
    sink = opened(max_duration=30.0)
    kept = lambda now: lambda a, b: ramp(a, b, first=now - 40, last=now)  # noqa: E731
    sink.send(event(end=START + 10), kept(START + 10))
    for number in range(30):
        record = window(number)
        sink.send(record, kept(record.end))
    sink.send(event(state="cleared", end=START + 155), kept(START + 155))
    sink.send(window(40), kept(START + 210))
    sink.close()
    result = written(tmp_path / "events")
    assert result.start == pytest.approx(-5, abs=2e-3)
    assert result.end == pytest.approx(25, abs=2e-3)
    assert result.facts["end"] == START + 155


def test_a_restart_during_an_event_keeps_the_beginning(tmp_path, opened):
    first = opened()
    first.send(event(end=START + 10), lambda a, b: ramp(a, b, last=START + 10))
    first.close()
    second = opened()
    second.send(event(state="cleared"), lambda a, b: ramp(a, b, first=START + 15))
    second.close()
    result = written(tmp_path / "events")
    assert result.start == pytest.approx(-5, abs=2e-3)
    assert result.end == pytest.approx(10, abs=2e-3)
    assert result.facts["state"] == "cleared"


@pytest.mark.parametrize(
    "source", [None, lambda a, b: (np.zeros((0, 1), np.float32), 0, a)], ids=["none", "empty"]
)
def test_an_event_without_sound_has_a_json_file_alone(tmp_path, opened, source):
    sink = opened()
    sink.send(event(), source)
    sink.close()
    (path,) = (tmp_path / "events").iterdir()
    assert json.loads(path.read_text())["sound"] is None


def test_the_oldest_events_are_removed_first_and_a_notice_counts_them(tmp_path, opened, monkeypatch):
    monkeypatch.setattr(audio_files, "_OTHER_BYTES", 2000)
    sink = opened(max_bytes=60_000)
    (tmp_path / "events" / "letters.txt").write_text("not of the sink")
    for number in range(6):
        sink.send(
            event(number), lambda a, b: (np.random.default_rng(0).random((5000, 1), np.float32), 500, a)
        )
        while sink._jobs:
            time.sleep(0.001)
    sink.close()
    files = [path for path in (tmp_path / "events").iterdir() if path.suffix != ".txt"]
    assert sum(path.stat().st_size for path in files) <= 60_000
    kept = {json.loads(path.read_text())["id"] for path in files if path.suffix == ".json"}
    assert kept == {"fan-3", "fan-4", "fan-5"}
    assert (tmp_path / "events" / "letters.txt").exists()
    (problem,) = sink.take_notices()
    assert "files of 1 old event were removed" in problem.text
    assert problem.kind == "disk"


def test_a_full_disk_costs_old_sound_first_and_then_new_sound_but_never_the_json_file(
    tmp_path, opened, monkeypatch
):
    sink = opened(min_free=1e6)
    sink.send(event(0), ramp)
    sink.close()
    n_bytes = lambda: sum(path.stat().st_size for path in (tmp_path / "events").iterdir())  # noqa: E731
    disk = n_bytes() + 1e6  # full, with the space that stays free
    usage = lambda folder: SimpleNamespace(free=disk - n_bytes())  # noqa: E731
    monkeypatch.setattr(audio_files.shutil, "disk_usage", usage)
    sink = opened(min_free=1e6)
    sink.send(event(1), ramp)
    sink.close()
    assert [path.suffix for path in (tmp_path / "events").iterdir()] == [".json"]
    causes = [problem.details["cause"] for problem in sink.take_notices()]
    assert causes == ["removed", "full"]


def test_a_slow_disk_does_not_stop_the_monitor_and_the_loss_is_reported(tmp_path, opened):
    sink = opened()
    free = threading.Event()
    write = sink._files.write
    sink._files.write = lambda *arguments: free.wait(10) and write(*arguments)
    begun = time.monotonic()
    for number in range(6):
        sink.send(event(number), ramp)
    sink.close(timeout=0.02)
    assert time.monotonic() - begun < 2
    texts = [problem.text for problem in sink.take_notices()]
    assert any("is too slow" in text for text in texts)
    assert any("was not written in time" in text for text in texts)
    free.set()
    while any(thread.name == "audio sink" for thread in threading.enumerate()):
        time.sleep(0.001)


def test_an_error_of_the_disk_is_reported_and_the_next_event_is_written(tmp_path, opened, monkeypatch):
    sink = opened()
    real = soundfile.write

    def fail(*arguments, **parameters):
        monkeypatch.setattr(soundfile, "write", real)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(soundfile, "write", fail)
    sink.send(event(0), ramp)
    while sink._jobs:
        time.sleep(0.001)
    sink.send(event(1), ramp)
    sink.close()
    assert len(list((tmp_path / "events").glob("*.flac"))) == 1
    assert not [path for path in (tmp_path / "events").iterdir() if path.suffix == ".part"]
    failed, solved = sink.take_notices()
    assert failed.kind == "disk"
    assert "No space left" in failed.text
    assert "written again" in solved.text


def test_nan_samples_and_many_channels_are_written_and_stated(tmp_path, opened):
    samples = np.full((100, 12), 0.25, np.float32)
    samples[3, 5] = np.nan
    sink = opened()
    sink.send(event(), lambda a, b: (samples, 8000, a))
    sink.close()
    result = written(tmp_path / "events")
    assert result.samples.shape == (100, 1)
    assert result.facts["sound"]["n_not_finite"] == 1
    assert result.facts["sound"]["n_channels"] == 12
    assert "mean of all channels" in result.facts["sound"]["mix"]


def test_files_that_a_kill_has_left_are_removed_and_other_records_write_nothing(tmp_path, opened):
    folder = tmp_path / "events"
    folder.mkdir()
    (folder / ".20270115T080000Z_fan_0a1b2c3d.flac.0123456789abcdef.part").write_bytes(b"x")
    sink = opened()
    sink.send(window(), sound)
    sink.send(notice(), sound)
    sink.close()
    assert list(folder.iterdir()) == []


def test_bad_parameters_are_errors(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError):
        AudioSink(tmp_path / "file").open(info())
    with pytest.raises(ValueError, match="max_duration must lie in"):
        AudioSink(tmp_path, max_duration=5, pre_roll=5).open(info())
    with pytest.raises(ValueError, match="pre_roll must lie in"):
        AudioSink(tmp_path, pre_roll=-1).open(info())
