"""What a source gives and what a monitor reports: blocks of sound, windows with scores, and notices."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from .._typing import Float32Array

# Logarithm to the base 10 of the martingale at which drift is reported: 100 : 1 (Ville's bound for 1 in 100).
DRIFT_ALARM = 2.0


@dataclass(frozen=True)
class Block:
    """Stretch of sound without a gap.

    Attributes
    ----------
    time : float
        Time of the first sample: Unix time (seconds since 1970, UTC).
    samples : ndarray of shape (n_samples, n_channels), float32
        Samples in [-1, 1].
    sample_rate : int
        Samples per second, in hertz.
    position : object
        Where the source goes on after this block, for a restart: a value that JSON can hold. None if the source cannot
        go back, such as a microphone.
    stream : str
        Name of the stretch of sound that the block continues, such as the path of a file of a folder. Windows do not
        span blocks of different streams.
    """

    time: float
    samples: Float32Array
    sample_rate: int
    position: Any = None
    stream: str = ""


@dataclass(frozen=True)
class Notice:
    """Something about the source or the monitor that a person must know and that is no anomaly.

    Attributes
    ----------
    id : str
        Name of the notice. The same cause gives the same name, also after a restart.
    time : float
        Unix time.
    kind : str
        One word. Of a source: "gap", "overrun", "lost", "back", "rate", "channels", "clock", "file", "end". Of a
        watchdog: "silence", "clipping", "stuck", "dropped". Of the monitor: "drift", "start", "stop", "restart",
        "memory", "sink", "disk".
    text : str
        What has happened and what to do, in sentences.
    duration : float
        Seconds of sound that were lost. NaN if nothing was lost or the duration is unknown.
    details : dict
        Further values that JSON can hold.
    position : object
        As for a :class:`Block`: where the source goes on after this notice. None leaves the position unchanged.
    """

    id: str
    time: float
    kind: str
    text: str
    duration: float = float("nan")
    details: dict[str, Any] = field(default_factory=dict)
    position: Any = None


@dataclass(frozen=True)
class Window:
    """One window of sound and its score.

    Attributes
    ----------
    start, end : float
        Unix times, or seconds from the start of a recording.
    score : float
        Score of the detector. Higher is more normal. NaN if the window could not be scored, and `error` says why.
    p_value : float
        Conformal p-value, from the calibration of the monitor, or without one from the calibration scores of the
        detector. NaN if there are no such scores.
    margin : float
        Score minus the level that raises an alarm.
    level_db : float
        Root mean square of the window, in dB relative to full scale. -inf for digital silence.
    alarm : bool
        Whether an event goes on at the end of the window.
    drift : float
        Logarithm to the base 10 of the martingale that tests for drift. An alarm begins at 2 (100 : 1). NaN without a
        test.
    error : str
        Why the window has no score, or "".
    low_hz, high_hz : float or None
        Lowest and highest frequency of the band that sounds least normal, in hertz.
    features : ndarray or None
        Input of the last step of the detector, such as an embedding of shape (n_features,). For the memory of what is
        normal; not written by sinks.
    """

    start: float
    end: float
    score: float
    p_value: float = float("nan")
    margin: float = float("nan")
    level_db: float = float("nan")
    alarm: bool = False
    drift: float = float("nan")
    error: str = ""
    low_hz: float | None = None
    high_hz: float | None = None
    features: npt.NDArray[np.float32] | None = field(default=None, repr=False, compare=False)
