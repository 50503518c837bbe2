"""The dense autoencoder against its formulas and the published parameter counts."""

import itertools

import numpy as np
import pytest
import torch
from torch import nn

from skaudio_ad.networks import DenseAutoencoder


def autoencoder(n_features, hidden_sizes, bottleneck_size, **settings):
    defaults = {"activation": "relu", "batch_norm": True, "bottleneck_activation": True}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return DenseAutoencoder(n_features, hidden_sizes, bottleneck_size, **{**defaults, **settings})


def linear_sizes(module):
    return [(m.in_features, m.out_features) for m in module.modules() if isinstance(m, nn.Linear)]


def kinds(sequential):
    return [type(part).__name__ for part in sequential]


def test_the_dcase_baseline_has_the_layers_and_the_269992_parameters_of_the_published_one():
    module = autoencoder(640, (128, 128, 128, 128), 8)
    widths = [640, 128, 128, 128, 128, 8, 128, 128, 128, 128, 640]
    assert linear_sizes(module) == list(itertools.pairwise(widths))
    in_layers = sum(a * b + b for a, b in itertools.pairwise(widths))
    normalised = sum(widths[1:-1])
    parameters = sum(p.numel() for p in module.parameters())
    assert parameters == in_layers + 2 * normalised == 267_928
    # The baseline is written in Keras, which also counts the running mean and variance.
    running = sum(b.numel() for name, b in module.named_buffers() if "running" in name)
    assert parameters + running == 269_992


@pytest.mark.parametrize("bottleneck_activation", [True, False])
def test_a_bias_that_batch_norm_takes_out_again_stays_zero_through_training(bottleneck_activation):
    # The gradient of such a bias is rounding noise, which Adam would turn into steps that differ from device to device.
    # The normalisation after the next layer cancels the bias of a linear bottleneck.
    module = autoencoder(6, (4,), 2, bottleneck_activation=bottleneck_activation)
    optimizer = torch.optim.Adam(module.parameters(), lr=0.1)
    x = torch.from_numpy(np.random.default_rng(0).normal(5, 1, size=(50, 6)).astype(np.float32))
    for _ in range(3):
        optimizer.zero_grad()
        nn.functional.mse_loss(module(x), x).backward()
        optimizer.step()
    for name in ("encoder.0.bias", "encoder.3.bias", "decoder.0.bias"):
        assert not module.state_dict()[name].any()
    # The biases of the output and of the normalisation itself are trained.
    untrained = autoencoder(6, (4,), 2, bottleneck_activation=bottleneck_activation).state_dict()
    for name in ("decoder.3.bias", "encoder.1.bias", "decoder.1.bias"):
        assert not torch.isclose(module.state_dict()[name], untrained[name]).any()


def test_a_bias_that_nothing_takes_out_is_learnt():
    for module in (
        autoencoder(6, (4,), 2, batch_norm=False),
        autoencoder(6, (), 2, bottleneck_activation=False),
    ):
        assert all(p.requires_grad for p in module.parameters())
        assert all(m.bias.all() for m in module.modules() if isinstance(m, nn.Linear))


def test_batch_norm_has_the_baselines_momentum_and_epsilon():
    module = autoencoder(6, (4,), 2)
    norms = [m for m in module.modules() if isinstance(m, nn.BatchNorm1d)]
    assert [norm.num_features for norm in norms] == [4, 2, 4]
    x = torch.from_numpy(np.random.default_rng(0).normal(2, 3, size=(50, 6)).astype(np.float32))
    before = module.encoder[0](x).detach().numpy()
    module.train()(x)
    np.testing.assert_allclose(norms[0].running_mean, 0.01 * before.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(norms[0].running_var, 0.99 + 0.01 * before.var(axis=0, ddof=1), rtol=1e-5)
    expected = (before - before.mean(axis=0)) / np.sqrt(before.var(axis=0) + 1e-3)
    np.testing.assert_allclose(norms[0](torch.from_numpy(before)).detach(), expected, atol=1e-5)


@pytest.mark.parametrize("batch_norm", [True, False])
@pytest.mark.parametrize("bottleneck_activation", [True, False])
def test_layers_are_linear_then_normalised_then_activated_and_the_output_is_linear(
    batch_norm, bottleneck_activation
):
    module = autoencoder(6, (5, 4), 2, batch_norm=batch_norm, bottleneck_activation=bottleneck_activation)
    layer = ["Linear", *["BatchNorm1d"] * batch_norm, "ReLU"]
    assert kinds(module.encoder) == layer * 2 + (layer if bottleneck_activation else ["Linear"])
    assert kinds(module.decoder) == layer * 2 + ["Linear"]
    assert linear_sizes(module) == [(6, 5), (5, 4), (4, 2), (2, 4), (4, 5), (5, 6)]


def test_without_hidden_layers_there_is_the_bottleneck_alone():
    module = autoencoder(6, (), 2, batch_norm=False, bottleneck_activation=False)
    assert linear_sizes(module) == [(6, 2), (2, 6)]


ACTIVATIONS = {
    "relu": lambda x: np.maximum(x, 0),
    "tanh": np.tanh,
    "selu": lambda x: (
        1.0507009873554805 * np.where(x > 0, x, 1.6732632423543772 * np.expm1(np.minimum(x, 0)))
    ),
}


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_the_output_is_that_of_the_formulas(activation):
    module = autoencoder(5, (4,), 3, activation=activation, batch_norm=False, bottleneck_activation=False)
    x = np.random.default_rng(0).normal(size=(7, 5)).astype(np.float32)
    state = {name: value.numpy().astype(float) for name, value in module.state_dict().items()}

    def linear(rows, name):
        return rows @ state[f"{name}.weight"].T + state[f"{name}.bias"]

    act = ACTIVATIONS[activation]
    code = linear(act(linear(x, "encoder.0")), "encoder.2")
    expected = linear(act(linear(code, "decoder.0")), "decoder.2")
    with torch.no_grad():
        np.testing.assert_allclose(module.encoder(torch.from_numpy(x)), code, atol=1e-6)
        np.testing.assert_allclose(module(torch.from_numpy(x)), expected, atol=1e-6)


def test_selu_weights_have_variance_one_over_the_inputs_and_no_bias():
    module = autoencoder(800, (1000,), 500, activation="selu", batch_norm=False)
    for layer in (m for m in module.modules() if isinstance(m, nn.Linear)):
        weight = layer.weight.detach()
        assert weight.var().item() == pytest.approx(1 / layer.in_features, rel=0.02)
        assert abs(weight.mean().item()) < 1e-3
        assert not layer.bias.any()


def test_selu_layers_keep_mean_zero_and_variance_one():
    module = autoencoder(500, (500, 500, 500), 500, activation="selu", batch_norm=False)
    x = torch.from_numpy(np.random.default_rng(0).normal(size=(400, 500)).astype(np.float32))
    with torch.no_grad():
        code = module.encoder(x)
    assert code.mean().item() == pytest.approx(0, abs=0.1)
    assert code.var().item() == pytest.approx(1, abs=0.2)


def test_relu_weights_are_torchs_own():
    module = autoencoder(30, (20,), 3, batch_norm=False)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        expected = nn.Linear(30, 20)
    assert torch.equal(module.encoder[0].weight, expected.weight)
    assert torch.equal(module.encoder[0].bias, expected.bias)
