"""Rows of clips in one array, filled as the clips are computed."""

import numpy as np


class GrowingRows:
    """Rows in one array that grows as they come, without a second copy of what is there."""

    def __init__(self):
        self._rows, self._filled, self._expected = np.empty((0, 0)), 0, 0

    def expect(self, n_rows):
        """Say how many rows will come, as far as is known: before the first, or again with the same number."""
        self._expected = self._expected or n_rows

    def append(self, rows):
        """Add rows (n_rows, n_columns); a wider precision than before widens all."""
        if not self._filled:
            self._rows = self._allocate(max(self._expected, len(rows)), rows)
        if np.result_type(self._rows, rows) != self._rows.dtype:
            self._rows = self._rows.astype(rows.dtype)
        stop = self._filled + len(rows)
        if stop > len(self._rows):  # by an eighth: moved by the system in pages, which are not copied
            self._resize(max(stop, len(self._rows) + len(self._rows) // 8))
        self._rows[self._filled : stop] = rows
        self._filled = stop

    def _allocate(self, n_rows, rows):
        try:
            return np.empty((n_rows, rows.shape[1]), dtype=rows.dtype)
        except MemoryError:  # the first clip was a long one: its length times the number of clips says little
            return np.empty(rows.shape, dtype=rows.dtype)

    def finish(self):
        """The array of all rows, (n_rows, n_columns)."""
        self._resize(self._filled)
        return self._rows

    def _resize(self, n_rows):
        if n_rows != len(self._rows):
            # No view of the array leaves this class before it is finished.
            self._rows.resize((n_rows, self._rows.shape[1]), refcheck=False)


class FrameRows(list):
    """Clips (n_bins, n_frames_i) as views of their frames, which lie one after the other in one array.

    Parameters
    ----------
    frames : ndarray of shape (n_frames, n_bins), float32
    first, lengths : ndarray of int of shape (n_clips,)
        The first frame of every clip, and how many it has.
    """

    def __init__(self, frames, first, lengths):
        super().__init__(frames[start : start + n].T for start, n in zip(first, lengths))
        self.frames, self.first, self.lengths = frames, first, lengths

    def part(self, positions):
        """Some of the clips, as views of the same frames."""
        return FrameRows(self.frames, self.first[positions], self.lengths[positions])


def gather_frames(readable, n_clips):
    """Clips from ``readable_clips`` as `FrameRows`, and their positions."""
    rows = GrowingRows()
    positions: list[int] = []
    lengths: list[int] = []
    for index, clip in readable:
        rows.expect(n_clips * clip.shape[1])
        rows.append(clip.T.astype(np.float32, copy=False))
        positions.append(index)
        lengths.append(clip.shape[1])
    if not positions:
        return [], np.arange(0)
    ends = np.cumsum(lengths)
    return FrameRows(rows.finish(), ends - lengths, np.array(lengths)), np.array(positions)


def gather_clips(readable, n_clips):
    """Clips of one size from ``readable_clips`` as an array (n_clips, n_bins, n_frames), and their positions."""
    clips = None
    positions: list[int] = []
    for index, clip in readable:
        if clips is None:
            clips = np.empty((n_clips, *clip.shape), dtype=np.float32)
        clips[len(positions)] = clip
        positions.append(index)
    return ([] if clips is None else clips[: len(positions)]), np.array(positions, dtype=int)
