"""Presets for recordings of several domains."""

import numpy as np
import pytest
import sklearn
from sklearn.pipeline import Pipeline

from skaudio_ad import (
    AutoencoderDetector,
    DetectorPipeline,
    MahalanobisDetector,
    ModuleEmbedding,
    NearestNeighborsDetector,
    ShrinkageWhitener,
    ThresholdedDetector,
)
from skaudio_ad.presets import make_detector, make_preset

DOMAINS = np.array(["source"] * 9 + ["target"] * 5)


@pytest.fixture(scope="module")
def waveforms():
    return np.random.default_rng(0).uniform(-0.3, 0.3, size=(14, 8000)).astype(np.float32)


def bands():
    """Network that gives a grid of 8 channels and 4 bands: means of stretches of the waveform."""
    import torch

    return torch.nn.Sequential(torch.nn.Unflatten(1, (8, 4, -1)), torch.nn.AvgPool2d((1, 50)))


def embedding(output):
    return ModuleEmbedding(bands(), sample_rate=16000, output=output, window=1, hop=1)


@pytest.mark.parametrize(
    ("name", "error"), [("dcase_mahalanobis", "mahalanobis"), ("dcase_mahalanobis_clip", "mahalanobis-clip")]
)
@pytest.mark.filterwarnings("ignore:.*of domain 'source' .*Ledoit-Wolf")
def test_the_official_baselines_take_domains(waveforms, name, error):
    pipeline = make_preset(name, hidden_sizes=(4,), bottleneck_size=2, max_epochs=1, random_state=0)
    published = AutoencoderDetector.from_preset("dcase_baseline", error=error).get_params()
    assert make_preset(name)[-1].get_params() == published
    # Half a second has too few windows for the covariance of the target domain.
    with pytest.warns(UserWarning, match="of domain 'target' .* the Ledoit-Wolf covariance is used"):
        pipeline.fit(waveforms, domains=DOMAINS)
    assert pipeline[-1].domains_.tolist() == ["source", "target"]
    assert np.isfinite(pipeline.score_samples(waveforms)).all()


def test_the_recipe_with_domains_is_nearest_neighbours_with_a_bank_for_every_domain(waveforms):
    pipeline = make_preset("embedding_genrep", backbone=embedding("clip"), domains=True, random_state=0)
    pipeline.fit(waveforms, domains=DOMAINS)
    vectors = pipeline[:-1].transform(waveforms)
    expected = NearestNeighborsDetector(
        metric="cosine", domain_normalization="zscore", oversample="mixup", random_state=0
    ).fit(vectors, domains=DOMAINS)
    folds = ThresholdedDetector(expected, pipeline[-1].selector, cv="auto", random_state=0)
    np.testing.assert_array_equal(
        pipeline.score_samples(waveforms), folds.fit(vectors, domains=DOMAINS).score_samples(vectors)
    )


def test_the_recipe_without_domains_is_plain_nearest_neighbours(waveforms):
    pipeline = make_preset("embedding_genrep", backbone=embedding("clip"), random_state=0).fit(waveforms)
    plain = make_detector(
        embedding("clip"), head=NearestNeighborsDetector(metric="cosine", random_state=0), random_state=0
    ).fit(waveforms)
    np.testing.assert_array_equal(pipeline.score_samples(waveforms), plain.score_samples(waveforms))
    assert make_preset("embedding_genrep")["embed"].output == "clip"


def test_the_recipe_of_bands_takes_a_grid(waveforms):
    pipeline = make_preset("embedding_beam", backbone=embedding("grid"), random_state=0).fit(waveforms)
    scores = pipeline.score_samples(waveforms)
    assert np.isfinite(scores).all()
    np.testing.assert_allclose(pipeline.score_samples(waveforms[3:4]), scores[3:4], rtol=1e-6)
    detector = make_preset("embedding_beam")
    assert (detector["embed"].variant, detector["embed"].output) == ("mini", "grid")
    with pytest.raises(ValueError, match="has no banks for domains"):
        make_preset("embedding_beam", domains=True)


X = np.random.default_rng(0).normal(size=(14, 3))


@pytest.mark.parametrize("calibrated", [False, True])
def test_domains_reach_the_detector_through_the_steps_around_it(calibrated):
    inner = Pipeline([("whiten", ShrinkageWhitener()), ("head", NearestNeighborsDetector())])
    inner = ThresholdedDetector(inner, cv=0.2, random_state=0) if calibrated else inner
    pipeline = DetectorPipeline([("first", ShrinkageWhitener()), ("detector", inner)]).fit(X, domains=DOMAINS)
    fitted = pipeline[-1].detector_ if calibrated else pipeline[-1]
    assert fitted["head"].domains_.tolist() == ["source", "target"]


def test_domains_that_no_detector_takes_are_refused():
    pipeline = DetectorPipeline([("detector", ThresholdedDetector(MahalanobisDetector()))])
    with pytest.raises(
        ValueError, match="domains cannot be used, because MahalanobisDetector takes no domains"
    ):
        pipeline.fit(X, domains=DOMAINS)
    pipeline = DetectorPipeline([("detector", NearestNeighborsDetector())])
    with sklearn.config_context(enable_metadata_routing=True):
        with pytest.raises(
            ValueError, match=r"NearestNeighborsDetector does not ask for domains: call set_fit_request"
        ):
            pipeline.fit(X, domains=DOMAINS)
        pipeline[-1].set_fit_request(domains=True)
        assert pipeline.fit(X, domains=DOMAINS)[-1].domains_.tolist() == ["source", "target"]
