"""The table of `score --csv` is written atomically, without formulas, with any file name. Pictures have safe names."""

import csv
import os
import re
import resource
import unicodedata

import pytest

import skaudio_ad.cli._pictures
import skaudio_ad.cli._score
from skaudio_ad._csv_text import path_of_cell, text_cell, utf8_name
from skaudio_ad._file_names import file_names
from skaudio_ad.cli._table import open_table
from skaudio_ad.recordings import ScoredRecording

FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "\uff1d1", "'=1", "''"]


def path_of(cell):
    """Restore the path from a cell as the user guide describes."""
    text = cell.removeprefix("'")
    parts = re.split(r"(\\\\|\\x[0-9a-f]{2})", text)
    plain = {"\\\\": b"\\"}
    return os.fsdecode(
        b"".join(
            plain.get(part) or bytes([int(part[2:], 16)]) if part.startswith("\\") else part.encode()
            for part in parts
        )
    )


@pytest.mark.parametrize("text", FORMULAS)
def test_a_text_like_a_formula_gets_a_removable_apostrophe(text):
    assert text_cell(text) == "'" + text


@pytest.mark.parametrize("text", ["a.wav", "a=1.wav", "x-y", "", " =1", "ä.wav"])
def test_any_other_text_does_not_change(text):
    assert text_cell(text) == text


@pytest.mark.parametrize(
    "name",
    [
        b"plain.wav",
        b"x\xe9.wav",
        b"back\\slash.wav",
        b"\\xff.wav",
        b"\\\\\xff\\.wav",
        b"-\xff",
        "ü日本.wav".encode(),
        b"'quoted'.wav",
        b"line\nbreak",
    ],
)
def test_any_file_name_can_be_written_and_restored(name):
    path = os.fsdecode(name)
    cell = text_cell(utf8_name(path))
    cell.encode("utf-8")
    assert path_of(cell) == path
    assert path_of_cell(cell) == path


def test_a_negative_score_is_a_number_and_a_file_name_like_a_formula_is_a_text(
    run, scores_of, tmp_path, rows_of
):
    scores_of({"=1+1.wav": -0.5, "a;=2.wav": 2.0, "x.wav": "=cmd|' /C calc'!A0"})
    table = tmp_path / "t.csv"
    result = run("score", "d.skops", "--csv", table, "=1+1.wav", "a;=2.wav", "x.wav")
    assert result.exit_code == 1
    assert table.read_text(encoding="utf-8").splitlines() == [
        '"path","score","decision","worst_time_s","error","margin","p_value"',
        '"\'=1+1.wav",-0.5,"anomalous",0.5,"","",""',
        '"a;=2.wav",2.0,"normal",0.5,"","",""',
        '"x.wav","","error","","\'=cmd|\' /C calc\'!A0","",""',
    ]


def test_a_name_that_is_not_utf8_is_written_and_the_run_continues(run, scores_of, tmp_path, rows_of):
    odd = os.fsdecode(b"x\xe9\n.wav")
    scores_of({odd: 1.0, "b.wav": f"cannot be read: {odd}"})
    result = run("score", "d.skops", "--csv", tmp_path / "t.csv", odd, "b.wav")
    assert "  x\\xe9\\n.wav" in result.stdout
    odd_row, failed_row = rows_of(tmp_path / "t.csv")
    assert path_of(odd_row["path"]) == odd
    assert failed_row["error"] == "cannot be read: x\\xe9\\n.wav"


def test_an_older_table_stays_until_the_new_table_is_complete(run, scores_of, tmp_path, monkeypatch, rows_of):
    table = tmp_path / "t.csv"
    table.write_text("old")
    seen = []
    scores_of({"a.wav": 1.0, "b.wav": 2.0})
    say_row = skaudio_ad.cli._score._say_row
    monkeypatch.setattr(
        skaudio_ad.cli._score, "_say_row", lambda row: (seen.append(table.read_text()), say_row(row))
    )
    assert run("score", "d.skops", "--csv", table, "a.wav", "b.wav").exit_code == 0
    assert seen == ["old", "old"]
    assert [row["path"] for row in rows_of(table)] == ["a.wav", "b.wav"]
    assert os.listdir(tmp_path) == ["t.csv"]


def test_the_finished_rows_of_an_interrupted_run_are_kept_beside_an_older_table(
    run, scores_of, tmp_path, rows_of
):
    table = tmp_path / "t.csv"
    table.write_text("old")
    scores_of({"a.wav": 1.0, "b.wav": 2.0, "c.wav": KeyboardInterrupt()})
    result = run("score", "d.skops", "--csv", table, "a.wav", "b.wav", "c.wav")
    assert result.exit_code == 130
    assert table.read_text() == "old"
    assert f"{table} is not written; its 2 finished rows are kept in {table}.partial." in result.stderr
    assert [row["path"] for row in rows_of(f"{table}.partial")] == ["a.wav", "b.wav"]
    assert sorted(os.listdir(tmp_path)) == ["t.csv", "t.csv.partial"]


def test_an_interrupted_run_without_a_finished_row_leaves_nothing(run, scores_of, tmp_path):
    scores_of({"a.wav": KeyboardInterrupt()})
    result = run("score", "d.skops", "--csv", tmp_path / "t.csv", "a.wav")
    assert result.exit_code == 130
    assert "partial" not in result.stderr
    assert os.listdir(tmp_path) == []


def test_a_full_disk_is_reported_and_leaves_the_older_table_and_complete_rows(
    run, scores_of, tmp_path, rows_of
):
    table = tmp_path / "t.csv"
    table.write_text("old")
    paths = [f"{index}{'a' * 100}.wav" for index in range(9)]
    scores_of(dict.fromkeys(paths, 1.0))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (500, before[1]))  # a disk of 500 bytes
    try:
        result = run("score", "d.skops", "--csv", table, *paths)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert result.exit_code == 1
    assert f"Error: {table}: File too large" in result.stderr
    assert table.read_text() == "old"
    kept = rows_of(f"{table}.partial")
    assert [row["path"] for row in kept] == paths[: len(kept)]
    assert len(kept) == 3
    assert (tmp_path / "t.csv.partial").read_bytes().endswith(b"\r\n")


def test_a_table_is_written_directly_to_a_pipe(tmp_path):
    read, write = os.pipe()
    with open_table(f"/dev/fd/{write}") as write_row:
        write_row(ScoredRecording("a.wav", 1.0, "normal"))
    os.close(write)
    with open(read, newline="", encoding="utf-8") as file:
        assert [row[0] for row in csv.reader(file)] == ["path", "a.wav"]


def test_pictures_have_different_names_on_a_disk_that_ignores_case_and_the_form_of_accents():
    composed, decomposed = unicodedata.normalize("NFC", "é"), unicodedata.normalize("NFD", "é")
    paths = ["x/A.wav", "y/a.wav", f"{composed}.wav", f"{decomposed}.wav", "ß.wav", "SS.wav", "a_2.wav"]
    names = file_names(paths, ".png")
    keys = {unicodedata.normalize("NFC", name.casefold()) for name in names.values()}
    assert len(keys) == len(paths)
    assert names["x/A.wav"] == "A.png"
    assert names["y/a.wav"] == "a_2.png"


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("a\nb\x1b[31m\u202e.wav", "a_b_[31m_.png"),
        ("C:\\x\\a.wav", "C__x_a.png"),
        (os.fsdecode(b"x\xe9.wav"), "x_.png"),
        ("....wav", "recording.png"),
        ("x" * 240 + ".wav", "x" * 180 + ".png"),
        ("日" * 80 + ".wav", "日" * 60 + ".png"),
        ("ü日本 1.wav", "ü日本 1.png"),
    ],
    ids=["control", "separators", "no UTF-8", "dots", "long", "long in bytes", "plain"],
)
def test_the_name_of_a_picture_is_valid_on_any_disk(path, name):
    assert file_names([path], ".png") == {path: name}


def test_many_recordings_with_equal_names_are_numbered_fast():
    names = file_names([f"{index}/audio.wav" for index in range(20000)], ".png")
    assert len(set(names.values())) == 20000
    assert names["1/audio.wav"] == "audio_2.png"


@pytest.mark.parametrize("error", [AttributeError("no axes"), OSError("gone"), MemoryError()])
def test_the_run_continues_after_a_picture_that_cannot_be_drawn(
    error, run, scores_of, tmp_path, monkeypatch, rows_of
):
    drawn = []

    def draw(pipeline, recording, path):
        if recording.path == "a.wav":
            raise error
        drawn.append(path.name)

    monkeypatch.setattr(skaudio_ad.cli._pictures, "draw_recording", draw)
    scores_of({"a.wav": 1.0, "b.wav": 2.0})
    result = run("score", "d.skops", "--plot", tmp_path / "p", "--csv", tmp_path / "t.csv", "a.wav", "b.wav")
    assert result.exit_code == 1
    assert drawn == ["b.png"]
    assert [row["score"] for row in rows_of(tmp_path / "t.csv")] == ["1.0", "2.0"]
    assert "Error: a.wav: could not be drawn: " in result.stderr
    assert "Error: 1 of 2 recordings could not be drawn, see above." in result.stderr
