"""``skaudio-ad report`` writes a page, finds the training recordings again, and reads marks."""

import csv
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
from sklearn.pipeline import make_pipeline

from skaudio_ad import AudioLoader, MelTransformer, NearestNeighborsDetector, TemporalPooling
from skaudio_ad.cli._fit import _places
from skaudio_ad.cli._report import find_training_recordings
from skaudio_ad.cli._training import examine
from skaudio_ad.persistence import save_detector

RATE = 8000


def write(path, frequency):
    noise = np.random.default_rng(frequency).normal(0, 1e-3, RATE // 2)
    soundfile.write(path, noise + 0.5 * np.sin(2 * np.pi * frequency * np.arange(RATE // 2) / RATE), RATE)
    return str(path)


@pytest.fixture
def sounds(tmp_path):
    """Four normal recordings and two new ones in the current folder of the test."""
    (tmp_path / "normal").mkdir()
    (tmp_path / "new").mkdir()
    for index in range(4):
        write(tmp_path / "normal" / f"{index}.wav", 500 + index)
    write(tmp_path / "new" / "good.wav", 502)
    write(tmp_path / "new" / "bad.wav", 3000)
    return tmp_path


@pytest.fixture
def detector(sounds):
    """A saved detector, with the facts that `fit` saves."""
    paths = sorted(str(path) for path in (sounds / "normal").iterdir())
    pipeline = make_pipeline(
        AudioLoader(RATE),
        MelTransformer(RATE, n_fft=512, n_mels=32),
        TemporalPooling(),
        NearestNeighborsDetector(),
    ).fit(paths)
    facts = examine(paths)[0] | {"places": _places([sounds / "normal"])}
    save_detector(pipeline, sounds / "d.skops", metadata={"training": facts})
    return sounds / "d.skops"


def test_the_page_compares_with_the_training_recordings_that_are_still_there(run, sounds, detector):
    page = sounds / "report.html"
    result = run("report", detector, sounds / "new", "-o", page, "--title", "Fans")
    assert result.exit_code == 0, result.output
    assert result.stdout == f"{page}: 2 recording(s), 1 anomalous\n"
    text = page.read_text(encoding="utf-8")
    assert "<title>Fans</title>" in text
    assert 'id="asset-normal-1.mp3"' in text
    shutil.move(sounds / "normal" / "3.wav", sounds / "elsewhere.wav")
    write(sounds / "normal" / "new.wav", 2000)  # the detector was not trained on this recording
    result = run("report", detector, sounds / "new", "-o", page)
    assert f"Note: 1 of 4 training recordings are no longer in {sounds / 'normal'}" in result.stderr
    assert "new.wav" not in page.read_text(encoding="utf-8")
    result = run("report", detector, sounds / "new", "-o", page, "--normal", sounds / "elsewhere.wav")
    assert result.exit_code == 0
    assert "elsewhere.wav" in page.read_text(encoding="utf-8")


def test_a_detector_without_known_training_recordings_gives_a_page_that_says_so(run, sounds, detector):
    shutil.rmtree(sounds / "normal")
    page = sounds / "report.html"
    result = run("report", detector, sounds / "new", "-o", page)
    assert result.exit_code == 0
    assert "4 of 4 training recordings" in result.stderr
    assert "asset-normal" not in page.read_text(encoding="utf-8")


@pytest.mark.parametrize("training", [None, "text", {"places": ["x", 1], "digests": [1]}, {"places": None}])
def test_facts_of_another_form_name_no_training_recordings(training):
    assert find_training_recordings(training) == ([], "")


def test_files_that_were_named_are_found_in_their_folder_and_not_below(sounds):
    places = _places([sounds / "new" / "good.wav", sounds / "new" / "bad.wav", sounds / "normal"])
    assert places == [
        {"folder": str(sounds / "new"), "recursive": False},
        {"folder": str(sounds / "normal"), "recursive": True},
    ]


def test_unreadable_recordings_end_with_exit_code_one_and_stay_in_the_page(run, sounds, detector):
    Path(sounds / "new" / "empty.wav").touch()
    result = run("report", detector, sounds / "new", "-o", sounds / "report.html")
    assert result.exit_code == 1
    assert "1 of 3 recordings could not be scored" in result.stderr
    assert "empty.wav" in (sounds / "report.html").read_text(encoding="utf-8")


def test_marks_are_read_and_marks_of_other_files_are_refused(run, sounds, detector):
    marks = sounds / "marks.csv"
    with open(marks, "w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, quoting=csv.QUOTE_ALL)
        table.writerow(["path", "mark", "score", "p_value", "decision", "note"])
        table.writerow([sounds / "new" / "bad.wav", "confirmed", "-1", "", "anomalous", "a whistle"])
        table.writerow([sounds / "new" / "good.wav", "false alarm", "1", "", "normal", ""])
    result = run("report", detector, sounds / "new", "-o", sounds / "report.html", "--labels", marks)
    assert result.exit_code == 0, result.output
    assert "AUC 1.000" in (sounds / "report.html").read_text(encoding="utf-8")
    result = run("report", detector, sounds / "new" / "bad.wav", "-o", sounds / "r.html", "--labels", marks)
    assert result.exit_code == 1
    assert (
        f"marks 1 recording(s) that are not among the recordings: {sounds / 'new' / 'good.wav'}"
        in result.stderr
    )
    assert not (sounds / "r.html").exists()


def test_a_missing_folder_of_the_page_is_an_error_before_any_scoring(run, sounds, detector):
    result = run("report", detector, sounds / "new", "-o", sounds / "none" / "report.html")
    assert result.exit_code == 1
    assert f"the folder {sounds / 'none'} does not exist" in result.stderr


def test_a_folder_of_assets_can_be_asked_for(run, sounds, detector):
    result = run(
        "report", detector, sounds / "new", "-o", sounds / "r.html", "--assets", "--audio-format", "wav"
    )
    assert f"sounds and pictures in {sounds / 'r_assets'}" in result.stdout
    assert {"clip-0.wav", "clip-1.wav"} <= set(os.listdir(sounds / "r_assets"))
