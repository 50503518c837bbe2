"""Listen to a source of sound all day: windows, events, drift and notices, with sinks that report them."""

from ._records import Block, Notice, Window

__all__ = ["Block", "Notice", "Window"]
