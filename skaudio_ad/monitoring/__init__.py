"""Listen to a source of sound all day: windows, events, drift and notices, with sinks that report them."""

from ._alarm_calibration import AlarmCalibration
from ._calibration import calibrate_alarms
from ._event_rate import hours_for
from ._records import Block, Notice, Window

__all__ = ["AlarmCalibration", "Block", "Notice", "Window", "calibrate_alarms", "hours_for"]
