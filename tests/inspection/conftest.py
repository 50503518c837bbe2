"""Pictures are drawn off screen."""

import matplotlib as mpl
import pytest


@pytest.fixture(autouse=True)
def no_window():
    """Figures of pyplot are drawn off screen and closed."""
    mpl.use("agg")
    import matplotlib.pyplot as plt

    yield
    plt.close("all")
