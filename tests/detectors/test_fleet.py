"""`FleetDetector`: a detector for every machine."""

import pickle
import re

import joblib
import numpy as np
import pytest
import skops.io
from sklearn import config_context
from sklearn.ensemble import IsolationForest
from sklearn.exceptions import NotFittedError
from sklearn.mixture import GaussianMixture
from sklearn.pipeline import make_pipeline

from skaudio_ad import (
    FleetDetector,
    NearestNeighborsDetector,
    QuantileThreshold,
    ShrinkageWhitener,
    ThresholdedDetector,
)
from skaudio_ad.persistence import trusted_types

from .neighbors import sequences

MACHINES = np.array(["fan", "pump", "valve"])[np.arange(60) % 3]


def features(n_clips=60, seed=0):
    """Clips of three machines that lie apart, in turn."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n_clips, 4)) + 6 * (np.arange(n_clips) % 3)[:, np.newaxis]


def calibrated(**settings):
    return ThresholdedDetector(NearestNeighborsDetector(), QuantileThreshold(0.1), random_state=0, **settings)


@pytest.fixture(scope="module")
def fleet():
    return FleetDetector(calibrated(), unknown="merged").fit(features(), machines=MACHINES)


@pytest.mark.parametrize("method", ["score_samples", "decision_function", "predict", "p_values"])
def test_a_clip_is_scored_by_the_detector_that_was_trained_on_its_machine_alone(fleet, method):
    X, new = features(), features(9, seed=1)
    result = getattr(fleet, method)(new, machines=MACHINES[:9])
    assert result.dtype == (np.int64 if method == "predict" else np.float64)
    for machine in ("fan", "pump", "valve"):
        alone = calibrated().fit(X[machine == MACHINES])
        own = machine == MACHINES[:9]
        np.testing.assert_array_equal(result[own], getattr(alone, method)(new[own]))
    for index in (4, 0, 8):
        np.testing.assert_array_equal(
            getattr(fleet, method)(new[[index]], machines=MACHINES[[index]]), result[[index]]
        )


def test_clips_of_unknown_machines_and_clips_without_machines_are_scored_by_the_merged_detector(fleet):
    X, new = features(), features(9, seed=1)
    merged = calibrated().fit(X).score_samples(new)
    np.testing.assert_array_equal(fleet.score_samples(new), merged)
    names = np.where(np.arange(9) < 3, "press", MACHINES[:9])
    scores = fleet.score_samples(new, machines=names)
    np.testing.assert_array_equal(scores[:3], merged[:3])
    np.testing.assert_array_equal(scores[3:], fleet.score_samples(new[3:], machines=MACHINES[3:9]))
    assert fleet.detector_of("press") is fleet.merged_
    assert fleet.detector_of("pump") is fleet.detectors_[fleet.machines_.tolist().index("pump")]


@pytest.mark.parametrize("method", ["score_samples", "decision_function", "predict"])
def test_an_unknown_or_a_missing_machine_is_an_error_that_names_the_known_ones(method):
    fleet = FleetDetector(NearestNeighborsDetector()).fit(features(), machines=MACHINES)
    assert fleet.merged_ is None
    with pytest.raises(ValueError, match=r"machine 'press' is not one .*: 'fan', 'pump', 'valve'. Fit with"):
        getattr(fleet, method)(features(2), machines=["fan", "press"])
    with pytest.raises(ValueError, match="the machine of every clip is needed: pass machines="):
        getattr(fleet, method)(features(2))
    with pytest.raises(ValueError, match="machines must have one entry a clip: got 1 for 2 clips"):
        getattr(fleet, method)(features(2), machines=["fan"])


def test_the_parameter_unknown_waits_for_the_next_fit():
    fleet = FleetDetector(NearestNeighborsDetector()).fit(features(), machines=MACHINES)
    fleet.set_params(unknown="merged")
    with pytest.raises(ValueError, match="the machine of every clip is needed"):
        fleet.score_samples(features(2))
    assert fleet.fit(features(), machines=MACHINES).merged_ is not None


@pytest.mark.parametrize(
    ("machines", "error", "message"),
    [
        (None, ValueError, r"trains one detector a machine: pass machines= to fit"),
        (MACHINES[:59], ValueError, "machines must have one entry a clip: got 59 for 60 clips"),
        (
            [*MACHINES[:59], None],
            ValueError,
            "machines must name a machine for every clip, got None for clip 59",
        ),
        (np.array([1, *MACHINES[1:]], dtype=object), TypeError, "labels of one type, got int and str"),
    ],
)
def test_wrong_machines_are_an_error_of_fit(machines, error, message):
    with pytest.raises(error, match=message):
        FleetDetector(NearestNeighborsDetector()).fit(features(), machines=machines)


def test_an_error_of_one_machine_names_the_machine():
    machines = MACHINES.copy()
    machines[:2] = "drill"
    with pytest.raises(ValueError, match=r"machine 'drill': n_neighbors=3 needs as many training clips"):
        FleetDetector(NearestNeighborsDetector(3)).fit(features(), machines=machines)


def test_a_warning_of_one_machine_names_the_machine():
    machines = MACHINES.copy()
    machines[0] = "drill"
    with pytest.warns(UserWarning, match=r"one training clip has no other .*\(machine 'drill'\)"):
        FleetDetector(NearestNeighborsDetector()).fit(features(), machines=machines)


def test_a_class_or_an_estimator_without_scores_is_an_error():
    for detector in (NearestNeighborsDetector, ShrinkageWhitener()):
        with pytest.raises(TypeError, match="detector must be an estimator with score_samples, got"):
            FleetDetector(detector).fit(features(), machines=MACHINES)
    with pytest.raises(ValueError, match="unknown must be one of 'raise', 'merged', got 'skip'"):
        FleetDetector(NearestNeighborsDetector(), unknown="skip").fit(features(), machines=MACHINES)
    with pytest.raises(NotFittedError):
        FleetDetector(NearestNeighborsDetector()).score_samples(features(), machines=MACHINES)


def test_parameters_of_fit_and_labels_are_split_with_the_clips():
    X, groups, y = features(), np.arange(60) // 6, np.ones(60, dtype=int)
    y[[1, 4]] = -1
    with pytest.warns(UserWarning, match=r"trained without 2 of 20 clips.*\(machine 'pump'\)"):
        fleet = FleetDetector(NearestNeighborsDetector()).fit(X, y, machines=MACHINES, groups=groups)
    own = (MACHINES == "pump") & (y == 1)
    alone = NearestNeighborsDetector().fit(X[own], groups=groups[own])
    np.testing.assert_array_equal(fleet.detector_of("pump").held_out_scores_, alone.held_out_scores_)


def test_a_clip_that_could_not_be_read_scores_nan_and_is_not_normal(fleet):
    X = features(6, seed=1)
    X[2] = np.nan
    for method in ("score_samples", "decision_function", "p_values"):
        values = getattr(fleet, method)(X, machines=MACHINES[:6])
        assert np.flatnonzero(np.isnan(values)).tolist() == [2]
    assert fleet.predict(X, machines=MACHINES[:6])[2] == -1


def test_fit_predict_decides_as_the_detectors_do():
    X, inner = features(), NearestNeighborsDetector(contamination=0.2)
    decisions = FleetDetector(inner).fit_predict(X, machines=MACHINES)
    for machine in np.unique(MACHINES):
        own = machine == MACHINES
        np.testing.assert_array_equal(decisions[own], inner.fit_predict(X[own]))
    assert (decisions == -1).sum() == 12


def test_other_detectors_have_the_methods_that_they_have():
    mixture = FleetDetector(GaussianMixture(random_state=0)).fit(features(), machines=MACHINES)
    assert np.isfinite(mixture.score_samples(features(), machines=MACHINES)).all()
    assert not hasattr(mixture, "decision_function")
    assert not hasattr(mixture, "p_values")
    numbers = np.arange(60) % 3
    forest = FleetDetector(IsolationForest(n_estimators=3, random_state=0)).fit(features(), machines=numbers)
    assert forest.machines_.tolist() == [0, 1, 2]
    assert set(forest.predict(features(), machines=numbers)) <= {-1, 1}
    pipeline = make_pipeline(ShrinkageWhitener(), calibrated(cv="loo"))
    whitened = FleetDetector(pipeline).fit(features(), machines=MACHINES)
    alone = make_pipeline(ShrinkageWhitener(), calibrated(cv="loo")).fit(features()[::3])
    np.testing.assert_array_equal(
        whitened.p_values(features()[::3], machines=MACHINES[::3]),
        alone[-1].p_values(alone[0].transform(features()[::3])),
    )


def test_frames_are_scored_by_the_detector_of_the_machine():
    clips, machines = sequences((7, 3, 12, 5, 9, 4)), ["a", "b"] * 3
    fleet = FleetDetector(NearestNeighborsDetector()).fit(clips, machines=machines)
    scores = fleet.score_frames(clips[:3], machines=machines[:3])
    assert [len(part) for part in scores] == [7, 3, 12]
    np.testing.assert_array_equal(fleet.window_centers(3), [0, 1, 2])


def test_several_machines_can_be_trained_at_the_same_time(fleet):
    with joblib.parallel_config("threading"):
        again = FleetDetector(calibrated(), unknown="merged", n_jobs=2).fit(features(), machines=MACHINES)
    new = features(6, seed=1)
    np.testing.assert_array_equal(
        again.score_samples(new, machines=MACHINES[:6]), fleet.score_samples(new, machines=MACHINES[:6])
    )


@pytest.mark.parametrize("way", ["pickle", "skops"])
def test_a_saved_fleet_gives_the_same_scores(fleet, way):
    if way == "pickle":
        again = pickle.loads(pickle.dumps(fleet))
    else:
        again = skops.io.loads(skops.io.dumps(fleet), trusted=trusted_types())
    new = features(6, seed=1)
    np.testing.assert_array_equal(
        again.decision_function(new, machines=MACHINES[:6]),
        fleet.decision_function(new, machines=MACHINES[:6]),
    )
    assert re.sub(r"0x\w+", "", repr(again)) == re.sub(r"0x\w+", "", repr(fleet))


def test_a_pipeline_of_scikit_learn_routes_machines_and_groups():
    X, groups = features(), np.arange(60) // 6
    with config_context(enable_metadata_routing=True):
        inner = NearestNeighborsDetector().set_fit_request(groups=True)
        pipeline = make_pipeline(ShrinkageWhitener(), FleetDetector(inner))
        pipeline.fit(X, machines=MACHINES, groups=groups)
        decisions = pipeline.predict(X, machines=MACHINES)
        margins = pipeline.decision_function(X, machines=MACHINES)
    plain = make_pipeline(ShrinkageWhitener(), FleetDetector(NearestNeighborsDetector()))
    plain.fit(X, fleetdetector__machines=MACHINES, fleetdetector__groups=groups)
    np.testing.assert_array_equal(
        margins, plain[-1].decision_function(plain[0].transform(X), machines=MACHINES)
    )
    np.testing.assert_array_equal(decisions, np.where(margins >= 0, 1, -1))
