"""The curve is compared with the definition of p-values, and the band with `p_value_band`."""

import numpy as np
import pytest
from matplotlib.figure import Figure
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skaudio_ad.inspection import PValueCalibrationDisplay
from skaudio_ad.inspection._confidence_bands import p_value_band
from skaudio_ad.thresholds import ConformalThreshold, ThresholdedDetector

from .artists import axes, legend_texts, line

Y = np.repeat([1, -1], [30, 20])
CALIBRATION = np.random.default_rng(0).normal(size=40)
SCORES = np.random.default_rng(1).normal(np.where(Y == 1, 0.0, -1.5))
P_VALUES = ConformalThreshold().fit(CALIBRATION).p_values(SCORES)


def share_at(curve, alpha):
    """Return the value of a step curve at alpha."""
    assert curve.get_drawstyle() == "steps-post"
    return curve.get_ydata()[np.searchsorted(curve.get_xdata(), alpha + 1e-9, side="right") - 1]


def test_the_curves_are_the_shares_of_clips_with_a_p_value_of_alpha_or_less():
    ax = axes()
    display = PValueCalibrationDisplay.from_predictions(Y, P_VALUES, n_calibration=40, ax=ax)
    for label, kind in (("normal (30)", 1), ("anomalous (20)", -1)):
        curve = line(ax, label)
        for alpha in (0, 0.01, 1 / 41, 0.05, 0.1, 0.33, 0.8, 40 / 41, 1):
            # By definition a p-value is (1 + number of calibration scores at or below) / 41.
            as_low = (SCORES[kind == Y][:, np.newaxis] >= CALIBRATION).sum(axis=1)
            assert share_at(curve, alpha) == pytest.approx(np.mean((1 + as_low) / 41 <= alpha + 1e-9))
    assert line(ax, "calibrated").get_xydata().tolist() == [[0, 0], [1, 1]]
    assert legend_texts(ax) == [
        "95 % band for 40 clips\nthat calibrate and 30 new ones",
        "calibrated",
        "normal (30)",
        "anomalous (20)",
    ]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("p-value", "share of clips with this p-value or less")
    assert (display.ax_, display.figure_, ax.get_title()) == (ax, ax.figure, "")


def test_the_band_is_computed_for_the_numbers_of_clips():
    display = PValueCalibrationDisplay.from_predictions(
        Y, P_VALUES, n_calibration=40, confidence=0.8, ax=axes()
    )
    alpha, low, high = display.band_
    levels, fewest, most = p_value_band(40, 30, 0.8)
    np.testing.assert_allclose(alpha, [0, *levels / 41, 1])
    np.testing.assert_allclose(low, [0, *fewest / 30, 1])
    np.testing.assert_allclose(high, [0, *most / 30, 1])
    (band,) = display.ax_.collections
    corners = band.get_paths()[0].vertices
    assert {tuple(np.round(point, 9)) for point in zip(alpha, high)} <= set(map(tuple, np.round(corners, 9)))


def test_the_curve_of_normal_clips_from_another_source_leaves_the_band():
    rng = np.random.default_rng(0)
    selector = ConformalThreshold().fit(rng.normal(size=100))
    left = []
    for shift in (0.0, 1.0):
        display = PValueCalibrationDisplay.from_predictions(
            None, selector.p_values(rng.normal(size=100) - shift), n_calibration=100, ax=axes()
        )
        alpha, low, high = (np.array(values) for values in display.band_)
        curve = line(display.ax_, "normal")
        shares = np.array([share_at(curve, value) for value in alpha])
        left.append(bool(((shares < low) | (shares > high)).any()))
    assert left == [False, True]


@pytest.mark.parametrize("wrap", ["detector", "pipeline", "search"])
def test_the_p_values_of_an_estimator_come_from_its_calibration_scores(wrap):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 3))
    y = np.where(np.arange(60) < 45, 1, -1)
    X[45:] += 1
    detector = ThresholdedDetector(GaussianMixture(random_state=0), cv=0.5, random_state=0)
    estimator = make_pipeline(StandardScaler(), detector)
    if wrap == "search":
        estimator = GridSearchCV(
            estimator, {"thresholdeddetector__selector": [ConformalThreshold(0.1)]}, scoring=_none
        )
    if wrap == "detector":
        estimator = detector
    estimator.fit(X[:40])
    fitted = estimator.best_estimator_ if wrap == "search" else estimator
    p_values = fitted.p_values(X) if wrap == "detector" else fitted[-1].p_values(fitted[:-1].transform(X))
    display = PValueCalibrationDisplay.from_estimator(estimator, X[40:], y[40:])
    np.testing.assert_allclose(display.p_values, p_values[40:])
    assert display.n_calibration == 20
    assert "anomalous (15)" in legend_texts(display.ax_)
    assert isinstance(display.figure_, Figure)


def _none(estimator, X, y=None):
    return 0.0


def test_only_normal_clips_calibrate():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(50, 2)), np.where(np.arange(50) < 40, 1, -1)
    detector = ThresholdedDetector(GaussianMixture(random_state=0), cv=0.5, random_state=0).fit(X, y)
    assert PValueCalibrationDisplay.from_estimator(detector, X, ax=axes()).n_calibration == 20


def test_clips_without_a_score_are_left_out_and_the_title_shows_their_number():
    ax = axes()
    y, p_values = np.append(Y, [1, -1]), np.append(P_VALUES, [np.nan, np.nan])
    PValueCalibrationDisplay.from_predictions(y, p_values, n_calibration=40, ax=ax)
    assert ax.get_title() == "2 clips without a score left out"
    assert legend_texts(ax)[2:] == ["normal (30)", "anomalous (20)"]


def test_there_is_no_band_without_normal_clips():
    display = PValueCalibrationDisplay.from_predictions([-1, -1], [0.25, 0.5], n_calibration=3, ax=axes())
    assert display.band_ is None
    assert legend_texts(display.ax_) == ["calibrated", "anomalous (2)"]


def test_clips_without_labels_count_as_normal():
    display = PValueCalibrationDisplay.from_predictions(None, [0.25, 0.5, 0.5], n_calibration=3, ax=axes())
    assert line(display.ax_, "normal (3)").get_xydata().tolist() == [
        [0, 0],
        [0.25, pytest.approx(1 / 3)],
        [0.5, 1],
        [1, 1],
    ]


@pytest.mark.parametrize(
    ("y", "p_values", "message"),
    [
        ([1, 1], [0.03, 0.5], r"whole multiples of 1 / \(n_calibration \+ 1\) = 1 / 4 up to 1"),
        ([1, 1], [0.0, 0.5], "whole multiples"),
        ([1, 1], [1.25, 0.5], "whole multiples"),
        ([1, 1], [np.nan, np.nan], "no p-value to draw: all p-values are NaN"),
        (
            [0, 1],
            [0.25, 0.5],
            r"y_true must hold 1 for normal and -1 for anomalous clips, got the labels \[0, 1\]",
        ),
        ([1], [0.25, 0.5], r"y_true must have shape \(2,\), one label a clip, got \(1,\)"),
    ],
)
def test_invalid_p_values_and_labels_raise_an_error(y, p_values, message):
    with pytest.raises(ValueError, match=message):
        PValueCalibrationDisplay.from_predictions(y, p_values, n_calibration=3, ax=axes())


@pytest.mark.parametrize("settings", [{"n_calibration": 0}, {"n_calibration": 3, "confidence": 1.0}], ids=str)
def test_numbers_out_of_range_raise_an_error(settings):
    with pytest.raises(ValueError, match=f"{list(settings)[-1]} must lie in"):
        PValueCalibrationDisplay.from_predictions(None, [0.25, 0.5], ax=axes(), **settings)


def test_the_error_for_a_detector_without_calibration_scores_says_how_to_fix_it():
    detector = GaussianMixture().fit(np.random.default_rng(0).normal(size=(20, 2)))
    with pytest.raises(
        ValueError, match=r"needs a fitted ThresholdedDetector.*got GaussianMixture.*wrap the detector"
    ):
        PValueCalibrationDisplay.from_estimator(detector, np.zeros((3, 2)), ax=axes())
