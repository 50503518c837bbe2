"""Confidence band of the distribution of conformal p-values."""

import numpy as np
from scipy.signal import lfilter
from scipy.special import gammaln, logsumexp

# Maximum number of levels, because a screen shows no more.
_MAX_LEVELS = 200
# Number of halvings of the interval in which the tail of one level is searched.
_N_HALVINGS = 10


def p_value_band(n_calibration, n_clips, confidence=0.95):
    """Compute the band that holds the whole distribution of the p-values of normal clips with a given probability.

    Parameters
    ----------
    n_calibration : int
        Number of normal clips that calibrate.
    n_clips : int
        Number of new normal clips.
    confidence : float, default=0.95
        Probability that the distribution stays inside the band at all levels together. Counts of clips are whole
        numbers, so the true probability is this one or slightly more.

    Returns
    -------
    levels : ndarray of shape (n_levels,), int
        Rising numbers from 1 to `n_calibration`. The last level is `n_calibration`.
    low, high : ndarray of shape (n_levels,), int
        Minimum and maximum number of the `n_clips` with a p-value of ``level / (n_calibration + 1)`` or less.

    Notes
    -----
    Let n clips calibrate and m clips be new. If all ``n + m`` clips come from one source and no two scores are equal,
    all orders of the scores are equally likely. A new clip has a p-value of ``k / (n + 1)`` or less if its score is
    below the k-th smallest calibration score. The number of such clips has a beta-binomial distribution: m draws with
    a probability that is distributed as the order statistic, Beta(k, n + 1 - k) [1]_.

    Binomial bands are too narrow, because these bands treat the p-values as independent, although all p-values share
    the calibration. The band has the same tail at every level, as in [2]_. The largest possible tail follows from the
    number of orders that stay inside the band, out of all ``(n + m)! / (n! m!)`` orders. The orders inside the band
    are counted as paths in a lattice.

    References
    ----------
    .. [1] V. Vovk, "Conditional validity of inductive conformal predictors", Machine Learning, 2013.
    .. [2] T. Sailynoja, P.-C. Burkner and A. Vehtari, "Graphical test for discrete uniformity and its applications in
       goodness-of-fit evaluation and multiple sample comparison", Statistics and Computing, 2022.
    """
    levels = np.arange(1, n_calibration + 1)
    if n_calibration > _MAX_LEVELS:
        # Small levels are close together because decisions are made at small levels.
        few, many = (space(1, n_calibration, _MAX_LEVELS // 2) for space in (np.geomspace, np.linspace))
        levels = np.unique(np.concatenate([few, many]).round().astype(int))
    below = np.array([_distribution(level, n_calibration, n_clips) for level in levels])

    def bounds(tail):
        low = [np.searchsorted(row, tail, side="left") for row in below]
        high = [np.searchsorted(row, 1 - tail, side="left") for row in below]
        return np.array(low), np.minimum(high, n_clips)

    def holds(tail):
        low, high = bounds(tail)
        return coverage(levels, low, high, n_calibration, n_clips) >= confidence

    # The smallest tail is small enough for any dependence between levels. The largest tail is right for one level.
    smallest, largest = (1 - confidence) / 2 / len(levels), (1 - confidence) / 2
    if holds(largest):
        return levels, *bounds(largest)
    for _ in range(_N_HALVINGS):
        tail = np.sqrt(smallest * largest)
        if holds(tail):
            smallest = tail
        else:
            largest = tail
    return levels, *bounds(smallest)


def _distribution(level, n_calibration, n_clips):
    """Return the cumulative beta-binomial distribution of the number of clips below a calibration score."""
    counts = np.arange(n_clips + 1)
    logarithms = (
        _log_binomial(level - 1 + counts, counts)
        + _log_binomial(n_calibration - level + n_clips - counts, n_clips - counts)
        - _log_binomial(n_calibration + n_clips, n_clips)
    )
    return np.cumsum(np.exp(logarithms))


def coverage(levels, low, high, n_calibration, n_clips):
    """Compute the probability that the counts of clips stay between `low` and `high` at all levels.

    The count at a level is the number of clips below the calibration score of this rank.

    Parameters
    ----------
    levels : ndarray of shape (n_levels,), int
        Rising numbers. The last level is `n_calibration`.
    low, high : ndarray of shape (n_levels,), int
        Minimum and maximum count at every level. Neither of the two arrays falls.
    n_calibration, n_clips : int
        Number of clips that calibrate, and number of new clips.

    Returns
    -------
    float
    """
    # paths[i] is the number of orders of the scores so far with first + i clips below this calibration score. The
    # number is multiplied by share ** (first + i) and divided by exp(log_unit). Without the factor the least likely
    # orders would be so numerous that the other numbers underflow.
    share = n_clips / (n_calibration + n_clips)
    paths, first, log_unit = np.ones(1), 0, 0.0
    for n_steps, lowest, highest in zip(np.diff(levels, prepend=0), low, high):
        paths = np.append(paths, np.zeros(highest - first + 1 - len(paths)))
        for _ in range(n_steps):
            # The filter sums over all numbers of clips that come before the next calibration score.
            paths = lfilter([1.0], [1.0, -share], paths)
            largest = paths.max()
            log_unit += np.log(largest)
            paths /= largest
        paths, first = paths[lowest - first :], lowest
    logarithm = logsumexp(-np.arange(first, first + len(paths)) * np.log(share), b=paths)
    return float(np.exp(logarithm + log_unit - _log_binomial(n_calibration + n_clips, n_clips)))


def _log_binomial(n, k):
    return gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1)
