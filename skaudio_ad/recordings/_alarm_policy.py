"""When an alarm is raised and cleared: levels, durations and the refractory time."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from .._checks import check_number
from ..detectors import FleetDetector
from ._summary import find_calibration_scores
from ._unwrap import last_step

# Share of normal windows that score below the level that clears an alarm. An alarm then ends soon after the sound is
# normal again: a normal window clears the alarm with a probability of 0.8.
CLEARED_BELOW = 0.2


@dataclass(frozen=True)
class AlarmPolicy:
    """When an alarm is raised and when it is cleared.

    `n_raise` windows in a row that score below `raise_level` raise an alarm. A window that scores `clear_level` or more
    clears the alarm. Windows between the two levels leave the alarm as it is, so that an alarm does not go on and off
    while the score varies around one level (hysteresis).

    Parameters
    ----------
    raise_level : float
        Score below which a window counts as anomalous. Higher scores are more normal.
    clear_level : float
        Score that a normal window reaches. At least `raise_level`.
    n_raise : int, default=1
        Number of windows in a row below `raise_level` that raise an alarm. 1 reports a fault after its first window.
        2 reports a fault one window later, and ignores single windows.
    min_duration : float, default=0.0
        Minimum duration of an event, in seconds, from the start of its first window to the end of its last window. An
        alarm is raised when the event has lasted so long. 0 raises an alarm at once.
    max_duration : float, default=600.0
        Maximum duration of an event, in seconds. Then the event ends with the reason "maximum duration", and the next
        event can only begin after a window that scores `clear_level` or more. 10 minutes keep the sound of an event
        within 20 MB (16 kHz, 16 bits).
    refractory : float, default=60.0
        Duration after the end of an event, in seconds, in which no other event is raised. One minute makes one event of
        a fault that comes and goes. A fault that still goes on after this time is raised then.

    Raises
    ------
    ValueError, TypeError
        If a level is not finite, `clear_level` is lower than `raise_level`, `max_duration` is shorter than
        `min_duration`, or another parameter is out of range.
    """

    raise_level: float
    clear_level: float
    n_raise: int = 1
    min_duration: float = 0.0
    max_duration: float = 600.0
    refractory: float = 60.0

    def __post_init__(self) -> None:
        for name in ("raise_level", "clear_level"):
            check_number(getattr(self, name), name)
            if not np.isfinite(getattr(self, name)):
                raise ValueError(f"{name} must be a finite score, got {getattr(self, name)!r}.")
        if self.clear_level < self.raise_level:
            raise ValueError(
                f"clear_level must be at least raise_level={self.raise_level!r}, got {self.clear_level!r}: a window "
                "that raises an alarm must not clear it."
            )
        check_number(self.n_raise, "n_raise", low=1, integer=True)
        check_number(self.min_duration, "min_duration", low=0, high=np.inf, closed="left")
        check_number(self.max_duration, "max_duration", low=0, closed="neither")
        check_number(self.refractory, "refractory", low=0, high=np.inf, closed="left")
        if self.max_duration < self.min_duration:
            raise ValueError(
                f"max_duration must be at least min_duration={self.min_duration!r}, got {self.max_duration!r}: an "
                "event would end before it is raised."
            )

    @classmethod
    def from_detector(cls, detector: Any, **shape: Any) -> "AlarmPolicy":
        """Make a policy from the threshold and the calibration scores of a fitted detector.

        `raise_level` is the threshold of the detector (``offset_``), so that windows that raise an alarm are those that
        `predict` calls anomalous. `clear_level` is the score that 80 % of the calibration scores reach, or the
        threshold if this is higher or if the detector has no calibration scores. The threshold of a detector says
        something about single clips. Only a calibration says how many events a day are false.

        Parameters
        ----------
        detector : fitted estimator
        **shape
            `n_raise`, `min_duration`, `max_duration` and `refractory`.

        Returns
        -------
        AlarmPolicy

        Raises
        ------
        ValueError
            If the detector has no finite threshold, or a threshold for every machine.
        """
        last = last_step(detector)
        if isinstance(last, FleetDetector):
            raise ValueError(
                "A FleetDetector has a threshold for every machine, and one source is one machine. Pass the detector "
                "of this machine."
            )
        level = getattr(last, "offset_", None)
        if level is None or not np.isfinite(level):
            raise ValueError(
                f"{type(last).__name__} has no finite threshold (offset_ is {level}). Pass an AlarmPolicy with levels "
                "of your own, or calibrate the alarms on normal recordings."
            )
        scores = find_calibration_scores(detector)
        clear = level if scores is None else max(level, float(np.quantile(scores, CLEARED_BELOW)))
        return cls(float(level), float(clear), **shape)


def policy_of(facts: dict[str, Any]) -> AlarmPolicy:
    """Make a policy of its values in a JSON file, where an infinite maximum duration is null.

    Parameters
    ----------
    facts : dict

    Returns
    -------
    AlarmPolicy

    Raises
    ------
    KeyError, ValueError, TypeError
        If a value is missing or out of range.
    """
    taken = dict(facts)
    if taken["max_duration"] is None:
        taken["max_duration"] = np.inf
    return AlarmPolicy(**taken)
