"""The variational autoencoder detector against formulas, SciPy, and a forward pass written out in NumPy."""

import copy
import pickle
import random

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.spatial.distance import mahalanobis
from scipy.stats import spearmanr
from scipy.stats import t as student_t
from sklearn.base import clone
from sklearn.callback import ScoringMonitor
from sklearn.covariance import LedoitWolf
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from skaudio_ad import RLKLClassifier, VAEDetector
from skaudio_ad._lazy import LazySequence
from skaudio_ad.persistence import load_detector, save_detector
from skaudio_ad.training import EpochLogger
from tests.networks.test_vae import forward
from tests.training.sanity import overfit_one_batch

SCORES = ["elbo", "reconstruction", "kl", "mahalanobis"]


def spectrograms(n_clips=24, n_bins=8, n_frames=12, seed=0):
    """A hum around bin 2.5 whose loudness rises and falls, with a little noise."""
    rng = np.random.default_rng(seed)
    centre, level, phase = rng.uniform([[2], [0.4], [0]], [[3], [0.8], [6]], size=(3, n_clips))[
        ..., None, None
    ]
    bins, frames = np.arange(n_bins)[:, np.newaxis], np.arange(n_frames)
    hum = level * np.exp(-((bins - centre) ** 2) / 2) * (1 + 0.2 * np.sin(frames / 2 + phase))
    return (hum + rng.normal(0, 0.01, size=hum.shape)).astype(np.float32)


def features(n_clips=60, n_features=8, seed=0):
    """Rows whose second half repeats the first."""
    X = np.random.default_rng(seed).normal(size=(n_clips, n_features)).astype(np.float32)
    X[:, n_features // 2 :] = X[:, : n_features // 2]
    return X


def detector(**settings):
    defaults = {"filters": (4, 3), "strides": 2, "hidden_sizes": (6,), "latent_size": 3, "max_epochs": 3}
    return VAEDetector(**{**defaults, "random_state": 0, "device": "cpu", **settings})


@pytest.fixture(scope="module")
def fitted():
    """A detector of spectrograms, whose running means and variances differ from 0 and 1."""
    return detector(max_epochs=10, kernel_sizes=((3, 5), (2, 3)), strides=((2, 1), (1, 3))).fit(
        spectrograms()
    )


@pytest.fixture(scope="module")
def fitted_on_features():
    return detector(max_epochs=10).fit(features())


def expected_rl_kl(model, X):
    """Compute RL and KL of every clip by their formulas, from the weights of the network."""
    rows = []
    for clip in X:
        output, mean, log_variance = forward(model.module_, clip)
        kl = 0.5 * np.sum(np.exp(log_variance) - log_variance - 1 + mean**2)
        rows.append([np.mean((output - clip) ** 2), kl])
    return np.array(rows)


@pytest.mark.parametrize("make", [spectrograms, features])
def test_transform_gives_the_mean_squared_error_and_the_kl_divergence_of_every_clip(make, request):
    model = request.getfixturevalue("fitted" if make is spectrograms else "fitted_on_features")
    X = make(10, seed=1)
    rl_kl = model.transform(X)
    assert rl_kl.shape == (10, 2)
    assert rl_kl.dtype == np.float64
    np.testing.assert_allclose(rl_kl, expected_rl_kl(model, X), rtol=1e-4)
    np.testing.assert_array_equal(model.transform(X), rl_kl)


@pytest.mark.parametrize("make", [spectrograms, features])
def test_the_four_scores_are_what_they_are_named_for(make):
    X, scores = make(), {}
    for score_by in SCORES:
        model = detector(score_by=score_by, reconstruction_weight=700.0, kl_weight=0.3).fit(make(seed=1))
        scores[score_by] = model.score_samples(X)
        assert scores[score_by].dtype == np.float64
    rl, kl = expected_rl_kl(model, X).T
    np.testing.assert_allclose(scores["elbo"], -(700 * rl + 0.3 * kl), rtol=1e-4)
    np.testing.assert_allclose(scores["reconstruction"], -rl, rtol=1e-4)
    np.testing.assert_allclose(scores["kl"], -kl, rtol=1e-4)
    location, precision = model.rl_kl_location_, model.rl_kl_precision_
    expected = [-mahalanobis(point, location, precision) for point in model.transform(X)]
    np.testing.assert_allclose(scores["mahalanobis"], expected, rtol=1e-9)


def test_the_held_out_loss_is_both_terms_by_their_weights_at_the_mean_of_the_posterior():
    X = spectrograms(40)
    model = detector(reconstruction_weight=300.0, kl_weight=0.5, validation_fraction=0.25).fit(X)
    rl, kl = expected_rl_kl(model, X[model.held_out_indices_]).mean(axis=0)
    assert min(model.validation_loss_curve_) == pytest.approx(300 * rl + 0.5 * kl, rel=1e-4)
    assert model.best_epoch_ == np.argmin(model.validation_loss_curve_)
    np.testing.assert_array_equal(model.held_out_scores_, model.score_samples(X[model.held_out_indices_]))
    assert -model.held_out_scores_.mean() == pytest.approx(min(model.validation_loss_curve_), rel=1e-5)


def test_the_training_loss_is_that_of_samples_of_the_posterior():
    # A network that does not move: over many steps, the mean over the noise of what a sample costs. Linear layers
    # around a latent vector make that 0.5 * w * var(z) * |decoder|^2 more than what the mean costs.
    X = features(8)
    model = detector(
        hidden_sizes=(),
        batch_norm=False,
        validation_fraction=0,
        learning_rate=1e-30,
        reconstruction_weight=100.0,
        kl_weight=2.0,
        max_epochs=400,
        early_stopping=None,
    ).fit(X)
    rl, kl = expected_rl_kl(model, X).mean(axis=0)
    variances = np.mean([np.exp(forward(model.module_, row)[2]) for row in X], axis=0)
    decoder = model.module_.decoder[0].weight.detach().numpy()
    spread = np.sum(variances * np.mean(decoder**2, axis=0))
    assert spread > 0.3 * rl
    assert np.mean(model.loss_curve_) == pytest.approx(100 * (rl + spread) + 2 * kl, rel=0.02)
    assert len(set(model.loss_curve_)) > 390


def test_the_defaults_are_those_of_the_published_detector():
    settings = VAEDetector().get_params()
    assert settings["filters"] == (512, 256, 128, 64, 32)
    assert (settings["kernel_sizes"], settings["strides"]) == (3, (2, 2, 2, 2, 1))
    assert (settings["latent_size"], settings["reconstruction_weight"], settings["kl_weight"]) == (
        128,
        1e8 / 64,  # the published loss sums KL over its batches of 64
        1,
    )
    assert (settings["learning_rate"], settings["weight_decay"]) == (1e-2, 5e-4)
    assert (settings["max_epochs"], settings["batch_size"]) == (50, 64)
    assert settings["early_stopping"] == "prechelt"


def test_the_network_is_the_one_that_the_parameters_ask_for():
    model = detector(kernel_sizes=(5, (1, 3)), strides=((2, 1), 3), latent_size=7, batch_norm=False)
    model.set_params(output_activation="sigmoid").fit(spectrograms())
    convolutions = [m for m in model.module_.encoder if isinstance(m, torch.nn.Conv2d)]
    table = [(m.out_channels, m.kernel_size, m.stride) for m in convolutions]
    assert table == [(4, (5, 5), (2, 1)), (3, (1, 3), (3, 3))]
    assert model.encode(spectrograms(2)).shape == (2, 7)
    assert isinstance(model.module_.decoder[-2], torch.nn.Sigmoid)
    assert not any("BatchNorm" in type(m).__name__ for m in model.module_.modules())
    widths = detector(hidden_sizes=(5, 4)).fit(features()).module_.encoder
    assert [m.out_features for m in widths if isinstance(m, torch.nn.Linear)] == [5, 4]


@pytest.mark.parametrize("size", [(1, 1), (7, 3), (16, 31)])
def test_clips_of_any_size_train_and_come_back_in_their_size(size):
    X = np.random.default_rng(0).normal(size=(10, *size)).astype(np.float32)
    model = detector(max_epochs=1).fit(X)
    assert model.reconstruct(X).shape == X.shape
    assert model.score_frames(X).shape == (10, size[1])
    assert model.transform(X).shape == (10, 2)
    assert model.n_features_in_ == size[0]


def test_by_mahalanobis_a_held_out_clip_is_scored_from_the_others():
    X = spectrograms(40)
    model = detector(score_by="mahalanobis", validation_fraction=0.25).fit(X)
    points = model.transform(X)[model.held_out_indices_]
    assert len(points) == 10
    for i, score in enumerate(model.held_out_scores_):
        others = np.delete(points, i, axis=0)
        scale = others.std(axis=0)
        precision = LedoitWolf().fit(others / scale).precision_ / np.outer(scale, scale)
        assert score == pytest.approx(-mahalanobis(points[i], others.mean(axis=0), precision), rel=1e-9)
    np.testing.assert_allclose(model.rl_kl_location_, points.mean(axis=0), rtol=1e-12)
    assert (model.held_out_scores_ < model.score_samples(X[model.held_out_indices_])).mean() > 0.5


def test_rl_and_kl_count_alike_whatever_their_units():
    # Here RL is about 0.01 and KL about 10. The mean squared Mahalanobis distance of points from their own mean is
    # their number of dimensions.
    X = spectrograms(200, seed=1)
    model = detector(score_by="mahalanobis", validation_fraction=0.5, max_epochs=10, batch_size=8).fit(X)
    points = model.transform(X[model.held_out_indices_])
    squares = model.score_samples(X[model.held_out_indices_]) ** 2
    assert squares.mean() == pytest.approx(2, rel=0.1)
    assert np.ptp(points, axis=0)[1] > 100 * np.ptp(points, axis=0)[0]


@pytest.mark.parametrize("n_held_out", [0, 1, 2, 3])
def test_with_few_held_out_clips_the_normal_region_is_that_of_all_training_clips(n_held_out):
    X = spectrograms(20)
    model = detector(score_by="mahalanobis", validation_fraction=n_held_out / 20).fit(X)
    assert len(model.held_out_scores_) == len(model.held_out_indices_) == n_held_out
    taken = X[model.held_out_indices_] if n_held_out == 3 else X
    np.testing.assert_allclose(model.rl_kl_location_, model.transform(taken).mean(axis=0), rtol=1e-12)
    assert np.isfinite(model.held_out_scores_).all()
    assert np.isfinite(model.offset_)
    if n_held_out == 0:
        # floor(0.05 * 21) = 1: the smallest
        assert model.offset_ == min(model.score_samples(X))


def test_one_clip_without_a_held_out_one_trains():
    X = spectrograms(2)
    model = detector(batch_norm=False, validation_fraction=0, score_by="mahalanobis").fit(X[:1])
    assert model.score_samples(X[:1]).tolist() == [0.0]
    assert model.predict(X).tolist() == [1, -1]


def test_the_held_out_scores_set_the_threshold():
    model = detector(validation_fraction=0.5).fit(spectrograms(80))
    # floor(0.05 * 41) = 2: the second smallest
    assert model.offset_ == sorted(model.held_out_scores_)[1]
    few = detector(validation_fraction=0.25).fit(spectrograms(20))
    logarithms = np.log(-few.held_out_scores_)
    expected = logarithms.mean() + student_t(4).ppf(0.95) * logarithms.std(ddof=1) * np.sqrt(1.2)
    assert few.offset_ == pytest.approx(-np.exp(expected))


@pytest.mark.parametrize("score_by", SCORES)
def test_a_contamination_is_the_fraction_of_the_training_clips_called_anomalous(score_by):
    X = spectrograms(40)
    model = detector(contamination=0.25, score_by=score_by).fit(X)
    assert model.offset_ == pytest.approx(np.percentile(model.score_samples(X), 25))
    assert np.mean(model.predict(X) == -1) == 0.25


def test_labels_are_the_sign_of_the_decision_function(fitted):
    X = np.concatenate([spectrograms(10, seed=6), spectrograms(10, seed=7)[:, ::-1]])
    scores = fitted.score_samples(X)
    np.testing.assert_array_equal(fitted.decision_function(X), scores - fitted.offset_)
    np.testing.assert_array_equal(fitted.predict(X), np.where(scores < fitted.offset_, -1, 1))
    assert len(set(fitted.predict(X))) == 2


def test_the_columns_of_transform_have_names(fitted):
    X = spectrograms(5)
    assert fitted.get_feature_names_out().tolist() == ["RL", "KL"]
    named = copy.deepcopy(fitted).set_output(transform="pandas")
    frame = named.transform(X)
    assert frame.columns.tolist() == ["RL", "KL"]
    np.testing.assert_array_equal(frame.to_numpy(), fitted.transform(X))
    np.testing.assert_array_equal(named.score_samples(X), fitted.score_samples(X))
    index = [f"clip {i}" for i in range(60)]
    table = pd.DataFrame(features(), index=index, columns=list("abcdefgh"))
    model = detector().set_output(transform="pandas")
    assert model.fit_transform(table).index.tolist() == index
    assert model.feature_names_in_.tolist() == list("abcdefgh")


def labelled(seed=0, n_clips=60):
    """Every third clip is upside down."""
    X, y = spectrograms(n_clips, seed=seed), np.where(np.arange(n_clips) % 3 == 2, -1, 1)
    X[y == -1] = X[y == -1, ::-1]
    return X, y


def test_it_stands_before_a_classifier_which_gets_every_clip_while_it_trains_on_the_normal_ones():
    X, y = labelled()
    settings = {"max_epochs": 20, "batch_size": 8, "filters": (8, 4)}
    steps = detector(**settings), RLKLClassifier(max_epochs=200, learning_rate=1e-2, random_state=0)
    pipeline = make_pipeline(*steps).fit(X, y)
    alone = detector(**settings).fit(X[y == 1])
    np.testing.assert_array_equal(pipeline[0].transform(X), alone.transform(X))
    classifier = clone(steps[1]).fit(alone.transform(X), y)
    test, truth = labelled(seed=1)
    probabilities = pipeline.predict_proba(test)
    assert probabilities.shape == (60, 2)
    np.testing.assert_array_equal(probabilities, classifier.predict_proba(alone.transform(test)))
    assert np.mean(pipeline.predict(test) == truth) > 0.9


@pytest.mark.parametrize("kind", [np.array, list, LazySequence])
def test_clips_labelled_anomalous_are_not_trained_on(kind):
    X, y = labelled()
    model, normal = detector().fit(kind(X), y), detector().fit(X[y == 1])
    np.testing.assert_array_equal(model.transform(X), normal.transform(X))
    assert model.n_samples_fit_ == 40
    np.testing.assert_array_equal(model.held_out_indices_, normal.held_out_indices_)
    np.testing.assert_array_equal(model.held_out_scores_, normal.held_out_scores_)
    assert model.offset_ == normal.offset_


@pytest.mark.parametrize(
    "labels", [(1, 0), (1, 0, -1), (True, False), ("1", "-1"), ("dog", "rain"), (1.0, np.nan), (1,), (2, -1)]
)
def test_labels_other_than_1_and_minus_1_are_ignored(labels):
    X = spectrograms()
    y = np.resize(np.array(labels), 24)
    model, plain = detector().fit(X, y), detector().fit(X)
    assert model.n_samples_fit_ == 24
    np.testing.assert_array_equal(model.score_samples(X), plain.score_samples(X))


def test_missing_clips_and_clips_labelled_anomalous_are_both_left_out():
    X, y = labelled()
    X[[0, 2]] = np.nan
    with pytest.warns(UserWarning, match="without 2 of 60 clips"):
        model = detector().fit(X, y)
    keep = np.flatnonzero(y == 1)[1:]
    assert model.n_samples_fit_ == 39
    np.testing.assert_array_equal(
        model.score_samples(X[keep]), detector().fit(X[keep]).score_samples(X[keep])
    )


def test_reconstruct_is_decode_of_encode(fitted, fitted_on_features):
    X = spectrograms(6, seed=2)
    Z = fitted.encode(X)
    assert (Z.shape, Z.dtype, fitted.reconstruct(X).dtype) == ((6, 3), np.float32, np.float32)
    np.testing.assert_array_equal(fitted.decode(Z), fitted.reconstruct(X))
    for clip, latent, output in zip(X, Z, fitted.reconstruct(X)):
        expected, mean, _ = forward(fitted.module_, clip)
        np.testing.assert_allclose(latent, mean, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(output, expected, rtol=1e-4, atol=1e-5)
    X = features(6, seed=2)
    Z = fitted_on_features.encode(X)
    assert (Z.shape, fitted_on_features.reconstruct(X).shape) == ((6, 3), (6, 8))
    np.testing.assert_allclose(
        fitted_on_features.decode(Z), fitted_on_features.reconstruct(X), rtol=1e-4, atol=1e-6
    )


def test_samples_are_decoded_draws_of_the_prior_and_repeat_with_their_seed(fitted):
    drawn = np.random.RandomState(3).normal(size=(4, 3))
    sampled = fitted.sample(4, random_state=3)
    np.testing.assert_array_equal(sampled, fitted.decode(drawn))
    np.testing.assert_array_equal(fitted.sample(4, random_state=3), sampled)
    assert not np.isclose(fitted.sample(4, random_state=4), sampled).all()
    # None uses the seed of the detector, 0.
    np.testing.assert_array_equal(fitted.sample(2), fitted.sample(2, random_state=0))
    assert fitted.sample().shape == (1, 8, 12)
    assert len(np.unique(sampled.reshape(4, -1), axis=0)) == 4


def test_score_frames_is_minus_the_error_of_every_frame_and_its_mean_is_minus_rl(fitted, fitted_on_features):
    X = spectrograms(5, seed=3)
    frames = fitted.score_frames(X)
    expected = [-np.mean((forward(fitted.module_, clip)[0] - clip) ** 2, axis=0) for clip in X]
    np.testing.assert_allclose(frames, expected, rtol=1e-3, atol=1e-7)
    np.testing.assert_allclose(frames.mean(axis=1), -fitted.transform(X)[:, 0], rtol=1e-5)
    X[:, :, 7] += 3
    assert (fitted.score_frames(X).argmin(axis=1) == 7).all()
    assert fitted.window_centers(12).tolist() == list(range(12))
    X = features(5)
    np.testing.assert_array_equal(fitted_on_features.score_frames(X), -fitted_on_features.transform(X)[:, :1])
    assert fitted_on_features.window_centers(1).tolist() == [0]


@pytest.mark.parametrize("score_by", SCORES)
@pytest.mark.parametrize("method", ["score_samples", "transform", "encode", "reconstruct", "score_frames"])
def test_what_is_said_of_a_spectrogram_is_the_same_bit_for_bit_in_any_company(fitted, method, score_by):
    X = spectrograms(11, seed=3)
    model = copy.deepcopy(fitted)
    model._settings["score_by"] = score_by  # avoids one fit for every value
    say = getattr(model, method)
    together = say(X)
    np.testing.assert_array_equal(np.concatenate([say(X[i : i + 1]) for i in range(11)]), together)
    np.testing.assert_array_equal(say(X[::-1])[::-1], together)
    np.testing.assert_array_equal(say(X[2:7]), together[2:7])
    np.testing.assert_array_equal(say(list(X)), together)
    np.testing.assert_array_equal(say(LazySequence(X)), together)


@pytest.mark.parametrize("n_clips", [2, 33, 5000])
def test_what_is_said_of_features_does_not_depend_on_the_rows_beside_it(fitted_on_features, n_clips):
    X = features(n_clips, seed=4)
    some = np.r_[0:2, n_clips - 2 : n_clips]
    for method in ("score_samples", "transform", "score_frames", "encode", "reconstruct"):
        say = getattr(fitted_on_features, method)
        together = say(X)
        alone = np.concatenate([say(X[i : i + 1]) for i in some])
        tolerance = 1e-9 if together.dtype == np.float64 else 1e-6
        np.testing.assert_allclose(alone, together[some], rtol=tolerance)
        np.testing.assert_allclose(say(X[::-1])[::-1], together, rtol=tolerance)


@pytest.mark.parametrize("kind", [list, LazySequence])
def test_a_list_and_a_lazy_sequence_train_as_the_array_they_stand_for(kind):
    X = spectrograms()
    eager, other = detector().fit(X), detector().fit(kind(X))
    assert eager.loss_curve_ == other.loss_curve_
    np.testing.assert_array_equal(eager.score_samples(X), other.score_samples(kind(X)))


def test_a_collapsed_posterior_is_warned_about_with_the_remedy():
    X = spectrograms()
    with pytest.warns(UserWarning, match="posterior collapsed") as caught:
        model = detector(reconstruction_weight=1e-6, max_epochs=20, batch_size=8).fit(X)
    assert model.n_active_latents_ == 0
    assert model.transform(X)[:, 1].max() < 3 * 0.01
    message = str(caught[0].message)
    assert "Raise reconstruction_weight (now 1e-06) or lower kl_weight (now 1);" in message
    assert caught[0].filename == __file__
    assert len(caught) == 1


def test_a_normal_fit_warns_of_nothing_and_counts_its_active_latent_values():
    X = spectrograms()
    model = detector(max_epochs=20, validation_fraction=0).fit(X)
    each = [forward(model.module_, clip)[1:] for clip in X]
    kl = np.mean([0.5 * (np.exp(logvar) - logvar - 1 + mean**2) for mean, logvar in each], axis=0)
    assert model.n_active_latents_ == np.sum(kl > 0.01) == 3
    # With a medium weight, some latent values carry information and others do not.
    model = detector(max_epochs=60, validation_fraction=0, reconstruction_weight=500.0).fit(X)
    each = [forward(model.module_, clip)[1:] for clip in X]
    kl = np.mean([0.5 * (np.exp(logvar) - logvar - 1 + mean**2) for mean, logvar in each], axis=0)
    assert model.n_active_latents_ == np.sum(kl > 0.01)


def test_a_sweep_of_the_reconstruction_weight_lowers_rl_and_raises_kl():
    weights = np.logspace(0, 10, 4)
    search = GridSearchCV(
        detector(filters=(8, 4), max_epochs=20, batch_size=8, early_stopping=None),
        {"reconstruction_weight": weights},
        scoring=lambda estimator, X, y=None: dict(zip(["RL", "KL"], estimator.transform(X).mean(axis=0))),
        refit=False,
        cv=2,
    )
    with pytest.warns(UserWarning, match=r"collapsed.*Raise reconstruction_weight \(now 1\)"):
        search.fit(spectrograms(60))
    rl, kl = (search.cv_results_[f"mean_test_{name}"] for name in ("RL", "KL"))
    # As published: RL falls up to a weight of 1e5 and stays where it is beyond. A digit stands for its scatter there.
    assert spearmanr(weights, np.round(rl / rl[-1], 1)).statistic < -0.85
    assert spearmanr(weights, np.round(kl)).statistic > 0.85
    assert rl[0] > 1.5 * rl[2]


def test_an_anomalous_pattern_stands_out_for_a_trained_network_but_not_for_an_untrained_one():
    # The anomalies are upside down: they are as loud as the normal clips, and every frame is like the next frame.
    X = np.concatenate([spectrograms(60, seed=1), spectrograms(60, seed=2)[:, ::-1]])
    truth, aucs = np.repeat([0, 1], 60), []
    for settings in ({"max_epochs": 12}, {"max_epochs": 1, "learning_rate": 1e-12}):
        model = detector(filters=(8, 4), batch_size=16, **settings).fit(spectrograms(150))
        aucs.append(roc_auc_score(truth, -model.score_samples(X)))
    assert aucs[0] > 0.9
    assert aucs[1] < 0.7


def test_the_same_seed_gives_the_same_scores_and_another_seed_others():
    X = spectrograms()
    scores = [detector(random_state=seed).fit(X).score_samples(X) for seed in (0, 0, 1)]
    np.testing.assert_array_equal(scores[0], scores[1])
    assert (scores[0] != scores[2]).all()
    state = detector(random_state=np.random.RandomState(0)).fit(X).score_samples(X)
    np.testing.assert_array_equal(state, scores[0])
    exact = detector(deterministic=True).fit(X).score_samples(X)
    np.testing.assert_array_equal(exact, detector(deterministic=True).fit(X).score_samples(X))
    assert not torch.are_deterministic_algorithms_enabled()


def test_the_global_generators_are_left_as_they_were():
    def states():
        numpy_state = np.random.get_state()  # noqa: NPY002
        state = torch.get_rng_state().numpy().tolist()
        return state, numpy_state[1].tolist(), numpy_state[2], random.getstate()

    before = states()
    X = spectrograms()
    model = detector().fit(X)
    model.score_samples(X)
    model.sample(2)
    pickle.loads(pickle.dumps(model)).reconstruct(X)
    assert states() == before


def test_nothing_of_inference_mode_or_of_the_input_changes_outside():
    X = spectrograms()
    given, model = X.copy(), detector()
    seen = []

    class Watched(LazySequence):
        def __iter__(self):
            for clip in super().__iter__():
                seen.append(torch.is_inference_mode_enabled())
                yield clip

    model.fit(given).score_samples(Watched(given))
    assert seen == [False] * 24
    np.testing.assert_array_equal(given, X)
    state = copy.deepcopy(model.module_.state_dict())
    model.decode(model.encode(given))
    fresh = detector().fit(features())
    fresh.score_samples(features())
    assert {p.dtype for p in fresh.module_.parameters()} == {torch.float32}
    for name, value in model.module_.state_dict().items():
        assert torch.equal(value, state[name])


@pytest.mark.parametrize("make", [spectrograms, features])
def test_it_goes_through_pickle_copies_and_a_file_bit_for_bit(make, tmp_path):
    X = make()
    model = detector(score_by="mahalanobis", random_state=np.random.RandomState(0)).fit(X)
    scores, sampled = model.score_samples(X), model.sample(2, random_state=1)
    path = tmp_path / "vae.skops"
    save_detector(model, path)
    for again in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model), load_detector(path)):
        np.testing.assert_array_equal(again.score_samples(X), scores)
        np.testing.assert_array_equal(again.predict(X), model.predict(X))
        np.testing.assert_array_equal(again.sample(2, random_state=1), sampled)
        np.testing.assert_array_equal(again.score_frames(X), model.score_frames(X))
    assert not hasattr(clone(model), "module_")


def test_parameters_set_after_the_fit_do_not_break_copies_of_it():
    X = spectrograms()
    model = detector().fit(X)
    expected = model.transform(X)
    model.set_params(filters=(9,), kernel_sizes=2, strides=(1,), latent_size=5, batch_norm=False)
    model.set_params(output_activation="sigmoid", hidden_sizes=())
    for again in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        np.testing.assert_array_equal(again.transform(X), expected)
        assert again.sample(2, random_state=0).shape == (2, 8, 12)
    assert model.fit(X).encode(X).shape == (24, 5)


def test_a_second_fit_may_be_on_another_kind_of_input():
    model = detector().fit(spectrograms())
    model.fit(features())
    fresh = detector().fit(features())
    np.testing.assert_array_equal(model.score_samples(features()), fresh.score_samples(features()))
    model.fit(spectrograms())
    np.testing.assert_array_equal(
        model.score_samples(spectrograms()), detector().fit(spectrograms()).score_samples(spectrograms())
    )


class Keeper:
    """Callback that keeps the estimator of every epoch."""

    def __init__(self):
        self.estimators = []

    def setup(self, estimator, context):
        pass

    def teardown(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context):
        pass

    def on_fit_task_end(self, estimator, context, *, fitted_estimator=None):
        if context.task_name == "epoch":
            self.estimators.append(fitted_estimator)


@pytest.mark.parametrize("make", [spectrograms, features])
def test_callbacks_see_every_epoch_and_a_detector_that_scores(make):
    X, records, keeper = make(), [], Keeper()
    settings = {"score_by": "mahalanobis", "max_epochs": 3}
    model = detector(**settings).set_callbacks(EpochLogger(records.append), keeper).fit(X)
    assert [record["loss"] for record in records] == model.loss_curve_
    assert [record["validation_loss"] for record in records] == model.validation_loss_curve_
    for n_epochs, at_epoch in enumerate(keeper.estimators, start=1):
        shorter = detector(**{**settings, "max_epochs": n_epochs}).fit(X)
        assert shorter.best_epoch_ == n_epochs - 1
        np.testing.assert_array_equal(at_epoch.decision_function(X), shorter.decision_function(X))
        assert at_epoch.n_active_latents_ == shorter.n_active_latents_


@pytest.mark.parametrize("shape", [(8, 6), (4, 8, 10)], ids=["features", "spectrograms"])
def test_it_learns_one_batch_by_heart(shape):
    # The weight scales the loss, and the noise of the posterior adds least loss if KL has a small weight.
    X = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    settings = {"hidden_sizes": (32,), "filters": (16, 8), "latent_size": 16, "batch_norm": False}
    model = overfit_one_batch(detector(**settings, learning_rate=1e-2, kl_weight=0.0), X, max_epochs=150)
    assert np.mean((model.reconstruct(X) - X) ** 2) < 0.05 * np.mean(X**2)


# With the default weight, the gradients of KL are smaller than the rounding errors of those of RL. Rounding the
# features once changes the scores by 0.7 %.
TAME = {"max_epochs": 10, "filters": (8, 4), "reconstruction_weight": 100.0}


@pytest.mark.parametrize("make", [features, spectrograms])
def test_the_training_that_devices_are_compared_by_learns_and_does_not_amplify_rounding(make, rng):
    X = make(40)
    model = detector(**TAME).fit(X)
    assert model.loss_curve_[-1] < 0.9 * model.loss_curve_[0]
    assert 0 < model.transform(X).max() < 10
    rounded = (X * (1 + rng.uniform(-6e-8, 6e-8, X.shape))).astype(np.float32)
    assert (rounded != X).any()
    again = detector(**TAME).fit(rounded)
    np.testing.assert_allclose(again.transform(X), model.transform(X), rtol=1e-5)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("make", [features, spectrograms])
def test_a_gpu_trains_and_scores_as_the_cpu_does(make):
    X = make(40)
    cpu, gpu = (detector(**TAME, device=device).fit(X) for device in ("cpu", "cuda"))
    assert next(gpu.module_.parameters()).is_cuda
    np.testing.assert_allclose(gpu.loss_curve_, cpu.loss_curve_, rtol=1e-4)
    np.testing.assert_allclose(gpu.validation_loss_curve_, cpu.validation_loss_curve_, rtol=1e-4)
    np.testing.assert_allclose(gpu.transform(X), cpu.transform(X), rtol=1e-4)
    moved = copy.deepcopy(gpu).set_params(device="cpu")
    assert not next(moved.module_.parameters()).is_cuda
    np.testing.assert_allclose(moved.transform(X), gpu.transform(X), rtol=1e-4)
    np.testing.assert_allclose(moved.sample(3), gpu.sample(3), rtol=1e-4, atol=1e-5)
    exact = [detector(deterministic=True, device="cuda").fit(X).score_samples(X) for _ in range(2)]
    np.testing.assert_array_equal(*exact)


def test_a_callback_that_scores_gets_the_anomalous_clips_too():
    X, y = labelled()
    monitor = ScoringMonitor(scoring="roc_auc")
    detector(max_epochs=2).set_callbacks(monitor).fit(X, y)
    rows = [row["roc_auc"] for row in monitor.get_logs().data if row["task_name"] == "epoch"]
    fits = [detector(max_epochs=n).fit(X, y) for n in (1, 2)]
    assert rows == pytest.approx([roc_auc_score(y, model.score_samples(X)) for model in fits])
