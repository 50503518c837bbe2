"""FISHER, a transformer for industrial signals of any sample rate, pretrained without labels."""

from collections.abc import Iterable, Sequence

import torch
from torch import nn

from ._front_end import check_outputs, check_spectrograms
from ._transformer import PostNormBlock, states_after

_PATCH = 16
# Number of values of a head of the attention, in all published sizes.
_HEAD_SIZE = 64
# Number of rows and of columns of the table of positions.
_TABLE_ROWS, _TABLE_COLUMNS = 128, 50


class FISHER(nn.Module):
    """FISHER, a vision transformer on bands of a logarithmic spectrogram, at any sample rate.

    The spectrogram is cut into bands of `band_width` frequencies, from 0 Hz. Frequencies above the last whole band are
    dropped, and a spectrogram with fewer frequencies than one band is filled up with zeros. Every band is one sequence:
    a token for the class (CLS) and patches of 16 by 16. Frequencies of a band above the last whole patch are dropped
    too, and the patches see 48 of 50. The same network embeds all bands. The state dict has the names and shapes of the
    authors, without their prefix ``modality_encoders.IMAGE``.

    The authors give positions to the patches in the order of the sequence: patch n has the place (n // 50, n % 50) of
    a table, whatever its time and frequency are. This network does the same, because the weights were trained so.

    Parameters
    ----------
    sample_rate : int
        Sample rate of the waveforms, in hertz. The numbers of frequencies and of bands follow.
    size : int, default=384
        Number of values of a token, a multiple of 64: 192 (tiny), 256 (mini) or 384 (small). A head of the attention
        has 64 values.
    depth : int, default=12
        Number of transformer blocks.
    band_width : int, default=50
        Number of frequencies of a band, at least 16.
    flatten : {"freq", "time"}, default="freq"
        Order of the patches of a band in its sequence: "freq" goes through the frequencies of one time and then to the
        next time, "time" goes through the times of one frequency.
    layers : sequence of int or None, default=None
        Numbers of the blocks, counted from 1, whose states make the outputs. None is the last block. Every number is at
        most `depth`.

    Attributes
    ----------
    n_bins : int
        Number of frequencies of the spectrograms: half of a window of 25 ms, and 1.
    n_bands : int
        Number of bands, for bands of 50 frequencies: 4 at 16 kHz, 11 at 44.1 kHz, 12 at 48 kHz.
    grid_size : (int, int)
        Number of rows of patches of all bands together, without rows of zeros alone, and maximum number of columns.
    max_frames : int
        Maximum number of frames that the table of positions covers.
    embedding_size : int
        Number of values of the clip embedding: ``n_bands * size``, for every block of `layers`.
    outputs : tuple of str
        Names of the outputs of :meth:`forward`.

    References
    ----------
    Fan et al., "FISHER: A Foundation Model for Multimodal Industrial Signal Comprehensive Representation", IEEE
    Transactions on Industrial Informatics 2026, https://arxiv.org/abs/2507.16696.
    """

    outputs = ("clip", "token_mean", "frames", "grid")

    def __init__(
        self,
        sample_rate: int,
        *,
        size: int = 384,
        depth: int = 12,
        band_width: int = 50,
        flatten: str = "freq",
        layers: Sequence[int] | None = None,
    ):
        super().__init__()
        self.n_bins, self.n_bands = count_bands(sample_rate, band_width)
        self.band_width, self.flatten = band_width, flatten
        self.layers = (depth,) if layers is None else tuple(layers)
        self.embedding_size = self.n_bands * size * len(self.layers)
        self._band_rows = band_width // _PATCH
        # Only the single band of a low sample rate is filled up. Rows that hold no frequency are no part of the grid.
        self._real_rows = min(self._band_rows, -(-self.n_bins // _PATCH))
        n_columns = _TABLE_ROWS * _TABLE_COLUMNS // self._band_rows
        self.grid_size = self.n_bands * self._real_rows, n_columns
        self.max_frames = n_columns * _PATCH + _PATCH - 1
        self.extra_tokens = nn.Parameter(torch.empty(1, 1, size))
        nn.init.normal_(self.extra_tokens, std=0.02)
        # The names of these three layers, and of what they hold, are the names of the authors' checkpoints.
        self.local_encoder = nn.ModuleDict({"proj": nn.Conv2d(1, size, _PATCH, _PATCH)})
        self.fixed_positional_encoder = _Positions(size)
        self.context_encoder = nn.ModuleDict({"norm": nn.LayerNorm(size, eps=1e-6)})
        self.blocks = nn.Sequential(*(PostNormBlock(size, size // _HEAD_SIZE) for _ in range(depth)))

    @property
    def stages(self) -> nn.Sequential:
        """Layers from the first to the last. A fine-tuning opens the last ones of these layers."""
        return self.blocks

    @property
    def last_layers(self) -> tuple[nn.Module, ...]:
        """Layers behind `stages` that the clip embedding depends on: none."""
        return ()

    @property
    def class_layers(self) -> tuple[nn.Module, ...]:
        """Layers that only the logits depend on: none, because the network has no logits."""
        return ()

    @property
    def bfloat16_layers(self) -> nn.Sequential:
        """Layers that may round to bfloat16."""
        return self.blocks

    def forward(
        self, spectrograms: torch.Tensor, outputs: Iterable[str] = ("clip",)
    ) -> dict[str, torch.Tensor]:
        """Compute the requested outputs in one pass.

        Parameters
        ----------
        spectrograms : torch.Tensor of shape (n_clips, n_bins, n_frames)
            Spectrograms of :class:`LogSpectrogram`, with 16 to ``max_frames`` frames. Frames after the last whole
            patch, at most 15, are ignored.
        outputs : str or iterable of str, default=("clip",)
            Names of outputs. ``T`` is ``n_frames // 16`` and ``F`` is ``grid_size[0]``. Values of several `layers`
            stand one after the other on the second axis; the sizes below are those of one block.

            - "clip": (n_clips, n_bands * size), the tokens CLS of all bands, from low to high: the authors' embedding;
            - "token_mean": (n_clips, n_bands * size), the mean of the patches of every band;
            - "frames": (n_clips, n_bands * size, T), the mean over the rows of every band;
            - "grid": (n_clips, size, F, T), the patches of all bands, from low to high.

        Returns
        -------
        dict of str to torch.Tensor

        Raises
        ------
        ValueError
            If the spectrograms have another shape, fewer than 16 frames or more than ``max_frames``, or an output is
            unknown.
        """
        outputs = check_outputs(outputs, self.outputs)
        check_spectrograms(
            spectrograms,
            min_frames=_PATCH,
            max_frames=self.max_frames,
            n_bins=self.n_bins,
            front_end="LogSpectrogram at the sample rate of this network",
        )
        tokens = self._tokens(spectrograms)
        # The last block computes only the requested tokens. A clip embedding needs no patches.
        n_made = None if set(outputs) - {"clip"} else 1
        states = states_after(self.blocks, tokens, self.layers, n_made)
        made = [self._outputs_of(state, n_made is None) for state in states]
        return {name: torch.cat([each[name] for each in made], dim=1) for name in outputs}

    def _tokens(self, spectrograms):
        """Input of the first block, (n_clips * n_bands, 1 + n_patches, size)."""
        n_bins = self.n_bands * self.band_width
        if self.n_bins < n_bins:
            spectrograms = nn.functional.pad(spectrograms, (0, 0, 0, n_bins - self.n_bins))
        # reshape and not unflatten, because an export of unflatten would treat the number of frames as a constant.
        bands = spectrograms[:, :n_bins].reshape(-1, self.band_width, spectrograms.shape[2])
        # The authors' convolution takes images whose first axis is time.
        patches = self.local_encoder["proj"](bands.transpose(1, 2)[:, None])
        if self.flatten == "time":
            patches = patches.transpose(2, 3)
        patches = patches.flatten(2).transpose(1, 2)
        patches = patches + self.fixed_positional_encoder.positions[:, : patches.shape[1]]
        # patches.shape[0] and not len(patches), because an export would treat len(patches) as a constant.
        first = self.extra_tokens.expand(patches.shape[0], -1, -1)
        return self.context_encoder["norm"](torch.cat([first, patches], dim=1))

    def _outputs_of(self, states, with_patches):
        """Outputs of the states after one block."""
        bands = states.unflatten(0, (-1, self.n_bands))
        made = {"clip": bands[:, :, 0].flatten(1)}
        if with_patches:
            # (n_clips, n_bands, size, rows of a band, columns)
            patches = bands[:, :, 1:]
            if self.flatten == "time":
                patches = patches.unflatten(2, (self._band_rows, -1)).permute(0, 1, 4, 2, 3)
            else:
                patches = patches.unflatten(2, (-1, self._band_rows)).permute(0, 1, 4, 3, 2)
            patches = patches[:, :, :, : self._real_rows]
            made["token_mean"] = patches.mean((3, 4)).flatten(1)
            made["frames"] = patches.mean(3).flatten(1, 2)
            made["grid"] = patches.transpose(1, 2).flatten(2, 3)
        return made


def count_bands(sample_rate: int, band_width: int) -> tuple[int, int]:
    """Number of frequencies of the spectrogram of a sample rate, and number of bands that the network sees."""
    n_bins = window_length(sample_rate) // 2 + 1
    return n_bins, max(1, n_bins // band_width)


def window_length(sample_rate: int) -> int:
    """Length of the window of the spectrogram, in samples: 25 ms."""
    return 25 * sample_rate // 1000


class _Positions(nn.Module):
    """Fixed positions of the patches: sines and cosines of the column of a table, then of its row.

    The table is a buffer, because it is part of the checkpoints and is not trained.
    """

    positions: torch.Tensor

    def __init__(self, size: int):
        super().__init__()
        place = torch.arange(_TABLE_ROWS * _TABLE_COLUMNS)
        # float32 as in the authors' table.
        frequencies = 10_000.0 ** -(torch.arange(size // 4) / (size / 4))
        halves = []
        for number in (place % _TABLE_COLUMNS, place // _TABLE_COLUMNS):
            angles = number[:, None] * frequencies
            halves += [angles.sin(), angles.cos()]
        self.register_buffer("positions", torch.cat(halves, dim=1)[None])
