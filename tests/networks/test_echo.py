"""ECHO against its authors' code, with the same weights."""

import numpy as np
import pytest
import torch

from benchmarks.authors import authors_folder
from benchmarks.authors import echo as authors
from benchmarks.authors.seeded import seeded_state_dict, seeded_waveforms
from skaudio_ad import ECHOEmbedding
from skaudio_ad.embeddings import BACKBONES, Backbone
from skaudio_ad.networks import ECHO, for_inference

from .authors_numbers import assert_equals_the_authors

SMALL = Backbone(
    name="small_echo", filename="small_echo.pt", family="echo", settings=authors.SMALL, embedding_size=224
)


def small(rate=16_000, **settings):
    """The network whose outputs are recorded."""
    network = ECHO(rate, **authors.SMALL | settings).eval().requires_grad_(False)
    network.load_state_dict(seeded_state_dict(network.state_dict()), strict=True)
    return network


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    path = tmp_path_factory.mktemp("echo") / "weights.pt"
    torch.save(small().state_dict(), path)
    return path


def spectrograms(*shape, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).normal(size=shape).astype(np.float32))


# Numbers of the authors


@pytest.mark.parametrize("output", [*authors.CLIPS, "frames"])
def test_it_computes_what_the_authors_code_computes(weights, output):
    name = "clip" if output == "frames" else output
    rate, _ = authors.CLIPS[name]
    kind = "frames" if output == "frames" else "clip"
    embedding = ECHOEmbedding(SMALL, weights=weights, output=kind, sample_rate=rate, device="cpu")
    made = embedding.transform(authors.waveforms(name).numpy())
    assert_equals_the_authors("echo", output, made)
    assert made.std() > 0.5


@pytest.mark.parametrize(
    ("variant", "rate", "seconds"),
    [("echo_tiny", 8000, 41.3), ("echo_tiny", 22_050, 0.9), ("echo_small", 16_000, 1.01)],
)
def test_a_file_of_the_authors_gives_the_authors_outputs(variant, rate, seconds, tmp_path):
    if authors_folder("echo") is None:
        pytest.skip("SKAUDIO_AD_AUTHORS names no folder with a checkout of ECHO")
    pytest.importorskip("torchaudio")
    settings = BACKBONES[variant].settings
    state = seeded_state_dict(authors.network(**settings).state_dict())
    torch.save({"encoder": state, "model_type": "small"}, tmp_path / "checkpoint.pth")
    waveforms = seeded_waveforms(int(seconds * rate), rate, n_clips=1)
    clip, frames = authors.run(authors.network(state, **settings), waveforms[0], rate)
    embedding = ECHOEmbedding(variant, weights=tmp_path / "checkpoint.pth", sample_rate=rate, device="cpu")
    made = embedding.transform(waveforms.numpy())[0]
    assert np.abs(made - clip.numpy()).max() <= 1e-5 * clip.abs().max()
    if seconds <= 20:  # of longer clips the authors repeat frames
        made = embedding.set_params(output="frames").transform(waveforms.numpy())[0]
        assert np.abs(made.T - frames.numpy()).max() <= 1e-5 * frames.abs().max()


@pytest.mark.parametrize(("variant", "millions"), [("echo_tiny", 5.437), ("echo_small", 21.492)])
def test_names_and_sizes_are_those_of_the_checkpoints(variant, millions):
    with torch.device("meta"):
        network = ECHO(16_000, **BACKBONES[variant].settings)
    state = network.state_dict()
    assert len(state) == 150
    assert {name.split(".")[0] for name in state} == {
        "cls_token",
        "pos_embed",
        "patch_embed",
        "encoder",
        "norm",
    }
    layer = "encoder.layers.11."
    block = {name.removeprefix(layer) for name in state if name.startswith(layer)}
    parts = ("self_attn.in_proj_", "self_attn.out_proj.", "linear1.", "linear2.", "norm1.", "norm2.")
    assert block == {part + values for part in parts for values in ("weight", "bias")}
    assert sum(value.numel() for value in network.parameters()) / 1e6 == pytest.approx(millions, abs=1e-3)
    assert network.embedding_size == BACKBONES[variant].embedding_size


def test_the_blocks_are_those_of_torch():
    network = small()
    layer = torch.nn.TransformerEncoderLayer(
        32, 2, 128, activation="gelu", batch_first=True, layer_norm_eps=1e-6
    )
    reference = torch.nn.TransformerEncoder(layer, 2, enable_nested_tensor=False).eval()
    reference.load_state_dict(network.encoder.state_dict(), strict=True)
    tokens = spectrograms(3, 9, 32)
    with torch.no_grad():
        expected = reference(tokens)
        made = network.encoder["layers"](tokens)
        first = network.encoder["layers"][1](network.encoder["layers"][0](tokens), 1)
    torch.testing.assert_close(made, expected, rtol=0, atol=1e-5)
    torch.testing.assert_close(first, expected[:, :1], rtol=0, atol=1e-5)


def test_operations_of_all_bands_are_counted():
    # 7 bands of 64 tokens in 12 blocks: 12 products of 192 by 192 values for a token, and two products of 64 tokens.
    made = ECHOEmbedding("echo_tiny", sample_rate=16_000, window=10.0).describe().multiply_accumulates
    expected = 7 * 64 * 12 * (12 * 192**2 + 2 * 64 * 192) + 7 * 63 * 512 * 192
    assert made == pytest.approx(expected, rel=0.01)


# Positions


def test_positions_in_time_are_sines_of_powers_of_ten_thousand():
    table = ECHO(16_000, size=8, heads=2, depth=1).pos_embed[0].double().numpy()
    rates = 10_000.0 ** (-np.arange(4) / 4)
    expected = [np.concatenate([np.sin(t * rates), np.cos(t * rates)]) for t in range(125)]
    np.testing.assert_allclose(table, [np.zeros(8), *expected], atol=1e-6)


@pytest.mark.parametrize(
    ("rate", "n_bands"), [(8000, 4), (16_000, 7), (22_050, 9), (44_100, 18), (96_000, 38)]
)
def test_positions_of_bands_are_sines_of_the_middle_of_their_real_frequencies(rate, n_bands):
    network = ECHO(rate, size=8, heads=2, depth=1)
    n_fft = int(0.025 * rate)
    bins = [np.arange(start, min(start + 32, n_fft // 2 + 1)) for start in range(0, n_fft // 2 + 1, 32)]
    places = np.array([(band * rate / n_fft).mean() / (rate / 2) for band in bins])
    angles = 25 * places[:, None] * 10_000.0 ** (-np.arange(0, 8, 2) / 8)
    expected = np.empty((len(bins), 8))
    expected[:, 0::2], expected[:, 1::2] = np.sin(angles), np.cos(angles)
    assert network.n_bands == len(bins) == n_bands
    np.testing.assert_allclose(network.frequency_positions, expected, atol=1e-5)


# Outputs


def test_outputs_have_time_last_and_bands_in_order():
    network = small()
    with torch.no_grad():
        made = network(spectrograms(3, 201, 40), network.outputs)
    shapes = {name: tuple(value.shape) for name, value in made.items()}
    assert shapes == {
        "clip": (3, 224),
        "token_mean": (3, 224),
        "frames": (3, 224, 3),
        "grid": (3, 32, 7, 3),
    }
    grid = made["grid"].transpose(1, 2)
    torch.testing.assert_close(made["frames"], grid.flatten(1, 2))
    torch.testing.assert_close(made["token_mean"], grid.mean(3).flatten(1))


def test_a_clip_embedding_alone_is_that_of_all_outputs():
    network, x = small(), spectrograms(2, 201, 50)
    for made in (network, for_inference(network)):
        with torch.no_grad():
            torch.testing.assert_close(
                made(x, "clip")["clip"], network(x, network.outputs)["clip"], rtol=0, atol=1e-5
            )


def test_a_band_sees_no_other_band_and_the_last_band_is_filled_below():
    network, x = small(), spectrograms(1, 201, 32)
    changed = x.clone()
    changed[:, 192:] += 1.0  # the nine frequencies of the last band
    with torch.no_grad():
        before, after = (network(each, "grid")["grid"][0] for each in (x, changed))
        assert torch.equal(before[:, :6], after[:, :6])
        assert not torch.equal(before[:, 6], after[:, 6])
        # The last frequency has the last row of the kernel.
        alone = network.patch_embed["proj"].weight[:, 0, -1, 0].clone()
        network.patch_embed["proj"].weight.zero_()
        network.patch_embed["proj"].weight[:, 0, -1, 0] = alone
        moved = x.clone()
        moved[:, 200, 0] += 1.0
        assert not torch.equal(network(moved, "grid")["grid"], network(x, "grid")["grid"])
        moved = x.clone()
        moved[:, 199, 0] += 1.0
        assert torch.equal(network(moved, "grid")["grid"], network(x, "grid")["grid"])


def test_frames_that_fill_no_patch_are_followed_by_zeros():
    network, x = small(), spectrograms(1, 201, 19)
    with torch.no_grad():
        made = network(x, "clip")["clip"]
        filled = network(torch.nn.functional.pad(x, (0, 13)), "clip")["clip"]
    torch.testing.assert_close(made, filled)


def test_layers_are_states_without_the_final_normalisation():
    network, x = small(), spectrograms(2, 201, 40)
    states = []
    for block in network.stages:
        block.register_forward_hook(lambda module, inputs, output: states.append(output))
    with torch.no_grad():
        made = small(layers=(2, 1))(x, ("clip", "grid"))
        network(x, "grid")
    for number, state in enumerate(states[::-1]):
        of_bands = state.unflatten(0, (2, 7))
        values = slice(number * 224, (number + 1) * 224)
        torch.testing.assert_close(made["clip"][:, values], of_bands[:, :, 0].flatten(1))
        torch.testing.assert_close(
            made["grid"][:, number * 32 : (number + 1) * 32], of_bands[:, :, 1:].permute(0, 3, 1, 2)
        )


# Bad input


def test_spectrograms_of_another_rate_or_length_are_refused():
    network = small()
    with pytest.raises(ValueError, match=r"\(n_clips, 201, n_frames\), as LogSpectrogram at the sample"):
        network(torch.zeros(1, 101, 40))
    with pytest.raises(ValueError, match=r"at most 2000 frames \(20.00 s\), got 2001"):
        network(torch.zeros(1, 201, 2001))
    assert network(torch.zeros(1, 201, 1))["clip"].isfinite().all()
    with pytest.raises(ValueError, match=r"outputs must be of 'clip', .*, got 'logits'"):
        network(torch.zeros(1, 201, 40), "logits")


def test_it_can_be_trained_and_adapters_reach_its_attention():
    from skaudio_ad.networks import add_low_rank, merge_low_rank

    network, x = small(), spectrograms(2, 201, 40)
    expected = network(x)["clip"]
    assert add_low_rank(network.stages, 2, 4.0) == 2 * 4
    network(x)["clip"].square().sum().backward()
    trained = {name for name, value in network.named_parameters() if value.grad is not None}
    assert any("in_proj_weight" in name for name in trained)
    merge_low_rank(network)
    assert set(network.state_dict()) == set(small().state_dict())
    torch.testing.assert_close(network(x)["clip"], expected, rtol=0, atol=1e-5)


def test_bfloat16_for_inference_holds_the_products_of_the_blocks_and_no_others():
    fast = for_inference(small(), "bfloat16")
    rounded = {name for name, value in fast.named_parameters() if value.dtype == torch.bfloat16}
    products = ("self_attn.in_proj_weight", "self_attn.out_proj.weight", "linear1.weight", "linear2.weight")
    assert rounded == {f"encoder.layers.{block}.{name}" for block in range(2) for name in products}
