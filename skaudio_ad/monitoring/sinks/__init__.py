"""Sinks: where windows, events and notices go."""

from ._sink import MonitorInfo, Record, Sink, Sound

__all__ = ["MonitorInfo", "Record", "Sink", "Sound"]
