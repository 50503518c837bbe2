import numpy as np
import pytest
import soundfile
from sklearn.base import clone

from skaudio_ad import AudioClips, AudioLoader, LevelNormalizer
from skaudio_ad.audio import AudioReadError, read_audio


def test_a_loader_passes_its_parameters_to_the_decoder(tmp_path, rng):
    path = tmp_path / "stereo.wav"
    soundfile.write(path, rng.uniform(-0.5, 0.5, (22050, 2)), 22050, subtype="FLOAT")
    settings = {"offset": 0.3, "duration": 1.0, "channel": 1, "pad": "reflect"}
    clips = AudioLoader(8000, **settings).fit_transform([path])
    assert clips.sample_rate == 8000
    assert clips[0].shape == (8000,)
    np.testing.assert_array_equal(clips[0], read_audio(path, 8000, **settings)[0])


def test_arrays_are_cut_and_padded_as_files_are(tmp_path, rng):
    samples = rng.uniform(-0.5, 0.5, 1000).astype(np.float32)
    path = tmp_path / "noise.wav"
    soundfile.write(path, samples, 8000, subtype="FLOAT")
    for settings in (
        {"offset": 0.05},
        {"duration": 0.1},
        {"offset": 0.05, "duration": 0.2, "pad": "repeat"},
        {"offset": 0.1, "duration": 0.2, "pad": "zeros"},
    ):
        loader = AudioLoader(8000, **settings)
        expected = loader.fit_transform([path])[0]
        for X in ([samples], samples[np.newaxis], AudioClips([samples], 8000)):
            np.testing.assert_array_equal(loader.fit_transform(X)[0], expected)


def test_an_array_shorter_than_the_offset_is_refused_by_number():
    clips = AudioLoader(offset=1).fit_transform([np.zeros(20000), np.zeros(8000)])
    with pytest.raises(ValueError, match=r"clip 1: a clip of 0\.5 s has nothing left after offset=1 s"):
        np.asarray(clips)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"sample_rate": 0}, r"sample_rate must lie in \[1, inf\], got 0"),
        ({"duration": -1.0}, r"duration must lie in \(0, inf\), got -1\.0"),
        ({"offset": -0.1}, r"offset must lie in \[0, inf\], got -0\.1"),
        ({"channel": "left"}, 'channel must be "mix", the index of a channel, "near-far", or a pair'),
        ({"pad": "wrap", "duration": 1}, "pad must be one of 'none', 'zeros', 'repeat', 'reflect'"),
        ({"pad": "zeros"}, "pad='zeros' needs a duration to pad to; give one, in seconds"),
        ({"on_error": "ignore"}, "on_error must be one of 'raise', 'skip', got 'ignore'"),
    ],
)
def test_a_parameter_of_a_loader_that_is_out_of_range_is_refused_in_fit_and_not_before(settings, message):
    loader = clone(AudioLoader(**settings))
    with pytest.raises(ValueError, match=message):
        loader.fit(["missing.wav"])


def test_fit_of_a_loader_opens_no_file():
    clips = AudioLoader().fit_transform(["missing.wav"])
    with pytest.raises(AudioReadError, match=r"missing\.wav: no such file"):
        clips[0]


@pytest.mark.parametrize("target_level", [-20.0, 0.0, 3.0])
def test_the_level_of_every_clip_becomes_the_target(rng, target_level):
    X = [gain * rng.standard_normal(n) for gain, n in [(1e-3, 500), (0.5, 700), (3.0, 900)]]
    rms = [np.sqrt(np.mean(clip**2.0)) for clip in LevelNormalizer("rms", target_level).fit_transform(X)]
    np.testing.assert_allclose(20 * np.log10(rms), target_level, atol=1e-4)
    peak = [np.abs(clip).max() for clip in LevelNormalizer("peak", target_level).fit_transform(X)]
    np.testing.assert_allclose(20 * np.log10(peak), target_level, atol=1e-4)


def test_level_normalisation_changes_nothing_but_the_gain(rng):
    x = rng.standard_normal(500)
    normalised = LevelNormalizer().fit_transform([x])[0]
    np.testing.assert_allclose(normalised, 0.1 * x / np.sqrt(np.mean(x**2)), rtol=1e-5)


@pytest.mark.parametrize("method", ["rms", "peak"])
def test_silence_has_no_level_and_stays_silent(method):
    silence = LevelNormalizer(method).fit_transform([np.zeros(100)])[0]
    assert silence.tolist() == [0.0] * 100


def test_a_clip_whose_squares_underflow_in_float32_still_reaches_the_level():
    quiet = LevelNormalizer(target_level=0).fit_transform([np.full(100, 1e-30)])[0]
    np.testing.assert_allclose(quiet, 1.0, rtol=1e-5)


@pytest.mark.parametrize(
    ("settings", "kind", "message"),
    [
        ({"method": "lufs"}, ValueError, "method must be one of 'rms', 'peak', got 'lufs'"),
        ({"target_level": "loud"}, TypeError, "target_level must be a number, got 'loud'"),
    ],
)
def test_an_invalid_method_or_level_is_refused(settings, kind, message):
    with pytest.raises(kind, match=message):
        LevelNormalizer(**settings).fit([np.zeros(3)])


def test_level_normalisation_keeps_the_sample_rate():
    assert LevelNormalizer().fit_transform(AudioClips([np.ones(3)], 8000)).sample_rate == 8000
    assert LevelNormalizer().fit_transform([np.ones(3)]).sample_rate is None


def write_at(folder, name, rate):
    path = folder / name
    soundfile.write(path, 0.1 * np.random.default_rng(0).normal(size=rate // 4), rate)
    return str(path)


def test_the_loader_notes_the_sample_rates_of_the_training_files(tmp_path):
    paths = [write_at(tmp_path, f"{rate}.wav", rate) for rate in (44100, 16000, 48000)]
    loader = AudioLoader(16000).fit([*paths, str(tmp_path / "missing.wav")])
    assert loader.sample_rates_.tolist() == [16000, 44100, 48000]
    loader.transform(paths)  # without a warning
    assert not hasattr(loader.fit(np.zeros((2, 8))), "sample_rates_")


def test_training_files_with_different_bandwidths_are_a_warning(tmp_path):
    paths = [write_at(tmp_path, f"{rate}.wav", rate) for rate in (16000, 8000, 48000)]
    with pytest.warns(
        UserWarning, match=r"1 with 8000 Hz, 1 with 16000 Hz, 1 with 48000 Hz.*8000.wav does above 4000"
    ):
        AudioLoader(16000).fit(paths)
    AudioLoader(8000).fit(paths)  # without a warning


def test_a_file_with_a_lower_rate_than_the_training_files_is_a_warning(tmp_path):
    paths = [write_at(tmp_path, f"{rate}.wav", rate) for rate in (16000, 8000, 11025)]
    loader = AudioLoader(16000).fit(paths[:1])
    with pytest.warns(
        UserWarning, match=r"2 of 3 files have a lower .*8000.wav has 8000 Hz and lacks .* above 4000"
    ):
        loader.transform(paths)
    AudioLoader(8000).fit(paths[:1]).transform(
        paths
    )  # without a warning: all files keep what the detector uses
