"""`control_false_discoveries`, by the definition of the procedure and by simulation."""

import numpy as np
import pytest

from skaudio_ad import ConformalThreshold
from skaudio_ad.thresholds import control_false_discoveries


def benjamini_hochberg(p_values, q):
    """Choose the k smallest p-values. k is the largest number with the k-th smallest p-value at most q k / m."""
    m = len(p_values)
    ranked = np.sort(p_values)
    k = max((k for k in range(1, m + 1) if ranked[k - 1] <= q * k / m + 1e-12), default=0)
    return p_values <= ranked[k - 1] if k else np.zeros(m, dtype=bool)


@pytest.mark.parametrize("q", [0.05, 0.1, 0.3])
def test_the_chosen_clips_follow_the_definition(q):
    rng = np.random.default_rng(0)
    n_chosen = 0
    for _ in range(100):
        p_values = rng.integers(1, 101, size=30) / 100
        p_values[: rng.integers(12)] = 0.01
        chosen = control_false_discoveries(p_values, q)
        np.testing.assert_array_equal(chosen, benjamini_hochberg(p_values, q))
        n_chosen += chosen.sum()
    assert n_chosen > 50


def simulate(n_calibration, n_normal, n_anomalous, q, distance=4.0, n_draws=400):
    """Fraction of normal clips among the chosen ones, its standard error, and fraction of anomalies found."""
    rng = np.random.default_rng(0)
    false, found = [], []
    for _ in range(n_draws):
        selector = ConformalThreshold(0.5).fit(rng.normal(size=n_calibration))
        batch = rng.normal(size=n_normal + n_anomalous)
        batch[n_normal:] -= distance
        chosen = control_false_discoveries(selector.p_values(batch), q)
        false.append(chosen[:n_normal].sum() / max(1, chosen.sum()))
        found.append(chosen[n_normal:].mean() if n_anomalous else 0)
    return np.mean(false), np.std(false) / np.sqrt(n_draws), np.mean(found)


@pytest.mark.parametrize(("n_calibration", "n_anomalous"), [(200, 10), (1000, 5), (1000, 30), (99, 30)])
@pytest.mark.parametrize("q", [0.1, 0.2])
def test_at_most_the_fraction_q_of_the_discoveries_is_false_and_anomalies_are_found(
    n_calibration, n_anomalous, q
):
    false, error, found = simulate(n_calibration, 100 - n_anomalous, n_anomalous, q)
    assert false <= q * (1 - n_anomalous / 100) + 4 * error
    assert found > 0.3


def test_if_all_clips_are_normal_at_most_the_fraction_q_of_the_batches_has_a_discovery():
    false, error, _ = simulate(999, 50, 0, 0.1)
    assert 0 < false <= 0.1 + 4 * error


def test_one_threshold_for_all_clips_has_mostly_false_alarms_in_the_same_batches():
    rng = np.random.default_rng(0)
    selector = ConformalThreshold(0.05).fit(rng.normal(size=999))
    batch = np.append(rng.normal(size=980), np.full(20, -6.0))
    alarms = selector.predict(batch) == -1
    chosen = control_false_discoveries(selector.p_values(batch), 0.1)
    assert alarms[:980].sum() / alarms.sum() > 0.5
    assert chosen[:980].sum() / chosen.sum() < 0.2
    assert chosen[980:].all()


@pytest.mark.parametrize(("n_calibration", "finds"), [(198, False), (199, True)])
def test_the_minimum_number_of_calibration_clips_is_as_documented(n_calibration, finds):
    # 5 anomalies among 100 clips, q=0.1: 1 / (n + 1) <= 0.1 * 5 / 100
    selector = ConformalThreshold().fit(np.arange(float(n_calibration)))
    batch = np.append(np.full(95, 1e9), np.full(5, -1.0))
    chosen = control_false_discoveries(selector.p_values(batch), 0.1)
    assert chosen.tolist() == [False] * 95 + [finds] * 5


def test_clips_that_could_not_be_read_are_neither_chosen_nor_counted():
    p_values = np.array([0.01, 0.02, 0.9, 0.8])
    with_missing = np.insert(p_values, [0, 2, 4], np.nan)
    expected = np.insert(control_false_discoveries(p_values), [0, 2, 4], False)
    np.testing.assert_array_equal(control_false_discoveries(with_missing), expected)
    assert expected.sum() == 2
    assert control_false_discoveries([np.nan, np.nan]).tolist() == [False, False]


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        (([0.5], 0.0), "q must lie in"),
        (([0.5], 1.0), "q must lie in"),
        (([0.5, -2.0],), r"p_values must lie in \[0, 1\], got -2: pass p_values"),
    ],
)
def test_bad_arguments_are_refused(arguments, match):
    with pytest.raises(ValueError, match=match):
        control_false_discoveries(*arguments)
