"""Fixtures shared by the tests of features."""

import numpy as np
import pytest


@pytest.fixture
def waves(rng):
    return rng.uniform(-0.5, 0.5, (6, 4000)).astype(np.float32)


@pytest.fixture
def spectrograms(rng):
    return rng.uniform(-80, 0, (6, 20, 50)).astype(np.float32)
