"""Find events in a sequence of scored windows, window by window and in constant memory."""

import dataclasses
import hashlib
import math
from typing import Any

from .._json import without_nan
from ._alarm_policy import AlarmPolicy, policy_of
from ._event import Event

NORMAL_AGAIN, TOO_LONG, STOPPED = "normal again", "maximum duration", "the sound stopped"
# Number of hexadecimal digits of the name of an event.
_ID_LENGTH = 16


class EventFinder:
    """Find events in windows that come one by one.

    A run of windows begins with a window below the level that raises an alarm. An event is a run that the policy
    reports. The finder returns an event when it is raised, and once more when it is cleared. Equal windows give equal
    events, and a finder that goes on from its state gives the events that it would have given without a break.

    A window without a score (NaN) neither raises nor clears an alarm. The window belongs to an event that goes on.

    Within the refractory time after an event no other event is raised. A run that ends within this time is not
    reported. A run that goes on at the end of this time is raised then, and the event begins with the first window of
    the run. Runs that are shorter than `min_duration` are not reported either. `n_suppressed` counts the windows of
    these runs, and the windows of a sound that goes on after the maximum duration.

    Parameters
    ----------
    policy : AlarmPolicy
    source : str
        Name of the source, or path of the recording.

    Attributes
    ----------
    n_suppressed : int
        Number of windows below the level that raises an alarm that belong to no reported event, although `n_raise` or
        more such windows came in a row.
    """

    def __init__(self, policy: AlarmPolicy, source: str) -> None:
        self.policy, self.source = policy, source
        self.n_suppressed = 0
        # The event or the run that goes on, as the fields of an Event, or None.
        self._run: Any = None  # dict of the facts of an event, or None between events
        self._n_low, self._n_in_a_row, self._is_raised = 0, 0, False
        # Whether an event has reached the maximum duration, and no normal window came since then.
        self._is_held = False
        self._quiet_until, self._last_end = -math.inf, -math.inf

    @property
    def is_open(self) -> bool:
        """Whether an event goes on that has been raised."""
        return self._is_raised

    def push(
        self,
        start: float,
        end: float,
        score: float,
        p_value: float = math.nan,
        low_hz: float | None = None,
        high_hz: float | None = None,
    ) -> list[Event]:
        """Take the next window.

        Parameters
        ----------
        start, end : float
            Times of the window, in seconds. Windows come in the order of their end, and may overlap.
        score : float
            NaN if the window has no score.
        p_value : float, default=nan
        low_hz, high_hz : float or None, default=None
            Band of the window that sounds least normal, in hertz.

        Returns
        -------
        list of Event
            Events that are raised or cleared by this window, in this order.

        Raises
        ------
        ValueError
            If the times are not finite, `end` is not later than `start`, or the window ends before the window before.
        """
        if not (math.isfinite(start) and math.isfinite(end) and start < end):
            raise ValueError(f"a window needs finite times with start < end, got {start!r} and {end!r}.")
        if end < self._last_end:
            raise ValueError(
                f"windows must come in order, got a window that ends at {end!r} after one that ends at "
                f"{self._last_end!r}. If the clock was set back, call interrupt first."
            )
        start, end, score, p_value = float(start), float(end), float(score), float(p_value)
        self._last_end = end
        found: list[Event] = []
        if score >= self.policy.clear_level:
            found += self._end_run(NORMAL_AGAIN)
            self._is_held = False
            return found
        if self._is_held:
            self.n_suppressed += score < self.policy.raise_level
            return found
        if self._run is None:
            if not score < self.policy.raise_level:
                return found
            self._run = {"start": start, "end": end, "n_windows": 0, "score": math.inf}
        self._add(start, end, score, p_value, low_hz, high_hz)
        if self._is_raised:
            if end - self._run["start"] >= self.policy.max_duration:
                found += self._end_run(TOO_LONG)
        elif self._n_in_a_row == 0 and not self._has_started():
            self._forget_run()
        elif not math.isnan(score) and self._may_raise(end):
            self._is_raised = True
            found.append(self._event("raised"))
            if end - self._run["start"] >= self.policy.max_duration:
                found += self._end_run(TOO_LONG)
        return found

    def interrupt(self, time: float, reason: str = STOPPED) -> list[Event]:
        """End what goes on, because the sound has a gap, the clock was set, or the source has stopped.

        A run that was not raised yet is forgotten, because nothing is known about the sound in the gap. After an event
        of the maximum duration, a normal window is needed also after a gap before another event can begin.

        Parameters
        ----------
        time : float
            Time at which the sound goes on or has stopped, in seconds. If this time is earlier than the last window,
            for instance because the clock was set back, the refractory time begins anew at this time.
        reason : str, default="the sound stopped"
            Reason of the event that ends.

        Returns
        -------
        list of Event
            The cleared event, or nothing.
        """
        found = self._end_run(reason)
        if time < self._last_end:
            self._quiet_until = min(self._quiet_until, time + self.policy.refractory)
        self._last_end = -math.inf
        return found

    def get_state(self) -> dict[str, Any]:
        """Return the state as values that JSON can hold.

        Returns
        -------
        dict
        """
        return {
            "source": self.source,
            "policy": without_nan(dataclasses.asdict(self.policy)),
            "n_suppressed": self.n_suppressed,
            "run": without_nan(self._run),
            "n_low": self._n_low,
            "n_in_a_row": self._n_in_a_row,
            "is_raised": self._is_raised,
            "is_held": self._is_held,
            "quiet_until": without_nan(self._quiet_until),
            "last_end": without_nan(self._last_end),
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Go on from the state of another finder.

        Parameters
        ----------
        state : dict
            From :meth:`get_state`, also through JSON.

        Raises
        ------
        ValueError
            If the state is no such dict, or belongs to another source or policy.
        """
        try:
            belongs = state["source"] == self.source and policy_of(state["policy"]) == self.policy
            run = state["run"] if state["run"] is None else dict(state["run"])
            if run is not None:
                run["p_value"] = math.nan if run["p_value"] is None else float(run["p_value"])
                run["score"] = _or_minus_infinity(run["score"])
            taken = {
                "n_suppressed": int(state["n_suppressed"]),
                "_n_low": int(state["n_low"]),
                "_n_in_a_row": int(state["n_in_a_row"]),
                "_is_raised": bool(state["is_raised"]),
                "_is_held": bool(state["is_held"]),
                "_quiet_until": _or_minus_infinity(state["quiet_until"]),
                "_last_end": _or_minus_infinity(state["last_end"]),
                "_run": run,
            }
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(
                f"the state is no state of an EventFinder ({error!r}); start without it."
            ) from error
        if not belongs:
            raise ValueError(
                f"the state belongs to another source or policy ({state['source']!r}, {state['policy']}); start "
                "without it."
            )
        vars(self).update(taken)

    def _add(self, start, end, score, p_value, low_hz, high_hz):
        run = self._run
        run["end"] = end
        run["n_windows"] += 1
        if score < self.policy.raise_level:
            self._n_low += 1
            self._n_in_a_row += 1
        elif not self._has_started() and not math.isnan(score):
            self._n_in_a_row = 0
        if score < run["score"]:
            worst = {"worst_time": (start + end) / 2, "score": score, "p_value": p_value}
            run.update(worst, low_hz=low_hz, high_hz=high_hz)

    def _has_started(self):
        """Whether `n_raise` windows of the run came in a row."""
        return self._n_in_a_row >= self.policy.n_raise

    def _may_raise(self, end):
        lasted = end - self._run["start"]
        return self._has_started() and lasted >= self.policy.min_duration and end >= self._quiet_until

    def _end_run(self, reason):
        if not self._is_raised:
            self._forget_run()
            return []
        event = self._event("cleared", reason)
        self._is_held = reason == TOO_LONG
        self._quiet_until = event.end + self.policy.refractory
        self._run, self._n_low, self._n_in_a_row, self._is_raised = None, 0, 0, False
        return [event]

    def _forget_run(self):
        self.n_suppressed += self._n_low if self._has_started() else 0
        self._run, self._n_low, self._n_in_a_row = None, 0, 0

    def _event(self, state, reason=""):
        text = f"{self.source}\n{self._run['start']:.6f}".encode("utf-8", "backslashreplace")
        name = hashlib.sha256(text).hexdigest()[:_ID_LENGTH]
        return Event(id=name, source=self.source, state=state, reason=reason, **self._run)


def _or_minus_infinity(value):
    return -math.inf if value is None else float(value)
