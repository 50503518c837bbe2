"""Clips that `partial_fit` adds to a bank, against a bank that had all clips from the start."""

import numpy as np
import pytest
from sklearn.base import clone

from skaudio_ad import BandMemoryDetector, NearestNeighborsDetector

from .neighbors import METRICS, distances, embeddings, fit, sequences


@pytest.fixture(params=METRICS)
def metric(request):
    return request.param


@pytest.mark.parametrize("n_neighbors", [1, 4])
@pytest.mark.parametrize("offset", [0, 1e4])  # far from the origin, rows are measured from their mean
def test_scores_are_bit_for_bit_those_of_a_bank_that_had_all_clips_from_the_start(
    metric, n_neighbors, offset
):
    X, new = embeddings(60) + np.float32(offset), embeddings(20, seed=1) + np.float32(offset)
    whole = fit(X, metric=metric, n_neighbors=n_neighbors)
    grown = fit(X[:40], metric=metric, n_neighbors=n_neighbors).partial_fit(X[40:45]).partial_fit(X[45:])
    np.testing.assert_array_equal(grown.score_samples(new), whole.score_samples(new))
    assert grown.n_samples_fit_ == 60


def test_the_score_by_one_neighbour_is_the_larger_of_the_old_score_and_that_by_the_added_clips(metric):
    X, added, new = embeddings(40).astype(float), embeddings(9, seed=1).astype(float), embeddings(20, seed=2)
    detector = fit(X, metric=metric)
    before = detector.score_samples(new)
    expected = np.maximum(before, -distances(new, added, metric).min(axis=1))
    scores = detector.partial_fit(added).score_samples(new)
    np.testing.assert_allclose(scores, expected, rtol=1e-12)
    assert (scores > before).any()


def test_the_threshold_and_the_held_out_scores_stay_those_of_fit():
    detector = fit(embeddings(40))
    offset, held_out = detector.offset_, detector.held_out_scores_.copy()
    detector.partial_fit(embeddings(30, seed=1))
    assert detector.offset_ == offset
    np.testing.assert_array_equal(detector.held_out_scores_, held_out)


def test_frames_of_added_sequences_are_searched_too():
    clips, new = sequences(), sequences((4, 6), seed=1)
    grown = fit(clips[:3]).partial_fit(clips[3:])
    np.testing.assert_array_equal(grown.score_samples(new), fit(clips).score_samples(new))


def test_float64_clips_raise_the_precision_of_a_float32_bank():
    X, added = embeddings(40), embeddings(10, seed=1).astype(float) + 1e-9
    grown = fit(X).partial_fit(added)
    assert (grown.score_samples(added) == 0).all()


def test_kneighbors_counts_the_added_clips_behind_those_of_fit():
    X = embeddings(30)
    X[3] = np.nan
    with pytest.warns(UserWarning, match="1 of 20 clips"):
        detector = fit(X[:20])
    added = X[20:].copy()
    added[0] = np.nan
    with pytest.warns(UserWarning, match="1 of 10 clips"):
        detector.partial_fit(added)
    assert detector.kneighbors(X[21:], 1)[1].ravel().tolist() == list(range(21, 30))
    detector.partial_fit(X[20:21])
    assert detector.kneighbors(X[20:21], 1)[1].tolist() == [[30]]


def test_clips_labelled_anomalous_are_not_added():
    X = embeddings(40)
    with pytest.warns(UserWarning, match="anomal"):
        detector = fit(X[:38]).partial_fit(X[38:], [1, -1])
    assert (detector.score_samples(X[38:]) == 0).tolist() == [True, False]


def test_the_first_partial_fit_is_a_fit_and_the_next_fit_begins_anew():
    X, new = embeddings(40), embeddings(10, seed=1)
    detector = NearestNeighborsDetector().partial_fit(X)
    assert detector.offset_ == fit(X).offset_
    detector.partial_fit(new).fit(X)
    np.testing.assert_array_equal(detector.score_samples(new), fit(X).score_samples(new))
    assert detector.n_samples_fit_ == 40
    assert detector.kneighbors(X[:1], 1)[1].tolist() == [[0]]


@pytest.mark.parametrize(
    ("detector", "params", "reason"),
    [
        (NearestNeighborsDetector(normalization="ratio"), {}, "normalization='ratio' divides distances"),
        (NearestNeighborsDetector(coreset_size=0.5), {}, "coreset_size=0.5 chooses the rows"),
        (NearestNeighborsDetector(), {"domains": [0, 1] * 20}, "every domain has a bank of its own"),
        (BandMemoryDetector(normalization="ratio"), {}, "normalization='ratio' divides distances"),
    ],
)
def test_settings_that_need_all_clips_at_once_have_no_partial_fit(detector, params, reason):
    X = embeddings(40)
    detector = clone(detector).fit(X, **params)
    detector.set_params(normalization=None)  # waits for the next fit
    with pytest.raises(AttributeError) as caught:
        detector.partial_fit(X)
    assert reason in str(caught.value.__cause__)
    assert "Call fit with all clips" in str(caught.value.__cause__)


@pytest.mark.parametrize(
    ("added", "message"),
    [
        (embeddings(3, n_features=7), "7 features"),
        (sequences((5, 6), n_features=8), "fitted on one embedding a clip"),
        (np.full((2, 8), 1e30, np.float32), "too large for their squares"),
        (np.full((2, 8), np.inf, np.float32), "infinity"),
        (np.full((2, 8), np.nan, np.float32), "none of the 2 clips could be read"),
    ],
)
def test_bad_clips_are_refused_and_leave_the_detector_as_it_was(added, message):
    detector, new = fit(embeddings(40)), embeddings(10, seed=1)
    before = detector.score_samples(new)
    with pytest.raises(ValueError, match=message):
        detector.partial_fit(added)
    np.testing.assert_array_equal(detector.score_samples(new), before)
    assert detector.n_samples_fit_ == 40


@pytest.mark.parametrize("offset", [0, 1e4])
def test_every_band_grows_as_if_all_clips_had_been_there_from_the_start(metric, offset):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(50, 4, 3, 5)).astype(np.float32) + np.float32(offset)
    grown = BandMemoryDetector(metric=metric).fit(X[:25]).partial_fit(X[25:40])
    whole = BandMemoryDetector(metric=metric).fit(X[:40])
    np.testing.assert_array_equal(grown.score_bands(X[40:]), whole.score_bands(X[40:]))
    assert grown.n_samples_fit_ == 40
