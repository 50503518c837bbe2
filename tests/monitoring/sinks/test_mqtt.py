"""Tests of MQTT with the client of paho-mqtt and a small broker on this machine."""

import json
import re
import sys
import time
from types import SimpleNamespace

import numpy as np
import pytest

from skaudio_ad.monitoring.sinks import MqttSink
from skaudio_ad.monitoring.sinks import _mqtt as module
from skaudio_ad.monitoring.sinks._home_assistant import discovery, plain_name, topic_level

from .broker import Broker
from .records import event, info, notice, window

pytest.importorskip("paho.mqtt.client")


@pytest.fixture
def broker(monkeypatch):
    monkeypatch.setattr(module, "_RECONNECT", (0.01, 0.01))
    broker = Broker()
    yield broker
    broker.close()


@pytest.fixture
def opened(broker, tmp_path):
    """Function that opens a sink, which is closed after the test."""
    sinks = []

    def open_(**parameters):
        sink = MqttSink("127.0.0.1", broker.port, **({"device_name": "fan-3"} | parameters))
        sink.open(info(tmp_path))
        sinks.append(sink)
        return sink

    yield open_
    for sink in sinks:
        sink.close()


def until(condition):
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end, "nothing was published"
        time.sleep(0.001)


BASE = "skaudio_ad/fan-3"


def test_states_are_retained_and_events_are_not(broker, opened):
    sink = opened()
    until(sink._is_connected.is_set)
    sink.send(window(0, score=-1.25, p_value=np.nan, level_db=-np.inf))
    sink.send(event())
    sink.send(window(1, alarm=True, drift=2.1))
    sink.send(event(state="cleared"))
    sink.send(notice())
    sink.close()
    assert broker.of(f"{BASE}/alarm") == ["OFF", "ON", "OFF"]
    assert broker.of(f"{BASE}/drift") == ["OFF", "ON"]
    assert broker.of(f"{BASE}/score") == ["-1.25", "-1"]
    assert broker.of(f"{BASE}/p_value") == ["None", "0.5"]
    assert broker.of(f"{BASE}/level") == ["None", "-30"]
    assert broker.of(f"{BASE}/availability") == ["online", "offline"]
    events = [json.loads(text) for text in broker.of(f"{BASE}/event")]
    assert [entry["event_type"] for entry in events] == ["raised", "cleared"]
    assert broker.of(f"{BASE}/last_event") == broker.of(f"{BASE}/event")
    assert len(broker.of(f"{BASE}/notice")) == 1
    for message in broker.messages:
        assert message.qos == 1
        assert message.retain == (message.topic not in (f"{BASE}/event", f"{BASE}/notice"))
    (will,) = broker.wills
    assert (will.topic, will.text, will.qos, will.retain) == (f"{BASE}/availability", "offline", 1, True)
    assert sink.take_notices() == []


def test_home_assistant_finds_a_device_whose_states_are_published(broker, opened):
    sink = opened()
    sink.send(window())
    sink.send(event())
    sink.close()
    (message,) = [message for message in broker.messages if message.topic.startswith("homeassistant/")]
    # Pattern of the topics that Home Assistant reads, and the schema of a device (its components/mqtt).
    assert re.fullmatch(r"homeassistant/device/[a-zA-Z0-9_-]+/config", message.topic)
    assert message.retain
    config = message.json
    assert set(config) == {"device", "origin", "availability_topic", "qos", "components"}
    assert config["device"]["name"] == "fan-3"
    assert config["device"]["identifiers"]
    assert config["origin"]["name"] == "skaudio_ad"
    topics = {message.topic for message in broker.messages}
    identifiers = set()
    for component in config["components"].values():
        assert component["platform"] in ("binary_sensor", "sensor", "event")
        assert component["state_topic"] in topics
        identifiers.add(component["unique_id"])
        assert "template" not in str(component)
    assert len(identifiers) == len(config["components"])
    assert config["availability_topic"] in topics
    assert config["components"]["alarm"]["device_class"] == "problem"
    assert config["components"]["event"]["event_types"] == ["raised", "cleared"]


def test_discovery_can_be_left_out_and_the_topic_chosen(broker, opened):
    sink = opened(discovery=None, topic="factory/sound", device_name=None)
    until(sink._is_connected.is_set)
    sink.send(window())
    sink.close()
    assert {message.topic.rpartition("/")[0] for message in broker.messages} == {"factory/sound/fan"}


def test_a_lost_connection_loses_no_event_and_the_states_are_published_again(broker, opened):
    sink = opened()
    sink.send(window())
    until(lambda: broker.of(f"{BASE}/alarm"))
    broker.drop()
    until(lambda: not sink._is_connected.is_set() or len(broker.logins) > 1)
    for number in range(5):
        sink.send(event(number))
    until(lambda: len(set(broker.of(f"{BASE}/event"))) == 5)
    assert len(broker.logins) >= 2
    until(lambda: broker.of(f"{BASE}/alarm")[-1] == "ON")
    assert len(broker.of("homeassistant/device/skaudio_ad_fan-3/config")) == len(broker.logins)


def test_a_login_that_is_refused_is_reported_without_the_password_and_the_event_waits(
    broker, opened, tmp_path
):
    broker.accepts = False
    sink = opened(username="me", password="t0psecret", timeout=0.02)
    until(lambda: broker.logins)
    sink.send(event())
    until(lambda: sink._problems.counts.get("connection"))
    sink.close(timeout=0.2)
    assert broker.logins[0] == ["me", "t0psecret"]
    texts = [problem.text for problem in sink.take_notices()] + [repr(sink)]
    assert any("refused the connection: Not authorized" in text for text in texts)
    assert not any("t0psecret" in text for text in texts)
    assert len(list((tmp_path / "spool" / "mqtt").glob("*.json"))) == 1


def test_a_broker_that_confirms_nothing_blocks_neither_send_nor_close_and_the_event_waits(
    broker, opened, tmp_path
):
    broker.confirms = False
    sink = opened(timeout=0.02)
    begun = time.monotonic()
    for number in range(10):
        sink.send(event(number))
    sink.close(timeout=0.2)
    assert time.monotonic() - begun < 5
    assert len(list((tmp_path / "spool" / "mqtt").glob("*.json"))) == 10


def test_a_broker_that_is_down_is_no_error_at_the_start(tmp_path, unused_port):
    sink = MqttSink("127.0.0.1", unused_port, timeout=0.01)
    sink.open(info(tmp_path))
    sink.send(event())
    until(lambda: sink._problems.counts.get("connection"))
    sink.close(timeout=0.2)
    assert "cannot be reached" in sink.take_notices()[0].text


def test_many_windows_a_second_are_published_now_and_then(broker, opened):
    sink = opened()
    until(sink._is_connected.is_set)
    for number in range(200):
        sink.send(window(number, score=-number))
    sink.close()
    assert broker.of(f"{BASE}/score")[-1] == "-199"
    assert len(broker.of(f"{BASE}/score")) < 20


def test_names_from_outside_are_no_topic_no_wildcard_and_no_template():
    assert topic_level("fan-3") == "fan-3"
    names = ["a/b", "a_b", "a+b", "#", "", "$SYS", "é", "x" * 300, "a/b ", "{{ states }}"]
    levels = [topic_level(name) for name in names]
    assert len(set(levels)) == len(names)
    assert all(re.fullmatch(r"[a-zA-Z0-9_-]{1,70}", level) for level in levels)
    config = discovery("base/x", "x", plain_name("{{ 1 }}\n{% x %}"), info())
    assert config["device"]["name"] == "(( 1 )) (% x %)"


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"topic": "a/#"}, "topic must be a topic of MQTT"),
        ({"topic": "/a"}, "topic must be a topic of MQTT"),
        ({"topic": ""}, "topic must be a topic of MQTT"),
        ({"discovery": "home+"}, "discovery must be a topic of MQTT"),
        ({"host": "mqtt://broker"}, "host must be a name or an address"),
        ({"port": 70000}, "port must lie in"),
        ({"password": "x"}, "password needs a username"),
        ({"tls": "yes"}, "tls must be one of"),
    ],
)
def test_bad_parameters_are_errors_before_the_first_record(tmp_path, parameters, message):
    with pytest.raises(ValueError, match=message):
        MqttSink(**({"host": "localhost"} | parameters)).open(info(tmp_path))


def test_a_missing_or_old_client_is_an_error_that_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "paho.mqtt.client", None)
    with pytest.raises(ImportError, match=r"pip install skaudio_ad\[monitor\]"):
        MqttSink("localhost").open(info(tmp_path))
    old = SimpleNamespace()
    monkeypatch.setitem(sys.modules, "paho.mqtt.client", old)
    monkeypatch.setattr("paho.mqtt.client", old, raising=False)
    with pytest.raises(ImportError, match="paho-mqtt 2 or newer"):
        MqttSink("localhost").open(info(tmp_path))
