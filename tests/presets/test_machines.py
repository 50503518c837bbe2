"""Machines of recordings: `DetectorPipeline`, `make_detector` and `score_recordings` with a `FleetDetector`."""

import shutil
import warnings

import numpy as np
import pytest
import sklearn
import soundfile

from skaudio_ad import (
    DetectorPipeline,
    FleetDetector,
    NearestNeighborsDetector,
    ShrinkageWhitener,
    make_detector,
)
from skaudio_ad.recordings import score_recordings

from ..embeddings.small_backbones import BACKBONE, SAMPLE_RATE, noise

pytestmark = pytest.mark.filterwarnings("ignore:.* with weights=None has random weights:UserWarning")


def small(**settings):
    return make_detector(BACKBONE["mobilenet"], weights=None, random_state=0, output="multilevel", **settings)


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    """Paths of 20 recordings of two machines, a folder each, that differ in their spectra."""
    root = tmp_path_factory.mktemp("recordings")
    paths = []
    for number, clip in enumerate(noise(*[0.2] * 20)):
        folder = root / ("fan", "pump")[number % 2]
        folder.mkdir(exist_ok=True)
        clip = np.convolve(clip, np.ones(8) / 8, "same") if number % 2 else clip
        paths.append(str(folder / f"id_{number % 2:02}_{number}.wav"))
        soundfile.write(paths[-1], clip, SAMPLE_RATE, subtype="FLOAT")
    return paths


@pytest.fixture(scope="module")
def fitted(recordings):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return small(machines="folder").fit(recordings)


@pytest.mark.parametrize("method", ["score_samples", "decision_function", "predict", "p_values"])
def test_every_recording_is_scored_by_the_detector_of_the_machine_in_its_path(fitted, recordings, method):
    embeddings = fitted[:-1].transform(recordings)
    names = ["fan", "pump"] * 10
    expected = getattr(fitted[-1], method)(embeddings, machines=names)
    np.testing.assert_array_equal(getattr(fitted, method)(recordings), expected)
    swapped = getattr(fitted, method)(recordings, machines=names[::-1])
    np.testing.assert_array_equal(swapped, getattr(fitted[-1], method)(embeddings, machines=names[::-1]))
    assert (swapped != expected).any()


@pytest.mark.parametrize("routed", [False, True])
def test_machines_come_from_the_call_or_from_the_paths(fitted, recordings, routed):
    expected = fitted.score_samples(recordings)
    with sklearn.config_context(enable_metadata_routing=routed):
        by_name = small(machines="^(id_[0-9]+)_").fit(recordings)
        given = small(machines="folder").set_params(machines=None)
        given.fit(recordings, machines=np.arange(20) % 2)
        scores = given.score_samples(recordings, machines=np.arange(20) % 2)
    assert by_name[-1].machines_.tolist() == ["id_00", "id_01"]
    np.testing.assert_array_equal(by_name.score_samples(recordings), expected)
    np.testing.assert_array_equal(scores, expected)
    with pytest.raises(ValueError, match="the machine of every clip is needed: pass machines="):
        given.predict(recordings)


def test_groups_are_groups_within_a_machine(recordings):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pipeline = small(machines="folder").fit(recordings, groups=np.arange(20) // 4)
    assert pipeline[-1].detector_of("pump").calibration_groups_.tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]


def test_machines_need_paths_and_a_fleet(recordings):
    X = np.random.default_rng(0).normal(size=(20, 3))
    steps = [("whiten", ShrinkageWhitener()), ("detector", NearestNeighborsDetector())]
    with pytest.raises(
        ValueError, match="machines= needs a FleetDetector as the last step, but that is a Nearest"
    ):
        DetectorPipeline(steps).fit(X, machines=np.arange(20) % 2)
    fleet = DetectorPipeline([steps[0], ("detector", FleetDetector(steps[1][1]))], machines="folder")
    with pytest.raises(ValueError, match=r"machines='folder' reads the machines .* but X holds no paths"):
        fleet.fit(X)
    fleet.fit(X, machines=np.arange(20) % 2)
    assert not hasattr(fleet, "p_values")
    with pytest.raises(
        ValueError, match=r"machines='\^\(x\)': '\^\(x\)' finds no group in the name of 20 of 20"
    ):
        small(machines="^(x)").fit(recordings)


def test_score_recordings_reports_a_recording_of_an_unknown_machine_and_goes_on(fitted, recordings, tmp_path):
    other = tmp_path / "press" / "id_00_0.wav"
    other.parent.mkdir()
    shutil.copy(recordings[0], other)
    scored = list(score_recordings(fitted, [recordings[1], str(other), recordings[2]]))
    assert [recording.decision == "error" for recording in scored] == [False, True, False]
    assert scored[1].error.startswith("the machine 'press' is not one that was trained on: 'fan', 'pump'.")
    for recording in scored[::2]:
        assert recording.score == fitted.score_samples([recording.path])[0]
        assert recording.margin == pytest.approx(fitted.decision_function([recording.path])[0])
        assert recording.p_value == fitted.p_values([recording.path])[0]
    (named,) = score_recordings(fitted, [str(other)], machines=["fan"])
    assert named.score == fitted.score_samples([str(other)], machines=["fan"])[0]
    with pytest.raises(ValueError, match="machines must have one entry a recording: got 2 for 1"):
        score_recordings(fitted, [str(other)], machines=["fan", "fan"])
