"""A broker of MQTT 3.1.1 for tests: it accepts connections, keeps what is published, and confirms messages."""

import contextlib
import json
import socket
import struct
import threading
from dataclasses import dataclass


@dataclass(frozen=True)
class Message:
    """What a client has published."""

    topic: str
    text: str
    qos: int
    retain: bool

    @property
    def json(self):
        return json.loads(self.text)


class Broker:
    """Broker at a free port of this machine.

    `accepts` is False to refuse logins. `confirms` is False to confirm no message.
    """

    def __init__(self):
        self.messages, self.wills, self.logins = [], [], []
        self.accepts = self.confirms = True
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._clients, self._threads = [], []
        self._start(self._listen)

    def _start(self, function, *arguments):
        thread = threading.Thread(target=function, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _listen(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self._clients.append(client)
            self._start(self._serve, client)

    def _serve(self, client):
        with client, client.makefile("rb") as stream, contextlib.suppress(OSError, IndexError):
            while head := stream.read(1):
                kind, flags = head[0] >> 4, head[0] & 15
                size, shift = 0, 0
                while True:
                    (byte,) = stream.read(1)
                    size |= (byte & 127) << shift
                    shift += 7
                    if not byte & 128:
                        break
                self._take(client, kind, flags, stream.read(size))

    def _take(self, client, kind, flags, body):
        if kind == 1:  # CONNECT
            self._connect(client, body)
        elif kind == 3:  # PUBLISH
            topic, rest = _text(body)
            qos = flags >> 1 & 3
            self.messages.append(Message(topic, rest[2 if qos else 0 :].decode(), qos, bool(flags & 1)))
            if qos and self.confirms:
                client.sendall(b"\x40\x02" + rest[:2])
        elif kind == 12:  # PINGREQ
            client.sendall(b"\xd0\x00")

    def _connect(self, client, body):
        flags, rest = body[7], body[10:]
        _, rest = _text(rest)
        texts = []
        while rest:
            text, rest = _text(rest)
            texts.append(text)
        if flags & 4:
            self.wills.append(Message(texts[0], texts[1], flags >> 3 & 3, bool(flags & 32)))
        self.logins.append(texts[2:])
        client.sendall(b"\x20\x02\x00" + (b"\x00" if self.accepts else b"\x05"))

    def drop(self):
        """Break all connections."""
        for client in self._clients:
            with contextlib.suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)

    def close(self):
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.drop()
        for thread in self._threads:
            thread.join(5)

    def of(self, topic):
        """Return the texts of a topic in the order of their arrival."""
        return [message.text for message in self.messages if message.topic == topic]


def _text(body):
    (size,) = struct.unpack(">H", body[:2])
    return body[2 : 2 + size].decode(), body[2 + size :]
