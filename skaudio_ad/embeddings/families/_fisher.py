"""FISHER, a transformer for industrial signals of any sample rate."""

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ..._checks import check_number, check_option
from .._windows import windows_to_the_end
from ._family import Clock, Family, Output, Variant
from ._state_dicts import count_blocks, keep_blocks, tensor_shape
from ._transformers import (
    LOWEST_RATE,
    USUAL_RATE,
    check_layers,
    depth,
    n_built,
    n_layers,
    whole_frames,
    whole_patches,
)

if TYPE_CHECKING:
    import torch

_FAN = (
    'P. Fan, A. Jiang et al., "FISHER: A Foundation Model for Multimodal Industrial Signal Comprehensive '
    'Representation", IEEE Transactions on Industrial Informatics 2026, https://github.com/jianganbai/FISHER'
)
_PATCH = 16
# Maximum number of frames of a window, as in the training and as the authors cut longer clips.
_MAX_FRAMES = 1024
# Number of positions in the table of a checkpoint. The table of an EAT, whose tensors have the same names, is another.
_N_POSITIONS = 6400
_HEAD_SIZE = 64
# Values of the configuration in a file that the network takes for granted, and the place of each value.
_FIXED = {
    "layer_norm_first": False,
    "mlp_ratio": 4,
    "norm_eps": 1e-6,
    "norm_affine": True,
    "modalities.image.patch_size": _PATCH,
    "modalities.image.in_chans": 1,
    "modalities.image.num_extra_tokens": 1,
    "modalities.image.prenet_depth": 0,
    "modalities.image.fixed_positions": True,
    "modalities.image.use_alibi_encoder": False,
}


def _check_size(value: Any, name: str) -> None:
    check_number(value, name, low=_HEAD_SIZE, integer=True)
    if value % _HEAD_SIZE:
        raise ValueError(f"{name} must be a multiple of {_HEAD_SIZE}, the size of a head, got {value!r}.")


def _rate(variant: Variant) -> int:
    return USUAL_RATE if variant.sample_rate is None else variant.sample_rate


def _all_bands(variant: Variant) -> int:
    from ...networks._fisher import count_bands

    _, n_bands = count_bands(_rate(variant), variant.settings["band_width"])
    return n_bands * _one_band(variant)


def _one_band(variant: Variant) -> int:
    return variant.settings["size"] * n_layers(variant)


def _frame(variant: Variant) -> tuple[int, int]:
    """Length of a window of the spectrogram and step between two windows, in samples."""
    return 25 * _rate(variant) // 1000, 10 * _rate(variant) // 1000


def _build_network(variant: Variant) -> "torch.nn.Module":
    from ...networks import FISHER

    settings = variant.settings
    return FISHER(
        _rate(variant),
        size=settings["size"],
        depth=n_built(variant),
        band_width=settings["band_width"],
        flatten=settings["flatten"],
        layers=settings.get("layers"),
    )


def _build_front_end(variant: Variant) -> "torch.nn.Module":
    from ...networks import LogSpectrogram

    n_fft, hop_length = _frame(variant)
    return LogSpectrogram(
        _rate(variant),
        n_fft=n_fft,
        hop_length=hop_length,
        offset=1e-10,
        mean=-3.017344307886898,
        std=2.1531635155379805,
        subtract_mean=False,  # _prepare_clip subtracts the mean of the whole clip
    )


def _prepare_clip(clip: np.ndarray, variant: Variant) -> np.ndarray:
    return whole_frames(clip, _frame(variant), _min_samples(variant))


def _window_lengths(variant: Variant, window: float) -> tuple[int, int]:
    return whole_patches(window, _frame(variant), _MAX_FRAMES)


def _clock(variant: Variant, n_samples: int) -> Clock:
    n_fft, hop_length = _frame(variant)
    n_frames = 1 + (n_samples - n_fft) // hop_length
    return Clock(
        first=((_PATCH - 1) * hop_length + n_fft) / 2 / _rate(variant),
        step=_PATCH * hop_length / _rate(variant),
        per_window=n_frames // _PATCH,
    )


def _min_samples(variant: Variant) -> int:
    n_fft, hop_length = _frame(variant)
    return n_fft + (_PATCH - 1) * hop_length


def _grid_bands(variant: Variant) -> np.ndarray:
    from ...networks._fisher import count_bands

    width = variant.settings["band_width"]
    n_bins, n_bands = count_bands(_rate(variant), width)
    rows = np.arange(0, width - _PATCH + 1, _PATCH)
    first = (np.arange(n_bands)[:, None] * width + rows).ravel()
    first = first[first < n_bins]
    # A bin reaches half a bin to either side of its frequency.
    edges = np.column_stack([first - 0.5, np.minimum(first + _PATCH, n_bins) - 0.5])
    return np.clip(edges * _rate(variant) / _frame(variant)[0], 0, _rate(variant) / 2)


def _parts(content: Any) -> tuple[dict[str, Any], Mapping[str, Any]]:
    """State dict without the authors' prefixes, and configuration, of the content of a file."""
    config: Any = {}
    if isinstance(content, Mapping) and isinstance(content.get("model"), Mapping):
        config = content.get("cfg")
        config = config.get("model") if isinstance(config, Mapping) else None
        content = content["model"]
    state = {
        str(name).removeprefix("model.").removeprefix("modality_encoders.IMAGE."): value
        for name, value in (content.items() if isinstance(content, Mapping) else ())
    }
    return state, config if isinstance(config, Mapping) else {}


def _value_at(config: Mapping[str, Any], place: str) -> Any:
    """Value of a nested configuration, or None where the configuration does not say the value."""
    value: Any = config
    for name in place.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _identify(content: Any) -> dict[str, Any] | None:
    state, config = _parts(content)
    kernel = tensor_shape(state, "local_encoder.proj.weight")
    positions = tensor_shape(state, "fixed_positional_encoder.positions")
    if kernel is None or positions is None or "extra_tokens" not in state:
        return None
    if positions[1] != _N_POSITIONS and "band_width" not in config:
        return None
    found = {"size": kernel[0], "depth": count_blocks(state, "blocks.")}
    for name, place in {"band_width": "band_width", "flatten": "modalities.image.flatten"}.items():
        value = _value_at(config, place)
        if value is not None:
            found[name] = value
    return found


def _read_checkpoint(content: Any, variant: Variant) -> dict[str, Any]:
    state, config = _parts(content)
    if "fixed_positional_encoder.positions" not in state:
        names = ", ".join(map(repr, list(state)[:3])) or "no tensors"
        raise ValueError(
            f"is no file of FISHER: it has no tensor 'fixed_positional_encoder.positions'. It begins with {names}."
        )
    expected = {**_FIXED, "num_heads": variant.settings["size"] // _HEAD_SIZE}
    for place, needed in expected.items():
        value = _value_at(config, place)
        if value is not None and value != needed:
            raise ValueError(
                f"is a FISHER with {place} {value!r} in its configuration. Only networks with {place} {needed!r} are "
                "known, because all published files have that value."
            )
    return keep_blocks(state, "blocks.", n_built(variant))


def _variant(name: str, size: int, megabytes: float, licence: str, scores: Mapping[str, float]) -> Variant:
    author_name = f"FISHER-{name.removeprefix('fisher_')}-0723"
    return Variant(
        name=name,
        filename=f"{author_name}.safetensors",
        url=f"https://huggingface.co/jiangab/{author_name}/resolve/main/model.safetensors",
        megabytes=megabytes,
        licence=licence,
        source=_FAN,
        embedding_size=4 * size,
        settings={"size": size, "depth": 12, "band_width": 50, "flatten": "freq"},
        author_name=author_name,
        frozen_scores=scores,
    )


FISHER = Family(
    name="fisher",
    title="FISHER",
    sample_rate=None,
    settings={
        "size": _check_size,
        "depth": partial(check_number, low=1, integer=True),
        "band_width": partial(check_number, low=_PATCH, integer=True),
        "flatten": partial(check_option, options=("freq", "time")),
        "layers": check_layers,
    },
    build_network=_build_network,
    build_front_end=_build_front_end,
    outputs=(
        Output("clip", n_features=_all_bands),
        Output("token_mean", n_features=_all_bands),
        Output("frames", ("C", "T"), n_features=_all_bands),
        Output("grid", ("C", "F", "T"), n_features=_one_band),
    ),
    clock=_clock,
    grid_bands=_grid_bands,
    min_samples=_min_samples,
    longest_window=_MAX_FRAMES / 100,
    window_lengths=_window_lengths,
    prepare_clip=_prepare_clip,
    lowest_rate=LOWEST_RATE,
    cut_windows=windows_to_the_end,
    hop_share=1.0,
    batch_size=4,
    read_checkpoint=_read_checkpoint,
    identify=_identify,
    depth=depth,
    variants=(
        _variant("fisher_tiny", 192, 26.4, "not stated", {"RMIS": 59.11, "SIREN": 59.62}),
        _variant("fisher_mini", 256, 44.7, "not stated", {"RMIS": 59.6, "SIREN": 59.91}),
        _variant("fisher_small", 384, 95.4, "MIT", {"RMIS": 61.15, "SIREN": 61.0}),
    ),
    default_variant="fisher_small",
)
