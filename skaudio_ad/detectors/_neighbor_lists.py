"""Lists of the nearest training rows that still name the nearest after a clip or two are left out."""

import numpy as np

from ._clip_rows import slices

# Maximum number of pairs of rows that are listed at a time where a row is compared with all others.
_PAIRS = 1 << 18


class NeighborLists:
    """The nearest training rows of other clips (groups), nearest first, for every row of some rows.

    A list holds enough rows that its nearest `n_neighbors` are exact after any `n_left_out` members are left out. A
    member is a clip, or a group of clips.

    Parameters
    ----------
    distances : ndarray of shape (n_rows, width), float64
        Infinite behind the end of a list.
    rows, members : ndarray of int of shape (n_rows, width)
        Training row of every entry, and its member. -1 behind the end of a list.
    """

    def __init__(self, distances, rows, members):
        self.distances, self.rows, self.members = distances, rows, members

    def nearest(self, n_neighbors, at=None, left_out=()):
        """Distances and rows of the nearest neighbours that remain, both (n_at, n_neighbors).

        Parameters
        ----------
        n_neighbors : int
        at : ndarray of int, default=None
            Positions of the lists. None takes all lists.
        left_out : sequence of (int or ndarray of shape (n_at,)), default=()
            Members to leave out of every list.

        Returns
        -------
        distances : ndarray of shape (n_at, n_neighbors), float64
            Infinite where fewer neighbours remain.
        rows : ndarray of int of shape (n_at, n_neighbors)
        """
        at = slice(None) if at is None else at
        distances, rows, members = self.distances[at], self.rows[at], self.members[at]
        drop = members < 0
        for member in left_out:
            drop |= members == np.reshape(member, (-1, 1))
        if drop.any():
            order = np.argsort(drop, axis=1, kind="stable")
            distances = np.take_along_axis(np.where(drop, np.inf, distances), order, axis=1)
            rows = np.take_along_axis(rows, order, axis=1)
        return distances[:, :n_neighbors], rows[:, :n_neighbors]

    def name(self, member):
        """Which lists name a member, bool (n_rows,)."""
        return (self.members == member).any(axis=1)

    def join(self, other):
        """Lists of other rows behind these."""
        pairs = zip(self._arrays(), other._arrays(), (np.inf, -1, -1), strict=True)
        return NeighborLists(*(_stack(one, two, fill) for one, two, fill in pairs))

    def _arrays(self):
        return self.distances, self.rows, self.members


def find_lists(search, queries, own, members, n_neighbors, n_left_out):
    """Find the lists of some rows among the training rows.

    Parameters
    ----------
    search : NeighborSearch
        Of the training rows.
    queries : ndarray of shape (n_queries, n_features + 1)
        Prepared rows.
    own : ndarray of int of shape (n_queries, n_own)
        Members that every query leaves out in any case.
    members : ndarray of int of shape (n_rows,)
        Member of every training row.
    n_neighbors : int
    n_left_out : int
        Number of further members that may be left out later.

    Returns
    -------
    NeighborLists
    """
    # A member takes at most this many places of a list that matter.
    largest = min(n_neighbors, np.bincount(members).max())
    width = n_neighbors + n_left_out * largest
    lists = NeighborLists(
        np.full((len(queries), width), np.inf), *(np.full((len(queries), width), -1) for _ in range(2))
    )
    single = own.shape[1] == 1
    n_rows = len(members)
    most = n_rows - np.bincount(members).max() if single else n_rows
    size, left = n_neighbors + n_left_out + own.shape[1], np.arange(len(queries))
    while len(left):
        is_complete = size > most // 2
        if is_complete:
            parts = [
                _all_neighbors(search, queries[left[part]])
                for part in slices(len(left), max(1, _PAIRS // n_rows))
            ]
            distances, rows = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
        else:
            left_out = (own[left, 0], members) if single else None
            distances, rows = search.nearest_prepared(queries[left], size, left_out)
        found, enough = _condense(distances, rows, members[rows], own[left], n_neighbors, n_left_out, width)
        done = enough | is_complete
        for array, new in zip(lists._arrays(), found, strict=True):
            array[left[done], : new.shape[1]] = new[done]
        left, size = left[~done], 4 * size
    return lists


def _all_neighbors(search, queries):
    """All rows of the bank, nearest first. The order of rows at one distance is that of the bank."""
    n_rows = len(search)
    query, row = np.repeat(np.arange(len(queries)), n_rows), np.tile(np.arange(n_rows), len(queries))
    distances = search.pair_distances(queries, query, row).reshape(len(queries), n_rows)
    order = np.argsort(distances, axis=1, kind="stable")
    return np.take_along_axis(distances, order, axis=1), order


def _condense(distances, rows, members, own, n_neighbors, n_left_out, width):
    """Drop entries that can never matter, and tell which lists are long enough.

    An entry matters if fewer than `n_neighbors` rows of the same member are nearer.
    """
    is_own = (members[:, :, np.newaxis] == own[:, np.newaxis, :]).any(axis=2)
    order = np.argsort(members, axis=1, kind="stable")
    ordered = np.take_along_axis(members, order, axis=1)
    starts, ends = np.ones((2, *members.shape), dtype=bool)
    starts[:, 1:] = ends[:, :-1] = ordered[:, 1:] != ordered[:, :-1]
    place = np.arange(members.shape[1])
    # Number of nearer rows of the same member.
    nearer = place - np.maximum.accumulate(np.where(starts, place, 0), axis=1)
    sizes = np.where(ends, np.minimum(nearer + 1, n_neighbors), 0)
    sizes[np.take_along_axis(is_own, order, axis=1)] = 0
    largest = np.sort(sizes, axis=1)[:, ::-1][:, :n_left_out]
    n_kept = sizes.sum(axis=1)
    enough = (n_kept - largest.sum(axis=1) >= n_neighbors) | (n_kept >= width)
    keep = np.empty(members.shape, dtype=bool)
    np.put_along_axis(keep, order, nearer < n_neighbors, axis=1)
    keep &= ~is_own
    order = np.argsort(~keep, axis=1, kind="stable")[:, :width]
    kept = np.take_along_axis(keep, order, axis=1)
    fills = ((distances, np.inf), (rows, -1), (members, -1))
    return [np.where(kept, np.take_along_axis(a, order, axis=1), fill) for a, fill in fills], enough


def _stack(first, second, fill):
    width = max(first.shape[1], second.shape[1])
    parts = [np.pad(a, ((0, 0), (0, width - a.shape[1])), constant_values=fill) for a in (first, second)]
    return np.concatenate(parts)
