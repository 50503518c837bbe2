"""Tests of sounds and pictures for a browser, read by soundfile and matplotlib."""

import io

import matplotlib as mpl
import numpy as np
import pytest
import soundfile
from matplotlib.image import imread

from skaudio_ad.audio._browser import check_format, encode_sound, overlay_png, spectrogram_png


def _tone(sample_rate, frequency, level, seconds=1.0):
    return (
        level * np.sin(2 * np.pi * frequency * np.arange(int(sample_rate * seconds)) / sample_rate)
    ).astype("f4")


def _decode(content):
    return soundfile.read(io.BytesIO(content), dtype="float32")


def _loudest_frequency(samples, sample_rate):
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return np.argmax(spectrum) * sample_rate / len(samples)


@pytest.mark.parametrize(("rate", "played"), [(2000, 8000), (16000, 16000), (44056, 44100), (96000, 48000)])
@pytest.mark.parametrize(
    ("name", "media_type"), [("mp3", "audio/mpeg"), ("wav", "audio/wav"), ("flac", "audio/flac")]
)
def test_a_sound_keeps_its_frequency_and_duration_and_gets_a_peak_of_minus_one_decibel(
    rate, played, name, media_type
):
    content, given, peak_db = encode_sound(_tone(rate, 440, 0.01), rate, name)
    samples, found = _decode(content)
    assert given == media_type
    assert found == played if name == "mp3" else found == min(max(rate, 8000), 48000)
    assert len(samples) / found == pytest.approx(1.0, abs=1e-3)
    middle = samples[found // 4 : -found // 4]
    assert _loudest_frequency(middle, found) == pytest.approx(440, abs=2.1)
    assert 20 * np.log10(np.abs(middle).max()) == pytest.approx(-1, abs=0.5)
    assert peak_db == pytest.approx(-40, abs=0.02)  # no sample lies on a crest


def test_silence_and_single_samples_are_encoded():
    content, _, peak_db = encode_sound(np.zeros(8000), 8000)
    assert peak_db is None
    assert not _decode(content)[0].any()
    for rate in (2000, 16000, 192000):
        assert len(_decode(encode_sound([0.5], rate)[0])[0]) >= 1


def test_an_mp3_is_much_smaller_than_its_samples(rng):
    noise = rng.normal(size=160000)
    assert len(encode_sound(noise, 16000)[0]) < 160000 * 2 / 6


def test_samples_that_cannot_be_played_and_unknown_formats_are_refused():
    with pytest.raises(ValueError, match=r"must have shape \(n_samples,\).*got \(2, 5\)"):
        encode_sound(np.ones((2, 5)), 16000)
    with pytest.raises(ValueError, match="must be finite"):
        encode_sound([np.nan, 1.0], 16000)
    with pytest.raises(ValueError, match="'ogg'"):
        check_format("ogg")


def test_a_spectrogram_has_one_pixel_a_value_and_its_highest_frequency_on_top():
    levels = np.array([[-80.0, -40.0, 0.0], [-90.0, 10.0, -60.0]])
    picture = imread(io.BytesIO(spectrogram_png(levels, -80, 0)))
    assert picture.shape[:2] == (2, 3)
    magma = mpl.colormaps["magma"]
    expected = [[magma(0), magma(255), magma(64)], [magma(0), magma(128), magma(255)]]
    np.testing.assert_allclose(picture[..., :3], np.array(expected)[..., :3], atol=0.51 / 255)


def test_an_overlay_is_as_opaque_as_its_strength():
    picture = imread(io.BytesIO(overlay_png(np.array([[0.0, 0.5], [1.0, 2.0]]))))
    np.testing.assert_allclose(picture[..., 3], [[1, 1], [0, 0.5]], atol=0.51 / 255)
    np.testing.assert_allclose(picture[0, 0, :3], np.array([0, 229, 255]) / 255, atol=1e-6)
