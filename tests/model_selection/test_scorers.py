"""Scorers against their metrics, in scikit-learn's searches and validations."""

import pickle

import numpy as np
import pytest
import sklearn
from sklearn.base import BaseEstimator, OutlierMixin, clone
from sklearn.covariance import EllipticEnvelope
from sklearn.ensemble import IsolationForest
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.metrics import average_precision_score, fbeta_score, mean_absolute_error, roc_auc_score
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    KFold,
    StratifiedKFold,
    cross_val_score,
    cross_validate,
)
from sklearn.neighbors import LocalOutlierFactor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import OneClassSVM

from skaudio_ad.detectors import NearestNeighborsDetector
from skaudio_ad.metrics import anomaly_auc_score, anomaly_fbeta_score, separation_ratio
from skaudio_ad.model_selection import (
    ANOMALY_SCORERS,
    NormalOnly,
    NormalOnlySplit,
    get_anomaly_scorer,
    make_anomaly_scorer,
)


class Stub(OutlierMixin, BaseEstimator):
    """Detector whose score is the first column of X."""

    def fit(self, X, y=None):
        self.fitted_ = True
        return self

    def score_samples(self, X):
        return np.asarray(X, dtype=float)[:, 0]

    def predict(self, X):
        return np.where(self.score_samples(X) >= 0, 1, -1)


class DecisionsOnly(BaseEstimator):
    def fit(self, X, y=None):
        self.fitted_ = True
        return self

    def decision_function(self, X):
        return np.asarray(X, dtype=float)[:, 0] - 7


@pytest.fixture
def clips(rng):
    """Sixty clips of four features. Every third clip is anomalous."""
    y = np.tile([1, 1, -1], 20)
    return rng.normal(size=(60, 4)) * np.where(y == 1, 1, 2.5)[:, np.newaxis], y


def test_every_scorer_has_the_value_of_its_metric_with_the_anomaly_positive(clips):
    X, y = clips
    anomalous, scores = y == -1, X[:, 0]
    alarms = scores < 0
    worst = np.sort(scores[~anomalous])
    expected = {
        "anomaly_auc": roc_auc_score(anomalous, -scores),
        "anomaly_partial_auc": roc_auc_score(anomalous, -scores, max_fpr=0.1),
        # floor(0.1 * 40) = 4 most anomalous normal clips
        "anomaly_partial_auc_mean": (scores[anomalous][:, np.newaxis] < worst[:4]).mean(),
        "anomaly_average_precision": average_precision_score(anomalous, -scores),
        "anomaly_f1": fbeta_score(anomalous, alarms, beta=1),
        "anomaly_f2": fbeta_score(anomalous, alarms, beta=2),
        # 0.05 * 40 = 2 false alarms
        "anomaly_tpr_at_fpr_0.05": (scores[anomalous] < worst[2]).mean(),
    }
    assert set(expected) == set(ANOMALY_SCORERS)
    for name, value in expected.items():
        assert get_anomaly_scorer(name)(Stub(), X, y) == pytest.approx(value), name
        assert type(get_anomaly_scorer(name)(Stub(), X, y)) is float
    assert get_anomaly_scorer(list(expected))(Stub(), X, y) == pytest.approx(expected)


@pytest.mark.parametrize(
    "detector",
    [
        OneClassSVM(),
        IsolationForest(n_estimators=20, random_state=0),
        LocalOutlierFactor(n_neighbors=5, novelty=True),
        EllipticEnvelope(random_state=0),
        GaussianMixture(random_state=0),
        NearestNeighborsDetector(),
    ],
    ids=lambda detector: type(detector).__name__,
)
def test_every_kind_of_detector_is_better_than_chance_where_anomalies_are_far_away(clips, detector):
    X, y = clips
    model = make_pipeline(StandardScaler(), detector).fit(X[y == 1][:25])
    value = get_anomaly_scorer("anomaly_auc")(model, X[40:], y[40:])
    assert value == pytest.approx(roc_auc_score(y[40:] == -1, -model.score_samples(X[40:])), rel=1e-12)
    assert value > 0.7


def test_decision_function_replaces_a_missing_score_samples(clips):
    X, y = clips
    assert get_anomaly_scorer("anomaly_auc")(DecisionsOnly(), X, y) == pytest.approx(
        get_anomaly_scorer("anomaly_auc")(Stub(), X, y)
    )
    with pytest.raises(TypeError, match="StandardScaler has neither score_samples nor decision_function"):
        get_anomaly_scorer("anomaly_auc")(StandardScaler(), X, y)


def test_a_loss_changes_its_sign_and_arguments_reach_the_metric(clips):
    X, y = clips
    loss = make_anomaly_scorer(mean_absolute_error, greater_is_better=False, response="predict")
    assert loss(Stub(), X, y) == pytest.approx(-2 * np.mean(Stub().predict(X) != y))
    f3 = make_anomaly_scorer(anomaly_fbeta_score, response="predict", beta=3)
    assert f3(Stub(), X, y) == pytest.approx(fbeta_score(y == -1, X[:, 0] < 0, beta=3))


def test_an_unreadable_clip_is_less_normal_than_any_other_clip():
    scorer = get_anomaly_scorer("anomaly_auc")
    # The normal clip without a score ranks below the anomaly at -5, so 1 of 2 pairs is right.
    assert scorer(Stub(), [[2.0], [np.nan], [-5.0]], [1, 1, -1]) == 0.5
    # The anomaly without a score is found, and the other anomaly is not.
    assert scorer(Stub(), [[2.0], [-1e30], [np.nan], [9.0]], [1, 1, -1, -1]) == 0.5
    # Two clips without a score are tied.
    assert scorer(Stub(), [[np.nan], [np.nan]] + [[1.0]], [1, -1, 1]) == 0.75
    assert get_anomaly_scorer("anomaly_f1")(Stub(), [[2.0], [np.nan]], [1, -1]) == 1


def test_clips_without_any_score_are_an_error():
    with pytest.raises(ValueError, match="none of the 2 clips has a score"):
        get_anomaly_scorer("anomaly_auc")(Stub(), [[np.nan], [np.nan]], [1, -1])


@pytest.mark.parametrize("name", ["anomaly_auc", "anomaly_f1", ["anomaly_auc", "anomaly_f1"]])
@pytest.mark.parametrize(
    ("y", "message"),
    [
        ([0, 0, 1], r"^y must hold 1 for normal.*got the labels \[0, 1\].*np.where"),
        (["ok", "ok", "fault"], r"^y must hold.*got the labels \['fault', 'ok'\]"),
        ([1, 1, 1], "^there is no anomalous clip among the 3 clips to score. Split with cv=NormalOnlySplit"),
        ([-1, -1, -1], "^there is no normal clip among the 3"),
        (None, "^this scorer needs labels.*got y=None.*pseudo_anomaly_scorer"),
    ],
    ids=["zeros and ones", "words", "normal only", "anomalous only", "none"],
)
def test_labels_that_allow_no_score_are_refused_with_a_remedy(name, y, message):
    with pytest.raises(ValueError, match=message):
        get_anomaly_scorer(name)(Stub(), [[1.0], [2.0], [3.0]], y)


def test_scores_for_decisions_are_refused(clips):
    class Wrong(Stub):
        def predict(self, X):
            return self.score_samples(X)

    with pytest.raises(ValueError, match=r"^the decisions of Wrong must hold 1 for normal"):
        get_anomaly_scorer("anomaly_f1")(Wrong(), *clips)


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(ValueError, match=r"^name must be one of 'anomaly_auc', .*got 'roc_auc'"):
        get_anomaly_scorer("roc_auc")
    with pytest.raises(ValueError, match=r"^name must be one of .*got 'f1'"):
        get_anomaly_scorer(["anomaly_auc", "f1"])
    with pytest.raises(ValueError, match="must not be empty"):
        get_anomaly_scorer([])


def test_a_wrong_metric_or_response_is_refused():
    with pytest.raises(TypeError, match=r"metric must be callable.*got 'auc'"):
        make_anomaly_scorer("auc")
    with pytest.raises(ValueError, match="response must be one of 'score_samples', 'predict', got 'proba'"):
        make_anomaly_scorer(anomaly_auc_score, response="proba")


def test_a_scorer_has_a_repr_and_survives_pickle_and_clone(clips):
    scorer = make_anomaly_scorer(anomaly_fbeta_score, greater_is_better=False, response="predict", beta=2)
    assert repr(scorer) == (
        "make_anomaly_scorer(anomaly_fbeta_score, greater_is_better=False, response='predict', beta=2)"
    )
    several = get_anomaly_scorer(["anomaly_auc", "anomaly_f1"])
    assert repr(several) == "get_anomaly_scorer(['anomaly_auc', 'anomaly_f1'])"
    for one in (scorer, several):
        copy = pickle.loads(pickle.dumps(one))
        assert repr(copy) == repr(one)
        assert copy(Stub(), *clips) == one(Stub(), *clips)
        assert clone(GridSearchCV(Stub(), {}, scoring=one)).scoring(Stub(), *clips) == one(Stub(), *clips)


def test_several_scorers_score_every_clip_once(clips):
    calls = []

    class Counting(Stub):
        def score_samples(self, X):
            calls.append(len(X))
            return super().score_samples(X)

    names = [name for name in ANOMALY_SCORERS if ANOMALY_SCORERS[name].response == "score_samples"]
    get_anomaly_scorer(names)(Counting(), *clips)
    assert calls == [60]


FOLDS = StratifiedKFold(3)
GRID = {"nearestneighborsdetector__n_neighbors": [1, 15]}


def pipeline():
    return make_pipeline(StandardScaler(), NearestNeighborsDetector())


@pytest.mark.parametrize("routing", [False, True])
@pytest.mark.parametrize("n_jobs", [None, 2])
@pytest.mark.filterwarnings("ignore:NearestNeighborsDetector is trained without")  # the scaler sees all clips
def test_a_grid_search_chooses_by_the_scorer(clips, routing, n_jobs):
    X, y = clips
    with sklearn.config_context(enable_metadata_routing=routing):
        search = GridSearchCV(
            pipeline(), GRID, scoring=get_anomaly_scorer("anomaly_auc"), cv=FOLDS, n_jobs=n_jobs
        ).fit(X, y)
    for k, mean in zip((1, 15), search.cv_results_["mean_test_score"]):
        values = []
        for train, test in FOLDS.split(X, y):
            model = pipeline().set_params(nearestneighborsdetector__n_neighbors=k).fit(X[train], y[train])
            values.append(roc_auc_score(y[test] == -1, -model.score_samples(X[test])))
        assert mean == pytest.approx(np.mean(values))
    assert search.score(X, y) == pytest.approx(roc_auc_score(y == -1, -search.score_samples(X)))


@pytest.mark.parametrize("routing", [False, True])
@pytest.mark.parametrize("form", ["dict", "one callable"])
@pytest.mark.filterwarnings("ignore:NearestNeighborsDetector is trained without")  # the scaler sees all clips
def test_several_metrics_at_once_equal_the_metrics_one_at_a_time(clips, routing, form):
    X, y = clips
    names = ["anomaly_auc", "anomaly_f2", "anomaly_average_precision"]
    several = {n: get_anomaly_scorer(n) for n in names} if form == "dict" else get_anomaly_scorer(names)
    with sklearn.config_context(enable_metadata_routing=routing):
        found = cross_validate(pipeline(), X, y, scoring=several, cv=FOLDS)
        for name in names:
            alone = cross_val_score(pipeline(), X, y, scoring=get_anomaly_scorer(name), cv=FOLDS)
            np.testing.assert_allclose(found[f"test_{name}"], alone)
        search = GridSearchCV(pipeline(), GRID, scoring=several, refit="anomaly_f2", cv=FOLDS).fit(X, y)
        assert search.best_index_ == np.argmax(search.cv_results_["mean_test_anomaly_f2"])


class Weighted(Stub):
    def fit(self, X, y=None, sample_weight=None):
        self.weights_ = sample_weight
        return super().fit(X, y)


@pytest.mark.parametrize("form", ["one", "dict", "one callable"])
@pytest.mark.parametrize("routing", [False, True])
@pytest.mark.filterwarnings("ignore:The scoring .* does not support sample_weight")
def test_weights_of_a_fit_reach_the_fit_and_no_scorer(clips, form, routing):
    X, y = clips
    scorer = get_anomaly_scorer("anomaly_auc")
    scoring = {
        "one": scorer,
        "dict": {"anomaly_auc": scorer},
        "one callable": get_anomaly_scorer(["anomaly_auc"]),
    }[form]
    with sklearn.config_context(enable_metadata_routing=routing):
        model = Weighted().set_fit_request(sample_weight=True) if routing else Weighted()
        search = GridSearchCV(
            model, {}, scoring=scoring, cv=FOLDS, refit=True if form == "one" else "anomaly_auc"
        )
        search.fit(X, y, sample_weight=np.arange(60.0))
    np.testing.assert_array_equal(search.best_estimator_.weights_, np.arange(60.0))
    name = "score" if form == "one" else "anomaly_auc"
    folds = [roc_auc_score(y[test] == -1, -X[test, 0]) for _, test in FOLDS.split(X, y)]
    assert search.cv_results_[f"mean_test_{name}"][0] == pytest.approx(np.mean(folds))


def test_scorers_request_no_metadata():
    assert not hasattr(get_anomaly_scorer("anomaly_auc"), "set_score_request")


def test_a_fold_without_anomalies_fails_and_names_the_splitter(clips):
    X, y = clips
    order = np.argsort(-y, kind="stable")  # all normal clips first
    with pytest.raises(ValueError, match=r"no anomalous clip among the 20 clips to score.*NormalOnlySplit"):
        cross_val_score(
            Stub(),
            X[order],
            y[order],
            scoring=get_anomaly_scorer("anomaly_auc"),
            cv=KFold(3),
            error_score="raise",
        )


def test_training_clips_without_anomalies_have_no_score_and_test_clips_have(clips):
    X, y = clips
    model, cv = NormalOnly(NearestNeighborsDetector()), NormalOnlySplit(KFold(3))
    scorer = get_anomaly_scorer("anomaly_auc")
    expected = cross_val_score(model, X, y, scoring=scorer, cv=cv)
    with pytest.warns(UserWarning, match="set return_train_score=False"):
        found = cross_validate(model, X, y, scoring=scorer, cv=cv, return_train_score=True)
    assert np.isnan(found["train_score"]).all()
    np.testing.assert_array_equal(found["test_score"], expected)
    search = HalvingGridSearchCV(
        model,
        {"estimator__n_neighbors": [1, 3]},
        scoring=scorer,
        cv=cv,
        min_resources=45,
        random_state=0,
        return_train_score=False,
        error_score="raise",
    ).fit(X, y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_any_metric_of_the_package_makes_a_scorer():
    scorer = make_anomaly_scorer(separation_ratio)
    assert scorer(Stub(), [[-1.0], [-3.0], [-8.0]], [1, 1, -1]) == 4
