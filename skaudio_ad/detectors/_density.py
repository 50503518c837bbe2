"""Local density of the training rows: what a distance to each of them is divided by, or compared with."""

from dataclasses import dataclass
from typing import Any

import numpy as np

#: Number of neighbours of the density where ``normalization_neighbors`` is None.
NEIGHBORS: dict[str | None, int] = {"ratio": 1, "difference": 1, "varmin": 4, "cluster-exit": 16}
# Quantile of all relative gaps between consecutive neighbours above which a gap counts as the exit of a cluster.
_EXIT_QUANTILE = 0.95
# Minimum density that a distance is divided by, relative to the mean density. The density of copies is 0.
_SMALLEST_DENSITY = 1e-3


@dataclass
class Scale:
    """What turns a distance into a normalised one, for a given set of training clips.

    Parameters
    ----------
    values : ndarray of shape (n_rows,), float64
        Divisor or subtrahend of the distance to every row.
    threshold, floor, slope : float
        Largest relative gap within a cluster; smallest divisor; factor of the density with "varmin".
    """

    values: Any
    threshold: float = np.inf
    floor: float = 0.0
    slope: float = 1.0


def normalize(distances, values, method):
    """Normalised distances. `values` come from a :class:`Scale`."""
    if method is None:
        return distances
    return distances / values if method in ("ratio", "cluster-exit") else distances - values


class Densities:
    """Densities of rows among the training rows, with and without some clips.

    Parameters
    ----------
    method : {"ratio", "difference", "varmin", "cluster-exit"} or None
    n_neighbors : int
        Number of neighbours that a density is averaged over; with "cluster-exit" the largest such number.
    lists : NeighborLists or None
        Of the training rows, followed by those of synthetic rows. None for ``method=None``.
    members : ndarray of int of shape (n_training_rows,)
        Member of every training row.
    n_rows : int
        Number of all rows.
    """

    def __init__(self, method, n_neighbors, lists, members, n_rows):
        self.method, self._n_neighbors, self._lists, self._members = method, n_neighbors, lists, members
        self._ones = np.ones(n_rows)
        if method is not None:
            self._nearest = lists.nearest(n_neighbors)
        if method == "varmin":
            self._pairs = self._nearest_pairs(np.arange(len(members)), ())

    def scale(self, member=None):
        """The scale learnt from all training rows, or from all but those of one member.

        Parameters
        ----------
        member : int, default=None

        Returns
        -------
        Scale
        """
        if self.method is None:
            return Scale(self._ones)
        near, left_out = self._nearest[0], ()
        train = np.ones(len(self._members), dtype=bool)
        changed = np.zeros(len(near), dtype=bool)
        if member is not None:
            train, left_out = self._members != member, (member,)
            changed = self._lists.name(member)
            near = near.copy()
            near[changed] = self._lists.nearest(self._n_neighbors, np.flatnonzero(changed), left_out)[0]
        scale = Scale(self._ones)
        if self.method == "cluster-exit":
            scale.threshold = _exit_threshold(near[: len(train)][train])
        density = self._density(near, scale.threshold)
        known = density[: len(train)][train]
        if self.method in ("ratio", "cluster-exit"):
            mean = known.mean()
            scale.floor = _SMALLEST_DENSITY * mean if mean > 0 else 1.0
        elif self.method == "varmin":
            scale.slope = self._slope(train, changed, left_out)
        scale.values = self._finish(density, scale)
        return scale

    def near_without(self, rows, members):
        """Distances of rows to their nearest neighbours without one member for each, (n_pairs, n_neighbors)."""
        return self._lists.nearest(self._n_neighbors, rows, (members,))[0]

    def values_without(self, rows, members, member, scale, near):
        """Divisors or subtrahends of some rows, without one more member for each.

        Parameters
        ----------
        rows : ndarray of int of shape (n_pairs,)
        members : ndarray of int of shape (n_pairs,)
            Member that is left out for each.
        member : int or None
            Member that the scale has been learnt without.
        scale : Scale
        near : ndarray of shape (n_pairs, n_neighbors)
            From `near_without`, for the same rows and members.

        Returns
        -------
        ndarray of shape (n_pairs,), float64
        """
        if member is not None:
            changed = np.flatnonzero((self._lists.members[rows] == member).any(axis=1))
            near = near.copy()
            near[changed] = self._lists.nearest(
                self._n_neighbors, rows[changed], (members[changed], member)
            )[0]
        return self._finish(self._density(near, scale.threshold), scale)

    def upper_bound(self, scales):
        """Upper bound of the divisor (subtrahend) of every row, whichever further member is left out.

        Parameters
        ----------
        scales : list of Scale
            Scales of all sets of training clips that are asked for.

        Returns
        -------
        ndarray of shape (n_rows,), float64
        """
        if self.method is None:
            return self._ones
        distances = self._lists.distances
        largest = np.where(np.isfinite(distances), distances, 0).max(axis=1)
        if self.method != "varmin":
            return np.maximum(largest, max(scale.floor for scale in scales))
        slopes = [scale.slope for scale in scales]
        return np.max([s * d for s in (min(slopes), max(slopes)) for d in (distances[:, 0], largest)], axis=0)

    def name(self, member):
        """Which densities depend on a member, bool (n_rows,)."""
        return np.zeros(len(self._ones), dtype=bool) if self.method is None else self._lists.name(member)

    def names(self, rows, members):
        """Whether the list of each row names the member beside it, bool (n_pairs,)."""
        if self.method is None:
            return np.zeros(len(rows), dtype=bool)
        return (self._lists.members[rows] == members[:, np.newaxis]).any(axis=1)

    def _density(self, near, threshold):
        present = np.isfinite(near)
        if self.method == "cluster-exit":
            present &= _within(near, threshold)
        return np.where(present, near, 0).sum(axis=1) / np.maximum(present.sum(axis=1), 1)

    def _finish(self, density, scale):
        return scale.slope * density if self.method == "varmin" else np.maximum(density, scale.floor)

    def _nearest_pairs(self, rows, left_out):
        """Distance of training rows to the nearest of other clips, that neighbour, and its density without the row."""
        distances, neighbors = self._lists.nearest(1, rows, left_out)
        near, _ = self._lists.nearest(self._n_neighbors, neighbors[:, 0], (self._members[rows], *left_out))
        return distances[:, 0], neighbors[:, 0], self._density(near, np.inf)

    def _slope(self, train, changed, left_out):
        """The factor of the density with which leave-one-out scores vary least; 0 where densities do not vary."""
        distances, neighbors, densities = self._pairs
        if left_out:
            distances, densities = distances.copy(), densities.copy()
            own = self._members[neighbors] == left_out[0]
            rows = np.flatnonzero((changed[: len(train)] | changed[neighbors] | own) & train)
            distances[rows], _, densities[rows] = self._nearest_pairs(rows, left_out)
        distances, densities = distances[train], densities[train]
        spread = densities - densities.mean()
        variance = np.mean(spread**2)
        if variance <= (1e-12 * np.abs(densities).max()) ** 2:
            return 0.0
        return float(np.mean(spread * (distances - distances.mean())) / variance)


def _relative_gaps(near):
    """Every distance relative to the one before it; 1 (no gap) behind a distance of 0 and behind the last one."""
    before, after = near[:, :-1], near[:, 1:]
    is_gap = (before > 0) & np.isfinite(after)
    return np.where(is_gap, np.where(is_gap, after, 1) / np.where(is_gap, before, 1), 1.0), np.isfinite(after)


def _exit_threshold(near):
    """Largest relative gap between two neighbours of one cluster."""
    gaps, present = _relative_gaps(near)
    return float(np.quantile(gaps[present], _EXIT_QUANTILE)) if present.any() else np.inf


def _within(near, threshold):
    """Which neighbours lie before the first gap that is larger than the threshold."""
    within = np.ones(near.shape, dtype=bool)
    within[:, 1:] = np.logical_and.accumulate(_relative_gaps(near)[0] <= threshold, axis=1)
    return within
