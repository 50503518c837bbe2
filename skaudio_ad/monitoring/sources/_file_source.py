"""`FileSource`: files played at any speed, for replays and tests."""

import os
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ..._checks import check_number
from ..._clip_errors import shown
from ..._typing import PathLike
from ...audio._open import AudioReadError
from .._records import Block, Notice
from ._audio_file import open_sound
from ._file_times import check_time_zone, time_in_name
from ._notices import as_text, make_notice
from ._source import SourceError, SourceInfo
from ._timing import Pace, Timer


class FileSource:
    """Files of sound, played one after another.

    Parameters
    ----------
    path : str, path-like, or sequence of them
        Files, in the order in which they are played.
    speed : float, default=inf
        Seconds of sound per second. 1 is real time. Infinity gives the blocks as fast as the consumer takes them.
    start : float or None, default=None
        Unix time of the first sample of the first file, in seconds. Every further file then begins when the file before
        it ends. None takes the time in the name of each file, such as ``20261127_095411.wav``, or else the time of the
        file's modification minus its duration.
    time_zone : str or None, default=None
        Time zone of times in names that do not name one, such as "UTC". None is the time zone of this computer.
    timer : Timer or None, default=None
        Clocks, for tests. None takes the clocks of the computer.

    Raises
    ------
    ValueError
        If there is no file, or a parameter is out of range.

    Notes
    -----
    Blocks last one second. A position holds the number of the file, its path, and the number of the next frame. A file
    that cannot be read ends the replay with a :class:`SourceError`, because a replay with a hole measures nothing.

    Examples
    --------
    >>> from skaudio_ad.monitoring.sources import FileSource
    >>> FileSource("night.wav", speed=60, start=1_700_000_000.0).name
    'night.wav'
    """

    def __init__(
        self,
        path: PathLike | Sequence[PathLike],
        *,
        speed: float = float("inf"),
        start: float | None = None,
        time_zone: str | None = None,
        timer: Timer | None = None,
    ) -> None:
        check_number(speed, "speed", low=0, closed="right")
        check_number(start, "start", none=True)
        check_time_zone(time_zone)
        given = [path] if isinstance(path, (str, os.PathLike)) else list(path)
        if not given:
            raise ValueError("path must name at least one file, got an empty sequence.")
        self._paths = [os.fsdecode(item) for item in given]
        first = as_text(self._paths[0])
        self.name = first if len(self._paths) == 1 else f"{first} and {len(self._paths) - 1} more"
        self._speed, self._start, self._time_zone = speed, start, time_zone
        self._timer, self._closed = timer or Timer(), threading.Event()

    def describe(self) -> SourceInfo:
        """Read the header of the first file.

        Returns
        -------
        SourceInfo

        Raises
        ------
        SourceError
            If the file cannot be read.
        """
        try:
            with open_sound(self._paths[0]) as file:
                return SourceInfo(file.sample_rate, file.n_channels, live=False)
        except AudioReadError as error:
            raise SourceError(str(error)) from error

    def stream(self, position: Any = None) -> Iterator[Block | Notice | None]:
        """Yield the blocks of all files, and a notice where the rate or the number of channels changes.

        Parameters
        ----------
        position : dict or None, default=None
            ``position`` of a block. None begins with the first file.

        Yields
        ------
        Block, Notice or None

        Raises
        ------
        SourceError
            If a file cannot be read to its end, or `position` belongs to other files.
        """
        first, frame, end = self._where(position)
        pace, played, format_before = Pace(self._speed, self._timer, self._closed), 0.0, None
        for index, path in list(enumerate(self._paths))[first:]:
            try:
                with open_sound(path) as file:
                    begin = self._time_of(file) if end is None else end
                    rate, form = file.sample_rate, (file.sample_rate, file.n_channels)
                    yield from changes_of_format(self.name, path, format_before, form, begin)
                    format_before = form
                    for samples, next_frame, _ in file.blocks(frame):
                        yield from pace.wait(played + len(samples) / rate)
                        if self._closed.is_set():
                            return
                        played += len(samples) / rate
                        here = {"file": index, "path": as_text(path), "frame": next_frame, "start": begin}
                        time = begin + (next_frame - len(samples)) / rate
                        yield Block(time, samples, rate, here, as_text(path))
                        frame = next_frame
            except AudioReadError as error:
                raise SourceError(str(error)) from error
            end, frame = (None if self._start is None else begin + frame / rate), 0

    def close(self) -> None:
        """End the stream."""
        self._closed.set()

    def _where(self, position):
        """Return the number of the first file, its first frame, and the time of its first sample or None."""
        if position is None:
            return 0, 0, self._start
        index = position["file"]
        if index >= len(self._paths) or as_text(self._paths[index]) != position["path"]:
            raise SourceError(
                f"the position belongs to file {index + 1}, {shown(position['path'])}, which is not file {index + 1} "
                f"of {shown(self.name)}. Give the same files in the same order, or begin anew with position=None."
            )
        return index, position["frame"], position["start"]

    def _time_of(self, file):
        named = time_in_name(Path(file.path).name, self._time_zone)
        return named[0] if named else os.stat(file.path).st_mtime - (file.duration or 0.0)


def changes_of_format(
    source: str,
    path: str,
    before: tuple[int, int] | None,
    now: tuple[int, int],
    time: float,
    position: Any = None,
) -> Iterator[Notice]:
    """Yield a notice if a file has another rate, and one if a file has another number of channels.

    Parameters
    ----------
    source, path : str
        Name of the source, and path of the file.
    before, now : tuple of int
        Sample rate in hertz and number of channels, of the file before and of this file. None for the first file.
    time : float
        Unix time of the first sample of the file.
    position : object, default=None

    Yields
    ------
    Notice
    """
    for kind, index, what in (("rate", 0, "sample rate in hertz"), ("channels", 1, "number of channels")):
        if before is not None and before[index] != now[index]:
            yield make_notice(
                kind,
                source,
                time,
                f"{shown(path)}: the {what} changes from {before[index]} to {now[index]}. Check the settings of the "
                "recorder if nobody has changed them.",
                key=f"{as_text(path)} {before[index]} {now[index]}",
                position=position,
                path=as_text(path),
                before=before[index],
                now=now[index],
            )
