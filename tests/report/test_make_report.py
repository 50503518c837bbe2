"""The content of a report: the list, the sounds, the pictures and the comparisons of every recording."""

import io
import re

import matplotlib as mpl
import numpy as np
import pytest
import soundfile
from matplotlib.image import imread
from sklearn.base import BaseEstimator
from sklearn.pipeline import make_pipeline

from skaudio_ad import (
    AudioLoader,
    ConformalThreshold,
    FleetDetector,
    LevelNormalizer,
    MelTransformer,
    NearestNeighborsDetector,
    SoundQualities,
    TemporalPooling,
    ThresholdedDetector,
)
from skaudio_ad._base import DetectorMixin
from skaudio_ad.audio import read_audio
from skaudio_ad.presets import DetectorPipeline
from skaudio_ad.report import make_report

from .conftest import RATE, frequency, tone


@pytest.fixture(scope="module")
def content(report, detector, new, normal):
    return report(detector, new, normal=normal, y=[1, -1, 1], marks=[None, "unsure", None], n_nearest=3)


def test_the_list_begins_with_the_least_normal_recording_and_keeps_labels_and_marks(content, detector, new):
    rows = content.data["clips"]
    scores = detector.score_samples(new)
    order = np.argsort(scores)
    assert [row["path"] for row in rows] == [new[i] for i in order]
    np.testing.assert_allclose([row["score"] for row in rows], scores[order])
    np.testing.assert_allclose([row["margin"] for row in rows], detector.decision_function(new)[order])
    assert [row["id"] for row in rows] == ["clip-0", "clip-1", "clip-2"]
    fault = content.rows()["fault.wav"]
    assert fault is rows[0]
    assert (fault["label"], fault["mark"], fault["decision"], fault["duration"]) == (
        -1,
        "unsure",
        "anomalous",
        1.0,
    )
    assert content.summary["counts"] == {"recordings": 3, "anomalous": 1, "normal": 2, "errors": 0}


def test_the_summary_has_the_curve_the_histogram_and_the_promise(content, detector, new):
    summary, scores = content.summary, detector.score_samples(new)
    assert summary["threshold"] == detector[-1].offset_
    assert summary["roc"] == {"fpr": [0.0, 0.0, 1.0], "tpr": [0.0, 1.0, 1.0], "at": [0.0, 1.0]}
    assert summary["auc"]["text"].startswith(
        "AUC 1.000, 95% interval 1.000 to 1.000, from 2 normal and 1 anomalous"
    )
    histogram = summary["histogram"]
    assert sum(histogram["normal"]) == 2
    assert sum(histogram["anomalous"]) == 1
    assert sum(histogram["calibration"]) == 6
    assert min(histogram["edges"]) <= scores.min()
    assert summary["threshold"] in histogram["edges"]
    assert summary["promise"]["rate"] == 0.05
    assert summary["shift"]["shifted"] is False
    assert "NearestNeighborsDetector" in summary["detector"]


def test_the_sound_has_the_frequency_and_the_level_of_the_recording(content, new):
    audio = content.json("clip-0")["audio"]
    samples, rate = soundfile.read(io.BytesIO(content.assets[audio["asset"]]))
    assert rate == RATE
    assert len(samples) == RATE
    spectrum = np.abs(np.fft.rfft(samples))
    assert np.argmax(spectrum) == 495
    assert 20 * np.log10(np.abs(samples).max()) == pytest.approx(-1, abs=0.5)
    recorded, _ = soundfile.read(new[1])
    assert audio["peak_db"] == pytest.approx(20 * np.log10(np.abs(recorded).max()), abs=0.01)
    assert (audio["start"], audio["duration"], audio["note"]) == (0, 1, "")


def test_the_picture_is_brightest_at_the_frequency_of_the_tone(content):
    spectrogram = content.json("clip-1")["spectrogram"]
    picture = imread(io.BytesIO(content.assets[spectrogram["asset"]]))
    assert picture.shape[:2] == (spectrogram["height"], spectrogram["width"])
    bright = picture[..., :3].sum(axis=(1, 2))
    fraction = 1 - (np.argmax(bright) + 0.5) / len(bright)
    ticks = {text: place for place, text in spectrogram["ticks"]}
    assert ticks["500 Hz"] == pytest.approx(fraction, abs=1.5 / len(bright))
    assert list(ticks) == ["200 Hz", "500 Hz", "1 kHz", "2 kHz"]
    # The tone has -6 dB, which is rounded up to ten decibels.
    assert (spectrogram["low_db"], spectrogram["high_db"]) == (-80, 0)
    colours = mpl.colormaps["magma"](np.arange(256))[:, :3]
    value = np.abs(colours - picture[np.argmax(bright), picture.shape[1] // 2, :3]).sum(axis=1).argmin()
    # Two neighbouring bands share the power of a tone, at worst 3 dB less in each.
    assert 20 * np.log10(0.5) - 3.3 < -80 + value * 80 / 255 < 20 * np.log10(0.5) + 0.3


def test_the_map_marks_the_time_and_the_frequency_of_the_fault(content):
    spectrogram = content.json("clip-0")["spectrogram"]
    opacity = imread(io.BytesIO(content.assets[spectrogram["map"]]))[..., 3]
    assert "99th percentile" in spectrogram["map_note"]
    ticks = {text: place for place, text in spectrogram["ticks"]}
    height, width = opacity.shape
    times = (np.arange(width) + 0.5) / width
    row = round((1 - (ticks["2 kHz"] + 0.13)) * height)  # 3 kHz is above 2 kHz by an eighth of the mel scale
    marked = opacity[row - 6 : row + 6].max(axis=0)
    assert marked[(times > 0.42) & (times < 0.58)].min() > 0.8
    assert marked[(times < 0.3) | (times > 0.7)].mean() < 0.1
    normal_map = content.json("clip-2")["spectrogram"]["map"]
    assert imread(io.BytesIO(content.assets[normal_map]))[..., 3].mean() < 0.05


def test_the_nearest_normal_recordings_are_those_of_the_detector(content, detector, new, normal):
    distances, indices = detector[-1].kneighbors(detector[:-1].transform([new[1]]), 3)
    nearest = content.json("clip-0")["nearest"]["clips"]
    assert [each["id"] for each in nearest] == [f"normal-{index}" for index in indices[0]]
    np.testing.assert_allclose([each["distance"] for each in nearest], distances[0], rtol=1e-5)
    assert {f"{name}.json" for name in content.data["normals"]} <= set(content.assets)
    first = nearest[0]["id"]
    assert content.data["normals"][first]["path"] == normal[indices[0][0]]
    samples, _ = soundfile.read(io.BytesIO(content.assets[f"{first}.mp3"]))
    assert np.argmax(np.abs(np.fft.rfft(samples))) == frequency(indices[0][0])


def test_every_asset_has_one_name_and_follows_the_first_recording_that_shows_it(content):
    assert len(set(content.names)) == len(content.names)
    shown = set()
    for position in range(3):
        shown |= {each["id"] for each in content.json(f"clip-{position}")["nearest"]["clips"]}
        last = content.names.index(f"clip-{position + 1}.json") if position < 2 else len(content.names)
        assert {f"{name}.json" for name in shown} <= set(content.names[:last])


def test_the_bands_show_the_levels_of_the_recording_beside_the_normal_ones(content):
    bands = {name: np.array(values) for name, values in content.json("clip-0")["bands"].items()}
    at_fault = np.argmin(np.abs(bands["centers_hz"] - 3000))
    # A tone of amplitude 0.2 during a fifth of the clip. Two neighbouring bands share the power of a tone.
    around = slice(at_fault - 2, at_fault + 3)
    power = np.sum(10 ** (bands["clip_db"][around] / 10)) - np.sum(10 ** (bands["high_db"][around] / 10))
    assert 10 * np.log10(power) == pytest.approx(30 * np.log10(0.2), abs=0.3)
    assert bands["clip_db"][at_fault] > bands["high_db"][at_fault] + 20
    assert (bands["low_db"] <= bands["median_db"]).all()
    assert (bands["median_db"] <= bands["high_db"]).all()


def test_words_compare_the_recording_with_its_nearest_normal_ones(content, new, normal):
    words = content.json("clip-0")["words"]
    qualities = SoundQualities(RATE)
    expected = qualities.transform([read_audio(new[1])[0]])[0]
    assert [row["name"] for row in words["qualities"]] == list(qualities.names)
    np.testing.assert_allclose([row["value"] for row in words["qualities"]], expected, rtol=1e-3)
    brightness = words["qualities"][list(qualities.names).index("brightness")]
    assert brightness["value"] > brightness["high"]
    assert words["sentence"]


def test_a_report_without_normal_recordings_labels_and_local_scores_says_so(report, detector, new):
    content = report(detector, new)
    notes = " ".join(content.summary["notes"])
    assert "normal=, or --normal" in notes
    assert "no scores over time" in notes
    assert "AudioSet" in notes
    assert content.summary["auc"] is None
    assert content.summary["roc"] is None
    assert [row["label"] for row in content.data["clips"]] == [None] * 3
    facts = content.json("clip-0")
    assert facts["bands"] is None
    assert facts["nearest"]["clips"] == []
    assert facts["spectrogram"]["map"] is None
    assert "not known" in facts["spectrogram"]["map_note"]
    assert not [name for name in content.names if name.startswith("normal")]


def test_local_scores_have_the_threshold_and_the_moments(report, frame_detector, new):
    content = report(frame_detector, new)
    assert not [note for note in content.summary["notes"] if "over time" in note]
    facts = content.json("clip-0")
    local = facts["local"]
    expected = frame_detector[-1].score_frames(frame_detector[:-1].transform([new[1]]))[0]
    np.testing.assert_allclose(local["scores"], expected, rtol=1e-4)
    np.testing.assert_allclose(local["times"], np.arange(len(expected)) * 128 / RATE, atol=1e-3)
    assert local["threshold"] == pytest.approx(frame_detector[-1].offset_)
    (moment,) = facts["moments"]
    assert moment["start"] == pytest.approx(0.4, abs=0.07)
    assert moment["end"] == pytest.approx(0.6, abs=0.07)
    assert 0.38 < content.data["clips"][0]["worst"] < 0.62
    assert content.json("clip-2")["moments"] == []


def test_a_long_recording_is_cut_around_its_worst_moment(report, frame_detector, tmp_path, monkeypatch):
    monkeypatch.setattr("skaudio_ad.report._keep._MAX_POINTS", 150)
    path = tmp_path / "long.wav"
    soundfile.write(
        path, tone(495, 0, 20, duration=20) + tone(3000, 15, 15.2, level=0.2, duration=20, noise=0), RATE
    )
    content = report(frame_detector, [path], max_duration=2.0)
    facts = content.json("clip-0")
    assert facts["audio"]["start"] == pytest.approx(14.1, abs=0.1)
    assert facts["audio"]["duration"] == pytest.approx(2)
    assert re.search(
        r"the part around the worst moment, 14(\.\d)? s to 16(\.\d)? s of 20 s", facts["audio"]["note"]
    )
    assert facts["spectrogram"]["start"] == facts["audio"]["start"]
    samples, _ = soundfile.read(io.BytesIO(content.assets["clip-0.mp3"]))
    faulty = samples[int(0.9 * RATE) : int(1.1 * RATE)]
    assert np.abs(np.fft.rfft(faulty))[600] > 10  # 3 kHz in the middle of the excerpt
    local = {name: np.array(facts["local"][name]) for name in ("times", "scores")}
    assert (np.diff(local["times"]) > 0).all()
    inside = (local["times"] >= facts["audio"]["start"]) & (local["times"] <= facts["audio"]["start"] + 2)
    np.testing.assert_allclose(np.diff(local["times"][inside]), 128 / RATE, atol=2e-3)
    assert len(local["times"]) < 300  # the file has 1251 windows
    assert local["scores"].min() == pytest.approx(content.data["clips"][0]["score"], rel=1e-5)
    assert "lowest" in facts["local"]["note"]
    assert content.data["clips"][0]["duration"] == 20


class MeanSpectrum(DetectorMixin, BaseEstimator):
    """Reconstruct every clip as the mean spectrum of the training clips."""

    def fit(self, X, y=None):
        self.mean_ = np.mean(X, axis=(0, 2))
        self.offset_ = 1.5 * self.score_samples(X).min()
        return self

    def reconstruct(self, X):
        return np.broadcast_to(self.mean_[:, np.newaxis], np.shape(X))

    def score_samples(self, X):
        return -np.square(X - self.reconstruct(X)).mean(axis=(1, 2))


def test_a_reconstruction_marks_its_largest_errors(report, new, normal):
    detector = make_pipeline(
        AudioLoader(RATE), MelTransformer(RATE, n_fft=512, hop_length=256, n_mels=16), MeanSpectrum()
    ).fit(normal)
    content = report(detector, [new[1]], normal=normal)
    spectrogram = content.json("clip-0")["spectrogram"]
    assert "reconstructs" in spectrogram["map_note"]
    opacity = imread(io.BytesIO(content.assets[spectrogram["map"]]))[..., 3]
    times = (np.arange(opacity.shape[1]) + 0.5) / opacity.shape[1]
    upper = opacity[: len(opacity) // 3].max(axis=0)
    assert upper[(times > 0.45) & (times < 0.55)].min() > 0.8
    assert upper[(times > 0.1) & (times < 0.3)].max() == 0


def test_levels_are_compared_as_the_detector_hears_them(report, folder, normal, tmp_path):
    detector = make_pipeline(
        AudioLoader(RATE),
        LevelNormalizer(),
        MelTransformer(RATE),
        TemporalPooling(),
        NearestNeighborsDetector(),
    ).fit(normal)
    samples, _ = soundfile.read(normal[0])
    soundfile.write(tmp_path / "quiet.wav", samples / 100, RATE, subtype="FLOAT")
    facts = report(detector, [tmp_path / "quiet.wav"], normal=normal[1:]).json("clip-0")
    loudest = int(np.argmax(facts["bands"]["median_db"]))
    assert facts["bands"]["clip_db"][loudest] == pytest.approx(facts["bands"]["median_db"][loudest], abs=1)
    assert facts["audio"]["peak_db"] == pytest.approx(-46, abs=0.2)


def test_a_recording_of_the_training_is_not_its_own_nearest_recording(report, detector, normal):
    content = report(detector, [normal[3]], normal=normal, n_nearest=20)
    ids = [each["id"] for each in content.json("clip-0")["nearest"]["clips"]]
    assert len(ids) == 5
    assert "normal-3" not in ids


def test_a_fleet_compares_recordings_of_one_machine(report, folder, tmp_path):
    paths = []
    for machine, pitch in (("fan", 500), ("pump", 2000)):
        for index in range(5):
            paths.append(tmp_path / f"{machine}_{index}.wav")
            soundfile.write(paths[-1], tone(pitch + index), RATE)
    fleet = DetectorPipeline(
        [
            ("load", AudioLoader(RATE)),
            ("mel", MelTransformer(RATE)),
            ("pool", TemporalPooling()),
            (
                "detector",
                FleetDetector(
                    ThresholdedDetector(NearestNeighborsDetector(), ConformalThreshold(0.25), cv=2)
                ),
            ),
        ],
        machines="^([a-z]+)_",
    ).fit([*paths[:4], *paths[5:9]])
    content = report(fleet, [paths[4], paths[9]], normal=[*paths[:4], *paths[5:9]])
    assert content.summary["threshold"] == 0
    assert "pump: false-alarm rate" in content.summary["lines"][1]
    for row in content.data["clips"]:
        machine = row["name"].split("_")[0]
        nearest = content.json(row["id"])["nearest"]["clips"]
        assert len(nearest) == 4
        assert {content.data["normals"][each["id"]]["name"].split("_")[0] for each in nearest} == {machine}
    # The paths of these recordings do not give the machines, so no normal recording is known to be of the same machine.
    unnamed = DetectorPipeline(fleet.steps)
    content = report(unnamed, [paths[4], paths[9]], machines=["fan", "pump"], normal=paths[:2])
    assert [row["error"] for row in content.data["clips"]] == ["", ""]
    assert content.json("clip-0")["nearest"]["clips"] == []
    assert "The machines of the normal recordings are not known" in content.summary["notes"][0]


def test_the_page_of_a_report_is_written(detector, new, normal, tmp_path):
    output = make_report(
        detector, new, tmp_path / "report.html", normal=normal, title="Fans & pumps", assets=False
    )
    text = output.read_text(encoding="utf-8")
    assert "<title>Fans &amp; pumps</title>" in text
    assert 'id="asset-clip-0.mp3"' in text
    assert not (tmp_path / "report_assets").exists()
    make_report(detector, new, tmp_path / "report.html", assets=True, audio_format="wav")
    assert (tmp_path / "report_assets" / "clip-0.wav").read_bytes()[:4] == b"RIFF"
    assert len((tmp_path / "report.html").read_bytes()) < len(text)
