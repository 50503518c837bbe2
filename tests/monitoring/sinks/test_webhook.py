"""Tests of the webhook against a server on this machine."""

import base64
import hashlib
import hmac
import http.server
import json
import logging
import ssl
import threading
import urllib.request

import pytest

from skaudio_ad.monitoring.sinks import RefusedError, RetryLaterError, WebhookSink, record_to_dict
from skaudio_ad.monitoring.sinks._webhook import make_opener, sign

from .records import event, info, notice, window


class Receiver(http.server.BaseHTTPRequestHandler):
    """Answer with the next of the server's answers, (code, headers, body), and remember the requests."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.requests.append((self.path, dict(self.headers), body))
        code, headers, content = self.server.answers.pop(0) if self.server.answers else (204, {}, b"")
        if code is None:
            self.close_connection = True
            return
        self.send_response(code)
        for name, value in (headers | {"Content-Length": str(len(content))}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *arguments):
        pass


@pytest.fixture(scope="module")
def running():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def receiver(running, monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    running.requests, running.answers = [], []
    running.url = f"http://127.0.0.1:{running.server_address[1]}"
    return running


def post(url, record=None, **parameters):
    WebhookSink(url, **parameters).deliver(record_to_dict(record or event()))


def test_events_and_notices_are_posted_in_order_as_json(receiver, tmp_path):
    sink = WebhookSink(f"{receiver.url}/alarm?machine=3", headers={"X-Machine": "3"})
    sink.open(info(tmp_path))
    for record in (event(), window(), notice(), event(state="cleared")):
        sink.send(record)
    sink.close()
    bodies = [json.loads(body) for _, _, body in receiver.requests]
    assert [body["type"] for body in bodies] == ["event", "notice", "event"]
    assert bodies[0] == record_to_dict(event())
    assert bodies[1]["source"] == "fan"
    path, headers, _ = receiver.requests[0]
    assert path == "/alarm?machine=3"
    assert headers["Content-Type"] == "application/json"
    assert headers["X-Machine"] == "3"
    assert "Webhook-signature" not in headers
    keys = [headers["Idempotency-Key"] for _, headers, _ in receiver.requests]
    assert keys[::2] == ["event_fan-0_raised", "event_fan-0_cleared"]


def test_the_signature_is_that_of_the_example_of_standard_webhooks():
    # Example of the libraries of Standard Webhooks.
    secret = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    signature = sign(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", b'{"test": 2432232314}')
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize(("secret", "key"), [("geheim é", "geheim é".encode()), ("whsec_aGVsbG8=", b"hello")])
def test_a_receiver_can_check_the_signature(receiver, secret, key):
    post(receiver.url, secret=secret)
    _, headers, body = receiver.requests[0]
    signed = f"{headers['Webhook-Id']}.{headers['Webhook-Timestamp']}.".encode() + body
    digest = hmac.new(key, signed, hashlib.sha256).digest()
    assert headers["Webhook-Signature"] == "v1," + base64.b64encode(digest).decode()


@pytest.mark.parametrize("code", [408, 429, 500, 503])
def test_an_answer_that_may_change_is_tried_again_after_the_time_that_the_server_asks_for(receiver, code):
    receiver.answers = [(code, {"Retry-After": "120"}, b"busy")]
    with pytest.raises(RetryLaterError, match=f"has answered {code}") as failure:
        post(receiver.url)
    assert failure.value.seconds == 120


def test_the_server_may_ask_to_wait_until_a_date(receiver):
    receiver.answers = [(503, {"Retry-After": "Fri, 31 Dec 9999 23:59:59 GMT"}, b"")] * 2
    with pytest.raises(RetryLaterError) as failure:
        post(receiver.url)
    assert failure.value.seconds > 1e9  # the outbox waits an hour at most
    for value in ("soon", "Thu, 01 Jan 99999 00:00:00 GMT"):
        receiver.answers = [(503, {"Retry-After": value}, b"")]
        with pytest.raises(RetryLaterError) as failure:
            post(receiver.url)
        assert failure.value.seconds == 0


def test_a_server_that_is_down_or_gives_no_answer_is_tried_again(receiver, unused_port):
    with pytest.raises(RetryLaterError, match="cannot be reached: Connection refused"):
        post(f"http://127.0.0.1:{unused_port}/secret-path")
    receiver.answers = [(None, {}, b"")]
    with pytest.raises(RetryLaterError, match="cannot be reached"):
        post(receiver.url)


def test_a_record_that_the_server_refuses_is_kept_with_the_reason_and_the_next_is_sent(receiver, tmp_path):
    receiver.answers = [(422, {}, b"unknown machine \x1b[31m")]
    sink = WebhookSink(receiver.url)
    sink.open(info(tmp_path))
    sink.send(event(0))
    sink.send(event(1))
    sink.close()
    assert len(receiver.requests) == 2
    (refused,) = (tmp_path / "spool" / "webhook" / "refused").iterdir()
    kept = json.loads(refused.read_text())
    assert kept["record"]["id"] == "fan-0"
    assert "422" in kept["reason"]
    assert "unknown machine" in sink.take_notices()[0].text
    assert "\x1b" not in kept["reason"]


def test_a_record_follows_a_redirect_on_the_same_host_only(receiver):
    receiver.answers = [(308, {"Location": "/new"}, b"")]
    post(f"{receiver.url}/old")
    assert [path for path, _, _ in receiver.requests] == ["/old", "/new"]
    assert receiver.requests[0][2] == receiver.requests[1][2]
    elsewhere = ((308, "http://localhost:1/x"), (307, "file:///etc/passwd"), (307, "http://[::1"))
    for code, target in (*elsewhere, (302, "/new")):
        receiver.answers = [(code, {"Location": target}, b"")]
        with pytest.raises(RefusedError, match="Give the final address"):
            post(receiver.url)
    receiver.answers = [(307, {"Location": "/round"}, b"")] * 9
    with pytest.raises(RefusedError, match="redirects more than 3 times"):
        post(receiver.url)


def test_user_and_password_are_sent_as_authorisation_and_stand_in_no_message(receiver, tmp_path, caplog):
    secret = "t0psecret"
    url = receiver.url.replace("http://", f"http://me:{secret}%40@") + f"/{secret}?token={secret}#x"
    receiver.answers = [(403, {}, b""), (302, {"Location": f"http://other/{secret}"}, b"")]
    sink = WebhookSink(url, headers={"X-Token": secret}, secret=secret)
    sink.open(info(tmp_path))
    with caplog.at_level(logging.INFO):
        sink.send(event(0))
        sink.send(event(1))
        sink.close()
    assert base64.b64decode(receiver.requests[0][1]["Authorization"].split()[1]) == f"me:{secret}@".encode()
    texts = [notice.text for notice in sink.take_notices()] + [caplog.text, repr(sink)]
    texts += [path.read_text() for path in (tmp_path / "spool").rglob("*.json")]
    assert len(texts) >= 4
    assert not any(secret in text for text in texts)
    for url in (f"ftp://me:{secret}@host/{secret}", f"http://me:{secret}@[::1/{secret}"):
        with pytest.raises(ValueError, match="url must be an address") as failure:
            WebhookSink(url).open(info(tmp_path))
        assert secret not in f"{failure.value} {WebhookSink(url)!r}"


def test_the_certificates_of_https_are_checked():
    (handler,) = [
        h for h in make_opener(is_https=True).handlers if isinstance(h, urllib.request.HTTPSHandler)
    ]
    assert handler._context.verify_mode == ssl.CERT_REQUIRED
    assert handler._context.check_hostname


def test_a_strange_key_becomes_a_header_that_holds_nothing_else(receiver):
    post(receiver.url, event(id="é\r\nX-Forged: 1"))
    _, headers, _ = receiver.requests[0]
    assert "X-Forged" not in headers
    assert len(headers["Idempotency-Key"]) == 64


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"url": "example.org"}, "url must be an address such as"),
        ({"url": "http://example.org:port"}, "url must be an address such as"),
        ({"url": "http://exa mple.org"}, "url must be an address such as"),
        ({"url": "http://example.org", "headers": {"X": "a\r\nb"}}, "must be ASCII without line breaks"),
        ({"url": "http://example.org", "secret": "whsec_***"}, "must go on with base64"),
        ({"url": "http://example.org", "timeout": 0}, "timeout must lie in"),
    ],
)
def test_bad_parameters_are_errors_before_the_first_record(tmp_path, parameters, message):
    with pytest.raises(ValueError, match=message):
        WebhookSink(**parameters).open(info(tmp_path))
