"""Coreset of `NearestNeighborsDetector` against a naive farthest-first traversal in float64."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from skaudio_ad import NearestNeighborsDetector
from skaudio_ad.detectors import _clip_rows, _coreset

from .neighbors import METRICS, WITH_COPIES, distances, embeddings, fit, sequences


def directions(X):
    X = np.asarray(X, dtype=np.float64)
    return X / np.linalg.norm(X, axis=1, keepdims=True)


def naive(X, n_chosen, metric):
    """Return the chosen rows in order, and the radius, from all distances to every pick."""
    X = directions(X) if metric == "cosine" else np.asarray(X, dtype=np.float64)
    chosen = [int(np.linalg.norm(X - X.mean(axis=0), axis=1).argmax())]
    nearest = distances(X, X[chosen], metric)[:, 0]
    while len(chosen) < n_chosen:
        chosen.append(int(nearest.argmax()))
        nearest = np.minimum(nearest, distances(X, X[chosen[-1:]], metric)[:, 0])
    return chosen, nearest.max()


def clustered(n_clips=300, n_features=6, seed=3):
    rng = np.random.default_rng(seed)
    cluster = rng.integers(8, size=n_clips)
    spread = rng.gamma(0.5, size=(8, 1)) * rng.normal(size=(n_clips, n_features))[:8]
    rows = rng.normal(size=(8, n_features))[cluster] + 0.1 * spread[cluster] * rng.normal(size=(n_clips, 1))
    return (1 + rows + 0.01 * rng.normal(size=rows.shape)).astype(np.float32)


@pytest.fixture
def small_pools(monkeypatch):
    monkeypatch.setattr(_coreset, "_POOL", 16)
    for module in (_clip_rows, _coreset):
        monkeypatch.setattr(module, "BLOCK", 32)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("make", [lambda: embeddings(300), clustered], ids=["one cloud", "clusters"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_choice_is_that_of_the_naive_traversal(metric, make, dtype, small_pools):
    X = make().astype(dtype)
    detector = fit(X, metric=metric, coreset_size=90)
    expected, radius = naive(X, 90, metric)
    assert detector.coreset_indices_.tolist() == expected
    assert detector.coreset_radius_ == pytest.approx(radius, rel=1e-6, abs=1e-7)
    smaller = fit(X, metric=metric, coreset_size=0.1)
    assert smaller.coreset_indices_.tolist() == expected[:30]


def test_features_with_a_large_offset_do_not_change_the_choice():
    X = embeddings(200).astype(np.float64)
    X[:, 0] += 1e6
    assert fit(X, coreset_size=60).coreset_indices_.tolist() == naive(X, 60, "euclidean")[0]


@pytest.mark.parametrize("metric", METRICS)
def test_new_clips_are_compared_with_the_kept_rows_only(metric):
    X, new = embeddings(80), embeddings(9, seed=1)
    detector = fit(X, metric=metric, n_neighbors=2, coreset_size=20)
    kept = np.sort(detector.coreset_indices_)
    among = distances(new, X[kept], metric)
    np.testing.assert_allclose(
        detector.score_samples(new), -np.sort(among, axis=1)[:, :2].mean(axis=1), rtol=1e-6
    )
    found, clips = detector.kneighbors(new, 3)
    np.testing.assert_array_equal(clips, kept[np.argsort(among, axis=1)[:, :3]])
    np.testing.assert_allclose(found, np.sort(among, axis=1)[:, :3], rtol=1e-6)
    with pytest.raises(ValueError, match=r"n_neighbors must lie in \[1, 20\], got 21"):
        detector.kneighbors(new, 21)


@pytest.mark.parametrize("groups", [None, np.arange(60) // 4], ids=["clips", "groups"])
def test_held_out_scores_leave_out_the_kept_rows_of_the_clip_or_group_itself(groups):
    X = embeddings(60)
    detector = fit(X, groups, coreset_size=15)
    own = np.arange(60) if groups is None else groups
    all_distances = cdist(X.astype(np.float64), X.astype(np.float64))[:, detector.coreset_indices_]
    all_distances[own[:, np.newaxis] == own[detector.coreset_indices_]] = np.inf
    np.testing.assert_allclose(detector.held_out_scores_, -all_distances.min(axis=1), rtol=1e-6)


def test_the_choice_without_a_clip_that_is_not_kept_is_the_same_choice():
    # The first row is the one farthest from the mean, which a clip in the middle does not decide.
    X = embeddings(60)
    detector = fit(X, coreset_size=15)
    for clip in np.setdiff1d(np.arange(60), detector.coreset_indices_)[:5]:
        without = fit(np.delete(X, clip, axis=0), coreset_size=15)
        np.testing.assert_allclose(
            detector.held_out_scores_[clip], without.score_samples(X[[clip]])[0], rtol=1e-6
        )


def test_frames_of_sequences_are_the_rows_of_a_coreset():
    clips, new = sequences((20, 30, 25)), sequences((8, 5), seed=1)
    frames = np.concatenate([clip.T for clip in clips])
    detector = NearestNeighborsDetector(coreset_size=0.2, time_pooling="max").fit(clips)
    expected, radius = naive(frames, 15, "euclidean")
    assert detector.coreset_indices_.tolist() == expected
    assert detector.coreset_radius_ == pytest.approx(radius)
    for clip, score in zip(new, detector.score_samples(new)):
        assert score == pytest.approx(-cdist(clip.T, frames[expected]).min(axis=1).max(), rel=1e-6)


def test_indices_are_positions_in_x_where_clips_could_not_be_read():
    X = embeddings(40)
    X[3] = np.nan
    with pytest.warns(UserWarning, match="1 of 40"):
        detector = fit(X, coreset_size=10)
    readable = np.delete(np.arange(40), 3)
    assert detector.coreset_indices_.tolist() == readable[naive(X[readable], 10, "euclidean")[0]].tolist()


def test_a_coreset_of_all_rows_is_the_bank_itself():
    X, new = embeddings(30), embeddings(5, seed=1)
    whole, reduced = fit(X), fit(X, coreset_size=30)
    np.testing.assert_array_equal(reduced.score_samples(new), whole.score_samples(new))
    np.testing.assert_array_equal(reduced.held_out_scores_, whole.held_out_scores_)
    assert (reduced.coreset_radius_, whole.coreset_indices_) == (0, None)


@WITH_COPIES
@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_choice_stops_with_a_warning_where_the_rest_are_copies(metric, dtype):
    X = np.repeat(embeddings(12), 5, axis=0).astype(dtype)
    message = "the coreset has 12 rows and not 20, because all 60 training rows are copies"
    with pytest.warns(UserWarning, match=message):
        detector = fit(X, metric=metric, coreset_size=20)
    assert sorted(detector.coreset_indices_ // 5) == list(range(12))
    assert detector.coreset_radius_ == 0


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"coreset_size": 31}, ValueError, "coreset_size=31 is larger than the bank of 30 training rows"),
        ({"coreset_size": 0}, ValueError, "coreset_size must lie in"),
        ({"coreset_size": 1.5}, ValueError, r"coreset_size must lie in \(0, 1\), got 1.5"),
        ({"coreset_size": True}, TypeError, "coreset_size must be an integer, got True"),
        ({"coreset_size": "all"}, TypeError, "coreset_size must be an integer, got 'all'"),
        ({"coreset_size": 3, "n_neighbors": 4}, ValueError, "keeps 3 of 30 training rows, and n_neighbors=4"),
        ({"coreset_size": 4, "n_neighbors": 4}, ValueError, "1 of them belong to one clip or group"),
        ({"verbose": "yes"}, ValueError, "verbose must be one of False, True, got 'yes'"),
    ],
)
def test_a_wrong_size_is_an_error_that_gives_the_numbers(settings, error, message):
    with pytest.raises(error, match=message):
        fit(embeddings(30), **settings)


def test_a_group_that_holds_every_kept_row_is_an_error():
    X = np.concatenate([10 * embeddings(10), 0.01 * embeddings(20)])
    with pytest.raises(
        ValueError, match=r"coreset_size=5 keeps 5 .* and 5 of them belong to one clip or group"
    ):
        fit(X, groups=np.arange(30) >= 10, coreset_size=5)


def test_a_later_fit_without_a_coreset_forgets_the_old_one():
    X = embeddings(30)
    detector = fit(X, coreset_size=10).set_params(coreset_size=None).fit(X)
    assert detector.coreset_indices_ is None
    np.testing.assert_array_equal(detector.kneighbors(X, 1)[1][:, 0], np.arange(30))


def test_progress_says_how_many_rows_are_chosen(capsys):
    fit(embeddings(50), coreset_size=20, verbose=True)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines()[-1].startswith("chose 20 of 20 rows of the coreset in ")
    fit(embeddings(50), coreset_size=20)
    assert capsys.readouterr() == ("", "")
