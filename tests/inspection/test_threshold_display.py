"""Rows, thresholds and rates are compared with counts and formulas."""

import numpy as np
import pytest
from matplotlib.colors import to_hex
from scipy.stats import beta
from sklearn.exceptions import NotFittedError
from sklearn.mixture import GaussianMixture
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skaudio_ad.inspection import ThresholdDisplay
from skaudio_ad.thresholds import ConformalThreshold, QuantileThreshold, ROCThreshold, ThresholdedDetector

from .artists import axes, legend_texts, line

Y = np.repeat([1, -1], [30, 20])
SCORES = np.random.default_rng(0).normal(np.where(Y == 1, 0.0, -1.5))
CALIBRATION = np.random.default_rng(1).normal(size=39)


def interval(n_found, n):
    """Compute the interval of Clopper and Pearson from quantiles of the beta distribution."""
    low = 0.0 if n_found == 0 else beta.ppf(0.025, n_found, n - n_found + 1)
    high = 1.0 if n_found == n else beta.ppf(0.975, n_found + 1, n - n_found)
    return n_found / n, low, high


def rows(ax):
    """Return the heights, edges and colour of every row of bars by label, from the bottom."""
    found = {}
    for bars, text in zip(ax.patches, ax.get_yticklabels()):
        values, edges, baseline = bars.get_data()
        heights = np.asarray(values) - baseline
        found[text.get_text()] = heights, edges, to_hex(bars.get_edgecolor()), bars.get_facecolor()[3] > 0
    return found


def test_every_kind_of_clip_has_its_own_row():
    ax = axes()
    display = ThresholdDisplay.from_predictions(
        Y, SCORES, thresholds=-1.0, calibration_scores=CALIBRATION, ax=ax, bins=8
    )
    everything = np.concatenate([CALIBRATION, SCORES])
    kinds = {
        "new,\nanomalous\n(20 clips)": (SCORES[Y == -1], "#d55e00"),
        "new,\nnormal\n(30 clips)": (SCORES[Y == 1], "#0072b2"),
        "calibration,\nnormal\n(39 clips)": (CALIBRATION, "#0072b2"),
    }
    drawn = rows(ax)
    assert list(drawn) == list(kinds)
    for label, (scores, color) in kinds.items():
        heights, edges, edge_color, _ = drawn[label]
        np.testing.assert_allclose(edges, np.linspace(everything.min(), everything.max(), 9))
        counts = np.histogram(scores, edges)[0]
        np.testing.assert_allclose(heights, 0.7 * counts / counts.max())
        assert edge_color == color
    marks = [artist for artist in ax.lines if artist.get_marker() == "|"]
    assert [artist.get_xdata().tolist() for artist in marks] == [
        scores.tolist() for scores, _ in kinds.values()
    ]
    assert ax.get_xlabel() == "score (higher is more normal)"
    assert (display.ax_, display.figure_, ax.get_title()) == (ax, ax.figure, "")


def test_rates_are_counts_of_decisions_with_exact_intervals():
    ax = axes()
    display = ThresholdDisplay.from_predictions(
        Y, SCORES, thresholds={"one": -1.0, "never": -99, "always": 99.0}, ax=ax
    )
    for name, value in (("one", -1.0), ("never", -99.0), ("always", 99.0)):
        for kind, scores in (("false_alarms", SCORES[Y == 1]), ("detected", SCORES[Y == -1])):
            expected = interval(np.count_nonzero(scores < value), len(scores))
            assert display.rates_[name][kind] == pytest.approx(expected)
        assert set(line(ax, f"{name}:").get_xdata()) == {value}
    assert legend_texts(ax)[1] == "never: -99\n   false alarms 0 % (0 to 12 %)\n   detected 0 % (0 to 17 %)"
    assert len({line(ax, name).get_marker() for name in display.rates_}) == 3
    assert len({line(ax, name).get_linestyle() for name in display.rates_}) == 3


def test_a_score_at_the_threshold_is_normal_as_in_predict():
    display = ThresholdDisplay.from_predictions([1, 1, -1], [0.5, 0.5, 0.0], thresholds=0.5, ax=axes())
    assert display.rates_["threshold"]["false_alarms"][0] == 0
    assert display.rates_["threshold"]["detected"][0] == 1


def test_the_legend_shows_the_promises_of_selectors():
    selectors = {
        "conformal": ConformalThreshold(0.05).fit(CALIBRATION),
        "quantile": QuantileThreshold(0.1).fit(CALIBRATION),
        "closest": ROCThreshold().fit(SCORES, Y),
        "by hand": -1.0,
    }
    ax = axes()
    display = ThresholdDisplay.from_predictions(Y, SCORES, thresholds=selectors, ax=ax)
    assert ", guaranteed 5 % on average detected" in " ".join(legend_texts(ax)[0].split())
    second = [text.split("\n")[1] for text in legend_texts(ax)]
    assert second[1].endswith(", estimated 10 %")
    assert second[2].endswith(f", {100 * selectors['closest'].false_alarm_rate_:.0f} % where chosen")
    assert second[3].endswith(" %)")
    found = [display.rates_["closest"][kind][0] for kind in ("false_alarms", "detected")]
    assert found == pytest.approx(
        [selectors["closest"].false_alarm_rate_, selectors["closest"].detection_rate_]
    )


@pytest.mark.parametrize("in_pipeline", [False, True])
def test_the_calibration_scores_of_an_estimator_are_drawn(in_pipeline):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(90, 3)), np.where(np.arange(90) < 60, 1, -1)
    X[60:] += 1
    detector = ThresholdedDetector(
        GaussianMixture(random_state=0), ConformalThreshold(0.1), cv=3, random_state=0
    )
    estimator = make_pipeline(StandardScaler(), detector) if in_pipeline else detector
    estimator.fit(X[10:70], y[10:70])
    fitted = estimator[-1] if in_pipeline else estimator
    new = np.r_[0:10, 70:90]
    ax = axes()
    display = ThresholdDisplay.from_estimator(estimator, X[new], y[new], thresholds={"zero": 0.0}, ax=ax)
    predictions = estimator.predict(X[new])
    assert display.rates_["threshold"]["detected"] == pytest.approx(
        interval(np.count_nonzero(predictions[10:] == -1), 20)
    )
    assert list(display.rates_) == ["threshold", "zero"]
    assert [text.split("\n(")[1] for text in rows(ax)] == ["20 clips)", "10 clips)", "10 clips)", "50 clips)"]
    np.testing.assert_array_equal(display.calibration_scores, fitted.calibration_scores_)
    text = " ".join(legend_texts(ax)[0].split())
    # The estimate is 5 / 51. The bound is 2 * 5 / 51 + 2 * (46 / 51) * (2 / 53) = 0.264, for folds of 17, 17 and 16
    # clips.
    assert "estimated 9.8 %, proved at most 26 %" in text
    calibration = [fill for *_, fill in rows(ax).values()]
    assert calibration == [True, True, False, False]


def test_no_threshold_is_drawn_for_a_detector_without_a_threshold():
    X = np.random.default_rng(0).normal(size=(40, 2))
    display = ThresholdDisplay.from_estimator(GaussianMixture(random_state=0).fit(X), X, ax=axes())
    assert display.rates_ == {}
    assert display.ax_.get_legend() is None


def test_alarms_are_not_called_false_alarms_without_labels():
    ax = axes()
    selector = ConformalThreshold(0.05).fit(CALIBRATION)
    display = ThresholdDisplay.from_predictions(None, SCORES, thresholds=selector, ax=ax)
    n_alarms = np.count_nonzero(selector.threshold_ > SCORES)
    assert display.rates_ == {"threshold": {"alarms": pytest.approx(interval(n_alarms, 50))}}
    lines = legend_texts(ax)[0].split("\n")
    assert lines[1] == "   false alarms guaranteed 5 % on average"
    assert lines[2].startswith(f"   alarms {100 * n_alarms / 50:.0f} % (")


def test_calibration_scores_can_be_drawn_without_new_scores():
    ax = axes()
    selector = ConformalThreshold(0.05).fit(CALIBRATION)
    ThresholdDisplay.from_predictions(None, [], thresholds=selector, calibration_scores=CALIBRATION, ax=ax)
    assert list(rows(ax)) == ["calibration,\nnormal\n(39 clips)"]
    assert legend_texts(ax) == [
        f"threshold: {selector.threshold_:.4g}\n   false alarms guaranteed 5 % on average"
    ]


def test_clips_without_a_score_are_left_out_and_the_title_shows_their_number():
    y, scores = np.append(Y, [1, -1, -1]), np.append(SCORES, [np.nan] * 3)
    ax = axes()
    display = ThresholdDisplay.from_predictions(
        y, scores, thresholds=-1.0, calibration_scores=[*CALIBRATION, np.nan], ax=ax
    )
    assert ax.get_title() == "4 clips without a score left out"
    without = ThresholdDisplay.from_predictions(Y, SCORES, thresholds=-1.0, ax=axes())
    assert display.rates_ == without.rates_
    assert "(39 clips)" in list(rows(ax))[-1]


def test_clips_of_one_kind_with_equal_scores_are_drawn():
    display = ThresholdDisplay.from_predictions([-1, -1, -1], [2.0, 2.0, 2.0], thresholds=1.0, ax=axes())
    assert display.rates_ == {"threshold": {"detected": pytest.approx(interval(0, 3))}}
    (heights, *_) = rows(display.ax_)["new,\nanomalous\n(3 clips)"]
    assert max(heights) == pytest.approx(0.7)


def test_a_row_of_many_clips_has_no_marks():
    ax = axes()
    ThresholdDisplay.from_predictions(None, np.random.default_rng(0).normal(size=10000), ax=ax)
    assert not ax.lines
    assert list(rows(ax)) == ["new\n(10000 clips)"]


@pytest.mark.parametrize(("threshold", "place"), [(-1.0, "far"), (-50.0, "below")])
def test_far_outliers_are_drawn_at_the_limit_and_the_title_shows_their_number(threshold, place):
    scores = np.concatenate([SCORES, [-1e3, -1e9]])
    lower, upper = np.quantile(scores, [0.25, 0.75])
    place = lower - 10 * (upper - lower) if place == "far" else threshold - (upper - lower)
    ax = axes()
    display = ThresholdDisplay.from_predictions([*Y, -1, -1], scores, thresholds=threshold, ax=ax)
    assert ax.get_title() == f"2 clips below {place:.4g} drawn there"
    _, edges, *_ = rows(ax)["new,\nanomalous\n(22 clips)"]
    assert (edges[0], edges[-1]) == pytest.approx((place, SCORES.max()))
    (marks,) = [artist for artist in ax.lines if artist.get_marker() == "|" and len(artist.get_xdata()) == 22]
    assert marks.get_xdata()[-2:] == pytest.approx([place, place])
    # The rates use the original scores.
    n_detected = np.count_nonzero(scores[30:] < threshold)
    assert display.rates_["threshold"]["detected"] == pytest.approx(interval(n_detected, 22))


def test_long_names_are_broken_into_lines():
    name = "conformal threshold of the leave-one-out scores of machine seven in the second hall"
    ax = axes()
    ThresholdDisplay.from_predictions(Y, SCORES, thresholds={name: -1.0}, ax=ax)
    (text,) = legend_texts(ax)
    assert max(map(len, text.split("\n"))) <= 60
    assert " ".join(text.split()).startswith(f"{name}: -1 false alarms")


@pytest.mark.parametrize(
    ("y", "scores", "settings", "message"),
    [
        ([1, 1], [np.nan, np.nan], {}, "no score to draw: all scores are NaN"),
        ([1, -1], [0.0, np.inf], {}, "scores must be finite, got infinity for clip 1"),
        ([1, -1], [0.0, 1.0], {"calibration_scores": [-np.inf]}, "calibration_scores must be finite"),
        ([0, 1], [0.0, 1.0], {}, r"y_true must hold 1 .* got the labels \[0, 1\]"),
        (
            [1, -1],
            [0.0, 1.0],
            {"calibration_scores": [0.0], "calibration_labels": [0]},
            r"calibration_labels must hold 1 .* got the labels \[0\]",
        ),
        ([1], [0.0, 1.0], {}, r"y_true must have shape \(2,\), one label a clip"),
        (
            [1, -1],
            [0.0, 1.0],
            {"thresholds": np.nan},
            r"the threshold 'threshold' must lie in \(-inf, inf\), got nan",
        ),
    ],
)
def test_invalid_input_raises_an_error(y, scores, settings, message):
    with pytest.raises(ValueError, match=message):
        ThresholdDisplay.from_predictions(y, scores, ax=axes(), **settings)


def test_the_error_for_an_invalid_threshold_names_the_threshold():
    with pytest.raises(TypeError, match="the threshold 'mean' must be a number, got 'low'"):
        ThresholdDisplay.from_predictions(Y, SCORES, thresholds={"mean": "low"}, ax=axes())


def test_the_error_for_an_unfitted_selector_names_the_selector():
    with pytest.raises(
        NotFittedError, match=r"the threshold 'five' is ConformalThreshold\(\), which has no threshold_"
    ):
        ThresholdDisplay.from_predictions(Y, SCORES, thresholds={"five": ConformalThreshold()}, ax=axes())
