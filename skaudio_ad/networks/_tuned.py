"""A backbone that is fine-tuned: its open layers, a linear projection and the head of the objective."""

from typing import Literal, Self

import torch
from torch import nn

from ._lora import add_low_rank, merge_low_rank
from ._metric_heads import AdaCosHead, ArcFaceHead, SoftmaxHead


class TunedNetwork(nn.Module):
    """A backbone with some open layers, and behind its "clip" embedding a linear projection and a head.

    Batch normalisation keeps the statistics of the pretraining. A batch normalisation is in evaluation mode also while
    its scale and offset are trained, because the statistics of a few clips of one kind would be noisy, and unlike those
    of a single clip at test time.

    Parameters
    ----------
    network : torch.nn.Module
        Network of a family, with ``embedding_size``, ``stages``, ``last_layers`` and ``class_layers``. The network
        becomes part of this module.
    trainable : {"head", "all", "lora"} or int
        Open layers of the backbone: none, all layers of ``stages`` and what stands around them, adapters of
        :func:`add_low_rank` in ``stages``, or the last n layers of ``stages`` and what stands behind them.
    projection_size : int or None, default=None
        Number of outputs of the projection. None is no projection.
    rank, alpha : int and float
        Of the adapters.
    patchout : tuple of int, default=(0, 0)
        Numbers of rows and of columns of patches that a PaSST leaves out in training mode.
    """

    def __init__(
        self,
        network: nn.Module,
        *,
        trainable: Literal["head", "all", "lora"] | int,
        projection_size: int | None = None,
        rank: int = 8,
        alpha: float = 16.0,
        patchout: tuple[int, int] = (0, 0),
    ):
        super().__init__()
        self.network = network
        self.patchout = patchout
        self.embedding_size: int = network.embedding_size if projection_size is None else projection_size  # type: ignore[assignment]
        self.projection: nn.Linear | None = None
        if projection_size is not None:
            self.projection = nn.Linear(network.embedding_size, projection_size)  # type: ignore[arg-type]
        self.head: nn.Module | None = None
        _open(network, trainable, rank, alpha)

    def train(self, mode: bool = True) -> Self:
        """Set the mode. Batch normalisation stays in evaluation mode."""
        super().train(mode)
        for part in self.modules():
            if isinstance(part, nn.modules.batchnorm._BatchNorm):
                part.eval()
        return self

    def forward(self, spectrograms: torch.Tensor, generator: torch.Generator | None = None) -> torch.Tensor:
        """Compute the embeddings that the head takes.

        Parameters
        ----------
        spectrograms : torch.Tensor of shape (n_clips, n_bins, n_frames)
        generator : torch.Generator, default=None
            Generator on the CPU, of the patches that are left out in training mode.

        Returns
        -------
        torch.Tensor of shape (n_clips, embedding_size)
        """
        settings = {}
        if self.training and any(self.patchout):
            settings["kept"] = self.network.draw_kept(spectrograms.shape[2], self.patchout, generator)  # type: ignore[operator]
        embeddings = self.network(spectrograms, ("clip",), **settings)["clip"]
        return embeddings if self.projection is None else self.projection(embeddings)

    def trained_weights(self) -> dict[str, torch.Tensor]:
        """The parameters that a training changes, by their names in the state dict."""
        return {name: each.detach() for name, each in self.named_parameters() if each.requires_grad}

    def merged(self) -> nn.Module:
        """The backbone alone, with the adapters added to its weights; this module is of no use afterwards."""
        merge_low_rank(self.network)
        return self.network


def make_head(
    objective: Literal["softmax", "arcface", "adacos", "self"],
    n_features: int,
    n_classes: int,
    *,
    margin: float,
    scale: float,
) -> nn.Module:
    """The head of an objective, with random weights. "self" has none.

    Parameters
    ----------
    objective : {"softmax", "arcface", "adacos", "self"}
    n_features, n_classes : int
    margin, scale : float
        Of :class:`ArcFaceHead`.

    Returns
    -------
    torch.nn.Module
    """
    if objective == "softmax":
        return SoftmaxHead(n_features, n_classes)
    if objective == "arcface":
        return ArcFaceHead(n_features, n_classes, margin=margin, scale=scale)
    return AdaCosHead(n_features, n_classes) if objective == "adacos" else nn.Identity()


def _open(network, trainable, rank, alpha):
    """Let gradients reach the layers that `trainable` names, and no others."""
    network.requires_grad_(trainable == "all")
    for layer in network.class_layers:
        layer.requires_grad_(False)
    if trainable == "lora":
        add_low_rank(network.stages, rank, alpha)
    elif trainable not in ("all", "head"):
        for layer in [*network.stages[-trainable:], *network.last_layers]:
            layer.requires_grad_(True)
