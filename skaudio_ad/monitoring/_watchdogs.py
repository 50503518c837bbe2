"""Watch the sound itself: silence, clipping, a stuck source and dropped audio."""

import math
from typing import Any

import numpy as np

from ..recordings._findings import _CLIPPED, _LEVEL
from ..recordings._measure import _FULL_SCALE, _SHORTEST_GAP, SILENCE
from ._records import Block, Notice

# Duration of a fault in seconds before it is reported, and of good sound before its end is reported.
_BEGIN = {"silence": 10.0, "clipping": 10.0, "stuck": 3.0, "dropped": 0.0}
_END = 10.0
# Sound in seconds that tells the usual level, and time in seconds over which the usual level is a mean.
_LEARNT, _MEMORY = 600.0, 3600.0
# Number of minutes over which dropped audio is summed, and maximum sum in seconds: 1 % of an hour.
_MINUTES, _DROPPED = 60, 36.0
_TEXTS = {
    "silence": "The source is silent, or far quieter than usual. Look at the microphone, its cable and its gain.",
    "clipping": "The sound is clipped at full scale, which adds harmonics. Lower the gain of the microphone.",
    "stuck": "The source repeats the same samples. Restart the recorder or its driver.",
    "dropped": "More than 1 % of the sound of the last hour is missing. Look at the load and the connection.",
}


class Watchdogs:
    """Find faults of a source, block by block and in constant memory. A fault gives one notice when it begins and one
    when it ends. The thresholds are those of :func:`check_recordings`.

    Parameters
    ----------
    sample_rate : int
        Samples per second, in hertz.
    """

    def __init__(self, sample_rate: int) -> None:
        self.sample_rate = sample_rate
        self._faults: dict[str, dict[str, Any]] = {
            kind: {"bad_since": None, "good_since": None, "told": False} for kind in _TEXTS
        }
        self._usual, self._heard = 0.0, 0.0
        self._end: float | None = None
        self._stream = ""
        self._dropped: dict[int, float] = {}
        self._last: Any = None

    def push(self, block: Block) -> list[Notice]:
        """Take the next block.

        Parameters
        ----------
        block : Block

        Returns
        -------
        list of Notice
        """
        samples = block.samples
        if not len(samples):
            return []
        duration = len(samples) / block.sample_rate
        end = block.time + duration
        self._add_gap(block)
        mono = samples.mean(axis=1, dtype=np.float64)
        power = float(mono @ mono) / len(mono)
        if not math.isfinite(power):  # the windows with these samples report an error
            return []
        level = 10 * math.log10(power) if power > 0 else -math.inf
        is_far = self._heard >= _LEARNT and level < self._usual - _LEVEL
        is_silent = level <= SILENCE or is_far
        if not is_silent:
            share = max(duration / _MEMORY, duration / (self._heard + duration))
            self._usual += min(1.0, share) * (level - self._usual)
            self._heard += duration
        loud = (samples[1:] == samples[:-1]) & (np.abs(samples[1:]) >= _FULL_SCALE)
        n_clipped = int(np.count_nonzero(loud[1:] & loud[:-1]))
        is_constant = duration >= _SHORTEST_GAP and bool((samples == samples[0]).all())
        is_repeated = self._last is not None and np.array_equal(self._last, samples)
        self._last = samples
        bad = {
            "silence": is_silent,
            "clipping": n_clipped / samples.size >= _CLIPPED,
            "stuck": level > SILENCE and (is_constant or is_repeated),
            "dropped": sum(self._dropped.values()) > _DROPPED,
        }
        found = [self._follow(kind, is_bad, block.time, end) for kind, is_bad in bad.items()]
        return [notice for notice in found if notice is not None]

    def get_state(self) -> dict[str, Any]:
        """Return the state as values that JSON can hold. The samples of the last block are left out."""
        return {
            "faults": {kind: dict(fault) for kind, fault in self._faults.items()},
            "usual": self._usual,
            "heard": self._heard,
            "end": self._end,
            "stream": self._stream,
            "dropped": [[minute, seconds] for minute, seconds in self._dropped.items()],
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Go on from a state of :meth:`get_state`. An empty state begins anew."""
        if not state:
            return
        self._faults = {kind: dict(state["faults"][kind]) for kind in _TEXTS}
        self._usual, self._heard = float(state["usual"]), float(state["heard"])
        self._end, self._stream = state["end"], state["stream"]
        self._dropped = {int(minute): float(seconds) for minute, seconds in state["dropped"]}

    def _add_gap(self, block):
        minute = int(block.time // 60)
        self._dropped = {
            key: lost for key, lost in self._dropped.items() if minute - _MINUTES < key <= minute
        }
        gap = 0.0 if self._end is None or block.stream != self._stream else block.time - self._end
        if gap >= _SHORTEST_GAP:
            self._dropped[minute] = self._dropped.get(minute, 0.0) + gap
        self._end, self._stream = block.time + len(block.samples) / block.sample_rate, block.stream

    def _follow(self, kind, is_bad, start, end):
        fault = self._faults[kind]
        if is_bad:
            fault["good_since"] = None
            if fault["bad_since"] is None:
                fault["bad_since"] = start
            if not fault["told"] and end - fault["bad_since"] >= _BEGIN[kind]:
                fault["told"] = True
                return Notice(f"{kind}-{fault['bad_since']:.3f}", end, kind, _TEXTS[kind])
            return None
        if not fault["told"]:
            fault["bad_since"] = None
            return None
        if fault["good_since"] is None:
            fault["good_since"] = start
        if end - fault["good_since"] < _END:
            return None
        name, since = f"{kind}-{fault['bad_since']:.3f}-end", fault["good_since"] - fault["bad_since"]
        fault.update(bad_since=None, good_since=None, told=False)
        text = f"The fault is over ({kind}). The fault lasted {since:.0f} s."
        return Notice(name, end, kind, text, details={"over": True, "duration": since})
