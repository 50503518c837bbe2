"""Sinks: where windows, events and notices go."""

from ._audio import AudioSink
from ._command import CommandSink
from ._files import CsvSink, JsonLinesSink
from ._format import record_to_dict
from ._metrics_sinks import MetricsSink, PrometheusFileSink
from ._mqtt import MqttSink
from ._outbox import Outbox, RefusedError, RetryLaterError
from ._page_server import PageSink
from ._sink import MonitorInfo, Record, Sink, Sound
from ._terminal import TerminalSink
from ._webhook import WebhookSink

__all__ = [
    "AudioSink",
    "CommandSink",
    "CsvSink",
    "JsonLinesSink",
    "MetricsSink",
    "MonitorInfo",
    "MqttSink",
    "Outbox",
    "PageSink",
    "PrometheusFileSink",
    "Record",
    "RefusedError",
    "RetryLaterError",
    "Sink",
    "Sound",
    "TerminalSink",
    "WebhookSink",
    "record_to_dict",
]
