"""A small read-only web server that listens on the loopback address unless its user asks for the network."""

import contextlib
import errno
import ipaddress
import json
import selectors
import socket
import threading
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

# Maximum number of connections at a time. A browser opens up to six connections to one server.
MAX_CONNECTIONS = 64
# Maximum number of seconds that a client may take to send a request or to take a part of the answer.
CLIENT_TIMEOUT = 20.0
# What to do, by the code of an error.
_ADVICE = {
    errno.EADDRINUSE: "Another program uses the port: choose another port, or 0 for any free port.",
    errno.EACCES: "Ports below 1024 need special rights: choose another port, such as 8000.",
}
_OTHER_ADVICE = "host must be a name or an address of this machine, such as 127.0.0.1."
# Names of the own machine. A page of another site reaches this server only under the name of that site.
_OWN_NAMES = {"localhost", "ip6-localhost"}


def check_address(host: str, port: int, allow_network: bool) -> None:
    """Refuse an address that other machines can reach, unless the network was asked for in so many words.

    Parameters
    ----------
    host : str
        Name or address to listen on.
    port : int
        Port from 0 to 65535. 0 takes a free port.
    allow_network : bool

    Raises
    ------
    ValueError
        If `host` is not a loopback address and `allow_network` is False, if `allow_network` is True and `host` is a
        loopback address, or if `port` is out of range.
    """
    if not isinstance(port, int) or isinstance(port, bool) or not 0 <= port <= 65535:
        raise ValueError(f"port must be an integer from 0 to 65535, got {port!r}.")
    if not isinstance(host, str) or not host:
        raise ValueError(f"host must be a name or an address, such as '127.0.0.1', got {host!r}.")
    if _is_loopback(host) and allow_network:
        raise ValueError(
            f"allow_network=True needs an address that other machines can reach, such as host='0.0.0.0', "
            f"got host={host!r}. Set allow_network=False to listen on this machine only."
        )
    if not _is_loopback(host) and not allow_network:
        raise ValueError(
            f"host={host!r} can be reached from other machines, and everyone who reaches the address can read the "
            "scores and hear the events without a password. Set allow_network=True as well if you want this, or keep "
            "host='127.0.0.1'."
        )


def _address(host):
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _is_loopback(host):
    address = _address(host)
    return host.lower() in _OWN_NAMES if address is None else address.is_loopback


class LocalServer:
    """Web server in threads of its own.

    Parameters
    ----------
    host, port, allow_network
        Address, as :func:`check_address` takes it.
    routes : callable
        ``routes(request)`` answers a :class:`Request` and returns whether the path is known.
    name : str
        Name for the threads and for messages.
    """

    def __init__(
        self, host: str, port: int, allow_network: bool, routes: Callable[["Request"], bool], name: str
    ) -> None:
        check_address(host, port, allow_network)
        names = {host.lower(), *_OWN_NAMES}
        if allow_network:
            own = socket.gethostname().lower()
            names |= {own, f"{own.split('.')[0]}.local"}

        class Handler(Request):
            allowed_names = frozenset(names)

            def answer(self):
                return routes(self)

        try:
            self._server = _Server(host, port, Handler)
        except (OSError, UnicodeError) as error:
            reason = getattr(error, "strerror", None) or error
            code = getattr(error, "errno", None)
            raise OSError(
                f"{name}: cannot listen on {host}, port {port}: {reason}. {_ADVICE.get(code or 0, _OTHER_ADVICE)}"
            ) from error
        self.port: int = self._server.server_address[1]
        shown = f"[{host}]" if ":" in host else host
        self.url = f"http://{shown}:{self.port}/"
        self._thread = threading.Thread(target=self._server.run, name=name, daemon=True)
        self._thread.start()

    def close(self, timeout: float = 5.0) -> None:
        """Stop, close all connections and wait for the threads, for `timeout` seconds at most."""
        self._server.stop()
        self._thread.join(timeout)
        self._server.server_close()
        self._server.close_connections(timeout)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 32
    timeout = 0

    def __init__(self, host, port, handler):
        address = _address(host)
        if address is not None and address.version == 6:
            self.address_family = socket.AF_INET6
        self._lock = threading.Lock()
        self._threads_of: dict[socket.socket, threading.Thread] = {}
        super().__init__((host, port), handler)
        self._wake, self._stop = socket.socketpair()

    def run(self):
        """Take up connections until `stop` is called. The loop of the standard library wakes up all the time."""
        with self._wake, selectors.DefaultSelector() as selector:
            selector.register(self, selectors.EVENT_READ)
            selector.register(self._wake, selectors.EVENT_READ)
            while all(key.fileobj is self for key, _ in selector.select()):
                self.handle_request()

    def stop(self):
        self._stop.close()

    def server_bind(self):
        # The method of the standard library asks a name server for the name of the host, which may take seconds.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def process_request(self, request, client_address):
        request.settimeout(CLIENT_TIMEOUT)
        with self._lock:
            if len(self._threads_of) < MAX_CONNECTIONS:
                thread = threading.Thread(
                    target=self._serve, args=(request, client_address), name="skaudio-ad-client", daemon=True
                )
                self._threads_of[request] = thread
                thread.start()
                return
        with contextlib.suppress(OSError):
            request.setblocking(False)
            request.send(b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nConnection: close\r\n\r\n")
        self.shutdown_request(request)

    def _serve(self, request, client_address):
        try:
            self.finish_request(request, client_address)
        except OSError:
            pass  # the client has gone, or takes nothing
        finally:
            self.shutdown_request(request)
            with self._lock:
                self._threads_of.pop(request, None)

    def close_connections(self, timeout):
        with self._lock:
            threads = dict(self._threads_of)
        for request in threads:
            with contextlib.suppress(OSError):
                request.shutdown(socket.SHUT_RDWR)
        for thread in threads.values():
            thread.join(timeout)


class Request(BaseHTTPRequestHandler):
    """One request. Only GET and HEAD are answered, and only under a name of this machine."""

    protocol_version = "HTTP/1.1"
    server_version, sys_version = "skaudio-ad", ""
    allowed_names: ClassVar[frozenset[str]] = frozenset()

    def answer(self) -> bool:
        """Answer the request. Return whether the path is known."""
        return False

    def do_GET(self) -> None:
        """Answer a request, or the head of an answer."""
        if not self._is_for_this_machine():
            self.send_text(
                "This server answers only under the name or the address of its machine.\n",
                HTTPStatus.FORBIDDEN,
            )
        elif not self.answer():
            self.send_text("There is no such page.\n", HTTPStatus.NOT_FOUND)

    do_HEAD = do_GET

    def __getattr__(self, name: str) -> Any:
        if name.startswith("do_"):  # any other method
            return self._refuse_method
        raise AttributeError(name)

    def _refuse_method(self):
        self.close_connection = True
        self.send_text("This server is read only.\n", HTTPStatus.METHOD_NOT_ALLOWED, {"Allow": "GET, HEAD"})

    def _is_for_this_machine(self):
        """Whether the header Host names this machine. A page of another site could use a name that it controls."""
        hosts = self.headers.get_all("Host") or []
        if len(hosts) != 1:
            return False
        name = hosts[0].strip().lower()
        if name.startswith("["):
            name = name[1:].partition("]")[0]
        elif name.count(":") <= 1:
            name = name.partition(":")[0]
        # Only a name can be given to another machine, never an address.
        return name in self.allowed_names or _address(name) is not None

    def start(self, status: int, headers: dict[str, str], length: int | None = None) -> None:
        """Send the head of an answer.

        Parameters
        ----------
        status : int
        headers : dict of {str: str}
        length : int or None, default=None
            Number of bytes of the answer. None for a stream that ends with the connection.
        """
        self.send_response(status)
        default = {
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
            "X-Frame-Options": "DENY",
            "Referrer-Policy": "no-referrer",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
        }
        for key, value in {**default, **headers}.items():
            self.send_header(key, value)
        if length is None:
            self.close_connection = True
            self.send_header("Connection", "close")
        else:
            self.send_header("Content-Length", str(length))
        self.end_headers()

    def send_bytes(
        self, content: bytes, media_type: str, status: int = 200, headers: dict[str, str] | None = None
    ) -> None:
        """Send an answer. HEAD gets no content."""
        self.start(status, {"Content-Type": media_type, **(headers or {})}, len(content))
        if self.command != "HEAD":
            self.wfile.write(content)

    def send_text(self, text: str, status: int = 200, headers: dict[str, str] | None = None) -> None:
        """Send a plain text."""
        self.send_bytes(text.encode("utf-8"), "text/plain; charset=utf-8", status, headers)

    def send_json(self, value: Any, status: int = 200) -> None:
        """Send a value as JSON. The value holds no NaN."""
        self.send_bytes(
            json.dumps(value, allow_nan=False).encode("ascii"), "application/json; charset=utf-8", status
        )

    def log_message(self, format: str, *args: Any) -> None:
        """Write no line for every request, because the terminal shows the monitor."""
