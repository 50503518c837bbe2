"""Clips that a consumer of waveforms accepts and refuses."""

from pathlib import Path

import numpy as np
import pytest

from skaudio_ad import (
    AudioClips,
    AudioLoader,
    Augmenter,
    FrameTransformer,
    LevelNormalizer,
    MelTransformer,
    MFCCTransformer,
)

CONSUMERS = [
    AudioLoader(),
    LevelNormalizer(),
    MelTransformer(),
    MFCCTransformer(),
    FrameTransformer(),
]
consumers = pytest.mark.parametrize("consumer", CONSUMERS, ids=lambda c: type(c).__name__)


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
def test_stereo_arrays_raise_an_error_that_says_how_to_fix_them(consumer):
    with pytest.raises(
        ValueError, match=r"clip 1 has shape \(5000, 2\), a clip is mono.*take one channel.*AudioLoader mix"
    ):
        consumer.fit([np.zeros(5000), np.zeros((5000, 2))])


@consumers
@pytest.mark.parametrize(
    ("dtype", "way"), [(np.int16, "divide by 32768"), (np.uint8, "subtract 128 and divide by 128")]
)
def test_integer_samples_raise_an_error_that_says_how_to_fix_them(consumer, dtype, way):
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
def test_samples_of_nan_or_infinity_raise_an_error_that_names_the_clip(consumer, value):
    with pytest.raises(ValueError, match="clip 1 contains NaN or infinity"):
        consumer.fit([np.zeros(3), np.array([0.0, value, 1.0])])
    with pytest.raises(ValueError, match="clip 0 is NaN throughout"):
        consumer.fit([np.full(3, np.nan), np.zeros(3)])


@consumers
def test_a_clip_without_samples_is_refused(consumer):
    with pytest.raises(ValueError, match=r"clip 1 is empty \(0 samples\)"):
        consumer.fit([np.zeros(3), np.zeros(0)])


@consumers
def test_a_clip_of_strings_is_refused(consumer):
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
def test_the_error_for_clips_at_another_rate_gives_both_rates_and_says_how_to_fix_them(consumer):
    name = type(consumer).__name__
    clips = AudioClips([np.zeros(16000)], 16000)
    with pytest.raises(
        ValueError,
        match=rf"{name} works at sample_rate=8000 Hz, but the clips are at 16000 Hz: load them with "
        rf"AudioLoader\(sample_rate=8000\) or set {name}\(sample_rate=16000\)",
    ):
        consumer.fit(clips)


@pytest.mark.parametrize("consumer", [LevelNormalizer(), FrameTransformer(), Augmenter()])
def test_a_consumer_without_a_sample_rate_refuses_paths(consumer):
    with pytest.raises(ValueError, match="takes waveforms, got paths: put AudioLoader in front of it"):
        consumer.fit(["a.wav"])
