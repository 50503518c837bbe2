"""Standard input and other pipes."""

import io
import os
import struct
import threading
import time

import numpy as np
import pytest
import soundfile

from skaudio_ad.monitoring.sources import PipeSource, SourceError, open_source

from .fake_timer import blocks_of, notices_of

RATE = 800
SUBTYPES = ("PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE")


@pytest.fixture(autouse=True)
def short_waits(monkeypatch):
    monkeypatch.setattr("skaudio_ad.monitoring.sources._pipe_reader.SLICE", 0.02)
    monkeypatch.setattr("skaudio_ad.monitoring.sources._live_buffer.SLICE", 0.02)


@pytest.fixture
def samples():
    return np.random.RandomState(0).uniform(-1, 1, (2000, 2)).astype(np.float32)


def wav(samples, subtype="PCM_16", rate=RATE, form="WAV"):
    file = io.BytesIO()
    soundfile.write(file, samples, rate, subtype=subtype, format=form)
    return file.getvalue()


def with_size(data, size):
    """Return a wav file with another size of its samples in the header."""
    index = data.index(b"data") + 4
    return data[:index] + struct.pack("<I", size) + data[index + 4 :]


def play(data, **options):
    source = PipeSource(io.BytesIO(data), **options)
    items = [item for item in source.stream() if item is not None]
    source.close()
    return items


def joined(items):
    return np.concatenate([block.samples for block in blocks_of(items)])


@pytest.mark.parametrize(
    ("form", "subtype"),
    [(form, subtype) for form in ("WAV", "WAVEX") for subtype in SUBTYPES]
    + [("RF64", "PCM_24"), ("W64", "PCM_16")],
)
def test_a_wav_file_is_decoded_as_libsndfile_does(samples, form, subtype):
    data = wav(samples, subtype, form=form)
    expected, _ = soundfile.read(io.BytesIO(data), dtype="float32")
    items = play(data)
    np.testing.assert_allclose(joined(items), expected, rtol=0, atol=1e-7)
    assert [item.kind for item in notices_of(items)] == ["end"]
    assert {block.sample_rate for block in blocks_of(items)} == {RATE}


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF, 0x7FFFF000, 0x7FFFFF00, 0x80000000 - 24])
def test_a_header_without_a_length_is_read_to_the_end(samples, size):
    items = play(with_size(wav(samples), size))
    assert joined(items).shape == (2000, 2)


def test_files_that_follow_one_another_are_read_and_a_new_rate_is_reported(samples):
    listed = wav(samples[:, 0]) + b"LIST" + struct.pack("<I", 3) + b"abc\0"
    items = play(listed + wav(samples, rate=400))
    assert [item.kind for item in notices_of(items)] == ["rate", "channels", "end"]
    assert [block.samples.shape for block in blocks_of(items)][:6] == [(400, 1)] * 5 + [(200, 2)]
    assert blocks_of(items)[4].stream != blocks_of(items)[5].stream


def test_an_input_that_ends_too_early_says_how_much_is_missing(samples):
    data = wav(samples)
    (end,) = notices_of(play(data[: len(data) - 4 * RATE]))
    assert end.duration == pytest.approx(1.0)
    assert "1 s before the length in its header" in end.text


@pytest.mark.parametrize(
    ("form", "dtype"),
    [("s16le", "<i2"), ("S16_BE", ">i2"), ("s32le", "<i4"), ("f32le", "<f4"), ("f64be", ">f8")],
)
def test_samples_without_a_header_are_decoded(samples, form, dtype):
    peak = 1 if "f" in dtype else 2.0 ** (8 * np.dtype(dtype).itemsize - 1) - 1
    data = (samples.astype(float) * peak).astype(dtype).tobytes()
    items = play(data, format=form, sample_rate=RATE, n_channels=2)
    np.testing.assert_allclose(joined(items), samples, atol=1e-4)


def test_24_bits_of_arecord_and_of_ffmpeg_differ_in_their_padding(samples):
    values = (samples[:, 0].astype(float) * (2**23 - 1)).astype("<i4")
    packed = values.view("u1").reshape(-1, 4)[:, :3].tobytes()
    padded = (values & 0xFFFFFF).tobytes()
    for data, form in ((packed, "s24le"), (padded, "S24_LE")):
        np.testing.assert_allclose(
            joined(play(data, format=form, sample_rate=RATE))[:, 0], values / 2**23, atol=1e-6
        )


def test_a_wav_file_of_arecord_with_24_bits_in_4_bytes_has_the_right_level():
    values = np.array([1 << 22, -(1 << 22), 0], "<i4")
    header = struct.pack(
        "<4sI8sIHHIIHH", b"RIFF", 0, b"WAVEfmt ", 16, 1, 1, RATE, 4 * RATE, 4, 24
    )  # as arecord writes
    items = play(header + b"data\0\0\0\x80" + (values & 0xFFFFFF).tobytes())
    np.testing.assert_array_equal(joined(items)[:, 0], [0.5, -0.5, 0.0])


def test_an_incomplete_last_sample_is_reported(samples):
    items = play(samples.tobytes() + b"abc", format="f32le", sample_rate=RATE, n_channels=2)
    assert "The last 3 bytes are no whole sample" in items[-1].text


def test_samples_that_are_not_a_number_stay():
    items = play(np.full(10, np.nan, np.float32).tobytes(), format="f32le", sample_rate=RATE)
    assert np.isnan(joined(items)).all()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "has ended before the first sample"),
        (b"\x01\x02\x03\x04" * 100, "does not begin like a wav file.*format='s16le', sample_rate=16000"),
        (b"RIFF\0\0\0\0WAVEfmt ", "ends inside the wav header"),
        (b"RIFF\0\0\0\0AVI fmt ", "its header is damaged"),
        (b"RIFF\0\0\0\0WAVEdata\0\0\0\0", "says nothing about the format"),
        (
            b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0\x07\0\1\0\x40\x1f\0\0\x40\x1f\0\0\1\0\x08\0",
            "format 7 with 8 bits",
        ),
        (b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0\1\0\0\0\x40\x1f\0\0\x40\x1f\0\0\2\0\x10\0", "0 channels"),
        (b"RIFF\0\0\0\0WAVELIST\xff\xff\xff\xff", "a chunk of 4294967295 bytes"),
    ],
)
def test_an_input_that_is_no_wav_file_is_refused_with_a_way_out(data, message):
    source = PipeSource(io.BytesIO(data))
    with pytest.raises(SourceError, match=f"pipe: .*{message}"):
        source.describe()
    with pytest.raises(SourceError, match=message):
        list(source.stream())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sample_rate": 16000}, "give their format too"),
        ({"format": "s16le"}, "give their sample_rate"),
        ({"format": "mp3", "sample_rate": 16000}, "format must be 'auto', 'wav'.*got 'mp3'"),
        ({"patience": 0}, "patience"),
    ],
)
def test_parameters_that_do_not_fit_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        PipeSource(io.BytesIO(), **options)


def test_a_dash_is_standard_input(monkeypatch, samples):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(wav(samples))))
    source = open_source("-")
    assert isinstance(source, PipeSource)
    info = source.describe()
    assert (info.sample_rate, info.n_channels, info.live) == (RATE, 2, True)
    assert joined(source.stream()).shape == (2000, 2)
    source.close()


def test_a_terminal_is_refused_as_standard_input(monkeypatch):
    terminal = io.TextIOWrapper(io.BytesIO())
    terminal.isatty = lambda: True
    monkeypatch.setattr("sys.stdin", terminal)
    with pytest.raises(SourceError, match="standard input is no pipe"):
        PipeSource().describe()


def test_a_header_with_a_wrong_rate_asks_for_little_memory():
    header = wav(np.zeros((0, 2)))
    data = header[:24] + struct.pack("<I", 4_000_000_000) + header[28:]
    (block, *_) = play(with_size(data, 0) + bytes(1 << 25))
    assert block.samples.nbytes <= 1 << 25


@pytest.fixture
def pipe():
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb", buffering=0) as source, os.fdopen(writing, "wb", buffering=0) as sink:
        yield source, sink


def test_a_pipe_that_stalls_is_lost_and_comes_back(pipe, samples):
    reading, writing = pipe
    source = PipeSource(reading, patience=0.05, format="f32le", sample_rate=RATE, n_channels=2)
    writing.write(samples[:400].tobytes())
    items = []
    for item in source.stream():
        items.append(item)
        if item is not None and getattr(item, "kind", "") == "lost":
            writing.write(samples[400:].tobytes())
            writing.close()
    kinds = [getattr(item, "kind", "block") for item in items if item is not None]
    assert kinds == ["block", "lost", "back", "block", "block", "block", "block", "end"]
    assert len({block.stream for block in blocks_of(items)}) == 2
    source.close()


def test_a_closed_source_ends_while_its_pipe_is_silent(pipe):
    source = PipeSource(pipe[0], format="f32le", sample_rate=RATE)
    source.describe()
    threading.Timer(0.05, source.close).start()
    began = time.monotonic()
    assert set(source.stream()) <= {None}
    source.close()
    assert time.monotonic() - began < 2.0


def test_a_writer_that_is_faster_than_real_time_waits_and_loses_nothing(pipe, samples):
    reading, writing = pipe
    long = np.tile(samples, (40, 1))  # 100 s, and the buffer holds 10 s
    writer = threading.Thread(target=lambda: (writing.write(long.tobytes()), writing.close()))
    source = PipeSource(reading, format="f32le", sample_rate=RATE, n_channels=2, buffer=10.0)
    source.describe()
    writer.start()
    items = list(source.stream())
    writer.join()
    np.testing.assert_array_equal(joined(items), long)
    assert [notice.kind for notice in notices_of(items)] == ["clock", "end"]
    assert "faster than real time" in notices_of(items)[0].text
    assert len({block.stream for block in blocks_of(items)}) == 1  # the notice parts no windows
    times = [block.time for block in blocks_of(items)]
    np.testing.assert_allclose(np.diff(times), 0.5, atol=1e-6)
    source.close()


def test_a_pipe_is_read_in_a_program_with_many_open_files():
    fcntl, resource = pytest.importorskip("fcntl"), pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 1100:
        pytest.skip("this computer allows few open files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 1100), hard))
    try:
        low, writer = os.pipe()
        high = fcntl.fcntl(low, fcntl.F_DUPFD_CLOEXEC, 1030)
        os.close(low)
        os.write(writer, bytes(3200))
        os.close(writer)
        with os.fdopen(high, "rb") as file:
            source = PipeSource(file, sample_rate=16000, format="s16le")
            items = [item for item in source.stream() if item is not None]
            source.close()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert [len(block.samples) for block in blocks_of(items)] == [1600]
