"""Mahalanobis distance of reconstruction residuals, by the covariance of the residuals of every domain."""

import warnings

import numpy as np

from .._checks import users_level
from .._lazy import is_missing
from .._shrinkage import find_shrinkage
from ._moments import measure
from ._window_scorer import LARGEST_ERROR, WindowScorer

# Minimum ratio of the smallest to the largest eigenvalue of a covariance that is inverted as it is. Residuals are
# computed in float32, so smaller eigenvalues are rounding errors.
_SMALLEST_RATIO = 1e-10


class ResidualScorer(WindowScorer):
    """Squared Mahalanobis distances of the residuals of a module, for the nearest of several domains.

    Parameters
    ----------
    module, compare, length, device
        As for :class:`WindowScorer`.
    whole_clips : bool
        True is the form of the released DCASE baseline: the distance of the mean residual of all frames of a clip.
        False is the form of its paper: the distance of every window, divided by the number of values in a window.
    whitenings : ndarray of shape (n_domains, n_values, n_values), default=None
        A residual times the matrix of a domain has the distance as its length. None while the residuals are collected.
    """

    def __init__(self, module, compare, length, device, whole_clips, whitenings=None):
        super().__init__(module, compare, length, device)
        self._whole_clips, self._whitenings = whole_clips, whitenings

    def residuals(self, X, positions):
        """Yield the residuals of the clips at `positions` as rows, float64 (n_rows, n_values), block by block."""
        if getattr(X, "ndim", 3) == 2:
            blocks = self._row_blocks(X[positions])
            yield from (self._rows(residual) for residual in _residuals(blocks))
            return
        for position in positions:
            blocks = self._blocks(X[position].T, np.float32, self._module)
            yield from (self._rows(residual) for residual in _residuals(blocks))

    def _rows(self, residual):
        """Residuals of windows (n_windows, length, n_bins) as rows: windows, or frames for whole clips."""
        return (
            residual.reshape(-1, residual.shape[2])
            if self._whole_clips
            else residual.reshape(len(residual), -1)
        )

    def _errors(self, blocks):
        parts = [
            residual.mean(axis=1) if self._whole_clips else self._rows(residual)
            for residual in _residuals(blocks)
        ]
        return self._measure(np.concatenate(parts))

    def _clip_error(self, clip, pool):
        if not self._whole_clips or is_missing(clip):
            return super()._clip_error(clip, pool)
        frames = [self._rows(r) for r in _residuals(self._blocks(clip.T, np.float32, self._module))]
        return self._measure(np.concatenate(frames).mean(axis=0, keepdims=True))[0]

    def _measure(self, rows):
        """Error of every row: the squared distance for the nearest domain."""
        rows = np.nan_to_num(rows, nan=LARGEST_ERROR, posinf=LARGEST_ERROR, neginf=-LARGEST_ERROR)
        origin = np.zeros(rows.shape[1])
        with np.errstate(over="ignore"):
            squares = np.square(
                np.min([measure(rows, origin, matrix) for matrix in self._whitenings], axis=0)
            )
        errors = squares if self._whole_clips else squares / rows.shape[1]
        return np.minimum(errors, LARGEST_ERROR)


def _residuals(blocks):
    """Yield the targets minus the outputs of every block as float64 arrays (n_windows, length, n_bins)."""
    for output, target in blocks:
        yield (target - output).double().cpu().numpy()


def learn_whitenings(residuals, domains, name):
    """Learn the covariance of the residuals of every domain.

    The covariance is the unbiased one, as in the DCASE baseline. Where that matrix has no inverse, the Ledoit-Wolf
    covariance takes its place, and where even this one has none, the covariance of all domains together. A warning says
    so.

    Parameters
    ----------
    residuals : callable
        ``residuals(domain)`` yields the residuals of the training clips of a domain, block by block.
        ``residuals(None)`` yields those of all training clips.
    domains : list
        Labels of the domains. An empty list stands for clips without domains.
    name : str
        Name of the detector, for messages.

    Returns
    -------
    ndarray of shape (n_domains, n_values, n_values), float64
        At least one matrix.
    """
    if len(domains) < 2:
        return _whiten_all(residuals, name)[np.newaxis]
    found, together = [], None
    for domain in domains:
        whitening, way = _whiten(lambda domain=domain: residuals(domain))
        if whitening is None:
            together = _whiten_all(residuals, name) if together is None else together
            whitening, way = together, "the covariance of all domains together is used"
        if way:
            _warn(
                name, f"of domain {domain!r} have no invertible covariance, so {way}", "clips of the domain"
            )
        found.append(whitening)
    return np.stack(found)


def _whiten_all(residuals, name):
    """Whitening matrix of all training clips together. A multiple of the identity where the residuals do not differ."""
    whitening, way = _whiten(lambda: residuals(None))
    if whitening is None:
        rows = next(iter(residuals(None)))
        whitening, way = np.eye(rows.shape[1]), "the plain squared error is used"
    if way:
        _warn(name, f"have no invertible covariance, so {way}", "clips, or clips that differ")
    return whitening


def _warn(name, finding, remedy):
    warnings.warn(
        f"{name}: the residuals of the training clips {finding}. Pass more {remedy}.",
        UserWarning,
        stacklevel=users_level(),
    )


def _whiten(blocks):
    """Inverse square root of the covariance of rows, or None, and what replaces the covariance, or None.

    `blocks` is a function that yields the rows block by block. The rows are computed again for every pass over them.
    """
    n_rows, total, products = 0, 0.0, 0.0
    for rows in blocks():
        n_rows, total, products = n_rows + len(rows), total + rows.sum(axis=0), products + rows.T @ rows
    if n_rows < 2:
        return None, None
    mean = total / n_rows
    scatter = products - n_rows * np.outer(mean, mean)
    values, vectors = np.linalg.eigh((scatter + scatter.T) / 2)
    n_features, largest = len(values), values[-1]
    # The second bound is the rounding error of the subtraction of the mean.
    if not largest > 1e-12 * np.trace(products):
        return None, None
    if n_rows > n_features and values[0] > _SMALLEST_RATIO * largest:
        return vectors / np.sqrt(values / (n_rows - 1)), None
    fourth = sum(np.square(np.square(rows - mean).sum(axis=1)).sum() for rows in blocks())
    values = np.maximum(values, 0)
    trace = values.sum()
    shrinkage = find_shrinkage("ledoit-wolf", n_rows, n_features, trace, np.square(values).sum(), fourth)
    values = (1 - shrinkage) * values / n_rows + shrinkage * trace / (n_rows * n_features)
    if not values[0] > _SMALLEST_RATIO * values[-1]:
        return None, None
    return vectors / np.sqrt(values), "the Ledoit-Wolf covariance is used"
