"""Groups of clips in detectors that train a network: held out together, and each counted once."""

import numpy as np
import pytest
from sklearn import config_context
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skaudio_ad import (
    AutoencoderDetector,
    SequenceAutoencoderDetector,
    SequencePredictorDetector,
    VAEDetector,
)
from skaudio_ad._base import lower_quantile

COMMON = {"max_epochs": 2, "random_state": 0, "device": "cpu", "validation_fraction": 0.4}
DETECTORS = {
    "autoencoder": AutoencoderDetector(hidden_sizes=(6,), bottleneck_size=3, **COMMON),
    "vae": VAEDetector(hidden_sizes=(6,), latent_size=2, **COMMON),
    "predictor": SequencePredictorDetector(hidden_size=4, n_context_frames=4, **COMMON),
    "sequence autoencoder": SequenceAutoencoderDetector(hidden_size=4, window_length=4, **COMMON),
}


def features(n_clips=60, seed=0):
    X = np.random.default_rng(seed).normal(size=(n_clips, 8)).astype(np.float32)
    X[:, 4:] = X[:, :4]
    return X


GROUPS = np.random.default_rng(3).permutation(np.repeat(np.arange(10), [15, 5, 5, 5, 5, 5, 5, 5, 5, 5]))


@pytest.fixture(params=DETECTORS)
def detector(request):
    return DETECTORS[request.param]


@pytest.mark.filterwarnings("ignore:the posterior collapsed")
def test_whole_groups_are_held_out_and_count_once_in_the_threshold(detector):
    X = features()
    detector.fit(X, groups=GROUPS)
    held_out = GROUPS[detector.held_out_indices_]
    assert len(np.unique(held_out)) == 4
    assert np.isin(GROUPS, held_out).sum() == len(held_out)
    assert detector.offset_ == lower_quantile(detector.held_out_scores_, groups=held_out)
    assert detector.offset_ != lower_quantile(detector.held_out_scores_)


@pytest.mark.filterwarnings("ignore:the posterior collapsed")
def test_groups_follow_the_clips_that_could_be_read_and_are_normal():
    X, y = features(), np.ones(60, dtype=int)
    X[7], y[[3, 20]] = np.nan, -1
    kept = np.setdiff1d(np.arange(60), [3, 7, 20])
    expected = VAEDetector(hidden_sizes=(6,), latent_size=2, **COMMON).fit(X[kept], groups=GROUPS[kept])
    with pytest.warns(UserWarning, match="without 1 of 60 clips"):
        got = VAEDetector(hidden_sizes=(6,), latent_size=2, **COMMON).fit(X, y, groups=GROUPS)
    np.testing.assert_array_equal(got.held_out_indices_, expected.held_out_indices_)
    assert got.offset_ == pytest.approx(expected.offset_, rel=1e-6)


@pytest.mark.filterwarnings("ignore:the posterior collapsed")
def test_the_region_of_a_clip_is_estimated_without_its_group():
    from skaudio_ad.detectors._rl_kl import normal_region

    detector = VAEDetector(hidden_sizes=(6,), latent_size=2, score_by="mahalanobis", **COMMON)
    detector.fit(features(), groups=GROUPS)
    rl_kl = detector.transform(features()[detector.held_out_indices_])
    members = GROUPS[detector.held_out_indices_]
    for i, score in enumerate(detector.held_out_scores_):
        location, precision = normal_region(rl_kl[members != members[i]])
        difference = rl_kl[i] - location
        assert score == pytest.approx(-np.sqrt(difference @ precision @ difference), rel=1e-6)


def test_a_single_held_out_group_has_a_threshold_beyond_its_scores():
    detector = AutoencoderDetector(
        hidden_sizes=(6,), bottleneck_size=3, max_epochs=2, random_state=0, device="cpu"
    )
    detector.set_params(validation_fraction=0.1).fit(features(), groups=GROUPS)
    assert len(np.unique(GROUPS[detector.held_out_indices_])) == 1
    assert detector.offset_ < np.exp(np.log(-detector.held_out_scores_).mean()) * -1


def test_groups_go_through_a_pipeline_with_and_without_metadata_routing():
    X = features()
    plain = make_pipeline(StandardScaler(), DETECTORS["autoencoder"]).fit(
        X, autoencoderdetector__groups=GROUPS
    )
    expected = plain[-1].held_out_indices_.copy()
    assert not set(GROUPS[expected]) & set(np.delete(GROUPS, expected))
    with config_context(enable_metadata_routing=True):
        detector = AutoencoderDetector(**DETECTORS["autoencoder"].get_params()).set_fit_request(groups=True)
        routed = make_pipeline(StandardScaler(), detector).fit(X, groups=GROUPS)
    np.testing.assert_array_equal(routed[-1].held_out_indices_, expected)


def test_groups_of_another_length_are_refused():
    with pytest.raises(ValueError, match="one entry a clip: got 3 for 60"):
        DETECTORS["autoencoder"].fit(features(), groups=[1, 2, 3])
