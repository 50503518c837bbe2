"""Selectors, compared with results by hand, by SciPy and by scikit-learn."""

import numpy as np
import pytest
from scipy import stats
from sklearn.base import clone
from sklearn.metrics import fbeta_score, roc_curve
from sklearn.utils.estimator_checks import (
    check_estimator_cloneable,
    check_get_params_invariance,
    check_no_attributes_set_in_init,
    check_parameters_default_constructible,
    check_set_params,
)

from skaudio_ad import (
    ConformalThreshold,
    FBetaThreshold,
    GammaThreshold,
    MeanStdThreshold,
    ParetoTailThreshold,
    QuantileThreshold,
    ROCThreshold,
)

NORMAL_ONLY = [
    ConformalThreshold(),
    QuantileThreshold(),
    MeanStdThreshold(),
    GammaThreshold(),
    ParetoTailThreshold(),
]
LABELLED = [ROCThreshold(), FBetaThreshold()]
SELECTORS = [*NORMAL_ONLY, *LABELLED]


def name(selector):
    return type(selector).__name__


every_selector = pytest.mark.parametrize("selector", SELECTORS, ids=name)
normal_only = pytest.mark.parametrize("selector", NORMAL_ONLY, ids=name)
labelled = pytest.mark.parametrize("selector", LABELLED, ids=name)


def some_scores(n_normal=200, n_anomalous=20, seed=0):
    """Scores and labels like those of a detector that measures distances."""
    rng = np.random.default_rng(seed)
    scores = -np.concatenate([rng.gamma(3.0, size=n_normal), rng.gamma(3.0, size=n_anomalous) + 3])
    return scores, np.repeat([1, -1], [n_normal, n_anomalous])


@every_selector
@pytest.mark.parametrize(
    "check",
    [
        check_estimator_cloneable,
        check_get_params_invariance,
        check_no_attributes_set_in_init,
        check_parameters_default_constructible,
        check_set_params,
    ],
    ids=lambda check: check.__name__,
)
def test_scikit_learns_checks_that_need_no_matrix_pass(selector, check):
    check(name(selector), selector)


@every_selector
def test_fit_returns_the_selector_and_a_plain_float_and_leaves_parameters_and_scores_alone(selector):
    scores, y = some_scores()
    selector, before, given = clone(selector), selector.get_params(), scores.copy()
    assert selector.fit(scores, y) is selector
    assert type(selector.threshold_) is float
    assert np.isfinite(selector.threshold_)
    assert selector.get_params() == before
    np.testing.assert_array_equal(scores, given)
    with pytest.raises(AttributeError):
        clone(selector).threshold_  # noqa: B018


@every_selector
def test_a_clip_at_or_above_the_threshold_is_normal_and_a_clip_without_a_score_is_not(selector):
    selector = clone(selector).fit(*some_scores())
    threshold = selector.threshold_
    below = np.nextafter(threshold, -np.inf)
    scores = [threshold, below, np.nan, np.inf, -np.inf]
    assert selector.predict(scores).tolist() == [1, -1, -1, 1, -1]


@normal_only
def test_selectors_of_normal_clips_leave_anomalous_clips_out(selector):
    scores, y = some_scores()
    with_labels = clone(selector).fit(scores, y)
    assert with_labels.threshold_ == clone(selector).fit(scores[y == 1]).threshold_
    assert with_labels.threshold_ == clone(selector).fit(scores[y == 1], np.ones(200)).threshold_


@every_selector
def test_the_order_of_the_clips_does_not_matter(selector):
    scores, y = some_scores()
    shuffled = np.random.default_rng(1).permutation(len(y))
    expected = clone(selector).fit(scores, y).threshold_
    assert clone(selector).fit(scores[shuffled], y[shuffled]).threshold_ == pytest.approx(expected, rel=1e-6)


@every_selector
@pytest.mark.parametrize("unit", [1e-6, 1e6])
def test_the_unit_of_the_scores_does_not_matter(selector, unit):
    scores, y = some_scores()
    expected = clone(selector).fit(scores, y).threshold_
    assert clone(selector).fit(scores * unit, y).threshold_ == pytest.approx(expected * unit, rel=1e-6)


@every_selector
@pytest.mark.parametrize(
    ("scores", "message"),
    [
        ([-1.0, np.nan, np.nan], r"2 of 3 scores are NaN, .* leave them out"),
        ([-1.0, -np.inf], r"scores must be finite, got -inf"),
        ([-1.0, np.inf], r"scores must be finite, got inf"),
        ([], r"scores is empty"),
        ([[-1.0, -2.0]], r"scores must have the shape \(n_clips,\), got \(1, 2\): pass score_samples"),
        (-1.0, r"scores must have the shape \(n_clips,\), got \(\)"),
    ],
    ids=["nan", "-inf", "inf", "empty", "matrix", "number"],
)
def test_bad_scores_are_refused_with_the_reason(selector, scores, message):
    with pytest.raises(ValueError, match=message):
        clone(selector).fit(scores)


@every_selector
@pytest.mark.parametrize("scores", [["a", "b"], [True, False], [1j, 2j], [None, 1.0]])
def test_scores_that_are_not_numbers_are_refused(selector, scores):
    with pytest.raises(TypeError, match="scores must be real numbers, got the dtype"):
        clone(selector).fit(scores)


@every_selector
def test_labels_of_another_coding_or_number_are_refused(selector):
    scores, y = some_scores()
    with pytest.raises(
        ValueError, match=r"y must hold 1 for normal and -1 for anomalous clips, got .*\[0, 1\]"
    ):
        clone(selector).fit(scores, (y == 1).astype(int))
    with pytest.raises(ValueError, match=r"y must have one label a score: got 5 for 220 scores"):
        clone(selector).fit(scores, y[:5])


@every_selector
def test_anomalous_clips_alone_are_refused(selector):
    with pytest.raises(ValueError, match="y holds no normal clip"):
        clone(selector).fit([-1.0, -2.0], [-1, -1])


@labelled
@pytest.mark.parametrize("y", [None, [1, 1, 1]], ids=["none", "ones"])
def test_a_selector_with_labels_refuses_to_fit_without_anomalous_clips(selector, y):
    with pytest.raises(
        ValueError, match=r"Threshold needs anomalous clips: pass y with -1 .* ConformalThreshold"
    ):
        clone(selector).fit([-1.0, -2.0, -3.0], y)


@every_selector
def test_an_unfitted_selector_does_not_decide(selector):
    with pytest.raises(ValueError, match="not fitted"):
        clone(selector).predict([1.0])


@every_selector
def test_decisions_need_scores_too(selector):
    with pytest.raises(ValueError, match=r"scores must have the shape \(n_clips,\), got \(2, 1\)"):
        clone(selector).fit(*some_scores()).predict([[1.0], [2.0]])


@pytest.mark.parametrize(
    ("selector", "message"),
    [
        (QuantileThreshold(), "QuantileThreshold needs the scores of 2 normal clips"),
        (MeanStdThreshold(), "MeanStdThreshold needs the scores of 2 normal clips"),
        (GammaThreshold(), "GammaThreshold needs the scores of 2 normal clips"),
        (ParetoTailThreshold(), "ParetoTailThreshold needs the scores of 2 normal clips"),
        (ConformalThreshold(), r"alpha=0.05 takes the scores of at least 19 normal clips, got 1"),
    ],
    ids=lambda value: name(value) if hasattr(value, "fit") else "",
)
def test_one_score_is_too_few(selector, message):
    with pytest.raises(ValueError, match=message):
        clone(selector).fit([-1.0])


@pytest.mark.parametrize("selector", [MeanStdThreshold(), GammaThreshold(), ParetoTailThreshold()], ids=name)
def test_equal_scores_have_no_distribution(selector):
    with pytest.raises(ValueError, match=r"all 200 normal scores are -0.1.* not trained on"):
        clone(selector).fit([-0.1] * 200)


@pytest.mark.parametrize("selector", [QuantileThreshold(), ConformalThreshold(), ROCThreshold()], ids=name)
def test_equal_scores_of_normal_clips_are_all_normal(selector):
    selector = clone(selector).fit([0.1] * 200 + [-3.0], np.repeat([1, -1], [200, 1]))
    assert selector.predict([0.1]).tolist() == [1]


def test_the_quantile_agrees_with_numpy():
    scores, y = some_scores()
    selector = QuantileThreshold(0.07).fit(scores[y == 1])
    assert selector.threshold_ == pytest.approx(np.quantile(scores[y == 1], 0.07), rel=1e-12)
    assert (selector.false_alarm_rate_, selector.promise_) == (0.07, "estimated")


def test_deviations_below_the_mean_agree_with_results_by_hand():
    # mean 3, deviation sqrt(10 / 4)
    assert MeanStdThreshold(0).fit([1, 2, 3, 4, 5]).threshold_ == 3
    assert MeanStdThreshold(2).fit([1, 2, 3, 4, 5]).threshold_ == pytest.approx(3 - 2 * np.sqrt(2.5))


@pytest.mark.parametrize(("n_deviations", "expected"), [(0, 0.5), (1, 0.158655), (3, 0.00134990)])
def test_with_many_scores_the_rate_of_mean_and_deviation_is_the_normal_distributions(n_deviations, expected):
    scores = np.random.default_rng(0).normal(size=1_000_000)
    selector = MeanStdThreshold(n_deviations).fit(scores)
    assert selector.false_alarm_rate_ == pytest.approx(expected, rel=1e-4)
    assert np.mean(selector.predict(scores) == -1) == pytest.approx(expected, rel=0.1)


def test_with_few_normally_distributed_scores_the_rate_of_mean_and_deviation_is_kept_too():
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(4000, 6))
    selectors = [MeanStdThreshold(2).fit(row) for row in scores]
    rate = np.mean(stats.norm.cdf([selector.threshold_ for selector in selectors]))
    # 4000 thresholds whose rates deviate by 0.08: 4 standard errors are 0.005
    assert selectors[0].false_alarm_rate_ == pytest.approx(rate, abs=0.005)
    assert selectors[0].promise_ == "estimated"


def test_the_gamma_distribution_agrees_with_scipy():
    scores, y = some_scores()
    shape, _, scale = stats.gamma.fit(-scores[y == 1], floc=0)
    selector = GammaThreshold().fit(scores, y)
    assert (selector.shape_, selector.scale_) == (
        pytest.approx(shape, rel=1e-6),
        pytest.approx(scale, rel=1e-6),
    )
    assert -selector.threshold_ == pytest.approx(stats.gamma.ppf(0.9, shape, scale=scale), rel=1e-6)
    assert (selector.false_alarm_rate_, selector.promise_) == (0.1, "estimated")


@pytest.mark.parametrize("alpha", [0.1, 0.01])
def test_the_gamma_threshold_keeps_its_rate_if_errors_have_a_gamma_distribution(alpha):
    errors = np.random.default_rng(0).gamma(2.5, 0.01, size=20_000)
    selector = GammaThreshold(alpha).fit(-errors)
    assert stats.gamma.sf(-selector.threshold_, 2.5, scale=0.01) == pytest.approx(alpha, rel=0.05)


@pytest.mark.parametrize("highest", [0.0, 2.5])
def test_the_gamma_distribution_refuses_scores_of_0_or_more_and_names_other_selectors(highest):
    with pytest.raises(ValueError, match=rf"needs scores below 0, .* up to {highest:g}\. ConformalThreshold"):
        GammaThreshold().fit([-1.0, -2.0, highest])


def test_nearly_equal_errors_still_have_a_gamma_distribution():
    errors = 1 + 1e-6 * np.random.default_rng(0).normal(size=100)
    threshold = GammaThreshold().fit(-errors).threshold_
    assert 1 < -threshold < 1 + 1e-5


@pytest.mark.parametrize("shift", [-100.0, 0.0, 100.0])
def test_the_tail_is_extrapolated_for_scores_of_any_sign(shift):
    # exponential errors: P(error > t) = exp(-t), so the shape is 0
    errors = np.random.default_rng(0).exponential(size=20_000)
    selector = ParetoTailThreshold(0.001).fit(shift - errors)
    assert selector.n_exceedances_ == 2000
    assert selector.tail_start_ == pytest.approx(shift - np.log(10), abs=0.05)
    assert selector.shape_ == pytest.approx(0, abs=0.06)
    assert selector.scale_ == pytest.approx(1, abs=0.06)
    assert np.exp(selector.threshold_ - shift) == pytest.approx(0.001, rel=0.2)
    assert (selector.false_alarm_rate_, selector.promise_) == (0.001, "estimated")


@pytest.mark.parametrize("distribution", ["norm", "uniform", "t(4)"])
def test_a_tail_from_100_clips_has_at_most_1_8_times_the_requested_false_alarms(distribution):
    distribution = {"norm": stats.norm(), "uniform": stats.uniform(), "t(4)": stats.t(4)}[distribution]
    errors = distribution.rvs((40, 100), random_state=0)
    rates = [distribution.sf(-ParetoTailThreshold(0.01).fit(-row).threshold_) for row in errors]
    assert 0.005 < np.mean(rates) < 0.018


@pytest.mark.parametrize(("n", "tail_fraction", "n_tail", "needed"), [(99, 0.1, 9, 100), (30, 0.2, 6, 50)])
def test_a_tail_that_is_too_short_says_how_many_clips_are_needed(n, tail_fraction, n_tail, needed):
    scores = np.random.default_rng(0).normal(size=n)
    selector = ParetoTailThreshold(tail_fraction=tail_fraction)
    with pytest.raises(
        ValueError, match=rf"needs 10 .*, got {n_tail} of n_samples={n}.* Pass {needed} normal"
    ):
        selector.fit(scores)
    assert selector.fit(np.random.default_rng(0).normal(size=needed)).n_exceedances_ == 10


def test_equal_scores_are_no_tail():
    scores = np.repeat([0.0, -1.0], [170, 30])
    with pytest.raises(ValueError, match=r"got 0 of n_samples=200.*all with different scores"):
        ParetoTailThreshold().fit(scores)


def test_a_quantile_among_the_scores_is_no_tail():
    with pytest.raises(
        ValueError, match=r"alpha must be smaller than tail_fraction=0.1, got 0.1: .* Conformal"
    ):
        ParetoTailThreshold(0.1).fit(np.arange(200.0))


def rates(threshold, scores, y):
    alarms = scores < threshold
    return alarms[y == 1].mean(), alarms[y == -1].mean()


def roc(scores, y):
    """All pairs of rates by scikit-learn, which counts a score at the threshold as an alarm."""
    fpr, tpr, _ = roc_curve(y, -scores, pos_label=-1, drop_intermediate=False)
    return fpr, tpr


@pytest.mark.parametrize("decimals", [8, 0], ids=["distinct", "ties"])
@pytest.mark.parametrize("seed", range(3))
def test_points_of_the_curve_are_the_best_of_all_that_scikit_learn_finds(seed, decimals):
    scores, y = some_scores(40, 15, seed)
    scores = scores.round(decimals)
    fpr, tpr = roc(scores, y)
    found = {
        "closest": np.hypot(fpr, 1 - tpr).min(),
        "youden": (tpr - fpr).max(),
        "tpr": fpr[tpr >= 0.8].min(),
        "fpr": tpr[fpr <= 0.1].max(),
    }
    for criterion, best in found.items():
        selector = ROCThreshold(criterion).fit(scores, y)
        false_alarms, detected = rates(selector.threshold_, scores, y)
        assert (selector.false_alarm_rate_, selector.detection_rate_) == (false_alarms, detected)
        assert selector.promise_ == "observed"
        reached = {
            "closest": np.hypot(false_alarms, 1 - detected),
            "youden": detected - false_alarms,
            "tpr": false_alarms,
            "fpr": detected,
        }[criterion]
        assert reached == pytest.approx(best)
        if criterion == "tpr":
            assert detected >= 0.8
        if criterion == "fpr":
            assert false_alarms <= 0.1


@pytest.mark.parametrize("decimals", [8, 0], ids=["distinct", "ties"])
@pytest.mark.parametrize("beta", [0.5, 1, 2])
def test_the_largest_f_beta_is_the_largest_of_all_that_scikit_learn_finds(beta, decimals):
    scores, y = some_scores(40, 15)
    scores = scores.round(decimals)
    every = [
        fbeta_score(y, np.where(scores <= score, -1, 1), beta=beta, pos_label=-1)
        for score in np.unique(scores)
    ]
    selector = FBetaThreshold(beta).fit(scores, y)
    reached = fbeta_score(y, selector.predict(scores), beta=beta, pos_label=-1)
    assert reached == pytest.approx(max(every))
    assert selector.fbeta_ == pytest.approx(reached)
    assert (selector.false_alarm_rate_, selector.detection_rate_) == rates(selector.threshold_, scores, y)
    assert selector.promise_ == "observed"


@pytest.mark.parametrize(
    "selector", [*(ROCThreshold(c) for c in ("closest", "youden", "tpr", "fpr")), FBetaThreshold()], ids=str
)
def test_a_threshold_between_two_kinds_that_are_apart_lies_in_the_middle(selector):
    scores, y = np.array([4.0, 3.0, 1.0, 0.0]), np.array([1, 1, -1, -1])
    if getattr(selector, "criterion", "") == "tpr":
        selector = ROCThreshold("tpr", value=1.0)
    assert selector.fit(scores, y).threshold_ == 2.0


@pytest.mark.parametrize(
    ("value", "detected", "alarms"), [(0.2, 0.25, 0), (0.25, 0.25, 0), (0.3, 0.5, 0), (1, 1, 0.5)]
)
def test_the_wanted_rate_of_detections_is_reached_by_hand(value, detected, alarms):
    scores, y = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [-1, -1, 1, -1, -1, 1]
    selector = ROCThreshold("tpr", value=value).fit(scores, y)
    assert (selector.detection_rate_, selector.false_alarm_rate_) == (detected, alarms)


@pytest.mark.parametrize(
    ("value", "detected", "alarms"), [(0, 0.5, 0), (0.49, 0.5, 0), (0.5, 1, 0.5), (0.9, 1, 0.5)]
)
def test_the_wanted_rate_of_false_alarms_is_not_exceeded_by_hand(value, detected, alarms):
    scores, y = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [-1, -1, 1, -1, -1, 1]
    selector = ROCThreshold("fpr", value=value).fit(scores, y)
    assert (selector.detection_rate_, selector.false_alarm_rate_) == (detected, alarms)


def test_if_anomalies_score_above_all_normal_clips_no_clip_or_every_clip_is_called_anomalous():
    scores, y = np.array([1.0, 2.0, 3.0]), np.array([1, 1, -1])
    assert ROCThreshold("fpr", value=0).fit(scores, y).predict(scores).tolist() == [1, 1, 1]
    assert ROCThreshold("tpr", value=1).fit(scores, y).predict(scores).tolist() == [-1, -1, -1]


def test_two_neighbouring_floats_are_separated():
    scores = np.array([1.0, np.nextafter(1.0, 2.0)])
    assert ROCThreshold().fit(scores, [-1, 1]).predict(scores).tolist() == [-1, 1]


@pytest.mark.parametrize(
    ("selector", "message"),
    [
        (ConformalThreshold(0), "alpha must lie in"),
        (ConformalThreshold(1.0), "alpha must lie in"),
        (ConformalThreshold("auto"), "alpha must be a number"),
        (QuantileThreshold(0), "alpha must lie in"),
        (QuantileThreshold(1), "alpha must lie in"),
        (GammaThreshold(1.5), "alpha must lie in"),
        (ParetoTailThreshold(0), "alpha must lie in"),
        (ParetoTailThreshold(tail_fraction=1), "tail_fraction must lie in"),
        (MeanStdThreshold(-1), "n_deviations must lie in"),
        (MeanStdThreshold(np.inf), "n_deviations must lie in"),
        (ROCThreshold("best"), "criterion must be one of 'closest', 'youden', 'tpr', 'fpr', got 'best'"),
        (ROCThreshold("tpr", value=0), "value must lie in"),
        (ROCThreshold("fpr", value=1), "value must lie in"),
        (ROCThreshold("closest", value=0.1), "criterion='closest' takes none, got 0.1"),
        (FBetaThreshold(0), "beta must lie in"),
        (FBetaThreshold(np.inf), "beta must lie in"),
    ],
    ids=str,
)
def test_a_parameter_out_of_range_is_named(selector, message):
    with pytest.raises((ValueError, TypeError), match=message):
        selector.fit(*some_scores())
