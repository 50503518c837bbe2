"""Durations of clips, from the headers of their files."""

from collections.abc import Sequence

import numpy as np

from .._typing import FloatArray
from ._open import Header


def find_durations(
    headers: Sequence[Header | None], *, offset: float, duration: float | None, pad: str
) -> FloatArray | None:
    """Find the shortest and the longest duration of clips that a loader makes of files.

    Parameters
    ----------
    headers : list of Header or None
        None for a file whose header cannot be read.
    offset, duration, pad
        Parameters of the loader.

    Returns
    -------
    ndarray of shape (2,) or None
        In seconds. None if the header of a file does not tell its duration, or no header can be read.
    """
    whole = [header.duration for header in headers if header is not None]
    known = [length for length in whole if length is not None]
    if not known or len(known) < len(whole):
        return None
    ends = np.array([min(known), max(known)], dtype=np.float64)
    clips = np.maximum(ends - offset, 0.0)
    if duration is not None:
        clips = np.full(2, float(duration)) if pad != "none" else np.minimum(clips, duration)
    return clips
