"""Variational autoencoders: dense, and convolutional for spectrograms of any size."""

import itertools
import math
from collections.abc import Sequence
from typing import Literal

import torch
from torch import nn

from ._dense import freeze_cancelled_biases

# Minimum and maximum log-variance. Outside this range the variance overflows float32, and a training that diverges
# would end with NaN instead of a large loss.
_LOG_VARIANCE_RANGE = (-30.0, 20.0)


class VariationalAutoencoder(nn.Module):
    """Encoder to a normal distribution over latent values, and decoder of latent values.

    Parameters
    ----------
    encoder, decoder : torch.nn.Module
    n_encoded : int
        Number of output values of the encoder.
    latent_size : int
    """

    def __init__(self, encoder: nn.Module, decoder: nn.Module, n_encoded: int, latent_size: int):
        super().__init__()
        self.encoder, self.decoder = encoder, decoder
        self.mean = nn.Linear(n_encoded, latent_size)
        self.log_variance = nn.Linear(n_encoded, latent_size)

    def encode(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Compute the mean and the log-variance of the posterior, (n_rows, latent_size) each."""
        encoded = self.encoder(x).flatten(1)
        return self.mean(encoded), self.log_variance(encoded).clamp(*_LOG_VARIANCE_RANGE)

    def decode(self, z: torch.Tensor) -> torch.Tensor:
        """Decode latent vectors (n_rows, latent_size) to the shape of the input."""
        return self.decoder(z)

    def forward(
        self, x: torch.Tensor, generator: torch.Generator | None = None
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Compute the reconstruction, and the mean and log-variance of the posterior.

        In training mode, the reconstruction comes from one sample of the posterior, drawn from `generator` on the CPU.
        None is the global generator of torch. In evaluation mode, the reconstruction comes from the mean.
        """
        mean, log_variance = self.encode(x)
        z = mean
        if self.training:
            # The noise is drawn on the CPU, so that a GPU trains on the same noise.
            noise = torch.randn(mean.shape, generator=generator, dtype=mean.dtype).to(mean.device)
            z = mean + noise * (0.5 * log_variance).exp()
        return self.decode(z), mean, log_variance


def kl_divergence(mean: torch.Tensor, log_variance: torch.Tensor) -> torch.Tensor:
    """Compute the KL divergence from N(0, I): ``0.5 * sum(exp(logvar) - logvar - 1 + mean ** 2)``.

    Parameters
    ----------
    mean, log_variance : torch.Tensor of shape (n_rows, latent_size)

    Returns
    -------
    torch.Tensor of shape (n_rows, latent_size)
        Divergence of every latent value, in nats. The sum over a row is the divergence of the row.
    """
    return 0.5 * (log_variance.exp() - log_variance - 1 + mean.square())


def dense_vae(
    *,
    n_features: int,
    hidden_sizes: Sequence[int],
    latent_size: int,
    batch_norm: bool,
    output_activation: Literal["identity", "sigmoid"],
) -> VariationalAutoencoder:
    """Build a variational autoencoder of fully connected layers, for (n_rows, n_features).

    Parameters
    ----------
    n_features : int
    hidden_sizes : sequence of int
        Widths of the layers of the encoder. The decoder mirrors these layers.
    latent_size : int
    batch_norm : bool
        Whether to normalise before every ReLU.
    output_activation : {"identity", "sigmoid"}

    Returns
    -------
    VariationalAutoencoder
    """
    sizes = [n_features, *hidden_sizes]
    encoder: list[nn.Module] = []
    for n_in, n_out in itertools.pairwise(sizes):
        encoder += _activated(nn.Linear(n_in, n_out), nn.BatchNorm1d(n_out) if batch_norm else None)
    decoder: list[nn.Module] = []
    for n_in, n_out in itertools.pairwise([latent_size, *reversed(hidden_sizes)]):
        decoder += _activated(nn.Linear(n_in, n_out), nn.BatchNorm1d(n_out) if batch_norm else None)
    decoder += _output(
        nn.Linear(hidden_sizes[0] if hidden_sizes else latent_size, n_features), output_activation
    )
    return VariationalAutoencoder(nn.Sequential(*encoder), nn.Sequential(*decoder), sizes[-1], latent_size)


def convolutional_vae(
    *,
    n_bins: int,
    n_frames: int,
    filters: Sequence[int],
    kernel_sizes: Sequence[tuple[int, int]],
    strides: Sequence[tuple[int, int]],
    latent_size: int,
    batch_norm: bool,
    output_activation: Literal["identity", "sigmoid"],
) -> VariationalAutoencoder:
    """Build a variational autoencoder of convolutions, for (n_rows, n_bins, n_frames).

    Parameters
    ----------
    n_bins, n_frames : int
        Any size. If a stride does not divide the size, the decoder restores the original size.
    filters : sequence of int
        Number of filters of every convolution of the encoder. The decoder mirrors these convolutions.
    kernel_sizes, strides : sequence of (int, int)
        Kernel size and stride of every convolution, over bins and over frames.
    latent_size : int
    batch_norm : bool
        Whether to normalise before every ReLU.
    output_activation : {"identity", "sigmoid"}

    Returns
    -------
    VariationalAutoencoder
    """
    channels, shapes = [1, *filters], [(n_bins, n_frames)]
    encoder: list[nn.Module] = [nn.Unflatten(1, (1, n_bins))]
    decoder: list[nn.Module] = []
    for (n_in, n_out), kernel, stride in zip(itertools.pairwise(channels), kernel_sizes, strides):
        padding = (kernel[0] // 2, kernel[1] // 2)
        shape = [(n + 2 * p - k) // s + 1 for n, p, k, s in zip(shapes[-1], padding, kernel, stride)]
        conv = nn.Conv2d(n_in, n_out, kernel, stride, padding)
        encoder += _activated(conv, nn.BatchNorm2d(n_out) if batch_norm else None)
        # The output padding restores the remainder of a size that the stride does not divide.
        extra = [
            n - ((m - 1) * t - 2 * p + k) for n, m, p, k, t in zip(shapes[-1], shape, padding, kernel, stride)
        ]
        mirrored = nn.ConvTranspose2d(n_out, n_in, kernel, stride, padding, (extra[0], extra[1]))
        if len(shapes) == 1:
            part = _output(mirrored, output_activation)
        else:
            part = _activated(mirrored, nn.BatchNorm2d(n_in) if batch_norm else None)
        decoder, shapes = part + decoder, [*shapes, (shape[0], shape[1])]
    encoded = (channels[-1], *shapes[-1])
    start = _activated(nn.Linear(latent_size, math.prod(encoded)), None)
    decoder = [*start, nn.Unflatten(1, encoded), *decoder, nn.Flatten(1, 2)]
    return VariationalAutoencoder(
        nn.Sequential(*encoder), nn.Sequential(*decoder), math.prod(encoded), latent_size
    )


def _activated(layer, norm):
    parts = [layer, *([] if norm is None else [norm]), nn.ReLU()]
    freeze_cancelled_biases(parts)
    return parts


def _output(layer, activation):
    return [layer, nn.Sigmoid()] if activation == "sigmoid" else [layer]
