"""Values of `promise_`, with groups and with few clips, and the false-alarm rates over many draws."""

import warnings

import numpy as np
import pytest
from sklearn.base import BaseEstimator, OutlierMixin, clone
from sklearn.frozen import FrozenEstimator
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import GroupKFold, KFold, PredefinedSplit, StratifiedKFold
from sklearn.neighbors import LocalOutlierFactor

from benchmarks.promises import RATES, detectors, simulate
from skaudio_ad import (
    ConformalThreshold,
    MeanStdThreshold,
    NormalOnlySplit,
    ROCThreshold,
    ThresholdedDetector,
)
from skaudio_ad._base import lower_quantile
from skaudio_ad.thresholds._group_conformal import fit_on_groups

from .simulated import CHEAP, decide, draw_clips, score_by_folds, simulate_ensembles

RNG = np.random.default_rng(0)
X, NEW = RNG.normal(size=(60, 4)), RNG.normal(size=(200, 4))
GROUPS = np.repeat(np.arange(40), [1, 2] * 20)  # 20 groups of one clip and 20 of two
LOF = LocalOutlierFactor(5, novelty=True)
FOLDS = list(KFold(5, shuffle=True, random_state=0).split(X))


@pytest.mark.parametrize(
    ("settings", "promise", "bound", "reason"),
    [
        ({"cv": 0.5}, "guaranteed on average", 3 / 31, "was not trained on the clips that calibrate"),
        ({"cv": "prefit"}, "guaranteed on average", 6 / 61, "was not trained on the clips"),
        ({"cv": 5}, "estimated", 12 / 61 + 2 * 55 / 61 * 4 / 65, "The proved bound is 0.308"),
        ({"cv": "loo"}, "estimated", 12 / 61, "The proved bound is 0.197"),
        (
            {"cv": 5, "ensemble": False},
            "estimated",
            None,
            "trained again on all normal clips: nothing is proved",
        ),
    ],
    ids=str,
)
def test_a_promise_has_a_strength_a_bound_and_a_reason(settings, promise, bound, reason):
    detector = ThresholdedDetector(
        clone(LOF).fit(NEW), ConformalThreshold(0.1), random_state=0, **settings
    ).fit(X)
    assert (detector.promise_, detector.selector_.promise_) == (promise, promise)
    assert detector.false_alarm_bound_ == (None if bound is None else pytest.approx(bound))
    assert reason in detector.promise_reason_
    assert 0 < detector.false_alarm_rate_ <= 0.1
    assert detector.set_threshold(MeanStdThreshold()).promise_ == "estimated"
    assert "MeanStdThreshold" in detector.promise_reason_
    detector.set_threshold(-1.5)
    assert (detector.promise_, detector.promise_reason_, detector.false_alarm_rate_) == (None, None, None)


def test_a_frozen_detector_has_a_guarantee_with_any_cv():
    frozen = FrozenEstimator(clone(LOF).fit(NEW))
    detector = ThresholdedDetector(frozen, ConformalThreshold(0.1), cv=4, random_state=0).fit(X)
    assert (detector.promise_, detector.false_alarm_bound_) == ("guaranteed on average", 6 / 61)


def test_the_promise_of_a_selector_with_labels_is_observed():
    y = np.where(np.arange(60) < 50, 1, -1)
    detector = ThresholdedDetector(LOF, ROCThreshold(), random_state=0).fit(X, y)
    assert (detector.promise_, detector.false_alarm_bound_) == ("observed", None)


@pytest.mark.parametrize("n", [6, 18])
def test_with_few_clips_the_default_is_an_estimate_that_tells_the_needed_number(n):
    detector = ThresholdedDetector(clone(LOF).set_params(n_neighbors=2), random_state=0).fit(X[:n])
    assert detector.threshold_ == lower_quantile(detector.calibration_scores_)
    assert (detector.promise_, detector.false_alarm_rate_, detector.selector_) == ("estimated", 0.05, None)
    assert f"{n} normal clips calibrate, and a promise of 0.05 takes 19" in detector.promise_reason_
    assert detector.predict([[30.0] * 4]).tolist() == [-1]
    detector.set_params(selector=ConformalThreshold())
    with pytest.raises(ValueError, match=f"at least 19 normal clips, got {n}"):
        detector.fit(X[:n])


# Groups


@pytest.mark.parametrize("cv", [5, "loo", 0.5, GroupKFold(4)], ids=str)
def test_clips_of_a_group_are_held_out_together(cv):
    detector = ThresholdedDetector(GaussianMixture(random_state=0), cv=cv, random_state=0)
    detector.fit(X, groups=GROUPS)
    held_out = detector.calibration_indices_
    np.testing.assert_array_equal(detector.calibration_groups_, GROUPS[held_out])
    if cv == 0.5:
        assert set(held_out) == set(np.flatnonzero(np.isin(GROUPS, GROUPS[held_out])))
        assert len(np.unique(GROUPS[held_out])) == 20
    else:
        per_group = [np.unique(detector.calibration_folds_[group == GROUPS]) for group in range(40)]
        assert max(map(len, per_group)) == 1
        assert len(detector.detectors_) == {5: 5, "loo": 40}.get(cv, 4)


@pytest.mark.parametrize("cv", [0.5, 5, "loo"])
def test_with_groups_every_group_counts_once_however_many_clips_it_has(cv):
    detector = ThresholdedDetector(GaussianMixture(random_state=0), cv=cv, random_state=0).fit(
        X, groups=GROUPS
    )
    groups, held_out = detector.calibration_groups_, detector.calibration_scores_
    scores = detector.score_samples(NEW)
    share = [
        np.mean([held_out[groups == group][:, np.newaxis] <= scores], axis=1)[0]
        for group in np.unique(groups)
    ]
    expected = (1 + np.sum(share, axis=0)) / (1 + len(np.unique(groups)))  # Lee, Barber and Willett, 2023
    np.testing.assert_allclose(detector.p_values(NEW), expected)
    for alpha in (0.07, 0.1, 0.31):
        detector.set_threshold(ConformalThreshold(alpha))
        np.testing.assert_array_equal(detector.predict(NEW) == -1, expected <= alpha + 1e-12)
        assert alpha - 1 / (1 + len(np.unique(groups))) < detector.false_alarm_rate_ <= alpha + 1e-12
    if cv == 0.5:
        assert (detector.promise_, detector.false_alarm_bound_) == (
            "guaranteed on average",
            detector.false_alarm_rate_,
        )
    else:  # an ensemble rounds the cross-conformal p-values up to those of held-out scores
        exact = np.ones(len(NEW))
        for number, model in enumerate(detector.detectors_):
            new = model.score_samples(NEW)
            for group in np.unique(groups[detector.calibration_folds_ == number]):
                exact += np.mean(held_out[groups == group][:, np.newaxis] <= new, axis=0)
        assert (detector.p_values(NEW) >= exact / 41 - 1e-12).all()
        assert (detector.p_values(NEW) <= exact / 41 + 1 / 41 + 1e-12).all()


def test_with_one_clip_a_group_nothing_changes():
    plain = ThresholdedDetector(LOF, ConformalThreshold(0.1), cv=FOLDS).fit(X)
    grouped = ThresholdedDetector(LOF, ConformalThreshold(0.1), cv=FOLDS).fit(X, groups=np.arange(60))
    np.testing.assert_array_equal(grouped.p_values(NEW), plain.p_values(NEW))
    assert grouped.threshold_ == plain.threshold_
    assert grouped.false_alarm_rate_ == pytest.approx(plain.false_alarm_rate_)


def test_too_few_groups_raise_an_error_with_the_needed_number():
    few = np.arange(60) % 4
    with pytest.raises(
        ValueError, match=r"cv=5 takes normal clips of at least 5 groups, got 4: .* or cv=4\."
    ):
        ThresholdedDetector(LOF).fit(X, groups=few)
    with pytest.raises(ValueError, match="cv='loo' takes normal clips of at least 2 groups, got 1"):
        ThresholdedDetector(LOF, cv="loo").fit(X, groups=np.zeros(60))
    with pytest.raises(ValueError, match=r"alpha=0\.1 takes normal clips of at least 9 groups, got 4"):
        ThresholdedDetector(LOF, ConformalThreshold(0.1), cv=4).fit(X, groups=few)
    detector = ThresholdedDetector(LOF, cv=4, random_state=0).fit(X, groups=few)
    assert "4 normal groups calibrate, and a promise of 0.05 takes 19" in detector.promise_reason_
    with pytest.raises(ValueError, match="groups must have one entry a clip: got 59 for 60 clips"):
        ThresholdedDetector(LOF).fit(X, groups=np.zeros(59))


@pytest.mark.parametrize("nothing", [None, np.nan])
def test_a_clip_without_a_group_raises_an_error(nothing):
    groups = np.array([*range(59), nothing], dtype=object)
    with pytest.raises(ValueError, match=f"name a group for every clip, got {nothing} for clip 59"):
        ThresholdedDetector(LOF).fit(X, groups=groups)


def test_a_splitter_that_separates_a_group_is_refused_unless_groups_are_strata():
    with pytest.raises(ValueError, match=r"fold 0 of cv trains on clips of the group .* and tests others"):
        ThresholdedDetector(LOF, cv=FOLDS).fit(X, groups=GROUPS // 4)
    strata = NormalOnlySplit(StratifiedKFold(3, shuffle=True, random_state=0), group_role="strata")
    detector = ThresholdedDetector(LOF, cv=strata).fit(X, np.ones(60), groups=np.arange(60) % 4)
    assert detector.calibration_groups_ is None


def test_a_confidence_is_refused_with_groups():
    selector = ConformalThreshold(0.1)
    selector.confidence = 0.95
    with pytest.raises(ValueError, match=r"confidence=0\.95 counts clips that are independent"):
        fit_on_groups(selector, X[:, 0], GROUPS)


def test_clips_of_new_groups_raise_no_more_alarms_than_promised_but_many_more_without_groups():
    rates = {"groups": [], "no groups": []}
    rng = np.random.default_rng(0)
    for _ in range(150):
        centers = rng.normal(size=(70, 2))
        clips = np.repeat(centers[:30], 4, axis=0) + 0.1 * rng.normal(size=(120, 2))
        new = centers[30:] + 0.1 * rng.normal(size=(40, 2))
        for name, groups in (("groups", np.repeat(np.arange(30), 4)), ("no groups", None)):
            detector = ThresholdedDetector(Nearest(), ConformalThreshold(0.1), cv=3, random_state=0)
            rates[name].append(np.mean(detector.fit(clips, groups=groups).predict(new) == -1))
    error = np.std(rates["groups"]) / np.sqrt(150)
    assert 0.02 < np.mean(rates["groups"]) < 0.1 + 4 * error
    assert np.mean(rates["no groups"]) > 0.4


class Nearest(OutlierMixin, BaseEstimator):
    """Score a clip by minus the distance to the nearest training clip."""

    def fit(self, X, y=None):
        self.rows_ = np.asarray(X)
        return self

    def score_samples(self, X):
        return -np.linalg.norm(np.asarray(X)[:, np.newaxis] - self.rows_, axis=-1).min(axis=1)


# Warning about another scale


@pytest.mark.parametrize(
    ("name", "n", "p"),
    [
        ("EllipticEnvelope", 44, 40),
        ("Mahalanobis", 44, 40),
        ("OneClassSVM", 200, 20),
        ("PCA-whitened 1-NN", 44, 40),
    ],
)
@pytest.mark.filterwarnings("ignore:The covariance matrix associated to your dataset:UserWarning")
@pytest.mark.filterwarnings("ignore:Determinant has increased:RuntimeWarning")
def test_a_refit_with_a_wrong_rate_warns_and_an_ensemble_keeps_the_rate(name, n, p):
    rng = np.random.default_rng(0)
    data, new = rng.normal(size=(n, p)), rng.normal(size=(1000, p))
    detector = ThresholdedDetector(
        detectors(0)[name][0], ConformalThreshold(0.1), ensemble=False, random_state=0
    )
    with pytest.warns(
        UserWarning, match=r"score clips on another scale .* Pass ensemble=True, or a fraction as cv"
    ):
        refit = np.mean(detector.fit(data).predict(new) == -1)
    assert refit < 0.04 or refit > 0.4
    together = clone(detector).set_params(ensemble=True).fit(data)
    assert np.mean(together.predict(new) == -1) < 0.2
    assert np.mean(together.predict(new + 3) == -1) > 0.05


@pytest.mark.parametrize("name", ["1-NN", "IsolationForest"])
@pytest.mark.parametrize(("n", "p"), [(20, 3), (44, 40), (100, 20)])
def test_a_refit_of_detectors_that_keep_their_scale_does_not_warn(name, n, p):
    for seed in range(2):
        data = np.random.default_rng(seed).normal(size=(n, p))
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            ThresholdedDetector(
                detectors(seed)[name][0], MeanStdThreshold(), ensemble=False, random_state=0
            ).fit(data)


# Simulation. `python -m benchmarks.promises` has all sizes.

KEPT = {"ensemble": {"cv": 5}, "half": {"cv": 0.5}}
SIZES = [(44, 40, 5), (20, 3, 2)]
every_size = pytest.mark.parametrize(("n", "p", "n_folds"), SIZES, ids=["44-40", "20-3"])


def check(rows):
    assert rows
    for row in rows:
        assert row["excess"] < 4, row
        assert row["found"] > 0.01, row  # every detector finds anomalies


@every_size
@pytest.mark.parametrize("name", CHEAP)
def test_over_many_draws_no_ensemble_raises_more_false_alarms_than_promised_or_finds_nothing(
    name, n, p, n_folds
):
    # A mixture is fitted for every draw and fold, which takes most of the time.
    rows = simulate_ensembles(name, n, p, n_folds, n_draws=200 if name == "GaussianMixture" else 500)
    assert len(rows) == 2
    check(rows)


@every_size
@pytest.mark.parametrize("name", CHEAP)
def test_the_simulated_ensembles_decide_as_the_thresholded_detector(name, n, p, n_folds):
    clips, new, folds = draw_clips(n, p, n_folds, n_draws=3)
    held_out, by_model = score_by_folds(name, clips, new, folds)
    for draw in range(3):
        detector = ThresholdedDetector(detectors(0)[name][0], cv=PredefinedSplit(folds)).fit(clips[draw])
        for rate in RATES:
            detector.set_threshold(ConformalThreshold(rate))
            alarms, promised = decide(held_out[draw], by_model[:, draw], folds, rate)
            np.testing.assert_array_equal(detector.predict(new[draw]) == -1, alarms)
            assert detector.false_alarm_rate_ == promised


@pytest.mark.parametrize("name", CHEAP)
def test_over_100_draws_no_half_raises_more_false_alarms_than_promised_or_finds_nothing(name):
    check(simulate(name, 44, 40, 100, {"half": {"cv": 0.5}}))


@pytest.mark.parametrize(
    ("name", "n_draws"), [("IsolationForest", 6), ("EllipticEnvelope", 6), ("Autoencoder", 3)]
)
def test_over_few_draws_slow_detectors_raise_no_more_false_alarms_than_promised_or_find_nothing(
    name, n_draws
):
    check(simulate(name, 44, 40, n_draws, KEPT))
