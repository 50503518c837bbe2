"""Clocks that only move when a source waits, and helpers that look at streams."""

from skaudio_ad.monitoring import Block, Notice
from skaudio_ad.monitoring.sources._timing import Timer

NOON = 1_700_000_000.0


class FakeTimer(Timer):
    """Clocks for tests. ``on_wait`` is called after every wait."""

    def __init__(self, now=NOON, on_wait=None):
        self.wall, self.mono, self.on_wait = now, 0.0, on_wait

    def now(self):
        return self.wall

    def monotonic(self):
        return self.mono

    def pass_by(self, seconds):
        self.wall, self.mono = self.wall + seconds, self.mono + seconds

    def wait(self, event, seconds):
        self.pass_by(max(seconds, 0.01))
        if self.on_wait is not None:
            self.on_wait()


def take(stream, n_none=10):
    """Return the items of a stream up to the given number of None in a row."""
    items, n_waits = [], 0
    for item in stream:
        n_waits = n_waits + 1 if item is None else 0
        if item is not None:
            items.append(item)
        elif n_waits >= n_none:
            break
    return items


def blocks_of(items):
    return [item for item in items if isinstance(item, Block)]


def notices_of(items):
    return [item for item in items if isinstance(item, Notice)]
