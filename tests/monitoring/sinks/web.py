"""A client for the local servers, and records with texts from outside."""

import http.client
import json
from urllib.parse import urlsplit

#: Text that would be markup, a rich tag, a terminal command or a reversed text, if it were not shown as a text.
OUTSIDE = "<img src=x onerror=alert(1)>[bold]x[/bold]\x1b[31m\u202e"


def ask(sink, path, method="GET", headers=None, host=None):
    """Answer of a server: its code, headers and content."""
    address = urlsplit(sink.url)
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=10)
    try:
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        for name in [address.netloc] if host is None else host:
            connection.putheader("Host", name)
        for name, value in (headers or {}).items():
            connection.putheader(name, value)
        connection.endheaders()
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


class Stream:
    """Messages of a server, one after another."""

    def __init__(self, sink, last_id=""):
        address = urlsplit(sink.url)
        self._connection = http.client.HTTPConnection(address.hostname, address.port, timeout=10)
        self._connection.request("GET", "/events", headers={"Last-Event-ID": last_id} if last_id else {})
        self.answer = self._connection.getresponse()

    def next(self):
        """Next message: id, name and value. None at the end of the stream."""
        fields = {}
        for raw in iter(self.answer.readline, b""):
            line = raw.decode().rstrip("\n")
            if line:
                name, _, value = line.partition(": ")
                fields[name] = value
            elif "event" in fields:
                return fields.get("id", ""), fields["event"], json.loads(fields["data"])
            else:
                fields = {}
        return None

    def close(self):
        self.answer.close()
        self._connection.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
