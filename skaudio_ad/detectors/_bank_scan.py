"""The smallest normalised distances to the rows of a bank: bounds from products, differences for what may be nearest."""

from typing import Any

import numpy as np

from ._clip_rows import BLOCK, slices, squared_lengths
from ._density import normalize

_AGGREGATES: dict[str, Any] = {"mean": np.mean, "max": np.max, "min": np.min}
# Maximum number of distances that are held at a time: 16 MB in float64.
_HELD = 1 << 21


class BankScan:
    """Distances of prepared rows to all rows of a bank, in blocks of queries.

    Parameters
    ----------
    search : NeighborSearch
        Of the bank.
    bank : ndarray of shape (n_rows, n_features + 1)
        Prepared rows.
    metric : {"cosine", "euclidean"}
    center : ndarray of shape (n_features + 1,) or None
    """

    def __init__(self, search, bank, metric, center):
        self._search, self._bank, self._metric = search, bank, metric
        self._n_compared = bank.shape[1] - (metric == "euclidean")
        self._center = 0 if center is None else center[:-1]

    def blocks(self, n_queries):
        """Slices of the queries for which the distances to all rows may be held."""
        return slices(n_queries, max(1, _HELD // len(self._bank)))

    def bounds(self, queries):
        """Lower and upper bounds of the distances to all rows, two float64 (n_queries, n_rows).

        Products in float64 are wrong by a known multiple of the squared lengths.
        """
        queries = self._compared(queries)
        own = squared_lengths(queries)
        squared = np.empty((len(queries), len(self._bank)))
        longest = 0.0
        for part in slices(len(self._bank), BLOCK):
            rows = self._compared(self._bank[part])
            lengths = squared_lengths(rows)
            squared[:, part] = queries @ (-2 * rows.T)
            squared[:, part] += lengths
            longest = max(longest, lengths.max())
        squared += own[:, np.newaxis]
        limits = np.finfo(np.float64)
        error = (queries.shape[1] + 20) * (limits.eps * 2 * (own + longest) + limits.tiny)
        lower, upper = np.maximum(squared - error[:, np.newaxis], 0), squared + error[:, np.newaxis]
        if self._metric == "cosine":
            return lower / 4, upper / 4
        return np.sqrt(lower, out=lower), np.sqrt(upper, out=upper)

    def smallest(self, queries, bounds, columns, values, method, n_neighbors):
        """The smallest normalised distances to some rows of the bank, in ascending order.

        Parameters
        ----------
        queries : ndarray of shape (n_queries, n_features + 1)
        bounds : tuple of two ndarray of shape (n_queries, n_rows)
        columns : ndarray of int
            Rows of the bank to compare with.
        values : ndarray of shape (n_rows,)
            Divisors or subtrahends.
        method : str or None
            As in :func:`normalize`.
        n_neighbors : int

        Returns
        -------
        ndarray of shape (n_queries, n_neighbors), float64
            Infinite where there are fewer rows.
        """
        found = np.full((len(queries), n_neighbors), np.inf)
        n_found = min(n_neighbors, len(columns))
        if not n_found:
            return found
        low, high = (normalize(bound[:, columns], values[columns], method) for bound in bounds)
        limit = np.partition(high, n_found - 1, axis=1)[:, n_found - 1]
        query, column = np.nonzero(low <= limit[:, np.newaxis])
        row = columns[column]
        exact = normalize(self._search.pair_distances(queries, query, row), values[row], method)
        found[:, :n_found] = smallest_of_each(exact, query, len(queries), n_found)
        return found

    def _compared(self, rows):
        return rows[:, : self._n_compared].astype(np.float64) - self._center


def smallest_of_each(values, owner, n_owners, n_values):
    """The smallest values of every owner, in ascending order, float64 (n_owners, n_values).

    Parameters
    ----------
    values : ndarray of shape (n_pairs,), float64
    owner : ndarray of int of shape (n_pairs,)
        Ascending. Every owner has at least `n_values` values.
    n_owners, n_values : int
    """
    first = np.searchsorted(owner, np.arange(n_owners))
    if n_values == 1:
        return np.minimum.reduceat(values, first)[:, np.newaxis]
    order = np.lexsort((values, owner))
    return values[order[first[:, np.newaxis] + np.arange(n_values)]]


def aggregate(distances, how):
    """One distance from those to the nearest neighbours; infinite distances stand for neighbours that do not exist.

    Parameters
    ----------
    distances : ndarray of shape (n_rows, n_neighbors), float64
    how : {"mean", "max", "min"}

    Returns
    -------
    ndarray of shape (n_rows,), float64
    """
    present = np.isfinite(distances)
    if present.all():
        return _AGGREGATES[how](distances, axis=1)
    if how == "mean":
        with np.errstate(invalid="ignore"):
            means = np.where(present, distances, 0).sum(axis=1) / present.sum(axis=1)
        return np.where(present.any(axis=1), means, np.inf)
    if how == "min":
        return distances.min(axis=1)
    return np.where(present.any(axis=1), np.where(present, distances, -np.inf).max(axis=1), np.inf)
