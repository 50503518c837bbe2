"""Thresholds of `_base`: computed by hand, and judged by the false alarms of many simulated detectors."""

import numpy as np
import pytest
from sklearn.base import BaseEstimator
from sklearn.covariance import EllipticEnvelope

from skaudio_ad._base import (
    DetectorMixin,
    check_contamination,
    choose_offset,
    conformal_quantile,
    lower_quantile,
)


class Scores(DetectorMixin, BaseEstimator):
    """A detector that takes scores as clips."""

    def fit(self, X, y=None):
        self.offset_ = -1.0
        return self

    def score_samples(self, X):
        return np.asarray(X, dtype=np.float64)


def test_a_clip_at_or_above_the_threshold_is_normal():
    detector = Scores().fit(None)
    assert detector.decision_function([-3.0, -1.0, 0.5]).tolist() == [-2.0, 0.0, 1.5]
    assert detector.predict([-3.0, -1.0, 0.5]).tolist() == [-1, 1, 1]
    assert detector.fit_predict([-3.0, 2.0]).tolist() == [-1, 1]


def test_a_clip_without_a_score_is_not_normal():
    detector = Scores().fit(None)
    assert np.isnan(detector.decision_function([np.nan, 0.0])).tolist() == [True, False]
    assert detector.predict([np.nan, 0.0]).tolist() == [-1, 1]


@pytest.mark.parametrize(("n", "k"), [(19, 1), (38, 1), (39, 2), (40, 2), (99, 5), (100, 5), (199, 10)])
def test_with_19_scores_or_more_the_quantile_is_the_conformal_order_statistic(n, k):
    # k = floor(0.05 (n + 1))
    scores = np.random.default_rng(n).permutation(n) + 1.0
    assert lower_quantile(scores) == k


def test_below_19_scores_of_any_sign_the_quantile_is_the_lower_end_of_students_prediction_interval():
    # mean 3, deviation sqrt(2.5), t(0.05; 4) = -2.131847: 3 - 2.131847 * 1.581139 * sqrt(6 / 5)
    assert lower_quantile(np.array([1.0, 2.0, 3.0, 4.0, 5.0])) == pytest.approx(-0.692458, abs=1e-5)
    # mean 1, deviation sqrt(2), t(0.05; 1) = -6.313752: 1 - 6.313752 * 1.414214 * sqrt(3 / 2)
    assert lower_quantile(np.array([0.0, 2.0])) == pytest.approx(1 - 6.313752 * np.sqrt(3), abs=1e-5)


def test_below_19_errors_the_quantile_is_the_lower_end_of_the_interval_of_the_logarithms():
    errors = np.array([0.5, 1.0, 3.0, 0.7])
    logarithms = np.log(errors)
    # t(0.95; 3) = 2.353363
    end = logarithms.mean() + 2.353363 * logarithms.std(ddof=1) * np.sqrt(5 / 4)
    assert lower_quantile(-errors) == pytest.approx(-np.exp(end), rel=1e-6)
    assert lower_quantile(-1000 * errors) == pytest.approx(-1000 * np.exp(end), rel=1e-6)


def test_errors_of_copies_count_as_a_tenth_of_the_median():
    assert lower_quantile(-np.array([1.0, 0.0, 2.0, 4.0])) == lower_quantile(-np.array([1.0, 0.15, 2.0, 4.0]))
    # If most errors are 0, the raw scores are used: mean -1, deviation 2, t(0.05; 3) = -2.353363.
    assert lower_quantile(np.array([0.0, 0.0, 0.0, -4.0])) == pytest.approx(
        -1 - 2.353363 * 2 * np.sqrt(5 / 4), rel=1e-6
    )
    assert lower_quantile(np.zeros(5)) == 0


def test_errors_that_differ_by_hundreds_of_powers_of_ten_have_a_finite_threshold():
    assert np.isfinite(lower_quantile(-np.array([1e-300, 1e300])))


SHAPES = {
    "log-normal": lambda rng, size: -np.exp(rng.normal(size=size)),
    "narrow log-normal": lambda rng, size: -np.exp(0.3 * rng.normal(size=size)),
    "exponential": lambda rng, size: -rng.exponential(size=size),
    "gamma": lambda rng, size: -rng.gamma(2.0, size=size),
    "chi": lambda rng, size: -np.sqrt(rng.chisquare(16, size=size)),
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("n", [3, 8, 15])
def test_few_errors_of_five_distributions_raise_no_more_than_one_false_alarm_in_twenty(n, shape):
    # Student's interval of the raw errors has these false-alarm rates for the log-normal distribution:
    # n = 3: 0.126, n = 8: 0.101, n = 15: 0.086.
    rng = np.random.default_rng(0)
    rate = false_alarm_rate(lambda size: SHAPES[shape](rng, size), n, n_detectors=400, n_new=200)
    assert rate < 0.05 + 0.016  # four standard errors
    assert rate > (0.03 if "log-normal" in shape else 0.01)


def test_the_quantile_of_one_score_is_the_score():
    assert lower_quantile(np.array([-2.5])) == -2.5


def test_another_rate_needs_another_number_of_scores():
    # 0.2 * (4 + 1) = 1 exactly, though 0.2 has no exact binary form
    assert lower_quantile(np.array([4.0, 2.0, 3.0, 1.0]), rate=0.2) == 1.0
    assert lower_quantile(np.arange(9.0), rate=0.3) == 2.0


def false_alarm_rate(draw, n, n_detectors=2000, n_new=50):
    """Fraction of new normal scores that fall below the threshold from n other scores."""
    alarms = 0.0
    for _ in range(n_detectors):
        alarms += np.mean(draw(n_new) < lower_quantile(draw(n)))
    return alarms / n_detectors


@pytest.mark.parametrize("n", [5, 18, 19, 40])
def test_one_normal_clip_in_twenty_raises_a_false_alarm_if_scores_have_a_normal_distribution(n):
    rng = np.random.default_rng(n)
    rate = false_alarm_rate(lambda size: rng.normal(30, 2, size), n)
    # 1/20 by Student's interval and for n = 19; 2/41 for n = 40
    assert rate == pytest.approx({40: 2 / 41}.get(n, 0.05), abs=0.006)


@pytest.mark.parametrize("shape", ["exponential", "cauchy", "uniform"])
def test_no_distribution_raises_more_false_alarms_than_promised_with_19_scores_or_more(shape):
    rng = np.random.default_rng(0)
    draw = {
        "exponential": lambda size: -rng.exponential(size=size),
        "cauchy": lambda size: rng.standard_cauchy(size),
        "uniform": lambda size: rng.uniform(size=size),
    }[shape]
    assert false_alarm_rate(draw, 25) == pytest.approx(1 / 26, abs=0.006)


def no_training_scores():
    raise AssertionError("the training scores were not needed")


def test_auto_uses_the_held_out_scores_and_does_not_score_the_training_clips():
    held_out = np.arange(40.0)
    assert choose_offset("auto", held_out_scores=held_out, training_scores=no_training_scores) == 1.0


def test_auto_takes_the_spread_of_the_training_scores_for_a_single_held_out_score():
    training = np.arange(40.0)  # deviation 11.690452
    offset = choose_offset("auto", held_out_scores=np.array([100.0]), training_scores=lambda: training)
    # t(0.05; 39) = -1.684875. Both the held-out score and a new score vary.
    assert offset == pytest.approx(100 - 1.684875 * 11.690452 * np.sqrt(2), rel=1e-6)
    errors = np.exp(training / 40)
    offset = choose_offset("auto", held_out_scores=np.array([-5.0]), training_scores=lambda: -errors)
    assert offset == pytest.approx(-5 * np.exp(1.684875 * 11.690452 / 40 * np.sqrt(2)), rel=1e-6)


def test_a_single_held_out_clip_raises_about_one_false_alarm_in_twenty():
    rng = np.random.default_rng(0)
    rates = []
    for _ in range(500):
        held_out, training, new = np.split(-np.exp(rng.normal(size=121)), [1, 21])
        offset = choose_offset("auto", held_out_scores=held_out, training_scores=training.copy)
        rates.append(np.mean(new < offset))
    assert np.mean(rates) == pytest.approx(0.05, abs=4 * np.std(rates) / np.sqrt(500))


def test_auto_takes_the_training_scores_if_no_clip_is_held_out():
    offset = choose_offset("auto", held_out_scores=np.empty(0), training_scores=lambda: np.arange(40.0))
    assert offset == 1.0


@pytest.mark.parametrize("contamination", [0.01, 0.1, 0.5])
def test_a_number_has_the_meaning_of_scikit_learn(contamination):
    X = np.random.default_rng(0).normal(size=(200, 2))
    reference = EllipticEnvelope(contamination=contamination, random_state=0).fit(X)
    offset = choose_offset(
        contamination, held_out_scores=np.arange(3.0), training_scores=lambda: reference.score_samples(X)
    )
    assert offset == pytest.approx(reference.offset_, rel=1e-12)


@pytest.mark.parametrize("contamination", ["auto", 0.5, 0.001, np.float32(0.25)])
def test_a_contamination_in_range_passes(contamination):
    assert check_contamination(contamination) is None


@pytest.mark.parametrize("contamination", [0, 0.51, -0.1, np.nan, "half", None, True])
def test_a_contamination_out_of_range_is_named(contamination):
    with pytest.raises((ValueError, TypeError), match=r"^contamination must"):
        check_contamination(contamination)


def test_groups_of_one_score_change_nothing():
    for n in (5, 19, 45):
        scores = -np.random.default_rng(n).gamma(2.0, size=n)
        assert lower_quantile(scores, groups=np.arange(n)) == pytest.approx(lower_quantile(scores), rel=1e-12)


def test_the_quantile_by_groups_agrees_with_hierarchical_conformal_prediction():
    rng = np.random.default_rng(0)
    for _ in range(20):
        sizes = rng.integers(1, 6, size=12)
        groups = np.repeat(np.arange(12), sizes)
        scores = rng.normal(size=len(groups)).round(1)
        # Lee, Barber and Willett 2023: the 1 - rate quantile of the errors, of weight 1 / (13 size) each, with a
        # weight of 1 / 13 at infinity. The errors are minus the scores.
        errors = np.sort(-scores)
        mass = [np.sum(1 / (13 * sizes[groups])[-scores <= error]) for error in errors]
        expected = -errors[np.flatnonzero(np.array(mass) >= 1 - 0.2 - 1e-12)[0]]
        assert conformal_quantile(scores, 0.2, groups) == expected


def grouped_false_alarm_rates(n_groups, by_group, *, n_draws=250):
    """Simulate patients. Clips of a patient share an effect, and the first patient has half of all clips."""
    rng = np.random.default_rng(0)
    rates = []
    for _ in range(n_draws):
        groups = np.append(np.zeros(4 * n_groups, dtype=int), np.repeat(np.arange(n_groups), 4))
        errors = np.exp(rng.normal(size=n_groups)[groups] + 0.3 * rng.normal(size=len(groups)))
        new = np.exp(rng.normal(size=200) + 0.3 * rng.normal(size=200))  # one clip a patient
        rates.append(np.mean(-new < lower_quantile(-errors, groups=groups if by_group else None)))
    return np.mean(rates), 4 * np.std(rates) / np.sqrt(n_draws)


@pytest.mark.parametrize("n_groups", [4, 12, 19, 50])
def test_by_groups_a_new_patient_raises_no_more_than_one_false_alarm_in_twenty(n_groups):
    rate, margin = grouped_false_alarm_rates(n_groups, by_group=True)
    assert rate < 0.05 + margin
    assert rate > 0.01
    assert grouped_false_alarm_rates(n_groups, by_group=False)[0] > 0.05 + margin


def test_a_single_held_out_group_takes_its_spread_from_the_training_groups():
    training = -np.exp(np.array([0.0, 1.0, 2.0, 3.0]))
    one = choose_offset(
        "auto",
        held_out_scores=np.array([-2.0]),
        training_scores=lambda: training,
        training_groups=np.arange(4),
    )
    several = choose_offset(
        "auto",
        held_out_scores=np.full(7, -2.0),
        training_scores=lambda: np.repeat(training, 3),
        groups=np.full(7, 9),
        training_groups=np.repeat(np.arange(4), 3),
    )
    assert several == pytest.approx(one)
    assert one < -2
