import numpy as np
import pytest
from sklearn.exceptions import NotFittedError

from skaudio_ad import AudioLoader, MelTransformer, TemporalPooling


def mean(x):
    return [sum(row) / len(row) for row in x]


def std(x):
    return [np.sqrt(sum((v - sum(row) / len(row)) ** 2 for v in row) / len(row)) for row in x]


def percentile(q):
    def interpolate(row):
        position = q / 100 * (len(row) - 1)
        below = int(np.floor(position))
        above = min(below + 1, len(row) - 1)
        row = sorted(row)
        return row[below] + (position - below) * (row[above] - row[below])

    return lambda x: [interpolate(row) for row in x]


def gem(p):
    return lambda x: [(sum(max(v, 1e-6) ** p for v in row) / len(row)) ** (1 / p) for row in x]


def rdp(gamma):
    def pool(x):
        frames = [[row[t] for row in x] for t in range(len(x[0]))]
        centre = mean(x)
        distances = [np.sqrt(sum((a - b) ** 2 for a, b in zip(frame, centre))) for frame in frames]
        weights = [(1 + d / max(distances)) ** gamma for d in distances]
        return [sum(w * v for w, v in zip(weights, row)) / sum(weights) for row in x]

    return pool


FORMULAS = {
    "mean": mean,
    "std": std,
    "min": lambda x: [min(row) for row in x],
    "max": lambda x: [max(row) for row in x],
    "percentile_0": percentile(0),
    "percentile_95": percentile(95),
    "percentile_12.5": percentile(12.5),
    "gem": gem(3.0),
    "rdp": rdp(20.0),
    "flatten": lambda x: [v for row in x for v in row],
}


@pytest.fixture
def X(rng):
    return rng.standard_normal((4, 3, 9)) + 1


@pytest.mark.parametrize("statistic", FORMULAS)
def test_a_statistic_follows_its_formula(X, statistic):
    pooled = TemporalPooling(statistic).fit_transform(X)
    assert pooled.dtype == np.float32
    np.testing.assert_allclose(pooled, [FORMULAS[statistic](x.tolist()) for x in X], rtol=1e-5)


@pytest.mark.parametrize("p", [1.0, 2.5, 8.0])
def test_the_generalised_mean_uses_its_exponent(X, p):
    expected = [gem(p)(x.tolist()) for x in X]
    np.testing.assert_allclose(TemporalPooling("gem", gem_p=p).fit_transform(X), expected, rtol=1e-5)


def test_the_generalised_mean_of_a_high_exponent_is_the_maximum():
    X = np.array([[[1.0, 80.0, 3.0]]])
    np.testing.assert_allclose(TemporalPooling("gem", gem_p=2000.0).fit_transform(X), [[80.0]], rtol=1e-3)


@pytest.mark.parametrize("gamma", [1.0, 16.0])
def test_relative_deviation_pooling_uses_its_exponent(X, gamma):
    expected = [rdp(gamma)(x.tolist()) for x in X]
    np.testing.assert_allclose(TemporalPooling("rdp", rdp_gamma=gamma).fit_transform(X), expected, rtol=1e-5)


def test_relative_deviation_pooling_without_weight_or_deviation_is_the_mean(X):
    np.testing.assert_allclose(
        TemporalPooling("rdp", rdp_gamma=0).fit_transform(X), X.mean(axis=2), rtol=1e-5
    )
    alike = np.repeat(X[:, :, :1], 5, axis=2)
    np.testing.assert_allclose(TemporalPooling("rdp").fit_transform(alike), X[:, :, 0], rtol=1e-5)


def test_statistics_stand_side_by_side_in_the_order_of_their_names(X):
    pooling = TemporalPooling(("max", "percentile_95", "mean"))
    pooled = pooling.fit_transform(X)
    expected = [[*FORMULAS["max"](x), *percentile(95)(x.tolist()), *mean(x)] for x in X]
    np.testing.assert_allclose(pooled, expected, rtol=1e-5)
    assert pooling.get_feature_names_out().tolist() == [
        f"x{b}_{statistic}" for statistic in ("max", "percentile_95", "mean") for b in range(3)
    ]


def test_flattened_frames_are_named_by_bin_and_frame():
    pooling = TemporalPooling(("flatten", "min")).fit(np.zeros((2, 2, 3)))
    assert pooling.n_frames_ == 3
    assert pooling.get_feature_names_out(["low", "high"]).tolist() == [
        "low_frame0", "low_frame1", "low_frame2", "high_frame0", "high_frame1", "high_frame2", "low_min", "high_min",
    ]  # fmt: skip
    with pytest.raises(ValueError, match="input_features must name 2 bins, got 3 names"):
        pooling.get_feature_names_out(["a", "b", "c"])


def test_a_data_frame_has_the_names_of_the_statistics(X):
    pytest.importorskip("pandas")
    frame = TemporalPooling().set_output(transform="pandas").fit_transform(X)
    assert frame.columns.tolist() == ["x0_mean", "x1_mean", "x2_mean", "x0_std", "x1_std", "x2_std"]
    np.testing.assert_allclose(frame["x1_std"], [std(x)[1] for x in X.tolist()], rtol=1e-5)


def test_the_column_names_of_a_data_frame_are_used(rng):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(rng.standard_normal((4, 2)), columns=["low", "high"])
    pooling = TemporalPooling(("mean", "max")).fit(frame)
    assert pooling.get_feature_names_out().tolist() == ["low_mean", "high_mean", "low_max", "high_max"]


def test_feature_vectors_are_clips_of_one_frame(rng):
    X = rng.standard_normal((4, 3)).astype(np.float32)
    pooled = TemporalPooling(("mean", "std", "flatten")).fit_transform(X)
    np.testing.assert_array_equal(pooled, np.concatenate([X, 0 * X, X], axis=1))


ALL = ("mean", "std", "min", "max", "percentile_90", "gem", "rdp")


def test_a_clip_is_pooled_to_the_same_bits_alone_in_a_batch_in_a_list_and_lazily(rng):
    waves = rng.standard_normal((5, 16000)).astype(np.float32)
    spectrograms = MelTransformer().fit_transform(waves)
    pooling = TemporalPooling(ALL)
    batch = pooling.fit_transform(spectrograms)
    np.testing.assert_array_equal(pooling.transform(spectrograms[::-1])[::-1], batch)
    np.testing.assert_array_equal(pooling.transform(list(spectrograms)), batch)
    np.testing.assert_array_equal(pooling.transform(MelTransformer(lazy=True).fit_transform(waves)), batch)
    for i in range(5):
        np.testing.assert_array_equal(pooling.transform(spectrograms[i : i + 1])[0], batch[i])


def test_clips_of_different_lengths_are_pooled_to_one_length(X):
    clips = [X[0], X[1, :, :5], X[2, :, :1]]
    pooled = TemporalPooling(("mean", "std")).fit_transform(clips)
    np.testing.assert_allclose(pooled, [[*mean(x), *std(x)] for x in clips], rtol=1e-5, atol=1e-7)


def test_a_missing_clip_is_a_row_of_nan(X):
    X[2] = np.nan
    for clips in (X, list(X), [X[0], X[1], np.full((3, 1), np.nan), X[3]]):
        pooled = TemporalPooling((*ALL, "flatten")).fit_transform(clips)
        assert np.isnan(pooled).all(axis=1).tolist() == [False, False, True, False]
        assert np.isnan(pooled).any(axis=1).tolist() == [False, False, True, False]


def test_the_number_of_frames_for_flatten_comes_from_a_readable_clip(write_wavs):
    paths = ["missing.wav", *write_wavs([16000, 16000])]
    spectrograms = MelTransformer(n_mels=4, lazy=True).fit_transform(
        AudioLoader(on_error="skip").fit_transform(paths)
    )
    with pytest.warns(UserWarning, match=r"left out missing\.wav"):
        pooling = TemporalPooling("flatten").fit(spectrograms)
    assert pooling.n_frames_ == 32
    pooled = pooling.transform(spectrograms)
    assert pooled.shape == (3, 128)
    assert np.isnan(pooled).all(axis=1).tolist() == [True, False, False]


@pytest.mark.parametrize("kind", [np.array, list])
def test_flattening_clips_of_another_length_raises_an_error_that_says_how_to_fix_it(X, kind):
    pooling = TemporalPooling("flatten").fit(X)
    with pytest.raises(ValueError, match=r"one length: 9 frames in fit, now 8\. Give AudioLoader a duration"):
        pooling.transform(kind(list(X[:, :, :8])))
    with pytest.raises(ValueError, match="9 frames in fit, now 5"):
        TemporalPooling("flatten").fit_transform([X[0], X[1, :, :5]])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"statistics": "median"}, "statistics must be among mean, std, min, .*percentile_<q>, got 'median'"),
        ({"statistics": ()}, "statistics must name at least one statistic"),
        ({"statistics": ("mean", 3)}, "got 3"),
        ({"gem_p": 0}, r"gem_p must lie in \(0, inf\), got 0"),
        ({"rdp_gamma": -1}, r"rdp_gamma must lie in \[0, inf\], got -1"),
    ],
)
def test_a_parameter_out_of_range_is_refused_in_fit(settings, message):
    with pytest.raises(ValueError, match=message):
        TemporalPooling(**settings).fit(np.zeros((2, 3, 4)))


def test_a_percentile_beyond_100_is_refused_in_fit():
    with pytest.raises(
        ValueError, match=r"the percentile of 'percentile_101' must lie in \[0, 100\], got 101"
    ):
        TemporalPooling("percentile_101").fit(np.zeros((2, 3, 4)))


def test_pooling_before_fit_is_refused():
    with pytest.raises(NotFittedError, match="TemporalPooling instance is not fitted yet"):
        TemporalPooling().transform(np.zeros((2, 3, 4)))
