"""The protocol of a sink."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeAlias, runtime_checkable

from ..._typing import Float32Array
from ...recordings._events import Event
from .._records import Notice, Window

#: What a monitor yields and what a sink receives.
Record: TypeAlias = Window | Event | Notice

#: ``sound(start, end)`` returns samples of shape (n_samples, n_channels), the sample rate in hertz, and the Unix time
#: of the first sample. The samples begin later or end earlier than asked for if the monitor keeps no others.
Sound: TypeAlias = Callable[[float, float], tuple[Float32Array, int, float]]


@dataclass(frozen=True)
class MonitorInfo:
    """What a sink may need to know before the first record. All texts are plain texts and never markup.

    Attributes
    ----------
    source : str
        Name of the source.
    detector : str
        Description of the detector in one line.
    state : pathlib.Path or None
        Folder of the monitor, for files that outlive a restart. None without a folder.
    window, hop : float
        Duration of a window and distance between the starts of two windows, in seconds.
    raise_level, clear_level : float
        Scores that raise and clear an alarm.
    statement : str
        What is known about the rate of false events, in a sentence.
    sample_rate : int
        Samples per second that the detector hears, in hertz.
    versions : dict of {str: str}
        Versions of the package and of its main dependencies.
    details : dict
        Further values that JSON can hold.
    """

    source: str
    detector: str
    state: Path | None
    window: float
    hop: float
    raise_level: float
    clear_level: float
    statement: str
    sample_rate: int
    versions: dict[str, str] = field(default_factory=dict)
    details: dict[str, Any] = field(default_factory=dict)


@runtime_checkable
class Sink(Protocol):
    """Protocol of a sink.

    No method may block the monitor: a sink that talks to a network, a process or a slow disk does so in a thread of its
    own with a bounded spool (:class:`Outbox`).

    A sink may also have a method ``take_notices()``, which returns a list of :class:`~skaudio_ad.monitoring.Notice`:
    what went wrong in its threads since the last call. The monitor calls the method after every window.

    Attributes
    ----------
    name : str
        Name for messages and for files in the folder of the monitor, unique among the sinks of a monitor.
    """

    name: str

    def open(self, info: MonitorInfo) -> None:
        """Prepare for records. Called once, before the first record. Raises an error that says what to do."""
        ...

    def send(self, record: Record, sound: Sound | None = None) -> None:
        """Take one record. An event arrives twice: raised and cleared. A restart may repeat a record with the same id.

        Parameters
        ----------
        record : Window, Event or Notice
        sound : callable or None
            Gives the sound around an event. Valid only during the call.
        """
        ...

    def close(self, timeout: float = 10.0) -> None:
        """Write what is pending, for `timeout` seconds at most. What is not delivered stays in the spool."""
        ...
