"""Label-free scorers: the content of pseudo-anomalies, and no use of anomalies."""

import pickle

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.base import BaseEstimator, OutlierMixin, TransformerMixin, clone
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import OneClassSVM

from skaudio_ad.audio import AudioLoader
from skaudio_ad.detectors import NearestNeighborsDetector
from skaudio_ad.features import MelTransformer, TemporalPooling
from skaudio_ad.model_selection import (
    NormalOnly,
    get_anomaly_scorer,
    inlier_variance_scorer,
    pseudo_anomaly_scorer,
)
from skaudio_ad.thresholds import QuantileThreshold, ThresholdedDetector


class Recorder(OutlierMixin, BaseEstimator):
    """Detector that keeps its input. The score is the negative largest absolute value of a clip."""

    def fit(self, X, y=None):
        self.seen_ = []
        return self

    def score_samples(self, X):
        self.seen_.append(X)
        return np.array([-np.abs(clip).max() for clip in X])


def made(X, kind, **settings):
    """Return clips, pseudo-anomalies and value of one call."""
    model = Recorder().fit(X)
    value = pseudo_anomaly_scorer(kind, **settings)(model, X)
    return *model.seen_, value


@pytest.mark.parametrize("strength", [None, 1.5])
def test_an_extrapolation_is_a_clip_moved_away_from_another(rng, strength):
    X = rng.normal(size=(6, 5))
    clips, fakes, _ = made(X, "extrapolate", strength=strength, n_pseudo_anomalies=50)
    np.testing.assert_array_equal(clips, X)
    s = 0.25 if strength is None else strength
    possible = np.array([a + s * (a - b) for i, a in enumerate(X) for j, b in enumerate(X) if i != j])
    distances = np.abs(fakes[:, np.newaxis] - possible).max(axis=2)
    assert fakes.shape == (50, 5)
    assert (distances.min(axis=1) < 1e-12).all()
    assert len(set(distances.argmin(axis=1))) > 15


@pytest.mark.parametrize(("strength", "n_taken"), [(None, 4), (0.25, 2), (1.0, 8), (0.01, 1)])
def test_a_resampled_clip_has_a_share_of_its_features_from_other_clips(strength, n_taken):
    X = np.arange(6)[:, np.newaxis] * 100.0 + np.arange(8)  # hundreds hold the clip, units hold the feature
    _, fakes, _ = made(X, "resample", strength=strength, n_pseudo_anomalies=300)
    np.testing.assert_array_equal(fakes % 100, np.tile(np.arange(8.0), (300, 1)))
    sources = fakes // 100
    shares = np.array([(sources != base).sum(axis=1) for base in range(6)])
    # exactly n_taken features do not come from clip a
    assert (shares == n_taken).any(axis=0).all()
    if n_taken < 4:  # a is known, because most features come from a
        base = np.array([np.bincount(row.astype(int)).argmax() for row in sources])
        often = (sources != base[:, np.newaxis]).mean(axis=0)
        np.testing.assert_allclose(often, n_taken / 8, atol=0.08)
    if n_taken > 1:  # every feature comes from another clip
        assert any(len(set(row)) > 2 for row in sources.tolist())


def test_sequences_are_resampled_by_whole_bins_and_extrapolated_by_values(rng):
    X = rng.normal(size=(4, 3, 10))
    _, fakes, _ = made(X, "resample", strength=0.4, n_pseudo_anomalies=20)
    assert fakes.shape == (20, 3, 10)
    for fake in fakes:
        origin = [[clip for clip in range(4) if np.array_equal(X[clip, b], fake[b])] for b in range(3)]
        assert all(len(found) == 1 for found in origin)
        assert len({found[0] for found in origin}) == 2
    _, fakes, _ = made(X, "extrapolate", strength=1, n_pseudo_anomalies=5)
    possible = np.array([2 * a - b for a in X for b in X])
    assert all(np.abs(possible - fake).max(axis=(1, 2)).min() < 1e-12 for fake in fakes)


@pytest.mark.parametrize("kind", ["resample", "extrapolate"])
def test_clips_of_different_lengths_are_repeated_or_cut(kind):
    X = [np.full((2, n), float(n)) + np.arange(n) / 100 for n in (3, 5, 8)]
    _, fakes, _ = made(X, kind, strength=1.0, n_pseudo_anomalies=40)
    assert {fake.shape for fake in fakes} == {(2, 3), (2, 5), (2, 8)}
    for fake in fakes:
        n = fake.shape[1]
        own = X[[3, 5, 8].index(n)]
        lent = [np.resize(other[0], n) for other in X if other.shape[1] != n]
        possible = lent if kind == "resample" else [2 * own[0] - other for other in lent]
        for row in fake:
            assert min(np.abs(row - values).max() for values in possible) < 1e-12


def test_the_value_is_the_area_under_the_curve_of_clips_against_pseudo_anomalies(rng):
    X = rng.normal(size=(20, 4))
    clips, fakes, value = made(X, "extrapolate", strength=1, n_pseudo_anomalies=70)
    anomaly = np.concatenate([np.abs(clips).max(axis=1), np.abs(fakes).max(axis=1)])
    assert value == pytest.approx(roc_auc_score(np.repeat([0, 1], [20, 70]), anomaly))
    assert value > 0.7


def test_anomalies_are_never_used(rng):
    X = rng.normal(size=(20, 4))
    y = np.where(np.arange(20) % 4 == 0, -1, 1)
    X[y == -1] = 1e6
    model = NearestNeighborsDetector().fit(rng.normal(size=(30, 4)))
    for scorer in (pseudo_anomaly_scorer(), inlier_variance_scorer()):
        assert scorer(model, X, y) == scorer(model, X[y == 1]) == scorer(model, X[y == 1], [1] * 15)
        with pytest.raises(ValueError, match=r"^y must hold 1 for normal.*\[0, 1\].*np.where"):
            scorer(model, X, np.where(y == -1, 1, 0))


class Double(TransformerMixin, BaseEstimator):
    def fit(self, X, y=None):
        self.fitted_ = True
        return self

    def transform(self, X):
        return 2 * np.asarray(X)


@pytest.mark.parametrize(
    ("before", "factor"), [(-1, 4), ("detector", 4), (-2, 2), ("second", 2), (1, 2), (0, 1), ("first", 1)]
)
def test_the_pseudo_anomalies_of_a_pipeline_are_made_before_the_given_step(rng, before, factor):
    X = rng.normal(size=(10, 3))
    pipeline = Pipeline([("first", Double()), ("second", Double()), ("detector", Recorder())]).fit(X)
    pseudo_anomaly_scorer(n_pseudo_anomalies=30, before=before)(pipeline, X)
    expected = made(factor * X, "extrapolate", n_pseudo_anomalies=30)
    clips, fakes = pipeline[-1].seen_
    np.testing.assert_allclose(clips, 4 * X)
    np.testing.assert_allclose(fakes, expected[1] * 4 / factor)


@pytest.mark.parametrize(
    "wrap",
    [
        NormalOnly,
        lambda pipeline: GridSearchCV(pipeline, {}, cv=2, scoring=pseudo_anomaly_scorer()),
        lambda pipeline: ThresholdedDetector(pipeline, QuantileThreshold(), ensemble=False),
        lambda pipeline: ThresholdedDetector(NormalOnly(pipeline), QuantileThreshold(), ensemble=False),
    ],
    ids=["NormalOnly", "GridSearchCV", "ThresholdedDetector", "both"],
)
def test_the_pipeline_inside_a_wrapper_is_found(rng, wrap):
    X = rng.normal(size=(40, 3)) @ rng.normal(size=(3, 8))
    pipeline = make_pipeline(PCA(3), NearestNeighborsDetector())
    scorer, from_the_start = pseudo_anomaly_scorer("resample"), pseudo_anomaly_scorer("resample", before=0)
    plain = clone(pipeline).fit(X[:30])
    wrapped = wrap(pipeline).fit(X[:30])
    assert scorer(wrapped, X[30:]) == scorer(plain, X[30:])
    # The pseudo-anomalies are made before PCA.
    assert from_the_start(wrapped, X[30:]) == from_the_start(plain, X[30:]) != scorer(plain, X[30:])


def test_the_tree_inside_a_forest_is_not_a_pipeline(rng):
    X = rng.normal(size=(40, 3))
    forest = IsolationForest(n_estimators=5, random_state=0).fit(X)
    assert hasattr(forest, "estimator_")
    assert 0.5 < pseudo_anomaly_scorer(strength=3)(forest, X) <= 1


def test_the_pipeline_may_start_from_recordings_of_different_lengths(write_wavs):
    paths = write_wavs([8000, 9000, 10000, 8000, 12000, 8000])
    mel = MelTransformer(n_mels=16, lazy=True)
    pooled = make_pipeline(AudioLoader(), mel, TemporalPooling(), NearestNeighborsDetector())
    sequences = make_pipeline(AudioLoader(), mel, NearestNeighborsDetector())
    for pipeline in (pooled, sequences):
        for kind in ("extrapolate", "resample"):
            scorer = pseudo_anomaly_scorer(kind, n_pseudo_anomalies=10)
            value = scorer(pipeline.fit(paths[:3]), paths[3:])
            assert 0 <= value <= 1
            assert value == scorer(pipeline, paths[3:], [1, 1, 1])
    with pytest.raises(ValueError, match="made of features"):
        pseudo_anomaly_scorer(before=0)(pooled, paths)


def test_unreadable_clips_are_left_out(rng):
    X = rng.normal(size=(10, 4))
    X[[2, 7]] = np.nan
    clips, fakes, _ = made(X, "extrapolate")
    np.testing.assert_array_equal(clips, np.delete(X, [2, 7], axis=0))
    assert np.isfinite(fakes).all()
    model = NearestNeighborsDetector().fit(rng.normal(size=(20, 4)))
    spread = inlier_variance_scorer()
    assert spread(model, X) == spread(model, np.delete(X, [2, 7], axis=0))
    sequences = [np.full((2, 4), np.nan), np.ones((2, 5)), np.zeros((2, 3)), np.full((2, 6), 2.0)]
    clips, fakes, _ = made(sequences, "resample")
    assert [clip.shape[1] for clip in clips] == [5, 3, 6]
    assert all(np.isfinite(fake).all() for fake in fakes)


def test_a_data_frame_stays_a_data_frame(rng):
    X = pd.DataFrame(rng.normal(size=(30, 3)), columns=["loud", "bright", "rough"])
    model = make_pipeline(StandardScaler().set_output(transform="pandas"), OneClassSVM()).fit(X)
    for before in (0, -1):  # pytest turns the warning about missing names into an error
        scorer = pseudo_anomaly_scorer("resample", before=before)
        assert 0 <= scorer(model, X) <= 1
        plain = make_pipeline(StandardScaler(), OneClassSVM()).fit(X.to_numpy())
        assert scorer(model, X) == pytest.approx(scorer(plain, X.to_numpy()))


def test_the_same_seed_gives_the_same_value_and_global_generators_keep_their_state(rng):
    X = rng.normal(size=(12, 4))
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    first, again = made(X, "extrapolate"), made(X, "extrapolate")
    np.testing.assert_array_equal(first[1], again[1])
    assert len(first[1]) == 200
    assert not np.array_equal(first[1], made(X, "extrapolate", random_state=1)[1])
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


def test_the_value_of_the_inlier_variance_scorer_is_that_computed_by_hand(rng):
    X = np.array([[1.0], [3.0], [2.0]])
    # The scores -1, -3, -2 have a mean of -2 and a variance of 2/3.
    assert inlier_variance_scorer()(Recorder().fit(X), X) == pytest.approx(4 / (4 + 2 / 3))
    assert inlier_variance_scorer()(Recorder().fit(X), 1000 * X) == pytest.approx(4 / (4 + 2 / 3))
    assert inlier_variance_scorer()(Recorder().fit(X), [[2.0], [2.0]]) == 1


def test_the_inlier_variance_bounds_the_share_of_clips_below_twice_the_mean_error():
    errors = np.random.default_rng(0).lognormal(0, 1, size=(2000, 1))
    bound = inlier_variance_scorer()(Recorder().fit(errors), errors)
    assert bound <= np.mean(errors < 2 * errors.mean())


@pytest.mark.parametrize(
    "scorer", [pseudo_anomaly_scorer(), inlier_variance_scorer()], ids=["pseudo", "spread"]
)
@pytest.mark.parametrize("routing", [False, True])
def test_a_search_without_labels_works_and_a_copy_for_another_process_scores_alike(rng, scorer, routing):
    X = rng.normal(size=(24, 3))
    pipeline = make_pipeline(StandardScaler(), NearestNeighborsDetector())
    grid = {"nearestneighborsdetector__n_neighbors": [1, 5]}
    with sklearn.config_context(enable_metadata_routing=routing):
        alone = GridSearchCV(pipeline, grid, scoring=scorer, cv=3).fit(X).cv_results_["mean_test_score"]
        if routing:
            sent = pickle.loads(pickle.dumps(scorer))
            other = GridSearchCV(pipeline, grid, scoring=sent, cv=3).fit(X).cv_results_["mean_test_score"]
            np.testing.assert_array_equal(other, alone)
        folds = [slice(0, 8), slice(8, 16), slice(16, 24)]
        values = []
        for fold in folds:
            train = np.delete(X, fold, axis=0)
            values.append(scorer(clone(pipeline).fit(train), X[fold]))
    assert alone[0] == pytest.approx(np.mean(values))
    assert np.isfinite(alone).all()


def test_label_free_scorers_work_beside_other_scorers(rng):
    X, y = rng.normal(size=(30, 3)), np.tile([1, 1, -1], 10)
    X[y == -1] *= 5
    scoring = {
        "auc": get_anomaly_scorer("anomaly_auc"),
        "pseudo": pseudo_anomaly_scorer(),
        "spread": inlier_variance_scorer(),
    }
    found = cross_validate(NormalOnly(NearestNeighborsDetector()), X, y, scoring=scoring, cv=3)
    assert all(np.isfinite(found[f"test_{name}"]).all() for name in scoring)


def test_a_label_free_scorer_has_a_repr_and_can_be_pickled(rng):
    X = rng.normal(size=(10, 2))
    model = NearestNeighborsDetector().fit(X[:5])
    scorer = pseudo_anomaly_scorer("resample", before="pca")
    assert repr(scorer) == (
        "pseudo_anomaly_scorer('resample', strength=0.5, n_pseudo_anomalies=200, before='pca', random_state=0)"
    )
    assert repr(inlier_variance_scorer()) == "inlier_variance_scorer()"
    for one in (pseudo_anomaly_scorer(), inlier_variance_scorer()):
        assert pickle.loads(pickle.dumps(one))(model, X[5:]) == one(model, X[5:])


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"kind": "noise"}, ValueError, "kind must be one of 'extrapolate', 'resample', got 'noise'"),
        ({"strength": 0}, ValueError, "strength must lie in"),
        ({"kind": "resample", "strength": 1.5}, ValueError, "strength must lie in"),
        ({"n_pseudo_anomalies": 0}, ValueError, "n_pseudo_anomalies must lie in"),
        ({"n_pseudo_anomalies": 2.5}, TypeError, "n_pseudo_anomalies must be an integer"),
        ({"before": 1.5}, TypeError, "before must be an integer"),
    ],
)
def test_the_error_names_a_setting_out_of_range(settings, error, message):
    with pytest.raises(error, match=message):
        pseudo_anomaly_scorer(**settings)


@pytest.mark.parametrize("before", ["pca", 2, -3])
def test_the_error_about_an_unknown_step_lists_the_steps(rng, before):
    X = rng.normal(size=(10, 3))
    model = make_pipeline(StandardScaler(), NearestNeighborsDetector()).fit(X)
    with pytest.raises(ValueError, match=f"standardscaler, nearestneighborsdetector, .*got {before!r}"):
        pseudo_anomaly_scorer(before=before)(model, X)


@pytest.mark.parametrize(
    ("X", "message"),
    [
        ([["a.wav"], ["b.wav"]], "made of features"),
        ([1.0, 2.0, 3.0], "made of features"),
        ([np.ones(3), np.ones(4)], "made of features"),
        ([[1.0, 2.0]], "need at least 2 normal clips that can be read, got 1"),
        ([[1.0, 2.0], [np.nan, np.nan]], "need at least 2 normal clips that can be read, got 1"),
    ],
    ids=["paths", "numbers", "waveforms", "one clip", "one readable clip"],
)
def test_input_without_features_is_refused(X, message):
    with pytest.raises(ValueError, match=message):
        pseudo_anomaly_scorer()(Recorder().fit(X), X)


def test_too_few_scores_and_scores_of_zero_are_refused():
    model = Recorder().fit(None)
    with pytest.raises(ValueError, match="needs at least 2 normal clips with a score, got 1"):
        inlier_variance_scorer()(model, np.array([[1.0], [np.nan]]))
    with pytest.raises(ValueError, match=r"all scores are 0.*was not fitted"):
        inlier_variance_scorer()(model, np.zeros((3, 1)))
