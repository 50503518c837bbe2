import json
import math

import numpy as np
import pytest

from skaudio_ad.thresholds import ExchangeabilityMartingale
from skaudio_ad.thresholds._martingale import _bins


def plain_martingale(calibration, scores, ties):
    """All scores are kept, and the bets of every start time are followed one by one."""
    seen, capitals, values = list(calibration), [], []
    for n, (score, tie) in enumerate(zip(scores, ties), start=1):
        seen.append(score)
        below, equal = sum(s < score for s in seen), sum(s == score for s in seen)
        p_value = (below + tie * equal) / len(seen)
        capitals.append([(1 / math.log2(n + 1) - 1 / math.log2(n + 2)) / 3] * 3)
        for bettors in capitals:
            total = sum(bettors)
            for number, stake in enumerate((-1, 0, 1)):
                bettors[number] = (0.99 * bettors[number] + 0.01 / 3 * total) * (1 + stake * (p_value - 0.5))
        values.append(math.log10(1 / math.log2(n + 2) + sum(map(sum, capitals))))
    return values


def feed(test, scores, **options):
    return [test.update(score, **options) for score in scores]


def test_the_martingale_is_that_of_a_plain_implementation_that_keeps_all_scores():
    rng = np.random.default_rng(0)
    calibration, scores = rng.integers(-20, 20, 60), rng.integers(-40, 5, 150)
    test = ExchangeabilityMartingale(calibration)
    test._random = np.random.default_rng(1)
    expected = plain_martingale(calibration, scores, np.random.default_rng(1).random(150))
    np.testing.assert_allclose(feed(test, scores), expected, rtol=1e-9)
    assert expected[-1] > 2
    assert test.is_alarm


def test_scores_that_share_a_bin_are_ties_and_the_p_values_stay_uniform():
    rng = np.random.default_rng(0)
    test = ExchangeabilityMartingale(-1000.1 + rng.uniform(0, 0.1, 100))
    p_values = [test._p_value(bin_of(-1000.1 + value)) for value in rng.uniform(0, 0.1, 2000)]
    counts, _ = np.histogram(p_values, bins=10, range=(0, 1))
    assert len(test._keys) == 1
    assert (
        np.sum((counts - 200) ** 2 / 200) < 27.9
    )  # 0.999 quantile of the chi-squared distribution with 9 degrees


def bin_of(score):
    return _bins(np.array([score]))[0]


def test_bins_have_the_order_of_the_scores():
    made = [bin_of(x) for x in (-np.inf, -1e300, -2.0, -1.001, -1.0, -1e-30, 0.0, 1e-30, 0.5, 3.0, 1e300)]
    assert made == sorted(made)
    assert len(set(made)) == len(made) - 1  # scores beyond float32 share the bin of infinity


def test_alarms_without_a_change_are_not_more_frequent_than_alpha():
    rng = np.random.default_rng(0)
    n_alarms = 0
    for seed in range(100):
        test = ExchangeabilityMartingale(rng.standard_exponential(40), alpha=0.2, random_state=seed)
        feed(test, rng.standard_exponential(150))
        n_alarms += test.is_alarm
    assert 1 <= n_alarms <= 20 + 3 * 4  # alpha plus three standard deviations of a binomial count


@pytest.mark.parametrize(("shift", "at_most"), [(-1, 80), (1, 80), (-3, 40)])
def test_a_shift_is_found_soon(shift, at_most):
    rng = np.random.default_rng(0)
    test = ExchangeabilityMartingale(rng.normal(-5, 1, 300))
    feed(test, rng.normal(-5, 1, 1000))
    assert not test.is_alarm
    feed(test, rng.normal(-5 + shift, 1, at_most))
    assert test.is_alarm


def test_scores_of_an_event_are_left_out():
    rng = np.random.default_rng(0)
    calibration = rng.normal(size=100)
    test, other = ExchangeabilityMartingale(calibration), ExchangeabilityMartingale(calibration)
    scores = rng.normal(size=50)
    values = feed(test, scores[:20]) + feed(test, [-9.0] * 500, bet=False) + feed(test, scores[20:])
    assert not test.is_alarm
    assert values[:20] + values[-30:] == feed(other, scores)
    assert test.update(math.nan) == values[-1]


def test_a_martingale_goes_on_from_its_state():
    rng = np.random.default_rng(0)
    calibration, scores = rng.normal(size=100), rng.normal(size=60)
    whole = ExchangeabilityMartingale(calibration)
    feed(whole, scores[:25])
    state = json.dumps(whole.get_state())
    resumed = ExchangeabilityMartingale(calibration, random_state=7)
    resumed.set_state(json.loads(state))
    assert feed(resumed, scores[25:]) == feed(whole, scores[25:])


def test_the_alarm_stays_until_the_reset_and_the_numbers_stay_finite():
    rng = np.random.default_rng(0)
    test = ExchangeabilityMartingale(rng.normal(size=100))
    # Every score is lower than all before, so that the capital grows beyond the largest float.
    values = feed(test, -np.arange(10.0, 2500.0))
    assert test.is_alarm
    assert 320 < values[-1] < 500
    values = feed(test, rng.normal(size=500))
    assert test.is_alarm
    assert np.isfinite(values).all()
    test.reset()
    assert (test.is_alarm, test.n_scores, test.value) == (False, 0, 0.0)
    test.reset(np.arange(50.0))
    assert test.n_calibration == 50


def test_a_state_of_other_calibration_scores_or_no_state_is_refused():
    test = ExchangeabilityMartingale([1.0, 2.0])
    with pytest.raises(ValueError, match="other calibration scores"):
        test.set_state(ExchangeabilityMartingale([1.0, 3.0]).get_state())
    for state in ({}, test.get_state() | {"capital": [1.0]}, test.get_state() | {"random": {}}):
        with pytest.raises(ValueError, match="start without it"):
            test.set_state(state)
    for scores, message in (([], "empty"), ([1.0, np.nan], "NaN")):
        with pytest.raises(ValueError, match=message):
            ExchangeabilityMartingale(scores)
    with pytest.raises(ValueError, match="alpha must"):
        ExchangeabilityMartingale([1.0], alpha=0)
