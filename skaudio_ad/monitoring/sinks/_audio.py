"""Keep the sound of events."""

import dataclasses
import math
import threading
from dataclasses import dataclass
from pathlib import Path

from ..._checks import check_number
from ..._clip_errors import explain
from ..._typing import Float32Array, PathLike
from ...inspection._drawing import count
from ...recordings._events import Event
from .._records import Notice, Window
from ._audio_files import AudioFolder
from ._problems import Problems
from ._sink import MonitorInfo, Record, Sound

# Maximum number of events whose sound waits in memory to be written.
_MAX_WAITING = 3
# Maximum number of events whose sound is not complete. A monitor has one event at a time.
_MAX_GROWING = 8


@dataclass
class _Growing:
    """Event whose sound is not complete."""

    event: Event
    until: float  # Unix time at which the sound is complete
    is_full: bool = False  # whether the file has its maximum duration


@dataclass
class _Job:
    """Sound to write."""

    event: Event
    samples: Float32Array | None
    sample_rate: int
    start: float


class AudioSink:
    """Keep the sound of every event: a FLAC file, a spectrogram and a JSON file.

    The sound begins before the event (pre-roll) and ends after the event (post-roll). The files are written when the
    event is raised, so that a kill loses little, and replaced when the event is cleared and when the post-roll is
    there. A thread writes the files, so that a slow disk does not stop the monitor. The files of an event have one
    name: the start of the event in UTC, the name of the source, and a hash of the id of the event. FLAC files have 24
    bits, so that recordings of 16 and 24 bits are kept without loss.

    The disk space is bounded. If the files take more than `max_bytes`, or less than `min_free` is free on the disk, the
    oldest files are removed first. If that is not enough, the sound of new events is not written, so that the log of
    the monitor still has space. A notice reports both.

    Parameters
    ----------
    folder : str or path-like
        Folder for the files. It is made if it is missing.
    pre_roll : float, default=5.0
        Duration of the sound before the event, in seconds. The monitor keeps ten seconds by default.
    post_roll : float, default=5.0
        Duration of the sound after the event, in seconds.
    max_duration : float, default=120.0
        Maximum duration of a file, in seconds. A longer event keeps its first part. The monitor keeps about two minutes
        of sound.
    max_bytes : float, default=1e9
        Maximum size of all files of the folder, in bytes.
    min_free : float, default=5e8
        Disk space that stays free, in bytes. This space is for the log, which needs 20 MB a file by default.
    picture : bool, default=True
        Whether a spectrogram is drawn (PNG).
    name : str, default="audio"
        Name for messages.

    Examples
    --------
    >>> AudioSink("events", max_bytes=2e9)
    AudioSink('events')
    """

    def __init__(
        self,
        folder: PathLike,
        *,
        pre_roll: float = 5.0,
        post_roll: float = 5.0,
        max_duration: float = 120.0,
        max_bytes: float = 1e9,
        min_free: float = 5e8,
        picture: bool = True,
        name: str = "audio",
    ) -> None:
        self.folder, self.pre_roll, self.post_roll = folder, pre_roll, post_roll
        self.max_duration, self.max_bytes, self.min_free = max_duration, max_bytes, min_free
        self.picture, self.name = picture, name
        self._problems = Problems(name)
        self._files: AudioFolder | None = None
        self._growing: dict[str, _Growing] = {}
        self._jobs: dict[str, _Job] = {}
        self._changed = threading.Condition()
        self._closing = False
        self._thread: threading.Thread | None = None

    def __repr__(self) -> str:
        return f"AudioSink({str(self.folder)!r})"

    def open(self, info: MonitorInfo) -> None:
        """Make the folder.

        Parameters
        ----------
        info : MonitorInfo

        Raises
        ------
        OSError
            If the folder cannot be made or written to.
        ValueError
            If a parameter is invalid.
        """
        for name in ("pre_roll", "post_roll", "max_bytes", "min_free"):
            check_number(getattr(self, name), name, low=0)
        check_number(self.max_duration, "max_duration", low=self.pre_roll, closed="neither")
        files = AudioFolder(Path(self.folder), self.max_bytes, self.min_free, self.picture, self._problems)
        files.open()
        self._files, self._closing = files, False
        self._thread = threading.Thread(target=self._run, name=f"{self.name} sink", daemon=True)
        self._thread.start()

    def send(self, record: Record, sound: Sound | None = None) -> None:
        """Take the sound of an event that begins, ends or whose post-roll is complete.

        Parameters
        ----------
        record : Window, Event or Notice
        sound : callable, default=None
            Gives the sound around the event. Without sound, the JSON file alone is written.
        """
        if self._thread is None:
            raise RuntimeError(f"{self!r} is not open. Call open first.")
        if isinstance(record, Event):
            self._take_event(record, sound)
        elif isinstance(record, Window) and self._growing and sound is not None:
            for growing in [each for each in self._growing.values() if record.end >= each.until]:
                self._complete(growing, sound)

    def close(self, timeout: float = 10.0) -> None:
        """Write the sound that waits, for `timeout` seconds at most.

        Parameters
        ----------
        timeout : float, default=10.0
        """
        if self._thread is None:
            return
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join(timeout)
        with self._changed:
            self._thread = None
            if self._jobs:
                self._problems.report(
                    "left", f"the sound of {count(len(self._jobs), 'event')} was not written in time."
                )
                self._jobs.clear()
        self._growing.clear()

    def take_notices(self) -> list[Notice]:
        """Return what went wrong since the last call.

        Returns
        -------
        list of Notice
        """
        return self._problems.take()

    def _take_event(self, event, sound):
        longest = event.start - self.pre_roll + self.max_duration
        growing = self._growing.pop(event.id, None)
        is_full = growing is not None and growing.is_full
        if event.state == "raised":
            growing = _Growing(event, longest)
        else:
            growing = _Growing(event, min(longest, event.end + self.post_roll), is_full)
        self._put(event, None if is_full else sound, min(event.end, growing.until))
        if event.state == "raised" or (sound is not None and not is_full and event.end < growing.until):
            self._growing[event.id] = growing
        while len(self._growing) > _MAX_GROWING:
            del self._growing[next(iter(self._growing))]

    def _complete(self, growing, sound):
        """Take the sound that an event lacked: its post-roll, or the rest of the maximum duration."""
        self._put(growing.event, sound, growing.until)
        if growing.event.state == "cleared":
            del self._growing[growing.event.id]
        else:
            growing.is_full, growing.until = True, math.inf

    def _put(self, event, sound, end):
        """Give the sound of an event to the thread."""
        samples, rate, start = (None, 0, 0.0) if sound is None else sound(event.start - self.pre_roll, end)
        job = _Job(event, samples if samples is not None and len(samples) else None, rate, start)
        with self._changed:
            waiting = self._jobs.pop(event.id, None)
            if waiting is not None and job.samples is None:
                job = dataclasses.replace(waiting, event=event)
            self._jobs[event.id] = job
            while len(self._jobs) > _MAX_WAITING:
                dropped = self._jobs.pop(next(iter(self._jobs)))
                self._problems.report(
                    "slow",
                    f"the sound of the event {dropped.event.id} was not written, because {self.folder} is too slow.",
                )
            self._changed.notify_all()

    def _run(self):
        assert self._files is not None
        while True:
            with self._changed:
                while not self._jobs:
                    if self._closing:
                        return
                    self._changed.wait()
                if self._thread is not threading.current_thread():
                    return
                job = self._jobs.pop(next(iter(self._jobs)))
            try:
                self._files.write(job.event, job.samples, job.sample_rate, job.start)
            except Exception as error:  # any error: the sound of the next event may be written
                self._problems.report(
                    "write",
                    f"the sound of the event {job.event.id} could not be written to {self.folder}: "
                    f"{explain(error) or type(error).__name__}",
                    "disk" if isinstance(error, OSError) else "sink",
                )
            else:
                self._problems.solved("write", "the sound of events is written again.")
