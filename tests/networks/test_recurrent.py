"""The recurrent networks against their cells written out in NumPy."""

import numpy as np
import pytest
import torch

from skaudio_ad.networks import SequenceAutoencoder, SequencePredictor


def weights_of(module):
    return {name: value.double().cpu().numpy() for name, value in module.state_dict().items()}


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def lstm_step(frame, h, c, input_gates, hidden_gates):
    """Hochreiter and Schmidhuber (1997), with a forget gate."""
    i, f, g, o = np.split(input_gates(frame) + hidden_gates(h), 4, axis=-1)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c


def gru_step(frame, h, c, input_gates, hidden_gates):
    """Cho et al. (2014); the reset gate acts on what becomes of the hidden state, as in cuDNN."""
    (r, z, n), (hr, hz, hn) = (np.split(gates, 3, axis=-1) for gates in (input_gates(frame), hidden_gates(h)))
    z = sigmoid(z + hz)
    return (1 - z) * np.tanh(n + sigmoid(r + hr) * hn) + z * h, c


STEPS = {"lstm": lstm_step, "gru": gru_step}


def recurrent_states(weights, prefix, cell, windows):
    """Hidden states (n_windows, length, hidden_size) of the last layer, frame by frame and layer by layer."""
    sequence = np.asarray(windows, dtype=np.float64)
    layer = 0
    while f"{prefix}.weight_ih_l{layer}" in weights:
        of_input, of_hidden, input_bias, hidden_bias = (
            weights[f"{prefix}.{name}_l{layer}"] for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        )
        h = c = np.zeros((len(sequence), of_hidden.shape[1]))
        states = []
        for t in range(sequence.shape[1]):
            h, c = STEPS[cell](
                sequence[:, t],
                h,
                c,
                lambda x, w=of_input, b=input_bias: x @ w.T + b,
                lambda x, w=of_hidden, b=hidden_bias: x @ w.T + b,
            )
            states.append(h)
        sequence = np.stack(states, axis=1)
        layer += 1
    return sequence


def predicted(module, cell, contexts, n_predicted_frames=1):
    """What a predictor makes of contexts (n_windows, length, n_bins), from its weights."""
    weights = weights_of(module)
    last = recurrent_states(weights, "recurrent", cell, contexts)[:, -1]
    flat = last @ weights["output.weight"].T + weights["output.bias"]
    return flat.reshape(len(flat), n_predicted_frames, -1)


def reconstructed(module, cell, windows):
    """What an autoencoder makes of windows (n_windows, length, n_bins), from its weights."""
    weights = weights_of(module)
    code = recurrent_states(weights, "encoder", cell, windows)[:, -1]
    repeated = np.repeat(code[:, np.newaxis], windows.shape[1], axis=1)
    return (
        recurrent_states(weights, "decoder", cell, repeated) @ weights["output.weight"].T
        + weights["output.bias"]
    )


def build(kind, n_bins=5, **settings):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return kind(n_bins, **{"cell": "lstm", "n_layers": 2, "hidden_size": 8, **settings}).eval()


def noise(n_windows=7, length=6, n_bins=5):
    return np.random.default_rng(0).normal(size=(n_windows, length, n_bins)).astype(np.float32)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize("n_layers", [1, 2])
@pytest.mark.parametrize("n_predicted_frames", [1, 3])
def test_a_prediction_is_linear_in_the_last_hidden_state(cell, n_layers, n_predicted_frames):
    module = build(SequencePredictor, cell=cell, n_layers=n_layers, n_predicted_frames=n_predicted_frames)
    with torch.no_grad():
        made = module(torch.from_numpy(noise()))
    assert made.shape == (7, n_predicted_frames, 5)
    np.testing.assert_allclose(made, predicted(module, cell, noise(), n_predicted_frames), atol=1e-6)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize("n_layers", [1, 2])
def test_a_reconstruction_is_decoded_from_the_code_at_every_step(cell, n_layers):
    module = build(SequenceAutoencoder, cell=cell, n_layers=n_layers)
    with torch.no_grad():
        made = module(torch.from_numpy(noise()))
    np.testing.assert_allclose(made, reconstructed(module, cell, noise()), atol=1e-6)


def n_weights(gates, n_inputs, hidden_size):
    """Of one recurrent layer, with the two biases of torch and cuDNN."""
    return gates * hidden_size * (n_inputs + hidden_size + 2)


def test_the_published_networks_have_as_many_weights_as_their_layers_say():
    predictor = build(SequencePredictor, 128, hidden_size=256, n_predicted_frames=1)
    lstm = n_weights(4, 128, 256) + n_weights(4, 256, 256)
    assert sum(p.numel() for p in predictor.parameters()) == lstm + 257 * 128 == 954_496
    autoencoder = build(SequenceAutoencoder, 128, cell="gru", hidden_size=256)
    gru = n_weights(3, 128, 256) + 3 * n_weights(3, 256, 256)
    assert sum(p.numel() for p in autoencoder.parameters()) == gru + 257 * 128 == 1_513_600


@pytest.mark.parametrize("kind", ["predictor", "autoencoder"])
def test_every_weight_gets_a_gradient(kind):
    module = (
        build(SequencePredictor, n_predicted_frames=2) if kind == "predictor" else build(SequenceAutoencoder)
    )
    module(torch.from_numpy(noise())).square().mean().backward()
    assert all(p.grad.abs().sum() > 0 for p in module.parameters())
