"""Read sound from a pipe in a thread: wav files with or without a length, or samples without a header."""

import io
import os
import select
import sys
import threading
from typing import Any

from ._file_source import changes_of_format
from ._live_buffer import End, LiveBuffer
from ._notices import seconds_text
from ._pcm import FORMATS, decode
from ._source import SourceError
from ._timing import SLICE, Timer
from ._wav_stream import MAGICS, WavFormat, read_header, skip_chunk

# Number of seconds of a block.
_BLOCK_SECONDS = 0.5
# Maximum number of bytes of a block. A wrong rate in a header must not ask for much memory.
_MAX_BLOCK = 1 << 24
# Maximum number of bytes of one read.
_MAX_READ = 1 << 20


class _InputEnds(Exception):
    """The input has ended inside a header."""


class PipeReader:
    """Reads a pipe in a thread, and puts blocks into a buffer.

    Parameters
    ----------
    file : binary file object
    buffer : LiveBuffer
    name : str
        Name of the source.
    timer : Timer
    raw : WavFormat or None, default=None
        Format of samples without a header. None reads wav files.
    before : tuple of int or None, default=None
        Sample rate and number of channels before the writer was started again.
    """

    def __init__(
        self,
        file: Any,
        buffer: LiveBuffer,
        name: str,
        timer: Timer,
        raw: WavFormat | None = None,
        before: tuple[int, int] | None = None,
    ) -> None:
        self._file, self._buffer, self._name, self._timer, self._raw = file, buffer, name, timer, raw
        self.form: tuple[int, int] | None = before
        self.knows_format = threading.Event()
        self._stopped = threading.Event()
        self._descriptor = _descriptor_of(file)
        # The thread is a daemon, because a read of a pipe cannot be interrupted on Windows.
        self._thread = threading.Thread(target=self._run, name="skaudio_ad pipe", daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def stop(self, timeout: float = 2.0) -> None:
        """Stop reading, and wait for the thread."""
        self._stopped.set()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(timeout)

    def _run(self):
        try:
            end = self._read_raw() if self._raw is not None else self._read_files()
        except SourceError as error:
            end = End(error=error)
        except (OSError, ValueError) as error:  # the file was closed, or its descriptor is broken
            end = End(f"The input cannot be read ({error}).")
        except Exception as error:  # the consumer must not wait for a thread that has ended
            end = End(error=error)
        self._buffer.put_end(end)
        self.knows_format.set()

    def _read_raw(self):
        self._announce(self._raw)
        n_left = self._read_samples(self._raw)
        return End(f"The input has ended.{_incomplete(n_left)}")

    def _read_files(self):
        """Read wav files that follow one another."""
        magic, n_files, wide = self._some_exactly(4), 0, False
        while magic:
            if magic in MAGICS:
                n_files += 1
                try:
                    header = read_header(self._exactly, magic)
                except _InputEnds:
                    raise SourceError(
                        "the input ends inside the wav header, before the first sample."
                    ) from None
                wide = header.pad == 8
                self._announce(header)
                missing = self._read_samples(header)
                if header.n_bytes is not None and missing:
                    seconds = missing / (FORMATS[header.form][0] * header.n_channels * header.sample_rate)
                    text = f"The input has ended {seconds_text(seconds)} before the length in its header."
                    return End(text, missing=seconds)
                if header.n_bytes is None:
                    return End(f"The input has ended.{_incomplete(missing)}")
                try:
                    self._exactly(-header.n_bytes % header.pad)
                except _InputEnds:
                    break
            elif not n_files:
                raise SourceError(
                    "the input does not begin like a wav file. Write a wav file to the pipe (arecord -t wav, ffmpeg -f "
                    "wav -, sox -t wav -), or describe the samples: format='s16le', sample_rate=16000, n_channels=1."
                )
            else:
                try:
                    skip_chunk(self._exactly, magic, wide)
                except _InputEnds:
                    break
            magic = self._some_exactly(4)
        if not n_files:
            raise SourceError(
                "the input has ended before the first sample. Check the program that writes to the pipe."
            )
        return End("The input has ended.")

    def _announce(self, header):
        form = (header.sample_rate, header.n_channels)
        for notice in changes_of_format(self._name, self._name, self.form, form, self._timer.now()):
            self._buffer.put_notice(notice, follows=False)
        self.form = form
        self.knows_format.set()

    def _read_samples(self, header):
        """Put the samples into the buffer. Return the number of bytes that are missing, or that are no whole frame."""
        frame = FORMATS[header.form][0] * header.n_channels
        size = frame * max(1, min(round(_BLOCK_SECONDS * header.sample_rate), _MAX_BLOCK // frame))
        left = header.n_bytes
        pending, since = bytearray(), self._timer.monotonic()
        while not self._stopped.is_set():
            want = size - len(pending) if left is None else min(size - len(pending), left)
            data = self._some(want) if want else b""
            if data:
                pending += data
                left = None if left is None else left - len(data)
            late = self._timer.monotonic() - since >= 2 * _BLOCK_SECONDS
            if len(pending) == size or data == b"" or (late and len(pending) >= frame):
                whole = len(pending) - len(pending) % frame
                if whole:
                    samples = decode(bytes(pending[:whole]), header.form, header.n_channels)
                    self._buffer.put(samples, header.sample_rate)
                    del pending[:whole]
                since = self._timer.monotonic()
            if data == b"":
                break
        return len(pending) if left is None else left

    def _exactly(self, n_bytes):
        data = self._some_exactly(n_bytes)
        if len(data) < n_bytes:
            raise _InputEnds
        return data

    def _some_exactly(self, n_bytes):
        """Return `n_bytes`, or fewer where the input ends."""
        data = b""
        while len(data) < n_bytes and not self._stopped.is_set():
            more = self._some(n_bytes - len(data))
            if more == b"":
                break
            data += more or b""
        return data

    def _some(self, n_bytes):
        """Return some bytes, b"" at the end of the input, or None where nothing has arrived for half a second."""
        if self._descriptor is None:
            read = getattr(self._file, "read1", self._file.read)
            return read(min(n_bytes, _MAX_READ))
        if sys.platform != "win32":
            poll = select.poll()  # select refuses descriptors above 1023
            poll.register(self._descriptor, select.POLLIN)
            if not poll.poll(1000 * SLICE):
                return None
        return os.read(self._descriptor, min(n_bytes, _MAX_READ))


def _descriptor_of(file):
    try:
        return file.fileno()
    except (AttributeError, io.UnsupportedOperation):
        return None


def _incomplete(n_bytes):
    return f" The last {n_bytes} bytes are no whole sample of all channels." if n_bytes else ""
