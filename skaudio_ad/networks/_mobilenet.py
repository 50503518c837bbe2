"""The MobileNets of EfficientAT: MobileNetV3-Large on spectrograms, trained on AudioSet."""

from collections.abc import Iterable

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
_LEVELS = (5, 11, 13, 15)  # layers of `features` whose means form the multi-level embedding


class MobileNet(nn.Module):
    """MobileNet of EfficientAT, on the spectrograms of :class:`AudioSetFrontEnd`.

    Its state dict has the authors' names and shapes, so that their checkpoints load with ``strict=True``.

    Parameters
    ----------
    width : float, default=1.0
        Factor of the numbers of channels: 0.1 to 4 in the published networks.
    n_classes : int, default=527
        Number of logits. AudioSet has 527 classes.

    Attributes
    ----------
    embedding_size : int
        Number of channels of the last feature map, and of values of the clip embedding: 960 for a width of 1.
    multilevel_size : int
        Number of values of the multi-level embedding: 600 for a width of 1.
    outputs : tuple of str
        Names of the outputs of :meth:`forward`.

    References
    ----------
    Schmid, Koutini, Widmer, "Efficient large-scale audio tagging via transformer-to-CNN knowledge
    distillation", ICASSP 2023, https://arxiv.org/abs/2211.04772.

    Howard et al., "Searching for MobileNetV3", ICCV 2019, https://arxiv.org/abs/1905.02244.
    """

    outputs = ("clip", "frames", "grid", "multilevel", "logits")

    def __init__(self, width: float = 1.0, n_classes: int = 527):
        super().__init__()

        def scaled(channels):
            return _multiple_of_eight(width * channels)

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
        self.classifier = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(self.embedding_size, hidden),
            nn.Hardswish(inplace=True),
            nn.Dropout(0.2),
            nn.Linear(hidden, n_classes),
        )
        self.multilevel_size = 128 + sum(scaled(_BLOCKS[level - 1][2]) for level in _LEVELS)

    @property
    def bfloat16_layers(self) -> nn.Module:
        """Layers whose pointwise convolutions may round to bfloat16. Earlier layers would lose too much accuracy."""
        return self.features[12:]

    def forward(
        self, spectrograms: torch.Tensor, outputs: Iterable[str] = ("logits",)
    ) -> dict[str, torch.Tensor]:
        """Compute the requested outputs in one pass.

        Parameters
        ----------
        spectrograms : torch.Tensor of shape (n_clips, 128, n_frames)
            Spectrograms of :class:`AudioSetFrontEnd`, of any length.
        outputs : str or iterable of str, default=("logits",)
            Names of outputs. ``F`` is 4 and ``T`` is ``ceil(n_frames / 32)``:

            - "clip": (n_clips, embedding_size), the mean of the last feature map over frequency and time;
            - "frames": (n_clips, embedding_size, T), the mean of the last feature map over frequency;
            - "grid": (n_clips, embedding_size, F, T), the last feature map;
            - "multilevel": (n_clips, multilevel_size), the authors' embedding for the benchmark HEAR: the
              mean over time of the spectrogram, and the means of four intermediate feature maps;
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
        levels = [spectrograms.mean(-1)]
        for index, layer in enumerate(self.features):
            x = layer(x)
            if index in _LEVELS and "multilevel" in outputs:
                levels.append(x.mean((2, 3)))
        made = {
            "clip": x.mean((2, 3)),
            "frames": x.mean(2),
            "grid": x,
            "multilevel": torch.cat(levels, dim=1),
        }
        if "logits" in outputs:
            made["logits"] = self.classifier(x)
        return {name: made[name] for name in outputs}


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


def _multiple_of_eight(channels):
    """The nearest multiple of eight that is at least 8 and no more than a tenth below."""
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded if rounded >= 0.9 * channels else rounded + 8
