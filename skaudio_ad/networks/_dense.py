"""Dense networks."""

import itertools
from collections.abc import Sequence
from typing import Literal

import torch
from torch import nn

_ACTIVATIONS = {"relu": nn.ReLU, "selu": nn.SELU, "tanh": nn.Tanh}


class DenseAutoencoder(nn.Module):
    """Fully connected autoencoder whose decoder mirrors its encoder.

    Parameters
    ----------
    n_features : int
        Length of the input and of the output.
    hidden_sizes : sequence of int
        Widths of the layers of the encoder, beginning at the input.
    bottleneck_size : int
    activation : {"relu", "selu", "tanh"}
    batch_norm : bool
        Whether to normalise before every activation, with the momentum 0.01 and epsilon 1e-3 of the DCASE
        baselines.
    bottleneck_activation : bool
        Whether the bottleneck is normalised and activated like the other layers. With False, the bottleneck is linear.
    """

    def __init__(
        self,
        n_features: int,
        hidden_sizes: Sequence[int],
        bottleneck_size: int,
        *,
        activation: Literal["relu", "selu", "tanh"],
        batch_norm: bool,
        bottleneck_activation: bool,
    ):
        super().__init__()

        def layer(n_in, n_out, activated=True):
            parts: list[nn.Module] = [nn.Linear(n_in, n_out)]
            if activated and batch_norm:
                parts.append(nn.BatchNorm1d(n_out, eps=1e-3, momentum=0.01))
            if activated:
                parts.append(_ACTIVATIONS[activation]())
            return parts

        sizes = [n_features, *hidden_sizes]
        encoder, decoder = [], []
        for n_in, n_out in itertools.pairwise(sizes):
            encoder += layer(n_in, n_out)
        encoder += layer(sizes[-1], bottleneck_size, activated=bottleneck_activation)
        mirrored = [bottleneck_size, *reversed(hidden_sizes)]
        for n_in, n_out in itertools.pairwise(mirrored):
            decoder += layer(n_in, n_out)
        decoder += layer(mirrored[-1], n_features, activated=False)
        self.encoder, self.decoder = nn.Sequential(*encoder), nn.Sequential(*decoder)
        if activation == "selu":
            # Self-normalisation holds for weights of variance 1 / n_in (Klambauer et al. 2017).
            for module in self.modules():
                if isinstance(module, nn.Linear):
                    nn.init.kaiming_normal_(module.weight, nonlinearity="linear")
                    nn.init.zeros_(module.bias)
        freeze_cancelled_biases([*encoder, *decoder])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Reconstruct x, of shape (n_rows, n_features)."""
        return self.decoder(self.encoder(x))


def freeze_cancelled_biases(parts):
    """Keep biases at zero if a batch normalisation cancels them.

    The gradient of such a bias is rounding noise, which Adam amplifies to full steps. The noise differs from device to
    device: without frozen biases, the scores of a CPU and of a GPU differ in the third digit instead of the seventh.
    """
    cancelled = False
    for part in reversed(parts):
        if isinstance(part, (nn.BatchNorm1d, nn.BatchNorm2d)):
            cancelled = True
        elif not isinstance(part, (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)):
            cancelled = False
        elif cancelled and part.bias is not None:
            nn.init.zeros_(part.bias).requires_grad_(False)
