import numpy as np
import pytest
import soundfile
from sklearn.pipeline import make_pipeline

from skaudio_ad import AudioLoader, MelTransformer, NearestNeighborsDetector, TemporalPooling
from skaudio_ad.monitoring import AlarmCalibration
from skaudio_ad.persistence import save_detector
from skaudio_ad.recordings import check_recordings

RATE = 1000


def write_noise(path, seconds, seed):
    samples = np.random.default_rng(seed).normal(scale=0.1, size=seconds * RATE)
    soundfile.write(path, samples, RATE, subtype="FLOAT")
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A detector of noise, a recording of the training, and a folder of other recordings."""
    made = tmp_path_factory.mktemp("calibrate")
    paths = [write_noise(made / f"train{seed}.wav", 1, seed) for seed in range(8)]
    mel = MelTransformer(sample_rate=RATE, n_fft=128, hop_length=64, n_mels=4)
    detector = make_pipeline(
        AudioLoader(RATE, duration=1.0), mel, TemporalPooling(), NearestNeighborsDetector()
    ).fit(list(map(str, paths)))
    digests = [row.digest[:16] for row in check_recordings(paths).recordings]
    save_detector(detector, made / "known.skops", metadata={"training": {"digests": digests}})
    save_detector(detector, made / "unknown.skops")
    (made / "hours").mkdir()
    write_noise(made / "hours" / "a.wav", 40, 100)
    write_noise(made / "hours" / "b.wav", 20, 101)
    return made


def test_the_statement_is_printed_and_the_file_holds_the_levels(run, folder, tmp_path):
    options = ("--n-raise", 2, "--refractory", 5, "--hop", 1, "-o", tmp_path / "alarm.json")
    done = run("calibrate", folder / "known.skops", folder / "hours", *options)
    assert done.exit_code == 0, done.output
    made = AlarmCalibration.load(tmp_path / "alarm.json")
    assert made.statement in done.stdout
    assert "1 per day takes 71.9 hours" in done.stdout
    assert (made.policy.n_raise, made.policy.refractory, made.policy.max_duration) == (2, 5.0, 600.0)
    assert (made.window, made.hop) == (1.0, 1.0)
    assert made.hours == pytest.approx((39 + 19) / 3600)
    assert "Note" not in done.stderr


def test_recordings_of_the_training_are_refused(run, folder, tmp_path):
    hours = (folder / "hours", folder / "train0.wav")
    done = run("calibrate", folder / "known.skops", *hours, "-o", tmp_path / "alarm.json")
    assert done.exit_code == 1
    assert "1 of 3 recordings are in the training set" in done.stderr
    assert not (tmp_path / "alarm.json").exists()


def test_a_detector_that_does_not_know_its_training_is_noted(run, folder, tmp_path):
    done = run("calibrate", folder / "unknown.skops", folder / "hours", "-o", tmp_path / "alarm.json")
    assert done.exit_code == 0, done.output
    assert "does not say which recordings it was trained on" in done.stderr


def test_a_wrong_option_is_a_mistake_of_the_command_line(run, folder, tmp_path):
    done = run(
        "calibrate", folder / "known.skops", folder / "hours", "-o", tmp_path / "a.json", "--n-raise", 0
    )
    assert done.exit_code == 2


def test_recordings_of_a_lower_rate_than_the_training_give_a_warning(run, folder, tmp_path):
    soundfile.write(tmp_path / "low.wav", np.random.default_rng(102).normal(scale=0.1, size=4000), RATE // 2)
    recordings = (folder / "hours", tmp_path / "low.wav")
    done = run("calibrate", folder / "known.skops", *recordings, "-o", tmp_path / "alarm.json")
    assert done.exit_code == 0, done.output
    assert "Warning: 1 of 3 files have a lower sample rate" in done.stderr
    assert "low.wav" in done.stderr
