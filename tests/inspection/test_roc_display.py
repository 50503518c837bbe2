"""The curve is compared with scikit-learn, and the points with predictions."""

import numpy as np
import pytest
from matplotlib.colors import to_hex
from sklearn.metrics import confusion_matrix, roc_auc_score, roc_curve
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.svm import OneClassSVM

from skaudio_ad import AutoencoderDetector
from skaudio_ad.inspection import ROCDisplay
from skaudio_ad.model_selection import NormalOnly
from skaudio_ad.thresholds import ConformalThreshold, QuantileThreshold, ROCThreshold, ThresholdedDetector

from .artists import axes, legend_texts, line

Y = np.repeat([1, -1], [30, 20])
SCORES = (
    np.random.default_rng(0).normal(np.where(Y == 1, 0.0, -1.5)).round(1)
)  # rounded, so that some scores are equal


def point_of(ax, name):
    (point,) = line(ax, name).get_xydata().tolist()
    return point


def test_the_curve_equals_scikit_learn_with_the_anomaly_as_the_positive_class():
    ax = axes()
    display = ROCDisplay.from_predictions(Y, SCORES, ax=ax)
    false_alarms, detections, _ = roc_curve(Y == -1, -SCORES)
    np.testing.assert_array_equal(line(ax, "AUC").get_xydata(), np.stack([false_alarms, detections], axis=1))
    auc = roc_auc_score(Y == -1, -SCORES)
    assert display.auc == pytest.approx(auc)
    assert legend_texts(ax) == ["chance", f"AUC {auc:.3f}"]
    assert line(ax, "chance").get_xydata().tolist() == [[0, 0], [1, 1]]
    assert ax.get_xlabel() == "false-alarm rate"
    assert ax.get_ylabel() == "detection rate"
    assert (display.ax_, display.figure_, ax.get_title()) == (ax, ax.figure, "")


def test_thresholds_are_points_at_the_rates_of_their_decisions():
    ax = axes()
    # Some clips have the score -0.7, and predict calls a clip at the threshold normal.
    thresholds = {"mean": float(SCORES.mean()), "closest to (0, 1)": -0.7, "never": -99.0}
    ROCDisplay.from_predictions(Y, SCORES, offset=-1.2, thresholds=thresholds, ax=ax, name="LSTM")
    assert -0.7 in SCORES
    texts = []
    for name, value in {"threshold": -1.2, **thresholds}.items():
        predictions = np.where(SCORES - value >= 0, 1, -1)
        (detected, _), (alarms, _) = confusion_matrix(Y, predictions, labels=[-1, 1], normalize="true")
        assert point_of(ax, name) == pytest.approx([alarms, detected])
        texts.append(f"{name}: false alarms {alarms:.2f}, detected {detected:.2f}")
    assert legend_texts(ax) == ["chance", f"LSTM: AUC {roc_auc_score(Y == -1, -SCORES):.3f}", *texts]
    assert len({line(ax, name).get_marker() for name in ("threshold", *thresholds)}) == 4


def test_the_points_lie_on_the_curve():
    ax = axes()
    ROCDisplay.from_predictions(Y, SCORES, thresholds={str(t): t for t in np.linspace(-3, 2, 40)}, ax=ax)
    curve = np.array(roc_curve(Y == -1, -SCORES, drop_intermediate=False)[:2]).T
    for artist in ax.lines[2:]:
        assert np.abs(curve - artist.get_xydata()).sum(axis=1).min() < 1e-12


def test_the_threshold_of_an_estimator_is_a_point_on_its_curve():
    X = np.random.default_rng(0).normal(size=(40, 6)).astype(np.float32)
    y = np.where(np.arange(40) < 30, 1, -1)
    X[30:] *= 3
    detector = AutoencoderDetector(hidden_sizes=(6,), bottleneck_size=2, max_epochs=3, random_state=0)
    estimator = make_pipeline("passthrough", detector).fit(X[:30])
    ax = ROCDisplay.from_estimator(estimator, X, y, thresholds={"zero": 0.0}).ax_
    predictions = estimator.predict(X)
    rates = [(predictions[y == kind] == -1).mean() for kind in (1, -1)]
    assert point_of(ax, "threshold") == pytest.approx(rates)
    assert point_of(ax, "zero") == [1, 1]
    false_alarms, detections, _ = roc_curve(y == -1, -estimator.decision_function(X))
    np.testing.assert_array_equal(line(ax, "AUC").get_xydata(), np.stack([false_alarms, detections], axis=1))


def test_the_legend_shows_the_promise_of_a_selector_beside_the_rate_found():
    calibration = np.random.default_rng(1).normal(size=39)
    selectors = {
        "conformal": ConformalThreshold(0.05).fit(calibration),
        "quantile": QuantileThreshold(0.1).fit(calibration),
        "closest": ROCThreshold().fit(SCORES, Y),
    }
    ax = axes()
    display = ROCDisplay.from_predictions(Y, SCORES, thresholds=selectors, ax=ax)
    for name, selector in selectors.items():
        predictions = selector.predict(SCORES)
        (detected, _), (alarms, _) = confusion_matrix(Y, predictions, labels=[-1, 1], normalize="true")
        assert point_of(ax, name) == pytest.approx([alarms, detected])
    chosen = selectors["closest"]
    assert point_of(ax, "closest") == pytest.approx([chosen.false_alarm_rate_, chosen.detection_rate_])
    words = [
        "guaranteed 0.05 on average",
        "estimated 0.10",
        f"{chosen.false_alarm_rate_:.2f} where chosen",
    ]
    assert list(display.promises.values()) == words
    alarms, detected = point_of(ax, "conformal")
    assert " ".join(legend_texts(ax)[2].split()) == (
        f"conformal: false alarms {alarms:.2f} (guaranteed 0.05 on average), detected {detected:.2f}"
    )
    # A long legend is beside the axes.
    assert ax.get_legend().get_bbox_to_anchor().x0 > ax.bbox.x1


@pytest.mark.parametrize("wrap", ["thresholded", "search", "normal only", "support vectors", "density"])
def test_the_threshold_of_any_estimator_is_found(wrap):
    X = np.random.default_rng(0).normal(size=(60, 3))
    y = np.where(np.arange(60) < 40, 1, -1)
    X[40:] *= 2
    thresholded = ThresholdedDetector(GaussianMixture(random_state=0), cv=2, random_state=0)
    estimator = {
        "thresholded": make_pipeline("passthrough", thresholded),
        "search": GridSearchCV(thresholded, {"selector": [ConformalThreshold(0.1)]}, scoring=lambda *_: 0.0),
        "normal only": NormalOnly(make_pipeline("passthrough", thresholded)),
        "support vectors": OneClassSVM(nu=0.1),
        "density": GaussianMixture(random_state=0),
    }[wrap]
    estimator.fit(X[:40])
    display = ROCDisplay.from_estimator(estimator, X, y, ax=axes())
    if wrap == "density":  # GaussianMixture has no threshold
        assert display.points == {}
        return
    predictions = estimator.predict(X)
    assert display.points["threshold"] == pytest.approx(
        [(predictions[y == kind] == -1).mean() for kind in (1, -1)]
    )
    promised = {"search": "estimated 0.10, proved at most 0.24", "support vectors": None}.get(
        wrap, "estimated 0.05, proved at most 0.14"
    )
    assert display.promises.get("threshold") == promised


def test_a_rate_too_small_for_two_decimals_is_not_shown_as_zero():
    y, scores = np.repeat([1, -1], [1000, 10]), np.concatenate([np.arange(1000), np.full(10, -1.0)])
    ax = axes()
    ROCDisplay.from_predictions(y, scores, offset=0.5, ax=ax)
    assert legend_texts(ax)[2] == "threshold: false alarms 0.001, detected 1.00"


def test_every_detector_in_a_picture_has_its_own_colour():
    ax = axes()
    for name in ("LSTM", "GRU"):
        ROCDisplay.from_predictions(Y, SCORES, offset=-1.0, ax=ax, name=name)
    assert [text.split(":")[0] for text in legend_texts(ax)] == [
        "chance",
        "LSTM",
        "threshold",
        "GRU",
        "threshold",
    ]
    colors = [to_hex(artist.get_color()) for artist in ax.lines]
    assert colors == ["#000000", "#0072b2", "#0072b2", "#d55e00", "#d55e00"]
    # Line styles differ for readers who see no colours.
    assert [artist.get_linestyle() for artist in ax.lines if artist.get_gid() == "roc"] == ["-", "--"]


def test_clips_without_a_score_are_left_out_and_the_title_shows_their_number():
    ax = axes()
    y, scores = np.append(Y, [1, -1]), np.append(SCORES, [np.nan, np.nan])
    ROCDisplay.from_predictions(y, scores, offset=-1.0, ax=ax)
    assert ax.get_title() == "2 clips without a score left out"
    false_alarms, detections, _ = roc_curve(Y == -1, -SCORES)
    np.testing.assert_array_equal(line(ax, "AUC").get_xydata(), np.stack([false_alarms, detections], axis=1))
    assert point_of(ax, "threshold") == pytest.approx(
        [(SCORES[Y == 1] < -1).mean(), (SCORES[Y == -1] < -1).mean()]
    )


@pytest.mark.parametrize(
    ("y", "scores", "message"),
    [
        (
            [0, 1],
            [0.1, 0.2],
            r"y_true must hold 1 for normal and -1 for anomalous clips, got the labels \[0, 1\]",
        ),
        ([1, 1], [0.1, 0.2], r"y_true holds no anomalous \(-1\) clip"),
        ([1, -1], [0.1, np.nan], r"y_true holds no anomalous \(-1\) clip"),
        ([1, -1], [0.1, np.inf], "infinity"),
        ([1, -1, 1], [0.1, 0.2], r"y_true must have shape \(2,\), one label a clip, got \(3,\)"),
        (None, [0.1, 0.2], r"y_true must have shape \(2,\), one label a clip, got \(\)"),
        ([1, -1], [[0.1, 0.2], [0.3, 0.4]], "should be a 1d array"),
    ],
)
def test_labels_and_scores_without_a_curve_raise_an_error(y, scores, message):
    with pytest.raises(ValueError, match=message):
        ROCDisplay.from_predictions(y, scores, ax=axes())


def test_the_error_for_a_threshold_that_is_no_number_names_the_threshold():
    with pytest.raises(TypeError, match="the threshold 'mean' must be a number, got None"):
        ROCDisplay.from_predictions(Y, SCORES, thresholds={"mean": None}, ax=axes())


def test_the_user_may_choose_the_look_of_the_curve():
    ax = axes()
    settings = {"curve_kwargs": {"color": "red", "linewidth": 3}, "thresholds": 0.5}
    ROCDisplay.from_predictions([1, 1, -1, -1], [1.0, 0.4, 0.6, 0.0], ax=ax, **settings)
    (curve,) = [artist for artist in ax.lines if artist.get_gid() == "roc"]
    assert (curve.get_color(), curve.get_linewidth()) == ("red", 3)
    assert line(ax, "threshold").get_color() == "red"
