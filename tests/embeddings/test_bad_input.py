"""What embeddings make of short, missing and bad clips, of weights and of parameters."""

import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.base import clone

import skaudio_ad.embeddings._backbone_engine as backbone_engines
from skaudio_ad import (
    AudioClips,
    AudioLoader,
    MobileNetEmbedding,
)
from skaudio_ad.audio import AudioReadWarning
from skaudio_ad.embeddings import WeightsError
from skaudio_ad.networks import MobileNet

from .small_backbones import (
    BACKBONE,
    ESTIMATOR,
    FAMILIES,
    SAMPLE_RATE,
    assert_equal_up_to_rounding,
    noise,
)

# Short, missing and bad clips


@pytest.mark.parametrize("output", ["clip", "frames"])
@pytest.mark.parametrize("missing", [(0,), (3,), (1, 2), (0, 1, 2, 3)])
def test_clips_that_could_not_be_read_are_nan_in_their_places(make, write_wavs, output, missing):
    paths = write_wavs([9000] * 4, sample_rate=SAMPLE_RATE)
    embedding = make("mobilenet", output, batch_size=2).fit(paths)
    expected = embedding.transform(paths)
    for index in missing:
        Path(paths[index]).write_bytes(b"no audio")
    with pytest.warns(AudioReadWarning, match="left out"):
        embedded = embedding.transform(AudioLoader(SAMPLE_RATE, on_error="skip").fit_transform(paths))
    assert embedded.shape[:2] == expected.shape[:2]
    for index in range(4):
        if index in missing:
            assert np.isnan(embedded[index]).all()
        else:
            assert_equal_up_to_rounding(embedded[[index]], expected[[index]])


def test_a_missing_clip_among_clips_of_different_lengths_is_nan_in_its_place(make, write_wavs):
    paths = write_wavs([9000, 32000, 20000, 9000], sample_rate=SAMPLE_RATE)
    embedding = make("mobilenet", "frames", window=1.0, hop=1.0).fit(paths)
    expected = embedding.transform(paths)
    Path(paths[1]).write_bytes(b"no audio")
    with pytest.warns(AudioReadWarning, match="left out"):
        embedded = embedding.transform(AudioLoader(SAMPLE_RATE, on_error="skip").fit_transform(paths))
    assert np.isnan(embedded[1]).all()
    assert embedded[1].shape[0] == 96
    assert_equal_up_to_rounding([embedded[i] for i in (0, 2, 3)], [expected[i] for i in (0, 2, 3)])


@pytest.mark.parametrize("method", ["fit", "transform", "predict_tags"])
def test_clips_at_another_rate_are_refused_with_both_rates_and_the_way_out(make, method):
    clips = AudioClips(noise(1.0), 16000)
    with pytest.raises(
        ValueError, match=r"at sample_rate=32000 Hz.*at 16000 Hz.*AudioLoader\(sample_rate=32000\)\."
    ):
        getattr(make(), method)(clips)


@pytest.mark.parametrize(
    ("clips", "message"),
    [
        ([], "no clips"),
        ([np.ones(600), np.empty(0)], "clip 1 is empty"),
        ([np.ones(600), np.r_[np.ones(600), np.nan]], "clip 1 contains NaN or infinity"),
        ([np.ones(600), np.full(600, np.inf)], "clip 1 contains NaN or infinity"),
        (np.r_[np.ones((1, 600)), np.full((1, 600), np.nan)], "NaN"),
        ([np.ones((2, 600))], r"clip 0 has shape \(2, 600\), a clip is mono"),
        (np.ones((2, 600), dtype=np.int16), "holds int16 samples"),
        ("clip.wav", "single path"),
    ],
)
def test_bad_clips_are_refused_by_name(make, clips, message):
    with pytest.raises(ValueError, match=message):
        make().transform(clips)


def nothing(clip):
    return clip[:0]


def one_nan(clip):
    return np.where(np.arange(len(clip)) == 3, np.nan, clip)


def too_loud(clip):
    return np.float32(np.inf) * np.ones_like(clip)


@pytest.mark.parametrize("function", [nothing, one_nan, too_loud])
@pytest.mark.parametrize("output", ["clip", "frames", "logits"])
def test_what_an_earlier_step_spoilt_is_refused_by_name_and_not_taken_for_missing(
    make, write_wavs, function, output
):
    paths = write_wavs([9000, 9000], sample_rate=SAMPLE_RATE)
    clips = AudioClips(paths, SAMPLE_RATE)
    with pytest.raises(ValueError, match=rf"{paths[0]}: is empty, or contains NaN or infinity"):
        make("mobilenet", output).transform(clips.map(function))


# Weights and parameters


@pytest.mark.parametrize("family", FAMILIES)
def test_random_weights_warn_and_repeat_with_their_seed(family):
    clips = noise(0.5)
    before = torch.get_rng_state()

    def embed(seed):
        backbone_engines._build.cache_clear()
        embedding = ESTIMATOR[family](BACKBONE[family], weights=None, random_state=seed)
        with pytest.warns(
            UserWarning, match=r"weights=None has random weights: .* no meaning\. Use weights="
        ):
            embedding.fit(clips)
        assert embedding.weights_digest_ is None
        return embedding.transform(clips)

    np.testing.assert_array_equal(embed(1), embed(1))
    assert np.abs(embed(1) - embed(2)).max() > 1e-2
    assert torch.equal(torch.get_rng_state(), before)


def test_two_estimators_share_one_network(make, folder, monkeypatch):
    backbone_engines._build.cache_clear()
    reads = []
    read = backbone_engines.load_state_dict
    monkeypatch.setattr(
        backbone_engines,
        "load_state_dict",
        lambda backbone, *, path: reads.append(path) or read(backbone, path=path),
    )
    clips = noise(0.1)
    first = make().fit(clips)
    second = make("mobilenet", "frames", batch_size=1).fit(clips)
    clone(first).set_params(weights=folder / "tiny.pt").fit(clips)
    for embedding in (first, second, pickle.loads(pickle.dumps(first))):
        embedding.transform(clips)
    assert reads == [str(folder / "tiny.pt")]


def test_the_weights_of_fit_are_the_only_ones_that_transform_takes(tmp_path):
    clips = noise(0.1)
    path = tmp_path / "mine.pt"
    torch.save(MobileNet(0.1).state_dict(), path)
    embedding = MobileNetEmbedding(BACKBONE["mobilenet"], weights=path).fit(clips)
    assert embedding.weights_digest_ == backbone_engines.weights_digest(path)
    assert embedding.transform(clips).shape == (1, 96)
    time = path.stat().st_mtime_ns
    torch.save(MobileNet(0.1).state_dict(), path)
    os.utime(path, ns=(time, time + 1_000_000_000))
    for method in (embedding.transform, embedding.predict_tags):
        with pytest.raises(WeightsError, match=r"mine\.pt: has other weights .* or fit again"):
            method(clips)
    for weights in (None, path):  # neither can take the place of what fit saw
        with pytest.raises(WeightsError, match=r"has other weights .* or fit again"):
            embedding.set_params(weights=weights).transform(clips)
    assert embedding.fit(clips).transform(clips).shape == (1, 96)


def test_weights_that_are_not_there_or_of_another_network_are_refused_by_their_path(folder, tmp_path):
    clips = noise(0.1)
    with pytest.raises(WeightsError, match=r"weights must be .* that exists, or None, got '.*none\.pt'"):
        MobileNetEmbedding("mn01", weights=tmp_path / "none.pt").fit(clips)
    with pytest.raises(
        WeightsError, match=r"tiny\.pt: is a file of MobileNet .*fits .mn01., and .mn04. needs width"
    ):
        MobileNetEmbedding("mn04", weights=folder / "tiny.pt").fit(clips)
    (tmp_path / "page.pt").write_text("<html>")
    with pytest.raises(WeightsError, match=r"page\.pt: not a file that torch\.load"):
        MobileNetEmbedding("mn04", weights=tmp_path / "page.pt").fit(clips)


def test_a_copy_is_small_and_embeds_alike(make):
    clips = noise(0.3, 0.2)
    embedding = make().fit(clips)
    expected = embedding.transform(clips)
    assert len(pickle.dumps(embedding)) < 2000
    for copy in (pickle.loads(pickle.dumps(embedding)), clone(embedding).fit(clips)):
        np.testing.assert_array_equal(copy.transform(clips), expected)


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        ({"variant": "mn11"}, ValueError, "^variant must be one of 'mini', .*'mn40_ext'.* got 'mn11'"),
        ({"variant": "passt_s_swa"}, ValueError, "must be one of 'mini', .* got 'passt_s_swa'"),
        ({"variant": BACKBONE["passt"]}, ValueError, "must be of the family 'mobilenet'"),
        ({"variant": None}, TypeError, "must be a name or a Backbone, got None"),
        ({"weights": 3}, TypeError, 'weights must be "pretrained", a path or None, got 3'),
        ({"output": "tokens"}, ValueError, "output must be one of 'clip', .* got 'tokens'"),
        ({"window": 0.5}, ValueError, r"window must lie in \[1, inf\), got 0\.5"),
        ({"window": np.inf}, ValueError, r"window must lie in \[1, inf\), got inf"),
        ({"window": np.nan}, ValueError, r"window must lie in \[1, inf\), got nan"),
        ({"window": "10"}, TypeError, "window must be a number"),
        ({"hop": 0}, ValueError, r"hop must lie in \(0, 10\.0\], got 0"),
        ({"hop": 10.1}, ValueError, r"hop must lie in \(0, 10\.0\], got 10\.1"),
        ({"hop": "2.5"}, TypeError, "hop must be a number"),
        ({"batch_size": 0}, ValueError, r"batch_size must lie in \[1, inf\), got 0|batch_size must lie in"),
        ({"batch_size": 2.0}, TypeError, "batch_size must be an integer"),
        (
            {"precision": "float16"},
            ValueError,
            "precision must be one of 'float32', 'bfloat16', got 'float16'",
        ),
        ({"random_state": None}, TypeError, "random_state must be an integer, got None"),
        ({"random_state": -1}, ValueError, "random_state must lie in"),
        ({"device": "tpu"}, ValueError, "device must be"),
    ],
)
def test_a_parameter_out_of_range_is_named_with_the_rule(make, parameters, error, message):
    clips = noise(0.1)
    for method in ("fit", "transform", "predict_tags"):
        with pytest.raises(error, match=message):
            getattr(make().set_params(**parameters), method)(clips)


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        ({"variant": "mn10"}, ValueError, "must be one of 'passt_s_swa', .* got 'mn10'"),
        ({"output": "multilevel"}, ValueError, "output must be one of .*'tokens'.* got 'multilevel'"),
        ({"window": 10.5}, ValueError, r"window must lie in \[1, 10\.0\], got 10\.5"),
    ],
)
def test_passt_refuses_what_it_does_not_take(make, parameters, error, message):
    with pytest.raises(error, match=message):
        make("passt").set_params(**parameters).fit(noise(0.1))


@pytest.mark.parametrize("top", [0, 2.5, None])
def test_a_number_of_tags_out_of_range_is_named(make, top):
    with pytest.raises((TypeError, ValueError), match="top must"):
        make().predict_tags(noise(0.1), top=top)
