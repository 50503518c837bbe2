"""Calibrations that are made again after a change of the memory."""

import numpy as np
import pytest
import soundfile
from sklearn.pipeline import make_pipeline

from skaudio_ad import AudioLoader, NearestNeighborsDetector, ThresholdedDetector
from skaudio_ad.monitoring import AlarmCalibration, NormalMemory, calibrate_alarms
from skaudio_ad.monitoring._confirm import recalibrate
from skaudio_ad.recordings import score_recording

from .stand_ins import RATE, Peak, sound

# A sound that comes twice in the hours of normal sound, and is rare in the training.
RARE = [(10, 12), (40, 42)]


@pytest.fixture(scope="module")
def detector():
    pipeline = make_pipeline(
        AudioLoader(RATE, duration=1.0),
        Peak(),
        ThresholdedDetector(NearestNeighborsDetector(), random_state=0),
    )
    return pipeline.fit(list(sound(60)[:, 0].reshape(60, -1)))


@pytest.fixture
def calibrated(detector, tmp_path):
    """A calibration, its recording, and a memory of the rare sound of another recording."""
    soundfile.write(tmp_path / "hours.wav", sound(60, RARE, seed=1)[:, 0], RATE)
    found = calibrate_alarms(detector, [tmp_path / "hours.wav"], shape={"n_raise": 2, "refractory": 5.0})
    found.save(tmp_path / "alarm.json")
    memory = NormalMemory(tmp_path / "state")
    memory.extend(detector)
    peaks = np.abs(sound(20, [(0, 20)], seed=2)[:, 0].reshape(20, -1)).max(axis=1)
    memory.add(peaks[:, np.newaxis], reason="confirmed", event="e1", source=str(tmp_path / "other.wav"))
    return found, memory, tmp_path / "alarm.json"


def test_the_level_rises_at_the_same_stated_rate_and_the_old_file_gets_a_number(calibrated, detector):
    old, memory, path = calibrated
    found, kept = recalibrate(detector, memory, path)
    assert found.policy.raise_level > old.policy.raise_level
    for name in (
        "events_per_day",
        "wanted_events_per_day",
        "confidence",
        "hours",
        "window",
        "hop",
        "recordings",
    ):
        assert getattr(found, name) == getattr(old, name), name
    assert (found.policy.n_raise, found.policy.refractory) == (2, 5.0)
    assert found.detector_key == old.detector_key  # a monitor is started with the detector without its memory
    assert AlarmCalibration.load(path).policy == found.policy
    assert kept == path.with_name("alarm.1.json")
    assert AlarmCalibration.load(kept).policy == old.policy
    assert recalibrate(detector, memory, path)[1] == path.with_name("alarm.2.json")


def test_the_new_level_is_that_of_the_scores_with_the_memory(calibrated, detector):
    _, memory, path = calibrated
    found, _ = recalibrate(detector, memory, path)
    timeline = score_recording(
        memory.extend(detector), found.recordings[0], window=found.window, hop=found.hop
    )
    step = round(found.window / found.hop)
    np.testing.assert_array_equal(found.scores, timeline.scores[::step])
    below = timeline.scores < found.policy.raise_level
    assert not (below[1:] & below[:-1]).any()  # no event in the hours of normal sound


def test_a_missing_recording_leaves_the_old_level_and_says_why_that_is_safe(calibrated, detector):
    old, memory, path = calibrated
    path.with_name("hours.wav").unlink()
    with pytest.raises(
        FileNotFoundError, match=r"1 of 1 recordings .* missing: .*hours\.wav.*stated rate still holds"
    ):
        recalibrate(detector, memory, path)
    assert AlarmCalibration.load(path).policy == old.policy
    assert not path.with_name("alarm.1.json").exists()


@pytest.mark.parametrize("source", ["hours.wav", "."])
def test_a_recording_in_which_an_event_was_confirmed_is_refused(calibrated, detector, source):
    _, memory, path = calibrated
    memory.add([[0.9]], reason="confirmed", event="e2", source=str(path.parent / source))
    with pytest.raises(ValueError, match=r"holds windows of .*hours\.wav.*in which no event was confirmed"):
        recalibrate(detector, memory, path)


def test_a_calibration_of_another_detector_is_refused(calibrated, detector):
    _, memory, path = calibrated
    other = make_pipeline(
        *(step for _, step in detector.steps[:-1]), NearestNeighborsDetector().fit([[0.0], [1.0]])
    )
    with pytest.raises(ValueError, match=r"alarm\.json: the calibration belongs to another detector"):
        recalibrate(other, memory, path)
