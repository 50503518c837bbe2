"""Mean and shrunk covariance of rows, of all rows and of all but some."""

import numpy as np
from scipy.linalg import cholesky, solve_triangular

from .._shrinkage import find_shrinkage
from ._clip_rows import BLOCK, FARTHEST, check_squares, slices, squared_lengths

# Number of rows in every product of `measure`. The number is fixed, because BLAS adds up in another order for another
# number of rows, and the score of a clip would depend on the number of clips beside the clip.
_N_ROWS = 64
# Smallest part of the scatter that may be left when rows are subtracted from the sums. With a smaller part too many
# digits are lost, and the sums of the others are computed anew. At most one clip or group can be that large.
_SMALLEST_REST = 0.1
# Smallest part of the variance in a direction that may be left, for the same reason. The parts that the clips hold of
# the variance have the sum n_features, so that at most about as many clips can hold nearly all in a direction.
_SMALLEST_VARIANCE = 1e-6


class Moments:
    """Mean and covariance of rows, and the distances of left-out rows by closed forms.

    The eigenvectors of the scatter, the sum of the outer products of the centred rows, are computed once. Along them
    the estimated covariance is diagonal, whatever its shrinkage. Rows that are left out subtract a matrix of low rank
    from the scatter, and known terms from the sums that the shrinkage depends on.

    Parameters
    ----------
    rows : ndarray of shape (n_rows, n_features)
    covariance : {"ledoit-wolf", "empirical", "oas"}

    Attributes
    ----------
    mean : ndarray of shape (n_features,), float64
    shrinkage : float
        Weight of the mean variance in the covariance, 0 to 1.
    whitening : ndarray of shape (n_features, n_features), float64
        A centred row times this matrix has the Mahalanobis distance as its length.

    Raises
    ------
    ValueError
        If the squares of the rows are too large, or the covariance has no inverse.
    """

    def __init__(self, rows, covariance):
        self._rows, self._covariance = rows, covariance
        check_squares(rows, np.float32)  # the sums of fourth powers are finite in float64 then
        n_features = rows.shape[1]
        # Differences from one of the rows keep their digits where the features have a large offset.
        first, total = rows[0].astype(np.float64), np.zeros(n_features)
        for part in slices(len(rows), BLOCK):
            total += (rows[part] - first).sum(axis=0)
        self.mean = first + total / len(rows)
        scatter, cubes, self._fourth = np.zeros((n_features, n_features)), np.zeros(n_features), 0.0
        for part in slices(len(rows), BLOCK):
            centred = rows[part] - self.mean
            squared = squared_lengths(centred)
            scatter += centred.T @ centred
            cubes += squared @ centred
            self._fourth += squared @ squared
        spread, axes = np.linalg.eigh(scatter)
        # Rounding makes eigenvalues of zero slightly negative.
        self._spread, self._axes, self._cubes = np.maximum(spread, 0), axes, cubes @ axes
        sums = self._spread.sum(), np.square(self._spread).sum(), self._fourth
        self.shrinkage, variances = self._shrink(len(rows), *sums)
        if variances.min() <= n_features * np.finfo(np.float64).eps * variances.max():
            way_out = ', or use covariance="ledoit-wolf"' if covariance == "empirical" else ""
            raise ValueError(
                f"covariance={covariance!r} of {len(rows)} training rows with {n_features} features has no inverse, "
                f"because the rows do not vary in every direction. Pass more clips that differ{way_out}."
            )
        self.whitening = axes / np.sqrt(variances)

    def _shrink(self, n_rows, trace, squares, fourth):
        """Shrinkage, and the variances along the axes, where the scatter has this trace and sum of squares."""
        mean_variance = trace / (n_rows * len(self._spread))
        shrinkage = find_shrinkage(self._covariance, n_rows, len(self._spread), trace, squares, fourth)
        return shrinkage, (1 - shrinkage) / n_rows * self._spread + shrinkage * mean_variance

    def left_out_distances(self, members):
        """Distances of every row from the other members: from their mean, by their covariance.

        Parameters
        ----------
        members : ndarray of int of shape (n_rows,)
            Number of the clip or group that each row belongs to.

        Returns
        -------
        ndarray of shape (n_rows,), float64
        """
        distances = np.empty(len(members))
        order = np.argsort(members, kind="stable")
        for own in np.split(order, np.flatnonzero(np.diff(members[order])) + 1):
            distances[own] = self._distances_without(own)
        return distances

    def _distances_without(self, own):
        """Distances of the rows at the positions `own` from all other rows."""
        n_others = len(self._rows) - len(own)
        removed = np.empty((len(own) + 1, len(self.mean)))  # (removed).T @ (removed) leaves the scatter
        centred = np.matmul(self._rows[own] - self.mean, self._axes, out=removed[:-1])
        shift = -centred.sum(axis=0) / n_others  # the mean of the others, measured from the mean of all
        removed[-1] = np.sqrt(n_others) * shift
        sums = self._sums_without(n_others, centred, shift, removed)
        if sums[0] <= _SMALLEST_REST * self._spread.sum():
            return self._refit_without(own)
        shrinkage, variances = self._shrink(n_others, *sums)
        if variances.min() <= 0:
            return self._refit_without(own)
        queries = (centred - shift) / np.sqrt(variances)
        removed /= np.sqrt(variances)
        weight = (1 - shrinkage) / n_others
        low_rank = len(removed) < removed.shape[1]
        small = removed if low_rank else removed.T
        try:
            factor = cholesky(np.eye(len(small)) - weight * (small @ small.T), lower=True)
        except np.linalg.LinAlgError:
            return self._refit_without(own)
        if np.square(np.diag(factor)).min() < _SMALLEST_VARIANCE:
            return self._refit_without(own)
        if low_rank:  # the inverse by Sherman, Morrison and Woodbury
            inner = solve_triangular(factor, removed @ queries.T, lower=True)
            return np.sqrt(squared_lengths(queries) + weight * squared_lengths(inner.T))
        return np.sqrt(squared_lengths(solve_triangular(factor, queries.T, lower=True).T))

    def _sums_without(self, n_others, centred, shift, removed):
        """Trace and sum of squares of the scatter of the other rows, and the sum of their lengths' fourth powers."""
        small = removed if len(removed) < removed.shape[1] else removed.T
        total, squared, along = self._spread.sum(), squared_lengths(centred), centred @ shift
        squares = np.square(self._spread).sum() - 2 * (np.square(removed) @ self._spread).sum()
        squares += np.square(small @ small.T).sum()
        # The fourth power of |row - shift|, multiplied out and summed over all rows but the centred ones.
        size = shift @ shift
        fourth = self._fourth - squared @ squared - 4 * (self._cubes @ shift - squared @ along)
        fourth += 4 * (self._spread @ np.square(shift) - along @ along)
        fourth += 2 * size * (total - squared.sum() + 2 * along.sum()) + n_others * size**2
        return total - np.square(removed).sum(), squares, fourth

    def _refit_without(self, own):
        others = Moments(np.delete(self._rows, own, axis=0), self._covariance)
        return measure(self._rows[own], others.mean, others.whitening)


def measure(rows, mean, whitening):
    """Mahalanobis distances of rows, float64 (n_rows,).

    Parameters
    ----------
    rows : ndarray of shape (n_rows, n_features)
        Finite values of any size.
    mean : ndarray of shape (n_features,)
    whitening : ndarray of shape (n_features, n_features)
    """
    distances = np.empty(len(rows))
    block = np.zeros((_N_ROWS, rows.shape[1]))
    for part in slices(len(rows), _N_ROWS):
        n_rows = part.stop - part.start
        block[:n_rows] = rows[part] - mean
        # The square of a value beyond 1e150 is infinite: such a row is divided by its largest value.
        peak = np.abs(block).max(axis=1)
        scale = np.where(peak > 1e100, peak, 1)
        lengths = np.sqrt(squared_lengths((block / scale[:, np.newaxis]) @ whitening))
        distances[part] = (np.minimum(lengths, FARTHEST / scale) * scale)[:n_rows]
    return distances
