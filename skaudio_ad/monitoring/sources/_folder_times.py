"""Decide when a file of a folder begins, and whether it continues the file before it."""

import math
from typing import Any, Literal

from ..._clip_errors import shown
from .._records import Notice
from ._audio_file import SoundFile
from ._file_source import changes_of_format
from ._file_times import recorder_of, time_in_name
from ._folder_ledger import FileState, Ledger
from ._notices import as_text, make_notice, seconds_text

# Maximum number of seconds between two files that continue one another.
JOIN = 0.1
# Number of seconds by which the times of names may differ from the count of samples before the count is corrected.
CLOCK_TOLERANCE = 2.0


class FolderTimes:
    """Times of the files of a folder.

    Parameters
    ----------
    source : str
        Name of the source.
    gaps : {"auto", "report", "ignore"}
    time_zone : str or None
    ledger : Ledger
    """

    def __init__(
        self, source: str, gaps: Literal["auto", "report", "ignore"], time_zone: str | None, ledger: Ledger
    ) -> None:
        self._source, self._gaps, self._time_zone, self._ledger = source, gaps, time_zone, ledger

    def begin(self, state: FileState, file: SoundFile) -> tuple[dict[str, Any], list[Notice]]:
        """Say when a file begins and which stream it belongs to.

        Parameters
        ----------
        state : FileState
        file : SoundFile

        Returns
        -------
        dict, list of Notice
            Value for ``Ledger.current``, and what a person must know.
        """
        own, resolution = self._own_start(state, file)
        recorder, form = as_text(recorder_of(state.name)), (file.sample_rate, file.n_channels)
        unknown: Any = (None, None, None, False, False)
        rate, channels, end, joined, told = self._ledger.recorders.get(recorder, unknown)
        before: Any = None if rate is None else (rate, channels)
        last = self._ledger.last
        notices = list(changes_of_format(self._source, file.path, before, form, own))
        start, stream = own, file.path
        gap = math.nan if end is None else own - end
        limit = max(JOIN, resolution)
        if abs(gap) <= limit and before == form:
            joined = True
            if last is not None and last["recorder"] == recorder:
                start, stream, further = self._continue(file.path, own, last)
                notices += further
        elif gap > limit and (self._gaps == "report" or (self._gaps == "auto" and joined)):
            notices.append(self._gap(file.path, own, gap))
        elif gap < -limit and not told:
            told = True
            notices.append(self._overlap(file.path, own, gap))
        current = {
            "digest": state.digest,
            "name": as_text(state.name),
            "frames": 0,
            "own": own,
            "start": start,
            "stream": as_text(stream),
            "recorder": recorder,
        }
        self._ledger.set_recorder(recorder, [*form, end, joined, told])
        return current, notices

    def finish(self, current: dict[str, Any], sample_rate: int) -> None:
        """Remember when a file has ended."""
        duration = current["frames"] / sample_rate
        key = current["recorder"]
        rate, channels, _, joined, told = self._ledger.recorders[key]
        self._ledger.set_recorder(key, [rate, channels, current["own"] + duration, joined, told])
        self._ledger.last = {
            "recorder": current["recorder"],
            "end": current["start"] + duration,
            "stream": current["stream"],
        }

    def _own_start(self, state, file):
        named = time_in_name(state.name, self._time_zone)
        return named if named else (state.mtime_ns / 1e9 - (file.duration or 0.0), 0.0)

    def _continue(self, path, own, last):
        """Continue the stream of the file before, unless the times of the names have moved away from the samples."""
        away = own - last["end"]
        if abs(away) <= CLOCK_TOLERANCE:
            return last["end"], last["stream"], []
        text = (
            f"{shown(path)}: the time of the file is {seconds_text(abs(away))} {'after' if away > 0 else 'before'} the "
            "time by the count of samples. The recorder loses a little sound between files, or its clock differs from "
            "its sample rate. The time of the file is taken."
        )
        return (
            own,
            path,
            [make_notice("clock", self._source, own, text, key=as_text(path), path=as_text(path))],
        )

    def _gap(self, path, own, gap):
        return make_notice(
            "gap",
            self._source,
            own - gap,
            f"{seconds_text(gap)} of sound are missing before {shown(path)}. Check the recorder and its disk.",
            key=as_text(path),
            duration=gap,
            path=as_text(path),
        )

    def _overlap(self, path, own, gap):
        return make_notice(
            "clock",
            self._source,
            own,
            f"{shown(path)}: begins {seconds_text(-gap)} before the end of the file before it. The clock of the "
            "recorder was set back, or the files were copied without their times (copy with cp -p or rsync -t). "
            "Further files of this recorder that overlap are not reported.",
            key=as_text(path),
            path=as_text(path),
        )
