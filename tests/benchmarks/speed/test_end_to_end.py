"""Tests that contenders from files to scores do the same work."""

import csv

import numpy as np
import pytest

from benchmarks.speed import end_to_end
from benchmarks.speed.latency import write_files

# librosa.load imports audioread, which imports modules that Python 3.13 removes.
pytestmark = pytest.mark.filterwarnings("ignore:.*slated for removal:DeprecationWarning")


def test_both_contenders_of_a_pair_give_the_same_scores(tmp_path):
    paths = write_files(tmp_path, 5, 1.0)
    for contenders in end_to_end.pairs(paths[:3], paths[3:]).values():
        expected, ours = (contender() for contender in contenders.values())
        assert expected.std() > 0.1
        np.testing.assert_allclose(ours, expected, rtol=1e-3)


def test_a_run_has_a_ratio_for_every_pair_whose_peer_is_installed(tmp_path, monkeypatch):
    monkeypatch.setattr(
        end_to_end,
        "pairs",
        lambda known, new: {
            name: {peer: lambda: np.array([1.0, 2.0]), end_to_end.OURS: lambda: np.array([1.0, 2.5])}
            for name, peer in end_to_end.PEERS.items()
        },
    )
    monkeypatch.setattr(end_to_end, "three_lines", lambda known, new: {end_to_end.OURS: lambda: new})
    report = end_to_end.main(["--files", "2", "--new", "1", "--seconds", "1", "--output", str(tmp_path)])
    # The difference is 0.5, and the standard deviation of the peer's scores is 0.5.
    assert "in standard deviations of the scores: 1.0e+00." in (tmp_path / "end_to_end.md").read_text()
    rows = end_to_end.ratios(report.tables)
    assert [bool(row["ratio"]) for row in rows] == [True, True, False]
    assert rows[2]["note"]
    with open(tmp_path / "end_to_end-files_to_scores_log_mel.csv", newline="") as file:
        assert [row["contender"] for row in csv.DictReader(file)] == [
            end_to_end.PEERS["log-mel"],
            "skaudio_ad",
        ]
