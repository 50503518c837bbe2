"""`ArraySource`: samples in memory as a source, for tests and simulations."""

import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from ..._checks import check_number
from .._records import Block, Notice
from ._source import SourceInfo
from ._timing import Pace, Timer


class ArraySource:
    """Samples in memory as a source.

    Parameters
    ----------
    samples : array-like of shape (n_samples,) or (n_samples, n_channels)
        Samples in [-1, 1]. NaN is kept.
    sample_rate : int
        Samples per second, in hertz.
    start : float, default=0.0
        Unix time of the first sample, in seconds.
    speed : float, default=inf
        Seconds of sound per second. 1 is real time. Infinity gives the blocks as fast as the consumer takes them.
    block : float, default=1.0
        Duration of a block, in seconds.
    name : str, default="array"
        Name of the source.
    timer : Timer or None, default=None
        Clocks, for tests. None takes the clocks of the computer.

    Raises
    ------
    ValueError
        If `samples` has another number of axes, or a number is out of range.

    Examples
    --------
    >>> import numpy as np
    >>> from skaudio_ad.monitoring.sources import ArraySource
    >>> source = ArraySource(np.zeros(24000), 16000, start=1_700_000_000.0)
    >>> [(block.time, block.samples.shape, block.position) for block in source.stream()]
    [(1700000000.0, (16000, 1), 16000), (1700000001.0, (8000, 1), 24000)]
    """

    def __init__(
        self,
        samples: npt.ArrayLike,
        sample_rate: int,
        *,
        start: float = 0.0,
        speed: float = float("inf"),
        block: float = 1.0,
        name: str = "array",
        timer: Timer | None = None,
    ) -> None:
        check_number(sample_rate, "sample_rate", low=1, integer=True)
        check_number(start, "start")
        check_number(speed, "speed", low=0, closed="right")
        check_number(block, "block", low=0, closed="right")
        array = np.asarray(samples, dtype=np.float32)
        if array.ndim not in (1, 2):
            raise ValueError(
                f"samples must have shape (n_samples,) or (n_samples, n_channels), got shape {array.shape}."
            )
        self.name = name
        self._samples = array[:, None] if array.ndim == 1 else array
        self._sample_rate, self._start, self._speed = int(sample_rate), float(start), speed
        self._size = max(1, round(block * sample_rate))
        self._timer, self._closed = timer or Timer(), threading.Event()

    def describe(self) -> SourceInfo:
        """Return the sample rate and the number of channels.

        Returns
        -------
        SourceInfo
        """
        return SourceInfo(self._sample_rate, self._samples.shape[1], live=False)

    def stream(self, position: Any = None) -> Iterator[Block | Notice | None]:
        """Yield the blocks.

        Parameters
        ----------
        position : int or None, default=None
            Number of the first sample.

        Yields
        ------
        Block, Notice or None
        """
        first, rate = position or 0, self._sample_rate
        pace = Pace(self._speed, self._timer, self._closed)
        for begin in range(first, len(self._samples), self._size):
            end = min(begin + self._size, len(self._samples))
            yield from pace.wait((end - first) / rate)
            if self._closed.is_set():
                return
            yield Block(self._start + begin / rate, self._samples[begin:end], rate, end, self.name)

    def close(self) -> None:
        """End the stream."""
        self._closed.set()
