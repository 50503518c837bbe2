"""Blocks that spectrogram transformers share."""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence

import torch
from torch import nn
from torch.nn import functional

from ._inference import TokenLinear


class PreNormBlock(nn.Module):
    """Transformer block that normalises before attention and before the two layers for every token.

    PaSST, CED and Dasheng have this block, with these names in their checkpoints.

    Parameters
    ----------
    size : int
        Number of values of a token.
    heads : int
        Number of heads of the attention.
    """

    def __init__(self, size: int, heads: int):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(size, eps=1e-6), nn.LayerNorm(size, eps=1e-6)
        self.attn = Attention(size, heads)
        self.mlp = two_layers(size)

    def forward(self, tokens: torch.Tensor, n_made: int | None = None) -> torch.Tensor:
        """Map the first `n_made` tokens, or all tokens, of (n_clips, n_tokens, size)."""
        tokens = tokens[:, :n_made] + self.attn(self.norm1(tokens), n_made)
        return tokens + self.mlp(self.norm2(tokens))


class PostNormBlock(nn.Module):
    """Transformer block that normalises after attention and after the two layers for every token.

    EAT and FISHER have this block, with these names in their checkpoints.

    Parameters
    ----------
    size : int
        Number of values of a token.
    heads : int
        Number of heads of the attention.
    """

    def __init__(self, size: int, heads: int):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(size, eps=1e-6), nn.LayerNorm(size, eps=1e-6)
        self.attn = Attention(size, heads)
        self.mlp = two_layers(size)

    def forward(self, tokens: torch.Tensor, n_made: int | None = None) -> torch.Tensor:
        """Map the first `n_made` tokens, or all tokens, of (n_clips, n_tokens, size)."""
        tokens = self.norm1(tokens[:, :n_made] + self.attn(tokens, n_made))
        return self.norm2(tokens + self.mlp(tokens))


def two_layers(size: int) -> nn.Sequential:
    """The two layers for every token, with four times as many values between them."""
    fc1, fc2 = TokenLinear(size, 4 * size), TokenLinear(4 * size, size)
    return nn.Sequential(OrderedDict(fc1=fc1, activation=nn.GELU(), fc2=fc2))


class Attention(nn.Module):
    """Self-attention, with queries, keys and values from one layer.

    Parameters
    ----------
    size : int
        Number of values of a token.
    heads : int
        Number of heads.
    """

    def __init__(self, size: int, heads: int):
        super().__init__()
        self.heads = heads
        self.qkv, self.proj = TokenLinear(size, 3 * size), TokenLinear(size, size)

    def forward(self, tokens: torch.Tensor, n_made: int | None = None) -> torch.Tensor:
        """Mix tokens, (n_clips, n_tokens, size), and return the first `n_made` tokens, or all tokens."""
        # Queries, keys and values, (n_clips, heads, n_tokens, size / heads) each.
        q, k, v = self.qkv(tokens).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        return self.proj(attend(q[:, :, :n_made], k, v))

    def multiply_accumulates(self, output: torch.Tensor) -> int:
        """Number of multiply-accumulates of the attention: two products of all pairs of tokens of every sequence."""
        n_sequences, n_tokens, n_values = output.shape
        return 2 * n_sequences * n_tokens**2 * n_values


def attend(
    q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, bias: torch.Tensor | None = None
) -> torch.Tensor:
    """Mix values by the similarity of queries and keys, scaled by the square root of the size of a head.

    Parameters
    ----------
    q, k, v : torch.Tensor of shape (n_clips, heads, n_tokens, head_size)
    bias : torch.Tensor of shape (n_clips or 1, heads, n_queries, n_tokens), default=None
        Values that are added to the scaled products before the softmax.

    Returns
    -------
    torch.Tensor of shape (n_clips, n_queries, heads * head_size)
    """
    if q.dtype == torch.bfloat16 and q.device.type == "cpu" and not q.requires_grad and bias is None:
        # Fused attention in bfloat16 is not faster than in float32. Separate products are faster, and the products
        # of one head, 3 MB, fit into the cache of the processor.
        heads = zip(*(values.flatten(0, 1) for values in (q * q.shape[-1] ** -0.5, k, v)))
        mixed = torch.stack([(q @ k.T).softmax(-1) @ v for q, k, v in heads]).unflatten(0, (-1, k.shape[1]))
    else:
        mixed = functional.scaled_dot_product_attention(q, k, v, attn_mask=bias)
    return mixed.transpose(1, 2).flatten(2)


def states_after(
    blocks: Iterable[Callable[..., torch.Tensor]],
    tokens: torch.Tensor,
    layers: Sequence[int] | None = None,
    n_made: int | None = None,
) -> list[torch.Tensor]:
    """Pass tokens through blocks and keep what comes out of some of them.

    Parameters
    ----------
    blocks : iterable of torch.nn.Module, or of callables like modules
    tokens : torch.Tensor of shape (n_clips, n_tokens, size)
    layers : sequence of int or None, default=None
        Numbers of blocks, counted from 1. None is the last block alone.
    n_made : int or None, default=None
        Number of tokens that are wanted, the first ones. The last block then computes no others. None is all tokens.

    Returns
    -------
    list of torch.Tensor of shape (n_clips, n_made or n_tokens, size)
        States after the blocks of `layers`, in the order of `layers`.
    """
    after = {}
    in_order = list(blocks)
    for number, block in enumerate(in_order, start=1):
        tokens = block(tokens) if n_made is None or number < len(in_order) else block(tokens, n_made)
        if layers is not None and number in layers:
            after[number] = tokens[:, :n_made]
    return [tokens] if layers is None else [after[layer] for layer in layers]
