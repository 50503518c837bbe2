"""PaSST, the patchout spectrogram transformer, trained on AudioSet."""

from collections import OrderedDict
from collections.abc import Iterable

import torch
from torch import nn
from torch.nn import functional

from ._front_end import AudioSetFrontEnd, check_outputs, check_spectrograms
from ._inference import TokenLinear

_SIZE, _HEADS, _PATCH = 768, 12, 16
_TRAINED_FRAMES = 998  # of the spectrograms of ten seconds; the positions are as many as fit in


class PaSST(nn.Module):
    """PaSST, a vision transformer (ViT-B) on the spectrograms of :class:`AudioSetFrontEnd`.

    Patches of 16 by 16, position embeddings apart for time and for frequency, and two tokens beside the
    patches: C, for the class, and D, for distillation. Its state dict has the authors' names and shapes, so
    that their checkpoints load with ``strict=True``. Attention is fused: the matrix of all pairs of tokens
    is never in memory. Patchout, which drops patches at random in training, is not built in.

    Parameters
    ----------
    stride : int, default=10
        Between patches, in frames and in bands: 10 (patches overlap) or 16 (they do not) in the published
        networks.
    depth : int, default=12
        Transformer blocks; 7 in the light variant.
    n_classes : int, default=527
        Logits; AudioSet has 527 classes.

    Attributes
    ----------
    embedding_size : int
        Values of every token and of the clip embedding: 768.
    grid_size : (int, int)
        Patches over frequency, and at most over time: (12, 99) with a stride of 10, (8, 62) with 16.
    max_frames : int
        That the positions in time suffice for: 1005 with a stride of 10, 1007 with 16.
    outputs : tuple of str
        What :meth:`forward` can give.

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

    def __init__(self, *, stride=10, depth=12, n_classes=527):
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
        self.blocks = nn.Sequential(*(_Block() for _ in range(depth)))
        self.norm = nn.LayerNorm(_SIZE, eps=1e-6)
        self.head = nn.Sequential(nn.LayerNorm(_SIZE), nn.Linear(_SIZE, n_classes))
        # A part of the checkpoints that nothing uses: the authors' logits come from `head` alone.
        self.head_dist = nn.Linear(_SIZE, n_classes)

    @property
    def bfloat16_layers(self):
        """Layers that may round to bfloat16."""
        return self.blocks

    def forward(
        self, spectrograms: torch.Tensor, outputs: Iterable[str] = ("logits",)
    ) -> dict[str, torch.Tensor]:
        """Every output that is asked for, in one pass.

        Parameters
        ----------
        spectrograms : torch.Tensor of shape (n_clips, 128, n_frames)
            As :class:`AudioSetFrontEnd` gives them; from 16 to ``max_frames`` frames. Frames after the last
            whole patch, fewer than `stride`, are not seen.
        outputs : str or iterable of str, default=("logits",)
            Of the following, all after the last normalisation, where ``F`` is ``grid_size[0]`` and ``T`` is
            ``(n_frames - 16) // stride + 1``:

            - "clip": (n_clips, 768), the mean of the tokens C and D, the authors' embedding;
            - "class_token", "distillation_token": (n_clips, 768), C and D;
            - "tokens": (n_clips, 768, 2 + F * T): C, D and the patches, band by band, each in order of time;
            - "patch_mean": (n_clips, 768), the mean over the patches;
            - "frames": (n_clips, 768, T), the mean over the bands;
            - "grid": (n_clips, 768, F, T), the patches;
            - "logits": (n_clips, n_classes), before the sigmoid.

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
        n_bins, n_frames = patches.shape[2:]
        patches = patches + self.time_new_pos_embed[..., :n_frames] + self.freq_new_pos_embed
        first = torch.cat([self.cls_token, self.dist_token], dim=1) + self.new_pos_embed
        # Not len(patches), which an export would take for a constant.
        tokens = torch.cat(
            [first.expand(patches.shape[0], -1, -1), patches.flatten(2).transpose(1, 2)], dim=1
        )
        for block in self.blocks[:-1]:
            tokens = block(tokens)
        # The last block makes only the tokens that are asked for: it need not make patches to embed a clip.
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


class _Block(nn.Module):
    """Transformer block that normalises first: attention, then two layers token by token, both added on."""

    def __init__(self):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(_SIZE, eps=1e-6), nn.LayerNorm(_SIZE, eps=1e-6)
        self.attn = Attention()
        fc1, fc2 = TokenLinear(_SIZE, 4 * _SIZE), TokenLinear(4 * _SIZE, _SIZE)
        self.mlp = nn.Sequential(OrderedDict(fc1=fc1, activation=nn.GELU(), fc2=fc2))

    def forward(self, tokens: torch.Tensor, n_made: int | None = None) -> torch.Tensor:
        """Map tokens, (n_clips, n_tokens, 768); the first `n_made` of them, or all."""
        tokens = tokens[:, :n_made] + self.attn(self.norm1(tokens), n_made)
        return tokens + self.mlp(self.norm2(tokens))


class Attention(nn.Module):
    """Self-attention of twelve heads."""

    def __init__(self):
        super().__init__()
        self.qkv, self.proj = TokenLinear(_SIZE, 3 * _SIZE), TokenLinear(_SIZE, _SIZE)

    def forward(self, tokens: torch.Tensor, n_made: int | None = None) -> torch.Tensor:
        """Mix tokens, (n_clips, n_tokens, 768), into the first `n_made` of them, or all."""
        # Queries, keys and values, (n_clips, heads, n_tokens, 64) each.
        q, k, v = self.qkv(tokens).unflatten(2, (3, _HEADS, -1)).permute(2, 0, 3, 1, 4)
        q = q[:, :, :n_made]
        if q.dtype == torch.bfloat16 and q.device.type == "cpu" and not q.requires_grad:
            # Fused, bfloat16 is no faster than float32. The products are, and what one head's come to, 3 MB, stays
            # in the processor's cache.
            heads = zip(*(values.flatten(0, 1) for values in (q / 8, k, v)))
            mixed = torch.stack([(q @ k.T).softmax(-1) @ v for q, k, v in heads]).unflatten(0, (-1, _HEADS))
        else:
            mixed = functional.scaled_dot_product_attention(q, k, v)
        return self.proj(mixed.transpose(1, 2).flatten(2))

    def multiply_accumulates(self, output: torch.Tensor) -> int:
        """Number of multiply-accumulates of the attention for one clip: two products of all pairs of tokens."""
        n_tokens, n_values = output.shape[1:]
        return 2 * n_tokens**2 * n_values
