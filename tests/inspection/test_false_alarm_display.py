"""The points are counts of clips, and the intervals are those of the beta distribution."""

import numpy as np
import pytest
from scipy.stats import beta
from sklearn.mixture import GaussianMixture

from skaudio_ad import (
    ConformalThreshold,
    FleetDetector,
    MahalanobisDetector,
    NearestNeighborsDetector,
    ThresholdedDetector,
)
from skaudio_ad.inspection import FalseAlarmDisplay

from .artists import axes, legend_texts


def clips(n_clips, seed=0, shift=0.0):
    return np.random.default_rng(seed).normal(shift, size=(n_clips, 3))


@pytest.fixture(scope="module")
def detector():
    model = MahalanobisDetector()
    return ThresholdedDetector(model, ConformalThreshold(alpha=0.1), cv=0.5, random_state=0).fit(clips(80))


def points(ax):
    """Points of the error bars."""
    return sorted((x, y) for bars in ax.containers for x, y in bars[0].get_xydata().tolist())


def test_points_are_counts_of_small_p_values_among_the_normal_clips():
    p_values, y = [0.005, 0.02, 0.04, 0.3, 0.001, np.nan], [1, 1, 1, 1, -1, 1]
    ax = axes()
    display = FalseAlarmDisplay.from_predictions(y, p_values, rates=[0.02, 0.1], ax=ax)
    assert display.n_alarms.tolist() == [2, 3]
    assert points(ax) == [(0.02, 0.5), (0.1, 0.75)]
    assert {text.get_text() for text in ax.texts} >= {"2", "3"}
    assert ax.get_legend().get_title().get_text() == "numbers: alarms of 4 normal clips"
    assert ax.get_title() == "1 clip without a score left out"
    (diagonal,) = [line for line in ax.lines if line.get_label() == "observed = promised"]
    assert diagonal.get_xydata().tolist() == [[0, 0], [1, 1]]
    assert ax.get_xlabel() == "promised false-alarm rate (%)"
    assert ax.get_ylabel() == "observed false-alarm rate (%), 95 % interval"


def test_intervals_are_exact_binomial_intervals():
    k, n = np.array([0, 3, 40]), np.array([20, 60, 40])
    display = FalseAlarmDisplay(k, n, 0.05, groups=["a", "b", "c"], confidence=0.9)
    low = [0, beta.ppf(0.05, 3, 58), beta.ppf(0.05, 40, 1)]
    high = [beta.ppf(0.95, 1, 20), beta.ppf(0.95, 4, 57), 1]
    np.testing.assert_allclose(display.intervals_, np.column_stack([low, high]))


def test_groups_are_marked_by_whether_the_interval_holds_the_promised_rate():
    ax = axes()
    FalseAlarmDisplay([0, 3, 30], [500, 60, 100], 0.05, groups=["a", "b", "c"]).plot(ax=ax)
    assert legend_texts(ax) == [
        "promised 5 %",
        "as promised (1)",
        "fewer than promised (1)",
        "more than promised (1)",
    ]
    labels = [text.get_text() for text in ax.get_yticklabels()]
    assert labels == ["a (0 of 500)", "b (3 of 60)", "c (30 of 100)"]
    more = [bars for bars in ax.containers if bars.get_label().startswith("more")]
    assert more[0][0].get_xydata().tolist() == [[0.3, 2]]
    assert more[0][0].get_color() == "#D55E00"


def test_the_axes_of_rates_are_stretched_and_have_round_ticks():
    ax = axes()
    FalseAlarmDisplay([1, 9], 100, [0.01, 0.1]).plot(ax=ax)
    ax.figure.canvas.draw()
    assert [text.get_text() for text in ax.get_xticklabels()] == ["0", "1", "2", "5", "10"]
    # A rate of 0.04 is half as far from 0 as a rate of 0.16.
    places = ax.transData.transform([[0, 0], [0.04, 0], [0.16, 0]])[:, 0]
    assert (places[2] - places[0]) == pytest.approx(2 * (places[1] - places[0]))


def test_a_detector_is_counted_at_every_rate_by_its_p_values(detector):
    new = clips(50, seed=1)
    display = FalseAlarmDisplay.from_estimator(detector, new, rates=[0.1, 0.5], ax=axes())
    expected = [(detector.p_values(new) <= rate).sum() for rate in (0.1, 0.5)]
    assert display.n_alarms.tolist() == expected
    assert display.promised.tolist() == [0.1, 0.5]


def test_a_detector_is_counted_in_every_group_by_its_decisions(detector):
    new = np.concatenate([clips(30, seed=1), clips(20, seed=2, shift=9), clips(5, seed=3)])
    groups = ["b"] * 30 + ["a"] * 20 + ["faulty"] * 5
    y = [1] * 50 + [-1] * 5
    display = FalseAlarmDisplay.from_estimator(detector, new, y, groups=groups, ax=axes())
    decisions = detector.predict(new)
    assert display.groups.tolist() == ["a", "b"]
    assert display.n_alarms.tolist() == [(decisions[30:50] == -1).sum(), (decisions[:30] == -1).sum()]
    assert display.n_alarms[0] == 20
    np.testing.assert_allclose(display.promised, detector.false_alarm_rate_)


def test_a_fleet_is_counted_by_machine_with_the_promise_of_every_machine():
    machines = np.repeat(["fan", "pump"], 40)
    X = np.concatenate([clips(40), clips(40, seed=1, shift=9)])
    thresholded = ThresholdedDetector(NearestNeighborsDetector(), ConformalThreshold(alpha=0.1), cv=0.5)
    fleet = FleetDetector(thresholded).fit(X, machines=machines)
    display = FalseAlarmDisplay.from_estimator(fleet, X, groups=machines, ax=axes())
    alarms = fleet.predict(X, machines=machines) == -1
    assert display.groups.tolist() == ["fan", "pump"]
    assert display.n_alarms.tolist() == [alarms[:40].sum(), alarms[40:].sum()]
    with pytest.raises(ValueError, match="FleetDetector needs groups=, the machine of every clip"):
        FalseAlarmDisplay.from_estimator(fleet, X, ax=axes())


def test_what_cannot_be_counted_raises_an_error_that_says_how_to_fix_it(detector):
    plain = GaussianMixture().fit(clips(30))
    with pytest.raises(ValueError, match=r"GaussianMixture has no calibration scores.*wrap"):
        FalseAlarmDisplay.from_estimator(plain, clips(5))
    with pytest.raises(ValueError, match="promises no false-alarm rate: wrap"):
        FalseAlarmDisplay.from_estimator(MahalanobisDetector().fit(clips(30)), clips(5), groups=["a"] * 5)
    with pytest.raises(ValueError, match="rates or groups, not both"):
        FalseAlarmDisplay.from_estimator(detector, clips(5), groups=["a"] * 5, rates=[0.1])
    with pytest.raises(ValueError, match="single rate"):
        FalseAlarmDisplay.from_predictions(None, [0.5], groups=["a"], rates=[0.1, 0.2])
    with pytest.raises(ValueError, match=r"p_values must lie in \[0, 1\]. For scores, use ThresholdDisplay"):
        FalseAlarmDisplay.from_predictions(None, [-3.0])
    with pytest.raises(ValueError, match="at least one normal clip"):
        FalseAlarmDisplay.from_predictions([-1], [0.5])
    with pytest.raises(ValueError, match="between 0 and n_clips"):
        FalseAlarmDisplay([3], [2], 0.1)
    with pytest.raises(ValueError, match="one entry a clip: got 1 for 2 clips"):
        FalseAlarmDisplay.from_predictions(None, [0.5, 0.5], groups=["a"])
