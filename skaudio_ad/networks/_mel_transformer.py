"""What CED and Dasheng share: a transformer on patches of a mel spectrogram whose bands are normalised."""

from collections.abc import Iterable, Sequence

import torch
from torch import nn

from ._decibel_mel import CEDFrontEnd
from ._front_end import check_outputs, check_spectrograms
from ._transformer import PreNormBlock, states_after


class MelTransformer(nn.Module):
    """Transformer on patches of the spectrograms of :class:`CEDFrontEnd`, without a class token.

    The bands are normalised with the statistics of the training. Patches do not overlap. Position embeddings for time
    and for frequency are separate. The state dict has the names of the authors' checkpoints on the Hugging Face hub,
    without "encoder.".

    Parameters
    ----------
    patch : (int, int)
        Numbers of bands and of frames of a patch.
    max_columns : int
        Maximum number of patches in time, which the position embeddings cover.
    size : int
        Number of values of a token.
    heads : int
        Number of heads of the attention.
    depth : int
        Number of blocks. With `layers`, the network has only the blocks up to the highest number in `layers`.
    n_classes : int
        Number of logits. 0 is a network without a classifier.
    layers : sequence of int or None
        Numbers of blocks, counted from 1, whose states make the outputs. None is the last block, normalised.
    """

    outputs: tuple[str, ...]

    def __init__(
        self,
        *,
        patch: tuple[int, int],
        max_columns: int,
        size: int,
        heads: int,
        depth: int,
        n_classes: int,
        layers: Sequence[int] | None,
    ):
        super().__init__()
        n_rows = CEDFrontEnd.n_mels // patch[0]
        self.layers = None if layers is None else tuple(layers)
        self.embedding_size = size * (1 if self.layers is None else len(self.layers))
        self.min_frames = patch[1]
        self.max_frames = (max_columns + 1) * patch[1] - 1
        self.init_bn = nn.BatchNorm1d(CEDFrontEnd.n_mels)
        # The authors' checkpoints call the convolution patch_embed.proj.
        self.patch_embed = nn.ModuleDict({"proj": nn.Conv2d(1, size, patch, patch)})
        self.time_pos_embed = nn.Parameter(torch.empty(1, size, 1, max_columns))
        self.freq_pos_embed = nn.Parameter(torch.empty(1, size, n_rows, 1))
        for positions in (self.time_pos_embed, self.freq_pos_embed):
            nn.init.normal_(positions, std=0.02)
        n_blocks = depth if self.layers is None else max(self.layers)
        self.blocks = nn.Sequential(*(PreNormBlock(size, heads) for _ in range(n_blocks)))
        self.norm = nn.LayerNorm(size, eps=1e-6) if self.layers is None else None
        self.outputlayer = None
        if n_classes and self.layers is None:
            self.outputlayer = nn.Sequential(nn.LayerNorm(size), nn.Linear(size, n_classes))

    @property
    def stages(self) -> nn.Sequential:
        """Layers from the first to the last. A fine-tuning opens the last ones of these layers."""
        return self.blocks

    @property
    def last_layers(self) -> tuple[nn.Module, ...]:
        """Layers behind `stages` that the clip embedding depends on."""
        return () if self.norm is None else (self.norm,)

    @property
    def class_layers(self) -> tuple[nn.Module, ...]:
        """Layers that only the logits depend on."""
        return () if self.outputlayer is None else (self.outputlayer,)

    @property
    def bfloat16_layers(self) -> nn.Sequential:
        """Layers that may round to bfloat16."""
        return self.blocks

    def forward(
        self, spectrograms: torch.Tensor, outputs: Iterable[str] = ("clip",)
    ) -> dict[str, torch.Tensor]:
        """Compute the requested outputs in one pass; the subclasses describe the outputs."""
        outputs = check_outputs(outputs, self.outputs)
        check_spectrograms(
            spectrograms,
            min_frames=self.min_frames,
            max_frames=self.max_frames,
            n_bins=CEDFrontEnd.n_mels,
            front_end=CEDFrontEnd.__name__,
        )
        patches = self.patch_embed["proj"](self.init_bn(spectrograms)[:, None])
        patches = patches + self.time_pos_embed[..., : patches.shape[3]] + self.freq_pos_embed
        states = states_after(self.blocks, patches.flatten(2).transpose(1, 2), self.layers)
        if self.norm is not None:
            states = [self.norm(states[0])]
        tokens = torch.cat(states, dim=2)
        made = {"clip": tokens.mean(1)}
        if self.outputlayer is not None and "logits" in outputs:
            made["logits"] = self.outputlayer(made["clip"])
        tokens = tokens.transpose(1, 2)
        grid = tokens.unflatten(2, patches.shape[2:])
        made |= {"tokens": tokens, "grid": grid, "frames": grid.mean(2)}
        return {name: made[name] for name in outputs}
