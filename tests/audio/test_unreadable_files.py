"""Files that cannot be used as clips."""

import os
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile

from skaudio_ad.audio import AudioClips, AudioReadError, find_audio_files, read_audio

from .recordings import FORMATS, refuses, stereo_tones


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


def test_the_error_for_a_truncated_wav_gives_the_sizes(write):
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
    refuses(
        path,
        "is no audio that can be decoded",
        "Format not recognised",
        "Readable formats are wav, flac, ogg and mp3",
    )


@pytest.mark.parametrize("ending", ["raw", "au", "snd", "vox", "gsm"])
def test_a_headerless_file_is_refused_by_name(tmp_path, ending):
    path = tmp_path / f"samples.{ending}"
    path.write_bytes(b"recorded on a Tuesday\n" * 100)
    refuses(path, "is headerless", "convert it")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_float_wav_with_nan_or_infinity_is_refused_by_name(write, value):
    path = write("nan.wav", np.array([0.0, value, 0.0]), subtype="FLOAT")
    refuses(path, "contains NaN or infinite samples", "repair it", 'on_error="skip"')


def test_a_channel_that_does_not_exist_is_refused_by_name(write):
    path = write("stereo.wav", stereo_tones(0.1))
    refuses(path, "has 2 channel(s), so channel=2 does not exist", '"mix"', channel=2)


@pytest.mark.parametrize("offset", [1.0, 5.0])
def test_an_offset_beyond_the_end_is_refused_by_name(write, offset):
    path = write("second.wav", np.zeros(44100))
    refuses(path, "lasts 1 s", f"nothing is left after offset={offset:g} s", offset=offset)


def test_a_wav_with_a_header_but_no_samples_is_refused_by_name(write):
    path = write("header.wav", np.zeros(0))
    refuses(path, "holds no samples", 'on_error="skip"')
    refuses(path, "holds no samples", 'on_error="skip"', duration=1.0)


@pytest.mark.parametrize("size", [0xFFFFFFFF, 0x7FFFFFFF, 0x7FFFF000, 0x7FFFFF00])
def test_a_wav_from_a_stream_of_unknown_size_is_accepted(write, rng, size):
    samples = rng.uniform(-0.5, 0.5, 4000).astype(np.float32)
    path = write("streamed.wav", samples, 8000, subtype="PCM_16")
    expected, _ = soundfile.read(path, dtype="float32")
    content = bytearray(Path(path).read_bytes())
    at = content.index(b"data")
    content[4:8] = content[at + 4 : at + 8] = struct.pack("<I", size)
    Path(path).write_bytes(content)
    np.testing.assert_array_equal(read_audio(path)[0], expected)


# --- paths that are no files


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes in folders")
def test_a_pipe_a_device_or_a_broken_link_is_refused_at_once(tmp_path, write):
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
