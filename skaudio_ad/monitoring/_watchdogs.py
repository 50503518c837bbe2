"""Watch the sound itself: silence, clipping, a source that repeats itself, and lost sound."""

import hashlib
import math
from typing import Any

import numpy as np

from ..recordings._findings import _CLIPPED
from ..recordings._measure import _FULL_SCALE
from ._records import Block, Notice
from ._ring import TOLERANCE

# Number of seconds that are judged together. A fault is reported after this time.
_SECONDS = 10.0
# Maximum share of an hour that may be lost without a notice.
_LOST_SHARE = 0.01
_HOUR = 3600.0
_TEXTS = {
    "silence": "The sound is digital silence: all samples are equal. Check the cable, the gain and the mute switch.",
    "clipping": "The sound is clipped, so scores mean little. Lower the gain of the microphone.",
    "stuck": "The source repeats the same block of sound. Start the source again.",
    "dropped": "More than 1 % of the sound of the last hour is lost. Check the connection and the computer's load.",
}
_OVER = {
    "silence": "The sound is no longer silent.",
    "clipping": "The sound is no longer clipped.",
    "stuck": "The source gives new sound again.",
    "dropped": "The sound of the last hour is nearly complete again.",
}


class Watchdogs:
    """Report faults of the sound: one notice when a fault begins, and one when the fault is over.

    Ten seconds are judged together, without a gap. Memory is constant.

    Parameters
    ----------
    sample_rate : int
        Samples per second, in hertz.
    """

    def __init__(self, sample_rate: int) -> None:
        self.sample_rate = sample_rate
        self._since: dict[str, float] = {}
        self._end = math.nan
        self._last = ""
        self._gaps: list[list[float]] = []  # [end of the gap, duration] within the last hour
        self._begin(math.nan)

    def _begin(self, time):
        self._chunk: dict[str, Any] = {
            "time": time,
            "samples": 0,
            "clipped": 0,
            "blocks": 0,
            "repeated": 0,
            "changes": False,
        }

    def push(self, block: Block) -> list[Notice]:
        """Take the next block.

        Parameters
        ----------
        block : Block
            At `sample_rate`.

        Returns
        -------
        list of Notice
        """
        notices = self._find_gap(block)
        samples, chunk = block.samples, self._chunk
        digest = hashlib.sha256(samples.tobytes()).hexdigest()[:16]
        changes = bool((samples != samples[:1]).any())
        chunk["samples"] += samples.size
        chunk["clipped"] += int(np.count_nonzero(np.abs(samples) >= _FULL_SCALE))
        chunk["blocks"] += 1
        chunk["repeated"] += digest == self._last and changes
        chunk["changes"] = chunk["changes"] or changes
        self._last, self._end = digest, block.time + len(samples) / self.sample_rate
        if self._end - chunk["time"] >= _SECONDS:
            found = {
                "silence": not chunk["changes"],
                "clipping": chunk["clipped"] >= _CLIPPED * chunk["samples"],
                "stuck": chunk["blocks"] > 1 and chunk["repeated"] == chunk["blocks"],
            }
            for kind, is_bad in found.items():
                notices += self._judge(kind, is_bad, chunk["time"])
            self._begin(self._end)
        return notices

    def _find_gap(self, block):
        """Begin anew after a gap, and sum up the lost sound of the last hour."""
        gap = block.time - self._end
        if not abs(gap) <= TOLERANCE:  # also for the first block
            self._begin(block.time)
            if gap > 0:
                self._gaps.append([block.time, min(gap, _HOUR)])
        self._gaps = [kept for kept in self._gaps if block.time - kept[0] < _HOUR][-1000:]
        lost = sum(duration for _, duration in self._gaps)
        return self._judge("dropped", lost > _LOST_SHARE * _HOUR, block.time, duration=lost)

    def _judge(self, kind, is_bad, time, **facts):
        if is_bad == (kind in self._since):
            return []
        if is_bad:
            self._since[kind] = time
            return [Notice(f"{kind}-{time:.3f}", time, kind, _TEXTS[kind], **facts)]
        since = self._since.pop(kind)
        return [Notice(f"{kind}-{since:.3f}-over", time, kind, _OVER[kind], details={"since": since})]

    def get_state(self) -> dict[str, Any]:
        """Return the state as values that JSON can hold."""
        end = None if math.isnan(self._end) else self._end
        chunk = {**self._chunk, "time": None if math.isnan(self._chunk["time"]) else self._chunk["time"]}
        return {
            "since": dict(self._since),
            "end": end,
            "last": self._last,
            "gaps": self._gaps,
            "chunk": chunk,
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Go on from the state of other watchdogs.

        Parameters
        ----------
        state : dict
            From :meth:`get_state`, also through JSON.
        """
        self._since, self._last = dict(state["since"]), state["last"]
        self._end = math.nan if state["end"] is None else state["end"]
        self._gaps = [list(gap) for gap in state["gaps"]]
        self._chunk = dict(state["chunk"])
        if self._chunk["time"] is None:
            self._chunk["time"] = math.nan
