"""CED and its front end against the authors' code and torchaudio."""

import numpy as np
import pytest
import torch

from benchmarks.authors import authors_folder
from benchmarks.authors import ced as authors
from benchmarks.authors.seeded import seeded_waveforms
from skaudio_ad import CEDEmbedding
from skaudio_ad.embeddings import BACKBONES, get_family
from skaudio_ad.embeddings.families._ced import plain_state_dict
from skaudio_ad.networks import CED, CEDFrontEnd, for_inference
from skaudio_ad.networks._decibel_mel import htk_band_to_hertz

from .authors_numbers import assert_equals_the_authors

OUTPUTS = ("clip", "frames", "grid", "tokens", "logits")


@pytest.fixture(scope="module")
def waveforms():
    return seeded_waveforms(authors.N_SAMPLES, 16_000)


@pytest.fixture(scope="module")
def small():
    """The network whose outputs are recorded, and its weights."""
    weights = plain_state_dict(authors.seeded_weights(authors.SMALL))
    network = CED(**authors.SMALL).eval()
    network.load_state_dict(weights, strict=True)
    return network, weights


def relative(made, expected):
    made, expected = np.asarray(made), np.asarray(expected)
    assert made.shape == expected.shape
    return np.abs(made - expected).max() / np.abs(expected).max()


# The network


@pytest.mark.parametrize("fast", [False, True])
def test_it_computes_what_the_authors_network_computes(small, waveforms, fast):
    network = for_inference(small[0]) if fast else small[0]
    with torch.no_grad():
        made = network(CEDFrontEnd()(waveforms), OUTPUTS)
    for output in OUTPUTS:
        assert_equals_the_authors("ced", output, made[output])
        assert made[output].std() > 0.5


@pytest.mark.parametrize("variant", ["ced_tiny", "ced_base"])
def test_a_file_of_the_authors_gives_the_authors_outputs(variant, tmp_path):
    if authors_folder("ced") is None:
        pytest.skip("SKAUDIO_AD_AUTHORS names no folder with a checkout of CED")
    pytest.importorskip("einops")
    pytest.importorskip("torchaudio")
    settings = BACKBONES[variant].settings
    theirs = authors.network(authors.seeded_weights(settings), **settings)
    path = tmp_path / "weights.pt"
    torch.save(theirs.state_dict(), path)
    waveforms = seeded_waveforms(20_000, 16_000)
    expected = authors.run(theirs, waveforms)
    for output in (["clip", "logits"], "grid"):
        made = CEDEmbedding(variant, weights=path, output=output).transform(waveforms.numpy())
        parts = [expected[output]] if isinstance(output, str) else [expected[name] for name in output]
        assert relative(made, np.concatenate(parts, axis=1)) < 1e-5


@pytest.mark.parametrize("variant", ["ced_tiny", "ced_mini", "ced_small", "ced_base"])
def test_names_and_sizes_are_those_of_the_checkpoints(variant):
    backbone = BACKBONES[variant]
    with torch.device("meta"):
        network = CED(**backbone.settings)
    state = network.state_dict()
    # The files on Zenodo have 161 tensors, and two of them are constants of the front end.
    assert len(state) == 159
    assert network.time_pos_embed.shape == (1, backbone.embedding_size, 1, 63)
    published = {"ced_tiny": 5.50, "ced_mini": 9.70, "ced_small": 21.6, "ced_base": 85.7}[variant]
    assert sum(each.numel() for each in network.parameters()) / 1e6 == pytest.approx(published, rel=0.01)


def test_layers_are_the_states_after_these_blocks_and_later_blocks_are_left_out(small, waveforms):
    network, weights = small
    spectrograms = CEDFrontEnd()(waveforms)
    states = []
    hooks = [block.register_forward_hook(lambda *args: states.append(args[2])) for block in network.blocks]
    with torch.no_grad():
        network(spectrograms)
    for hook in hooks:
        hook.remove()
    some = CED(**authors.SMALL, layers=(2, 1)).eval()
    backbone = get_family("ced").variants[0]
    backbone = type(backbone)(name="a", filename="a.pt", embedding_size=12, settings={"layers": (2, 1)})
    some.load_state_dict(get_family("ced").read_checkpoint(weights, backbone), strict=True)
    with torch.no_grad():
        made = some(spectrograms, some.outputs)
    assert len(some.blocks) == 2
    assert (some.embedding_size, some.outputs) == (24, OUTPUTS[:-1])
    torch.testing.assert_close(made["tokens"], torch.cat([states[1], states[0]], dim=2).transpose(1, 2))
    torch.testing.assert_close(made["clip"], made["grid"].mean((2, 3)))


def test_a_network_without_classes_has_no_logits():
    network = CED(**authors.SMALL | {"n_classes": 0})
    assert (network.outputs, network.class_layers) == (OUTPUTS[:-1], ())
    with pytest.raises(
        ValueError, match="outputs must be of 'clip', 'frames', 'grid', 'tokens', got 'logits'"
    ):
        network(torch.zeros(1, 64, 16), "logits")


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((1, 128, 100), r"\(n_clips, 64, n_frames\), as CEDFrontEnd makes them, got \(1, 128, 100\)"),
        ((1, 64, 15), "at least 16 frames, got 15"),
        ((1, 64, 1024), "at most 1023 frames"),
    ],
)
def test_spectrograms_that_the_network_does_not_take_are_refused(small, shape, message):
    with pytest.raises(ValueError, match=message):
        small[0](torch.zeros(shape))


def test_frames_after_the_last_whole_patch_are_ignored(small):
    spectrograms = torch.from_numpy(np.random.default_rng(0).normal(size=(1, 64, 47)).astype(np.float32))
    with torch.no_grad():
        whole, cut = (small[0](some)["clip"] for some in (spectrograms, spectrograms[..., :32]))
    assert relative(whole, cut) < 1e-6


# The front end


@pytest.mark.parametrize("n_samples", [257, 2400, 30_001])
def test_spectrograms_are_torchaudios(n_samples):
    transforms = pytest.importorskip("torchaudio").transforms
    mel = transforms.MelSpectrogram(16_000, 512, 512, 160, 0.0, 8000.0, n_mels=64)
    [waveform] = seeded_waveforms(n_samples, 16_000, n_clips=1)
    expected = transforms.AmplitudeToDB(top_db=120)(mel(waveform))
    assert relative(CEDFrontEnd()(waveform[None])[0], expected) < 1e-6


def test_a_quiet_clip_beside_a_loud_one_keeps_its_own_floor():
    loud, quiet = torch.full((1, 4000), 0.9), torch.zeros(1, 4000)
    quiet[0, 2000] = 1e-4
    both = CEDFrontEnd()(torch.cat([loud, quiet]))
    assert torch.equal(both[1:], CEDFrontEnd()(quiet))
    # A GPU transforms several clips at a time.
    torch.testing.assert_close(
        CEDFrontEnd()._decibels(torch.cat([loud, quiet]), 32_000), both, rtol=0, atol=1e-4
    )
    assert float(both[1].min()) == -100
    assert float(both[0].min()) == pytest.approx(float(both[0].max()) - 120, abs=1e-4)


def test_silence_is_minus_100_decibels():
    assert torch.equal(CEDFrontEnd()(torch.zeros(1, 2400)), torch.full((1, 64, 16), -100.0))


@pytest.mark.parametrize(
    ("waveforms", "error", "message"),
    [
        (torch.zeros(1, 256), ValueError, "at least 257 samples .* got 256"),
        (torch.zeros(300), ValueError, r"must have the shape \(n_clips, n_samples\)"),
        (torch.zeros(1, 300, dtype=torch.float64), TypeError, "must be torch.float32, got torch.float64"),
    ],
)
def test_waveforms_that_the_front_end_does_not_take_are_refused(waveforms, error, message):
    with pytest.raises(error, match=message):
        CEDFrontEnd()(waveforms)


def test_the_energy_of_a_tone_is_in_the_band_of_its_frequency():
    edges = get_family("ced").grid_bands(BACKBONES["ced_tiny"])
    assert edges.shape == (4, 2)
    np.testing.assert_allclose(edges[1:, 0], edges[:-1, 1])
    times = torch.arange(8000) / 16_000
    for row, (low, high) in enumerate(edges):
        for frequency in (low + 0.1 * (high - low), high - 0.1 * (high - low)):
            spectrum = CEDFrontEnd()(torch.sin(2 * np.pi * frequency * times)[None])[0, :, 20]
            band = int(spectrum.argmax())
            assert band // 16 == row
            assert htk_band_to_hertz(band - 1) < frequency < htk_band_to_hertz(band + 1)
