"""Files with a wrong header, and files that are damaged in the middle."""

import re
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

from skaudio_ad.audio import _decode, find_audio_files, read_audio

from .recordings import refuses, stereo_tones


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


def test_a_flac_of_unknown_length_from_a_pipe_is_read_completely(write, rng):
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
def test_a_wav_whose_rate_leaves_no_sample_is_refused_by_name(write, rate):
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


def test_a_file_that_needs_too_much_memory_is_refused_by_name(write, monkeypatch):
    def fail(self, block):
        raise MemoryError

    path = write("tone.wav", stereo_tones(0.1))
    monkeypatch.setattr(_decode._Growing, "append", fail)
    refuses(path, "needs more memory than there is; give a (shorter) duration")


def ogg_pages(content):
    """Positions of the starts of all pages, and of the end."""
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


@pytest.mark.parametrize("n_channels", [1, 2])
@pytest.mark.parametrize("tag", [1, 0xFFFE])
def test_a_wav_with_24_bits_in_4_bytes_is_refused_because_libsndfile_misreads_the_samples(
    tmp_path, rng, tag, n_channels
):
    samples = rng.integers(-(2**22), 2**22, (400, n_channels), dtype="<i4").tobytes()
    form = struct.pack("<HHIIHH", tag, n_channels, 16000, 64000 * n_channels, 4 * n_channels, 24)
    if tag == 0xFFFE:
        form += struct.pack("<HHIHH12s", 22, 24, 3, 1, 0, bytes.fromhex("00001000800000aa00389b71"))
    body = (
        b"WAVEfmt "
        + struct.pack("<I", len(form))
        + form
        + b"data"
        + struct.pack("<I", len(samples))
        + samples
    )
    path = tmp_path / "padded.wav"
    path.write_bytes(b"RIFF" + struct.pack("<I", len(body)) + body)
    refuses(path, "24 bits in 4 bytes", "record with arecord -f S24_3LE or S32_LE", "leave it out")


@pytest.mark.parametrize("subtype", ["PCM_24", "PCM_32"])
def test_a_wav_of_24_or_32_bits_whose_samples_fill_their_bytes_is_read(write, rng, subtype):
    samples = 0.1 * rng.standard_normal(400)
    path = write("packed.wav", samples, 16000, subtype=subtype)
    np.testing.assert_allclose(read_audio(path)[0], samples, atol=1e-6)
