"""Marks of a listener are read back as labels."""

import csv
import os

import pytest

from skaudio_ad._csv_text import text_cell, utf8_name
from skaudio_ad.report import read_marks


@pytest.fixture
def write(tmp_path):
    def write(rows, columns=("path", "mark", "score", "p_value", "decision", "note")):
        with open(tmp_path / "marks.csv", "w", newline="", encoding="utf-8") as file:
            table = csv.writer(file, quoting=csv.QUOTE_NONNUMERIC)
            table.writerow(columns)
            table.writerows([*row, *[""] * (len(columns) - len(row))] for row in rows)
        return tmp_path / "marks.csv"

    return write


def test_marks_become_labels_in_the_order_of_the_recordings(write):
    path = write([("a.wav", "confirmed"), ("b.wav", "false alarm"), ("c.wav", "unsure"), ("d.wav", "")])
    assert read_marks(path) == {"a.wav": -1, "b.wav": 1, "c.wav": 0, "d.wav": 0}
    labels = read_marks(path, ["new.wav", "d.wav", "c.wav", "b.wav", os.path.abspath("a.wav")])
    assert labels.tolist() == [0, 0, 0, 1, -1]


def test_the_table_of_evaluate_is_read_too(write):
    path = write([("a.wav", "normal"), ("b.wav", "anomalous")], columns=("path", "truth"))
    assert read_marks(path, ["a.wav", "b.wav"]).tolist() == [1, -1]


@pytest.mark.skipif(os.sep == "\\", reason="Windows has no such names")
@pytest.mark.parametrize("name", [b"=1+1.wav", b"'a'.wav", b"x\xe9.wav", b"a\\b.wav", b'q"uote\n.wav'])
def test_a_mark_finds_a_recording_of_any_name(write, name):
    name = os.fsdecode(name)
    path = write([(text_cell(utf8_name(name)), "confirmed")])
    assert read_marks(path, [name]).tolist() == [-1]


def test_tables_that_do_not_fit_are_refused_with_the_reason(write, tmp_path):
    for rows, message in (
        ([("a.wav", "confirmed"), ("gone.wav", "unsure")], r"marks 1 recording\(s\) .* gone\.wav"),
        (
            [("a.wav", "wrong")],
            "row 2: the mark of a.wav must be one of confirmed, false alarm, unsure.*'wrong'",
        ),
        ([("a.wav", "confirmed"), ("a.wav", "unsure")], "marks a.wav in two ways"),
    ):
        with pytest.raises(ValueError, match=message):
            read_marks(write(rows), ["a.wav"])
    with pytest.raises(ValueError, match="must be a table with the columns path and mark"):
        read_marks(write([("a.wav", "1")], columns=("path", "score")))
    (tmp_path / "picture.csv").write_bytes(b"\x89PNG\xff\xfe")
    with pytest.raises(ValueError, match="is no CSV table in UTF-8"):
        read_marks(tmp_path / "picture.csv")
    with pytest.raises(FileNotFoundError, match=r"none\.csv"):
        read_marks(tmp_path / "none.csv")
