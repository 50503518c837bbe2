"""Detectors with scores that are easy to predict, and clips for them."""

import numpy as np
from sklearn.base import BaseEstimator, OutlierMixin

from skaudio_ad import (
    QuantileThreshold,
)


class Memory(OutlierMixin, BaseEstimator):
    """Scores a clip by its first value, and 1000 higher if it was trained on it."""

    def __init__(self, factor=1.0):
        self.factor = factor

    def fit(self, X, y=None, sample_weight=None):
        self.seen_ = np.asarray(X)[:, 0]
        self.weights_ = sample_weight
        return self

    def score_samples(self, X):
        first = np.asarray(X, dtype=np.float64)[:, 0]
        return self.factor * (first + 1000 * np.isin(first, self.seen_))


# 40 normal clips, values 0 to 39, and 10 anomalous ones, -1 to -10.
VALUES = np.concatenate([np.arange(40.0), -np.arange(1.0, 11.0)])


LABELS = np.repeat([1, -1], [40, 10])


SHUFFLED = np.random.default_rng(0).permutation(50)


X, Y = VALUES[SHUFFLED, np.newaxis], LABELS[SHUFFLED]


GROUPS = (np.abs(X[:, 0]) // 10).astype(int)


NORMAL = X[Y == 1]


QUANTILE = QuantileThreshold(0.1)


class Average(Memory):
    """Scores a clip by its first value minus the mean of the training clips'."""

    def score_samples(self, X):
        return np.asarray(X, dtype=np.float64)[:, 0] - self.seen_.mean()
