"""Tests that the contenders of the neighbour benchmark find the same neighbours, and that its report has errors."""

import csv
from pathlib import Path

import numpy as np
import pytest

from benchmarks.speed import neighbors


@pytest.mark.parametrize("metric", neighbors.METRICS)
@pytest.mark.parametrize("name", neighbors.SEARCHES)
def test_the_error_is_the_error_of_the_distances(name, metric):
    rows, queries = neighbors.make_embeddings(300, 60, 8)
    found, nearest = neighbors.SEARCHES[name](metric).fit(rows).kneighbors(queries)
    # The reference uses all pairs in float64.
    rows, queries = rows.astype(float), queries.astype(float)
    if metric == "euclidean":
        distances = np.sqrt(np.square(queries[:, np.newaxis] - rows).sum(axis=2))
    else:
        lengths = np.linalg.norm(queries, axis=1)[:, np.newaxis] * np.linalg.norm(rows, axis=1)
        distances = 1 - queries @ rows.T / lengths
    assert nearest[:, 0].tolist() == distances.argmin(axis=1).tolist()
    assert neighbors.largest_error(name, found, metric, rows, queries) < 1e-5
    # scikit-learn's cosine distance is twice as large as the detector's.
    scale = 0.5 if metric == "cosine" and name == "NearestNeighbors, brute" else 1.0
    wrong = neighbors.largest_error(name, found + 0.01, metric, rows, queries)
    assert wrong == pytest.approx(0.01 * scale, rel=1e-2)


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="only Linux has a peak to reset")
def test_the_report_has_speed_errors_and_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(neighbors, "METRICS", ("euclidean",))
    sizes = ["--clips", "300", "--queries", "60", "--features", "8"]
    neighbors.main([*sizes, "--repeats", "1", "--threads", "1", "--output", str(tmp_path)])

    def column(table, name):
        with open(tmp_path / f"neighbors-{table}.csv", newline="") as file:
            return {row["contender"]: row[name] for row in csv.DictReader(file)}

    error = column("search", "largest error of a distance")
    assert error.pop("bare product") == ""
    assert set(error) == set(neighbors.SEARCHES)
    assert max(map(float, error.values())) < 1e-5
    speed = column("fit_with_leave_one_out_scores", "speed relative to NearestNeighbors, brute")
    assert float(speed["NearestNeighbors, brute"]) == 1
    assert float(speed["NearestNeighborsDetector"]) > 0
    assert set(column("memory_of_the_search", "growth of peak, MB")) == set(neighbors.SEARCHES)
