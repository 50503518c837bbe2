"""Metrics against results by hand, scikit-learn, and the formula that relates the two conventions."""

import numpy as np
import pytest
from scipy.stats import hmean
from sklearn.metrics import average_precision_score, roc_auc_score

from skaudio_ad.metrics import (
    anomaly_auc_score,
    anomaly_average_precision_score,
    anomaly_fbeta_score,
    bootstrap_interval,
    harmonic_mean_score,
    partial_auc_score,
    separation_ratio,
    tpr_at_fpr_score,
)


def some_scores(n_normal=60, n_anomalous=40, seed=0):
    rng = np.random.default_rng(seed)
    y = np.repeat([1, -1], [n_normal, n_anomalous])
    order = rng.permutation(len(y))
    return y[order], (rng.normal(size=len(y)) + (y == 1))[order]


def test_auc_is_the_share_of_pairs_in_which_the_anomaly_has_the_lower_score():
    # 1 of 4 pairs is wrong: the anomaly at -0.2 against the normal clip at -0.3
    assert anomaly_auc_score([1, 1, -1, -1], [-0.1, -0.3, -0.2, -0.9]) == 0.75
    assert anomaly_auc_score([1, 1, -1], [5.0, 4.0, 3.0]) == 1
    assert anomaly_auc_score([1, 1, -1], [3.0, 4.0, 5.0]) == 0
    # a tie counts as half a pair: (1 + 0.5) / 2
    assert anomaly_auc_score([1, 1, -1], [2.0, 1.0, 1.0]) == 0.75


def test_auc_is_scikit_learns_of_the_negated_scores():
    y, scores = some_scores()
    assert anomaly_auc_score(y, scores) == pytest.approx(roc_auc_score(y == -1, -scores))
    assert anomaly_auc_score(y, scores) > 0.6


@pytest.mark.parametrize("max_fpr", [0.05, 0.1, 0.33, 1.0])
def test_partial_auc_is_scikit_learns_of_the_negated_scores(max_fpr):
    y, scores = some_scores()
    expected = roc_auc_score(y == -1, -scores, max_fpr=max_fpr)
    assert partial_auc_score(y, scores, max_fpr=max_fpr) == pytest.approx(expected)
    # Swapped classes would give another value.
    if max_fpr < 1:
        assert partial_auc_score(y, scores, max_fpr=max_fpr) != pytest.approx(
            roc_auc_score(y == 1, scores, max_fpr=max_fpr)
        )


def test_partial_auc_of_the_papers_counts_wins_over_the_most_anomalous_normal_clips():
    # The 2 most anomalous of 10 normal clips have -10 and -9. Anomalies at -11 beat both, at -9.5 one, at -1 none.
    y = [1] * 10 + [-1] * 3
    scores = [-10.0, -9.0, *range(-8, 0), -11.0, -9.5, -1.0]
    assert partial_auc_score(y, scores, max_fpr=0.2, convention="mean") == pytest.approx(3 / 6)
    # only the normal clip at -10 counts
    assert partial_auc_score(y, scores, max_fpr=0.1, convention="mean") == pytest.approx(1 / 3)
    # floor(0.19 * 10) = 1
    assert partial_auc_score(y, scores, max_fpr=0.19, convention="mean") == pytest.approx(1 / 3)


def test_a_tie_is_not_a_detection_in_the_convention_of_the_papers():
    assert partial_auc_score([1, 1, -1, -1], [1.0, 5.0, 1.0, 0.0], max_fpr=0.5, convention="mean") == 0.5


@pytest.mark.parametrize(("n_normal", "max_fpr", "n_kept"), [(30, 0.1, 3), (100, 0.29, 29), (10, 0.7, 7)])
def test_binary_rounding_does_not_change_the_number_of_normal_clips(n_normal, max_fpr, n_kept):
    # The anomaly beats all normal clips except the most anomalous one.
    scores = [*np.arange(n_normal, dtype=float), 0.5]
    value = partial_auc_score([1] * n_normal + [-1], scores, max_fpr=max_fpr, convention="mean")
    assert value == pytest.approx((n_kept - 1) / n_kept)


def test_the_two_conventions_of_partial_auc_agree_through_mcclishs_formula():
    # There are 100 normal clips at 1 to 100. Among 50 anomalies, 8 beat all of the ten most anomalous normal clips,
    # one beats 3, and 41 beat none: (8 * 10 + 3) / 500 = 0.166.
    y = [1] * 100 + [-1] * 50
    scores = [*np.arange(1.0, 101.0), *[0.5] * 8, 7.5, *[50.5] * 41]
    assert partial_auc_score(y, scores, convention="mean") == pytest.approx(0.166)
    assert partial_auc_score(y, scores) == pytest.approx(0.5611, abs=5e-5)
    p = 0.1
    standardised = 0.5 * (1 + (p * 0.166 - p**2 / 2) / (p - p**2 / 2))
    assert partial_auc_score(y, scores) == pytest.approx(standardised)


def test_chance_is_one_half_or_half_of_the_false_positive_rate():
    rng = np.random.default_rng(0)
    y, scores = np.repeat([1, -1], 20000), rng.normal(size=40000)
    assert partial_auc_score(y, scores) == pytest.approx(0.5, abs=0.01)
    assert partial_auc_score(y, scores, convention="mean") == pytest.approx(0.05, abs=0.01)


def test_average_precision_of_a_ranking_worked_by_hand():
    # The order from the least normal clip: anomaly, normal, anomaly. Precision is 1 at recall 1/2, and 2/3 at recall 1.
    assert anomaly_average_precision_score([-1, 1, -1, 1], [0.0, 1.0, 2.0, 3.0]) == pytest.approx(
        (1 + 2 / 3) / 2
    )


def test_average_precision_is_scikit_learns_with_the_anomaly_as_the_positive_class():
    y, scores = some_scores()
    value = anomaly_average_precision_score(y, scores)
    assert value == pytest.approx(average_precision_score(y == -1, -scores))
    assert value != pytest.approx(average_precision_score(y == 1, scores))


def test_the_true_positive_rate_is_the_best_that_the_false_alarms_allow():
    # 20 normal clips lie at 1 to 20. Anomalies lie below all, between the first and second, and between 10 and 11.
    y, scores = [1] * 20 + [-1] * 3, [*np.arange(1.0, 21.0), 0.0, 1.5, 10.5]
    assert tpr_at_fpr_score(y, scores, max_fpr=0) == pytest.approx(1 / 3)
    assert tpr_at_fpr_score(y, scores, max_fpr=0.049) == pytest.approx(1 / 3)
    assert tpr_at_fpr_score(y, scores, max_fpr=0.05) == pytest.approx(2 / 3)
    assert tpr_at_fpr_score(y, scores) == pytest.approx(2 / 3)
    assert tpr_at_fpr_score(y, scores, max_fpr=0.5) == 1


def test_an_anomaly_tied_with_a_normal_clip_is_not_found_without_its_false_alarm():
    assert tpr_at_fpr_score([1, 1, -1, -1], [1.0, 5.0, 1.0, 0.0], max_fpr=0.4) == 0.5


def test_binary_rounding_does_not_reject_a_rate_that_equals_the_limit():
    # 29 of 100 normal clips lie below the anomaly.
    y, scores = [1] * 100 + [-1], [*np.arange(100.0), 28.5]
    assert tpr_at_fpr_score(y, scores, max_fpr=0.29) == 1
    assert tpr_at_fpr_score(y, scores, max_fpr=0.28) == 0


def test_f_beta_counts_anomalies_as_the_positive_class():
    y_true = [1] * 6 + [-1] * 4
    y_pred = [1, 1, 1, 1, -1, -1, -1, -1, -1, 1]  # precision 3/5, recall 3/4
    assert anomaly_fbeta_score(y_true, y_pred) == pytest.approx(2 * 0.6 * 0.75 / (0.6 + 0.75))
    assert anomaly_fbeta_score(y_true, y_pred, beta=2) == pytest.approx(5 * 0.6 * 0.75 / (4 * 0.6 + 0.75))
    assert anomaly_fbeta_score(y_true, [1] * 10) == 0
    assert anomaly_fbeta_score(y_true, y_true) == 1


@pytest.mark.parametrize(
    ("y_true", "y_pred", "message"),
    [
        ([0, 1], [1, -1], r"^y_true must hold 1 for normal"),
        ([1, -1], [-0.3, -2.0], r"^y_pred must hold 1 for normal.*got the labels \[-0.3, -2.0\]"),
        ([1, 1], [1, -1], r"holds no anomalous \(-1\) clip"),
        ([1, -1], [1, -1, 1], "inconsistent numbers of samples"),
    ],
)
def test_wrong_decisions_are_refused(y_true, y_pred, message):
    with pytest.raises(ValueError, match=message):
        anomaly_fbeta_score(y_true, y_pred)


@pytest.mark.parametrize(
    ("metric", "settings", "name"),
    [
        (tpr_at_fpr_score, {"max_fpr": 1.5}, "max_fpr"),
        (tpr_at_fpr_score, {"max_fpr": -0.1}, "max_fpr"),
        (anomaly_fbeta_score, {"beta": 0}, "beta"),
    ],
)
def test_a_parameter_out_of_range_is_named(metric, settings, name):
    with pytest.raises(ValueError, match=f"^{name} must"):
        metric([1, -1], [1, -1], **settings)


def test_the_separation_ratio_is_the_ratio_of_the_mean_errors():
    # published errors: 0.0142 and 0.0685
    y = [1, 1, -1, -1]
    assert separation_ratio(y, [-0.0132, -0.0152, -0.0600, -0.0770]) == pytest.approx(0.0685 / 0.0142)
    assert separation_ratio(y, [-2.0, -2.0, -2.0, -2.0]) == 1
    assert separation_ratio(y, [0.0, 0.0, 0.0, -1.0]) == np.inf


def test_a_separation_ratio_needs_errors():
    with pytest.raises(ValueError, match=r"no score may be positive, got a score of 0.5.*anomaly_auc_score"):
        separation_ratio([1, -1], [0.5, -1.0])
    with pytest.raises(ValueError, match="all scores are 0, so their ratio is not defined"):
        separation_ratio([1, -1], [0.0, 0.0])


def test_the_harmonic_mean_is_scipys_and_zeros_count_as_epsilon():
    values = np.random.default_rng(0).uniform(0.3, 1, 12)
    assert harmonic_mean_score(values) == pytest.approx(hmean(values))
    assert harmonic_mean_score([0.5, 1.0]) == pytest.approx(2 / 3)
    assert harmonic_mean_score([0.0, 1.0]) == pytest.approx(2 * np.finfo(float).eps)


@pytest.mark.parametrize(
    ("values", "message"),
    [([], "0 sample"), ([-0.1, 1], "negative for a harmonic mean, got -0.1"), ([np.nan], "contains NaN")],
)
def test_a_harmonic_mean_of_no_value_or_of_a_wrong_value_is_refused(values, message):
    with pytest.raises(ValueError, match=message):
        harmonic_mean_score(values)


METRICS = {
    "auc": anomaly_auc_score,
    "partial_auc": partial_auc_score,
    "average_precision": anomaly_average_precision_score,
    "tpr_at_fpr": tpr_at_fpr_score,
    "separation_ratio": separation_ratio,
    "bootstrap": lambda y, s: bootstrap_interval(anomaly_auc_score, y, s),
}


@pytest.mark.parametrize("metric", list(METRICS.values()), ids=list(METRICS))
@pytest.mark.parametrize(
    ("y", "scores", "message"),
    [
        ([0, 1, 1], [1.0, 2.0, 3.0], r"1 for normal and -1 for anomalous clips, got the labels \[0, 1\]"),
        (["normal", "fault"], [1.0, 2.0], r"got the labels \['fault', 'normal'\]"),
        ([1, -1, 2], [1.0, 2.0, 3.0], r"got the labels \[-1, 1, 2\]"),
        ([1, 1], [1.0, 2.0], r"holds no anomalous \(-1\) clip"),
        ([-1, -1], [1.0, 2.0], r"holds no normal \(1\) clip"),
        ([1, -1], [1.0, np.nan], "scores contains NaN"),
        ([1, -1, 1], [1.0, 2.0], "inconsistent numbers of samples"),
    ],
)
def test_wrong_labels_and_scores_are_refused(metric, y, scores, message):
    with pytest.raises(ValueError, match=message):
        metric(y, scores)


def test_the_error_about_too_few_normal_clips_says_the_minimum():
    with pytest.raises(
        ValueError, match=r"9 normal clips are too few for max_fpr=0.1: at least 10 are needed"
    ):
        partial_auc_score([1] * 9 + [-1], np.arange(10.0), convention="mean")


@pytest.mark.parametrize(
    ("settings", "name"),
    [({"max_fpr": 0}, "max_fpr"), ({"max_fpr": 1.1}, "max_fpr"), ({"convention": "dcase"}, "conv")],
)
def test_a_parameter_of_partial_auc_out_of_range_is_named(settings, name):
    with pytest.raises(ValueError, match=f"^{name}.* must"):
        partial_auc_score(*some_scores(), **settings)
