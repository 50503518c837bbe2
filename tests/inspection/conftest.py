"""Fixtures for tests of displays."""

import matplotlib as mpl
import pytest


@pytest.fixture(autouse=True)
def no_window():
    """Draw figures of pyplot without a window, and close the figures after the test."""
    mpl.use("agg")
    import matplotlib.pyplot as plt

    yield
    plt.close("all")
