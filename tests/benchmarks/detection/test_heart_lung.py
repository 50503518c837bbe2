"""Heart and lung sounds: the preset beside classical detectors."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from benchmarks import _evaluation
from benchmarks.detection import heart_lung
from skaudio_ad.datasets import make_machine_sounds


@pytest.fixture(autouse=True)
def _no_bootstrap(monkeypatch):
    """Use few resamples, because these tests do not check the intervals."""
    monkeypatch.setattr(_evaluation, "bootstrap_interval", lambda metric, y, scores: (0.0, 1.0))


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    return make_machine_sounds(
        14, 6, machine="pump", duration=1.0, output_dir=tmp_path_factory.mktemp("pump"), random_state=0
    )


def test_a_split_trains_on_normal_clips_and_tests_on_all_others():
    y = np.repeat([1, -1], [20, 5])
    train, test = heart_lung.split(y, seed=3)
    assert (y[train] == 1).all()
    assert len(train) == 17
    assert sorted([*train, *test]) == list(range(25))


def test_the_level_is_that_of_the_recording(recordings):
    levels = heart_lung.features(recordings.paths)["level"][:, 0]
    # The recording fills 1 s of 15 s, and the rest is silence.
    expected = recordings.metadata["level"] - 10 * np.log10(330_000 / 22050)
    np.testing.assert_allclose(levels, expected, atol=0.3)


def test_every_detector_has_a_row_with_its_auc(recordings):
    rows = heart_lung.evaluate(heart_lung.features(recordings.paths), recordings.target, n_splits=1)
    assert [row["detector"] for row in rows] == list(heart_lung.detectors(0))
    train, test = heart_lung.split(recordings.target, 0)
    kind, model = heart_lung.detectors(0)["IsolationForest"]
    X = heart_lung.features(recordings.paths)[kind]
    scores = model.fit(X[train]).score_samples(X[test])
    auc = roc_auc_score(recordings.target[test] == 1, scores)
    assert rows[1]["mean AUC (range)"] == f"{auc:.3f}"
    assert rows[0]["ratio"] != ""
    assert rows[1]["ratio"] == ""


def test_without_the_data_set_the_benchmark_says_so(tmp_path, capsys):
    heart_lung.main(["--data-home", str(tmp_path), "--output", str(tmp_path / "out")])
    assert "left out" in capsys.readouterr().out
    assert not (tmp_path / "out").exists()
