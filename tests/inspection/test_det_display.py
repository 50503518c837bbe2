"""The curve is compared with scikit-learn, points with predictions, and axes with the normal distribution."""

import numpy as np
import pytest
from matplotlib.colors import to_hex
from scipy.optimize import brentq
from scipy.stats import norm
from sklearn.metrics import det_curve, roc_curve
from sklearn.mixture import GaussianMixture

from skaudio_ad.inspection import DETDisplay
from skaudio_ad.thresholds import ConformalThreshold, ThresholdedDetector

from .artists import axes, legend_texts, line

Y = np.repeat([1, -1], [30, 20])
SCORES = (
    np.random.default_rng(0).normal(np.where(Y == 1, 0.0, -1.5)).round(1)
)  # rounded, so that some scores are equal


def test_the_curve_equals_scikit_learn_with_the_anomaly_as_the_positive_class():
    ax = axes()
    display = DETDisplay.from_predictions(Y, SCORES, ax=ax)
    false_alarms, misses, _ = det_curve(Y == -1, -SCORES)
    np.testing.assert_array_equal(display.false_alarm_rate, false_alarms)
    np.testing.assert_array_equal(display.miss_rate, misses)
    assert (false_alarms.min(), misses.min()) == (0, 0)
    # A rate of 0 lies at infinity, so a rate of half a clip is drawn.
    expected = np.stack([np.maximum(false_alarms, 0.5 / 30), np.maximum(misses, 0.5 / 20)], axis=1)
    np.testing.assert_allclose(line(ax, "equal").get_xydata(), expected)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("false-alarm rate (%)", "miss rate (%)")
    assert (display.ax_, display.figure_, ax.get_title()) == (ax, ax.figure, "")


def test_the_roc_curve_meets_the_diagonal_at_the_equal_error_rate():
    false_alarms, detections, _ = roc_curve(Y == -1, -SCORES, drop_intermediate=False)
    expected = brentq(lambda rate: np.interp(rate, false_alarms, detections) - (1 - rate), 0.01, 0.99)
    display = DETDisplay.from_predictions(Y, SCORES, ax=axes())
    assert display.equal_error_rate == pytest.approx(expected)
    assert legend_texts(display.ax_) == ["chance", f"equal error rate {100 * expected:.0f} %"]


def test_positions_on_the_axes_are_quantiles_of_the_normal_distribution():
    ax = DETDisplay.from_predictions(Y, SCORES, ax=axes()).ax_
    for axis in (ax.xaxis, ax.yaxis):
        np.testing.assert_allclose(axis.get_transform().transform([0.05, 0.5]), norm.ppf([0.05, 0.5]))
    ticks = dict(zip(ax.get_xticks(), (text.get_text() for text in ax.get_xticklabels())))
    assert ticks[0.05] == "5"
    assert ticks[0.001] == "0.1"


def test_normally_distributed_scores_make_a_straight_line():
    rng = np.random.default_rng(0)
    y = np.repeat([1, -1], 20000)
    display = DETDisplay.from_predictions(
        y, rng.normal(size=40000) + y, ax=axes()
    )  # means 2 deviations apart
    far, missed = display.false_alarm_rate, display.miss_rate
    inside = (far > 0.01) & (missed > 0.01)
    np.testing.assert_allclose(norm.ppf(far[inside]) + norm.ppf(missed[inside]), -2, atol=0.1)
    assert display.equal_error_rate == pytest.approx(norm.cdf(-1), abs=0.005)


def test_thresholds_are_points_inside_the_axes_at_the_rates_of_their_decisions():
    ax = axes()
    selector = ConformalThreshold(0.2).fit(np.random.default_rng(1).normal(size=19))
    thresholds = {"mean": float(SCORES.mean()), "never": -99.0, "always": 99.0, "conformal": selector}
    display = DETDisplay.from_predictions(Y, SCORES, thresholds=thresholds, ax=ax, name="LSTM")
    for name, value in {**thresholds, "conformal": selector.threshold_}.items():
        alarms = value > SCORES
        expected = alarms[Y == 1].mean(), 1 - alarms[Y == -1].mean()
        assert display.points[name] == pytest.approx(expected)
        (place,) = line(ax, name).get_xydata()
        np.testing.assert_allclose(
            place, np.clip(expected, [0.5 / 30, 0.5 / 20], [1 - 0.5 / 30, 1 - 0.5 / 20])
        )
        for value, (low, high) in zip(place, (ax.get_xlim(), ax.get_ylim())):
            assert low < value < high
    texts = legend_texts(ax)
    assert texts[1].startswith("LSTM: equal error rate")
    assert texts[3] == "never: false alarms 0 %, missed 100 %"
    far, missed = display.points["conformal"]
    assert " ".join(texts[5].split()) == (
        f"conformal: false alarms {100 * far:.0f} % (guaranteed 20 % on average), missed {100 * missed:.0f} %"
    )


def test_the_threshold_of_an_estimator_is_a_point_on_its_curve():
    X = np.random.default_rng(0).normal(size=(60, 3))
    y = np.where(np.arange(60) < 40, 1, -1)
    X[40:] *= 2
    detector = ThresholdedDetector(GaussianMixture(random_state=0), cv=0.5, random_state=0).fit(X[:40])
    display = DETDisplay.from_estimator(detector, X, y, thresholds={"zero": 0.0})
    predictions = detector.predict(X)
    assert display.points["threshold"] == pytest.approx(
        [(predictions[y == 1] == -1).mean(), (predictions[y == -1] == 1).mean()]
    )
    assert display.promises == {"threshold": "guaranteed 4.8 % on average"}  # 1 of 21
    assert set(display.points) == {"threshold", "zero"}


def test_the_curve_is_one_point_if_the_scores_separate_all_clips():
    ax = axes()
    display = DETDisplay.from_predictions([1, 1, -1], [1.0, 2.0, 0.0], ax=ax)
    assert display.equal_error_rate == 0
    assert line(ax, "equal").get_xydata().tolist() == [[0.25, 0.5]]
    assert line(ax, "equal").get_marker() == "."


def test_every_detector_in_a_picture_has_its_own_colour_and_line_style():
    ax = axes()
    DETDisplay.from_predictions(Y, SCORES, ax=ax, name="GRU")
    limits = ax.get_xlim()
    DETDisplay.from_predictions(np.tile(Y, 40), np.tile(SCORES, 40), ax=ax, name="LSTM")
    assert ax.get_xlim()[0] < limits[0]  # the smallest rate is smaller with more clips
    DETDisplay.from_predictions(Y, SCORES, ax=ax, name="mixture")
    assert ax.get_xlim()[0] < limits[0]
    curves = [artist for artist in ax.lines if artist.get_gid() == "det"]
    assert [to_hex(artist.get_color()) for artist in curves] == ["#0072b2", "#d55e00", "#009e73"]
    assert len({artist.get_linestyle() for artist in curves}) == 3
    assert [text.split(":")[0] for text in legend_texts(ax)] == ["chance", "GRU", "LSTM", "mixture"]


def test_clips_without_a_score_are_left_out_and_the_title_shows_their_number():
    ax = axes()
    display = DETDisplay.from_predictions(np.append(Y, [1, -1]), np.append(SCORES, [np.nan, np.nan]), ax=ax)
    assert ax.get_title() == "2 clips without a score left out"
    np.testing.assert_array_equal(display.miss_rate, det_curve(Y == -1, -SCORES)[1])
    assert (display.n_normal, display.n_anomalous) == (30, 20)


@pytest.mark.parametrize(
    ("y", "scores", "message"),
    [
        (
            [0, 1],
            [0.1, 0.2],
            r"y_true must hold 1 for normal and -1 for anomalous clips, got the labels \[0, 1\]",
        ),
        ([1, 1], [0.1, 0.2], r"y_true holds no anomalous \(-1\) clip"),
        ([1, -1], [np.nan, 0.1], r"y_true holds no normal \(1\) clip"),
        ([1, -1], [0.1, np.inf], "scores must be finite, got infinity for clip 1"),
        (None, [0.1, 0.2], r"y_true must have shape \(2,\), one label a clip, got \(\)"),
    ],
)
def test_labels_and_scores_without_a_curve_raise_an_error(y, scores, message):
    with pytest.raises(ValueError, match=message):
        DETDisplay.from_predictions(y, scores, ax=axes())


def test_the_user_may_choose_the_look_of_the_curve():
    ax = axes()
    settings = {"curve_kwargs": {"color": "red", "linewidth": 3}, "thresholds": 0.5}
    DETDisplay.from_predictions([1, 1, -1, -1], [1.0, 0.4, 0.6, 0.0], ax=ax, **settings)
    (curve,) = [artist for artist in ax.lines if artist.get_gid() == "det"]
    assert (curve.get_color(), curve.get_linewidth()) == ("red", 3)
    assert line(ax, "threshold").get_color() == "red"
