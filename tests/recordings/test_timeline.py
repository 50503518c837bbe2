"""Score the windows of one long recording."""

import csv

import numpy as np
import pytest
import soundfile
from sklearn.pipeline import make_pipeline

from skaudio_ad import (
    AudioLoader,
    MelTransformer,
    NearestNeighborsDetector,
    TemporalPooling,
    ThresholdedDetector,
)
from skaudio_ad._stream import ahead
from skaudio_ad.audio import AudioReadError, AudioReadWarning, read_audio, segment, segment_groups
from skaudio_ad.recordings import AlarmPolicy, RecordingTimeline, _window_stream, score_recording

RATE = 8000


def noise(seed, duration):
    return np.random.default_rng(seed).normal(scale=0.1, size=round(duration * RATE))


@pytest.fixture(scope="module")
def detector(tmp_path_factory):
    path = tmp_path_factory.mktemp("normal") / "normal.wav"
    soundfile.write(path, noise(0, 12), RATE)
    segments = segment([path], 0.5, block=1)
    mel = MelTransformer(sample_rate=RATE, n_fft=256, hop_length=128, n_mels=8)
    last = ThresholdedDetector(NearestNeighborsDetector(), random_state=0)
    pipeline = make_pipeline(AudioLoader(RATE), mel, TemporalPooling(), last)
    return pipeline.fit(segments, thresholdeddetector__groups=segment_groups(segments, block=1))


@pytest.fixture(scope="module")
def long(tmp_path_factory):
    """A recording of 6.1 s with a loud tone from 3 s to 4 s."""
    samples = noise(1, 6.1)
    samples[3 * RATE : 4 * RATE] += 0.5 * np.sin(np.arange(RATE))
    path = str(tmp_path_factory.mktemp("long") / "long.wav")
    soundfile.write(path, samples, RATE)
    return path


@pytest.fixture(scope="module")
def timeline(detector, long):
    return score_recording(detector, long)


def test_every_window_has_the_score_of_the_same_clip(detector, long, timeline):
    assert timeline.window == 0.5
    np.testing.assert_allclose(timeline.times, [*np.arange(0, 5.51, 0.25), 5.6])
    clips = [read_audio(long, offset=start, duration=0.5)[0] for start in timeline.times]
    np.testing.assert_allclose(timeline.scores, detector.score_samples(clips), rtol=1e-9)
    features = detector[:-1].transform(clips)
    np.testing.assert_allclose(timeline.p_values, detector[-1].p_values(features))
    assert timeline.duration == 6.1
    assert timeline.error == ""


def test_the_faulty_stretch_is_one_event(timeline):
    (event,) = [event for event in timeline.events if event.score < timeline.threshold - 1]
    assert (event.start, event.end) == (2.75, 4.25)
    assert event.state == "cleared"
    assert event.source == timeline.path
    assert 3 <= timeline.worst.start <= 3.5
    assert timeline.worst.score == event.score == timeline.scores.min()


def test_the_scores_do_not_depend_on_the_batches_and_blocks(detector, long, timeline, monkeypatch):
    monkeypatch.setattr(_window_stream, "_BATCH", 1)
    monkeypatch.setattr(_window_stream, "BLOCK", 777)
    seconds = []
    again = score_recording(detector, long, progress=seconds.append)
    np.testing.assert_allclose(again.scores, timeline.scores, rtol=1e-9)
    assert seconds == sorted(seconds)
    assert seconds[-1] == 6.1
    assert len(seconds) == len(again.times)


def test_a_policy_of_ones_own_decides(detector, long, timeline):
    levels = AlarmPolicy(timeline.threshold - 1, timeline.threshold - 0.5, n_raise=2)
    found = score_recording(detector, long, policy=levels)
    assert [event.n_windows for event in found.events] == [5]
    assert found.threshold == levels.raise_level
    assert score_recording(detector, long, policy=AlarmPolicy(-1e9, -1e9)).events == []


def test_times_of_a_segment_count_from_the_start_of_the_file(detector, long, timeline):
    part = score_recording(detector, f"{long}#t=2,4.5", hop=0.5)
    np.testing.assert_allclose(part.times, [2, 2.5, 3, 3.5, 4])
    np.testing.assert_allclose(part.scores, timeline.scores[8:18:2], rtol=1e-9)
    assert part.duration == 4.5


def test_a_detector_without_a_threshold_finds_no_events(long, tmp_path):
    soundfile.write(tmp_path / "one.wav", noise(5, 0.5), RATE)
    mel = MelTransformer(sample_rate=RATE, n_fft=256, hop_length=128, n_mels=8)
    pipeline = make_pipeline(AudioLoader(RATE), mel, TemporalPooling(), NearestNeighborsDetector())
    with pytest.warns(UserWarning, match="one training clip"):
        pipeline.fit([str(tmp_path / "one.wav")])
    found = score_recording(pipeline, long)
    assert found.events == []
    assert np.isfinite(found.scores).all()


@pytest.mark.parametrize(
    ("ending", "match"),
    [("wav", "is truncated: its header promises"), ("flac", "is no audio that can be decoded")],
)
def test_a_truncated_file_is_scored_to_where_it_ends_and_the_fault_is_reported(
    detector, long, tmp_path, ending, match
):
    path = tmp_path / f"cut.{ending}"
    soundfile.write(path, np.tile(soundfile.read(long)[0], 4), RATE)
    whole = score_recording(detector, path)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.warns(AudioReadWarning, match=rf"cut.{ending}: {match}.*scored up to 1[12].*s[.]"):
        found = score_recording(detector, path)
    assert match in found.error
    n_windows = len(found.times) - 1
    assert 42 < n_windows < 49
    np.testing.assert_allclose(found.scores[:n_windows], whole.scores[:n_windows], rtol=1e-9)


def test_an_mp3_file_is_scored_as_it_is_decoded(detector, long, tmp_path):
    path = tmp_path / "long.mp3"
    soundfile.write(path, soundfile.read(long)[0], RATE)
    found = score_recording(detector, path)
    clips = [read_audio(path, duration=start + 0.5)[0][-4000:] for start in found.times[:4]]
    np.testing.assert_allclose(found.scores[:4], detector.score_samples(clips), rtol=1e-9)


def test_windows_that_hold_nan_have_no_score_and_are_reported(detector, long, tmp_path):
    samples = soundfile.read(long)[0]
    samples[RATE + 10] = np.nan
    path = str(tmp_path / "nan.wav")
    soundfile.write(path, samples, RATE, subtype="DOUBLE")
    with pytest.warns(AudioReadWarning, match=r"2 of 24 windows have no score. The first, at 0.75 s, holds"):
        found = score_recording(detector, path)
    assert np.flatnonzero(np.isnan(found.scores)).tolist() == [3, 4]
    assert [index for index, error in enumerate(found.errors) if error] == [3, 4]
    assert found.worst.start > 2


def test_silence_and_several_channels_and_another_rate_are_scored(detector, tmp_path):
    path = str(tmp_path / "stereo.flac")
    soundfile.write(path, np.zeros((3 * 11025, 2)), 11025)
    found = score_recording(detector, path)
    assert np.isfinite(found.scores).all()
    assert [(event.start, event.end) for event in found.events] == [(0, 3)]


def test_recordings_that_cannot_be_scored_are_named(detector, tmp_path, write_wavs):
    (short,) = write_wavs([2000], RATE)
    with pytest.raises(
        AudioReadError, match=r"clip_0.wav: lasts 0.25 s, which is less than one window of 0.5 s"
    ):
        score_recording(detector, short)
    with pytest.raises(AudioReadError, match=r"gone.wav: no such file"):
        score_recording(detector, "gone.wav")
    with pytest.raises(ValueError, match=r"trained on clips of 0.5 s"):
        score_recording(detector, short, window=1.0)
    (tmp_path / "text.wav").write_text("no sound")
    with pytest.raises(AudioReadError, match=r"text.wav: is no audio"):
        score_recording(detector, tmp_path / "text.wav")


def test_a_missing_channel_is_an_error_of_the_recording(long, tmp_path):
    for seed in range(3):
        soundfile.write(tmp_path / f"{seed}.wav", np.stack([noise(seed, 0.5)] * 2, axis=1), RATE)
    mel = MelTransformer(sample_rate=RATE, n_fft=256, hop_length=128, n_mels=8)
    detector = make_pipeline(AudioLoader(RATE, channel=1), mel, TemporalPooling(), NearestNeighborsDetector())
    detector.fit(sorted(map(str, tmp_path.iterdir())))
    with pytest.raises(AudioReadError, match=r"long.wav: channel=1 does not exist"):
        score_recording(detector, long)


def test_the_table_of_windows_is_written_whole(timeline, tmp_path):
    timeline.to_csv(tmp_path / "windows.csv")
    with open(tmp_path / "windows.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["start_s"]) for row in rows] == timeline.times.tolist()
    assert [float(row["score"]) for row in rows] == timeline.scores.tolist()
    assert rows[0]["path"] == timeline.path
    assert rows[0]["low_hz"] == rows[0]["error"] == ""
    frame = timeline.to_frame()
    assert frame.columns.tolist() == list(rows[0])
    assert frame["end_s"].tolist() == (timeline.times + 0.5).round(9).tolist()


def test_a_notebook_shows_the_events(timeline):
    text = timeline._repr_html_()
    assert f"<td>{timeline.events[0].start:.4g}</td>" in text
    assert "24 windows of 0.5 s" in repr(timeline)
    empty = RecordingTimeline("<a>.wav", np.array([0.0]), 1.0, 1.0, np.array([np.nan]))
    assert empty.worst is None
    assert "&lt;a&gt;" in empty._repr_html_()


def test_a_generator_that_runs_ahead_is_closed_and_keeps_its_errors():
    closed = []

    def count():
        try:
            yield from range(3)
            raise OSError("broken")
        finally:
            closed.append(True)

    iterator = ahead(count())
    assert next(iterator) == 0
    iterator.close()
    assert closed == [True]
    with pytest.raises(OSError, match="broken"):
        list(ahead(count()))
    assert list(ahead(i for i in range(3))) == [0, 1, 2]
