"""A server of one file on this machine. It has faults to switch on, and keeps a log of requests."""

import contextlib
import http.server
import re
import threading
from dataclasses import dataclass, field


@dataclass
class WeightsServer:
    """State of the server: answers, faults and requests. Each request uses one entry of the lists of faults."""

    content: bytes
    etag: str | None = '"1"'
    resumes: bool = True
    sends_length: bool = True
    statuses: list = field(default_factory=list)  # answer with this status instead
    cuts: list = field(default_factory=list)  # close the connection after this number of bytes
    stalls: list = field(default_factory=list)  # stop sending after this number of bytes
    location: str | None = None  # target of the redirect at /moved; None is the file
    ignores_if_range: bool = False  # send the end of the present file
    wrong_range: bool = False  # send the end of the file, but from a wrong start
    requests: list = field(default_factory=list)  # headers of every request
    sent: list = field(default_factory=list)  # bytes of the body of every answer
    url: str = ""
    stalled: threading.Event = field(default_factory=threading.Event)
    go_on: threading.Event = field(default_factory=threading.Event)


class _Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *arguments):
        pass

    def do_GET(self):  # the name that http.server asks for
        server = self.server.state
        server.requests.append(dict(self.headers))
        if self.path == "/moved":
            self.send_response(302)
            self.send_header("Location", server.location or server.url)
            self.end_headers()
            return
        status = server.statuses.pop(0) if server.statuses else None
        if status is not None:
            self.send_error(status)
            return
        start = self._range_start(server)
        if start >= len(server.content):
            self.send_error(416)
            return
        begin = start + 1 if start and server.wrong_range else start
        body = server.content[begin:]
        self.send_response(206 if start else 200)
        if start:
            last = len(server.content) - 1
            self.send_header("Content-Range", f"bytes {begin}-{last}/{last + 1}")
        if server.sends_length:
            self.send_header("Content-Length", str(len(body)))
        if server.etag:
            self.send_header("ETag", server.etag)
        self.end_headers()
        self._send(server, body)

    def _range_start(self, server):
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        same = server.ignores_if_range or self.headers.get("If-Range") == server.etag
        if asked is None or not server.resumes or not same:
            return 0
        return int(asked[1])

    def _send(self, server, body):
        stall = server.stalls.pop(0) if server.stalls else None
        cut = server.cuts.pop(0) if server.cuts else None
        stop = next((n for n in (stall, cut) if n is not None), len(body))
        # Append before sending, because a client may read this list as soon as it has the bytes.
        server.sent.append(len(body[:stop]))
        with contextlib.suppress(ConnectionError):
            self.wfile.write(body[:stop])
            self.wfile.flush()
            if stall is not None:
                server.stalled.set()
                server.go_on.wait(60)  # a busy machine needs long to start the other process
                self.wfile.write(body[stop:])


@contextlib.contextmanager
def serve(content):
    """Serve `content` until the end of the block; yields the :class:`WeightsServer`."""
    state = WeightsServer(content)
    with running(_Handler, state) as address:
        state.url = f"{address}/weights.pt"
        try:
            yield state
        finally:
            state.go_on.set()


@contextlib.contextmanager
def running(handler, state):
    """Run a server on this machine until the end of the block; yields its address.

    Parameters
    ----------
    handler : class
        Handler of requests, which finds `state` as ``self.server.state``.
    state : object
    """
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.state = state
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
