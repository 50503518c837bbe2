import re
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

from skaudio_ad.audio import AudioReadError, find_audio_files, read_audio

FORMATS = ("wav", "flac", "ogg", "mp3")


@pytest.fixture
def write(tmp_path):
    """Function that writes samples to a file of the given name and returns its path."""

    def write_samples(name, samples, sample_rate=44100, **options):
        path = tmp_path / name
        soundfile.write(path, samples, sample_rate, **options)
        return str(path)

    return write_samples


def stereo_tones(n_seconds, sample_rate=44100):
    t = np.arange(round(n_seconds * sample_rate)) / sample_rate
    return np.stack([0.4 * np.sin(2 * np.pi * 440 * t), 0.3 * np.sin(2 * np.pi * 1000 * t)], axis=1)


def refuses(path, *parts, **options):
    """`read_audio` names the path first, then the rule and the way out."""
    with pytest.raises(AudioReadError) as caught:
        read_audio(path, **options)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    for part in parts:
        assert part in message
    assert caught.value.path == str(path)
    assert message == f"{path}: {caught.value.reason}"


# --- samples


@pytest.mark.parametrize("ending", FORMATS)
def test_a_stereo_file_decodes_to_the_mean_of_soundfiles_channels(write, ending):
    path = write(f"tones.{ending}", stereo_tones(2))
    expected, _ = soundfile.read(path, dtype="float32")
    samples, sample_rate = read_audio(path)
    assert sample_rate == 44100
    assert samples.dtype == np.float32
    np.testing.assert_allclose(samples, expected.mean(axis=1), rtol=0, atol=1e-7)
    # What was written, within the format's loss.
    loss = {"wav": 1e-4, "flac": 1e-4, "ogg": 0.02, "mp3": 0.02}[ending]
    np.testing.assert_allclose(samples, stereo_tones(2).mean(axis=1), rtol=0, atol=loss)


@pytest.mark.parametrize("ending", FORMATS)
def test_one_channel_can_be_taken(write, ending):
    path = write(f"tones.{ending}", stereo_tones(1))
    expected, _ = soundfile.read(path, dtype="float32")
    for channel in (0, 1):
        np.testing.assert_array_equal(read_audio(path, channel=channel)[0], expected[:, channel])


@pytest.mark.parametrize("ending", FORMATS)
def test_a_stretch_is_that_of_the_whole_decoded_file(write, ending):
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
def test_a_long_recording_is_decoded_without_a_seam(write, ending):
    # Longer than the 2**20 frames that are decoded at a time.
    tone = 0.4 * np.sin(2 * np.pi * 440 * np.arange(1_100_000) / 16000)
    path = write(f"long.{ending}", np.stack([tone, tone], axis=1), 16000)
    expected, _ = soundfile.read(path, dtype="float32")
    samples, _ = read_audio(path)
    np.testing.assert_allclose(samples, expected[:, 0], rtol=0, atol=1e-6)


def test_integer_samples_are_scaled_to_one(write):
    path = write("extremes.wav", np.array([-32768, 16384, 0], dtype=np.int16), subtype="PCM_16")
    assert read_audio(path)[0].tolist() == [-1.0, 0.5, 0.0]


def test_a_path_object_is_a_path(write):
    path = write("tone.wav", stereo_tones(0.1))
    np.testing.assert_array_equal(read_audio(Path(path))[0], read_audio(path)[0])


@pytest.mark.parametrize(("own_rate", "sample_rate"), [(44100, 16000), (8000, 16000), (48000, 44100)])
def test_resampling_is_soxrs(write, rng, own_rate, sample_rate):
    path = write("noise.wav", rng.uniform(-0.5, 0.5, own_rate), own_rate, subtype="FLOAT")
    expected = soxr.resample(soundfile.read(path, dtype="float32")[0], own_rate, sample_rate, quality="HQ")
    samples, rate = read_audio(path, sample_rate)
    assert rate == sample_rate
    np.testing.assert_array_equal(samples, expected)


def test_a_resampled_tone_is_the_same_tone(write):
    def tone(rate):
        return 0.5 * np.sin(2 * np.pi * 440 * np.arange(rate) / rate)

    path = write("tone.wav", tone(44100), subtype="FLOAT")
    # Away from the ends, where the filter sees silence.
    np.testing.assert_allclose(read_audio(path, 16000)[0][500:-500], tone(16000)[500:-500], atol=1e-4)


@pytest.mark.parametrize("duration", [1.0, 0.3, 1 / 3, 0.77777, 1.37])
@pytest.mark.parametrize(
    ("own_rate", "sample_rate"), [(44100, 16000), (48000, 44100), (11025, 16000), (96000, 8000)]
)
def test_a_duration_has_its_exact_length_at_any_pair_of_rates(write, rng, own_rate, sample_rate, duration):
    path = write("noise.wav", rng.uniform(-0.5, 0.5, 2 * own_rate), own_rate, subtype="FLOAT")
    # 0.24 s is a whole number of samples at all these rates.
    samples, _ = read_audio(path, sample_rate, offset=0.24, duration=duration)
    assert len(samples) == round(duration * sample_rate)
    # The same as cutting the whole resampled file, away from the cuts.
    whole = soxr.resample(soundfile.read(path, dtype="float32")[0], own_rate, sample_rate)
    whole = whole[round(0.24 * sample_rate) :][: len(samples)]
    np.testing.assert_allclose(samples[400:-400], whole[400:-400], atol=1e-4)


def test_a_file_that_lasts_the_duration_exactly_has_its_length_after_resampling(write):
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
def test_a_recording_too_short_is_padded_at_its_end(write, pad, tail):
    path = write("short.wav", np.array([0.1, 0.2, 0.3, 0.4]), 8000, subtype="FLOAT")
    samples, _ = read_audio(path, duration=12 / 8000, pad=pad)
    np.testing.assert_allclose(samples, [0.1, 0.2, 0.3, 0.4, *tail], rtol=1e-6)


@pytest.mark.parametrize("pad", ["zeros", "repeat", "reflect"])
def test_padding_leaves_a_recording_that_is_long_enough_alone(write, pad):
    path = write("long.wav", np.array([0.1, 0.2, 0.3, 0.4]), 8000, subtype="FLOAT")
    np.testing.assert_allclose(read_audio(path, duration=3 / 8000, pad=pad)[0], [0.1, 0.2, 0.3], rtol=1e-6)


# --- files that cannot be used


def test_a_missing_file_is_refused_by_name(tmp_path):
    refuses(tmp_path / "missing.wav", "no such file", "check the path")


def test_a_folder_is_refused_by_name(tmp_path):
    refuses(tmp_path, "is a folder", "find_audio_files")


@pytest.mark.parametrize("ending", FORMATS)
def test_an_empty_file_is_refused_by_name(tmp_path, ending):
    path = tmp_path / f"empty.{ending}"
    path.touch()
    refuses(path, "is empty (0 bytes)", 'on_error="skip"')


@pytest.mark.parametrize("kept", [0.3, 0.6, 0.9, 0.99])
@pytest.mark.parametrize("ending", [*FORMATS, "aiff", "au", "w64", "opus"])
def test_a_truncated_file_is_refused_by_name(write, rng, ending, kept):
    options = {"format": "OGG", "subtype": "OPUS"} if ending == "opus" else {}
    path = write(f"cut.{ending}", 0.1 * rng.standard_normal(96000), 48000, **options)
    assert len(read_audio(path)[0]) == 96000
    content = Path(path).read_bytes()
    Path(path).write_bytes(content[: int(kept * len(content))])
    refuses(path, 'on_error="skip"')


def test_a_truncated_wav_is_told_what_is_missing(write):
    path = write("cut.wav", np.zeros(1000), subtype="PCM_16")
    Path(path).write_bytes(Path(path).read_bytes()[:-500])
    refuses(path, "is truncated: its header promises 2000 bytes of samples, it holds 1500; restore it")


def test_a_truncated_rf64_is_refused_by_name(write):
    path = write("cut.wav", np.zeros(1000), format="RF64")
    Path(path).write_bytes(Path(path).read_bytes()[:-500])
    refuses(path, "is truncated", "restore it")


def test_a_text_with_the_ending_of_a_wav_is_refused_by_name(tmp_path):
    path = tmp_path / "notes.wav"
    path.write_text("recorded on a Tuesday\n" * 100)
    refuses(path, "is no audio that can be decoded", "Format not recognised", "wav, flac, ogg and mp3 are")


def test_a_headerless_file_is_refused_by_name(tmp_path):
    path = tmp_path / "samples.raw"
    path.write_bytes(bytes(1000))
    refuses(path, "is headerless", "convert it")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_float_wav_with_a_sample_that_is_no_number_is_refused_by_name(write, value):
    path = write("nan.wav", np.array([0.0, value, 0.0]), subtype="FLOAT")
    refuses(path, "contains NaN or infinite samples", "repair it", 'on_error="skip"')


def test_a_channel_that_does_not_exist_is_refused_by_name(write):
    path = write("stereo.wav", stereo_tones(0.1))
    refuses(path, "has 2 channel(s), so channel=2 does not exist", '"mix"', channel=2)


@pytest.mark.parametrize("offset", [1.0, 5.0])
def test_an_offset_beyond_the_end_is_refused_by_name(write, offset):
    path = write("second.wav", np.zeros(44100))
    refuses(path, "lasts 1 s", f"nothing is left after offset={offset:g} s", offset=offset)


def test_a_wav_of_a_header_alone_is_refused_by_name(write):
    path = write("header.wav", np.zeros(0))
    refuses(path, "holds no samples", 'on_error="skip"')
    refuses(path, "holds no samples", 'on_error="skip"', duration=1.0)


@pytest.mark.parametrize("size", [0xFFFFFFFF, 0x7FFFFFFF, 0x7FFFF000, 0x7FFFFF00])
def test_a_wav_that_was_streamed_without_a_known_size_is_accepted(write, rng, size):
    samples = rng.uniform(-0.5, 0.5, 4000).astype(np.float32)
    path = write("streamed.wav", samples, 8000, subtype="PCM_16")
    expected, _ = soundfile.read(path, dtype="float32")
    content = bytearray(Path(path).read_bytes())
    at = content.index(b"data")
    content[4:8] = content[at + 4 : at + 8] = struct.pack("<I", size)
    Path(path).write_bytes(content)
    np.testing.assert_array_equal(read_audio(path)[0], expected)


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({"sample_rate": 0}, ValueError, r"sample_rate must lie in \[1, inf\], got 0"),
        ({"sample_rate": 16000.0}, TypeError, "sample_rate must be an integer or None, got 16000.0"),
        ({"offset": -1}, ValueError, r"offset must lie in \[0, inf\], got -1"),
        ({"duration": 0}, ValueError, r"duration must lie in \(0, inf\), got 0"),
        ({"channel": "left"}, ValueError, "channel must be \"mix\" or the index of a channel, got 'left'"),
        ({"channel": -1}, ValueError, r"channel must lie in \[0, inf\], got -1"),
        ({"duration": 1, "pad": "wrap"}, ValueError, "'none', 'zeros', 'repeat', 'reflect', got 'wrap'"),
        ({"pad": "zeros"}, ValueError, "pad='zeros' needs a duration to pad to"),
    ],
)
def test_a_parameter_out_of_range_is_refused_before_the_file_is_opened(options, kind, message):
    with pytest.raises(kind, match=message):
        read_audio("missing.wav", **options)


# --- listing


def test_a_folders_recordings_are_listed_by_path(tmp_path):
    for name in ("b.WAV", "a.flac", "sub/c.mp3", "sub/d.ogg", ".hidden.wav", "notes.txt", "headerless.raw"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    (tmp_path / "folder.wav").mkdir()
    listed = [str(Path(path).relative_to(tmp_path)) for path in find_audio_files(tmp_path)]
    assert listed == ["a.flac", "b.WAV", str(Path("sub/c.mp3")), str(Path("sub/d.ogg"))]
    here = find_audio_files(str(tmp_path), recursive=False)
    assert [Path(path).name for path in here] == ["a.flac", "b.WAV"]


def test_a_folder_without_recordings_is_refused_by_name(tmp_path):
    (tmp_path / "notes.txt").touch()
    with pytest.raises(FileNotFoundError, match=re.escape(f"{tmp_path}: holds no recording; wav, flac")):
        find_audio_files(tmp_path)
    with pytest.raises(FileNotFoundError, match=re.escape(f"{tmp_path / 'missing'}: no such folder")):
        find_audio_files(tmp_path / "missing")
