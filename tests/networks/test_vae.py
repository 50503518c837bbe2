"""The variational autoencoders against formulas, the published layer table and passes written out in NumPy."""

import itertools

import numpy as np
import pytest
import torch
from scipy.signal import correlate2d
from torch import nn

from skaudio_ad.networks import convolutional_vae, dense_vae, kl_divergence

TORCH_EPS = 1e-5  # default of torch's batch normalisation


def convolutional(n_bins=7, n_frames=10, filters=(3, 2), kernel_sizes=((3, 3), (3, 3)), **settings):
    defaults = {"strides": ((2, 2), (1, 1)), "latent_size": 3, "batch_norm": True}
    defaults["output_activation"] = "identity"
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return convolutional_vae(
            n_bins=n_bins,
            n_frames=n_frames,
            filters=filters,
            kernel_sizes=kernel_sizes,
            **{**defaults, **settings},
        )


def dense(n_features=6, hidden_sizes=(5, 4), **settings):
    defaults = {"latent_size": 2, "batch_norm": True, "output_activation": "identity"}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return dense_vae(n_features=n_features, hidden_sizes=hidden_sizes, **{**defaults, **settings})


def noise(*shape, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).normal(size=shape).astype(np.float32))


def array(parameter):
    return parameter.detach().cpu().numpy().astype(np.float64)


def apply(layers, x, target=None):
    """The layers of a decoder or encoder on one row, in float64; convolutions summed up value by value.

    `target` lists the sizes that the transposed convolutions give.
    """
    sizes = list(target or [])
    for layer in layers:
        if isinstance(layer, nn.Linear):
            x = array(layer.weight) @ x + array(layer.bias)
        elif isinstance(layer, nn.Conv2d):
            pad, (s, t) = [k // 2 for k in layer.kernel_size], layer.stride
            padded = np.pad(x, ((0, 0), (pad[0], pad[0]), (pad[1], pad[1])))
            maps = [
                sum(correlate2d(channel, kernel, "valid") for channel, kernel in zip(padded, kernels)) + bias
                for kernels, bias in zip(array(layer.weight), array(layer.bias))
            ]
            x = np.stack(maps)[:, ::s, ::t]
        elif isinstance(layer, nn.ConvTranspose2d):
            x = transposed(layer, x, sizes.pop(0))
        elif isinstance(layer, (nn.BatchNorm1d, nn.BatchNorm2d)):
            columns = (slice(None), *[np.newaxis] * (x.ndim - 1))
            x = (x - array(layer.running_mean)[columns]) / np.sqrt(
                array(layer.running_var)[columns] + TORCH_EPS
            )
            x = x * array(layer.weight)[columns] + array(layer.bias)[columns]
        elif isinstance(layer, nn.ReLU):
            x = np.maximum(x, 0)
        elif isinstance(layer, nn.Sigmoid):
            x = 1 / (1 + np.exp(-x))
        elif isinstance(layer, nn.Unflatten):
            x = x.reshape(layer.unflattened_size if x.ndim == 1 else (1, *x.shape))
        else:
            assert isinstance(layer, nn.Flatten), layer
            x = x[0]
    return x


def transposed(layer, x, size):
    """Every value spreads its kernel; what lies beyond the kernels' reach is the bias."""
    (k, m), (s, t), weight = layer.kernel_size, layer.stride, array(layer.weight)
    room = np.zeros((weight.shape[1], x.shape[1] * s + k + s, x.shape[2] * t + m + t))
    for i, j in np.ndindex(x.shape[1:]):
        room[:, i * s : i * s + k, j * t : j * t + m] += np.tensordot(x[:, i, j], weight, axes=1)
    top, left = k // 2, m // 2
    cut = room[:, top : top + size[0], left : left + size[1]]
    return cut + array(layer.bias)[:, np.newaxis, np.newaxis]


def forward(module, clip):
    """Reconstruction, mean and log-variance of one clip in evaluation mode, in float64."""
    sizes, x = [np.shape(clip)], np.asarray(clip, dtype=np.float64)
    for layer in module.encoder:
        x = apply([layer], x)
        if isinstance(layer, nn.Conv2d):
            sizes.append(x.shape[1:])
    encoded = x.ravel()
    mean, log_variance = (apply([layer], encoded) for layer in (module.mean, module.log_variance))
    return apply(module.decoder, mean, sizes[-2::-1]), mean, log_variance


def loosen(module):
    """Give batch normalisation running statistics that are no longer 0 and 1."""
    with torch.random.fork_rng():
        torch.manual_seed(1)
        for layer in module.modules():
            if isinstance(layer, (nn.BatchNorm1d, nn.BatchNorm2d)):
                nn.init.uniform_(layer.running_mean, -0.5, 0.5)
                nn.init.uniform_(layer.running_var, 0.5, 2)
                nn.init.uniform_(layer.weight, 0.5, 2)
                nn.init.uniform_(layer.bias, -0.5, 0.5)
    return module.eval()


def test_the_kl_divergence_is_that_of_the_formula_and_of_torch():
    mean, log_variance = noise(50, 4), noise(50, 4, seed=1)
    mu, logvar = mean.numpy().astype(np.float64), log_variance.numpy().astype(np.float64)
    kl = kl_divergence(mean, log_variance)
    np.testing.assert_allclose(kl, 0.5 * (np.exp(logvar) - logvar - 1 + mu**2), rtol=1e-4, atol=1e-6)
    posterior = torch.distributions.Normal(mean, (0.5 * log_variance).exp())
    prior = torch.distributions.Normal(torch.zeros(4), torch.ones(4))
    torch.testing.assert_close(kl, torch.distributions.kl_divergence(posterior, prior))
    assert not kl_divergence(torch.zeros(1, 4), torch.zeros(1, 4)).any()
    # one latent value at 3 with variance 1: 9 / 2
    assert kl_divergence(torch.tensor([[3.0]]), torch.zeros(1, 1)).item() == pytest.approx(4.5)


@pytest.mark.parametrize(
    ("kernel_sizes", "strides"),
    [
        (((3, 3), (3, 3)), ((2, 2), (1, 1))),
        (((5, 2), (1, 3)), ((2, 1), (1, 3))),
        (((4, 4), (2, 6)), ((3, 2), (2, 2))),
        (((1, 1), (2, 2)), ((3, 3), (1, 2))),
    ],
    ids=["odd", "pairs", "even", "gaps"],
)
@pytest.mark.parametrize("settings", [{}, {"batch_norm": False, "output_activation": "sigmoid"}])
def test_a_convolutional_pass_is_the_sum_written_out(kernel_sizes, strides, settings):
    module = loosen(convolutional(kernel_sizes=kernel_sizes, strides=strides, **settings))
    clips = noise(2, 7, 10)
    with torch.no_grad():
        made = module(clips)
    for row, clip in enumerate(clips.numpy()):
        for result, expected in zip(made, forward(module, clip)):
            np.testing.assert_allclose(result[row], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("hidden_sizes", [(), (5,), (5, 4)])
@pytest.mark.parametrize("settings", [{}, {"batch_norm": False, "output_activation": "sigmoid"}])
def test_a_dense_pass_is_the_sum_written_out(hidden_sizes, settings):
    module = loosen(dense(hidden_sizes=hidden_sizes, **settings))
    rows = noise(3, 6)
    with torch.no_grad():
        made = module(rows)
    for row, values in enumerate(rows.numpy()):
        for result, expected in zip(made, forward(module, values)):
            np.testing.assert_allclose(result[row], expected, rtol=1e-4, atol=1e-5)


def test_the_dense_decoder_mirrors_the_encoder():
    module = dense(6, (5, 4), latent_size=2)
    layers = {
        name: (m.in_features, m.out_features)
        for name, m in module.named_modules()
        if isinstance(m, nn.Linear)
    }
    assert [size for name, size in layers.items() if name.startswith("encoder")] == [(6, 5), (5, 4)]
    assert (layers["mean"], layers["log_variance"]) == ((4, 2), (4, 2))
    assert [size for name, size in layers.items() if name.startswith("decoder")] == [(2, 4), (4, 5), (5, 6)]


def test_the_published_network_for_three_seconds_has_its_layers():
    module = convolutional(
        128,
        130,
        (512, 256, 128, 64, 32),
        ((3, 3),) * 5,
        strides=((2, 2), (2, 2), (2, 2), (2, 2), (1, 1)),
        latent_size=128,
    )

    def table(layers, kind):
        return [
            (m.in_channels, m.out_channels, m.kernel_size, m.stride) for m in layers if isinstance(m, kind)
        ]

    channels = [1, 512, 256, 128, 64, 32]
    strides = [(2, 2)] * 4 + [(1, 1)]
    encoder = [(n_in, n_out, (3, 3), s) for (n_in, n_out), s in zip(itertools.pairwise(channels), strides)]
    assert table(module.encoder, nn.Conv2d) == encoder
    mirrored = [(n_out, n_in, kernel, stride) for n_in, n_out, kernel, stride in reversed(encoder)]
    assert table(module.decoder, nn.ConvTranspose2d) == mirrored
    # 128 bins halved four times are 8; 130 frames are 65, 33, 17, 9
    n_encoded = 32 * 8 * 9
    for layer in (module.mean, module.log_variance):
        assert (layer.in_features, layer.out_features) == (n_encoded, 128)
    assert (module.decoder[0].in_features, module.decoder[0].out_features) == (128, n_encoded)
    with torch.no_grad():
        assert module.eval()(noise(1, 128, 130))[0].shape == (1, 128, 130)


@pytest.mark.parametrize("size", [(128, 130), (128, 44), (1, 1), (7, 3), (1, 40), (64, 313)])
@pytest.mark.parametrize("kernel", [1, 2, 3, 4, (5, 2)])
def test_any_size_comes_back_through_any_kernels_and_strides(size, kernel):
    kernels = (kernel if isinstance(kernel, tuple) else (kernel, kernel),) * 2
    for strides in itertools.product([(1, 1), (2, 2), (3, 3), (2, 1)], repeat=2):
        module = convolutional(*size, (2, 1), kernels, strides=strides, batch_norm=False)
        with torch.no_grad():
            output, mean, log_variance = module(noise(2, *size))
        assert output.shape == (2, *size), strides
        assert mean.shape == log_variance.shape == (2, 3)


def test_a_training_pass_decodes_a_sample_of_the_posterior():
    module, x = dense(batch_norm=False), noise(4, 6)
    with torch.random.fork_rng():
        torch.manual_seed(7)
        output, mean, log_variance = module(x)
        torch.manual_seed(7)
        drawn = torch.randn(4, 2)
    z = array(mean) + drawn.numpy() * np.sqrt(np.exp(array(log_variance)))
    expected = [apply(module.decoder, row) for row in z]
    np.testing.assert_allclose(array(output), expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("make", [dense, convolutional])
def test_the_noise_differs_between_steps_and_repeats_with_the_seed(make):
    module, x = make(batch_norm=False), noise(4, *((6,) if make is dense else (7, 10)))

    def two_steps(seed):
        with torch.no_grad(), torch.random.fork_rng():
            torch.manual_seed(seed)
            return module(x)[0], module(x)[0]

    first, second = two_steps(0)
    assert not torch.isclose(first, second).all()
    again = two_steps(0)
    assert torch.equal(first, again[0])
    assert torch.equal(second, again[1])
    assert not torch.isclose(two_steps(1)[0], first).all()


@pytest.mark.parametrize("make", [dense, convolutional])
def test_an_evaluation_pass_decodes_the_mean_and_repeats_bit_for_bit(make):
    module, x = make().eval(), noise(4, *((6,) if make is dense else (7, 10)))
    with torch.no_grad():
        before = torch.get_rng_state()
        output, mean, _ = module(x)
        assert torch.equal(output, module(x)[0])
        assert torch.equal(output, module.decode(mean))
        assert torch.equal(torch.get_rng_state(), before)


def test_the_reconstruction_teaches_the_mean_and_the_variance():
    module, x = dense(batch_norm=False), noise(4, 6)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        output, mean, log_variance = module(x)
        torch.manual_seed(0)
        drawn = torch.randn(4, 2)
    mean.retain_grad()
    log_variance.retain_grad()
    nn.functional.mse_loss(output, x).backward()
    for layer in (module.mean, module.log_variance, module.encoder[0], module.decoder[0]):
        assert layer.weight.grad.abs().sum() > 0
    # z = mean + noise * exp(log_variance / 2), so the derivative to log_variance is that to mean, times noise * exp / 2
    expected = mean.grad * drawn * (0.5 * log_variance).exp() / 2
    torch.testing.assert_close(log_variance.grad, expected)


def test_a_log_variance_gone_astray_ends_as_a_finite_loss():
    module = dense(batch_norm=False, hidden_sizes=())
    nn.init.constant_(module.log_variance.weight, 1e4)
    nn.init.zeros_(module.log_variance.bias)
    output, mean, log_variance = module(torch.tensor([[1.0] * 6, [-1.0] * 6]))
    assert torch.isfinite(output).all()
    kl = kl_divergence(mean, log_variance)
    assert torch.isfinite(kl).all()
    assert kl[0].min() > 1e8
    assert kl[1].min() > 10


@pytest.mark.parametrize(
    ("make", "cancelled", "learnt"),
    [
        (convolutional, ["encoder.1", "encoder.4", "decoder.3"], ["decoder.0", "decoder.6", "mean"]),
        (dense, ["encoder.0", "encoder.3", "decoder.0", "decoder.3"], ["decoder.6", "log_variance"]),
    ],
)
def test_a_bias_that_batch_norm_takes_out_again_stays_zero_through_training(make, cancelled, learnt):
    module, x = make(), noise(20, *((6,) if make is dense else (7, 10))) + 5
    before = {name: value.clone() for name, value in module.state_dict().items()}
    optimizer = torch.optim.Adam(module.parameters(), lr=0.1)
    with torch.random.fork_rng():
        for _ in range(3):
            optimizer.zero_grad()
            output, mean, log_variance = module.train()(x)
            loss = nn.functional.mse_loss(output, x) + kl_divergence(mean, log_variance).mean()
            loss.backward()
            optimizer.step()
    after = module.state_dict()
    for name in cancelled:
        assert not after[f"{name}.bias"].any()
        assert not torch.equal(after[f"{name}.weight"], before[f"{name}.weight"])
    for name in learnt:
        assert not torch.isclose(after[f"{name}.bias"], before[f"{name}.bias"]).all()
