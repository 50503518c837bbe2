"""`ThresholdedDetector` with the tools of scikit-learn: metadata routing, searches, callbacks, pipelines."""

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.ensemble import IsolationForest
from sklearn.frozen import FrozenEstimator
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    KFold,
    LeaveOneGroupOut,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import OneClassSVM

from skaudio_ad import (
    AutoencoderDetector,
    ConformalThreshold,
    MeanStdThreshold,
    NearestNeighborsDetector,
    QuantileThreshold,
    ThresholdedDetector,
)
from skaudio_ad.persistence import load_detector, save_detector

from .toy_detectors import GROUPS, NORMAL, QUANTILE, Average, Memory, X, Y


def test_the_detector_and_the_selector_that_are_given_stay_unfitted_and_the_same_seed_gives_the_same_folds():
    memory, selector = Average(), QuantileThreshold(0.3)
    detectors = [ThresholdedDetector(memory, selector, random_state=0).fit(X, Y) for _ in range(2)]
    assert not hasattr(memory, "seen_")
    assert not hasattr(selector, "threshold_")
    assert detectors[0].threshold_ == detectors[1].threshold_
    other = ThresholdedDetector(memory, selector, random_state=1).fit(X, Y)
    assert other.threshold_ != detectors[0].threshold_


@pytest.mark.processes
def test_folds_in_several_processes_give_the_same():
    data = np.random.default_rng(0).normal(size=(60, 3))
    one, two = (
        ThresholdedDetector(IsolationForest(n_estimators=5, random_state=0), n_jobs=n, random_state=0).fit(
            data
        )
        for n in (1, 2)
    )
    np.testing.assert_array_equal(one.calibration_scores_, two.calibration_scores_)


class Counter:
    """A callback that counts the fits."""

    n_fits = 0

    def setup(self, estimator, context):
        self.n_fits += 1

    def teardown(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context):
        pass

    def on_fit_task_end(self, estimator, context):
        pass


@pytest.mark.parametrize("frozen", [False, True])
def test_callbacks_see_every_model_that_is_trained_and_are_not_saved_with_it(frozen, tmp_path):
    counter = Counter()
    data = np.random.default_rng(0).normal(size=(30, 3)).astype(np.float32)
    autoencoder = AutoencoderDetector(hidden_sizes=(4,), max_epochs=1, random_state=0).set_callbacks(counter)
    if frozen:
        detector = ThresholdedDetector(FrozenEstimator(autoencoder.fit(data)), MeanStdThreshold()).fit(data)
    else:
        detector = ThresholdedDetector(autoencoder, MeanStdThreshold(), cv=3).fit(data)
    assert counter.n_fits == (1 if frozen else 3)
    save_detector(detector, tmp_path / "detector.skops")
    again = load_detector(tmp_path / "detector.skops")
    np.testing.assert_array_equal(again.decision_function(data), detector.decision_function(data))
    autoencoder.fit(data)
    assert counter.n_fits == (2 if frozen else 4)  # it is still there
    again.fit(data)
    assert counter.n_fits == (2 if frozen else 4)


def test_feature_names_and_their_number_are_the_detectors():
    table = pd.DataFrame(np.random.default_rng(0).normal(size=(40, 2)), columns=["low", "high"])
    detector = ThresholdedDetector(IsolationForest(n_estimators=5, random_state=0))
    assert not hasattr(detector, "n_features_in_")
    detector.fit(table)
    assert detector.n_features_in_ == 2
    assert detector.feature_names_in_.tolist() == ["low", "high"]
    assert not hasattr(detector.fit(table.to_numpy()), "feature_names_in_")


def test_sample_weights_go_to_the_detector_with_their_clips():
    weights = X[:, 0] * 2
    detector = ThresholdedDetector(Memory(), QUANTILE, cv=4).fit(X, Y, sample_weight=weights)
    for model in detector.detectors_:
        np.testing.assert_array_equal(model.weights_, 2 * model.seen_)


@pytest.fixture
def routing():
    with sklearn.config_context(enable_metadata_routing=True):
        yield


def test_with_routing_groups_go_to_the_splitter_and_weights_to_the_detector(routing):
    detector = ThresholdedDetector(Memory().set_fit_request(sample_weight=True), QUANTILE, cv=GroupKFold(4))
    detector.fit(X, Y, groups=GROUPS, sample_weight=X[:, 0] * 2)
    for model in detector.detectors_:
        np.testing.assert_array_equal(model.weights_, 2 * model.seen_)
        assert len(np.unique(model.seen_ // 10)) == 3  # of the four groups


def test_with_routing_groups_are_taken_whatever_cv_is(routing):
    memory = Memory().fit([[100.0]])
    for cv in (4, "loo", 0.5, "prefit"):
        detector = ThresholdedDetector(memory, QUANTILE, cv=cv, random_state=0).fit(X, Y, groups=GROUPS)
        np.testing.assert_array_equal(detector.calibration_groups_, GROUPS[detector.calibration_indices_])


def test_with_routing_what_nobody_asked_for_is_refused(routing):
    with pytest.raises(sklearn.exceptions.UnsetMetadataPassedError, match="sample_weight"):
        ThresholdedDetector(Memory(), QUANTILE).fit(X, Y, sample_weight=np.ones(50))


def test_with_routing_and_nothing_to_route_it_fits(routing):
    for cv in (5, "loo", 0.5, KFold(3)):
        assert ThresholdedDetector(Memory(), cv=cv).fit(NORMAL).threshold_ >= 0


def test_with_routing_groups_pass_through_a_search_to_both_splitters(routing):
    search = GridSearchCV(
        ThresholdedDetector(Average(), QUANTILE, cv=LeaveOneGroupOut()),
        {"selector__alpha": [0.1, 0.2]},
        cv=GroupKFold(2),
        scoring=lambda estimator, X, y=None: float(len(estimator.calibration_scores_)),
        error_score="raise",
    ).fit(NORMAL, groups=GROUPS[Y == 1])
    assert search.cv_results_["mean_test_score"].tolist() == [20.0, 20.0]


@pytest.mark.parametrize("routed", [False, True])
def test_a_search_sets_the_parameters_of_detector_selector_and_itself(routed):
    data = np.random.default_rng(0).normal(size=(90, 3))

    def near_the_rate(estimator, X, y=None):
        return -abs(np.mean(estimator.predict(X) == -1) - estimator.selector.alpha)

    with sklearn.config_context(enable_metadata_routing=routed):
        search = GridSearchCV(
            ThresholdedDetector(GaussianMixture(random_state=0), ConformalThreshold(), random_state=0),
            {"selector__alpha": [0.05, 0.2], "detector__n_components": [1, 2], "cv": [0.5, 3]},
            cv=3,
            scoring=near_the_rate,
            error_score="raise",
        ).fit(data)
    assert search.best_estimator_.selector_.alpha == search.best_params_["selector__alpha"]
    assert search.best_estimator_._example.n_components == search.best_params_["detector__n_components"]
    np.testing.assert_array_equal(search.score_samples(data), search.best_estimator_.score_samples(data))
    assert set(np.unique(search.predict(data))) <= {1, -1}


def test_it_stands_at_the_end_of_a_pipeline():
    data = np.random.default_rng(0).normal(size=(60, 3))
    pipeline = make_pipeline(
        StandardScaler(), ThresholdedDetector(NearestNeighborsDetector(), random_state=0)
    )
    pipeline.fit(data, np.ones(60))
    np.testing.assert_array_equal(
        pipeline.decision_function(data), pipeline.score_samples(data) - pipeline[-1].offset_
    )


def test_its_picture_shows_the_detector_and_the_selector():
    html = ThresholdedDetector(OneClassSVM(), ConformalThreshold(0.1))._repr_html_()
    assert "OneClassSVM" in html
    assert "ConformalThreshold" in html
