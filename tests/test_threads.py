"""Fits in threads and processes: the same scores as one after the other, and no trace in the global generators."""

import os
import random
import threading

import numpy as np
import pytest
import torch
from joblib import Parallel, delayed, parallel_config
from sklearn.base import clone

from skaudio_ad import (
    Augmenter,
    AutoencoderDetector,
    RLKLClassifier,
    SequenceAutoencoderDetector,
    SequencePredictorDetector,
    ThresholdedDetector,
    VAEDetector,
)
from skaudio_ad.embeddings import Backbone, get_family
from skaudio_ad.training import drawing_from

N_FITS = 8
FEATURES = np.random.default_rng(0).normal(size=(40, 8)).astype(np.float32)
SPECTROGRAMS = np.random.default_rng(0).normal(size=(8, 6, 20)).astype(np.float32)
SMALL = {"max_epochs": 2, "device": "cpu"}
DETECTORS = {
    "autoencoder": (AutoencoderDetector(hidden_sizes=(8,), **SMALL), FEATURES),
    "autoencoder, windows": (AutoencoderDetector(hidden_sizes=(8,), **SMALL), SPECTROGRAMS),
    "vae": (VAEDetector(hidden_sizes=(8,), latent_size=2, **SMALL), FEATURES),
    "vae, convolutions": (VAEDetector(filters=(3, 2), strides=2, latent_size=2, **SMALL), SPECTROGRAMS),
    "predictor": (SequencePredictorDetector(hidden_size=4, **SMALL), SPECTROGRAMS),
    "sequence autoencoder": (SequenceAutoencoderDetector(hidden_size=4, **SMALL), SPECTROGRAMS),
    "classifier": (RLKLClassifier(hidden_sizes=(8,), max_epochs=5, device="cpu"), FEATURES),
    "thresholded": (
        ThresholdedDetector(AutoencoderDetector(hidden_sizes=(8,), **SMALL, random_state=0), cv=0.5),
        FEATURES,
    ),
}


def fit_and_score(estimator, X):
    """Scores of a fit by a seed, and for a VAE what it samples."""
    y = np.arange(len(X)) % 2 if isinstance(estimator, RLKLClassifier) else None
    fitted = clone(estimator).set_params(random_state=0).fit(X, y)
    scores = fitted.decision_function(X)
    return (scores, fitted.sample(2)) if hasattr(fitted, "sample") else (scores,)


def fit_and_score_all(pairs):
    """Process in which the fits ran, and the scores of every pair of estimator and data."""
    return os.getpid(), [fit_and_score(*pair) for pair in pairs]


def global_states():
    numpy_state = np.random.get_state()  # noqa: NPY002
    return torch.get_rng_state().tolist(), numpy_state[1].tolist(), numpy_state[2], random.getstate()


def assert_all_equal(runs, expected):
    for run in runs:
        for made, value in zip(run, expected, strict=True):
            np.testing.assert_array_equal(made, value)


@pytest.mark.parametrize("name", DETECTORS)
def test_fits_in_threads_give_the_scores_of_one_after_the_other_and_leave_the_global_generators(name):
    estimator, X = DETECTORS[name]
    expected, before = fit_and_score(estimator, X), global_states()
    with parallel_config("threading", n_jobs=4):
        runs = Parallel()(delayed(fit_and_score)(estimator, X) for _ in range(N_FITS))
    assert_all_equal(runs, expected)
    assert global_states() == before


@pytest.mark.processes
def test_fits_in_processes_give_the_scores_of_one_after_the_other():
    chosen = [DETECTORS[name] for name in ("autoencoder", "vae", "predictor")]
    with parallel_config(
        "loky", n_jobs=2
    ):  # one task, because each process that works imports torch for seconds
        ((process, runs),) = Parallel()([delayed(fit_and_score_all)(chosen)])
    assert process != os.getpid()
    for run, pair in zip(runs, chosen, strict=True):
        assert_all_equal([run], fit_and_score(*pair))


def test_a_thread_that_draws_from_the_global_generator_and_fits_beside_it_do_not_disturb_each_other():
    estimator, X = DETECTORS["vae"]
    expected, drawn, stop = fit_and_score(estimator, X), [], threading.Event()

    def draw():
        while not stop.is_set():
            drawn.append(torch.rand(3))

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        thread = threading.Thread(target=draw)
        thread.start()
        try:
            with parallel_config("threading", n_jobs=3):
                runs = Parallel()(delayed(fit_and_score)(estimator, X) for _ in range(N_FITS))
        finally:
            stop.set()
            thread.join()
        torch.manual_seed(1)
        alone = [torch.rand(3) for _ in drawn]
    assert_all_equal(runs, expected)
    assert len(drawn) > 10
    assert torch.equal(torch.stack(drawn), torch.stack(alone))


def test_networks_of_random_weights_and_augmented_clips_are_the_same_in_threads():
    backbone = Backbone(
        name="tiny", filename="tiny.pt", family="mobilenet", settings={"width": 0.1}, embedding_size=96
    )
    waves = list(FEATURES.repeat(100, axis=1))

    def make(_):
        with drawing_from(0):
            weights = get_family(backbone.family).build_network(backbone).state_dict()
        varied = Augmenter(random_state=0).fit_transform(waves)
        return [value.numpy() for value in weights.values()], [np.asarray(clip) for clip in varied]

    expected, before = make(0), global_states()
    with parallel_config("threading", n_jobs=4):
        runs = Parallel()(delayed(make)(i) for i in range(N_FITS))
    for weights, clips in runs:
        assert_all_equal([weights], expected[0])
        assert_all_equal([clips], expected[1])
    assert global_states() == before
