"""The same network, faster: for inference on a CPU."""

import copy
import itertools

import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils import fuse_conv_bn_eval

from .._checks import check_option


def for_inference(network, precision="float32"):
    """Copy of a network that gives the same outputs faster, and cannot be trained.

    Batch normalisation goes into the convolution before it, convolutions keep their channels last in
    memory, and the products of matrices of a CPU are oneDNN's. Outputs change by rounding only, 1e-5
    relative at most. Names and shapes of the state dict change: load a checkpoint first. To export a
    network (ONNX, OpenVINO), export the original.

    Parameters
    ----------
    network : torch.nn.Module
        :class:`MobileNet` or :class:`PaSST`, which stays as it is.
    precision : {"float32", "bfloat16"}, default="float32"
        "bfloat16", of three digits, is for products only; weights that need more, and all inputs and
        outputs, stay float32, and no autocast is needed around the network. Clip embeddings and logits stay
        within a hundredth of float32's. A PaSST computes its blocks so, and is twice as fast on a CPU with
        instructions for bfloat16 (AVX-512 BF16, AMX). A MobileNet so computes only the pointwise convolutions
        of ``features[12:]``, since its first layers would cost 4 to 10 %; from a width of 4 on that makes it a
        sixth faster, and narrower ones not noticeably: prefer float32 for these.

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
    for module in list(network.modules()):
        if isinstance(module, nn.Sequential):
            for index, (first, second) in enumerate(itertools.pairwise(module)):
                if isinstance(first, nn.Conv2d) and isinstance(second, nn.BatchNorm2d):
                    module[index], module[index + 1] = fuse_conv_bn_eval(first, second), nn.Identity().eval()
    for module in network.modules():
        if isinstance(module, (PointwiseConvolution, TokenLinear)):
            module.one_dnn = torch.backends.mkldnn.is_available() and hasattr(
                torch.ops.aten, "mkldnn_convolution"
            )
    if precision == "bfloat16":
        for module in network.bfloat16_layers.modules():
            if isinstance(module, (PointwiseConvolution, TokenLinear)):
                module.weight.data = module.weight.data.bfloat16()
    return network.to(memory_format=torch.channels_last)


class PointwiseConvolution(nn.Conv2d):
    """Convolution of one by one, without padding."""

    one_dnn = False

    def __init__(self, n_in, n_out):
        super().__init__(n_in, n_out, 1, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Mix the channels of x, (n_clips, n_in, n_bins, n_frames)."""
        if self.weight.dtype == torch.bfloat16 and x.dtype == torch.float32:
            # The bias is float32: rounded, it nearly doubles the error.
            mixed = functional.conv2d(x.bfloat16(), self.weight).float()
            return mixed if self.bias is None else mixed + self.bias[:, None, None]
        if self.one_dnn and _plain(x):
            return _one_dnn(x, self.weight, self.bias)
        return super().forward(x)


class TokenLinear(nn.Linear):
    """Linear layer on many tokens at a time."""

    one_dnn = False

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Map tokens, (n_clips, n_tokens, n_in); to bfloat16 where the weights are."""
        if self.weight.dtype == torch.bfloat16:
            return functional.linear(tokens.bfloat16(), self.weight, self.bias.bfloat16())
        if self.one_dnn and _plain(tokens):
            # Tokens are an image with their values as channels, last in memory: no copy.
            image = tokens.transpose(1, 2)[:, :, None]
            return _one_dnn(image, self.weight[:, :, None, None], self.bias)[:, :, 0].transpose(1, 2)
        return super().forward(tokens)


def _plain(x):
    """Whether oneDNN's way pays: an autocast and other devices have faster ones of their own."""
    return x.device.type == "cpu" and x.dtype == torch.float32 and not torch.is_autocast_enabled("cpu")


def _one_dnn(x, weight, bias):
    # torch gives linear layers to MKL, and pointwise convolutions too unless it has several threads. On an
    # AMD processor with AVX-512 MKL makes no use of it, and oneDNN is twice as fast.
    return torch.ops.aten.mkldnn_convolution(x, weight, bias, (0, 0), (1, 1), (1, 1), 1)
