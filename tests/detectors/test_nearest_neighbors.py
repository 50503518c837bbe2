"""Nearest neighbours against SciPy's distances in float64 and scikit-learn's search."""

import copy
import pickle
import re
import tracemalloc

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from scipy.stats import t as student_t
from sklearn import config_context
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.neighbors import NearestNeighbors
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skaudio_ad import AudioClips, AudioLoader, MelTransformer, NearestNeighborsDetector, TemporalPooling
from skaudio_ad._lazy import LazySequence
from skaudio_ad.datasets import load_esc10
from skaudio_ad.detectors import _clip_rows, _neighbor_rows, _neighbor_search
from skaudio_ad.metrics import anomaly_auc_score
from skaudio_ad.persistence import load_detector, save_detector

METRICS = ("cosine", "euclidean")
WITH_COPIES = pytest.mark.filterwarnings("ignore:.* training clips have a copy among the others")


def embeddings(n_clips=30, n_features=8, seed=0):
    return np.random.default_rng(seed).normal(size=(n_clips, n_features)).astype(np.float32)


def sequences(lengths=(7, 3, 12, 5, 9), n_features=4, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.normal(size=(n_features, n_frames)).astype(np.float32) for n_frames in lengths]


def distances(X, Y, metric):
    """All distances in float64, half the cosine distance."""
    X, Y = np.asarray(X, dtype=np.float64), np.asarray(Y, dtype=np.float64)
    return cdist(X, Y, metric) / (2 if metric == "cosine" else 1)


def fit(X, groups=None, **settings):
    return NearestNeighborsDetector(**settings).fit(X, groups=groups)


@pytest.fixture(params=METRICS)
def metric(request):
    return request.param


@pytest.fixture
def small_blocks(monkeypatch):
    for module in (_clip_rows, _neighbor_rows, _neighbor_search):
        monkeypatch.setattr(module, "BLOCK", 32)


# Distances


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float32, 1e-7), (np.float64, 1e-14)])
def test_a_score_is_minus_the_distance_to_the_nearest_training_clip(metric, dtype, tolerance):
    X, new = embeddings(500, 20).astype(dtype), embeddings(70, 20, seed=1).astype(dtype)
    scores = fit(X, metric=metric).score_samples(new)
    np.testing.assert_allclose(scores, -distances(new, X, metric).min(axis=1), rtol=0, atol=tolerance)
    assert scores.dtype == np.float64


def test_euclidean_distances_of_float32_are_those_of_float64():
    X, new = embeddings(500, 20), embeddings(70, 20, seed=1)
    expected = -distances(new, X, "euclidean").min(axis=1)
    np.testing.assert_allclose(fit(X).score_samples(new), expected, rtol=1e-14)


@pytest.mark.parametrize(
    ("aggregate", "function"),
    [("mean", lambda d: d.mean(axis=1)), ("max", lambda d: d[:, -1]), ("min", lambda d: d[:, 0])],
)
def test_several_neighbours_become_one_distance_as_aggregate_says(metric, aggregate, function):
    X, new = embeddings(40).astype(np.float64), embeddings(9, seed=1).astype(np.float64)
    nearest = np.sort(distances(new, X, metric), axis=1)[:, :5]
    detector = fit(X, n_neighbors=5, metric=metric, aggregate=aggregate)
    np.testing.assert_allclose(detector.score_samples(new), -function(nearest), rtol=1e-12)


@pytest.mark.parametrize("n_neighbors", [1, 2, 7, 40, 299])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_kneighbors_finds_what_scikit_learn_finds(metric, dtype, n_neighbors, small_blocks):
    X, new = embeddings(300, 12).astype(dtype), embeddings(100, 12, seed=1).astype(dtype)
    found, indices = fit(X, metric=metric).kneighbors(new, n_neighbors)
    search = NearestNeighbors(n_neighbors=n_neighbors, algorithm="brute", metric=metric)
    expected, expected_indices = search.fit(X.astype(np.float64)).kneighbors(new.astype(np.float64))
    np.testing.assert_array_equal(indices, expected_indices)
    np.testing.assert_allclose(found * (2 if metric == "cosine" else 1), expected, rtol=1e-6)


def test_a_training_clip_scores_zero_exactly(metric):
    X = np.concatenate([embeddings(3000, 33), 1000 + embeddings(50, 33)])
    detector = fit(X, metric=metric)
    for scores in (
        detector.score_samples(X),
        detector.score_samples(X[7:8]),
        detector.score_samples(X[::-2]),
    ):
        assert (scores == 0).all()
        assert not np.signbit(scores).any()
    assert (detector.predict(X) == 1).all()


@WITH_COPIES
def test_the_cosine_does_not_depend_on_lengths_and_the_euclidean_distance_does():
    X = embeddings()
    assert np.abs(fit(X, metric="cosine").score_samples(3 * X)).max() < 1e-14
    np.testing.assert_allclose(
        fit(X[:2]).score_samples(3 * X[:1]), -2 * np.linalg.norm(X[:1].astype(float), axis=1)
    )
    # Opposite, at a right angle, the same.
    detector = fit(np.array([[1.0, 0.0], [2.0, 0.0]]), metric="cosine")
    assert detector.score_samples([[-3.0, 0.0], [0.0, 0.1], [5.0, 0.0]]).tolist() == [-1, -0.5, 0]


def test_near_points_far_from_the_origin_do_not_lose_their_distance(metric):
    # Squares of 1000 leave nothing of differences of 1e-3 in float32, nor in float64 of their squares.
    rng = np.random.default_rng(0)
    X = (1000 + rng.normal(size=(400, 6))).astype(np.float32)
    new = (X[:50] + 1e-3 * rng.normal(size=(50, 6))).astype(np.float32)
    found = fit(X.astype(np.float64), metric=metric).score_samples(new.astype(np.float64))
    if metric == "euclidean":
        np.testing.assert_allclose(fit(X).score_samples(new), found, rtol=1e-12)
        np.testing.assert_allclose(found, -distances(new, X, metric).min(axis=1), rtol=1e-9)
    else:
        # For small angles (1 - cos) / 2 is a quarter of the squared chord.
        unit = X / np.linalg.norm(X.astype(float), axis=1, keepdims=True)
        others = new / np.linalg.norm(new.astype(float), axis=1, keepdims=True)
        chords = np.linalg.norm(others[:, np.newaxis] - unit, axis=2)
        np.testing.assert_allclose(found, -np.square(chords).min(axis=1) / 4, rtol=1e-6)


@pytest.mark.parametrize("kind", ["one column of Unix time", "everything at 3e7", "a clip without its time"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n_neighbors", [1, 3])
def test_an_offset_of_the_features_changes_no_distance(kind, dtype, n_neighbors):
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(3060, 6))  # more than the search compares by their differences in any case
    if kind == "everything at 3e7":
        rows = 3e7 + (1 if dtype == np.float64 else 100) * rows  # float32 has steps of 2 there
    else:
        rows[:, 0] = 1.7e9 + rng.uniform(0, 10, size=3060)
    if kind == "a clip without its time":
        rows[7, 0] = 0
    rows = rows.astype(dtype)
    X, new = rows[:3000], rows[3000:]
    detector = fit(X, n_neighbors=n_neighbors)
    # Differences in float64: cdist's are wrong by 1e-7 of the offset.
    exact = np.linalg.norm(new.astype(np.float64)[:, None] - X.astype(np.float64), axis=2)
    found, indices = detector.kneighbors(new)
    np.testing.assert_allclose(found, np.sort(exact, axis=1)[:, :n_neighbors], rtol=1e-12)
    np.testing.assert_allclose(np.take_along_axis(exact, indices, axis=1), found, rtol=1e-12)
    others = np.linalg.norm(X[:60].astype(np.float64)[:, None] - X.astype(np.float64), axis=2)
    np.fill_diagonal(others, np.inf)
    held_out = -np.sort(others, axis=1)[:, :n_neighbors].mean(axis=1)
    np.testing.assert_allclose(detector.held_out_scores_[:60], held_out, rtol=1e-12)
    alone = [detector.score_samples(new[i : i + 1])[0] for i in range(0, 60, 10)]
    np.testing.assert_array_equal(alone, detector.score_samples(new)[::10])
    as_sequences = fit(X.reshape(1000, 3, 6).transpose(0, 2, 1), n_neighbors=n_neighbors)
    np.testing.assert_array_equal(
        as_sequences.score_frames(new[:, :, np.newaxis])[:, 0],
        detector.score_frames(new)[:, 0],
    )


def test_a_query_far_beyond_the_squares_of_the_bank_has_its_distance():
    X = embeddings(20)
    new = np.zeros((4, 8))
    new[1:, 2] = [1e19, -1e100, 1.7e308]
    detector = fit(X)
    found, _indices = detector.kneighbors(new, n_neighbors=2)
    np.testing.assert_allclose(found[1:3], [[1e19, 1e19], [1e100, 1e100]])
    assert np.isfinite(found).all()
    np.testing.assert_array_equal(found[0], detector.kneighbors(new[:1], n_neighbors=2)[0][0])
    assert detector.predict(new)[1:].tolist() == [-1, -1, -1]
    assert detector.score_frames(new).dtype == np.float32
    assert np.isfinite(detector.score_frames(new)).all()


@WITH_COPIES
def test_a_vector_of_zeros_is_at_a_right_angle_to_all_but_another_one():
    X = embeddings(50)
    zero = np.zeros((1, 8), np.float32)
    right_angle = pytest.approx(-0.5, abs=1e-7)
    assert fit(X, metric="cosine").score_samples(zero)[0] == right_angle
    with_zero = fit(np.concatenate([X, zero]), metric="cosine")
    assert with_zero.score_samples(zero).tolist() == [0]
    assert with_zero.held_out_scores_[-1] == right_angle
    np.testing.assert_array_equal(with_zero.score_samples(X), np.zeros(50))
    # What points away from all others is nearest to the zero.
    far = -np.ones((1, 8), np.float32)
    found, indices = fit(np.concatenate([-far, zero, -far]), metric="cosine").kneighbors(far, n_neighbors=3)
    np.testing.assert_allclose(found, [[0.5, 1, 1]], atol=1e-7)
    assert indices.tolist() == [[1, 0, 2]]


@pytest.mark.parametrize("scale", [1e-30, 1e-19, 1e15])
def test_values_of_any_size_that_has_squares_are_compared(metric, scale):
    X, new = embeddings(200).astype(np.float64), embeddings(20, seed=1).astype(np.float64)
    expected = -distances(new, X, metric).min(axis=1) * (1 if metric == "cosine" else scale)
    found = fit((X * scale).astype(np.float32), metric=metric).score_samples((new * scale).astype(np.float32))
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_values_too_large_to_be_squared_are_an_error_with_the_way_out():
    X = embeddings()
    with pytest.raises(
        ValueError, match=r"values up to .*e\+20, too large .* in float32: put a StandardScaler in front"
    ):
        fit(X * np.float32(1e20))
    with pytest.raises(ValueError, match="too large for their squares to be added up in float64"):
        fit(X.astype(np.float64) * 1e160)
    assert np.isfinite(fit(X * np.float32(1e30), metric="cosine").score_samples(X)).all()


def hard(kind, n_rows, n_features=6):
    """Rows that float32 hardly tells apart, or of which many are the same."""
    rng = np.random.default_rng(3)
    X = rng.normal(size=(n_rows, n_features))
    few = X[rng.integers(n_rows // 50, size=n_rows)]
    rows = {
        "offset": X + 1000,
        "cluster": 1 + 1e-5 * X,
        "copies": few,
        "one row many times": np.where(rng.random((n_rows, 1)) < 0.7, X[:1], X),
        "zeros": np.where(rng.random((n_rows, 1)) < 0.3, 0, X),
        "small integers": np.round(X),
        "an outlier": np.concatenate([1e4 * X[:1], X[1:]]),
        "nearest last": X[np.argsort(-np.linalg.norm(X, axis=1))] * 1e-2 + 1,
    }[kind]
    return rows.astype(np.float32)


HARD = (
    "offset",
    "cluster",
    "copies",
    "one row many times",
    "zeros",
    "small integers",
    "an outlier",
    "nearest last",
)


@pytest.mark.parametrize("kind", HARD)
@pytest.mark.parametrize("n_neighbors", [1, 5])
@pytest.mark.parametrize("block", [32, 2048])
@WITH_COPIES
def test_rows_that_rounding_hardly_tells_apart_are_searched_exactly(kind, n_neighbors, block, monkeypatch):
    monkeypatch.setattr(_neighbor_search, "BLOCK", block)
    rows = hard(kind, 1200)
    X, new = rows[:1000], rows[1000:]
    detector = fit(X, n_neighbors=n_neighbors)
    found, indices = detector.kneighbors(new)
    every = distances(new, X, "euclidean")
    np.testing.assert_allclose(found, np.sort(every, axis=1)[:, :n_neighbors], rtol=1e-13)
    np.testing.assert_allclose(np.take_along_axis(every, indices, axis=1), found, rtol=1e-13)
    assert all(len(set(row)) == n_neighbors for row in indices.tolist())
    alone = [detector.score_samples(new[i : i + 1])[0] for i in range(0, 200, 20)]
    np.testing.assert_array_equal(alone, detector.score_samples(new)[::20])


@WITH_COPIES
def test_of_clips_at_the_same_distance_the_first_comes_first():
    X = np.array([[3.0], [1.0], [-1.0], [1.0], [3.0]])
    found, indices = fit(X).kneighbors([[0.0]], n_neighbors=5)
    assert found.tolist() == [[1, 1, 1, 3, 3]]
    assert indices.tolist() == [[1, 2, 3, 0, 4]]


def test_the_matrix_of_distances_is_never_held(metric):
    X, new = embeddings(9000, 4), embeddings(9000, 4, seed=1)
    detector = fit(X, metric=metric)
    tracemalloc.start()
    detector.score_samples(new)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 9000 * 9000 * 4 / 8


def test_a_bank_keeps_the_precision_it_is_given_and_holds_every_value_once():
    X = embeddings(1000, 64)
    assert len(pickle.dumps(fit(X))) < 1.1 * X.nbytes
    assert len(pickle.dumps(fit(X.astype(np.float64)))) > 1.9 * X.nbytes


# The inductive guarantee


@pytest.mark.parametrize("n_clips", [2, 33, 2500])
def test_the_score_of_a_clip_is_the_same_bit_for_bit_in_any_company(metric, n_clips):
    X, new = embeddings(700, 50), embeddings(n_clips, 50, seed=1)
    detector = fit(X, n_neighbors=3, metric=metric)
    scores = detector.score_samples(new)
    some = range(0, n_clips, max(1, n_clips // 20))
    np.testing.assert_array_equal([detector.score_samples(new[i : i + 1])[0] for i in some], scores[some])
    np.testing.assert_array_equal(detector.score_samples(new[::-1])[::-1], scores)
    np.testing.assert_array_equal(detector.score_samples(np.repeat(new, 2, axis=0))[::2], scores)
    np.testing.assert_array_equal(detector.score_samples(np.asfortranarray(new)), scores)


def test_the_score_of_a_sequence_is_the_same_bit_for_bit_in_any_company(metric, small_blocks):
    detector = fit(sequences(seed=1), metric=metric, n_neighbors=2)
    X = sequences((5, 40, 1, 33, 20, 8, 100))
    scores, frames = detector.score_samples(X), detector.score_frames(X)
    for i, clip in enumerate(X):
        assert detector.score_samples([clip])[0] == scores[i]
        np.testing.assert_array_equal(detector.score_frames([clip])[0], frames[i])
    np.testing.assert_array_equal(detector.score_samples(X[::-1])[::-1], scores)
    np.testing.assert_array_equal(detector.score_samples(LazySequence(X)), scores)


def test_the_order_of_the_training_clips_does_not_matter(metric):
    X, new = embeddings(300), embeddings(40, seed=1)
    detector, other = fit(X, metric=metric), fit(X[::-1], metric=metric)
    np.testing.assert_array_equal(other.score_samples(new), detector.score_samples(new))
    np.testing.assert_array_equal(other.held_out_scores_[::-1], detector.held_out_scores_)
    assert other.offset_ == detector.offset_


# The threshold


@pytest.mark.parametrize("n_neighbors", [1, 4])
def test_held_out_scores_leave_every_clip_out_of_its_own_neighbours(metric, n_neighbors, small_blocks):
    X = embeddings(100).astype(np.float64)
    scores = fit(X, n_neighbors=n_neighbors, metric=metric).held_out_scores_
    search = NearestNeighbors(n_neighbors=n_neighbors, algorithm="brute", metric=metric).fit(X)
    expected, _ = search.kneighbors()  # without themselves
    np.testing.assert_allclose(scores, -expected.mean(axis=1) / (2 if metric == "cosine" else 1), rtol=1e-9)


def test_a_clip_held_out_scores_as_if_it_had_not_been_trained_on(metric):
    X = embeddings(30)
    scores = fit(X, metric=metric).held_out_scores_
    for i in (0, 13, 29):
        assert fit(np.delete(X, i, axis=0), metric=metric).score_samples(X[i : i + 1])[0] == scores[i]
    # Of a sequence no frame is compared with another of its own.
    clips = sequences()
    scores = fit(clips, metric=metric).held_out_scores_
    for i in range(5):
        others = fit(clips[:i] + clips[i + 1 :], metric=metric)
        assert others.score_samples(clips[i : i + 1])[0] == scores[i]


def test_from_19_clips_on_the_threshold_is_the_conformal_quantile_of_the_held_out_scores():
    for n, k in ((19, 1), (39, 2), (60, 3)):
        detector = fit(embeddings(n))
        assert detector.offset_ == np.sort(detector.held_out_scores_)[k - 1]


def test_with_fewer_clips_the_threshold_is_students():
    scores = fit(embeddings(10))
    held_out = np.log(-scores.held_out_scores_)
    expected = held_out.mean() + student_t(9).ppf(0.95) * held_out.std(ddof=1) * np.sqrt(1 + 1 / 10)
    assert scores.offset_ == pytest.approx(-np.exp(expected))


@pytest.mark.parametrize("n_neighbors", [1, 3])
def test_held_out_scores_by_group_leave_the_whole_group_out(metric, n_neighbors, small_blocks):
    X, groups = embeddings(90), np.random.default_rng(1).integers(0, 6, size=90)
    scores = fit(X, n_neighbors=n_neighbors, metric=metric, groups=groups).held_out_scores_
    among = distances(X, X, metric)
    among[groups[:, np.newaxis] == groups] = np.inf
    expected = -np.sort(among, axis=1)[:, :n_neighbors].mean(axis=1)
    np.testing.assert_allclose(scores, expected, rtol=1e-6)
    # The names of the groups do not matter, nor does the order of the clips.
    order = np.random.default_rng(2).permutation(90)
    named = fit(
        X[order], n_neighbors=n_neighbors, metric=metric, groups=np.array(list("qwerty"))[groups][order]
    )
    np.testing.assert_allclose(named.held_out_scores_, scores[order], rtol=1e-6)
    # What the detector has learnt is the same as without groups.
    again = fit(X, n_neighbors=n_neighbors, metric=metric)
    np.testing.assert_array_equal(named.score_samples(X), again.score_samples(X))


def test_frames_by_group_leave_all_frames_of_the_group_out(metric):
    clips = sequences((7, 3, 12, 5, 9))
    groups = ["a", "b", "a", "c", "b"]
    scores = fit(clips, metric=metric, groups=groups).held_out_scores_
    for i, group in enumerate(groups):
        others = np.hstack([clip for clip, other in zip(clips, groups) if other != group])
        expected = -distances(clips[i].T, others.T, metric).min(axis=1).mean()
        assert scores[i] == pytest.approx(expected, rel=1e-6)


def test_groups_of_clips_that_could_not_be_read_are_left_out_with_them():
    X, groups = embeddings(12), np.repeat(np.arange(4), 3)
    expected = fit(np.delete(X, 4, axis=0), groups=np.delete(groups, 4)).held_out_scores_
    X[4] = np.nan
    with pytest.warns(UserWarning, match="without 1 of 12 clips"):
        np.testing.assert_array_equal(fit(X, groups=groups).held_out_scores_, expected)


@pytest.mark.parametrize(
    ("groups", "match"),
    [
        (np.zeros(9), "beside those of any one group.*got 0 from n_samples=9. Pass more groups"),
        (np.arange(8), "one entry a clip: got 8 for 9 clips"),
        ([None, *range(8)], "got None for clip 0"),
        ([*range(8), np.nan], "got nan for clip 8"),
    ],
)
def test_groups_that_cannot_be_are_refused(groups, match):
    with pytest.raises(ValueError, match=match):
        fit(embeddings(9), groups=groups)


def test_unseen_patients_raise_no_more_false_alarms_than_promised_by_groups_and_four_times_as_many_without():
    # 40 patients with 4 clips each: a patient's clips differ less than patients do.
    alarms = {True: [], False: []}
    for seed in range(100):
        rng = np.random.default_rng(seed)
        patient = np.repeat(np.arange(140), 4)
        clips = rng.normal(size=(140, 6))[patient] + 0.55 * rng.normal(size=(560, 6))
        for by_group, rates in alarms.items():
            detector = fit(clips[:160], groups=patient[:160] if by_group else None)
            rates.append(np.mean(detector.predict(clips[160:]) == -1))
    margin = 4 * np.std(alarms[True]) / np.sqrt(100)
    # At most one in twenty; the weight of the new patient makes it rather fewer.
    assert 0.02 < np.mean(alarms[True]) < 0.05 + margin
    assert np.mean(alarms[False]) > 0.2


def test_groups_reach_the_detector_through_a_pipeline_with_and_without_metadata_routing():
    X, groups = embeddings(60), np.repeat(np.arange(20), 3)
    expected = fit(X, groups=groups).offset_
    plain = make_pipeline(StandardScaler(with_mean=False, with_std=False), NearestNeighborsDetector())
    plain.fit(X, nearestneighborsdetector__groups=groups)
    assert plain[-1].offset_ == expected
    assert plain.fit(X)[-1].offset_ != expected
    with config_context(enable_metadata_routing=True):
        routed = make_pipeline(
            StandardScaler(with_mean=False, with_std=False),
            NearestNeighborsDetector().set_fit_request(groups=True),
        )
        assert routed.fit(X, groups=groups)[-1].offset_ == expected


def test_fit_predict_decides_by_group():
    X, groups = embeddings(120), np.repeat(np.arange(40), 3)
    X[117:] = X[117] + 9 + 0.01 * embeddings(3)  # a patient unlike all others, and alike in itself
    assert (NearestNeighborsDetector().fit_predict(X)[117:] == 1).all()
    assert (NearestNeighborsDetector().fit_predict(X, groups=groups)[117:] == -1).all()


@pytest.mark.parametrize("contamination", [0.1, 0.5])
def test_a_contamination_is_the_fraction_of_held_out_scores_below_the_threshold(contamination):
    detector = fit(embeddings(100), contamination=contamination)
    assert detector.offset_ == np.percentile(detector.held_out_scores_, 100 * contamination)
    # Two clips that are nearest to each other score the same: one of them may be on the threshold.
    assert (detector.held_out_scores_ < detector.offset_).sum() in (
        100 * contamination,
        100 * contamination - 1,
    )


def test_about_one_normal_clip_in_twenty_raises_a_false_alarm(metric):
    # 39 exchangeable clips make thresholds that fail 2 times in 40 at most.
    rng = np.random.default_rng(0)
    rates = [
        (fit(rng.normal(size=(39, 5)), metric=metric).predict(rng.normal(size=(200, 5))) == -1).mean()
        for _ in range(60)
    ]
    assert 0.03 < np.mean(rates) < 0.06


@WITH_COPIES
def test_a_copy_among_the_training_clips_scores_zero_even_when_held_out(metric):
    X = embeddings(20)
    scores = fit(np.concatenate([X, X[3:4]]), metric=metric).held_out_scores_
    assert np.flatnonzero(scores == 0).tolist() == [3, 20]


def test_more_copies_than_a_threshold_can_bear_are_counted_with_the_way_out(metric):
    X = embeddings(40)
    fit(np.concatenate([X, X[3:4]]), metric=metric)  # 2 of 41: no warning
    louder = np.concatenate([X, X * np.float32(1.1 if metric == "cosine" else 1)])
    with pytest.warns(
        UserWarning, match=r"^80 of 80 training clips have a copy among .* Remove the copies first"
    ):
        fit(louder, metric=metric)
    twice = [*sequences(), *sequences(), *sequences(seed=1)]
    with pytest.warns(UserWarning, match="^10 of 15 training clips have a copy"):
        fit(twice, metric=metric)


def test_clips_that_nearly_agree_are_no_copies():
    X = embeddings(40)
    detector = fit(np.concatenate([X, X + np.float32(1e-3)]))
    assert detector.held_out_scores_.max() < -1e-3


def test_fit_predict_finds_the_training_clip_that_is_unlike_the_others_and_predict_does_not(metric):
    rng = np.random.default_rng(0)
    X = 5 + rng.normal(size=(60, 6))
    X[17] *= [-1, 1, -1, 1, -1, 1]
    detector = NearestNeighborsDetector(metric=metric)
    decisions = detector.fit_predict(X)
    assert decisions[17] == -1
    assert (decisions == -1).sum() == (detector.held_out_scores_ < detector.offset_).sum() < 4
    assert (detector.predict(X) == 1).all()
    assert detector.predict(X[17:18] + 0.1 * rng.normal(size=(1, 6))) == 1


def test_one_training_clip_cannot_be_compared_with_another():
    with pytest.raises(
        ValueError,
        match=r"^n_neighbors=1 needs as many training clips .* got 0 from n_samples=1\. Pass more clips\.$",
    ):
        fit(embeddings(1))
    with pytest.raises(
        ValueError, match=r"^n_neighbors=1 needs as many training frames .* got 0 from n_samples=1\."
    ):
        fit(sequences((9,)))


def test_a_clip_needs_n_neighbors_others():
    X = embeddings(5)
    assert fit(X, n_neighbors=4).held_out_scores_.shape == (5,)
    for n_neighbors in (5, 100):
        with pytest.raises(
            ValueError,
            match=rf"^n_neighbors={n_neighbors} .* got 4 from n_samples=5\. Pass .* a smaller n_neighbors\.$",
        ):
            fit(X, n_neighbors=n_neighbors)
    # Beside the longest clip, of 12 frames, there are 24.
    assert fit(sequences(), n_neighbors=24).n_samples_fit_ == 5
    with pytest.raises(
        ValueError, match=r"^n_neighbors=25 needs as many training frames .* got 24 from n_samples=5\."
    ):
        fit(sequences(), n_neighbors=25)


# Sequences


@pytest.mark.parametrize("n_neighbors", [1, 3])
def test_a_frame_is_compared_with_all_training_frames(metric, n_neighbors, small_blocks):
    X, new = sequences((70, 3, 40)), sequences((50, 2, 9), seed=1)
    bank = np.concatenate([clip.T for clip in X])
    detector = fit(X, n_neighbors=n_neighbors, metric=metric)
    for clip, scores in zip(new, detector.score_frames(new), strict=True):
        nearest = np.sort(distances(clip.T, bank, metric), axis=1)[:, :n_neighbors]
        np.testing.assert_allclose(scores, -nearest.mean(axis=1), rtol=1e-5)
        assert scores.dtype == np.float32


@pytest.mark.parametrize(
    ("settings", "pool"),
    [
        ({}, np.mean),
        ({"time_pooling": "mean", "aggregate": "max"}, np.mean),
        ({"time_pooling": "max"}, np.max),
        ({"time_pooling": "quantile"}, lambda d: np.quantile(d, 0.95)),
        ({"time_pooling": "quantile", "time_quantile": 0.25}, lambda d: np.quantile(d, 0.25)),
    ],
    # Not the functions' own: their addresses differ between the processes that run the tests.
    ids=["mean", "farthest neighbour", "max", "0.95 quantile", "0.25 quantile"],
)
def test_the_score_of_a_sequence_is_that_of_its_frames_pooled_over_time(settings, pool):
    X, new = sequences(), sequences((6, 1, 30), seed=1)
    bank = np.concatenate([clip.T for clip in X])
    detector = fit(X, n_neighbors=2, **settings)
    nearest = [np.sort(distances(clip.T, bank, "euclidean"), axis=1)[:, :2] for clip in new]
    last = settings.get("aggregate") == "max"
    expected = [-pool(d[:, 1] if last else d.mean(axis=1)) for d in nearest]
    np.testing.assert_allclose(detector.score_samples(new), expected, rtol=1e-12)


@WITH_COPIES
def test_pooling_over_time_and_over_neighbours_are_two_things():
    # Of three training frames at 0 and three at 10, the four nearest to 1 are 1, 1, 1 and 9 away, those to 4 are
    # 4, 4, 4 and 6 away.
    X, new = [np.array([[0.0, 10.0]])] * 3, [np.array([[1.0, 4.0]])]
    for aggregate, time_pooling, expected in (
        ("min", "mean", 2.5),
        ("min", "max", 4),
        ("max", "mean", 7.5),
        ("max", "max", 9),
        ("mean", "mean", 3.75),
        ("mean", "max", 4.5),
    ):
        detector = fit(X, n_neighbors=4, aggregate=aggregate, time_pooling=time_pooling)
        assert detector.score_samples(new).tolist() == [-expected]


def test_arrays_lists_and_lazy_sequences_are_the_same():
    X, new = np.stack(sequences([9] * 6)), np.stack(sequences([5] * 4, seed=1))
    detector = fit(X)
    for convert in (list, LazySequence, np.asfortranarray, lambda a: a.astype(np.float64)):
        again = fit(convert(X))
        np.testing.assert_array_equal(again.held_out_scores_, detector.held_out_scores_)
        np.testing.assert_array_equal(again.score_samples(convert(new)), detector.score_samples(new))
        frames = again.score_frames(convert(new))
        np.testing.assert_array_equal(frames, detector.score_frames(new))
        assert frames.shape == (4, 5)
    rows = embeddings()
    for convert in (np.ndarray.tolist, np.asfortranarray, lambda a: a.astype(np.float64)):
        np.testing.assert_array_equal(fit(convert(rows)).held_out_scores_, fit(rows).held_out_scores_)


def test_one_frame_a_clip_is_one_embedding_a_clip(metric):
    X, new = embeddings(40), embeddings(6, seed=1)
    frames, clips = fit(X[:, :, np.newaxis], metric=metric), fit(X, metric=metric)
    np.testing.assert_array_equal(frames.score_samples(new[:, :, np.newaxis]), clips.score_samples(new))
    np.testing.assert_array_equal(frames.held_out_scores_, clips.held_out_scores_)
    np.testing.assert_array_equal(
        clips.score_frames(new), clips.score_samples(new).astype(np.float32)[:, np.newaxis]
    )
    assert clips.window_centers(1).tolist() == [0]


def test_integers_and_half_precision_are_taken():
    X = [np.arange(8).reshape(2, 4) ** 2 + i for i in range(4)]
    detector = fit(X)
    np.testing.assert_array_equal(
        detector.score_samples(X[:1]), fit([x.astype(float) for x in X]).score_samples(X[:1])
    )
    assert fit([x.astype(np.float16) for x in X]).score_samples([X[0] + 1]).tolist() == [0]


def test_the_moment_of_a_fault_is_where_the_frames_score_lowest():
    rng = np.random.default_rng(0)
    normal = 3 + rng.normal(size=(20, 6, 40))
    faulty = 3 + rng.normal(size=(6, 40))
    faulty[:, 25] *= -1
    detector = fit(normal, metric="cosine", time_pooling="max")
    frames = detector.score_frames(faulty[np.newaxis])[0]
    assert detector.window_centers(40)[np.argmin(frames)] == 25
    assert detector.predict(faulty[np.newaxis]) == -1
    assert detector.window_centers(3).tolist() == [0, 1, 2]


# Clips that could not be read


@pytest.mark.parametrize("given", ["rows", "array", "list", "lazy"])
def test_a_clip_that_could_not_be_read_is_left_out_with_a_warning_and_never_called_normal(given):
    X = embeddings(30) if given == "rows" else np.stack(sequences([6] * 8))
    rest = np.delete(X, 3, axis=0)
    X[3] = np.nan
    X = {"list": list, "lazy": LazySequence}.get(given, lambda array: array)(X)
    detector = NearestNeighborsDetector()
    for learn in (detector.fit_predict, detector.fit):
        with pytest.warns(UserWarning, match=f"trained without 1 of {len(X)} clips") as caught:
            result = learn(X)
        assert caught[0].filename == __file__
        if learn == detector.fit_predict:
            assert result[3] == -1
            assert result[4] == (1 if detector.held_out_scores_[3] >= detector.offset_ else -1)
    assert detector.n_samples_fit_ == len(X) - 1 == len(detector.held_out_scores_)
    np.testing.assert_array_equal(np.delete(detector.score_samples(X), 3), fit(rest).score_samples(rest))
    assert detector.offset_ == fit(rest).offset_
    assert np.flatnonzero(np.isnan(detector.score_samples(X))).tolist() == [3]
    assert detector.predict(X)[3] == -1
    assert np.isnan(detector.score_frames(X)[3]).all()


def test_a_clip_that_could_not_be_read_is_scored_nan_however_short_it_is():
    X = [np.full((4, 1), np.nan, np.float32), *sequences((6, 5), seed=1)]
    for settings in ({}, {"time_pooling": "max"}, {"time_pooling": "quantile"}, {"n_neighbors": 3}):
        detector = fit(sequences(), **settings)
        assert np.isnan(detector.score_samples(X)).tolist() == [True, False, False]
        assert np.isnan(detector.score_samples(X[:1])).all()
        assert np.isnan(detector.score_frames(X)[0]).all()


def test_kneighbors_names_positions_in_what_fit_was_given():
    X = embeddings(10)
    X[[0, 4]] = np.nan
    detector = NearestNeighborsDetector(2)
    with pytest.warns(UserWarning, match="without 2 of 10"):
        detector.fit(X)
    found, indices = detector.kneighbors(X)
    present = [1, 2, 3, 5, 6, 7, 8, 9]
    assert indices[present, 0].tolist() == present
    assert indices[[0, 4]].tolist() == [[-1, -1]] * 2
    assert np.isnan(found).all(axis=1).tolist() == [i in (0, 4) for i in range(10)]
    assert found.shape == (10, 2)
    assert detector.kneighbors(X, n_neighbors=8)[1].shape == (10, 8)
    for n_neighbors in (9, 0):
        with pytest.raises(ValueError, match=rf"^n_neighbors must lie in \[1, 8\], got {n_neighbors}\.$"):
            detector.kneighbors(X, n_neighbors)
    with pytest.raises(TypeError, match=r"^n_neighbors must be an integer, got 1\.5\.$"):
        detector.kneighbors(X, 1.5)


def test_kneighbors_of_frames_is_refused_with_the_way_out():
    with pytest.raises(ValueError, match=r"fitted on sequences.*TemporalPooling.*score_frames"):
        fit(sequences()).kneighbors(sequences())


# Bad input


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("n_neighbors", 0),
        ("n_neighbors", 1.0),
        ("n_neighbors", True),
        ("metric", "manhattan"),
        ("aggregate", "median"),
        ("time_pooling", "min"),
        ("time_quantile", 1.1),
        ("time_quantile", None),
        ("contamination", 0.6),
        ("contamination", "automatic"),
    ],
)
def test_a_parameter_out_of_range_is_named(name, value):
    with pytest.raises((ValueError, TypeError), match=rf"^{name} must .*got {re.escape(repr(value))}\.$"):
        fit(embeddings(), **{name: value})


def test_an_unfitted_detector_says_so():
    detector = NearestNeighborsDetector()
    for method in ("score_samples", "score_frames", "predict", "decision_function", "kneighbors"):
        with pytest.raises(NotFittedError):
            getattr(detector, method)(embeddings())
    with pytest.raises(NotFittedError):
        detector.window_centers(3)


@pytest.mark.parametrize("X", [[], np.empty((0, 4)), np.empty((0, 4, 12)), LazySequence([])])
def test_no_clip_is_an_error(X):
    with pytest.raises(ValueError, match=r"0 samples?|no clips|0 sample\(s\)"):
        fit(X)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_no_number_is_an_error(bad):
    detector, frames = fit(embeddings()), fit(sequences())
    X, array, clips = embeddings(), np.stack(sequences([6] * 4)), sequences()
    X[3, 1] = array[2, 1, 0] = clips[2][0, 5] = bad
    message = "NaN among numbers, first in clip 3" if np.isnan(bad) else "infinity"
    for method in (detector.score_samples, detector.kneighbors, clone(detector).fit):
        with pytest.raises(ValueError, match=message):
            method(X)
    for given, message in (
        (array, "NaN among numbers, first in clip 2" if np.isnan(bad) else "infinity"),
        (clips, "clip 2 contains NaN or infinity"),
        (LazySequence(clips), "^clip 2: contains NaN or infinity"),
    ):
        for method in (frames.score_samples, frames.score_frames, clone(frames).fit):
            with pytest.raises(ValueError, match=message):
                method(given)


def test_nothing_but_missing_clips_is_nothing_to_train_on():
    with pytest.raises(ValueError, match="nothing to train on: none of the 3 clips could be read"):
        fit(np.full((3, 4), np.nan))


def test_other_features_than_in_fit_are_refused():
    with pytest.raises(ValueError, match=r"X has 3 features, but NearestNeighborsDetector is expecting 8"):
        fit(embeddings()).score_samples(embeddings(2, 3))
    with pytest.raises(ValueError, match=r"clip 1 has 3 bins, but NearestNeighborsDetector expects 4"):
        fit(sequences()).score_samples([sequences()[0], sequences((5,), 3)[0]])


def test_a_lazy_clip_of_another_shape_is_named():
    detector = fit(sequences())
    other = sequences((5,), 3)[0]
    for clip, shape in ((other, "(3, 5)"), (np.ones(4, np.float32), "(4,)"), (np.ones((4, 0)), "(4, 0)")):
        lazy = LazySequence([*sequences((6, 6)), clip])
        message = rf"^clip 2: must have the shape \(4, n_frames\), got {re.escape(shape)}\.$"
        with pytest.raises(ValueError, match=message):
            detector.score_samples(lazy)
    with pytest.raises(ValueError, match=r"^clip 2: must have the shape \(4, n_frames\), got \(3, 5\)"):
        fit(LazySequence([*sequences((6, 6)), other]))


def test_embeddings_and_sequences_are_not_mistaken_for_each_other():
    clips, frames = fit(embeddings(9, 4)), fit(sequences())
    for given in (sequences(), LazySequence(sequences())):
        with pytest.raises(
            ValueError,
            match=r"was fitted on one embedding a clip, .*, but X holds sequences: pass the same kind",
        ):
            clips.score_samples(given)
    with pytest.raises(ValueError, match=r"fitted on one embedding a clip, .* but X has shape \(2, 4, 5\)"):
        clips.kneighbors(np.ones((2, 4, 5)))
    with pytest.raises(ValueError, match=r"was fitted on sequences, .*, but X has shape \(9, 4\)"):
        frames.score_frames(embeddings(9, 4))


def test_waveforms_are_refused_with_a_hint_to_the_features_that_are_missing():
    with pytest.raises(
        ValueError, match=r"takes spectrograms.*\(1000,\): put a MelTransformer in front of it"
    ):
        fit(AudioClips(np.ones((4, 1000)), 16000))


# A good guest of scikit-learn


@pytest.mark.parametrize("given", ["embeddings", "sequences"])
def test_copies_and_files_score_as_the_original_whatever_is_set_after_the_fit(given, tmp_path):
    X = embeddings() if given == "embeddings" else sequences()
    new = embeddings(9, seed=1) if given == "embeddings" else sequences((3, 8), seed=1)
    detector = fit(X, n_neighbors=2)
    scores, frames = detector.score_samples(new), detector.score_frames(new)
    detector.set_params(
        n_neighbors=3,
        metric="cosine",
        aggregate="max",
        time_pooling="max",
        time_quantile=0.1,
        contamination=0.5,
    )
    save_detector(detector, tmp_path / "detector.skops")
    loaded = load_detector(tmp_path / "detector.skops")
    for again in (detector, pickle.loads(pickle.dumps(detector)), copy.deepcopy(detector), loaded):
        np.testing.assert_array_equal(again.score_samples(new), scores)
        for part, expected in zip(again.score_frames(new), frames, strict=True):
            np.testing.assert_array_equal(part, expected)
        np.testing.assert_array_equal(again.decision_function(new), scores - detector.offset_)
    refitted = clone(detector).fit(X)
    expected = fit(X, **detector.get_params())
    np.testing.assert_array_equal(refitted.score_samples(new), expected.score_samples(new))
    assert (refitted.score_samples(new) != scores).all()


def test_what_the_caller_does_to_the_training_clips_later_does_not_matter(metric):
    X, new = embeddings(), embeddings(5, seed=1)
    detector = fit(X, metric=metric)
    scores = detector.score_samples(new)
    X[:] = 0
    np.testing.assert_array_equal(detector.score_samples(new), scores)


def test_the_training_clips_are_left_as_they_are(metric):
    X = embeddings()
    X.flags.writeable = False
    detector = fit(X, metric=metric)
    detector.score_samples(X)
    np.testing.assert_array_equal(X, embeddings())


def test_names_of_features_are_kept_and_checked():
    pd = pytest.importorskip("pandas")
    X = pd.DataFrame(embeddings(20, 3), columns=["a", "b", "c"])
    detector = fit(X)
    assert detector.feature_names_in_.tolist() == ["a", "b", "c"]
    assert detector.kneighbors(X)[1][:, 0].tolist() == list(range(20))
    assert detector.fit_predict(X).shape == (20,)
    with pytest.raises(ValueError, match="feature names should match"):
        detector.score_samples(X[["b", "a", "c"]])


@pytest.mark.real_data
def test_dog_barks_stand_out_from_other_sounds_by_the_mean_and_deviation_of_their_bands(data_home):
    sounds = load_esc10("Dog bark", data_home=data_home)
    pooled = make_pipeline(AudioLoader(16000), MelTransformer(), TemporalPooling()).fit_transform(
        sounds.paths
    )
    train = (sounds.target == 1) & (sounds.metadata["fold"] != 5)
    detector = make_pipeline(StandardScaler(), NearestNeighborsDetector()).fit(pooled[train])
    auc = anomaly_auc_score(sounds.target[~train], detector.score_samples(pooled[~train]))
    assert auc > 0.8
    assert (detector.predict(pooled[~train & (sounds.target == 1)]) == 1).sum() >= 7  # of 8
