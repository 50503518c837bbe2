"""Spectrograms of several clips, times of frames, and special cases."""

import librosa
import numpy as np
import pytest
import soundfile

from skaudio_ad import AudioLoader, LevelNormalizer, MelTransformer, MFCCTransformer
from skaudio_ad._lazy import LazySequence
from skaudio_ad.audio import AudioClips

# --- one clip at a time


@pytest.mark.parametrize("transformer", [MelTransformer(top_db=40), MFCCTransformer()])
def test_a_clip_is_the_same_alone_in_a_batch_and_in_reverse_to_the_last_bit(rng, transformer):
    X = (10.0 ** rng.uniform(-3, 0, (7, 1)) * rng.standard_normal((7, 16000))).astype(np.float32)
    batch = transformer.fit_transform(X)
    backwards = transformer.fit_transform(X[::-1])[::-1]
    np.testing.assert_array_equal(backwards, batch)
    for clip, expected in zip(X, batch):
        np.testing.assert_array_equal(transformer.fit_transform([clip])[0], expected)


def test_clips_of_different_lengths_give_a_list_and_every_clip_is_as_if_alone(rng):
    X = [rng.standard_normal(n).astype(np.float32) for n in (16000, 9000, 30000)]
    spectrograms = MelTransformer().fit_transform(X)
    assert isinstance(spectrograms, list)
    assert [s.shape for s in spectrograms] == [(128, 32), (128, 18), (128, 59)]
    for clip, spectrogram in zip(X, spectrograms):
        np.testing.assert_array_equal(spectrogram, MelTransformer().fit_transform([clip])[0])


@pytest.mark.parametrize("lazy", [False, True])
def test_paths_are_resampled_to_the_rate_of_the_transformer(write_wavs, lazy):
    paths = write_wavs([22050, 11025], sample_rate=22050)
    spectrograms = MelTransformer(8000, lazy=lazy).fit_transform(paths)
    expected = MelTransformer(8000).fit_transform(AudioLoader(8000).fit_transform(paths))
    assert [s.shape for s in spectrograms] == [(128, 1 + 8000 // 512), (128, 1 + 4000 // 512)]
    for got, wanted in zip(spectrograms, expected):
        np.testing.assert_array_equal(got, wanted)


@pytest.mark.parametrize("transformer", [MelTransformer(lazy=True), MFCCTransformer(lazy=True)])
def test_lazy_features_equal_eager_features_and_are_computed_on_access(write_wavs, transformer):
    paths = [*write_wavs([16000, 8000]), "missing.wav"]
    lazy = transformer.fit_transform(paths)
    assert isinstance(lazy, LazySequence)
    assert len(lazy) == 3
    eager = transformer.set_params(lazy=False).transform(paths[:2])
    for got, wanted in zip(lazy[:2], eager):
        np.testing.assert_array_equal(got, wanted)
    with pytest.raises(ValueError, match=r"missing\.wav: no such file"):
        lazy[2]


# --- frames and times


@pytest.mark.parametrize("n_samples", [1024, 1535, 1536, 16000, 160000])
def test_the_number_of_frames_follows_the_formula(n_samples):
    X = np.zeros((1, n_samples), dtype=np.float32)
    assert MelTransformer().fit_transform(X).shape == (1, 128, 1 + n_samples // 512)
    assert MelTransformer(center=False).fit_transform(X).shape == (1, 128, 1 + (n_samples - 1024) // 512)


def test_the_loudest_frame_has_the_time_of_the_click():
    x = np.zeros(16000)
    x[7680] = 1.0  # 0.48 s
    for transformer in (MelTransformer(hop_length=256), MelTransformer(hop_length=256, center=False)):
        loudest = transformer.fit_transform([x])[0].sum(axis=0).argmax()
        assert transformer.frames_to_seconds(loudest) == pytest.approx(0.48, abs=1e-9)


@pytest.mark.parametrize(
    ("transformer", "n_fft"),
    [
        (MelTransformer(), None),
        (MelTransformer(8000, n_fft=512, hop_length=160), None),
        (MelTransformer(n_fft=512, center=False), 512),
        (MFCCTransformer(22050, hop_length=441), None),
    ],
)
def test_the_time_of_a_frame_equals_librosa(transformer, n_fft):
    frames = np.arange(10)
    expected = librosa.frames_to_time(
        frames, sr=transformer.sample_rate, hop_length=transformer.hop_length, n_fft=n_fft
    )
    np.testing.assert_allclose(transformer.frames_to_seconds(frames), expected, rtol=1e-12)


def test_a_fractional_frame_has_a_time_between_its_neighbours():
    assert MelTransformer().frames_to_seconds([0, 0.5, 1]).tolist() == [0, 0.016, 0.032]


# --- special cases


def test_silence_is_finite_and_at_the_floor():
    np.testing.assert_allclose(MelTransformer().fit_transform(np.zeros((1, 4000))), -100, rtol=1e-6)
    natural = MelTransformer(log="natural").fit_transform(np.zeros((1, 4000)))
    np.testing.assert_allclose(natural, np.log(1e-10), rtol=1e-6)
    assert np.isfinite(MFCCTransformer().fit_transform(np.zeros((1, 4000)))).all()


@pytest.mark.parametrize("pad_mode", ["constant", "reflect", "edge"])
def test_a_centred_clip_may_be_shorter_than_the_window(pad_mode):
    spectrogram = MelTransformer(pad_mode=pad_mode).fit_transform([np.ones(10)])
    assert spectrogram.shape == (1, 128, 1)
    assert np.isfinite(spectrogram).all()


def test_a_clip_shorter_than_the_window_is_refused_by_name_if_not_centred(write_wavs):
    mel = MelTransformer(center=False)
    way = "fewer than one window of n_fft=1024; use a smaller n_fft, center=True, or AudioLoader with a duration"
    with pytest.raises(ValueError, match=f"^clip 1: has 1023 samples, {way}"):
        mel.fit_transform([np.zeros(1024), np.zeros(1023)])
    with pytest.raises(ValueError, match=f"clip_1.wav: has 100 samples, {way}"):
        mel.fit_transform(write_wavs([2000, 100]))


@pytest.mark.parametrize(
    ("settings", "kind", "message"),
    [
        ({"n_fft": 0}, ValueError, r"n_fft must lie in \[1, inf\], got 0"),
        ({"hop_length": 0}, ValueError, r"hop_length must lie in \[1, inf\], got 0"),
        ({"n_mels": 2.5}, TypeError, "n_mels must be an integer, got 2.5"),
        ({"win_length": 2000}, ValueError, r"win_length must lie in \[1, 1024\], got 2000"),
        ({"fmax": 9000}, ValueError, r"fmax must lie in \(0, 8000\.0\], got 9000"),
        ({"fmin": 500, "fmax": 500}, ValueError, r"fmin must lie in \[0, 500\), got 500"),
        ({"mel_scale": "bark"}, ValueError, "mel_scale must be one of 'slaney', 'htk', got 'bark'"),
        ({"norm": "l1"}, ValueError, "norm must be one of 'slaney', None, got 'l1'"),
        ({"power": 0}, ValueError, r"power must lie in \(0, inf\), got 0"),
        ({"log": "log10"}, ValueError, "log must be one of 'db', 'natural', None, got 'log10'"),
        ({"log_offset": 0}, ValueError, r"log_offset must lie in \(0, inf\], got 0"),
        ({"top_db": -1}, ValueError, r"top_db must lie in \[0, inf\], got -1"),
        ({"pre_emphasis": 2}, ValueError, r"pre_emphasis must lie in \[0, 1\], got 2"),
        (
            {"pad_mode": "wrap"},
            ValueError,
            "pad_mode must be one of 'constant', 'reflect', 'edge', got 'wrap'",
        ),
    ],
)
def test_a_parameter_out_of_range_is_refused_in_fit_by_name(settings, kind, message):
    with pytest.raises(kind, match=message):
        MelTransformer(**settings).fit([np.zeros(2000)])


def test_more_coefficients_than_bands_are_refused():
    with pytest.raises(ValueError, match=r"n_mfcc must lie in \[1, 20\], got 21"):
        MFCCTransformer(n_mfcc=21, n_mels=20).fit([np.zeros(2000)])


def spoilt_from_the_middle(clip):
    return np.where(np.arange(len(clip)) < len(clip) // 2, clip, np.nan)


def beyond_all_bounds(clip):
    return np.append(clip, np.inf)


def nothing(clip):
    return clip[:0]


def missing(clip):
    return np.full(len(clip), np.nan)


@pytest.mark.parametrize("step", [spoilt_from_the_middle, beyond_all_bounds, nothing])
@pytest.mark.parametrize(
    "transformer", [MelTransformer(), MelTransformer(lazy=True), MFCCTransformer()], ids=str
)
def test_a_clip_that_an_earlier_step_spoilt_is_refused_by_name(tmp_path, transformer, step):
    soundfile.write(tmp_path / "hum.wav", np.sin(np.arange(4000)), 16000)
    # Without the check, the normaliser would turn half a clip of NaN into a missing clip.
    clips = LevelNormalizer().fit_transform(AudioClips([tmp_path / "hum.wav"] * 2, 16000).map(step))
    with pytest.raises(ValueError, match=rf"hum\.wav: is empty, or contains NaN .* after {step.__name__}"):
        list(transformer.fit_transform(clips))


def test_a_clip_that_an_earlier_step_made_missing_stays_missing():
    clips = AudioClips(np.zeros((2, 4000), dtype=np.float32), 16000).map(missing)
    assert np.isnan(MelTransformer().fit_transform(clips)).all()
