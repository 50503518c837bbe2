"""`ShrinkageWhitener`: the inverse square root of the Ledoit-Wolf covariance, for any numbers of clips and features."""

import numpy as np
import pytest
from sklearn.covariance import ledoit_wolf, ledoit_wolf_shrinkage
from sklearn.exceptions import NotFittedError
from sklearn.preprocessing import StandardScaler

from skaudio_ad import MahalanobisDetector, ShrinkageWhitener
from skaudio_ad._lazy import LazySequence

SIZES = [(24, 60), (60, 24), (5, 3), (3, 7), (30, 30)]
each_size = pytest.mark.parametrize(("n_clips", "n_features"), SIZES)
NO_COVARIANCE = r"say nothing about the covariance: ShrinkageWhitener only standardises\. Pass more clips"


def clips(n_clips, n_features, seed=0):
    rng = np.random.default_rng(seed)
    return 5 + rng.normal(size=(n_clips, n_features)) @ rng.normal(size=(n_features, n_features))


@each_size
def test_whitened_clips_are_those_of_the_inverse_square_root_of_the_covariance(n_clips, n_features):
    X, new = clips(n_clips, n_features), clips(9, n_features, seed=1)
    scaler = StandardScaler().fit(X)
    values, vectors = np.linalg.eigh(ledoit_wolf(scaler.transform(X))[0])
    expected = scaler.transform(new) @ (vectors / np.sqrt(values)) @ vectors.T
    np.testing.assert_allclose(ShrinkageWhitener().fit(X).transform(new), expected, rtol=1e-8, atol=1e-10)


@each_size
def test_the_shrinkage_is_that_of_scikit_learn(n_clips, n_features):
    X = clips(n_clips, n_features)
    expected = ledoit_wolf_shrinkage(StandardScaler().fit_transform(X))
    assert ShrinkageWhitener().fit(X).shrinkage_ == pytest.approx(expected, abs=1e-12)


@each_size
def test_the_inverse_gives_the_clips_back(n_clips, n_features):
    X, new = clips(n_clips, n_features), clips(9, n_features, seed=1)
    whitener = ShrinkageWhitener().fit(X)
    np.testing.assert_allclose(whitener.inverse_transform(whitener.transform(new)), new, rtol=1e-9)


def test_components_and_variances_are_those_of_the_standardised_clips():
    X = clips(24, 60)
    whitener = ShrinkageWhitener().fit(X)
    Z = StandardScaler().fit_transform(X)
    assert whitener.n_components_ == 23
    assert whitener.components_.shape == (23, 60)
    np.testing.assert_allclose(whitener.components_ @ whitener.components_.T, np.eye(23), atol=1e-10)
    np.testing.assert_allclose((Z @ whitener.components_.T).var(axis=0), whitener.explained_variance_)
    assert (np.diff(whitener.explained_variance_) <= 0).all()
    assert whitener.noise_variance_ == pytest.approx(whitener.shrinkage_)  # the mean variance is 1


def test_distances_of_whitened_clips_are_mahalanobis_distances():
    X, new = clips(40, 60), clips(9, 60, seed=1)
    scaler = StandardScaler().fit(X)
    expected = -MahalanobisDetector().fit(scaler.transform(X)).score_samples(scaler.transform(new))
    whitened = ShrinkageWhitener().fit(X).transform(new)
    np.testing.assert_allclose(np.linalg.norm(whitened, axis=1), expected)


def test_float32_stays_float32_and_is_computed_in_float64():
    X = (clips(24, 60) + 1e5).astype(np.float32)
    whitened = ShrinkageWhitener().fit(X).transform(X)
    assert whitened.dtype == np.float32
    expected = ShrinkageWhitener().fit(X.astype(np.float64)).transform(X.astype(np.float64))
    np.testing.assert_allclose(whitened, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", [np.stack, list, LazySequence])
def test_sequences_are_whitened_frame_by_frame(kind):
    frames = clips(40, 6)
    X = list(frames.reshape(4, 10, 6).transpose(0, 2, 1))
    whitener = ShrinkageWhitener().fit(kind(X))
    made = whitener.transform(kind(X))
    expected = ShrinkageWhitener().fit(frames).transform(frames)
    np.testing.assert_allclose(np.concatenate([clip.T for clip in made]), expected, rtol=1e-9)
    back = whitener.inverse_transform(kind(list(made)))
    np.testing.assert_allclose(np.stack(list(back)), np.stack(X), rtol=1e-9)


def test_clips_that_could_not_be_read_are_left_out_and_stay_nan():
    X = clips(24, 60)
    broken = np.insert(X, 3, np.nan, axis=0)
    whitener = ShrinkageWhitener().fit(broken)
    assert whitener.n_samples_fit_ == 24
    np.testing.assert_array_equal(whitener.mean_, ShrinkageWhitener().fit(X).mean_)
    made = whitener.transform(broken)
    assert np.isnan(made[3]).all()
    np.testing.assert_allclose(np.delete(made, 3, axis=0), whitener.transform(X), rtol=1e-12)


def test_a_constant_feature_is_only_centred():
    X = clips(24, 4)
    X[:, 2] = 0.1
    whitener = ShrinkageWhitener().fit(X)
    assert whitener.scale_[2] == 1
    assert np.abs(whitener.transform(X)[:, 2]).max() < 1e-12
    assert np.isfinite(whitener.transform(X)).all()


@pytest.mark.parametrize("n_clips", [1, 2])
def test_one_or_two_clips_are_only_standardised_with_a_warning(n_clips):
    X = clips(n_clips, 5)
    with pytest.warns(UserWarning, match=rf"{n_clips} training row\(s\) .*{NO_COVARIANCE}"):
        whitener = ShrinkageWhitener().fit(X)
    assert whitener.shrinkage_ == 1
    new = clips(9, 5, seed=1)
    np.testing.assert_allclose(whitener.transform(new), StandardScaler().fit(X).transform(new))
    np.testing.assert_allclose(whitener.inverse_transform(whitener.transform(new)), new)


def test_copies_of_one_clip_are_only_centred_with_a_warning():
    X = np.repeat(clips(1, 5), 8, axis=0)
    with pytest.warns(UserWarning, match=rf"differ in 0 direction.*{NO_COVARIANCE}"):
        whitener = ShrinkageWhitener().fit(X)
    np.testing.assert_array_equal(whitener.transform(X + 1), np.ones_like(X))


def test_a_clip_gets_the_same_values_alone_and_in_a_batch():
    X = clips(24, 60).astype(np.float32)
    whitener = ShrinkageWhitener().fit(X)
    alone = np.concatenate([whitener.transform(row[np.newaxis]) for row in X])
    np.testing.assert_allclose(alone, whitener.transform(X), rtol=1e-5, atol=1e-5)


def test_a_far_clip_has_finite_values():
    whitener = ShrinkageWhitener().fit(clips(24, 6).astype(np.float32))
    far = np.full((1, 6), 3e38, dtype=np.float32)
    assert np.isfinite(whitener.transform(far)).all()
    assert np.isfinite(whitener.transform(far.astype(np.float64) * 1e260)).all()


def test_names_of_features_are_kept():
    pd = pytest.importorskip("pandas")
    table = pd.DataFrame(clips(24, 3), columns=["low", "mid", "high"])
    whitened = ShrinkageWhitener().set_output(transform="pandas").fit_transform(table)
    assert list(whitened.columns) == ["low", "mid", "high"]


def test_bad_input_raises_an_error_that_says_what_is_wrong():
    with pytest.raises(ValueError, match="nothing to learn from: every clip is NaN"):
        ShrinkageWhitener().fit(np.full((3, 4), np.nan))
    with pytest.raises(ValueError, match=r"values up to 1e\+200, too large to be squared"):
        ShrinkageWhitener().fit(np.array([[1e200, 1.0], [-1e200, 2.0], [0.0, 3.0]]))
    with pytest.raises(ValueError, match="NaN among numbers, first in clip 1"):
        ShrinkageWhitener().fit([[1.0, 2.0], [np.nan, 3.0]])
    with pytest.raises(NotFittedError):
        ShrinkageWhitener().transform(clips(3, 4))
