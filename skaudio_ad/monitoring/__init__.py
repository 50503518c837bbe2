"""Listen to a source of sound all day: windows, events, drift and notices, with sinks that report them."""

from ._memory import NormalMemory
from ._memory_log import MemoryChange
from ._quiet_hours import QuietHours
from ._records import Block, Notice, Window

__all__ = ["Block", "MemoryChange", "NormalMemory", "Notice", "QuietHours", "Window"]
