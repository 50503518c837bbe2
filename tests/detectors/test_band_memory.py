"""`BandMemoryDetector` against slow references, its contract, and its errors."""

import copy
import tracemalloc

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from sklearn.base import clone
from sklearn.pipeline import make_pipeline

from skaudio_ad import BandMemoryDetector, NearestNeighborsDetector, NormalOnly, ThresholdedDetector
from skaudio_ad._lazy import LazySequence

WITH_COPIES = pytest.mark.filterwarnings("ignore:.* training clips have a copy among the others")
POOLS = {
    "mean": lambda band: band.mean(axis=1),
    "max": lambda band: band.max(axis=1),
    "gem": lambda band: np.mean(np.maximum(band, 1e-6) ** 2.5, axis=1) ** (1 / 2.5),
    "rdp": lambda band: np.average(band, axis=1, weights=deviations(band)),
}


def deviations(band, gamma=16.0):
    distance = np.linalg.norm(band - band.mean(axis=1, keepdims=True), axis=0)
    return (1 + distance / distance.max()) ** gamma


def grids(n_clips=14, n_channels=6, n_bands=3, n_frames=5, seed=0):
    shape = n_clips, n_channels, n_bands, n_frames
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def ragged(n_clips=14, seed=0):
    return [grid[..., : 2 + index % 4] for index, grid in enumerate(grids(n_clips, seed=seed))]


def slow_distances(
    new, train, how="mean", metric="cosine", k=1, normalization=None, n_density=1, groups=None
):
    """Distances of the bands of new clips, (n_clips, n_bands), one clip and one band at a time."""
    made = np.empty((len(new), train[0].shape[1]))
    groups = np.arange(len(train)) if groups is None else groups
    for band in range(train[0].shape[1]):
        bank = np.array([POOLS[how](grid[:, band].astype(np.float64)) for grid in train])
        among = cdist(bank, bank, metric) / (2 if metric == "cosine" else 1)
        among[groups[:, np.newaxis] == groups] = np.inf
        density = np.sort(among, axis=1)[:, :n_density].mean(axis=1)
        for index, grid in enumerate(new):
            row = POOLS[how](grid[:, band].astype(np.float64))[np.newaxis]
            distances = cdist(row, bank, metric)[0] / (2 if metric == "cosine" else 1)
            if normalization == "ratio":
                distances = distances / density
            elif normalization == "difference":
                distances = distances - density
            made[index, band] = np.sort(distances)[:k].mean()
    return made


SETTINGS = [
    {},
    {"time_pooling": "max", "metric": "euclidean"},
    {"time_pooling": "gem", "gem_p": 2.5, "n_neighbors": 3},
    {"time_pooling": "rdp", "rdp_gamma": 16.0, "metric": "euclidean", "band_aggregate": "max"},
    {"normalization": "ratio"},
    {"normalization": "ratio", "metric": "euclidean", "normalization_neighbors": 3, "n_neighbors": 2},
    {"normalization": "difference", "normalization_neighbors": 2, "band_aggregate": "max"},
]
IDS = [" ".join(map(str, settings.values())) or "default" for settings in SETTINGS]


def reference(new, train, settings, groups=None):
    names = {"time_pooling": "how", "n_neighbors": "k", "normalization_neighbors": "n_density"}
    kept = {
        names.get(n, n): v for n, v in settings.items() if n not in ("band_aggregate", "gem_p", "rdp_gamma")
    }
    return slow_distances(new, train, groups=groups, **kept)


# Numbers


@pytest.mark.parametrize("settings", SETTINGS, ids=IDS)
def test_scores_of_bands_and_clips_equal_a_slow_reference(settings):
    train, new = ragged(), ragged(5, seed=1)
    detector = BandMemoryDetector(**settings).fit(train)
    expected = reference(new, train, settings)
    np.testing.assert_allclose(detector.score_bands(new), -expected, rtol=1e-6, atol=1e-7)
    pool = np.max if settings.get("band_aggregate") == "max" else np.mean
    np.testing.assert_allclose(detector.score_samples(new), -pool(expected, axis=1), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("grouped", [False, True], ids=["clips", "groups"])
@pytest.mark.parametrize("settings", SETTINGS, ids=IDS)
def test_held_out_scores_are_those_of_a_fit_without_the_clip_or_its_group(settings, grouped):
    train = grids()
    groups = np.array([7, 7, 2, 3, 3, 3, 2, 9, 9, 4, 5, 6, 8, 8]) if grouped else None
    members = np.arange(14) if groups is None else groups
    detector = BandMemoryDetector(**settings).fit(train, groups=groups)
    for index in range(14):
        others = members != members[index]
        alone = clone(detector).fit(train[others], groups=members[others])
        expected = alone.score_samples(train[[index]])[0]
        assert detector.held_out_scores_[index] == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_densities_leave_out_the_own_group():
    train, new, groups = grids(), grids(4, seed=1), np.arange(14) // 2
    settings = {"normalization": "ratio", "normalization_neighbors": 2}
    scores = BandMemoryDetector(**settings).fit(train, groups=groups).score_bands(new)
    np.testing.assert_allclose(scores, -reference(new, train, settings, groups), rtol=1e-6)
    assert np.abs(scores + reference(new, train, settings)).max() > 1e-3


def test_one_band_of_one_frame_is_the_nearest_neighbour_detector():
    X, new = grids()[:, :, 0, 0], grids(5, seed=1)[:, :, 0, 0]
    expected = NearestNeighborsDetector(2, metric="cosine").fit(X)
    for given, asked in ((X, new), (X[:, :, None, None], new[:, :, None, None])):
        detector = BandMemoryDetector(2).fit(given)
        np.testing.assert_allclose(detector.score_samples(asked), expected.score_samples(new), rtol=1e-6)
        np.testing.assert_allclose(detector.held_out_scores_, expected.held_out_scores_, rtol=1e-6)
        assert detector.offset_ == pytest.approx(expected.offset_, rel=1e-6)


def test_a_fault_in_one_band_shows_in_that_band():
    X = grids(40) + 3
    faulty = X[:1].copy()
    faulty[:, :3, 1] -= 6
    scores = BandMemoryDetector().fit(X[1:]).score_bands(faulty)
    assert scores.shape == (1, 3)
    assert scores.argmin() == 1


# Contract


@pytest.mark.parametrize("settings", [SETTINGS[3], SETTINGS[5]], ids=["plain", "ratio"])
def test_a_score_is_the_same_alone_in_any_order_and_from_any_container(settings):
    train, new = grids(), grids(9, seed=1)
    detector = BandMemoryDetector(**settings).fit(train)
    scores = detector.score_samples(new)
    np.testing.assert_array_equal([detector.score_samples(new[[i]])[0] for i in range(9)], scores)
    np.testing.assert_array_equal(detector.score_samples(new[::-1]), scores[::-1])
    np.testing.assert_array_equal(detector.score_samples(list(new)), scores)
    np.testing.assert_array_equal(detector.score_samples(LazySequence(new)), scores)
    for given in (list(train), LazySequence(train)):
        again = clone(detector).fit(given)
        np.testing.assert_array_equal(again.score_samples(new), scores)
        assert again.offset_ == detector.offset_


def test_parameters_set_after_a_fit_wait_for_the_next_one():
    X, new = np.abs(grids()), np.abs(grids(4, seed=1))
    other = {
        "n_neighbors": 3,
        "metric": "euclidean",
        "band_aggregate": "max",
        "time_pooling": "gem",
        "gem_p": 9.0,
        "rdp_gamma": 2.0,
        "normalization": "difference",
        "normalization_neighbors": 2,
        "contamination": 0.4,
    }
    detector = BandMemoryDetector(time_pooling="rdp", normalization="ratio").fit(X)
    assert set(other) == set(detector.get_params())
    scores, decisions = detector.score_samples(new), detector.predict(X)
    for name, value in other.items():
        detector.set_params(**{name: value})
        np.testing.assert_array_equal(copy.deepcopy(detector).score_samples(new), scores, err_msg=name)
    np.testing.assert_array_equal(detector.predict(X), decisions)
    assert (detector.fit(X).score_samples(new) != scores).all()


@pytest.mark.parametrize("kind", [np.array, list, LazySequence])
def test_missing_clips_and_labelled_anomalies_are_left_out_with_a_warning(kind):
    X, y = grids(20), np.ones(20, dtype=int)
    X[3], y[[5, 11]] = np.nan, -1
    normal = np.setdiff1d(np.arange(20), [3, 5, 11])
    detector = BandMemoryDetector()
    with (
        pytest.warns(UserWarning, match="without 2 of 20 clips, which y labels -1"),
        pytest.warns(UserWarning, match="without 1 of 18 clips, which could not be read"),
    ):
        decisions = detector.fit_predict(kind(X), y)
    expected = BandMemoryDetector().fit(X[normal])
    scores = detector.score_samples(kind(X))
    assert np.isnan(scores[3])
    assert np.isnan(detector.score_bands(kind(X))[3]).all()
    np.testing.assert_array_equal(scores[normal], expected.score_samples(X[normal]))
    np.testing.assert_array_equal(detector.held_out_scores_, expected.held_out_scores_)
    assert detector.predict(kind(X))[3] == decisions[3] == -1
    held_out = np.where(expected.held_out_scores_ >= expected.offset_, 1, -1)
    np.testing.assert_array_equal(decisions[normal], held_out)


def test_groups_of_labelled_anomalies_do_not_count_as_groups():
    X, y, groups = grids(12), np.ones(12, dtype=int), np.arange(12) // 2
    y[:2] = -1
    with pytest.warns(UserWarning, match="labels -1"):
        detector = BandMemoryDetector(normalization="ratio").fit(X, y, groups)
    expected = BandMemoryDetector(normalization="ratio").fit(X[2:], groups=groups[2:])
    np.testing.assert_array_equal(detector.held_out_scores_, expected.held_out_scores_)
    assert detector.offset_ == expected.offset_


def test_the_threshold_of_groups_counts_every_group_once():
    X, groups = grids(40), np.r_[np.zeros(20, dtype=int), np.arange(1, 21)]
    X[:20, :, :, :] += 0.1
    plain, grouped = BandMemoryDetector().fit(X), BandMemoryDetector().fit(X, groups=groups)
    assert grouped.offset_ != plain.offset_


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int16])
def test_floats_and_integers_are_taken(dtype):
    X = (100 * grids()).astype(dtype)
    detector = BandMemoryDetector().fit(X)
    expected = reference(X[:3] + 7, X, {})
    np.testing.assert_allclose(detector.score_bands(X[:3] + dtype(7)), -expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("settings", SETTINGS, ids=IDS)
def test_a_huge_clip_has_a_low_finite_score_and_is_anomalous(settings):
    X = grids(24).astype(np.float64) + 4
    new = X[:4].copy()
    new[1], new[2], new[3, 0] = -1e19, -1e30, -np.finfo(np.float64).max
    detector = BandMemoryDetector(**settings).fit(X)
    scores = detector.score_samples(new)
    assert np.isfinite(scores).all()
    assert detector.predict(new)[0] == 1
    if settings.get("metric") == "euclidean":
        assert (detector.predict(new)[1:] == -1).all()


def test_silent_clips_have_a_score():
    X = grids(20) + 2
    silent = np.zeros((1, 6, 3, 5), dtype=np.float32)
    for settings in SETTINGS:
        detector = BandMemoryDetector(**settings).fit(X)
        assert np.isfinite(detector.score_samples(silent)).all()
    assert BandMemoryDetector().fit(X).score_samples(silent)[0] == pytest.approx(-0.5, abs=1e-6)


@WITH_COPIES
def test_a_band_that_is_silent_in_training_is_normal_when_silent():
    X = grids(20) + 2
    X[:, :, 2] = 0
    for settings in SETTINGS:
        detector = BandMemoryDetector(**settings).fit(X)
        assert np.isfinite(detector.held_out_scores_).all()
        np.testing.assert_array_equal(detector.score_bands(X[:4])[:, 2], 0)


def test_copies_and_a_single_clip_are_warned_of():
    X = grids(10)
    for settings in ({}, {"normalization": "ratio"}, {"normalization": "difference"}):
        with pytest.warns(UserWarning, match="20 of 20 training clips have a copy"):
            BandMemoryDetector(**settings).fit(np.concatenate([X, X]))
    with pytest.warns(UserWarning, match="one training clip has no other"):
        detector = BandMemoryDetector().fit(X[:1])
    assert detector.predict(X).tolist() == [1] * 10
    assert detector.score_samples(X[:1])[0] == pytest.approx(0)


class Made(LazySequence):
    """Grids that are made when they are asked for, and counted."""

    def __init__(self, n_clips):
        super().__init__(np.arange(n_clips))
        self.asked = []

    def _source(self, index):
        self.asked.append(index)
        return np.random.default_rng(index).standard_normal((32, 4, 400), dtype=np.float32)


def test_a_lazy_corpus_is_computed_once_and_never_held():
    X = Made(40)
    tracemalloc.start()
    try:
        BandMemoryDetector().fit(X)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert sorted(X.asked) == list(range(40))
    assert peak < 40 * 32 * 4 * 400 * 4 / 3


def test_grids_from_a_pipeline_go_through_wrappers_and_routes():
    class Grids:
        def fit(self, X, y=None):
            return self

        def transform(self, X):
            return [grid * 2 for grid in X]

        def fit_transform(self, X, y=None):
            return self.transform(X)

    X, new = ragged(30), ragged(5, seed=1)
    pipeline = make_pipeline(Grids(), BandMemoryDetector()).fit(X)
    expected = BandMemoryDetector().fit(X)
    np.testing.assert_allclose(pipeline.score_samples(new), expected.score_samples(new), rtol=1e-6)
    for wrapper in (NormalOnly(BandMemoryDetector()), ThresholdedDetector(BandMemoryDetector(), cv=0.7)):
        assert wrapper.fit(X).score_samples(new).shape == (5,)


# Bad input


@pytest.mark.parametrize(
    ("new", "message"),
    [
        (
            grids(n_bands=4),
            r"X has 4 bands of 6 channels, but BandMemoryDetector expects 3 bands of 6 channels",
        ),
        (
            grids(n_channels=5),
            r"X has 3 bands of 5 channels, but BandMemoryDetector expects 3 bands of 6 channels",
        ),
        (list(grids(n_bands=1)), r"clip 0: has 1 band of 6 channels, but .* expects 3 bands"),
        (LazySequence(grids(n_bands=4)), r"clip 0: has 4 bands of 6 channels, but .* expects 3 bands"),
        (grids()[:, :, 0, 0], r"X has 1 band of 6 channels, but BandMemoryDetector expects 3 bands"),
        (grids()[:, :, 0], r'got X of shape \(14, 6, 5\)\. Give the embedding output="grid"'),
        (list(grids()[:, :, 0]), r'clip 0: has the shape \(6, 5\), but .* Give the embedding output="grid"'),
    ],
)
def test_clips_of_another_shape_than_in_fit_are_an_error_that_names_both(new, message):
    with pytest.raises(ValueError, match=message):
        BandMemoryDetector().fit(grids()).score_samples(new)


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (
            grids()[:, :, 0],
            r'BandMemoryDetector takes grids of embeddings, .*Give the embedding output="grid"',
        ),
        ([*grids(), grids(n_bands=2)[0]], "clip 14: has 2 bands of 6 channels, but .* expects 3 bands"),
        ([], "X has 0 samples"),
        (np.zeros((4, 6, 0, 5)), r"without any value: X has the shape \(4, 6, 0, 5\)"),
        ([np.zeros((6, 0, 5))], "clip 0: is empty"),
        (np.where(np.arange(5) == 3, np.nan, grids()), "contains NaN among numbers, first in clip 0"),
        ([np.full((6, 3, 5), np.inf)], "clip 0: contains NaN or infinity"),
        (np.full((4, 6, 3, 5), np.nan), "nothing to train on: none of the 4 clips could be read"),
        (1e30 * grids(), "StandardScaler"),
    ],
)
def test_training_clips_that_are_no_grids_are_an_error(X, message):
    with pytest.raises(ValueError, match=message):
        BandMemoryDetector(metric="euclidean").fit(X)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n_neighbors": 0}, "n_neighbors"),
        ({"metric": "manhattan"}, "metric must be one of"),
        ({"band_aggregate": "min"}, "band_aggregate must be one of"),
        ({"time_pooling": "quantile"}, "time_pooling must be one of"),
        ({"gem_p": 0}, "gem_p"),
        ({"rdp_gamma": -1}, "rdp_gamma"),
        ({"normalization": "varmin"}, "normalization must be one of"),
        ({"normalization_neighbors": 0}, "normalization_neighbors"),
        ({"contamination": 0.7}, "contamination"),
        ({"n_neighbors": 14}, "needs as many training clips beside those of any one clip.*got 13"),
        ({"normalization": "ratio", "normalization_neighbors": 13}, "of any two clips or groups.* got 12"),
    ],
)
def test_a_parameter_out_of_range_is_an_error_that_names_it(settings, message):
    with pytest.raises(ValueError, match=message):
        BandMemoryDetector(**settings).fit(grids())


def test_one_group_of_all_clips_and_two_groups_for_a_density_are_errors():
    with pytest.raises(ValueError, match=r"beside those of any one group.*Pass more groups"):
        BandMemoryDetector().fit(grids(), groups=np.zeros(14))
    with pytest.raises(ValueError, match="any two clips or groups"):
        BandMemoryDetector(normalization="ratio").fit(grids(), groups=np.arange(14) % 2)
