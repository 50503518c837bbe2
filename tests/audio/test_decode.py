import os
import re
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

from skaudio_ad.audio import AudioClips, AudioReadError, _decode, find_audio_files, read_audio

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


@pytest.mark.parametrize("ending", ["raw", "au", "snd", "vox", "gsm"])
def test_a_headerless_file_is_refused_by_name(tmp_path, ending):
    path = tmp_path / f"samples.{ending}"
    path.write_bytes(b"recorded on a Tuesday\n" * 100)
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


# --- headers that lie, and files that are damaged in their midst


def replace_bits(content, start, stop, n_bits, value):
    """Set the last `n_bits` of the big-endian integer at content[start:stop]."""
    whole = int.from_bytes(content[start:stop], "big") >> n_bits << n_bits | value
    content[start:stop] = whole.to_bytes(stop - start, "big")


def rewrite(path, change):
    content = bytearray(Path(path).read_bytes())
    changed = change(content)
    Path(path).write_bytes(content if changed is None else changed)


def set_flac_frames(n_frames):
    return lambda content: replace_bits(content, 18, 26, 36, n_frames)


def test_a_flac_of_unknown_length_from_a_pipe_is_read_whole(write, rng):
    path = write("pipe.flac", 0.1 * rng.standard_normal(50000), 16000)
    expected = read_audio(path)[0]
    rewrite(path, set_flac_frames(0))
    np.testing.assert_array_equal(read_audio(path)[0], expected)
    np.testing.assert_array_equal(read_audio(path, duration=9.0)[0], expected)
    np.testing.assert_array_equal(read_audio(path, offset=1.0, duration=0.5)[0], expected[16000:24000])
    np.testing.assert_array_equal(read_audio(path, 8000)[0], soxr.resample(expected, 16000, 8000))
    refuses(path, "holds no samples", "offset=9 s", offset=9.0)


def test_a_flac_that_promises_more_samples_than_any_memory_holds_is_refused_by_name(write, rng):
    path = write("lie.flac", 0.1 * rng.standard_normal(50000), 16000)
    rewrite(path, set_flac_frames(2**36 - 1))
    refuses(path, "is truncated", "3.125 s of 4.29497e+06 s")


def test_an_mp3_that_promises_more_samples_than_any_memory_holds_is_refused_by_name(write, rng):
    path = write("lie.mp3", 0.1 * rng.standard_normal(48000), 48000)

    def lie(content):
        at = max(content.find(b"Xing"), content.find(b"Info"))
        content[at + 8 : at + 12] = b"\xff" * 4

    rewrite(path, lie)
    refuses(path, "is truncated")


def test_a_wav_that_says_one_hertz_does_not_become_gigabytes(write):
    path = write("hertz.wav", np.zeros(4000), 1)
    refuses(path, "lasts 1.11 hours by its header, which says 1 Hz", "64000000 samples", sample_rate=16000)
    assert len(read_audio(path, 16000, duration=2.0)[0]) == 32000
    assert len(read_audio(write("slow.wav", np.zeros(4000), 1000), 16000)[0]) == 64000


@pytest.mark.parametrize("rate", [2**31 - 1, 10**6])
def test_a_wav_of_a_rate_that_leaves_no_sample_is_refused_by_name(write, rate):
    refuses(write("fast.wav", np.zeros(10), rate), "holds no samples (at 16000 Hz", sample_rate=16000)


@pytest.mark.parametrize("size", [5 << 30, 0xFFFFFFFF])
def test_an_rf64_of_gigabytes_that_holds_kilobytes_is_refused_by_name(write, size):
    path = write("long.wav", np.zeros(1000), format="RF64")

    def lie(content):
        at = content.index(b"ds64") + 8
        content[at : at + 24] = struct.pack("<QQQ", size + 100, size, size // 2)

    rewrite(path, lie)
    refuses(path, "is truncated")


@pytest.mark.parametrize("name", [b"LIST", b"junk"])
def test_a_chunk_of_4_gigabytes_in_front_of_the_samples_is_refused_by_name(write, name):
    path = write("chunk.wav", np.zeros(1000))
    rewrite(path, lambda content: content[:12] + name + b"\xfe\xff\xff\xff" + content[12:])
    refuses(path)


def test_a_file_that_takes_more_memory_than_there_is_is_refused_by_name(write, monkeypatch):
    def fail(self, block):
        raise MemoryError

    path = write("tone.wav", stereo_tones(0.1))
    monkeypatch.setattr(_decode._Growing, "append", fail)
    refuses(path, "needs more memory than there is; give a (shorter) duration")


def ogg_pages(content):
    """Where every page begins, and the end."""
    return [match.start() for match in re.finditer(b"OggS", content)] + [len(content)]


def flip(content):
    pages = ogg_pages(content)
    content[pages[len(pages) // 2] + 100] ^= 4


def drop_page(content):
    pages = ogg_pages(content)
    middle = len(pages) // 2
    return content[: pages[middle]] + content[pages[middle + 1] :]


TAGS = {"no tags": "", "long tags": "long tags fill the log of libsndfile " * 100}


@pytest.mark.parametrize("tags", TAGS)
@pytest.mark.parametrize("damage", [flip, drop_page])
@pytest.mark.parametrize("subtype", ["VORBIS", "OPUS"])
def test_an_ogg_with_a_broken_or_missing_page_is_refused_by_name(tmp_path, rng, subtype, damage, tags):
    path = tmp_path / "hole.ogg"
    samples = 0.1 * rng.standard_normal(480000)
    with soundfile.SoundFile(path, "w", 48000, 1, format="OGG", subtype=subtype) as file:
        if TAGS[tags]:
            file.comment = TAGS[tags]
        file.write(samples)
    assert len(read_audio(path)[0]) == 480000
    rewrite(path, damage)
    refuses(path, "restore it or leave it out")


def with_long_tags(path):
    """Put a chunk of long tags in front of the samples of a wav."""
    content = Path(path).read_bytes()
    tags = b"INFO" + b"".join(
        name + struct.pack("<I", 600) + b"words " * 100
        for name in (b"INAM", b"IART", b"ICMT", b"ICOP", b"IGNR")
    )
    at = content.index(b"data")
    content = content[:at] + b"LIST" + struct.pack("<I", len(tags)) + tags + content[at:]
    return content[:4] + struct.pack("<I", len(content) - 8) + content[8:]


def test_a_truncated_wav_with_long_tags_is_refused_by_name(write, rng):
    path = write("tagged.wav", 0.1 * rng.standard_normal(48000), 48000)
    expected = read_audio(path)[0]
    tagged = with_long_tags(path)
    Path(path).write_bytes(tagged)
    np.testing.assert_array_equal(read_audio(path)[0], expected)
    Path(path).write_bytes(tagged[:-40000])
    refuses(path, "is truncated: its header promises 96000 bytes of samples, it holds 56000")


@pytest.mark.real_data
def test_intact_recordings_in_ogg_are_read(data_home):
    paths = find_audio_files(data_home / "esc10")[::20]
    assert len(paths) == 20
    assert {len(read_audio(path, 16000)[0]) for path in paths} <= set(range(79000, 81000))


# --- long recordings


@pytest.mark.parametrize("block", [1 << 12, 100_003])
@pytest.mark.parametrize(
    "rates", [(44100, 16000), (8000, 16000), (22050, 32000), (48000, 8000), (16000, 16000)]
)
def test_samples_do_not_depend_on_the_blocks_and_are_those_of_resampling_at_once(
    write, rng, monkeypatch, rates, block
):
    samples = rng.uniform(-0.5, 0.5, (60_001, 2))
    path = write("noise.wav", samples, rates[0], subtype="FLOAT")
    mean = soundfile.read(path, dtype="float32")[0].mean(axis=1)
    expected = mean if rates[0] == rates[1] else soxr.resample(mean, *rates, quality="HQ")
    monkeypatch.setattr(_decode, "_BLOCK", block)
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
def test_memory_of_a_long_recording_is_that_of_its_samples(write):
    path = write("long.wav", np.zeros((48000 * 300, 2), dtype=np.int16), 48000, subtype="PCM_16")
    done = subprocess.run([sys.executable, "-c", MEASURE, path], capture_output=True, text=True, check=True)
    growth, n_bytes = map(int, done.stdout.split())
    assert n_bytes == 4 * 16000 * 300
    assert growth < 1.35 * n_bytes + 30e6


# --- what is no file


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes in folders")
def test_what_is_no_file_is_refused_at_once(tmp_path, write):
    os.mkfifo(tmp_path / "pipe.wav")
    (tmp_path / "broken.wav").symlink_to(tmp_path / "gone.wav")
    (tmp_path / "loop.wav").symlink_to(tmp_path / "loop.wav")
    refuses(tmp_path / "pipe.wav", "is a pipe, a socket or a device")
    refuses(tmp_path / "broken.wav", "is a link to a file that does not exist")
    refuses(tmp_path / "loop.wav", "cannot be opened (Too many levels of symbolic links)")
    refuses("/dev/zero", "is a pipe, a socket or a device")
    refuses(f"{tmp_path}/{'x' * 300}.wav", "cannot be opened (File name too long)")
    with pytest.raises(AudioReadError, match=r"a\\x00b\.wav: cannot be opened \(embedded null byte\)"):
        read_audio("a\0b.wav")
    write("tone.wav", np.zeros(10))
    names = [Path(path).name for path in find_audio_files(tmp_path)]
    assert names == ["broken.wav", "loop.wav", "pipe.wav", "tone.wav"]
    assert AudioClips(find_audio_files(tmp_path), 16000).cache_keys("content")[:3] == [None] * 3


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
