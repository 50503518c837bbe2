"""No anomaly reaches a fit in any tool of scikit-learn's model selection, on a pipeline from files to scores."""

import json
import uuid
import warnings
from pathlib import Path

import numpy as np
import pytest
import sklearn
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    HalvingGridSearchCV,
    KFold,
    RandomizedSearchCV,
    StratifiedKFold,
    cross_val_predict,
    cross_val_score,
    cross_validate,
    learning_curve,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skaudio_ad import AudioLoader, MelTransformer, NearestNeighborsDetector, NormalOnly, TemporalPooling
from skaudio_ad.datasets import make_machine_sounds
from skaudio_ad.metrics import anomaly_auc_score
from skaudio_ad.model_selection import ANOMALY_SCORERS, NormalOnlySplit

AUC = ANOMALY_SCORERS["anomaly_auc"]
NEIGHBORS = {"estimator__nearestneighborsdetector__n_neighbors": [1, 2]}


class Spy(TransformerMixin, BaseEstimator):
    """Step that records the number of clips and of anomalies of every fit, in any process."""

    def __init__(self, folder, anomalies=None):
        self.folder = folder
        self.anomalies = (
            anomalies  # features of the anomalies, or None before the loader, because its clips are paths
        )

    def fit(self, X, y=None):
        if self.anomalies is None:
            found = [Path(path).parent.name == "anomalous" for path in X]
        else:
            found = (np.asarray(X)[:, np.newaxis] == np.asarray(self.anomalies)).all(axis=2).any(axis=1)
        note = {
            "place": "front" if self.anomalies is None else "features",
            "n": len(X),
            "seen": int(np.sum(found)),
        }
        (Path(self.folder) / f"{uuid.uuid4()}.json").write_text(json.dumps(note))
        self.fitted_ = True
        return self

    def transform(self, X):
        return X

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        return tags


@pytest.fixture(scope="module")
def sounds(tmp_path_factory):
    """Files of two machines. The anomalies are among the normal clips."""
    folder = tmp_path_factory.mktemp("sounds")
    made = make_machine_sounds(
        24, 8, duration=1.0, sample_rate=8000, snr=20.0, output_dir=folder, random_state=0
    )
    order = np.random.default_rng(0).permutation(32)
    return np.array(made.paths)[order], made.target[order]


class Case:
    def __init__(self, sounds, folder):
        self.paths, self.y = sounds
        self.folder = folder
        self.groups = np.arange(32) % 4
        features = [AudioLoader(8000), MelTransformer(8000, n_fft=256, n_mels=8), TemporalPooling()]
        anomalies = make_pipeline(*features).fit_transform(self.paths[self.y == -1].tolist())
        self.pipeline = make_pipeline(
            Spy(str(folder)),
            *features,
            # The spy is before the scaler, so both get the same clips.
            Spy(str(folder), anomalies),
            StandardScaler(),
            NearestNeighborsDetector(),
        )
        self.estimator = NormalOnly(self.pipeline)

    def notes(self, place=None):
        notes = [json.loads(path.read_text()) for path in sorted(self.folder.glob("*.json"))]
        return [note for note in notes if place in (None, note["place"])]

    def check_honest(self, n_fits):
        for place in ("front", "features"):
            notes = self.notes(place)
            assert len(notes) == n_fits
            assert all(note["seen"] == 0 and note["n"] > 0 for note in notes)


@pytest.fixture
def case(sounds, tmp_path):
    return Case(sounds, tmp_path)


def values_by_hand(case, cv, groups):
    """Call ``decision_function`` in every fold."""
    normal, anomalous = np.flatnonzero(case.y == 1), np.flatnonzero(case.y == -1)
    for train, test in cv.split(normal, groups=None if groups is None else groups[normal]):
        train, test = normal[train], normal[test]
        apart = anomalous if groups is None else anomalous[~np.isin(groups[anomalous], groups[train])]
        tested = np.r_[test, apart]
        fitted = clone(case.pipeline).fit(case.paths[train].tolist())
        yield tested, fitted.decision_function(case.paths[tested].tolist())


def mean_score(estimator, X, y=None):
    """Scorer for folds with clips of one kind, in which metrics of both kinds are not defined."""
    return float(np.mean(estimator.score_samples(X)))


def grid(case, cv, params):
    return GridSearchCV(case.estimator, NEIGHBORS, scoring=AUC, cv=cv).fit(case.paths, case.y, **params)


def randomized(case, cv, params):
    search = RandomizedSearchCV(case.estimator, NEIGHBORS, n_iter=2, scoring=AUC, cv=cv, random_state=0)
    return search.fit(case.paths, case.y, **params)


def halving(case, cv, params):
    # With few clips half a test fold may hold only one kind. This test checks only the fits.
    search = HalvingGridSearchCV(
        case.estimator, NEIGHBORS, scoring=mean_score, cv=cv, factor=2, min_resources=16, random_state=0
    )
    return search.fit(case.paths, case.y, **params)


def scores(case, cv, params):
    return cross_val_score(case.estimator, case.paths, case.y, scoring=AUC, cv=cv, **passed(params))


def predictions(case, cv, params):
    spread = NormalOnlySplit(cv.cv, anomalies="spread")
    return cross_val_predict(
        case.estimator, case.paths, case.y, cv=spread, method="decision_function", **passed(params)
    )


def curve(case, cv, params):
    return learning_curve(
        case.estimator,
        case.paths,
        case.y,
        cv=cv,
        train_sizes=[0.5, 1.0],
        scoring=mean_score,
        **passed(params),
    )


def passed(params):
    return {"params": params} if sklearn.get_config()["enable_metadata_routing"] else params


TOOLS = [(grid, 9), (randomized, 9), (halving, 13), (scores, 4), (predictions, 4), (curve, 8)]


@pytest.mark.parametrize("groups", [False, True], ids=["no groups", "groups"])
@pytest.mark.parametrize("routing", [False, True], ids=["routing off", "routing on"])
@pytest.mark.parametrize(("tool", "n_fits"), TOOLS, ids=[tool.__name__ for tool, _ in TOOLS])
def test_no_anomaly_reaches_a_fit_of_any_step_refit_included(tool, n_fits, routing, groups, case):
    cv = NormalOnlySplit(GroupKFold(4) if groups else KFold(4, shuffle=True, random_state=0))
    with sklearn.config_context(enable_metadata_routing=routing):
        if routing:
            case.pipeline[-1].set_fit_request(groups=False)  # the groups are only for the splitter
        result = tool(case, cv, {"groups": case.groups} if groups else {})
    case.check_honest(n_fits)
    by_hand = values_by_hand(case, cv.cv, case.groups if groups else None)
    if tool in (grid, randomized, scores):
        found = (
            result if tool is scores else [result.cv_results_[f"split{k}_test_score"][0] for k in range(4)]
        )
        expected = [anomaly_auc_score(case.y[tested], values) for tested, values in by_hand]
        np.testing.assert_allclose(found, expected)
    if tool in (grid, randomized, halving):
        assert result.best_estimator_.n_samples_fit_ == 24
        assert len(result.predict(case.paths)) == 32
    if tool is predictions:
        for tested, values in by_hand:
            same = np.isclose(result[tested], values)
            assert same[case.y[tested] == 1].all()
            # By hand each fold tests all 8 allowed anomalies. Spread over 4 folds each fold tests 2, or those of its
            # group.
            assert same[case.y[tested] == -1].sum() == (np.sum(case.y[tested] == -1) if groups else 2)
    if tool is curve:
        assert result[0][1] == (17 if groups else 18)


@pytest.mark.processes
def test_no_anomaly_reaches_a_fit_in_two_processes(case):
    search = GridSearchCV(case.estimator, NEIGHBORS, scoring=AUC, cv=NormalOnlySplit(3), n_jobs=2)
    search.fit(case.paths, case.y)
    case.check_honest(7)
    alone = GridSearchCV(case.estimator, NEIGHBORS, scoring=AUC, cv=NormalOnlySplit(3)).fit(
        case.paths, case.y
    )
    np.testing.assert_array_equal(search.cv_results_["mean_test_score"], alone.cv_results_["mean_test_score"])


@pytest.mark.filterwarnings("ignore:.*, which y labels -1")
def test_the_spy_sees_what_scikit_learn_does_without_these_classes(case):
    names = {"nearestneighborsdetector__n_neighbors": [1, 2]}
    GridSearchCV(case.pipeline, names, scoring=mean_score, cv=3).fit(case.paths, case.y)
    assert all(note["seen"] > 0 for note in case.notes())


@pytest.mark.filterwarnings("ignore:.*, which y labels -1")
def test_the_splitter_alone_is_not_enough_for_the_refit(case):
    names = {"nearestneighborsdetector__n_neighbors": [1, 2]}
    GridSearchCV(case.pipeline, names, scoring=AUC, cv=NormalOnlySplit(3)).fit(case.paths, case.y)
    for place in ("front", "features"):
        assert sorted(note["seen"] for note in case.notes(place)) == [0] * 6 + [8]


def test_a_wrapper_around_only_the_detector_does_not_protect_the_scaler(case):
    late = make_pipeline(*case.pipeline[:-1], NormalOnly(NearestNeighborsDetector())).fit(case.paths, case.y)
    assert [note["seen"] for note in case.notes()] == [8, 8]
    assert late[-1].n_samples_fit_ == 24


def test_the_wrapper_alone_fits_on_normal_clips_under_any_splitter(case):
    found = cross_validate(
        case.estimator, case.paths, case.y, cv=KFold(4), scoring=mean_score, return_estimator=True
    )
    case.check_honest(4)
    n_normal = [np.count_nonzero(case.y[train] == 1) for train, _ in KFold(4).split(case.y)]
    assert [fitted.n_samples_fit_ for fitted in found["estimator"]] == n_normal


def test_a_cross_validated_search_chooses_by_anomalies_but_fits_no_anomaly(case):
    search = GridSearchCV(case.estimator, NEIGHBORS, scoring=AUC, cv=NormalOnlySplit(2))
    outer = StratifiedKFold(2, shuffle=True, random_state=0)
    found = cross_validate(
        search, case.paths, case.y, cv=outer, scoring=AUC, return_estimator=True, error_score="raise"
    )
    case.check_honest(2 * (2 * 2 + 1))
    for fitted in found["estimator"]:
        assert np.isfinite(fitted.cv_results_["mean_test_score"]).all()
    assert np.isfinite(found["test_score"]).all()


def test_scikit_learns_own_area_is_the_same_with_labels_of_1_and_minus_1(case):
    own, ours = (
        cross_val_score(case.estimator, case.paths, case.y, cv=NormalOnlySplit(3), scoring=scoring)
        for scoring in ("roc_auc", AUC)
    )
    np.testing.assert_allclose(own, ours)


def test_testing_every_anomaly_in_every_fold_makes_no_partition_to_predict(case):
    with pytest.raises(ValueError, match="cross_val_predict only works for partitions"):
        cross_val_predict(case.estimator, case.paths, case.y, cv=NormalOnlySplit(3))
    case.check_honest(0)


def test_predict_and_decision_function_give_out_of_fold_decisions(case):
    """cross_val_predict encodes y for decision_function, and needs classes_."""
    cv = NormalOnlySplit(4, anomalies="spread")
    decisions, values = (
        cross_val_predict(case.estimator, case.paths, case.y, cv=cv, method=method)
        for method in ("predict", "decision_function")
    )
    np.testing.assert_array_equal(decisions, np.where(values >= 0, 1, -1))
    case.check_honest(8)


def test_without_labels_a_search_trains_on_all_clips(case):
    normal = case.paths[case.y == 1]
    search = GridSearchCV(case.estimator, NEIGHBORS, scoring=mean_score, cv=NormalOnlySplit(3)).fit(normal)
    assert sorted(note["n"] for note in case.notes("front")) == [16] * 6 + [24]
    assert search.best_estimator_.n_samples_fit_ == 24


def test_halving_by_a_parameter_keeps_the_anomalies_of_every_fold(case):
    search = HalvingGridSearchCV(
        case.estimator,
        {"estimator__standardscaler__with_mean": [True, False]},
        resource="estimator__nearestneighborsdetector__n_neighbors",
        min_resources=1,
        max_resources=2,
        factor=2,
        scoring=AUC,
        cv=NormalOnlySplit(3),
        return_train_score=False,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        search.fit(case.paths, case.y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    case.check_honest(2 * 3 + 1 * 3 + 1)


def test_training_scores_that_need_both_kinds_are_undefined_and_give_a_warning(case):
    with pytest.warns(UserWarning, match="there is no anomalous clip among the 16"):
        _, of_training, of_test = learning_curve(
            case.estimator, case.paths, case.y, cv=NormalOnlySplit(3), train_sizes=[1.0], scoring=AUC
        )
    assert np.isnan(of_training).all()
    assert np.isfinite(of_test).all()


def test_labels_encoded_by_cross_val_predict_are_refused_if_a_fold_trains_on_both_kinds(case):
    with pytest.raises(
        ValueError, match="y must hold 1 for normal and -1 for anomalous clips, got the labels"
    ):
        cross_val_predict(case.estimator, case.paths, case.y, cv=KFold(3), method="decision_function")
    case.check_honest(0)


def test_cross_validate_gives_the_scores_of_every_fold(case):
    """cross_validate gives out-of-fold score_samples, which cross_val_predict does not support."""
    found = cross_validate(
        case.estimator,
        case.paths,
        case.y,
        cv=NormalOnlySplit(3),
        scoring=AUC,
        return_estimator=True,
        return_indices=True,
    )
    for fitted, test, auc in zip(found["estimator"], found["indices"]["test"], found["test_score"]):
        assert anomaly_auc_score(case.y[test], fitted.score_samples(case.paths[test])) == auc
    case.check_honest(3)
