"""What the families of spectrogram transformers share."""

import math
from typing import Any

import numpy as np

from ..._checks import check_number
from ._family import Clock, Variant

#: Sample rate, in hertz, that the embedding size of a variant belongs to, for a family of any rate.
USUAL_RATE = 16_000
#: Lowest sample rate, in hertz, that has a sample for every step of 10 ms of a spectrogram.
LOWEST_RATE = 100
# Length of a patch, in frames of the spectrogram and in bands.
_PATCH = 16
# Window of Kaldi's filter bank and step between two windows, in samples.
_KALDI_WINDOW, _KALDI_STEP = 400, 160
#: Number of samples of the shortest waveform that gives one patch of the spectrogram of Kaldi's filter bank.
KALDI_MIN_SAMPLES = (_PATCH - 1) * _KALDI_STEP + _KALDI_WINDOW


def check_layers(value: Any, name: str) -> None:
    """Raise unless a value of the setting "layers" is None, or a tuple of numbers that are 1 or more and differ."""
    if value is None:
        return
    if isinstance(value, tuple):
        for number in value:
            check_number(number, f"every number in {name}", low=1, integer=True)
    if not isinstance(value, tuple) or not value or len(set(value)) < len(value):
        raise ValueError(f"{name} must be None or different numbers of blocks in a tuple, got {value!r}.")


def n_layers(variant: Variant) -> int:
    """Number of blocks whose states make the outputs."""
    return len(variant.settings.get("layers") or (None,))


def n_features(variant: Variant) -> int:
    """Number of values of the clip embedding of a variant of one rate, of all blocks in "layers" together."""
    return variant.embedding_size * n_layers(variant)


def n_logits(variant: Variant) -> int:
    """Number of classes of a variant. A variant that does not say the number has none."""
    return int(variant.settings.get("n_classes") or 0)


def depth(variant: Variant) -> int:
    """Number of blocks of the whole network."""
    return int(variant.settings["depth"])


def n_built(variant: Variant) -> int:
    """Number of blocks that are computed: all, or those up to the highest number in "layers"."""
    return max(variant.settings.get("layers") or (depth(variant),))


def kaldi_clock(variant: Variant, n_samples: int) -> Clock:
    """Times of the columns of patches on Kaldi's filter bank at 16 kHz."""
    n_frames = 1 + (n_samples - _KALDI_WINDOW) // _KALDI_STEP
    # The first patch spans the frames 0 to 15 of the spectrogram, which are 10 ms apart and begin with 0 to 25 ms.
    return Clock(first=0.0875, step=0.16, per_window=n_frames // _PATCH)


def kaldi_grid_bands(variant: Variant) -> np.ndarray:
    """Lowest and highest frequency of every row of patches on Kaldi's filter bank, in hertz, (n_rows, 2)."""
    from ...networks._kaldi import KaldiFilterBank, kaldi_band_to_hertz

    first = np.arange(0, KaldiFilterBank.n_mels, _PATCH)
    return kaldi_band_to_hertz(np.column_stack([first - 0.5, first + _PATCH - 0.5]))


def whole_frames(clip: np.ndarray, frame: tuple[int, int], min_samples: int) -> np.ndarray:
    """Subtract the mean of a clip, and leave out samples behind the last whole frame, so that windows lie on frames.

    Parameters
    ----------
    clip : ndarray of shape (n_samples,)
    frame : (int, int)
        Length of a frame of the spectrogram and step between two frames, in samples.
    min_samples : int
        Number of samples of the shortest waveform that the network takes. A shorter clip keeps all samples.

    Returns
    -------
    ndarray of shape (n,), float32
    """
    length, step = frame
    n_over = (len(clip) - length) % step if len(clip) > min_samples else 0
    return (clip - clip.mean(dtype=np.float64)).astype(np.float32)[: len(clip) - n_over]


def whole_patches(window: float, frame: tuple[int, int], max_frames: int) -> tuple[int, int]:
    """Lengths of windows that hold whole patches, so that windows that lie end to end leave out no frame.

    Parameters
    ----------
    window : float
        Length of a window, in seconds. The length is rounded up to whole patches of 0.16 s.
    frame : (int, int)
        Length of a frame of the spectrogram and step between two frames, in samples.
    max_frames : int
        Maximum number of frames of a window.

    Returns
    -------
    length, step : int
        Length of a window, and step between windows that lie end to end, in samples.
    """
    length, step = frame
    n_frames = min(max_frames, math.ceil(round(100 * window) / _PATCH) * _PATCH)
    return length + (n_frames - 1) * step, n_frames * step
