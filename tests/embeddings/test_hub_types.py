"""Every type of model that `HubEmbedding` takes: small random models, held to the model in memory called directly."""

import os
import warnings

import numpy as np
import pytest
import torch

from skaudio_ad import HubEmbedding
from skaudio_ad.embeddings._hub_types import TYPES

from .small_backbones import assert_equal_up_to_rounding

transformers = pytest.importorskip("transformers")

from .small_hub_models import save  # noqa: E402

# Types that tests/embeddings/test_hub_embedding.py builds.
ELSEWHERE = {"audio-spectrogram-transformer", "clap", "hubert", "wav2vec2", "wavlm", "whisper"}
ALL = [*sorted(set(TYPES) - ELSEWHERE), "wav2vec2 with an adapter", "wav2vec2-bert with an adapter"]
# One model for every kind of code. All others take half a minute, because each of them imports a module of its own.
FEW = [
    "encodec",
    "moonshine_streaming",
    "parakeet_ctc",
    "pe_audio",
    "qwen2_audio",
    "sew",
    "speech_to_text",
    "wav2vec2 with an adapter",
]
NAMES = [
    name
    if name in FEW
    else pytest.param(
        name,
        marks=pytest.mark.skipif(
            not os.environ.get("SKAUDIO_AD_HUB_TYPES"), reason="SKAUDIO_AD_HUB_TYPES=all tests all types"
        ),
    )
    for name in ALL
]
# Codecs whose frames hear the past only.
CAUSAL = {"encodec", "mimi"}


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Function that makes a model, writes it into a folder, and returns folder, encoder and front end."""
    made = {}

    def model(name):
        if name not in made:
            too_old = name == "mimi" and not hasattr(transformers.MimiConfig(), "encoder_config")
            if too_old or name.removesuffix(" with an adapter") not in transformers.CONFIG_MAPPING:
                pytest.skip(f"transformers {transformers.__version__} has no {name}")
            folder = tmp_path_factory.mktemp(name.replace(" ", "_"))
            transformers.utils.logging.disable_progress_bar()
            made[name] = (folder, *save(transformers, name, folder))
            transformers.utils.logging.enable_progress_bar()
        return made[name]

    return model


def embedding_of(folder, output="frames", **parameters):
    return HubEmbedding(folder, output=output, **{"window": 1.0, **parameters})


def states_of(name, encoder, front_end, clip):
    """States of the last layer of a clip alone, by transformers called directly: (frames, class token or None)."""
    if name.startswith("granite_speech") and "5" not in name:
        inputs = {"hidden_states": front_end([clip])["input_features"]}
    else:
        options = {}
        if name.startswith(("audioflamingo3", "musicflamingo", "moonshine_streaming")):
            options["return_attention_mask"] = True
        if name == "moonshine_streaming":
            options |= {"padding": True, "pad_to_multiple_of": 80}  # whole frames of 5 ms
        inputs = front_end([clip], sampling_rate=front_end.sampling_rate, return_tensors="pt", **options)
    if name.startswith(("audioflamingo3", "musicflamingo")):
        inputs["input_features_mask"] = inputs.pop("attention_mask")
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if name in ("dac", "encodec"):
            return encoder.encoder(inputs["input_values"])[0], None
        if name == "mimi":
            return encoder(inputs["input_values"]).latents[0], None
        made = encoder(**inputs)
    token = made.pooler_output[0].numpy() if name.startswith("pe_audio") else None
    return made.last_hidden_state[0].T, token


def noise(rate, *lengths):
    rng = np.random.default_rng(0)
    return [rng.normal(scale=0.1, size=n).astype(np.float32) for n in lengths]


@pytest.mark.parametrize("name", NAMES)
def test_frames_and_clip_are_what_the_encoder_gives_for_every_clip_alone(models, name):
    folder, encoder, front_end = models(name)
    clips = noise(front_end.sampling_rate, 5000, 5000, 4801)
    embedding = embedding_of(folder).fit(clips)
    frames = embedding.transform(clips)
    pooled = embedding_of(folder, "clip").transform(clips)
    padded = hasattr(front_end, "n_samples")  # Whisper's front end pads to two seconds
    for clip, got, vector in zip(clips, frames, pooled):
        expected, token = states_of(name, encoder, front_end, clip)
        # Frames in padding alone are left out: one at most, and for Whisper all up to two seconds.
        assert expected.shape[1] // (6 if padded else 1) - got.shape[1] in (0, 1)
        assert_equal_up_to_rounding(got[None], expected.numpy()[None, :, : got.shape[1]])
        assert_equal_up_to_rounding(vector[None], (got.mean(axis=1) if token is None else token)[None])
    assert np.abs(frames[0] - frames[1]).max() > 5e-5 * np.abs(frames[0]).max()


@pytest.mark.parametrize(
    ("name", "between", "behind"),
    [
        ("sew", (16, 199), (16, 398)),  # half as many frames between the layers
        ("wav2vec2 with an adapter", (16, 399), (12, 200)),  # the adapter halves the number
        ("qwen2_audio", (16, 50), (16, 25)),  # pairs of frames are averaged
    ],
)
def test_frames_between_the_layers_may_differ_from_frames_behind_the_last(models, name, between, behind):
    folder, encoder, front_end = models(name)
    [clip] = noise(front_end.sampling_rate, 16000)
    embedding = embedding_of(folder, layer=1)
    [frames] = embedding.transform([clip])
    inputs = front_end([clip], sampling_rate=16000, return_tensors="pt")
    with torch.no_grad():
        expected = encoder(**inputs, output_hidden_states=True).hidden_states[1][0].T[:, : between[1]]
    assert_equal_up_to_rounding(frames[None], expected.numpy()[None])
    for layer, shape in ((1, between), (-1, behind)):
        embedding.set_params(layer=layer)
        assert embedding.transform([clip])[0].shape == shape
        assert len(embedding.get_feature_names_out()) == shape[0]
        assert embedding._clock(16000).per_window == shape[1]


@pytest.mark.parametrize("name", NAMES)
def test_a_click_shows_in_the_frames_around_its_time(models, name):
    folder, _, front_end = models(name)
    rate = front_end.sampling_rate
    [quiet] = noise(rate, rate // 2)
    loud = quiet.copy()
    loud[round(0.31 * rate)] += 0.5
    # Later layers listen to all of the window. Codecs have no layers.
    embedding = embedding_of(folder, layer=-1 if name == "dac" or name in CAUSAL else 0)
    change = np.linalg.norm(np.subtract(*embedding.transform([quiet, loud])), axis=0)
    times = embedding.frames_to_seconds(np.arange(len(change)))
    step = times[1] - times[0]
    if name in CAUSAL:
        first = np.flatnonzero(change > 1e-3 * change.max())[0]
        assert abs(times[first] - 0.31) <= step / 2 + 1e-9
    else:
        heard = change > 0.3 * change.max()
        assert abs(np.average(times[heard], weights=change[heard]) - 0.31) <= step


@pytest.mark.parametrize("name", NAMES)
def test_silence_and_a_clip_shorter_than_one_frame_have_an_embedding(models, name):
    folder, _, front_end = models(name)
    embedding = embedding_of(folder)
    shortest = embedding._model().geometry.min_samples
    silence = np.zeros(5000, dtype=np.float32)
    [short] = noise(front_end.sampling_rate, max(1, shortest // 2))
    padded = np.pad(short, (0, shortest - len(short)))
    quiet, tiny, expected = embedding.transform([silence, short, padded])
    assert np.isfinite(quiet).all()
    assert tiny.shape == expected.shape
    np.testing.assert_array_equal(tiny, expected)
