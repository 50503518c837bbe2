"""`Event`: a stretch of time that sounds wrong."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Event:
    """Stretch of time that sounds wrong.

    Times are seconds from the start of a recording, or Unix times (seconds since 1970, UTC) of a live source.

    Attributes
    ----------
    id : str
        Name of the event. The same windows of the same source give the same name, also after a restart.
    source : str
        Name of the source, or path of the recording.
    start, end : float
        Start of the first and end of the last window of the event. While the event goes on, `end` is the end of its
        newest window.
    worst_time : float
        Middle of the least normal window.
    score : float
        Lowest score of the event. Higher is more normal.
    p_value : float
        p-value of the least normal window (the peak). NaN if the detector has no calibration scores.
    n_windows : int
        Number of windows from the first to the last window of the event.
    state : {"raised", "cleared"}
        Whether the event goes on.
    reason : str
        Why the event has ended, or "" while the event goes on: "normal again", "maximum duration", "the sound stopped".
    low_hz, high_hz : float or None
        Lowest and highest frequency that sounds wrong in the least normal window, in hertz. None if the detector does
        not tell frequencies.
    """

    id: str
    source: str
    start: float
    end: float
    worst_time: float
    score: float
    p_value: float
    n_windows: int
    state: Literal["raised", "cleared"]
    reason: str = ""
    low_hz: float | None = None
    high_hz: float | None = None
