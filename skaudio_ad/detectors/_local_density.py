"""Nearest neighbours by distances that are normalised by the local density around each neighbour."""

import numpy as np
from scipy.spatial.distance import cdist

from ._clip_rows import FARTHEST

# Number of distances that are held at a time: 32 MB.
_AT_ONCE = 1 << 22
# Smallest density distance that is divided by. A copy has a density distance of 0.
_SMALLEST = 1e-300


class DensitySearch:
    """Nearest rows of a bank after a normalisation by local density.

    The density distance ``b(y)`` of a row y of the bank is the mean distance to its nearest rows of other clips. A new
    row x is compared with y by ``D(x, y) / b(y)`` ("ratio") or ``D(x, y) - b(y)`` ("difference") [1]_. The smallest
    of these values counts, so the normalisation comes before the minimum and every row of the bank is a candidate.
    Distances are computed pair by pair in float64.

    Parameters
    ----------
    bank : ndarray of shape (n_rows, n_columns), float64
        For "cosine", from ``prepare``: rows of length 1.
    metric : {"cosine", "euclidean"}
    normalization : {"ratio", "difference"}

    References
    ----------
    .. [1] K. Wilkinghoff et al., "Local density-based anomaly score normalization for domain generalization",
       arXiv:2509.10951, 2025.
    """

    def __init__(self, bank, metric, normalization):
        self._bank, self._metric, self._normalization = bank, metric, normalization

    def nearest(self, rows, n_neighbors, density):
        """The smallest normalised distances, (n_rows, n_neighbors).

        Parameters
        ----------
        rows : ndarray of shape (n_rows, n_columns), float64
        n_neighbors : int
        density : ndarray of shape (n_bank,)
        """
        found = np.empty((len(rows), n_neighbors))
        for part in self._parts(len(rows)):
            found[part] = _smallest(self._normalise(self._distances(rows[part]), density), n_neighbors)
        return found

    def leave_one_out(self, n_neighbors, n_density, members):
        """Measure every row of the bank as a fit without its clip or group would, and return the density distances.

        Parameters
        ----------
        n_neighbors, n_density : int
            Numbers of neighbours of a new row and of a row of the bank.
        members : ndarray of int of shape (n_rows,)
            Number of the clip or group that each row belongs to.

        Returns
        -------
        distances : ndarray of shape (n_rows, n_neighbors)
            Normalised distances to rows of other members, with the density distances that these rows have among
            each other.
        density : ndarray of shape (n_rows,)
            Density distances in the whole bank.
        is_copy : ndarray of bool of shape (n_rows,)
            Whether a row of another member is the same.
        """
        lists, neighbors = self._nearest_of_others(n_density + np.bincount(members).max(), members)
        density = lists[:, :n_density].mean(axis=1)
        # Only the density distances of rows that have a member among their nearest change when the member leaves.
        own = members[neighbors[:, :n_density]].ravel()
        pairs = np.unique(np.column_stack([own, np.repeat(np.arange(len(members)), n_density)]), axis=0)
        remains = members[neighbors[pairs[:, 1]]] != pairs[:, :1]
        chosen = remains & (np.cumsum(remains, axis=1) <= n_density)
        changed = np.where(chosen, lists[pairs[:, 1]], 0.0).sum(axis=1) / n_density
        starts = np.searchsorted(pairs[:, 0], np.arange(members.max() + 2))
        found = np.empty((len(members), n_neighbors))
        for part in self._parts(len(members)):
            distances = self._distances(self._bank[part])
            distances[members[part, np.newaxis] == members] = np.inf
            for number, member in enumerate(members[part]):
                without, gone = density.copy(), slice(starts[member], starts[member + 1])
                without[pairs[gone, 1]] = changed[gone]
                found[part.start + number] = _smallest(
                    self._normalise(distances[number], without), n_neighbors
                )
        return found, density, lists[:, 0] == 0

    def _nearest_of_others(self, n_listed, members):
        """Distances to the nearest rows of other members, nearest first, and their positions."""
        n_listed = min(n_listed, len(members))
        lists, neighbors = np.empty((len(members), n_listed)), np.empty((len(members), n_listed), dtype=int)
        for part in self._parts(len(members)):
            distances = self._distances(self._bank[part])
            distances[members[part, np.newaxis] == members] = np.inf
            neighbors[part] = np.argsort(distances, axis=1, kind="stable")[:, :n_listed]
            lists[part] = np.take_along_axis(distances, neighbors[part], axis=1)
        return lists, neighbors

    def _distances(self, rows):
        squared = self._metric == "cosine"
        distances = cdist(rows, self._bank, "sqeuclidean" if squared else "euclidean")
        # Half the cosine distance is a quarter of the squared distance of rows of length 1.
        return np.fmin(distances / 4 if squared else distances, FARTHEST)

    def _normalise(self, distances, density):
        if self._normalization == "difference":
            return distances - density
        with np.errstate(over="ignore"):
            return distances / np.maximum(density, _SMALLEST)

    def _parts(self, n_rows):
        size = max(1, _AT_ONCE // len(self._bank))
        return [slice(start, min(start + size, n_rows)) for start in range(0, n_rows, size)]


def _smallest(values, n):
    """The n smallest values along the last axis, unordered."""
    return values.min(axis=-1, keepdims=True) if n == 1 else np.partition(values, n - 1, axis=-1)[..., :n]
