"""Find the moments of an anomalous recording that sound wrong."""

import numpy as np
import pytest
import soundfile
from sklearn.pipeline import make_pipeline

from skaudio_ad import AudioLoader, MelTransformer, NearestNeighborsDetector, TemporalPooling
from skaudio_ad.recordings import Moment, ScoredRecording, find_moments, score_recordings

RATE = 8000


def scored(local_scores, *, step=1.0, window_duration=1.0, threshold=-5.0, **settings):
    """Make an anomalous recording with the score of its worst window."""
    local_scores = np.array(local_scores, dtype=float)
    times = step * (np.arange(len(local_scores)) + 0.5)
    settings = {
        "decision": "anomalous",
        "score": local_scores.min(),
        "duration": len(times) * step,
        **settings,
    }
    return ScoredRecording(
        "fan.wav",
        times=times,
        local_scores=local_scores,
        window_duration=window_duration,
        margin=settings["score"] - threshold,
        **settings,
    )


def spans(moments):
    return [(moment.start, moment.end) for moment in moments]


def test_a_moment_spans_its_windows_from_the_first_edge_to_the_last():
    (moment,) = find_moments(scored([-1, -1, -8, -9, -1, -1]))
    assert moment == Moment(2.0, 4.0, -9.0)


def test_a_gap_of_one_window_is_joined_and_a_gap_of_two_is_not():
    recording = scored([-9, -1, -9, -1, -1, -6, -1])
    assert spans(find_moments(recording)) == [(0.0, 3.0), (5.0, 6.0)]
    assert [moment.score for moment in find_moments(recording)] == [-9.0, -6.0]


def test_moments_that_overlap_are_joined():
    # Windows of 4 s begin every second: the windows from 1 s to 5 s and from 4 s to 8 s overlap, those at 12 s do not.
    recording = scored([-1, -1, -9, -1, -1, -9, -1, -1, -1, -1, -1, -1, -9], window_duration=4.0)
    assert spans(find_moments(recording)) == [(0.5, 7.5), (10.5, 13.0)]


def test_moments_end_where_the_recording_ends():
    recording = scored([-9, -1, -1, -1, -9], window_duration=2.0, duration=4.75)
    assert spans(find_moments(recording)) == [(0.0, 1.5), (3.5, 4.75)]
    recording.duration = float("nan")
    assert spans(find_moments(recording)) == [(0.0, 1.5), (3.5, 5.5)]


def test_without_a_window_below_the_threshold_the_worst_window_is_the_moment():
    recording = scored([-1, -3, -2], threshold=-5)
    assert spans(find_moments(recording)) == [(1.0, 2.0)]
    # A score that lies outside the local scores has another scale, so its threshold says nothing about windows.
    other_scale = scored([-1, -3, -2], score=-100.0, threshold=-2.5)
    assert other_scale.local_threshold is None
    assert spans(find_moments(other_scale)) == [(1.0, 2.0)]
    assert spans(find_moments(other_scale, threshold=-1.5)) == [(1.0, 3.0)]


def test_windows_that_reach_beyond_the_clip_are_no_moments():
    assert spans(find_moments(scored([-9, -1, -8, -1, -1, -9], n_edge=1))) == [(2.0, 3.0)]


@pytest.mark.parametrize("decision", ["normal", "error"])
def test_only_an_anomalous_recording_has_moments(decision):
    assert find_moments(scored([-9, -1, -1], decision=decision)) == []


def test_without_local_scores_the_whole_recording_is_the_moment():
    recording = ScoredRecording("fan.wav", -7.0, "anomalous", duration=2.5, low_hz=100.0, high_hz=200.0)
    assert find_moments(recording) == [Moment(0.0, 2.5, -7.0, 100.0, 200.0)]


def test_a_recording_without_a_window_duration_has_windows_of_one_step():
    recording = scored([-1, -9, -1], window_duration=float("nan"))
    assert spans(find_moments(recording)) == [(1.0, 2.0)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Write normal noise, and noise with a loud part from 1 s to 1.5 s, each with one more second in front."""
    folder, rng = tmp_path_factory.mktemp("recordings"), np.random.default_rng(0)
    for index in range(6):
        clip = 0.01 * rng.normal(size=4 * RATE)
        clip[:RATE] = 0.9  # the loader skips this second
        if index == 5:
            clip[2 * RATE : 2 * RATE + RATE // 2] *= 30
        soundfile.write(folder / f"{index}.wav", clip, RATE, subtype="FLOAT")
    return folder


def test_a_loud_part_of_a_file_is_the_moment(folder):
    mel = MelTransformer(RATE, n_fft=512, hop_length=256, n_mels=8)
    detector = NearestNeighborsDetector(time_pooling="max")
    pipeline = make_pipeline(AudioLoader(RATE, offset=1.0), mel, detector)
    pipeline.fit([folder / f"{index}.wav" for index in range(5)])
    normal, wrong = score_recordings(pipeline, [folder / "0.wav", folder / "5.wav"])
    assert find_moments(normal) == []
    (moment,) = find_moments(wrong)
    # The first and the last window that contain a loud sample begin and end at most one window of 64 ms away from it.
    assert 0.936 <= moment.start <= 1.0
    assert 1.5 <= moment.end <= 1.564
    assert moment.score == wrong.local_scores.min()
    assert (wrong.start, wrong.duration, wrong.window_duration) == (1.0, 3.0, 0.064)


def test_a_detector_without_local_scores_gets_the_duration_from_the_header(folder):
    loader = AudioLoader(RATE, offset=1.0, duration=5.0, pad="zeros")
    pipeline = make_pipeline(
        loader, MelTransformer(RATE, n_fft=512, n_mels=8), TemporalPooling(), NearestNeighborsDetector()
    )
    pipeline.fit([folder / f"{index}.wav" for index in range(5)])
    (wrong,) = score_recordings(pipeline, [folder / "5.wav"])
    assert [(m.start, m.end) for m in find_moments(wrong)] == [(0.0, 3.0)]  # without the padding
