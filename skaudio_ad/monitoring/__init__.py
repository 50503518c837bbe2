"""Listen to a source of sound all day: windows, events, drift and notices, with sinks that report them."""

from ._alarm_calibration import AlarmCalibration
from ._calibration import calibrate_alarms
from ._confirm import EventMarks, MarkedEvent
from ._event_rate import hours_for
from ._memory import NormalMemory
from ._memory_log import MemoryChange
from ._monitor import Monitor
from ._quiet_hours import QuietHours
from ._records import Block, Notice, Window
from ._state import StateError

__all__ = [
    "AlarmCalibration",
    "Block",
    "EventMarks",
    "MarkedEvent",
    "MemoryChange",
    "Monitor",
    "NormalMemory",
    "Notice",
    "QuietHours",
    "StateError",
    "Window",
    "calibrate_alarms",
    "hours_for",
]
