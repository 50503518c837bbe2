"""The promise of `ConformalThreshold`, by the formula and by simulation."""

import numpy as np
import pytest
from scipy import stats

from skaudio_ad import ConformalThreshold, QuantileThreshold

from .simulated import distances


@pytest.mark.parametrize(
    ("n", "alpha", "k"),
    [(19, 0.05, 1), (38, 0.05, 1), (39, 0.05, 2), (4, 0.2, 1), (99, 0.1, 10), (9, 0.55, 5)],
)
def test_the_threshold_is_the_kth_smallest_score(n, alpha, k):
    scores = np.random.default_rng(n).permutation(n) + 1.0
    selector = ConformalThreshold(alpha).fit(scores)
    assert selector.threshold_ == k
    assert selector.false_alarm_rate_ == k / (n + 1) <= alpha
    assert selector.promise_ == "guaranteed on average"
    assert f"every rank among {n} scores" in selector.promise_reason_
    np.testing.assert_array_equal(selector.calibration_scores_, np.arange(1.0, n + 1))


@pytest.mark.parametrize(
    ("alpha", "n_needed"), [(0.05, 19), (0.01, 99), (0.001, 999), (0.2, 4), (0.3, 3), (0.07, 14)]
)
def test_too_few_clips_raise_an_error_with_the_needed_number_and_this_number_is_enough(alpha, n_needed):
    with pytest.raises(
        ValueError, match=rf"alpha={alpha} takes .* at least {n_needed} normal clips, got {n_needed - 1}:"
    ):
        ConformalThreshold(alpha).fit(np.arange(n_needed - 1.0))
    assert ConformalThreshold(alpha).fit(np.arange(float(n_needed))).threshold_ == 0


@pytest.mark.parametrize("alpha", [1 - 1e-12, 0.999])
def test_a_rate_of_nearly_one_takes_the_largest_score(alpha):
    selector = ConformalThreshold(alpha).fit([3.0, 1.0, 2.0])
    assert (selector.threshold_, selector.false_alarm_rate_) == (3.0, 0.75)
    assert selector.predict([2.9, 3.0]).tolist() == [-1, 1]


@pytest.mark.parametrize("n", [59, 60, 92, 93, 200, 1000])
@pytest.mark.parametrize(("alpha", "confidence"), [(0.05, 0.95), (0.1, 0.9), (0.1, 0.999), (0.5, 0.3)])
def test_with_confidence_the_threshold_is_the_highest_score_whose_beta_law_allows_it(n, alpha, confidence):
    selector = ConformalThreshold(alpha, confidence=confidence)
    allowed = stats.beta.cdf(alpha, np.arange(1, n + 1), np.arange(n, 0, -1)) >= confidence
    if not allowed.any():
        with pytest.raises(ValueError, match="takes the scores of at least"):
            selector.fit(np.arange(float(n)))
        return
    k = np.flatnonzero(allowed)[-1] + 1
    selector.fit(np.random.default_rng(0).permutation(n) + 1.0)
    assert selector.threshold_ == k
    assert selector.promise_ == "guaranteed"
    assert f"rank {k} of {n}" in selector.promise_reason_
    # The promised rate follows from the same law.
    assert stats.beta.cdf(selector.false_alarm_rate_, k, n + 1 - k) == pytest.approx(confidence)
    assert selector.false_alarm_rate_ <= alpha


@pytest.mark.parametrize(
    ("alpha", "confidence", "n_needed"),
    [(0.05, 0.95, 59), (0.1, 0.95, 29), (0.05, 0.99, 90), (0.01, 0.95, 299)],
)
def test_with_confidence_too_few_clips_raise_an_error_with_the_needed_number(alpha, confidence, n_needed):
    # Wilks 1941: 59 clips for a 95 % limit of the lowest 5 % of a distribution.
    with pytest.raises(ValueError, match=rf"at least {n_needed} normal clips, got {n_needed - 1}\.") as error:
        ConformalThreshold(alpha, confidence=confidence).fit(np.arange(n_needed - 1.0))
    assert ConformalThreshold(alpha, confidence=confidence).fit(np.arange(float(n_needed))).threshold_ == 0
    recommended = float(str(error.value).split(", alpha=")[1].split(" ")[0])
    ConformalThreshold(recommended, confidence=confidence).fit(np.arange(n_needed - 1.0))


@pytest.mark.parametrize("shape", ["normal", "ties"])
def test_with_confidence_this_fraction_of_the_thresholds_has_a_rate_of_at_most_alpha(shape):
    rng = np.random.default_rng(0)
    rates = {None: [], 0.9: []}
    for _ in range(300):
        scores = rng.normal(size=100) if shape == "normal" else rng.poisson(3.0, 100).astype(float)
        for confidence, found in rates.items():
            threshold = ConformalThreshold(0.1, confidence=confidence).fit(scores).threshold_
            law = stats.norm.cdf(threshold) if shape == "normal" else stats.poisson(3.0).cdf(threshold - 1)
            found.append(law)
    kept = np.mean(np.array(rates[0.9]) <= 0.1)
    assert kept >= 0.9 - 4 * np.sqrt(0.09 / 300)
    if shape == "normal":
        assert (
            np.mean(np.array(rates[None]) <= 0.1) < 0.65
        )  # without confidence, about half of the thresholds keep the rate
        assert kept < 0.99  # the threshold is no more careful than requested


def test_with_confidence_p_values_stay_the_same():
    scores = np.random.default_rng(0).normal(size=100)
    new = np.linspace(-3, 3, 20)
    np.testing.assert_array_equal(
        ConformalThreshold(confidence=0.95).fit(scores).p_values(new),
        ConformalThreshold().fit(scores).p_values(new),
    )


@pytest.mark.parametrize("confidence", [0, 1, -0.1])
def test_a_confidence_out_of_range_is_refused(confidence):
    with pytest.raises(ValueError, match="confidence must lie in"):
        ConformalThreshold(confidence=confidence).fit(np.arange(100.0))


@pytest.mark.parametrize("n", [1, 6, 12, 18])
def test_the_rate_that_the_message_recommends_is_enough(n):
    with pytest.raises(ValueError, match="or alpha=") as error:
        ConformalThreshold(0.05).fit(np.arange(float(n)))
    alpha = float(str(error.value).split("or alpha=")[1].split(" ")[0])
    assert ConformalThreshold(alpha).fit(np.arange(float(n))).false_alarm_rate_ == 1 / (n + 1)


def test_p_values_by_hand():
    selector = ConformalThreshold(0.25).fit([3.0, 1.0, 2.0, 2.0])
    # (1 + number of scores at or below) / 5
    p_values = selector.p_values([0.0, 1.0, 1.5, 2.0, 9.0, np.nan, -np.inf, np.inf])
    np.testing.assert_array_equal(p_values, [0.2, 0.4, 0.4, 0.8, 1.0, np.nan, 0.2, 1.0])


def test_p_values_agree_with_scipys_permutation_formula():
    rng = np.random.default_rng(0)
    normal, new = rng.normal(size=57), rng.normal(size=20)
    expected = 1 - stats.percentileofscore(-normal, -new, kind="strict") / 100  # scores at or below
    np.testing.assert_allclose(
        ConformalThreshold().fit(normal).p_values(new), (1 + 57 * expected) / 58, rtol=1e-12
    )


@pytest.mark.parametrize("decimals", [8, 1, 0], ids=["distinct", "some ties", "many ties"])
@pytest.mark.parametrize("alpha", [0.05, 0.1, 0.33, 0.5])
def test_a_clip_is_anomalous_exactly_if_its_p_value_is_at_most_alpha(alpha, decimals):
    rng = np.random.default_rng(0)
    selector = ConformalThreshold(alpha).fit(rng.normal(size=59).round(decimals))
    new = np.append(rng.normal(size=500).round(decimals), selector.calibration_scores_)
    np.testing.assert_array_equal(selector.predict(new) == -1, selector.p_values(new) <= alpha + 1e-12)


@pytest.mark.parametrize("n", [25, 99])
@pytest.mark.parametrize("shape", ["normal", "cauchy", "uniform", "ties"])
def test_over_500_draws_no_distribution_raises_more_false_alarms_than_promised(shape, n):
    rng = np.random.default_rng(0)
    draw = {
        "normal": lambda size: rng.normal(-3, 2, size),
        "cauchy": lambda size: rng.standard_cauchy(size),
        "uniform": lambda size: rng.uniform(size=size),
        "ties": lambda size: rng.poisson(2.0, size).astype(float),
    }[shape]
    alarms, promise = [], None
    for _ in range(500):
        selector = ConformalThreshold(0.1).fit(draw(n))
        alarms.append(np.mean(draw(200) < selector.threshold_))
        promise = selector.false_alarm_rate_
    # The rate of a draw has a beta distribution with k and n + 1 - k, and 200 clips show it with binomial noise:
    # the bound is four standard errors of the mean of 500 of them.
    k = round(promise * (n + 1))
    deviation = np.sqrt(stats.beta(k, n + 1 - k).var() + promise * (1 - promise) / 200)
    margin = 4 * deviation / np.sqrt(500)
    assert np.mean(alarms) < promise + margin
    if shape != "ties":
        assert np.mean(alarms) > promise - margin  # fewer alarms would mean missed anomalies


def test_over_500_draws_a_nearest_neighbour_keeps_the_promise_out_of_sample_and_breaks_it_in_sample():
    # 500 detectors: 38 clips of 16 values, 19 to train on and 19 to calibrate; 40 new ones to be judged.
    rng = np.random.default_rng(0)
    train, calibration, new = (rng.normal(size=(500, n, 16)) for n in (19, 19, 40))
    scores = {
        name: -distances(points, train).min(axis=2)
        for name, points in {"in": train, "out": calibration, "new": new}.items()
    }
    # Leave one out: a detector with all 38 clips scores each clip without itself.
    both = np.concatenate([train, calibration], axis=1)
    among = distances(both, both)
    among[:, np.arange(38), np.arange(38)] = np.inf
    scores["loo"] = -among.min(axis=2)
    scores["new to both"] = -distances(new, both).min(axis=2)

    def false_alarms(selector, calibration, new):
        return np.mean(
            [np.mean(selector.fit(c).predict(n) == -1) for c, n in zip(scores[calibration], scores[new])]
        )

    # beta(1, 19) has the deviation 0.048, 40 clips add 0.034: four standard errors are 0.0105.
    assert false_alarms(ConformalThreshold(0.05), "out", "new") == pytest.approx(0.05, abs=0.0105)
    assert false_alarms(ConformalThreshold(0.05), "loo", "new to both") < 0.05 + 0.0105
    # Every training clip has the distance 0 from itself. Therefore no new clip is normal.
    assert false_alarms(QuantileThreshold(0.05), "in", "new") > 0.99
    assert false_alarms(ConformalThreshold(0.05), "in", "new") > 0.99
