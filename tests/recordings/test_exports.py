"""Label tracks for Audacity and selection tables for Raven, read by parsers that follow their documents."""

import os
import re

import numpy as np
import pytest
import soundfile

from skaudio_ad.audio import AudioReadError
from skaudio_ad.recordings import (
    Event,
    RecordingTimeline,
    ScoredRecording,
    write_audacity_labels,
    write_raven_selections,
)


def read_labels(path):
    """Read a label track as the manual of Audacity describes it: (start, end, text, frequencies or None)."""
    labels = []
    for line in path.read_text(encoding="utf-8").splitlines():
        cells = line.split("\t")
        if cells[0] == "\\":
            labels[-1][3] = tuple(map(float, cells[1:]))
        else:
            labels.append([float(cells[0]), float(cells[1]), cells[2], None])
    return [tuple(label) for label in labels]


def read_selections(path):
    header, *lines = path.read_text(encoding="utf-8").splitlines()
    rows = [dict(zip(header.split("\t"), line.split("\t"), strict=True)) for line in lines]
    text = ("View", "Begin Path")
    return [{name: value if name in text else float(value) for name, value in row.items()} for row in rows]


def write_wav(path, duration, rate=8000):
    soundfile.write(path, np.zeros(round(duration * rate)), rate)
    return str(path)


@pytest.fixture
def recordings(tmp_path):
    """Score three files: two moments from 1 s of the first, a normal file, and all of the third with frequencies."""
    sounds = tmp_path / "sounds"
    sounds.mkdir()
    windows = {
        "times": np.arange(5) + 0.5,
        "local_scores": np.array([-1.0, -8.0, -1.0, -1.0, -9.0]),
        "window_duration": 1.0,
        "start": 1.0,
        "duration": 5.0,
    }
    return [
        ScoredRecording(write_wav(sounds / "a.wav", 6.5), -9.0, "anomalous", margin=-4.0, **windows),
        ScoredRecording(write_wav(sounds / "b.wav", 2), -1.0, "normal", margin=4.0, duration=2.0),
        ScoredRecording(
            write_wav(sounds / "c.wav", 3, rate=16000),
            -123.456,
            "anomalous",
            margin=-4.0,
            duration=3.0,
            low_hz=250.0,
            high_hz=500.5,
        ),
        ScoredRecording(str(sounds / "missing.wav"), error="no such file"),
    ]


def test_every_anomalous_recording_has_a_label_track_with_times_of_the_file(recordings, tmp_path):
    folder = tmp_path / "labels" / "new"
    assert write_audacity_labels(folder, iter(recordings)) == [folder / "a.txt", folder / "c.txt"]
    assert sorted(os.listdir(folder)) == ["a.txt", "c.txt"]
    assert read_labels(folder / "a.txt") == [
        (2.0, 3.0, "anomalous, score -8", None),
        (5.0, 6.0, "anomalous, score -9", None),
    ]
    assert read_labels(folder / "c.txt") == [(0.0, 3.0, "anomalous, score -123.5", (250.0, 500.5))]


def test_recordings_with_equal_names_and_names_with_control_characters_get_label_tracks(tmp_path):
    paths = [f"{name}.wav" for name in ("x/a", "y/a", "tab\there", 'q"<b>')]
    recordings = [ScoredRecording(path, -9.0, "anomalous", duration=1.0) for path in paths]
    written = write_audacity_labels(tmp_path, recordings)
    assert [path.name for path in written] == ["a.txt", "a_2.txt", "tab_here.txt", "q__b_.txt"]
    assert all(read_labels(path) == [(0.0, 1.0, "anomalous, score -9", None)] for path in written)


def test_the_selection_table_counts_times_from_the_first_recording_and_offsets_from_each(
    recordings, tmp_path
):
    path = tmp_path / "selections.txt"
    write_raven_selections(path, recordings)
    first, second, third = read_selections(path)
    assert [row["Selection"] for row in (first, second, third)] == [1, 2, 3]
    assert (first["View"], first["Channel"]) == ("Spectrogram 1", 1)
    assert (first["Begin Time (s)"], first["End Time (s)"], first["File Offset (s)"]) == (2.0, 3.0, 2.0)
    assert (second["Begin Time (s)"], second["End Time (s)"], second["File Offset (s)"]) == (5.0, 6.0, 5.0)
    # The first recording lasts 6.5 s. The normal recording is not in the table.
    assert (third["Begin Time (s)"], third["End Time (s)"], third["File Offset (s)"]) == (6.5, 9.5, 0.0)
    assert (first["Low Freq (Hz)"], first["High Freq (Hz)"]) == (0.0, 4000.0)
    assert (third["Low Freq (Hz)"], third["High Freq (Hz)"]) == (250.0, 500.5)
    assert (first["Begin Path"], third["Begin Path"]) == (recordings[0].path, recordings[2].path)
    assert [row["Score"] for row in (first, second, third)] == [-8.0, -9.0, -123.456]


def test_paths_in_a_selection_table_are_absolute(recordings, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    recordings[0].path = "sounds/a.wav"
    write_raven_selections("selections.txt", recordings[:1])
    assert read_selections(tmp_path / "selections.txt")[0]["Begin Path"] == str(tmp_path / "sounds" / "a.wav")


@pytest.mark.parametrize("name", ["tab\t.wav", "line\n.wav", "bytes\udcff.wav"])
def test_a_path_that_a_selection_table_cannot_hold_is_an_error_and_an_older_table_stays(tmp_path, name):
    path = tmp_path / "selections.txt"
    path.write_text("old")
    with pytest.raises(ValueError, match=r"Rename the file or its folder\."):
        write_raven_selections(path, [ScoredRecording(name, -9.0, "anomalous", duration=1.0)])
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["selections.txt"]


def test_names_with_blanks_and_other_scripts_are_in_a_selection_table_as_they_are(tmp_path):
    name = write_wav(tmp_path / "fan 1\u00a0\u00e9 \u98a8 \U0001f468\u200d\U0001f527.wav", 1)
    write_raven_selections(tmp_path / "s.txt", [ScoredRecording(name, -9.0, "anomalous", duration=1.0)])
    assert read_selections(tmp_path / "s.txt")[0]["Begin Path"] == name


def test_a_recording_that_has_gone_is_an_error_that_names_the_file(tmp_path):
    path = tmp_path / "gone.wav"
    with pytest.raises(AudioReadError, match=re.escape(f"{path}: no such file")):
        write_raven_selections(
            tmp_path / "s.txt", [ScoredRecording(str(path), -9.0, "anomalous", duration=1.0)]
        )
    assert not (tmp_path / "s.txt").exists()


def test_a_recording_of_unknown_duration_is_decoded_for_its_end(tmp_path):
    path = write_wav(tmp_path / "a.wav", 1.5)
    write_audacity_labels(tmp_path, [ScoredRecording(path, -9.0, "anomalous")])
    assert read_labels(tmp_path / "a.txt") == [(0.0, 1.5, "anomalous, score -9", None)]


def test_a_table_without_anomalies_has_the_header_only(tmp_path):
    write_raven_selections(tmp_path / "s.txt", [ScoredRecording("a.wav", 1.0, "normal")])
    assert len((tmp_path / "s.txt").read_text().splitlines()) == 1


def test_the_events_of_a_timeline_are_its_moments(tmp_path):
    path = write_wav(tmp_path / "long.wav", 30)
    event = Event("id", path, 5.0, 17.5, 10.0, -4.0, 0.05, 3, "cleared", "normal again", 100.0, 200.0)
    timeline = RecordingTimeline(
        path, np.array([0.0, 5.0]), 10.0, 5.0, np.array([-1.0, -4.0]), events=[event]
    )
    (track,) = write_audacity_labels(tmp_path / "labels", [timeline])
    assert read_labels(track) == [(5, 17.5, "anomalous, score -4", (100, 200))]
    write_raven_selections(tmp_path / "table.txt", [timeline])
    (row,) = read_selections(tmp_path / "table.txt")
    assert (row["Begin Time (s)"], row["End Time (s)"], row["Begin Path"]) == (5, 17.5, path)


def test_segments_of_a_file_have_one_track_with_times_of_the_file(tmp_path):
    path = write_wav(tmp_path / "long.wav", 30)
    windows = {"times": np.array([1.0]), "local_scores": np.array([-9.0]), "window_duration": 1.0}
    segments = [
        ScoredRecording(
            f"{path}#t=0,10", -9.0, "anomalous", margin=-4.0, duration=10.0, start=2.0, **windows
        ),
        ScoredRecording(f"{path}#t=10,20", -8.0, "anomalous", margin=-4.0),
    ]
    (track,) = write_audacity_labels(tmp_path / "labels", segments)
    assert track.name == "long.txt"
    assert [label[:2] for label in read_labels(track)] == [(2.5, 3.5), (10, 20)]
    write_raven_selections(tmp_path / "table.txt", segments)
    rows = read_selections(tmp_path / "table.txt")
    assert [(row["Begin Path"], row["File Offset (s)"]) for row in rows] == [(path, 2.5), (path, 10)]
