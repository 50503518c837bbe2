"""The recipe "Add a backbone": a family of another sample rate, front end and set of outputs works everywhere.

The family below is the file that a contributor writes. The fixture stands for its line in
``skaudio_ad/embeddings/families/__init__.py``.
"""

import dataclasses
import hashlib

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from sklearn.exceptions import NotFittedError

import skaudio_ad.embeddings._registry as registry
from skaudio_ad import AudioLoader, BackboneEmbedding
from skaudio_ad._checks import check_number
from skaudio_ad.cli import main
from skaudio_ad.embeddings import (
    BACKBONES,
    Backbone,
    Clock,
    Family,
    Output,
    Variant,
    WeightsError,
    find_weights,
    load_state_dict,
    weights_path,
)
from skaudio_ad.embeddings._windows import windows_to_the_end

RATE, HOP_LENGTH, N_FFT = 16_000, 160, 512


class MelFrontEnd(torch.nn.Module):
    """64 bands of 16 kHz waveforms every 10 ms, without padding at the ends."""

    def __init__(self):
        super().__init__()
        bank = torch.zeros(64, N_FFT // 2 + 1)
        for band in range(64):
            bank[band, 4 * band : 4 * band + 4] = 0.25
        self.register_buffer("bank", bank)

    def forward(self, waveforms):
        frames = waveforms.unfold(1, N_FFT, HOP_LENGTH)
        power = torch.fft.rfft(frames * torch.hann_window(N_FFT)).abs().square()
        return torch.log(power @ self.bank.T + 1e-6).transpose(1, 2)


class Toy(torch.nn.Module):
    """A convolution over all bands, and a classifier."""

    outputs = ("clip", "frames", "tags")

    def __init__(self, size):
        super().__init__()
        self.convolution = torch.nn.Conv2d(1, size, (64, 4), stride=(64, 4))
        self.bfloat16_layers = self.convolution
        self.classifier = torch.nn.Linear(size, 3)

    def forward(self, spectrograms, outputs):
        frames = self.convolution(spectrograms[:, None])[:, :, 0].relu()
        clip = frames.mean(2)
        made = {"clip": clip, "frames": frames, "tags": self.classifier(clip)}
        return {name: made[name] for name in outputs}


def build_network(variant):
    return Toy(variant.settings["size"])


def build_front_end(variant):
    return MelFrontEnd()


def clock(variant, n_samples):
    n_frames = 1 + (n_samples - N_FFT) // HOP_LENGTH
    middle = (N_FFT + 3 * HOP_LENGTH) / 2 / RATE
    return Clock(first=middle, step=4 * HOP_LENGTH / RATE, per_window=n_frames // 4)


def read_checkpoint(content, variant):
    if "model" not in content:
        raise ValueError(f"no checkpoint of the toy family: it has no entry 'model', but {sorted(content)}")
    return {name.removeprefix("net."): value for name, value in content["model"].items()}


TOY = Family(
    name="toy",
    title="Toy",
    sample_rate=RATE,
    settings={"size": lambda value, name: check_number(value, name, low=1, integer=True)},
    build_network=build_network,
    build_front_end=build_front_end,
    outputs=(Output("clip"), Output("frames", ("C", "T")), Output("tags", n_features=lambda variant: 3)),
    clock=clock,
    min_samples=lambda variant: N_FFT + 3 * HOP_LENGTH,
    cut_windows=windows_to_the_end,
    hop_share=1.0,
    batch_size=3,
    read_checkpoint=read_checkpoint,
    no_bfloat16={"openvino": "nobody has measured the error"},
    variants=(
        Variant(
            name="toy_small",
            filename="toy-small.pt",
            settings={"size": 5},
            embedding_size=5,
            megabytes=0.01,
            licence="MIT",
        ),
        Variant(
            name="toy_plain",
            filename="toy-plain.pt",
            settings={"size": 7},
            embedding_size=7,
            megabytes=0.01,
            licence="MIT",
            outputs=("clip", "frames"),
        ),
    ),
    default_variant="toy_small",
)


@pytest.fixture(autouse=True)
def known(monkeypatch):
    """The line of the registry."""
    monkeypatch.setitem(registry._FAMILIES, TOY.name, TOY)
    for name, backbone in registry.backbones_of(TOY).items():
        monkeypatch.setitem(registry._BACKBONES, name, backbone)


@pytest.fixture
def network():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Toy(5).eval()


@pytest.fixture
def weights(network, tmp_path):
    """A file as the authors of the toy family write it: the state dict is nested and its names have a prefix."""
    path = tmp_path / "toy-small.pt"
    state = {f"net.{name}": value for name, value in network.state_dict().items()}
    torch.save({"cfg": {"size": 5}, "model": state}, path)
    return path


@pytest.fixture
def direct(network):
    def direct(output, clip):
        with torch.no_grad():
            return network(MelFrontEnd()(torch.from_numpy(clip)[None]), (output,))[output][0].numpy()

    return direct


def noise(*seconds):
    rng = np.random.default_rng(0)
    return [rng.normal(scale=0.1, size=round(s * RATE)).astype(np.float32) for s in seconds]


def close(made, expected):
    np.testing.assert_allclose(made, expected, rtol=0, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize("output", ["clip", "frames", "tags"])
def test_an_output_is_the_networks_own_with_the_weights_of_the_authors_file(weights, direct, output):
    clips = noise(1.0, 1.0)
    embedding = BackboneEmbedding("toy_small", weights=weights, output=output).fit(clips)
    close(embedding.transform(clips), np.stack([direct(output, clip) for clip in clips]))
    assert embedding.weights_digest_ == hashlib.sha256(weights.read_bytes()).hexdigest()


def test_columns_have_the_name_of_variant_and_output_and_as_many_as_the_output_has(weights):
    tags = BackboneEmbedding("toy_small", weights=weights, output="tags")
    assert list(tags.get_feature_names_out()) == ["toy_small_tags0", "toy_small_tags1", "toy_small_tags2"]
    assert len(BackboneEmbedding("toy_small").get_feature_names_out()) == 5
    channels = BackboneEmbedding("toy_small", output="frames").get_feature_names_out()
    assert list(channels) == [f"x{i}" for i in range(5)]  # an array of three axes has no names of its own


def test_a_long_clip_is_cut_into_windows_as_the_family_says(weights, direct):
    [clip] = noise(2.5)
    expected = np.mean(
        [direct("clip", clip[start : start + RATE]) for start in (0, RATE, 3 * RATE // 2)], axis=0
    )
    close(BackboneEmbedding("toy_small", weights=weights, window=1.0).transform([clip])[0], expected)


def test_a_short_clip_gets_silence_after_it_up_to_what_the_family_takes(weights, direct):
    padded = np.r_[np.full(100, 0.5), np.zeros(N_FFT + 3 * HOP_LENGTH - 100)].astype(np.float32)
    close(
        BackboneEmbedding("toy_small", weights=weights).transform([padded[:100]])[0], direct("clip", padded)
    )


def test_a_click_shows_in_the_frame_whose_time_is_the_nearest(weights):
    clip = np.zeros(3 * RATE, dtype=np.float32)
    clip[round(1.7 * RATE)] = 1.0
    embedding = BackboneEmbedding("toy_small", weights=weights, output="frames", window=1.0)
    frames = embedding.transform([clip])[0]
    loudest = np.abs(frames - frames[:, :1]).sum(0).argmax()
    seconds = embedding.frames_to_seconds(np.arange(frames.shape[1]))
    assert abs(seconds[loudest] - 1.7) == np.abs(seconds - 1.7).min()


def test_clips_at_the_rate_of_another_family_are_refused(weights, write_wavs):
    clips = AudioLoader(32_000).fit_transform(write_wavs([9000], sample_rate=RATE))
    with pytest.raises(ValueError, match=r"at sample_rate=16000 Hz.*at 32000 Hz"):
        BackboneEmbedding("toy_small", weights=weights).fit(clips)


def test_a_cache_serves_later_calls_and_tells_sizes_apart(weights, tmp_path, monkeypatch):
    clips = noise(0.5, 0.6)
    embedding = BackboneEmbedding("toy_small", weights=weights, memory=str(tmp_path / "kept"))
    first = embedding.transform(clips)
    monkeypatch.setattr(Toy, "forward", None)
    np.testing.assert_array_equal(embedding.transform(clips), first)
    assert embedding._engine().key[:4] == ("toy", RATE, "size", 5)
    other = BackboneEmbedding("toy_plain", weights=None)
    assert other._engine().key != BackboneEmbedding("toy_small", weights=None)._engine().key


def test_describe_counts_on_the_front_end_of_the_family():
    table = BackboneEmbedding("toy_small", window=1.0).describe(depth=None)
    n_frames = (1 + (RATE - N_FFT) // HOP_LENGTH) // 4
    assert table.parameters == 5 * 64 * 4 + 5 + 5 * 3 + 3
    assert table.multiply_accumulates == 64 * 4 * 5 * n_frames + 5 * 3
    assert table.receptive_field == (64, 4)
    assert "64 bins x 97 frames" in table.title


@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
def test_a_network_runs_as_onnx_too(weights, direct, runtime):
    pytest.importorskip("onnx")
    from importlib.util import find_spec

    if find_spec(runtime) is None:
        pytest.skip(f"{runtime} is not installed")
    [clip] = noise(1.3)
    embedding = BackboneEmbedding("toy_small", weights=weights, output="frames", runtime=runtime)
    close(embedding.transform([clip])[0], direct("frames", clip))


def test_the_command_line_embeds_and_lists(weights, write_wavs, tmp_path, monkeypatch):
    paths = write_wavs([9000, 16000], sample_rate=RATE)
    arguments = [
        *paths,
        "-o",
        str(tmp_path / "out.npz"),
        "--backbone",
        "toy_small",
        "--weights",
        str(weights),
        "--level",
        "none",
    ]
    result = CliRunner().invoke(main, ["embed", *arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    expected = BackboneEmbedding("toy_small", weights=weights).transform(paths)
    np.testing.assert_array_equal(np.load(tmp_path / "out.npz")["embeddings"], expected)
    refused = CliRunner().invoke(main, ["embed", *arguments, "--kind", "frames"])
    assert "must be one of clip, tags for toy_small" in " ".join(refused.output.replace("│", " ").split())
    monkeypatch.setenv("SKAUDIO_AD_WEIGHTS", str(weights))
    rows = [row.split() for row in CliRunner().invoke(main, ["weights", "list"]).output.splitlines()]
    small, plain = (next(row for row in rows if row[0] == name) for name in ("toy_small", "toy_plain"))
    assert small[-5:] == ["16", "5", "0.01", "MIT", str(weights)]
    assert plain[-6:] == ["16", "7", "0.01", "MIT", "not", "here"]


# What is refused


def test_an_output_that_only_another_checkpoint_has_is_refused_with_its_name():
    with pytest.raises(
        ValueError,
        match=r"output must be one of 'clip', 'frames' for the variant 'toy_plain', got 'tags'\. Variants that have "
        "it: toy_small",
    ):
        BackboneEmbedding("toy_plain", weights=None, output="tags").fit(noise(0.1))
    with pytest.raises(ValueError, match="output must be one of 'clip', 'frames', 'tags', got 'logits'"):
        BackboneEmbedding("toy_small", weights=None).predict_tags(noise(0.1))


def test_a_file_that_the_reader_of_the_family_does_not_know_is_refused_with_the_readers_words(tmp_path):
    path = tmp_path / "bare.pt"
    torch.save(Toy(5).state_dict(), path)
    with pytest.raises(
        WeightsError, match=r"bare\.pt: no checkpoint of the toy family: it has no entry 'model'"
    ):
        BackboneEmbedding("toy_small", weights=path).fit(noise(0.1))


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"runtime": "hear21passt"}, "runs PaSST only, got a toy"),
        ({"runtime": "openvino", "precision": "bfloat16"}, "nobody has measured the error"),
    ],
)
def test_a_runtime_that_the_family_does_not_take_is_refused_with_the_reason(parameters, message):
    with pytest.raises(ValueError, match=message):
        BackboneEmbedding("toy_small", weights=None, **parameters).fit(noise(0.1))


def test_a_network_that_cannot_be_exported_says_why(monkeypatch):
    monkeypatch.setitem(
        registry._FAMILIES, "toy", dataclasses.replace(TOY, no_export="its attention depends on the length")
    )
    with pytest.raises(
        ValueError, match="'onnxruntime' does not take a Toy: its attention depends on the length"
    ):
        BackboneEmbedding("toy_small", weights=None, runtime="onnxruntime").fit(noise(0.1))


@pytest.fixture
def any_rate(monkeypatch):
    """A backbone of any sample rate."""
    monkeypatch.setitem(registry._FAMILIES, "toy", dataclasses.replace(TOY, sample_rate=None))
    return Backbone(name="any", filename="any.pt", family="toy", settings={"size": 5}, embedding_size=5)


@pytest.mark.filterwarnings("ignore:BackboneEmbedding with weights=None")
def test_a_network_of_any_rate_takes_the_rate_of_the_clips_of_fit_and_no_other_afterwards(
    any_rate, write_wavs
):
    at_8_khz = AudioLoader(8000).fit_transform(write_wavs([9000], sample_rate=8000))
    embedding = BackboneEmbedding(any_rate, weights=None).fit(at_8_khz)
    assert embedding.sample_rate_ == 8000
    assert embedding.transform(at_8_khz).shape == (1, 5)
    at_16_khz = AudioLoader(16_000).fit_transform(write_wavs([9000], sample_rate=16_000))
    with pytest.raises(ValueError, match=r"at sample_rate=8000 Hz.*at 16000 Hz"):
        embedding.transform(at_16_khz)
    assert embedding.fit(at_16_khz).sample_rate_ == 16_000


@pytest.mark.filterwarnings("ignore:BackboneEmbedding with weights=None")
def test_a_network_of_any_rate_must_know_the_rate(any_rate):
    with pytest.raises(
        ValueError, match="takes any sample rate, and X does not say its rate: set sample_rate"
    ):
        BackboneEmbedding(any_rate, weights=None).fit(noise(0.1))
    with pytest.raises(NotFittedError, match="the variant 'any' takes any sample rate and must know which"):
        BackboneEmbedding(any_rate, weights=None).transform(noise(0.1))
    clips = [np.zeros(8000)]
    assert BackboneEmbedding(any_rate, weights=None, sample_rate=8000).transform(clips).shape == (1, 5)
    at_8_khz = dataclasses.replace(any_rate, sample_rate=8000)
    assert BackboneEmbedding(at_8_khz, weights=None).fit_transform(clips).shape == (1, 5)


def test_layers_are_refused_where_a_family_has_none():
    with pytest.raises(ValueError, match="layers must be None for 'toy_small', got 3"):
        BackboneEmbedding("toy_small", weights=None, layers=3).fit(noise(0.1))


# Weights that are part of a package


def test_weights_of_an_installed_package_are_found_first_and_checked(network, tmp_path, monkeypatch):
    save_file = pytest.importorskip("safetensors.torch").save_file

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("SKAUDIO_AD_WEIGHTS", str(tmp_path))
    package = tmp_path / "package"
    package.mkdir()
    state = {name: value.half() for name, value in network.state_dict().items()}
    save_file(state, package / "toy.safetensors")
    save_file(state, tmp_path / "toy.safetensors")
    monkeypatch.setitem(
        registry._FAMILIES, "toy", dataclasses.replace(TOY, read_checkpoint=lambda content, variant: content)
    )
    backbone = dataclasses.replace(
        BACKBONES["toy_small"],
        filename="toy.safetensors",
        folder=str(package),
        sha256=hashlib.sha256((package / "toy.safetensors").read_bytes()).hexdigest(),
    )
    assert find_weights(backbone) == package / "toy.safetensors"
    assert load_state_dict(backbone)["classifier.weight"].dtype == torch.float16
    clips = noise(0.5)
    with torch.no_grad():
        expected = network(MelFrontEnd()(torch.from_numpy(clips[0])[None]), ("clip",))["clip"].numpy()
    made = BackboneEmbedding(backbone).fit_transform(clips)
    np.testing.assert_allclose(made, expected, rtol=0, atol=2e-3 * np.abs(expected).max())
    damaged = bytearray((package / "toy.safetensors").read_bytes())
    damaged[-1] ^= 1
    (package / "toy.safetensors").write_bytes(damaged)
    with pytest.raises(WeightsError, match=r"package/toy\.safetensors: damaged"):
        weights_path(backbone)


def test_a_file_of_safetensors_that_is_damaged_is_refused_by_its_path(tmp_path):
    pytest.importorskip("safetensors")
    path = tmp_path / "toy.safetensors"
    path.write_bytes(b"no tensors")
    with pytest.raises(WeightsError, match=r"toy\.safetensors: not a file of safetensors"):
        BackboneEmbedding("toy_small", weights=path).fit(noise(0.1))
