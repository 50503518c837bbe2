"""Copies of networks for fast inference on a CPU."""

import copy
import itertools
from typing import Any, Literal

import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils import fuse_conv_bn_eval

from .._checks import check_option

# Maximum number of positions (clips, bins and frames together) and of multiply-accumulates of a pointwise convolution
# that MKL computes. oneDNN selects its kernel in every call, which takes longer than such a product.
_FEW_POSITIONS = 1 << 12
_SMALL_PRODUCT = 1 << 23


def for_inference(network: nn.Module, precision: Literal["float32", "bfloat16"] = "float32") -> nn.Module:
    """Copy a network so that the copy computes the same outputs faster. The copy cannot be trained.

    Every batch normalisation is merged into the convolution before. Convolutions keep their channels last in memory. On
    a CPU with AVX-512, oneDNN also computes the linear layers of transformers. Outputs change by rounding only, at most
    1e-5 relative. The names and shapes of the state dict change, so load a checkpoint first. To export a network (ONNX,
    OpenVINO), export the original.

    Parameters
    ----------
    network : torch.nn.Module
        Network of a family of backbones, such as :class:`MobileNet`. The original does not change.
    precision : {"float32", "bfloat16"}, default="float32"
        "bfloat16" has three digits and is used for products only. Weights that need more digits, and all inputs and
        outputs, stay float32. The network needs no autocast. Clip embeddings and logits differ from those of float32 by
        at most a hundredth. A transformer computes its blocks in bfloat16. A PaSST is then twice as fast on a CPU with
        instructions for bfloat16 (AVX-512 BF16, AMX). Without these instructions, bfloat16 is several times slower. A
        MobileNet computes only the pointwise convolutions of ``features[12:]`` in bfloat16, because the first layers
        would cost 4 to 10 %. With a width of 4 or more, a MobileNet gets a sixth faster. Narrower MobileNets get no
        faster: use float32.

    Returns
    -------
    torch.nn.Module

    Raises
    ------
    ValueError
        If `precision` is unknown.
    """
    check_option(precision, "precision", ("float32", "bfloat16"))
    network = copy.deepcopy(network).eval().requires_grad_(False)
    module: Any
    for module in list(network.modules()):
        if isinstance(module, nn.Sequential):
            for index, (first, second) in enumerate(itertools.pairwise(module)):
                if isinstance(first, nn.Conv2d) and isinstance(second, nn.BatchNorm2d):
                    module[index], module[index + 1] = fuse_conv_bn_eval(first, second), nn.Identity().eval()
    one_dnn = torch.backends.mkldnn.is_available() and hasattr(torch.ops.aten, "mkldnn_convolution")
    # Without AVX-512, oneDNN is no faster than MKL for tokens, and three times as slow for some numbers of tokens.
    for_tokens = one_dnn and torch.backends.cpu.get_cpu_capability() == "AVX512"
    for module in network.modules():
        if hasattr(module, "one_dnn"):
            module.one_dnn = one_dnn if isinstance(module, PointwiseConvolution) else for_tokens
    if precision == "bfloat16":
        layers: Any = network.bfloat16_layers
        for module in layers.modules():
            if hasattr(module, "one_dnn"):
                weight = getattr(module, product_name(module))
                weight.data = weight.data.bfloat16()
    return network.to(memory_format=torch.channels_last)


def product_name(module: nn.Module) -> str:
    """Name of the weight of a layer that is a product of matrices."""
    return str(getattr(module, "product", "weight"))


class PointwiseConvolution(nn.Conv2d):
    """Convolution of one by one, without padding."""

    one_dnn = False

    def __init__(self, n_in, n_out):
        super().__init__(n_in, n_out, 1, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Mix the channels of x, (n_clips, n_in, n_bins, n_frames)."""
        if self.weight.dtype == torch.bfloat16 and x.dtype == torch.float32:
            # The bias stays float32, because a rounded bias nearly doubles the error.
            mixed = functional.conv2d(x.bfloat16(), self.weight).float()
            return mixed if self.bias is None else mixed + self.bias[:, None, None]
        if self.one_dnn and _plain(x):
            n_positions = len(x) * x.shape[2] * x.shape[3]
            if n_positions <= _FEW_POSITIONS and n_positions * self.weight.numel() <= _SMALL_PRODUCT:
                mixed = functional.linear(x.permute(0, 2, 3, 1), self.weight[:, :, 0, 0], self.bias)
                return mixed.permute(0, 3, 1, 2)
            return _one_dnn(x, self.weight, self.bias)
        return super().forward(x)


class TokenLinear(nn.Linear):
    """Linear layer on many tokens at a time."""

    one_dnn = False

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Map tokens, (n_clips, n_tokens, n_in). The output is bfloat16 if the weights are bfloat16."""
        return map_tokens(tokens, self.weight, self.bias, self.one_dnn)


def map_tokens(tokens: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor, one_dnn: bool) -> torch.Tensor:
    """Map tokens by a linear layer.

    Parameters
    ----------
    tokens : torch.Tensor of shape (n_clips, n_tokens, n_in)
    weight : torch.Tensor of shape (n_out, n_in)
    bias : torch.Tensor of shape (n_out,)
    one_dnn : bool
        Whether oneDNN is the faster way, and nothing is trained.

    Returns
    -------
    torch.Tensor of shape (n_clips, n_tokens, n_out)
        The values are bfloat16 if the weights are bfloat16.
    """
    if weight.dtype == torch.bfloat16:
        return functional.linear(tokens.bfloat16(), weight, bias.bfloat16())
    if one_dnn and _plain(tokens):
        # Tokens are an image whose channels are the values, last in memory. The conversion needs no copy.
        image = tokens.transpose(1, 2)[:, :, None]
        return _one_dnn(image, weight[:, :, None, None], bias)[:, :, 0].transpose(1, 2)
    return functional.linear(tokens, weight, bias)


def _plain(x):
    """Whether oneDNN is the fastest way. An autocast and other devices have faster ways."""
    return x.device.type == "cpu" and x.dtype == torch.float32 and not torch.is_autocast_enabled("cpu")


def _one_dnn(x, weight, bias):
    # torch computes linear layers with MKL, and with a single thread also pointwise convolutions. On an AMD processor,
    # MKL does not use AVX-512, and oneDNN is twice as fast.
    return torch.ops.aten.mkldnn_convolution(x, weight, bias, (0, 0), (1, 1), (1, 1), 1)
