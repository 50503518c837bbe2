"""Sound from log-mel spectrograms, compared with librosa's spectrograms of the sound."""

import random

import librosa
import numpy as np
import pytest
import soundfile

from skaudio_ad import AudioLoader, ClipScaler, MelTransformer, MFCCTransformer
from skaudio_ad.features import mel_to_audio
from skaudio_ad.features._inversion import _Inverse

RATE = 16000


def sine(frequency, amplitude=0.5, n_samples=RATE):
    return (amplitude * np.sin(2 * np.pi * frequency * np.arange(n_samples) / RATE)).astype(np.float32)


def mixture(n_samples=RATE):
    """Three tones in faint noise. The third tone sounds only in a part of the clip."""
    gate = np.arange(n_samples) // (n_samples // 4) % 3 > 0
    noise = 1e-3 * np.random.default_rng(0).normal(size=n_samples)
    tones = sine(440, 0.3, n_samples) + sine(1250, 0.1, n_samples) + gate * sine(3700, 0.1, n_samples)
    return (tones + noise).astype(np.float32)


def power_mel(y, sample_rate=RATE, **settings):
    """Compute a mel spectrogram in dB with librosa."""
    settings = {"n_fft": 1024, "hop_length": 512, "pad_mode": "constant", **settings}
    return librosa.power_to_db(librosa.feature.melspectrogram(y=y, sr=sample_rate, **settings), top_db=None)


def likeness(one, other):
    """Correlate two spectrograms in dB, where the first one is within 40 dB of its loudest value."""
    loud = one > one.max() - 40
    return np.corrcoef(one[loud], other[loud])[0, 1]


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"log": "natural"},
        {"log": None},
        {"power": 1.0},
        {"power": 1.0, "log": "natural", "log_offset": 1e-5},
        {"win_length": 800, "hop_length": 320},
        {"fmin": 50.0, "fmax": 7000.0, "mel_scale": "htk", "norm": None},
        {"n_fft": 1023, "hop_length": 256},
        {"pad_mode": "reflect"},
        {"center": False},
        {"pre_emphasis": 0.97},
        {"top_db": 60.0},
    ],
    ids=str,
)
def test_the_sound_has_the_spectrogram_of_the_original_clip(settings):
    clip = mixture()
    mel = MelTransformer(RATE, **settings)
    (audio,) = mel_to_audio(mel.transform([clip]), mel, random_state=0)
    assert audio.dtype == np.float32
    # Without padding, the sound fades at its ends. So the reference is computed with the same `center`.
    one, other = (power_mel(y, center=mel.center) for y in (clip[: len(audio)], audio))
    assert likeness(one, other) > 0.95
    loud = one > one.max() - 40
    assert np.abs(one - other)[loud].mean() < 2.5  # the level is right too, and not only the shape


@pytest.mark.real_data
@pytest.mark.parametrize("settings", [{}, {"n_fft": 2048}], ids=str)
def test_the_sound_of_dog_barks_has_their_spectrograms(data_home, settings):
    paths = sorted((data_home / "esc10").glob("001*/*.ogg"))[:2]
    clips = AudioLoader(22050).transform(paths)
    mel = MelTransformer(22050, **settings)
    audio = mel_to_audio(mel.transform(clips), mel, n_samples=len(clips[0]), random_state=0)
    for clip, back in zip(clips, audio):
        one, other = (power_mel(y, 22050, **settings) for y in (clip, back))
        assert likeness(one, other) > 0.98


@pytest.mark.parametrize("frequency", [150, 440, 1000, 3000])
def test_the_frequency_and_the_level_of_a_sine_are_kept(frequency):
    mel = MelTransformer(RATE)
    (audio,) = mel_to_audio(mel.transform([sine(frequency)]), mel, n_samples=RATE, random_state=0)
    assert np.abs(np.fft.rfft(audio)).argmax() == pytest.approx(
        frequency, rel=0.01
    )  # the clip lasts one second, so bins are hertz
    assert audio.std() == pytest.approx(0.5 / np.sqrt(2), rel=0.05)


@pytest.mark.parametrize("amplitude", [0.5, 5e-4])
def test_the_bands_of_the_spectrum_are_exact_for_quiet_clips_too(amplitude):
    mel = MelTransformer(RATE, log=None)
    (bands,) = mel.transform([sine(150, amplitude)])
    inverse = _Inverse(mel, None, 1, 0)
    filters = librosa.filters.mel(sr=RATE, n_fft=1024, n_mels=128)

    def error(spectrum):
        fitted = librosa.power_to_db(filters @ spectrum.astype(np.float64) ** 2, amin=1e-20, top_db=None)
        wanted = librosa.power_to_db(bands, amin=1e-20, top_db=None)
        return np.abs(fitted - wanted)[wanted > wanted.max() - 40].mean()

    peak = bands.max()
    assert error(inverse._find_spectrum(bands / peak) * np.sqrt(peak)) < 1e-3
    # The error of librosa is larger, so the package does not use librosa here.
    assert error(librosa.feature.inverse.mel_to_stft(bands, sr=RATE, n_fft=1024)) > 0.1


@pytest.mark.parametrize("log", ["db", "natural", None])
@pytest.mark.parametrize("log_offset", [1e-10, 1e-5])
def test_silence_stays_silence(log, log_offset):
    mel = MelTransformer(RATE, log=log, log_offset=log_offset)
    clips = np.zeros((2, RATE), dtype=np.float32)
    clips[1, :8000] = sine(440)[:8000]
    audio = mel_to_audio(mel.transform(clips), mel, n_samples=RATE, random_state=0)
    assert not audio[0].any()
    assert not audio[1, 9500:].any()
    assert audio[1, :7500].std() > 0.3


def test_twenty_decibels_more_are_ten_times_the_amplitude():
    mel = MelTransformer(RATE)
    X = mel.transform([mixture()])
    quiet, loud, absurd = (mel_to_audio(X + level, mel, random_state=0) for level in (0, 20, 200))
    np.testing.assert_allclose(loud, 10 * quiet, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(absurd * 1e-10, quiet, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(("log", "value"), [("db", 700.0), ("natural", 800.0), ("db", 1e6), (None, 1e300)])
def test_levels_beyond_600_db_are_refused(log, value):
    with pytest.raises(
        ValueError, match=r"clip 0: reaches .*, beyond 600 dB; was a scaled spectrogram unscaled"
    ):
        mel_to_audio(np.full((1, 128, 9), value), MelTransformer(RATE, log=log))


@pytest.mark.parametrize("settings", [{}, {"center": False}, {"center": False, "n_fft": 2048}], ids=str)
def test_the_sound_has_no_click_at_its_ends(settings):
    # The clip ends with 511 samples that only the margin of the last window covers.
    clip = 0.1 * np.random.default_rng(0).normal(size=31 * 512 + 511).astype(np.float32)
    mel = MelTransformer(RATE, **settings)
    n_samples = None if settings else len(clip)
    (audio,) = mel_to_audio(mel.transform([clip]), mel, n_samples=n_samples, random_state=0)
    assert np.abs(audio[:600]).max() < 1
    assert np.abs(audio[-600:]).max() < 1
    assert audio[2000:-2000].std() == pytest.approx(0.1, rel=0.2)


def test_negative_power_counts_as_zero():
    mel = MelTransformer(RATE, log=None)
    X = mel.transform([mixture()])
    below = np.where(X < 1e-6, -1.0, X)
    expected = mel_to_audio(np.where(X < 1e-6, 0.0, X), mel, random_state=0)
    np.testing.assert_array_equal(mel_to_audio(below, mel, random_state=0), expected)


@pytest.mark.parametrize(
    ("settings", "n_samples"),
    [({}, 31 * 511), ({"center": False}, 31 * 511 + 1024), ({"n_fft": 1023}, 31 * 511 + 1)],
    ids=str,
)
def test_the_default_length_is_the_shortest_that_gives_the_number_of_frames(settings, n_samples):
    mel = MelTransformer(RATE, hop_length=511, **settings)
    X = np.full((2, 128, 32), -100, dtype=np.float32)
    assert mel_to_audio(X, mel).shape == (2, n_samples)
    for length in (n_samples, n_samples + 510):
        assert mel.transform(np.zeros((1, length))).shape[2] == 32
        assert mel_to_audio(X, mel, n_samples=length).shape == (2, length)
    for length in (n_samples - 1, n_samples + 511):
        wanted = rf"clip 0: has 32 frames, so n_samples must lie in \[{n_samples}, {n_samples + 510}\], got"
        with pytest.raises(ValueError, match=f"{wanted} n_samples={length}; None takes {n_samples}"):
            mel_to_audio(X, mel, n_samples=length)


def test_a_clip_sounds_the_same_alone_and_with_any_other_clips():
    mel = MelTransformer(RATE)
    clips = [mixture(), sine(440), mixture(12000), sine(700, n_samples=9000)]
    X = mel.transform(clips)
    together = mel_to_audio(X, mel, random_state=3)
    assert [len(audio) for audio in together] == [15872, 15872, 11776, 8704]
    for index in (0, 1, 2, 3):
        (alone,) = mel_to_audio(X[index][np.newaxis], mel, random_state=3)
        np.testing.assert_array_equal(alone, together[index])
    for one, other in zip(mel_to_audio(X[::-1], mel, random_state=3), together[::-1]):
        np.testing.assert_array_equal(one, other)


def test_the_random_state_decides_the_sound():
    mel = MelTransformer(RATE)
    X = mel.transform([mixture()])

    def sound(random_state):
        return mel_to_audio(X, mel, random_state=random_state)

    np.testing.assert_array_equal(sound(0), sound(0))
    np.testing.assert_array_equal(sound(np.random.RandomState(0)), sound(0))
    for other in (1, None):
        assert not np.array_equal(sound(other), sound(0))
    with pytest.raises(ValueError, match="cannot be used to seed"):
        sound("zero")


def test_the_global_generators_stay_unchanged():
    mel = MelTransformer(RATE)
    X = mel.transform([mixture(4000)])
    before = random.getstate(), np.random.get_state()[1:3]  # noqa: NPY002
    for random_state in (0, None):
        mel_to_audio(X, mel, random_state=random_state)
    after = random.getstate(), np.random.get_state()[1:3]  # noqa: NPY002
    assert before[0] == after[0]
    np.testing.assert_array_equal(before[1][0], after[1][0])
    assert before[1][1] == after[1][1]


def test_a_clip_that_could_not_be_read_gives_nan():
    mel = MelTransformer(RATE)
    X = mel.transform([mixture(), mixture()])
    X[0] = np.nan
    audio = mel_to_audio(X, mel, random_state=0)
    assert audio.shape == (2, 15872)
    assert np.isnan(audio[0]).all()
    np.testing.assert_array_equal(audio[1], mel_to_audio(X[1:], mel, random_state=0)[0])
    assert np.isnan(mel_to_audio([X[0]], mel, n_samples=16000)).all()


@pytest.mark.parametrize("scaler", [ClipScaler(), ClipScaler("zscore", "bin")], ids=["clip", "bin"])
def test_scaled_spectrograms_become_sound_through_the_scaler(scaler):
    mel = MelTransformer(RATE)
    X = mel.transform([mixture(), sine(440), sine(440)])
    X[2] = np.nan
    scaled = scaler.fit_transform(X)
    statistics = scaler.clip_statistics(X) if scaler.statistics == "clip" else None
    audio = mel_to_audio(scaler.inverse_transform(scaled, statistics), mel, random_state=0)
    for clip, back in zip((mixture(), sine(440)), audio):
        assert likeness(power_mel(clip), power_mel(np.pad(back, (0, 128)))) > 0.95
    assert np.isnan(audio[2]).all()


def test_a_lazy_corpus_becomes_sound_and_errors_name_its_files(write_wavs):
    paths = write_wavs([8000, 8000])
    soundfile.write(paths[1], np.zeros(300), RATE)
    lazy, eager = MelTransformer(RATE, lazy=True), MelTransformer(RATE)
    clips = AudioLoader(RATE).transform(paths)
    audio = mel_to_audio(lazy.transform(clips[:1]), lazy, random_state=0)
    np.testing.assert_array_equal(audio, mel_to_audio(eager.transform(clips[:1]), eager, random_state=0))
    with pytest.raises(
        ValueError, match=r"clip_1\.wav: has 1 frames, 0 samples, fewer than one window of n_fft=1024"
    ):
        mel_to_audio(lazy.transform(clips), lazy)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_nan_or_infinity_among_numbers_is_named(bad):
    X = np.zeros((2, 128, 9))
    X[1, 3, 4] = bad
    with pytest.raises(ValueError, match="clip 1: contains NaN or infinity"):
        mel_to_audio(X, MelTransformer(RATE))


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (
            np.zeros((128, 9)),
            r"clip 0: has the shape \(9,\), but .*; pass a single spectrogram as X\[np.newaxis\]",
        ),
        (
            np.zeros((2, 64, 9)),
            r"clip 0: has the shape \(64, 9\), but a spectrogram of this .* is \(128, n_frames\)",
        ),
        ([np.zeros((128, 9)), np.zeros((20, 9))], r"clip 1: has the shape \(20, 9\)"),
        ([], "got no clips"),
    ],
    ids=["one clip", "other bands", "one of other bands", "none"],
)
def test_spectrograms_of_another_shape_are_refused(X, message):
    with pytest.raises(ValueError, match=message):
        mel_to_audio(X, MelTransformer(RATE))


def test_a_transformer_that_cannot_be_inverted_is_refused():
    X = np.zeros((1, 128, 9))
    with pytest.raises(
        TypeError, match=r"mel must be the MelTransformer that made X .*, got MFCCTransformer\(\)"
    ):
        mel_to_audio(X, MFCCTransformer())
    with pytest.raises(
        ValueError, match="hop_length must be at most half of win_length=800, got hop_length=512"
    ):
        mel_to_audio(X, MelTransformer(RATE, win_length=800))
    with pytest.raises(ValueError, match="n_fft must lie in"):
        mel_to_audio(X, MelTransformer(RATE, n_fft=0))


@pytest.mark.parametrize(
    ("settings", "error"),
    [({"n_samples": 0}, ValueError), ({"n_samples": 1.5}, TypeError), ({"n_iter": 0}, ValueError)],
    ids=str,
)
def test_errors_name_the_bad_setting(settings, error):
    with pytest.raises(error, match=f"{next(iter(settings))} must"):
        mel_to_audio(np.zeros((1, 128, 9)), MelTransformer(RATE), **settings)
