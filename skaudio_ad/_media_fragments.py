"""Paths with a media fragment, such as ``long.wav#t=10,20``: a stretch of a file."""

import os
import re
from typing import NamedTuple

from ._typing import PathLike

# Time in seconds. More digits are no time of a recording, and might be too large for a float.
_TIME = r"\d{1,15}(?:\.\d*)?"
# W3C Media Fragments URI 1.0, section 4.2.1: the temporal dimension in seconds of normal play time.
_FRAGMENT = re.compile(
    rf"(?P<file>.+)#t=(?:npt:)?(?:(?P<start>{_TIME})(?:,(?P<end>{_TIME}))?|,(?P<only>{_TIME}))", re.DOTALL
)


class Stretch(NamedTuple):
    """Stretch of a file.

    Attributes
    ----------
    file : str
        Path of the file.
    start : float
        Start of the stretch, in seconds from the start of the file.
    end : float or None
        End of the stretch, in seconds. None is the end of the file.
    """

    file: str
    start: float = 0.0
    end: float | None = None


def split_fragment(path: PathLike) -> Stretch:
    """Split a path into the file and the stretch of the file that the path names.

    Parameters
    ----------
    path : str or path-like
        Path of a file, or path with a media fragment [1]_. A file whose name is literally `path` is a whole file.

    Returns
    -------
    Stretch

    References
    ----------
    .. [1] W3C, "Media Fragments URI 1.0", https://www.w3.org/TR/media-frags/
    """
    path = os.fsdecode(path)
    match = _FRAGMENT.fullmatch(path) if "#t=" in path else None
    if match is None or os.path.lexists(path):
        return Stretch(path)
    end = match["end"] or match["only"]
    return Stretch(match["file"], float(match["start"] or 0), None if end is None else float(end))


def without_fragment(path: PathLike) -> str:
    """Return the file that a path names, without the stretch of time."""
    return split_fragment(path).file


def add_fragment(path: str, start: float, end: float) -> str:
    """Return the path of a stretch of a file.

    Parameters
    ----------
    path : str
    start, end : float
        In seconds. Times are rounded to nanoseconds.

    Returns
    -------
    str
    """
    return f"{path}#t={_decimal(start)},{_decimal(end)}"


def _decimal(seconds):
    return f"{seconds:.9f}".rstrip("0").rstrip(".")
