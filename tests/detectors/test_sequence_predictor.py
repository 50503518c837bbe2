"""The sequence predictor against a recurrent network written out in NumPy."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from skaudio_ad import AutoencoderDetector, SequencePredictorDetector
from tests.networks.test_recurrent import predicted
from tests.training.sanity import overfit_one_batch


def spectrograms(n_clips=8, n_bins=4, n_frames=12, seed=0):
    return np.random.default_rng(seed).normal(size=(n_clips, n_bins, n_frames)).astype(np.float32)


def detector(**settings):
    defaults = {"n_context_frames": 4, "hidden_size": 8, "max_epochs": 3, "random_state": 0, "device": "cpu"}
    return SequencePredictorDetector(**{**defaults, **settings})


def windows_of(clip, length):
    """Windows of a spectrogram (n_bins, n_frames), written out: (n_windows, length, n_bins)."""
    return np.stack([clip[:, i : i + length].T for i in range(clip.shape[1] - length + 1)])


def errors_of(model, clip, n_context_frames=4, n_predicted_frames=1):
    windows = windows_of(clip, n_context_frames + n_predicted_frames)
    made = predicted(model.module_, model.cell, windows[:, :n_context_frames], n_predicted_frames)
    return np.mean((made - windows[:, n_context_frames:]) ** 2, axis=(1, 2))


@pytest.fixture(scope="module")
def fitted():
    return detector(max_epochs=10).fit(spectrograms())


def tones(n_clips, n_frames=40, seed=0):
    """Eight bins that rise and fall in turn, with a period of twelve frames. Every clip begins at another phase."""
    start = np.random.default_rng(seed).uniform(0, 2 * np.pi, size=(n_clips, 1, 1))
    turn = np.arange(8)[:, np.newaxis] * np.pi / 4
    return np.sin(2 * np.pi * np.arange(n_frames) / 12 + turn + start).astype(np.float32)


@pytest.fixture(scope="module")
def foreseeing():
    """A predictor that is trained on the tones."""
    return detector(hidden_size=32, max_epochs=15, learning_rate=1e-2).fit(tones(30))


@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize("n_layers", [1, 2])
@pytest.mark.parametrize("n_predicted_frames", [1, 3])
def test_a_score_is_minus_the_mean_squared_error_of_the_frames_predicted(cell, n_layers, n_predicted_frames):
    X = spectrograms(4)
    model = detector(cell=cell, n_layers=n_layers, n_predicted_frames=n_predicted_frames).fit(X)
    expected = [-errors_of(model, clip, n_predicted_frames=n_predicted_frames) for clip in X]
    np.testing.assert_allclose(model.score_frames(X), expected, rtol=1e-5)
    np.testing.assert_allclose(model.score_samples(X), np.mean(expected, axis=1), rtol=1e-5)
    assert model.score_samples(X).dtype == np.float64


@pytest.mark.parametrize(
    ("settings", "pool"),
    [
        ({"time_pooling": "max"}, np.max),
        ({"time_pooling": "quantile"}, lambda errors: np.quantile(errors, 0.95)),
        ({"time_pooling": "quantile", "time_quantile": 0.25}, lambda errors: np.quantile(errors, 0.25)),
    ],
    ids=["max", "quantile 0.95", "quantile 0.25"],
)
def test_the_errors_of_a_clip_are_pooled_as_asked_for(settings, pool):
    X = spectrograms()
    model = detector(**settings).fit(X)
    np.testing.assert_allclose(
        model.score_samples(X), [-pool(errors_of(model, clip)) for clip in X], rtol=1e-5
    )


def test_313_frames_and_a_context_of_10_are_303_windows():
    X = spectrograms(3, 2, 313)
    model = SequencePredictorDetector(hidden_size=4, max_epochs=1, device="cpu").fit(X)
    assert model.score_frames(X).shape == (3, 303)
    assert model.window_length_ == 11
    # The first window predicts frame 10, and the last window predicts frame 312.
    assert model.window_centers(303)[[0, -1]].tolist() == [10, 312]


def test_window_centers_are_the_middles_of_the_frames_predicted():
    X = spectrograms()
    assert detector().fit(X).window_centers(3).tolist() == [4, 5, 6]
    # frames 4 to 6, 5 to 7; frames 4 and 5, 5 and 6
    assert detector(n_predicted_frames=3).fit(X).window_centers(2).tolist() == [5, 6]
    assert detector(n_predicted_frames=2).fit(X).window_centers(2).tolist() == [4.5, 5.5]


def test_a_frame_that_nothing_leads_to_lowers_the_window_whose_center_it_is(foreseeing):
    clip = tones(1, seed=1)
    before = foreseeing.score_frames(clip)[0]
    clip[0, :, 20] += 5
    scores = foreseeing.score_frames(clip)[0]
    centers = foreseeing.window_centers(len(scores))
    assert centers[np.argmin(scores)] == 20
    assert scores[centers == 20] < 10 * before.min()
    # Before it, nothing is to be heard yet; once it is out of the context, nothing any more.
    elsewhere = (centers < 20) | (centers > 24)
    np.testing.assert_array_equal(scores[elsewhere], before[elsewhere])


def test_a_sequence_out_of_order_is_noticed_where_every_frame_alone_is_as_ever(foreseeing):
    X = tones(20, seed=1)
    shuffled = np.stack([clip[:, np.random.default_rng(i).permutation(40)] for i, clip in enumerate(X)])
    truth = np.repeat([0, 1], 20)
    both = np.concatenate([X, shuffled])
    assert roc_auc_score(truth, -foreseeing.score_samples(both)) == 1
    frame_wise = AutoencoderDetector(
        context=1, hidden_sizes=(16,), bottleneck_size=2, max_epochs=20, random_state=0, device="cpu"
    ).fit(tones(30))
    scores = frame_wise.score_samples(both)
    np.testing.assert_allclose(scores[20:], scores[:20], rtol=1e-5)


def test_predicted_frames_stand_where_the_frames_are_that_they_predict(fitted):
    X = spectrograms(3, seed=1)
    frames = fitted.predict_frames(X)
    assert frames.shape == X.shape
    assert frames.dtype == np.float32
    assert np.isnan(frames[:, :, :4]).all()
    for clip, made in zip(X, frames):
        expected = predicted(fitted.module_, "lstm", windows_of(clip[:, :-1], 4))[:, 0].T
        np.testing.assert_allclose(made[:, 4:], expected, rtol=1e-4, atol=1e-6)
    errors = np.square(frames - X)[:, :, 4:].mean(axis=1)
    np.testing.assert_allclose(fitted.score_frames(X), -errors, rtol=1e-4)
    ragged = fitted.predict_frames([X[0], X[1][:, :5]])
    assert [made.shape for made in ragged] == [(4, 12), (4, 5)]
    np.testing.assert_array_equal(ragged[0], frames[0])


def test_a_frame_that_several_windows_predict_is_the_mean_of_what_they_say():
    X = spectrograms(2)
    model = detector(n_predicted_frames=3).fit(X)
    for clip, made in zip(X, model.predict_frames(X)):
        windows = predicted(model.module_, "lstm", windows_of(clip[:, :-3], 4), 3)
        assert np.isnan(made[:, :4]).all()
        for frame in range(4, 12):
            saying = [windows[i, frame - 4 - i] for i in range(6) if 0 <= frame - 4 - i < 3]
            np.testing.assert_allclose(made[:, frame], np.mean(saying, axis=0), rtol=1e-4, atol=1e-6)


def test_curves_are_predicted_from_what_went_before():
    X = tones(30)[:, 0]
    model = detector(hidden_size=32, max_epochs=12, learning_rate=1e-2).fit(X)
    made = model.predict_frames(X)
    assert made.shape == X.shape
    assert np.isnan(made[:, :4]).all()
    np.testing.assert_allclose(made[:, 4:], X[:, 4:], atol=0.2)
    assert model.score_frames(X).shape == (30, 36)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_one_batch_is_learnt_by_heart(cell):
    overfit_one_batch(
        detector(cell=cell, hidden_size=32, learning_rate=1e-2), spectrograms(2), max_epochs=200
    )


def test_the_defaults_are_those_of_the_published_detector():
    parameters = SequencePredictorDetector().get_params()
    published = {"n_context_frames": 10, "n_predicted_frames": 1, "cell": "lstm", "n_layers": 2}
    published |= {"hidden_size": 256, "max_epochs": 10, "batch_size": 32, "learning_rate": 1e-3}
    assert {name: parameters[name] for name in published} == published


@pytest.mark.parametrize(
    ("name", "value"), [("n_context_frames", 0), ("n_context_frames", 2.5), ("n_predicted_frames", 0)]
)
def test_a_parameter_out_of_range_is_named(name, value):
    with pytest.raises((ValueError, TypeError), match=rf"^{name} must .*got {value}\.$"):
        detector(**{name: value}).fit(spectrograms())


def test_a_context_as_long_as_the_clip_leaves_nothing_to_predict():
    with pytest.raises(ValueError, match=r"^clip 0: has 12 frames, fewer than the 13 of one window; load"):
        detector(n_context_frames=12).fit(spectrograms())
    assert detector(n_context_frames=11).fit(spectrograms()).score_frames(spectrograms()).shape == (8, 1)
