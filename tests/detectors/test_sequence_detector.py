"""Behaviour that both detectors around a recurrent network have in common."""

import copy
import pickle
import re

import numpy as np
import pytest
import torch
from scipy.stats import t as student_t
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from skaudio_ad import AudioClips, MelTransformer, SequenceAutoencoderDetector, SequencePredictorDetector
from skaudio_ad._lazy import LazySequence
from skaudio_ad.persistence import load_detector, save_detector

# Both detectors have windows of 5 frames.
KINDS = {
    "predictor": (SequencePredictorDetector, {"n_context_frames": 4}),
    "autoencoder": (SequenceAutoencoderDetector, {"window_length": 5}),
}


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


def spectrograms(n_clips=8, n_bins=4, n_frames=12, seed=0):
    return np.random.default_rng(seed).normal(size=(n_clips, n_bins, n_frames)).astype(np.float32)


def detector(kind, **settings):
    cls, window = KINDS[kind]
    defaults = {"hidden_size": 8, "max_epochs": 2, "random_state": 0, "device": "cpu"}
    return cls(**{**window, **defaults, **settings})


def whole(model, X):
    """Output of a model for whole clips."""
    return model.predict_frames(X) if hasattr(model, "predict_frames") else model.reconstruct(X)


def test_the_score_of_a_clip_is_the_same_bit_for_bit_in_any_company(kind):
    X = spectrograms(7, n_frames=40, seed=3)
    model = detector(kind).fit(spectrograms())
    scores = model.score_samples(X)
    np.testing.assert_array_equal([model.score_samples(X[i : i + 1])[0] for i in range(7)], scores)
    np.testing.assert_array_equal(model.score_samples(X[::-1])[::-1], scores)
    np.testing.assert_array_equal(model.score_samples([*X, X[0][:, :20]])[:7], scores)
    curves = detector(kind).fit(X[:, 0])
    scores = curves.score_samples(X[:, 0])
    np.testing.assert_array_equal([curves.score_samples(X[i : i + 1, 0])[0] for i in range(7)], scores)


def test_a_long_clip_is_scored_in_blocks_as_if_at_once_and_the_same_in_any_company(kind):
    model = detector(kind).fit(spectrograms())
    clip = spectrograms(1, n_frames=9000, seed=5)[0]
    scores = model.score_frames([clip])[0]
    assert scores.shape == (8996,)
    windows = np.lib.stride_tricks.sliding_window_view(clip, 5, axis=1).transpose(1, 2, 0)
    with torch.no_grad():
        made, target = model._compare(model.module_, torch.from_numpy(windows.copy()))
    np.testing.assert_allclose(scores, -(made - target).square().mean(dim=(1, 2)), rtol=1e-4)
    alone = model.score_samples([clip])[0]
    assert model.score_samples([spectrograms()[0], clip, clip[:, :100]])[1] == alone


def test_clips_of_different_lengths_train_and_score(kind):
    X = [clip[:, :n] for clip, n in zip(spectrograms(6, n_frames=30), (5, 30, 12, 8, 20, 6))]
    model = detector(kind).fit(X)
    assert [len(scores) for scores in model.score_frames(X)] == [1, 26, 8, 4, 16, 2]
    assert [made.shape for made in whole(model, X)] == [clip.shape for clip in X]
    np.testing.assert_allclose(
        [scores.mean() for scores in model.score_frames(X)], model.score_samples(X), rtol=1e-5
    )


def test_a_list_or_a_lazy_sequence_trains_and_scores_as_the_array_it_stands_for(kind):
    X = spectrograms()
    model = detector(kind).fit(X)
    for other in (list(X), LazySequence(X), X.astype(np.float64), np.asfortranarray(X)):
        again = detector(kind).fit(other)
        np.testing.assert_allclose(again.loss_curve_, model.loss_curve_, rtol=1e-5)
        np.testing.assert_allclose(again.score_samples(other), model.score_samples(X), rtol=1e-4)
        np.testing.assert_array_equal(model.score_samples(other), model.score_samples(X))
        np.testing.assert_array_equal(whole(model, other), whole(model, X))


def test_the_windows_trained_on_are_views_of_the_spectrograms(kind):
    X = spectrograms()
    model = detector(kind).fit(X)
    assert model._training_windows(X, torch.device("cpu")).windows.data_ptr() == X.ctypes.data


def test_a_curve_is_a_spectrogram_of_one_bin(kind):
    X = spectrograms(8, 1)
    curves, spectrogram = detector(kind).fit(X[:, 0]), detector(kind).fit(X)
    assert (curves.n_features_in_, spectrogram.n_features_in_) == (12, 1)
    np.testing.assert_array_equal(curves.score_samples(X[:, 0]), spectrogram.score_samples(X))
    np.testing.assert_array_equal(curves.score_frames(X[:, 0].tolist()), spectrogram.score_frames(X))
    np.testing.assert_array_equal(whole(curves, X[:, 0]), whole(spectrogram, X)[:, 0])
    assert curves.offset_ == spectrogram.offset_


@pytest.mark.parametrize("given", ["array", "list", "lazy", "curves"])
def test_a_clip_that_could_not_be_read_is_left_out_with_a_warning_and_never_called_normal(kind, given):
    X = spectrograms()[:, 0] if given == "curves" else spectrograms()
    rest = np.delete(X, 3, axis=0)
    X[3] = np.nan
    X = {"list": list, "lazy": LazySequence}.get(given, lambda array: array)(X)
    model = detector(kind)
    with pytest.warns(UserWarning, match="trained without 1 of 8 clips") as caught:
        model.fit(X)
    assert caught[0].filename == __file__
    assert model.n_samples_fit_ == 7
    np.testing.assert_allclose(
        np.delete(model.score_samples(X), 3), detector(kind).fit(rest).score_samples(rest), rtol=1e-4
    )
    assert np.flatnonzero(np.isnan(model.score_samples(X))).tolist() == [3]
    assert model.predict(X)[3] == -1
    assert np.isnan(model.score_frames(X)[3]).all()
    assert np.isnan(whole(model, X)[3]).all()


def test_a_clip_that_could_not_be_read_is_scored_nan_however_short_it_is(kind):
    placeholder = np.full((4, 1), np.nan, np.float32)
    model = detector(kind).fit(spectrograms())
    assert np.isnan(model.score_samples([placeholder, spectrograms()[0]])).tolist() == [True, False]


@pytest.mark.parametrize("given", ["array", "list", "lazy"])
def test_a_clip_shorter_than_a_window_is_named_with_the_way_out(kind, given):
    X = spectrograms(3, n_frames=3) if given == "array" else [*spectrograms(1), *spectrograms(1, n_frames=3)]
    X = LazySequence(X) if given == "lazy" else X
    short = 0 if given == "array" else 1
    model = detector(kind).fit(spectrograms())
    for method in (
        model.score_samples,
        model.score_frames,
        model.predict,
        lambda X: whole(model, X),
        model.fit,
    ):
        with pytest.raises(
            ValueError,
            match=rf"^clip {short}: has 3 frames, fewer than the 5 of one window; load longer clips",
        ):
            method(X)


def test_curves_shorter_than_a_window_are_refused_with_the_way_out(kind):
    with pytest.raises(
        ValueError,
        match=r"^n_features=3: every curve has 3 frames, fewer than the 5 of one window.*shorter windows",
    ):
        detector(kind).fit(spectrograms(n_frames=3)[:, 0])
    # A clip needs only one window.
    X = spectrograms(n_frames=5)[:, 0]
    assert detector(kind).fit(X).score_frames(X).shape == (8, 1)


@pytest.mark.parametrize("method", ["score_samples", "score_frames", "predict", "whole"])
def test_a_detector_scores_what_it_was_fitted_on_curves_or_spectrograms(kind, method):
    def use(model, X):
        return whole(model, X) if method == "whole" else getattr(model, method)(X)

    X = spectrograms(6, 12, 12)
    curves, spectrogram = detector(kind).fit(X[:, 0]), detector(kind).fit(X)
    with pytest.raises(
        ValueError, match=r"was fitted on curves, \(n_clips, n_frames\), but X has shape \(6, 4, 9\)"
    ):
        use(curves, X[:, :4, :9])
    for given in (list(X), LazySequence(X)):
        with pytest.raises(
            ValueError, match=r"was fitted on curves, .*, but X holds spectrograms: pass the same"
        ):
            use(curves, given)
    for given in (X[:, 0, :7], X[:, 0]):
        shape = re.escape(str(given.shape))
        with pytest.raises(ValueError, match=rf"was fitted on spectrograms, .*, but X has shape {shape}"):
            use(spectrogram, given)
    with pytest.raises(ValueError, match=r"was fitted on spectrograms, .*, but X has shape \(6, 12\)"):
        use(spectrogram, X[:, 0].tolist())


def test_other_bins_than_in_fit_are_refused(kind):
    model = detector(kind).fit(spectrograms())
    with pytest.raises(ValueError, match=r"X has 3 features, but Sequence\w+ is expecting 4"):
        model.score_samples(spectrograms(2, 3))
    with pytest.raises(ValueError, match=r"clip 1 has 3 bins, but Sequence\w+ expects 4"):
        model.score_samples([spectrograms()[0], spectrograms(1, 3)[0]])


def test_waveforms_are_refused_with_a_hint_to_the_features_that_are_missing(kind):
    with pytest.raises(
        ValueError, match=r"takes spectrograms.*\(1000,\): put a MelTransformer in front of it"
    ):
        detector(kind).fit(AudioClips(np.ones((4, 1000)), 16000))
    assert detector(kind).fit(MelTransformer(n_mels=4).transform(np.ones((4, 16000)))).n_features_in_ == 4


def test_a_nan_among_numbers_is_an_error_that_names_the_clip(kind):
    X = spectrograms()
    model = detector(kind).fit(X)
    X[3, 0, 1] = np.nan
    for method in (model.score_samples, model.fit):
        with pytest.raises(ValueError, match="NaN among numbers, first in clip 3"):
            method(X)


@pytest.mark.parametrize("X", [[], np.empty((0, 4, 12)), LazySequence([])])
def test_no_clip_is_an_error(kind, X):
    with pytest.raises(ValueError, match=r"0 samples?|no clips|0 sample\(s\)"):
        detector(kind).fit(X)


def test_one_training_clip_needs_to_hold_out_none(kind):
    with pytest.raises(ValueError, match=r"at least 2 clips are needed.*validation_fraction=0"):
        detector(kind).fit(spectrograms(1))
    model = detector(kind, validation_fraction=0).fit(spectrograms(1))
    assert model.offset_ == model.score_samples(spectrograms(1))[0]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("cell", "rnn"),
        ("n_layers", 0),
        ("hidden_size", 0),
        ("hidden_size", (64, 64)),
        ("time_pooling", "median"),
        ("time_quantile", 1.1),
        ("max_epochs", 0),
        ("batch_size", 0),
        ("learning_rate", 0.0),
        ("weight_decay", -1.0),
        ("early_stopping", "soon"),
        ("n_iter_no_change", 0),
        ("tol", -1e-3),
        ("validation_fraction", 1.0),
        ("contamination", 0.6),
        ("device", "tpu?"),
        ("deterministic", "yes"),
    ],
)
def test_a_parameter_out_of_range_is_named(kind, name, value):
    with pytest.raises((ValueError, TypeError), match=rf"^{name} must .*got {re.escape(repr(value))}\.$"):
        detector(kind, **{name: value}).fit(spectrograms())


def test_an_unfitted_detector_says_so(kind):
    for method in ("score_samples", "score_frames", "predict", "decision_function"):
        with pytest.raises(NotFittedError):
            getattr(detector(kind), method)(spectrograms())
    with pytest.raises(NotFittedError):
        whole(detector(kind), spectrograms())
    with pytest.raises(NotFittedError):
        detector(kind).window_centers(3)


def test_the_held_out_clips_set_the_threshold(kind):
    X = spectrograms(30)
    model = detector(kind, validation_fraction=0.2).fit(X)
    held_out = model.score_samples(X[model.held_out_indices_])
    np.testing.assert_array_equal(model.held_out_scores_, held_out)
    logarithms = np.log(-held_out)
    expected = logarithms.mean() + student_t(5).ppf(0.95) * logarithms.std(ddof=1) * np.sqrt(1 + 1 / 6)
    assert model.offset_ == pytest.approx(-np.exp(expected))
    np.testing.assert_allclose(min(model.validation_loss_curve_), -held_out.mean(), rtol=1e-4)


@pytest.mark.parametrize("deterministic", [False, True])
def test_the_same_seed_gives_the_same_scores_and_leaves_the_global_generators_alone(kind, deterministic):
    X = spectrograms()
    before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    scores = [
        detector(kind, random_state=seed, deterministic=deterministic).fit(X).score_samples(X)
        for seed in (0, 0, 1)
    ]
    assert torch.equal(torch.get_rng_state(), before[0])
    np.testing.assert_array_equal(np.random.get_state()[1], before[1])  # noqa: NPY002
    assert not torch.are_deterministic_algorithms_enabled()
    np.testing.assert_array_equal(scores[0], scores[1])
    assert (scores[0] != scores[2]).all()


@pytest.mark.parametrize("given", ["spectrograms", "curves"])
def test_copies_and_files_score_as_the_original_whatever_is_set_after_the_fit(kind, given, tmp_path):
    X = spectrograms() if given == "spectrograms" else spectrograms()[:, 0]
    model = detector(kind).fit(X)
    scores, frames, centers = model.score_samples(X), whole(model, X), model.window_centers(3)
    window = {"n_context_frames": 2, "n_predicted_frames": 2} if kind == "predictor" else {"window_length": 9}
    model.set_params(
        cell={"predictor": "gru", "autoencoder": "lstm"}[kind], n_layers=1, hidden_size=3, **window
    )
    save_detector(model, tmp_path / "detector.skops")
    loaded = load_detector(tmp_path / "detector.skops")
    for again in (model, pickle.loads(pickle.dumps(model)), copy.deepcopy(model), loaded):
        np.testing.assert_array_equal(again.score_samples(X), scores)
        np.testing.assert_array_equal(whole(again, X), frames)
        np.testing.assert_array_equal(again.window_centers(3), centers)
    refitted = clone(model).fit(X)
    assert next(refitted.module_.children()).hidden_size == 3
    assert refitted.window_length_ != model.window_length_


class StopAfter:
    """Callback that records the epochs and stops the training after some epochs."""

    def __init__(self, n_epochs):
        self.n_epochs, self.scores = n_epochs, []

    def setup(self, estimator, context):
        pass

    def teardown(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context):
        pass

    def on_fit_task_end(self, estimator, context, *, X=None, fitted_estimator=None):
        if context.task_name != "epoch":
            return False
        self.scores.append(fitted_estimator.score_samples(X))
        return len(self.scores) == self.n_epochs


@pytest.mark.parametrize("given", ["spectrograms", "curves"])
def test_a_callback_scores_after_every_epoch_and_can_end_the_training(kind, given):
    X = spectrograms() if given == "spectrograms" else spectrograms()[:, 0]
    callback = StopAfter(3)
    model = detector(kind, max_epochs=9).set_callbacks(callback).fit(X)
    assert (model.n_iter_, model.stopped_by_) == (3, "callback")
    shorter = detector(kind, max_epochs=1).fit(X)
    np.testing.assert_array_equal(callback.scores[0], shorter.score_samples(X))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize("deterministic", [False, True])
def test_a_gpu_trains_and_scores_as_the_cpu_does(kind, cell, deterministic):
    X = spectrograms(20, 12, 30)
    settings = {"cell": cell, "hidden_size": 32, "max_epochs": 10, "deterministic": deterministic}
    cpu = detector(kind, **settings).fit(X)
    gpu, again = (detector(kind, **{**settings, "device": "cuda"}).fit(X) for _ in range(2))
    assert next(gpu.module_.parameters()).is_cuda
    np.testing.assert_allclose(gpu.loss_curve_, cpu.loss_curve_, rtol=1e-4)
    np.testing.assert_allclose(gpu.score_samples(X), cpu.score_samples(X), rtol=1e-4)
    if deterministic:
        np.testing.assert_array_equal(again.score_samples(X), gpu.score_samples(X))
    moved = copy.deepcopy(gpu).set_params(device="cpu")
    np.testing.assert_allclose(moved.score_samples(X), gpu.score_samples(X), rtol=1e-4)
