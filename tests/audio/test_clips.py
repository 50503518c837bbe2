import os
import pickle
import re
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from sklearn.base import clone
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_score, train_test_split
from sklearn.pipeline import make_pipeline

from skaudio_ad import (
    AudioClips,
    AudioLoader,
    Augmenter,
    AutoencoderDetector,
    ClipScaler,
    FrameTransformer,
    LevelNormalizer,
    MelTransformer,
    MFCCTransformer,
    NearestNeighborsDetector,
    SequencePredictorDetector,
    TemporalPooling,
    VAEDetector,
)
from skaudio_ad.audio import AudioReadError, AudioReadWarning, _clips, read_audio

CONSUMERS = [
    AudioLoader(),
    LevelNormalizer(),
    MelTransformer(),
    MFCCTransformer(),
    FrameTransformer(),
]
consumers = pytest.mark.parametrize("consumer", CONSUMERS, ids=lambda c: type(c).__name__)


@pytest.fixture
def decoded(monkeypatch):
    """The paths that have been decoded so far."""
    paths = []

    def read(path, *args, **kwargs):
        paths.append(path)
        return read_audio(path, *args, **kwargs)

    monkeypatch.setattr(_clips, "read_audio", read)
    return paths


# --- the sequence


def test_clips_hold_what_soundfile_reads(write_wavs):
    paths = write_wavs([100, 200, 300])
    clips = AudioClips(paths, 16000)
    assert len(clips) == 3
    assert clips.paths == paths
    for clip, path in zip(clips, paths):
        np.testing.assert_array_equal(clip, soundfile.read(path, dtype="float32")[0])


@pytest.mark.parametrize(
    "key",
    [slice(1, 3), slice(None, None, -1), [0, -1], np.array([2, 2, 0]), np.array([True, False, True, False])],
    ids=str,
)
def test_a_part_has_the_paths_that_numpy_would_take(write_wavs, key):
    paths = write_wavs([10, 20, 30, 40])
    part = AudioClips(paths, 16000)[key]
    expected = np.array(paths)[key].tolist()
    assert part.paths == expected
    assert part.sample_rate == 16000
    assert [len(clip) for clip in part] == [len(soundfile.read(path)[0]) for path in expected]


def test_one_clip_is_an_array_counted_from_either_end(write_wavs):
    clips = AudioClips(write_wavs([10, 20, 30]), 16000)
    assert [clips[i].shape for i in (0, -1, np.int64(1))] == [(10,), (30,), (20,)]
    with pytest.raises(IndexError, match="clip 3 does not exist: there are 3 clips"):
        clips[3]


def test_iteration_is_in_order_also_over_many_clips(write_wavs):
    lengths = list(range(10, 60))
    clips = AudioClips(write_wavs(lengths), 16000)
    assert [len(clip) for clip in clips] == lengths


def test_a_clip_is_decoded_when_it_is_asked_for_and_not_before(write_wavs, decoded):
    paths = write_wavs([100] * 20)
    clips = AudioClips(paths, 16000)
    part = LevelNormalizer().fit_transform(AudioLoader().fit_transform(clips))[5:]
    assert len(part) == 15
    repr(part)
    pickle.dumps(part)
    assert decoded == []
    assert part[2].shape == (100,)
    assert decoded == [paths[7]]


def test_a_file_removed_after_construction_is_missed_on_access_only(write_wavs):
    paths = write_wavs([100, 100])
    clips = AudioClips(paths, 16000)
    os.remove(paths[1])
    assert clips[0].shape == (100,)
    with pytest.raises(AudioReadError, match=r"clip_1\.wav: no such file"):
        clips[1]


def test_an_array_of_clips_of_one_length_stacks_them(write_wavs):
    paths = write_wavs([50, 50, 50])
    expected = np.stack([soundfile.read(path, dtype="float32")[0] for path in paths])
    np.testing.assert_array_equal(np.asarray(AudioClips(paths, 16000)), expected)
    assert np.asarray(AudioClips(paths, 16000), dtype=np.float64).dtype == np.float64


def test_an_array_of_clips_of_different_lengths_is_refused_with_the_way_out(write_wavs):
    with pytest.raises(
        ValueError, match=r"AudioClips holds clips of different lengths.*a duration and a pad"
    ):
        np.asarray(AudioClips(write_wavs([50, 60]), 16000))


def test_pickled_clips_are_the_same_clips_and_hold_no_samples(write_wavs):
    paths = write_wavs([16000, 16000])
    clips = AudioLoader(duration=0.5, offset=0.1).fit_transform(paths)
    pickled = pickle.dumps(LevelNormalizer().fit_transform(clips))
    assert len(pickled) < 4000
    restored = pickle.loads(pickled)
    assert restored.sample_rate == 16000
    for a, b in zip(restored, LevelNormalizer().fit_transform(clips)):
        np.testing.assert_array_equal(a, b)


def test_the_shape_is_known_without_decoding_where_the_length_is_fixed(write_wavs, decoded):
    paths = write_wavs([100, 200])
    assert AudioClips(paths, 16000).shape == (2,)
    assert AudioClips(paths, 16000, duration=0.25, pad="zeros").shape == (2, 4000)
    assert AudioClips(np.zeros((3, 7)), 16000).shape == (3, 7)
    assert decoded == []


def test_clips_say_how_many_they_are_and_at_what_rate():
    assert repr(AudioClips([np.zeros(3)] * 4, 8000)) == "<AudioClips of 4 clips at 8000 Hz>"
    assert repr(AudioClips([np.zeros(3)], None)) == "<AudioClips of 1 clips at an unknown rate>"


def test_files_need_a_rate_to_be_resampled_to():
    with pytest.raises(ValueError, match="AudioClips of files need a sample_rate"):
        AudioClips(["a.wav"], None)


def test_paths_may_come_as_path_objects_or_as_an_array(write_wavs):
    paths = write_wavs([10, 20])
    for given in ([Path(p) for p in paths], np.array(paths), pd.Series(paths, index=[7, 3])):
        clips = AudioClips(given, 16000)
        assert clips.paths == paths
        assert [type(path) for path in clips.paths] == [str, str]
        assert [len(clip) for clip in clips] == [10, 20]


def test_samples_in_memory_are_given_back_as_float32():
    clips = AudioClips([np.array([0.5, -0.5]), np.array([0.25])], 16000)
    assert [clip.tolist() for clip in clips] == [[0.5, -0.5], [0.25]]
    assert clips[0].dtype == np.float32
    assert clips.paths is None


@pytest.mark.parametrize(
    ("clip", "message"),
    [
        (np.zeros((9, 2)), r"clip 1: has shape \(9, 2\), a clip is mono"),
        (np.zeros(0), r"clip 1: is empty"),
        (np.array([0.0, np.nan]), r"clip 1: contains NaN or infinity"),
        (np.array([1, 2], dtype=np.int16), r"clip 1: holds int16 samples.*divide by 32768"),
    ],
)
def test_samples_in_memory_that_are_no_clip_are_refused_on_access(clip, message):
    clips = AudioClips([np.zeros(9), clip], 16000)
    with pytest.raises(ValueError, match=message):
        clips[1]


def test_clips_of_a_single_path_are_refused():
    with pytest.raises(ValueError, match=r"takes a list of files, got the single path 'a\.wav'"):
        AudioClips("a.wav", 16000)


# --- what a consumer of waveforms refuses


@consumers
@pytest.mark.parametrize("path", ["a.wav", Path("a.wav")], ids=repr)
def test_a_single_path_is_refused(consumer, path):
    with pytest.raises(
        ValueError, match=r"takes a list of clips, got the single path .*a\.wav.*put it in a list"
    ):
        consumer.fit(path)


@consumers
@pytest.mark.parametrize("X", [[], (), np.array([], dtype=str), AudioClips([], 16000)], ids=repr)
def test_no_clips_at_all_are_refused(consumer, X):
    name = type(consumer).__name__
    with pytest.raises(ValueError, match=f"{name} got no clips: X has 0 samples, at least 1 is required"):
        consumer.fit(X)


@consumers
def test_stereo_arrays_are_refused_with_the_way_out(consumer):
    with pytest.raises(
        ValueError, match=r"clip 1 has shape \(5000, 2\), a clip is mono.*take one channel.*AudioLoader mix"
    ):
        consumer.fit([np.zeros(5000), np.zeros((5000, 2))])


@consumers
@pytest.mark.parametrize(
    ("dtype", "way"), [(np.int16, "divide by 32768"), (np.uint8, "subtract 128 and divide by 128")]
)
def test_integer_samples_of_a_file_are_refused_with_the_way_out(consumer, dtype, way):
    with pytest.raises(ValueError, match=f"clip 1 holds {np.dtype(dtype)} samples.*{way}"):
        consumer.fit([np.zeros(5000), np.zeros(5000, dtype=dtype)])
    with pytest.raises(ValueError, match=f"X holds {np.dtype(dtype)} samples.*{way}"):
        consumer.fit(np.zeros((2, 5000), dtype=dtype))


@consumers
def test_paths_among_arrays_are_refused(consumer):
    with pytest.raises(ValueError, match="mixes paths with other things: entry 1 is no path"):
        consumer.fit(["a.wav", np.zeros(5000)])


@consumers
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_samples_that_are_no_numbers_are_refused_and_the_clip_named(consumer, value):
    with pytest.raises(ValueError, match="clip 1 contains NaN or infinity"):
        consumer.fit([np.zeros(3), np.array([0.0, value, 1.0])])
    with pytest.raises(ValueError, match="clip 0 is NaN throughout"):
        consumer.fit([np.full(3, np.nan), np.zeros(3)])


@consumers
def test_a_clip_without_samples_is_refused(consumer):
    with pytest.raises(ValueError, match=r"clip 1 is empty \(0 samples\)"):
        consumer.fit([np.zeros(3), np.zeros(0)])


@consumers
def test_a_clip_of_words_is_refused(consumer):
    with pytest.raises(ValueError, match="clip 0 holds <U1, not numbers"):
        consumer.fit([np.array(["a", "b"]), np.zeros(3)])


@consumers
def test_an_array_of_three_dimensions_is_refused(consumer):
    with pytest.raises(ValueError, match="dim 3"):
        consumer.fit(np.zeros((2, 5000, 2)))


@pytest.mark.parametrize(
    "consumer",
    [AudioLoader(8000), MelTransformer(8000), MFCCTransformer(8000)],
    ids=lambda c: type(c).__name__,
)
def test_clips_at_another_rate_are_refused_with_both_rates_and_the_way_out(consumer):
    name = type(consumer).__name__
    clips = AudioClips([np.zeros(16000)], 16000)
    with pytest.raises(
        ValueError,
        match=rf"{name} works at sample_rate=8000 Hz, but the clips are at 16000 Hz: load them with "
        rf"AudioLoader\(sample_rate=8000\) or set {name}\(sample_rate=16000\)",
    ):
        consumer.fit(clips)


@pytest.mark.parametrize("consumer", [LevelNormalizer(), FrameTransformer(), Augmenter()])
def test_a_consumer_without_a_rate_of_its_own_refuses_paths(consumer):
    with pytest.raises(ValueError, match="takes waveforms, got paths: put AudioLoader in front of it"):
        consumer.fit(["a.wav"])


# --- with scikit-learn


@pytest.fixture
def machine(tmp_path, rng):
    """Wavs of noise (normal, 1) and of noise with a tone (anomalous, -1), 0.5 s at 8 kHz."""
    paths, labels = [], []
    tone = 0.05 * np.sin(2 * np.pi * 1000 * np.arange(4000) / 8000)
    for index in range(16):
        anomalous = index % 4 == 3
        path = tmp_path / f"machine_{index:02d}.wav"
        noise = 0.1 * rng.standard_normal(4000)
        soundfile.write(path, noise + tone if anomalous else noise, 8000, subtype="FLOAT")
        paths.append(str(path))
        labels.append(-1 if anomalous else 1)
    return paths, np.array(labels)


def area(estimator, X, y):
    return roc_auc_score(y, estimator.decision_function(X))


def mel_and_forest(*steps):
    return make_pipeline(
        *steps,
        MelTransformer(8000, n_fft=256, hop_length=128, n_mels=16),
        TemporalPooling(),
        IsolationForest(n_estimators=10, random_state=0),
    )


def test_a_grid_search_over_the_loader_scores_what_a_loop_by_hand_scores(machine):
    paths, y = machine
    cv = StratifiedKFold(4, shuffle=True, random_state=0)
    durations = [0.1, 0.5]
    search = GridSearchCV(
        mel_and_forest(AudioLoader(8000)),
        {"audioloader__duration": durations},
        scoring=area,
        cv=cv,
        error_score="raise",
    ).fit(paths, y)
    for i, duration in enumerate(durations):
        samples = np.stack(
            [soundfile.read(path, dtype="float32")[0][: round(duration * 8000)] for path in paths]
        )
        for fold, (train, test) in enumerate(cv.split(samples, y)):
            expected = area(mel_and_forest().fit(samples[train]), samples[test], y[test])
            assert search.cv_results_[f"split{fold}_test_score"][i] == expected
    assert len(set(search.cv_results_["mean_test_score"])) == 2


def test_clips_are_split_by_scikit_learn_as_arrays_are(machine):
    paths, y = machine
    clips = AudioLoader(8000).fit_transform(paths)
    samples = np.asarray(clips)
    cv = StratifiedKFold(4, shuffle=True, random_state=0)
    assert (
        cross_val_score(mel_and_forest(), clips, y, scoring=area, cv=cv, error_score="raise").tolist()
        == cross_val_score(mel_and_forest(), samples, y, scoring=area, cv=cv).tolist()
    )
    train, test = train_test_split(clips, random_state=0)
    expected_train, expected_test = train_test_split(paths, random_state=0)
    assert isinstance(train, AudioClips)
    assert (train.paths, test.paths) == (expected_train, expected_test)


@pytest.mark.parametrize(
    "kind",
    [
        tuple,
        np.array,
        lambda p: np.array(p, dtype=object),
        lambda p: pd.Series(p, index=range(40, 24, -1)),
        # Not its strings of Arrow, where pyarrow is installed: scikit-learn cannot take rows of such an Index.
        lambda p: pd.Index(p, dtype=object),
    ],
    ids=["tuple", "str array", "object array", "Series", "Index"],
)
def test_paths_in_any_container_give_the_scores_of_a_list(machine, kind):
    paths, y = machine
    pipeline = mel_and_forest(AudioLoader(8000))
    expected = pipeline.fit(paths).score_samples(paths)
    np.testing.assert_array_equal(pipeline.fit(kind(paths)).score_samples(kind(paths)), expected)
    scores = cross_val_score(pipeline, kind(paths), y, scoring=area, cv=4, error_score="raise")
    assert scores.tolist() == cross_val_score(pipeline, paths, y, scoring=area, cv=4).tolist()


# --- on_error="skip"


@pytest.fixture
def with_broken(write_wavs, tmp_path):
    """Five paths, the third of which is text."""
    paths = write_wavs([16000, 16000, 16000, 16000])
    broken = tmp_path / "broken.wav"
    broken.write_text("no audio")
    return [*paths[:2], str(broken), *paths[2:]]


def chain(**settings):
    return make_pipeline(
        AudioLoader(on_error="skip"),
        LevelNormalizer(),
        MelTransformer(n_mels=16, **settings),
        TemporalPooling(("mean", "std", "min", "max", "percentile_90", "gem", "rdp", "flatten")),
    )


@pytest.mark.parametrize(
    "settings", [{}, {"center": False}, {"lazy": True}, {"lazy": True, "center": False}], ids=str
)
@pytest.mark.parametrize("position", [0, 2, 4])
def test_a_skipped_file_is_a_row_of_nan_and_changes_no_other_row(with_broken, settings, position):
    paths = [path for path in with_broken if "broken" not in path]
    paths.insert(position, with_broken[2])
    with pytest.warns(AudioReadWarning, match="left out .*broken.wav: is no audio"):
        features = chain(**settings).fit_transform(paths)
    whole = [i for i in range(5) if i != position]
    expected = chain(**settings).fit_transform([paths[i] for i in whole])
    assert np.isnan(features[position]).all()
    np.testing.assert_array_equal(features[whole], expected)
    assert np.isfinite(expected).all()


def test_a_skipped_file_among_clips_of_different_lengths_keeps_its_place(write_wavs, tmp_path):
    paths = write_wavs([9000, 16000, 5000])
    broken = tmp_path / "broken.wav"
    broken.touch()
    loader, mel, pooling = AudioLoader(on_error="skip"), MelTransformer(center=False), TemporalPooling()
    with pytest.warns(AudioReadWarning, match="broken.wav: is empty"):
        spectrograms = mel.fit_transform(loader.fit_transform([paths[0], broken, *paths[1:]]))
    expected = mel.fit_transform(loader.fit_transform(paths))
    assert np.isnan(spectrograms[1]).all()
    for got, wanted in zip([spectrograms[0], *spectrograms[2:]], expected):
        np.testing.assert_array_equal(got, wanted)
    pooled = pooling.fit_transform(spectrograms)
    assert np.isnan(pooled).all(axis=1).tolist() == [False, True, False, False]


@pytest.mark.parametrize("duration", [None, 0.5])
def test_every_skipped_file_is_named_with_its_reason(with_broken, tmp_path, duration):
    missing = str(tmp_path / "missing.wav")
    clips = AudioLoader(on_error="skip", duration=duration).fit_transform([*with_broken, missing])
    assert clips.failures == {}
    with pytest.warns(AudioReadWarning) as caught:
        lengths = [len(clip) for clip in clips if not np.isnan(clip).any()]
    assert len(lengths) == 4
    messages = sorted(str(warning.message).split(": ")[0] for warning in caught)
    assert messages == sorted([f"left out {with_broken[2]}", f"left out {missing}"])
    assert set(clips.failures) == {with_broken[2], missing}
    assert "is no audio that can be decoded" in clips.failures[with_broken[2]]
    assert "no such file" in clips.failures[missing]


def test_failures_are_shared_with_parts_and_with_later_steps(with_broken):
    clips = AudioLoader(on_error="skip").fit_transform(with_broken)
    part = Augmenter(random_state=0).fit_transform(LevelNormalizer().fit_transform(clips[1:4]))
    with pytest.warns(AudioReadWarning, match="broken.wav"):
        assert np.isnan(part[1]).all()
    assert list(clips.failures) == list(part.failures) == [with_broken[2]]


def test_failures_survive_pickling_and_are_not_warned_of_again(with_broken, decoded):
    clips = AudioLoader(on_error="skip").fit_transform(with_broken)
    with pytest.warns(AudioReadWarning, match="broken.wav"):
        list(clips)
    restored = pickle.loads(pickle.dumps(clips))
    assert restored.failures == clips.failures
    assert list(restored.failures) == [with_broken[2]]
    decoded.clear()
    assert np.isnan(restored[2]).all()
    assert decoded == []


def test_a_broken_file_stops_a_loader_that_raises(with_broken):
    features = make_pipeline(AudioLoader(), MelTransformer())
    with pytest.raises(AudioReadError, match=r"broken\.wav: is no audio"):
        features.fit_transform(with_broken)


# --- clips that a later step cannot use


def autoencoder():
    return AutoencoderDetector(hidden_sizes=(8,), bottleneck_size=2, max_epochs=2, random_state=0)


@pytest.fixture
def with_short(write_wavs):
    """Nine paths of different lengths, the third of which holds 100 samples."""
    return write_wavs([16000, 17000, 100, *range(18000, 24000, 1000)])


DETECTORS = [
    autoencoder(),
    SequencePredictorDetector(hidden_size=4, max_epochs=1, random_state=0),
    make_pipeline(ClipScaler(), autoencoder()),
    make_pipeline(TemporalPooling("flatten"), NearestNeighborsDetector()),
]
detectors = pytest.mark.parametrize("detector", DETECTORS, ids=["windows", "lstm", "scaled", "flatten"])
LAZY = pytest.mark.parametrize("lazy", [False, True], ids=["eager", "lazy"])


def short_pipeline(detector, on_error, lazy):
    duration = 1.0 if "pooling" in str(detector).lower() else None
    loader = AudioLoader(on_error=on_error, duration=duration)
    return make_pipeline(loader, MelTransformer(n_mels=16, lazy=lazy), clone(detector))


@LAZY
@detectors
def test_a_clip_too_short_for_a_later_step_is_left_out_by_name(with_short, detector, lazy):
    pipeline = short_pipeline(detector, "skip", lazy)
    named = r"left out .*clip_2\.wav: .*(frames, fewer than the|one length)"
    with pytest.warns() as caught:
        pipeline.fit(with_short)
    messages = [str(warning.message) for warning in caught]
    assert sum(re.match(named, message) is not None for message in messages) == 1
    assert any("trained without 1 of 9 clips" in message for message in messages)
    with pytest.warns(AudioReadWarning, match=named):
        scores = pipeline.score_samples(with_short)
    assert np.isnan(scores).tolist() == [index == 2 for index in range(9)]
    others = [path for path in with_short if "clip_2" not in path]
    np.testing.assert_allclose(pipeline.score_samples(others), np.delete(scores, 2), rtol=1e-6)


@LAZY
@detectors
def test_a_clip_too_short_for_a_later_step_stops_a_loader_that_raises_by_name(with_short, detector, lazy):
    pipeline = short_pipeline(detector, "raise", lazy)
    with pytest.raises(ValueError, match=r"^\S*clip_2\.wav: .*(frames, fewer than the|one length)"):
        pipeline.fit(with_short)
    pipeline.fit([path for path in with_short if "clip_2" not in path])
    with pytest.raises(ValueError, match=r"^\S*clip_2\.wav: .*(frames, fewer than the|one length)"):
        pipeline.score_samples(with_short)


def test_one_short_clip_at_the_start_does_not_leave_out_the_others(write_wavs):
    pipeline = make_pipeline(
        AudioLoader(on_error="skip", duration=1.0),
        MelTransformer(n_mels=16),
        VAEDetector(filters=(4,), strides=4, latent_size=2, max_epochs=1, random_state=0),
    )
    paths = write_wavs([100, *[16000] * 6])
    with pytest.warns() as caught:
        pipeline.fit(paths)
    assert any("trained without 1 of 7 clips" in str(warning.message) for warning in caught)
    with pytest.warns(AudioReadWarning, match="clip_0"):
        assert np.isnan(pipeline.score_samples(paths)).tolist() == [True] + [False] * 6


def test_a_clip_too_short_for_one_transform_is_still_there_for_another(write_wavs):
    clips = AudioLoader(on_error="skip").fit_transform(write_wavs([16000, 600]))
    with pytest.warns(AudioReadWarning, match=r"clip_1\.wav: has 600 samples, fewer than one window"):
        wide = MelTransformer(n_fft=1024, center=False).fit_transform(clips)
    assert "fewer than one window of n_fft=1024" in clips.failures[clips.paths[1]]
    narrow = MelTransformer(n_fft=512, center=False).fit_transform(clips)
    assert [bool(np.isnan(item).any()) for item in wide] == [False, True]
    assert [bool(np.isnan(item).any()) for item in narrow] == [False, False]


@pytest.mark.parametrize("error", [OSError("disk"), AttributeError("no such thing"), MemoryError()], ids=repr)
@LAZY
def test_whatever_one_clip_raises_stays_its_row(write_wavs, error, lazy):
    def fail_on_short(clip):
        if len(clip) == 8000:
            raise error
        return clip

    paths = write_wavs([16000, 8000, 16000])
    clips = AudioLoader(on_error="skip").fit_transform(paths).map(fail_on_short)
    mel = MelTransformer(n_mels=16, lazy=lazy)
    with pytest.warns(AudioReadWarning, match=rf"left out .*clip_1\.wav: {type(error).__name__}: "):
        features = TemporalPooling().fit_transform(mel.fit_transform(clips))
    assert np.isnan(features).all(axis=1).tolist() == [False, True, False]
    assert not np.isnan(features[[0, 2]]).any()
    with pytest.raises(type(error)):
        list(AudioLoader().fit_transform(paths).map(fail_on_short))


@pytest.mark.filterwarnings("ignore:overflow encountered:RuntimeWarning")
@LAZY
def test_a_clip_whose_features_overflow_stays_its_row(write_wavs, lazy):
    paths = write_wavs([16000, 16000])
    soundfile.write(paths[1], np.full(16000, 1e30, dtype=np.float32), 16000, subtype="FLOAT")
    mel = MelTransformer(n_mels=16, lazy=lazy)
    with pytest.raises(
        ValueError, match=r"^\S*clip_1\.wav: is empty, or contains NaN or infinity, after LogMel"
    ):
        TemporalPooling().fit_transform(mel.fit_transform(paths))
    with pytest.warns(AudioReadWarning, match=r"left out .*clip_1\.wav: .*infinity"):
        features = TemporalPooling().fit_transform(
            mel.fit_transform(AudioLoader(on_error="skip").fit_transform(paths))
        )
    assert np.isnan(features).all(axis=1).tolist() == [False, True]


# --- names


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="their file names are Unicode")
@pytest.mark.parametrize(
    "name", [b"caf\xe9.wav", b"two\nlines.wav", b"\x1b[31mred.wav", b"-o.wav", b"=1+1.wav"], ids=repr
)
def test_a_file_of_any_name_is_read_and_named_in_messages_that_any_terminal_takes(tmp_path, name):
    path = os.fsdecode(os.fsencode(tmp_path) + b"/" + name)
    with open(path, "wb") as file:
        soundfile.write(file, np.full(1000, 0.5), 16000, format="WAV")
    clips = AudioLoader(on_error="skip").fit_transform([path])
    np.testing.assert_array_equal(clips[0], np.full(1000, 0.5, dtype=np.float32))
    assert clips.cache_keys()[0][1] == path
    with open(path, "wb") as file:
        file.write(b"no audio")
    with pytest.raises(AudioReadError) as caught:
        read_audio(path)
    assert caught.value.path == path
    with pytest.warns(AudioReadWarning) as warned:
        assert np.isnan(AudioLoader(on_error="skip").fit_transform([path])[0]).all()
    for message in (str(caught.value), repr(clips), str(warned[0].message)):
        assert message.isprintable()
        assert message.encode("utf-8").decode("utf-8") == message
