"""Low-rank adapters of linear layers and of pointwise convolutions."""

import math

import torch
from torch import nn
from torch.nn.utils import parametrize

from ._inference import product_name


class LowRank(nn.Module):
    """Add a product of two small matrices to a weight [1]_: ``weight + alpha / rank * (up @ down)``.

    Parameters
    ----------
    shape : torch.Size
        Shape of the weight: (n_out, n_in) or (n_out, n_in, 1, 1).
    rank : int
        Number of rows of `down`. A weight that is smaller than `rank` in a dimension has that rank.
    alpha : float

    References
    ----------
    .. [1] E. J. Hu et al., "LoRA: low-rank adaptation of large language models", ICLR 2022.
    """

    def __init__(self, shape: torch.Size, rank: int, alpha: float):
        super().__init__()
        n_out, n_in = shape[:2]
        rank = min(rank, n_out, n_in)
        # As in the paper: the product is zero at first, so that the network begins as it was.
        self.down = nn.Parameter(torch.empty(rank, n_in))
        self.up = nn.Parameter(torch.zeros(n_out, rank))
        nn.init.kaiming_uniform_(self.down, a=math.sqrt(5))
        self.factor = alpha / rank

    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        """Return the adapted weight."""
        return weight + self.factor * (self.up @ self.down).view_as(weight)


def add_low_rank(layers: nn.Module, rank: int, alpha: float) -> int:
    """Freeze all parameters of some layers, and add adapters to their linear layers and pointwise convolutions.

    Parameters
    ----------
    layers : torch.nn.Module
        The layers are changed in place. Their outputs stay the same until the adapters are trained.
    rank : int
    alpha : float

    Returns
    -------
    int
        Number of layers with adapters.
    """
    layers.requires_grad_(False)
    adapted = [part for part in layers.modules() if _is_a_product(part)]
    for part in adapted:
        name = product_name(part)
        weight: torch.Tensor = getattr(part, name)
        adapter = LowRank(weight.shape, rank, alpha).to(weight.device)
        parametrize.register_parametrization(part, name, adapter)
    return len(adapted)


def merge_low_rank(layers: nn.Module) -> None:
    """Add the adapters of :func:`add_low_rank` to the weights, in place. The outputs change by rounding only.

    Parameters
    ----------
    layers : torch.nn.Module
    """
    for part in list(layers.modules()):
        name = product_name(part)
        if parametrize.is_parametrized(part, name):
            parametrize.remove_parametrizations(part, name, leave_parametrized=True)


def _is_a_product(part):
    return (
        isinstance(part, nn.Linear)
        or hasattr(part, "product")
        or (isinstance(part, nn.Conv2d) and part.kernel_size == (1, 1) and part.groups == 1)
    )
