"""Thresholds from few clips: a selector that estimates, and folds that fit the number of clips."""

import warnings

import numpy as np
import pytest

from skaudio_ad import ConformalThreshold, NearestNeighborsDetector, ThresholdedDetector
from skaudio_ad._base import lower_quantile

CLIPS = np.random.default_rng(0).normal(size=(40, 4))
ESTIMATE = ConformalThreshold(0.1, too_few="estimate")


@pytest.mark.parametrize("confidence", [None, 0.9])
def test_a_selector_that_estimates_takes_the_end_of_a_prediction_interval_and_says_so(confidence):
    scores = -np.random.default_rng(0).gamma(2.0, size=8)
    selector = ConformalThreshold(0.1, confidence=confidence, too_few="estimate").fit(scores)
    assert selector.threshold_ == min(lower_quantile(np.sort(scores), 0.1), scores.min())
    assert (selector.promise_, selector.false_alarm_rate_) == ("estimated", 0.1)
    assert "8 normal clips calibrate, and a promise of 0.1 takes 9" in selector.promise_reason_
    with pytest.raises(ValueError, match=r"of at least (9|22) normal clips, got 8"):
        ConformalThreshold(0.1, confidence=confidence).fit(scores)


def test_an_estimate_is_never_above_the_smallest_score():
    skewed = -np.exp([0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 9.0])
    assert lower_quantile(skewed, 0.1) > skewed.min()
    assert ConformalThreshold(0.1, too_few="estimate").fit(skewed).threshold_ == skewed.min()


def test_with_enough_scores_estimating_changes_nothing():
    scores = -np.random.default_rng(0).gamma(2.0, size=30)
    selector = ConformalThreshold(0.1, too_few="estimate").fit(scores)
    assert selector.threshold_ == ConformalThreshold(0.1).fit(scores).threshold_
    assert selector.promise_ == "guaranteed on average"


def test_an_unknown_way_with_too_few_scores_lists_the_known_ones():
    with pytest.raises(ValueError, match="too_few must be one of 'raise', 'estimate', got 'guess'"):
        ConformalThreshold(too_few="guess").fit(np.arange(30.0))


def test_the_detector_passes_the_estimate_on():
    detector = ThresholdedDetector(NearestNeighborsDetector(), ESTIMATE, random_state=0).fit(CLIPS[:8])
    assert (detector.promise_, detector.false_alarm_rate_, detector.false_alarm_bound_) == (
        "estimated",
        0.1,
        None,
    )
    assert "8 normal clips calibrate, and a promise of 0.1 takes 9" in detector.promise_reason_
    assert detector.selector_.promise_ == "estimated"


def test_few_groups_are_estimated_by_groups():
    groups = np.arange(40) % 5
    detector = ThresholdedDetector(NearestNeighborsDetector(), ESTIMATE, random_state=0).fit(
        CLIPS, groups=groups
    )
    scores, own = detector.calibration_scores_, detector.calibration_groups_
    assert detector.threshold_ == min(lower_quantile(scores, 0.1, own), scores.min())
    assert "5 normal groups calibrate, and a promise of 0.1 takes 9" in detector.promise_reason_


@pytest.mark.parametrize(("n_clips", "n_models"), [(3, 3), (10, 10), (11, 5)])
def test_automatic_folds_leave_one_out_with_up_to_ten_clips(n_clips, n_models):
    detector = ThresholdedDetector(NearestNeighborsDetector(), ESTIMATE, cv="auto", random_state=0)
    detector.fit(np.resize(CLIPS, (n_clips, 4)))
    assert len(detector.detectors_) == n_models
    assert len(detector.calibration_scores_) == n_clips


def test_automatic_folds_count_groups():
    detector = ThresholdedDetector(NearestNeighborsDetector(), ESTIMATE, cv="auto", random_state=0)
    detector.fit(CLIPS, groups=np.arange(40) % 7)
    assert len(detector.detectors_) == 7


@pytest.mark.parametrize("n_clips", [1, 2])
def test_one_or_two_clips_give_scores_and_no_threshold_with_a_warning(n_clips):
    detector = ThresholdedDetector(NearestNeighborsDetector(), ESTIMATE, cv="auto")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        detector.fit(CLIPS[:n_clips])
    assert any("no threshold can be set and no clip raises an alarm" in str(w.message) for w in caught)
    new = np.full((2, 4), [[9.0], [99.0]])
    first, second = detector.score_samples(new)
    assert first > second
    assert detector.threshold_ == -np.inf
    assert detector.predict(new).tolist() == [1, 1]
    assert detector.p_values(new).tolist() == [1, 1]
    assert (detector.promise_, detector.false_alarm_rate_, detector.false_alarm_bound_) == (None, None, None)
    assert "do not show how much normal clips differ" in detector.promise_reason_
    assert detector.set_threshold(-50.0).predict(new).tolist() == [1, -1]


def test_one_group_of_many_clips_has_no_threshold():
    detector = ThresholdedDetector(NearestNeighborsDetector(), ESTIMATE, cv="auto")
    with pytest.warns(UserWarning, match="one or two normal clips or groups"):
        detector.fit(CLIPS, groups=np.zeros(40))
    assert detector.promise_ is None
