"""Cut long recordings into segments: paths that name a stretch of a file."""

import os
from collections.abc import Sequence

from .._checks import check_number
from .._media_fragments import add_fragment, split_fragment
from .._typing import PathLike
from ._open import (
    BLOCK,
    UNKNOWN_FRAMES,
    AudioReadError,
    check_complete,
    find_frames,
    open_recording,
    read_blocks,
)


def segment(
    recordings: Sequence[PathLike], window: float, hop: float | None = None, *, block: float | None = None
) -> list[str]:
    """Cut long recordings into segments of one duration. No audio is written.

    A segment is a path with a media fragment [1]_: ``long.wav#t=10,20`` lasts from second 10 to second 20. Everything
    that reads recordings takes such a path, and decodes this stretch only.

    Parameters
    ----------
    recordings : list of str or path-like

    window : float
        Duration of a segment, in seconds.

    hop : float, default=None
        Time from the start of a segment to the start of the next one, in seconds. None is `window`: the segments lie
        end to end.

    block : float, default=None
        Duration of a block, in seconds. A recording is divided into blocks, and segments that cross a border of two
        blocks are left out. Segments of different blocks share no sound, so :func:`segment_groups` can make groups of
        blocks where there are too few recordings for groups of recordings.

    Returns
    -------
    list of str
        Segments in the order of the recordings and of time. The rest of a recording that is shorter than a segment is
        left out.

    Raises
    ------
    AudioReadError
        If a recording is shorter than a segment, or cannot be opened.
    ValueError, TypeError
        If a parameter is out of range, or `recordings` is one path and no list.

    See Also
    --------
    segment_groups : Label of the recording, or of the block, of every segment.
    skaudio_ad.recordings.score_recording : Score the windows of a long recording.

    Notes
    -----
    A file of wav, flac or ogg is read from the start of the segment. An mp3 file is decoded from its beginning for
    every segment, because its frames depend on earlier frames. Convert long mp3 files to flac.

    A file whose name is literally ``long.wav#t=10,20`` is a whole recording.

    References
    ----------
    .. [1] W3C, "Media Fragments URI 1.0", https://www.w3.org/TR/media-frags/

    Examples
    --------
    >>> import numpy as np, os, soundfile, tempfile
    >>> from skaudio_ad.audio import segment
    >>> folder = tempfile.mkdtemp()
    >>> path = os.path.join(folder, "long.wav")
    >>> soundfile.write(path, np.ones(16000 * 35), 16000)
    >>> [os.path.basename(name) for name in segment([path], window=10)]
    ['long.wav#t=0,10', 'long.wav#t=10,20', 'long.wav#t=20,30']
    """
    check_number(window, "window", low=0, closed="neither")
    check_number(hop, "hop", low=0, closed="neither", none=True)
    check_number(block, "block", low=0, closed="neither", none=True)
    if block is not None and block < window:
        raise ValueError(
            f"a block must be at least as long as a segment, got block={block!r} and window={window!r}."
        )
    if isinstance(recordings, (str, os.PathLike)):
        raise ValueError(f"segment takes a list of recordings, got the single path {str(recordings)!r}.")
    hop = window if hop is None else hop
    return [name for path in recordings for name in _segments(os.fsdecode(path), window, hop, block)]


def _segments(path, window, hop, block):
    n_frames, rate = _count_frames(path)
    stretch = split_fragment(path)
    if round(window * rate) > n_frames:
        raise AudioReadError(
            path,
            f"lasts {n_frames / rate:g} s, which is less than one segment of {window:g} s; take a shorter window, or "
            "leave this recording out.",
        )
    names, index = [], 0
    while round((index * hop + window) * rate) <= n_frames:
        start = index * hop
        if block is None or _number_of_block(start, block) == _number_of_block(
            start + window, block, end=True
        ):
            names.append(add_fragment(stretch.file, stretch.start + start, stretch.start + start + window))
        index += 1
    if not names:
        raise AudioReadError(
            path, f"has no segment of {window:g} s within a block of {block:g} s; take another hop or block."
        )
    return names


def _number_of_block(time, block, end=False):
    """Number of the block of a time. A segment that ends at a border belongs to the block before the border."""
    tolerance = 1e-6  # of a second, for times that are no binary fractions
    return int((time - tolerance if end else time + tolerance) // block)


def _count_frames(path):
    """Number of frames of a recording, and its sample rate. A file of unknown length is decoded."""
    with open_recording(path) as file:
        check_complete(file, path)
        _, n_frames = find_frames(file, path)
        if n_frames >= UNKNOWN_FRAMES // 2:
            blocks = read_blocks(file, path, n_frames, max(1, BLOCK // file.channels))
            n_frames = sum(len(samples) for samples in blocks) - find_frames(file, path)[0]
        return n_frames, file.samplerate


def segment_groups(segments: Sequence[PathLike], block: float | None = None) -> list[str]:
    """Label the recording, or the block of a recording, of every segment.

    Neighbouring segments of a recording resemble each other. With these groups, neighbours never stand on both sides of
    a split, so a threshold does not promise too much:
    ``detector.fit(segments, groups=segment_groups(segments))``.

    Parameters
    ----------
    segments : list of str or path-like
        Result of :func:`segment`.
    block : float, default=None
        Duration of a block, in seconds, the same as for :func:`segment`. None makes every recording a group. Neighbours
        at the border of two blocks are in different groups, so take blocks that are much longer than a segment.

    Returns
    -------
    list of str
        One label for every segment: the path of the recording, with the fragment of the block if `block` is given.

    Raises
    ------
    ValueError, TypeError
        If `block` is out of range, or a segment crosses the border of two blocks.

    Examples
    --------
    >>> from skaudio_ad.audio import segment_groups
    >>> segment_groups(["a.wav#t=0,10", "a.wav#t=10,20", "b.wav#t=0,10"])
    ['a.wav', 'a.wav', 'b.wav']
    >>> segment_groups(["a.wav#t=590,600", "a.wav#t=600,610"], block=600)
    ['a.wav#t=0,600', 'a.wav#t=600,1200']
    """
    check_number(block, "block", low=0, closed="neither", none=True)
    return [_group(os.fsdecode(path), block) for path in segments]


def _group(path, block):
    file, start, end = split_fragment(path)
    if block is None:
        return file
    first = _number_of_block(start, block)
    if end is None or _number_of_block(end, block, end=True) != first:
        raise ValueError(
            f"{path}: crosses the border of two blocks of {block:g} s, so it belongs to no block; cut the recordings "
            f"with segment(..., block={block:g})."
        )
    return add_fragment(file, first * block, (first + 1) * block)
