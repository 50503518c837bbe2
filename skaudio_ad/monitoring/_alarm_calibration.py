"""`AlarmCalibration`: levels of an alarm, and what normal recordings say about the rate of false events."""

import json
import math
import os
from dataclasses import asdict, dataclass, fields

import numpy as np

from .._atomic import atomic_path
from .._checks import check_number
from .._json import without_nan
from .._typing import FloatArray, PathLike
from ..recordings import AlarmPolicy
from ..recordings._alarm_policy import policy_of
from ._event_rate import describe_hours, upper_bound

# Format of the file. A file of another format is refused.
_FORMAT = "skaudio_ad alarm calibration 1"


@dataclass(frozen=True)
class AlarmCalibration:
    """Levels of an alarm, and what normal recordings say about the rate of false events.

    Attributes
    ----------
    policy : AlarmPolicy
        Levels, durations and refractory time.
    events_per_day : float
        Number of false events per day that is promised, at most. If `extrapolated`, the number that is expected.
    wanted_events_per_day : float
        Number of false events per day that was asked for. Less than `events_per_day` if there are too few hours.
    confidence : float
        Confidence of the promise.
    hours : float
        Hours of normal sound in which an alarm could have been raised.
    hours_needed : float
        Hours without an event that the number that was asked for takes.
    n_events : int
        Number of events in these hours at the chosen level.
    dispersion : float
        Variance of the number of events divided by its mean. 1 if events come independently, more if events come in
        clusters. The promise and `hours_needed` allow for clusters.
    extrapolated : bool
        Whether the level is extrapolated beyond the recordings. Nothing is promised then.
    window, hop : float
        Duration of a window and time from one window to the next one, in seconds.
    recordings : tuple of str
        Paths of the normal recordings.
    detector_key : str
        Key of the detector that the calibration belongs to.
    drift_interval : float or None
        Seconds from one window to the next one that the test for drift takes. Scores of windows so far apart are nearly
        uncorrelated. None if the recordings are too short for the test, because their scores vary too slowly.
    scores : ndarray of shape (n_windows,), float64
        Scores of windows so far apart, or of all windows that do not overlap, without windows that have no score.
    """

    policy: AlarmPolicy
    events_per_day: float
    wanted_events_per_day: float
    confidence: float
    hours: float
    hours_needed: float
    n_events: int
    dispersion: float
    extrapolated: bool
    window: float
    hop: float
    recordings: tuple[str, ...]
    detector_key: str
    drift_interval: float | None
    scores: FloatArray

    @property
    def is_enough(self) -> bool:
        """Whether the recordings support the number of events that was asked for."""
        return not self.extrapolated and self.events_per_day <= self.wanted_events_per_day * (1 + 1e-9)

    @property
    def statement(self) -> str:
        """What is promised and on which conditions, in sentences."""
        sound = f"{describe_hours(self.hours)} of normal sound with {self.n_events} event(s)"
        rate = f"{_describe_rate(self.events_per_day)} false event(s) per day"
        sure = f"with {self.confidence * 100:g} % confidence"
        if self.extrapolated:
            text = (
                f"About {rate}, extrapolated and not promised: {sound} "
                f"support at most {_describe_rate(self._supported())} per day {sure}."
            )
        elif self.is_enough:
            text = f"At most {rate} {sure}, from {sound}."
        else:
            text = (
                f"At most {rate} {sure}, because {sound} support no better "
                f"promise than that. {self.wanted_events_per_day:g} per day takes {describe_hours(self.hours_needed)} "
                "without an event."
            )
        if self.dispersion > 1:
            text += f" The figures allow for clusters of events (dispersion {self.dispersion:.2g})."
        return (
            f"{text} This assumes that {'clusters of' if self.dispersion > 1 else 'the'} events of normal sound come "
            "independently of each other, and that the future sounds like these hours."
        )

    def _supported(self):
        return 24 * upper_bound(self.n_events, self.confidence, self.dispersion) / self.hours

    def save(self, path: PathLike) -> None:
        """Write the calibration to a JSON file, atomically.

        Parameters
        ----------
        path : str or path-like

        Raises
        ------
        OSError
            If the file cannot be written. An old file stays.
        """
        facts = {field.name: getattr(self, field.name) for field in fields(self)}
        facts |= {"policy": asdict(self.policy), "scores": self.scores.tolist()}
        text = json.dumps(without_nan({"format": _FORMAT, "statement": self.statement, **facts}), indent=1)
        with atomic_path(path) as temporary, open(temporary, "w", encoding="utf-8") as file:
            file.write(text + "\n")

    @classmethod
    def load(cls, path: PathLike) -> "AlarmCalibration":
        """Read a file of :meth:`save`.

        Parameters
        ----------
        path : str or path-like

        Returns
        -------
        AlarmCalibration

        Raises
        ------
        FileNotFoundError
            If the file does not exist.
        ValueError
            If the file is no calibration, or is damaged. The message names the file.
        """
        path = os.fspath(path)
        again = "calibrate again (skaudio-ad calibrate)."
        try:
            with open(path, encoding="utf-8") as file:
                facts = json.load(file)
        except ValueError as error:  # no JSON, or no UTF-8
            raise ValueError(f"{path}: is no calibration of alarms ({error}); {again}") from error
        if not isinstance(facts, dict) or facts.get("format") != _FORMAT:
            raise ValueError(f"{path}: is no calibration of alarms of this version; {again}")
        try:
            taken = {field.name: facts[field.name] for field in fields(cls)}
            taken["policy"] = policy_of(taken["policy"])
            taken["scores"] = np.array(taken["scores"], dtype=np.float64)
            taken["recordings"] = tuple(map(str, taken["recordings"]))
            for name in ("events_per_day", "hours", "hours_needed", "window", "hop", "confidence"):
                check_number(taken[name], name, low=0, closed="neither")
            check_number(taken["drift_interval"], "drift_interval", low=0, closed="neither", none=True)
            if taken["scores"].ndim != 1 or not isinstance(taken["detector_key"], str):
                raise ValueError("scores or detector_key have another form")
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{path}: the calibration is damaged ({error}); {again}") from error
        return cls(**taken)


def _describe_rate(events_per_day):
    """Describe a rate with three digits and without an exponent, rounded up, because it is a promise."""
    digits = max(0, 2 - math.floor(math.log10(events_per_day)))
    rounded = math.ceil(round(events_per_day * 10**digits, 6)) / 10**digits
    text = f"{rounded:.{digits}f}"
    return text.rstrip("0").rstrip(".") if digits else text
