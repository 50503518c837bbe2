"""Recordings of two microphones keep both channels."""

import numpy as np
import pytest

from skaudio_ad import (
    AudioClips,
    AudioLoader,
    Augmenter,
    AutoencoderDetector,
    FrameTransformer,
    LevelNormalizer,
    MelTransformer,
    MFCCTransformer,
)
from skaudio_ad.audio import AudioReadError, AudioReadWarning, read_audio

from .recordings import FORMATS, stereo_tones


@pytest.fixture
def stereo(write):
    return write("stereo.wav", stereo_tones(0.5), subtype="FLOAT")


@pytest.mark.parametrize("ending", FORMATS)
@pytest.mark.parametrize("rate", [None, 16000])
def test_each_channel_of_a_pair_is_the_channel_alone(write, ending, rate):
    path = write(f"stereo.{ending}", stereo_tones(0.5))
    options = {"offset": 0.1, "duration": 0.6, "pad": "reflect"}
    pair, _ = read_audio(path, rate, channel=(1, 0), **options)
    assert pair.dtype == np.float32
    for channel, samples in zip((1, 0), pair):
        np.testing.assert_array_equal(samples, read_audio(path, rate, channel=channel, **options)[0])


def test_near_far_are_the_first_two_channels(write):
    path = write("four.wav", np.arange(4) / 8 + np.zeros((100, 4)), subtype="FLOAT")
    clips = AudioLoader(44100, channel="near-far").fit_transform([path])
    np.testing.assert_array_equal(clips[0], np.repeat([[0], [1 / 8]], 100, axis=1))
    assert (clips.n_channels, AudioClips([path], 44100).n_channels) == (2, 1)
    assert repr(clips) == "<AudioClips of 1 clips of channels 0 and 1 at 44100 Hz>"
    padded = AudioLoader(44100, channel=(3, 1), duration=1.0, pad="zeros").fit_transform([path])
    assert padded.shape == (1, 2, 44100) == np.asarray(padded).shape
    assert padded[0][:, 0].tolist() == [3 / 8, 1 / 8]


def test_arrays_with_an_axis_of_channels_are_taken(rng):
    X = rng.normal(size=(3, 4, 1000)).astype(np.float32)
    clips = AudioLoader(1000, channel=(2, 0), offset=0.1, duration=0.5).fit_transform(X)
    np.testing.assert_array_equal(np.asarray(clips), X[:, [2, 0], 100:600])
    clips = AudioLoader(1000, channel="near-far").fit_transform([X[0, :2], X[1, :, :70]])
    assert [clip.shape for clip in clips] == [(2, 1000), (2, 70)]
    assert AudioLoader(1000, channel="near-far").fit_transform(clips) is clips
    assert clips[1:][0].shape == (2, 70)


def test_a_mono_file_is_refused_by_name_or_left_out(write, stereo):
    mono = write("mono.wav", np.ones(4410) / 2)
    loader = AudioLoader(16000, channel="near-far")
    with pytest.raises(
        AudioReadError, match=r"mono\.wav: has 1 channel.*channel=\(0, 1\) takes two.*\"mix\""
    ):
        list(loader.fit_transform([stereo, mono]))
    clips = loader.set_params(on_error="skip").fit_transform([stereo, mono])
    with pytest.warns(AudioReadWarning, match=r"mono\.wav: has 1 channel"):
        assert [bool(np.isnan(clip).all()) for clip in clips] == [False, True]
    assert clips[1].ndim == 2
    assert len(clips[1]) == 2
    assert list(clips.failures) == [mono]


@pytest.mark.parametrize("channel", [(0,), (0, 0), (0, 1, 2), (0, "far"), "far-near", 1.5, (0, -1)])
def test_what_is_no_pair_is_refused(channel):
    with pytest.raises(ValueError, match=r"channel must (be \"mix\".*a pair of different indices|lie in)"):
        AudioLoader(channel=channel).fit([np.ones((2, 100))])


def test_arrays_without_the_channels_are_refused():
    loader = AudioLoader(1000, channel=(0, 2))
    with pytest.raises(ValueError, match=r"clip 0: has shape \(100,\).*\(n_channels, n_samples\).*\"mix\""):
        loader.fit(np.ones((2, 100)))
    with pytest.raises(ValueError, match=r"clip 1: has 2 channel\(s\), so channel=\(0, 2\) does not exist"):
        loader.fit([np.ones((3, 100)), np.ones((2, 100))])
    with pytest.raises(ValueError, match="clip 0 is NaN throughout"):
        loader.fit([np.full((3, 100), np.nan)])
    with pytest.raises(ValueError, match="contains NaN or infinity"):
        loader.fit([np.array([[1.0, np.nan]] * 3)])
    with pytest.raises(ValueError, match="got no clips"):
        loader.fit([])
    with pytest.raises(ValueError, match="takes two channels, got <AudioClips of 2 clips at 1000 Hz>"):
        loader.fit(AudioClips(np.ones((2, 100)), 1000))


@pytest.mark.parametrize("method", ["rms", "peak"])
def test_one_gain_scales_both_channels_to_the_level_of_the_first(rng, method):
    near, far = rng.normal(size=(2, 1000)).astype(np.float32) * [[0.1], [0.02]]
    clips = AudioLoader(1000, channel="near-far").fit_transform([np.stack([near, far])])
    made = LevelNormalizer(method, -10.0).fit_transform(clips)[0]
    alone = LevelNormalizer(method, -10.0).fit_transform([near.astype(np.float32)])[0]
    np.testing.assert_array_equal(made[0], alone)
    np.testing.assert_allclose(made[1] / made[0], far / near, rtol=1e-5)
    silent = AudioLoader(1000, channel="near-far").fit_transform([np.stack([0 * near, far])])
    np.testing.assert_array_equal(LevelNormalizer(method).fit_transform(silent)[0], silent[0])


@pytest.mark.parametrize(
    "step",
    [
        MelTransformer(1000, n_fft=64, n_mels=8),
        MelTransformer(1000, n_fft=64, n_mels=8, lazy=True),
        MFCCTransformer(1000, n_fft=64, n_mels=8, n_mfcc=4),
        FrameTransformer(64, 32),
        Augmenter(),
        AudioLoader(1000),
        AutoencoderDetector(),
    ],
    ids=lambda step: type(step).__name__,
)
def test_a_step_for_one_channel_says_what_to_do_with_two(step):
    clips = AudioLoader(1000, channel="near-far").fit_transform(np.ones((2, 2, 500)))
    name = type(step).__name__
    with pytest.raises(
        ValueError, match=rf"{name} takes .*got <AudioClips of 2 clips of channels 0 and 1.*mix"
    ):
        step.fit(clips)


def test_a_channel_of_a_pair_has_the_key_of_the_channel_alone(stereo):
    def keys(channel, *steps):
        clips = AudioLoader(16000, channel=channel).fit_transform([stereo])
        for step in steps:
            clips = step.fit_transform(clips)
        return clips.cache_keys()

    assert keys("near-far") == keys((0, 1)) == keys(0) + keys(1)
    level = LevelNormalizer()
    near, far = keys("near-far", level)
    assert [near] == keys(0, level)
    # The level of the far channel follows from the near one.
    assert far not in keys(1, level) + keys((2, 1), level) + keys("near-far") + keys(
        (0, 1), LevelNormalizer("peak")
    )
    # A step of another package is unknown, so the samples count.
    foreign = AudioLoader(16000, channel="near-far").fit_transform([stereo]).map(np.negative)
    alone = [
        AudioLoader(16000, channel=channel).fit_transform([stereo]).map(np.negative) for channel in (0, 1)
    ]
    assert foreign.cache_keys() == alone[0].cache_keys() + alone[1].cache_keys()
