"""Checks of the samples of one clip."""

from typing import Any

import numpy as np

from .._clip_errors import ClipError
from .._lazy import is_missing
from .._typing import Float32Array


def check_waveform(clip: Any, n_channels: int = 1) -> Float32Array:
    """Return one clip as float32. The clip must be not empty and finite, or missing (NaN throughout).

    The shape must be (n_samples,), or (2, n_samples) where `n_channels` is 2.
    """
    clip = np.asarray(clip)
    if n_channels == 1 and clip.ndim != 1:
        raise ClipError(
            f"has shape {clip.shape}, a clip is mono, of shape (n_samples,): take one channel, or let AudioLoader "
            "mix the channels."
        )
    if n_channels > 1 and (clip.ndim != 2 or len(clip) != n_channels):
        raise ClipError(f"has shape {clip.shape}, a clip of two channels has the shape (2, n_samples).")
    if clip.size == 0:
        raise ClipError("is empty (0 samples).")
    if clip.dtype.kind not in "fiu":
        raise ClipError(f"holds {clip.dtype}, not numbers.")
    check_kind(clip.dtype)
    clip = clip.astype(np.float32, copy=False)
    if not np.isfinite(clip).all() and not is_missing(clip):
        raise ClipError("contains NaN or infinity.")
    return clip


def check_kind(dtype: Any, what: str = "") -> None:
    """Raise for integer samples of a file, because as floats they would be thousands of times too loud."""
    ways = {np.dtype(np.int16): "divide by 32768", np.dtype(np.uint8): "subtract 128 and divide by 128"}
    if way := ways.get(dtype):
        raise ClipError(
            f"{what}holds {dtype} samples, which are integers from a file; samples are floats in [-1, 1]: "
            f"{way}, or let AudioLoader decode the file."
        )
