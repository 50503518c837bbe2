"""The sequence autoencoder against a recurrent network written out in NumPy."""

import numpy as np
import pytest

from skaudio_ad import SequenceAutoencoderDetector
from tests.networks.test_recurrent import reconstructed
from tests.training.sanity import overfit_one_batch


def spectrograms(n_clips=8, n_bins=4, n_frames=12, seed=0):
    return np.random.default_rng(seed).normal(size=(n_clips, n_bins, n_frames)).astype(np.float32)


def detector(**settings):
    defaults = {"window_length": 5, "hidden_size": 8, "max_epochs": 3, "random_state": 0, "device": "cpu"}
    return SequenceAutoencoderDetector(**{**defaults, **settings})


def windows_of(clip, length=5):
    """Windows of a spectrogram (n_bins, n_frames), written out: (n_windows, length, n_bins)."""
    return np.stack([clip[:, i : i + length].T for i in range(clip.shape[1] - length + 1)])


def errors_of(model, clip):
    windows = windows_of(clip)
    return np.mean((reconstructed(model.module_, model.cell, windows) - windows) ** 2, axis=(1, 2))


@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize("n_layers", [1, 2])
@pytest.mark.parametrize(
    ("time_pooling", "pool"),
    [("mean", np.mean), ("max", np.max), ("quantile", lambda errors: np.quantile(errors, 0.95))],
)
def test_a_score_is_minus_the_pooled_mean_squared_error_of_the_windows(cell, n_layers, time_pooling, pool):
    X = spectrograms(4)
    model = detector(cell=cell, n_layers=n_layers, time_pooling=time_pooling).fit(X)
    errors = [errors_of(model, clip) for clip in X]
    np.testing.assert_allclose(model.score_frames(X), np.negative(errors), rtol=1e-5)
    np.testing.assert_allclose(model.score_samples(X), [-pool(e) for e in errors], rtol=1e-5)
    assert model.score_samples(X).dtype == np.float64


def test_313_frames_are_304_windows_of_10():
    X = spectrograms(3, 2, 313)
    model = SequenceAutoencoderDetector(hidden_size=4, max_epochs=1, device="cpu").fit(X)
    assert model.score_frames(X).shape == (3, 304)
    # frames 0 to 9 and 303 to 312
    assert model.window_centers(304)[[0, -1]].tolist() == [4.5, 307.5]


def test_a_reconstructed_frame_is_the_mean_over_the_windows_that_cover_it():
    X = spectrograms(2, n_frames=9)
    model = detector().fit(X)
    made = model.reconstruct(X)
    assert made.shape == X.shape
    for clip, result in zip(X, made):
        windows = reconstructed(model.module_, "gru", windows_of(clip))
        for frame in range(9):
            covering = [windows[start, frame - start] for start in range(5) if 0 <= frame - start < 5]
            np.testing.assert_allclose(result[:, frame], np.mean(covering, axis=0), rtol=1e-4, atol=1e-6)
    ragged = model.reconstruct([X[0], X[1][:, :6]])
    assert [r.shape for r in ragged] == [(4, 9), (4, 6)]
    np.testing.assert_array_equal(ragged[0], made[0])


def test_a_moment_of_fault_lowers_the_windows_that_hear_it():
    steps = np.random.default_rng(0).integers(0, 6, size=(12, 1))
    rising = ((np.arange(40) + steps) % 6 - 2.5)[:, np.newaxis].repeat(4, axis=1).astype(np.float32)
    model = detector(hidden_size=16, max_epochs=20, learning_rate=1e-2).fit(rising)
    clip = rising[:1].copy()
    clip[0, :3, 20] += 4
    scores = model.score_frames(clip)[0]
    # The windows that start at frames 16 to 20 hold frame 20.
    assert sorted(np.argsort(scores)[:5].tolist()) == [16, 17, 18, 19, 20]
    np.testing.assert_array_equal(
        np.delete(scores, range(16, 21)), np.delete(model.score_frames(rising[:1])[0], range(16, 21))
    )


def test_curves_are_reconstructed_as_curves():
    X = spectrograms(8, 1, 12)[:, 0]
    model = detector().fit(X)
    expected = reconstructed(model.module_, "gru", windows_of(X[0][np.newaxis]))[0, 0]
    np.testing.assert_allclose(model.reconstruct(X)[0, 0], expected[0], rtol=1e-4)
    assert model.reconstruct(X).shape == X.shape


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_one_batch_is_learnt_by_heart(cell):
    X = spectrograms(2, n_frames=6)
    overfit_one_batch(detector(cell=cell, hidden_size=48, learning_rate=1e-2), X, max_epochs=200)


def test_the_defaults_are_those_of_the_published_detector():
    parameters = SequenceAutoencoderDetector().get_params()
    published = {"window_length": 10, "cell": "gru", "n_layers": 2, "hidden_size": 256}
    published |= {"max_epochs": 10, "batch_size": 64, "learning_rate": 1e-3}
    assert {name: parameters[name] for name in published} == published


@pytest.mark.parametrize("value", [0, 2.5])
def test_a_window_length_out_of_range_is_named(value):
    with pytest.raises((ValueError, TypeError), match=rf"^window_length must .*got {value}\.$"):
        detector(window_length=value).fit(spectrograms())
