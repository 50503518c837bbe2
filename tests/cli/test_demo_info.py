"""``skaudio-ad demo`` and ``info``, and the imports of the program."""

import csv
import importlib.metadata
import itertools
import subprocess
import sys
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest
import soundfile
from click.testing import CliRunner
from sklearn.metrics import roc_auc_score

import skaudio_ad.cli._demo
from skaudio_ad import AutoencoderDetector
from skaudio_ad.cli import main
from skaudio_ad.persistence import load_detector, save_detector
from skaudio_ad.presets import PRESETS, make_preset

MACHINES = ("fan", "pump", "slider", "valve")


def run(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def rows_of(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """Run a small demo with clips of 1 s."""
    folder = tmp_path_factory.mktemp("demo") / "output"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(skaudio_ad.cli._demo, "_DURATION", 1.0)
        patch.setattr(skaudio_ad.cli._demo, "_N_RESAMPLES", 50)
        result = run("demo", "-o", folder, "--n-train", 6, "--n-test", 4, "--max-epochs", 1)
    return folder, result


def test_the_demo_writes_all_files_that_it_names(demo):
    folder, result = demo
    assert result.exit_code == 0, result.output
    assert {path.name for path in folder.iterdir()} == {*MACHINES, "results.csv", "comparison.png"}
    assert matplotlib.image.imread(folder / "comparison.png").std() > 0.02
    for machine in MACHINES:
        files = {path.name for path in (folder / machine).iterdir()}
        pictures = {"distribution.png", "most_normal.png", "most_anomalous.png"}
        report = {"report.html"} if machine == "valve" else set()
        assert files == {"detector.skops", "scores.csv", "normal", "anomalous", *pictures, *report}
        for picture in pictures:
            assert matplotlib.image.imread(folder / machine / picture).std() > 0.02
        assert len(list((folder / machine / "normal").iterdir())) == 10
        assert len(list((folder / machine / "anomalous").iterdir())) == 4
    assert f"score {folder}/valve/detector.skops {folder}/valve/anomalous" in " ".join(result.stdout.split())
    # rich ends a word that does not fit with an ellipsis.
    assert "…" not in result.stdout


def test_the_tables_of_the_demo_are_computed_from_the_scores(demo):
    folder, result = demo
    results = rows_of(folder / "results.csv")
    detectors = list(dict.fromkeys(row["detector"] for row in results))
    assert detectors[0] == "mini, nearest"
    assert detectors[-1] == "autoencoder"
    assert [name.split(", ")[-1] for name in detectors[1:-1]] == [
        "IsolationForest",
        "OneClassSVM",
        "LocalOutlierFactor",
    ]
    assert [(row["machine"], row["detector"]) for row in results] == list(
        itertools.product(MACHINES, detectors)
    )
    for row in results:
        assert float(row["auc_low"]) <= float(row["auc"]) <= float(row["auc_high"])
    for row in results[:: len(detectors)]:
        scored = rows_of(folder / row["machine"] / "scores.csv")
        truth = ["/anomalous/" in clip["path"] for clip in scored]
        assert truth == [False] * 4 + [True] * 4
        scores = np.array([float(clip["score"]) for clip in scored])
        alarms = np.array([clip["decision"] == "anomalous" for clip in scored])
        assert float(row["auc"]) == pytest.approx(roc_auc_score(truth, -scores), abs=1e-4)
        assert float(row["partial_auc"]) == pytest.approx(
            roc_auc_score(truth, -scores, max_fpr=0.1), abs=1e-4
        )
        assert float(row["false_alarms"]) == alarms[:4].mean()
        assert float(row["detected"]) == alarms[4:].mean()
        (printed,) = [line for line in result.stdout.splitlines() if line.startswith(row["machine"])]
        assert f"{float(row['auc']):.3f}" in printed
    for name in detectors:
        mean = np.mean([float(row["auc"]) for row in results if row["detector"] == name])
        (printed,) = [line for line in result.stdout.splitlines() if line.startswith(name)]
        assert f"{mean:.3f}" in printed


def test_the_demo_does_not_test_on_training_clips(demo):
    folder, _ = demo
    detector = load_detector(folder / "valve" / "detector.skops")[-1]
    assert sorted(detector.calibration_indices_) == list(range(6))
    tested = [row["path"] for row in rows_of(folder / "valve" / "scores.csv")][:4]
    names = sorted(path.name for path in (folder / "valve" / "normal").iterdir())
    assert sorted(path.rsplit("/", 1)[1] for path in tested) == names[6:]


def test_a_saved_detector_of_the_demo_scores_recordings(demo):
    folder, _ = demo
    result = run("score", folder / "valve" / "detector.skops", folder / "valve" / "anomalous")
    assert result.exit_code == 0, result.output
    expected = [float(row["score"]) for row in rows_of(folder / "valve" / "scores.csv")][4:]
    printed = [float(line.split()[0]) for line in result.stdout.splitlines()[1:]]
    np.testing.assert_allclose(printed, expected, rtol=1e-5)


@pytest.mark.parametrize("option", [("--n-train", 3), ("--n-test", 0), ("--max-epochs", 0)])
def test_a_demo_with_too_few_clips_or_epochs_is_an_error(option, tmp_path):
    result = run("demo", "-o", tmp_path / "demo", *option)
    assert result.exit_code == 2
    assert "is not in the range" in result.stderr
    assert not (tmp_path / "demo").exists()


def test_info_lists_versions_presets_and_folders(monkeypatch):
    monkeypatch.setenv("SKAUDIO_AD_DATA", "/somewhere/recordings")
    monkeypatch.delenv("SKAUDIO_AD_WEIGHTS", raising=False)
    result = run("info")
    assert result.exit_code == 0, result.output
    printed = [line.split() for line in result.stdout.splitlines()]
    for package in ("skaudio_ad", "torch", "scikit-learn", "librosa"):
        assert [package, importlib.metadata.version(package)] in printed
    for name, text in PRESETS.items():
        assert [name, *text.split()] in printed
    assert "SKAUDIO_AD_DATA    data sets: /somewhere/recordings" in result.stdout
    assert "SKAUDIO_AD_WEIGHTS weights: not set" in result.stdout
    assert "GPUs: " in result.stdout


@pytest.fixture(scope="module")
def waveforms():
    return np.random.default_rng(0).uniform(-0.3, 0.3, size=(6, 8000)).astype(np.float32)


def test_info_describes_the_steps_and_the_training_of_a_detector(waveforms, tmp_path):
    path = tmp_path / "d.skops"
    pipeline = make_preset("dcase_baseline", max_epochs=2, random_state=0).fit(waveforms)
    save_detector(pipeline, path)
    result = run("info", path)
    assert result.exit_code == 0, result.output
    printed = result.stdout.splitlines()
    assert printed[0] == f"{path}:"
    for line in ("  load: AudioLoader", "  features: MelTransformer", "  detector: AutoencoderDetector"):
        assert line in printed
    for line in ("    sample_rate = 16000", "    n_mels = 128", "    bottleneck_size = 8"):
        assert line in printed
    assert f"  offset_ = {pipeline[-1].offset_!r}" in printed
    assert "  n_iter_ = 2" in printed
    assert "  stopped_by_ = 'max_epochs'" in printed


def test_info_describes_a_detector_without_a_pipeline(tmp_path):
    path = tmp_path / "d.skops"
    save_detector(AutoencoderDetector(max_epochs=7), path)
    printed = run("info", path).stdout.splitlines()
    assert "  detector: AutoencoderDetector" in printed
    assert "    max_epochs = 7" in printed
    assert not any(line.startswith("  offset_") for line in printed)


def test_info_names_a_missing_file(tmp_path):
    result = run("info", tmp_path / "none.skops")
    assert result.exit_code == 1
    assert result.stderr == f"Error: {tmp_path / 'none.skops'}: no such file.\n"


def test_the_program_prints_its_version_and_its_commands():
    assert run("--version").stdout.split()[-1] == importlib.metadata.version("skaudio_ad")
    shown = run("-h")
    assert shown.exit_code == 0
    for command in ("fit", "score", "info", "demo"):
        assert f"\n  {command} " in shown.stdout


def test_the_help_of_a_command_imports_no_heavy_library():
    code = (
        "import sys\n"
        "from skaudio_ad.cli import main\n"
        "main(['fit', '--help'], standalone_mode=False)\n"
        "assert not {'torch', 'librosa', 'matplotlib'} & set(sys.modules), sorted(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "--max-epochs" in done.stdout


def test_the_installed_program_trains_a_detector_that_scores(waveforms, tmp_path, monkeypatch):
    for i, clip in enumerate(waveforms):
        soundfile.write(tmp_path / f"{i}.wav", clip, 16000)
    program = Path(sys.executable).with_name("skaudio-ad")
    fit = [program, "fit", "0.wav", "1.wav", "2.wav", "3.wav", "-o", "d.skops"]
    done = subprocess.run(fit, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    (tmp_path / "5.wav").write_bytes(b"")
    # The installed program scores in test_terminal.py; a second new process would take as long as the first.
    monkeypatch.chdir(tmp_path)
    done = run("score", "d.skops", "4.wav", "5.wav")
    assert done.exit_code == 1
    assert done.stdout.splitlines()[1].split()[-1] == "4.wav"
    assert done.stderr.startswith("Error: 5.wav: is empty (0 bytes)")
