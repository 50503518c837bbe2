"""Recordings, names and settings that a report must survive or refuse."""

import io
import os

import numpy as np
import pytest
import soundfile
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline

import skaudio_ad.report._place as place
from skaudio_ad import AudioLoader, MelTransformer, NearestNeighborsDetector
from skaudio_ad._csv_text import path_of_cell
from skaudio_ad.report import make_report

from .conftest import RATE, tone


def test_unreadable_recordings_are_last_with_the_reason(report, detector, new, normal, tmp_path):
    (tmp_path / "empty.wav").touch()
    soundfile.write(tmp_path / "nan.wav", np.full(RATE, np.nan), RATE, subtype="FLOAT")
    bad = [str(tmp_path / name) for name in ("empty.wav", "nan.wav", "missing.wav")]
    content = report(detector, [*bad, *new], normal=normal, n_nearest=1)
    rows = content.data["clips"]
    assert [row["decision"] for row in rows[3:]] == ["error"] * 3
    assert content.summary["counts"]["errors"] == 3
    by_name = content.rows()
    assert "empty" in by_name["empty.wav"]["error"]
    assert "NaN" in by_name["nan.wav"]["error"]
    assert "no such file" in by_name["missing.wav"]["error"]
    assert not [row for row in rows if "on_error" in row["error"]]
    facts = content.json(by_name["nan.wav"]["id"])
    assert facts["audio"]["asset"] is None
    assert "cannot be played: contains NaN" in facts["audio"]["note"]
    assert facts["spectrogram"] is None
    assert by_name["nan.wav"]["score"] is None


def test_a_report_of_unreadable_recordings_alone_says_so(report, detector, tmp_path):
    content = report(detector, [tmp_path / "missing.wav"], y=[-1])
    assert content.summary["lines"] == [
        "None of the recordings could be scored. The list gives the reason for each."
    ]
    assert content.summary["histogram"] is None
    assert content.summary["counts"] == {"recordings": 1, "anomalous": 0, "normal": 0, "errors": 1}


@pytest.mark.skipif(os.sep == "\\", reason="Windows has no such names")
def test_names_with_markup_control_characters_and_other_encodings_are_texts(report, detector, tmp_path):
    names = [
        b"<script>alert(1).wav",
        b"a\nb\x1b[31m.wav",
        b"x\xe9.wav",
        b'=1+1".wav',
        b"back\\x.wav",
    ]
    paths = []
    for name in names:
        paths.append(os.path.join(os.fsdecode(tmp_path), os.fsdecode(name)))
        with open(os.fsencode(paths[-1]), "wb") as file:
            soundfile.write(file, tone(495, duration=0.3), RATE, format="WAV")
    content = report(detector, paths)
    rows = content.data["clips"]
    assert not [row["error"] for row in rows if row["error"]]
    assert {path_of_cell(row["csv_path"]) for row in rows} == set(paths)
    assert {row["name"] for row in rows} == {
        "<script>alert(1).wav",
        "a\\nb\\x1b[31m.wav",
        "x\\xe9.wav",
        '=1+1".wav',
        "back\\x.wav",
    }
    output = make_report(detector, paths, tmp_path / "report.html")
    assert b"<script>alert(1)" not in output.read_bytes()


@pytest.mark.parametrize(
    ("samples", "rate"),
    [
        (np.zeros(RATE), RATE),
        (tone(495, duration=0.01), RATE),
        (np.array([0.5]), RATE),
        (np.column_stack([tone(495), -0.5 * tone(495)]), RATE),
        (tone(495, rate=2000), 2000),
        (tone(495, rate=96000), 96000),
    ],
    ids=["silence", "10 ms", "one sample", "stereo", "2 kHz", "96 kHz"],
)
def test_any_sound_gets_a_sound_and_a_picture(report, detector, normal, tmp_path, samples, rate):
    soundfile.write(tmp_path / "x.wav", samples, rate, subtype="FLOAT")
    content = report(detector, [tmp_path / "x.wav"], normal=normal, n_nearest=1)
    facts = content.json("clip-0")
    assert content.data["clips"][0]["error"] == ""
    played, played_rate = soundfile.read(io.BytesIO(content.assets["clip-0.mp3"]))
    assert played_rate == RATE
    assert len(played) == pytest.approx(len(samples) / rate * RATE, abs=2)
    assert facts["spectrogram"]["width"] >= 1
    assert facts["bands"] is not None
    if not np.any(samples):
        assert facts["audio"]["peak_db"] is None
        assert not played.any()


def test_the_loader_decides_which_part_of_a_file_is_played(report, normal, tmp_path):
    detector = make_pipeline(
        AudioLoader(RATE, offset=0.5, duration=0.25),
        MelTransformer(RATE, n_fft=512, n_mels=16),
        NearestNeighborsDetector(),
    ).fit(normal[:3])
    soundfile.write(tmp_path / "x.wav", tone(495) + tone(3000, 0.5, 0.7, noise=0), RATE)
    content = report(detector, [tmp_path / "x.wav"])
    audio = content.json("clip-0")["audio"]
    assert audio["duration"] == pytest.approx(0.25)
    assert "from 0.5 s on" in audio["note"]
    played, _ = soundfile.read(io.BytesIO(content.assets["clip-0.mp3"]))
    assert np.abs(np.fft.rfft(played[:1600]))[600] > 50


def test_settings_that_do_not_fit_are_refused_with_the_reason(detector, new, tmp_path):
    output = tmp_path / "report.html"
    cases = [
        (([],), {}, "there are no recordings"),
        (([new[0], new[0]],), {}, "different files, got .*normal_06.wav more than once"),
        ((new,), {"y": [1, -1]}, r"one label a recording: got shape \(2,\) for 3"),
        ((new,), {"y": [1, -1, 2]}, r"y must be 1 \(normal\)"),
        ((new,), {"marks": ["wrong", None, None]}, "a mark must be one of confirmed, false alarm, unsure"),
        ((new,), {"marks": [None]}, "marks must have one entry a recording: got 1 for 3"),
        ((new,), {"assets": "yes"}, 'assets must be True, False or "auto"'),
        ((new,), {"audio_format": "ogg"}, "audio_format"),
        ((new,), {"max_duration": 0}, "max_duration"),
        ((new,), {"n_nearest": 0}, "n_nearest"),
        ((new,), {"machines": ["fan"] * 3}, "machines= needs a FleetDetector"),
    ]
    for arguments, settings, message in cases:
        with pytest.raises(ValueError, match=message):
            make_report(detector, *arguments, output, **settings)
    with pytest.raises(FileNotFoundError, match=r"the folder .*none does not exist"):
        make_report(detector, new, tmp_path / "none" / "report.html")
    with pytest.raises(IsADirectoryError, match="is a folder; name a file"):
        make_report(detector, new, tmp_path)
    with pytest.raises(ValueError, match="Pipeline that begins with AudioLoader"):
        make_report(detector[-1], new, output)
    with pytest.raises(NotFittedError):
        make_report(make_pipeline(AudioLoader(RATE), NearestNeighborsDetector()), new, output)
    assert not list(tmp_path.iterdir())


def test_assets_that_are_large_get_a_folder_or_an_error(report, detector, new, normal, monkeypatch):
    assert report(detector, new, normal=normal, n_nearest=1).folder is None
    monkeypatch.setattr(place, "_EMBEDDED", 10_000)
    assert report(detector, new).folder.name == "report_assets"
    assert report(detector, new, assets=False).folder is None
    monkeypatch.setattr(place, "_LARGEST", 10_000)
    with pytest.raises(ValueError, match=r"about 0 MB.*Set assets=True.*folder beside the page"):
        report(detector, new, assets=False)


def test_the_size_of_a_page_is_foreseen_from_the_first_recordings(report, detector, new, normal, monkeypatch):
    found = []
    expected_size = place._expected_size
    monkeypatch.setattr(
        place, "_expected_size", lambda *given: found.append(expected_size(*given)) or found[-1]
    )
    monkeypatch.setattr(place, "_N_JUDGED", 1)
    content = report(detector, new, normal=normal, n_nearest=2)
    size = sum(len(content.assets[name]) * (1 if name.endswith("json") else 4 / 3) for name in content.names)
    assert found[0] == pytest.approx(size, rel=0.25)


def test_normal_recordings_that_cannot_be_read_are_counted(report, detector, new, normal, tmp_path):
    content = report(detector, new[:1], normal=[*normal, tmp_path / "gone.wav"], n_nearest=1)
    (note,) = [note for note in content.summary["notes"] if "could not be used" in note]
    assert note.startswith("1 of 7 normal recordings could not be used.")
    assert "gone.wav: no such file" in note
