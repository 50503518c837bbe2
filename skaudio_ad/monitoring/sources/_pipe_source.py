"""`PipeSource`: standard input, or another pipe."""

import os
import stat
import sys
import threading
from collections.abc import Iterator
from typing import Any

from ..._checks import check_number
from ..._clip_errors import shown
from .._records import Block, Notice
from ._live_buffer import MAX_SECONDS, End, LiveBuffer
from ._notices import make_notice, seconds_text
from ._pcm import check_format
from ._pipe_reader import PipeReader
from ._source import SourceError, SourceInfo
from ._timing import Timer
from ._wav_stream import WavFormat


class PipeSource:
    """Sound from standard input or another pipe.

    The input is a wav file, as ``arecord``, ``ffmpeg`` and ``sox`` write to a pipe (RIFF, RF64, BW64 or Sony Wave64,
    with or without a length; 8, 16, 24 or 32 bits, 32-bit or 64-bit float), or samples without a header.

    Parameters
    ----------
    file : binary file object or None, default=None
        Such as ``subprocess.Popen(...).stdout``. None is standard input.
    sample_rate : int or None, default=None
        Samples per second of samples without a header, in hertz.
    n_channels : int or None, default=None
        Number of channels of samples without a header. None is one channel.
    format : str, default="auto"
        "auto" or "wav" for wav files. Otherwise the format of samples without a header, by the name of FFmpeg ("s16le",
        "s24le", "s32le", "f32le", ...) or of arecord ("S16_LE", "S24_3LE", "FLOAT_LE", ...). "S24_LE" of arecord is 24
        bits in 4 bytes.
    patience : float, default=10.0
        Seconds without sound after which the source is reported as lost. The default is ten times the longest write of
        common recorders.
    buffer : float, default=30.0
        Maximum number of seconds of sound that wait to be scored.
    timer : Timer or None, default=None
        Clocks, for tests. None takes the clocks of the computer.

    Raises
    ------
    TypeError, ValueError
        If a parameter is out of range, or a rate is given for a wav file.

    Notes
    -----
    A thread reads the input, so that the writer seldom waits. When the buffer is full, live sound is dropped, the
    oldest first, and a notice "overrun" gives the exact duration. A writer that is faster than real time, such as
    ``cat long.wav``, waits instead, and nothing is dropped.

    The first block ends at the time of its arrival. Later times count samples. Where they differ from the clock of the
    computer by more than 2 s, the clock is followed from there on, with a notice "clock". Sound that is faster than
    real time counts samples only. A restart cannot go back.

    Examples
    --------
    >>> import io
    >>> import numpy as np
    >>> from skaudio_ad.monitoring import Block
    >>> from skaudio_ad.monitoring.sources import PipeSource
    >>> samples = io.BytesIO(np.zeros(16000, dtype="<i2").tobytes())
    >>> source = PipeSource(samples, sample_rate=16000, format="s16le")
    >>> [item.samples.shape if isinstance(item, Block) else item.kind for item in source.stream() if item is not None]
    [(8000, 1), (8000, 1), 'end']
    """

    def __init__(
        self,
        file: Any = None,
        *,
        sample_rate: int | None = None,
        n_channels: int | None = None,
        format: str = "auto",
        patience: float = 10.0,
        buffer: float = MAX_SECONDS,
        timer: Timer | None = None,
    ) -> None:
        check_number(patience, "patience", low=0, closed="right")
        check_number(buffer, "buffer", low=1)
        self._raw = _raw_format(sample_rate, n_channels, format)
        self._file, self._patience, self._seconds = file, patience, buffer
        self.name = "standard input" if file is None else "pipe"
        self._timer = timer or Timer()
        self._reader: PipeReader | None = None
        self._buffer: LiveBuffer | None = None
        self._closed = threading.Event()

    def describe(self) -> SourceInfo:
        """Wait for the header.

        Returns
        -------
        SourceInfo
            The rate is None if no header has arrived within `patience` seconds.

        Raises
        ------
        SourceError
            If standard input is a terminal, or if the input is no wav file and its samples are not described, or has
            ended.
        """
        reader, buffer = self._start()
        if not reader.knows_format.wait(self._patience):
            return SourceInfo(None, None, live=True)
        if reader.form is None:
            end = buffer.get()
            error = end.error if isinstance(end, End) else None
            buffer.put_end(end if isinstance(end, End) else End())
            raise SourceError(f"{shown(self.name)}: {error or 'the input cannot be read.'}")
        rate, n_channels = reader.form
        return SourceInfo(rate, n_channels, live=not self._is_regular())

    def stream(self, position: Any = None) -> Iterator[Block | Notice | None]:
        """Yield blocks and notices until the input ends.

        Parameters
        ----------
        position : object, default=None
            Ignored, because a pipe cannot go back.

        Yields
        ------
        Block, Notice or None

        Raises
        ------
        SourceError
            If the input is no wav file and its samples are not described.
        """
        _, buffer = self._start()
        buffer.expect_sound()
        lost = False
        while not self._closed.is_set():
            item = buffer.get()
            if isinstance(item, End):
                if item.error is not None:
                    raise SourceError(f"{shown(self.name)}: {item.error}") from item.error
                yield self._end(item)
                return
            lost = lost and not isinstance(item, Block)
            if item is None and not lost and buffer.silent_for() >= self._patience:
                lost = True
                yield self._lost(buffer.mark_lost())
            yield item

    def close(self) -> None:
        """Stop reading. The file stays open."""
        self._closed.set()
        if self._buffer is not None:
            self._buffer.close()
        if self._reader is not None:
            self._reader.stop()

    def _start(self):
        if self._reader is None or self._buffer is None:
            if self._file is None and (sys.stdin is None or sys.stdin.isatty()):
                raise SourceError(
                    "standard input is no pipe. Let a program write into the pipe: "
                    "arecord -f S16_LE -r 16000 -t wav - | skaudio-ad watch DETECTOR -"
                )
            file = sys.stdin.buffer if self._file is None else self._file
            self._buffer = LiveBuffer(self.name, self._timer, self._seconds, can_wait=self._is_regular())
            self._reader = PipeReader(file, self._buffer, self.name, self._timer, self._raw)
            self._reader.start()
        return self._reader, self._buffer

    def _is_regular(self):
        """Whether the input is a file on a disk, which waits without loss."""
        try:
            return stat.S_ISREG(os.fstat((self._file or sys.stdin).fileno()).st_mode)
        except (AttributeError, OSError, ValueError):
            return False

    def _lost(self, time):
        return make_notice(
            "lost",
            self.name,
            time,
            f"{shown(self.name)}: no sound has arrived for {seconds_text(self._patience)}. The source waits. Check the "
            "program that writes to the pipe.",
        )

    def _end(self, end):
        return make_notice(
            "end", self.name, self._timer.now(), f"{shown(self.name)}: {end.text}", duration=end.missing
        )


def _raw_format(sample_rate, n_channels, form):
    """Return the format of samples without a header, or None for wav files."""
    if form in ("auto", "wav"):
        if sample_rate is not None or n_channels is not None:
            raise ValueError(
                "sample_rate and n_channels belong to samples without a header: give their format too, such as "
                "format='s16le'. A wav file tells its rate and channels."
            )
        return None
    form = check_format(form)
    if sample_rate is None:
        raise ValueError(
            f"format={form!r} describes samples without a header: give their sample_rate, in hertz."
        )
    check_number(sample_rate, "sample_rate", low=1, integer=True)
    n_channels = 1 if n_channels is None else n_channels
    check_number(n_channels, "n_channels", low=1, integer=True)
    return WavFormat(int(sample_rate), int(n_channels), form, None, 1)
