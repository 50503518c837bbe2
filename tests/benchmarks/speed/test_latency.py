"""Tests that the benchmark of the latency times the same scores by every way."""

import numpy as np

from benchmarks.speed import latency
from skaudio_ad.presets import make_detector


def test_steps_and_the_whole_detector_give_one_score_and_every_step_has_its_time(tmp_path):
    paths = latency.write_files(tmp_path, 6, 1.0)
    detector = make_detector("mini", device="cpu", random_state=0).fit(paths[:5])
    ticks = iter(range(10_000))
    whole, steps, scores = latency.measure({"torch": detector}, paths[5:], 4, lambda: float(next(ticks)))
    assert whole == {"torch": [1.0] * 4}
    assert steps.pop("network, eager") == steps.pop("network, torch") == [1.0] * 4
    assert list(steps) == ["decode", "resample", "level", "front end", "score"]
    expected = detector.score_samples(paths[5:])[0]
    for values in scores.values():
        np.testing.assert_allclose(values, expected, rtol=1e-4)


def test_a_row_holds_the_median_the_percentile_and_the_ratio():
    row = latency.row_of([0.001] * 98 + [0.004] * 2, [0.002])
    assert list(row.values()) == ["1", "4", "0.50"]
