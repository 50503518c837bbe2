"""``NearestNeighborsDetector(index="faiss")`` beside ``index="exact"``."""

import pickle
import sys

import numpy as np
import pytest
import skops.io

from skaudio_ad.persistence import trusted_types

from .neighbors import METRICS, WITH_COPIES, embeddings, fit, sequences


@pytest.fixture
def faiss():
    return pytest.importorskip("faiss", reason="the extra faiss is not installed")


@pytest.mark.usefixtures("faiss")
@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_scores_equal_those_of_the_exact_search(metric, dtype):
    X, new = embeddings(500, 20).astype(dtype), embeddings(70, 20, seed=1).astype(dtype)
    settings = {"metric": metric, "n_neighbors": 3}
    exact, index = fit(X, **settings), fit(X, **settings, index="faiss")
    np.testing.assert_allclose(index.score_samples(new), exact.score_samples(new), rtol=1e-5)
    np.testing.assert_allclose(index.held_out_scores_, exact.held_out_scores_, rtol=1e-5)
    np.testing.assert_array_equal(index.kneighbors(new, 9)[1], exact.kneighbors(new, 9)[1])
    new[3] = np.nan
    assert np.flatnonzero(np.isnan(index.score_samples(new))).tolist() == [3]
    np.testing.assert_array_equal(index.score_samples(new[[5]]), index.score_samples(new)[[5]])


@WITH_COPIES
@pytest.mark.usefixtures("faiss")
@pytest.mark.parametrize("n_groups", [150, 3])
def test_groups_copies_and_a_large_offset_are_handled_as_in_the_exact_search(n_groups):
    X = np.repeat(embeddings(150), 2, axis=0)
    X[:, 0] += 1e6
    groups = np.arange(300) % n_groups
    exact, index = fit(X, groups), fit(X, groups, index="faiss")
    np.testing.assert_allclose(index.held_out_scores_, exact.held_out_scores_, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(index.score_samples(X), 0, atol=1e-5)


@pytest.mark.usefixtures("faiss")
def test_frames_and_a_coreset_are_searched_too():
    clips, new = sequences((20, 30, 25)), sequences((8, 5), seed=1)
    exact = fit(clips, coreset_size=20)
    index = fit(clips, coreset_size=20, index="faiss")
    np.testing.assert_allclose(index.score_samples(new), exact.score_samples(new), rtol=1e-5)
    np.testing.assert_allclose(index.held_out_scores_, exact.held_out_scores_, rtol=1e-5)


@pytest.mark.usefixtures("faiss")
def test_values_beyond_float32_are_an_error_in_fit_and_far_away_afterwards():
    X = embeddings().astype(np.float64)
    with pytest.raises(ValueError, match="too large for their squares to be added up in float32"):
        fit(np.vstack([X, 1e25 * X[:1]]), index="faiss")
    scores = fit(X, index="faiss").score_samples(1e25 * X[:2])
    np.testing.assert_allclose(scores, fit(X).score_samples(1e25 * X[:2]), rtol=1e-5)


@pytest.mark.usefixtures("faiss")
@pytest.mark.parametrize("way", ["pickle", "skops"])
def test_a_saved_detector_builds_its_index_again(way):
    X, new = embeddings(), embeddings(5, seed=1)
    detector = fit(X, index="faiss")
    if way == "pickle":
        again = pickle.loads(pickle.dumps(detector))
    else:
        again = skops.io.loads(skops.io.dumps(detector), trusted=trusted_types())
    assert getattr(again, "_faiss_search", None) is None
    np.testing.assert_array_equal(again.score_samples(new), detector.score_samples(new))
    again.fit(new)
    np.testing.assert_array_equal(again.kneighbors(new)[1][:, 0], np.arange(5))


def test_without_faiss_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(ImportError, match=r"index='faiss' needs FAISS: pip install 'skaudio_ad\[faiss\]'"):
        fit(embeddings(), index="faiss")


def test_another_index_is_an_error_that_lists_the_known_ones():
    with pytest.raises(ValueError, match="index must be one of 'exact', 'faiss', got 'annoy'"):
        fit(embeddings(), index="annoy")
