"""EAT, the efficient audio transformer, and SSLAM, which is the same network with other weights."""

from collections.abc import Iterable, Sequence

import torch
from torch import nn
from torch.nn import functional

from ._front_end import check_outputs, check_spectrograms
from ._kaldi import KaldiFilterBank
from ._transformer import PostNormBlock, states_after

_PATCH = 16
# Number of rows of patches, and maximum number of columns. The table of positions has 768 columns, two minutes.
_N_BANDS, _N_COLUMNS = KaldiFilterBank.n_mels // _PATCH, 768
# Number of frames that a spectrogram is padded to a multiple of. The authors pad 1, 5 and 10 s to 128, 512 and 1024
# frames. 32 is the smallest number that gives all three.
_PADDED_TO = 32
# Mean and deviation of the log-mel values of AudioSet, as the authors give them.
_MEAN, _DEVIATION = -4.268, 4.569
# Value of padded frames. The authors pad the logarithm with 0, before they normalise it.
_PADDED = -_MEAN / (2 * _DEVIATION)


class EATFrontEnd(nn.Module):
    """Waveform to the normalised log-mel spectrogram of EAT and SSLAM.

    The spectrogram is that of Kaldi's filter bank: 128 mel bands from 20 to 8000 Hz, a symmetric Hann window of 400
    samples every 160, whole frames only. ``(x + 4.268) / 9.138`` normalises the spectrogram. The authors first remove
    the mean of the clip. The filter bank removes the mean of every frame, so the mean of the clip makes no difference.

    Attributes
    ----------
    sample_rate : int
        Sample rate of the waveforms, in Hz: 16000.
    n_mels : int
        Number of bands of the spectrogram: 128.
    hop_length : int
        Step between two frames, in samples: 160, which is 10 ms.
    min_samples : int
        Minimum length of a waveform, in samples: 400, which is 25 ms. The network takes 2800 or more.

    References
    ----------
    Chen et al., "EAT: Self-supervised pre-training with efficient audio transformer", IJCAI 2024,
    https://arxiv.org/abs/2401.03497.
    """

    sample_rate, n_mels = KaldiFilterBank.sample_rate, KaldiFilterBank.n_mels
    hop_length, min_samples = KaldiFilterBank.hop_length, KaldiFilterBank.min_samples

    def __init__(self):
        super().__init__()
        self.filter_bank = KaldiFilterBank("hann")

    def forward(self, waveforms: torch.Tensor) -> torch.Tensor:
        """Compute normalised log-mel spectrograms of waveforms at 16 kHz.

        Parameters
        ----------
        waveforms : torch.Tensor of shape (n_clips, n_samples)
            Values in [-1, 1], with the dtype of the module: float32 unless the module was converted.

        Returns
        -------
        torch.Tensor of shape (n_clips, 128, n_frames)
            ``n_frames = 1 + (n_samples - 400) // 160``: 998 for ten seconds. :class:`EAT` pads the frames.

        Raises
        ------
        TypeError
            If the waveforms have another dtype.
        ValueError
            If the waveforms are not 2-D, empty, or shorter than 400 samples.
        """
        return (self.filter_bank(waveforms) - _MEAN) / (2 * _DEVIATION)


class EAT(nn.Module):
    """EAT, a vision transformer on the spectrograms of :class:`EATFrontEnd`, with normalisation after every layer.

    The network has patches of 16 by 16 that do not overlap, a fixed table of positions, and one further token, CLS.
    Spectrograms are padded at the end to a multiple of 32 frames with the value of the authors' padding: 128 frames for
    one second, 512 for 5 s, and 1024 for 10 s, as the authors do. All tokens see the padding, as in the training. The
    outputs leave out the columns of patches that hold padded frames.

    The state dict has the names and shapes of the authors, so that the published checkpoints load with ``strict=True``.

    Parameters
    ----------
    size : int, default=768
        Number of values of a token, a multiple of 4 and of `heads`: 768 for base and SSLAM, 1024 for large.
    depth : int, default=12
        Number of transformer blocks: 12 for base and SSLAM, 24 for large.
    heads : int, default=12
        Number of heads of the attention: 12 for base and SSLAM, 16 for large.
    n_classes : int, default=0
        Number of logits: 527 for networks that are fine-tuned on AudioSet, 0 for the others.
    layers : sequence of int or None, default=None
        Numbers of blocks, counted from 1, whose states make the outputs. The states of several blocks stand one after
        the other on the axis of the values. There are no blocks behind the highest number, and no classifier. None is
        the last block.

    Attributes
    ----------
    embedding_size : int
        Number of values of the clip embedding: `size` for every block of `layers`.
    max_frames : int
        Maximum number of frames that the table of positions covers: 12288, which is 122.9 s.
    outputs : tuple of str
        Names of the outputs of :meth:`forward`. "logits" is missing if there is no classifier.

    Raises
    ------
    ValueError
        If `size` is no multiple of 4 and of `heads`.

    References
    ----------
    Chen et al., "EAT: Self-supervised pre-training with efficient audio transformer", IJCAI 2024,
    https://arxiv.org/abs/2401.03497; Alex et al., "SSLAM: Enhancing self-supervised models with audio mixtures for
    polyphonic soundscapes", ICLR 2025, https://arxiv.org/abs/2506.12222.
    """

    max_frames = _N_COLUMNS * _PATCH

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
        if size % 4 or size % heads:
            raise ValueError(
                f"size must be a multiple of 4, for the table of positions, and of heads, got {size!r} with {heads!r} "
                "heads."
            )
        self.layers = layers
        self.embedding_size = size * len(layers or (0,))
        self.outputs: tuple[str, ...] = ("clip", "token_mean", "frames", "grid", "tokens")
        self.extra_tokens = nn.Parameter(torch.empty(1, 1, size))
        nn.init.normal_(self.extra_tokens, std=0.02)
        # The authors' checkpoints call the convolution local_encoder.proj.
        self.local_encoder = nn.ModuleDict({"proj": nn.Conv2d(1, size, _PATCH, _PATCH)})
        self.fixed_positional_encoder = _FixedPositions(size)
        self.pre_norm = nn.LayerNorm(size, eps=1e-6)
        n_blocks = depth if layers is None else max(layers)
        self.blocks = nn.Sequential(*(PostNormBlock(size, heads) for _ in range(n_blocks)))
        if n_classes and layers is None:
            self.outputs = (*self.outputs, "logits")
            self.fc_norm, self.head = nn.LayerNorm(size, eps=1e-6), nn.Linear(size, n_classes)

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
        """Layers that only the logits depend on."""
        return (self.fc_norm, self.head) if "logits" in self.outputs else ()

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
        spectrograms : torch.Tensor of shape (n_clips, 128, n_frames)
            Spectrograms of :class:`EATFrontEnd`, with 16 to 12288 frames.
        outputs : str or iterable of str, default=("clip",)
            Names of outputs. ``C`` is ``embedding_size``, and ``T`` is ``n_frames // 16``, the number of columns of
            patches without padded frames:

            - "clip": (n_clips, C), the token CLS, the authors' embedding;
            - "token_mean": (n_clips, C), the mean over the patches;
            - "frames": (n_clips, C, T), the mean over the bands;
            - "grid": (n_clips, C, 8, T), the patches;
            - "tokens": (n_clips, C, 1 + 8 * T), CLS and the patches, column by column, each from low to high bands;
            - "logits": (n_clips, n_classes), before the sigmoid.

        Returns
        -------
        dict of str to torch.Tensor

        Raises
        ------
        ValueError
            If the spectrograms have another shape, fewer than 16 frames or more than 12288, or an output is unknown.
        """
        outputs = check_outputs(outputs, self.outputs)
        check_spectrograms(
            spectrograms, min_frames=_PATCH, max_frames=self.max_frames, front_end=EATFrontEnd.__name__
        )
        n_frames = spectrograms.shape[2]
        padded = functional.pad(spectrograms, (0, -n_frames % _PADDED_TO), value=_PADDED)
        # (n_clips, size, n_columns, n_bands): the authors' spectrograms have time first.
        patches = self.local_encoder["proj"](padded.transpose(1, 2)[:, None]).flatten(2).transpose(1, 2)
        patches = patches + self.fixed_positional_encoder.positions[:, : patches.shape[1]]
        # patches.shape[0] and not len(patches), because an export would treat len(patches) as a constant.
        cls = self.extra_tokens.expand(patches.shape[0], -1, -1)
        tokens = self.pre_norm(torch.cat([cls, patches], dim=1))
        # The last block computes only the requested tokens. A clip embedding needs no patches.
        n_made = None if set(outputs) - {"clip", "logits"} else 1
        tokens = torch.cat(states_after(self.blocks, tokens, self.layers, n_made), dim=2)
        made = {"clip": tokens[:, 0]}
        if "logits" in outputs:
            made["logits"] = self.head(self.fc_norm(made["clip"]))
        if n_made is None:
            tokens = tokens[:, : 1 + n_frames // _PATCH * _N_BANDS]
            grid = tokens[:, 1:].unflatten(1, (-1, _N_BANDS)).permute(0, 3, 2, 1)
            made |= {"token_mean": grid.mean((2, 3)), "frames": grid.mean(2), "grid": grid}
            made["tokens"] = tokens.transpose(1, 2)
        return {name: made[name] for name in outputs}


class _FixedPositions(nn.Module):
    """Table of positions of patches, (1, 768 * 8, size); the checkpoints hold it."""

    positions: torch.Tensor

    def __init__(self, size: int):
        super().__init__()
        # The first half of the values stands for the band, the second half for the column. All steps are in float32, as
        # in the authors' table, because the angles are large: float64 would change the last columns by 6e-5.
        waves = 1 / 10_000 ** (torch.arange(size // 4) / (size / 4))
        angles = torch.arange(_N_COLUMNS)[:, None] * waves
        each = torch.cat([angles.sin(), angles.cos()], dim=1)
        columns, bands = each[:, None].expand(-1, _N_BANDS, -1), each[:_N_BANDS].expand(_N_COLUMNS, -1, -1)
        self.register_buffer("positions", torch.cat([bands, columns], dim=2).flatten(0, 1)[None])
