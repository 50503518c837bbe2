"""Tests of the summary of a batch of scores."""

import numpy as np
import pytest
from sklearn.ensemble import IsolationForest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skaudio_ad import NearestNeighborsDetector
from skaudio_ad.recordings._summary import summarize
from skaudio_ad.thresholds import ConformalThreshold, ThresholdedDetector


@pytest.fixture
def pipeline(rng):
    return make_pipeline(StandardScaler(), NearestNeighborsDetector()).fit(rng.normal(size=(60, 3)))


def judge(pipeline, X):
    decisions = np.where(pipeline.predict(X) == 1, "normal", "anomalous").tolist()
    return summarize(pipeline, pipeline.score_samples(X).tolist(), decisions)


def test_the_summary_counts_decisions_and_expected_false_alarms(pipeline, rng):
    X = rng.normal(size=(40, 3))
    X[:4] += 50
    n_anomalous = np.count_nonzero(pipeline.predict(X) == -1)
    summary, shift = judge(pipeline, X)
    assert summary == (
        f"Summary: {n_anomalous} of 40 scored recordings are anomalous. If all of them were normal, 2 false alarms "
        "would be expected (rate 0.05, estimated)."
    )
    assert shift.startswith("Shift check: Some of the new clips are anomalous")


def test_the_summary_warns_of_a_shift_of_all_recordings(pipeline, rng):
    shift = judge(pipeline, rng.normal(size=(40, 3)) + 20)[1]
    assert shift.startswith("Warning: The whole batch is shifted: 100% of 40 new clips")


def test_the_rate_and_the_promise_come_from_a_thresholded_detector(rng):
    detector = ThresholdedDetector(IsolationForest(random_state=0), ConformalThreshold(0.1), cv=0.5)
    detector.fit(rng.normal(size=(80, 3)))
    summary = judge(detector, rng.normal(size=(20, 3)))[0]
    rate = detector.false_alarm_rate_
    assert (
        f"{rate * 20:.2g} false alarms would be expected (rate {rate:.2g}, {detector.promise_})." in summary
    )


def test_there_is_no_promise_for_a_detector_without_a_false_alarm_rate(rng):
    forest = IsolationForest(random_state=0).fit(rng.normal(size=(30, 3)))
    assert summarize(forest, [1.0, 2.0], ["normal", "normal"]) == [
        "Summary: 0 of 2 scored recordings are anomalous."
    ]


def test_recordings_without_a_score_are_not_counted(pipeline):
    scores, decisions = [np.nan, -0.1, np.nan], ["error", "normal", "error"]
    (summary,) = summarize(pipeline, scores, decisions)
    assert summary.startswith("Summary: 0 of 1 scored recordings are anomalous.")
    assert summarize(pipeline, [np.nan], ["error"]) == []
