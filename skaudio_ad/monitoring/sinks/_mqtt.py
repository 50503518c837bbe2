"""Publish records with MQTT, and let Home Assistant find the monitor."""

import contextlib
import math
import threading
import time
from collections.abc import Iterable
from typing import Any

from ..._checks import check_number, check_option
from ...recordings._events import Event
from .._records import DRIFT_ALARM, Window
from ._format import to_json
from ._home_assistant import check_topic, discovery, plain_name, topic_level
from ._outbox import RetryLaterError
from ._outbox_sink import OutboxSink
from ._problems import MAX_TEXT, printable
from ._sink import MonitorInfo, Record, Sound

# Quality of service of all messages: at least once.
_QOS = 1
# Number of seconds between two attempts to connect: the first one, and the longest one.
_RECONNECT = (1, 120)
# Maximum number of messages that the client keeps by itself. The spool keeps the events.
_MAX_QUEUED = 100
# Minimum number of seconds between two messages of one score, because a replay gives many windows a second.
_INTERVAL = 0.5
# States that are published at once.
_SWITCHES = {"alarm", "drift"}
# Port of MQTT without and with TLS.
_PORTS = {False: 1883, True: 8883}


class MqttSink(OutboxSink):
    """Publish states and events to an MQTT broker. Home Assistant finds the monitor by itself.

    All topics begin with "{topic}/{device}", where the device is the name of the device with every special character
    replaced. The sink publishes with quality of service 1, and connects again by itself.

    ================  ========  ====================================================================
    topic below       retained  message
    ================  ========  ====================================================================
    availability      yes       "online" or "offline". The broker publishes "offline" if the monitor
                                disappears (last will).
    alarm             yes       "ON" during an event, otherwise "OFF".
    drift             yes       "ON" while the test for drift stands at 100 : 1 or more, otherwise
                                "OFF".
    score, p_value,   yes       Number of the newest window, or "None". The level is in dB relative
    level                       to full scale.
    event             no        Every event that is raised or cleared, as JSON with "event_type".
    last_event        yes       The newest event, as JSON.
    notice            no        Every notice, as JSON.
    ================  ========  ====================================================================

    Events and notices wait in a spool while there is no connection. Of the states, the newest one is published.

    The sink needs the package paho-mqtt: ``pip install skaudio_ad[monitor]``.

    Parameters
    ----------
    host : str
        Name or address of the broker.
    port : int, default=None
        None is 1883, and 8883 with TLS.
    username, password : str, default=None
        Login at the broker.
    tls : bool, default=False
        Whether the connection is encrypted. The certificate of the broker is checked.
    topic : str, default="skaudio_ad"
        First levels of all topics.
    discovery : {"homeassistant", None} or str, default="homeassistant"
        Prefix of the topics by which Home Assistant finds devices. None publishes no message for Home Assistant.
    device_name : str, default=None
        Name of the monitor. None is the name of the source.
    on : iterable of {"raised", "cleared", "notice", "window"}, default=("raised", "cleared", "notice")
        Records that are published as JSON.
    timeout : float, default=10.0
        Maximum duration of a delivery, in seconds.
    name : str, default="mqtt"
        Name for messages and for the spool in the folder of the monitor.

    References
    ----------
    `MQTT discovery of Home Assistant <https://www.home-assistant.io/integrations/mqtt/#device-discovery-payload>`_.

    Examples
    --------
    >>> MqttSink("broker.example.org", username="fan", password="secret", device_name="Fan 3")
    MqttSink('broker.example.org', device_name='Fan 3')
    """

    def __init__(
        self,
        host: str,
        port: int | None = None,
        *,
        username: str | None = None,
        password: str | None = None,
        tls: bool = False,
        topic: str = "skaudio_ad",
        discovery: str | None = "homeassistant",
        device_name: str | None = None,
        on: Iterable[str] = ("raised", "cleared", "notice"),
        timeout: float = 10.0,
        name: str = "mqtt",
    ) -> None:
        super().__init__(name, on, timeout)
        self.host, self.port, self.username, self.password, self.tls = host, port, username, password, tls
        self.topic, self.discovery, self.device_name = topic, discovery, device_name
        self._client: Any = None
        self._is_connected = threading.Event()
        self._states: dict[str, str] = {}
        self._published: dict[str, str] = {}
        self._lock = threading.Lock()
        self._base, self._config = "", ("", "")
        self._next = -math.inf

    def __repr__(self) -> str:
        return f"MqttSink({self.host!r}, device_name={self.device_name!r})"

    def open(self, info: MonitorInfo) -> None:
        """Check the parameters, and begin to connect. A broker that is down is no error.

        Parameters
        ----------
        info : MonitorInfo

        Raises
        ------
        ImportError
            If paho-mqtt is missing or older than version 2.
        OSError
            If the spool cannot be used.
        ValueError
            If a parameter is invalid.
        """
        mqtt = _import_client()
        if not isinstance(self.host, str) or not self.host or not self.host.isprintable() or "/" in self.host:
            raise ValueError(f"host must be a name or an address such as 'localhost', got {self.host!r}.")
        check_number(self.port, "port", low=1, high=65535, integer=True, none=True)
        check_number(self.timeout, "timeout", low=0, closed="neither")
        check_option(self.tls, "tls", (True, False))
        check_topic(self.topic, "topic")
        if self.discovery is not None:
            check_topic(self.discovery, "discovery")
        if self.password is not None and self.username is None:
            raise ValueError("password needs a username.")
        device = topic_level(self.device_name or info.source)
        self._base, self._states = f"{self.topic}/{device}", {}
        if self.discovery is not None:
            name = plain_name(self.device_name or info.source)
            message = to_json(discovery(self._base, device, name, info))
            self._config = (f"{self.discovery}/device/skaudio_ad_{device}/config", message)
        client = self._client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
        client.on_connect, client.on_disconnect = self._on_connect, self._on_disconnect
        client.on_connect_fail = self._on_connect_fail
        client.reconnect_delay_set(*_RECONNECT)
        client.max_queued_messages_set(_MAX_QUEUED)
        client.will_set(f"{self._base}/availability", "offline", _QOS, retain=True)
        if self.username is not None:
            client.username_pw_set(self.username, self.password)
        if self.tls:
            client.tls_set()
        super().open(info)
        client.connect_async(self.host, self.port or _PORTS[self.tls], keepalive=60)
        client.loop_start()

    def send(self, record: Record, sound: Sound | None = None) -> None:
        """Publish the states, and put a record of `on` into the spool. Never waits for the broker.

        Parameters
        ----------
        record : Window, Event or Notice
        sound : callable, default=None
            Not used.
        """
        super().send(record)
        if isinstance(record, Event):
            self._publish({"alarm": "ON" if record.state == "raised" else "OFF"})
        elif isinstance(record, Window):
            values = {"score": record.score, "p_value": record.p_value, "level": record.level_db}
            states = {
                key: f"{value:.6g}" if math.isfinite(value) else "None" for key, value in values.items()
            }
            states["alarm"] = "ON" if record.alarm else "OFF"
            states["drift"] = "ON" if record.drift >= DRIFT_ALARM else "OFF"
            self._publish(states)

    def close(self, timeout: float = 10.0) -> None:
        """Publish what waits and "offline", for `timeout` seconds at most.

        Parameters
        ----------
        timeout : float, default=10.0
        """
        end = time.monotonic() + timeout
        super().close(timeout)
        client, self._client = self._client, None
        if client is None:
            return

        def leave() -> None:
            if self._is_connected.is_set():
                self._publish({}, client, at_once=True)
                last = client.publish(f"{self._base}/availability", "offline", _QOS, retain=True)
                last.wait_for_publish(max(0.1, end - time.monotonic()))
            client.disconnect()
            client.loop_stop()

        # The client may wait for a broker that does not answer.
        thread = threading.Thread(target=_quietly, args=(leave,), name=f"{self.name} close", daemon=True)
        thread.start()
        thread.join(max(0.1, end - time.monotonic()))

    def deliver(self, entry: dict[str, Any]) -> None:
        """Publish one record.

        Parameters
        ----------
        entry : dict

        Raises
        ------
        RetryLaterError
            If there is no connection, or the broker does not confirm the message.
        """
        client, end = self._client, time.monotonic() + self.timeout
        if client is None or not self._is_connected.wait(self.timeout):
            raise RetryLaterError(f"there is no connection to the broker {self.host}.")
        kind = entry["type"]
        message = to_json(entry | ({"event_type": entry["state"]} if kind == "event" else {}))
        messages = [(kind, message, False)]
        if kind == "event":
            messages.append(("last_event", message, True))
        for level, text, retain in messages:
            sent = client.publish(f"{self._base}/{level}", text, _QOS, retain=retain)
            try:
                sent.wait_for_publish(max(0.0, end - time.monotonic()))
            except (
                RuntimeError,
                ValueError,
            ) as error:  # the client has lost the connection, or its queue is full
                raise RetryLaterError(f"the broker {self.host} takes no message: {error}") from None
            if not sent.is_published():
                raise RetryLaterError(f"the broker {self.host} has not confirmed a message.")

    def _publish(self, states: dict[str, str], client: Any = None, at_once: bool = False) -> None:
        """Keep the newest states, and publish those that have changed. Numbers are published now and then."""
        client = client or self._client
        with self._lock:
            self._states |= states
            if client is None or not self._is_connected.is_set():
                return
            changed = {key: text for key, text in self._states.items() if self._published.get(key) != text}
            if not at_once and time.monotonic() < self._next:
                changed = {key: text for key, text in changed.items() if key in _SWITCHES}
            elif changed.keys() - _SWITCHES:
                self._next = time.monotonic() + _INTERVAL
            for key, text in changed.items():
                client.publish(f"{self._base}/{key}", text, _QOS, retain=True)
            self._published |= changed

    def _on_connect(self, client: Any, userdata: Any, flags: Any, reason: Any, properties: Any) -> None:
        if reason.is_failure:
            self._report(
                f"the broker {self.host} has refused the connection: {reason}. Check username and password."
            )
            return
        topic, message = self._config
        if topic:
            client.publish(topic, message, _QOS, retain=True)
        client.publish(f"{self._base}/availability", "online", _QOS, retain=True)
        self._published = {}
        self._is_connected.set()
        self._publish({}, client, at_once=True)
        self._problems.solved("connection", f"connected to the broker {self.host}.")
        if self._outbox is not None:
            self._outbox.retry_now()

    def _on_connect_fail(self, client: Any, userdata: Any) -> None:
        self._report(f"the broker {self.host} cannot be reached. Connecting is tried again.")

    def _on_disconnect(self, client: Any, userdata: Any, flags: Any, reason: Any, properties: Any) -> None:
        self._is_connected.clear()
        if reason.is_failure and self._client is not None:
            self._report(
                f"the connection to the broker {self.host} was lost: {reason}. Connecting is tried again."
            )

    def _report(self, text: str) -> None:
        self._problems.report("connection", printable(text, MAX_TEXT))


def _import_client() -> Any:
    """Return the client of paho-mqtt."""
    try:
        import paho.mqtt.client as mqtt
    except ImportError as error:
        raise ImportError(
            "MqttSink needs the package paho-mqtt, which is not installed: pip install skaudio_ad[monitor]."
        ) from error
    if not hasattr(mqtt, "CallbackAPIVersion"):
        raise ImportError("MqttSink needs paho-mqtt 2 or newer: pip install --upgrade skaudio_ad[monitor].")
    return mqtt


def _quietly(function: Any) -> None:
    with contextlib.suppress(OSError, RuntimeError, ValueError):
        function()
