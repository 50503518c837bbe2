"""`WindowCutter`: cut sound that arrives in blocks into windows of one length, at the rate of a detector."""

from typing import Any

import numpy as np
import soxr

from .._checks import check_number
from .._typing import Float32Array
from ._channels import Channel, check_channel, pair_of
from ._decode import _PIECE

# Minimum share of a window that lies after the last window and gets a window of its own.
_SHORTEST_REST = 0.01


class WindowCutter:
    """Cut sound that arrives in blocks into windows of one length.

    The cutter selects the channel, resamples as :func:`read_audio` does, and returns every window as soon as its last
    sample has arrived. The samples of a window do not depend on the size of the blocks. Besides the samples of one
    window and one block, no samples are kept.

    A sample that is NaN or infinite makes only its own windows NaN: these windows hold NaN where the sample was.

    Parameters
    ----------
    source_rate : int
        Sample rate of the blocks, in hertz.
    n_channels : int
        Number of channels of the blocks.
    sample_rate : int
        Sample rate of the windows, in hertz.
    window : float
        Duration of a window, in seconds.
    hop : float
        Time from the start of a window to the start of the next one, in seconds.
    channel : "mix", int, "near-far" or pair of int, default="mix"
        As in :class:`AudioLoader`.

    Attributes
    ----------
    seconds : float
        Duration of the sound that was pushed so far, in seconds.

    Raises
    ------
    ValueError, TypeError
        If a parameter is out of range, or `channel` does not exist.

    Examples
    --------
    >>> import numpy as np
    >>> from skaudio_ad.audio._window_cutter import WindowCutter
    >>> cutter = WindowCutter(16000, 1, 16000, window=1.0, hop=0.5)
    >>> [start for start, _ in cutter.push(np.zeros((20000, 1), np.float32))]
    [0.0]
    >>> [start for start, _ in cutter.push(np.zeros((20000, 1), np.float32))]
    [0.5, 1.0, 1.5]
    """

    def __init__(
        self,
        source_rate: int,
        n_channels: int,
        sample_rate: int,
        window: float,
        hop: float,
        channel: Channel = "mix",
    ) -> None:
        check_number(source_rate, "source_rate", low=1, integer=True)
        check_number(n_channels, "n_channels", low=1, integer=True)
        check_number(sample_rate, "sample_rate", low=1, integer=True)
        check_number(window, "window", low=0, closed="neither")
        check_number(hop, "hop", low=0, closed="neither")
        check_channel(channel)
        if round(window * sample_rate) < 1 or round(hop * sample_rate) < 1:
            raise ValueError(
                f"window and hop must last at least one sample, got {window!r} s and {hop!r} s at {sample_rate} Hz."
            )
        pair = pair_of(channel)
        self._only: Any = None if channel == "mix" else list(pair or (channel,))
        if self._only is not None and max(self._only) >= n_channels:
            raise ValueError(
                f"channel={channel!r} does not exist: the sound has {n_channels} channel(s). Take a lower channel, or "
                '"mix".'
            )
        self._is_pair, self._n_channels = pair is not None, n_channels
        self._source_rate, self._rate, self._hop = source_rate, sample_rate, float(hop)
        self._n_window = round(window * sample_rate)
        n_rows = 1 if pair is None else 2
        self._resamplers = [
            soxr.ResampleStream(source_rate, sample_rate, 1, dtype="float32", quality="HQ")
            for _ in range(n_rows if source_rate != sample_rate else 0)
        ]
        self._kept: list[Any] = [np.empty((n_rows, 0), np.float32)]
        self._first, self._n_kept, self._n_pushed, self._next = 0, 0, 0, 0
        self._broken: list[tuple[int, int]] = []  # stretches of frames that are not finite

    @property
    def seconds(self) -> float:
        """Duration of the sound that was pushed so far, in seconds."""
        return self._n_pushed / self._source_rate

    def push(self, samples: Float32Array) -> list[tuple[float, Float32Array]]:
        """Add the next samples.

        Parameters
        ----------
        samples : ndarray of shape (n_samples, n_channels), float32

        Returns
        -------
        list of (float, ndarray)
            Every window that is complete now: the time of its start, in seconds since the first pushed sample, and its
            samples, of shape (n_window,), or (2, n_window) for a pair of channels.

        Raises
        ------
        ValueError
            If the samples have another shape.
        """
        samples = np.asarray(samples, dtype=np.float32)
        if samples.ndim != 2 or samples.shape[1] != self._n_channels:
            raise ValueError(
                f"samples must have the shape (n_samples, {self._n_channels}), got {samples.shape}."
            )
        if not len(samples):
            return []
        rows = samples.mean(axis=1)[np.newaxis] if self._only is None else samples[:, self._only].T
        rows = self._without_broken(np.ascontiguousarray(rows))
        self._n_pushed += len(samples)
        if not self._resamplers:
            return self._cut(rows)
        pieces = [rows[:, start : start + _PIECE] for start in range(0, rows.shape[1], _PIECE)]
        made = [
            np.concatenate([resampler.resample_chunk(piece[row]) for piece in pieces])
            for row, resampler in enumerate(self._resamplers)
        ]
        return self._cut(np.stack(made))

    def finish(self, *, rest: bool = False) -> list[tuple[float, Float32Array]]:
        """End the sound, and return the windows that waited for the last samples of the resampler.

        Parameters
        ----------
        rest : bool, default=False
            Whether sound after the last window gets a window too: one that ends with the sound, and begins less than
            `hop` after the window before. A rest below 1 % of a window gets none.

        Returns
        -------
        list of (float, ndarray)
            As from `push`.
        """
        if not self._n_pushed:
            return []
        none = np.empty(0, dtype=np.float32)
        windows = []
        if self._resamplers:
            windows = self._cut(np.stack([made.resample_chunk(none, last=True) for made in self._resamplers]))
        start = self._first + self._n_kept - self._n_window
        n_covered = round((self._next - 1) * self._hop * self._rate) + self._n_window if self._next else 0
        if rest and start >= 0 and start + self._n_window - n_covered > _SHORTEST_REST * self._n_window:
            windows.append(
                (round(start / self._rate, 9), self._window_at(np.concatenate(self._kept, axis=1), start))
            )
        return windows

    def _without_broken(self, rows):
        """Note samples that are not finite, and replace them by zeros: a resampler would spread them."""
        is_broken = ~np.isfinite(rows).all(axis=0)
        if is_broken.any():
            edges = np.flatnonzero(np.diff(is_broken, prepend=False, append=False)) + self._n_pushed
            self._broken += list(zip(edges[::2].tolist(), edges[1::2].tolist()))
            rows = np.where(is_broken, np.float32(0), rows)
        return rows

    def _cut(self, rows):
        self._kept.append(rows)
        self._n_kept += rows.shape[1]
        if self._start() + self._n_window > self._first + self._n_kept and self._n_kept < 3 * self._n_window:
            return []
        kept = np.concatenate(self._kept, axis=1)
        windows = []
        while (start := self._start()) + self._n_window <= self._first + self._n_kept:
            windows.append((round(self._next * self._hop, 9), self._window_at(kept, start)))
            self._next += 1
        # The samples of a last window that ends with the sound are kept too.
        n_dropped = max(0, min(start - self._first, self._n_kept - self._n_window))
        self._kept = [kept[:, n_dropped:].copy()]
        self._first, self._n_kept = self._first + n_dropped, self._n_kept - n_dropped
        done = self._first * self._source_rate // self._rate - 1
        self._broken = [stretch for stretch in self._broken if stretch[1] > done]
        return windows

    def _window_at(self, kept, start):
        place = start - self._first
        window = kept[:, place : place + self._n_window].copy()
        self._mark_broken(window, start)
        return window if self._is_pair else window[0]

    def _start(self):
        # Every start is rounded by itself, so that the starts do not drift where the hop is no whole number of samples.
        return round(self._next * self._hop * self._rate)

    def _mark_broken(self, window, start):
        for first, last in self._broken:
            low = first * self._rate // self._source_rate - start
            high = -(-last * self._rate // self._source_rate) - start
            if low < window.shape[1] and high > 0:
                window[:, max(0, low) : high] = np.nan
