"""Keys of detectors: equal after saving, different after any change of what a detector has learnt."""

import numpy as np
import pytest
from sklearn.pipeline import make_pipeline

from skaudio_ad import AudioLoader, NearestNeighborsDetector, ShrinkageWhitener, ThresholdedDetector
from skaudio_ad.monitoring._detector_key import detector_key
from skaudio_ad.persistence import load_detector, save_detector

X = np.random.default_rng(0).normal(size=(40, 6)).astype(np.float32)


def fit(X=X, **settings):
    head = make_pipeline(ShrinkageWhitener(), NearestNeighborsDetector(**settings))
    return ThresholdedDetector(head, random_state=0).fit(X)


def test_a_saved_and_loaded_detector_has_the_key_of_the_original(tmp_path):
    detector = fit()
    save_detector(detector, tmp_path / "detector.skops")
    assert detector_key(load_detector(tmp_path / "detector.skops")) == detector_key(detector)
    assert detector_key(fit()) == detector_key(detector)


@pytest.mark.parametrize(
    "other",
    [
        lambda: fit(X + np.float32(1e-6)),
        lambda: fit(X[::-1]),
        lambda: fit(metric="cosine"),
        lambda: fit().set_threshold(-3.0),
    ],
    ids=["another value", "another order", "another parameter", "another threshold"],
)
def test_another_detector_has_another_key(other):
    assert detector_key(other()) != detector_key(fit())


def test_scoring_and_settings_of_the_machine_do_not_change_a_key():
    detector = make_pipeline(AudioLoader(16000), fit())
    key = detector_key(detector)
    detector[-1].score_samples(X)
    detector.memory, detector[-1].n_jobs = "folder", 2
    assert detector_key(detector) == key
