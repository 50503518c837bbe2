"""Files of the sound of events: their content, and a bound on their size."""

import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from ..._atomic import atomic_path
from ..._typing import Float32Array
from ...inspection._drawing import count
from ...recordings._events import Event
from ._event_picture import draw_event
from ._format import event_stem, record_to_dict, utc
from ._problems import Problems

# Names of the files of an event, which `event_stem` makes, and of files that a kill has left.
_NAME = re.compile(r"((?:\d{8}T\d{6}Z|unknown)_.*_[0-9a-f]{8})\.(?:flac|png|json)")
_LEFT = re.compile(r"\.(?:\d{8}T\d{6}Z|unknown)_.*\.part")
# Maximum number of channels of a FLAC file.
_MAX_CHANNELS = 8
# Number of bytes that a sample of a FLAC file of 24 bits takes at most, with its overhead.
_SAMPLE_BYTES = 3.1
# Number of bytes that the picture and the JSON file of an event take at most.
_OTHER_BYTES = 400_000
# Number of seconds by which the sound may begin later than that of an earlier version of the file.
_SLACK = 1.0
# Number of seconds for which the removal of old files is not reported again.
_DAY = 86_400.0


class AudioFolder:
    """Files of the sound of events.

    Parameters
    ----------
    folder : pathlib.Path
    max_bytes : float
        Maximum size of all files.
    min_free : float
        Disk space that stays free, in bytes.
    picture : bool
        Whether a spectrogram is drawn.
    problems : Problems
    """

    def __init__(
        self, folder: Path, max_bytes: float, min_free: float, picture: bool, problems: Problems
    ) -> None:
        self.folder, self.max_bytes, self.min_free = folder, max_bytes, min_free
        self.picture, self.problems = picture, problems

    def open(self) -> None:
        """Make the folder, check that it can be written to, and remove incomplete files of an earlier run.

        Raises
        ------
        OSError
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        probe = self.folder / f".unknown_{os.getpid()}.part"
        probe.write_bytes(b"")
        for name in os.listdir(self.folder):
            if _LEFT.fullmatch(name):
                (self.folder / name).unlink(missing_ok=True)

    def write(self, event: Event, samples: Float32Array | None, sample_rate: int, start: float) -> None:
        """Write the files of an event, or replace them.

        If the new sound begins later than the sound that is there, the old sound stays: the monitor no longer has the
        beginning of a long event, or was started anew.

        Parameters
        ----------
        event : Event
        samples : ndarray of shape (n_samples, n_channels), float32, or None
            None writes the JSON file alone.
        sample_rate : int
            In hertz.
        start : float
            Unix time of the first sample.

        Raises
        ------
        OSError
            If a file cannot be written.
        """
        stem = event_stem(event)
        sound = self._read_sound(stem)
        if samples is not None and (sound is None or start <= sound["start"] + _SLACK):
            samples, facts = _prepare(samples)
            size = samples.size * _SAMPLE_BYTES + _OTHER_BYTES
            if not self._make_room(size, stem):
                free = shutil.disk_usage(self.folder).free
                self.problems.report(
                    "full",
                    f"the sound of the event {event.id} was not written, because {free / 1e6:.0f} MB are free on the "
                    f"disk of {self.folder}, {self.min_free / 1e6:.0f} MB are kept for the log, and the files of the "
                    f"sink may take {self.max_bytes / 1e6:.0f} MB. Free some space.",
                    "disk",
                )
            else:
                self._write_sound(stem, event, samples, sample_rate, start)
                seconds = len(samples) / sample_rate
                sound = {"file": f"{stem}.flac", "start": start, "start_utc": utc(start), "duration": seconds}
                sound |= {"sample_rate": sample_rate, **facts}
                sound["picture"] = f"{stem}.png" if self.picture else None
        content = json.dumps(record_to_dict(event) | {"sound": sound}, indent=1, allow_nan=False)
        with atomic_path(self.folder / f"{stem}.json") as temporary:
            Path(temporary).write_text(content, encoding="utf-8")

    def _write_sound(self, stem, event, samples, sample_rate, start):
        with atomic_path(self.folder / f"{stem}.flac") as temporary, open(temporary, "wb") as file:
            soundfile.write(file, samples, sample_rate, format="FLAC", subtype="PCM_24")
        if self.picture:
            picture = draw_event(event, samples, sample_rate, start)
            with atomic_path(self.folder / f"{stem}.png") as temporary:
                Path(temporary).write_bytes(picture)

    def _read_sound(self, stem) -> dict[str, Any] | None:
        """Return what the JSON file says about the sound that is there."""
        try:
            sound = json.loads((self.folder / f"{stem}.json").read_text(encoding="utf-8"))["sound"]
            float(sound["start"])
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return sound if (self.folder / f"{stem}.flac").exists() else None

    def _make_room(self, size, stem):
        """Remove the oldest events until `size` bytes fit. Return whether they fit."""
        if size > self.max_bytes:
            return False
        events: dict[str, int] = {}
        for entry in os.scandir(self.folder):
            match = _NAME.fullmatch(entry.name)
            if match:
                events[match[1]] = events.get(match[1], 0) + entry.stat().st_size
        total = sum(events.values()) - events.get(stem, 0)  # the files of this event are replaced
        free = shutil.disk_usage(self.folder).free
        n_removed = 0
        for oldest in sorted(events.keys() - {stem}):
            if total + size <= self.max_bytes and free - size >= self.min_free:
                break
            for ending in ("flac", "png", "json"):
                (self.folder / f"{oldest}.{ending}").unlink(missing_ok=True)
            total -= events[oldest]
            free = shutil.disk_usage(self.folder).free
            n_removed += 1
        if n_removed:
            self.problems.report(
                "removed",
                f"the files of {count(n_removed, 'old event')} were removed from {self.folder}, because their maximum "
                f"size is {self.max_bytes / 1e6:.0f} MB and {self.min_free / 1e6:.0f} MB of the disk stay free.",
                "disk",
                quiet=_DAY,
                n_removed=n_removed,
            )
        return total + size <= self.max_bytes and free - size >= self.min_free


def _prepare(samples):
    """Return samples that a FLAC file can hold, and what was changed."""
    facts = {"n_channels": samples.shape[1], "n_not_finite": int(np.sum(~np.isfinite(samples)))}
    if facts["n_not_finite"]:
        samples = np.nan_to_num(samples, nan=0.0, posinf=0.0, neginf=0.0)
    if samples.shape[1] > _MAX_CHANNELS:
        samples = samples.mean(axis=1, keepdims=True)
        facts["mix"] = "mean of all channels, because a FLAC file has eight channels at most"
    return samples, facts
