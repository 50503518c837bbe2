"""Data, distances and a short `fit` for the tests of `NearestNeighborsDetector`."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from skaudio_ad import NearestNeighborsDetector

METRICS = ("cosine", "euclidean")
WITH_COPIES = pytest.mark.filterwarnings("ignore:.* training clips have a copy among the others")


def embeddings(n_clips=30, n_features=8, seed=0):
    return np.random.default_rng(seed).normal(size=(n_clips, n_features)).astype(np.float32)


def sequences(lengths=(7, 3, 12, 5, 9), n_features=4, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.normal(size=(n_features, n_frames)).astype(np.float32) for n_frames in lengths]


def distances(X, Y, metric):
    """All distances in float64, half the cosine distance."""
    X, Y = np.asarray(X, dtype=np.float64), np.asarray(Y, dtype=np.float64)
    return cdist(X, Y, metric) / (2 if metric == "cosine" else 1)


def fit(X, groups=None, **settings):
    return NearestNeighborsDetector(**settings).fit(X, groups=groups)
