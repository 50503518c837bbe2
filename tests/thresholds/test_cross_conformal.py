"""Cross-conformal calibration: scores, p-values and bounds of an ensemble."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, OutlierMixin
from sklearn.ensemble import IsolationForest
from sklearn.frozen import FrozenEstimator
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import KFold, ShuffleSplit
from sklearn.neighbors import LocalOutlierFactor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import OneClassSVM

from skaudio_ad import (
    AudioLoader,
    ConformalThreshold,
    GammaThreshold,
    MeanStdThreshold,
    MelTransformer,
    NearestNeighborsDetector,
    TemporalPooling,
    ThresholdedDetector,
)
from skaudio_ad.persistence import load_detector, save_detector
from skaudio_ad.thresholds._cross_conformal import cross_conformal_bound

RNG = np.random.default_rng(0)
X, NEW, FAR = RNG.normal(size=(63, 4)), RNG.normal(size=(300, 4)), np.outer([4, 6, 9, 14], np.ones(4))


def counts(detector, new):
    """Number of held-out clips that score no higher than each new clip, by the model of their fold."""
    found = np.zeros(len(new))
    for number, model in enumerate(detector.detectors_):
        own = detector.calibration_scores_[detector.calibration_folds_ == number]
        scores = model.score_samples(new)
        for score in own:
            found += score <= scores
    return found


@pytest.mark.parametrize("cv", [5, "loo", KFold(3)], ids=str)
@pytest.mark.parametrize(
    "detector", [GaussianMixture(random_state=0), OneClassSVM(nu=0.1)], ids=["gmm", "svm"]
)
def test_a_clip_is_compared_with_the_held_out_clips_of_each_fold_by_the_model_of_that_fold(detector, cv):
    fitted = ThresholdedDetector(detector, ConformalThreshold(0.1), cv=cv, random_state=0).fit(X)
    expected = counts(fitted, NEW)
    np.testing.assert_allclose(fitted.p_values(NEW), (1 + expected) / 64)
    for alpha in (0.02, 0.1, 0.37, 0.9):
        fitted.set_threshold(ConformalThreshold(alpha))
        rank = np.floor(alpha * 64)
        np.testing.assert_array_equal(fitted.predict(NEW) == -1, expected < rank)
        np.testing.assert_array_equal(fitted.decision_function(NEW) < 0, expected < rank)
        assert fitted.false_alarm_rate_ == rank / 64


def test_each_held_out_score_comes_from_the_model_that_was_trained_without_the_clip():
    fitted = ThresholdedDetector(GaussianMixture(random_state=0), cv=4, random_state=0).fit(X)
    for number, model in enumerate(fitted.detectors_):
        own = fitted.calibration_folds_ == number
        held_out = fitted.calibration_indices_[own]
        np.testing.assert_array_equal(fitted.calibration_scores_[own], model.score_samples(X[held_out]))
        trained = np.setdiff1d(np.arange(63), held_out)
        np.testing.assert_allclose(model.means_[0], X[trained].mean(axis=0))
    assert not hasattr(fitted, "detector_")


@pytest.mark.parametrize("n_trees", [20, 1])
def test_equal_scores_never_lower_p_values_and_decisions_agree_with_p_values(n_trees):
    forest = IsolationForest(n_estimators=n_trees, max_samples=8, random_state=0)
    fitted = ThresholdedDetector(forest, ConformalThreshold(0.1), random_state=0).fit(X)
    p_values = fitted.p_values(NEW)
    assert (p_values >= (1 + counts(fitted, NEW)) / 64 - 1e-12).all()
    for alpha in (0.02, 0.1, 0.37, 0.9):
        fitted.set_threshold(ConformalThreshold(alpha))
        np.testing.assert_array_equal(fitted.predict(NEW) == -1, p_values <= fitted.false_alarm_rate_ + 1e-12)


def test_anomalies_below_all_held_out_scores_keep_the_order_and_scale_of_the_models():
    fitted = ThresholdedDetector(LocalOutlierFactor(5, novelty=True), random_state=0).fit(X)
    scores = fitted.score_samples(FAR)
    assert (np.diff(scores) < 0).all()
    assert scores[0] < fitted.calibration_scores_.min()
    means = np.mean([model.score_samples(FAR) for model in fitted.detectors_], axis=0)
    np.testing.assert_allclose(scores, means, rtol=0.35)
    # Scores between held-out scores are ordered too: no two of 300 clips have the same score.
    assert len(np.unique(fitted.score_samples(NEW))) == 300


def test_selectors_that_fit_a_distribution_find_thresholds_below_all_held_out_scores():
    fitted = ThresholdedDetector(LocalOutlierFactor(5, novelty=True), random_state=0).fit(X)
    for selector in (MeanStdThreshold(6), GammaThreshold(1e-7)):
        fitted.set_threshold(selector)
        assert fitted.threshold_ < fitted.calibration_scores_.min()
        assert fitted.predict(FAR).tolist() == [-1] * 4
        assert (fitted.predict(NEW) == 1).mean() > 0.95
        assert (fitted.promise_, fitted.false_alarm_bound_) == ("estimated", None)


@pytest.mark.parametrize(
    ("rate", "sizes", "grouped", "expected"),
    [
        (
            0.05,
            [20] * 5,
            False,
            2 * 0.05 + 2 * 0.95 * 4 / 105,
        ),  # Vovk and Wang: smaller than (1 - 5 / 100) / 6
        (0.1, [4] * 5, False, 2 * 0.1 + (1 - 5 / 20) / 6),  # Barber et al., theorem 4
        (0.1, [4] * 5, True, 2 * 0.1 + 2 * 0.9 * 4 / 25),
        (0.1, [5, 4, 4, 4, 4], False, 2 * 0.1 + 2 * 0.9 * 4 / 26),
        (0.1, [1] * 30, False, 0.2),  # jackknife+
        (0.1, [1] * 30, True, 0.2),
        (0.6, [2] * 5, False, 1.0),
    ],
)
def test_the_bound_agrees_with_the_theorems(rate, sizes, grouped, expected):
    assert cross_conformal_bound(rate, np.array(sizes), grouped) == pytest.approx(expected)


class Constant(OutlierMixin, BaseEstimator):
    """Scores every clip 0."""

    def fit(self, X, y=None):
        self.n_features_in_ = np.shape(X)[1]
        return self

    def score_samples(self, X):
        return np.zeros(len(X))


def test_if_all_scores_are_equal_no_clip_raises_an_alarm():
    fitted = ThresholdedDetector(Constant(), ConformalThreshold(0.1), random_state=0).fit(X)
    assert (fitted.predict(NEW) == 1).all()
    assert (fitted.p_values(NEW) == 1).all()
    assert fitted.false_alarm_bound_ == 1.0


@pytest.mark.parametrize(
    ("detector", "cv", "message"),
    [
        (OneClassSVM(), 0.5, "there is one model here"),
        (FrozenEstimator(OneClassSVM().fit(X)), 5, "there is one model here"),
        (FrozenEstimator(OneClassSVM().fit(X)), "prefit", 'cv="prefit" has one model'),
        (OneClassSVM(nu=0.1), ShuffleSplit(9, test_size=0.5, random_state=0), r"tested by \d of them"),
    ],
    ids=["fraction", "frozen", "prefit", "repeated"],
)
@pytest.mark.filterwarnings("ignore:the models of the folds score clips on another scale:UserWarning")
def test_without_fold_models_auto_keeps_one_detector_and_true_is_refused(detector, cv, message):
    fitted = ThresholdedDetector(detector, cv=cv, random_state=0).fit(X)
    assert hasattr(fitted, "detector_")
    assert not hasattr(fitted, "detectors_")
    with pytest.raises(ValueError, match=message):
        ThresholdedDetector(detector, cv=cv, ensemble=True, random_state=0).fit(X)


def test_another_value_of_ensemble_is_refused():
    with pytest.raises(ValueError, match="ensemble must be one of 'auto', True, False, got 'yes'"):
        ThresholdedDetector(OneClassSVM(), ensemble="yes").fit(X)


def test_fit_deletes_the_attributes_of_an_earlier_fit():
    detector = ThresholdedDetector(OneClassSVM(), random_state=0).fit(X)
    detector.set_params(cv=0.5).fit(X)
    assert not hasattr(detector, "detectors_")
    assert detector.calibration_folds_ is None
    assert hasattr(detector.set_params(cv=5).fit(X), "detectors_")
    assert not hasattr(detector, "detector_")


class Twice(FunctionTransformer):
    """Double the clips, and count the calls."""

    n_calls = 0

    def transform(self, X):
        Twice.n_calls += 1
        return 2 * X


def test_steps_that_learn_nothing_run_once_for_all_models():
    pipeline = make_pipeline(Twice(), StandardScaler(), OneClassSVM())
    fitted = ThresholdedDetector(pipeline, random_state=0).fit(X)
    before = Twice.n_calls
    scores = fitted.score_samples(NEW)
    assert Twice.n_calls == before + 1
    plain = make_pipeline(StandardScaler(), OneClassSVM())
    np.testing.assert_allclose(
        scores, ThresholdedDetector(plain, random_state=0).fit(2 * X).score_samples(2 * NEW)
    )


def test_an_ensemble_is_saved_and_loaded_bit_for_bit(tmp_path):
    pipeline = make_pipeline(StandardScaler(), NearestNeighborsDetector())
    fitted = ThresholdedDetector(pipeline, random_state=0).fit(X, groups=np.repeat(np.arange(21), 3))
    save_detector(fitted, tmp_path / "ensemble.skops")
    again = load_detector(tmp_path / "ensemble.skops")
    np.testing.assert_array_equal(again.decision_function(NEW), fitted.decision_function(NEW))
    np.testing.assert_array_equal(again.p_values(NEW), fitted.p_values(NEW))
    assert again.promise_reason_ == fitted.promise_reason_
    again.set_threshold(ConformalThreshold(0.2))


@pytest.mark.parametrize("kind", ["series", "column", "array", "list", "clips"])
def test_paths_may_come_in_any_container(write_wavs, kind):
    paths = write_wavs([4000, 4200] * 6)
    pipeline = make_pipeline(
        AudioLoader(16000), MelTransformer(), TemporalPooling(), NearestNeighborsDetector()
    )
    held = {
        "series": pd.Series(paths, index=np.arange(12) + 7),
        "column": pd.DataFrame({"path": paths, "label": "normal"})["path"],
        "array": np.array(paths),
        "list": paths,
        "clips": AudioLoader(16000).fit_transform(paths),
    }[kind]
    pipeline = pipeline if kind != "clips" else pipeline[1:]
    detector = ThresholdedDetector(pipeline, MeanStdThreshold(), random_state=0).fit(held)
    expected = ThresholdedDetector(
        make_pipeline(AudioLoader(16000), MelTransformer(), TemporalPooling(), NearestNeighborsDetector()),
        MeanStdThreshold(),
        random_state=0,
    ).fit(paths)
    np.testing.assert_array_equal(detector.score_samples(held), expected.score_samples(paths))
    np.testing.assert_array_equal(detector.fit_predict(held), expected.fit_predict(paths))
