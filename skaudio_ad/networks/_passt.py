"""PaSST, the patchout spectrogram transformer, trained on AudioSet."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from ._front_end import AudioSetFrontEnd, check_outputs, check_spectrograms
from ._transformer import PreNormBlock

_SIZE, _HEADS, _PATCH = 768, 12, 16
# Number of frames of the spectrograms of the training, ten seconds. The position embeddings cover these frames.
_TRAINED_FRAMES = 998


class PaSST(nn.Module):
    """PaSST, a vision transformer (ViT-B) on the spectrograms of :class:`AudioSetFrontEnd`.

    The network has patches of 16 by 16, separate position embeddings for time and for frequency, and two further
    tokens: C for the class, and D for distillation. The state dict has the names and shapes of the authors, so that the
    published checkpoints load with ``strict=True``. Attention is fused: the matrix of all pairs of tokens is never in
    memory. :meth:`draw_kept` draws the patches for patchout, which leaves out patches at random in training.

    Parameters
    ----------
    stride : int, default=10
        Stride between patches, in frames and in bands. The published networks have 10 (patches overlap) or 16 (patches
        do not overlap).
    depth : int, default=12
        Number of transformer blocks: 7 in the light variant.
    n_classes : int, default=527
        Number of logits. AudioSet has 527 classes.

    Attributes
    ----------
    embedding_size : int
        Number of values of every token and of the clip embedding: 768.
    grid_size : (int, int)
        Number of patches over frequency, and maximum number over time: (12, 99) with a stride of 10, (8, 62) with 16.
    max_frames : int
        Maximum number of frames that the positions in time cover: 1005 with a stride of 10, 1007 with 16.
    outputs : tuple of str
        Names of the outputs of :meth:`forward`.

    References
    ----------
    Koutini et al., "Efficient training of audio transformers with patchout", Interspeech 2022,
    https://arxiv.org/abs/2110.05069.
    """

    outputs = (
        "clip",
        "class_token",
        "distillation_token",
        "tokens",
        "patch_mean",
        "frames",
        "grid",
        "logits",
    )

    def __init__(self, *, stride: int = 10, depth: int = 12, n_classes: int = 527):
        super().__init__()
        self.embedding_size = _SIZE
        n_bins, n_frames = (
            (size - _PATCH) // stride + 1 for size in (AudioSetFrontEnd.n_mels, _TRAINED_FRAMES)
        )
        self.grid_size = n_bins, n_frames
        self.max_frames = n_frames * stride + _PATCH - 1
        self.cls_token = nn.Parameter(torch.empty(1, 1, _SIZE))
        self.dist_token = nn.Parameter(torch.empty(1, 1, _SIZE))
        self.new_pos_embed = nn.Parameter(torch.empty(1, 2, _SIZE))
        self.freq_new_pos_embed = nn.Parameter(torch.empty(1, _SIZE, n_bins, 1))
        self.time_new_pos_embed = nn.Parameter(torch.empty(1, _SIZE, 1, n_frames))
        for parameter in self.parameters():
            nn.init.normal_(parameter, std=0.02)
        # The authors' checkpoints call the convolution patch_embed.proj.
        self.patch_embed = nn.ModuleDict({"proj": nn.Conv2d(1, _SIZE, _PATCH, stride)})
        self.blocks = nn.Sequential(*(PreNormBlock(_SIZE, _HEADS) for _ in range(depth)))
        self.norm = nn.LayerNorm(_SIZE, eps=1e-6)
        self.head = nn.Sequential(nn.LayerNorm(_SIZE), nn.Linear(_SIZE, n_classes))
        # `head_dist` is in the checkpoints, but unused: the logits of the authors come from `head` alone.
        self.head_dist = nn.Linear(_SIZE, n_classes)

    @property
    def stages(self) -> nn.Sequential:
        """Layers from the first to the last. A fine-tuning opens the last ones of these layers."""
        return self.blocks

    @property
    def last_layers(self) -> tuple[nn.Module, ...]:
        """Layers behind `stages` that the clip embedding depends on."""
        return (self.norm,)

    @property
    def class_layers(self) -> tuple[nn.Module, ...]:
        """Layers that only the logits depend on."""
        return self.head, self.head_dist

    @property
    def bfloat16_layers(self) -> nn.Sequential:
        """Layers that may round to bfloat16."""
        return self.blocks

    def draw_kept(
        self, n_frames: int, patchout: tuple[int, int], generator: torch.Generator | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Draw the rows and columns of patches that remain, as the authors' structured patchout does.

        Parameters
        ----------
        n_frames : int
            Number of frames of the spectrograms.
        patchout : tuple of int
            Number of rows (bands) and number of columns (times) of patches to leave out.
        generator : torch.Generator, default=None

        Returns
        -------
        tuple of two torch.Tensor of int
            Sorted numbers of the rows and of the columns that remain, the same for all spectrograms of a batch.

        Raises
        ------
        ValueError
            If no row or no column would remain.
        """
        convolution: Any = self.patch_embed["proj"]
        stride = convolution.stride[0]
        sizes = self.grid_size[0], (n_frames - _PATCH) // stride + 1
        for size, left_out, what in zip(sizes, patchout, ("rows", "columns")):
            if left_out >= size:
                raise ValueError(
                    f"patchout must leave patches: it leaves out {left_out} of {size} {what} of the patches of "
                    f"{n_frames} frames. Lower it, or train on longer windows."
                )
        bins, frames = (
            torch.randperm(size, generator=generator)[left_out:].sort().values
            for size, left_out in zip(sizes, patchout)
        )
        return bins, frames

    def forward(
        self,
        spectrograms: torch.Tensor,
        outputs: Iterable[str] = ("logits",),
        kept: tuple[torch.Tensor, torch.Tensor] | None = None,
    ) -> dict[str, torch.Tensor]:
        """Compute the requested outputs in one pass.

        Parameters
        ----------
        spectrograms : torch.Tensor of shape (n_clips, 128, n_frames)
            Spectrograms of :class:`AudioSetFrontEnd`, with 16 to ``max_frames`` frames. Frames after the last whole
            patch, fewer than `stride`, are ignored.
        outputs : str or iterable of str, default=("logits",)
            Names of outputs, all after the last normalisation. ``F`` is ``grid_size[0]`` and ``T`` is
            ``(n_frames - 16) // stride + 1``:

            - "clip": (n_clips, 768), the mean of the tokens C and D, the authors' embedding;
            - "class_token", "distillation_token": (n_clips, 768), C and D;
            - "tokens": (n_clips, 768, 2 + F * T): C, D and the patches, band by band, each in order of time;
            - "patch_mean": (n_clips, 768), the mean over the patches;
            - "frames": (n_clips, 768, T), the mean over the bands;
            - "grid": (n_clips, 768, F, T), the patches;
            - "logits": (n_clips, n_classes), before the sigmoid.
        kept : tuple of two torch.Tensor of int, default=None
            Rows and columns of patches that the blocks get, from :meth:`draw_kept`. None keeps all patches.

        Returns
        -------
        dict of str to torch.Tensor

        Raises
        ------
        ValueError
            If the spectrograms have another shape, fewer than 16 frames or more than ``max_frames``, or an
            output is unknown.
        """
        outputs = check_outputs(outputs, self.outputs)
        check_spectrograms(spectrograms, min_frames=_PATCH, max_frames=self.max_frames)
        patches = self.patch_embed["proj"](spectrograms[:, None])
        patches = patches + self.time_new_pos_embed[..., : patches.shape[3]] + self.freq_new_pos_embed
        if kept is not None:
            rows, columns = (numbers.to(patches.device) for numbers in kept)
            patches = patches[:, :, rows][..., columns]
        n_bins, n_frames = patches.shape[2:]
        first = torch.cat([self.cls_token, self.dist_token], dim=1) + self.new_pos_embed
        # patches.shape[0] and not len(patches), because an export would treat len(patches) as a constant.
        tokens = torch.cat(
            [first.expand(patches.shape[0], -1, -1), patches.flatten(2).transpose(1, 2)], dim=1
        )
        for block in self.blocks[:-1]:
            tokens = block(tokens)
        # The last block computes only the requested tokens. A clip embedding needs no patches.
        n_made = tokens.shape[1] if {"tokens", "patch_mean", "frames", "grid"} & set(outputs) else 2
        tokens = self.norm(self.blocks[-1](tokens, n_made)).transpose(1, 2)
        made = {"class_token": tokens[..., 0], "distillation_token": tokens[..., 1]}
        made["clip"] = (made["class_token"] + made["distillation_token"]) / 2
        if "logits" in outputs:
            made["logits"] = self.head(made["clip"])
        if n_made > 2:
            grid = tokens[..., 2:].unflatten(2, (n_bins, n_frames))
            made |= {"tokens": tokens, "patch_mean": grid.mean((2, 3)), "frames": grid.mean(2), "grid": grid}
        return {name: made[name] for name in outputs}
