"""PaSST against hear21passt with the same weights, and its attention written out in NumPy."""

import contextlib
import io
import warnings
from functools import partial
from unittest import mock

import numpy as np
import pytest
import torch

from skaudio_ad.embeddings import BACKBONES
from skaudio_ad.networks import PaSST, for_inference
from skaudio_ad.networks._inference import TokenLinear
from skaudio_ad.networks._transformer import Attention

# Our names of the variants, and hear21passt's.
ARCHITECTURES = {
    "passt_s_swa": "passt_s_swa_p16_128_ap476",
    "passt_s_kd": "passt_s_kd_p16_128_ap486",
    "passt_l_kd": "passt_l_kd_p16_128_ap47",
    "passt_s_s16": "passt_s_p16_s16_128_ap468",
}


@contextlib.contextmanager
def quiet():
    """Without what hear21passt prints, and its warnings of spectrograms that have not 998 frames."""
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def noise(*shape, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).normal(size=shape).astype(np.float32))


def small(stride=10):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return PaSST(stride=stride, depth=2, n_classes=5).eval()


def filled(network, generator):
    """Give a network without values a state with a different value everywhere, and return that state.

    All tensors share one store of numbers, each from a place of its own, because to draw a hundred million numbers
    takes seconds.
    """
    state = network.state_dict()
    room = 100_003  # Number of values that the last tensor can begin after the first one.
    store = 0.04 * torch.randn(max(value.numel() for value in state.values()) + room, generator=generator)
    weights = {}
    for index, (name, value) in enumerate(state.items()):
        start = index * 7919 % room
        weights[name] = store[start : start + value.numel()].view(value.shape)
        if "norm" in name and name.endswith("weight"):
            weights[name] = 1 + weights[name]
    network.load_state_dict(weights, strict=True, assign=True)
    return weights


def both(variant):
    """hear21passt's network and ours with the same random weights, and its tokens after every call."""
    stride = BACKBONES[variant].settings["stride"]
    with quiet():
        passt = pytest.importorskip("hear21passt.models.passt")
        # hear21passt reads the numbers of a linspace while it builds a network.
        linspace = mock.patch("torch.linspace", partial(torch.linspace, device="cpu"))
        with linspace, torch.device("meta"):
            theirs = passt.get_model(
                ARCHITECTURES[variant], pretrained=False, fstride=stride, tstride=stride
            ).eval()
    weights = filled(theirs, torch.Generator().manual_seed(0))
    with torch.device("meta"):
        ours = PaSST(**BACKBONES[variant].settings).eval()
    ours.load_state_dict(weights, strict=True, assign=True)
    tokens = []
    theirs.norm.register_forward_hook(lambda module, inputs, output: tokens.append(output))
    return theirs, ours, tokens


def assert_relatively_close(made, expected, tolerance=1e-5):
    assert made.shape == expected.shape
    assert (made - expected).abs().max() <= tolerance * expected.abs().max()


@pytest.mark.parametrize(
    ("variant", "n_clips", "n_frames"),
    # From one patch in time to four. A test of the embeddings compares clips with more.
    [("passt_s_swa", 2, 36), ("passt_s_kd", 1, 16), ("passt_l_kd", 1, 45), ("passt_s_s16", 1, 50)],
)
def test_it_equals_the_authors_network(variant, n_clips, n_frames):
    theirs, ours, tokens = both(variant)
    spectrograms = noise(n_clips, 128, n_frames)
    with torch.no_grad(), quiet():
        logits, clip = theirs(spectrograms[:, None])
    expected = tokens[0].transpose(1, 2)
    patches = expected[:, :, 2:]
    with torch.no_grad():
        made = ours(spectrograms, ours.outputs)
        brief = ours(spectrograms, ("clip", "logits"))
        fast = for_inference(ours)(spectrograms, ("clip", "tokens"))
    for value, reference in (
        (made["clip"], clip),
        (made["class_token"], expected[:, :, 0]),
        (made["distillation_token"], expected[:, :, 1]),
        (made["tokens"], expected),
        (made["patch_mean"], patches.mean(2)),
        (made["grid"].flatten(2), patches),
        (made["logits"], logits),
        (brief["clip"], clip),
        (brief["logits"], logits),
        (fast["clip"], clip),
        (fast["tokens"], expected),
    ):
        assert_relatively_close(value, reference)
    assert clip.std() > 0.1


def test_every_published_variant_is_compared():
    assert {name for name, backbone in BACKBONES.items() if backbone.family == "passt"} == set(ARCHITECTURES)


@pytest.mark.parametrize("variant", ARCHITECTURES)
def test_names_and_sizes_are_those_of_the_checkpoints(variant):
    with torch.device("meta"):
        made = PaSST(**BACKBONES[variant].settings)
    state = made.state_dict()
    depth = BACKBONES[variant].settings["depth"]
    assert len(state) == 159 - 12 * (12 - depth)
    assert {name.split(".")[0] for name in state} == {
        "cls_token", "dist_token", "new_pos_embed", "freq_new_pos_embed", "time_new_pos_embed",
        "patch_embed", "blocks", "norm", "head", "head_dist",
    }  # fmt: skip
    block = {name.removeprefix("blocks.0.") for name in state if name.startswith("blocks.0.")}
    layers = ("norm1", "attn.qkv", "attn.proj", "norm2", "mlp.fc1", "mlp.fc2")
    assert block == {f"{layer}.{values}" for layer in layers for values in ("weight", "bias")}
    if variant in ("passt_s_swa", "passt_s_kd"):
        assert round(sum(value.numel() for value in state.values()) / 1e6, 2) == 86.15


def test_attention_is_softmax_of_scaled_products():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        attention = Attention(768, 12)
    tokens = 3 * noise(1, 6, 768)
    with torch.no_grad():
        made, first = attention(tokens)[0], attention(tokens, 2)[0]
    weights = {name: value.double().numpy() for name, value in attention.state_dict().items()}
    values = tokens[0].double().numpy() @ weights["qkv.weight"].T + weights["qkv.bias"]
    q, k, v = values.reshape(6, 3, 12, 64).transpose(1, 2, 0, 3)
    scores = np.exp(q @ k.transpose(0, 2, 1) / np.sqrt(64))
    mixed = (scores / scores.sum(axis=2, keepdims=True) @ v).transpose(1, 0, 2).reshape(6, 768)
    expected = mixed @ weights["proj.weight"].T + weights["proj.bias"]
    np.testing.assert_allclose(made, expected, atol=1e-5)
    np.testing.assert_allclose(first, expected[:2], atol=1e-5)


@pytest.mark.parametrize(("stride", "n_bins"), [(10, 12), (16, 8)])
def test_outputs_have_time_last(stride, n_bins):
    network = small(stride)
    with torch.no_grad():
        made = network(noise(3, 128, 16 + 4 * stride), network.outputs)
    assert {name: tuple(value.shape) for name, value in made.items()} == {
        "clip": (3, 768),
        "class_token": (3, 768),
        "distillation_token": (3, 768),
        "tokens": (3, 768, 2 + 5 * n_bins),
        "patch_mean": (3, 768),
        "frames": (3, 768, 5),
        "grid": (3, 768, n_bins, 5),
        "logits": (3, 5),
    }
    assert tuple(made) == network.outputs


def test_frames_are_means_of_the_grid_over_its_bands():
    network = small()
    with torch.no_grad():
        made = network(noise(2, 128, 60), ("grid", "frames", "patch_mean"))
    grid = made["grid"].double().numpy()
    np.testing.assert_allclose(made["frames"], grid.mean(axis=2), atol=1e-6)
    np.testing.assert_allclose(made["patch_mean"], grid.mean(axis=(2, 3)), atol=1e-6)


def test_a_patch_answers_to_its_own_place():
    network = small()
    spectrogram = torch.zeros(1, 128, 76)
    with torch.no_grad():
        before = network(spectrogram, "grid")["grid"]
        # Patches 4 and 5 of the bands start at 40 and 50, patches 2 and 3 of the frames at 20 and 30.
        spectrogram[:, 50:56, 30:36] = 5.0
        change = (network(spectrogram, "grid")["grid"] - before).square().sum(1)[0]
    inside = change[4:6, 2:4].clone()
    change[4:6, 2:4] = 0
    assert inside.min() > 20 * change.max()


@pytest.mark.parametrize(("stride", "n_frames", "seen"), [(10, 45, 36), (16, 47, 32), (10, 46, 46)])
def test_frames_after_the_last_whole_patch_are_not_seen(stride, n_frames, seen):
    network = small(stride)
    spectrogram = noise(1, 128, n_frames)
    with torch.no_grad():
        clip = network(spectrogram, "clip")["clip"]
        assert torch.equal(network(spectrogram[..., :seen], "clip")["clip"], clip)
        assert not torch.equal(network(spectrogram[..., : seen - 1], "clip")["clip"], clip)


@pytest.mark.parametrize(("stride", "max_frames"), [(10, 1005), (16, 1007)])
def test_it_takes_as_many_frames_as_there_are_positions(stride, max_frames):
    with torch.device("meta"):
        network = PaSST(stride=stride, depth=1)
    assert network.max_frames == max_frames
    longest = network(torch.empty(1, 128, max_frames, device="meta"), "grid")["grid"]
    assert longest.shape[2:] == network.grid_size == ((12, 99) if stride == 10 else (8, 62))
    with pytest.raises(
        ValueError, match=rf"at most {max_frames} frames .*, got {max_frames + 1}\. Cut the waveform"
    ):
        network(torch.empty(1, 128, max_frames + 1, device="meta"))


def test_a_spectrogram_shorter_than_a_patch_is_refused():
    network = small()
    with torch.no_grad():
        assert torch.isfinite(network(noise(1, 128, 16), "clip")["clip"]).all()
    with pytest.raises(ValueError, match="at least 16 frames, got 15"):
        network(torch.zeros(1, 128, 15))


@pytest.mark.parametrize("shape", [(2, 64, 100), (128, 100), (2, 1, 128, 100)])
def test_spectrograms_of_another_shape_are_refused(shape):
    with pytest.raises(ValueError, match=r"\(n_clips, 128, n_frames\), as AudioSetFrontEnd makes them, got"):
        small()(torch.zeros(shape))


def test_an_unknown_output_lists_the_known_ones():
    with pytest.raises(ValueError, match=r"outputs must be of 'clip', 'class_token', .*, got 'multilevel'"):
        small()(torch.zeros(1, 128, 20), ("clip", "multilevel"))


def test_the_network_for_inference_computes_with_bfloat16_in_an_autocast():
    plain, spectrograms = small(), noise(2, 128, 60)
    fast, dtypes = for_inference(plain), set()
    for module in fast.modules():
        if isinstance(module, TokenLinear):
            module.register_forward_hook(lambda module, inputs, output: dtypes.add(output.dtype))
    with torch.no_grad():
        expected = plain(spectrograms, "clip")["clip"]
        with torch.autocast("cpu", torch.bfloat16):
            made = fast(spectrograms, "clip")["clip"]
    assert dtypes == {torch.bfloat16}
    error = (made.float() - expected).abs().max() / expected.abs().max()
    assert 1e-5 < error < 3e-2


def test_bfloat16_for_inference_stays_within_a_hundredth_of_float32():
    with torch.device("meta"):
        plain = PaSST().eval()
    filled(plain, torch.Generator().manual_seed(0))
    before = {name: value.dtype for name, value in plain.state_dict().items()}
    fast, spectrograms = for_inference(plain, "bfloat16"), noise(1, 128, 40)
    with torch.no_grad():
        expected, made = plain(spectrograms, plain.outputs), fast(spectrograms, fast.outputs)
    for name in plain.outputs:
        assert made[name].dtype == torch.float32
        error = (made[name] - expected[name]).norm() / expected[name].norm()
        assert 1e-5 < error < 1e-2, name
    assert before == {name: value.dtype for name, value in plain.state_dict().items()}


def test_bfloat16_for_inference_holds_the_weights_of_all_blocks_and_no_others():
    fast = for_inference(small(), "bfloat16")
    rounded = {name for name, values in fast.named_parameters() if values.dtype == torch.bfloat16}
    layers = ("attn.qkv", "attn.proj", "mlp.fc1", "mlp.fc2")
    assert rounded == {f"blocks.{block}.{layer}.weight" for block in range(2) for layer in layers}


def test_attention_in_bfloat16_is_softmax_of_scaled_products():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        attention = Attention(768, 12).bfloat16().requires_grad_(False)
    tokens = 3 * noise(2, 9, 768).bfloat16()
    made, first = attention(tokens), attention(tokens, 2)
    # torch's own, fused, of the same values in float64.
    q, k, v = attention.qkv(tokens).double().unflatten(2, (3, 12, 64)).permute(2, 0, 3, 1, 4)
    mixed = torch.nn.functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
    expected = attention.double().proj(mixed)
    for value, reference in ((made, expected), (first, expected[:, :2])):
        assert value.shape == reference.shape
        assert (value - reference).norm() < 1e-2 * reference.norm()


def test_an_unknown_precision_is_refused():
    with pytest.raises(ValueError, match="precision must be one of 'float32', 'bfloat16', got 'float16'"):
        for_inference(small(), "float16")


def test_it_can_be_trained():
    network = small().train()
    network(noise(2, 128, 40))["logits"].square().sum().backward()
    # head_dist is part of the checkpoints, and of no output.
    unused = {name for name, parameter in network.named_parameters() if parameter.grad is None}
    assert unused == {"head_dist.weight", "head_dist.bias"}


def test_the_original_of_a_network_for_inference_can_still_be_trained():
    network = small().train()
    fast = for_inference(network)
    assert not any(module.training for module in fast.modules())
    assert all(module.training for module in network.modules())
    assert all(parameter.requires_grad for parameter in network.parameters())
