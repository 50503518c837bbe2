"""A local web page that shows a monitor live."""

import queue
import re
from contextlib import suppress
from functools import cache
from importlib.resources import files
from pathlib import Path
from string import Template
from urllib.parse import unquote, urlsplit

from ..._typing import PathLike
from ...report._page_parts import checksum, read_part
from ._answers import send_file, send_health, send_metrics
from ._local_server import LocalServer, Request, check_address
from ._metrics import Metrics, find_prometheus
from ._page_state import PageState
from ._sink import MonitorInfo, Record, Sound

# Maximum number of pages that are open at a time.
_MAX_PAGES = 16
# Number of seconds between two messages of a monitor that has nothing to say.
_BEAT = 5.0
# Parts of the script in the order of the page: parts of the report, then parts of the live page.
_REPORT_SCRIPTS = ("tools", "axes", "theme")
_SCRIPTS = ("timeline", "events", "live")
_EVENT = re.compile(r"/event/([^/]+)\.(flac|png|json)")
_MEDIA_TYPES = {"flac": "audio/flac", "png": "image/png"}


class PageSink:
    """Show a monitor live in a browser: state, level, scores, events with their sound, notices.

    After a restart with a folder of the monitor, the page also shows the events and notices of the log.

    The page is read only. The page needs no network and no other site, and answers on the loopback address, so that
    only this machine can open the page. There is no password: with `allow_network` everyone who reaches the address
    can read the scores and hear the events.

    Parameters
    ----------
    host : str, default="127.0.0.1"
        Name or address to listen on.
    port : int, default=8000
        Port. 0 takes a free port, which :attr:`url` tells.
    allow_network : bool, default=False
        Whether other machines may open the page. True needs another `host`, such as "0.0.0.0".
    audio_folder : path-like or None, default=None
        Folder in which an `AudioSink` writes the sound and the picture of every event. None shows events without
        sound.
    history : float, default=3600
        Seconds of scores that the page shows, at most the last 7200 windows. The default is our choice.
    name : str, default="page"
        Name for messages.

    Attributes
    ----------
    url : str
        Address of the page, once the sink is open.

    Raises
    ------
    ValueError
        If the address is not a loopback address and `allow_network` is False, if `allow_network` is True without
        another `host`, or if `history` is not a positive number.

    Examples
    --------
    >>> from skaudio_ad.monitoring.sinks import PageSink
    >>> PageSink(port=8080, audio_folder="events")
    PageSink(host='127.0.0.1', port=8080)
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 8000,
        allow_network: bool = False,
        audio_folder: PathLike | None = None,
        history: float = 3600,
        name: str = "page",
    ) -> None:
        check_address(host, port, allow_network)
        if not 0 < history < float("inf"):
            raise ValueError(f"history must be a positive number of seconds, got {history!r}.")
        self.host, self.port, self.allow_network = host, port, allow_network
        self.audio_folder = None if audio_folder is None else Path(audio_folder)
        self.history, self.name = history, name
        self.url = ""
        self._server: LocalServer | None = None
        self._state: PageState | None = None
        self._metrics: Metrics | None = None

    def __repr__(self) -> str:
        return f"PageSink(host={self.host!r}, port={self.port})"

    def open(self, info: MonitorInfo) -> None:
        """Start the server.

        Parameters
        ----------
        info : MonitorInfo

        Raises
        ------
        OSError
            If the port is in use.
        """
        self._state = PageState(info, self.history)
        self._metrics = Metrics(info) if find_prometheus() else None
        routes = _Routes(self._state, self._metrics, self.audio_folder)
        self._server = LocalServer(self.host, self.port, self.allow_network, routes, "skaudio-ad page")
        self.url = self._server.url

    def send(self, record: Record, sound: Sound | None = None) -> None:
        """Show a record. Does not wait for a browser.

        Parameters
        ----------
        record : Window, Event or Notice
        sound : callable or None
            Not used: the sound of an event comes from `audio_folder`.
        """
        if self._state is None:
            raise RuntimeError("PageSink: call open(info) before send(record).")
        self._state.add(record)
        if self._metrics is not None:
            self._metrics.add(record)

    def close(self, timeout: float = 10.0) -> None:
        """End the streams of all browsers and stop the server.

        Parameters
        ----------
        timeout : float, default=10.0
            Maximum number of seconds to wait for a connection.
        """
        if self._state is not None:
            self._state.close()
        if self._server is not None:
            self._server.close(timeout)
            self._server = None


class _Routes:
    """Answers of the server, by the path of a request."""

    def __init__(self, state, metrics, audio_folder):
        self._state, self._metrics, self._folder = state, metrics, audio_folder
        self._page, self._policy = _page()

    def __call__(self, request: Request) -> bool:
        path = urlsplit(request.path).path
        if path == "/":
            headers = {"Content-Security-Policy": self._policy}
            request.send_bytes(self._page, "text/html; charset=utf-8", headers=headers)
        elif path == "/events":
            self._stream(request)
        elif path == "/state.json":
            request.send_json(self._state.snapshot())
        elif path == "/healthz":
            send_health(request, self._state.status(), self._state.patience)
        elif path == "/metrics":
            send_metrics(request, self._metrics)
        else:
            found = _EVENT.fullmatch(path)
            return found is not None and self._send_event(request, unquote(found[1]), found[2])
        return True

    def _stream(self, request):
        client = self._state.connect(request.headers.get("Last-Event-ID", ""), _MAX_PAGES)
        if client is None:
            text = f"No more than {_MAX_PAGES} pages may be open: close another page of this monitor.\n"
            request.send_text(text, 503, {"Retry-After": "5"})
            return
        try:
            request.start(
                200, {"Content-Type": "text/event-stream; charset=utf-8", "X-Accel-Buffering": "no"}
            )
            if request.command == "HEAD":
                return
            request.wfile.write(b"retry: 2000\n\n")
            while True:
                try:
                    message = client.messages.get(timeout=_BEAT)
                except queue.Empty:
                    message = self._state.beat()
                if message is None or client.is_dropped:
                    return
                request.wfile.write(message)
        finally:
            self._state.disconnect(client)

    def _send_event(self, request, event_id, ending):
        # The path of a file is made from an event that the page knows, never from the text of the request.
        found = self._state.event(event_id)
        if found is None:
            return False
        event, stem = found
        if ending == "json":
            request.send_json({**event, "files": self._files(stem)})
            return True
        if self._folder is None:
            return False
        return send_file(request, self._folder / f"{stem}.{ending}", _MEDIA_TYPES[ending])

    def _files(self, stem):
        """Versions of the files of an event, by their ending. A file that is replaced has another version."""
        versions = {}
        for ending in _MEDIA_TYPES if self._folder is not None else ():
            with suppress(OSError):
                versions[ending] = f"{(self._folder / f'{stem}.{ending}').stat().st_mtime_ns:x}"
        return versions


@cache
def _page() -> tuple[bytes, str]:
    """Return the page and its security policy."""
    folder = files(f"{__package__.rpartition('.')[0]}") / "_page"

    def own(name):
        return (folder / name).read_text(encoding="utf-8")

    scripts = [read_part(f"{name}.js") for name in _REPORT_SCRIPTS] + [own(f"{name}.js") for name in _SCRIPTS]
    script = "\n".join(['\n"use strict";', "(() => {", *scripts, "})();", ""])
    style = "\n" + read_part("page.css") + own("live.css")
    policy = [
        "default-src 'none'",
        f"script-src '{checksum(script)}'",
        f"style-src '{checksum(style)}'",
        "connect-src 'self'",
        "img-src 'self' data:",
        "media-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    ]
    page = Template(own("live.html")).substitute(style=style, script=script)
    return page.encode("ascii"), "; ".join(policy)
