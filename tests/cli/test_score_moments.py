"""``skaudio-ad score --audacity`` and ``--raven``."""

import os

import pytest


@pytest.fixture
def paths(write_wavs, scores_of):
    """Write a normal recording of 1 s and an anomalous one of 2 s with its only window at 0.5 s."""
    normal, anomalous = write_wavs([16000, 32000])
    scores_of({normal: 1.0, anomalous: -2.5})
    return normal, anomalous


def test_the_moments_of_anomalous_recordings_are_written(run, paths, tmp_path):
    labels, table = tmp_path / "labels", tmp_path / "table.txt"
    result = run("score", "d.skops", *paths, "--audacity", labels, "--raven", table)
    assert result.exit_code == 0, result.output
    assert os.listdir(labels) == ["clip_1.txt"]
    assert (labels / "clip_1.txt").read_text() == "0.500000\t0.500000\tanomalous, score -2.5\n"
    (row,) = table.read_text().splitlines()[1:]
    assert row.split("\t")[-3:] == [paths[1], "0.500000", "-2.5"]
    assert f"1 label track(s) of Audacity are in {labels}." in result.stderr
    assert f"1 selection(s) of Raven are in {table}." in result.stderr


def test_a_name_that_raven_cannot_read_is_an_error_before_the_first_score(run, scores_of, tmp_path):
    scores_of({"a\tb.wav": AssertionError("scored")})
    result = run("score", "d.skops", "a\tb.wav", "--raven", tmp_path / "table.txt")
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: a\\tb.wav: its path has a tab, a line break")
    assert os.listdir(tmp_path) == []


def test_a_place_that_cannot_be_written_is_an_error_before_the_first_score(run, scores_of, tmp_path):
    scores_of({"a.wav": AssertionError("scored")})
    result = run("score", "d.skops", "a.wav", "--raven", tmp_path / "no" / "table.txt")
    assert result.exit_code == 1
    assert "does not exist; make it first" in result.stderr
