"""A folder that grows."""

import json
import os
import re
import shutil

import numpy as np
import pytest
import soundfile

from skaudio_ad.monitoring.sources import FolderSource, SourceError
from skaudio_ad.monitoring.sources import _folder_ledger as ledger_module

from .fake_timer import NOON, FakeTimer, blocks_of, notices_of, take

RATE = 800


def write(folder, name, value=0.5, seconds=1.5, age=100.0, rate=RATE, n_channels=1):
    """Write a file of constant samples that was modified `age` seconds before noon."""
    path = folder / name
    soundfile.write(path, np.full((round(seconds * rate), n_channels), value), rate, subtype="FLOAT")
    os.utime(path, (NOON - age, NOON - age))
    return path


def values_of(items):
    """Return the value of every file in the order in which the files were read."""
    values = [round(float(block.samples[0, 0]), 3) for block in blocks_of(items)]
    return [value for index, value in enumerate(values) if index == 0 or value != values[index - 1]]


@pytest.fixture
def timer():
    return FakeTimer()


@pytest.fixture
def source(tmp_path, timer):
    return FolderSource(tmp_path, timer=timer, time_zone="UTC")


def test_files_are_read_in_the_order_of_modification_and_then_of_name(tmp_path, source):
    write(tmp_path, "a.wav", 0.1, age=100)
    write(tmp_path, "c.wav", 0.2, age=200)
    write(tmp_path, "b.WAV", 0.3, age=200)
    items = take(source.stream())
    assert values_of(items) == [0.3, 0.2, 0.1]
    assert [block.stream for block in blocks_of(items)][::2] == [
        str(tmp_path / n) for n in ("b.WAV", "c.wav", "a.wav")
    ]
    assert blocks_of(items)[0].time == NOON - 200 - 1.5


def test_a_file_waits_until_it_has_not_changed_for_two_seconds(tmp_path, source, timer):
    stream = source.stream()
    next(stream)
    path = write(tmp_path, "a.wav", age=0)
    began = timer.mono
    os.utime(path, (NOON, NOON))
    while (item := next(stream)) is None:
        if timer.mono - began < 1.5:
            os.utime(path, (NOON + timer.mono, NOON + timer.mono))
            changed = timer.mono
    assert 2.0 <= timer.mono - changed <= 4.0
    assert item.samples.shape == (RATE, 1)


def test_a_half_written_file_waits_for_its_end(tmp_path, source, timer):
    whole = write(tmp_path, "whole.wav", 0.25, age=0).read_bytes()
    os.remove(tmp_path / "whole.wav")
    path = tmp_path / "a.wav"
    stream = source.stream()
    next(stream)
    path.write_bytes(whole[: len(whole) // 2])
    os.utime(path, (NOON, NOON))
    assert take(stream, n_none=20) == []
    path.write_bytes(whole)
    items = take(stream, n_none=20)
    assert values_of(items) == [0.25]
    assert sum(len(block.samples) for block in blocks_of(items)) == 1200


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", r"is empty \(0 bytes\)"),
        (b"no audio" * 20, "is no audio that can be decoded"),
        (None, "is truncated"),
    ],
)
def test_a_file_that_never_becomes_readable_is_reported_once_and_the_source_goes_on(
    tmp_path, timer, content, reason
):
    stream = FolderSource(tmp_path, timer=timer).stream()
    next(stream)
    bad = write(tmp_path, "bad<script>$(rm).wav", age=1)
    bad.write_bytes(bad.read_bytes()[:2000] if content is None else content)
    os.utime(bad, (NOON, NOON))
    assert take(stream, n_none=100) == []  # 50 seconds
    (notice,) = take(stream, n_none=100)
    assert notice.kind == "file"
    assert str(bad) in notice.text
    assert re.search(reason, notice.text)
    assert "on_error" not in notice.text
    assert notice.details["path"] == str(bad)
    write(tmp_path, "good.wav", 0.75)
    assert values_of(take(stream, n_none=200)) == [0.75]
    again = FolderSource(tmp_path, timer=timer).stream(json.loads(json.dumps(notice.position)))
    assert values_of(take(again, n_none=200)) == [0.75]


def test_a_name_with_line_breaks_is_shown_on_one_line(tmp_path, source, timer):
    (tmp_path / "a\n\x1b[2J.wav").write_bytes(b"")
    (notice,) = take(source.stream(), n_none=200)
    assert "\n" not in notice.text
    assert "a\\n\\x1b[2J.wav" in notice.text


def test_temporary_and_hidden_and_other_files_are_left_out(tmp_path, source):
    good = write(tmp_path, "a.wav", 0.5)
    for name in (".a.wav", "a.wav.part", "a.part.wav", "b.wav.tmp", "c.wav~", "notes.txt"):
        shutil.copy(good, tmp_path / name)
    (tmp_path / "folder.wav").mkdir()
    items = take(source.stream(), n_none=200)
    assert {block.stream for block in items} == {str(good)}


def test_a_pattern_chooses_files(tmp_path, timer):
    write(tmp_path, "mic1_a.wav", 0.1)
    write(tmp_path, "mic2_a.wav", 0.2)
    assert values_of(take(FolderSource(tmp_path, pattern="MIC2_*.wav", timer=timer).stream())) == [0.2]


def test_a_file_that_is_replaced_while_it_is_read_is_read_again(tmp_path, source, timer):
    write(tmp_path, "a.wav", 0.1, seconds=2.5)
    stream = source.stream()
    items = [next(stream)]
    other = write(tmp_path, "new.tmp.wav", 0.9, seconds=2.5, age=10)
    os.replace(other, tmp_path / "a.wav")
    items += take(stream, n_none=20)
    assert values_of(items) == [0.1, 0.9]
    (notice,) = notices_of(items)
    assert notice.kind == "file"
    assert "was replaced or written to while it was read" in notice.text
    assert items.index(notice) == 3


def test_every_sample_comes_once_after_a_restart_at_any_block(tmp_path, timer):
    for index in range(3):
        write(
            tmp_path,
            f"20231114_22132{index}.wav",
            0.1 * (index + 1),
            seconds=1.0 + 0.2 * index,
            age=90 - index,
        )
    write(tmp_path, "other.wav", 0.7, seconds=2.5, age=80)

    def items_after(position):
        return take(FolderSource(tmp_path, timer=timer, time_zone="UTC").stream(position))

    whole, texts = [], []
    for item in items_after(None):
        whole.append(item)
        texts.append(json.dumps(item.position))
    assert len(blocks_of(whole)) == 8
    for index, item in enumerate(whole):
        if item.position is None:
            continue
        assert json.dumps(item.position) == texts[index]  # nothing changes a position that was given out
        rest = items_after(json.loads(texts[index]))
        assert [(b.time, b.stream, b.samples.shape) for b in blocks_of(rest)] == [
            (b.time, b.stream, b.samples.shape) for b in blocks_of(whole[index + 1 :])
        ]
        assert {n.id for n in notices_of(rest)} <= {n.id for n in notices_of(whole)}


def test_a_file_that_is_gone_after_a_restart_is_reported(tmp_path, source, timer):
    path = write(tmp_path, "a.wav", 0.1, seconds=2.5)
    block = next(source.stream())
    os.remove(path)
    (notice,) = take(FolderSource(tmp_path, timer=timer).stream(block.position))
    assert "was not read to its end before the restart" in notice.text


def test_a_file_without_samples_is_reported_once(tmp_path, source):
    write(tmp_path, "a.wav", seconds=0.0)
    (notice,) = take(source.stream(), n_none=200)
    assert "a.wav: holds no samples. The source goes on." in notice.text


def test_a_file_that_is_removed_just_before_it_is_read_is_reported(tmp_path, source):
    write(tmp_path, "a.wav", 0.1, age=100)
    second = write(tmp_path, "b.wav", 0.2, age=90)
    stream = source.stream()
    items = [next(stream)]
    os.remove(second)
    items += take(stream)
    assert values_of(items) == [0.1]
    (notice,) = notices_of(items)
    assert "b.wav: was removed before it could be read" in notice.text


def test_existing_files_may_be_left_out(tmp_path, timer):
    write(tmp_path, "old.wav", 0.1)
    source = FolderSource(tmp_path, process_existing=False, timer=timer)
    stream = source.stream()
    assert take(stream, n_none=10) == []
    write(tmp_path, "new.wav", 0.2)
    assert values_of(take(stream, n_none=10)) == [0.2]


def test_a_position_stays_small_and_no_file_is_read_twice(tmp_path, timer, monkeypatch):
    monkeypatch.setattr(ledger_module, "MAX_TAKEN", 10)
    names = [f"{index:02d}.wav" for index in range(25)]
    for index, name in enumerate(names):
        write(tmp_path, name, 0.01 * (index + 1), seconds=0.1, age=100 + index // 2)  # pairs of equal times
    source = FolderSource(tmp_path, timer=timer)
    stream = source.stream()
    items = take(stream)
    assert len(values_of(items)) == 25
    write(tmp_path, "last.wav", 0.9, seconds=0.1)
    (last,) = take(stream, n_none=20)
    assert len(last.position["taken"]) <= 11
    late = write(tmp_path, "late.wav", 0.8, seconds=0.1, age=500)
    again = FolderSource(tmp_path, timer=FakeTimer(os.stat(late).st_ctime + 5)).stream(
        {**last.position, "scanned": os.stat(late).st_ctime_ns - 1}
    )
    items = take(again, n_none=20)
    assert values_of(items) == [0.8]
    assert "is older than the files that the position names" in notices_of(items)[0].text


def test_a_file_that_still_waits_is_not_forgotten(tmp_path, timer, monkeypatch):
    monkeypatch.setattr(ledger_module, "MAX_TAKEN", 10)
    path = write(tmp_path, "half.wav", age=150)
    path.write_bytes(path.read_bytes()[:2000])
    os.utime(path, (NOON - 150, NOON - 150))
    for index in range(25):
        write(tmp_path, f"{index:02d}.wav", 0.5, seconds=0.1, age=100)
    items = take(FolderSource(tmp_path, patience=500, timer=timer).stream())
    assert len(blocks_of(items)) == 25
    position = {**items[-1].position, "scanned": 1 << 62}
    (notice,) = take(FolderSource(tmp_path, patience=500, timer=timer).stream(position), n_none=1000)
    assert "half.wav: is truncated" in notice.text


def test_a_look_at_an_unchanged_folder_asks_for_no_file(tmp_path, monkeypatch):
    write(tmp_path, "a.wav")
    os.utime(tmp_path, (NOON - 1000, NOON - 1000))
    timer = FakeTimer()
    stream = FolderSource(tmp_path, timer=timer).stream()
    take(stream, n_none=4)
    scans = []
    monkeypatch.setattr(os, "scandir", lambda path: scans.append(path))
    take(stream, n_none=20)
    assert scans == []


def test_a_folder_that_vanishes_and_comes_back_is_reported(tmp_path, timer):
    folder = tmp_path / "sounds"
    folder.mkdir()
    source = FolderSource(folder, timer=timer)
    stream = source.stream()
    next(stream)
    folder.rename(tmp_path / "elsewhere")
    (lost,) = take(stream, n_none=20)
    assert (lost.kind, lost.time) == ("lost", timer.wall - 10.0)
    (tmp_path / "elsewhere").rename(folder)
    write(folder, "a.wav", 0.5)
    back, *blocks = take(stream, n_none=20)
    assert back.kind == "back"
    assert back.details["away"] == pytest.approx(back.time - lost.time)
    assert values_of(blocks) == [0.5]


def test_a_folder_that_does_not_exist_is_refused(tmp_path):
    with pytest.raises(SourceError, match=r"gone: cannot be listed \(No such file or directory\)"):
        FolderSource(tmp_path / "gone").describe()


def test_a_file_that_is_removed_before_it_is_read_is_reported_and_a_renamed_file_is_not(
    tmp_path, source, timer
):
    stream = source.stream()
    next(stream)
    for name in ("removed.wav", "renamed.wav"):
        write(tmp_path, name, 0.3, age=0)
    next(stream)
    next(stream)
    os.remove(tmp_path / "removed.wav")
    os.rename(tmp_path / "renamed.wav", tmp_path / "final.wav")
    items = take(stream, n_none=20)
    (notice,) = notices_of(items)
    assert "removed.wav: was removed before it could be read" in notice.text
    assert values_of(items) == [0.3]


def test_files_that_follow_one_another_are_one_stream_and_a_hole_after_them_is_a_gap(tmp_path, source):
    for second, seconds, age in ((20, 2.0, 50), (22, 2.0, 48), (27, 1.0, 46)):
        write(tmp_path, f"mic_20231114_2213{second}.wav", seconds=seconds, age=age)
    items = take(source.stream())
    assert [block.time - NOON for block in blocks_of(items)] == [0.0, 1.0, 2.0, 3.0, 7.0]
    assert len({block.stream for block in blocks_of(items)[:4]}) == 1
    assert blocks_of(items)[4].stream.endswith("221327.wav")
    (notice,) = notices_of(items)
    assert (notice.kind, notice.duration, notice.time) == ("gap", 3.0, NOON + 4.0)
    assert items.index(notice) == 4


@pytest.mark.parametrize(("gaps", "n_notices"), [("auto", 0), ("report", 2), ("ignore", 0)])
def test_a_recorder_with_pauses_loses_no_sound_unless_asked(tmp_path, timer, gaps, n_notices):
    for second, age in ((20, 50), (30, 40), (40, 30)):
        write(tmp_path, f"mic_20231114_2213{second}.wav", age=age)
    notices = notices_of(take(FolderSource(tmp_path, gaps=gaps, time_zone="UTC", timer=timer).stream()))
    assert [notice.kind for notice in notices] == ["gap"] * n_notices


def test_small_losses_between_files_move_the_times_with_a_notice(tmp_path, source):
    # Every file lacks 0.45 s, and the names tell whole seconds.
    for index in range(8):
        second = int(20 + 2.45 * index)
        write(tmp_path, f"mic_20231114_2213{second}.wav", seconds=2.0, age=90 - index)
    items = take(source.stream())
    (notice,) = notices_of(items)
    assert notice.kind == "clock"
    times = [block.time for block in blocks_of(items)]
    assert times == sorted(times)
    assert abs(times[-2] - (NOON + int(2.45 * 7))) <= 2.0


def test_files_of_several_recorders_at_the_same_time_are_separate_streams(tmp_path, source):
    for second, age in ((20, 50), (22, 48)):
        for mic in ("mic1", "mic2"):
            write(tmp_path, f"{mic}_20231114_2213{second}.wav", seconds=2.0, age=age)
    items = take(source.stream())
    assert notices_of(items) == []
    assert [block.stream.rpartition("/")[2][:4] for block in items] == ["mic1"] * 2 + ["mic2"] * 2 + [
        "mic1"
    ] * 2 + ["mic2"] * 2


def test_a_clock_that_was_set_back_is_reported_once(tmp_path, source):
    for second, age in ((30, 50), (10, 48), (5, 46)):
        write(tmp_path, f"mic_20231114_2213{second:02d}.wav", age=age)
    (notice,) = notices_of(take(source.stream()))
    assert notice.kind == "clock"
    assert "begins 21.5 s before the end of the file before it" in notice.text


def test_a_change_of_rate_or_channels_is_reported(tmp_path, source):
    write(tmp_path, "a1.wav", age=50)
    write(tmp_path, "a2.wav", age=40, rate=400, n_channels=2)
    notices = notices_of(take(source.stream()))
    assert [notice.kind for notice in notices] == ["rate", "channels"]
    assert notices[1].details["now"] == 2


def test_the_oldest_files_that_have_left_the_folder_are_forgotten(monkeypatch):
    monkeypatch.setattr(ledger_module, "MAX_TAKEN", 4)
    monkeypatch.setattr(ledger_module, "_MAX_KNOWN", 3)
    states = [ledger_module.FileState(f"{number}.wav", 1, number, number, number) for number in range(10)]
    ledger = ledger_module.Ledger()
    for state in states:
        ledger.take(state.digest)
    ledger.remember_only(states[8:])
    assert [ledger.is_taken(state) for state in states] == [False] * 5 + [True] * 5
