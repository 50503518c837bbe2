"""``fit``, ``score``, ``info`` and ``evaluate`` with a pretrained backbone and with tables of embeddings."""

import csv
import json
import math
import shutil

import matplotlib.image
import numpy as np
import pytest
import soundfile
from click.testing import CliRunner
from sklearn.metrics import roc_auc_score

import skaudio_ad.cli._fit
from skaudio_ad import make_detector
from skaudio_ad.cli import main
from skaudio_ad.datasets import make_machine_sounds
from skaudio_ad.embeddings import weights_digest, weights_path
from skaudio_ad.persistence import load_detector, read_metadata


def run(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def names_of(folder):
    return sorted(str(path) for path in folder.iterdir())


@pytest.fixture(scope="module")
def sounds(tmp_path_factory):
    """Write 24 normal clips of 1 s, four of them for tests, and four anomalous ones."""
    folder = tmp_path_factory.mktemp("sounds")
    make_machine_sounds(24, 4, machine="fan", duration=1.0, output_dir=folder, random_state=0)
    (folder / "test").mkdir()
    for path in sorted((folder / "normal").iterdir())[20:]:
        shutil.move(path, folder / "test")
    return folder


@pytest.fixture(scope="module")
def trained(sounds, tmp_path_factory):
    path = tmp_path_factory.mktemp("trained") / "fan.skops"
    return path, run("fit", sounds / "normal", "-o", path)


@pytest.fixture(scope="module")
def tables(sounds, tmp_path_factory):
    """Embed the training clips into ``normal.npz`` and the anomalous clips into ``anomalous.npz``."""
    folder = tmp_path_factory.mktemp("tables")
    for name in ("normal", "anomalous"):
        result = run("embed", sounds / name, "-o", folder / f"{name}.npz", "--kind", "block13,block15")
        assert result.exit_code == 0, result.output
    return folder


def test_fit_trains_the_detector_of_make_detector_and_says_what_it_is(trained, sounds):
    path, result = trained
    assert result.exit_code == 0, result.output
    assert result.stderr == ""
    places = read_metadata(path)["training"]["places"]
    assert places == [{"folder": str(sounds / "normal"), "recursive": True}]
    paths = names_of(sounds / "anomalous")
    expected = make_detector(random_state=0).fit(names_of(sounds / "normal"))
    detector = load_detector(path)
    np.testing.assert_allclose(detector.score_samples(paths), expected.score_samples(paths), rtol=1e-5)
    last = detector[-1]
    assert result.stdout.startswith(
        f"{path}: trained on 20 recording(s) (0.3 minutes), backbone mini (block13+block15), head nearest, threshold "
        f"{last.offset_:.6g}, false-alarm rate {last.false_alarm_rate_:.3g} (estimated, proved bound "
    )


def test_the_options_of_fit_reach_the_detector(sounds, tmp_path):
    path = tmp_path / "d.skops"
    options = [
        "--head",
        "mahalanobis",
        "--false-alarms",
        0.2,
        "--level",
        "peak",
        "--embedding-window",
        2,
        "--seed",
        5,
    ]
    result = run("fit", sounds / "normal", "-o", path, *options, "--duration", 0.5, "--on-error", "skip")
    assert result.exit_code == 0, result.output
    detector = load_detector(path)
    assert (detector["load"].duration, detector["load"].on_error) == (0.5, "skip")
    assert (detector["level"].method, detector["embed"].window) == ("peak", 2)
    assert type(detector[-1].detector[-1]).__name__ == "MahalanobisDetector"
    assert (detector[-1].selector.alpha, detector[-1].random_state) == (0.2, 5)


def test_few_recordings_make_a_detector_and_the_note_says_what_the_promise_is(sounds, tmp_path):
    path, normal = tmp_path / "d.skops", names_of(sounds / "normal")
    result = run("fit", normal[0], "-o", path)
    assert result.exit_code == 0, result.output
    assert "head nearest, no threshold: no recording raises an alarm" in result.stdout
    (note,) = result.stderr.splitlines()
    assert note.startswith("Note: one or two recordings do not show how much normal recordings differ")
    scored = run("score", path, sounds / "anomalous", "--exit-code")
    assert scored.exit_code == 0
    assert "anomalous  " not in scored.stdout
    result = run("fit", *normal[:5], "-o", path)
    assert "(estimated)" in result.stdout
    assert "Note: 5 recordings promise no false-alarm rate of 0.05, which takes 19." in result.stderr


def test_what_spoils_the_training_set_is_named_and_the_last_line_is_the_command_that_tells_more(
    sounds, tmp_path
):
    folder = tmp_path / "mixed set"
    shutil.copytree(sounds / "normal", folder)
    first = names_of(folder)[0]
    shutil.copy(first, folder / "x.wav")
    soundfile.write(folder / "y.wav", np.zeros(16000), 16000)
    soundfile.write(folder / "z.wav", 0.1 * np.random.default_rng(0).normal(size=8000), 8000)
    result = run("fit", folder, "-o", tmp_path / "d.skops")
    assert result.exit_code == 0, result.output
    lines = result.stderr.splitlines()
    assert [line.split(":")[1].strip() for line in lines[:3]] == ["silent", "copies", "sample rates"]
    assert f"{folder}/y.wav" in lines[0]
    assert f"{folder}/x.wav (same samples as {first})" in lines[1]
    assert f"{folder}/z.wav (8000 Hz)" in lines[2]
    assert lines[3:] == [f"To see all files and what else may be wrong: skaudio-ad check '{folder}'"]


def test_missing_weights_are_an_error_before_the_recordings_are_decoded(sounds, tmp_path, monkeypatch):
    monkeypatch.setenv("SKAUDIO_AD_OFFLINE", "1")
    monkeypatch.setenv("SKAUDIO_AD_WEIGHTS", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(
        skaudio_ad.cli._fit, "examine", lambda paths: pytest.fail("the recordings were decoded")
    )
    result = run("fit", sounds / "normal", "-o", tmp_path / "d.skops", "--backbone", "mn10")
    assert result.exit_code == 1
    assert f"is not on this machine, looked in {tmp_path}, " in result.stderr
    assert "`skaudio-ad weights download mn10`" in result.stderr
    assert "Backbones with weights on this machine: mini." in result.stderr


def test_a_file_of_weights_is_taken_wherever_the_command_runs(sounds, tmp_path, monkeypatch):
    shutil.copy(weights_path("mini"), tmp_path / "renamed.safetensors")
    monkeypatch.chdir(tmp_path)
    clips = names_of(sounds / "normal")[:2]
    result = run("fit", *clips, "-o", "d.skops", "--weights", "renamed.safetensors")
    assert result.exit_code == 0, result.output
    embed = load_detector(tmp_path / "d.skops")["embed"]
    assert embed.weights == str(tmp_path / "renamed.safetensors")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--backbone", "mn99"], "mn99"),
        (["--weights", "none.pt"], "none.pt does not exist."),
        (
            ["--preset", "autoencoder", "--weights", "a.pt"],
            "--weights does not apply to --preset autoencoder.",
        ),
        (["--head", "best"], "'best' is not one of 'nearest', "),
        (["--false-alarms", "0"], "0.0 is not in the range 0<x<1"),
        (["--max-epochs", "3"], "--max-epochs does not apply without a --preset that trains a network."),
        (["--preset", "autoencoder", "--head", "nearest"], "--head does not apply to --preset autoencoder."),
        (
            ["--preset", "embedding_nearest", "--head", "nearest"],
            "--head does not apply to --preset embedding_",
        ),
    ],
)
def test_options_that_do_not_apply_are_errors_of_the_command_line(options, message, tmp_path):
    result = run("fit", "x.wav", "-o", tmp_path / "d.skops", *options)
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.split())


def test_a_detector_from_a_table_scores_tables_as_a_detector_from_recordings_does(
    trained, tables, sounds, tmp_path
):
    path = tmp_path / "table.skops"
    result = run("fit", tables / "normal.npz", "-o", path)
    assert result.exit_code == 0, result.output
    assert "trained on 20 recording(s), mini_block13_0, ... of normal.npz, head nearest" in result.stdout
    rows = run("score", path, tables / "anomalous.npz").stdout
    assert rows == run("score", trained[0], tables / "anomalous.npz").stdout
    assert rows.split()[-1].endswith(".wav")
    recordings = run("score", trained[0], sounds / "anomalous").stdout
    np.testing.assert_allclose(
        [float(line.split()[0]) for line in rows.splitlines()[1:]],
        [float(line.split()[0]) for line in recordings.splitlines()[1:]],
        rtol=1e-4,
    )
    result = run("score", path, sounds / "anomalous")
    assert result.exit_code == 1
    assert "was trained on a table of embeddings. Embed the recordings" in result.stderr


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"names": ["mini_clip0"], "embeddings": np.ones((2, 1))}, "has 1 values for each recording"),
        ({"prefix": "mn04"}, "column 0 is 'mn04_block13_0', but"),
        ({"prefix": "mn04"}, "the name of a column begins with --backbone and --kind."),
        ({"weights_sha256": "0" * 64}, "was made with other weights (sha256 000000000000...)"),
        ({"settings": '{"level": "none"}'}, "was embedded with level 'none', but"),
        ({"embeddings": np.ones(512)}, "holds no embeddings"),
        ({"embeddings": None}, "is no table of embeddings (KeyError"),
    ],
)
def test_a_table_of_another_kind_than_the_detector_is_an_error(change, message, trained, tables, tmp_path):
    with np.load(tables / "anomalous.npz") as file:
        table = dict(file)
    prefix = change.pop("prefix", None) if "prefix" in change else None
    if prefix:
        change = {"names": [name.replace("mini", prefix) for name in table["names"].tolist()]}
    table |= change
    np.savez(tmp_path / "other.npz", **{name: value for name, value in table.items() if value is not None})
    result = run("score", trained[0], tmp_path / "other.npz")
    assert result.exit_code == 1
    assert message in result.stderr


@pytest.mark.parametrize("content", [b"hello", b"", b"PK\x03\x04 cut short"])
def test_a_file_that_is_no_npz_file_is_an_error_without_advice_to_load_pickles(content, tmp_path):
    path = tmp_path / "table.npz"
    path.write_bytes(content)
    result = run("fit", path, "-o", tmp_path / "d.skops")
    assert result.exit_code == 1
    assert (
        f"{path}: is no table of embeddings (the file is no .npz file, or is cut short). A" in result.stderr
    )
    assert "pickle" not in result.stderr


def test_a_table_beside_recordings_and_options_of_recordings_are_errors(tables, tmp_path):
    result = run("fit", tables / "normal.npz", "x.wav", "-o", tmp_path / "d.skops")
    assert result.exit_code == 2
    assert "must be the only argument" in result.stderr
    result = run("fit", tables / "normal.npz", "-o", tmp_path / "d.skops", "--level", "rms")
    assert result.exit_code == 2
    assert "--level does not apply to" in result.stderr


def test_a_csv_table_of_another_program_trains_and_scores(tmp_path):
    rng = np.random.default_rng(0)
    for name, n, shift in (("train", 40, 0), ("new", 3, 30)):
        with open(tmp_path / f"{name}.csv", "w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["path", "a", "b"])
            writer.writerows([f"{i}.wav", *(rng.normal(size=2) + shift)] for i in range(n))
            if name == "new":
                writer.writerow(["missing.wav", "", ""])
    assert run("fit", tmp_path / "train.csv", "-o", tmp_path / "d.skops").exit_code == 0
    result = run("score", tmp_path / "d.skops", tmp_path / "new.csv")
    assert result.exit_code == 1
    assert [line.split()[-2] for line in result.stdout.splitlines()[1:4]] == ["anomalous"] * 3
    assert "Error: missing.wav: has no embedding" in result.stderr


def test_score_sorts_and_prints_json_lines_with_margins_and_p_values(trained, sounds):
    result = run("score", trained[0], sounds / "anomalous", sounds / "test", "--json", "--sort")
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    scores = [row["score"] for row in rows]
    assert scores == sorted(scores)
    assert len(rows) == 8
    detector = load_detector(trained[0])
    paths = [row["path"] for row in rows]
    np.testing.assert_allclose(
        [row["margin"] for row in rows], detector.decision_function(paths), rtol=1e-4, atol=1e-3
    )
    features = detector[:-1].transform(paths)
    np.testing.assert_allclose([row["p_value"] for row in rows], detector[-1].p_values(features))
    assert all(row["worst_time_s"] is None for row in rows)
    notes = [line for line in result.stderr.splitlines() if line.startswith("Note: ")]
    assert len(notes) == 1
    assert notes[0].startswith("Note: this detector scores a recording as a whole")
    assert "fit --preset autoencoder" in notes[0]


def test_the_exit_code_tells_anomalies_on_request(scores_of):
    scores_of({"a.wav": 1.0, "b.wav": -1.0, "c.wav": "is empty."})
    assert run("score", "d.skops", "a.wav", "b.wav", "--exit-code").exit_code == 3
    in_time = run("score", "d.skops", "a.wav", "b.wav")
    assert in_time.exit_code == 0
    assert "as a whole" not in in_time.stderr
    assert run("score", "d.skops", "a.wav", "--exit-code").exit_code == 0
    assert run("score", "d.skops", "b.wav", "c.wav", "--exit-code").exit_code == 1


def test_score_warns_of_recordings_with_less_bandwidth_than_the_training(trained, tmp_path):
    soundfile.write(tmp_path / "phone.wav", 0.1 * np.random.default_rng(0).normal(size=8000), 8000)
    result = run("score", trained[0], tmp_path / "phone.wav")
    last = result.stderr.splitlines()[-1]
    assert last.startswith("Warning: the file has a lower sample rate than the training files (16000 Hz)")
    assert "lacks the sound above 4000 Hz" in last


def test_info_tells_the_date_the_training_the_promise_and_the_backbone(trained):
    printed = run("info", trained[0]).stdout
    found = read_metadata(trained[0])
    assert f"  saved: {found['date']} (skaudio_ad " in printed
    assert "  trained on: 20 recording(s), 0.3 minutes, 20 at 16000 Hz, in " in printed
    assert "  system: backbone mini (block13+block15), head nearest" in printed
    assert "  promise: false-alarm rate 0.0" in printed
    assert f"  weights: sha256 {weights_digest(weights_path('mini'))}" in printed
    assert "  embedding: 1024 values (mini_block13_0 to mini_block15_511); level rms, window 10.0" in printed
    assert "ShrinkageWhitener()), ('head', NearestNeighborsDetector())])\n" in printed


def test_evaluate_prints_rates_and_intervals_of_the_scores(trained, sounds, tmp_path):
    table, results, pictures = tmp_path / "t.csv", tmp_path / "r.json", tmp_path / "pictures"
    arguments = (trained[0], sounds / "test", sounds / "anomalous")
    result = run("evaluate", *arguments, "--csv", table, "--json", results, "--plot", pictures)
    assert result.exit_code == 0, result.output
    with open(table, newline="") as file:
        rows = list(csv.DictReader(file))
    truth = [row["truth"] == "anomalous" for row in rows]
    assert truth == [False] * 4 + [True] * 4
    found = json.loads(results.read_text())
    auc = roc_auc_score(truth, [-float(row["score"]) for row in rows])
    assert found["auc"]["value"] == pytest.approx(auc)
    assert found["auc"]["low"] <= auc <= found["auc"]["high"]
    detected = sum(row["decision"] == "anomalous" for row in rows[4:])
    assert found["detected"]["count"] == detected
    # The interval of Clopper and Pearson for 0 of n ends at 1 - (alpha / 2) ** (1 / n).
    if found["false_alarms"]["count"] == 0:
        assert found["false_alarms"]["high"] == pytest.approx(1 - 0.025 ** (1 / 4))
    printed = result.stdout.splitlines()
    assert printed[0].startswith("4 normal and 4 anomalous recordings")
    assert f"{auc:.3f} [" in printed[1]
    assert printed[4].endswith(f"{detected} of 4 recordings")
    for name in ("roc", "distribution"):
        assert matplotlib.image.imread(pictures / f"{name}.png").std() > 0.02


def test_evaluate_warns_of_recordings_of_the_training_set(trained, sounds):
    result = run("evaluate", trained[0], sounds / "normal", sounds / "anomalous")
    assert result.exit_code == 0, result.output
    assert "Warning: 20 of 24 recordings are in the training set of the detector" in result.stderr


def test_evaluate_refuses_one_file_on_both_sides_copies_and_empty_folders(trained, sounds, tmp_path):
    (tmp_path / "empty").mkdir()
    copies = tmp_path / "copies"
    copies.mkdir()
    first = names_of(sounds / "test")[0]
    shutil.copy(first, copies / "renamed.wav")
    broken = tmp_path / "broken.wav"
    broken.write_bytes(b"no audio")
    for other, message in (
        (sounds / "test", "4 recording(s) are both normal and anomalous"),
        (copies, f"have the samples of a normal one: {copies}/renamed.wav"),
        (tmp_path / "empty", "holds no recording"),
        (broken, f"{broken}: none of the anomalous recordings could be scored"),
    ):
        result = run("evaluate", trained[0], sounds / "test", other)
        assert result.exit_code == 1
        assert message in result.stderr


def test_the_metadata_holds_no_number_that_json_lacks(sounds, tmp_path):
    path = tmp_path / "one.skops"
    run("fit", names_of(sounds / "normal")[0], "-o", path)
    promise = read_metadata(path)["promise"]
    assert promise["threshold"] is None
    assert load_detector(path)[-1].offset_ == -math.inf


def test_zero_processes_are_refused_before_the_recordings_are_read(tmp_path):
    result = run("fit", tmp_path / "absent", "-o", tmp_path / "d.skops", "--jobs", 0)
    assert result.exit_code == 2
    assert "must not be 0: 1 is one process" in " ".join(result.stderr.replace("│", " ").split())
