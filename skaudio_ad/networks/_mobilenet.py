"""The MobileNets of EfficientAT: MobileNetV3-Large on spectrograms, trained on AudioSet."""

import operator
from collections.abc import Iterable
from functools import partial
from itertools import accumulate

import torch
from torch import nn

from ._front_end import check_outputs, check_spectrograms
from ._inference import PointwiseConvolution

# Kernel, expanded channels, channels out, squeeze-and-excitation, hardswish (else ReLU), stride of every
# block, for a width of 1: table 1 of Howard et al. 2019.
_BLOCKS = (
    (3, 16, 16, False, False, 1),
    (3, 64, 24, False, False, 2),
    (3, 72, 24, False, False, 1),
    (5, 72, 40, True, False, 2),
    (5, 120, 40, True, False, 1),
    (5, 120, 40, True, False, 1),
    (3, 240, 80, False, True, 2),
    (3, 200, 80, False, True, 1),
    (3, 184, 80, False, True, 1),
    (3, 184, 80, False, True, 1),
    (3, 480, 112, True, True, 1),
    (3, 672, 112, True, True, 1),
    (5, 672, 160, True, True, 2),
    (5, 960, 160, True, True, 1),
    (5, 960, 160, True, True, 1),
)
_STEM_CHANNELS, _HIDDEN_FEATURES = 16, 1280
# Layers of `features` whose means form the multi-level embedding, and whose maps are outputs.
_LEVELS = (5, 11, 13, 15)
_BLOCK_OUTPUTS = {f"block{level}": level for level in _LEVELS}
_N_BINS = 128  # number of mel bands of the spectrogram


def mobilenet_sizes(width: float, n_classes: int = 527) -> dict[str, int]:
    """Number of values of every output of a MobileNet that is one vector a clip; no network is built.

    Parameters
    ----------
    width : float
    n_classes : int, default=527

    Returns
    -------
    dict of str to int
    """
    channels = [_scaled(width, block[2]) for block in _BLOCKS]
    n_bins = [_N_BINS // 2 // stride for stride in accumulate((block[5] for block in _BLOCKS), operator.mul)]
    maps = {name: 2 * channels[level - 1] * n_bins[level - 1] for name, level in _BLOCK_OUTPUTS.items()}
    last = 6 * channels[-1]
    multilevel = _N_BINS + sum(channels[level - 1] for level in _LEVELS)
    logits = {"logits": n_classes} if n_classes > 0 else {}
    return {"clip": last, "clip_stats": 2 * last, "multilevel": multilevel, **maps, **logits}


class MobileNet(nn.Module):
    """MobileNet of EfficientAT, on the spectrograms of :class:`AudioSetFrontEnd`.

    Its state dict has the authors' names and shapes, so that their checkpoints load with ``strict=True``.

    Parameters
    ----------
    width : float, default=1.0
        Factor of the numbers of channels: 0.1 to 4 in the published networks.
    n_classes : int, default=527
        Number of logits. AudioSet has 527 classes. A network with 0 has no classifier, and no output "logits".

    Attributes
    ----------
    embedding_size : int
        Number of channels of the last feature map, and of values of the clip embedding: 960 for a width of 1.
    multilevel_size : int
        Number of values of the multi-level embedding: 600 for a width of 1.
    sizes : dict of str to int
        Number of values of every output that is one vector a clip.
    outputs : tuple of str
        Names of the outputs of :meth:`forward`.

    References
    ----------
    Schmid, Koutini, Widmer, "Efficient large-scale audio tagging via transformer-to-CNN knowledge
    distillation", ICASSP 2023, https://arxiv.org/abs/2211.04772.

    Howard et al., "Searching for MobileNetV3", ICCV 2019, https://arxiv.org/abs/1905.02244.
    """

    outputs: tuple[str, ...] = (
        *("clip", "clip_stats", "frames", "grid", "multilevel"),
        *_BLOCK_OUTPUTS,
        "logits",
    )

    def __init__(self, width: float = 1.0, n_classes: int = 527):
        super().__init__()

        scaled = partial(_scaled, width)
        channels = scaled(_STEM_CHANNELS)
        layers: list[nn.Module] = [_convolution(1, channels, 3, stride=2, activation=nn.Hardswish)]
        for kernel, expanded, n_out, excitation, hardswish, stride in _BLOCKS:
            activation = nn.Hardswish if hardswish else nn.ReLU
            layers.append(
                _Block(channels, kernel, scaled(expanded), scaled(n_out), excitation, activation, stride)
            )
            channels = scaled(n_out)
        self.embedding_size = 6 * channels
        layers.append(_convolution(channels, self.embedding_size, 1, activation=nn.Hardswish))
        self.features = nn.Sequential(*layers)
        hidden = scaled(_HIDDEN_FEATURES)
        self.classifier: nn.Sequential | None = None
        if n_classes > 0:
            self.classifier = nn.Sequential(
                nn.AdaptiveAvgPool2d(1),
                nn.Flatten(),
                nn.Linear(self.embedding_size, hidden),
                nn.Hardswish(inplace=True),
                nn.Dropout(0.2),
                nn.Linear(hidden, n_classes),
            )
        else:
            self.outputs = tuple(name for name in self.outputs if name != "logits")
        self.sizes = mobilenet_sizes(width, n_classes)
        self.multilevel_size = self.sizes["multilevel"]

    @property
    def stages(self) -> nn.Sequential:
        """Layers from the first to the last. A fine-tuning opens the last ones of these layers."""
        return self.features

    @property
    def last_layers(self) -> tuple[nn.Module, ...]:
        """Layers behind `stages` that the clip embedding depends on."""
        return ()

    @property
    def class_layers(self) -> tuple[nn.Module, ...]:
        """Layers that only the logits depend on."""
        return () if self.classifier is None else (self.classifier,)

    @property
    def bfloat16_layers(self) -> nn.Module:
        """Layers whose pointwise convolutions may round to bfloat16. Earlier layers would lose too much accuracy."""
        return self.features[12:]

    def forward(
        self, spectrograms: torch.Tensor, outputs: Iterable[str] = ("logits",)
    ) -> dict[str, torch.Tensor]:
        """Compute the requested outputs in one pass, which ends at the last layer that an output needs.

        Parameters
        ----------
        spectrograms : torch.Tensor of shape (n_clips, 128, n_frames)
            Spectrograms of :class:`AudioSetFrontEnd`, of any length.
        outputs : str or iterable of str, default=("logits",)
            Names of outputs. ``F`` is 4 and ``T`` is ``ceil(n_frames / 32)``:

            - "clip": (n_clips, embedding_size), the mean of the last feature map over frequency and time;
            - "clip_stats": (n_clips, 2 * embedding_size), the means and then the standard deviations of "frames" over
              time;
            - "frames": (n_clips, embedding_size, T), the mean of the last feature map over frequency;
            - "grid": (n_clips, embedding_size, F, T), the last feature map;
            - "multilevel": (n_clips, multilevel_size), the authors' embedding for the benchmark HEAR: the
              mean over time of the spectrogram, and the means of four intermediate feature maps;
            - "block5", "block11", "block13", "block15": (n_clips, 2 * n_channels * n_bins), the means and then the
              standard deviations over time of the feature map behind ``features[5]`` and so on, channel by channel,
              each from the lowest to the highest frequency. The maps have 16, 8, 4 and 4 bins of frequency. The
              standard deviation has no correction (``correction=0``), and is 0 for a map of one frame;
            - "logits": (n_clips, n_classes), before the sigmoid.

        Returns
        -------
        dict of str to torch.Tensor

        Raises
        ------
        ValueError
            If the spectrograms have another shape, or an output is unknown.
        """
        outputs = check_outputs(outputs, self.outputs)
        check_spectrograms(spectrograms, min_frames=1)
        x = spectrograms[:, None]
        made = {}
        means = [spectrograms.mean(-1)]
        last = max(map(_last_layer, outputs), default=0)
        for index, layer in enumerate(self.features[: last + 1]):
            x = layer(x)
            if index in _LEVELS and "multilevel" in outputs:
                means.append(x.mean((2, 3)))
            if f"block{index}" in outputs:
                made[f"block{index}"] = _mean_and_deviation(x.flatten(1, 2))
        if "multilevel" in outputs:
            made["multilevel"] = torch.cat(means, dim=1)
        if last == len(self.features) - 1:
            made |= {"clip": x.mean((2, 3)), "frames": x.mean(2), "grid": x}
        if "clip_stats" in outputs:
            made["clip_stats"] = _mean_and_deviation(made["frames"])
        if "logits" in outputs and self.classifier is not None:
            made["logits"] = self.classifier(x)
        return {name: made[name] for name in outputs}


def _last_layer(output):
    """Index of the last layer of `features` that an output needs."""
    return _BLOCK_OUTPUTS.get(output, _LEVELS[-1] if output == "multilevel" else len(_BLOCKS) + 1)


def _mean_and_deviation(x):
    """Mean and population standard deviation over time of x, (n_clips, n_rows, n_frames): (n_clips, 2 * n_rows)."""
    mean = x.mean(-1, keepdim=True)
    deviation = (x - mean).square().mean(-1).sqrt()
    return torch.cat([mean[..., 0], deviation], dim=1)


class _Block(nn.Module):
    """Inverted residual: widen, convolve every channel by itself, weigh the channels, narrow."""

    def __init__(self, n_in, kernel, expanded, n_out, excitation, activation, stride):
        super().__init__()
        parts: list[nn.Module] = []
        if expanded != n_in:
            parts.append(_convolution(n_in, expanded, 1, activation=activation))
        parts.append(
            _convolution(expanded, expanded, kernel, stride=stride, groups=expanded, activation=activation)
        )
        if excitation:
            parts.append(_SqueezeExcitation(expanded))
        parts.append(_convolution(expanded, n_out, 1))
        self.block = nn.Sequential(*parts)
        self.residual = stride == 1 and n_in == n_out

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.block(x) if self.residual else self.block(x)


class _SqueezeExcitation(nn.Module):
    """Multiply every channel by a gate that depends on the means of all channels."""

    def __init__(self, channels):
        super().__init__()
        # The authors gate along channels, frequency or time, side by side; the published networks along
        # channels only.
        self.conc_se_layers = nn.ModuleList([_ChannelGate(channels)])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.conc_se_layers[0](x)[:, :, None, None]


class _ChannelGate(nn.Module):
    def __init__(self, channels):
        super().__init__()
        squeezed = _multiple_of_eight(channels / 4)
        self.fc1, self.fc2 = nn.Linear(channels, squeezed), nn.Linear(squeezed, channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc2(self.fc1(x.mean((2, 3))).relu()).sigmoid()


def _convolution(n_in, n_out, kernel, *, stride=1, groups=1, activation=None):
    convolution: nn.Conv2d
    if kernel == 1:
        convolution = PointwiseConvolution(n_in, n_out)
    else:
        convolution = nn.Conv2d(n_in, n_out, kernel, stride, kernel // 2, groups=groups, bias=False)
    # This initialisation keeps the size of the activations from layer to layer (He et al. 2015). torch's default
    # shrinks the activations, so that a random network would map every clip to the same point, up to rounding.
    nn.init.kaiming_normal_(convolution.weight, nonlinearity="linear" if activation is None else "relu")
    parts = [convolution, nn.BatchNorm2d(n_out, eps=1e-3, momentum=0.01)]
    return nn.Sequential(*parts, *([] if activation is None else [activation(inplace=True)]))


def _scaled(width, channels):
    return _multiple_of_eight(width * channels)


def _multiple_of_eight(channels):
    """The nearest multiple of eight that is at least 8 and no more than a tenth below."""
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded if rounded >= 0.9 * channels else rounded + 8
