"""Parameters, multiply-accumulates and receptive field of a network, layer by layer."""

import copy
import math
from dataclasses import dataclass
from functools import partial

import torch
from torch import nn

_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.GroupNorm, nn.LayerNorm)
_POOLS = (nn.AvgPool2d, nn.MaxPool2d, nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d)
_KNOWN = (nn.Conv2d, nn.Linear, *_NORMS, *_POOLS)


@dataclass(frozen=True)
class LayerDescription:
    """One layer of a network, or several layers of one part of the network.

    Parameters
    ----------
    name : str
        Name in the state dict.
    kind : str
        Kind of the layer, empty for several layers.
    output_shape : tuple of int
        Output shape for one clip, of the last layer if there are several. Empty for bare parameters and for layers that
        do not run.
    parameters : int
    multiply_accumulates : int
        Number for one clip.
    receptive_field : (float, float)
        Numbers of bins and frames of the spectrogram on which one output value depends: integers, or infinity for the
        whole spectrogram. The receptive field includes padding beyond the edges.
    """

    name: str
    kind: str
    output_shape: tuple[int, ...]
    parameters: int
    multiply_accumulates: int
    receptive_field: tuple[float, float]


@dataclass(frozen=True)
class NetworkDescription:
    """Result of :func:`describe`. Printing the result shows a table.

    Parameters
    ----------
    title : str
    layers : tuple of LayerDescription
        Layers in the order in which they run, then layers that do not run.
    receptive_field : (float, float)
        Numbers of bins and frames on which one value of the last feature map depends, before any average over the
        clip.
    """

    title: str
    layers: tuple[LayerDescription, ...]
    receptive_field: tuple[float, float]

    @property
    def parameters(self) -> int:
        """Number of parameters of all layers, trained or frozen."""
        return sum(layer.parameters for layer in self.layers)

    @property
    def multiply_accumulates(self) -> int:
        """Number of multiply-accumulates of all layers for one clip."""
        return sum(layer.multiply_accumulates for layer in self.layers)

    def __str__(self):
        total = LayerDescription(
            "in all", "", (), self.parameters, self.multiply_accumulates, self.receptive_field
        )
        head = ("layer", "", "output", "parameters", "multiply-accumulates", "sees bins x frames")
        rows = [head, *(_cells(layer) for layer in self.layers), _cells(total)]
        widths = [max(map(len, column)) for column in zip(*rows)]
        lines = []
        for row in rows:
            left = [cell.ljust(width) for cell, width in zip(row[:3], widths)]
            right = [cell.rjust(width) for cell, width in zip(row[3:], widths[3:])]
            lines.append("  ".join([*left, *right]).rstrip())
        rule = "-" * max(map(len, lines))
        return "\n".join([self.title, lines[0], rule, *lines[1:-1], rule, lines[-1]])


def describe(
    network: nn.Module,
    n_frames: int = 1000,
    *,
    n_bins: int = 128,
    depth: int | None = None,
    title: str | None = None,
) -> NetworkDescription:
    """Count parameters and multiply-accumulates of a network and its receptive field, layer by layer.

    The function computes only shapes. Multiply-accumulates are those of convolutions, linear layers and
    attention (``2 n_tokens ** 2 n_values``); normalisation, activations, sums and means count as 0.
    The receptive field is that of the layers in the order in which they run,
    ``r_i = r_{i-1} + (k_i - 1) d_i prod_{j<i} s_j`` with kernels k, dilations d and strides s. Attention and
    pooling over the clip depend on the whole clip. The gates of squeeze-and-excitation depend on a mean over the clip
    too, but are left out, as usual.

    Parameters
    ----------
    network : torch.nn.Module
        A module that maps spectrograms, (n_clips, n_bins, n_frames), made of two-dimensional convolutions and pooling,
        linear layers and normalisation. The module does not change. If the module has an attribute ``outputs``, all of
        these outputs are computed. Any other layer with parameters needs a method ``multiply_accumulates(output)``, and
        its receptive field counts as the whole clip. Other layers without parameters count as 0.
    n_frames : int, default=1000
        Number of frames of the spectrogram: ten seconds of the default front end.
    n_bins : int, default=128
        Number of bins of the spectrogram.
    depth : int or None, default=None
        Number of parts of a name that the layers of one row share: 2 gives a row for every block. None gives a row for
        every layer.
    title : str or None, default=None
        Name of the network for the first line of the table. None is the name of its class.

    Returns
    -------
    NetworkDescription

    Raises
    ------
    TypeError
        If `network` is not a module.
    ValueError
        If a layer with parameters is of another kind, `depth` is not positive, or
        the network takes no spectrogram of `n_frames`.

    Examples
    --------
    >>> from skaudio_ad.networks import MobileNet, describe
    >>> table = describe(MobileNet(width=1.0), depth=2)
    >>> table.parameters, table.receptive_field
    (4876831, (595, 595))
    """
    if depth is not None and depth < 1:
        raise ValueError(f"depth must be at least 1, got {depth!r}; None describes every layer.")
    if not isinstance(network, nn.Module):
        raise TypeError(
            f"network must be a torch module, got {network!r}. skaudio_ad.BackboneEmbedding(name).describe() takes the "
            "name of a published backbone."
        )
    title = type(network).__name__ if title is None else title
    module = _without_values(network)
    _check_layers(module)
    calls: list[tuple[str, nn.Module, torch.Tensor]] = []

    def record(name, layer, _, output):
        calls.append((name, layer, output))

    for name, layer in module.named_modules():
        if _is_known(layer):
            layer.register_forward_hook(partial(record, name))
    spectrogram = torch.empty(1, n_bins, n_frames, device="meta")
    # All outputs are requested, because a network may skip layers that no requested output needs.
    options = {"outputs": module.outputs} if hasattr(module, "outputs") else {}
    with torch.no_grad():
        module.eval()(spectrogram, **options)
    layers, receptive_field = _rows(module, calls)
    return NetworkDescription(
        f"{title}, for one spectrogram of {n_bins} bins x {n_frames} frames",
        tuple(layers if depth is None else _merged(layers, depth)),
        receptive_field,
    )


def _counts_itself(module: nn.Module) -> bool:
    return hasattr(module, "multiply_accumulates")


def _is_known(module: nn.Module) -> bool:
    return isinstance(module, _KNOWN) or _counts_itself(module)


def _without_values(network):
    """Copy a network so that its parameters and buffers have shapes but no values."""
    shapes: dict[int, torch.Tensor] = {}
    for parameter in network.parameters():
        shapes[id(parameter)] = nn.Parameter(torch.empty_like(parameter, device="meta"), requires_grad=False)
    for buffer in network.buffers():
        shapes[id(buffer)] = torch.empty_like(buffer, device="meta")
    return copy.deepcopy(network, shapes)


def _check_layers(network):
    for name, module in network.named_modules():
        is_leaf = next(module.children(), None) is None
        if is_leaf and next(module.parameters(), None) is not None and not _is_known(module):
            known = ", ".join(kind.__name__ for kind in _KNOWN)
            raise ValueError(
                f"describe knows {known}; {name or 'the network'} is a {type(module).__name__}, whose "
                "multiply-accumulates and receptive field it cannot tell."
            )


def _rows(network, calls):
    """Layers in the order of their calls, then the rest; and the receptive field of the last feature map."""
    sees, step = [1.0, 1.0], [1, 1]
    last_map = tuple(sees)
    layers = []
    counted: set[int] = set()
    for name, module, output in calls:
        if _counts_itself(module) or isinstance(module, (nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d)):
            sees = [math.inf, math.inf]
        elif isinstance(module, (nn.Conv2d, nn.AvgPool2d, nn.MaxPool2d)):
            for axis in (0, 1):
                kernel, stride, dilation = (
                    _pair(getattr(module, what, 1))[axis] for what in ("kernel_size", "stride", "dilation")
                )
                sees[axis] += (kernel - 1) * dilation * step[axis]
                step[axis] *= stride
        if _counts_itself(module) or isinstance(module, (nn.Conv2d, nn.AvgPool2d, nn.MaxPool2d)):
            last_map = _whole(sees)
        own = [p for p in module.parameters(recurse=False) if id(p) not in counted]
        counted.update(map(id, own))
        layers.append(
            LayerDescription(
                name,
                _kind(module),
                tuple(output.shape[1:]),
                sum(p.numel() for p in own),
                _multiply_accumulates(module, output),
                _whole(sees),
            )
        )
    for name, parameter in network.named_parameters():
        if id(parameter) not in counted:
            layers.append(LayerDescription(name, "Parameter", (), parameter.numel(), 0, (0, 0)))
    return layers, last_map


def _whole(sees):
    return tuple(value if math.isinf(value) else int(value) for value in sees)


def _pair(value):
    return value if isinstance(value, tuple) else (value, value)


def _kind(module):
    if isinstance(module, nn.Linear):
        return "Linear"
    if not hasattr(module, "kernel_size"):
        return type(module).__name__
    kernel, stride = ("x".join(map(str, _pair(value))) for value in (module.kernel_size, module.stride))
    groups = f" in {module.groups} groups" if getattr(module, "groups", 1) > 1 else ""
    return f"{kernel}, step {stride}{groups}"


def _multiply_accumulates(module, output):
    if isinstance(module, (nn.Conv2d, nn.Linear)):
        return output.numel() * module.weight[0].numel()
    return module.multiply_accumulates(output) if _counts_itself(module) else 0


def _merged(layers, depth):
    rows: dict[str, list[LayerDescription]] = {}
    for layer in layers:
        name = ".".join(layer.name.split(".")[:depth])
        rows.setdefault(name, []).append(layer)
    for name, parts in rows.items():
        yield LayerDescription(
            name,
            parts[0].kind if len(parts) == 1 else "",
            parts[-1].output_shape,
            sum(part.parameters for part in parts),
            sum(part.multiply_accumulates for part in parts),
            parts[-1].receptive_field,
        )


def _cells(layer):
    bins, frames = layer.receptive_field
    if math.isinf(frames):
        sees = "all"
    else:
        sees = f"{bins} x {frames}" if frames else ""
    return (
        layer.name,
        layer.kind,
        " x ".join(map(str, layer.output_shape)),
        f"{layer.parameters:,}",
        f"{layer.multiply_accumulates:,}",
        sees,
    )
