"""`check_shift`, by formula and by simulation."""

import dataclasses
from math import comb

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skaudio_ad import NearestNeighborsDetector, NormalOnly, NormalOnlySplit, ThresholdedDetector
from skaudio_ad.model_selection import get_anomaly_scorer
from skaudio_ad.thresholds import ShiftCheck, check_shift, get_calibration_scores


def test_a_batch_below_all_calibration_clips_has_the_p_value_of_a_single_order():
    check = check_shift(np.arange(7.0) + 10, [1.0, 2.0, 3.0, 4.0, 5.0])
    # The lowest of 5 scores is left out. There are comb(11, 4) orders of 4 new and 7 other scores, and in one order all
    # 4 new scores are lowest.
    assert check.p_value == pytest.approx(1 / comb(11, 4), rel=1e-12)
    assert check.statistic == 1
    assert (check.n_calibration, check.n_new, check.share_below, check.median_shift) == (7, 5, 1.0, -10.0)


def test_the_statistic_counts_pairs_and_half_of_the_ties():
    check = check_shift([1.0, 2.0, 3.0, 4.0], [2.0, 3.5, 0.0], max_anomalies=0.3)
    # 0.0 is left out. Two and a half calibration scores are above 2.0, and one is above 3.5.
    assert check.statistic == (2.5 + 1) / 8


def test_the_share_below_counts_scores_below_the_conformal_quantile():
    calibration = np.arange(39.0)  # the second smallest, 1.0, is the 0.05 quantile
    check = check_shift(calibration, [-1.0, 0.5, 1.0, 20.0])
    assert check.share_below == 0.5
    assert check_shift(np.arange(5.0), [-1.0, 0.5, 1.0, 20.0]).share_below == 0.25


def rates(draw_new, *, n, n_draws=200, **kwargs):
    """Fractions of draws in which the batch is shifted, and in which some clips are anomalous."""
    rng = np.random.default_rng(0)
    checks = [check_shift(rng.normal(size=n), draw_new(rng), **kwargs) for _ in range(n_draws)]
    return np.mean([(check.shifted, check.some_anomalous) for check in checks], axis=0)


def margin(rate, n_draws=200):
    return 4 * np.sqrt(rate * (1 - rate) / n_draws)


@pytest.mark.parametrize(("n", "m"), [(19, 10), (60, 40), (200, 15)])
def test_batches_of_normal_clips_are_called_shifted_no_more_often_than_the_level(n, m):
    shifted, some = rates(lambda rng: rng.normal(size=m), n=n, alpha=0.05)
    assert shifted <= 0.05 + margin(0.05)
    assert some <= 0.05 + margin(0.05)
    # The test is exact if no score is left out.
    shifted, _ = rates(lambda rng: rng.normal(size=m), n=n, alpha=0.05, max_anomalies=0)
    assert shifted == pytest.approx(0.05, abs=margin(0.05))


@pytest.mark.parametrize("fraction", [0.1, 0.2])
def test_a_batch_with_anomalies_is_not_called_shifted_more_often_than_the_level(fraction):
    def draw_new(rng):
        scores = rng.normal(size=50)
        scores[: round(50 * fraction)] -= 100
        return scores

    shifted, some = rates(draw_new, n=60, alpha=0.05)
    assert shifted <= 0.05 + margin(0.05)
    assert some > 0.3
    if fraction == 0.2:
        without, _ = rates(draw_new, n=60, alpha=0.05, max_anomalies=0)
        assert without > 0.2  # the plain test calls the anomalies a shift


def test_a_batch_of_another_condition_is_always_found():
    shifted, _ = rates(lambda rng: rng.normal(-3, 1, size=20), n=40)
    assert shifted == 1


def test_shared_calibration_clips_raise_no_false_shift():
    # Kolmogorov and Smirnov's test of p-values against a uniform distribution finds a shift at ten times its level.
    from scipy.stats import kstest

    rng = np.random.default_rng(0)
    found = []
    for _ in range(200):
        calibration, new = rng.normal(size=20), rng.normal(size=200)
        p_values = (1 + np.searchsorted(np.sort(calibration), new, side="right")) / 21
        found.append(
            (check_shift(calibration, new, alpha=0.05).shifted, kstest(p_values, "uniform").pvalue < 0.05)
        )
    ours, plain = np.mean(found, axis=0)
    assert ours <= 0.05 + margin(0.05)
    assert plain > 0.5


def test_clips_of_another_microphone_are_found_behind_a_detector():
    rng = np.random.default_rng(0)
    train, normal = rng.normal(size=(100, 8)), rng.normal(size=(30, 8))
    detector = NearestNeighborsDetector().fit(train)
    scores = get_calibration_scores(detector)
    assert not check_shift(scores, detector.score_samples(normal)).shifted
    check = check_shift(scores, detector.score_samples(normal + 2))
    assert check.shifted
    assert check.share_below > 0.9
    assert check.summary.startswith("The whole batch is shifted:")
    assert "of 30 new clips score below" in check.summary
    assert "100 calibration clips" in check.summary


def test_the_summary_distinguishes_a_shift_from_anomalies_and_from_normal_clips():
    calibration = np.random.default_rng(0).normal(size=99)
    normal = np.random.default_rng(1).normal(size=40)
    assert check_shift(calibration, normal).summary.startswith("No shift was found:")
    anomalies = check_shift(calibration, np.append(normal, np.full(8, -50.0)))
    assert anomalies.summary.startswith(
        "Some of the new clips are anomalous, and no shift of the whole batch"
    )
    assert "in 5% of the cases" in anomalies.summary
    assert "nothing is known" in check_shift(calibration, [np.nan]).summary


def test_clips_that_could_not_be_read_are_not_counted():
    calibration = np.arange(50.0)
    with_missing = check_shift(calibration, [np.nan, 3.0, 20.0, np.nan, 1.0])
    assert with_missing == check_shift(calibration, [3.0, 20.0, 1.0])
    assert with_missing.n_new == 3


def test_a_single_clip_is_never_a_shift():
    check = check_shift(np.arange(1000.0), [-1e9], alpha=0.06)
    assert (check.shifted, check.p_value, check.share_below, check.some_anomalous) == (False, 1.0, 1.0, True)


def test_scores_that_are_all_the_same_are_no_shift():
    check = check_shift(np.zeros(50), np.zeros(30))
    assert (check.shifted, check.p_value, check.share_below) == (False, 1.0, 0.0)


def test_the_result_cannot_be_changed():
    check = check_shift(np.arange(20.0), np.arange(20.0))
    assert isinstance(check, ShiftCheck)
    with pytest.raises(dataclasses.FrozenInstanceError):
        check.shifted = True


@pytest.mark.parametrize(
    ("kwargs", "match"),
    [
        ({"alpha": 0}, "alpha must lie in"),
        ({"max_anomalies": 1.0}, "max_anomalies must lie in"),
        ({"calibration_scores": []}, "scores is empty"),
        ({"calibration_scores": [1.0, np.nan]}, "1 of 2 scores are NaN"),
    ],
)
def test_bad_arguments_are_refused(kwargs, match):
    with pytest.raises(ValueError, match=match):
        check_shift(**{"calibration_scores": np.arange(5.0), "scores": np.arange(5.0), **kwargs})


def test_calibration_scores_are_found_inside_pipelines_searches_and_wrappers():
    X = np.random.default_rng(0).normal(size=(60, 4))
    y = np.repeat([1, -1], [54, 6])
    pipeline = make_pipeline(StandardScaler(), NearestNeighborsDetector()).fit(X)
    np.testing.assert_array_equal(get_calibration_scores(pipeline), pipeline[-1].held_out_scores_)
    thresholded = ThresholdedDetector(IsolationForest(n_estimators=5, random_state=0), cv=2).fit(X, y)
    scores = get_calibration_scores(make_pipeline(PCA(), thresholded))
    assert len(scores) == 54  # those of the normal clips
    np.testing.assert_array_equal(
        scores, thresholded.calibration_scores_[thresholded.calibration_labels_ == 1]
    )
    search = GridSearchCV(
        NormalOnly(pipeline),
        {"estimator__nearestneighborsdetector__n_neighbors": [1]},
        scoring=get_anomaly_scorer("anomaly_auc"),
        cv=NormalOnlySplit(KFold(2)),
    ).fit(X, y)
    assert len(get_calibration_scores(search)) == 54


def test_a_detector_without_calibration_scores_says_what_to_do():
    detector = IsolationForest(n_estimators=2).fit(np.zeros((5, 2)))
    with pytest.raises(
        ValueError, match=r"IsolationForest keeps no scores .* put it into a ThresholdedDetector"
    ):
        get_calibration_scores(detector)
