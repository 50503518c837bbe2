"""Statistics over time that give loud or rare frames more weight than the mean does."""

from typing import Any

import numpy as np
import numpy.typing as npt


def generalised_mean(x: npt.NDArray[Any], p: float) -> npt.NDArray[np.float64]:
    """Generalised mean ``mean(max(x, 1e-6)^p)^(1/p)`` of the positive part.

    Parameters
    ----------
    x : ndarray of shape (..., n_bins, n_frames)
    p : float
        1 gives the mean, infinity the maximum.

    Returns
    -------
    ndarray of shape (..., n_bins), float64
    """
    # The powers are float64 and relative to the largest value, because powers of dB values overflow in float32.
    positive = np.maximum(x, 1e-6).astype(np.float64)
    peak = positive.max(axis=-1, keepdims=True)
    mean: npt.NDArray[np.float64] = peak[..., 0] * np.mean((positive / peak) ** p, axis=-1) ** (1 / p)
    return mean


def relative_deviation(x: npt.NDArray[Any], gamma: float) -> npt.NDArray[np.float64]:
    """Relative deviation pooling: frames far from the mean frame of the clip get a large weight.

    Parameters
    ----------
    x : ndarray of shape (..., n_bins, n_frames)
    gamma : float
        Exponent of the weight ``(1 + d / max d)^gamma`` of a frame at the distance d from the mean frame.

    Returns
    -------
    ndarray of shape (..., n_bins), float64
    """
    deviation = np.linalg.norm(x - x.mean(axis=-1, keepdims=True), axis=-2, keepdims=True).astype(np.float64)
    largest = deviation.max(axis=-1, keepdims=True)
    # Where all frames are equal, all weights are 1.
    weights = (1 + deviation / np.where(largest > 0, largest, 1)) ** gamma
    pooled: npt.NDArray[np.float64] = (x * weights).sum(axis=-1) / weights.sum(axis=-1)
    return pooled
