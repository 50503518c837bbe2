"""Points have the losses of the clips, and regions have the decisions of the classifier."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.ensemble import IsolationForest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from skaudio_ad.inspection import RLKLDisplay

from .artists import axes, legend_texts, scatters


class TwoLosses(TransformerMixin, BaseEstimator):
    """Stand-in for a fitted variational autoencoder. RL is the first feature, KL is the last feature."""

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        return np.asarray(X)[:, [0, -1]]

    def get_feature_names_out(self, input_features=None):
        return np.array(["RL", "KL"], dtype=object)

    def __sklearn_is_fitted__(self):
        return True


class Threshold(BaseEstimator):
    """Classifier that calls clips with a large KL anomalous and records its input."""

    def __init__(self, kl=100.0):
        self.kl = kl
        self.classes_ = np.array([-1, 1])

    def fit(self, X, y):
        return self

    def predict(self, X):
        self.asked = X
        return np.where(np.asarray(X)[:, 1] > self.kl, -1, 1)


def losses(n_clips=40, seed=0):
    """RL in hundredths, KL in thousands, both larger for the second half of the clips."""
    rng = np.random.default_rng(seed)
    y = np.repeat([1, -1], n_clips // 2)
    return np.exp(rng.normal(np.where(y == 1, 0, 1.5), 0.5, size=(2, n_clips))).T * [0.01, 1000.0], y


def offsets(ax):
    return {label: points.get_offsets().tolist() for label, points in scatters(ax).items()}


def regions(ax):
    """Return the decision at a point of the plane from the filled contours."""
    (filled,) = [c for c in ax.collections if getattr(c, "filled", False)]
    colors = [to_hex(color) for color in filled.get_facecolors()]
    assert colors == ["#d55e00", "#0072b2"]

    def decide(kl, rl):
        inside = [any(p.contains_point((kl, rl)) for p in [path]) for path in filled.get_paths()]
        (index,) = np.flatnonzero(inside)
        return (-1, 1)[index]

    return decide


def test_kl_is_on_the_x_axis_and_rl_on_the_y_axis():
    X, y = losses()
    ax = axes()
    display = RLKLDisplay.from_predictions(y, X, ax=ax)
    swapped = X[:, ::-1]
    assert offsets(ax) == {
        "anomalous (20)": swapped[y == -1].tolist(),
        "normal (20)": swapped[y == 1].tolist(),
    }
    assert (ax.get_xlabel(), ax.get_ylabel()) == (
        "KL (divergence from the prior)",
        "RL (reconstruction loss)",
    )
    colors = {label: to_hex(points.get_facecolor()[0]) for label, points in scatters(ax).items()}
    assert colors == {"anomalous (20)": "#d55e00", "normal (20)": "#0072b2"}
    assert (display.ax_, display.figure_, ax.get_title()) == (ax, ax.figure, "")


def test_clips_without_labels_are_one_group_without_regions():
    X, _ = losses()
    ax = axes()
    RLKLDisplay.from_predictions(None, X, ax=ax)
    assert legend_texts(ax) == ["clips (40)"]
    assert len(ax.collections) == 1


def test_training_clips_are_drawn_hollow():
    X, y = losses()
    trained_on = np.arange(40) < 15
    ax = axes()
    RLKLDisplay.from_predictions(y, X, trained_on=trained_on, ax=ax)
    groups = scatters(ax)
    assert list(groups) == ["anomalous, new (20)", "normal, trained on (15)", "normal, new (5)"]
    assert groups["normal, trained on (15)"].get_offsets().tolist() == X[:15, ::-1].tolist()
    assert [len(group.get_facecolor()) for group in groups.values()] == [1, 0, 1]


@pytest.mark.parametrize("scale", ["auto", "linear"])
def test_the_regions_show_the_decisions_of_the_classifier(scale):
    X, y = losses()
    classifier = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, y)
    ax = axes()
    RLKLDisplay.from_predictions(y, X, classifier=classifier, scale=scale, ax=ax)
    decide = regions(ax)
    expected = classifier.predict(X)
    assert [decide(kl, rl) for rl, kl in X] == expected.tolist()
    assert {1, -1} == set(expected)
    assert legend_texts(ax)[0] == "decision boundary"


def test_the_decision_changes_at_the_boundary():
    X, y = losses()
    ax = axes()
    RLKLDisplay.from_predictions(y, X, classifier=Threshold(2000.0), ax=ax)
    (boundary,) = [c for c in ax.collections if hasattr(c, "filled") and not c.filled]
    kl, rl = boundary.get_paths()[0].vertices.T
    np.testing.assert_allclose(kl, 2000, rtol=0.02)
    assert (rl.min(), rl.max()) == pytest.approx(ax.get_ylim())


@pytest.mark.parametrize(("kl", "decision"), [(0.0, -1), (1e9, 1)])
def test_a_classifier_with_one_decision_has_a_region_and_no_boundary(kl, decision):
    X, y = losses()
    ax = axes()
    RLKLDisplay.from_predictions(y, X, classifier=Threshold(kl), ax=ax)
    assert {regions(ax)(kl, rl) for rl, kl in X} == {decision}
    assert "decision boundary" not in legend_texts(ax)


def test_the_classifier_gets_the_columns_in_the_order_of_its_training():
    X, y = losses()
    frame = pd.DataFrame(X, columns=["RL", "KL"])
    expected = axes()
    RLKLDisplay.from_predictions(y, X, classifier=LogisticRegression().fit(X, y), ax=expected)
    for columns in (["RL", "KL"], ["KL", "RL"]):
        ax = axes()
        # scikit-learn warns if names are missing, and raises an error if the order differs.
        RLKLDisplay.from_predictions(
            y,
            frame,
            classifier=make_pipeline(StandardScaler(), LogisticRegression()).fit(frame[columns], y),
            ax=ax,
        )
        decide = regions(ax)
        fitted = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, y).predict(X)
        assert [decide(kl, rl) for rl, kl in X] == fitted.tolist()
    asked = Threshold()
    asked.feature_names_in_ = np.array(["vae__RL", "vae__KL"], dtype=object)
    RLKLDisplay.from_predictions(y, X, classifier=asked, ax=axes())
    assert list(asked.asked.columns) == ["vae__RL", "vae__KL"]
    assert asked.asked["vae__KL"].min() > 10


@pytest.mark.parametrize(
    "behind",
    [
        (LogisticRegression(),),
        (StandardScaler(), LogisticRegression()),
        (make_pipeline(MinMaxScaler(), LogisticRegression()),),
    ],
    ids=["classifier", "scaler and classifier", "pipeline"],
)
@pytest.mark.parametrize("pandas", [False, True], ids=["arrays", "frames"])
def test_all_steps_after_the_detector_decide_together(behind, pandas):
    X, y = losses()
    X = np.insert(X, 1, 0.0, axis=1)  # the detector gets three columns
    pipeline = make_pipeline("passthrough", TwoLosses(), *behind)
    if pandas:
        pipeline[1].set_output(transform="pandas")
    pipeline.fit(X, y)
    ax = RLKLDisplay.from_estimator(pipeline, X, y).ax_
    assert offsets(ax)["normal (20)"] == X[:20, [2, 0]].tolist()
    decide = regions(ax)
    assert [decide(kl, rl) for rl, _, kl in X] == pipeline.predict(X).tolist()


@pytest.mark.parametrize(
    "wrap", [lambda d: d, lambda d: make_pipeline("passthrough", d)], ids=["alone", "pipeline"]
)
def test_a_detector_without_a_classifier_is_drawn_without_regions(wrap):
    X, y = losses()
    ax = RLKLDisplay.from_estimator(wrap(TwoLosses()), X, y, trained_on=y == 1, scale="linear").ax_
    assert list(offsets(ax)) == ["anomalous, new (20)", "normal, trained on (20)"]
    assert len(ax.collections) == 2
    assert ax.get_xscale() == "linear"


@pytest.mark.parametrize(
    ("factors", "scale", "expected"),
    [
        ((1, 1), "auto", ("log", "log")),
        ((1, 1), "linear", ("linear", "linear")),
        ((0, 1), "auto", ("log", "linear")),  # a perfect reconstruction has an RL of 0
        ((1, -1), "auto", ("linear", "log")),
        ((1, 1), "log", ("log", "log")),
    ],
    ids=str,
)
def test_axes_are_logarithmic_if_all_values_are_positive_and_spread(factors, scale, expected):
    X, y = losses()
    X[0] *= factors
    ax = axes()
    RLKLDisplay.from_predictions(y, X, scale=scale, ax=ax)
    assert (ax.get_xscale(), ax.get_yscale()) == expected
    for values, (low, high) in ((X[:, 1], ax.get_xlim()), (X[:, 0], ax.get_ylim())):
        assert low < values.min() < values.max() < high


def test_values_that_are_close_together_are_drawn_on_linear_axes():
    ax = axes()
    RLKLDisplay.from_predictions(None, [[0.02, 1000.0], [0.03, 1500.0], [0.04, 2900.0]], ax=ax)
    assert (ax.get_xscale(), ax.get_yscale()) == ("linear", "linear")


@pytest.mark.parametrize("scale", ["auto", "log", "linear"])
def test_a_single_clip_is_drawn(scale):
    ax = axes()
    RLKLDisplay.from_predictions([1], [[0.02, 1000.0]], classifier=Threshold(), scale=scale, ax=ax)
    assert offsets(ax) == {"normal (1)": [[1000.0, 0.02]]}
    assert ax.get_xlim()[0] < 1000 < ax.get_xlim()[1]


def test_the_title_shows_the_number_of_clips_that_could_not_be_read():
    X, y = losses()
    X[3] = np.nan
    ax = axes()
    RLKLDisplay.from_predictions(y, X, classifier=Threshold(), ax=ax)
    assert ax.get_title() == "1 clip that could not be read left out"
    assert "normal (19)" in legend_texts(ax)
    with pytest.raises(ValueError, match="no clip to draw: all clips are NaN"):
        RLKLDisplay.from_predictions(y, np.full((40, 2), np.nan), ax=ax)


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"rl_kl": np.zeros((4, 3))}, ValueError, r"must have the two columns RL and KL, got shape \(4, 3\)"),
        ({"rl_kl": np.ones(4)}, ValueError, "Expected 2D array"),
        (
            {"rl_kl": [[1, 2], [np.nan, 2], [1, 2], [1, 2]]},
            ValueError,
            "NaN beside a number, first in clip 1",
        ),
        ({"rl_kl": [[1, 2], [np.inf, 2], [1, 2], [1, 2]]}, ValueError, "rl_kl contains infinity"),
        (
            {"y_true": [0, 1, 1, 0]},
            ValueError,
            r"1 for normal and -1 for anomalous clips, got the labels \[0, 1\]",
        ),
        ({"y_true": [1, -1]}, ValueError, r"must have shape \(4,\), one label a clip, got \(2,\)"),
        (
            {"trained_on": [0, 1, 1, 0]},
            ValueError,
            r"True or False for each of 4 clips, got int64 of shape \(4,\)",
        ),
        ({"trained_on": [True]}, ValueError, r"got bool of shape \(1,\)"),
        ({"scale": "symlog"}, ValueError, "scale must be one of 'auto', 'log', 'linear', got 'symlog'"),
        (
            {"scale": "log", "rl_kl": [[1, 0.0]] * 4},
            ValueError,
            'scale="log" needs positive values, got KL down to 0',
        ),
        ({"classifier": LogisticRegression()}, ValueError, "not fitted"),
        (
            {"classifier": LogisticRegression().fit([[0, 0], [1, 1]], [0, 1])},
            ValueError,
            r"1 \(normal\) from -1 \(anomalous\), got the classes \[0 1\]",
        ),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else None,
)
def test_invalid_input_raises_an_error(settings, error, message):
    with pytest.raises(error, match=message):
        RLKLDisplay.from_predictions(
            **{"y_true": [1, 1, -1, -1], "rl_kl": np.ones((4, 2)), "ax": axes(), **settings}
        )


def test_a_detector_without_rl_and_kl_raises_an_error():
    X, y = losses()
    with pytest.raises(
        ValueError, match=r"needs a detector whose transform gives RL and KL, .* got IsolationForest"
    ):
        RLKLDisplay.from_estimator(IsolationForest().fit(X), X, y)
