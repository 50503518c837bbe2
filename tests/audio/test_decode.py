import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

from skaudio_ad.audio import _decode, read_audio

from .recordings import FORMATS, stereo_tones


@pytest.mark.parametrize("ending", FORMATS)
def test_a_stereo_file_decodes_to_the_mean_of_soundfiles_channels(write, ending):
    path = write(f"tones.{ending}", stereo_tones(2))
    expected, _ = soundfile.read(path, dtype="float32")
    samples, sample_rate = read_audio(path)
    assert sample_rate == 44100
    assert samples.dtype == np.float32
    np.testing.assert_allclose(samples, expected.mean(axis=1), rtol=0, atol=1e-7)
    # The samples equal the written samples within the loss of the format.
    loss = {"wav": 1e-4, "flac": 1e-4, "ogg": 0.02, "mp3": 0.02}[ending]
    np.testing.assert_allclose(samples, stereo_tones(2).mean(axis=1), rtol=0, atol=loss)


@pytest.mark.parametrize("ending", FORMATS)
def test_one_channel_can_be_selected(write, ending):
    path = write(f"tones.{ending}", stereo_tones(1))
    expected, _ = soundfile.read(path, dtype="float32")
    for channel in (0, 1):
        np.testing.assert_array_equal(read_audio(path, channel=channel)[0], expected[:, channel])


@pytest.mark.parametrize("ending", FORMATS)
def test_a_part_of_a_file_equals_the_part_of_the_whole_decoded_file(write, ending):
    path = write(f"tones.{ending}", stereo_tones(2))
    expected = soundfile.read(path, dtype="float32")[0].mean(axis=1)
    for offset, duration, part in [
        (0.5, 0.25, slice(22050, 33075)),
        (1.2, None, slice(52920, None)),
        (0.0, 0.1, slice(0, 4410)),
        (1.9, 3.0, slice(83790, None)),
    ]:
        samples, _ = read_audio(path, offset=offset, duration=duration)
        np.testing.assert_allclose(samples, expected[part], rtol=0, atol=1e-6)


@pytest.mark.parametrize("ending", ["wav", "mp3"])
def test_a_long_recording_is_decoded_without_errors_between_blocks(write, ending):
    # The recording is longer than the 2**18 values of one block.
    tone = 0.4 * np.sin(2 * np.pi * 440 * np.arange(1_100_000) / 16000)
    path = write(f"long.{ending}", np.stack([tone, tone], axis=1), 16000)
    expected, _ = soundfile.read(path, dtype="float32")
    samples, _ = read_audio(path)
    np.testing.assert_allclose(samples, expected[:, 0], rtol=0, atol=1e-6)


def test_integer_samples_are_scaled_to_the_range_from_minus_one_to_one(write):
    path = write("extremes.wav", np.array([-32768, 16384, 0], dtype=np.int16), subtype="PCM_16")
    assert read_audio(path)[0].tolist() == [-1.0, 0.5, 0.0]


def test_a_path_object_is_accepted_as_a_path(write):
    path = write("tone.wav", stereo_tones(0.1))
    np.testing.assert_array_equal(read_audio(Path(path))[0], read_audio(path)[0])


@pytest.mark.parametrize(("own_rate", "sample_rate"), [(44100, 16000), (8000, 16000), (48000, 44100)])
def test_resampling_gives_the_samples_of_soxr(write, rng, own_rate, sample_rate):
    path = write("noise.wav", rng.uniform(-0.5, 0.5, own_rate), own_rate, subtype="FLOAT")
    expected = soxr.resample(soundfile.read(path, dtype="float32")[0], own_rate, sample_rate, quality="HQ")
    samples, rate = read_audio(path, sample_rate)
    assert rate == sample_rate
    np.testing.assert_array_equal(samples, expected)


def test_a_resampled_tone_is_the_same_tone(write):
    def tone(rate):
        return 0.5 * np.sin(2 * np.pi * 440 * np.arange(rate) / rate)

    path = write("tone.wav", tone(44100), subtype="FLOAT")
    # The ends are left out, because the filter sees silence there.
    np.testing.assert_allclose(read_audio(path, 16000)[0][500:-500], tone(16000)[500:-500], atol=1e-4)


@pytest.mark.parametrize("duration", [1.0, 0.3, 1 / 3, 0.77777, 1.37])
@pytest.mark.parametrize(
    ("own_rate", "sample_rate"), [(44100, 16000), (48000, 44100), (11025, 16000), (96000, 8000)]
)
def test_the_length_is_exact_for_any_duration_and_any_pair_of_rates(
    write, rng, own_rate, sample_rate, duration
):
    path = write("noise.wav", rng.uniform(-0.5, 0.5, 2 * own_rate), own_rate, subtype="FLOAT")
    # 0.24 s is a whole number of samples at all these rates.
    samples, _ = read_audio(path, sample_rate, offset=0.24, duration=duration)
    assert len(samples) == round(duration * sample_rate)
    # Away from its ends, the part equals the same part of the whole resampled file.
    whole = soxr.resample(soundfile.read(path, dtype="float32")[0], own_rate, sample_rate)
    whole = whole[round(0.24 * sample_rate) :][: len(samples)]
    np.testing.assert_allclose(samples[400:-400], whole[400:-400], atol=1e-4)


def test_a_file_as_long_as_the_duration_has_the_right_length_after_resampling(write):
    path = write("silence.wav", np.zeros(44100))
    assert len(read_audio(path, 16000, duration=1.0)[0]) == 16000


@pytest.mark.parametrize(
    ("pad", "tail"),
    [
        ("none", []),
        ("zeros", [0.0] * 8),
        ("repeat", [0.1, 0.2, 0.3, 0.4, 0.1, 0.2, 0.3, 0.4]),
        ("reflect", [0.3, 0.2, 0.1, 0.2, 0.3, 0.4, 0.3, 0.2]),
    ],
)
def test_a_short_recording_is_padded_at_its_end(write, pad, tail):
    path = write("short.wav", np.array([0.1, 0.2, 0.3, 0.4]), 8000, subtype="FLOAT")
    samples, _ = read_audio(path, duration=12 / 8000, pad=pad)
    np.testing.assert_allclose(samples, [0.1, 0.2, 0.3, 0.4, *tail], rtol=1e-6)


@pytest.mark.parametrize("pad", ["zeros", "repeat", "reflect"])
def test_a_recording_that_is_long_enough_is_not_padded(write, pad):
    path = write("long.wav", np.array([0.1, 0.2, 0.3, 0.4]), 8000, subtype="FLOAT")
    np.testing.assert_allclose(read_audio(path, duration=3 / 8000, pad=pad)[0], [0.1, 0.2, 0.3], rtol=1e-6)


# --- long recordings


@pytest.mark.parametrize("block", [1 << 12, 100_003])
@pytest.mark.parametrize(
    "rates", [(44100, 16000), (8000, 16000), (22050, 32000), (48000, 8000), (16000, 16000)]
)
def test_blocks_of_any_size_give_the_samples_of_resampling_at_once(write, rng, monkeypatch, rates, block):
    samples = rng.uniform(-0.5, 0.5, (60_001, 2))
    path = write("noise.wav", samples, rates[0], subtype="FLOAT")
    mean = soundfile.read(path, dtype="float32")[0].mean(axis=1)
    expected = mean if rates[0] == rates[1] else soxr.resample(mean, *rates, quality="HQ")
    monkeypatch.setattr(_decode, "BLOCK", block)
    np.testing.assert_array_equal(read_audio(path, rates[1])[0], expected)


MEASURE = """
import resource, sys
from skaudio_ad.audio import read_audio
read_audio(sys.argv[1], 16000, duration=1.0)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
samples = read_audio(sys.argv[1], 16000)[0]
growth = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
print(growth, samples.nbytes)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="units and peaks differ elsewhere")
def test_decoding_a_long_recording_needs_little_more_memory_than_its_samples(write):
    path = write("long.wav", np.zeros((48000 * 300, 2), dtype=np.int16), 48000, subtype="PCM_16")
    done = subprocess.run([sys.executable, "-c", MEASURE, path], capture_output=True, text=True, check=True)
    growth, n_bytes = map(int, done.stdout.split())
    assert n_bytes == 4 * 16000 * 300
    assert growth < 1.35 * n_bytes + 30e6


# --- parameters


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({"sample_rate": 0}, ValueError, r"sample_rate must lie in \[1, inf\], got 0"),
        ({"sample_rate": 16000.0}, TypeError, "sample_rate must be an integer or None, got 16000.0"),
        ({"offset": -1}, ValueError, r"offset must lie in \[0, inf\], got -1"),
        ({"duration": 0}, ValueError, r"duration must lie in \(0, inf\), got 0"),
        ({"channel": "left"}, ValueError, "channel must be \"mix\", the index .*, got 'left'"),
        ({"channel": -1}, ValueError, r"channel must lie in \[0, inf\], got -1"),
        ({"duration": 1, "pad": "wrap"}, ValueError, "'none', 'zeros', 'repeat', 'reflect', got 'wrap'"),
        ({"pad": "zeros"}, ValueError, "pad='zeros' needs a duration to pad to"),
    ],
)
def test_a_parameter_out_of_range_is_refused_before_the_file_is_opened(options, kind, message):
    with pytest.raises(kind, match=message):
        read_audio("missing.wav", **options)
