"""Dense classifiers."""

import itertools

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
        Widths of the hidden layers, from the input on; none is logistic regression.
    activation : {"relu", "identity"}
        After every hidden layer. With "identity" the network is affine, however many layers it has.
    """

    def __init__(self, n_features, hidden_sizes, *, activation):
        super().__init__()
        parts: list[nn.Module] = []
        for n_in, n_out in itertools.pairwise([n_features, *hidden_sizes]):
            parts += [nn.Linear(n_in, n_out), _ACTIVATIONS[activation]()]
        self.layers = nn.Sequential(*parts, nn.Linear([n_features, *hidden_sizes][-1], 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits, (n_rows,), of x, (n_rows, n_features): its sigmoid is the probability of the second class."""
        return self.layers(x).squeeze(-1)
