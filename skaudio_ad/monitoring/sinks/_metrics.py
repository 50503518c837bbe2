"""Metrics of a monitor for Prometheus."""

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from types import ModuleType
from typing import Any

from ...recordings._events import Event
from .._records import Window
from ._sink import MonitorInfo, Record
from ._status import Status

# Upper bounds of the histogram of latencies, in seconds.
_LATENCIES = (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 60, 300)
# Maximum number of ids of events that are known, so that an event that is repeated after a restart counts once.
_MAX_IDS = 1000
# Kinds of notices, which begin at 0: Prometheus sees no increase from nothing to 1.
_KINDS = (
    *("gap", "overrun", "lost", "back", "rate", "channels", "clock", "file", "end"),
    *("silence", "clipping", "stuck", "dropped"),
    *("drift", "start", "stop", "restart", "memory", "sink", "disk"),
)
# Maximum number of values of a label.
_MAX_VALUES = 40


def find_prometheus() -> ModuleType | None:
    """Return the package prometheus_client, or None if the package is not installed."""
    try:
        import prometheus_client
    except ImportError:
        return None
    return prometheus_client


class Metrics:
    """Metrics of a monitor in a registry of their own. Every metric has the label "source".

    Parameters
    ----------
    info : MonitorInfo
    clock : callable, default=time.time
        Unix time, for the latency of a window.

    Raises
    ------
    ImportError
        If prometheus-client is not installed.
    """

    def __init__(self, info: MonitorInfo, clock: Callable[[], float] = time.time) -> None:
        prometheus = find_prometheus()
        if prometheus is None:
            raise ImportError(
                "metrics need the package prometheus-client, which is not installed: pip install skaudio_ad[monitor]."
            )
        self._clock = clock
        self._source = _valid(info.source)
        self._registry = prometheus.CollectorRegistry()
        self._generate, self._content_type = prometheus.generate_latest, prometheus.CONTENT_TYPE_LATEST
        self._status = Status(info)
        self._ids: OrderedDict[str, None] = OrderedDict()
        self._kinds, self._sinks = set[str](), set[str]()
        self._lock = threading.Lock()

        def make(kind, name, text, labels=(), **settings):
            metric = getattr(prometheus, kind)(
                f"skaudio_ad_{name}", text, ("source", *labels), registry=self._registry, **settings
            )
            return metric if labels else metric.labels(self._source)

        self._windows = make("Counter", "windows", "Windows that were scored.")
        self._failures = make("Counter", "window_errors", "Windows that could not be scored.")
        self._events = make("Counter", "events", "Events that were raised.")
        self._notices = make("Counter", "notices", "Notices of the monitor, by kind.", ("kind",))
        self._sink_errors = make("Counter", "sink_errors", "Notices about a sink that failed.", ("sink",))
        self._lost = make("Counter", "audio_lost_seconds", "Seconds of sound that were lost.")
        self._alarm = make("Gauge", "alarm", "1 while an event goes on, 0 otherwise.")
        self._score = make("Gauge", "score", "Score of the newest window. Higher is more normal.")
        self._raise = make("Gauge", "raise_level", "Score that raises an alarm.")
        self._p_value = make("Gauge", "p_value", "Conformal p-value of the newest window.")
        self._level = make("Gauge", "level_db", "Level of the newest window, in dB relative to full scale.")
        self._drift = make("Gauge", "drift_log10", "Logarithm to the base 10 of the martingale for drift.")
        self._time = make(
            "Gauge", "last_window_timestamp_seconds", "Unix time of the end of the newest window."
        )
        self._latency = make(
            "Histogram",
            "window_latency_seconds",
            "Seconds from the end of a window to its score.",
            buckets=_LATENCIES,
        )
        facts = {"detector": info.detector, "version": info.versions.get("skaudio_ad", "")}
        make("Gauge", "info", "1, with the detector and the version of the package.", tuple(facts)).labels(
            self._source, *map(_valid, facts.values())
        ).set(1)
        for kind in _KINDS:
            self._notices.labels(self._source, self._known(kind, self._kinds))
        self._raise.set(info.raise_level)
        for gauge in (self._score, self._p_value, self._level, self._drift, self._time):
            gauge.set(math.nan)

    def add(self, record: Record) -> None:
        """Count a record.

        Parameters
        ----------
        record : Window, Event or Notice
        """
        with self._lock:
            self._status.add(record)
            if isinstance(record, Window):
                self._add_window(record)
            elif isinstance(record, Event):
                if record.id not in self._ids:
                    self._events.inc()
                self._ids[record.id] = None
                self._ids.move_to_end(record.id)
                if len(self._ids) > _MAX_IDS:
                    self._ids.popitem(last=False)
            else:
                self._notices.labels(self._source, self._known(record.kind, self._kinds)).inc()
                if record.kind == "sink":
                    name = self._known(str(record.details.get("sink", "")), self._sinks)
                    self._sink_errors.labels(self._source, name).inc()
                if record.duration > 0 and math.isfinite(record.duration):
                    self._lost.inc(record.duration)
            self._alarm.set(self._status.is_alarm)

    def _add_window(self, window):
        self._windows.inc()
        if math.isnan(window.score):
            self._failures.inc()
        for gauge, value in (
            (self._score, window.score),
            (self._p_value, window.p_value),
            (self._level, window.level_db),
            (self._drift, window.drift),
            (self._time, window.end),
        ):
            gauge.set(value)
        self._latency.observe(max(0.0, self._clock() - window.end))

    def _known(self, name, known):
        """Return a value for a label. Prometheus keeps a time series for every value, so their number is bounded."""
        if name not in known and len(known) >= _MAX_VALUES:
            return "other"
        known.add(name)
        return _valid(name)

    def text(self) -> tuple[bytes, str]:
        """Return the metrics in the text format of Prometheus, and the media type of that format."""
        return self._generate(self._registry), self._content_type

    def health(self) -> tuple[dict[str, Any], float]:
        """Return the state at a glance, and the number of seconds without a window that is allowed."""
        with self._lock:
            return self._status.get(), self._status.patience


def _valid(text):
    """Return a text that UTF-8 can write. The name of a file may hold other bytes."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
