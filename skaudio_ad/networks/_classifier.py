"""Dense classifiers."""

import itertools
from collections.abc import Sequence
from typing import Literal

import torch
from torch import nn

_ACTIVATIONS = {"relu": nn.ReLU, "identity": nn.Identity}


class DenseClassifier(nn.Module):
    """Fully connected network from features to one logit.

    Parameters
    ----------
    n_features : int
        Length of the input.
    hidden_sizes : sequence of int
        Widths of the hidden layers, beginning at the input. Without hidden layers, the network is a logistic
        regression.
    activation : {"relu", "identity"}
        Activation after every hidden layer. With "identity", the network is affine for any number of layers.
    """

    def __init__(
        self, n_features: int, hidden_sizes: Sequence[int], *, activation: Literal["relu", "identity"]
    ):
        super().__init__()
        parts: list[nn.Module] = []
        for n_in, n_out in itertools.pairwise([n_features, *hidden_sizes]):
            parts += [nn.Linear(n_in, n_out), _ACTIVATIONS[activation]()]
        self.layers = nn.Sequential(*parts, nn.Linear([n_features, *hidden_sizes][-1], 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Compute the logits, (n_rows,), of x, (n_rows, n_features).

        The sigmoid of a logit is the probability of the second class.
        """
        return self.layers(x).squeeze(-1)
