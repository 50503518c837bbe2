"""Domains: what the distances to the bank of each domain are compared with."""

import numpy as np

from ._bank_scan import aggregate, smallest_of_each
from ._density import normalize

# Minimum spread of leave-one-out distances, relative to the largest of them, that a distance is divided by.
_SMALLEST_SPREAD = 1e-12


class DomainStatistics:
    """Mean and deviation of the leave-one-out distances of every domain's training rows to the bank of the domain.

    A training row is compared with the rows of its domain, but not with rows of its own member, nor with mixtures that
    the member has a part in. Densities are those without the member.

    Parameters
    ----------
    reference : Reference
        Rows, members and domains.
    low, high : ndarray of shape (n_rows,)
        Smallest and largest divisor (subtrahend) of every row over all the sets of training clips that are asked for.
    bound : ndarray of shape (n_rows,)
        Upper bound of the divisor (subtrahend) when one more member is left out.
    """

    def __init__(self, reference, low, high, bound):
        self._reference = reference
        found = [
            self._candidates(reference, domain, low, high, bound) for domain in range(reference.n_domains)
        ]
        self._query, self._row = (np.concatenate(parts) for parts in zip(*found, strict=True))
        order = np.argsort(self._query, kind="stable")
        self._query, self._row = self._query[order], self._row[order]
        self._distances = reference.search.pair_distances(
            reference.bank[: reference.n_training], self._query, self._row
        )
        self._own = reference.members[self._query]
        self._special = np.flatnonzero(reference.densities.names(self._row, self._own))
        if len(self._special):
            at = self._special
            self._near = reference.densities.near_without(self._row[at], self._own[at])
        self._owner = np.searchsorted(np.unique(self._query), self._query)
        self._judged = np.unique(self._query)

    def __call__(self, scale, member, alive):
        """Mean and deviation of every domain, without one member.

        Parameters
        ----------
        scale : Scale
        member : int or None
        alive : ndarray of bool of shape (n_rows,)
            Rows that are in the banks.

        Returns
        -------
        statistics : ndarray of shape (n_domains, 2), float64
            A domain whose distances have no spread gets the statistics of all domains together.
        replaced : ndarray of bool of shape (n_domains,)
            Which domains got them.
        """
        reference = self._reference
        values = scale.values[self._row]
        at = self._special
        if len(at):
            values[at] = reference.densities.values_without(
                self._row[at], self._own[at], member, scale, self._near
            )
        distances = np.where(alive[self._row], normalize(self._distances, values, reference.method), np.inf)
        found = np.full((len(self._judged), reference.n_neighbors), np.inf)
        sizes = np.bincount(self._owner, minlength=len(self._judged))
        if len(sizes):
            if reference.n_neighbors == 1:
                found = smallest_of_each(distances, self._owner, len(sizes), 1)
            else:
                found = _padded_smallest(distances, self._owner, sizes, reference.n_neighbors)
        scores = aggregate(found, reference.aggregate)
        domains = reference.domains[self._judged]
        known = np.isfinite(scores)
        if member is not None:
            known &= reference.members[self._judged] != member
        scores, domains = scores[known], domains[known]
        together = _moments(scores)
        own = [_moments(scores[domains == domain]) for domain in range(reference.n_domains)]
        replaced = np.array([moments is None for moments in own])
        fallback = (0.0, 1.0) if together is None else together
        return np.array([fallback if moments is None else moments for moments in own]), replaced

    @staticmethod
    def _candidates(reference, domain, low, high, bound):
        """Pairs of a training row and a row of its domain that may be among the nearest, whatever is left out."""
        columns = np.flatnonzero(reference.domains == domain)
        rows = columns[columns < reference.n_training]
        is_mixture = columns >= reference.n_training
        if not len(rows):
            return np.empty(0, dtype=int), np.empty(0, dtype=int)
        # That many rows stay, whichever member is left out.
        n_safe = reference.n_neighbors + np.bincount(reference.members[rows]).max()
        query, found = [], []
        for part in reference.scan.blocks(len(rows)):
            own = reference.members[rows[part]]
            lower, upper = (bounds[:, columns] for bounds in reference.scan.bounds(reference.bank[rows[part]]))
            is_own = (reference.parents[columns][np.newaxis] == own[:, np.newaxis, np.newaxis]).any(axis=2)
            names, place = np.unique(own, return_inverse=True)
            special = np.array([reference.densities.name(member)[columns] for member in names])[place]
            upper = normalize(upper, low[columns], reference.method)
            upper[is_own | special | is_mixture] = np.inf
            limit = np.full(len(own), np.inf)
            if n_safe <= len(columns):
                limit = np.partition(upper, n_safe - 1, axis=1)[:, n_safe - 1]
            most = np.where(special, bound[columns], high[columns])
            near = (normalize(lower, most, reference.method) <= limit[:, np.newaxis]) & ~is_own
            at, column = np.nonzero(near)
            query.append(rows[part][at])
            found.append(columns[column])
        return np.concatenate(query), np.concatenate(found)


def _padded_smallest(values, owner, sizes, n_values):
    """The smallest values of every owner, infinite where an owner has fewer."""
    order = np.lexsort((values, owner))
    first = np.cumsum(sizes) - sizes
    place = np.arange(n_values)
    at = np.minimum(first[:, np.newaxis] + place, len(values) - 1)
    return np.where(place < sizes[:, np.newaxis], values[order[at]], np.inf)


def _moments(distances):
    """Mean and standard deviation, or None where the distances have no spread."""
    if len(distances) < 2:
        return None
    deviation = distances.std()
    if deviation <= _SMALLEST_SPREAD * np.abs(distances).max():
        return None
    return distances.mean(), deviation
