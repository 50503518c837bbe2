"""Synthetic rows for domains with few clips: mixtures of training rows."""

from typing import Any

import numpy as np

from ._neighbor_lists import find_lists

# Weight of the clip of the scarce domain in a mixture (MemMixup).
_MIXUP_WEIGHT = 0.9
# Maximum number of mixtures of every clip of a scarce domain.
_N_MIXTURES = 5
# Size of a scarce domain after SMOTE, relative to the largest domain, and number of neighbours that SMOTE mixes with.
_SMOTE_RATIO, _SMOTE_NEIGHBORS = 0.2, 2


class Oversampler:
    """Choose the pairs of training rows whose mixtures join the bank of a scarce domain.

    Every domain but the largest is scarce. Sizes are counted in rows. Of several largest domains the first is the
    largest.

    Parameters
    ----------
    method : {"mixup", "smote"} or None
    search : callable
        Makes a NeighborSearch of some of the training rows, from their positions.
    bank : ndarray of shape (n_rows, n_features + 1)
        Prepared training rows.
    members, domains : ndarray of int of shape (n_rows,)
    seed : int
    """

    def __init__(self, method, search, bank, members, domains, seed):
        self._method, self._search, self._bank, self._seed = method, search, bank, seed
        self._members, self._domains = members, domains
        self._lists: dict[Any, Any] = {}

    def mixtures(self, member=None):
        """Mixtures that the training rows make, or all of them but those of one member.

        Parameters
        ----------
        member : int, default=None

        Returns
        -------
        ndarray of shape (n_mixtures, 3), float64
            Row of the scarce domain, row that it is mixed with, and weight of the first row.
        """
        none = np.empty((0, 3))
        if self._method is None:
            return none
        is_left = np.ones(len(self._members), dtype=bool) if member is None else self._members != member
        sizes = np.bincount(self._domains[is_left], minlength=1)
        largest = int(np.argmax(sizes))
        generator = np.random.RandomState(self._seed)
        found = [none]
        for domain in np.flatnonzero(sizes):
            if domain != largest:
                rows = np.flatnonzero((self._domains == domain) & is_left)
                if self._method == "mixup":
                    found.append(self._mixup(rows, largest, member))
                else:
                    found.append(self._smote(rows, domain, sizes[largest], member, generator))
        return np.concatenate(found)

    def _mixup(self, rows, largest, member):
        neighbors = self._neighbors(rows, largest, member, _N_MIXTURES)
        row, rank = np.nonzero(neighbors >= 0)
        return np.stack(
            [rows[row], neighbors[row, rank], np.full(len(row), _MIXUP_WEIGHT)], axis=1, dtype=np.float64
        )

    def _smote(self, rows, domain, n_largest, member, generator):
        n_new = max(0, round(_SMOTE_RATIO * n_largest) - len(rows))
        first = generator.randint(len(rows), size=n_new)
        rank = generator.randint(_SMOTE_NEIGHBORS, size=n_new)
        weights = generator.uniform(size=n_new)
        neighbors = self._neighbors(rows, domain, member, _SMOTE_NEIGHBORS)[first]
        n_known = (neighbors >= 0).sum(axis=1)
        second = neighbors[np.arange(n_new), rank % np.maximum(n_known, 1)]
        made = np.stack([rows[first], second, weights], axis=1, dtype=np.float64)
        return made[n_known > 0]

    def _neighbors(self, rows, domain, member, n_neighbors):
        """The nearest rows of a domain, of other members, int (n_rows, n_neighbors); -1 where there are no more."""
        if domain not in self._lists:
            among = np.flatnonzero(self._domains == domain)
            everyone = np.arange(len(self._members))
            queries = everyone[(self._domains == domain) == (self._method == "smote")]
            lists = find_lists(
                self._search(among),
                self._bank[queries],
                self._members[queries, np.newaxis],
                self._members[among],
                n_neighbors,
                1,
            )
            lists.rows = np.where(lists.rows < 0, -1, among[lists.rows])
            place = np.full(len(everyone), -1)
            place[queries] = np.arange(len(queries))
            self._lists[domain] = place, lists
        place, lists = self._lists[domain]
        distances, found = lists.nearest(n_neighbors, place[rows], () if member is None else (member,))
        return np.where(np.isfinite(distances), found, -1)


def mix(bank, mixtures):
    """The mixtures, float64 (n_mixtures, n_features), without the last column of the bank."""
    first, second = mixtures[:, :2].astype(int).T
    weights = mixtures[:, 2:]
    return weights * bank[first, :-1].astype(np.float64) + (1 - weights) * bank[second, :-1].astype(np.float64)
