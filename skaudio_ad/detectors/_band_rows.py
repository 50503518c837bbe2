"""Grids of embeddings as rows: one vector a clip and band, pooled over time."""

from collections.abc import Callable
from typing import Any

import numpy as np

from .._input_checks import check_grid
from .._lazy import is_missing, take
from .._time_statistics import generalised_mean, relative_deviation
from ._frames import check_present, normal_positions

# Number of clips whose pooled rows are compared at a time.
_BATCH = 256


def make_pool(how: str, gem_p: float, rdp_gamma: float) -> Callable[[Any], Any]:
    """Return the function that pools (n_bands, n_channels, n_frames) in float64 over time."""
    if how == "gem":
        return lambda bands: generalised_mean(bands, gem_p)
    if how == "rdp":
        return lambda bands: _scaled_deviation(bands, rdp_gamma)
    if how == "max":
        return lambda bands: bands.max(axis=-1)
    # The sum of huge values overflows, the sum of their shares does not.
    return lambda bands: (bands / bands.shape[-1]).sum(axis=-1)


def _scaled_deviation(bands, gamma):
    """Relative deviation pooling relative to the largest value, because squares of huge values overflow."""
    peak = np.abs(bands).max(axis=(1, 2))[:, np.newaxis, np.newaxis]
    peak = np.where(peak > 0, peak, 1.0)
    return relative_deviation(bands / peak, gamma) * peak[..., 0]


def training_bands(estimator, X, y, pool):
    """Pool the training clips. Clips that are unreadable or labelled -1 are left out.

    Parameters
    ----------
    estimator : BandMemoryDetector
    X : ndarray of shape (n_clips, n_channels, n_bands, n_frames), list or LazySequence
        From ``check_grids``. Every clip of a lazy sequence is computed once, and only its pooled rows are held.
    y : array-like of shape (n_clips,) or None
    pool : callable
        From :func:`make_pool`.

    Returns
    -------
    rows : ndarray of shape (n_training_clips, n_bands, n_channels), float32 or float64
    positions : ndarray of int of shape (n_training_clips,)
        Positions of the training clips in X.
    """
    name = type(estimator).__name__
    normal = normal_positions(y, len(X), name)
    if normal is not None:
        X = take(X, normal)
    rows, present = [], []
    for index, grid in enumerate(X):
        if not isinstance(X, np.ndarray):
            check_grid(estimator, grid, X, index)
        if not is_missing(grid):
            rows.append(_pool_grid(grid, pool))
            present.append(index)
    check_present(present, len(X), name)
    positions = np.array(present, dtype=int)
    return np.stack(rows), positions if normal is None else normal[positions]


def band_batches(estimator, X, pool):
    """Yield pooled rows of batches of clips, (n, n_bands, n_channels). A clip that could not be read is NaN."""
    shape = estimator.n_bands_, estimator.n_features_in_
    rows = []
    for index, grid in enumerate(X):
        if not isinstance(X, np.ndarray):
            check_grid(estimator, grid, X, index)
        rows.append(np.full(shape, np.nan, np.float32) if is_missing(grid) else _pool_grid(grid, pool))
        if len(rows) == _BATCH or index + 1 == len(X):
            yield np.stack(rows)
            rows = []


def _pool_grid(grid, pool):
    """Pool one grid (n_channels, n_bands, n_frames) to (n_bands, n_channels).

    The sums are taken in float64 over contiguous frames. The rows are therefore the same, whatever holds the clip.
    """
    pooled = pool(np.ascontiguousarray(grid.transpose(1, 0, 2), dtype=np.float64))
    return pooled.astype(np.float32 if grid.dtype in (np.float32, np.float16) else np.float64)
