"""Nearest neighbours against SciPy's distances in float64 and scikit-learn's search."""

import pickle
import tracemalloc

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from skaudio_ad._lazy import LazySequence
from skaudio_ad.detectors import _clip_rows, _neighbor_rows, _neighbor_search

from .neighbors import METRICS, WITH_COPIES, distances, embeddings, fit, sequences


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
