"""Thresholds: worked by hand, and judged by the false alarms of many simulated detectors."""

import numpy as np
import pytest
from sklearn.base import BaseEstimator
from sklearn.covariance import EllipticEnvelope

from skaudio_ad._base import DetectorMixin, check_contamination, choose_offset, lower_quantile


class Scores(DetectorMixin, BaseEstimator):
    """A detector whose clips are their scores."""

    def fit(self, X, y=None):
        self.offset_ = -1.0
        return self

    def score_samples(self, X):
        return np.asarray(X, dtype=np.float64)


def test_a_clip_is_normal_from_the_threshold_on():
    detector = Scores().fit(None)
    assert detector.decision_function([-3.0, -1.0, 0.5]).tolist() == [-2.0, 0.0, 1.5]
    assert detector.predict([-3.0, -1.0, 0.5]).tolist() == [-1, 1, 1]
    assert detector.fit_predict([-3.0, 2.0]).tolist() == [-1, 1]


def test_a_clip_without_a_score_is_not_normal():
    detector = Scores().fit(None)
    assert np.isnan(detector.decision_function([np.nan, 0.0])).tolist() == [True, False]
    assert detector.predict([np.nan, 0.0]).tolist() == [-1, 1]


@pytest.mark.parametrize(("n", "k"), [(19, 1), (38, 1), (39, 2), (40, 2), (99, 5), (100, 5), (199, 10)])
def test_from_19_scores_on_the_quantile_is_the_conformal_order_statistic(n, k):
    # k = floor(0.05 (n + 1))
    scores = np.random.default_rng(n).permutation(n) + 1.0
    assert lower_quantile(scores) == k


def test_below_19_scores_the_quantile_is_the_lower_end_of_students_prediction_interval():
    # mean 3, deviation sqrt(2.5), t(0.05; 4) = -2.131847: 3 - 2.131847 * 1.581139 * sqrt(6 / 5)
    assert lower_quantile(np.array([1.0, 2.0, 3.0, 4.0, 5.0])) == pytest.approx(-0.692458, abs=1e-5)
    # mean 1, deviation sqrt(2), t(0.05; 1) = -6.313752: 1 - 6.313752 * 1.414214 * sqrt(3 / 2)
    assert lower_quantile(np.array([0.0, 2.0])) == pytest.approx(1 - 6.313752 * np.sqrt(3), abs=1e-5)


def test_the_quantile_of_one_score_is_the_score():
    assert lower_quantile(np.array([-2.5])) == -2.5


def test_another_rate_needs_another_number_of_scores():
    # 0.2 * (4 + 1) = 1 exactly, though 0.2 has no exact binary form
    assert lower_quantile(np.array([4.0, 2.0, 3.0, 1.0]), rate=0.2) == 1.0
    assert lower_quantile(np.arange(9.0), rate=0.3) == 2.0


def false_alarm_rate(draw, n, n_detectors=2000):
    """How often a new normal score falls below the threshold that n others set."""
    alarms = 0.0
    for _ in range(n_detectors):
        alarms += np.mean(draw(50) < lower_quantile(draw(n)))
    return alarms / n_detectors


@pytest.mark.parametrize("n", [5, 18, 19, 40])
def test_one_normal_clip_in_twenty_raises_a_false_alarm_where_scores_are_normal(n):
    rng = np.random.default_rng(n)
    rate = false_alarm_rate(lambda size: rng.normal(-3, 2, size), n)
    # 1/20 by Student's interval and for n = 19; 2/41 for n = 40
    assert rate == pytest.approx({40: 2 / 41}.get(n, 0.05), abs=0.006)


@pytest.mark.parametrize("shape", ["exponential", "cauchy", "uniform"])
def test_no_distribution_raises_more_false_alarms_than_promised_from_19_scores_on(shape):
    rng = np.random.default_rng(0)
    draw = {
        "exponential": lambda size: -rng.exponential(size=size),
        "cauchy": lambda size: rng.standard_cauchy(size),
        "uniform": lambda size: rng.uniform(size=size),
    }[shape]
    assert false_alarm_rate(draw, 25) == pytest.approx(1 / 26, abs=0.006)


def no_training_scores():
    raise AssertionError("the training scores were not needed")


def test_auto_asks_the_held_out_scores_and_spares_the_scoring_of_the_training_clips():
    held_out = np.arange(40.0)
    assert choose_offset("auto", held_out_scores=held_out, training_scores=no_training_scores) == 1.0


def test_auto_takes_the_spread_of_the_training_scores_for_a_single_held_out_one():
    training = np.arange(40.0)  # mean 19.5, the second smallest 18.5 below it
    offset = choose_offset("auto", held_out_scores=np.array([100.0]), training_scores=lambda: training)
    assert offset == pytest.approx(100 - 18.5)


def test_auto_takes_the_training_scores_where_nothing_is_held_out():
    offset = choose_offset("auto", held_out_scores=np.empty(0), training_scores=lambda: np.arange(40.0))
    assert offset == 1.0


@pytest.mark.parametrize("contamination", [0.01, 0.1, 0.5])
def test_a_number_means_what_it_means_to_scikit_learn(contamination):
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
