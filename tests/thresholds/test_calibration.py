"""Clips that calibrate a `ThresholdedDetector`: folds, fractions, splitters and groups."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.ensemble import IsolationForest
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import (
    GroupShuffleSplit,
    KFold,
    LeaveOneGroupOut,
    ShuffleSplit,
    StratifiedKFold,
    cross_val_predict,
)
from sklearn.svm import OneClassSVM

from skaudio_ad import (
    ROCThreshold,
    ThresholdedDetector,
)

from .toy_detectors import GROUPS, NORMAL, QUANTILE, Average, Memory, X, Y

EVERY_CV = {
    "int": 5,
    "loo": "loo",
    "fraction": 0.5,
    "splitter": KFold(4, shuffle=True, random_state=0),
    "stratified": StratifiedKFold(4),
    "repeated": ShuffleSplit(6, test_size=0.3, random_state=0),
    "one split": ShuffleSplit(1, test_size=0.3, random_state=0),
    "iterable": [(np.arange(25), np.arange(25, 50)), (np.arange(25, 50), np.arange(25))],
    "masks": [(np.arange(50) < 25, np.arange(50) >= 25), (np.arange(50) >= 25, np.arange(50) < 25)],
}


every_cv = pytest.mark.parametrize("cv", EVERY_CV.values(), ids=EVERY_CV.keys())


@every_cv
def test_every_calibrating_score_is_of_a_model_that_had_not_seen_the_clip_and_no_anomaly_is_trained_on(cv):
    detector = ThresholdedDetector(Memory(), QUANTILE, cv=cv, ensemble=False, random_state=0).fit(X, Y)
    indices = detector.calibration_indices_
    np.testing.assert_array_equal(detector.calibration_scores_, X[indices, 0])
    np.testing.assert_array_equal(detector.calibration_labels_, Y[indices])
    assert (detector.detector_.seen_ >= 0).all()
    assert detector.threshold_ == pytest.approx(np.quantile(X[indices, 0][Y[indices] == 1], 0.1))
    assert detector.offset_ == detector.threshold_


@pytest.mark.parametrize("cv", [5, "loo", KFold(4)], ids=["int", "loo", "splitter"])
def test_without_an_ensemble_all_clips_calibrate_and_the_detector_is_trained_again_on_all_normal_ones(cv):
    detector = ThresholdedDetector(Memory(), QUANTILE, cv=cv, ensemble=False).fit(X, Y)
    np.testing.assert_array_equal(detector.calibration_indices_, np.arange(50))
    np.testing.assert_array_equal(np.sort(detector.detector_.seen_), np.arange(40.0))


@pytest.mark.parametrize(("fraction", "n"), [(0.5, 20), (0.25, 10), (0.1, 4)])
def test_with_a_fraction_so_many_normal_clips_and_all_anomalies_calibrate_and_the_others_train(fraction, n):
    detector = ThresholdedDetector(Memory(), QUANTILE, cv=fraction, random_state=0).fit(X, Y)
    calibrating = detector.calibration_scores_[detector.calibration_labels_ == 1]
    assert len(calibrating) == n
    assert np.sum(detector.calibration_labels_ == -1) == 10
    np.testing.assert_array_equal(np.sort(np.append(calibrating, detector.detector_.seen_)), np.arange(40.0))


def test_a_splitter_with_one_split_works_as_a_fraction():
    cv = GroupShuffleSplit(1, test_size=0.25, random_state=0)
    detector = ThresholdedDetector(Memory(), QUANTILE, cv=cv).fit(X, Y, groups=GROUPS)
    calibrating = detector.calibration_indices_
    assert set(GROUPS[calibrating]).isdisjoint(detector.detector_.seen_ // 10)


def test_clips_that_the_splitter_never_tests_do_not_calibrate():
    cv = [(np.arange(10, 50), np.arange(5)), (np.arange(10, 50), np.arange(5, 10))]
    detector = ThresholdedDetector(Memory(), QUANTILE, cv=cv, ensemble=False).fit(X, Y)
    np.testing.assert_array_equal(detector.calibration_indices_, np.arange(10))
    normal = np.flatnonzero(Y[:10] == 1)
    detector = ThresholdedDetector(Memory(), QUANTILE, cv=cv).fit(X, Y)
    np.testing.assert_array_equal(
        detector.calibration_indices_[detector.calibration_labels_ == 1], normal
    )  # anomalous ones are scored by all models


def test_what_several_models_score_counts_once_with_the_mean():
    cv = KFold(4, shuffle=True, random_state=0)
    by_int = ThresholdedDetector(Average(), QUANTILE, cv=4, ensemble=False, random_state=0).fit(X, Y)
    normal = np.arange(40.0)
    order = X[Y == 1, 0]
    means = [order[train].mean() for train, _ in cv.split(normal)]
    scores = dict(zip(by_int.calibration_indices_, by_int.calibration_scores_))
    for index in np.flatnonzero(Y == -1):
        assert scores[index] == pytest.approx(X[index, 0] - np.mean(means))
    assert len(by_int.calibration_scores_) == 50


def test_out_of_fold_scores_are_those_of_scikit_learn():
    cv = KFold(4, shuffle=True, random_state=0)
    data = np.random.default_rng(0).normal(size=(60, 3))
    forest = IsolationForest(n_estimators=20, random_state=0)
    detector = ThresholdedDetector(forest, cv=cv, ensemble=False).fit(data)
    expected = cross_val_predict(forest, data, cv=cv, method="decision_function") - 0.5  # its offset
    np.testing.assert_allclose(detector.calibration_scores_, expected, rtol=1e-12)
    reference = clone(forest).fit(data)
    np.testing.assert_array_equal(detector.score_samples(data), reference.score_samples(data))
    assert detector.threshold_ == pytest.approx(np.sort(expected)[2], rel=1e-12)  # floor(0.05 * 61) = 3


def test_groups_stay_together_with_a_splitter_for_groups():
    detector = ThresholdedDetector(Average(), QUANTILE, cv=LeaveOneGroupOut())
    detector.fit(NORMAL, groups=GROUPS[Y == 1])
    values = NORMAL[detector.calibration_indices_, 0]
    others = [np.mean([v for v in range(40) if v // 10 != value // 10]) for value in values]
    np.testing.assert_allclose(detector.calibration_scores_, values - others)


def test_prefit_leaves_the_detector_as_it_is_and_calibrates_with_all_of_x():
    memory = Memory().fit(np.arange(100.0, 110.0)[:, np.newaxis])
    detector = ThresholdedDetector(memory, ROCThreshold(), cv="prefit").fit(X, Y)
    assert detector.detector_ is memory
    np.testing.assert_array_equal(memory.seen_, np.arange(100.0, 110.0))
    np.testing.assert_array_equal(detector.calibration_scores_, X[:, 0])
    assert detector.threshold_ == -0.5


def test_prefit_survives_a_clone_when_frozen_and_says_so_when_not():
    memory = Memory().fit(np.arange(100.0, 110.0)[:, np.newaxis])
    frozen = ThresholdedDetector(FrozenEstimator(memory), cv="prefit")
    assert clone(frozen).fit(NORMAL).detector_.seen_[0] == 100
    with pytest.raises(NotFittedError, match=r'cv="prefit" takes a detector .*FrozenEstimator'):
        clone(ThresholdedDetector(memory, cv="prefit")).fit(NORMAL)


def test_labels_of_another_coding_are_refused():
    with pytest.raises(ValueError, match=r"y must hold 1 for normal and -1 .*\[0, 1\]"):
        ThresholdedDetector(OneClassSVM()).fit(X, (Y == 1).astype(int))
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        ThresholdedDetector(OneClassSVM()).fit(X, Y[:10])


def test_a_fold_without_a_normal_clip_to_train_on_is_named():
    folds = [
        (np.flatnonzero(Y == 1), np.flatnonzero(Y == -1)),
        (np.flatnonzero(Y == -1), np.flatnonzero(Y == 1)),
    ]
    with pytest.raises(ValueError, match=r"fold 1 of cv leaves no normal clip to train on"):
        ThresholdedDetector(OneClassSVM(), QUANTILE, cv=folds).fit(X, Y)


def test_a_fold_that_tests_what_it_trains_on_is_refused():
    folds = [(np.arange(30), np.arange(30, 40)), (np.arange(8, 40), np.arange(10))]
    with pytest.raises(ValueError, match=r"fold 1 of cv trains on clips that it tests, first on clip 8"):
        ThresholdedDetector(OneClassSVM(), QUANTILE, cv=folds).fit(NORMAL)
    folds = [(np.arange(50), np.flatnonzero(Y == -1))]  # anomalous clips are not trained on
    ThresholdedDetector(OneClassSVM(), QUANTILE, cv=[*folds, (np.arange(25), np.arange(25, 50))]).fit(X, Y)
