"""How far the distribution of conformal p-values may be from even, by chance alone."""

import numpy as np
from scipy.signal import lfilter
from scipy.special import gammaln, logsumexp

# Of the levels at most so many are looked at: a screen shows no more.
_MOST_LEVELS = 200
# Halvings of the interval in which the pointwise level is searched.
_N_HALVINGS = 10


def p_value_band(n_calibration, n_clips, confidence=0.95):
    """The band that the distribution of normal clips' p-values stays in, all of it, with a probability.

    Parameters
    ----------
    n_calibration, n_clips : int
        Normal clips that calibrate, and new normal clips.
    confidence : float, default=0.95
        Probability, exact but for what whole clips allow, and then more: not at every level for itself, but at all
        levels together.

    Returns
    -------
    levels : ndarray of shape (n_levels,), int
        Rising, out of 1 to `n_calibration`; the last is `n_calibration`.
    low, high : ndarray of shape (n_levels,), int
        Fewest and most of the `n_clips` with a p-value of ``level / (n_calibration + 1)`` or less.

    Notes
    -----
    Where all ``n + m`` clips, n to calibrate and m new, come from one source and no two scores are equal, all orders of
    the scores are equally likely. The number of new clips below the k-th smallest calibration score, whose p-value is
    ``k / (n + 1)`` or less, then has a beta-binomial distribution, m draws with a probability that is itself
    distributed as the order statistic, Beta(k, n + 1 - k) [1]_. (Binomial bands take the p-values for independent,
    but all of them share the calibration, and are too narrow.) The band has the same tail at every level, as in [2]_;
    how large the tails may be follows from counting the orders that stay inside, paths in a lattice, out of all
    ``(n + m)! / (n! m!)``.

    References
    ----------
    .. [1] V. Vovk, "Conditional validity of inductive conformal predictors", Machine Learning, 2013.
    .. [2] T. Sailynoja, P.-C. Burkner and A. Vehtari, "Graphical test for discrete uniformity and its applications in
       goodness-of-fit evaluation and multiple sample comparison", Statistics and Computing, 2022.
    """
    levels = np.arange(1, n_calibration + 1)
    if n_calibration > _MOST_LEVELS:
        # The small ones, at which decisions are made, close together.
        few, many = (space(1, n_calibration, _MOST_LEVELS // 2) for space in (np.geomspace, np.linspace))
        levels = np.unique(np.concatenate([few, many]).round().astype(int))
    below = np.array([_distribution(level, n_calibration, n_clips) for level in levels])

    def bounds(tail):
        low = [np.searchsorted(row, tail, side="left") for row in below]
        high = [np.searchsorted(row, 1 - tail, side="left") for row in below]
        return np.array(low), np.minimum(high, n_clips)

    def holds(tail):
        low, high = bounds(tail)
        return coverage(levels, low, high, n_calibration, n_clips) >= confidence

    # Between tails that are surely small enough, whatever the dependence, and tails that suit a single level.
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
    """Probabilities of 0, at most 1, at most 2, ... of the clips below that calibration score: beta-binomial."""
    counts = np.arange(n_clips + 1)
    logarithms = (
        _log_binomial(level - 1 + counts, counts)
        + _log_binomial(n_calibration - level + n_clips - counts, n_clips - counts)
        - _log_binomial(n_calibration + n_clips, n_clips)
    )
    return np.cumsum(np.exp(logarithms))


def coverage(levels, low, high, n_calibration, n_clips):
    """Probability that at every level between `low` and `high` of the clips lie below that calibration score.

    Parameters
    ----------
    levels : ndarray of shape (n_levels,), int
        Rising, the last being `n_calibration`.
    low, high : ndarray of shape (n_levels,), int
        Neither falls.
    n_calibration, n_clips : int

    Returns
    -------
    float
    """
    # paths[i]: orders of the scores so far with first + i clips below this calibration score, in units of exp(log_unit)
    # and times share ** (first + i), without which the least likely orders are so many that the others underflow.
    share = n_clips / (n_calibration + n_clips)
    paths, first, log_unit = np.ones(1), 0, 0.0
    for n_steps, lowest, highest in zip(np.diff(levels, prepend=0), low, high):
        paths = np.append(paths, np.zeros(highest - first + 1 - len(paths)))
        for _ in range(n_steps):
            paths = lfilter(
                [1.0], [1.0, -share], paths
            )  # any number of clips comes before the next calibration score
            largest = paths.max()
            log_unit += np.log(largest)
            paths /= largest
        paths, first = paths[lowest - first :], lowest
    logarithm = logsumexp(-np.arange(first, first + len(paths)) * np.log(share), b=paths)
    return float(np.exp(logarithm + log_unit - _log_binomial(n_calibration + n_clips, n_clips)))


def _log_binomial(n, k):
    return gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1)
