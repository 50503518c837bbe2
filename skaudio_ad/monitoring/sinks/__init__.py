"""Sinks: where windows, events and notices go."""

from ._metrics_sinks import MetricsSink, PrometheusFileSink
from ._page_server import PageSink
from ._sink import MonitorInfo, Record, Sink, Sound
from ._terminal import TerminalSink

__all__ = [
    "MetricsSink",
    "MonitorInfo",
    "PageSink",
    "PrometheusFileSink",
    "Record",
    "Sink",
    "Sound",
    "TerminalSink",
]
