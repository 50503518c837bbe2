"""ECHO, a spectrogram transformer with a sequence of tokens for every band of frequencies."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from ._front_end import check_outputs, check_spectrograms
from ._inference import TokenLinear, map_tokens
from ._transformer import attend, states_after

_BAND, _PATCH = 32, 16
# Number of positions in time of the checkpoints, and maximum number of frames: 20 s.
_N_POSITIONS = 125


class ECHO(nn.Module):
    """ECHO, a transformer on the spectrogram of any sample rate, cut into bands [1]_.

    A band has 32 frequencies of the spectrogram, 1280 Hz. Every band is a sequence of its own: a class token, and a
    token for every 16 frames. Bands do not see each other, and a table of sines says at which share of the highest
    frequency a band lies. The state dict has the names and shapes of the authors, so that the published checkpoints
    load with ``strict=True``.

    Parameters
    ----------
    sample_rate : int
        Sample rate of the waveforms, in hertz. The number of bands follows.
    size : int, default=192
        Number of values of a token: 192 (tiny) or 384 (small).
    heads : int, default=3
        Number of heads of the attention: 3 (tiny) or 6 (small).
    depth : int, default=12
        Number of transformer blocks.
    layers : sequence of int or None, default=None
        Numbers of blocks, counted from 1, whose states make the outputs, one after the other. None is the last block
        with the final normalisation.

    Attributes
    ----------
    n_bins : int
        Number of frequencies of the spectrogram: half of a window of 25 ms, and 1.
    n_bands : int
        Number of bands: 7 at 16 kHz, 18 at 44.1 kHz.
    embedding_size : int
        Number of values of the clip embedding, ``n_bands * size``, for each of the layers.
    max_frames : int
        Maximum number of frames that the positions in time cover: 2000.
    outputs : tuple of str
        Names of the outputs of :meth:`forward`.

    References
    ----------
    .. [1] Y. Zhang, J. Liu and M. Li, "ECHO: Frequency-aware hierarchical encoding for variable-length signals", 2025,
       https://arxiv.org/abs/2508.14689.
    """

    outputs = ("clip", "token_mean", "frames", "grid")
    max_frames = _PATCH * _N_POSITIONS
    #: Layers that only logits depend on. ECHO has no logits.
    class_layers: tuple[nn.Module, ...] = ()

    frequency_positions: torch.Tensor
    pos_embed: torch.Tensor

    def __init__(
        self,
        sample_rate: int,
        *,
        size: int = 192,
        heads: int = 3,
        depth: int = 12,
        layers: Sequence[int] | None = None,
    ):
        super().__init__()
        n_fft = int(0.025 * sample_rate)
        self.n_bins = n_fft // 2 + 1
        self.n_bands = -(-self.n_bins // _BAND)
        self.layers = None if layers is None else tuple(layers)
        self.embedding_size = self.n_bands * size * len(self.layers or (1,))
        self.cls_token = nn.Parameter(torch.empty(1, 1, size))
        nn.init.normal_(self.cls_token, std=0.02)
        # The positions are a buffer, because they were fixed in training. The checkpoints hold them.
        self.register_buffer("pos_embed", time_positions(size))
        self.register_buffer("frequency_positions", _frequency_positions(n_fft, size), persistent=False)
        # The authors' checkpoints have the names patch_embed.proj and encoder.layers.
        self.patch_embed = nn.ModuleDict({"proj": nn.Conv2d(1, size, (_BAND, _PATCH), (_BAND, _PATCH))})
        blocks = nn.Sequential(*(EncoderBlock(size, heads) for _ in range(depth)))
        self.encoder = nn.ModuleDict({"layers": blocks})
        # The authors' README and their benchmark SIREN set this eps. The default of their code is 1e-5, which changes
        # outputs by less than 1e-5.
        self.norm = nn.LayerNorm(size, eps=1e-6)

    @property
    def stages(self) -> nn.Module:
        """Layers from the first to the last. A fine-tuning opens the last ones of these layers."""
        return self.encoder["layers"]

    @property
    def last_layers(self) -> tuple[nn.Module, ...]:
        """Layers behind `stages` that the clip embedding depends on."""
        return (self.norm,) if self.layers is None else ()

    @property
    def bfloat16_layers(self) -> nn.Module:
        """Layers that may round to bfloat16."""
        return self.encoder

    def forward(
        self, spectrograms: torch.Tensor, outputs: Iterable[str] = ("clip",)
    ) -> dict[str, torch.Tensor]:
        """Compute the requested outputs in one pass.

        Parameters
        ----------
        spectrograms : torch.Tensor of shape (n_clips, n_bins, n_frames)
            Spectrograms of :class:`LogSpectrogram`, with 1 to 2000 frames. Zeros fill the last patch.
        outputs : str or iterable of str, default=("clip",)
            Names of outputs. ``C`` is ``size``, once for each of the layers, ``F`` is ``n_bands`` and ``T`` is
            ``n_frames / 16``, rounded up:

            - "clip": (n_clips, F * C), the class tokens of the bands, the authors' embedding;
            - "token_mean": (n_clips, F * C), the means over time of the other tokens;
            - "frames": (n_clips, F * C, T), the tokens of all bands at one time, the authors' frame features;
            - "grid": (n_clips, C, F, T), the tokens.

        Returns
        -------
        dict of str to torch.Tensor

        Raises
        ------
        ValueError
            If the spectrograms have another shape, no frame or more than ``max_frames``, or an output is unknown.
        """
        outputs = check_outputs(outputs, self.outputs)
        check_spectrograms(
            spectrograms,
            min_frames=1,
            max_frames=self.max_frames,
            n_bins=self.n_bins,
            front_end="LogSpectrogram at the sample rate of this network",
        )
        # The last block computes only the requested tokens. A clip embedding needs the class tokens alone.
        n_made = 1 if set(outputs) <= {"clip"} else None
        blocks: Any = self.encoder["layers"]
        states = states_after(blocks, self._tokens(spectrograms), self.layers, n_made)
        if self.layers is None:
            states = [self.norm(states[0])]
        # (n_clips, layers, n_bands, 1 + n_frames, size)
        stacked = torch.stack([state.unflatten(0, (-1, self.n_bands)) for state in states], 1)
        made = {"clip": stacked[:, :, :, 0].flatten(1)}
        if n_made is None:
            patches = stacked[:, :, :, 1:]
            made["token_mean"] = patches.mean(3).flatten(1)
            made["frames"] = patches.transpose(3, 4).flatten(1, 3)
            made["grid"] = patches.permute(0, 1, 4, 2, 3).flatten(1, 2)
        return {name: made[name] for name in outputs}

    def _tokens(self, spectrograms):
        """Tokens of all bands of all clips, (n_clips * n_bands, 1 + n_patches, size)."""
        whole = self.n_bins // _BAND * _BAND
        # The last patch is filled with zeros. The convolution ignores frames behind the last whole patch.
        filled = functional.pad(spectrograms[:, :whole], (0, _PATCH - 1))
        if whole < self.n_bins:
            # The last band is filled below its frequencies.
            missing = whole + _BAND - self.n_bins
            last = functional.pad(spectrograms[:, whole:], (0, _PATCH - 1, missing, 0))
            filled = torch.cat([filled, last], dim=1)
        patches = self.patch_embed["proj"](filled[:, None]).permute(0, 2, 3, 1)
        # Sizes come from the tensors and not from len, because an export would treat len as a constant.
        n_clips, n_patches = patches.shape[0], patches.shape[2]
        places = self.frequency_positions[:, None]
        patches = patches + (self.pos_embed[:, 1 : 1 + n_patches] + places)
        first = (self.cls_token + places).expand(n_clips, -1, -1, -1)
        return torch.cat([first, patches], dim=2).flatten(0, 1)


class EncoderBlock(nn.Module):
    """Transformer block that normalises after attention and after the two layers, with torch's names.

    Parameters
    ----------
    size : int
        Number of values of a token.
    heads : int
        Number of heads of the attention.
    """

    def __init__(self, size: int, heads: int):
        super().__init__()
        self.self_attn = EncoderAttention(size, heads)
        self.linear1, self.linear2 = TokenLinear(size, 4 * size), TokenLinear(4 * size, size)
        self.norm1, self.norm2 = nn.LayerNorm(size, eps=1e-6), nn.LayerNorm(size, eps=1e-6)

    def forward(self, tokens: torch.Tensor, n_made: int | None = None) -> torch.Tensor:
        """Map the first `n_made` tokens, or all tokens, of (n_sequences, n_tokens, size)."""
        tokens = self.norm1(tokens[:, :n_made] + self.self_attn(tokens, n_made))
        return self.norm2(tokens + self.linear2(functional.gelu(self.linear1(tokens))))


class EncoderAttention(nn.Module):
    """Self-attention with the names of :class:`torch.nn.MultiheadAttention`.

    Parameters
    ----------
    size : int
        Number of values of a token.
    heads : int
        Number of heads.
    """

    #: Name of the weight that :func:`for_inference` rounds, and that adapters of a fine-tuning change.
    product = "in_proj_weight"
    one_dnn = False

    def __init__(self, size: int, heads: int):
        super().__init__()
        self.heads = heads
        self.in_proj_weight = nn.Parameter(torch.empty(3 * size, size))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * size))
        nn.init.xavier_uniform_(self.in_proj_weight)
        self.out_proj = TokenLinear(size, size)

    def forward(self, tokens: torch.Tensor, n_made: int | None = None) -> torch.Tensor:
        """Mix tokens, (n_sequences, n_tokens, size), and return the first `n_made` tokens, or all tokens."""
        qkv = map_tokens(tokens, self.in_proj_weight, self.in_proj_bias, self.one_dnn)
        # Queries, keys and values, (n_sequences, heads, n_tokens, size / heads) each.
        q, k, v = qkv.unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        return self.out_proj(attend(q[:, :, :n_made], k, v))

    def multiply_accumulates(self, output: torch.Tensor) -> int:
        """Number of multiply-accumulates: for every band the map to queries, keys and values, and two products."""
        n_sequences, n_tokens, n_values = output.shape
        return n_sequences * n_tokens * n_values * (3 * n_values + 2 * n_tokens)


def time_positions(size: int) -> torch.Tensor:
    """The authors' table of positions in time, (1, 126, size). The row 0 is zero, and no token gets it."""
    rates = 10_000.0 ** -(torch.arange(size // 2, dtype=torch.float64) / (size / 2))
    angles = torch.arange(_N_POSITIONS, dtype=torch.float64)[:, None] * rates
    table = torch.cat([angles.sin(), angles.cos()], dim=1)
    return functional.pad(table, (0, 0, 1, 0)).float()[None]


def _frequency_positions(n_fft: int, size: int) -> torch.Tensor:
    """Positions of the bands among all frequencies, (n_bands, size)."""
    n_bins = n_fft // 2 + 1
    # The middle of the frequencies that a band has, as a share of the highest frequency.
    starts = torch.arange(0, n_bins, _BAND, dtype=torch.float64)
    ends = (starts + _BAND).clamp(max=n_bins)
    places = ((starts + ends - 1) / n_fft).float()[:, None]
    # All steps are in float32, as in training.
    rates = torch.exp(torch.arange(0, size, 2).float() * (-math.log(10_000.0) / size))
    angles = places * 25 * rates
    return torch.stack([angles.sin(), angles.cos()], dim=2).flatten(1)
