"""Cut the training recordings of ``skaudio-ad fit --window`` into segments, with groups."""

from dataclasses import dataclass
from typing import Any

import click

from ..audio import AudioReadError, segment, segment_groups
from ._messages import translate
from ._terminal import say

# Minimum number of groups that show how much normal recordings differ.
_ENOUGH_GROUPS = 3
# Durations of a block, in seconds, for fewer recordings. Neighbouring segments are alike, so long blocks come first.
_BLOCKS = (600, 300, 120, 60, 30, 10, 5)
# Number of segments that a block should hold, so that most neighbours are in the same block.
_SEGMENTS_OF_BLOCK = 3

window_option = click.option(
    "--window",
    "segment_window",
    type=click.FloatRange(min=0, min_open=True),
    metavar="SECONDS",
    help="Cut the recordings into segments of this duration, and train on the segments. `score` and `watch` then score "
    "windows of this duration.  [default: whole recordings]",
)
hop_option = click.option(
    "--hop",
    "segment_hop",
    type=click.FloatRange(min=0, min_open=True),
    metavar="SECONDS",
    help="Time from the start of a segment to the start of the next one, with --window.  [default: --window]",
)


@dataclass(frozen=True)
class TrainingSegments:
    """Segments of the training recordings.

    Attributes
    ----------
    segments : list of str
    groups : list of str
        Recording, or block of a recording, of every segment.
    window, hop : float
        In seconds.
    block : float or None
        Duration of a block, in seconds. None if every recording is a group.
    """

    segments: list[str]
    groups: list[str]
    window: float
    hop: float
    block: float | None

    def facts(self) -> dict[str, Any]:
        """Return what the metadata of the detector says about the segments."""
        return {
            "window": self.window,
            "hop": self.hop,
            "block": self.block,
            "n_segments": len(self.segments),
        }

    def describe_groups(self) -> str:
        """Say what the groups are, in one sentence."""
        number = len(set(self.groups))
        if self.block is None:
            return f"Every recording is a group of segments: {number} groups."
        return (
            f"There are fewer than {_ENOUGH_GROUPS} recordings, so every block of {self.block:g} s is a group of "
            f"segments: {number} groups. Blocks of one recording are alike. Give more recordings for a threshold that "
            "holds for new recordings."
        )


def cut_recordings(paths: list[str], window: float, hop: float | None, on_error: str) -> TrainingSegments:
    """Cut training recordings into segments.

    Parameters
    ----------
    paths : list of str
    window : float
        Duration of a segment, in seconds.
    hop : float or None
        None is `window`.
    on_error : {"raise", "skip"}
        Whether a recording that cannot be cut raises an error or is left out with a warning.

    Returns
    -------
    TrainingSegments

    Raises
    ------
    AudioReadError
        If a recording is shorter than a segment or cannot be opened, or all are left out.
    """
    hop = window if hop is None else hop
    usable = _usable(paths, window, hop, on_error)
    block = None if len(usable) >= _ENOUGH_GROUPS else _find_block(usable, window, hop)
    segments = segment(usable, window, hop, block=block)
    return TrainingSegments(segments, segment_groups(segments, block), window, hop, block)


def _usable(paths, window, hop, on_error):
    if on_error == "raise":
        return paths
    usable: list[str] = []
    for path in paths:
        try:
            segment([path], window, hop)
        except AudioReadError as error:
            if len(usable) == 0 and path == paths[-1]:
                raise
            say(f"Warning: left out {path}: {translate(error.reason)}", err=True)
        else:
            usable.append(path)
    return usable


def _find_block(paths, window, hop):
    """Return the longest duration of a block that makes enough groups, or the shortest one if none does."""
    possible = [block for block in _BLOCKS if block >= _SEGMENTS_OF_BLOCK * window] or [
        _SEGMENTS_OF_BLOCK * window
    ]
    for block in possible:
        if len(set(segment_groups(segment(paths, window, hop, block=block), block))) >= _ENOUGH_GROUPS:
            return float(block)
    return float(possible[-1])
