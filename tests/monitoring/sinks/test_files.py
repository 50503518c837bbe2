"""Tests of the log of JSON lines and of the CSV table."""

import csv
import errno
import json
import os

import pytest

from skaudio_ad.monitoring.sinks import CsvSink, JsonLinesSink, Sink

from ...killed import write_until_killed
from .records import event, info, notice, window


def lines(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.fixture
def opened():
    """Function that opens a sink, which is closed after the test."""
    sinks = []

    def open_(sink, **changes):
        sink.open(info(**changes))
        sinks.append(sink)
        return sink

    yield open_
    for sink in sinks:
        sink.close()


def test_records_are_lines_in_the_order_of_their_arrival(tmp_path, opened):
    sink = opened(JsonLinesSink(tmp_path / "log.jsonl"))
    for record in (window(), event(), notice(), event(state="cleared")):
        sink.send(record)
    read = lines(tmp_path / "log.jsonl")
    assert [entry["type"] for entry in read] == ["window", "event", "notice", "event"]
    assert [entry["source"] for entry in read] == ["fan"] * 4
    assert isinstance(sink, Sink)


def test_windows_can_be_left_out(tmp_path, opened):
    sink = opened(JsonLinesSink(tmp_path / "log.jsonl", windows=False))
    sink.send(window())
    sink.send(event())
    assert [entry["type"] for entry in lines(tmp_path / "log.jsonl")] == ["event"]


def test_a_restart_appends_and_does_not_repeat_a_record(tmp_path, opened):
    for count in (3, 5):
        sink = opened(JsonLinesSink(tmp_path / "log.jsonl"))
        for number in range(count):
            sink.send(window(number))
        sink.send(event())
        sink.close()
    keys = [entry["key"] for entry in lines(tmp_path / "log.jsonl")]
    assert len(keys) == len(set(keys)) == 6


def test_windows_of_another_source_at_the_same_time_are_written(tmp_path, opened):
    for source in ("fan", "pump"):
        sink = opened(JsonLinesSink(tmp_path / "log.jsonl"), source=source)
        sink.send(window())
        sink.close()
    assert [entry["source"] for entry in lines(tmp_path / "log.jsonl")] == ["fan", "pump"]


@pytest.mark.parametrize(("cls", "name"), [(JsonLinesSink, "log.jsonl"), (CsvSink, "log.csv")])
def test_a_torn_last_line_is_removed_with_a_notice_and_the_record_is_written_again(
    tmp_path, opened, cls, name
):
    path = tmp_path / name
    sink = opened(cls(path))
    sink.send(window(0))
    sink.send(window(1))
    sink.close()
    complete = path.read_bytes()
    path.write_bytes(complete[:-20])
    sink = opened(cls(path))
    sink.send(window(1))
    assert path.read_bytes() == complete
    (problem,) = sink.take_notices()
    assert "incomplete" in problem.text
    assert problem.kind == "sink"
    assert sink.take_notices() == []


@pytest.mark.parametrize(("cls", "name"), [(JsonLinesSink, "log.jsonl"), (CsvSink, "log.csv")])
def test_the_disk_space_is_bounded_and_the_newest_lines_stay(tmp_path, opened, cls, name):
    sink = opened(cls(tmp_path / name, max_bytes=2000, n_files=3))
    for number in range(60):
        sink.send(window(number))
    sink.close()
    files = sorted(tmp_path.iterdir())
    assert len(files) == 3
    assert all(file.stat().st_size <= 2000 for file in files)
    stem, ending = name.split(".")
    ordered = [tmp_path / f"{stem}.2.{ending}", tmp_path / f"{stem}.1.{ending}", tmp_path / name]
    if cls is JsonLinesSink:
        starts = [entry["start"] for path in ordered for entry in lines(path)]
    else:
        starts = [
            float(row["start"]) for path in ordered for row in csv.DictReader(path.read_text().splitlines())
        ]
    assert starts == [window(number).start for number in range(60 - len(starts), 60)]
    assert len(starts) > 5


def test_a_record_that_was_rotated_away_just_before_a_restart_is_not_repeated(tmp_path, opened):
    sink = opened(JsonLinesSink(tmp_path / "log.jsonl", max_bytes=1000, n_files=5))
    for number in range(8):
        sink.send(window(number))
    sink.close()
    n_before = sum(len(lines(path)) for path in tmp_path.iterdir())
    sink = opened(JsonLinesSink(tmp_path / "log.jsonl", max_bytes=1000, n_files=5))
    for number in (5, 6, 7):
        sink.send(window(number))
    assert sum(len(lines(path)) for path in tmp_path.iterdir()) == n_before == 8


def test_lines_wait_while_the_disk_is_full_and_are_written_afterwards(tmp_path, opened, monkeypatch):
    path = tmp_path / "log.jsonl"
    sink = opened(JsonLinesSink(path))
    sink.send(window(0))
    real = sink._log._file

    class FullDisk:
        fileno, close = real.fileno, real.close

        def write(self, line):
            real.write(line[:10])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    sink._log._file = FullDisk()
    sink.send(window(1))
    sink.send(event())
    assert len(lines(path)) == 1  # no half line
    (problem,) = sink.take_notices()
    assert problem.kind == "disk"
    assert "No space left on device" in problem.text
    assert str(path) in problem.text
    sink._log._file = real
    sink.send(window(2))
    assert [entry["type"] for entry in lines(path)] == ["window", "window", "event", "window"]
    assert "can be written again" in sink.take_notices()[0].text


def test_a_file_that_somebody_renames_is_begun_again(tmp_path, opened):
    path = tmp_path / "log.jsonl"
    sink = opened(JsonLinesSink(path))
    sink.send(window(0))
    os.rename(path, tmp_path / "old.jsonl")
    sink.send(window(1))
    assert len(lines(path)) == len(lines(tmp_path / "old.jsonl")) == 1


def test_lines_are_complete_after_kills(tmp_path):
    path = tmp_path / "log.jsonl"
    begun = lambda: path.exists() and path.stat().st_size > 5000  # noqa: E731

    def work():
        sink = JsonLinesSink(path, max_bytes=1e6)
        sink.open(info())
        for number in range(100_000):
            sink.send(window(number))

    for wait in (0.001, 0.004):
        write_until_killed(work, begun, wait)
    sink = JsonLinesSink(path, max_bytes=1e6)
    sink.open(info())
    sink.close()
    starts = [
        entry["start"] for file in (tmp_path / "log.1.jsonl", path) if file.exists() for entry in lines(file)
    ]
    assert starts == [window(number).start for number in range(len(starts))]


def test_a_table_has_one_row_a_record_and_no_formula(tmp_path, opened):
    path = tmp_path / "log.csv"
    sink = opened(CsvSink(path))
    sink.send(window(error="=HYPERLINK(1)\nsecond line"))
    sink.send(event(source="+cmd|' /C calc'!A0", reason="normal again", state="cleared"))
    sink.send(notice(text="-1 and, a comma"))
    rows = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))
    assert [row["type"] for row in rows] == ["window", "event", "notice"]
    assert rows[0]["text"] == "'=HYPERLINK(1) second line"
    assert rows[1]["source"] == "'+cmd|' /C calc'!A0"
    assert rows[1]["score"] == "-7.5"
    assert rows[2]["text"] == "'-1 and, a comma"
    assert rows[2]["lost_seconds"] == "2.0"
    assert rows[2]["start_utc"] == "2027-01-15T08:00:00.000Z"
    assert rows[0]["drift"] == ""


def test_a_restart_does_not_repeat_a_row_of_the_table(tmp_path, opened):
    for _ in range(2):
        sink = opened(CsvSink(tmp_path / "log.csv"), source="-fan\n1")
        sink.send(window())
        sink.send(event(id="=id\n"))
        sink.close()
    assert len((tmp_path / "log.csv").read_text().splitlines()) == 3


@pytest.mark.parametrize("cls", [JsonLinesSink, CsvSink])
def test_a_file_of_another_program_is_refused_and_stays_as_it_was(tmp_path, cls):
    path = tmp_path / "notes"
    path.write_text("type of music")
    with pytest.raises(ValueError, match=r"notes is not a .* Name another file"):
        cls(path).open(info())
    assert path.read_text() == "type of music"


def test_a_folder_that_does_not_exist_a_folder_as_file_and_bad_sizes_are_errors(tmp_path):
    with pytest.raises(FileNotFoundError, match="missing does not exist; make it first"):
        JsonLinesSink(tmp_path / "missing" / "log.jsonl").open(info())
    with pytest.raises(IsADirectoryError, match="is a folder; name a file"):
        JsonLinesSink(tmp_path).open(info())
    with pytest.raises(ValueError, match="max_bytes must lie in"):
        JsonLinesSink(tmp_path / "log.jsonl", max_bytes=10).open(info())
    with pytest.raises(RuntimeError, match="Call open first"):
        JsonLinesSink(tmp_path / "log.jsonl").send(window())
