"""``fit --groups-from``: recordings of one machine or patient are held out together."""

import os

import pytest
from sklearn.pipeline import Pipeline

import skaudio_ad.cli._fit
from skaudio_ad.cli._groups import read_groups


def test_the_group_of_a_recording_is_its_folder(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    paths = ["x/m1/a.wav", "x/m1/b.wav", "y/m1/a.wav", "x/m2/a.wav", "here.wav"]
    assert read_groups("folder", paths) == ["m1", "m1", "m1", "m2", tmp_path.name]


def test_the_group_is_the_text_in_the_parentheses():
    paths = ["p1/id_00_000.wav", "id_00_001.wav", "x/id_02_000.wav"]
    assert read_groups("^(id_[0-9]+)_", paths) == ["id_00", "id_00", "id_02"]
    assert read_groups(r"_(\d+)\.wav$", paths) == ["000", "001", "000"]


@pytest.mark.parametrize(
    ("groups_from", "message"),
    [
        ("(", "must be 'folder' or a regular expression, got '(': missing ), unterminated subpattern"),
        ("id_[0-9]+", "needs one group in parentheses, such as '^(id_[0-9]+)_', got 'id_[0-9]+' with 0"),
        ("(id)_([0-9]+)", "got '(id)_([0-9]+)' with 2"),
        (
            "^(id_[0-9]+)_",
            "finds no group in the name of 2 of 4 recordings, the first being folder/c.wav; it finds 2 groups in the "
            "others, such as 'id_00', 'id_01'",
        ),
        (
            "(x)?",
            "finds no group in the name of 4 of 4 recordings, the first being id_00_a.wav; it finds 0 groups in",
        ),
        ("(wav)", "all 4 recordings are in one group, 'wav'"),
    ],
)
def test_an_expression_without_groups_is_an_error_before_any_file_is_read(
    groups_from, message, run, tmp_path
):
    paths = ["id_00_a.wav", "id_01_a.wav", "folder/c.wav", "c.wav"]
    result = run("fit", *paths, "-o", tmp_path / "d.skops", "--groups-from", groups_from)
    assert result.exit_code == 2
    assert "Invalid value for --groups-from: " in result.stderr
    assert message in result.stderr


def test_the_groups_reach_the_detector_and_are_counted(run, tmp_path, monkeypatch, write_wavs):
    given = []

    class Detector:
        held_out_indices_ = range(20)
        n_samples_fit_ = n_iter_ = offset_ = 1

    class Pipe(Pipeline):
        def set_callbacks(self, *callbacks):
            pass

        def fit(self, X, **parameters):
            given.append((X, parameters))

    monkeypatch.setattr(
        skaudio_ad.cli._fit, "make_preset", lambda *names, **settings: Pipe([("detector", Detector())])
    )
    monkeypatch.setattr(skaudio_ad.cli._fit, "save_detector", lambda pipeline, path, metadata: None)
    preset = ["--preset", "autoencoder"]
    (tmp_path / "a").mkdir()
    monkeypatch.chdir(tmp_path)
    paths = [os.path.join("a", "m1_1.wav"), os.path.join("a", "m1_2.wav"), os.path.join("a", "m2_1.wav")]
    for source, path in zip(write_wavs([800, 800, 800]), paths):
        os.rename(source, path)
    result = run("fit", *paths, "-o", tmp_path / "d.skops", *preset, "--groups-from", "^(m.)_")
    assert result.exit_code == 0, result.output
    assert given == [(paths, {"detector__groups": ["m1", "m1", "m2"]})]
    assert result.stderr == "Note: 3 recordings in 2 groups.\n"
    run("fit", *paths, "-o", tmp_path / "d.skops", *preset)
    assert given[1] == (paths, {})
