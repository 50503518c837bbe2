"""What a clip is compared with: training rows, mixtures of them, densities and domains; and the same without a clip."""

from typing import Any

import numpy as np

from ._bank_scan import BankScan, aggregate
from ._density import NEIGHBORS, Densities, normalize
from ._domains import DomainStatistics
from ._neighbor_lists import find_lists
from ._neighbor_rows import prepare
from ._neighbor_search import NeighborSearch
from ._oversampling import Oversampler, mix


class Reference:
    """Banks of training rows, one for every domain, and leave-one-out distances to them.

    Parameters
    ----------
    rows : ndarray of shape (n_training, n_features + 1)
        Prepared training rows.
    center : ndarray of shape (n_features + 1,) or None
    members, domains : ndarray of int of shape (n_training,)
        Clip (group) and domain of every row, numbered from 0.
    settings : dict
        Parameters of the detector.
    seed : int
        Seed of the mixtures.
    """

    def __init__(self, rows, center, members, domains, settings, seed):
        self.n_training = len(rows)
        self.members = members
        self.method, self.metric = settings["normalization"], settings["metric"]
        self.n_neighbors, self.aggregate = settings["n_neighbors"], settings["aggregate"]
        self.n_domains = domains.max() + 1
        self._uses_zscore = settings["domain_normalization"] == "zscore"
        self._is_oversampled = settings["oversample"] is not None
        self._center = center
        oversampler = Oversampler(
            settings["oversample"],
            lambda at: NeighborSearch(rows[at], self.metric, center),
            rows,
            members,
            domains,
            seed,
        )
        self._collect_mixtures(oversampler)
        self.bank = np.concatenate([rows, self._mixed_rows(rows)]) if len(self._mixtures) else rows
        first = self._mixtures[:, 0].astype(int)
        self.domains = np.append(domains, domains[first])
        pairs = members[self._mixtures[:, :2].astype(int)]
        #: Members that have a part in a row, (n_rows, 2).
        self.parents = np.concatenate([np.stack([members, members], axis=1), pairs])
        self.search = NeighborSearch(self.bank, self.metric, center)
        self.scan = BankScan(self.search, self.bank, self.metric, center)
        self.densities = self._measure_densities(rows, settings["normalization_neighbors"])
        self._statistics = self._prepare_statistics() if self._uses_zscore else None

    def kept(self):
        """What new clips are compared with.

        Returns
        -------
        bank : ndarray of shape (n_kept, n_features + 1)
            Training rows, followed by the mixtures.
        values : ndarray of shape (n_kept,), float64
            Divisors or subtrahends.
        domains : ndarray of int of shape (n_kept,)
        statistics : ndarray of shape (n_domains, 2), float64
            Mean and deviation of every domain; 0 and 1 without domain normalisation.
        replaced : ndarray of bool of shape (n_domains,)
            Domains that have the statistics of all domains together.
        """
        alive = self._alive(None)
        scale = self.densities.scale()
        statistics, replaced = self._domain_scale(scale, None, alive)
        bank = self.bank if alive.all() else self.bank[alive]
        return bank, scale.values[alive], self.domains[alive], statistics, replaced

    def leave_one_out(self):
        """Distance of every training row from what is learnt without its member, float64 (n_training,)."""
        order = np.argsort(self.members, kind="stable")
        distances = np.empty(self.n_training)
        learnt: Any = None
        for part in self.scan.blocks(self.n_training):
            rows = order[part]
            bounds = self.scan.bounds(self.bank[rows])
            starts = np.flatnonzero(np.diff(self.members[rows], prepend=-1))
            for start, end in zip(starts, np.append(starts[1:], len(rows)), strict=True):
                member = self.members[rows[start]]
                if learnt is None or learnt[0] != member:
                    learnt = member, self._learn_without(member)
                own = [bound[start:end] for bound in bounds]
                found = self._bank_distances(self.bank[rows[start:end]], own, *learnt[1])
                distances[rows[start:end]] = found.min(axis=1)
        return distances

    def _learn_without(self, member):
        alive = self._alive(member)
        scale = self.densities.scale(member)
        return alive, scale.values, self._domain_scale(scale, member, alive)[0]

    def _bank_distances(self, queries, bounds, alive, values, statistics):
        rule = self.method, self.n_neighbors, self.aggregate
        domains = np.where(alive, self.domains, -1)
        return distances_to_banks(self.scan, queries, bounds, domains, values, statistics, rule)

    def _collect_mixtures(self, oversampler):
        """Find the mixtures that any set of training clips makes, and which of them every set makes."""
        self._plans: dict[Any, Any] = {}
        if not self._is_oversampled:
            self._mixtures = np.empty((0, 3))
            return
        plans: dict[bytes, Any] = {}
        names = {}
        for member in (None, *np.unique(self.members)):
            mixtures = oversampler.mixtures(member)
            names[member] = mixtures.tobytes()
            plans.setdefault(names[member], mixtures)
        stacked = np.concatenate(list(plans.values()))
        self._mixtures, places = np.unique(stacked, axis=0, return_inverse=True)
        parts = np.split(places.ravel(), np.cumsum([len(plan) for plan in plans.values()])[:-1])
        places_of = dict(zip(plans, parts, strict=True))
        self._plans = {member: places_of[name] for member, name in names.items()}

    def _mixed_rows(self, rows):
        return prepare(mix(rows, self._mixtures), self.metric, rows.dtype, self._center)

    def _measure_densities(self, rows, n_neighbors):
        if self.method is None:
            return Densities(None, 0, None, self.members, len(self.bank))
        n_neighbors = NEIGHBORS[self.method] if n_neighbors is None else n_neighbors
        # Leave-one-out scores are computed inside leave-one-out scores.
        n_left_out = 2 if self._uses_zscore or self.method == "varmin" else 1
        search = NeighborSearch(rows, self.metric, self._center)
        lists = find_lists(search, rows, self.members[:, np.newaxis], self.members, n_neighbors, n_left_out)
        if len(self._mixtures):
            mixed = self.bank[self.n_training :]
            own = self.parents[self.n_training :]
            lists = lists.join(find_lists(search, mixed, own, self.members, n_neighbors, n_left_out))
        return Densities(self.method, n_neighbors, lists, self.members, len(self.bank))

    def _prepare_statistics(self):
        scales = [self.densities.scale()]
        low, high = scales[0].values.copy(), scales[0].values.copy()
        for member in np.unique(self.members):
            scale = self.densities.scale(member)
            np.minimum(low, scale.values, out=low)
            np.maximum(high, scale.values, out=high)
            scale.values = None
            scales.append(scale)
        return DomainStatistics(self, low, high, self.densities.upper_bound(scales))

    def _domain_scale(self, scale, member, alive):
        if self._statistics is None:
            return np.tile([0.0, 1.0], (self.n_domains, 1)), np.zeros(self.n_domains, dtype=bool)
        return self._statistics(scale, member, alive)

    def _alive(self, member):
        """Which rows are in the banks when a member is left out."""
        alive = np.zeros(len(self.bank), dtype=bool)
        alive[: self.n_training] = True if member is None else self.members != member
        if len(self._mixtures):
            alive[self.n_training + self._plans[member]] = True
        return alive


def distances_to_banks(scan, queries, bounds, domains, values, statistics, rule):
    """Distances of queries to the bank of every domain, float64 (n_queries, n_domains).

    Parameters
    ----------
    scan : BankScan
    queries : ndarray of shape (n_queries, n_features + 1)
        Prepared rows.
    bounds : tuple of two ndarray of shape (n_queries, n_rows)
        From ``scan.bounds``.
    domains : ndarray of int of shape (n_rows,)
        -1 for rows to leave out.
    values : ndarray of shape (n_rows,)
    statistics : ndarray of shape (n_domains, 2)
    rule : tuple
        Method of the normalisation, number of neighbours, and how their distances become one.

    Returns
    -------
    ndarray of shape (n_queries, n_domains), float64
        Infinite for a domain without rows.
    """
    method, n_neighbors, how = rule
    found = np.empty((len(queries), len(statistics)))
    for domain, (mean, deviation) in enumerate(statistics):
        columns = np.flatnonzero(domains == domain)
        nearest = scan.smallest(queries, bounds, columns, values, method, n_neighbors)
        found[:, domain] = (aggregate(nearest, how) - mean) / deviation
    return found


def distances_of_new(rows, bank, center, values, domains, statistics, settings):
    """Distances of new rows to the bank of every domain, float64 (n_rows, n_domains).

    Parameters
    ----------
    rows : ndarray of shape (n_rows, n_features)
        Finite rows of any size.
    bank, center, values, domains, statistics
        What a detector keeps, from :meth:`Reference.kept`.
    settings : dict
        Parameters of the detector.
    """
    metric = settings["metric"]
    search = NeighborSearch(bank, metric, center)
    scan = BankScan(search, bank, metric, center)
    rule = settings["normalization"], settings["n_neighbors"], settings["aggregate"]
    found = np.empty((len(rows), len(statistics)))
    far = search.is_far(rows)
    for index in np.flatnonzero(far):
        distances = normalize(search.far_distances(rows[index]), values, rule[0])
        for domain, (mean, deviation) in enumerate(statistics):
            nearest = np.sort(distances[domains == domain])[np.newaxis, : rule[1]]
            found[index, domain] = (aggregate(nearest, rule[2]) - mean)[0] / deviation
    near = np.flatnonzero(~far)
    for part in scan.blocks(len(near)):
        queries = prepare(rows[near[part]], metric, bank.dtype, center)
        bounds = scan.bounds(queries)
        found[near[part]] = distances_to_banks(scan, queries, bounds, domains, values, statistics, rule)
    return found
