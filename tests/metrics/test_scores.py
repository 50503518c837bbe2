"""Metrics against cases worked by hand, scikit-learn, and the formula that joins the two conventions."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from skaudio_ad.metrics import anomaly_auc_score, bootstrap_interval, partial_auc_score


def some_scores(n_normal=60, n_anomalous=40, seed=0):
    rng = np.random.default_rng(seed)
    y = np.repeat([1, -1], [n_normal, n_anomalous])
    order = rng.permutation(len(y))
    return y[order], (rng.normal(size=len(y)) + (y == 1))[order]


def test_auc_is_the_fraction_of_pairs_in_which_the_anomaly_scores_lower():
    # of the 4 pairs, only the anomaly at -0.2 against the normal at -0.3 is wrong
    assert anomaly_auc_score([1, 1, -1, -1], [-0.1, -0.3, -0.2, -0.9]) == 0.75
    assert anomaly_auc_score([1, 1, -1], [5.0, 4.0, 3.0]) == 1
    assert anomaly_auc_score([1, 1, -1], [3.0, 4.0, 5.0]) == 0
    # a tie is half a pair: (1 + 0.5) / 2
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
    # Under swapped classes it would be another number.
    if max_fpr < 1:
        assert partial_auc_score(y, scores, max_fpr=max_fpr) != pytest.approx(
            roc_auc_score(y == 1, scores, max_fpr=max_fpr)
        )


def test_partial_auc_of_the_papers_counts_wins_over_the_normal_clips_that_look_worst():
    # 10 normal clips, the 2 worst at -10 and -9; anomalies at -11 (beats both), -9.5 (one) and -1 (none)
    y = [1] * 10 + [-1] * 3
    scores = [-10.0, -9.0, *range(-8, 0), -11.0, -9.5, -1.0]
    assert partial_auc_score(y, scores, max_fpr=0.2, convention="mean") == pytest.approx(3 / 6)
    # only the normal clip at -10
    assert partial_auc_score(y, scores, max_fpr=0.1, convention="mean") == pytest.approx(1 / 3)
    # floor(0.19 * 10) = 1
    assert partial_auc_score(y, scores, max_fpr=0.19, convention="mean") == pytest.approx(1 / 3)


def test_a_tie_is_no_detection_in_the_convention_of_the_papers():
    assert partial_auc_score([1, 1, -1, -1], [1.0, 5.0, 1.0, 0.0], max_fpr=0.5, convention="mean") == 0.5


@pytest.mark.parametrize(("n_normal", "max_fpr", "n_kept"), [(30, 0.1, 3), (100, 0.29, 29), (10, 0.7, 7)])
def test_rounding_in_binary_does_not_change_how_many_normal_clips_count(n_normal, max_fpr, n_kept):
    # The anomaly beats all but the worst normal clip.
    scores = [*np.arange(n_normal, dtype=float), 0.5]
    value = partial_auc_score([1] * n_normal + [-1], scores, max_fpr=max_fpr, convention="mean")
    assert value == pytest.approx((n_kept - 1) / n_kept)


def test_the_two_conventions_of_partial_auc_agree_through_mcclishs_formula():
    # 100 normal clips at 1 to 100. Of 50 anomalies, 8 beat all of the worst ten, one beats 3, 41 none:
    # (8 * 10 + 3) / 500 = 0.166.
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


METRICS = [anomaly_auc_score, partial_auc_score, lambda y, s: bootstrap_interval(anomaly_auc_score, y, s)]


@pytest.mark.parametrize("metric", METRICS, ids=["auc", "partial_auc", "bootstrap"])
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
def test_labels_and_scores_that_cannot_be_judged_are_refused(metric, y, scores, message):
    with pytest.raises(ValueError, match=message):
        metric(y, scores)


def test_too_few_normal_clips_for_the_rate_say_how_many_are_needed():
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


def mean_gap(y, scores):
    return scores[y == 1].mean() - scores[y == -1].mean()


def test_a_bootstrap_interval_holds_the_value_itself_and_is_the_same_each_time():
    y, scores = some_scores()
    low, high = bootstrap_interval(anomaly_auc_score, y, scores, n_resamples=300)
    assert low < anomaly_auc_score(y, scores) < high
    assert (low, high) == bootstrap_interval(anomaly_auc_score, y, scores, n_resamples=300)
    assert (low, high) != bootstrap_interval(anomaly_auc_score, y, scores, n_resamples=300, random_state=1)


def test_more_confidence_makes_a_bootstrap_interval_wider():
    y, scores = some_scores()
    intervals = [bootstrap_interval(mean_gap, y, scores, confidence=c) for c in (0.5, 0.8, 0.99)]
    widths = [high - low for low, high in intervals]
    assert widths == sorted(widths)
    # Half of a normal distribution lies within 0.674 standard errors, 99 % within 2.576.
    assert widths[2] / widths[0] == pytest.approx(2.576 / 0.674, rel=0.2)


def test_a_bootstrap_interval_of_a_mean_has_the_width_of_the_textbooks():
    y, scores = some_scores(400, 400)
    low, high = bootstrap_interval(mean_gap, y, scores, n_resamples=2000)
    error = np.sqrt(scores[y == 1].var() / 400 + scores[y == -1].var() / 400)
    assert low == pytest.approx(mean_gap(y, scores) - 1.96 * error, abs=0.2 * error)
    assert high == pytest.approx(mean_gap(y, scores) + 1.96 * error, abs=0.2 * error)


def test_a_bootstrap_draws_as_many_clips_of_either_kind_as_there_are():
    counts, seen = set(), []

    def spy(y, scores):
        counts.add((np.count_nonzero(y == 1), np.count_nonzero(y == -1)))
        seen.append(sorted(scores[y == -1].tolist()))
        return 0.0

    bootstrap_interval(spy, [1, 1, 1, -1, -1], [1.0, 2.0, 3.0, -1.0, -2.0], n_resamples=200)
    assert counts == {(3, 2)}
    # With replacement: both of one, both of the other, or one of each, and no normal clip among them.
    assert {tuple(drawn) for drawn in seen} == {(-2, -2), (-2, -1), (-1, -1)}


@pytest.mark.parametrize("confidence", [0.8, 0.95])
def test_a_bootstrap_interval_holds_the_truth_about_as_often_as_it_says(confidence):
    hits = 0
    for seed in range(200):
        y, scores = some_scores(60, 60, seed)  # a true gap of 1
        low, high = bootstrap_interval(mean_gap, y, scores, confidence=confidence, n_resamples=200)
        hits += low <= 1 <= high
    # two standard errors of 200 draws, and a little less than nominal, as percentile intervals have it
    assert confidence - 0.08 <= hits / 200 <= confidence + 0.05


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"confidence": 1.0}, "confidence"),
        ({"confidence": 0}, "confidence"),
        ({"n_resamples": 0}, "n_resamples"),
    ],
)
def test_a_parameter_of_the_bootstrap_out_of_range_is_named(settings, name):
    with pytest.raises(ValueError, match=f"^{name} must"):
        bootstrap_interval(mean_gap, *some_scores(), **settings)
