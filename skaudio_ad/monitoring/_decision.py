"""Decide about scored windows: events, and drift told apart from anomalies."""

import base64
import json
import math
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from .._typing import FloatArray
from ..recordings import AlarmPolicy, Event, EventFinder
from ..recordings._window_scorer import WindowScore
from ..thresholds._martingale import ExchangeabilityMartingale
from ._records import DRIFT_ALARM, Notice, Window
from ._stretches import Cut

# Share of runs without drift in which the test for drift may give an alarm.
_DRIFT_ALPHA = 10**-DRIFT_ALARM


class Decision:
    """Turn scores of windows into windows, events and notices of drift.

    Parameters
    ----------
    policy : AlarmPolicy
    source : str
        Name of the source, for the events.
    calibration_scores : ndarray of shape (n_windows,) or None, default=None
        Scores of normal windows, for p-values and for the test for drift. None keeps the p-values of the detector.
    drift_interval : float or None, default=None
        Minimum time from the start of a window of the test for drift to the next one, in seconds. None tests for no
        drift.
    """

    def __init__(
        self,
        policy: AlarmPolicy,
        source: str,
        calibration_scores: FloatArray | None = None,
        drift_interval: float | None = None,
    ) -> None:
        self._policy = policy
        self._finder = EventFinder(policy, source)
        self._scores, self._interval = calibration_scores, drift_interval
        self._sorted = None if calibration_scores is None else np.sort(calibration_scores)
        self._martingale = self._new_martingale()
        self._drift = 0.0 if self._martingale is not None else math.nan
        self._tested_until = -math.inf
        self._has_told_drift = False

    def _new_martingale(self):
        if self._scores is None or not len(self._scores) or self._interval is None:
            return None
        return ExchangeabilityMartingale(self._scores, alpha=_DRIFT_ALPHA, random_state=0)

    @property
    def is_open(self) -> bool:
        """Whether an event goes on."""
        return self._finder.is_open

    def decide(self, cut: Cut, scored: WindowScore) -> list[Window | Event | Notice]:
        """Return the window, and the events and notices that begin or end with the window.

        Parameters
        ----------
        cut : Cut
        scored : WindowScore

        Returns
        -------
        list of Window, Event and Notice
        """
        notices = self._test_drift(cut, scored.score)
        p_value = self._p_value(scored)
        events = self._finder.push(
            cut.start,
            cut.end,
            scored.score,
            p_value=p_value,
            low_hz=scored.low_hz,
            high_hz=scored.high_hz,
        )
        window = Window(
            start=cut.start,
            end=cut.end,
            score=scored.score,
            p_value=p_value,
            margin=scored.score - self._policy.raise_level,
            level_db=level_db(cut.waveform),
            alarm=self._finder.is_open,
            drift=self._drift,
            error=scored.error,
            low_hz=scored.low_hz,
            high_hz=scored.high_hz,
            features=scored.features,
        )
        return [window, *events, *notices]

    def _p_value(self, scored):
        """Compare a score with the calibration, which has more windows than the training of the detector."""
        if self._sorted is None or math.isnan(scored.score):
            return scored.p_value
        n_below = int(np.searchsorted(self._sorted, scored.score, side="right"))
        return (1 + n_below) / (1 + len(self._sorted))

    def _test_drift(self, cut, score):
        """Test windows that do not overlap and are far enough apart for independent scores.

        Nothing is bet during an event, so an anomaly is no drift.
        """
        if self._martingale is None or math.isnan(score) or cut.start < self._tested_until - 1e-6:
            return []
        self._tested_until = max(cut.end, cut.start + self._interval)
        self._drift = float(self._martingale.update(score, bet=not self._finder.is_open))
        if not self._martingale.is_alarm or self._has_told_drift:
            return []
        self._has_told_drift = True
        text = (
            "The normal sound has changed slowly: the scores no longer look like those of the calibration "
            f"(evidence {10 ** min(self._drift, 300.0):.3g} : 1). A drift is no event: the sound of the machine, the "
            "microphone or the room has changed, or the calibration did not cover this sound. If the sound of now is "
            "normal, confirm it with `skaudio-ad confirm`, calibrate again with `skaudio-ad calibrate`, or fit the "
            "detector again. If the change came with a new place or gain of the microphone, undo the change."
        )
        return [
            Notice(
                f"drift-{cut.start:.3f}", cut.end, "drift", text, details={"log10_martingale": self._drift}
            )
        ]

    def interrupt(self, time: float, reason: str) -> list[Event]:
        """End an event because of a gap in the sound.

        Parameters
        ----------
        time : float
            Unix time of the gap.
        reason : str

        Returns
        -------
        list of Event
        """
        return list(self._finder.interrupt(time, reason))

    def forget_drift(self) -> None:
        """Test for drift anew, because the detector has changed."""
        self._martingale = self._new_martingale()
        self._drift = 0.0 if self._martingale is not None else math.nan
        self._has_told_drift = False

    def get_state(self) -> dict[str, Any]:
        """Return the state as values that JSON can hold."""
        return {
            "finder": self._finder.get_state(),
            "martingale": None if self._martingale is None else _pack(self._martingale.get_state()),
            "drift": self._drift,
            "tested_until": self._tested_until if math.isfinite(self._tested_until) else None,
            "has_told_drift": self._has_told_drift,
        }

    def set_state(self, state: dict[str, Any], *, same_scores: bool) -> None:
        """Go on from a state of an earlier run.

        Parameters
        ----------
        state : dict
            Result of :meth:`get_state`.
        same_scores : bool
            Whether the calibration scores are those of the earlier run. The test for drift begins anew otherwise.
        """
        self._finder.set_state(state["finder"])
        if self._martingale is not None and state["martingale"] is not None and same_scores:
            self._martingale.set_state(_unpack(state["martingale"]))
            self._drift = math.nan if state["drift"] is None else state["drift"]
            self._tested_until = -math.inf if state["tested_until"] is None else state["tested_until"]
            self._has_told_drift = state["has_told_drift"]


def _pack(state):
    """Compress the state of a martingale, which counts thousands of bins: a flash card wears with every byte."""
    keys = np.array(state["keys"], dtype=np.int64)
    packed = {**state, "keys": np.diff(keys, prepend=0).tolist()}  # differences of sorted keys are small
    return base64.b64encode(zlib.compress(json.dumps(packed).encode(), 1)).decode("ascii")


def _unpack(text):
    state = json.loads(zlib.decompress(base64.b64decode(text)))
    return {**state, "keys": np.cumsum(np.array(state["keys"], dtype=np.int64)).tolist()}


def level_db(waveform: npt.NDArray[np.float32]) -> float:
    """Return the root mean square of samples in dB relative to full scale. -inf for digital silence."""
    power = float(np.mean(np.square(waveform, dtype=np.float64)))
    return -math.inf if power == 0 else 10 * math.log10(power)


class EventWindows:
    """The windows of the event that goes on, for the memory of what is normal.

    Parameters
    ----------
    n_windows : int, default=50
        Maximum number of windows of an event that are kept: the least normal ones.
    n_before : int, default=8
        Number of windows that are kept before an alarm is raised, because an event begins before its alarm.
    """

    def __init__(self, n_windows: int = 50, n_before: int = 8) -> None:
        self._n_windows, self._n_before = n_windows, n_before
        self._windows: list[Window] = []

    def push(self, window: Window) -> None:
        """Keep a window that has features."""
        if window.features is None:
            return
        if self._windows and not self._windows[-1].alarm:
            # An event that ends with a window is asked for after that window, so its windows go one window later.
            del self._windows[: -self._n_before]
        self._windows.append(window)
        if len(self._windows) > self._n_windows:
            self._windows.remove(max(self._windows, key=lambda kept: kept.score))

    def of(self, event: Event) -> Sequence[Window]:
        """Return the kept windows of an event."""
        return [
            kept
            for kept in self._windows
            if kept.start >= event.start - 1e-6 and kept.end <= event.end + 1e-6
        ]
