"""Bounds on the rate of events: how many events per day some hours of normal sound allow to promise."""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.stats import chi2

from .._checks import check_number
from .._typing import FloatArray

# Level of the test for clusters, and number of random divisions that the test compares with.
_ALPHA, _N_DRAWS = 0.05, 999


def upper_bound(n_events: int, confidence: float = 0.95, dispersion: float = 1.0) -> float:
    """Return the upper confidence bound of an expected number of events.

    Parameters
    ----------
    n_events : int
        Number of events that were seen.
    confidence : float, default=0.95
        In (0, 1).
    dispersion : float, default=1.0
        Variance of the number of events divided by its mean, at least 1. Events that come alone have 1, and clusters of
        three have 3.

    Returns
    -------
    float
        For a dispersion of 1 the exact bound for a Poisson distribution [1]_. Otherwise `dispersion` times the bound
        for `n_events` / `dispersion` clusters.

    References
    ----------
    .. [1] F. Garwood, "Fiducial limits for the Poisson distribution", Biometrika, 1936.
    """
    return dispersion * float(chi2.ppf(confidence, 2 * n_events / dispersion + 2)) / 2


def hours_for(
    events_per_day: float, confidence: float = 0.95, *, n_events: int = 0, dispersion: float = 1.0
) -> float:
    """Return how many hours of normal sound a promise needs.

    Parameters
    ----------
    events_per_day : float
        Rate to promise.
    confidence : float, default=0.95
        In (0, 1).
    n_events : int, default=0
        Number of events in these hours.
    dispersion : float, default=1.0
        See `upper_bound` in this module.

    Returns
    -------
    float

    Raises
    ------
    ValueError, TypeError
        If a parameter is out of range.

    Examples
    --------
    >>> from skaudio_ad.monitoring import hours_for
    >>> round(hours_for(1.0))
    72
    """
    check_number(events_per_day, "events_per_day", low=0, closed="neither")
    check_number(confidence, "confidence", low=0, high=1, closed="neither")
    check_number(n_events, "n_events", low=0, integer=True)
    check_number(dispersion, "dispersion", low=1)
    return 24 * upper_bound(n_events, confidence, dispersion) / events_per_day


def find_dispersion(counts: npt.ArrayLike, hours: npt.ArrayLike) -> float:
    """Return how much more the number of events varies between blocks of time than independent events do.

    Parameters
    ----------
    counts : array-like of shape (n_blocks,)
        Number of events of every block.
    hours : array-like of shape (n_blocks,)
        Duration of every block.

    Returns
    -------
    float
        Pearson's index of dispersion, or 1 if chance explains the variation at the level 0.05.
    """
    seen, share = np.asarray(counts, dtype=np.int64), np.asarray(hours, dtype=np.float64)
    seen, share = seen[share > 0], share[share > 0]
    n_events, n_blocks = int(seen.sum()), len(seen)
    if n_events < 2 or n_blocks < 2:
        return 1.0
    share = share / share.sum()
    index = _index(seen[None], share)[0]
    # Blocks may be short, so the index has no chi-squared distribution. Independent events fall into blocks at random.
    drawn = _index(np.random.default_rng(0).multinomial(n_events, share, size=_N_DRAWS), share)
    p_value = (1 + np.count_nonzero(drawn >= index)) / (1 + _N_DRAWS)
    return float(max(1.0, index)) if p_value <= _ALPHA else 1.0


def _index(counts, share) -> FloatArray:
    expected = counts.sum(axis=1, keepdims=True) * share
    return np.sum((counts - expected) ** 2 / expected, axis=1) / (len(share) - 1)


def largest_accepted(counts: Sequence[int], allowed: float, confidence: float, dispersion: float) -> int:
    """Test levels in a fixed sequence, from the strictest to the laxest, until a level is not accepted.

    A level is accepted if the upper bound of its events is at most `allowed`. All levels up to the last accepted one
    keep the promise with the confidence of one test [1]_.

    Parameters
    ----------
    counts : sequence of int
        Number of events at every level, from the strictest to the laxest level.
    allowed : float
        Number of events that the promise allows in these hours.
    confidence, dispersion : float
        See `upper_bound` in this module.

    Returns
    -------
    int
        Position of the last accepted level, or -1 if the strictest level is not accepted.

    References
    ----------
    .. [1] A. N. Angelopoulos, S. Bates, E. J. Candes, M. I. Jordan and L. Lei, "Learn then test: calibrating predictive
       algorithms to achieve risk control", 2021.
    """
    accepted = -1
    for position, count in enumerate(counts):
        if upper_bound(count, confidence, dispersion) > allowed * (1 + 1e-12):
            break
        accepted = position
    return accepted


def describe_hours(hours: float) -> str:
    """Describe hours with three digits, such as "72 hours", "12 minutes" or "38 seconds"."""
    if hours < 1 / 60:
        return f"{hours * 3600:.3g} seconds"
    if hours < 1:
        return f"{hours * 60:.3g} minutes"
    return f"{math.ceil(hours) if hours >= 100 else float(f'{hours:.3g}'):g} hours"
