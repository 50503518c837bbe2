"""Listen to a source of sound all day: windows, events, drift and notices, with sinks that report them."""

from ._monitor import Monitor
from ._records import Block, Notice, Window
from ._state import StateError

__all__ = ["Block", "Monitor", "Notice", "StateError", "Window"]
