"""Check the recordings, the labels, the marks and the path of a report."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from .._clip_errors import shown
from .._typing import IntArray, Labels, PathLike
from ..recordings._check import expand_folders
from ._marks import MARKS, marks_of


def distinct_paths(recordings: PathLike | Iterable[PathLike]) -> list[str]:
    """Return the paths of the recordings. Folders become their recordings."""
    given = [recordings] if isinstance(recordings, (str, bytes, os.PathLike)) else list(recordings)
    if not given:
        raise ValueError("there are no recordings to report; name files or folders.")
    paths = [os.fsdecode(path) for path in given]
    if len(set(paths)) < len(paths):
        twice = next(path for path in paths if paths.count(path) > 1)
        raise ValueError(f"recordings must be different files, got {shown(twice)} more than once.")
    return expand_folders(paths)


def check_output(output: Path) -> None:
    """Raise if the page cannot be written, before hours of work and not after."""
    if output.is_dir():
        raise IsADirectoryError(f"{output}: is a folder; name a file, such as report.html.")
    if not output.parent.is_dir():
        raise FileNotFoundError(f"{output}: the folder {output.parent} does not exist; make it first.")


def check_marks(marks: PathLike | Sequence[str | None] | None, paths: Sequence[str]) -> list[str | None]:
    """Return one mark a recording. None if a recording has no mark."""
    if marks is None:
        return [None] * len(paths)
    if isinstance(marks, (str, os.PathLike)):
        return marks_of(marks, paths)
    found = [None if mark is None else str(mark) for mark in marks]
    if len(found) != len(paths):
        raise ValueError(f"marks must have one entry a recording: got {len(found)} for {len(paths)}.")
    for mark in found:
        if mark is not None and mark not in MARKS:
            raise ValueError(f"a mark must be one of {', '.join(MARKS)} or None, got {mark!r}.")
    return found


def check_labels(y: Labels | None, marks: Sequence[str | None], n_recordings: int) -> IntArray | None:
    """Return one label a recording, from `y` or else from the marks. None without labels."""
    if y is None:
        if not any(mark in ("confirmed", "false alarm") for mark in marks):
            return None
        return np.array([MARKS.get(mark or "", 0) for mark in marks], dtype=int)
    labels = np.asarray(y)
    if labels.shape != (n_recordings,):
        raise ValueError(f"y must have one label a recording: got shape {labels.shape} for {n_recordings}.")
    if not np.isin(labels, (-1, 0, 1)).all():
        raise ValueError(f"y must be 1 (normal), -1 (anomalous) or 0 (unknown), got {np.unique(labels)[:5]}.")
    return labels.astype(int)
