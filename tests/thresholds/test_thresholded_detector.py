"""`ThresholdedDetector`: thresholds, p-values, local scores and errors, with many kinds of detectors."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.covariance import EllipticEnvelope
from sklearn.ensemble import IsolationForest
from sklearn.exceptions import NotFittedError
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import (
    GridSearchCV,
)
from sklearn.neighbors import LocalOutlierFactor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import OneClassSVM

from skaudio_ad import (
    AudioLoader,
    AutoencoderDetector,
    ConformalThreshold,
    MeanStdThreshold,
    MelTransformer,
    NearestNeighborsDetector,
    QuantileThreshold,
    ROCThreshold,
    TemporalPooling,
    ThresholdedDetector,
)
from skaudio_ad.datasets import load_mimii

from .toy_detectors import NORMAL, QUANTILE, Memory, X, Y


def log_likelihood(mixture, X):
    return mixture.score(X)


DETECTORS = {
    "forest": IsolationForest(n_estimators=20, random_state=0),
    "svm": OneClassSVM(nu=0.1),
    "lof": LocalOutlierFactor(novelty=True),
    "envelope": EllipticEnvelope(random_state=0),
    "mixture": GaussianMixture(2, random_state=0),
    "neighbors": NearestNeighborsDetector(),
    "autoencoder": AutoencoderDetector(hidden_sizes=(8,), max_epochs=2, random_state=0),
    "pipeline": make_pipeline(StandardScaler(), LocalOutlierFactor(novelty=True)),
    "search": GridSearchCV(GaussianMixture(random_state=0), {"n_components": [1, 2]}, scoring=log_likelihood),
}


@pytest.mark.filterwarnings("ignore:The covariance matrix associated to your dataset:UserWarning")
@pytest.mark.parametrize("detector", DETECTORS.values(), ids=DETECTORS.keys())
def test_any_detector_with_score_samples_gets_its_threshold(detector):
    rng = np.random.default_rng(0)
    data = rng.normal(size=(80, 4)).astype(np.float32)
    far = rng.normal(size=(10, 4)).astype(np.float32) + 8
    fitted = ThresholdedDetector(detector, ConformalThreshold(0.1), random_state=0).fit(data)
    new = rng.normal(size=(100, 4)).astype(np.float32)
    # 0.1 * 81 = 8.1: a rate of 8 / 81, of which one in 30 may be had by chance with 80 calibrating clips
    assert 0.01 < np.mean(fitted.predict(new) == -1) < 0.25
    assert (fitted.predict(far) == -1).all()
    np.testing.assert_allclose(
        fitted.decision_function(new), fitted.score_samples(new) - fitted.offset_, rtol=1e-12
    )
    assert fitted.score_samples(new).dtype == np.float64
    np.testing.assert_array_equal(fitted.p_values(new) <= 0.1, fitted.predict(new) == -1)
    assert fitted.p_values(far).tolist() == [1 / 81] * 10
    again = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(again.predict(new), fitted.predict(new))


def test_p_values_count_the_normal_clips_alone():
    detector = ThresholdedDetector(Memory(), QUANTILE, cv=4).fit(X, Y)
    # of 40 normal clips, 0 to 39
    np.testing.assert_allclose(detector.p_values([[-0.5], [5.5], [99.0]]), [1 / 41, 7 / 41, 1.0])


def test_the_threshold_changes_after_fit_without_training():
    detector = ThresholdedDetector(Memory(), cv=0.5, random_state=0).fit(X, Y)
    trained = detector.detector_
    scores = detector.calibration_scores_[detector.calibration_labels_ == 1]
    assert detector.set_threshold(QuantileThreshold(0.5)) is detector
    assert detector.threshold_ == pytest.approx(np.median(scores))
    detector.set_threshold(ROCThreshold("fpr", value=0))
    assert -1 < detector.threshold_ <= scores.min()
    detector.set_threshold(-7.5)
    assert (detector.threshold_, detector.offset_, detector.selector_) == (-7.5, -7.5, None)
    assert detector.predict([[-7.5], [-8.0]]).tolist() == [1, -1]
    assert detector.detector_ is trained
    assert detector.selector is None  # the parameter, which fit goes back to
    assert isinstance(detector.fit(X, Y).selector_, ConformalThreshold)


@pytest.mark.parametrize("threshold", [np.nan, np.inf, True, None, "auto", QuantileThreshold])
def test_a_threshold_that_is_none_is_refused(threshold):
    detector = ThresholdedDetector(Memory()).fit(NORMAL)
    with pytest.raises((TypeError, ValueError), match=r"^threshold must"):
        detector.set_threshold(threshold)


def test_a_selector_that_finds_too_few_clips_leaves_a_detector_that_can_be_given_another():
    detector = ThresholdedDetector(Memory()).fit(NORMAL)
    detector.set_params(selector=ConformalThreshold(), cv=2)
    with pytest.raises(ValueError, match="at least 19 normal clips, got 10") as error:
        detector.fit(NORMAL[:10])
    assert error.value.__notes__ == [
        "The detector is trained all the same: set_threshold selects anew from its scores."
    ]
    with pytest.raises(NotFittedError):
        detector.predict(NORMAL)
    assert detector.set_threshold(MeanStdThreshold()).predict([[-99.0]]).tolist() == [-1]


def test_labelled_selectors_want_anomalies_before_anything_is_trained():
    class Untouchable(Memory):
        def fit(self, X, y=None):
            raise AssertionError("trained in vain")

    for y in (None, np.ones(40)):
        with pytest.raises(ValueError, match="ROCThreshold needs anomalous clips: pass y with -1"):
            ThresholdedDetector(Untouchable(), ROCThreshold()).fit(NORMAL, y)


def test_local_scores_are_the_detectors_where_it_has_them():
    data = np.random.default_rng(0).normal(size=(30, 4, 6))
    detector = ThresholdedDetector(NearestNeighborsDetector(), cv=10, ensemble=False, random_state=0).fit(
        data
    )
    np.testing.assert_array_equal(detector.score_frames(data), detector.detector_.score_frames(data))
    together = ThresholdedDetector(NearestNeighborsDetector(), cv=3, random_state=0).fit(data)
    mean = np.mean([model.score_frames(data) for model in together.detectors_], axis=0)
    np.testing.assert_array_equal(together.score_frames(data), mean)
    clips = [clip[:, :n_frames] for clip, n_frames in zip(data, [3, 5, 6])]
    listed = together.score_frames(clips)
    assert [len(scores) for scores in listed] == [3, 5, 6]
    np.testing.assert_array_equal(listed[2], mean[2])
    np.testing.assert_array_equal(detector.window_centers(6), np.arange(6.0))
    assert hasattr(ThresholdedDetector(NearestNeighborsDetector()), "score_frames")
    assert not hasattr(ThresholdedDetector(OneClassSVM()), "score_frames")
    assert not hasattr(ThresholdedDetector(OneClassSVM()), "window_centers")


def test_fit_predict_decides_about_a_training_clip_as_if_it_had_not_been_one():
    detector = ThresholdedDetector(Memory(), QuantileThreshold(0.5), cv=4)
    decisions = detector.fit_predict(X, Y)
    np.testing.assert_array_equal(decisions == 1, X[:, 0] >= 19.5)
    assert (detector.predict(NORMAL) == 1).all()  # it remembers them


def test_what_one_clip_scores_does_not_depend_on_the_clips_beside():
    data = np.random.default_rng(0).normal(size=(40, 3))
    detector = ThresholdedDetector(NearestNeighborsDetector(), random_state=0).fit(data)
    together = detector.score_samples(data + 0.1)
    np.testing.assert_array_equal(
        [detector.score_samples(row[np.newaxis] + 0.1)[0] for row in data], together
    )


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        (
            {"cv": 1},
            ValueError,
            r'cv must be an integer of 2 or more, a fraction in \(0, 1\), "auto", "loo".* got 1',
        ),
        ({"cv": 0}, ValueError, "cv must be"),
        ({"cv": 1.0}, ValueError, "cv must be"),
        ({"cv": True}, ValueError, "cv must be"),
        ({"cv": None}, ValueError, "cv must be"),
        ({"cv": "leave one out"}, ValueError, "cv must be .* got 'leave one out'"),
        ({"selector": 0.05}, TypeError, "selector must be an estimator with fit and predict, got 0.05"),
        ({"selector": ConformalThreshold}, TypeError, "a class: make an instance"),
        ({"detector": OneClassSVM}, TypeError, "detector must be an estimator .* a class: make an instance"),
        ({"detector": StandardScaler()}, TypeError, r"StandardScaler\(\), which has no score_samples"),
        ({"detector": LocalOutlierFactor()}, TypeError, "LocalOutlierFactor has it with novelty=True"),
        ({"detector": None}, TypeError, "detector must be an estimator"),
    ],
    ids=str,
)
def test_a_parameter_that_will_not_do_is_named_with_the_way_out(settings, error, message):
    with pytest.raises(error, match=message):
        ThresholdedDetector(**{"detector": OneClassSVM(), **settings}).fit(NORMAL)


@pytest.mark.parametrize("method", ["predict", "score_samples", "decision_function", "p_values"])
def test_before_fit_it_says_so(method):
    with pytest.raises(NotFittedError):
        getattr(ThresholdedDetector(OneClassSVM()), method)(X)
    with pytest.raises(NotFittedError):
        ThresholdedDetector(OneClassSVM()).set_threshold(0.0)


def false_alarms(cv, n_draws, n=40):
    """Rate of false alarms of nearest-neighbour detectors, each with `n` normal clips, on 40 new ones."""
    rng = np.random.default_rng(0)
    rates = []
    for _ in range(n_draws):
        data, new = rng.normal(size=(n, 8)), rng.normal(size=(40, 8))
        detector = ThresholdedDetector(
            LocalOutlierFactor(5, novelty=True), ConformalThreshold(0.1), cv=cv, random_state=0
        )
        rates.append(np.mean(detector.fit(data).predict(new) == -1))
    return np.mean(rates), np.std(rates) / np.sqrt(n_draws)


@pytest.mark.parametrize("cv", [0.5, 5])
def test_the_promise_is_kept_end_to_end(cv):
    rate, standard_error = false_alarms(cv, 120)
    assert rate < 0.1 + 4 * standard_error
    assert rate > 0.04


@pytest.mark.real_data
def test_on_recordings_of_slide_rails_the_promise_is_kept_and_a_threshold_from_training_scores_breaks_it(
    data_home,
):
    clips = load_mimii("slider", data_home=data_home)
    paths = [path for path, label in zip(clips.paths, clips.target) if label == 1]
    data = make_pipeline(AudioLoader(16000), MelTransformer(), TemporalPooling()).fit_transform(paths)
    detector = make_pipeline(StandardScaler(), NearestNeighborsDetector())
    rng = np.random.default_rng(0)
    found, in_sample = [], []
    for seed in range(200):
        order = rng.permutation(40)
        train, new = data[order[:24]], data[order[24:]]
        thresholded = ThresholdedDetector(detector, ConformalThreshold(0.1), cv=0.5, random_state=seed).fit(
            train
        )
        found.append(np.mean(thresholded.predict(new) == -1))
        fitted = clone(detector).fit(train)
        threshold = QuantileThreshold(0.1).fit(fitted.score_samples(train)).threshold_
        in_sample.append(np.mean(fitted.score_samples(new) < threshold))
    # 12 clips calibrate, so 1/13 is promised. A rate has the deviation of beta(1, 12), 0.071, and 16 clips show it
    # with 0.067 more: four standard errors of the mean of 200 are 0.028.
    assert np.mean(found) == pytest.approx(1 / 13, abs=0.028)
    assert np.mean(in_sample) > 0.9
