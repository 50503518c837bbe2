"""The band is compared with a count of all orders, with the beta-binomial distribution and with a simulation."""

from itertools import combinations

import numpy as np
import pytest
from scipy.stats import betabinom

from skaudio_ad.inspection._confidence_bands import coverage, p_value_band
from skaudio_ad.thresholds import ConformalThreshold


def test_the_coverage_equals_the_share_of_orders_inside_the_band():
    n_calibration, n_clips = 5, 4
    low, high = np.array([0, 0, 1, 2, 2]), np.array([2, 2, 3, 3, 4])
    inside = []
    for places in combinations(range(9), n_calibration):
        below = np.array(places) - np.arange(n_calibration)  # new clips before each calibration score
        inside.append(((low <= below) & (below <= high)).all())
    found = coverage(np.arange(1, 6), low, high, n_calibration, n_clips)
    assert 0.2 < np.mean(inside) < 0.8
    assert found == pytest.approx(np.mean(inside), rel=1e-12)


@pytest.mark.parametrize(("n", "m", "level"), [(20, 30, 3), (500, 3, 250), (3, 500, 1), (5000, 5000, 2500)])
def test_the_number_of_clips_below_one_level_is_beta_binomial(n, m, level):
    distribution = betabinom(m, level, n + 1 - level)
    low, high = (int(distribution.ppf(q)) for q in (0.1, 0.8))
    expected = distribution.cdf(high) - distribution.cdf(low - 1)
    found = coverage(np.array([level, n]), np.array([low, low]), np.array([high, m]), n, m)
    assert found == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(("n", "m"), [(50, 40), (7, 60), (60, 7)])
def test_the_band_has_the_same_tails_at_every_level(n, m):
    levels, low, high = p_value_band(n, m)
    np.testing.assert_array_equal(levels, np.arange(1, n + 1))
    counts = betabinom(m, levels, n + 1 - levels)
    # No tail outside the band is larger than a tail of a band that is narrower by one clip.
    assert counts.cdf(low - 1).max() < counts.cdf(low).min()
    assert counts.sf(high).max() <= counts.sf(high - 1).min() + 1e-12
    assert counts.cdf(low - 1).max() < 0.025
    assert counts.sf(high).max() < 0.025


@pytest.mark.parametrize(
    ("n", "m", "slack"), [(50, 40, 6e-3), (99, 300, 2e-3), (1500, 80, 2e-3), (9, 2, 0.1)]
)
@pytest.mark.parametrize("confidence", [0.8, 0.95])
def test_the_band_is_no_wider_than_it_must_be(n, m, slack, confidence):
    levels, low, high = p_value_band(n, m, confidence)
    assert levels[-1] == n
    assert confidence <= coverage(levels, low, high, n, m) < confidence + slack
    assert (np.diff(low) >= 0).all()
    assert (np.diff(high) >= 0).all()


def test_the_band_of_two_clips_holds_every_order():
    levels, low, high = p_value_band(1, 1)
    assert (levels.tolist(), low.tolist(), high.tolist()) == ([1], [0], [1])


def test_p_values_of_normal_clips_stay_inside_with_the_promised_probability():
    rng, n, m, inside = np.random.default_rng(0), 60, 40, []
    levels, low, high = p_value_band(n, m, 0.9)
    for _ in range(2000):
        p_values = ConformalThreshold(0.1).fit(rng.normal(size=n)).p_values(rng.normal(size=m))
        counts = (p_values[:, np.newaxis] <= levels / (n + 1) + 1e-9).sum(axis=0)
        inside.append(((low <= counts) & (counts <= high)).all())
    assert np.mean(inside) == pytest.approx(0.9, abs=0.02)  # 3 standard errors


def test_a_binomial_band_would_be_too_narrow():
    # With 20 clips that calibrate and 1000 new clips, most of the randomness is in the 20 clips.
    levels, low, high = p_value_band(20, 1000)
    middle = np.searchsorted(levels, 10)
    binomial = 2 * 1.96 * np.sqrt(1000 * 0.25)
    assert high[middle] - low[middle] > 5 * binomial
