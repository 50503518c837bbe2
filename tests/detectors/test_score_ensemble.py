"""`ScoreEnsemble` against slow references, the validity of its p-values, its contract and its errors."""

import copy

import numpy as np
import pytest
from joblib import parallel_config
from scipy.stats import chi2
from sklearn.base import BaseEstimator, OutlierMixin, TransformerMixin, clone
from sklearn.ensemble import IsolationForest
from sklearn.frozen import FrozenEstimator
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import GroupKFold, KFold, ShuffleSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import OneClassSVM

from skaudio_ad import (
    AutoencoderDetector,
    ConformalThreshold,
    MahalanobisDetector,
    NearestNeighborsDetector,
    NormalOnly,
    ScoreEnsemble,
    ThresholdedDetector,
)
from skaudio_ad._lazy import LazySequence
from skaudio_ad.detectors._combine_scores import COMBINATIONS, combine_p_values
from skaudio_ad.detectors._member_models import leave_one_out_scores

ALL = [(how, combination) for how, allowed in COMBINATIONS.items() for combination in allowed]


class Column(OutlierMixin, BaseEstimator):
    """Scores a clip by one of its values, and learns nothing."""

    def __init__(self, column=0):
        self.column = column

    def fit(self, X, y=None):
        self.n_features_in_ = X.shape[1]
        return self

    def score_samples(self, X):
        return np.asarray(X, dtype=np.float64)[:, self.column]


class Pooled(TransformerMixin, BaseEstimator):
    """A toy embedding of waveforms: powers of the samples, and their mean over time."""

    def __init__(self, power=1, n_features=3):
        self.power, self.n_features = power, n_features

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        return np.array([[np.mean(np.abs(x) ** (self.power + i)) for i in range(self.n_features)] for x in X])

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        return tags


def features(n_clips=24, n_features=4, seed=0):
    return np.random.default_rng(seed).normal(size=(n_clips, n_features))


def members():
    return [("nearest", NearestNeighborsDetector()), ("gauss", MahalanobisDetector()), ("svm", OneClassSVM())]


def columns(n=3):
    return [(f"column {i}", Column(i)) for i in range(n)]


def ensemble(how="zscore", combination="min", detectors=None, **settings):
    settings = {"random_state": 0, "cv": 3, **settings}
    return ScoreEnsemble(
        members() if detectors is None else detectors, calibrate=how, combine=combination, **settings
    )


def slow_calibrated(how, score, held_out, groups):
    """Calibrate one score by held-out scores, in plain loops. Every group weighs 1."""
    weights = np.array([1 / np.sum(groups == group) for group in groups])
    mean = np.sum(weights * held_out) / weights.sum()
    deviation = np.sqrt(np.sum(weights * (held_out - mean) ** 2) / weights.sum())
    if how == "zscore":
        return (score - mean) / deviation
    ends = sorted(set(held_out))
    steps = [(1 + weights[held_out < end].sum()) / (1 + weights.sum()) for end in ends]
    if score < ends[0]:
        return np.log(steps[0]) - (ends[0] - score) / deviation
    if score >= ends[-1]:
        return np.log(1 - (1 - steps[-1]) * np.exp(-(score - ends[-1]) / deviation))
    left = max(i for i, end in enumerate(ends) if end <= score)
    share = (score - ends[left]) / (ends[left + 1] - ends[left])
    return np.log(steps[left] + share * (steps[left + 1] - steps[left]))


def slow_combined(how, combination, values):
    if how == "zscore":
        anomaly = [-value for value in values]
        return -{"min": min, "max": max, "mean": np.mean}[combination](anomaly)
    p = np.exp(values)
    return {
        "min": lambda: np.log(min(p)),
        "max": lambda: np.log(max(p)),
        "mean": lambda: np.log(np.mean(p)),
        "harmonic": lambda: np.log(1 / np.mean(1 / p)),
        "fisher": lambda: np.sum(np.log(p)),
    }[combination]()


# Numbers


@pytest.mark.parametrize("grouped", [False, True], ids=["clips", "groups"])
@pytest.mark.parametrize(("how", "combination"), ALL)
def test_scores_equal_a_slow_reference(how, combination, grouped):
    X, new = features().round(1), 2 * features(9, seed=1)  # rounded scores have ties
    groups = np.array([0, 0, 0, 1, 2, 2, *range(3, 21)]) if grouped else None
    detector = ensemble(how, combination, columns(), cv=2).fit(X, groups=groups)
    units = np.arange(24) if groups is None else groups
    expected = [
        slow_combined(how, combination, [slow_calibrated(how, x[j], X[:, j], units) for j in range(3)])
        for x in new
    ]
    np.testing.assert_allclose(detector.score_samples(new), expected, rtol=1e-9)
    for index in range(24):
        others = units != units[index]
        values = [slow_calibrated(how, X[index, j], X[others, j], units[others]) for j in range(3)]
        expected_score = slow_combined(how, combination, values)
        assert detector.held_out_scores_[index] == pytest.approx(expected_score, rel=1e-9)


@pytest.mark.parametrize("combination", COMBINATIONS["p-value"])
def test_p_values_equal_a_slow_reference(combination):
    X, new = features().round(1), 2 * features(9, seed=1)
    detector = ensemble("p-value", combination, columns()).fit(X)
    p = np.array([[(1 + np.sum(X[:, j] <= x[j])) / 25 for j in range(3)] for x in new])
    expected = {
        "min": 3 * p.min(axis=1),
        "max": p.max(axis=1),
        "mean": 2 * p.mean(axis=1),
        "harmonic": min(3, np.e * np.log(3)) * 3 / np.sum(1 / p, axis=1),
        "fisher": [chi2.sf(-2 * np.log(row).sum(), 6) for row in p],
    }[combination]
    np.testing.assert_allclose(detector.p_values(new), np.minimum(expected, 1), rtol=1e-9)
    one = ensemble("p-value", combination, columns(1)).fit(X)
    np.testing.assert_allclose(one.p_values(new), p[:, 0], rtol=1e-9)


def test_z_min_needs_all_detectors_to_alarm_and_the_smallest_p_value_needs_one():
    X = features(99, 3)
    one, every = np.array([[0.0, 0.0, -6.0]]), np.array([[-6.0, -6.0, -6.0]])
    z_min = ensemble("zscore", "min", columns()).fit(X)
    assert z_min.predict(one) == 1
    assert z_min.predict(every) == -1
    smallest_p = ensemble("p-value", "min", columns()).fit(X)
    assert smallest_p.predict(one) == smallest_p.predict(every) == -1
    assert ensemble("zscore", "max", columns()).fit(X).predict(one) == -1
    assert ensemble("p-value", "max", columns()).fit(X).predict(one) == 1


@pytest.mark.parametrize("combination", COMBINATIONS["p-value"])
def test_clips_with_equal_p_values_are_ordered_by_their_distance(combination):
    detector = ensemble("p-value", combination, columns()).fit(features())
    new = np.array([[-4.0] * 3, [-5.0] * 3, [-50.0] * 3])
    assert len(set(detector.p_values(new))) == 1
    assert (np.diff(detector.score_samples(new)) < 0).all()


def test_leave_one_out_scores_of_a_detector_are_used_and_others_are_scored_out_of_fold():
    X = features()
    scaled = make_pipeline(StandardScaler(), NearestNeighborsDetector())
    shifted = make_pipeline(FunctionTransformer(lambda X: X + 1), NearestNeighborsDetector())
    detectors = [*members(), ("scaled", scaled), ("shifted", shifted)]
    detector = ensemble(detectors=detectors).fit(X)
    folds = list(KFold(3, shuffle=True, random_state=0).split(X))
    for number, (name, member) in enumerate(detectors):
        expected = np.empty(24)
        for train, test in folds:
            expected[test] = clone(member).fit(X[train]).score_samples(X[test])
        if name in ("nearest", "gauss"):
            expected = clone(member).fit(X).held_out_scores_
        elif name == "shifted":
            expected = NearestNeighborsDetector().fit(X + 1).held_out_scores_
        np.testing.assert_allclose(detector._held_out[number], expected, rtol=1e-9, err_msg=name)
        np.testing.assert_array_equal(
            detector.named_detectors_[name].score_samples(X), clone(member).fit(X).score_samples(X)
        )


def test_groups_are_held_out_together_by_every_detector():
    X, groups = features(), np.arange(24) // 3
    piped = make_pipeline(FunctionTransformer(), NearestNeighborsDetector())
    detector = ensemble(detectors=[*members(), ("piped", piped)]).fit(X, groups=groups)
    expected = np.empty(24)
    for train, test in GroupKFold(3, shuffle=True, random_state=0).split(X, groups=groups):
        expected[test] = OneClassSVM().fit(X[train]).score_samples(X[test])
    nearest = NearestNeighborsDetector().fit(X, groups=groups).held_out_scores_
    np.testing.assert_allclose(detector._held_out[2], expected, rtol=1e-9)
    np.testing.assert_array_equal(detector._held_out[0], nearest)
    np.testing.assert_array_equal(detector._held_out[3], nearest)


def test_a_fraction_calibrates_on_clips_that_no_detector_has_seen():
    X = features(40)
    detector = ensemble(cv=0.25).fit(X)
    ((trained, held),) = ShuffleSplit(1, test_size=0.25, random_state=0).split(X)
    np.testing.assert_array_equal(detector._positions, np.sort(held))
    assert len(detector.held_out_scores_) == 10
    for model, member, scores in zip(detector.detectors_, members(), detector._held_out):
        expected = clone(member[1]).fit(X[trained]).score_samples(X)
        np.testing.assert_allclose(model.score_samples(X), expected, rtol=1e-9)
        np.testing.assert_allclose(scores, expected[np.sort(held)], rtol=1e-9)


def test_an_unfitted_detector_has_no_leave_one_out_scores_and_a_frozen_one_has_scores_of_other_clips():
    fitted = FrozenEstimator(NearestNeighborsDetector().fit(features(24, seed=5)))
    assert leave_one_out_scores(fitted, 24, None) is None
    X = features(30)
    detector = ensemble("p-value", "mean", [("frozen", fitted), ("other", fitted)]).fit(X)
    np.testing.assert_array_equal(detector._held_out[0], fitted.score_samples(X))
    assert detector.is_valid_


# Validity


@pytest.mark.parametrize(
    ("settings", "valid", "reason"),
    [
        ({"calibrate": "zscore", "combine": "mean", "cv": 0.5}, False, "z-scores are no p-values"),
        (
            {"calibrate": "p-value", "combine": "fisher", "cv": 0.5},
            False,
            "Fisher's method takes independent",
        ),
        ({"calibrate": "p-value", "combine": "mean", "cv": 3}, False, "nearest, gauss, svm are not proved"),
        (
            {"calibrate": "p-value", "combine": "min", "cv": "loo"},
            False,
            "trained on the clips that calibrate",
        ),
        ({"calibrate": "p-value", "combine": "min", "cv": 0.5}, True, "Every p-value is conformal"),
        ({"calibrate": "p-value", "combine": "max", "cv": 0.5}, True, "Every p-value is conformal"),
        ({"calibrate": "p-value", "combine": "harmonic", "cv": 0.5}, True, "combine='harmonic' allows any"),
    ],
)
def test_the_ensemble_says_whether_its_p_values_are_valid_and_why(settings, valid, reason):
    detector = ScoreEnsemble(members(), random_state=0, **settings).fit(features())
    assert detector.is_valid_ is valid
    assert reason in detector.validity_
    assert hasattr(detector, "p_values") == (settings["calibrate"] == "p-value")


def dependent(rng, n, kind):
    """Normal clips for three columns that depend on each other."""
    if kind == "alike":
        return rng.normal(size=(n, 1)) + 0.1 * rng.normal(size=(n, 3))
    first = rng.normal(size=n)
    if kind == "opposed":
        return np.column_stack([first, -first, np.where(rng.random(n) < 0.5, first, -first)])
    return rng.normal(size=(n, 3))


@pytest.mark.parametrize("kind", ["alike", "opposed", "independent"])
def test_valid_p_values_keep_the_false_alarm_rate_whatever_the_dependence(kind):
    rng, rates = np.random.default_rng(0), {}
    alphas, n_draws = np.array([0.1, 0.2, 0.4]), 25
    for _ in range(n_draws):
        X, new = dependent(rng, 58, kind), dependent(rng, 400, kind)
        base = ensemble("p-value", "min", columns(), cv=0.5, random_state=int(rng.integers(1 << 30))).fit(X)
        for combination in COMBINATIONS["p-value"]:
            base._settings = {**base._settings, "combine": combination}
            p = base.p_values(new)
            rates.setdefault(combination, []).append([np.mean(p <= alpha) for alpha in alphas])
    for combination, found in rates.items():
        rate = np.mean(found, axis=0)
        tolerance = 3 * np.std(found, axis=0) / np.sqrt(n_draws)
        if combination != "fisher":
            assert (rate <= alphas + tolerance).all(), (combination, rate)
        elif kind == "alike":
            assert (rate > alphas + tolerance).any(), rate  # so the test can tell


def test_leave_one_out_p_values_keep_the_rate_of_similar_detectors_in_a_simulation():
    rng, found = np.random.default_rng(1), []
    detectors = [("nearest", NearestNeighborsDetector()), ("gauss", MahalanobisDetector())]
    for _ in range(16):
        fitted = ensemble("p-value", "harmonic", detectors).fit(rng.normal(size=(39, 3)))
        found.append(np.mean(fitted.p_values(rng.normal(size=(200, 3))) <= 0.1))
    assert 0.01 < np.mean(found) <= 0.1 + 3 * np.std(found) / 4


@pytest.mark.parametrize("n_detectors", [2, 3, 4, 8])
@pytest.mark.parametrize("combination", ["min", "max", "mean", "harmonic"])
def test_combined_p_values_are_valid_for_couplings_that_favour_false_alarms(combination, n_detectors):
    rng, n = np.random.default_rng(0), 240
    p = np.tile((np.arange(n) + 1.0) / n, (n_detectors, 1))
    for alpha in (0.05, 0.1, 0.3):
        reached = 0.0
        for start in range(6):
            coupled = np.array([row if start == 0 else rng.permutation(row) for row in p])
            for _ in range(
                12
            ):  # rearrange each row against the others, among the rows that are small somewhere
                for row in range(n_detectors):
                    other = np.delete(coupled, row, axis=0).min(axis=0)
                    coupled[row][np.argsort(-other, kind="stable")] = np.sort(coupled[row])
                reached = max(reached, np.mean(combine_p_values(combination, coupled) <= alpha + 1e-12))
        assert reached <= alpha + 1e-9
        if combination == "min" and alpha < 0.3:
            assert reached > 0.5 * alpha  # the couplings are hard ones


# Contract


@pytest.mark.parametrize(("how", "combination"), [("zscore", "min"), ("p-value", "mean")])
def test_a_score_is_the_same_alone_in_any_order_and_from_a_copy(how, combination):
    X, new = features(), features(7, seed=1)
    detector = ensemble(how, combination).fit(X)
    scores = detector.score_samples(new)
    alone = [detector.score_samples(new[[index]])[0] for index in range(7)]
    np.testing.assert_allclose(alone, scores, rtol=1e-12)
    np.testing.assert_allclose(detector.score_samples(new[::-1])[::-1], scores, rtol=1e-12)
    np.testing.assert_array_equal(copy.deepcopy(detector).score_samples(new), scores)
    np.testing.assert_array_equal(clone(detector).fit(X).score_samples(new), scores)
    with parallel_config("threading", n_jobs=2):
        np.testing.assert_array_equal(clone(detector).fit(X).score_samples(new), scores)
    assert detector.score_detectors(new).shape == (7, 3)


def test_parameters_set_after_a_fit_wait_for_the_next_one():
    X, new = features(), features(5, seed=1)
    detector = ensemble("p-value", "min").fit(X)
    scores, p_values, offset = detector.score_samples(new), detector.p_values(new), detector.offset_
    others = {"calibrate": "zscore", "combine": "mean", "cv": 2, "random_state": 3, "contamination": 0.3}
    for name, value in {
        **others,
        "nearest__n_neighbors": 5,
        "svm": IsolationForest(),
        "gauss": "drop",
    }.items():
        detector.set_params(**{name: value})
        np.testing.assert_array_equal(detector.score_samples(new), scores, err_msg=name)
    np.testing.assert_array_equal(detector.p_values(new), p_values)
    assert detector.offset_ == offset
    assert (detector.fit(X).score_samples(new) != scores).all()
    assert list(detector.named_detectors_) == ["nearest", "svm"]


def test_detectors_are_parameters_by_name():
    detector = ensemble()
    assert detector.get_params()["svm__nu"] == 0.5
    assert detector.get_params(deep=False).keys() == ScoreEnsemble([]).get_params().keys()
    again = clone(detector).set_params(svm__nu=0.2, nearest=IsolationForest(n_estimators=7), cv=4)
    assert again.get_params()["nearest__n_estimators"] == 7
    assert again.detectors[2][1].nu == 0.2
    assert detector.detectors[0][0] == again.detectors[0][0] == "nearest"
    assert isinstance(detector.detectors[0][1], NearestNeighborsDetector)
    with pytest.raises(ValueError, match="Invalid parameter"):
        detector.set_params(forest=IsolationForest())


@pytest.mark.parametrize("kind", [np.array, list], ids=["array", "list"])
def test_missing_clips_and_labelled_anomalies_take_no_part(kind):
    X, y = np.random.default_rng(0).normal(size=(30, 3, 5)), np.ones(30, dtype=int)
    X[4], y[[7, 9]] = np.nan, -1
    detectors = [("nearest", NearestNeighborsDetector()), ("gauss", MahalanobisDetector())]
    normal = np.setdiff1d(np.arange(30), [4, 7, 9])
    with (
        pytest.warns(UserWarning, match="ScoreEnsemble is trained without 2 of 30 clips, which y labels -1"),
        pytest.warns(UserWarning, match="ScoreEnsemble is trained without 1 of 28 clips, which could not be"),
    ):
        decisions = ensemble(detectors=detectors).fit_predict(kind(X), y)
    expected = ensemble(detectors=detectors).fit(X[normal])
    with pytest.warns(UserWarning, match="without"):
        detector = ensemble(detectors=detectors).fit(kind(X), y)
    scores = detector.score_samples(kind(X))
    assert np.isnan(scores[4])
    assert decisions[4] == detector.predict(kind(X))[4] == -1
    np.testing.assert_allclose(scores[normal], expected.score_samples(X[normal]), rtol=1e-9)
    held_out = np.where(expected.held_out_scores_ >= expected.offset_, 1, -1)
    np.testing.assert_array_equal(decisions[normal], held_out)


def test_heads_of_sequences_take_arrays_lists_and_lazy_sequences_alike():
    X = np.random.default_rng(0).normal(size=(12, 3, 6)).astype(np.float32)
    network = AutoencoderDetector(
        hidden_sizes=(4,), bottleneck_size=2, context=2, max_epochs=1, random_state=0
    )
    detectors = [("nearest", NearestNeighborsDetector()), ("network", network)]
    fitted = [ensemble(detectors=detectors, cv=2).fit(given) for given in (X, list(X), LazySequence(X))]
    for detector in fitted[1:]:
        np.testing.assert_allclose(detector.score_samples(X), fitted[0].score_samples(X), rtol=1e-6)
    ragged = [clip[:, : 3 + index % 4] for index, clip in enumerate(X)]
    assert np.isfinite(ensemble(detectors=detectors, cv=2).fit(ragged).score_samples(ragged)).all()


def test_pipelines_with_different_embeddings_take_clips_of_different_lengths():
    rng = np.random.default_rng(0)
    X = [rng.normal(size=rng.integers(200, 400)) for _ in range(30)]
    detectors = [
        ("first", make_pipeline(Pooled(), NearestNeighborsDetector())),
        ("second", make_pipeline(Pooled(3, 2), StandardScaler(), OneClassSVM())),
        ("forest", make_pipeline(Pooled(2), IsolationForest(n_estimators=5, random_state=0))),
    ]
    detector = ensemble("p-value", "harmonic", detectors).fit(X)
    loud = [3 * rng.normal(size=300)]
    assert detector.predict(loud) == -1
    assert detector.score_samples(loud) < detector.held_out_scores_.min()
    nearest = NearestNeighborsDetector().fit(Pooled().transform(X))
    np.testing.assert_array_equal(detector._held_out[0], nearest.held_out_scores_)


def test_a_thresholded_detector_calibrates_the_combined_score_anew():
    X, new = features(60), features(2000, seed=1)
    inner = ensemble(detectors=columns(), combination="mean")
    detector = ThresholdedDetector(inner, ConformalThreshold(0.1), cv=0.5, random_state=0).fit(X)
    assert detector.promise_ == "guaranteed on average"
    assert np.mean(detector.predict(new) == -1) < 0.2
    assert NormalOnly(inner).fit(X).score_samples(new[:3]).shape == (3,)
    groups = np.arange(60) // 2
    assert ThresholdedDetector(inner, cv=0.7, random_state=0).fit(X, groups=groups).predict(
        new[:3]
    ).shape == (3,)


def test_infinite_and_huge_scores_stay_finite():
    X = features()
    for how, combination in ALL:
        detector = ensemble(how, combination, columns()).fit(X)
        scores = detector.score_samples(np.array([[np.inf, 1e308, 0, 0], [-np.inf, -1e308, -1e300, 0]]))
        assert np.isfinite(scores).all(), (how, combination)
        assert scores[0] > scores[1]


# Bad input


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"calibrate": "rank"}, "calibrate must be one of"),
        ({"combine": "median"}, "allows combine to be one of 'min', 'max', 'mean', got 'median'"),
        (
            {"combine": "fisher"},
            "calibrate='zscore' allows .* Pass calibrate=\"p-value\" for this combination",
        ),
        ({"combine": "harmonic"}, "calibrate='zscore' allows combine to be one of"),
        ({"cv": 1}, "cv must be"),
        ({"cv": "prefit"}, "cv must be .* got 'prefit'"),
        ({"cv": None}, "cv must be"),
        ({"contamination": 0.9}, "contamination"),
        ({"detectors": []}, r"detectors must be a list of \(name, detector\)"),
        ({"detectors": [OneClassSVM()]}, r"detectors must be a list of \(name, detector\)"),
        ({"detectors": [("a", OneClassSVM()), ("a", OneClassSVM())]}, "name of its own, got 'a' 2 times"),
        ({"detectors": [("a__b", OneClassSVM())]}, "cannot be named 'a__b'"),
        ({"detectors": [("combine", OneClassSVM())]}, "cannot be named 'combine'"),
        ({"detectors": [("a", "drop")]}, "all of 1 detectors are dropped"),
    ],
)
def test_parameters_that_do_not_fit_are_an_error_that_says_what_does(settings, message):
    with pytest.raises(ValueError, match=message):
        ScoreEnsemble(**{"detectors": members(), **settings}).fit(features())


@pytest.mark.parametrize(
    ("detector", "message"),
    [
        (OneClassSVM, "detector 'odd' must be an estimator with fit and score_samples, got .* a class"),
        (StandardScaler(), "detector 'odd' must be .* which has no score_samples"),
    ],
)
def test_something_that_is_no_detector_is_named(detector, message):
    with pytest.raises(TypeError, match=message):
        ScoreEnsemble([("odd", detector)]).fit(features())


def test_a_detector_that_fails_is_named_in_fit_and_in_score():
    broken = make_pipeline(FunctionTransformer(np.log), OneClassSVM())
    with (
        np.errstate(invalid="ignore"),
        pytest.raises(ValueError, match="detector 'log' of the ensemble: Input X contains NaN"),
    ):
        ScoreEnsemble([("svm", OneClassSVM()), ("log", broken)]).fit(features())
    detector = ensemble(cv=2, detectors=[("mixture", GaussianMixture())]).fit(features())
    with pytest.raises(ValueError, match="detector 'mixture' of the ensemble: X has 2 features"):
        detector.score_samples(features(3, 2))

    class Failing(Column):
        def fit(self, X, y=None):
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full") as caught:
        ScoreEnsemble([("disk", Failing())]).fit(features())
    assert "the detector 'disk'" in caught.value.__notes__[0]


@pytest.mark.parametrize(
    ("n_clips", "groups", "settings", "message"),
    [
        (1, None, {}, "at least 3 training clips .* got n_samples=1"),
        (2, None, {}, "at least 3 training clips .* got n_samples=2"),
        (24, np.zeros(24), {}, "got n_samples=24, all of 1 group. Pass clips of more"),
        (4, None, {"cv": 5}, "n_splits=5 .*samples"),
        (24, np.arange(24) // 6, {"cv": 5}, "cv=5 takes normal clips of at least 5 groups, got 4"),
        (8, None, {"cv": 0.2}, "at least 3 held-out clips .* got n_samples=2"),
    ],
)
def test_too_few_clips_or_groups_are_an_error_that_says_how_many_it_takes(n_clips, groups, settings, message):
    with pytest.raises(ValueError, match=message):
        ensemble(**settings).fit(features(n_clips), groups=groups)


def test_leave_one_out_detectors_alone_need_no_folds():
    detector = ensemble(detectors=members()[:1], cv=5).fit(features(4))
    assert len(detector.held_out_scores_) == 4


def test_folds_that_test_a_clip_they_train_on_are_an_error():
    with pytest.raises(ValueError, match="fold 0 of cv trains on clips that it tests"):
        ensemble(cv=[(np.arange(20), np.arange(18, 24))]).fit(features())


def test_clips_that_no_fold_tests_do_not_calibrate():
    with pytest.warns(UserWarning, match="14 of 24 training clips have no held-out score by some detector"):
        detector = ensemble(cv=[(np.arange(14), np.arange(14, 24))]).fit(features())
    assert detector._positions.tolist() == list(range(14, 24))


def test_nothing_but_missing_clips_or_anomalies_is_nothing_to_train_on():
    with pytest.raises(ValueError, match="ScoreEnsemble has nothing to train on"):
        ensemble().fit(np.full((5, 4), np.nan))
    with pytest.raises(ValueError, match="every clip is labelled -1"):
        ensemble().fit(features(), -np.ones(24))
