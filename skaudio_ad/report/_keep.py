"""What the report keeps of a scored recording until its sound and its pictures are made."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import numpy as np

from .._typing import Float32Array, FloatArray
from ..recordings import Moment, ScoredRecording, find_moments
from ..recordings._score import used_duration
from ._excerpt import ExcerptReader

#: A progress bar: ``track(iterable, description, total)`` iterates over `iterable`.
Track: TypeAlias = Callable[[Any, str, int], Any]

# Maximum number of local scores inside the excerpt of a recording, and outside of it. The picture of their curve has
# fewer pixels.
_MAX_POINTS = 1000
# Maximum number of moments of a recording that the page lists.
_MAX_MOMENTS = 50


@dataclass
class ReportedClip:
    """What the report keeps of a scored recording.

    Attributes
    ----------
    recording : ScoredRecording
        Score and decision, and at most 2000 local scores.
    detector : fitted detector or None
        Detector of the recording. None if the recording could not be scored.
    worst_time : float or None
        In seconds.
    threshold : float or None
        Threshold of the local scores.
    moments : list of Moment
    local_note : str
        What the local scores leave out.
    vector : ndarray of shape (n_values,) or None
        Vector of the recording in the space in which the detector compares recordings.
    nearest : list of (int, float)
        Positions and distances of the nearest normal recordings.
    bands : ndarray of shape (n_bands,) or None
        Distance of every frequency band, if the detector scores bands.
    """

    recording: ScoredRecording
    detector: Any = None
    worst_time: float | None = None
    threshold: float | None = None
    moments: list[Moment] = field(default_factory=list)
    local_note: str = ""
    vector: Float32Array | None = None
    nearest: list[tuple[int, float]] = field(default_factory=list)
    bands: FloatArray | None = None

    @property
    def duration(self) -> float | None:
        """Duration of the recording, in seconds, or None if unknown."""
        return self.recording.duration if np.isfinite(self.recording.duration) else None


def keep(
    recording: ScoredRecording,
    reader: ExcerptReader,
    detector: Any = None,
    vector: Float32Array | None = None,
    bands: FloatArray | None = None,
) -> ReportedClip:
    """Keep what the page shows of a scored recording.

    Parameters
    ----------
    recording : ScoredRecording
    reader : ExcerptReader
    detector, vector, bands
        As in :class:`ReportedClip`.

    Returns
    -------
    ReportedClip
    """
    if recording.error:  # the file may be readable all the same
        recording = replace(recording, duration=used_duration(recording.path, reader.loader))
    if len(recording.times) == 1:  # one window tells no more than the score of the recording
        recording = replace(recording, times=np.empty(0), local_scores=np.empty(0))
    worst = recording.worst_time
    start, length = reader.place(recording.duration, worst)
    moments, notes = find_moments(recording), []
    if len(moments) > _MAX_MOMENTS:
        notes.append(f"The list has the {_MAX_MOMENTS} least normal of {len(moments)} moments.")
        worst_first = sorted(moments, key=lambda moment: moment.score)[:_MAX_MOMENTS]
        moments = sorted(worst_first, key=lambda moment: moment.start)
    end = float("inf") if length is None else start + length
    chosen = _thin(recording.times, recording.local_scores, start, end)
    if len(chosen) < len(recording.times):
        notes.append("Points of the curve stand for several scores, and are the lowest of them.")
    kept = replace(
        recording,
        times=recording.times[chosen].astype(np.float32),
        local_scores=recording.local_scores[chosen].astype(np.float32),
    )
    threshold, note = recording.local_threshold, " ".join(notes)
    return ReportedClip(kept, detector, worst, threshold, moments, note, vector, bands=bands)


def _thin(times, scores, start, end):
    """Positions of the scores that the page shows: many inside the excerpt, and fewer before and after it."""
    first, last = np.searchsorted(times, [start, end + 1e-9])
    before, after = np.arange(first), np.arange(last, len(times))
    step = -(-(len(before) + len(after)) // _MAX_POINTS) or 1
    parts = (before, step), (np.arange(first, last), -(-(last - first) // _MAX_POINTS) or 1), (after, step)
    return np.array(
        [
            part[i + int(np.argmin(scores[part[i : i + size]]))]
            for part, size in parts
            for i in range(0, len(part), size)
        ],
        dtype=int,
    )
