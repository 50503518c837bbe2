"""The newest sound of a source, kept in bounded memory for the sound around an event."""

from collections import deque

import numpy as np

from .._typing import Float32Array
from ._records import Block

# Maximum size of the sound that is kept, in bytes: three minutes of eight channels at 11 kHz, or of two at 48 kHz.
_MAX_BYTES = 1 << 26
# Maximum difference between the end of a block and the start of the next one, in seconds, for sound without a gap.
TOLERANCE = 0.1


class SoundRing:
    """Blocks of the newest seconds of a source.

    Parameters
    ----------
    seconds : float
        Duration of the sound that is kept. Less is kept if this sound takes more than `max_bytes`.
    max_bytes : int, default=64 MiB
        Maximum size of the kept samples.
    """

    def __init__(self, seconds: float, max_bytes: int = _MAX_BYTES) -> None:
        self.seconds = seconds
        self.max_bytes = max_bytes
        self._blocks: deque[Block] = deque()
        self._n_bytes = 0

    def push(self, block: Block) -> None:
        """Keep a block, and forget the oldest blocks that are too many."""
        self._blocks.append(block)
        self._n_bytes += block.samples.nbytes
        newest = _end(block)
        # A block after a jump of the clock to the past is newer than blocks with later times.
        while len(self._blocks) > 1 and (
            self._n_bytes > self.max_bytes or _end(self._blocks[0]) <= newest - self.seconds
        ):
            self._n_bytes -= self._blocks.popleft().samples.nbytes

    def sound(self, start: float, end: float) -> tuple[Float32Array, int, float]:
        """Return the kept sound between two times.

        Parameters
        ----------
        start, end : float
            Unix times.

        Returns
        -------
        samples : ndarray of shape (n_samples, n_channels), float32
            Sound without a gap. If the time has gaps, the longest stretch between them.
        sample_rate : int
            Samples per second, in hertz. 0 if no sound is kept.
        time : float
            Unix time of the first sample.
        """
        best: list[Block] = []
        for stretch in self._stretches():
            inside = [block for block in stretch if block.time < end and _end(block) > start]
            if _seconds(inside) > _seconds(best):
                best = inside
        if not best:
            rate = self._blocks[-1].sample_rate if self._blocks else 0
            return np.zeros((0, 1), dtype=np.float32), rate, start
        rate, first = best[0].sample_rate, best[0].time
        samples = np.concatenate([block.samples for block in best])
        skipped = max(0, round((start - first) * rate))
        stop = min(len(samples), max(skipped, round((end - first) * rate)))
        return samples[skipped:stop], rate, first + skipped / rate

    def _stretches(self):
        """Yield lists of blocks that follow one another without a gap and have one rate and number of channels."""
        stretch: list[Block] = []
        for block in self._blocks:
            if stretch and not follows(stretch[-1], block):
                yield stretch
                stretch = []
            stretch.append(block)
        if stretch:
            yield stretch


def follows(block: Block, other: Block) -> bool:
    """Return whether a block goes on where another one ends, in the same stream, rate and number of channels."""
    return (
        block.stream == other.stream
        and block.sample_rate == other.sample_rate
        and block.samples.shape[1] == other.samples.shape[1]
        and abs(other.time - _end(block)) <= TOLERANCE
    )


def _end(block):
    return block.time + len(block.samples) / block.sample_rate


def _seconds(blocks):
    return sum(len(block.samples) / block.sample_rate for block in blocks)
