"""The iterator over scores: lazy, and a table of all recordings."""

import sys

import numpy as np
import pytest

from skaudio_ad.recordings import ScoredRecording, ScoredRecordings

SCORED = [
    ScoredRecording(
        "a.wav", -1.0, "normal", np.array([0.5, 1.5]), np.array([-1.0, -2.0]), margin=1.0, p_value=0.5
    ),
    ScoredRecording("<b>.wav", -9.0, "anomalous", margin=-7.0, p_value=0.01),
    ScoredRecording("c.wav", error="no such file"),
]


@pytest.fixture
def asked():
    """List the recordings that were asked for so far."""
    return []


@pytest.fixture
def scores(asked):
    def score():
        for recording in SCORED:
            asked.append(recording.path)
            yield recording

    return ScoredRecordings(score(), len(SCORED))


def test_a_recording_is_scored_when_it_is_asked_for(scores, asked):
    assert iter(scores) is scores
    assert asked == []
    assert next(scores) is SCORED[0]
    assert asked == ["a.wav"]
    assert list(scores) == SCORED[1:]
    assert list(scores) == []


def test_no_recording_is_scored_after_close(scores, asked):
    next(scores)
    scores.close()
    assert list(scores) == []
    assert asked == ["a.wav"]


def test_the_table_has_all_recordings_also_those_that_were_iterated_over(scores):
    next(scores)
    table = scores.to_frame()
    assert list(table.columns) == ["path", "score", "p_value", "margin", "decision", "worst_time", "error"]
    assert table["path"].tolist() == ["a.wav", "<b>.wav", "c.wav"]
    assert table["decision"].tolist() == ["normal", "anomalous", "error"]
    assert table["error"].tolist() == ["", "", "no such file"]
    np.testing.assert_array_equal(table["score"], [-1, -9, np.nan])
    np.testing.assert_array_equal(table["margin"], [1, -7, np.nan])
    np.testing.assert_array_equal(table["p_value"], [0.5, 0.01, np.nan])
    np.testing.assert_array_equal(table["worst_time"], [1.5, np.nan, np.nan])
    assert scores.to_frame().equals(table)
    assert list(scores) == []


def test_a_table_of_no_recordings_has_the_same_columns_and_types(scores):
    empty = ScoredRecordings(iter([]), 0).to_frame()
    assert len(empty) == 0
    assert empty.dtypes["score"] == empty.dtypes["worst_time"] == np.float64
    assert list(empty.columns) == list(scores.to_frame().columns)


def test_without_pandas_the_error_says_what_to_install_and_nothing_is_scored(scores, asked, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match="pip install pandas"):
        scores.to_frame()
    assert asked == []


def test_a_notebook_shows_the_scores_so_far_and_scores_nothing(scores, asked):
    assert "0 of 3 recordings scored" in scores._repr_html_()
    assert asked == []
    next(scores), next(scores)
    shown = scores._repr_html_()
    assert asked == ["a.wav", "<b>.wav"]
    assert "2 of 3 recordings scored: 1 normal, 1 anomalous, 0 error" in shown
    assert "&lt;b&gt;.wav" in shown
    assert "<b>.wav" not in shown
    assert shown.index("&lt;b&gt;.wav") < shown.index("a.wav</td>")  # the least normal recording is first
    assert repr(scores) == "<ScoredRecordings: 2 of 3 recordings scored: 1 normal, 1 anomalous, 0 error>"


def test_a_notebook_shows_ten_recordings_at_most():
    many = [ScoredRecording(f"{index}.wav", -float(index), "normal") for index in range(25)]
    scores = ScoredRecordings(iter(many), 25)
    list(scores)
    shown = scores._repr_html_()
    assert [f">{index}.wav<" in shown for index in (24, 15, 14, 0)] == [True, True, False, False]
