"""The autoencoder detector against a forward pass written out in NumPy."""

import copy
import itertools
import pickle
import re
import subprocess
import sys
import warnings

import numpy as np
import pytest
import torch
from scipy.stats import t as student_t
from sklearn.exceptions import NotFittedError
from sklearn.metrics import roc_auc_score

from skaudio_ad import AudioClips, AutoencoderDetector, MelTransformer
from skaudio_ad._lazy import LazySequence


def features(n_clips=60, n_features=8, seed=0):
    """Rows whose second half repeats the first."""
    X = np.random.default_rng(seed).normal(size=(n_clips, n_features)).astype(np.float32)
    X[:, n_features // 2 :] = X[:, : n_features // 2]
    return X


def spectrograms(n_clips=8, n_bins=4, n_frames=12, seed=0):
    return np.random.default_rng(seed).normal(size=(n_clips, n_bins, n_frames)).astype(np.float32)


def detector(**settings):
    defaults = {
        "hidden_sizes": (6,),
        "bottleneck_size": 3,
        "max_epochs": 3,
        "random_state": 0,
        "device": "cpu",
    }
    return AutoencoderDetector(**{**defaults, **settings})


@pytest.fixture(scope="module")
def fitted():
    """A detector of windows of 5 frames, whose running means and variances differ from 0 and 1."""
    return detector(max_epochs=20).fit(spectrograms())


def windows_of(clip, context=5):
    return np.stack([clip[:, i : i + context].T.ravel() for i in range(clip.shape[1] - context + 1)])


def forward(module, rows):
    """Compute the network in evaluation mode from its weights: every layer is linear, normalised and rectified."""
    state = {name: value.double().numpy() for name, value in module.state_dict().items()}
    x = rows.astype(np.float64)
    for part, n_parts in (("encoder", 6), ("decoder", 4)):
        for i in range(0, n_parts, 3):
            x = x @ state[f"{part}.{i}.weight"].T + state[f"{part}.{i}.bias"]
            if f"{part}.{i + 1}.running_mean" in state:
                norm = {name: state[f"{part}.{i + 1}.{name}"] for name in ("running_mean", "running_var")}
                x = (x - norm["running_mean"]) / np.sqrt(norm["running_var"] + 1e-3)
                x = np.maximum(x * state[f"{part}.{i + 1}.weight"] + state[f"{part}.{i + 1}.bias"], 0)
    return x


def errors_of(module, clip, context=5):
    rows = windows_of(clip, context)
    return np.mean((forward(module, rows) - rows) ** 2, axis=1)


def correlated(n_clips, seed, n_test=300):
    """Clips whose 24 features have three causes, new clips, and anomalies: clips with separately shuffled features."""
    rng = np.random.default_rng(seed)
    causes = rng.normal(size=(3, 24))
    train, new, shuffled = (rng.normal(size=(n, 3)) @ causes for n in (n_clips, n_test, n_test))
    return train, new, rng.permuted(shuffled, axis=0)


def training_mode_loss(model, windows):
    """Loss of rows for a copy of the network that normalises with the statistics of these rows."""
    rows = torch.from_numpy(windows.astype(np.float32))
    with torch.no_grad():
        return torch.nn.functional.mse_loss(copy.deepcopy(model.module_).train()(rows), rows).item()


@pytest.mark.parametrize(
    ("n_clips", "n_seeds", "auc"), [(30, 2, 0.85), (100, 2, 0.95), (300, 2, 0.97), (3000, 1, 0.99)]
)
def test_the_defaults_score_by_what_was_learnt_from_few_clips_and_from_many(n_clips, n_seeds, auc):
    aucs = []
    for seed in range(n_seeds):
        X, new, anomalies = correlated(n_clips, seed)
        model = AutoencoderDetector(device="cpu", random_state=seed).fit(X)
        train = np.delete(X, model.held_out_indices_, axis=0)
        loss = -model.score_samples(train).mean()
        assert loss == pytest.approx(training_mode_loss(model, train), rel=1e-3)
        assert loss < 0.1 * X.var()  # the mean of every feature has a loss of X.var()
        aucs.append(roc_auc_score(np.repeat([1, 0], len(new)), model.score_samples([*new, *anomalies])))
    assert np.mean(aucs) > auc


def test_ten_clips_of_26_windows_are_scored_by_what_was_learnt():
    rng = np.random.default_rng(0)
    X = np.einsum("nkt,kb->nbt", rng.normal(size=(10, 3, 30)), rng.normal(size=(3, 12))).astype(np.float32)
    model = AutoencoderDetector(device="cpu", random_state=0).fit(X)
    train = np.delete(X, model.held_out_indices_, axis=0)
    windows = np.concatenate([windows_of(clip) for clip in train])
    assert len(windows) == 8 * 26
    loss = -model.score_samples(train).mean()
    assert loss == pytest.approx(training_mode_loss(model, windows), rel=1e-3)
    assert loss < 0.85 * X.var()  # a window has 15 causes, the bottleneck 8 values
    assert model.n_iter_ > 11


@pytest.mark.parametrize(("n_clips", "batch_size"), [(20, 16), (64, 16), (100, 25), (1024, 256), (5000, 256)])
def test_by_default_a_batch_is_a_quarter_of_the_rows_within_bounds(n_clips, batch_size):
    X = np.random.default_rng(0).normal(size=(n_clips, 3))
    settings = {"max_epochs": 2, "validation_fraction": 0}
    auto, given = (detector(**settings, batch_size=size).fit(X).loss_curve_ for size in ("auto", batch_size))
    assert AutoencoderDetector().batch_size == "auto"
    assert auto == given
    assert auto != detector(**settings, batch_size=batch_size // 2).fit(X).loss_curve_


@pytest.mark.parametrize(
    ("settings", "pool"),
    [
        ({"time_pooling": "mean"}, np.mean),
        ({"time_pooling": "max"}, np.max),
        ({"time_pooling": "quantile"}, lambda errors: np.quantile(errors, 0.95)),
        ({"time_pooling": "quantile", "time_quantile": 0.25}, lambda errors: np.quantile(errors, 0.25)),
    ],
    ids=["mean", "max", "quantile 0.95", "quantile 0.25"],
)
def test_a_score_is_minus_the_pooled_mean_squared_error_of_the_windows(settings, pool):
    X = spectrograms()
    model = detector(**settings).fit(X)
    expected = [-pool(errors_of(model.module_, clip)) for clip in X]
    scores = model.score_samples(X)
    np.testing.assert_allclose(scores, expected, rtol=1e-5)
    assert scores.dtype == np.float64


def test_the_score_of_features_is_minus_their_mean_squared_error():
    X = features()
    model = detector().fit(X)
    expected = -np.mean((forward(model.module_, X) - X) ** 2, axis=1)
    np.testing.assert_allclose(model.score_samples(X), expected, rtol=1e-9)
    np.testing.assert_allclose(model.score_frames(X), expected[:, np.newaxis], rtol=1e-9)
    np.testing.assert_allclose(model.reconstruct(X), forward(model.module_, X), rtol=1e-4, atol=1e-6)


def test_score_frames_gives_every_window_and_its_mean_is_the_score(fitted):
    X = spectrograms(4, 4, 12, seed=1)
    frames = fitted.score_frames(X)
    assert frames.shape == (4, 8)
    np.testing.assert_allclose(frames, [-errors_of(fitted.module_, clip) for clip in X], rtol=1e-5)
    np.testing.assert_allclose(frames.mean(axis=1), fitted.score_samples(X), rtol=1e-6)


def test_window_centers_are_the_middles_of_the_windows_in_frames(fitted):
    # frames 0 to 4, 1 to 5 and 2 to 6
    assert fitted.window_centers(3).tolist() == [2, 3, 4]
    assert detector(context=4).fit(spectrograms()).window_centers(2).tolist() == [1.5, 2.5]
    assert detector().fit(features()).window_centers(1).tolist() == [0]


def test_a_reconstructed_frame_is_the_mean_over_the_windows_that_cover_it(fitted):
    X = spectrograms(2, 4, 9, seed=2)
    reconstructed = fitted.reconstruct(X)
    assert reconstructed.shape == X.shape
    for clip, result in zip(X, reconstructed):
        windows = forward(fitted.module_, windows_of(clip)).reshape(5, 5, 4)
        for frame in range(9):
            covering = [windows[start, frame - start] for start in range(5) if 0 <= frame - start < 5]
            np.testing.assert_allclose(result[:, frame], np.mean(covering, axis=0), rtol=1e-4, atol=1e-6)
    ragged = fitted.reconstruct([X[0], X[1][:, :6]])
    assert [r.shape for r in ragged] == [(4, 9), (4, 6)]
    np.testing.assert_array_equal(ragged[0], reconstructed[0])


def test_the_score_of_a_spectrogram_is_the_same_bit_for_bit_in_any_company(fitted):
    X = spectrograms(7, 4, 40, seed=3)
    scores = fitted.score_samples(X)
    np.testing.assert_array_equal([fitted.score_samples(X[i : i + 1])[0] for i in range(7)], scores)
    np.testing.assert_array_equal(fitted.score_samples(X[::-1])[::-1], scores)
    np.testing.assert_array_equal(fitted.score_samples([*X, X[0][:, :20]])[:7], scores)


@pytest.mark.parametrize("n_clips", [2, 33, 700])
def test_the_score_of_features_does_not_depend_on_the_rows_beside_it(n_clips):
    model = detector(hidden_sizes=(64, 32)).fit(features())
    X = features(n_clips, seed=4)
    scores = model.score_samples(X)
    some = range(0, n_clips, max(1, n_clips // 20))
    alone = [model.score_samples(X[i : i + 1])[0] for i in some]
    np.testing.assert_allclose(alone, scores[list(some)], rtol=1e-7)
    np.testing.assert_allclose(model.score_samples(X[::-1])[::-1], scores, rtol=1e-7)


def test_a_long_clip_is_scored_in_blocks_as_if_at_once():
    model = detector(max_epochs=1).fit(spectrograms())
    clip = spectrograms(1, 4, 9000, seed=5)[0]
    scores = model.score_frames([clip])[0]
    assert scores.shape == (8996,)
    np.testing.assert_allclose(scores, -errors_of(model.module_, clip), rtol=1e-4)


def test_clips_of_different_lengths_train_and_score():
    X = [clip[:, :n] for clip, n in zip(spectrograms(6, 4, 30), (5, 30, 12, 8, 20, 6))]
    model = detector(validation_fraction=0.2).fit(X)
    np.testing.assert_allclose(
        model.score_samples(X), [-errors_of(model.module_, clip).mean() for clip in X], rtol=1e-5
    )
    assert [len(scores) for scores in model.score_frames(X)] == [1, 26, 8, 4, 16, 2]


def test_a_lazy_sequence_trains_and_scores_as_the_array_it_stands_for():
    X = spectrograms()
    eager, lazy = detector().fit(X), detector().fit(LazySequence(X))
    np.testing.assert_array_equal(eager.score_samples(X), lazy.score_samples(LazySequence(X)))
    np.testing.assert_array_equal(eager.score_frames(X), eager.score_frames(LazySequence(X)))
    np.testing.assert_array_equal(eager.reconstruct(X), eager.reconstruct(LazySequence(X)))


def test_features_in_float64_or_as_lists_score_as_in_float32():
    X = features()
    expected = detector().fit(X).score_samples(X)
    for other in (X.astype(np.float64), X.tolist(), np.asfortranarray(X)):
        np.testing.assert_array_equal(detector().fit(other).score_samples(other), expected)


def test_a_faulty_clip_stands_out_for_a_trained_network_but_not_for_an_untrained_one():
    # Every single feature of the anomalies is normal. Only the rule that the halves agree is broken.
    normal, anomalous = features(100, 16, seed=1), features(100, 16, seed=2)
    anomalous[:, 8:] *= -1
    truth = np.repeat([0, 1], 100)
    aucs = []
    for settings in ({"max_epochs": 40, "learning_rate": 3e-3}, {"max_epochs": 1, "learning_rate": 1e-12}):
        model = detector(hidden_sizes=(64,), bottleneck_size=8, batch_size=32, **settings).fit(
            features(400, 16)
        )
        aucs.append(roc_auc_score(truth, -model.score_samples(np.concatenate([normal, anomalous]))))
    assert aucs[0] > 0.97
    assert aucs[1] < 0.65


def test_a_moment_of_fault_lowers_the_windows_that_hear_it():
    rng = np.random.default_rng(0)
    normal = np.repeat(rng.normal(size=(20, 1, 40)), 6, axis=1).astype(np.float32)  # all bins are equal
    model = detector(hidden_sizes=(32,), bottleneck_size=5, max_epochs=60, batch_size=32).fit(normal)
    clip = normal[:1].copy()
    clip[0, :3, 20] += 4
    scores = model.score_frames(clip)[0]
    # The windows that start at frames 16 to 20 hold frame 20.
    assert sorted(np.argsort(scores)[:5].tolist()) == [16, 17, 18, 19, 20]


def test_the_same_seed_gives_the_same_scores_and_another_seed_gives_others():
    X = spectrograms()
    scores = [detector(random_state=seed).fit(X).score_samples(X) for seed in (0, 0, 1)]
    np.testing.assert_array_equal(scores[0], scores[1])
    assert (scores[0] != scores[2]).all()
    state = [detector(random_state=np.random.RandomState(0)).fit(X).score_samples(X) for _ in range(2)]
    np.testing.assert_array_equal(state[0], scores[0])
    np.testing.assert_array_equal(state[0], state[1])


@pytest.mark.parametrize("position", [0, 3])
@pytest.mark.parametrize("kind", ["array", "list", "lazy", "features"])
def test_a_clip_that_could_not_be_read_is_left_out_with_a_warning_and_never_called_normal(kind, position):
    X = features() if kind == "features" else spectrograms()
    whole = np.delete(X, position, axis=0)
    X[position] = np.nan
    given = {"list": list, "lazy": LazySequence}.get(kind, lambda array: array)(X)
    model = detector()
    with pytest.warns(UserWarning, match=f"trained without 1 of {len(X)} clips") as caught:
        model.fit(given)
    assert caught[0].filename == __file__
    assert model.n_samples_fit_ == len(X) - 1
    np.testing.assert_array_equal(model.score_samples(whole), detector().fit(whole).score_samples(whole))
    assert np.flatnonzero(np.isnan(model.score_samples(given))).tolist() == [position]
    np.testing.assert_array_equal(np.delete(model.score_samples(given), position), model.score_samples(whole))
    assert np.isnan(model.decision_function(given)[position])
    assert model.predict(given)[position] == -1
    assert np.isnan(model.score_frames(given)[position]).all()
    assert np.isnan(model.reconstruct(given)[position]).all()


def test_a_clip_that_could_not_be_read_is_scored_nan_however_short_it_is(fitted):
    placeholder = np.full((4, 1), np.nan, np.float32)
    assert np.isnan(fitted.score_samples([placeholder])).all()
    assert fitted.predict([placeholder, spectrograms()[0]])[0] == -1


def test_the_held_out_clips_set_the_threshold_and_stop_the_training():
    X = features(200)
    model = detector(validation_fraction=0.2, max_epochs=10).fit(X)
    assert len(model.held_out_indices_) == 40
    held_out = model.score_samples(X[model.held_out_indices_])
    np.testing.assert_allclose(model.held_out_scores_, held_out, rtol=1e-7)
    # floor(0.05 * 41) = 2: the second smallest
    assert model.offset_ == sorted(model.held_out_scores_)[1]
    np.testing.assert_allclose(min(model.validation_loss_curve_), -held_out.mean(), rtol=1e-4)
    assert model.best_epoch_ == np.argmin(model.validation_loss_curve_)


def test_few_held_out_clips_give_the_lower_end_of_students_prediction_interval():
    model = detector(validation_fraction=0.1).fit(features(50))
    scores = model.held_out_scores_
    assert len(scores) == 5
    logarithms = np.log(-scores)
    expected = logarithms.mean() + student_t(4).ppf(0.95) * logarithms.std(ddof=1) * np.sqrt(1.2)
    assert model.offset_ == pytest.approx(-np.exp(expected))


@pytest.mark.parametrize("contamination", [0.1, 0.5])
def test_a_contamination_is_the_fraction_of_the_training_clips_called_anomalous(contamination):
    X = features(100)
    model = detector(contamination=contamination).fit(X)
    assert model.offset_ == pytest.approx(
        np.percentile(model.score_samples(X), 100 * contamination), rel=1e-9
    )
    assert np.mean(model.predict(X) == -1) == pytest.approx(contamination)


def test_labels_are_the_sign_of_the_decision_function(fitted):
    X = spectrograms(20, seed=6)
    scores = fitted.score_samples(X)
    np.testing.assert_array_equal(fitted.decision_function(X), scores - fitted.offset_)
    np.testing.assert_array_equal(fitted.predict(X), np.where(scores < fitted.offset_, -1, 1))


def test_without_held_out_clips_the_training_loss_and_scores_are_used():
    X = features(40)
    model = detector(validation_fraction=0, max_epochs=6).fit(X)
    assert model.validation_loss_curve_ == []
    assert (len(model.held_out_indices_), len(model.held_out_scores_)) == (0, 0)
    assert model.best_epoch_ == np.argmin(model.loss_curve_)
    assert model.offset_ == pytest.approx(sorted(model.score_samples(X))[1])


def test_patience_ends_a_training_that_no_longer_improves():
    model = detector(max_epochs=200, n_iter_no_change=3, tol=0.5).fit(features())
    assert model.stopped_by_ == "early_stopping"
    assert model.n_iter_ == len(model.loss_curve_) == len(model.validation_loss_curve_) < 100
    assert detector(max_epochs=5, early_stopping=None).fit(features()).stopped_by_ == "max_epochs"


def test_prechelt_ends_a_training_that_overfits():
    # Noise and a bottleneck of one value: the network soon overfits the 8 training clips, so the loss of the other 4
    # rises.
    X = np.random.default_rng(0).normal(size=(12, 30)).astype(np.float32)
    model = detector(
        hidden_sizes=(40,),
        bottleneck_size=1,
        activation="tanh",
        batch_norm=False,
        bottleneck_activation=False,
        early_stopping="prechelt",
        max_epochs=1000,
        learning_rate=1e-2,
        validation_fraction=0.3,
    ).fit(X)
    curve = model.validation_loss_curve_
    assert model.stopped_by_ == "early_stopping"
    assert curve[-1] > 1.3 * min(curve)
    strip = model.loss_curve_[-5:]
    assert np.mean(strip) < 1.1 * min(strip)
    np.testing.assert_allclose(-model.held_out_scores_.mean(), min(curve), rtol=1e-4)


@pytest.mark.parametrize("activation", ["relu", "selu", "tanh"])
def test_every_network_that_the_parameters_ask_for_is_built(activation):
    model = detector(
        activation=activation, batch_norm=False, bottleneck_activation=False, hidden_sizes=(7, 5)
    )
    model.fit(spectrograms())
    sizes = [
        (m.in_features, m.out_features) for m in model.module_.modules() if isinstance(m, torch.nn.Linear)
    ]
    assert sizes == [(20, 7), (7, 5), (5, 3), (3, 5), (5, 7), (7, 20)]
    names = {type(m).__name__.lower() for m in model.module_.modules()}
    assert activation in names
    assert "batchnorm1d" not in names


def test_the_dcase_preset_is_the_published_network():
    model = AutoencoderDetector.from_preset("dcase_baseline", max_epochs=1, random_state=0)
    assert (model.batch_size, model.learning_rate, model.early_stopping) == (256, 1e-3, None)
    assert AutoencoderDetector.from_preset("dcase_baseline").max_epochs == 100
    model.fit(spectrograms(4, 128, 8))
    widths = [640, 128, 128, 128, 128, 8, 128, 128, 128, 128, 640]
    sizes = [
        (m.in_features, m.out_features) for m in model.module_.modules() if isinstance(m, torch.nn.Linear)
    ]
    assert sizes == list(itertools.pairwise(widths))
    weights = sum(a * b + b for a, b in itertools.pairwise(widths)) + 2 * sum(widths[1:-1])
    assert sum(p.numel() for p in model.module_.parameters()) == weights == 267_928


def test_the_heart_and_lung_preset_is_the_published_network():
    model = AutoencoderDetector.from_preset("heart_lung", max_epochs=1, random_state=0).fit(features(20, 50))
    sizes = [
        (m.in_features, m.out_features) for m in model.module_.modules() if isinstance(m, torch.nn.Linear)
    ]
    assert sizes == [(50, 128), (128, 32), (32, 128), (128, 50)]
    assert [type(m).__name__ for m in model.module_.encoder] == ["Linear", "ReLU", "Linear"]
    # 70/15/15: of the 85 % of clips that are not test clips, 15 are held out.
    assert (
        len(
            AutoencoderDetector.from_preset("heart_lung")
            .set_params(max_epochs=1)
            .fit(features(85, 6))
            .held_out_indices_
        )
        == 15
    )


def test_an_unknown_preset_lists_the_known_ones():
    with pytest.raises(ValueError, match="name must be one of 'dcase_baseline', 'heart_lung', got 'dcase'"):
        AutoencoderDetector.from_preset("dcase")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("context", 0),
        ("context", 2.5),
        ("hidden_sizes", (8, 0)),
        ("hidden_sizes", 8),
        ("bottleneck_size", 0),
        ("activation", "gelu"),
        ("batch_norm", "no"),
        ("bottleneck_activation", None),
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
        ("contamination", 0.0),
        ("contamination", 0.6),
        ("contamination", "some"),
        ("device", "tpu?"),
    ],
)
def test_a_parameter_out_of_range_is_named(name, value):
    value_or_part = re.escape(repr(value[-1] if isinstance(value, tuple) else value))
    with pytest.raises((ValueError, TypeError), match=rf"^{name} must .*got {value_or_part}\.$"):
        detector(**{name: value}).fit(spectrograms())


def test_what_is_no_random_state_is_refused():
    with pytest.raises(ValueError, match="'lucky' cannot be used to seed"):
        detector(random_state="lucky").fit(features())


@pytest.mark.parametrize("kind", ["array", "list", "lazy"])
@pytest.mark.parametrize("method", ["score_samples", "score_frames", "reconstruct", "predict"])
def test_a_clip_shorter_than_a_window_is_named_with_the_way_out(fitted, kind, method):
    X = spectrograms(3, 4, 3) if kind == "array" else [*spectrograms(1), *spectrograms(1, 4, 3)]
    given = LazySequence(X) if kind == "lazy" else X
    short = 0 if kind == "array" else 1
    expected = rf"^clip {short}: has 3 frames, fewer than the 5 of one window; load longer clips"
    with pytest.raises(ValueError, match=expected):
        getattr(fitted, method)(given)


def test_training_on_a_clip_shorter_than_a_window_names_it_with_the_way_out():
    with pytest.raises(
        ValueError, match=r"^clip 2: has 4 frames, fewer than the 5 .*shorter windows or a smaller hop_length"
    ):
        detector().fit([*spectrograms(2), spectrograms()[0][:, :4], *spectrograms(2)])


def test_one_training_clip_needs_to_hold_out_none():
    with pytest.raises(ValueError, match=r"at least 2 clips are needed.*validation_fraction=0"):
        detector().fit(spectrograms(1))
    X = spectrograms(1, 4, 30)
    model = detector(validation_fraction=0).fit(X)
    assert model.offset_ == pytest.approx(-errors_of(model.module_, X[0]).mean(), rel=1e-5)


@pytest.mark.parametrize(
    ("X", "settings"),
    [(features(2), {}), (features(1), {"validation_fraction": 0}), (features(30), {"batch_size": 1})],
)
def test_batch_norm_of_a_single_row_is_refused_with_the_way_out(X, settings):
    with pytest.raises(
        ValueError, match=rf"batch_norm=True needs .*n_samples={len(X)}\..*set batch_norm=False"
    ):
        detector(**settings).fit(X)
    model = detector(**settings, batch_norm=False).fit(X)
    assert np.isfinite(model.score_samples(X)).all()


@pytest.mark.parametrize("X", [[], np.empty((0, 4)), np.empty((0, 4, 12)), LazySequence([])])
def test_no_clip_is_an_error(X):
    with pytest.raises(ValueError, match=r"0 samples?|no clips|0 sample\(s\)"):
        detector().fit(X)


@pytest.mark.parametrize("make", [features, spectrograms])
def test_a_nan_among_numbers_is_an_error_that_names_the_clip(make):
    X = make()
    X[3].flat[1] = np.nan
    with pytest.raises(ValueError, match="NaN among numbers, first in clip 3"):
        detector().fit(X)
    with pytest.raises(ValueError, match="NaN among numbers, first in clip 3"):
        detector().fit(make()).score_samples(X)


def test_a_detector_fitted_on_spectrograms_refuses_features(fitted):
    with pytest.raises(
        ValueError, match=r"fitted on spectrograms, windows of 5 frames, but X has shape \(6, 4\)"
    ):
        fitted.score_samples(features(6, 4))


def test_other_bins_than_in_fit_are_refused(fitted):
    with pytest.raises(
        ValueError, match=r"3 (bins|features), but AutoencoderDetector (is expecting|expects) 4"
    ):
        fitted.score_samples(spectrograms(2, 3))
    with pytest.raises(ValueError, match="clip 1 has 3 bins, but AutoencoderDetector expects 4"):
        fitted.score_samples([spectrograms()[0], spectrograms(1, 3)[0]])


def test_waveforms_are_refused_with_a_hint_to_the_features_that_are_missing():
    with pytest.raises(
        ValueError, match=r"takes spectrograms.*\(1000,\): put a MelTransformer in front of it"
    ):
        detector().fit(AudioClips(np.ones((4, 1000)), 16000))
    assert detector().fit(MelTransformer(n_mels=4).transform(np.ones((4, 16000)))).n_features_in_ == 4


def test_an_unfitted_detector_says_so():
    for method in ("score_samples", "score_frames", "reconstruct", "predict", "decision_function"):
        with pytest.raises(NotFittedError):
            getattr(detector(), method)(features())
    with pytest.raises(NotFittedError):
        detector().window_centers(3)


def test_a_fit_that_failed_leaves_no_detector_that_scores():
    X = features()
    model = detector().fit(X)
    with pytest.raises(ValueError, match="diverged"):
        model.set_params(learning_rate=1e30, max_epochs=30).fit(X[:, :6])
    with pytest.raises(NotFittedError):
        model.score_samples(X[:, :6])


def test_parameters_set_after_the_fit_do_not_break_copies_of_it():
    X = features()
    model = detector().fit(X)
    scores = model.score_samples(X)
    model.set_params(hidden_sizes=(9, 9), bottleneck_size=2, activation="tanh", batch_norm=False)
    for again in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        np.testing.assert_array_equal(again.score_samples(X), scores)
    refitted = model.fit(X)
    assert refitted.module_.encoder[0].out_features == 9


def test_labels_of_other_classes_are_ignored_by_the_training():
    X = features()
    given = detector().fit(X, np.where(np.arange(60) < 30, 1, 0))
    np.testing.assert_array_equal(given.score_samples(X), detector().fit(X).score_samples(X))


def test_scoring_leaves_the_network_and_the_input_as_they_were(fitted):
    X = spectrograms()
    given, state = X.copy(), copy.deepcopy(fitted.module_.state_dict())
    fitted.score_samples(given)
    fitted.score_frames(given)
    np.testing.assert_array_equal(given, X)
    for name, value in fitted.module_.state_dict().items():
        assert torch.equal(value, state[name])
    model = detector().fit(features())
    model.score_samples(features())
    assert {p.dtype for p in model.module_.parameters()} == {torch.float32}


def test_naming_the_detector_imports_no_torch():
    code = (
        "import sys, skaudio_ad\n"
        "assert not {'torch', 'librosa', 'matplotlib', 'sklearn'} & set(sys.modules)\n"
        "detector = skaudio_ad.AutoencoderDetector(max_epochs=3)\n"
        "assert detector.get_params()['max_epochs'] == 3\n"
        "assert not {'torch', 'librosa', 'matplotlib'} & set(sys.modules), 'heavy'\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, timeout=120)


def test_a_fit_warns_of_nothing():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        detector().fit(spectrograms()).predict(spectrograms())
