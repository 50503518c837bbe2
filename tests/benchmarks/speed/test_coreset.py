"""The benchmark of the coreset: the report compares the choice with the naive traversal."""

import csv

from benchmarks.speed import coreset


def test_the_naive_traversal_and_the_detector_choose_the_same_rows(tmp_path):
    coreset.main(["--clips", "300", "--sizes", "20", "--output", str(tmp_path)])
    with open(tmp_path / "coreset-coreset.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["data"] for row in rows] == ["one cloud", "clusters"]
    assert [float(row["same choice"]) for row in rows] == [1, 1]
