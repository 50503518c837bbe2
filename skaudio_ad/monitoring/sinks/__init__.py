"""Sinks: where windows, events and notices go."""

from ._command import CommandSink
from ._files import CsvSink, JsonLinesSink
from ._format import record_to_dict
from ._outbox import Outbox, RefusedError, RetryLaterError
from ._sink import MonitorInfo, Record, Sink, Sound

__all__ = [
    "CommandSink",
    "CsvSink",
    "JsonLinesSink",
    "MonitorInfo",
    "Outbox",
    "Record",
    "RefusedError",
    "RetryLaterError",
    "Sink",
    "Sound",
    "record_to_dict",
]
