"""Events while the receiver of a sink is away for an hour."""

import tempfile
import threading
import time

import numpy as np

from skaudio_ad.monitoring import Monitor
from skaudio_ad.monitoring.sinks import Outbox, record_to_dict
from skaudio_ad.recordings import AlarmPolicy, Event

from ._sounds import HOP, LOW_RATE, SECONDS, START, JoinedSource, cheap_detector, fault_clips, normal_clips

# Beginning and end of the time in which the receiver is away, in seconds.
AWAY = (3600, 7200)


class Clock:
    """Time of the simulation."""

    now = 0.0

    def time(self):
        """Return the seconds since the start of the simulation."""
        return self.now

    def wait(self, condition, seconds):
        """Wait until the simulation goes on."""
        condition.wait(0.002)


class Receiver:
    """Sink whose receiver answers with an error while it is away."""

    name = "receiver"

    def __init__(self, folder, clock):
        self.clock, self.received, self.sent, self.refused = clock, [], [], 0
        self.outbox = Outbox(folder, self.deliver, clock=clock)
        self._lock = threading.Lock()

    def deliver(self, entry):
        """Take a record, or raise an error."""
        if AWAY[0] <= self.clock.now < AWAY[1]:
            self.refused += 1
            raise ConnectionRefusedError("the receiver is away")
        with self._lock:
            self.received.append(entry["key"])

    def open(self, info):
        """Begin to deliver."""
        self.outbox.open()

    def send(self, record, sound=None):
        """Take a record. The time of the simulation is the end of the newest record."""
        self.clock.now = max(self.clock.now, getattr(record, "end", START) - START)
        if isinstance(record, Event):
            self.sent.append(record_to_dict(record)["key"])
            self.outbox.send(record)

    def close(self, timeout=10.0):
        """Deliver what waits."""
        self.clock.now = float("inf")
        deadline = time.monotonic() + timeout
        while len(self.outbox) and time.monotonic() < deadline:
            self.outbox.retry_now()
            time.sleep(0.01)
        self.outbox.close(timeout)


def rows(hours=3, seed=0, every=12):
    """Listen to a fault every two minutes, with a receiver that is away for the second hour.

    Parameters
    ----------
    hours : float
    seed : int
    every : int
        Number of clips of 10 s from one fault to the next one.

    Returns
    -------
    list of dict
    """
    normal = normal_clips(60, seed)
    normal, live = np.split(normal, [len(normal) * 2 // 3])
    detector = cheap_detector(normal)
    scores = detector.score_samples(list(live))
    n_clips, faults = round(hours * 3600 / SECONDS), fault_clips(8, seed)
    places = {place: faults[number % 8] for number, place in enumerate(range(every - 1, n_clips, every))}
    clock = Clock()
    level = float(scores.min() - 0.1 * abs(scores.min()))
    policy = AlarmPolicy(level, level, refractory=0.0)
    with tempfile.TemporaryDirectory() as folder:
        sink = Receiver(f"{folder}/spool", clock)
        source = JoinedSource(live, LOW_RATE, n_clips, places, random_state=seed)
        Monitor(detector, source, [sink], policy, window=SECONDS, hop=HOP, state=f"{folder}/state").run()
    distinct = list(dict.fromkeys(sink.received))
    return [
        {
            "hours": hours,
            "faults": len(places),
            "records of events": len(sink.sent),
            "refused deliveries": sink.refused,
            "lost": len(set(sink.sent) - set(distinct)),
            "arrived twice": len(sink.received) - len(distinct),
            "in order": "yes" if distinct == list(dict.fromkeys(sink.sent)) else "no",
        }
    ]


def tables(*, quick, seed):
    """Return the table of this part."""
    notes = (
        "The time is simulated. The receiver refuses every delivery of the second hour. An event is sent when it is "
        "raised and when it is cleared."
    )
    made = rows(2.2, seed, every=60) if quick else rows(seed=seed)
    return [("receiver away for an hour", made, notes)]
