"""A slow reference of nearest neighbours with local densities, domains and mixtures, in plain loops of float64."""

import numpy as np


class SlowNeighbors:
    """Score rows from the definitions in the docstring of `NearestNeighborsDetector`, one pair at a time."""

    def __init__(self, X, members, domains, *, metric, normalization=None, n_density=1, zscore=False, mixup=False,
                 n_neighbors=1, aggregate="mean"):  # fmt: skip
        self.X, self.members, self.domains = np.asarray(X, dtype=float), np.asarray(members), np.asarray(domains)
        if metric == "cosine":
            self.X = self.X / np.linalg.norm(self.X, axis=1, keepdims=True)
        self.metric, self.normalization, self.n_density = metric, normalization, n_density
        self.n_neighbors, self.aggregate = n_neighbors, aggregate
        self.bank = [(x, d, {m}) for x, m, d in zip(self.X, self.members, self.domains, strict=True)]
        if mixup:
            self.bank += self.mixtures()
        self.threshold, self.floor, self.slope = np.inf, 0.0, 1.0
        everything = range(len(self.X))
        if normalization == "cluster-exit":
            near = [self.near(self.X[i], {self.members[i]}) for i in everything]
            gaps = [b / a if a > 0 else 1.0 for row in near for a, b in zip(row[:-1], row[1:], strict=True)]
            self.threshold = np.quantile(gaps, 0.95)
        if normalization in ("ratio", "cluster-exit"):
            self.floor = 1e-3 * np.mean([self.density(self.X[i], {self.members[i]}) for i in everything])
        if normalization == "varmin":
            d, b = np.array([self.nearest_and_density(i) for i in everything]).T
            self.slope = np.cov(d, b, bias=True)[0, 1] / np.var(b)
        self.moments = {d: (0.0, 1.0) for d in np.unique(self.domains)}
        if zscore:
            self.normalise_domains()

    def distance(self, x, y):
        if self.metric == "cosine":
            return np.sum((x / np.linalg.norm(x) - y / np.linalg.norm(y)) ** 2) / 4
        return np.linalg.norm(x - y)

    def near(self, x, without):
        found = [self.distance(x, y) for y, m in zip(self.X, self.members, strict=True) if m not in without]
        return np.sort(found)[: self.n_density]

    def density(self, x, without):
        near = self.near(x, without)
        if self.normalization == "cluster-exit":
            for k in range(1, len(near)):
                if near[k - 1] > 0 and near[k] / near[k - 1] > self.threshold:
                    return near[:k].mean()
        return near.mean()

    def nearest_and_density(self, i):
        others = [j for j in range(len(self.X)) if self.members[j] != self.members[i]]
        j = min(others, key=lambda j: self.distance(self.X[i], self.X[j]))
        without = {self.members[i], self.members[j]}
        return self.distance(self.X[i], self.X[j]), self.density(self.X[j], without)

    def normalised(self, x, y, without):
        d = self.distance(x, y)
        if self.normalization is None:
            return d
        density = self.density(y, without)
        if self.normalization in ("ratio", "cluster-exit"):
            return d / max(density, self.floor)
        return d - self.slope * density

    def mixtures(self):
        names, sizes = np.unique(self.domains, return_counts=True)
        largest, made = names[np.argmax(sizes)], []
        for t, m, d in zip(self.X, self.members, self.domains, strict=True):
            if d == largest:
                continue
            source = np.flatnonzero((self.domains == largest) & (self.members != m))
            for s in sorted(source, key=lambda s: self.distance(t, self.X[s]))[:5]:
                made.append((0.9 * t + 0.1 * self.X[s], d, {m, self.members[s]}))
        return made

    def to_bank(self, x, domain, without=frozenset()):
        """Distance to the bank of a domain, without the members of `without` and all they have a part in."""
        found = [
            self.normalised(x, y, parents | without)
            for y, d, parents in self.bank
            if d == domain and not parents & without
        ]
        if not found:
            return np.inf
        return {"mean": np.mean, "max": np.max, "min": np.min}[self.aggregate](np.sort(found)[: self.n_neighbors])

    def normalise_domains(self):
        own = {
            d: [
                self.to_bank(x, d, {m})
                for x, m, other in zip(self.X, self.members, self.domains, strict=True)
                if other == d
            ]
            for d in self.moments
        }
        own = {d: [value for value in values if np.isfinite(value)] for d, values in own.items()}
        together = sum(own.values(), [])
        for d, values in own.items():
            values = values if len(values) > 1 and np.ptp(values) > 1e-9 else together
            self.moments[d] = np.mean(values), np.std(values)

    def score(self, new):
        return np.array(
            [-min((self.to_bank(x, d) - mean) / sd for d, (mean, sd) in self.moments.items()) for x in new]
        )


def slow_held_out(X, members, domains, **settings):
    """Score every row by a reference that has not seen any row of its member."""
    X, scores = np.asarray(X, dtype=float), np.empty(len(X))
    for member in np.unique(members):
        rest = members != member
        scores[~rest] = SlowNeighbors(X[rest], members[rest], domains[rest], **settings).score(X[~rest])
    return scores


