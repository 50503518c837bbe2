"""Score readable and unreadable recordings with a fitted pipeline."""

import os

import numpy as np
import pytest
import soundfile
from sklearn.ensemble import IsolationForest
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skaudio_ad import (
    AudioLoader,
    AutoencoderDetector,
    ClipScaler,
    MeanStdThreshold,
    MelTransformer,
    NormalOnly,
    TemporalPooling,
    ThresholdedDetector,
)
from skaudio_ad.embeddings import WeightsError
from skaudio_ad.features._spectral import LogMel
from skaudio_ad.inspection import LocalScoreDisplay, ReconstructionDisplay
from skaudio_ad.recordings import ScoredRecording, find_clock, score_recordings

RATE = 16000


def tone(seed, duration=3.0):
    rng = np.random.default_rng(seed)
    t = np.arange(round(duration * RATE)) / RATE
    wave = sum(np.sin(2 * np.pi * f * t + rng.uniform(0, 6)) for f in (220, 440, 880))
    return 0.1 * wave + 0.003 * rng.normal(size=len(t))


def burst(seed):
    """Make a tone with 0.1 s of loud noise around 1.5 s."""
    clip = tone(seed)
    middle = slice(round(1.45 * RATE), round(1.55 * RATE))
    clip[middle] += 0.2 * np.random.default_rng(seed).normal(size=round(0.1 * RATE))
    return clip


def small_mel(**settings):
    return MelTransformer(n_fft=512, hop_length=256, n_mels=24, **settings)


def scaler():
    return ClipScaler("zscore", statistics="bin")


def detector(**settings):
    return AutoencoderDetector(
        hidden_sizes=(32,), bottleneck_size=8, max_epochs=5, batch_size=64, random_state=0, **settings
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Write ten tones for training, two clean tones, a tone with a burst, and two files that cannot be scored."""
    folder = tmp_path_factory.mktemp("recordings")
    for i in range(10):
        soundfile.write(folder / f"train_{i}.wav", tone(i), RATE)
    for i in range(2):
        soundfile.write(folder / f"clean_{i}.wav", tone(100 + i), RATE)
    soundfile.write(folder / "burst.wav", burst(200), RATE)
    soundfile.write(folder / "short.wav", tone(0, 0.05), RATE)
    (folder / "broken.wav").write_bytes(b"no audio at all")
    return folder


@pytest.fixture(scope="module")
def pipeline(folder):
    paths = sorted(folder.glob("train_*.wav"))
    return make_pipeline(AudioLoader(RATE), small_mel(), scaler(), detector()).fit(paths)


def test_scores_decisions_and_local_scores_equal_those_of_the_pipeline(pipeline, folder):
    paths = [folder / name for name in ("clean_0.wav", "burst.wav", "clean_1.wav")]
    scored = list(score_recordings(pipeline, paths))
    assert [recording.path for recording in scored] == [os.fspath(path) for path in paths]
    np.testing.assert_allclose([r.score for r in scored], pipeline.score_samples(paths), rtol=1e-9)
    expected = ["normal" if label == 1 else "anomalous" for label in pipeline.predict(paths)]
    assert [r.decision for r in scored] == expected
    assert scored[1].decision == "anomalous"
    local_scores = pipeline[-1].score_frames(pipeline[:-1].transform(paths))
    for recording, expected in zip(scored, local_scores):
        np.testing.assert_allclose(recording.local_scores, expected, rtol=1e-6)
        assert recording.error == ""


def test_the_worst_time_is_the_time_of_the_burst(pipeline, folder):
    (recording,) = score_recordings(pipeline, [folder / "burst.wav"])
    assert recording.worst_time == pytest.approx(1.5, abs=0.2)
    # Every window far from the burst has a higher score than every window inside the burst.
    inside = np.abs(recording.times - 1.5) < 0.03
    outside = np.abs(recording.times - 1.5) > 0.2
    assert recording.local_scores[inside].max() < recording.local_scores[outside].min()


def test_times_are_the_middles_of_the_windows_in_seconds(pipeline, folder):
    (recording,) = score_recordings(pipeline, [folder / "clean_0.wav"])
    # There are 1 + 48000 // 256 = 188 frames and 184 windows. The first window has the frames 0 to 4, 16 ms apart.
    assert len(recording.times) == len(recording.local_scores) == 184
    np.testing.assert_allclose(recording.times, 0.016 * (np.arange(184) + 2), rtol=1e-12)


def test_a_recording_that_cannot_be_scored_does_not_stop_the_others(pipeline, folder):
    names = ["clean_0.wav", "broken.wav", "clean_1.wav", "short.wav", "missing.wav", "burst.wav"]
    scored = list(score_recordings(pipeline, [str(folder / name) for name in names]))
    assert [os.path.basename(recording.path) for recording in scored] == names
    assert [recording.decision == "error" for recording in scored] == [False, True, False, True, True, False]
    good = [folder / names[i] for i in (0, 2, 5)]
    np.testing.assert_allclose([scored[i].score for i in (0, 2, 5)], pipeline.score_samples(good), rtol=1e-9)
    for i, reason in (
        (1, "no audio that can be decoded"),
        (3, "has 4 frames, fewer than the 5"),
        (4, "no such file"),
    ):
        assert np.isnan(scored[i].score)
        assert scored[i].worst_time is None
        assert len(scored[i].times) == len(scored[i].local_scores) == 0
        assert reason in scored[i].error
        # The field `path` names the recording, so the error must not name the path or "clip 0" again.
        assert not scored[i].error.startswith((str(folder), "clip"))


@pytest.mark.parametrize("error", [OSError("disk"), AttributeError("no such thing"), MemoryError()], ids=repr)
def test_any_error_of_a_step_concerns_only_its_recording(pipeline, folder, monkeypatch, error):
    whole = LogMel.__call__

    def fail_on_the_burst(self, clip):
        if np.abs(clip).max() > 0.6:
            raise error
        return whole(self, clip)

    paths = [folder / name for name in ("clean_0.wav", "burst.wav", "clean_1.wav")]
    expected = pipeline.score_samples(paths)
    monkeypatch.setattr(LogMel, "__call__", fail_on_the_burst)
    scored = list(score_recordings(pipeline, paths))
    np.testing.assert_allclose([scored[0].score, scored[2].score], expected[[0, 2]], rtol=1e-9)
    assert (scored[1].decision, scored[1].error) == ("error", f"{type(error).__name__}: {error}")


def test_a_recording_with_features_of_nan_has_no_decision(pipeline, folder, monkeypatch):
    monkeypatch.setattr(LogMel, "__call__", lambda self, clip: np.full((24, 9), np.nan, dtype=np.float32))
    (recording,) = score_recordings(pipeline, [folder / "clean_0.wav"])
    assert recording.decision == "error"
    assert "has no score" in recording.error


def test_a_pipeline_that_skips_broken_files_in_training_reports_their_reasons_in_scoring(folder):
    loader = AudioLoader(RATE, on_error="skip")
    skipping = make_pipeline(loader, small_mel(), scaler(), detector()).fit(
        sorted(folder.glob("train_*.wav"))
    )
    scored = list(score_recordings(skipping, [folder / "broken.wav", folder / "clean_0.wav"]))
    assert [recording.decision == "error" for recording in scored] == [True, False]
    assert "no audio that can be decoded" in scored[0].error
    assert loader.on_error == "skip"


def test_a_lazy_pipeline_has_the_scores_of_an_eager_pipeline(folder, pipeline):
    lazy = make_pipeline(AudioLoader(RATE), small_mel(lazy=True), scaler(), detector())
    lazy.fit(sorted(folder.glob("train_*.wav")))
    for one, other in zip(*(score_recordings(p, [folder / "burst.wav"]) for p in (lazy, pipeline))):
        assert one.score == other.score
        np.testing.assert_array_equal(one.local_scores, other.local_scores)


@pytest.mark.parametrize("last", [detector(), IsolationForest(random_state=0)], ids=["ours", "scikit-learn"])
def test_features_without_a_time_axis_have_no_local_scores(folder, last):
    pooled = make_pipeline(AudioLoader(RATE), small_mel(), TemporalPooling(), StandardScaler(), last)
    pooled.fit(sorted(folder.glob("train_*.wav")))
    path = folder / "burst.wav"
    (recording,) = score_recordings(pooled, [path])
    assert recording.score == pytest.approx(pooled.score_samples([path])[0], rel=1e-9)
    assert recording.decision == "anomalous"
    assert (len(recording.times), len(recording.local_scores), recording.worst_time) == (0, 0, None)


def test_the_clock_is_the_last_step_with_frames_to_seconds(pipeline):
    assert find_clock(pipeline) is pipeline[1]
    assert find_clock(make_pipeline(AudioLoader(), TemporalPooling())) is None


def test_an_estimator_that_takes_no_recordings_raises_an_error_at_once(pipeline):
    for wrong in (pipeline[-1], pipeline[1:]):
        with pytest.raises(ValueError, match="a Pipeline that begins with AudioLoader is needed"):
            score_recordings(wrong, ["a.wav"])


def test_the_worst_time_is_the_time_of_the_lowest_local_score():
    recording = ScoredRecording(
        "a.wav", times=np.array([0.5, 1.0, 1.5]), local_scores=np.array([-1.0, -3.0, -2.0])
    )
    assert recording.worst_time == 1.0
    assert ScoredRecording("a.wav").worst_time is None


def test_windows_that_reach_beyond_the_clip_are_never_the_worst_window():
    times, scores = np.arange(5.0), np.array([-9.0, -1.0, -3.0, -2.0, -8.0])
    assert ScoredRecording("a.wav", times=times, local_scores=scores, n_edge=1).worst_window == 2
    assert ScoredRecording("a.wav", times=times, local_scores=scores, n_edge=0).worst_window == 0
    # If all windows reach beyond the clip, all windows are compared.
    assert ScoredRecording("a.wav", times=times[:2], local_scores=scores[:2], n_edge=1).worst_window == 0


@pytest.mark.parametrize(
    ("n_fft", "hop_length", "expected"), [(1024, 512, 1), (2048, 512, 2), (1000, 512, 1)]
)
def test_edge_frames_are_the_frames_that_overlap_the_padding(n_fft, hop_length, expected):
    mel = MelTransformer(n_fft=n_fft, hop_length=hop_length, n_mels=8)
    touched = np.arange(10) * hop_length < n_fft / 2
    assert mel.n_edge_frames == expected == touched.sum()
    assert MelTransformer(n_fft=n_fft, center=False).n_edge_frames == 0


def wrapped(kind, pipeline, paths):
    if kind == "thresholded":
        return ThresholdedDetector(pipeline, MeanStdThreshold(), cv=2, random_state=0).fit(paths)
    if kind == "thresholded last":
        last = ThresholdedDetector(pipeline[-1], MeanStdThreshold(), cv=2, random_state=0)
        return make_pipeline(*pipeline[:-1], last).fit(paths)
    if kind == "normal only":
        return NormalOnly(ThresholdedDetector(pipeline, MeanStdThreshold(), cv=2, random_state=0)).fit(paths)
    grid = {"autoencoderdetector__max_epochs": [5]}
    return GridSearchCV(pipeline, grid, scoring=lambda model, X, y=None: 0.0, cv=2).fit(paths)


@pytest.mark.parametrize("kind", ["thresholded", "thresholded last", "normal only", "search"])
def test_a_pipeline_inside_a_wrapper_has_the_decisions_of_the_wrapper(folder, kind):
    paths = [str(folder / f"train_{i}.wav") for i in range(10)]
    new = [str(folder / f"{name}.wav") for name in ("clean_0", "clean_1", "burst")]
    pipeline = make_pipeline(AudioLoader(RATE), small_mel(), scaler(), detector(validation_fraction=0))
    model = wrapped(kind, pipeline, paths)
    scored = list(score_recordings(model, [*new, str(folder / "broken.wav")]))
    np.testing.assert_allclose([one.score for one in scored[:3]], model.score_samples(new), rtol=1e-6)
    assert [one.decision for one in scored[:3]] == [
        "normal" if label == 1 else "anomalous" for label in model.predict(new)
    ]
    assert scored[3].decision == "error"
    assert scored[2].worst_time == pytest.approx(1.5, abs=0.15)
    display = LocalScoreDisplay.from_estimator(model, new[2])
    assert display.offset == pytest.approx(
        getattr(model, "best_estimator_", model)[-1].offset_
        if kind in ("search", "thresholded last")
        else model.offset_
    )
    assert ReconstructionDisplay.from_estimator(model, new[2]).reconstruction.shape[0] == 24


@pytest.mark.parametrize(
    "error", [WeightsError("mini.safetensors: is missing."), ImportError("needs onnxruntime")]
)
def test_missing_weights_and_packages_are_one_error_and_not_an_error_of_every_recording(
    error, pipeline, folder, monkeypatch
):
    def fail(self, X):
        raise error

    monkeypatch.setattr(MelTransformer, "transform", fail)
    with pytest.raises(type(error), match=str(error)):
        list(score_recordings(pipeline, [folder / "clean_0.wav", folder / "clean_1.wav"]))
