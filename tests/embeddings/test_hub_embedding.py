"""Audio models of transformers, small and random, in folders: held to transformers called directly."""

import json
import os
import pickle
import shutil
import sys
import warnings
from fnmatch import fnmatch
from pathlib import Path

import joblib
import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

import skaudio_ad.embeddings._hub_engine as engines
import skaudio_ad.embeddings._hub_model as hub
from skaudio_ad import AudioClips, AudioLoader, HubEmbedding, NearestNeighborsDetector
from skaudio_ad.audio import AudioReadWarning
from skaudio_ad.embeddings import WeightsError
from skaudio_ad.persistence import load_detector, save_detector

from .small_backbones import assert_equal_up_to_rounding
from .small_hub_models import CONVOLUTIONS, SMALL

transformers = pytest.importorskip("transformers")
safetensors_torch = pytest.importorskip("safetensors.torch")

WAVEFORM_MODELS = ("hubert", "wav2vec2", "wavlm")
MODELS = ("ast", *WAVEFORM_MODELS, "clap", "clap_fused", "whisper")
SAMPLE_RATE = {name: 48000 if name.startswith("clap") else 16000 for name in MODELS}
OUTPUTS = [
    *[("ast", output) for output in ("clip", "frames", "grid", "logits")],
    *[(name, output) for name in (*WAVEFORM_MODELS, "whisper") for output in ("clip", "frames")],
    ("clap", "clip"),
    ("clap_fused", "clip"),
]


def make_model(name):
    """The model and its front end; ``ast`` and ``wavlm`` classify."""
    if name == "ast":
        config = transformers.ASTConfig(
            **SMALL, max_length=128, num_mel_bins=40, id2label={0: "pump", 1: "fan", 2: "valve"}
        )
        front_end = transformers.ASTFeatureExtractor(max_length=128, num_mel_bins=40)
        return transformers.ASTForAudioClassification(config), front_end
    if name == "wavlm":
        config = transformers.WavLMConfig(**SMALL, **CONVOLUTIONS, classifier_proj_size=8)
        front_end = transformers.Wav2Vec2FeatureExtractor(return_attention_mask=True)
        return transformers.WavLMForSequenceClassification(config), front_end
    if name == "hubert":
        config = transformers.HubertConfig(**SMALL, **CONVOLUTIONS)
        return transformers.HubertModel(config), transformers.Wav2Vec2FeatureExtractor(do_normalize=False)
    if name == "wav2vec2":
        config = transformers.Wav2Vec2Config(**SMALL, **CONVOLUTIONS, feat_extract_norm="layer")
        return transformers.Wav2Vec2Model(config), transformers.Wav2Vec2FeatureExtractor()
    if name == "whisper":
        config = transformers.WhisperConfig(
            vocab_size=60,
            num_mel_bins=20,
            d_model=16,
            encoder_layers=2,
            decoder_layers=1,
            encoder_attention_heads=2,
            decoder_attention_heads=2,
            encoder_ffn_dim=24,
            decoder_ffn_dim=24,
            max_source_positions=100,
            pad_token_id=0,
            bos_token_id=1,
            eos_token_id=2,
            decoder_start_token_id=1,
        )
        return transformers.WhisperModel(config), transformers.WhisperFeatureExtractor(20, chunk_length=2)
    fused = name == "clap_fused"
    config = transformers.ClapConfig(
        projection_dim=12,
        text_config={**SMALL, "vocab_size": 50, "projection_dim": 12},
        audio_config={
            "spec_size": 64,
            "num_mel_bins": 16,
            "patch_embeds_hidden_size": 8,
            "hidden_size": 16,
            "depths": [1, 1],
            "num_hidden_layers": 2,
            "num_attention_heads": [1, 2],
            "window_size": 2,
            "projection_dim": 12,
            "enable_fusion": fused,
        },
    )
    front_end = transformers.ClapFeatureExtractor(
        feature_size=16, max_length_s=2, truncation="fusion" if fused else "rand_trunc"
    )
    return transformers.ClapModel(config), front_end


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    """Folder with a folder for each of them."""
    root = tmp_path_factory.mktemp("models")
    logging = transformers.utils.logging
    logging.disable_progress_bar()
    with torch.random.fork_rng():
        for seed, name in enumerate(MODELS):
            torch.manual_seed(seed)
            model, front_end = make_model(name)
            model.eval().save_pretrained(root / name)
            front_end.save_pretrained(root / name)
    logging.enable_progress_bar()
    return root


@pytest.fixture
def copy(models, tmp_path):
    """Function that copies the folder of a model, for changes."""
    return lambda name="wavlm": Path(shutil.copytree(models / name, tmp_path / name))


@pytest.fixture
def make(models):
    """Function that makes an embedding by a model."""

    def make(name="wavlm", output="clip", **parameters):
        return HubEmbedding(str(models / name), output=output, **{"window": 1.0, **parameters})

    return make


@pytest.fixture(scope="session")
def direct(models):
    """Function that asks transformers itself, one stretch at a time."""
    loaded = {}

    def load(name, kind):
        if (name, kind) not in loaded:
            logging = transformers.utils.logging
            logging.disable_progress_bar()
            logging.set_verbosity_error()
            loaded[name, kind] = getattr(transformers, kind).from_pretrained(models / name).eval()
            logging.set_verbosity_warning()
            logging.enable_progress_bar()
        return loaded[name, kind]

    def direct(name, output, clip, layer=None):
        front_end = transformers.AutoFeatureExtractor.from_pretrained(models / name)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(np.random, "randint", lambda *_: 0)
            inputs = front_end(np.array(clip), sampling_rate=SAMPLE_RATE[name], return_tensors="pt")
        if name.startswith("clap"):
            inputs["input_features"] = inputs["input_features"].float()
            inputs["is_longer"] = torch.tensor([[False]])
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of torch, that WavLM gives it masks of two types
            return compute(name, output, inputs, len(clip), layer).numpy()

    def compute(name, output, inputs, n_samples, layer):
        if output == "logits":
            return load(name, "AutoModelForAudioClassification")(**inputs).logits[0]
        if name.startswith("clap"):
            model = load(name, "ClapModel")
            return model.audio_projection(model.audio_model(**inputs).pooler_output)[0]
        model = load(name, "AutoModel")
        if name == "whisper":
            model = model.encoder
        made = model(**inputs, output_hidden_states=True)
        states = (made.last_hidden_state if layer is None else made.hidden_states[layer])[0]
        if name == "ast":
            if output == "clip":
                return made.pooler_output[0] if layer is None else (states[0] + states[1]) / 2
            # 40 bands in patches of 16 every 10, 128 frames likewise; 25 ms every 10 ms.
            patches = states[2:].reshape(3, 12, 16).permute(2, 0, 1)
            n_frames = max(1, (1 + (n_samples - 400) // 160 - 16) // 10 + 1)
            patches = patches[..., :n_frames]
            return patches if output == "grid" else patches.mean(dim=1)
        frames = states[: -(-n_samples // 320)].T if name == "whisper" else states.T
        return frames if output == "frames" else frames.mean(dim=1)

    return direct


def noise(name, *seconds, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.normal(scale=0.1, size=round(s * SAMPLE_RATE[name])).astype(np.float32) for s in seconds]


# Outputs


@pytest.mark.parametrize(("name", "output"), [*OUTPUTS, ("wavlm", "logits")])
def test_an_output_is_what_transformers_gives_for_every_clip_alone(make, direct, name, output):
    clips = noise(name, 1.0, 1.0, 0.73, 1.0)
    embedded = make(name, output).fit(clips).transform(clips)
    assert_equal_up_to_rounding(embedded, [direct(name, output, clip) for clip in clips])
    assert np.abs(embedded[0] - embedded[1]).max() > 5e-5 * np.abs(embedded[0]).max()


@pytest.mark.parametrize("name", ["ast", "wavlm", "whisper"])
def test_a_layer_is_one_of_transformers_hidden_states(make, direct, name):
    clips = noise(name, 1.0)
    for layer, state in ((0, 0), (1, 1), (-2, 1), (-3, 0), (-1, None), (2, None)):
        made = make(name, layer=layer).transform(clips)
        assert_equal_up_to_rounding(made, [direct(name, "clip", clip, state) for clip in clips])


def test_bfloat16_is_close_and_not_the_same(make):
    clips = noise("ast", 1.0)
    exact, rounded = (make("ast", precision=p).transform(clips) for p in ("float32", "bfloat16"))
    assert 0 < np.abs(rounded - exact).max() < 2e-2 * np.abs(exact).max()


@pytest.mark.parametrize(("name", "output"), [("ast", "frames"), ("wavlm", "clip"), ("clap_fused", "clip")])
def test_a_clip_is_embedded_alike_in_any_company(make, name, output):
    clips = noise(name, 1.0, 2.3, 0.4, 1.0, 0.0005, 1.7)
    embedding = make(name, output, batch_size=3, hop=0.5).fit(clips)
    alone = [embedding.transform([clip])[0] for clip in clips]
    assert_equal_up_to_rounding(embedding.transform(clips), alone)
    assert_equal_up_to_rounding(embedding.transform(clips[::-1]), alone[::-1])
    assert_equal_up_to_rounding(list(embedding.set_params(batch_size=1).stream(clips)), alone)


@pytest.mark.parametrize(("name", "n_samples", "n_frames"), [("wavlm", 60, 1), ("ast", 400, 1)])
def test_a_clip_shorter_than_one_frame_gets_silence_after_it(make, direct, name, n_samples, n_frames):
    [clip] = noise(name, 0.001)
    padded = np.pad(clip, (0, n_samples - len(clip)))
    made = make(name, "frames").transform([clip])
    assert made.shape == (1, 16, n_frames)
    assert_equal_up_to_rounding(made, [direct(name, "frames", padded)])


@pytest.mark.parametrize("name", ["ast", "wavlm", "whisper"])
def test_a_click_shows_in_the_frame_whose_time_is_the_nearest(make, name):
    clip = 0.01 * noise(name, 1.9)[0]
    embedding = make(name, "frames", layer=0)  # later ones listen to all of the window
    for second in (0.155, 0.42, 0.81, 1.31):
        clicked = clip.copy()
        clicked[round(second * 16000)] += 0.1
        quiet, loud = embedding.transform([clip, clicked])
        times = embedding.frames_to_seconds(np.arange(quiet.shape[-1]))
        change = np.linalg.norm(loud - quiet, axis=0)
        step = times[1] - times[0]
        assert abs(times[change.argmax()] - second) <= step


def test_the_clock_of_the_frames(make):
    # A patch of an AST is 16 frames of 25 ms every 10 ms; a frame of this WavLM 60 samples every 40.
    np.testing.assert_allclose(make("ast", "frames").frames_to_seconds([0, 1, 9]), [0.0875, 0.1875, 1.0875])
    wavlm = make("wavlm", "frames").frames_to_seconds([0, 1, 398, 399])
    np.testing.assert_allclose(wavlm, [30 / 16000, 70 / 16000, 30 / 16000 + 398 / 400, 1 + 30 / 16000])
    np.testing.assert_allclose(make("whisper", "frames").frames_to_seconds([0, 1, 50]), [0, 0.02, 1])
    with pytest.raises(ValueError, match="output of clap must be one of 'clip', got 'frames'"):
        make("clap").frames_to_seconds([0])


def test_columns_are_named_by_model_and_class(make):
    names = make("ast").get_feature_names_out()
    assert len(names) == 16
    assert names[3] == "ast_clip3"
    assert make("ast", "logits").get_feature_names_out().tolist() == ["ast_pump", "ast_fan", "ast_valve"]
    assert len(make("clap").get_feature_names_out()) == 12
    assert make("ast", "frames").get_feature_names_out().tolist() == [f"x{i}" for i in range(16)]


# Sample rate, short, long and missing clips


def test_the_sample_rate_is_that_of_the_configuration(make, copy):
    clips = AudioClips(noise("wavlm", 1.0), 48000)
    with pytest.raises(
        ValueError, match=r"at sample_rate=16000 Hz.*at 48000 Hz.*AudioLoader\(sample_rate=16000\)\."
    ):
        make().fit(clips)
    folder = copy()
    path = folder / "preprocessor_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"sampling_rate": 48000}))
    assert HubEmbedding(folder).fit(clips).transform(clips).shape == (1, 16)
    path.write_text(
        json.dumps({k: v for k, v in json.loads(path.read_text()).items() if k != "sampling_rate"})
    )
    with pytest.raises(
        ValueError, match=r"preprocessor_config\.json must give the sampling_rate .* gives None"
    ):
        HubEmbedding(folder).fit(clips)


@pytest.mark.parametrize(("name", "longest"), [("ast", 1.295), ("clap", 2.0), ("whisper", 2.0)])
def test_a_window_that_the_front_end_would_cut_is_refused(make, direct, name, longest):
    clips = noise(name, longest)
    made = make(name, window=longest).transform(clips)
    assert_equal_up_to_rounding(made, [direct(name, "clip", clip) for clip in clips])
    with pytest.raises(ValueError, match=rf"window must lie in \[1, {longest}\], got {longest + 0.1}"):
        make(name, window=longest + 0.1).transform(clips)


@pytest.mark.parametrize(("name", "output"), [("ast", "grid"), ("wavlm", "frames"), ("clap_fused", "clip")])
def test_a_clip_that_could_not_be_read_is_nan_in_its_place(make, write_wavs, tmp_path, name, output):
    paths = write_wavs([9000, 9000, 9000], sample_rate=SAMPLE_RATE[name])
    expected = make(name, output).transform(paths)
    (tmp_path / "clip_1.wav").write_bytes(b"no audio")
    with pytest.warns(AudioReadWarning, match="left out"):
        embedded = make(name, output).transform(
            AudioLoader(SAMPLE_RATE[name], on_error="skip").fit_transform(paths)
        )
    assert np.isnan(embedded[1]).all()
    assert_equal_up_to_rounding(embedded[[0, 2]], expected[[0, 2]])


# Loading


def test_loading_and_embedding_are_quiet_and_leave_global_generators_as_they_were(make, capfd):
    engines._load.cache_clear()
    hub._describe.cache_clear()
    state, numpys = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    place = np.random.get_state()[2]  # noqa: NPY002
    for name in ("ast", "clap_fused"):
        make(name).fit(noise(name, 1.0)).transform(noise(name, 1.0, 1.0))
    assert capfd.readouterr() == ("", "")
    assert torch.equal(torch.get_rng_state(), state)
    np.testing.assert_array_equal(np.random.get_state()[1], numpys)  # noqa: NPY002
    assert np.random.get_state()[2] == place  # noqa: NPY002
    assert transformers.utils.logging.is_progress_bar_enabled()
    assert transformers.utils.logging.get_verbosity() == transformers.utils.logging.WARNING


def test_a_model_is_loaded_once(make, monkeypatch):
    engines._load.cache_clear()
    loads = []
    load = transformers.AutoModel.from_pretrained
    monkeypatch.setattr(
        transformers.AutoModel, "from_pretrained", lambda *a, **k: loads.append(a) or load(*a, **k)
    )
    clips = noise("wavlm", 1.0)
    first = make().fit(clips)
    for embedding in (first, clone(first).set_params(output="frames", batch_size=1), make(layer=1)):
        embedding.transform(clips)
    assert len(loads) == 1


def test_code_that_comes_with_a_model_is_not_run(copy):
    folder = copy()
    path = folder / "config.json"
    own = {"AutoConfig": "own.Config", "AutoModel": "own.Model", "AutoFeatureExtractor": "own.Extractor"}
    path.write_text(json.dumps(json.loads(path.read_text()) | {"auto_map": own}))
    (folder / "own.py").write_text(f"open({str(folder / 'was_run')!r}, 'w')\n")
    assert HubEmbedding(folder).fit_transform(noise("wavlm", 1.0)).shape == (1, 16)
    assert not (folder / "was_run").exists()


def test_weights_of_torch_are_read_where_there_are_no_others_and_may_hold_no_code(copy, make):
    folder, clips = copy(), noise("wavlm", 1.0)
    expected = make().transform(clips)
    tensors = safetensors_torch.load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    torch.save(tensors, folder / "pytorch_model.bin")
    assert_equal_up_to_rounding(HubEmbedding(folder, window=1.0).transform(clips), expected)
    torch.save(tensors | {"run": Code(str(folder / "was_run"))}, folder / "pytorch_model.bin")
    with pytest.raises(WeightsError, match="no weights of a wavlm"):
        HubEmbedding(folder).fit(clips)
    assert not (folder / "was_run").exists()


def test_weights_in_half_precision_are_computed_with_in_full(copy):
    folder, clips = copy(), noise("wavlm", 1.0)
    path, config = folder / "model.safetensors", json.loads((folder / "config.json").read_text())
    half = {name: value.half() for name, value in safetensors_torch.load_file(path).items()}
    made = []
    for dtype, tensors in (
        ("float16", half),
        ("float32", {name: value.float() for name, value in half.items()}),
    ):
        (folder / "config.json").write_text(json.dumps(config | {"dtype": dtype}))
        safetensors_torch.save_file(tensors, path, {"format": "pt"})
        made.append(HubEmbedding(folder).fit_transform(clips))
    np.testing.assert_array_equal(*made)


@pytest.fixture
def shards(models, tmp_path):
    """A model whose weights are in several files."""
    logging = transformers.utils.logging
    logging.disable_progress_bar()
    folder = Path(shutil.copytree(models / "hubert", tmp_path / "shards"))
    (folder / "model.safetensors").unlink()
    transformers.AutoModel.from_pretrained(models / "hubert").save_pretrained(folder, max_shard_size="10KB")
    logging.enable_progress_bar()
    assert len(list(folder.glob("model-*.safetensors"))) > 1
    return folder


def test_weights_in_several_files_are_read_and_all_of_them_wanted(shards, make):
    clips = noise("hubert", 1.0)
    np.testing.assert_array_equal(
        HubEmbedding(shards, window=1.0).fit_transform(clips), make("hubert").transform(clips)
    )
    max(shards.glob("model-*.safetensors")).unlink()
    with pytest.raises(WeightsError, match=r"there are no weights, model\.safetensors"):
        HubEmbedding(shards).fit(clips)


class Code:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (self.path, "w")


def test_weights_that_are_damaged_or_lack_a_part_are_refused(copy):
    folder, clips = copy(), noise("wavlm", 1.0)
    path = folder / "model.safetensors"
    tensors = safetensors_torch.load_file(path)
    name = next(name for name in tensors if "layers.1.attention.k_proj.weight" in name)
    safetensors_torch.save_file({k: v for k, v in tensors.items() if k != name}, path, {"format": "pt"})
    state = torch.get_rng_state()
    with pytest.raises(
        WeightsError, match=r"lack 1 tensors of WavLMModel, such as .*layers\.1\.attention\.k_proj"
    ):
        HubEmbedding(folder).fit(clips)
    assert torch.equal(torch.get_rng_state(), state)
    path.write_bytes(b"damaged")
    with pytest.raises(WeightsError, match="no weights of a wavlm"):
        HubEmbedding(folder).fit(clips)
    safetensors_torch.save_file(
        tensors | {name: torch.full_like(tensors[name], torch.nan)}, path, {"format": "pt"}
    )
    with pytest.raises(ValueError, match="wavlm: gave NaN or infinity"):
        HubEmbedding(folder).fit(clips).transform(clips)


def test_the_weights_of_fit_are_the_only_ones_that_transform_takes(copy):
    folder, clips = copy(), noise("wavlm", 1.0)
    embedding = HubEmbedding(folder).fit(clips)
    before, engine = embedding.transform(clips), embedding._engine()
    path = folder / "model.safetensors"
    changed = {name: 2 * value for name, value in safetensors_torch.load_file(path).items()}
    time = path.stat().st_mtime_ns
    safetensors_torch.save_file(changed, path, {"format": "pt"})
    os.utime(path, ns=(time, time + 1_000_000_000))
    with pytest.raises(WeightsError, match=r"wavlm: has other weights .* or fit again"):
        embedding.transform(clips)
    engines._load.cache_clear()
    with pytest.raises(WeightsError, match="has changed since the embedding began"):
        engine.load()  # as in another process
    assert np.abs(embedding.fit(clips).transform(clips) - before).max() > 1e-3


@pytest.mark.parametrize(
    ("file", "message"),
    [
        (
            "config.json",
            r"wavlm: there is no config\.json\. Write all of a model with model\.save_pretrained",
        ),
        ("preprocessor_config.json", r"there is no preprocessor_config\.json, of the front end"),
        ("model.safetensors", r"there are no weights, model\.safetensors"),
    ],
)
def test_a_folder_that_lacks_a_file_is_named_with_the_way_out(copy, file, message):
    folder = copy()
    (folder / file).unlink()
    with pytest.raises(WeightsError, match=message):
        HubEmbedding(folder).fit(noise("wavlm", 1.0))


def test_a_type_of_model_that_is_not_known_is_refused_with_those_that_are(copy):
    folder = copy()
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"model_type": "bert"}))
    with pytest.raises(ValueError, match=r"must be one of 'audio-sp.*says 'bert'.*ModuleEmbedding"):
        HubEmbedding(folder).fit(noise("wavlm", 1.0))
    path.write_text("{")
    with pytest.raises(WeightsError, match=r"config\.json: no JSON"):
        HubEmbedding(folder).fit(noise("wavlm", 1.0))


def test_without_transformers_the_extra_is_named(make, monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(ImportError, match=r"pip install 'skaudio_ad\[hub\]'"):
        make().fit(noise("wavlm", 1.0))


# The cache of the hub


@pytest.fixture
def offline(tmp_path, monkeypatch):
    """An empty cache of the hub, on a machine without a network."""
    import huggingface_hub

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    return tmp_path / "hub" / "models--someone--wavlm"


def test_a_model_in_the_cache_of_the_hub_is_found_without_a_network(offline, models, make):
    clips = noise("wavlm", 1.0)
    commit = "0123456789abcdef0123456789abcdef01234567"
    (offline / "refs").mkdir(parents=True)
    (offline / "refs" / "main").write_text(commit)
    shutil.copytree(models / "wavlm", offline / "snapshots" / commit)
    expected = make().transform(clips)
    for revision in (None, "main", commit):
        embedding = HubEmbedding("someone/wavlm", revision=revision, window=1.0).fit(clips)
        np.testing.assert_array_equal(embedding.transform(clips), expected)
    assert embedding.get_feature_names_out()[0] == "wavlm_clip0"
    with pytest.raises(WeightsError, match="--revision other"):
        embedding.set_params(revision="other").transform(clips)
    (offline / "snapshots" / commit / "model.safetensors").unlink()
    with pytest.raises(WeightsError, match=r"there are no weights, model\.safetensors\. .* hf download"):
        HubEmbedding("someone/wavlm").fit(clips)


def test_offline_a_model_that_is_nowhere_is_named_with_the_way_out(offline):
    message = r"'someone/wavlm': .*nothing of it is in the cache.* hf download someone/wavlm; .* as model_id"
    with pytest.raises(WeightsError, match=message):
        HubEmbedding("someone/wavlm").fit(noise("wavlm", 1.0))
    with pytest.raises(WeightsError, match="must name a folder that exists or a model of the hub"):
        HubEmbedding("./no/such/folder").fit(noise("wavlm", 1.0))


@pytest.mark.parametrize("kind", ["one file", "several files", "torch"])
def test_a_download_takes_what_is_needed_and_weights_of_torch_where_there_are_no_others(
    offline, models, copy, shards, tmp_path, monkeypatch, kind
):
    import huggingface_hub

    published = shards if kind == "several files" else copy("hubert")
    weights = safetensors_torch.load_file(models / "hubert" / "model.safetensors")
    torch.save(weights, published / "pytorch_model.bin")
    (published / "README.md").write_text("about it")
    if kind == "torch":
        (published / "model.safetensors").unlink()
    snapshot = tmp_path / "snapshot"
    snapshot.mkdir()

    def download(model_id, *, revision, allow_patterns, local_files_only=False):
        for file in [] if local_files_only else published.iterdir():
            if any(fnmatch(file.name, pattern) for pattern in allow_patterns):
                shutil.copy(file, snapshot)
        return str(snapshot)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    assert HubEmbedding("someone/hubert").fit_transform(noise("hubert", 1.0)).shape == (1, 16)
    assert (snapshot / "pytorch_model.bin").exists() == (kind == "torch")
    assert not (snapshot / "README.md").exists()


# Parameters, copies, memory, processes


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        ({"model_id": 3}, TypeError, "model_id must be a folder or the name of a model, got 3"),
        ({"model_id": ""}, TypeError, "model_id must be a folder or the name of a model, got ''"),
        ({"revision": "main"}, ValueError, "revision must be None for a folder, got 'main'"),
        ({"output": "tokens"}, ValueError, "output must be one of 'clip', 'frames', 'grid', 'logits'"),
        (
            {"output": ["clip", "logits"]},
            ValueError,
            "output must be one name for a HubEmbedding.*FeatureUnion",
        ),
        (
            {"output": "grid"},
            ValueError,
            "output of wavlm must be one of 'clip', 'frames', 'logits', got 'grid'",
        ),
        ({"layer": 3}, ValueError, r"layer must lie in \[-3, 2\], got 3"),
        ({"layer": -4}, ValueError, r"layer must lie in \[-3, 2\], got -4"),
        ({"layer": None}, TypeError, "layer must be an integer, got None"),
        ({"window": 0.5}, ValueError, "window must lie in"),
        ({"precision": "float16"}, ValueError, "precision must be one of 'float32', 'bfloat16'"),
        ({"device": "tpu"}, ValueError, "device must be"),
    ],
)
def test_a_parameter_out_of_range_is_named_with_the_rule(make, parameters, error, message):
    for method in ("fit", "transform"):
        with pytest.raises(error, match=message):
            getattr(make().set_params(**parameters), method)(noise("wavlm", 1.0))


def test_what_a_model_does_not_give_is_refused(make):
    with pytest.raises(ValueError, match=r"layer of clap must be one of -1, got 0"):
        make("clap", layer=0).fit(noise("clap", 1.0))
    with pytest.raises(ValueError, match="needs a model that was trained to classify, hubert was not"):
        make("hubert", "logits").fit(noise("hubert", 1.0))


def test_a_search_over_layers_saved_and_loaded_scores_alike(make, tmp_path):
    clips = noise("wavlm", *[0.5] * 8)
    pipeline = make_pipeline(
        make(memory=str(tmp_path / "kept")), StandardScaler(), NearestNeighborsDetector()
    )
    search = GridSearchCV(
        pipeline,
        {"hubembedding__layer": [0, 1, -1]},
        scoring=lambda model, X, y=None: model.score_samples(X).mean(),
        cv=2,
    ).fit(clips)
    assert len(set(search.cv_results_["mean_test_score"])) == 3
    best = search.best_estimator_
    expected = best.score_samples(clips)
    save_detector(best, tmp_path / "detector.skops")
    for again in (load_detector(tmp_path / "detector.skops"), pickle.loads(pickle.dumps(best))):
        np.testing.assert_array_equal(again.score_samples(clips), expected)


def test_a_copy_is_small_and_a_path_becomes_a_string(models):
    embedding = HubEmbedding(models / "wavlm").fit(noise("wavlm", 1.0))
    assert len(pickle.dumps(embedding)) < 2000
    assert pickle.loads(pickle.dumps(embedding)).model_id == str(models / "wavlm")


def test_what_was_embedded_once_is_known_by_weights_layer_and_precision(make, tmp_path, monkeypatch):
    clips = noise("wavlm", 1.0, 0.5)
    settings = ({}, {"layer": 1}, {"precision": "bfloat16"}, {"output": "logits"}, {"layer": -2})
    kept = [make(memory=tmp_path / "kept", **parameters).transform(clips) for parameters in settings]
    for made, parameters in zip(kept, settings):
        np.testing.assert_array_equal(made, make(**parameters).transform(clips))
    monkeypatch.setattr(engines.HubEngine, "load", lambda engine: pytest.fail("was loaded"))
    np.testing.assert_array_equal(make(memory=tmp_path / "kept").transform(clips), kept[0])


def test_two_processes_embed_as_one_does(make, write_wavs):
    paths = write_wavs([9000, 16000, 4000, 40000], sample_rate=16000)
    expected = make(batch_size=2).transform(paths)
    with joblib.parallel_config(
        backend="multiprocessing"
    ):  # forked, because a new process imports torch for seconds
        assert_equal_up_to_rounding(make(batch_size=2, n_jobs=2).transform(paths), expected)


def test_it_meets_scikit_learns_contract(make):
    check_estimator(make(), on_skip=None)
