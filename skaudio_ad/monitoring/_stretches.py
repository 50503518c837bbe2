"""Cut the blocks of a source into windows that span no gap, and know where to go on after a restart."""

import math
from collections import deque
from dataclasses import dataclass
from typing import Any

from .._typing import Float32Array
from ..audio._window_cutter import WindowCutter
from ..recordings._window_scorer import WindowScorer
from ._records import Block
from ._ring import TOLERANCE

# Minimum duration of sound before the first window after a restart, in seconds. The filter of a resampler is much
# shorter, so that this window has the same samples as without the restart.
_LEAD_IN = 0.2


@dataclass(frozen=True)
class Cut:
    """One window of sound, not yet scored.

    Attributes
    ----------
    start, end : float
        Unix times.
    waveform : ndarray of shape (n_samples,) or (2, n_samples), float32
    """

    start: float
    end: float
    waveform: Float32Array


class Stretches:
    """Cut every stretch of sound without a gap into windows.

    Parameters
    ----------
    scorer : WindowScorer
        Gives the window, the hop, the sample rate and the channel.
    saved : dict or None, default=None
        Result of :meth:`get_state` of an earlier run.
    """

    def __init__(self, scorer: WindowScorer, saved: dict[str, Any] | None = None) -> None:
        self._scorer = scorer
        self._saved = saved
        self._cutter: WindowCutter | None = None
        self._blocks: deque[tuple[Any, float, int, int]] = (
            deque()
        )  # position before, time, first sample, samples

    def continues(self, block: Block) -> bool:
        """Return whether a block goes on where the newest block ended, before a restart too."""
        expected = self._saved if self._cutter is None else self._now
        return (
            expected is not None
            and block.stream == expected["stream"]
            and block.sample_rate == expected["rate"]
            and block.samples.shape[1] == expected["n_channels"]
            and abs(block.time - expected["time"]) <= TOLERANCE
        )

    @property
    def _now(self):
        time = self._origin + self._n_pushed / self._rate
        return {"stream": self._stream, "rate": self._rate, "n_channels": self._n_channels, "time": time}

    def push(self, block: Block, position: Any) -> list[Cut]:
        """Cut the next block, which begins a new stretch unless it :meth:`continues` the old one.

        Parameters
        ----------
        block : Block
        position : object
            Position of the source before the block.

        Returns
        -------
        list of Cut
        """
        if not self.continues(block):
            self._begin(block, origin=block.time, base=0, skipped=0, n_done=0)
        elif self._cutter is None:
            saved: Any = self._saved
            self._begin(
                block,
                origin=saved["origin"],
                base=saved["base"],
                skipped=saved["skipped"],
                n_done=saved["next"],
                first=saved["first"],
            )
        assert self._cutter is not None
        self._blocks.append((position, block.time, self._n_pushed, len(block.samples)))
        self._n_pushed += len(block.samples)
        skipped = min(self._to_skip, len(block.samples))
        self._to_skip -= skipped
        cuts = self._number(self._cutter.push(block.samples[skipped:]))
        while len(self._blocks) > 1 and self._blocks[1][2] <= self._first_needed()[1]:
            self._blocks.popleft()
        return cuts

    def _begin(self, block, *, origin, base, skipped, n_done, first=0):
        scorer = self._scorer
        self._saved = None
        self._stream, self._rate, self._n_channels = block.stream, block.sample_rate, block.samples.shape[1]
        self._origin, self._base, self._next = origin, base, n_done
        self._to_skip, self._n_pushed = skipped, first
        self._blocks.clear()
        self._cutter = WindowCutter(
            self._rate,
            self._n_channels,
            scorer.sample_rate,
            scorer.window,
            scorer.hop,
            channel=scorer.channel,
        )

    def _number(self, windows):
        """Give the windows their times, and leave out windows that were done before a restart."""
        scorer, cuts = self._scorer, []
        for seconds, waveform in windows:
            number = self._base + round(seconds / scorer.hop)
            if number < self._next:
                continue
            self._next = number + 1
            start = round(self._origin + number * scorer.hop, 6)
            cuts.append(Cut(start, round(start + scorer.window, 6), waveform))
        return cuts

    def end(self) -> list[Cut]:
        """End the stretch, because of a gap or because the source has ended. Return the last windows."""
        cuts = [] if self._cutter is None else self._number(self._cutter.finish())
        self._cutter = self._saved = None
        self._blocks.clear()
        return cuts

    def _first_needed(self):
        """Return the number of the window with which a restart begins, and its first sample since the origin."""
        base = max(self._base, self._next - math.ceil(_LEAD_IN / self._scorer.hop))
        return base, round(base * self._scorer.hop * self._rate)

    def get_state(self, position: Any) -> dict[str, Any]:
        """Return what a restart needs, as values that JSON can hold.

        Parameters
        ----------
        position : object
            Position of the source after the newest block.

        Returns
        -------
        dict
            ``position`` is where the source has to go on, and ``stretch`` is for the next :class:`Stretches`, or None.
        """
        if self._cutter is None:
            return {"position": position, "stretch": self._saved}
        base, first_sample = self._first_needed()
        blocks = list(self._blocks)
        while len(blocks) > 1 and blocks[1][2] <= first_sample:
            del blocks[0]
        before, time, first, _ = blocks[0]
        state = {
            **self._now,
            "time": time,
            "origin": self._origin,
            "base": base,
            "next": self._next,
            "first": first,
            "skipped": max(0, first_sample - first),
        }
        return {"position": before, "stretch": state}
