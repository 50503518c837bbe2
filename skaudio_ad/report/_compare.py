"""Find the nearest normal recordings of all recordings of a report."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from .._clip_errors import shown
from .._path_groups import labels_from_paths
from .._stream import stream
from ..detectors import BandMemoryDetector, FleetDetector
from ..recordings._score import compute_features
from ..recordings._unwrap import find_band_edges, split_pipeline, unwrap
from ._assets import NO_NORMAL
from ._bands import name_bands
from ._keep import ReportedClip, Track
from ._nearest import Space, find_nearest


def compare_with_normal(
    pipeline: Any, clips: Sequence[ReportedClip], normal: Sequence[str], n_nearest: int, track: Track
) -> list[str]:
    """Set ``nearest`` of every recording, and the frequency band that sounds least normal.

    Parameters
    ----------
    pipeline : fitted estimator
    clips : list of ReportedClip
        The vectors of the clips are dropped, because nothing else needs them.
    normal : list of str
        Paths of the normal recordings.
    n_nearest : int
    track : callable
        Progress bar.

    Returns
    -------
    list of str
        What could not be compared, and why.
    """
    if not normal:
        _find_bands(pipeline, clips, [])
        return [NO_NORMAL]
    find_vector = _NormalVector(pipeline)
    rows: list[Any] = []
    failed: list[str] = []
    found = track(stream(find_vector, normal), "comparing", len(normal))
    for path, (row, error) in zip(normal, found):
        rows.append(row)
        if error:
            failed.append(f"{shown(path)}: {shown(error)}")
    vectors = [
        None if clip.vector is None else (clip.recording.path, find_vector.key(clip.detector), clip.vector)
        for clip in clips
    ]
    for clip, nearest in zip(clips, find_nearest(vectors, rows, n_nearest)):
        clip.nearest, clip.vector = nearest, None
    _find_bands(pipeline, clips, [row[2] for row in rows if row is not None])
    notes = [find_vector.note] if find_vector.note else []
    if failed:
        count = f"{len(failed)} of {len(normal)} normal recordings"
        notes.append(f"{count} could not be used. The first is {failed[0]}")
    return notes


def _find_bands(pipeline, clips, vectors):
    """Set the frequency band that sounds least normal, if the detector scores bands of known frequencies."""
    _, middle, detector = split_pipeline(pipeline)
    if isinstance(detector, FleetDetector):
        return
    detector = Space(detector).detector
    if isinstance(detector, BandMemoryDetector):
        edges = find_band_edges(middle, detector.n_bands_)
        if edges is not None:
            name_bands(clips, detector, edges, vectors)


class _NormalVector:
    """Compute the vector that the detector compares. An instance is a function of a path, for several threads."""

    def __init__(self, pipeline: Any) -> None:
        self.loader, self.middle, self.detector = split_pipeline(pipeline)
        self.is_fleet, self.note = isinstance(self.detector, FleetDetector), ""
        self.pattern = getattr(unwrap(pipeline), "machines", None) if self.is_fleet else None
        self.spaces: dict[int, Space] = {}
        if self.is_fleet and self.pattern is None:
            self.note = (
                "The machines of the normal recordings are not known, so recordings are not compared with them. Train "
                "a DetectorPipeline with machines=, which reads the machines from the paths."
            )

    def key(self, detector: Any) -> int:
        """Number of a detector. Recordings of one detector are compared."""
        return id(detector) if self.is_fleet else 0

    def __call__(self, path: str) -> tuple[tuple[str, int, Any] | None, str]:
        """Return the path, the number of the detector and the vector; or None and the reason."""
        if self.note:
            return None, ""
        try:
            detector = self.detector
            if self.is_fleet:
                (machine,) = labels_from_paths(str(self.pattern), [path])
                detector = self.detector.detector_of(machine)
            space = self.spaces.setdefault(id(detector), Space(detector))
            vector = space(compute_features(self.loader, self.middle, path))
        except (ImportError, MemoryError):
            raise
        except Exception as error:  # any error: the other recordings are compared
            return None, str(error).removeprefix(f"{path}: ") or type(error).__name__
        if not np.isfinite(vector).all():
            return None, "has features that are NaN"
        return (path, self.key(detector), vector), ""
