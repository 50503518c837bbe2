"""Exact nearest neighbours: products in blocks find the few rows that can be near, differences in float64 decide."""

import numpy as np

from ._clip_rows import BLOCK, FARTHEST, largest_half_square, slices, squared_lengths
from ._neighbor_rows import half_squares, prepare

# Number of rows in a group. Only the smallest key of a group is looked at, unless that key is near. The minima of
# groups cost 2 % of the time of a product if queries lie side by side in memory, and 10 % if rows do.
_GROUP = 16
# Maximum number of candidates of a query: a constant, and a number per neighbour. A query with more candidates goes to
# the search in float64. A bank of a million rows in random order gives about 8 candidates per neighbour.
_CROWD, _CROWD_PER_NEIGHBOR = 64, 16
# Number of candidates beyond the neighbours that the search in float64 keeps.
_SPARE = 8
# Number of pairs of rows whose differences are held at a time: 3 MB for 384 values in float64.
_PAIRS = 1024


class NeighborSearch:
    """Nearest rows of a bank, in memory that does not grow with the bank.

    A product in the precision of the bank gives every pair a key that grows with the distance. The error of a key has a
    known bound. Rows that may be among the nearest by their key, mostly a handful, are compared with the query by
    their differences in float64. Two rows that are nearly the same therefore keep their distance, and the distance
    between two rows does not depend on other rows.

    Parameters
    ----------
    bank : ndarray of shape (n_rows, n_features + 1)
        From :func:`prepare`.
    metric : {"cosine", "euclidean"}
    center : ndarray of shape (n_features + 1,) or None
        From :func:`find_center`, of this bank.
    """

    def __init__(self, bank, metric, center):
        self._bank, self._metric, self._center = bank, metric, center
        self._n_compared = bank.shape[1] - (metric == "euclidean")
        self._largest = bank[:, -1].max() if metric == "euclidean" else 0.5

    def __len__(self):
        return len(self._bank)

    def nearest(self, rows, n_neighbors):
        """The nearest rows of the bank, nearest first.

        Parameters
        ----------
        rows : ndarray of shape (n_rows, n_features)
            A row of NaN stands for a clip that could not be read.
        n_neighbors : int
            At most the rows of the bank.

        Returns
        -------
        distances : ndarray of shape (n_rows, n_neighbors), float64
            NaN for a row that could not be read.
        neighbors : ndarray of int of shape (n_rows, n_neighbors)
            Rows of the bank, at equal distances in the order of the bank; -1 for a row that could not be read.
        """
        distances = np.full((len(rows), n_neighbors), np.nan)
        neighbors = np.full((len(rows), n_neighbors), -1)
        for part in _batches(len(rows), n_neighbors):
            present = part.start + np.flatnonzero(~np.isnan(rows[part, 0]))
            far = self.is_far(rows[present])
            for index in present[far]:
                distances[index], neighbors[index] = self._nearest_of_far(rows[index], n_neighbors)
            present = present[~far]
            queries = prepare(rows[present], self._metric, self._bank.dtype, self._center)
            distances[present], neighbors[present] = self._nearest(queries, n_neighbors)
        return distances, neighbors

    def leave_one_out(self, n_neighbors, members):
        """Distances of every row of the bank to the nearest rows of other clips or groups, nearest first.

        Parameters
        ----------
        n_neighbors : int
            At most the rows beside those of any one clip or group.
        members : ndarray of int of shape (n_rows,)
            Number of the clip or group that each row belongs to.

        Returns
        -------
        ndarray of shape (n_rows, n_neighbors), float64
        """
        distances = np.empty((len(members), n_neighbors))
        for part in _batches(len(members), n_neighbors):
            distances[part], _ = self._nearest(self._bank[part], n_neighbors, (members[part], members))
        return distances

    def nearest_prepared(self, queries, n_neighbors, left_out=None):
        """Like `nearest`, for rows that :func:`prepare` has made comparable with this bank.

        Parameters
        ----------
        queries : ndarray of shape (n_queries, n_features + 1)
        n_neighbors : int
            At most the rows that remain for every query.
        left_out : tuple or None, default=None
            Member that each query leaves out, (n_queries,), and member of each row of the bank, (n_rows,).

        Returns
        -------
        distances : ndarray of shape (n_queries, n_neighbors), float64
        neighbors : ndarray of int of shape (n_queries, n_neighbors)
        """
        distances = np.empty((len(queries), n_neighbors))
        neighbors = np.empty((len(queries), n_neighbors), dtype=int)
        for part in _batches(len(queries), n_neighbors):
            own = None if left_out is None else (left_out[0][part], left_out[1])
            distances[part], neighbors[part] = self._nearest(queries[part], n_neighbors, own)
        return distances, neighbors

    def pair_distances(self, queries, query, row):
        """Distances of pairs of a prepared query and a row of the bank, float64 (n_pairs,)."""
        squared = self._squared_distances(queries, query, row)
        return squared / 4 if self._metric == "cosine" else np.sqrt(squared)

    def rounding(self):
        """The distance of two rows that differ by rounding alone: below it they are copies.

        Returns
        -------
        float
        """
        step = 4 * np.finfo(self._bank.dtype).eps
        if self._metric == "cosine":
            return float(step**2 / 4)
        # Relative to what lies between two rows, in the middle of many: neither copies nor outliers move it.
        first = np.arange(min(_PAIRS, len(self._bank) // 2))
        squared = self._squared_distances(self._bank[first], first, len(self._bank) - 1 - first)
        return float(step * np.sqrt(np.median(squared)))

    def is_far(self, rows):
        """Which rows are too long for products in the precision of the bank, bool (n_rows,)."""
        if self._metric == "cosine":
            return np.zeros(len(rows), dtype=bool)
        halves = half_squares(np.asarray(rows, dtype=np.float64), self._center)
        return halves > largest_half_square(self._bank.dtype)

    def far_distances(self, row):
        """Distances of one row to all, relative to its largest value, whose square has no number: (n_rows,)."""
        peak = np.abs(row).max().astype(np.float64)
        parts = [self._bank[part, :-1] / peak for part in slices(len(self._bank), BLOCK)]
        squared = np.concatenate([squared_lengths(row / peak - part) for part in parts])
        return np.sqrt(squared) * min(peak, FARTHEST / np.sqrt(len(row)))

    def _nearest_of_far(self, row, k):
        distances = self.far_distances(row)
        best = np.argsort(distances, kind="stable")[:k]
        return distances[best], best

    def _nearest(self, queries, k, left_out=None):
        """Distances to the k nearest rows, and their rows.

        `left_out` is None, or the member that each query leaves out and the member of each row of the bank.
        """
        query, row, crowded = self._candidates(queries, k, left_out)
        if crowded.any():
            at = np.flatnonzero(crowded)
            among, more = self._crowd(
                queries[at], k, None if left_out is None else (left_out[0][at], left_out[1])
            )
            keep = ~crowded[query]
            query, row = np.append(query[keep], at[among]), np.append(row[keep], more)
        squared = self._squared_distances(queries, query, row)
        order = np.lexsort((row, squared, query))
        first = np.searchsorted(query[order], np.arange(len(queries)))
        best = order[first[:, np.newaxis] + np.arange(k)]
        return squared[best] / 4 if self._metric == "cosine" else np.sqrt(squared[best]), row[best]

    def _candidates(self, queries, k, left_out):
        """Pairs among which the nearest k of every query are, and the queries that have too many of them."""
        n_queries = len(queries)
        # Two keys are in doubt if they are no further apart than both can be wrong.
        doubt = 2 * self._largest_error(queries)
        crowd = _CROWD + _CROWD_PER_NEIGHBOR * k
        factors = -queries.T
        if self._metric == "euclidean":
            factors[-1] = 1
        if self._center is not None:
            factors += self._center[:, np.newaxis]
            centred = np.empty((min(BLOCK, len(self._bank)), len(factors)), dtype=self._bank.dtype)
        group_size = max(1, min(_GROUP, BLOCK // (4 * k)))
        keys = np.empty((min(BLOCK, len(self._bank)) + group_size, n_queries), dtype=self._bank.dtype)
        nearest = np.full((k, n_queries), np.inf, dtype=keys.dtype)
        n_found = np.zeros(n_queries, dtype=int)
        found = []
        for part in slices(len(self._bank), BLOCK):
            n_rows = part.stop - part.start
            rows = self._bank[part]
            if self._center is not None:
                rows = np.subtract(rows, self._center, out=centred[:n_rows])
            np.matmul(rows, factors, out=keys[:n_rows])
            _leave_out(keys[:n_rows].T, part, left_out)
            n_groups = -(-n_rows // group_size)
            keys[n_rows : n_groups * group_size] = np.inf
            groups = keys[: n_groups * group_size].reshape(n_groups, group_size, n_queries).min(axis=1)
            # The k-th smallest group minimum is an upper bound on the k-th smallest key, because each group holds
            # different rows.
            nearer = np.flatnonzero(groups.min(axis=0) < nearest[-1])
            both = np.concatenate([nearest[:, nearer], groups[:, nearer]])
            nearest[:, nearer] = np.partition(both, k - 1, axis=0)[:k]
            limit = (nearest[-1] + doubt).astype(keys.dtype)
            near = (groups <= limit) & (groups < np.inf)
            n_found += near.sum(axis=0)
            group, query = np.nonzero(near & (n_found <= crowd))
            row = group[:, np.newaxis] * group_size + np.arange(group_size)
            key = keys[row, query[:, np.newaxis]]
            pair, member = np.nonzero((key <= limit[query, np.newaxis]) & (key < np.inf))
            found.append((query[pair], part.start + row[pair, member], key[pair, member]))
        query, row, key = map(np.concatenate, zip(*found))
        # A candidate that was near at first may be too far now, because nearer rows came later.
        near = key <= (nearest[-1] + doubt)[query]
        return query[near], row[near], n_found > crowd

    def _crowd(self, queries, k, left_out):
        """Pairs among which the nearest are, for queries that have many rows at nearly one distance.

        Keys in float64 tell squared distances apart that differ by 1e-13 of the squared lengths. Of more than `_SPARE`
        rows that differ by less, any will do.
        """
        queries = self._compared(queries)
        keys = np.full((len(queries), k + _SPARE), np.inf)
        rows = np.zeros(keys.shape, dtype=int)
        for part in slices(len(self._bank), BLOCK // 4):
            block = self._compared(self._bank[part])
            new = squared_lengths(block) / 2 - queries @ block.T
            _leave_out(new, part, left_out)
            both = np.concatenate([keys, new], axis=1)
            best = np.argpartition(both, k + _SPARE - 1, axis=1)[:, : k + _SPARE]
            keys = np.take_along_axis(both, best, axis=1)
            names = np.broadcast_to(np.arange(part.start, part.stop), new.shape)
            rows = np.take_along_axis(np.concatenate([rows, names], axis=1), best, axis=1)
        query, member = np.nonzero(keys < np.inf)
        return query, rows[query, member]

    def _compared(self, rows):
        """What products compare of prepared rows, in float64."""
        rows = rows[:, : self._n_compared].astype(np.float64)
        return rows if self._center is None else rows - self._center[:-1]

    def _largest_error(self, queries):
        """Bound on how far a key is from the true one, float64 (n_queries,).

        A sum of n products is wrong by at most n roundings of the sum of their sizes, in whatever order it is taken
        (Higham, "Accuracy and Stability of Numerical Algorithms", 2002, section 3.1); a few more roundings are those
        of the last column, of lengths that are not quite 1, of the centre's subtraction, and of the comparison itself.
        """
        halves = (
            queries[:, -1].astype(np.float64) if self._metric == "euclidean" else np.full(len(queries), 0.5)
        )
        size = 2 * np.sqrt(halves * self._largest) + halves + self._largest
        limits = np.finfo(self._bank.dtype)
        return (queries.shape[1] + 20) * (limits.eps / 2 * size + limits.tiny)

    def _squared_distances(self, queries, query, row):
        """Squared distances of pairs, float64 (n_pairs,)."""
        squared = np.empty(len(row))
        for part in slices(len(row), _PAIRS):
            difference = queries[query[part], : self._n_compared].astype(np.float64)
            difference -= self._bank[row[part], : self._n_compared]
            squared[part] = squared_lengths(difference)
        return squared


def _batches(n_rows, n_neighbors):
    """Slices of the queries. Many neighbours make many candidates: fewer queries at a time bound their number."""
    return slices(n_rows, max(1, BLOCK * 16 // max(16, n_neighbors)))


def _leave_out(keys, part, left_out):
    """Make keys of (n_queries, n_rows) infinite where a row of this part of the bank is not to be looked at."""
    if left_out is None:
        return
    own, members = left_out[0], left_out[1][part]
    if own.min() <= members.max() and own.max() >= members.min():
        keys[own[:, np.newaxis] == members] = np.inf
