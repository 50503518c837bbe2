"""Detectors on a frozen network beside log-mel statistics, and tags of the network."""

import csv
import os
from functools import partial

import numpy as np
import pytest
import soundfile
from scipy.spatial.distance import cdist
from sklearn.metrics import roc_auc_score
from sklearn.svm import OneClassSVM

from benchmarks import _evaluation
from benchmarks.detection import machines, pretrained
from skaudio_ad.datasets import load_mimii
from skaudio_ad.embeddings import MobileNetEmbedding, class_labels
from skaudio_ad.features import MelTransformer

RATE, LENGTH = 32000, 16000
KINDS = ("log-mel 16 kHz", "log-mel 32 kHz", "clip", "multilevel")

pytestmark = pytest.mark.filterwarnings("ignore:MobileNetEmbedding with weights=None")


@pytest.fixture(autouse=True)
def _no_bootstrap(monkeypatch):
    """Use few resamples, because these tests do not check the intervals."""
    monkeypatch.setattr(_evaluation, "bootstrap_interval", lambda metric, y, scores: (0.0, 1.0))


@pytest.fixture
def random_weights(monkeypatch):
    """Use a network with random weights, which needs no file."""
    network = partial(MobileNetEmbedding, weights=None, random_state=0)
    monkeypatch.setattr(pretrained, "MobileNetEmbedding", network)
    monkeypatch.setattr(pretrained, "weights_path", lambda variant, *, download: None)
    monkeypatch.setattr(pretrained, "class_labels", lambda *, download: None)
    return network


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """MIMII's four types of machine: seven normal clips and two anomalous ones of each machine, half a second."""
    folder = tmp_path_factory.mktemp("mimii")
    rng = np.random.default_rng(0)
    for machine in machines.MACHINES:
        for machine_id in ("id_00", "id_02", "id_04", "id_06"):
            for kind, n_clips in (("normal", 7), ("abnormal", 2)):
                place = folder / "-6_dB" / machine / machine_id / kind
                place.mkdir(parents=True)
                for number in range(n_clips):
                    sound = rng.uniform(0.01, 0.1) * rng.normal(size=(LENGTH, 2))
                    soundfile.write(place / f"{number:08d}.wav", sound, RATE, subtype="FLOAT")
    return folder


@pytest.fixture
def made():
    """Random values of 20 clips, with labels."""
    rng = np.random.default_rng(1)
    y = np.where(np.arange(20) < 14, 1, -1)
    X = {kind: rng.normal(size=(20, 6)) - 0.5 * y[:, np.newaxis] for kind in KINDS}
    X["frames"] = rng.normal(size=(20, 6, 5)) - 0.5 * y[:, np.newaxis, np.newaxis]
    X["level"] = rng.normal(-20, 3, size=(20, 1))
    return X, y


def test_the_features_come_from_the_first_microphone_at_the_given_level(home, random_weights):
    paths = load_mimii("fan", data_home=home).paths[:2]
    X = pretrained.features(paths, "mn01", -26.0)
    sound = soundfile.read(paths[0], dtype="float32")[0][:, 0]
    level = 10 * np.log10(np.mean(sound.astype(np.float64) ** 2))
    at_level = sound * np.float32(10 ** ((-26 - level) / 20))
    # White noise keeps half of its power at 16 kHz.
    np.testing.assert_allclose(X["level"][0], level - 10 * np.log10(2), atol=0.3)
    mel = MelTransformer(RATE).fit_transform([at_level])[0]
    pooled = np.concatenate([mel.mean(axis=1), mel.std(axis=1)])
    np.testing.assert_allclose(X["log-mel 32 kHz"][0], pooled, atol=1e-3)
    assert X["log-mel 16 kHz"].shape == (2, 256)
    for output in ("clip", "multilevel", "frames"):
        expected = random_weights("mn01", output=output).fit_transform([at_level])[0]
        assert expected.std() > 0
        np.testing.assert_allclose(X[output][0], expected, rtol=1e-3, atol=1e-4)


def test_every_detector_has_its_auc_over_the_splits(made):
    X, y = made
    rows = pretrained.split_rows(X, y, "mn04", n_splits=2)
    found = {row["detector"]: row["mean AUC (range)"].split()[0] for row in rows}
    assert list(found) == list(pretrained.detectors("mn04"))
    expected = {name: [] for name in ("log-mel 16 kHz, 1-NN", "mn04 frames, 1-NN", "mn04 clip, OneClassSVM")}
    for seed in range(2):
        normal = np.random.default_rng(seed).permutation(14)
        train, test = normal[2:], np.concatenate([normal[:2], np.arange(14, 20)])

        def standard(values, train=train):
            axes = (0, 2)[: values.ndim - 1]
            center = values[train].mean(axis=axes, keepdims=True)
            return (values - center) / values[train].std(axis=axes, keepdims=True)

        statistics, clip = standard(X["log-mel 16 kHz"]), standard(X["clip"])
        frames = standard(X["frames"])
        rows_of = [frame for clip_frames in frames[train] for frame in clip_frames.T]
        scores = {
            "log-mel 16 kHz, 1-NN": -cdist(statistics[test], statistics[train]).min(axis=1),
            "mn04 frames, 1-NN": [-cdist(frames[i].T, rows_of).min(axis=1).mean() for i in test],
            "mn04 clip, OneClassSVM": OneClassSVM().fit(clip[train]).score_samples(clip[test]),
        }
        for name, values in scores.items():
            expected[name].append(roc_auc_score(y[test], values))
    for name, aucs in expected.items():
        assert found[name] == f"{np.mean(aucs):.3f}", name
    assert len(set(found.values())) > 3


def test_the_cosine_metric_takes_values_without_scaling(made):
    X, _ = made
    kind, model = pretrained.detectors("mn04")["mn04 clip, 1-NN, cosine"]
    scores = model.fit(X[kind][:10]).score_samples(X[kind][10:])
    expected = -cdist(X["clip"][10:], X["clip"][:10], "cosine").min(axis=1) / 2
    np.testing.assert_allclose(scores, expected, atol=1e-6)


def test_a_clip_is_recognised_by_any_of_the_names_of_its_class_and_by_no_other():
    category = np.array(["Rain", "Rain", "Rooster", "Helicopter"])
    tags = [
        [("Vehicle", 0.9), ("Raindrop", 0.1)],
        [("Rooster", 0.9), ("Water", 0.1)],
        [("Chicken, rooster", 0.9)],
        [("Rain", 0.9)],
    ]
    found = {row["class"]: (row["clips"], row["recognised"]) for row in pretrained.tag_rows(category, tags)}
    assert {name: counts for name, counts in found.items() if counts[0]} == {
        "Rain": (2, 1),
        "Rooster": (1, 1),
        "Helicopter": (1, 0),
        "all": (4, 2),
    }


@pytest.mark.real_data
def test_the_names_are_names_of_audioset():
    if not os.environ.get("SKAUDIO_AD_WEIGHTS"):
        pytest.skip("SKAUDIO_AD_WEIGHTS names no folder with AudioSet's class names")
    known = class_labels(download=False)
    assert [name for names in pretrained.TAGS.values() for name in names if name not in known] == []


def test_without_the_weights_the_benchmark_says_where_it_looked(home, tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("SKAUDIO_AD_WEIGHTS", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    pretrained.main(["--data-home", str(home), "--output", str(tmp_path / "out")])
    said = capsys.readouterr().out
    assert "left out: mn04" in said
    assert str(tmp_path / "cache") in said
    assert not (tmp_path / "out").exists()


def test_without_any_data_set_the_benchmark_names_each(random_weights, tmp_path, capsys):
    pretrained.main(["--data-home", str(tmp_path), "--output", str(tmp_path / "out")])
    said = capsys.readouterr().out
    assert all(f"{name} is left out" in said for name in ("MIMII", "HLS-CMDS", "ESC-10"))
    assert not (tmp_path / "out").exists()


def test_the_benchmark_goes_from_recordings_to_the_tables_of_the_available_data(
    home, random_weights, tmp_path, monkeypatch
):
    monkeypatch.setattr(pretrained, "LEVELS", (-26.0,))
    pretrained.main([f"--data-home={home}", "--variant=mn01", f"--output={tmp_path}"])
    with open(tmp_path / "pretrained-mimii_clips_at_26_db.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["detector"] for row in rows] == list(pretrained.detectors("mn01"))
    assert set(machines.MACHINES) < set(rows[0])
    assert "Data: MIMII; mn01" in (tmp_path / "pretrained.md").read_text()
    assert len(list(tmp_path.glob("*.csv"))) == 1
