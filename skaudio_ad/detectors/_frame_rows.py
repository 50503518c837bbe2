"""Rows of clips in one array, filled as the clips are computed."""

import numpy as np


class GrowingRows:
    """Rows in one array that grows as rows are added, without a second copy of the rows in it.

    Parameters
    ----------
    n_spare : int, default=0
        Number of columns to leave free behind those of the rows.
    """

    def __init__(self, n_spare=0):
        self._n_spare, self._rows, self._filled, self._expected = n_spare, np.empty((0, 0)), 0, 0

    def expect(self, n_rows):
        """Announce the number of rows, as far as the number is known. Only the first call has an effect."""
        self._expected = self._expected or n_rows

    def append(self, rows):
        """Add rows (n_rows, n_columns). Rows of a higher precision than before raise the precision of all."""
        if not self._filled:
            self._rows = self._allocate(max(self._expected, len(rows)), rows)
        if np.result_type(self._rows, rows) != self._rows.dtype:
            self._rows = self._rows.astype(rows.dtype)
        stop = self._filled + len(rows)
        if stop > len(self._rows):
            # The system moves an array that grows by an eighth page by page, without copying it.
            self._resize(max(stop, len(self._rows) + len(self._rows) // 8))
        self._rows[self._filled : stop, : rows.shape[1]] = rows
        self._filled = stop

    def _allocate(self, n_rows, rows):
        n_columns = rows.shape[1] + self._n_spare
        try:
            return np.empty((n_rows, n_columns), dtype=rows.dtype)
        except MemoryError:
            # A long first clip makes the expected number of rows too large.
            return np.empty((len(rows), n_columns), dtype=rows.dtype)

    def finish(self):
        """Return the array of all rows, (n_rows, n_columns + n_spare)."""
        self._resize(self._filled)
        return self._rows

    def _resize(self, n_rows):
        if n_rows != len(self._rows):
            # The check of references can be off: no view of the array leaves this class before `finish`.
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
