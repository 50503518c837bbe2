"""Find how far apart windows must be for their scores to be nearly independent."""

from collections.abc import Sequence

import numpy as np

from .._typing import FloatArray

# Maximum correlation of scores that count as independent. A correlation of 0.1 explains 1 % of the variance.
_CORRELATION = 0.1
# Maximum correlation that chance may explain, where there are few pairs of scores.
_LARGEST_CHANCE = 0.3
# Minimum number of scores that must be left for the test for drift.
_FEWEST = 20


def find_independent_step(series: Sequence[FloatArray], smallest: int) -> int | None:
    """Return the distance at which the scores of two windows of one recording are nearly uncorrelated.

    Parameters
    ----------
    series : sequence of ndarray of shape (n_windows,)
        Scores of the windows of every recording, in the order of time. NaN stands for a window without a score.
    smallest : int
        Number of hops after which two windows do not overlap.

    Returns
    -------
    int or None
        Number of hops, a multiple of `smallest`. None if scores stay correlated over a distance that leaves fewer than
        20 of them, or as far as the recordings reach.
    """
    known = np.concatenate(series)
    known = known[np.isfinite(known)]
    # Ranks are used, because a single event would otherwise decide about the correlation.
    sorted_scores = np.sort(known)
    ranks = [
        np.where(np.isfinite(one), np.searchsorted(sorted_scores, one) / max(1, len(known)) - 0.5, np.nan)
        for one in series
    ]
    for step in range(smallest, len(known) // _FEWEST + 1, smallest):
        products = np.concatenate([one[step:] * one[:-step] for one in ranks])
        products = products[np.isfinite(products)]
        if len(products) < _FEWEST:
            return step if step == smallest else None
        # Ranks are uniform on an interval of length 1, so their variance is 1 / 12. The correlation of n independent
        # pairs has a standard error of 1 / sqrt(n), and overlapping windows make fewer independent pairs.
        chance = 2 / np.sqrt(len(products) / smallest)
        if 12 * products.mean() <= max(_CORRELATION, min(chance, _LARGEST_CHANCE)):
            return step
    return None
