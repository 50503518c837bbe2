"""A whole pipeline that is fitted only on normal clips."""

import copy
import pickle

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import sklearn
import skops.io
from sklearn.base import clone, is_classifier, is_outlier_detector
from sklearn.ensemble import IsolationForest
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import LocalOutlierFactor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import OneClassSVM

from skaudio_ad import (
    AudioClips,
    AudioLoader,
    AutoencoderDetector,
    MelTransformer,
    NearestNeighborsDetector,
    NormalOnly,
    TemporalPooling,
)
from skaudio_ad.persistence import load_detector, save_detector, trusted_types
from skaudio_ad.training import EpochLogger

Y = np.where(np.arange(60) % 4 == 2, -1, 1)
X = np.random.default_rng(0).normal(size=(60, 5)) + 4.0 * (Y == -1)[:, np.newaxis]
NORMAL = X[Y == 1]


def pipeline(detector=None):
    return make_pipeline(StandardScaler(), detector or OneClassSVM())


def test_the_whole_pipeline_is_fitted_on_the_normal_clips():
    fitted = NormalOnly(pipeline()).fit(X, Y)
    alone = pipeline().fit(NORMAL)
    np.testing.assert_array_equal(fitted.estimator_[0].mean_, NORMAL.mean(axis=0))
    for method in ("score_samples", "decision_function", "predict"):
        np.testing.assert_array_equal(getattr(fitted, method)(X), getattr(alone, method)(X))
    assert fitted.n_samples_fit_ == 45
    assert fitted.n_features_in_ == 5
    np.testing.assert_array_equal(fitted.classes_, [-1, 1])
    assert fitted.offset_ == alone[-1].offset_


@pytest.mark.parametrize("y", [None, np.ones(60), [1.0] * 60], ids=["no labels", "all normal", "a list"])
def test_without_anomalies_all_clips_are_passed_unchanged(y):
    class Keeper(IsolationForest):
        def fit(self, X, y="nothing"):
            self.given_ = X, y
            return self

    fitted = NormalOnly(Keeper()).fit(X, y)
    assert fitted.estimator_.given_[0] is X
    assert fitted.estimator_.given_[1] == "nothing"  # the estimator gets no labels
    assert fitted.n_samples_fit_ == 60


def test_the_given_estimator_stays_unfitted():
    inner = pipeline()
    NormalOnly(inner).fit(X, Y)
    assert not hasattr(inner[0], "mean_")


def test_a_second_fit_replaces_the_first():
    fitted = NormalOnly(pipeline()).fit(X + 10, Y)
    fitted.fit(X, Y)
    np.testing.assert_array_equal(fitted.score_samples(X), NormalOnly(pipeline()).fit(X, Y).score_samples(X))


@pytest.mark.parametrize(
    ("coding", "message"),
    [
        (
            np.where(Y == 1, 0, 1),
            r"y must hold 1 for normal and -1 for anomalous clips, got the labels \[0, 1\]",
        ),
        (np.where(Y == 1, "normal", "fault"), "y must hold 1 for normal .*'normal'"),
        (Y == 1, "y must hold 1 for normal"),
        (Y[:-1], "inconsistent numbers of samples"),
        (-np.ones(60), r"none of the 60 clips is normal \(1\).*NormalOnlySplit"),
        (np.full(60, np.nan), "y must hold 1 for normal"),
    ],
    ids=["0 and 1", "text", "bool", "length", "no normal clip", "NaN"],
)
@pytest.mark.parametrize("method", ["fit", "fit_predict"])
def test_labels_that_cannot_be_read_are_an_error(method, coding, message):
    with pytest.raises(ValueError, match=message):
        getattr(NormalOnly(pipeline()), method)(X, coding)


@pytest.mark.parametrize(
    ("estimator", "message"),
    [
        (LogisticRegression(), "LogisticRegression needs labels of both kinds.*Pass an outlier detector"),
        (make_pipeline(StandardScaler(), LinearRegression()), "Pipeline needs labels of both kinds"),
        (OneClassSVM, "must be an outlier detector or a Pipeline, got <class"),
    ],
    ids=["classifier", "regressor", "class"],
)
def test_an_estimator_that_is_not_a_detector_is_refused(estimator, message):
    with pytest.raises(TypeError, match=message):
        NormalOnly(estimator).fit(X, Y)


def test_paths_clips_lists_frames_and_sparse_matrices_are_filtered_in_the_same_way(write_wavs):
    paths = write_wavs([4000] * 8)
    y = np.array([1, -1, 1, 1, -1, 1, 1, 1])
    on_sound = make_pipeline(
        AudioLoader(16000), MelTransformer(n_fft=256, n_mels=8), TemporalPooling(), NearestNeighborsDetector()
    )
    clips = AudioLoader(16000).fit_transform(paths)
    waves = np.asarray(clips)
    expected = clone(on_sound).fit(waves[y == 1]).score_samples(waves)
    for given in (paths, np.array(paths), pd.Series(paths, index=range(8, 0, -1)), clips, waves, list(waves)):
        fitted = NormalOnly(on_sound).fit(given, y)
        np.testing.assert_allclose(fitted.score_samples(given), expected, rtol=1e-5, atol=1e-6)
        assert np.count_nonzero(fitted.score_samples(given) == 0) == 6  # copies of training clips
    assert isinstance(clips, AudioClips)
    expected = pipeline().fit(NORMAL).score_samples(X)
    frame = pd.DataFrame(X, columns=list("abcde"), index=np.arange(60)[::-1])
    fitted = NormalOnly(pipeline()).fit(frame, pd.Series(Y))
    np.testing.assert_array_equal(fitted.feature_names_in_, list("abcde"))
    np.testing.assert_allclose(fitted.score_samples(frame), expected)
    fitted = NormalOnly(pipeline()).fit(X.tolist(), Y.tolist())
    np.testing.assert_allclose(fitted.score_samples(X.tolist()), expected)
    sparse = NormalOnly(OneClassSVM()).fit(scipy.sparse.csr_matrix(X), Y)
    np.testing.assert_allclose(sparse.score_samples(X), OneClassSVM().fit(NORMAL).score_samples(X))


def test_an_unreadable_clip_is_never_called_normal():
    broken = np.vstack([X, np.full(5, np.nan)])
    detector = make_pipeline(StandardScaler(), NearestNeighborsDetector())
    fitted = NormalOnly(detector).fit(X, Y)
    assert np.isnan(fitted.score_samples(broken)[-1])
    assert fitted.predict(broken)[-1] == -1


def test_weights_lose_the_entries_of_the_anomalies(rng):
    weights = rng.uniform(0.1, 2, size=60)
    expected = OneClassSVM().fit(NORMAL, sample_weight=weights[Y == 1]).score_samples(X)
    for given in (weights, weights.tolist(), pd.Series(weights)):
        fitted = NormalOnly(OneClassSVM()).fit(X, Y, sample_weight=given)
        np.testing.assert_array_equal(fitted.score_samples(X), expected)
    fitted = NormalOnly(pipeline()).fit(X, Y, oneclasssvm__sample_weight=weights)
    alone = pipeline().fit(NORMAL, oneclasssvm__sample_weight=weights[Y == 1])
    np.testing.assert_array_equal(fitted.score_samples(X), alone.score_samples(X))
    assert not np.array_equal(fitted.score_samples(X), pipeline().fit(NORMAL).score_samples(X))


class Receiver(OneClassSVM):
    def fit(self, X, y=None, groups=None, name=None, factor=None):
        self.received_ = groups, name, factor
        return super().fit(X)


def test_parameters_without_one_entry_per_clip_are_passed_unchanged():
    name = "n" * 60  # the length equals the number of clips
    fitted = NormalOnly(Receiver()).fit(X, Y, groups=np.arange(60), name=name, factor=2.0)
    groups, *rest = fitted.estimator_.received_
    np.testing.assert_array_equal(groups, np.flatnonzero(Y == 1))
    assert rest == [name, 2.0]
    for whole in (np.float64(3), np.array(3), {str(i): i for i in range(60)}, set(range(60)), np.arange(59)):
        assert NormalOnly(Receiver()).fit(X, Y, factor=whole).estimator_.received_[2] is whole


def test_metadata_routing_sends_the_filtered_weights_to_the_step_that_requests_them(rng):
    weights = rng.uniform(0.1, 2, size=60)
    with sklearn.config_context(enable_metadata_routing=True):
        asking = pipeline(OneClassSVM().set_fit_request(sample_weight=True))
        asking[0].set_fit_request(sample_weight=False)
        fitted = NormalOnly(asking).fit(X, Y, sample_weight=weights)
        with pytest.raises(sklearn.exceptions.UnsetMetadataPassedError, match="sample_weight"):
            NormalOnly(OneClassSVM()).fit(X, Y, sample_weight=weights)
        np.testing.assert_array_equal(
            NormalOnly(pipeline()).fit(X, Y).score_samples(X), pipeline().fit(NORMAL).score_samples(X)
        )
    alone = pipeline().fit(NORMAL, oneclasssvm__sample_weight=weights[Y == 1])
    np.testing.assert_array_equal(fitted.score_samples(X), alone.score_samples(X))


def test_fit_predict_decides_about_normal_clips_by_fit_predict_and_about_anomalies_by_predict():
    detector = pipeline(NearestNeighborsDetector())
    decisions = NormalOnly(detector).fit_predict(X, Y)
    np.testing.assert_array_equal(decisions[Y == 1], clone(detector).fit_predict(NORMAL))
    np.testing.assert_array_equal(decisions[Y == -1], clone(detector).fit(NORMAL).predict(X[Y == -1]))
    assert (decisions[Y == 1] == -1).any()  # predict calls all of them normal
    assert (decisions[Y == -1] == -1).all()
    np.testing.assert_array_equal(NormalOnly(detector).fit_predict(NORMAL), decisions[Y == 1])


def test_fit_predict_is_fit_and_predict_if_the_estimator_has_no_fit_predict():
    detector = LocalOutlierFactor(novelty=True)
    np.testing.assert_array_equal(
        NormalOnly(detector).fit_predict(X, Y), clone(detector).fit(NORMAL).predict(X)
    )


def test_the_wrapper_has_the_methods_of_the_estimator():
    frames = NormalOnly(NearestNeighborsDetector())
    assert hasattr(frames, "score_frames")
    assert frames.fit(X, Y).score_frames(X).shape == (60, 1)
    assert not hasattr(NormalOnly(OneClassSVM()), "score_frames")
    assert not hasattr(NormalOnly(OneClassSVM()), "score")
    np.testing.assert_array_equal(
        NormalOnly(StandardScaler()).fit(X, Y).transform(X), StandardScaler().fit(NORMAL).transform(X)
    )


def test_the_components_of_a_mixture_are_not_decisions():
    mixture = NormalOnly(GaussianMixture(2, random_state=0)).fit(X, Y)
    assert not hasattr(mixture, "predict")
    assert not hasattr(mixture, "fit_predict")
    np.testing.assert_array_equal(
        mixture.score_samples(X), GaussianMixture(2, random_state=0).fit(NORMAL).score_samples(X)
    )


def test_a_detector_without_predict_says_why():
    with pytest.raises(AttributeError) as error:
        NormalOnly(LocalOutlierFactor()).predict  # noqa: B018
    assert "novelty=False" in str(error.value.__cause__.__cause__)


def test_scikit_learn_sees_an_outlier_detector():
    assert is_outlier_detector(NormalOnly(pipeline()))
    assert not is_classifier(NormalOnly(pipeline()))
    assert NormalOnly(NearestNeighborsDetector()).__sklearn_tags__().input_tags.three_d_array is True
    assert NormalOnly(OneClassSVM()).__sklearn_tags__().input_tags.sparse is True


def test_parameters_are_nested():
    outer = NormalOnly(pipeline(NearestNeighborsDetector()))
    outer.set_params(estimator__nearestneighborsdetector__n_neighbors=3)
    assert clone(outer).estimator[-1].n_neighbors == 3
    assert clone(outer).get_params()["estimator__nearestneighborsdetector__n_neighbors"] == 3


@pytest.mark.parametrize("method", ["predict", "score_samples", "decision_function"])
def test_before_fit_the_error_says_not_fitted(method):
    outer = NormalOnly(pipeline())
    with pytest.raises(NotFittedError, match="NormalOnly instance is not fitted"):
        getattr(outer, method)(X)
    for name in ("n_features_in_", "feature_names_in_", "offset_", "classes_", "n_samples_fit_"):
        assert not hasattr(outer, name)


def test_the_html_repr_shows_the_steps_inside():
    html = NormalOnly(pipeline())._repr_html_()
    assert "StandardScaler" in html
    assert "OneClassSVM" in html


def test_pickle_skops_and_a_file_restore_the_wrapper(tmp_path):
    fitted = NormalOnly(pipeline(AutoencoderDetector(max_epochs=2, random_state=0))).fit(X, Y)
    save_detector(fitted, tmp_path / "detector.skops")
    for again in (
        pickle.loads(pickle.dumps(fitted)),
        copy.deepcopy(fitted),
        skops.io.loads(skops.io.dumps(fitted), trusted=trusted_types()),
        load_detector(tmp_path / "detector.skops"),
    ):
        np.testing.assert_array_equal(again.score_samples(X), fitted.score_samples(X))
        assert (again.offset_, again.n_samples_fit_) == (fitted.offset_, 45)


def test_callbacks_reach_the_detector_and_are_not_saved(tmp_path):
    logged = NormalOnly(pipeline(AutoencoderDetector(max_epochs=3, random_state=0)))
    logged.set_callbacks(EpochLogger(str(tmp_path / "log.csv")))
    logged.fit(X, Y)
    assert pd.read_csv(tmp_path / "log.csv")["epoch"].tolist() == [0, 1, 2]
    save_detector(logged, tmp_path / "detector.skops")
    assert set(skops.io.get_untrusted_types(file=tmp_path / "detector.skops")) <= set(trusted_types())
    np.testing.assert_array_equal(
        load_detector(tmp_path / "detector.skops").score_samples(X), logged.score_samples(X)
    )
