"""The qualities of sounds, against the definitions of their units, MOSQITO, timbral_models and closed forms."""

import numpy as np
import pytest

from skaudio_ad import AudioLoader, SoundQualities
from skaudio_ad.audio import AudioClips
from skaudio_ad.features._impulsiveness import a_weighting

RATE = 16000
LOUDNESS, SHARPNESS, ROUGHNESS, BRIGHTNESS, BOOMINESS, IMPULSIVENESS = range(6)
# Level at which samples are pascals exactly: 1 Pa is 93.98 dB.
PASCALS = 20 * np.log10(1 / 2e-5)

# Loudness in sone (free field), sharpness in acum (DIN 45692) and roughness in asper (no overlap) of MOSQITO 1.2.1,
# for the sounds of `make` of 1 s at 48 kHz: loudness_zwst, sharpness_din_st, roughness_dw.
MOSQITO = {
    "tone 50 80": (3.977, 0.1625, 0.2953),
    "tone 100 60": (1.764, 0.2382, 0.0456),
    "tone 250 60": (3.420, 0.3670, 0.0006),
    "tone 1000 40": (1.006, 1.0166, 0.0002),
    "tone 1000 80": (17.10, 1.0441, 0.0011),
    "tone 4000 60": (6.159, 2.8245, 0.0004),
    "modulated 250 40 1": (3.232, 0.3605, 0.4410),
    "modulated 500 70 1": (4.218, 0.6169, 0.6559),
    "modulated 1000 30 1": (4.185, 1.0002, 0.3898),
    "modulated 1000 70 0.5": (4.183, 1.0001, 0.3431),
    "modulated 1000 70 1": (4.275, 0.9945, 1.0191),
    "modulated 1000 150 1": (4.873, 0.9971, 0.3826),
    "modulated 4000 70 1": (6.209, 2.8126, 0.6172),
    "white 60": (13.475, 2.1265, 0.0218),
    "pink 70": (23.66, 1.6966, 0.0296),
    "band 60": (4.273, 1.0253, 0.2018),
}
# Booming index of boominess_calculate of timbral_models 0.4.0, on the specific loudness that MOSQITO computed.
TIMBRAL_MODELS = {"tone 100 60": 17.842, "white 60": 1.0436, "pink 70": 2.7307}


def to_level(samples, level):
    return (samples / np.sqrt(np.mean(samples**2)) * 2e-5 * 10 ** (level / 20)).astype(np.float32)


def make(name, sample_rate=RATE):
    """Make a sound of 1 s in pascals. The noises have the same lines from 20 to 7000 Hz at any sample rate."""
    kind, *numbers = name.split()
    numbers = [float(number) for number in numbers]
    time = np.arange(sample_rate) / sample_rate
    if kind == "tone":
        frequency, level = numbers
        return to_level(np.sin(2 * np.pi * frequency * time), level)
    if kind == "modulated":
        frequency, modulation, depth = numbers
        envelope = 1 + depth * np.cos(2 * np.pi * modulation * time)
        return to_level(np.sin(2 * np.pi * frequency * time) * envelope, 60)
    frequencies = np.arange(20, 7000)
    phases = np.exp(2j * np.pi * np.random.default_rng(0).random(len(frequencies)))
    amplitudes = {
        "white": np.ones(len(frequencies)),
        "pink": frequencies**-0.5,
        "low": (frequencies < 900).astype(float),
        "band": ((frequencies >= 920) & (frequencies < 1080)).astype(float),
    }[kind]
    spectrum = np.zeros(len(time) // 2 + 1, dtype=complex)
    held = frequencies < len(spectrum)
    spectrum[frequencies[held]] = (phases * amplitudes)[held]
    return to_level(np.fft.irfft(spectrum, len(time)), numbers[0])


def qualities(*clips, sample_rate=RATE, full_scale_level=PASCALS):
    return SoundQualities(sample_rate, full_scale_level=full_scale_level).fit_transform(list(clips))


@pytest.fixture(scope="module")
def measured():
    return dict(zip(MOSQITO, qualities(*map(make, MOSQITO)), strict=True))


def test_the_units_are_those_of_the_tones_and_the_noise_that_define_them(measured):
    assert measured["tone 1000 40"][LOUDNESS] == pytest.approx(1, rel=0.03)
    assert qualities(make("tone 1000 60"))[0, LOUDNESS] == pytest.approx(4, rel=0.03)
    assert measured["band 60"][SHARPNESS] == pytest.approx(1, rel=0.01)
    assert measured["modulated 1000 70 1"][ROUGHNESS] == pytest.approx(1, rel=0.01)


@pytest.mark.parametrize("name", MOSQITO)
def test_loudness_sharpness_and_roughness_are_near_those_of_mosqito(measured, name):
    loudness, sharpness, roughness = MOSQITO[name]
    # 5 % is the tolerance of ISO 532-1 and of DIN 45692, and 17 % the just noticeable difference of roughness.
    assert measured[name][LOUDNESS] == pytest.approx(loudness, rel=0.05)
    assert measured[name][SHARPNESS] == pytest.approx(sharpness, rel=0.05)
    assert measured[name][ROUGHNESS] == pytest.approx(roughness, rel=0.17, abs=0.01)


@pytest.mark.parametrize("name", TIMBRAL_MODELS)
def test_boominess_is_near_that_of_timbral_models(measured, name):
    assert measured[name][BOOMINESS] == pytest.approx(TIMBRAL_MODELS[name], rel=0.07)


def test_brightness_is_the_mean_frequency_weighted_by_power():
    low, high = make("tone 500 60"), make("tone 2000 60")
    values = qualities(low, low + high, low + 2 * high)[:, BRIGHTNESS]
    assert values == pytest.approx([500, (500 + 2000) / 2, (500 + 4 * 2000) / 5], rel=1e-3)


def test_the_frequency_weighting_has_the_values_of_iec_61672():
    table = {
        31.5: -39.4,
        63: -26.2,
        125: -16.1,
        250: -8.6,
        500: -3.2,
        1000: 0,
        2000: 1.2,
        4000: 1.0,
        8000: -1.1,
    }
    exact = 1000 * 10 ** (np.round(10 * np.log10(np.array(list(table)) / 1000)) / 10)
    assert 10 * np.log10(a_weighting(exact)) == pytest.approx(list(table.values()), abs=0.06)


@pytest.mark.parametrize("step", [6, 20, 40])
def test_impulsiveness_of_a_step_is_that_of_the_closed_form_of_the_level(step):
    # The power behind the time weighting F approaches the new power exponentially, with 0.125 s.
    times = 0.01 * np.arange(101)
    levels = 10 * np.log10(10 ** (step / 10) + (1 - 10 ** (step / 10)) * np.exp(-times / 0.125))
    end = np.argmax(np.diff(levels) <= 0.1)  # the gradient falls to 10 dB/s
    rate = np.polyfit(times[: end + 1], levels[: end + 1], 1)[0]
    expected = 3 * np.log10(rate) + 2 * np.log10(levels[end] - levels[0])
    tone = make("tone 1000 60")
    clip = np.concatenate([tone * np.float32(10 ** (-step / 20)), tone])
    assert qualities(clip)[0, IMPULSIVENESS] == pytest.approx(expected, abs=0.3)


def test_the_most_prominent_onset_counts_and_a_steady_tone_has_none():
    tone = make("tone 1000 60")
    quiet, very_quiet = tone * np.float32(0.1), tone * np.float32(0.01)
    one = np.concatenate([quiet, tone, quiet])
    both = np.concatenate([quiet, tone, very_quiet, tone])
    steady, less, more = qualities(tone, one, both)[:, IMPULSIVENESS]
    assert steady == 0
    assert more > less > 5


@pytest.mark.parametrize("sample_rate", [2000, 44100, 192000])
def test_a_sound_has_the_same_qualities_at_any_sample_rate_that_holds_the_sound(sample_rate):
    names = "modulated 500 70 1", "low 65"
    here = qualities(*(make(name, sample_rate) for name in names), sample_rate=sample_rate)
    there = qualities(*map(make, names))
    np.testing.assert_allclose(here[:, :5], there[:, :5], rtol=0.02)
    np.testing.assert_allclose(here[:, IMPULSIVENESS], there[:, IMPULSIVENESS], atol=0.3)


def test_the_lowest_sample_rate_gives_finite_values(rng):
    values = qualities(rng.normal(size=1000).astype(np.float32), sample_rate=1000)
    assert np.isfinite(values).all()
    assert values[0, LOUDNESS] > 1


def test_ten_decibels_of_full_scale_double_the_loudness():
    tone = make("tone 1000 40")
    (low,), (high,) = qualities(tone), qualities(tone, full_scale_level=PASCALS + 10)
    assert high[LOUDNESS] / low[LOUDNESS] == pytest.approx(2, rel=0.05)


def test_silence_and_a_constant_offset_have_zero_in_every_column():
    values = qualities(np.zeros(RATE, np.float32), np.full(RATE, 0.3, np.float32))
    assert not values[0].any()
    assert values[1, LOUDNESS] == values[1, ROUGHNESS] == values[1, IMPULSIVENESS] == 0


def test_an_offset_changes_nothing():
    clip = make("white 60")
    np.testing.assert_allclose(*qualities(clip, clip + np.float32(0.2)), rtol=1e-3, atol=1e-3)


def test_clips_of_different_lengths_keep_their_qualities_in_any_batch():
    clips = [make("white 60"), make("pink 70")[:4000], make("tone 250 60")[:8000]]
    alone = np.concatenate([qualities(clip) for clip in clips])
    np.testing.assert_array_equal(qualities(*clips), alone)
    np.testing.assert_array_equal(qualities(*clips[::-1]), alone[::-1])


def test_a_clip_shorter_than_a_frame_is_an_error_that_names_the_clip():
    with pytest.raises(
        ValueError, match=r"clip 1: has 3199 samples; .* at least 0\.2 s, which is 3200 samples"
    ):
        qualities(make("tone 250 60"), np.zeros(3199, np.float32))


def test_samples_that_are_no_floats_in_the_unit_range_are_an_error_that_names_the_clip():
    with pytest.raises(
        ValueError, match=r"clip 0: has samples up to 1e\+10, .* samples are floats in \[-1, 1\]"
    ):
        qualities(np.full(RATE, 1e10, np.float32))


def test_clips_that_cannot_be_read_have_a_row_of_nan(tmp_path):
    missing = [tmp_path / "absent.wav", tmp_path / "absent too.wav"]
    clips = AudioLoader(RATE, on_error="skip").fit_transform(missing)
    with pytest.warns(UserWarning, match="absent"):
        values = SoundQualities(RATE).fit_transform(clips)
    assert values.shape == (2, 6)
    assert np.isnan(values).all()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"sample_rate": 999}, "sample_rate must lie in"),
        ({"full_scale_level": 300}, "full_scale_level must lie in"),
    ],
)
def test_parameters_out_of_range_are_errors(settings, message):
    with pytest.raises(ValueError, match=message):
        SoundQualities(**settings).fit([make("tone 250 60")])


def test_clips_at_another_rate_are_refused():
    clips = AudioClips([make("tone 250 60")], RATE)
    with pytest.raises(ValueError, match="works at sample_rate=8000 Hz"):
        SoundQualities(8000).fit(clips)


def test_columns_are_named_and_every_quality_has_a_unit():
    transformer = SoundQualities()
    assert list(transformer.get_feature_names_out()) == list(SoundQualities.names)
    assert len(SoundQualities.units) == len(SoundQualities.names) == 6
