"""Tests that the curves measure the sizes that they name, and that the exponents are those of the values."""

import csv
from pathlib import Path

import numpy as np
import pytest
import soundfile

from benchmarks.speed import scaling


def test_the_exponent_of_a_power_is_the_power_and_noise_is_the_spread():
    sizes = np.array([1.0, 2.0, 4.0, 8.0])
    exponent, factor, spread = scaling.fit_exponent(sizes, 3 * sizes**1.5)
    assert (exponent, factor, spread) == pytest.approx((1.5, 3, 1))
    # Logarithms that are 0.1 above and below a line in the order + - - + leave the slope as it is.
    noisy = 3 * sizes**1.5 * np.exp([0.1, -0.1, -0.1, 0.1])
    assert scaling.fit_exponent(sizes, noisy) == pytest.approx((1.5, 3, np.exp(0.1)))


def test_two_sizes_have_no_exponent_and_tiny_growth_takes_no_part():
    points = {
        "clips": {size: {scaling.TIME: 2.0 * size, scaling.GROWTH: 0.2} for size in (1, 2, 4)},
        "workers": {n: {scaling.TIME: 5.0 / n, scaling.GROWTH: None} for n in (1, 2)},
    }
    rows = {(row["curve"], row["quantity"]): row for row in scaling.exponent_rows(points)}
    assert rows["clips", "best seconds"]["exponent"] == "1.00"
    assert rows["clips", "best seconds"]["points in the fit"] == 3
    assert rows["clips", "growth of peak"]["exponent"] == ""
    assert rows["workers", "best seconds"]["exponent"] == ""


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="only Linux has a peak to reset")
def test_the_growth_of_a_work_is_the_memory_that_it_takes():
    made = scaling._observe(lambda: np.ones(10_000_000).sum(), 1)
    assert made[scaling.GROWTH] == pytest.approx(80, rel=0.2)
    assert made[scaling.TIME] > 0


def test_a_run_has_a_row_for_every_size_a_picture_and_a_point_of_every_curve(tmp_path, monkeypatch):
    asked, embedded = [], []

    def embedding_work(paths):
        return lambda: embedded.append((len(paths), soundfile.info(paths[0]).duration))

    monkeypatch.setattr(scaling, "embedding_work", embedding_work)
    monkeypatch.setattr(scaling, "N_SHARED", 2)
    monkeypatch.setattr(scaling, "SECONDS", 0.1)
    monkeypatch.setattr(scaling, "N_QUERIES", 20)
    monkeypatch.setattr(scaling, "_elsewhere", lambda *point: asked.append(point) or scaling.measure(*point))
    sizes = {"clips": [1, 3], "seconds": [0.1, 0.2], "search": [50, 100], "fit": [50, 100], "workers": [1]}
    options = [text for name, values in sizes.items() for text in (f"--{name}", *map(str, values))]
    scaling.main([*options, "--repeats", "1", "--output", str(tmp_path)])
    assert asked == [(name, size, 1) for name, values in sizes.items() for size in values]
    with open(tmp_path / "scaling-curves.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["curve"], float(row["size"])) for row in rows] == [(name, size) for name, size, _ in asked]
    assert all(float(row[scaling.TIME]) > 0 for row in rows)
    assert [row[scaling.GROWTH] == "" for row in rows] == [row["curve"] == "workers" for row in rows]
    # Every work runs for its memory and once for its time, after a work at a small size except for workers.
    clips = [(2, 0.1), (1, 0.1), (1, 0.1), (2, 0.1), (3, 0.1), (3, 0.1)]
    seconds = [(1, 0.1)] * 3 + [(1, 0.1)] + [(1, 0.2)] * 2
    assert embedded == [*clips, *seconds, (2, 0.1), (2, 0.1)]
    assert (tmp_path / "scaling.png").read_bytes().startswith(b"\x89PNG")
