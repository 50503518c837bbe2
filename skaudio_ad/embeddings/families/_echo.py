"""ECHO, a spectrogram transformer with a sequence of tokens for every band, for any sample rate."""

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ..._checks import check_number
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

_ZHANG = (
    'Y. Zhang, J. Liu, M. Li, "ECHO: Frequency-aware Hierarchical Encoding for Variable-length Signals", 2025, '
    "https://arxiv.org/abs/2508.14689, https://github.com/yucongzh/ECHO"
)
_PATCH = 16  # length of a patch, in frames of the spectrogram
_BAND = 32  # number of frequencies of a band
# Maximum number of frames of a window, 20 s, as the authors cut long clips.
_MAX_FRAMES = 2000


def _frame(variant: Variant) -> tuple[int, int]:
    """Length of a window of the spectrogram and step between two windows, in samples, as the authors round them."""
    rate = variant.sample_rate or USUAL_RATE
    return int(0.025 * rate), int(0.01 * rate)


def _n_bands(variant: Variant) -> int:
    return -(-(_frame(variant)[0] // 2 + 1) // _BAND)


def _n_values(variant: Variant) -> int:
    """Number of values of a token: one state, or the states of all layers."""
    return variant.settings["size"] * n_layers(variant)


def _n_columns(variant: Variant) -> int:
    return _n_bands(variant) * _n_values(variant)


def _build_network(variant: Variant) -> "torch.nn.Module":
    from ...networks import ECHO

    return ECHO(
        variant.sample_rate or USUAL_RATE,
        size=variant.settings["size"],
        heads=variant.settings["heads"],
        depth=n_built(variant),
        layers=variant.settings.get("layers"),
    )


def _build_front_end(variant: Variant) -> "torch.nn.Module":
    from ...networks import LogSpectrogram

    n_fft, hop_length = _frame(variant)
    return LogSpectrogram(
        variant.sample_rate or USUAL_RATE,
        n_fft=n_fft,
        hop_length=hop_length,
        offset=1e-9,
        mean=-5.874158,
        std=5.223174,
        subtract_mean=False,  # _prepare_clip subtracts the mean of the whole clip
    )


def _prepare_clip(clip: np.ndarray, variant: Variant) -> np.ndarray:
    return whole_frames(clip, _frame(variant), _min_samples(variant))


def _window_lengths(variant: Variant, window: float) -> tuple[int, int]:
    return whole_patches(window, _frame(variant), _MAX_FRAMES)


def _min_samples(variant: Variant) -> int:
    return _frame(variant)[0]


def _clock(variant: Variant, n_samples: int) -> Clock:
    n_fft, hop_length = _frame(variant)
    rate = variant.sample_rate or USUAL_RATE
    n_frames = 1 + (n_samples - n_fft) // hop_length
    first = (n_fft + (_PATCH - 1) * hop_length) / 2 / rate
    return Clock(first=first, step=_PATCH * hop_length / rate, per_window=-(-n_frames // _PATCH))


def _grid_bands(variant: Variant) -> np.ndarray:
    n_fft, _ = _frame(variant)
    rate = variant.sample_rate or USUAL_RATE
    first = np.arange(0, n_fft // 2 + 1, _BAND)
    edges = np.column_stack([first - 0.5, first + _BAND - 0.5])
    return np.clip(edges * rate / n_fft, 0, rate / 2)


def _state_dict(content: Any) -> Any:
    """The state dict in a file: the file itself (hub), or under "encoder" (Zenodo)."""
    inner = content.get("encoder") if isinstance(content, Mapping) else None
    return inner if isinstance(inner, Mapping) else content


def _identify(content: Any) -> dict[str, Any] | None:
    state = _state_dict(content)
    patch = tensor_shape(state, "patch_embed.proj.weight")
    if patch is None or patch[1:] != (1, _BAND, _PATCH):
        return None
    if tensor_shape(state, "encoder.layers.0.self_attn.in_proj_weight") is None:
        return None
    return {"size": patch[0], "depth": count_blocks(state, "encoder.layers.")}


def _read_checkpoint(content: Any, variant: Variant) -> Any:
    state = _state_dict(content)
    if not isinstance(state, Mapping):
        return state
    state = keep_blocks(state, "encoder.layers.", n_built(variant))
    if state and "pos_embed" not in state:  # a table of sines, which the authors' code computes too
        from ...networks._echo import time_positions

        state["pos_embed"] = time_positions(variant.settings["size"])
    return state


def _variant(
    name: str, date: str, size: int, heads: int, megabytes: float, licence: str, score: float
) -> Variant:
    author_name = f"{name.replace('_', '-')}-{date}"
    return Variant(
        name=name,
        filename=f"{author_name}.safetensors",
        url=f"https://huggingface.co/yucongzh/{author_name}/resolve/main/model.safetensors",
        megabytes=megabytes,
        licence=licence,
        source=_ZHANG,
        embedding_size=7 * size,  # 7 bands at 16 kHz
        settings={"size": size, "heads": heads, "depth": 12},
        author_name=author_name,
        frozen_scores={"SIREN": score},
    )


_positive = partial(check_number, low=1, integer=True)

ECHO = Family(
    name="echo",
    title="ECHO",
    sample_rate=None,
    settings={"size": _positive, "heads": _positive, "depth": _positive, "layers": check_layers},
    build_network=_build_network,
    build_front_end=_build_front_end,
    outputs=(
        Output("clip", n_features=_n_columns),
        Output("token_mean", n_features=_n_columns),
        Output("frames", ("C", "T"), n_features=_n_columns),
        Output("grid", ("C", "F", "T"), n_features=_n_values),
    ),
    clock=_clock,
    grid_bands=_grid_bands,
    min_samples=_min_samples,
    longest_window=20.0,  # the positions in time are as many as twenty seconds need
    cut_windows=windows_to_the_end,
    window_lengths=_window_lengths,
    prepare_clip=_prepare_clip,
    lowest_rate=LOWEST_RATE,
    hop_share=1.0,
    batch_size=4,
    read_checkpoint=_read_checkpoint,
    identify=_identify,
    depth=depth,
    variants=(
        _variant("echo_tiny", "0828", 192, 3, 22, "not stated", 61.33),
        _variant("echo_small", "0824", 384, 6, 86, "MIT", 62.11),
    ),
    default_variant="echo_tiny",
)
