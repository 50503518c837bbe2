"""Sinks that give metrics to Prometheus: an endpoint, and a text file for the node exporter."""

import threading
from pathlib import Path

from ..._atomic import atomic_path
from ..._clip_errors import explain
from ..._typing import PathLike
from .._records import Notice
from ._answers import send_health
from ._local_server import LocalServer, Request, check_address
from ._metrics import Metrics
from ._problems import Problems
from ._sink import MonitorInfo, Record, Sound

# Minimum number of seconds between two writes of the text file.
_WRITE_INTERVAL = 5.0


class MetricsSink:
    """Serve metrics of a monitor to Prometheus, on the loopback address by default.

    The endpoint ``/metrics`` gives the metrics. The endpoint ``/healthz`` answers 200 while windows arrive, and 503
    otherwise. The sink needs the package prometheus-client: ``pip install skaudio_ad[monitor]``.

    Parameters
    ----------
    host : str, default="127.0.0.1"
        Name or address to listen on.
    port : int, default=9464
        Port. 0 takes a free port, which :attr:`url` tells. The default is the port that OpenTelemetry gives to
        endpoints for Prometheus.
    allow_network : bool, default=False
        Whether other machines may read the metrics. True needs another `host`, such as "0.0.0.0".

    name : str, default="metrics"
        Name for messages.

    Attributes
    ----------
    url : str
        Address of the server, once the sink is open.

    Raises
    ------
    ValueError
        If the address is not a loopback address and `allow_network` is False, or if `allow_network` is True without
        another `host`.

    Examples
    --------
    >>> from skaudio_ad.monitoring.sinks import MetricsSink
    >>> MetricsSink()
    MetricsSink(host='127.0.0.1', port=9464)
    """

    def __init__(
        self, host: str = "127.0.0.1", port: int = 9464, allow_network: bool = False, *, name: str = "metrics"
    ) -> None:
        check_address(host, port, allow_network)
        self.host, self.port, self.allow_network, self.name = host, port, allow_network, name
        self.url = ""
        self._metrics: Metrics | None = None
        self._server: LocalServer | None = None

    def __repr__(self) -> str:
        return f"MetricsSink(host={self.host!r}, port={self.port})"

    def open(self, info: MonitorInfo) -> None:
        """Start the server.

        Parameters
        ----------
        info : MonitorInfo

        Raises
        ------
        ImportError
            If prometheus-client is not installed.
        OSError
            If the port is in use.
        """
        self._metrics = metrics = Metrics(info)

        def routes(request: Request) -> bool:
            path = request.path.partition("?")[0]
            if path == "/metrics":
                request.send_bytes(*metrics.text())
            elif path == "/healthz":
                send_health(request, *metrics.health())
            else:
                return False
            return True

        self._server = LocalServer(self.host, self.port, self.allow_network, routes, "skaudio-ad metrics")
        self.url = self._server.url

    def send(self, record: Record, sound: Sound | None = None) -> None:
        """Count a record.

        Parameters
        ----------
        record : Window, Event or Notice
        sound : callable or None
            Not used.
        """
        if self._metrics is None:
            raise RuntimeError("MetricsSink: call open(info) before send(record).")
        self._metrics.add(record)

    def close(self, timeout: float = 10.0) -> None:
        """Stop the server.

        Parameters
        ----------
        timeout : float, default=10.0
            Maximum number of seconds to wait for a connection.
        """
        if self._server is not None:
            self._server.close(timeout)
            self._server = None


class PrometheusFileSink:
    """Write metrics of a monitor to a text file, for the textfile collector of the node exporter of Prometheus.

    A thread writes the file atomically, at most once in five seconds. The file stays when the monitor ends: the metric
    ``skaudio_ad_last_window_timestamp_seconds`` tells how old the metrics are. The sink needs the package
    prometheus-client: ``pip install skaudio_ad[monitor]``.

    Parameters
    ----------
    path : path-like
        File in the folder of the collector. The collector reads only names that end in ".prom".

    name : str, default="prometheus-file"
        Name for messages.

    Raises
    ------
    ValueError
        If `path` does not end in ".prom".

    Examples
    --------
    >>> from skaudio_ad.monitoring.sinks import PrometheusFileSink
    >>> PrometheusFileSink("fan.prom")
    PrometheusFileSink('fan.prom')
    """

    def __init__(self, path: PathLike, *, name: str = "prometheus-file") -> None:
        self.path, self.name = Path(path), name
        if self.path.suffix != ".prom":
            raise ValueError(
                f"path must end in '.prom', because the textfile collector reads no other file, got {str(path)!r}."
            )
        self._metrics: Metrics | None = None
        self._thread: threading.Thread | None = None
        self._news, self._closing = threading.Event(), threading.Event()
        self._problems = Problems(name)

    def __repr__(self) -> str:
        return f"PrometheusFileSink({str(self.path)!r})"

    def open(self, info: MonitorInfo) -> None:
        """Write the file for the first time, and start the thread that writes.

        Parameters
        ----------
        info : MonitorInfo

        Raises
        ------
        ImportError
            If prometheus-client is not installed.
        OSError
            If the file cannot be written.
        """
        self._metrics = Metrics(info)
        self._closing.clear()
        self._write()
        self._thread = threading.Thread(target=self._run, name="skaudio-ad prometheus file", daemon=True)
        self._thread.start()

    def send(self, record: Record, sound: Sound | None = None) -> None:
        """Count a record. The thread writes the file later.

        Parameters
        ----------
        record : Window, Event or Notice
        sound : callable or None
            Not used.
        """
        if self._metrics is None:
            raise RuntimeError("PrometheusFileSink: call open(info) before send(record).")
        self._metrics.add(record)
        self._news.set()

    def _run(self):
        is_last = False
        while not is_last:
            is_last = self._closing.wait(_WRITE_INTERVAL)
            if self._news.is_set():
                self._news.clear()
                try:
                    self._write()
                except OSError as error:
                    self._problems.report(
                        "write", f"cannot write the metrics: {explain(error)}. The sink tries again.", "disk"
                    )
                    self._news.set()
                else:
                    self._problems.solved("write", "the metrics are written again.")

    def _write(self):
        assert self._metrics is not None
        with atomic_path(self.path) as temporary:
            Path(temporary).write_bytes(self._metrics.text()[0])

    def close(self, timeout: float = 10.0) -> None:
        """Write the file for the last time.

        Parameters
        ----------
        timeout : float, default=10.0
            Maximum number of seconds to wait for the disk.
        """
        if self._thread is None:
            return
        self._closing.set()
        self._thread.join(timeout)
        self._thread = None

    def take_notices(self) -> list[Notice]:
        """Return what went wrong since the last call.

        Returns
        -------
        list of Notice
        """
        return self._problems.take()
