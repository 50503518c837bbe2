"""Sinks: where windows, events and notices go."""

from ._audio import AudioSink
from ._command import CommandSink
from ._files import CsvSink, JsonLinesSink
from ._format import record_to_dict
from ._outbox import Outbox, RefusedError, RetryLaterError
from ._sink import MonitorInfo, Record, Sink, Sound
from ._webhook import WebhookSink

__all__ = [
    "AudioSink",
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
    "WebhookSink",
    "record_to_dict",
]
