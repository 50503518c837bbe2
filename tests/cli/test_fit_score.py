"""``skaudio-ad fit`` and ``skaudio-ad score``."""

import csv
import os
import shutil
import warnings

import matplotlib.image
import numpy as np
import pytest
import skops.io
from click.testing import CliRunner
from sklearn.preprocessing import FunctionTransformer

import skaudio_ad.cli._fit
from skaudio_ad.cli import main
from skaudio_ad.cli._common import check_writable
from skaudio_ad.datasets import make_machine_sounds
from skaudio_ad.persistence import load_detector
from skaudio_ad.presets import make_preset

# Training an autoencoder is faster in these tests than loading a backbone.
AUTOENCODER = ("--preset", "autoencoder")


def run(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def lines(text):
    return [line for line in text.splitlines() if line.strip()]


def rows_of(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def sounds(tmp_path_factory):
    """Write eight normal recordings of 1 s into ``normal/`` and three anomalous ones into ``anomalous/``."""
    folder = tmp_path_factory.mktemp("sounds")
    make_machine_sounds(8, 3, machine="fan", duration=1.0, output_dir=folder, random_state=0)
    return folder


@pytest.fixture(scope="module")
def trained(sounds, tmp_path_factory):
    """Train a detector; return its file and the output of `fit`."""
    path = tmp_path_factory.mktemp("trained") / "fan.skops"
    return path, run("fit", sounds / "normal", "-o", path, *AUTOENCODER, "--max-epochs", 2)


@pytest.fixture
def mixed(sounds, tmp_path):
    """Make a folder with two good recordings and a broken one between them."""
    folder = tmp_path / "mixed"
    folder.mkdir()
    good = sorted((sounds / "normal").iterdir())
    shutil.copy(good[0], folder / "a.wav")
    (folder / "b.wav").write_bytes(b"no audio")
    shutil.copy(good[1], folder / "c.wav")
    return folder


@pytest.fixture
def never_trained(monkeypatch):
    def fit(pipeline, X, groups=None):
        raise AssertionError("training began")

    monkeypatch.setattr(skaudio_ad.cli._fit, "fit_with_progress", fit)
    monkeypatch.setattr(skaudio_ad.cli._fit, "fit_embeddings", fit)


def test_fit_writes_a_detector_and_describes_its_training(trained):
    path, result = trained
    assert result.exit_code == 0, result.output
    pipeline = load_detector(path)
    threshold = f"{pipeline[-1].offset_:.6g}"
    assert result.stdout.startswith(
        f"{path}: trained on 8 recording(s) (0.1 minutes), preset autoencoder, 2 epochs, 1 held out to "
        f"set the threshold, threshold {threshold}, false-alarm rate 0.05 (estimated), "
    )
    (note,) = lines(result.stderr)
    assert note.startswith("Note: a threshold from 1 held-out recording(s) is rough; 19 or more promise")


def test_fit_holds_out_the_given_fraction_of_recordings(sounds, tmp_path):
    path = tmp_path / "d.skops"
    result = run("fit", sounds / "normal", "-o", path, *AUTOENCODER, "--max-epochs", 1, "--held-out", 0.5)
    assert "4 held out to set the threshold" in result.stdout
    assert len(load_detector(path)[-1].held_out_indices_) == 4


def test_a_threshold_from_19_held_out_recordings_needs_no_note(sounds, tmp_path, capsys):
    from skaudio_ad.cli._fit import run_fit

    (tmp_path / "many").mkdir()
    for i, source in enumerate([*(sounds / "normal").iterdir()] * 3):
        os.link(source, tmp_path / "many" / f"{i}.wav")
    run_fit(
        [tmp_path / "many"],
        tmp_path / "d.skops",
        "dcase_baseline",
        max_epochs=1,
        held_out=0.8,
    )
    captured = capsys.readouterr()
    assert "trained on 24 recording(s)" in captured.out
    assert "19 held out to set the threshold" in captured.out
    assert "Note" not in captured.err


def test_fit_trains_the_preset_on_the_folder_with_equal_levels(trained, sounds):
    paths = sorted(str(path) for path in (sounds / "normal").iterdir())
    expected = make_preset("autoencoder", level="rms", max_epochs=2, random_state=0).fit(paths)
    np.testing.assert_array_equal(
        load_detector(trained[0]).score_samples(paths), expected.score_samples(paths)
    )


def test_options_of_fit_reach_the_pipeline(sounds, tmp_path):
    path = tmp_path / "heart.skops"
    options = ["--preset", "heart_lung", "--duration", 0.5, "--level", "none", "--max-epochs", 1, "--seed", 5]
    result = run("fit", sounds / "normal", "-o", path, *options)
    assert result.exit_code == 0, result.output
    pipeline = load_detector(path)
    assert list(pipeline.named_steps) == ["load", "features", "pool", "scale", "detector"]
    assert pipeline["load"].duration == 0.5
    assert (pipeline[-1].max_epochs, pipeline[-1].random_state) == (1, 5)


def test_score_prints_one_line_for_every_recording_in_order(trained, sounds):
    paths = sorted(str(path) for path in (sounds / "anomalous").iterdir())
    result = run("score", trained[0], sounds / "anomalous")
    assert result.exit_code == 0, result.output
    header, *rows = lines(result.stdout)
    assert header.split() == ["score", "p-value", "decision", "worst", "(s)", "recording"]
    pipeline = load_detector(trained[0])
    scores, labels = pipeline.score_samples(paths), pipeline.predict(paths)
    for row, path, score, label in zip(rows, paths, scores, labels, strict=True):
        printed_score, _, decision, worst, printed_path = row.split()
        assert float(printed_score) == pytest.approx(score, rel=1e-5)
        assert decision == {1: "normal", -1: "anomalous"}[label]
        assert 0 <= float(worst) <= 1
        assert printed_path == path


def test_score_writes_all_digits_and_a_picture_of_every_recording(trained, sounds, tmp_path):
    table, pictures = tmp_path / "scores.csv", tmp_path / "deep" / "pictures"
    result = run("score", trained[0], sounds / "anomalous", "--csv", table, "--plot", pictures)
    assert result.exit_code == 0, result.output
    rows = rows_of(table)
    paths = sorted(str(path) for path in (sounds / "anomalous").iterdir())
    assert list(rows[0]) == ["path", "score", "decision", "worst_time_s", "error", "margin", "p_value"]
    assert [row["path"] for row in rows] == paths
    np.testing.assert_allclose(
        [float(row["score"]) for row in rows], load_detector(trained[0]).score_samples(paths), rtol=1e-12
    )
    assert {row["error"] for row in rows} == {""}
    stems = [os.path.splitext(os.path.basename(path))[0] for path in paths]
    assert sorted(os.listdir(pictures)) == [f"{stem}.png" for stem in stems]
    for name in os.listdir(pictures):
        image = matplotlib.image.imread(pictures / name)
        assert image.shape[:2] == (550, 880)
        assert image.std() > 0.05


def test_a_broken_recording_is_reported_and_the_others_are_scored(trained, mixed, tmp_path):
    table, pictures = tmp_path / "scores.csv", tmp_path / "pictures"
    result = run("score", trained[0], mixed, "--csv", table, "--plot", pictures)
    assert result.exit_code == 1
    assert [line.split()[-1] for line in lines(result.stdout)[1:]] == [str(mixed / f"{x}.wav") for x in "abc"]
    first, last, summary, shift = lines(result.stderr)
    assert first.startswith(f"Error: {mixed / 'b.wav'}: is no audio that can be decoded")
    assert last == "Error: 1 of 3 recordings could not be scored, see above."
    rows = {os.path.basename(row["path"]): row for row in rows_of(table)}
    assert list(rows) == ["a.wav", "b.wav", "c.wav"]
    n_anomalous = [row["decision"] for row in rows.values()].count("anomalous")
    assert summary.startswith(
        f"Summary: {n_anomalous} of 2 scored recordings are anomalous. If all of them were"
    )
    assert shift.startswith("Shift check: ")
    assert (rows["b.wav"]["score"], rows["b.wav"]["decision"], rows["b.wav"]["worst_time_s"]) == (
        "",
        "error",
        "",
    )
    assert rows["b.wav"]["error"].startswith("is no audio that can be decoded")
    expected = load_detector(trained[0]).score_samples([str(mixed / "a.wav"), str(mixed / "c.wav")])
    np.testing.assert_allclose([float(rows[f"{x}.wav"]["score"]) for x in "ac"], expected, rtol=1e-12)
    assert sorted(os.listdir(pictures)) == ["a.png", "c.png"]


def test_a_missing_recording_is_reported_by_name(trained, mixed):
    result = run("score", trained[0], mixed / "a.wav", mixed / "z.wav")
    assert result.exit_code == 1
    assert f"Error: {mixed / 'z.wav'}: no such file" in result.stderr
    assert str(mixed / "a.wav") in result.stdout


def test_recordings_with_equal_names_get_different_pictures(trained, sounds, tmp_path):
    good = sorted((sounds / "normal").iterdir())
    given = ["x/a.wav", "y/a.wav", "x/a_2.wav", "y/a_2.wav", "x/b.wav"]
    for name, source in zip(given, good):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(source, tmp_path / name)
    pictures = tmp_path / "pictures"
    result = run("score", trained[0], *[tmp_path / name for name in given], "--plot", pictures)
    assert result.exit_code == 0, result.output
    assert sorted(os.listdir(pictures)) == ["a.png", "a_2.png", "a_2_2.png", "a_2_3.png", "b.png"]
    contents = {(pictures / name).read_bytes() for name in os.listdir(pictures)}
    assert len(contents) == 5


def test_a_recording_given_twice_is_scored_once(trained, mixed):
    result = run("score", trained[0], mixed / "a.wav", mixed / "a.wav")
    assert len(lines(result.stdout)) == 2


def test_fit_stops_at_a_broken_recording_and_names_it(mixed, tmp_path):
    result = run("fit", mixed, "-o", tmp_path / "d.skops", *AUTOENCODER, "--max-epochs", 1)
    assert result.exit_code == 1
    (line,) = lines(result.stderr)
    assert line.startswith(f"Error: {mixed / 'b.wav'}: is no audio that can be decoded")
    assert not (tmp_path / "d.skops").exists()


def test_fit_can_skip_broken_recordings_and_warns(mixed, sounds, tmp_path):
    path = tmp_path / "d.skops"
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        result = run(
            "fit", mixed, sounds / "normal", "-o", path, *AUTOENCODER, "--max-epochs", 1, "--on-error", "skip"
        )
    assert result.exit_code == 0, result.output
    assert f"Warning: left out {mixed / 'b.wav'}: is no audio" in result.stderr
    assert "trained without 1 of 11 clips, which could not be read" in result.stderr
    assert "trained on 10 recording(s)" in result.stdout
    assert load_detector(path)["load"].on_error == "skip"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["fit"], "Missing argument 'RECORDINGS"),
        (["fit", "x.wav"], "Missing option '--output'"),
        (
            ["fit", "x.wav", "-o", "d.skops", "--preset", "best"],
            "'best' is not one of 'embedding_nearest', ",
        ),
        (["fit", "x.wav", "-o", "d.skops", *AUTOENCODER, "--max-epochs", "0"], "0 is not in the range x>=1"),
        (["fit", "x.wav", "-o", "d.skops", "--duration", "0"], "0.0 is not in the range x>0"),
        (["fit", "x.wav", "-o", "d.skops", "--level", "lufs"], "'lufs' is not one of 'rms', 'peak', 'none'"),
        (["fit", "x.wav", "-o", "d.skops", "--on-error", "ignore"], "'ignore' is not one of 'raise', 'skip'"),
        (["fit", "x.wav", "-o", "detector.pkl"], "detector.pkl must end in .skops."),
        (["score"], "Missing argument 'DETECTOR'"),
        (["score", "d.skops"], "Missing argument 'RECORDINGS"),
        (["train"], "No such command 'train'"),
    ],
)
def test_a_wrong_command_line_is_described_and_exits_with_2(arguments, message, never_trained):
    result = run(*arguments)
    assert result.exit_code == 2
    assert message in result.stderr


def test_the_error_names_a_missing_detector(sounds, tmp_path):
    result = run("score", tmp_path / "none.skops", sounds / "normal")
    assert result.exit_code == 1
    assert lines(result.stderr) == [f"Error: {tmp_path / 'none.skops'}: no such file."]


def test_a_detector_with_types_of_other_packages_is_an_error(sounds, tmp_path):
    path = tmp_path / "foreign.skops"
    skops.io.dump(FunctionTransformer(os.path.basename), path)
    result = run("score", path, sounds / "normal")
    assert result.exit_code == 1
    assert "types that skaudio_ad does not trust" in result.stderr


def test_a_detector_that_takes_no_recordings_is_an_error(sounds, tmp_path):
    from skaudio_ad import MelTransformer

    skops.io.dump(MelTransformer(), tmp_path / "mel.skops")
    result = run("score", tmp_path / "mel.skops", sounds / "normal")
    assert result.exit_code == 1
    assert "a Pipeline that begins with AudioLoader is needed" in result.stderr


@pytest.mark.parametrize("kind", ["no folder", "a folder"])
def test_an_output_that_cannot_be_written_is_an_error_before_the_training(
    kind, sounds, tmp_path, never_trained
):
    output = tmp_path / "missing" / "d.skops"
    if kind == "a folder":
        output = tmp_path / "folder.skops"
        output.mkdir()
    result = run("fit", sounds / "normal", "-o", output)
    assert result.exit_code == (1 if kind == "no folder" else 2)
    expected = (
        f"the folder {tmp_path / 'missing'} does not exist; make it first"
        if kind == "no folder"
        else "is a dir"
    )
    assert expected in result.stderr


def test_a_folder_without_write_permission_is_an_error(tmp_path, monkeypatch):
    # os.access is replaced, because the user who runs the tests may be allowed to write everywhere.
    monkeypatch.setattr(os, "access", lambda path, mode: not (path == tmp_path and mode == os.W_OK))
    with pytest.raises(PermissionError, match="may not be written to"):
        check_writable(tmp_path / "d.skops")
    with pytest.raises(PermissionError, match="may not be written to"):
        check_writable(tmp_path, folder=True)
    (tmp_path / "inner").mkdir()
    check_writable(tmp_path / "inner" / "d.skops")


def test_a_table_in_a_missing_folder_is_an_error_before_the_scoring(trained, sounds, tmp_path):
    result = run("score", trained[0], sounds / "normal", "--csv", tmp_path / "missing" / "scores.csv")
    assert result.exit_code == 1
    assert result.stdout == ""
    assert "does not exist; make it first" in result.stderr


def test_the_error_names_a_folder_without_recordings(tmp_path, never_trained):
    (tmp_path / "notes.txt").write_text("nothing to hear")
    result = run("fit", tmp_path, "-o", tmp_path / "d.skops")
    assert result.exit_code == 1
    assert str(tmp_path) in result.stderr


def test_debug_shows_the_traceback_of_an_error(tmp_path):
    result = run("--debug", "score", tmp_path / "none.skops", "x.wav")
    assert isinstance(result.exception, FileNotFoundError)
    assert "Error:" not in result.stderr
