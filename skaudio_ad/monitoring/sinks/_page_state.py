"""What the live page shows: the last windows, events and notices, and a feed of what is new."""

import json
import queue
import secrets
import threading
from collections import OrderedDict, deque
from typing import Any

from ..._json import without_nan
from ...recordings._events import Event
from .._records import Window
from ._format import event_stem, record_to_dict
from ._past import read_past
from ._sink import MonitorInfo, Record
from ._status import Status

# Maximum number of windows, events and notices that the page keeps.
MAX_WINDOWS, MAX_EVENTS, MAX_NOTICES = 7200, 200, 100
# Number of messages that a client may miss and still get one by one. A client that missed more gets everything anew.
_N_KEPT = 512
# Maximum number of messages that wait for one client. A slower client is dropped, and then connects anew.
_MAX_WAITING = 256
# Attributes of a window in the order of the row that the page gets.
COLUMNS = ("start", "end", "score", "p_value", "level_db", "drift", "alarm", "error")


class Client:
    """One open stream of messages. None in the queue ends the stream."""

    def __init__(self) -> None:
        self.messages: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self.is_dropped = False


class PageState:
    """Records of a monitor for the page. All methods may be called from several threads.

    Parameters
    ----------
    info : MonitorInfo
    history : float
        Seconds of windows that are kept.
    """

    def __init__(self, info: MonitorInfo, history: float) -> None:
        self._lock = threading.Lock()
        self._status = Status(info)
        self._facts = {**_facts(info), "history": history}
        self._history = history
        self._windows: deque[list[Any]] = deque(maxlen=MAX_WINDOWS)
        self._events: OrderedDict[str, dict[str, Any]] = OrderedDict()
        self._stems: dict[str, str] = {}
        self._notices: OrderedDict[str, dict[str, Any]] = OrderedDict()
        # A browser that was connected to another run must not go on with the numbers of that run.
        self._run, self._number = secrets.token_hex(4), 0
        self._kept: deque[tuple[int, bytes]] = deque(maxlen=_N_KEPT)
        self._clients: set[Client] = set()
        self._is_closed = False
        for entry, event in read_past(info):
            if event is not None:
                self._keep_event(event, entry)
            else:
                _keep(self._notices, entry["key"], entry, MAX_NOTICES)

    def add(self, record: Record) -> None:
        """Keep a record and pass it to all clients. Does not wait for a client."""
        entry = record_to_dict(record)
        with self._lock:
            self._status.add(record)
            if isinstance(record, Window):
                kind, entry = "window", _row(entry)
                self._windows.append(entry)
                while self._windows and self._windows[0][1] < record.end - self._history:
                    self._windows.popleft()
            elif isinstance(record, Event):
                kind = "event"
                self._keep_event(record, entry)
            else:
                kind = "notice"
                _keep(self._notices, entry["key"], entry, MAX_NOTICES)
            self._publish(kind, {"record": entry, "status": self._status.get()})

    def _keep_event(self, event, entry):
        self._stems[event.id] = event_stem(event)
        _keep(self._events, event.id, entry, MAX_EVENTS)
        for name in self._stems.keys() - self._events.keys():
            del self._stems[name]

    def _publish(self, kind, value):
        self._number += 1
        message = self._message(kind, value)
        self._kept.append((self._number, message))
        for client in list(self._clients):
            if client.messages.qsize() >= _MAX_WAITING:
                self._drop(client)
            else:
                client.messages.put(message)

    def _message(self, kind, value):
        text = json.dumps(value, allow_nan=False, separators=(",", ":"))
        return f"id: {self._run}-{self._number}\nevent: {kind}\ndata: {text}\n\n".encode("ascii")

    def _drop(self, client):
        client.is_dropped = True
        client.messages.put(None)
        self._clients.discard(client)

    def connect(self, last_id: str, max_clients: int) -> Client | None:
        """Begin a stream of messages with what the client has missed.

        Parameters
        ----------
        last_id : str
            Number of the last message that the client has got, or "".
        max_clients : int

        Returns
        -------
        Client or None
            None if too many clients are connected, or if the monitor ends.
        """
        with self._lock:
            if self._is_closed or len(self._clients) >= max_clients:
                return None
            client = Client()
            missed = self._missed(last_id)
            if missed is None:
                missed = [self._message("state", self._snapshot())]
            for message in missed:
                client.messages.put(message)
            self._clients.add(client)
            return client

    def _missed(self, last_id):
        """Messages after a number, or None if they are not known any more."""
        run, _, number = last_id.partition("-")
        if run != self._run or not number.isdecimal() or len(number) > 18 or int(number) > self._number:
            return None
        missed = [message for n, message in self._kept if n > int(number)]
        return missed if len(missed) == self._number - int(number) else None

    def disconnect(self, client: Client) -> None:
        """Forget a client."""
        with self._lock:
            self._clients.discard(client)

    def beat(self) -> bytes:
        """Return a message without a number that tells the state, so that a page knows that the monitor answers."""
        text = json.dumps({"status": self.status()}, allow_nan=False, separators=(",", ":"))
        return f"event: beat\ndata: {text}\n\n".encode("ascii")

    def status(self) -> dict[str, Any]:
        """Return the state at a glance. See :meth:`Status.get`."""
        with self._lock:
            return self._status.get()

    @property
    def patience(self) -> float:
        """Seconds without a window after which the monitor counts as not listening."""
        return self._status.patience

    def snapshot(self) -> dict[str, Any]:
        """Return everything that the page shows, for JSON."""
        with self._lock:
            return self._snapshot()

    def _snapshot(self):
        return {
            "facts": self._facts,
            "status": self._status.get(),
            "columns": COLUMNS,
            "windows": list(self._windows),
            "events": list(self._events.values()),
            "notices": list(self._notices.values()),
        }

    def event(self, event_id: str) -> tuple[dict[str, Any], str] | None:
        """Return an event that is kept, and the name of its files without the ending. None if the id is unknown."""
        with self._lock:
            if event_id not in self._events:
                return None
            return self._events[event_id], self._stems[event_id]

    def close(self) -> None:
        """End all streams."""
        with self._lock:
            self._is_closed = True
            for client in list(self._clients):
                self._drop(client)


def _row(entry):
    # Seven digits are enough for a picture. A time needs milliseconds.
    row = [entry[name] for name in COLUMNS]
    times = [round(value, 3) if value is not None else None for value in row[:2]]
    return times + [float(f"{value:.7g}") if isinstance(value, float) else value for value in row[2:]]


def _keep(entries, key, entry, maximum):
    # A cleared event stays at the place of the raised one.
    entries[key] = entry
    while len(entries) > maximum:
        entries.popitem(last=False)


def _facts(info):
    return without_nan(
        {
            "source": info.source,
            "detector": info.detector,
            "window": info.window,
            "hop": info.hop,
            "raise_level": info.raise_level,
            "clear_level": info.clear_level,
            "statement": info.statement,
            "sample_rate": info.sample_rate,
            "versions": info.versions,
        }
    )
