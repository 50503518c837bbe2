"""The address, the methods and the connections of the local servers."""

import socket
import threading
from urllib.parse import urlsplit

import pytest

from skaudio_ad.monitoring.sinks import MetricsSink, PageSink, _local_server

from . import records
from .web import ask


@pytest.fixture(scope="module")
def sink():
    sink = PageSink(port=0)
    sink.open(records.info())
    yield sink
    sink.close()


@pytest.mark.parametrize("make", [PageSink, MetricsSink])
@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.7", "monitor.example"])
def test_an_address_of_the_network_needs_the_words_that_allow_it(make, host):
    with pytest.raises(ValueError, match=r"Set allow_network=True as well if you want this"):
        make(host=host)
    assert make(host=host, allow_network=True).host == host


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
def test_the_network_is_not_allowed_without_an_address_of_the_network(host):
    with pytest.raises(ValueError, match=r"allow_network=True needs an address .* host='0.0.0.0'"):
        PageSink(host=host, allow_network=True)
    assert PageSink(host=host).host == host


@pytest.mark.parametrize("port", [-1, 65536, 80.0, True, "80"])
def test_a_port_that_cannot_be_is_refused(port):
    with pytest.raises(ValueError, match="port must be an integer from 0 to 65535, got"):
        PageSink(port=port)


@pytest.mark.parametrize(
    "method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "GRUMBLE"]
)
def test_every_method_but_get_and_head_is_refused(sink, method):
    status, headers, _ = ask(sink, "/", method)
    assert (status, headers["Allow"]) == (405, "GET, HEAD")


def test_head_gives_the_headers_of_get_without_the_content(sink):
    whole, head = ask(sink, "/state.json"), ask(sink, "/state.json", "HEAD")
    assert (head[0], head[2]) == (200, b"")
    assert head[1]["Content-Type"] == whole[1]["Content-Type"]
    assert int(head[1]["Content-Length"]) > 100


@pytest.mark.parametrize(
    "host",
    [
        ["attacker.example"],
        ["127.0.0.1.attacker.example:80"],
        ["localhost.attacker.example"],
        [],
        ["localhost", "x"],
        [""],
    ],
)
def test_a_request_under_a_foreign_name_is_refused(sink, host):
    status, headers, content = ask(sink, "/state.json", host=host)
    assert status == 403
    assert b"score" not in content
    assert "Access-Control-Allow-Origin" not in headers


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:9", "127.0.0.1:1234", "[::1]:80", "192.168.1.7:8000"]
)
def test_a_request_under_a_name_or_an_address_of_the_machine_is_answered(sink, host):
    assert ask(sink, "/state.json", host=[host])[0] == 200


def test_an_unknown_path_is_refused(sink):
    for path in ("/nothing", "/../etc/passwd", "/event/", "/event/x.exe"):
        assert ask(sink, path)[0] == 404


def test_a_port_that_is_in_use_is_an_error_that_says_what_to_do(sink):
    port = urlsplit(sink.url).port
    other = MetricsSink(port=port)
    with pytest.raises(OSError, match=rf"cannot listen on 127.0.0.1, port {port}: .* choose another port"):
        other.open(records.info())


def test_more_connections_than_the_maximum_are_turned_away(sink, monkeypatch):
    monkeypatch.setattr(_local_server, "MAX_CONNECTIONS", 1)
    address = ("127.0.0.1", urlsplit(sink.url).port)
    with socket.create_connection(address) as first:
        first.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert first.recv(100).startswith(b"HTTP/1.1 200")  # the connection stays open
        with socket.create_connection(address) as second:
            second.settimeout(5)
            assert second.recv(100).startswith(b"HTTP/1.1 503")


def test_closing_ends_the_threads_of_clients_that_say_nothing():
    before = set(threading.enumerate())
    sink = PageSink(port=0)
    sink.open(records.info())
    address = ("127.0.0.1", urlsplit(sink.url).port)
    with socket.create_connection(address) as idle, socket.create_connection(address) as half:
        half.sendall(b"GET / HT")
        ask(sink, "/healthz")  # the server has taken up both connections
        sink.close()
        assert set(threading.enumerate()) <= before
        idle.settimeout(5)
        assert idle.recv(1) == b""
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address)


def test_a_host_that_is_not_this_machine_is_an_error_that_says_so():
    sink = PageSink(host="192.0.2.1", port=0, allow_network=True)  # an address that no machine has (RFC 5737)
    with pytest.raises(OSError, match="host must be a name or an address of this machine"):
        sink.open(records.info())
