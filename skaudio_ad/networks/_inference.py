"""The same network, faster: for inference on a CPU."""

import copy
import itertools

import torch
from torch import nn
from torch.nn.utils import fuse_conv_bn_eval


def for_inference(network):
    """Copy of a network that gives the same outputs faster, and cannot be trained.

    Batch normalisation goes into the convolution before it, convolutions keep their channels last in
    memory, and the products of matrices of a CPU are oneDNN's. Outputs change by rounding only, 1e-5
    relative at most. Names and shapes of the state dict change: load a checkpoint first. To export a
    network (ONNX, OpenVINO), export the original.

    Parameters
    ----------
    network : torch.nn.Module
        :class:`MobileNet` or :class:`PaSST`, which stays as it is.

    Returns
    -------
    torch.nn.Module
    """
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
    return network.to(memory_format=torch.channels_last)


class PointwiseConvolution(nn.Conv2d):
    """Convolution of one by one, without padding."""

    one_dnn = False

    def __init__(self, n_in, n_out):
        super().__init__(n_in, n_out, 1, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Mix the channels of x, (n_clips, n_in, n_bins, n_frames)."""
        if self.one_dnn and _plain(x):
            return _one_dnn(x, self.weight, self.bias)
        return super().forward(x)


class TokenLinear(nn.Linear):
    """Linear layer on many tokens at a time."""

    one_dnn = False

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Map tokens, (n_clips, n_tokens, n_in)."""
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
