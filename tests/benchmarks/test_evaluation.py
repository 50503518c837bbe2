"""Functions that the benchmarks of detection share."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import LocalOutlierFactor

from benchmarks import _evaluation


def test_loudness_scores_by_the_distance_from_the_mean_level():
    model = _evaluation.Loudness().fit([[-20.0], [-22.0]])
    assert model.score_samples([[-21.0], [-25.0], [-18.0]]).tolist() == [0.0, -4.0, -3.0]


def test_levels_are_mean_squares_in_decibels():
    tone = 0.1 * np.sin(np.arange(16000) * 2 * np.pi * 440 / 16000)
    values = _evaluation.levels([tone, np.zeros(10)])
    np.testing.assert_allclose(values, [[-20 - 10 * np.log10(2)], [-120]], atol=1e-3)


def test_the_classical_detectors_see_features_standardised_by_the_training_clips():
    rng = np.random.default_rng(0)
    X = rng.normal([1.0, 100.0], [0.1, 50.0], size=(30, 2))
    models = _evaluation.classical_detectors(0)
    assert list(models) == ["IsolationForest", "OneClassSVM", "LocalOutlierFactor"]
    standard = (X - X[:20].mean(axis=0)) / X[:20].std(axis=0)
    expected = LocalOutlierFactor(n_neighbors=5, novelty=True).fit(standard[:20]).score_samples(standard[20:])
    np.testing.assert_allclose(models["LocalOutlierFactor"].fit(X[:20]).score_samples(X[20:]), expected)


def test_a_run_trains_on_some_clips_and_tests_others_by_the_threshold_of_the_detector():
    X = np.array([[0.0], [0.2], [-0.2], [0.1], [-0.1], [0.3], [9.0], [0.0]])
    y = np.array([1, 1, 1, 1, 1, 1, -1, 1])
    model = _evaluation.classical_detectors(0)["LocalOutlierFactor"]
    train, test = np.arange(6), np.array([6, 7])
    labels, scores, flagged = _evaluation.fit_and_score(model, X, y, train, test)
    assert labels.tolist() == [-1, 1]
    assert scores[0] < scores[1]
    assert flagged.tolist() == [True, False]
    assert model[0].mean_ == pytest.approx(X[:6].mean())


def test_loudness_has_no_threshold():
    run = _evaluation.fit_and_score(
        _evaluation.Loudness(), np.zeros((3, 1)), np.ones(3), np.array([0]), np.array([1, 2])
    )
    assert run[2] is None
    assert _evaluation.rates([run]) == {"false alarms": "", "detected": ""}


def test_rates_are_means_over_the_runs():
    y = np.array([1, 1, -1, -1])
    runs = [
        (y, None, np.array([True, False, True, True])),
        (y, None, np.array([False, False, True, False])),
    ]
    assert _evaluation.rates(runs) == {"false alarms": "25%", "detected": "75%"}


def test_an_auc_comes_with_an_interval_around_it():
    rng = np.random.default_rng(0)
    y = np.repeat([1, -1], 30)
    scores = rng.normal(size=60) + 0.5 * y
    auc, low, high = (float(part.strip("[],")) for part in _evaluation.auc_with_interval(y, scores).split())
    assert auc == pytest.approx(roc_auc_score(y, scores), abs=5e-4)
    # Hanley and McNeil's standard error, which is accurate to 20 % here.
    q1, q2 = auc / (2 - auc), 2 * auc**2 / (1 + auc)
    error = np.sqrt((auc * (1 - auc) + 29 * (q1 - auc**2) + 29 * (q2 - auc**2)) / 900)
    assert high - low == pytest.approx(2 * 1.96 * error, rel=0.2)


def test_a_mean_has_a_range_where_there_are_several_values():
    assert _evaluation.mean_and_range([0.4, 0.5, 0.75]) == "0.550 (0.400-0.750)"
    assert _evaluation.mean_and_range([0.4]) == "0.400"
