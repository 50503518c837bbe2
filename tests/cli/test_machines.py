"""``fit --machines``: every machine has a detector, and ``score`` finds the machine in the path."""

import json

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

import skaudio_ad.cli._evaluate
from skaudio_ad.cli import main
from skaudio_ad.persistence import load_detector
from skaudio_ad.recordings import ScoredRecording


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    """Return a folder of 12 recordings of two machines, a folder each."""
    root = tmp_path_factory.mktemp("fleet")
    rng = np.random.default_rng(0)
    for number in range(12):
        folder = root / ("fan", "pump")[number % 2]
        folder.mkdir(exist_ok=True)
        clip = 0.1 * rng.normal(size=8000)
        clip = np.convolve(clip, np.ones(8) / 8, "same") if number % 2 else clip
        soundfile.write(folder / f"{number}.wav", clip, 16000)
    return root


@pytest.fixture(scope="module")
def trained(recordings, tmp_path_factory):
    """Train a detector for each machine, and return the path of the detectors and the result of the program."""
    path = tmp_path_factory.mktemp("trained") / "fleet.skops"
    arguments = ("fit", recordings, "-o", path, "--machines", "folder")
    return path, CliRunner().invoke(main, [str(argument) for argument in arguments])


def test_fit_score_and_info_know_the_machines(trained, run, tmp_path, rows_of):
    detector, fitted = trained
    assert fitted.exit_code == 0, fitted.output
    assert "a detector for each of 2 machines" in fitted.stdout
    assert "Machine fan: 6 recording(s), false-alarm rate 0.05 (estimated" in fitted.stderr
    pipeline = load_detector(detector)
    assert pipeline[-1].machines_.tolist() == ["fan", "pump"]
    paths = [tmp_path / machine / "new.wav" for machine in ("fan", "press", "pump")]
    for path in paths:
        path.parent.mkdir()
        soundfile.write(path, 0.1 * np.random.default_rng(1).normal(size=8000), 16000)
    scored = run("score", detector, *paths, "--csv", tmp_path / "scores.csv")
    assert scored.exit_code == 1
    message = (
        "the machine 'press' is not one that was trained on: 'fan', 'pump'. Train with its normal recordings."
    )
    assert f"{paths[1]}: {message}" in scored.stderr
    rows = rows_of(tmp_path / "scores.csv")
    assert [row["decision"] == "error" for row in rows] == [False, True, False]
    expected = pipeline.score_samples([str(paths[0]), str(paths[2])])
    np.testing.assert_allclose([float(row["score"]) for row in rows[::2]], expected, rtol=1e-5)
    described = run("info", detector)
    assert "machines: fan (6 recordings), pump (6 recordings)" in described.stdout
    assert "promise: fan: false-alarm rate" in described.stdout
    table = tmp_path / "table.npz"
    assert run("embed", *paths, "-o", table, "--kind", "block13,block15").exit_code == 0
    again = run("score", detector, table, "--csv", tmp_path / "again.csv")
    assert again.exit_code == 1
    assert message in again.stderr
    rows = rows_of(tmp_path / "again.csv")
    np.testing.assert_allclose([float(row["score"]) for row in rows[::2]], expected, rtol=1e-5)


def test_options_that_do_not_apply_and_a_wrong_expression_are_errors(recordings, run, tmp_path):
    for arguments, message in (
        (["--machines", "("], "Invalid value for --machines: must be 'folder' or a regular expression"),
        (["--machines", "^(id_)"], "'^(id_)' finds no group in the name of 12 of 12 recordings"),
        (
            ["--machines", "folder", "--preset", "autoencoder"],
            "--machines does not apply to --preset autoencoder",
        ),
    ):
        result = run("fit", recordings, "-o", tmp_path / "d.skops", *arguments)
        assert result.exit_code == 2
        assert message in result.stderr


def test_evaluate_ranks_the_recordings_of_all_machines_by_their_margins(trained, run, tmp_path, monkeypatch):
    detector, results = trained[0], tmp_path / "results.json"

    def score_recordings(pipeline, paths):
        # The threshold of "fan" is -1 and that of "pump" is -100, so raw scores rank every pump below every fan.
        for path, score, margin in zip(paths, [-0.5, -99, -3, -103], [0.5, 1, -2, -3]):
            yield ScoredRecording(path, score, "normal" if margin >= 0 else "anomalous", margin=margin)

    monkeypatch.setattr(skaudio_ad.cli._evaluate, "score_recordings", score_recordings)
    for side in ("normal", "anomalous"):
        for machine in ("fan", "pump"):
            path = tmp_path / side / machine / "new.wav"
            path.parent.mkdir(parents=True)
            sound = np.random.default_rng(len(str(path))).normal(size=8000)
            soundfile.write(path, 0.1 * sound, 16000)
    found = run("evaluate", detector, tmp_path / "normal", tmp_path / "anomalous", "--json", results)
    assert found.exit_code == 0, found.output
    assert "AUCs are those of the margins, because every machine has a threshold of its own." in found.stdout
    saved = json.loads(results.read_text())
    assert saved["auc"]["value"] == 1  # raw scores have an AUC of 0.75
    assert saved["threshold"] == 0
    assert saved["detected"]["count"] == 2
