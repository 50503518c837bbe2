"""`ThresholdedDetector`: what it trains on, what it calibrates with, and how it fits in with scikit-learn."""

import pickle

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.base import BaseEstimator, OutlierMixin, clone
from sklearn.covariance import EllipticEnvelope
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    GroupShuffleSplit,
    KFold,
    LeaveOneGroupOut,
    ShuffleSplit,
    StratifiedKFold,
    cross_val_predict,
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
from skaudio_ad.persistence import load_detector, save_detector


class Memory(OutlierMixin, BaseEstimator):
    """Scores a clip by its first value, and 1000 higher if it was trained on it."""

    def __init__(self, factor=1.0):
        self.factor = factor

    def fit(self, X, y=None, sample_weight=None):
        self.seen_ = np.asarray(X)[:, 0]
        self.weights_ = sample_weight
        return self

    def score_samples(self, X):
        first = np.asarray(X, dtype=np.float64)[:, 0]
        return self.factor * (first + 1000 * np.isin(first, self.seen_))


# 40 normal clips, values 0 to 39, and 10 anomalous ones, -1 to -10.
VALUES = np.concatenate([np.arange(40.0), -np.arange(1.0, 11.0)])
LABELS = np.repeat([1, -1], [40, 10])
SHUFFLED = np.random.default_rng(0).permutation(50)
X, Y = VALUES[SHUFFLED, np.newaxis], LABELS[SHUFFLED]
GROUPS = (np.abs(X[:, 0]) // 10).astype(int)
NORMAL = X[Y == 1]
QUANTILE = QuantileThreshold(0.1)

EVERY_CV = {
    "int": 5,
    "loo": "loo",
    "fraction": 0.5,
    "splitter": KFold(4, shuffle=True, random_state=0),
    "stratified": StratifiedKFold(4),
    "repeated": ShuffleSplit(6, test_size=0.3, random_state=0),
    "one split": ShuffleSplit(1, test_size=0.3, random_state=0),
    "iterable": [(np.arange(25), np.arange(25, 50)), (np.arange(25, 50), np.arange(25))],
    "masks": [(np.arange(50) < 25, np.arange(50) >= 25), (np.arange(50) >= 25, np.arange(50) < 25)],
}
every_cv = pytest.mark.parametrize("cv", EVERY_CV.values(), ids=EVERY_CV.keys())


@every_cv
def test_every_calibrating_score_is_of_a_model_that_had_not_seen_the_clip_and_no_anomaly_is_trained_on(cv):
    detector = ThresholdedDetector(Memory(), QUANTILE, cv=cv, ensemble=False, random_state=0).fit(X, Y)
    indices = detector.calibration_indices_
    np.testing.assert_array_equal(detector.calibration_scores_, X[indices, 0])
    np.testing.assert_array_equal(detector.calibration_labels_, Y[indices])
    assert (detector.detector_.seen_ >= 0).all()
    assert detector.threshold_ == pytest.approx(np.quantile(X[indices, 0][Y[indices] == 1], 0.1))
    assert detector.offset_ == detector.threshold_


@pytest.mark.parametrize("cv", [5, "loo", KFold(4)], ids=["int", "loo", "splitter"])
def test_without_an_ensemble_all_clips_calibrate_and_the_detector_is_trained_again_on_all_normal_ones(cv):
    detector = ThresholdedDetector(Memory(), QUANTILE, cv=cv, ensemble=False).fit(X, Y)
    np.testing.assert_array_equal(detector.calibration_indices_, np.arange(50))
    np.testing.assert_array_equal(np.sort(detector.detector_.seen_), np.arange(40.0))


@pytest.mark.parametrize(("fraction", "n"), [(0.5, 20), (0.25, 10), (0.1, 4)])
def test_with_a_fraction_so_many_normal_clips_and_all_anomalies_calibrate_and_the_others_train(fraction, n):
    detector = ThresholdedDetector(Memory(), QUANTILE, cv=fraction, random_state=0).fit(X, Y)
    calibrating = detector.calibration_scores_[detector.calibration_labels_ == 1]
    assert len(calibrating) == n
    assert np.sum(detector.calibration_labels_ == -1) == 10
    np.testing.assert_array_equal(np.sort(np.append(calibrating, detector.detector_.seen_)), np.arange(40.0))


def test_a_splitter_with_one_split_works_as_a_fraction():
    cv = GroupShuffleSplit(1, test_size=0.25, random_state=0)
    detector = ThresholdedDetector(Memory(), QUANTILE, cv=cv).fit(X, Y, groups=GROUPS)
    calibrating = detector.calibration_indices_
    assert set(GROUPS[calibrating]).isdisjoint(detector.detector_.seen_ // 10)


def test_clips_that_the_splitter_never_tests_do_not_calibrate():
    cv = [(np.arange(10, 50), np.arange(5)), (np.arange(10, 50), np.arange(5, 10))]
    detector = ThresholdedDetector(Memory(), QUANTILE, cv=cv, ensemble=False).fit(X, Y)
    np.testing.assert_array_equal(detector.calibration_indices_, np.arange(10))
    normal = np.flatnonzero(Y[:10] == 1)
    detector = ThresholdedDetector(Memory(), QUANTILE, cv=cv).fit(X, Y)
    np.testing.assert_array_equal(
        detector.calibration_indices_[detector.calibration_labels_ == 1], normal
    )  # anomalous ones are scored by all models


class Average(Memory):
    """Scores a clip by its first value minus the mean of the training clips'."""

    def score_samples(self, X):
        return np.asarray(X, dtype=np.float64)[:, 0] - self.seen_.mean()


def test_what_several_models_score_counts_once_with_the_mean():
    cv = KFold(4, shuffle=True, random_state=0)
    by_int = ThresholdedDetector(Average(), QUANTILE, cv=4, ensemble=False, random_state=0).fit(X, Y)
    normal = np.arange(40.0)
    order = X[Y == 1, 0]
    means = [order[train].mean() for train, _ in cv.split(normal)]
    scores = dict(zip(by_int.calibration_indices_, by_int.calibration_scores_))
    for index in np.flatnonzero(Y == -1):
        assert scores[index] == pytest.approx(X[index, 0] - np.mean(means))
    assert len(by_int.calibration_scores_) == 50


def test_out_of_fold_scores_are_those_of_scikit_learn():
    cv = KFold(4, shuffle=True, random_state=0)
    data = np.random.default_rng(0).normal(size=(60, 3))
    forest = IsolationForest(n_estimators=20, random_state=0)
    detector = ThresholdedDetector(forest, cv=cv, ensemble=False).fit(data)
    expected = cross_val_predict(forest, data, cv=cv, method="decision_function") - 0.5  # its offset
    np.testing.assert_allclose(detector.calibration_scores_, expected, rtol=1e-12)
    reference = clone(forest).fit(data)
    np.testing.assert_array_equal(detector.score_samples(data), reference.score_samples(data))
    assert detector.threshold_ == pytest.approx(np.sort(expected)[2], rel=1e-12)  # floor(0.05 * 61) = 3


def test_groups_stay_together_with_a_splitter_for_groups():
    detector = ThresholdedDetector(Average(), QUANTILE, cv=LeaveOneGroupOut())
    detector.fit(NORMAL, groups=GROUPS[Y == 1])
    values = NORMAL[detector.calibration_indices_, 0]
    others = [np.mean([v for v in range(40) if v // 10 != value // 10]) for value in values]
    np.testing.assert_allclose(detector.calibration_scores_, values - others)


def test_prefit_leaves_the_detector_as_it_is_and_calibrates_with_all_of_x():
    memory = Memory().fit(np.arange(100.0, 110.0)[:, np.newaxis])
    detector = ThresholdedDetector(memory, ROCThreshold(), cv="prefit").fit(X, Y)
    assert detector.detector_ is memory
    np.testing.assert_array_equal(memory.seen_, np.arange(100.0, 110.0))
    np.testing.assert_array_equal(detector.calibration_scores_, X[:, 0])
    assert detector.threshold_ == -0.5


def test_prefit_survives_a_clone_when_frozen_and_says_so_when_not():
    memory = Memory().fit(np.arange(100.0, 110.0)[:, np.newaxis])
    frozen = ThresholdedDetector(FrozenEstimator(memory), cv="prefit")
    assert clone(frozen).fit(NORMAL).detector_.seen_[0] == 100
    with pytest.raises(NotFittedError, match=r'cv="prefit" takes a detector .*FrozenEstimator'):
        clone(ThresholdedDetector(memory, cv="prefit")).fit(NORMAL)


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


@pytest.mark.filterwarnings("ignore:the models of the folds score clips on another scale:UserWarning")
@pytest.mark.parametrize("ensemble", ["auto", False])
@pytest.mark.parametrize("cv", [5, 0.5, KFold(5)], ids=["int", "fraction", "splitter"])
def test_missing_clips_are_kept_from_training_and_calibrating_with_a_warning_and_are_never_normal(
    cv, ensemble
):
    data = np.random.default_rng(0).normal(size=(60, 3))
    data[[3, 50]] = np.nan
    detector = ThresholdedDetector(OneClassSVM(), cv=cv, ensemble=ensemble, random_state=0)
    with pytest.warns(UserWarning, match="2 of 60 clips could not be read and have no score"):
        detector.fit(data)
    assert not {3, 50} & set(detector.calibration_indices_)
    assert np.isfinite(detector.calibration_scores_).all()
    assert np.isnan(detector.score_samples(data)).nonzero()[0].tolist() == [3, 50]
    assert np.isnan(detector.p_values(data)).nonzero()[0].tolist() == [3, 50]
    assert detector.predict(data)[[3, 50]].tolist() == [-1, -1]
    assert detector.predict(data[[3]]).tolist() == [-1]
    table = pd.DataFrame(data, columns=["a", "b", "c"])
    with pytest.warns(UserWarning, match="2 of 60"):
        assert clone(detector).fit_predict(table)[[3, 50]].tolist() == [-1, -1]


@pytest.mark.parametrize("table", [pd.DataFrame, np.asarray])
def test_missing_rows_do_not_reach_the_first_step_of_a_pipeline(table):
    data = np.random.default_rng(0).normal(size=(60, 3))
    broken = data.copy()
    broken[[3, 50]] = np.nan
    pipeline = make_pipeline(PCA(2), OneClassSVM())  # PCA takes no NaN
    with pytest.warns(UserWarning, match="2 of 60 clips could not be read"):
        detector = ThresholdedDetector(pipeline, cv=5, random_state=0).fit(table(broken))
    scores = detector.score_samples(table(broken))
    assert np.isnan(scores).nonzero()[0].tolist() == [3, 50]
    np.testing.assert_array_equal(
        np.delete(scores, [3, 50]), detector.detector_.score_samples(table(np.delete(data, [3, 50], axis=0)))
    )
    assert np.isnan(detector.score_samples(table(broken[[3, 50]]))).all()


def test_a_forest_in_a_pipeline_does_not_take_a_file_that_could_not_be_read_for_normal(write_wavs, tmp_path):
    # By itself it scores a row of NaN as any other.
    paths = write_wavs([4000] * 24)
    broken = tmp_path / "broken.wav"
    broken.write_bytes(b"no recording")
    pipeline = make_pipeline(
        AudioLoader(16000, on_error="skip"),
        MelTransformer(),
        TemporalPooling(),
        IsolationForest(random_state=0),
    )
    detector = ThresholdedDetector(pipeline).fit(paths)
    with pytest.warns(UserWarning, match=r"broken\.wav") as caught:
        scores = detector.score_samples([paths[0], str(broken)])
    assert (
        len([w for w in caught if "broken" in str(w.message)]) == 1
    )  # features are made once for five models
    np.testing.assert_allclose(scores, [detector.score_samples(paths[:1])[0], np.nan])
    with pytest.warns(UserWarning, match=r"broken\.wav"):
        assert detector.predict([str(broken)]).tolist() == [-1]


@pytest.mark.filterwarnings("ignore:.*could not be read.*:UserWarning", "ignore:.*broken.wav.*")
def test_paths_clips_and_lists_of_arrays_are_split_alike(write_wavs, tmp_path):
    paths = write_wavs([4000, 4200] * 12)
    (tmp_path / "broken.wav").write_bytes(b"no recording")
    paths.insert(5, str(tmp_path / "broken.wav"))
    loader = AudioLoader(16000, on_error="skip")
    detector = NearestNeighborsDetector()
    features = make_pipeline(MelTransformer(), TemporalPooling())
    clips = loader.fit_transform(paths)
    spectrograms = MelTransformer().fit_transform(clips)
    cv = KFold(4, shuffle=True, random_state=0)
    fitted = [
        ThresholdedDetector(make_pipeline(loader, *clone(features), detector), cv=cv).fit(paths),
        ThresholdedDetector(make_pipeline(loader, *clone(features), detector), cv=cv).fit(np.array(paths)),
        ThresholdedDetector(make_pipeline(*clone(features), detector), cv=cv).fit(clips),
        ThresholdedDetector(make_pipeline(TemporalPooling(), detector), cv=cv).fit(spectrograms),
        ThresholdedDetector(detector, cv=cv).fit(features.fit_transform(clips)),
    ]
    assert isinstance(spectrograms, list)
    for other in fitted:
        assert 5 not in other.calibration_indices_
        assert len(other.calibration_scores_) == 24
        np.testing.assert_allclose(other.calibration_scores_, fitted[0].calibration_scores_, rtol=1e-4)


def test_local_scores_are_the_detectors_where_it_has_them():
    data = np.random.default_rng(0).normal(size=(30, 4, 6))
    detector = ThresholdedDetector(NearestNeighborsDetector(), cv=3, ensemble=False).fit(data)
    np.testing.assert_array_equal(detector.score_frames(data), detector.detector_.score_frames(data))
    together = ThresholdedDetector(NearestNeighborsDetector(), cv=3).fit(data)
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


def test_the_detector_and_the_selector_that_are_given_stay_unfitted_and_the_same_seed_gives_the_same_folds():
    memory, selector = Average(), QuantileThreshold(0.3)
    detectors = [ThresholdedDetector(memory, selector, random_state=0).fit(X, Y) for _ in range(2)]
    assert not hasattr(memory, "seen_")
    assert not hasattr(selector, "threshold_")
    assert detectors[0].threshold_ == detectors[1].threshold_
    other = ThresholdedDetector(memory, selector, random_state=1).fit(X, Y)
    assert other.threshold_ != detectors[0].threshold_


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


def test_what_one_clip_scores_does_not_depend_on_the_clips_beside():
    data = np.random.default_rng(0).normal(size=(40, 3))
    detector = ThresholdedDetector(NearestNeighborsDetector(), random_state=0).fit(data)
    together = detector.score_samples(data + 0.1)
    np.testing.assert_array_equal(
        [detector.score_samples(row[np.newaxis] + 0.1)[0] for row in data], together
    )


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


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"cv": 1}, ValueError, r'cv must be an integer of 2 or more, a fraction in \(0, 1\), "loo".* got 1'),
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


def test_labels_of_another_coding_are_refused():
    with pytest.raises(ValueError, match=r"y must hold 1 for normal and -1 .*\[0, 1\]"):
        ThresholdedDetector(OneClassSVM()).fit(X, (Y == 1).astype(int))
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        ThresholdedDetector(OneClassSVM()).fit(X, Y[:10])


def test_a_fold_without_a_normal_clip_to_train_on_is_named():
    folds = [
        (np.flatnonzero(Y == 1), np.flatnonzero(Y == -1)),
        (np.flatnonzero(Y == -1), np.flatnonzero(Y == 1)),
    ]
    with pytest.raises(ValueError, match=r"fold 1 of cv leaves no normal clip to train on"):
        ThresholdedDetector(OneClassSVM(), QUANTILE, cv=folds).fit(X, Y)


def test_a_fold_that_tests_what_it_trains_on_is_refused():
    folds = [(np.arange(30), np.arange(30, 40)), (np.arange(8, 40), np.arange(10))]
    with pytest.raises(ValueError, match=r"fold 1 of cv trains on clips that it tests, first on clip 8"):
        ThresholdedDetector(OneClassSVM(), QUANTILE, cv=folds).fit(NORMAL)
    folds = [(np.arange(50), np.flatnonzero(Y == -1))]  # anomalous clips are not trained on
    ThresholdedDetector(OneClassSVM(), QUANTILE, cv=[*folds, (np.arange(25), np.arange(25, 50))]).fit(X, Y)


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
