"""The program of the official baseline beside ours. A stand-in for the program needs no torch, and takes no time."""

import csv
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from scipy.stats import ttest_ind
from sklearn.metrics import roc_auc_score

from benchmarks.detection import official
from benchmarks.detection._official_tables import Outcome, keep, kept, score_rows, time_rows
from skaudio_ad.presets import make_preset

RATE, LENGTH = 16000, 16000
IDS = ("id_00", "id_02", "id_04", "id_06")
# The stand-in scores a clip by its size and the seed. One seed fails.
TRAIN = """
import argparse, csv, glob, os
from networks.dcase2023t2_ae.dcase2023t2_ae import DCASE2023T2AE
parser = argparse.ArgumentParser()
for name in ("--dataset", "--seed", "--epochs", "--use_cuda", "--score"):
    parser.add_argument(name)
parser.add_argument("-d", action="store_true")
parser.add_argument("-tag")
parser.add_argument("--use_ids")
parser.add_argument("--test_only", action="store_true")
own = parser.parse_args()
if own.seed == "13":
    raise ValueError("an unlucky seed")
if not own.test_only:
    for epoch in range(1, int(own.epochs) + 2):
        DCASE2023T2AE().train(epoch)
folder = f"results/dev_data/baseline_{own.score}"
os.makedirs(folder, exist_ok=True)
paths = glob.glob(f"data/dcase2023t2/dev_data/raw/{own.dataset[11:]}/test/*.wav")
for kind in ("anomaly_score", "decision_result"):
    with open(f"{folder}/{kind}_{own.dataset}_section_00_test_seed{own.seed}_{own.tag}.csv", "w") as file:
        for path in reversed(paths):
            score = os.path.getsize(path) + int(own.seed)
            csv.writer(file).writerow([os.path.basename(path), score if kind == "anomaly_score" else score % 2])
"""
NETWORK = """
import time
class DCASE2023T2AE:
    def train(self, epoch):
        end = time.perf_counter() + (10 if epoch > 3 else 0.02)
        if epoch <= 3:
            while time.perf_counter() < end:
                pass
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """MIMII's pumps, two microphones. A clip is longer the higher its number is, and anomalous clips are longer."""
    folder = tmp_path_factory.mktemp("mimii")
    rng = np.random.default_rng(0)
    for machine_id in IDS:
        for kind, n_clips in (("normal", 8), ("abnormal", 2)):
            place = folder / "-6_dB" / "pump" / machine_id / kind
            place.mkdir(parents=True)
            for number in range(n_clips):
                length = LENGTH + 100 * number + 400 * (kind == "abnormal")
                soundfile.write(place / f"{number:08d}.wav", rng.uniform(-0.1, 0.1, (length, 2)), RATE)
    return folder


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    folder = tmp_path_factory.mktemp("program")
    (folder / "networks" / "dcase2023t2_ae").mkdir(parents=True)
    (folder / "networks" / "dcase2023t2_ae" / "dcase2023t2_ae.py").write_text(NETWORK)
    (folder / "train.py").write_text(TRAIN)
    (folder / "torch.py").write_text("def set_grad_enabled(mode):\n    pass\n")
    return folder


@pytest.fixture(scope="module")
def recordings(home, program):
    return official.write_recordings("pump", home, program)


def test_the_recordings_have_the_layout_of_2023_and_the_first_microphone(home, program, recordings):
    raw = program / "data" / "dcase2023t2" / "dev_data" / "raw" / "gearbox"
    assert len(list((raw / "train").iterdir())) == 24
    assert len(list((raw / "test").iterdir())) == 16
    assert Path(recordings.train[0]).name == "section_00_source_train_normal_0000_machine_id_00.wav"
    assert Path(recordings.test[-1]).name == "section_00_target_test_anomaly_0001_machine_id_06.wav"
    assert recordings.train_domains.tolist() == ["source"] * 18 + ["target"] * 6
    assert recordings.y.tolist() == [1, 1, -1, -1] * 4
    original = soundfile.read(home / "-6_dB/pump/id_06/abnormal/00000001.wav", dtype="int16")[0]
    np.testing.assert_array_equal(soundfile.read(recordings.test[-1], dtype="int16")[0], original[:, 0])


def test_the_program_gives_scores_in_the_order_of_the_clips_and_the_time_of_its_epochs(program, recordings):
    settings = {"program": program, "python": sys.executable, "seeds": (1, 2), "epochs": 3}
    outcomes = official.run_program("pump", recordings, **settings)
    sizes = np.array([Path(path).stat().st_size for path in recordings.test])
    for mode in ("mean squared error", "Mahalanobis"):
        np.testing.assert_array_equal(outcomes[mode][1].scores, -(sizes + 2))
        np.testing.assert_array_equal(outcomes[mode][1].alarms, (sizes + 2) % 2 == 1)
    # Three epochs of 0.02 s count, and the pass after the last epoch does not.
    assert 0.06 <= outcomes["mean squared error"][0].seconds < 2


def test_a_program_that_fails_is_an_error_with_the_seed_and_the_end_of_the_log(program, recordings):
    settings = {"program": program, "python": sys.executable, "seeds": (13,), "epochs": 1}
    with pytest.raises(
        RuntimeError, match=r"(?s)failed on pump \(seed 13: ValueError: an unlucky seed\).*Traceback"
    ):
        official.run_program("pump", recordings, **settings)


def test_results_with_other_clips_are_refused(program, recordings, tmp_path):
    folder = tmp_path / "results" / "dev_data" / "baseline_MSE"
    folder.mkdir(parents=True)
    path = folder / "anomaly_score_DCASE2023T2gearbox_section_00_test_seed0_id(0_).csv"
    path.write_text("another.wav,1.0\n")
    with pytest.raises(ValueError, match=r"has 1 clips, which are not the 16 clips of the test"):
        official.read_column(tmp_path, "anomaly_score", "pump", "MSE", 0, recordings.test)


def test_ours_are_the_presets_with_the_domains_of_the_clips(recordings):
    outcomes = official.run_ours(recordings, seeds=(4,), epochs=1)
    for mode, preset in (("mean squared error", "dcase_baseline"), ("Mahalanobis", "dcase_mahalanobis_clip")):
        detector = make_preset(preset, max_epochs=1, random_state=4, device="cpu")
        detector.fit(recordings.train, detector__domains=recordings.train_domains)
        np.testing.assert_allclose(
            outcomes[mode][0].scores, detector.score_samples(recordings.test), rtol=1e-5
        )


def test_the_table_says_whether_ours_lie_in_the_range_of_the_program(tmp_path):
    y = np.repeat([1, -1], [6, 6])
    rng = np.random.default_rng(0)

    def side(shifts, seconds):
        runs = [Outcome(rng.normal(size=12) + shift * y, y == 1, 2 * seconds, seconds) for shift in shifts]
        return {"mean squared error": runs, "Mahalanobis": runs}

    result = y, side((0.0, 2.0), 6.0), side((0.2, 9.0), 2.0)
    keep(tmp_path / "official" / "fan.json", {"seeds": [0, 1]}, result)
    assert kept(tmp_path / "official" / "fan.json", {"seeds": [0, 2]}) is None
    again = kept(tmp_path / "official" / "fan.json", {"seeds": [0, 1]})
    rows = score_rows({"fan": again})
    assert rows == score_rows({"fan": result})
    aucs = [roc_auc_score(y, run.scores) for run in result[1]["Mahalanobis"]]
    assert rows[0]["AUC, program"] == f"{np.mean(aucs):.3f} ({min(aucs):.3f}-{max(aucs):.3f})"
    ours = [roc_auc_score(y, run.scores) for run in result[2]["Mahalanobis"]]
    assert rows[0]["AUC, inside"] == ("yes" if min(aucs) <= np.mean(ours) <= max(aucs) else "no")
    low, high = ttest_ind(ours, aucs, equal_var=False).confidence_interval(0.95)
    difference = np.mean(ours) - np.mean(aucs)
    assert rows[0]["AUC, ours minus program"] == f"{difference:+.3f} [{low:+.3f}, {high:+.3f}]"
    assert time_rows({"fan": again})[0]["CPU s of the program / ours"] == "3.00"


def test_a_folder_without_the_program_says_what_to_fetch(tmp_path, capsys):
    with pytest.raises(SystemExit):
        official.main(["--baseline", str(tmp_path)])
    assert "has no train.py and networks/" in capsys.readouterr().err


def test_the_command_writes_all_tables_and_goes_on_from_kept_results(
    home, program, tmp_path, capsys, monkeypatch
):
    arguments = ["--baseline", str(program), "--data", str(home), "--machines", "pump", "--seeds", "1"]
    arguments += ["--epochs", "1", "--output", str(tmp_path / "out")]
    official.main(arguments)
    for name in ("auc", "training", "decisions"):
        with open(tmp_path / "out" / f"official-{name}.csv", newline="") as file:
            assert next(csv.DictReader(file))["machine"] == "pump"
    monkeypatch.setattr(official, "run_program", None)
    official.main(arguments)
    assert "pump is done." in capsys.readouterr().out


def test_without_the_data_set_the_benchmark_says_so(program, tmp_path, capsys):
    official.main(["--baseline", str(program), "--data", str(tmp_path), "--output", str(tmp_path / "out")])
    assert "left out" in capsys.readouterr().out
