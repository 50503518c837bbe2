"""Open layers, adapters and patchout of a backbone that is tuned."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

from skaudio_ad.networks import MobileNet, PaSST, TunedNetwork, add_low_rank, merge_low_rank
from skaudio_ad.training import drawing_from

SPECTROGRAMS = torch.from_numpy(np.random.default_rng(0).normal(size=(2, 128, 36)).astype(np.float32))


@pytest.fixture(scope="module")
def mobilenet():
    with drawing_from(0):
        return MobileNet(0.1).eval()


@pytest.fixture(scope="module")
def passt():
    with drawing_from(0):
        return PaSST(depth=2).eval()


def tuned(network, **settings):
    with drawing_from(1):
        return TunedNetwork(copy.deepcopy(network), **settings)


def test_an_adapter_adds_a_scaled_product_to_the_weight():
    with drawing_from(0):
        layers = nn.Sequential(nn.Linear(6, 4), nn.Conv2d(4, 3, 1), nn.Conv2d(3, 3, 3), nn.Linear(3, 1))
    weights = [layer.weight.detach().numpy().copy() for layer in layers]
    assert add_low_rank(layers, rank=2, alpha=3.0) == 3
    for layer in (layers[0], layers[1], layers[3]):
        nn.init.normal_(layer.parametrizations.weight[0].up)
    expected = []
    for layer, weight in zip(layers, weights):
        if hasattr(layer, "parametrizations"):
            down, up = (
                getattr(layer.parametrizations.weight[0], name).detach().numpy() for name in ("down", "up")
            )
            rank = min(2, *weight.shape[:2])
            assert down.shape == (rank, weight.shape[1])
            weight = weight + 3.0 / rank * (up @ down).reshape(weight.shape)
        expected.append(weight)
    for layer, weight in zip(layers, expected):
        np.testing.assert_allclose(layer.weight.detach(), weight, rtol=1e-6, atol=1e-6)
    merge_low_rank(layers)
    assert not any(name.startswith("parametrizations") or "." in name[2:] for name in layers.state_dict())
    for layer, weight in zip(layers, expected):
        np.testing.assert_allclose(layer.weight.detach(), weight, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", ["mobilenet", "passt"])
def test_a_network_with_new_adapters_embeds_as_before(name, request):
    network = request.getfixturevalue(name)
    expected = network(SPECTROGRAMS, ("clip",))["clip"]
    np.testing.assert_array_equal(
        tuned(network, trainable="lora").eval()(SPECTROGRAMS).detach(), expected.detach()
    )


def opened(module):
    return set(module.trained_weights())


def test_trainable_says_which_parameters_of_a_mobilenet_are_trained(mobilenet):
    assert opened(tuned(mobilenet, trainable="head", projection_size=3)) == {
        "projection.weight",
        "projection.bias",
    }
    last = opened(tuned(mobilenet, trainable=2))
    assert {name.split(".")[2] for name in last} == {"15", "16"}
    everything = opened(tuned(mobilenet, trainable="all"))
    assert everything == {
        f"network.{name}" for name, _ in mobilenet.named_parameters() if not name.startswith("classifier")
    }
    adapters = opened(tuned(mobilenet, trainable="lora"))
    assert adapters
    assert all(name.endswith((".weight.0.down", ".weight.0.up")) for name in adapters)


def test_trainable_says_which_parameters_of_a_passt_are_trained(passt):
    last = opened(tuned(passt, trainable=1))
    assert {name.split(".")[1] for name in last} == {"blocks", "norm"}
    assert {name.split(".")[2] for name in last if "blocks" in name} == {"1"}
    assert not any("head" in name for name in opened(tuned(passt, trainable="all")))
    adapters = opened(tuned(passt, trainable="lora"))
    assert len(adapters) == 2 * 4 * 2  # two matrices of qkv, proj, fc1 and fc2 in two blocks


def test_batch_normalisation_keeps_its_statistics_in_training_mode(mobilenet):
    module = tuned(mobilenet, trainable="all").train()
    before = {name: value.clone() for name, value in module.named_buffers()}
    module(SPECTROGRAMS)
    assert all(torch.equal(value, before[name]) for name, value in module.named_buffers())
    np.testing.assert_allclose(
        module(SPECTROGRAMS).detach(), module.eval()(SPECTROGRAMS).detach(), rtol=1e-5, atol=1e-6
    )


def test_patchout_leaves_out_rows_and_columns_as_a_pass_over_the_other_patches_does(passt):
    rows, columns = passt.draw_kept(36, (9, 1), torch.Generator().manual_seed(0))
    assert (len(rows), len(columns)) == (3, 2)
    with torch.no_grad():
        found = passt(SPECTROGRAMS, ("clip", "grid"), kept=(rows, columns))
        # The same patches one by one, without a convolution.
        weight, bias = passt.patch_embed["proj"].weight, passt.patch_embed["proj"].bias
        tokens = [
            (passt.cls_token + passt.new_pos_embed[:, :1])[0, 0],
            (passt.dist_token + passt.new_pos_embed[:, 1:])[0, 0],
        ]
        tokens = [token.expand(2, -1) for token in tokens]
        for row in rows:
            for column in columns:
                patch = SPECTROGRAMS[:, 10 * row : 10 * row + 16, 10 * column : 10 * column + 16]
                token = patch.flatten(1) @ weight.flatten(1).T + bias
                position = passt.freq_new_pos_embed[0, :, row, 0] + passt.time_new_pos_embed[0, :, 0, column]
                tokens.append(token + position)
        expected = passt.norm(passt.blocks(torch.stack(tokens, dim=1)))
    assert found["grid"].shape == (2, 768, 3, 2)
    np.testing.assert_allclose(found["clip"], expected[:, :2].mean(1), rtol=1e-4, atol=1e-5)


def test_patchout_draws_in_training_mode_only(passt):
    module = tuned(passt, trainable="head", patchout=(6, 1))
    with torch.no_grad():
        plain = tuned(passt, trainable="head").eval()(SPECTROGRAMS)
        assert torch.equal(module.eval()(SPECTROGRAMS), plain)
        one, same, other = (
            module.train()(SPECTROGRAMS, torch.Generator().manual_seed(seed)) for seed in (0, 0, 1)
        )
    assert torch.equal(one, same)
    assert not torch.allclose(one, other)
    assert not torch.allclose(one, plain)


@pytest.mark.parametrize("patchout", [(12, 0), (0, 3)])
def test_patchout_that_leaves_nothing_is_an_error(passt, patchout):
    with pytest.raises(ValueError, match=f"patchout must leave patches: it leaves out {max(patchout)} of"):
        passt.draw_kept(36, patchout)
