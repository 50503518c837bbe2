"""Files that cannot be read, and clips that a later step cannot use."""

import pickle
import re

import numpy as np
import pytest
import soundfile
from sklearn.base import clone
from sklearn.pipeline import make_pipeline

from skaudio_ad import (
    AudioLoader,
    Augmenter,
    AutoencoderDetector,
    ClipScaler,
    LevelNormalizer,
    MelTransformer,
    NearestNeighborsDetector,
    SequencePredictorDetector,
    TemporalPooling,
    VAEDetector,
)
from skaudio_ad.audio import AudioReadError, AudioReadWarning


@pytest.fixture
def with_broken(write_wavs, tmp_path):
    """Five paths; the third file is text."""
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
def test_a_skipped_file_becomes_a_row_of_nan_and_changes_no_other_row(with_broken, settings, position):
    paths = [path for path in with_broken if "broken" not in path]
    paths.insert(position, with_broken[2])
    with pytest.warns(AudioReadWarning, match=r"left out .*broken.wav: is no audio.* convert the file\.$"):
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


def test_subsets_and_later_steps_share_the_failures(with_broken):
    clips = AudioLoader(on_error="skip").fit_transform(with_broken)
    part = Augmenter(random_state=0).fit_transform(LevelNormalizer().fit_transform(clips[1:4]))
    with pytest.warns(AudioReadWarning, match="broken.wav"):
        assert np.isnan(part[1]).all()
    assert list(clips.failures) == list(part.failures) == [with_broken[2]]


def test_failures_survive_pickling_and_cause_no_second_warning(with_broken, decoded):
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
    """Nine paths of different lengths; the third file holds 100 samples."""
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


def test_a_clip_too_short_for_one_transform_can_be_used_by_another(write_wavs):
    clips = AudioLoader(on_error="skip").fit_transform(write_wavs([16000, 600]))
    with pytest.warns(AudioReadWarning, match=r"clip_1\.wav: has 600 samples, fewer than one window"):
        wide = MelTransformer(n_fft=1024, center=False).fit_transform(clips)
    assert "fewer than one window of n_fft=1024" in clips.failures[clips.paths[1]]
    narrow = MelTransformer(n_fft=512, center=False).fit_transform(clips)
    assert [bool(np.isnan(item).any()) for item in wide] == [False, True]
    assert [bool(np.isnan(item).any()) for item in narrow] == [False, False]


@pytest.mark.parametrize("error", [OSError("disk"), AttributeError("no such thing"), MemoryError()], ids=repr)
@LAZY
def test_an_error_of_one_clip_changes_only_its_row(write_wavs, error, lazy):
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
def test_a_clip_whose_features_overflow_changes_only_its_row(write_wavs, lazy):
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
