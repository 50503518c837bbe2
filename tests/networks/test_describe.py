"""Parameters, multiply-accumulates and receptive fields: by hand, by torch's counter, as published."""

import math
from functools import lru_cache

import pytest
import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from skaudio_ad.embeddings import BACKBONES
from skaudio_ad.embeddings._backbone_engine import build_on_meta
from skaudio_ad.networks import MobileNet, PaSST, describe, for_inference

# Million parameters, and billion multiply-accumulates for ten seconds where the authors' README gives them
# (https://github.com/fschmid56/EfficientAT); those of PaSST follow from the sizes of ViT-B.
PUBLISHED = {
    "mn01": (0.124, None),
    "mn02": (0.325, None),
    "mn04": (0.984, 0.11),
    "mn05": (1.43, 0.16),
    "mn10": (4.88, 0.54),
    "mn20": (17.9, 2.06),
    "mn30": (39.1, 4.55),
    "mn40": (68.4, 8.03),
    "passt_s_swa": (86.2, None),
    "passt_s_s16": (86.1, None),
    "passt_l_kd": (50.7, None),
}


def published(name):
    """The network of a published checkpoint, with shapes and no values."""
    return build_on_meta(BACKBONES[name])


@lru_cache
def described(name, n_frames=1000, depth=None):
    """The table of a published checkpoint, which several tests read."""
    return describe(published(name), n_frames, depth=depth)


def image(*layers):
    """Layers on the spectrogram as an image of one channel."""
    return nn.Sequential(nn.Unflatten(1, (1, 128)), *layers)


@pytest.mark.parametrize("variant", PUBLISHED)
def test_counts_are_the_published_ones(variant):
    millions, billions = PUBLISHED[variant]
    table = described(variant)
    assert float(f"{table.parameters / 1e6:.3g}") == millions
    if billions is not None:
        assert round(table.multiply_accumulates / 1e9, 2) == billions


def test_a_small_network_worked_out_by_hand():
    network = image(
        nn.Conv2d(1, 4, (3, 5), stride=(2, 1), padding=(1, 2)),  # 4 x 64 x 50
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.MaxPool2d(2),  # 4 x 32 x 25
        nn.Conv2d(4, 8, 3, dilation=(1, 2), groups=2, bias=False),  # 8 x 30 x 21
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(8, 10),
    )
    table = describe(network, n_frames=50)
    rows = [
        ("1", "3x5, step 2x1", (4, 64, 50), 4 * 15 + 4, 4 * 64 * 50 * 15, (3, 5)),
        ("2", "BatchNorm2d", (4, 64, 50), 8, 0, (3, 5)),
        ("4", "2x2, step 2x2", (4, 32, 25), 0, 0, (3 + 1 * 2, 5 + 1 * 1)),
        ("5", "3x3, step 1x1 in 2 groups", (8, 30, 21), 144, 8 * 30 * 21 * 18, (5 + 2 * 4, 6 + 2 * 2 * 2)),
        ("6", "AdaptiveAvgPool2d", (8, 1, 1), 0, 0, (math.inf, math.inf)),
        ("8", "Linear", (10,), 90, 80, (math.inf, math.inf)),
    ]  # fmt: skip
    made = [
        (row.name, row.kind, row.output_shape, row.parameters, row.multiply_accumulates, row.receptive_field)
        for row in table.layers
    ]
    assert made == rows
    assert table.parameters == sum(parameter.numel() for parameter in network.parameters())
    assert table.multiply_accumulates == 192_000 + 90_720 + 80
    assert table.receptive_field == (13, 14)


def test_the_receptive_field_is_where_changes_are_felt():
    layers = [
        nn.Conv2d(1, 1, (3, 5), stride=(1, 2)),
        nn.AvgPool2d((2, 1)),
        nn.Conv2d(1, 1, 3, dilation=(2, 3)),
    ]
    for layer in layers:
        for parameter in layer.parameters():
            nn.init.ones_(parameter)
    network = image(*layers)
    spectrogram = torch.zeros(1, 128, 60, requires_grad=True)
    output = network(spectrogram)
    output[0, 0, output.shape[2] // 2, output.shape[3] // 2].backward()
    felt = spectrogram.grad[0].nonzero()
    span = tuple((felt.max(dim=0).values - felt.min(dim=0).values + 1).tolist())
    assert describe(network, 60).receptive_field == span == (3 + 1 + 2 * 2 * 2, 5 + 2 * 3 * 2)


@pytest.mark.parametrize(
    ("network", "n_frames"), [(MobileNet(0.1), 100), (PaSST(depth=2), 46), (PaSST(stride=16, depth=1), 40)]
)
def test_multiply_accumulates_are_half_of_what_torch_counts(network, n_frames):
    spectrogram = torch.zeros(1, 128, n_frames)
    with torch.no_grad(), FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        network.eval()(spectrogram, network.outputs)
    assert describe(network, n_frames).multiply_accumulates == counter.get_total_flops() / 2


def test_the_receptive_field_of_mobilenet_is_that_of_its_convolutions():
    # Kernel and step of the stem and of the convolutions by channel, in order.
    kernels = (3, 3, 3, 3, 5, 5, 5, 3, 3, 3, 3, 3, 3, 5, 5, 5)
    strides = (2, 1, 2, 1, 2, 1, 1, 2, 1, 1, 1, 1, 1, 2, 1, 1)
    expected = 1 + sum((kernel - 1) * math.prod(strides[:i]) for i, kernel in enumerate(kernels))
    assert described("mn04").receptive_field == (expected, expected) == (595, 595)


def test_attention_sees_all():
    table = described("passt_s_swa")
    by_name = {layer.name: layer for layer in table.layers}
    assert by_name["patch_embed.proj"].receptive_field == (16, 16)
    assert by_name["blocks.0.attn.qkv"].receptive_field == (16, 16)
    assert by_name["blocks.0.attn"].receptive_field == (math.inf, math.inf)
    assert table.receptive_field == (math.inf, math.inf)


def test_what_does_not_run_is_counted_as_parameters():
    by_name = {layer.name: layer for layer in described("passt_l_kd").layers}
    for name, n_parameters in (("head_dist.weight", 527 * 768), ("time_new_pos_embed", 768 * 99)):
        assert (by_name[name].parameters, by_name[name].multiply_accumulates) == (n_parameters, 0)


def test_a_layer_that_runs_twice_has_its_parameters_once():
    layer = nn.Conv2d(1, 1, 3, padding=1, bias=False)
    table = describe(image(layer, nn.ReLU(), layer), n_frames=10)
    assert table.parameters == 9
    assert table.multiply_accumulates == 2 * 9 * 128 * 10
    assert table.receptive_field == (5, 5)


def test_depth_merges_the_layers_of_a_block():
    layers, blocks = described("mn10"), described("mn10", depth=2)
    assert [row.name for row in blocks.layers] == [
        *(f"features.{index}" for index in range(17)),
        *(f"classifier.{index}" for index in (0, 2, 5)),
    ]
    assert blocks.parameters == layers.parameters
    assert blocks.multiply_accumulates == layers.multiply_accumulates
    fourth = blocks.layers[4]
    parts = [row for row in layers.layers if row.name.startswith("features.4.")]
    assert len(parts) == 8
    assert fourth.parameters == sum(row.parameters for row in parts)
    assert fourth.output_shape == (40, 16, 125)
    assert fourth.receptive_field == (35, 35)


def test_more_frames_cost_more_and_change_no_parameter():
    short, long = described("mn04", 320), described("mn04", 640)
    assert short.parameters == long.parameters
    assert 1.9 < long.multiply_accumulates / short.multiply_accumulates < 2


def test_it_prints_as_a_table():
    lines = str(described("mn10", depth=2)).splitlines()
    assert lines[0] == "MobileNet, for one spectrogram of 128 bins x 1000 frames"
    assert lines[1].split() == [
        "layer", "output", "parameters", "multiply-accumulates", "sees", "bins", "x", "frames",
    ]  # fmt: skip
    assert lines[3].split() == ["features.0", "16", "x", "64", "x", "500", "176", "4,608,000", "3", "x", "3"]
    assert lines[-1].split() == ["in", "all", "4,876,831", "541,078,208", "595", "x", "595"]
    assert max(map(len, lines)) <= 110
    assert str(described("passt_s_swa", depth=2)).splitlines()[-1].endswith(" all")


def test_the_network_for_inference_can_be_described():
    plain = MobileNet(0.1)
    table = describe(for_inference(plain), 100)
    assert table.multiply_accumulates == describe(plain, 100).multiply_accumulates
    # Of the four values of a channel that batch normalisation has, the convolution keeps its bias.
    assert table.parameters < describe(plain, 100).parameters


def test_a_described_network_and_the_random_generator_stay_as_they_were():
    pooled = (
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.BatchNorm1d(2),
    )  # in training it refuses a single clip
    network = image(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Dropout(), *pooled).train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    state = torch.random.get_rng_state()
    describe(network, 20)
    describe(published("passt_l_kd"))
    describe(published("mn04"))
    assert torch.equal(torch.random.get_rng_state(), state)
    assert network.training
    assert not any(module._forward_hooks for module in network.modules())
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_a_name_is_refused_with_the_call_that_takes_it():
    with pytest.raises(
        TypeError, match=r"got 'mn10'\. skaudio_ad\.BackboneEmbedding\(name\)\.describe\(\) takes"
    ):
        describe("mn10")


def test_a_layer_that_cannot_be_counted_is_named():
    with pytest.raises(ValueError, match=r"describe knows Conv2d, Linear, .*; 1 is a Conv1d"):
        describe(nn.Sequential(nn.ReLU(), nn.Conv1d(128, 4, 3)))


@pytest.mark.parametrize("depth", [0, -1])
def test_a_depth_below_one_is_refused(depth):
    with pytest.raises(ValueError, match=f"depth must be at least 1, got {depth}"):
        describe(published("mn10"), depth=depth)


def test_too_many_frames_for_the_network_are_refused():
    with pytest.raises(ValueError, match="at most 1005 frames"):
        describe(published("passt_s_swa"), 3000)
