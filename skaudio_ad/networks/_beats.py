"""BEATs and OpenBEATs, transformers that were trained to predict the tokens of masked patches."""

import math
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from ._front_end import check_outputs, check_spectrograms
from ._inference import TokenLinear
from ._kaldi import KaldiFilterBank
from ._transformer import attend, states_after

_PATCH, _N_BANDS, _PATCH_SIZE = 16, 8, 512
_POSITION_KERNEL, _POSITION_GROUPS = 128, 16
_GATES = 8
# Number of buckets of distances, half of them for keys ahead of the query and half of them for keys behind.
_N_BUCKETS = 320
# Distance in tokens from which on all distances have the same bucket.
_MAX_DISTANCE = 800


class BEATsFrontEnd(nn.Module):
    """Waveform to the normalised log-mel spectrogram of BEATs.

    :class:`KaldiFilterBank` with the window "povey" of the waveform times 2 ** 15, minus 15.41663, divided by
    2 * 6.55582.

    Attributes
    ----------
    sample_rate : int
        Sample rate of the waveforms, in Hz: 16000.
    n_mels : int
        Number of bands of the spectrogram: 128.
    hop_length : int
        Step between two frames, in samples: 160, which is 10 ms.
    min_samples : int
        Minimum length of a waveform, in samples: 2800, which is 175 ms. It has 16 frames, the length of a patch.

    References
    ----------
    ``BEATs.preprocess`` of https://github.com/microsoft/unilm/tree/master/beats.
    """

    sample_rate, n_mels, hop_length = 16_000, KaldiFilterBank.n_mels, KaldiFilterBank.hop_length
    min_samples = KaldiFilterBank.min_samples + (_PATCH - 1) * hop_length
    #: Mean of a log-mel value over the training clips, and half of the divisor.
    mean, deviation = 15.41663, 6.55582

    def __init__(self):
        super().__init__()
        self.filter_bank = KaldiFilterBank("povey")

    def forward(self, waveforms: torch.Tensor) -> torch.Tensor:
        """Compute normalised log-mel spectrograms of waveforms at 16 kHz.

        Parameters
        ----------
        waveforms : torch.Tensor of shape (n_clips, n_samples)
            Values in [-1, 1].

        Returns
        -------
        torch.Tensor of shape (n_clips, 128, n_frames)
            ``n_frames = 1 + (n_samples - 400) // 160``: 998 for ten seconds.

        Raises
        ------
        TypeError, ValueError
            As :class:`KaldiFilterBank`.
        """
        return (self.filter_bank(waveforms * 2**15) - self.mean) / (2 * self.deviation)


class BEATs(nn.Module):
    """BEATs, a transformer on the spectrograms of :class:`BEATsFrontEnd`, and OpenBEATs, the same network.

    Patches of 16 by 16 do not overlap. The tokens are in order of time, and the 8 patches of one time in order of
    frequency. A convolution over the tokens and relative positions, with a gate for every token, say where a token is,
    so a spectrogram may have any length. The state dict has the names and shapes of the authors, with two differences:
    the convolution is without its weight normalisation, and the table of relative positions, which all blocks share,
    stands in the first block only. :func:`~skaudio_ad.embeddings.load_state_dict` converts
    a file of the authors.

    Parameters
    ----------
    size : int, default=768
        Number of values of a token. The feed-forward layers have four times as many.
    depth : int, default=12
        Number of transformer blocks. The weight of the skip connections, ``(2 * depth) ** 0.25``, depends on it.
    heads : int, default=12
        Number of heads of the attention.
    n_classes : int, default=0
        Number of logits. 0 is a network without a classifier.
    layers : sequence of int or None, default=None
        Numbers of blocks, counted from 1, whose states make the outputs. Blocks behind the highest number are left out.
        None is the last block.

    Attributes
    ----------
    embedding_size : int
        Number of values of the clip embedding: `size`, times the number of `layers`.
    outputs : tuple of str
        Names of the outputs of :meth:`forward`. "logits" is there for a classifier and the last block only.

    References
    ----------
    Chen et al., "BEATs: Audio pre-training with acoustic tokenizers", ICML 2023, https://arxiv.org/abs/2212.09058;
    Bharadwaj et al., "OpenBEATs: A fully open-source general-purpose audio encoder", WASPAA 2025,
    https://arxiv.org/abs/2507.14129.
    """

    def __init__(
        self,
        *,
        size: int = 768,
        depth: int = 12,
        heads: int = 12,
        n_classes: int = 0,
        layers: Sequence[int] | None = None,
    ):
        super().__init__()
        self.layers = None if layers is None else tuple(layers)
        self.embedding_size = size * (1 if layers is None else len(layers))
        has_classes = n_classes > 0 and layers is None
        self.outputs = ("clip", "frames", "grid", "tokens", "bands", *(["logits"] if has_classes else []))
        self.patch_embedding = nn.Conv2d(1, _PATCH_SIZE, _PATCH, _PATCH, bias=False)
        self.layer_norm = nn.LayerNorm(_PATCH_SIZE)
        self.post_extract_proj = TokenLinear(_PATCH_SIZE, size)
        self.encoder = _Encoder(size, depth, heads, depth if layers is None else max(layers))
        self.predictor = nn.Linear(size, n_classes) if has_classes else None

    @property
    def stages(self) -> nn.ModuleList:
        """Layers from the first to the last. A fine-tuning opens the last ones of these layers."""
        return self.encoder.layers

    @property
    def last_layers(self) -> tuple[nn.Module, ...]:
        """Layers behind `stages` that the clip embedding depends on: none."""
        return ()

    @property
    def class_layers(self) -> tuple[nn.Module, ...]:
        """Layers that only the logits depend on."""
        return () if self.predictor is None else (self.predictor,)

    @property
    def bfloat16_layers(self) -> nn.ModuleList:
        """Layers that may round to bfloat16."""
        return self.encoder.layers

    def forward(
        self, spectrograms: torch.Tensor, outputs: Iterable[str] = ("clip",)
    ) -> dict[str, torch.Tensor]:
        """Compute the requested outputs in one pass.

        Parameters
        ----------
        spectrograms : torch.Tensor of shape (n_clips, 128, n_frames)
            Spectrograms of :class:`BEATsFrontEnd`, with at least 16 frames. Frames after the last whole patch, fewer
            than 16, are ignored.
        outputs : str or iterable of str, default=("clip",)
            Names of outputs. ``T`` is ``n_frames // 16``, and ``C`` is `size`, times the number of `layers`. The values
            of several layers stand one after the other.

            - "clip": (n_clips, C), the mean over the tokens;
            - "frames": (n_clips, C, T), the mean over the 8 bands;
            - "grid": (n_clips, C, 8, T), the tokens by band, the lowest first, and time;
            - "tokens": (n_clips, C, 8 * T), the tokens in order of time, and for one time in order of frequency;
            - "bands": (n_clips, 8 * C), the mean over time of every band, all values of the lowest band first, layer by
              layer;
            - "logits": (n_clips, n_classes), before the sigmoid.

        Returns
        -------
        dict of str to torch.Tensor

        Raises
        ------
        ValueError
            If the spectrograms have another shape or fewer than 16 frames, or an output is unknown.
        """
        outputs = check_outputs(outputs, self.outputs)
        check_spectrograms(spectrograms, min_frames=_PATCH, front_end="BEATsFrontEnd")
        # (n_clips, 512, T, 8): the authors' images have time first.
        patches = self.patch_embedding(spectrograms.transpose(1, 2)[:, None])
        tokens = self.post_extract_proj(self.layer_norm(patches.flatten(2).transpose(1, 2)))
        states = self.encoder(tokens, self.layers)
        tokens = (states[0] if len(states) == 1 else torch.cat(states, dim=2)).transpose(1, 2)
        clip = tokens.mean(2)
        made = {"clip": clip, "tokens": tokens}
        if {"frames", "grid", "bands"} & set(outputs):
            by_time = tokens.unflatten(2, (-1, _N_BANDS))
            made |= {"frames": by_time.mean(3), "grid": by_time.transpose(2, 3)}
            by_layer = by_time.mean(2).unflatten(1, (1 if self.layers is None else len(self.layers), -1))
            made["bands"] = by_layer.transpose(2, 3).flatten(1)
        if "logits" in outputs and self.predictor is not None:
            # The mean of the tokens' logits, as the authors compute it, is the logits of their mean.
            made["logits"] = self.predictor(clip)
        return {name: made[name] for name in outputs}


class _Encoder(nn.Module):
    """Positions, and the first `n_built` transformer blocks."""

    def __init__(self, size, depth, heads, n_built):
        super().__init__()
        # The authors' checkpoints call the convolution pos_conv.0.
        self.pos_conv = nn.Sequential(PositionConvolution(size), nn.GELU())
        self.layer_norm = nn.LayerNorm(size)
        blocks = [DeepNormBlock(size, heads, (2 * depth) ** 0.25) for _ in range(n_built)]
        blocks[0].self_attn.relative_attention_bias = RelativePositions(heads)
        self.layers = nn.ModuleList(blocks)

    def forward(self, tokens, layers):
        """States after blocks of tokens, (n_clips, n_tokens, size)."""
        tokens = self.layer_norm(tokens + self.pos_conv(tokens))
        first: Any = self.layers[0]
        bias = first.self_attn.relative_attention_bias(tokens)
        return states_after([partial(block, bias=bias) for block in self.layers], tokens, layers)


class PositionConvolution(nn.Conv2d):
    """Convolution over the tokens that gives every token its position: 128 tokens wide, in 16 groups.

    The output has as many tokens as the input. The authors drop the last token of the padded convolution, so a token
    depends on 64 tokens before it and on 63 tokens after it. The convolution is two-dimensional, because its weights
    then lie in memory as the tokens do, which is a third faster.
    """

    def __init__(self, size: int):
        width = _POSITION_KERNEL
        super().__init__(size, size, (1, width), padding=(0, width // 2), groups=_POSITION_GROUPS)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Convolve tokens, (n_clips, n_tokens, size)."""
        image = tokens.transpose(1, 2)[:, :, None]
        return super().forward(image)[:, :, 0, :-1].transpose(1, 2)

    def multiply_accumulates(self, output: torch.Tensor) -> int:
        """Number of multiply-accumulates for one clip."""
        return output[0].numel() * self.weight[0].numel()


class DeepNormBlock(nn.Module):
    """Transformer block that weighs its skip connections, and normalises behind them.

    Parameters
    ----------
    size : int
        Number of values of a token.
    heads : int
        Number of heads of the attention.
    skip : float
        Factor of the skip connections.
    """

    def __init__(self, size: int, heads: int, skip: float):
        super().__init__()
        self.skip = skip
        self.self_attn = GatedAttention(size, heads)
        self.self_attn_layer_norm = nn.LayerNorm(size)
        self.fc1, self.fc2 = TokenLinear(size, 4 * size), TokenLinear(4 * size, size)
        self.final_layer_norm = nn.LayerNorm(size)

    def forward(self, tokens: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        """Map tokens, (n_clips, n_tokens, size), with the bias of :class:`RelativePositions`."""
        mixed = torch.add(self.self_attn(tokens, bias), tokens, alpha=self.skip)
        tokens = self.self_attn_layer_norm(mixed)
        made = self.fc2(functional.gelu(self.fc1(tokens)))
        return self.final_layer_norm(torch.add(made, tokens, alpha=self.skip))


class GatedAttention(nn.Module):
    """Self-attention whose bias of relative positions has a gate for every token and head.

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
        names = "k_proj", "v_proj", "q_proj", "out_proj"
        self.k_proj, self.v_proj, self.q_proj, self.out_proj = (TokenLinear(size, size) for _ in names)
        self.grep_linear = nn.Linear(size // heads, _GATES)
        self.grep_a = nn.Parameter(torch.ones(1, heads, 1, 1))
        self.relative_attention_bias: RelativePositions | None = None

    def forward(self, tokens: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        """Mix tokens, (n_clips, n_tokens, size), with the bias of :class:`RelativePositions`."""
        q, k, v = (
            layer(tokens).unflatten(2, (self.heads, -1)).transpose(1, 2)
            for layer in (self.q_proj, self.k_proj, self.v_proj)
        )
        return self.out_proj(attend(q, k, v, (self.gate(q) * bias).to(q.dtype)))

    def gate(self, q: torch.Tensor) -> torch.Tensor:
        """Factor of the bias for every token, (n_clips, heads, n_tokens, 1), from its queries before their scaling."""
        # The sums over four values each are part of the weights: (heads, n_tokens, 8) are never made.
        weight = self.grep_linear.weight.unflatten(0, (2, -1)).sum(1)
        offset = self.grep_linear.bias.unflatten(0, (2, -1)).sum(1)
        a, b = functional.linear(q.to(weight.dtype), weight, offset).sigmoid().split(1, dim=-1)
        return a * (b * self.grep_a - 1) + 2

    def multiply_accumulates(self, output: torch.Tensor) -> int:
        """Number of multiply-accumulates of the attention: two products of all pairs of tokens of every clip."""
        n_clips, n_tokens, n_values = output.shape
        return 2 * n_clips * n_tokens**2 * n_values


class RelativePositions(nn.Module):
    """Bias of the attention by the distance from a query to a key.

    The first 80 distances have a bias each, and longer distances share buckets that grow with the logarithm of the
    distance up to 800. Keys ahead of the query have buckets of their own.

    Parameters
    ----------
    heads : int
        Number of heads. Every head has its own bias.
    """

    def __init__(self, heads: int):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(_N_BUCKETS, heads))
        nn.init.normal_(self.weight)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Bias for tokens, (n_clips, n_tokens, size). Its shape is (heads, n_tokens, n_tokens)."""
        places = torch.arange(tokens.shape[1], device=tokens.device)
        furthest = tokens.shape[1] - 1
        # Distances from -furthest to furthest. Every distance needs its bucket once.
        distances = torch.arange(2 * tokens.shape[1] - 1, device=tokens.device) - furthest
        half, apart = _N_BUCKETS // 2, distances.abs()
        exact = half // 2
        growth = (apart.clamp(min=exact) / exact).log() / math.log(_MAX_DISTANCE / exact)
        far = (exact + (growth * (half - exact)).long()).clamp(max=half - 1)
        by_distance = self.weight[torch.where(apart < exact, apart, far) + half * (distances > 0)].T
        # A selection by a list of numbers takes a quarter of the time of a selection by a matrix.
        wanted = places[None, :] - places[:, None] + furthest
        return by_distance.index_select(1, wanted.flatten()).unflatten(1, (tokens.shape[1], -1))

    def multiply_accumulates(self, output: torch.Tensor) -> int:
        """Number of multiply-accumulates for one clip: none, because the bias is read from a table."""
        return 0


def beats_state_dict(state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Convert a state dict of the authors to one of :class:`BEATs`.

    Parameters
    ----------
    state : mapping of str to torch.Tensor
        State dict of BEATs or of OpenBEATs.

    Returns
    -------
    dict of str to torch.Tensor
    """
    made = dict(state)
    # Constants of OpenBEATs, which count the padding.
    for name in ("patch_embedding_pad.weight", "raw2fbank_pad.weight"):
        made.pop(name, None)
    for name in [name for name in made if name.endswith("relative_attention_bias.weight")]:
        if not name.startswith("encoder.layers.0."):
            del made[name]
    scale, direction = (made.pop(f"encoder.pos_conv.0.weight_{part}", None) for part in "gv")
    if scale is not None and direction is not None:
        length = direction.float().square().sum((0, 1), keepdim=True).sqrt()
        made["encoder.pos_conv.0.weight"] = (scale * direction / length)[:, :, None]
    return made
