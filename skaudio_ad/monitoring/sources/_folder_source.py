"""`FolderSource`: a folder that grows."""

import os
import threading
from collections.abc import Iterator
from typing import Any, Literal

from ..._checks import check_number, check_option
from ..._clip_errors import shown
from ..._typing import PathLike
from .._records import Block, Notice
from ._file_times import check_time_zone
from ._folder_ledger import Ledger
from ._folder_reader import FolderReader
from ._folder_times import FolderTimes
from ._folder_watcher import FolderWatcher
from ._notices import as_text, make_notice, seconds_text
from ._source import SourceError, SourceInfo
from ._timing import Timer, pause


class FolderSource:
    """A folder into which recorders write files of sound.

    Every file is read once, in the order of the time of modification and then of the name, also over restarts. Folders
    below the folder are not read. Names that begin with a dot, end in ``~``, or hold ``.part``, ``.partial``, ``.tmp``,
    ``.temp``, ``.crdownload``, ``.filepart`` or ``.swp`` are left out, because another program has not finished them.

    Parameters
    ----------
    folder : str or path-like
    pattern : str or None, default=None
        Pattern of the names to read, such as ``"mic1_*.wav"``; upper and lower case are the same. None reads names
        with the ending of a format that libsndfile decodes.
    settle : float, default=2.0
        A file is read when its size and its time of modification have not changed for `settle` seconds and its header
        agrees with its size. Recorders write to an open file at least once a second, so the default waits for two
        writes.
    poll : float, default=1.0
        Seconds between two looks at the folder.
    process_existing : bool, default=True
        Whether to read the files that are in the folder at the first start.
    patience : float, default=60.0
        A file that is empty, damaged or not audio is reported and given up when it has not changed for `patience`
        seconds. The file is tried again when it changes. The default spares a recorder that writes once a minute.
    gaps : {"auto", "report", "ignore"}, default="auto"
        Which gaps between two files of one recorder are reported. "auto" reports a gap after files that followed one
        another without a gap, because the recorder has lost sound then. "report" reports all gaps, and "ignore" none.
    time_zone : str or None, default=None
        Time zone of times in names that do not name one, such as "UTC" for AudioMoth. None is the time zone of this
        computer, as in names of ``arecord --use-strftime``.
    timer : Timer or None, default=None
        Clocks, for tests. None takes the clocks of the computer.

    Raises
    ------
    TypeError, ValueError
        If a parameter is out of range.

    Notes
    -----
    A file begins at the time in its name, such as ``20261127_095411.wav`` or ``2026-11-27T09-54-11Z.flac``. Without a
    time in its name, the file begins at its time of modification minus its duration.

    A file continues the stream of the file before it if both are of one recorder and the file begins within 0.1 s of
    the end of the file before, or within a second if the name tells no fraction of a second. Times within a stream are
    counted in samples. Two files are of one recorder if their names are equal apart from the time, or from the last
    number. A recorder is reported as lossy only where its files have followed one another before.

    A position names up to 1000 files. Of an older file, a restart knows only that it is older. The file is read again,
    with a notice, if it has changed or arrived while nobody listened.

    Examples
    --------
    >>> import tempfile
    >>> from skaudio_ad.monitoring.sources import FolderSource
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     source = FolderSource(folder, settle=1.0)
    ...     print(next(source.stream()))  # nothing to hear yet
    None
    """

    def __init__(
        self,
        folder: PathLike,
        *,
        pattern: str | None = None,
        settle: float = 2.0,
        poll: float = 1.0,
        process_existing: bool = True,
        patience: float = 60.0,
        gaps: Literal["auto", "report", "ignore"] = "auto",
        time_zone: str | None = None,
        timer: Timer | None = None,
    ) -> None:
        check_number(settle, "settle", low=0)
        check_number(poll, "poll", low=0, closed="right")
        check_number(patience, "patience", low=settle)
        check_option(gaps, "gaps", ("auto", "report", "ignore"))
        check_time_zone(time_zone)
        self._folder = os.fsdecode(folder)
        self.name = as_text(self._folder)
        self._pattern, self._settle, self._poll, self._patience = pattern, settle, poll, patience
        self._process_existing, self._gaps, self._time_zone = process_existing, gaps, time_zone
        self._timer, self._closed = timer or Timer(), threading.Event()

    def describe(self) -> SourceInfo:
        """Check that the folder can be listed.

        Returns
        -------
        SourceInfo
            The rate and the number of channels are unknown, because each file has its own.

        Raises
        ------
        SourceError
            If the folder does not exist or cannot be listed.
        """
        try:
            with os.scandir(self._folder):
                return SourceInfo(None, None, live=False)
        except OSError as error:
            raise SourceError(
                f"{shown(self.name)}: cannot be listed ({error.strerror}). Check the path, its permissions, and "
                "whether the drive is mounted."
            ) from error

    def stream(self, position: Any = None) -> Iterator[Block | Notice | None]:
        """Yield the blocks of all files, and then of each new file. The stream ends only when the source is closed.

        Parameters
        ----------
        position : dict or None, default=None
            ``position`` of a block. None reads all files, or all new files.

        Yields
        ------
        Block, Notice or None
        """
        ledger = Ledger(position)
        watcher = FolderWatcher(
            self._folder, self._pattern, self._settle, self._patience, ledger, self._timer
        )
        times = FolderTimes(self.name, self._gaps, self._time_zone, ledger)
        reader = FolderReader(self._folder, watcher, ledger, times, self._timer)
        lost_at, is_first = None, True
        while not self._closed.is_set():
            try:
                ready = watcher.look()
            except OSError as error:
                if lost_at is None:
                    lost_at = self._timer.now()
                    yield self._lost(error, lost_at)
                yield from pause(self._poll, self._timer, self._closed)
                continue
            if lost_at is not None:
                yield self._back(lost_at)
                lost_at = None
            yield from reader.changes()
            if is_first:
                is_first = False
                if position is None and not self._process_existing:
                    watcher.leave_out()
                    continue
                if ledger.current is not None:
                    yield from self._until_closed(reader.resume())
                    continue
            for item in ready:
                yield from self._until_closed(reader.read(item))
            yield from pause(self._poll, self._timer, self._closed)

    def close(self) -> None:
        """End the stream."""
        self._closed.set()

    def _until_closed(self, items):
        for item in items:
            if self._closed.is_set():
                return
            yield item

    def _lost(self, error, time):
        reason = error.strerror or type(error).__name__
        return make_notice(
            "lost",
            self.name,
            time,
            f"{shown(self.name)}: the folder cannot be listed ({reason}). The source waits for the folder. Check the "
            "drive and the permissions.",
        )

    def _back(self, lost_at):
        now = self._timer.now()
        return make_notice(
            "back",
            self.name,
            now,
            f"{shown(self.name)}: the folder is back after {seconds_text(now - lost_at)}. Files that have arrived "
            "since are read.",
            away=now - lost_at,
        )
