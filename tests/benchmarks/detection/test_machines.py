"""Machines: the presets beside classical detectors."""

import csv

import numpy as np
import pytest
import soundfile
from sklearn.metrics import roc_auc_score
from sklearn.svm import OneClassSVM

from benchmarks import _evaluation
from benchmarks.detection import machines
from skaudio_ad import LevelNormalizer, MelTransformer
from skaudio_ad.datasets import load_mimii

RATE, LENGTH = 16000, 8000
IDS = ("id_00", "id_02", "id_04", "id_06")


@pytest.fixture(autouse=True)
def _no_bootstrap(monkeypatch):
    """Use few resamples, because these tests do not check the intervals."""
    monkeypatch.setattr(_evaluation, "bootstrap_interval", lambda metric, y, scores: (0.0, 1.0))


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """MIMII's fans, two microphones: seven normal and two anomalous clips of each, half a second."""
    folder = tmp_path_factory.mktemp("mimii")
    rng = np.random.default_rng(0)
    for machine_id in IDS:
        for kind, n_clips in (("normal", 7), ("abnormal", 2)):
            place = folder / "-6_dB" / "fan" / machine_id / kind
            place.mkdir(parents=True)
            for number in range(n_clips):
                sound = rng.uniform(0.01, 0.1) * rng.normal(size=(LENGTH, 2))
                soundfile.write(place / f"{number:08d}.wav", sound, RATE, subtype="FLOAT")
    return folder


@pytest.fixture(scope="module")
def fans(home):
    return load_mimii("fan", data_home=home)


def test_the_first_six_normal_clips_of_every_machine_train_and_all_others_test(fans):
    machine_id = fans.metadata["machine_id"]
    train, test = machines.split(fans.target, machine_id)
    numbers = [f"{number:08d}" for number in range(6)]
    assert (fans.target[train] == 1).all()
    for name in IDS:
        of_machine = train[machine_id[train] == name]
        assert fans.metadata["recording"][of_machine].tolist() == numbers
    assert sorted([*train, *test]) == list(range(36))
    assert fans.target[test].tolist() == [1, -1, -1] * 4


def test_the_features_come_from_the_first_microphone_at_one_level(fans):
    X = machines.features(fans.paths[:2])
    sound = soundfile.read(fans.paths[0], dtype="float32")[0][:, 0]
    level = 10 * np.log10(np.mean(sound.astype(np.float64) ** 2))
    np.testing.assert_allclose(X["level"][0], level, atol=1e-4)
    at_one_level = sound * 10 ** ((LevelNormalizer().target_level - level) / 20)
    expected = MelTransformer(RATE, n_fft=1024, hop_length=512, n_mels=128).fit_transform([at_one_level])[0]
    assert X["log-mel"].shape == (2, 128, 16)
    np.testing.assert_allclose(X["log-mel"][0], expected, atol=1e-3)
    pooled = np.concatenate([expected.mean(axis=1), expected.std(axis=1)])
    np.testing.assert_allclose(X["pooled"][0], pooled, atol=1e-3)


def test_no_network_trains_for_more_epochs_than_its_own_or_the_given_maximum():
    names = ("next_frame_lstm", "window_gru", "dcase_baseline", "dcase_baseline, standardised")
    epochs = {
        most: [machines.detectors(0, most)[name][1][-1].max_epochs for name in names] for most in (50, 4)
    }
    assert epochs == {50: [10, 10, 50, 50], 4: [4, 4, 4, 4]}


def test_one_dense_autoencoder_takes_decibels_and_the_other_takes_standardised_bands(fans):
    X = machines.features(fans.paths)["log-mel"]
    contenders = machines.detectors(0, 1)
    assert list(contenders["dcase_baseline"][1].named_steps) == ["detector"]
    for name in ("next_frame_lstm", "dcase_baseline, standardised"):
        scaled = contenders[name][1][:-1].fit_transform(X)
        expected = (X - X.mean(axis=(0, 2), keepdims=True)) / X.std(axis=(0, 2), keepdims=True, ddof=1)
        np.testing.assert_allclose(scaled, expected, atol=1e-3)
    raw, standardised = (
        contenders[name][1][-1].get_params() for name in ("dcase_baseline", "dcase_baseline, standardised")
    )
    assert raw == standardised


def test_runs_have_the_labels_scores_and_alarms_of_the_test_clips(fans, monkeypatch):
    contenders = machines.detectors
    monkeypatch.setattr(
        machines,
        "detectors",
        lambda *args: {name: contenders(*args)[name] for name in ("OneClassSVM", "loudness")},
    )
    runs = machines.evaluate(fans, epochs=1, n_seeds=2)
    X = machines.features(fans.paths)
    train, test = machines.split(fans.target, fans.metadata["machine_id"])
    pooled = (X["pooled"] - X["pooled"][train].mean(axis=0)) / X["pooled"][train].std(axis=0)
    model = OneClassSVM().fit(pooled[train])
    assert len(runs["OneClassSVM"]) == 2
    y, scores, flagged = runs["OneClassSVM"][0]
    np.testing.assert_array_equal(y, fans.target[test])
    np.testing.assert_allclose(scores, model.score_samples(pooled[test]), rtol=1e-4)
    np.testing.assert_array_equal(flagged, model.predict(pooled[test]) == -1)
    scores = runs["loudness"][0][1]
    np.testing.assert_allclose(scores, -np.abs(X["level"][test, 0] - X["level"][train].mean()))


def test_the_table_has_the_first_seed_s_aucs_and_the_mean_over_machines_of_all_seeds():
    rng = np.random.default_rng(0)
    y = np.repeat([1, -1], 5)
    flagged = np.array([True, *[False] * 4, *[True] * 5])
    runs = {
        machine: {"one": [(y, rng.normal(size=10) + y, flagged) for _ in range(2)]}
        for machine in ("fan", "pump")
    }
    (row,) = machines.summarise(runs)
    aucs = np.array([[roc_auc_score(y, scores) for _, scores, _ in seeds["one"]] for seeds in runs.values()])
    assert row["fan"].startswith(f"{aucs[0, 0]:.3f} [")
    assert row["pump"].startswith(f"{aucs[1, 0]:.3f} [")
    means = aucs.mean(axis=0)
    assert row["mean over machines"] == f"{aucs.mean():.3f} ({means.min():.3f}-{means.max():.3f})"
    assert (row["false alarms"], row["detected"]) == ("20%", "100%")


def test_without_the_data_set_the_benchmark_says_so(tmp_path, capsys):
    machines.main(["--data-home", str(tmp_path), "--output", str(tmp_path / "out")])
    assert "left out" in capsys.readouterr().out
    assert not (tmp_path / "out").exists()


def test_the_benchmark_goes_from_recordings_to_the_table(home, tmp_path):
    machines.main([f"--data-home={home}", "--machines", "fan", "--epochs=1", f"--output={tmp_path}"])
    with open(tmp_path / "machines-auc_95.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["detector"] for row in rows] == list(machines.detectors(0, 1))
    assert list(rows[0]) == ["detector", "fan", "mean over machines", "false alarms", "detected"]
    assert all(row["mean over machines"] == row["fan"].split()[0] for row in rows)
    assert rows[-1]["detected"] == ""
    assert "fan 24, 4 and 8" in (tmp_path / "machines.md").read_text()
