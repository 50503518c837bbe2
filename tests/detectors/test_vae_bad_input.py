"""Error messages of the variational autoencoder detector for invalid input and parameters."""

import re

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError

from skaudio_ad import AudioClips, VAEDetector
from skaudio_ad._lazy import LazySequence
from tests.detectors.test_vae import detector, features, labelled, spectrograms

METHODS = ["score_samples", "transform", "encode", "reconstruct", "score_frames", "predict"]
KINDS = {"array": np.array, "list": list, "lazy": LazySequence}


@pytest.fixture(scope="module")
def fitted():
    return detector().fit(spectrograms())


@pytest.fixture(scope="module")
def fitted_on_features():
    return detector().fit(features())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("filters", [0, 8]),
        ("filters", 8),
        ("filters", [2.5, 4]),
        ("kernel_sizes", 0),
        ("kernel_sizes", [(0, 3), 3]),
        ("strides", [-1, 2]),
        ("strides", [True, 2]),
        ("hidden_sizes", [0, 8]),
        ("hidden_sizes", 8),
        ("latent_size", 0),
        ("latent_size", 2.5),
        ("batch_norm", "no"),
        ("output_activation", "tanh"),
        ("reconstruction_weight", -1.0),
        ("reconstruction_weight", "auto"),
        ("kl_weight", -0.1),
        ("score_by", "likelihood"),
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
        ("deterministic", "yes"),
    ],
)
@pytest.mark.parametrize("make", [spectrograms, features])
def test_a_parameter_out_of_range_is_named(make, name, value):
    wrong = value
    while isinstance(wrong, (list, tuple)):
        wrong = wrong[0]
    with pytest.raises((ValueError, TypeError), match=rf"^{name} must .*got {re.escape(repr(wrong))}\.$"):
        detector(**{name: value}).fit(make())


@pytest.mark.parametrize("name", ["kernel_sizes", "strides"])
@pytest.mark.parametrize("value", [(3,), (3, 3, 3), "33", 2.5, None, {3, 4}])
def test_as_many_kernels_and_strides_as_filters_are_asked_for(name, value):
    expected = rf"^{name} must be one integer or 2, one for each of filters, got {re.escape(repr(value))}\.$"
    with pytest.raises(ValueError, match=expected):
        detector(**{name: value}).fit(spectrograms())


@pytest.mark.parametrize("value", [(3, (3, 3, 3)), (3, "ab"), (3, 2.5), (3, None)])
def test_a_kernel_is_an_integer_or_a_pair(value):
    with pytest.raises((ValueError, TypeError), match=r"^kernel_sizes must .*got"):
        detector(kernel_sizes=value).fit(spectrograms())


def test_a_network_without_filters_is_refused():
    with pytest.raises(ValueError, match=r"^filters must hold at least 1, got \(\)\.$"):
        detector(filters=()).fit(spectrograms())


def test_a_parameter_out_of_range_is_named_before_a_lazy_corpus_is_computed():
    class Untouched(LazySequence):
        def __getitem__(self, key):
            raise AssertionError("computed")

    with pytest.raises(ValueError, match=r"^score_by must"):
        detector(score_by="nothing").fit(Untouched(spectrograms()))


def test_what_is_no_random_state_is_refused(fitted):
    with pytest.raises(ValueError, match="'lucky' cannot be used to seed"):
        detector(random_state="lucky").fit(features())
    with pytest.raises(ValueError, match="'lucky' cannot be used to seed"):
        fitted.sample(1, random_state="lucky")


@pytest.mark.parametrize("value", [0, -1, 2.0, "3", None, True])
def test_a_number_of_samples_is_a_positive_integer(fitted, value):
    with pytest.raises((ValueError, TypeError), match=rf"^n_samples must .*got {re.escape(repr(value))}\.$"):
        fitted.sample(value)


def test_latent_vectors_are_checked(fitted):
    with pytest.raises(ValueError, match=r"Z must have the 3 columns of the latent vectors, got 4\."):
        fitted.decode(np.zeros((2, 4)))
    with pytest.raises(ValueError, match="Expected 2D array, got 1D array"):
        fitted.decode(np.zeros(3))
    with pytest.raises(ValueError, match="0 sample"):
        fitted.decode(np.empty((0, 3)))
    with pytest.raises(ValueError, match="Input Z contains infinity"):
        fitted.decode([[0.0, np.inf, 0.0]])


@pytest.mark.parametrize("kind", ["list", "lazy"])
def test_training_clips_of_different_lengths_are_refused_by_name_with_the_way_out(kind):
    X = list(spectrograms())
    X[5] = X[5][:, :7]
    expected = (
        r"^clip 5: has 8 bins and 7 frames, but a variational autoencoder takes clips of one size, and a clip of "
        r"the fit has 8 and 12: give AudioLoader a duration and a pad\.$"
    )
    with pytest.raises(ValueError, match=expected):
        detector().fit(KINDS[kind](X))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("method", METHODS)
def test_a_clip_of_another_length_than_in_the_fit_is_refused_by_name(fitted, kind, method):
    X, wrong = spectrograms(3, n_frames=13), 0
    if kind != "array":
        X, wrong = [*spectrograms(2), *X], 2
    expected = rf"^clip {wrong}: has 8 bins and 13 frames.*the fit has 8 and 12: give AudioLoader a duration"
    with pytest.raises(ValueError, match=expected):
        getattr(fitted, method)(KINDS[kind](X))


@pytest.mark.parametrize("kind", KINDS)
def test_other_bins_than_in_the_fit_are_refused(fitted, kind):
    X = spectrograms(3, n_bins=5)
    with pytest.raises(ValueError, match=r"5 (bins|features), but VAEDetector (is expecting|expects) 8"):
        fitted.score_samples(KINDS[kind](X))


def test_other_bins_in_the_midst_of_a_lazy_sequence_are_refused(fitted):
    X = LazySequence([*spectrograms(2), *spectrograms(1, n_bins=5)])
    for refuse in (fitted.score_samples, detector().fit):
        with pytest.raises(ValueError, match=r"clip 2\b.* has 5 bins"):
            refuse(X)


@pytest.mark.parametrize("method", METHODS)
def test_features_after_spectrograms_are_refused_and_the_reverse(fitted, fitted_on_features, method):
    with pytest.raises(
        ValueError,
        match=r"fitted on spectrograms, \(n_clips, n_bins, n_frames\), but got features, \(n_clips, n_features\)\.",
    ):
        getattr(fitted, method)(features())
    for kind in KINDS.values():
        with pytest.raises(
            ValueError, match=r"fitted on features, \(n_clips, n_features\), but got spectrograms"
        ):
            getattr(fitted_on_features, method)(kind(spectrograms()))


def test_waveforms_are_refused_with_a_hint_to_the_features_that_are_missing():
    with pytest.raises(ValueError, match=r"takes spectrograms.*: put a MelTransformer in front of it"):
        detector().fit(AudioClips(np.ones((4, 1000)), 16000))


@pytest.mark.parametrize("position", [0, 3])
@pytest.mark.parametrize("kind", [*KINDS, "features"])
def test_a_clip_that_could_not_be_read_is_left_out_with_a_warning_and_stays_nan(kind, position):
    X = features() if kind == "features" else spectrograms()
    whole = np.delete(X, position, axis=0)
    X[position] = np.nan
    given = KINDS.get(kind, np.array)(X)
    model = detector(max_epochs=2)
    with pytest.warns(UserWarning, match=f"trained without 1 of {len(X)} clips") as caught:
        model.fit(given)
    assert caught[0].filename == __file__
    assert model.n_samples_fit_ == len(X) - 1
    same = detector(max_epochs=2).fit(whole)
    for method in ("score_samples", "transform", "encode", "reconstruct", "score_frames"):
        made = getattr(model, method)(given)
        assert np.isnan(made[position]).all()
        expected = getattr(same, method)(whole)
        np.testing.assert_allclose(np.delete(made, position, axis=0), expected, rtol=1e-6)
    assert np.isnan(model.decision_function(given)[position])
    assert model.predict(given)[position] == -1
    assert np.isnan(model.decode(model.encode(given))[position]).all()


def test_what_stands_for_a_missing_clip_may_have_any_length(fitted):
    placeholder = np.full((8, 1), np.nan, np.float32)
    clip = spectrograms(1)[0]
    for kind in (list, LazySequence):
        assert fitted.reconstruct(kind([placeholder, clip])).shape == (2, 8, 12)
        assert np.isnan(fitted.score_samples(kind([clip, placeholder]))).tolist() == [False, True]
        assert np.isnan(fitted.score_frames(kind([placeholder]))).tolist() == [[True] * 12]


@pytest.mark.parametrize("strides", [1, 3])
def test_a_missing_clip_is_reconstructed_as_nan_throughout_even_between_the_kernels(strides):
    model = detector(kernel_sizes=1, strides=strides, max_epochs=10, batch_size=4).fit(spectrograms())
    missing = np.full((1, 8, 12), np.nan)
    assert np.isnan(model.reconstruct(missing)).all()
    assert np.isnan(model.decode([[np.nan, 0.0, 0.0]])).all()
    assert np.isfinite(model.reconstruct(spectrograms(2))).all()


@pytest.mark.parametrize("kind", ["array", "list", "features"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_nan_or_infinity_among_numbers_is_an_error(kind, value, fitted, fitted_on_features):
    model = fitted_on_features if kind == "features" else fitted
    X = features() if kind == "features" else spectrograms()
    X[3].flat[1] = value
    X = KINDS.get(kind, np.array)(X)
    for refuse in (detector().fit, *(getattr(model, method) for method in METHODS)):
        with pytest.raises(ValueError, match=r"NaN among numbers, first in clip 3|infinity"):
            refuse(X)


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("method", METHODS)
def test_a_nan_among_numbers_is_found_in_a_lazy_sequence_too(fitted, method, value):
    X = spectrograms()
    X[3, 1, 1] = value
    with pytest.raises(ValueError, match=r"^clip 3: contains NaN or infinity\.$"):
        getattr(fitted, method)(LazySequence(X))


def test_no_clip_that_could_be_read_is_an_error():
    with pytest.raises(ValueError, match="nothing to train on: none of the 24 clips could be read"):
        detector().fit(np.full((24, 8, 12), np.nan))


@pytest.mark.parametrize("X", [[], np.empty((0, 8)), np.empty((0, 8, 12)), LazySequence([])])
def test_no_clip_is_an_error(X, fitted):
    for refuse in (detector().fit, fitted.score_samples):
        with pytest.raises(ValueError, match=r"0 samples?|no clips|0 sample\(s\)"):
            refuse(X)


def test_only_anomalous_clips_are_an_error():
    with pytest.raises(
        ValueError,
        match=r"VAEDetector has nothing to train on: every clip is labelled -1, anomalous\.",
    ):
        detector().fit(spectrograms(), np.full(24, -1))


@pytest.mark.parametrize("n_labels", [23, 25])
@pytest.mark.parametrize("missing", [False, True])
def test_more_or_fewer_labels_than_clips_are_an_error(n_labels, missing):
    X = spectrograms()
    if missing:
        X[0] = np.nan
    with pytest.raises(ValueError, match=rf"inconsistent numbers of samples: \[24, {n_labels}\]"):
        detector().fit(X, np.ones(n_labels))


def test_one_training_clip_needs_to_hold_out_none():
    with pytest.raises(ValueError, match=r"at least 2 clips are needed.*validation_fraction=0"):
        detector().fit(spectrograms(1))
    X, y = labelled(n_clips=3)
    with pytest.raises(ValueError, match=r"at least 2 clips are needed.*n_samples=1"):
        detector().fit(X[1:], y[1:])


@pytest.mark.parametrize(
    ("X", "settings"),
    [
        (spectrograms(2), {}),
        (spectrograms(1), {"validation_fraction": 0}),
        (features(30), {"batch_size": 1}),
    ],
)
def test_batch_norm_of_a_single_row_is_refused_with_the_way_out(X, settings):
    with pytest.raises(
        ValueError, match=rf"batch_norm=True needs .*n_samples={len(X)}\..*set batch_norm=False"
    ):
        detector(**settings).fit(X)
    model = detector(**settings, batch_norm=False).fit(X)
    assert np.isfinite(model.score_samples(X)).all()


@pytest.mark.parametrize("make", [spectrograms, features])
def test_a_training_that_diverges_ends_with_an_error_and_leaves_no_detector(make):
    X = make()
    model = detector().fit(X)
    with pytest.raises(ValueError, match=r"^training diverged: the loss of epoch .*Lower learning_rate"):
        model.set_params(learning_rate=1e30, max_epochs=30, batch_norm=False).fit(X)
    with pytest.raises(NotFittedError):
        model.score_samples(X)


@pytest.mark.parametrize("refused", [{"y": np.full(60, -1)}, {"X": np.full((60, 8), np.nan)}])
def test_a_fit_that_is_refused_leaves_the_detector_of_the_fit_before(refused):
    model = detector().fit(spectrograms())
    scores = model.score_samples(spectrograms())
    with pytest.raises(ValueError, match="nothing to train on"):
        model.fit(**{"X": features(), **refused})
    np.testing.assert_array_equal(model.score_samples(spectrograms()), scores)


def test_an_unfitted_detector_says_so():
    for method in [*METHODS, "decode"]:
        with pytest.raises(NotFittedError):
            getattr(VAEDetector(), method)(features())
    for method in ("sample", "get_feature_names_out"):
        with pytest.raises(NotFittedError):
            getattr(VAEDetector(), method)()
    with pytest.raises(NotFittedError):
        VAEDetector().window_centers(3)


@pytest.mark.parametrize("kind", ["list", "lazy"])
@pytest.mark.parametrize("before", ["missing", "anomalous"])
def test_a_clip_is_named_by_its_place_among_all_that_were_given(kind, before):
    X, y = list(spectrograms()), None
    X[5] = X[5][:, :7]
    if before == "missing":
        X[0] = np.full((8, 12), np.nan, np.float32)
    else:
        y = np.where(np.arange(24) == 0, -1, 1)
    with pytest.raises(ValueError, match=r"^clip 5: has 8 bins and 7 frames"):
        detector().fit(KINDS[kind](X), y)


def test_a_nan_among_numbers_of_a_lazy_sequence_is_named_by_the_fit():
    X = spectrograms()
    X[0], X[3, 1, 1] = np.nan, np.nan
    with pytest.raises(ValueError, match=r"^clip 3: contains NaN or infinity\.$"):
        detector().fit(LazySequence(X))
