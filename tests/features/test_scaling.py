import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from skaudio_ad import ClipScaler, MelTransformer
from skaudio_ad._lazy import LazySequence

METHODS = ("minmax", "zscore")
STATISTICS = ("clip", "bin", "dataset")
each_method = pytest.mark.parametrize("method", METHODS)
each_statistics = pytest.mark.parametrize("statistics", STATISTICS)


@pytest.fixture
def X(rng):
    """Spectrograms whose clips and bins differ in level and range."""
    levels = np.arange(4)[:, None, None] * 10 + np.arange(3)[None, :, None] * 3
    return rng.standard_normal((4, 3, 7)) * (1 + levels) - levels


def scaled(values, reference, method, eps):
    if method == "minmax":
        return (values - reference.min()) / (reference.max() - reference.min() + eps)
    mean = reference.sum() / reference.size
    deviation = np.sqrt(((reference - mean) ** 2).sum() / (reference.size - 1))
    return (values - mean) / (deviation + eps)


def expected_of(X, train, method, statistics, eps):
    """Scale every clip by the formula. The statistics of "bin" and "dataset" come from `train`."""
    result = []
    for clip in X:
        if statistics == "clip":
            result.append(scaled(clip, clip, method, eps))
        elif statistics == "dataset":
            result.append(scaled(clip, np.concatenate([t.ravel() for t in train]), method, eps))
        else:
            rows = [np.concatenate([t[b] for t in train]) for b in range(len(clip))]
            result.append(np.stack([scaled(clip[b], rows[b], method, eps) for b in range(len(clip))]))
    return result


# --- formulas


@each_method
@each_statistics
@pytest.mark.parametrize("eps", [1e-8, 0.5])
def test_scaling_follows_the_formula(X, method, statistics, eps):
    train, test = X[:3], X[2:]
    got = ClipScaler(method, statistics, eps=eps).fit(train).transform(test)
    np.testing.assert_allclose(got, expected_of(test, train, method, statistics, eps), rtol=1e-10)


@each_method
@each_statistics
@pytest.mark.parametrize("kind", [list, LazySequence])
def test_clips_of_different_lengths_are_scaled_by_the_formula(X, method, statistics, kind):
    clips = [X[0], X[1, :, :3], X[2, :, 2:], X[3, :, :1]]
    got = ClipScaler(method, statistics, eps=0.1).fit(kind(clips)).transform(kind(clips))
    assert isinstance(got, kind)
    for item, expected in zip(got, expected_of(clips, clips, method, statistics, 0.1)):
        np.testing.assert_allclose(item, expected, rtol=1e-10)


def test_min_max_of_bins_equals_scikit_learn_for_features(rng):
    train, test = rng.standard_normal((20, 5)), rng.standard_normal((9, 5))
    got = ClipScaler("minmax", "bin", eps=0).fit(train).transform(test)
    np.testing.assert_allclose(got, MinMaxScaler().fit(train).transform(test), rtol=1e-10)


def test_z_score_of_bins_equals_scikit_learn_for_features_with_n_minus_1(rng):
    train, test = rng.standard_normal((20, 5)), rng.standard_normal((9, 5))
    got = ClipScaler("zscore", "bin", eps=0).fit(train).transform(test)
    np.testing.assert_allclose(
        got, StandardScaler().fit(train).transform(test) * np.sqrt(19 / 20), rtol=1e-10
    )


@each_method
@each_statistics
def test_features_with_one_row_per_clip_are_scaled_by_the_formula(rng, method, statistics):
    train, test = rng.standard_normal((20, 5)), rng.standard_normal((9, 5))
    got = ClipScaler(method, statistics, eps=0.1).fit(train).transform(test)
    expected = expected_of(test[:, :, None], train[:, :, None], method, statistics, 0.1)
    np.testing.assert_allclose(got, np.array(expected)[:, :, 0], rtol=1e-10)


def test_the_deviation_of_values_far_from_zero_is_exact(rng):
    X = (1e6 + rng.standard_normal((5, 2, 300))).astype(np.float32)
    scaler = ClipScaler("zscore", "bin").fit(X)
    rows = X.astype(np.float64).transpose(1, 0, 2).reshape(2, -1)
    np.testing.assert_allclose(scaler.scale_[:, 0], rows.std(axis=1, ddof=1), rtol=1e-9)
    np.testing.assert_allclose(scaler.center_[:, 0], rows.mean(axis=1), rtol=1e-12)


@each_method
@each_statistics
def test_a_constant_clip_becomes_zero(method, statistics):
    X = np.full((2, 3, 4), -7.5, dtype=np.float32)
    assert not ClipScaler(method, statistics).fit_transform(X).any()


@each_method
def test_a_clip_of_one_value_becomes_zero(method):
    assert ClipScaler(method).fit_transform(np.array([[3.0], [5.0]])).tolist() == [[0.0], [0.0]]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@each_statistics
def test_the_type_of_the_numbers_is_kept(X, dtype, statistics):
    assert ClipScaler("zscore", statistics).fit_transform(X.astype(dtype)).dtype == dtype


# --- statistics that are learnt


@each_method
@pytest.mark.parametrize("statistics", ["bin", "dataset"])
def test_clips_to_be_scored_never_change_the_statistics(X, method, statistics):
    scaler = ClipScaler(method, statistics).fit(X[:2])
    center, scale = scaler.center_.copy(), scaler.scale_.copy()
    alone = scaler.transform(X[2:3])
    beside_outliers = scaler.transform(np.concatenate([X[2:3], 1000 * X[3:]]))
    np.testing.assert_array_equal(beside_outliers[:1], alone)
    np.testing.assert_array_equal(scaler.center_, center)
    np.testing.assert_array_equal(scaler.scale_, scale)


@each_method
def test_the_statistics_of_a_clip_come_from_that_clip_alone(X, method):
    scaler = ClipScaler(method).fit(X[:1])
    np.testing.assert_array_equal(scaler.transform(X)[2], scaler.transform(X[2:3])[0])
    np.testing.assert_array_equal(scaler.transform([X[0], X[2]])[1], scaler.transform(X[2:3])[0])
    assert not hasattr(scaler, "center_")


@each_method
@each_statistics
@pytest.mark.parametrize("kind", [np.array, list, LazySequence])
def test_a_missing_clip_is_not_learnt_from_and_stays_missing(X, method, statistics, kind):
    with_missing = X.copy()
    with_missing[1] = np.nan
    got = ClipScaler(method, statistics).fit(kind(list(with_missing))).transform(kind(list(with_missing)))
    expected = ClipScaler(method, statistics).fit(X[[0, 2, 3]]).transform(X[[0, 2, 3]])
    assert np.isnan(got[1]).all()
    np.testing.assert_allclose([got[i] for i in (0, 2, 3)], expected, rtol=1e-12)


@each_method
def test_a_missing_row_of_features_is_not_learnt_from_and_stays_missing(rng, method):
    X = rng.standard_normal((6, 4))
    X[2] = np.nan
    got = ClipScaler(method, "bin").fit(X).transform(X)
    rest = np.delete(X, 2, axis=0)
    assert np.isnan(got[2]).all()
    np.testing.assert_allclose(np.delete(got, 2, axis=0), ClipScaler(method, "bin").fit_transform(rest))


@pytest.mark.parametrize("shape", [(3, 4), (3, 4, 5)])
def test_nothing_can_be_learnt_from_missing_clips_alone(shape):
    with pytest.raises(ValueError, match="nothing to learn from: every clip is NaN"):
        ClipScaler(statistics="bin").fit(np.full(shape, np.nan))


@each_statistics
def test_a_lazy_input_is_scaled_on_access(statistics, rng):
    waves = rng.standard_normal((4, 4000))
    computed = []

    def note(item):
        computed.append(len(item))
        return item

    scaler = ClipScaler("zscore", statistics).fit(MelTransformer(n_mels=8).fit_transform(waves))
    lazy = scaler.transform(MelTransformer(n_mels=8, lazy=True).fit_transform(waves).map(note))
    assert isinstance(lazy, LazySequence)
    n_before = len(computed)
    item = lazy[2]
    assert len(computed) == n_before + 1 <= 2
    np.testing.assert_allclose(
        item, scaler.transform(MelTransformer(n_mels=8).fit_transform(waves))[2], atol=1e-6
    )


# --- inverse


@each_method
@pytest.mark.parametrize("statistics", ["bin", "dataset"])
@pytest.mark.parametrize("kind", [np.array, list])
def test_the_inverse_restores_the_clips(X, method, statistics, kind):
    scaler = ClipScaler(method, statistics, eps=0.3).fit(X)
    back = scaler.inverse_transform(kind(list(scaler.transform(X))))
    np.testing.assert_allclose(np.array(back), X, rtol=1e-10)


@each_method
@pytest.mark.parametrize("kind", [np.array, list])
def test_the_inverse_of_scaling_by_clip_needs_the_statistics_of_every_clip(X, method, kind):
    clips = kind(list(X))
    scaler = ClipScaler(method, eps=0.3).fit(clips)
    own = scaler.clip_statistics(clips)
    reference = [
        (c.min(), c.max()) if method == "minmax" else (c.mean(), c.std(ddof=1)) for c in X.reshape(4, -1)
    ]
    np.testing.assert_allclose(own, reference, rtol=1e-10)
    back = scaler.inverse_transform(scaler.transform(clips), own)
    np.testing.assert_allclose(np.array(back), X, rtol=1e-10)
    with pytest.raises(ValueError, match="keeps no range of a clip: pass statistics="):
        scaler.inverse_transform(scaler.transform(clips))
    with pytest.raises(
        ValueError, match=r"statistics must have shape \(4, 2\), one row per clip, got \(3, 2\)"
    ):
        scaler.inverse_transform(scaler.transform(clips), own[:3])


def test_the_inverse_restores_lists_of_different_lengths(X):
    clips = [X[0], X[1, :, :3], X[2, :, 2:]]
    for statistics in STATISTICS:
        scaler = ClipScaler("zscore", statistics).fit(clips)
        own = scaler.clip_statistics(clips) if statistics == "clip" else None
        for back, clip in zip(scaler.inverse_transform(scaler.transform(clips), own), clips):
            np.testing.assert_allclose(back, clip, rtol=1e-10)


@pytest.mark.parametrize("statistics", ["bin", "dataset"])
def test_the_inverse_restores_rows_of_features(rng, statistics):
    X = rng.standard_normal((6, 4))
    scaler = ClipScaler("zscore", statistics).fit(X)
    np.testing.assert_allclose(scaler.inverse_transform(scaler.transform(X)), X, rtol=1e-10)


# --- special cases


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"method": "robust"}, "method must be one of 'minmax', 'zscore', got 'robust'"),
        ({"statistics": "batch"}, "statistics must be one of 'clip', 'bin', 'dataset', got 'batch'"),
        ({"eps": -1}, r"eps must lie in \[0, inf\], got -1"),
    ],
)
def test_a_parameter_out_of_range_is_refused_in_fit(settings, message):
    with pytest.raises(ValueError, match=message):
        ClipScaler(**settings).fit(np.zeros((2, 3)))


@each_statistics
def test_scaling_before_fit_is_refused(statistics):
    with pytest.raises(NotFittedError, match="ClipScaler instance is not fitted yet"):
        ClipScaler(statistics=statistics).transform(np.zeros((2, 3)))


def test_clips_with_other_bins_than_in_fit_are_refused(X):
    scaler = ClipScaler(statistics="bin").fit(X)
    with pytest.raises(ValueError, match="clip 0 has 2 bins, but ClipScaler expects 3"):
        scaler.transform([X[0, :2]])


def test_the_names_of_features_are_kept(rng):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(rng.standard_normal((4, 2)), columns=["low", "high"])
    scaled_frame = ClipScaler(statistics="bin").set_output(transform="pandas").fit_transform(frame)
    assert scaled_frame.columns.tolist() == ["low", "high"]
    assert scaled_frame.max().round(6).tolist() == [1.0, 1.0]
    assert ClipScaler().fit(frame.to_numpy()).get_feature_names_out().tolist() == ["x0", "x1"]
