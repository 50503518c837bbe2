"""Sequences of embeddings, and clips that could not be read, in `NearestNeighborsDetector`."""

import numpy as np
import pytest

from skaudio_ad import NearestNeighborsDetector
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
