"""A monitor that is killed at any step loses no event and writes none twice."""

import json
import os
from dataclasses import dataclass

import pytest

from skaudio_ad.monitoring import Monitor, Notice, _recorder, _setup
from skaudio_ad.monitoring._log import EventLog
from skaudio_ad.monitoring._state import StateFolder
from skaudio_ad.monitoring.sources import SourceInfo
from skaudio_ad.recordings import AlarmPolicy
from skaudio_ad.recordings._window_scorer import WindowScorer

from .stand_ins import START, KeepingSink, ListSource, blocks, loud_detector, sound

POLICY = AlarmPolicy(-0.5, -0.4, n_raise=2, refractory=1.0)
OWN = ("start", "stop", "restart")
# Number of steps from one kill to the next. 1 kills at every step and takes half a minute.
EVERY = 13


class Kill(BaseException):
    """End of the process. Nothing that comes after the kill may have an effect."""


class Killer:
    """Count the steps before and after the calls of functions, and kill at one of them."""

    def __init__(self):
        self.n_steps, self.at = 0, None

    def step(self):
        self.n_steps += 1
        if self.at is not None and self.n_steps >= self.at:
            raise Kill

    def wrap(self, function):
        def wrapped(*args, **kwargs):
            self.step()
            made = function(*args, **kwargs)
            self.step()
            return made

        return wrapped

    def begin(self, at):
        self.n_steps, self.at = 0, at


@pytest.fixture
def killer(monkeypatch):
    made = Killer()
    for cls, name in (
        (EventLog, "write_waiting"),
        (StateFolder, "write"),
        (StateFolder, "read"),
        (KeepingSink, "send"),
        (WindowScorer, "score"),
    ):
        monkeypatch.setattr(cls, name, made.wrap(getattr(cls, name)))
    monkeypatch.setattr(os, "fsync", lambda _: None)
    monkeypatch.setattr(_setup, "package_versions", dict)
    return made


def items(rate):
    """Two files with three events: one whole, one cut by a gap, and one at the end."""
    first = blocks(sound(6, [(1, 2.5), (4.2, 6)], rate=rate), rate=rate, seconds=0.6)
    later = blocks(sound(3, [(1, 3)], rate=rate, seed=1), start=START + 9, rate=rate, seconds=0.7, stream="b")
    return [*first, None, Notice("gap-1", START + 6, "gap", "Lost.", 3.0), *later]


@dataclass(eq=False)
class Entry:
    """Line of the log. A resampler rounds differently after a restart, so that scores are equal to six digits."""

    score: float
    others: dict

    def __eq__(self, other):
        return self.others == other.others and abs(self.score - other.score) < 1e-6


def read_log(folder):
    lines = (folder / "log.jsonl").read_bytes().split(b"\n")
    assert lines.pop() == b""
    return [json.loads(line) for line in lines]


def entries(folder):
    """The log without the notices of the monitor itself."""
    found = [entry for entry in read_log(folder) if entry.get("kind") not in OWN]
    without = ("worst_time", "worst_time_utc")  # two windows that share their loudest sample
    return [
        Entry(entry.pop("score", 0.0), {name: entry[name] for name in entry if name not in without})
        for entry in found
    ]


def listen(detector, source_items, folder, sink, live):
    source = ListSource.of(source_items, info=SourceInfo(None, None, live=live))
    return Monitor(detector, source, [sink], POLICY, state=folder).run()


@pytest.mark.parametrize(("rate", "live", "save"), [(1000, True, 0.0), (1500, True, 0.0), (1000, False, 5.0)])
def test_a_kill_at_any_step_loses_no_event_and_doubles_none(tmp_path, monkeypatch, killer, rate, live, save):
    monkeypatch.setattr(_recorder, "_SAVE", save)
    detector, given = loud_detector(1000), items(rate)
    whole = KeepingSink()
    killer.begin(None)
    listen(detector, given, tmp_path / "whole", whole, live)
    n_steps, expected = killer.n_steps, entries(tmp_path / "whole")
    events = [entry.others for entry in expected if entry.others["type"] == "event"]
    assert (len(events), len(expected)) == (6, 7)
    for at in range(1, n_steps + 1, EVERY):
        folder, sinks = tmp_path / f"{at}", []
        for kill_at in (at, None):
            killer.begin(kill_at)
            sinks.append(KeepingSink())
            try:
                listen(detector, given, folder, sinks[-1], live)
            except Kill:
                assert kill_at is not None
        assert entries(folder) == expected, f"killed at step {at}"
        sent = [record for sink in sinks for record in sink.records if hasattr(record, "worst_time")]
        assert {(e.id, e.state) for e in sent} == {(e["id"], e["state"]) for e in events}


def test_two_kills_at_any_pair_of_steps_lose_no_event(tmp_path, monkeypatch, killer):
    monkeypatch.setattr(_recorder, "_SAVE", 0.0)
    detector, given = loud_detector(1000), items(1000)
    killer.begin(None)
    listen(detector, given, tmp_path / "whole", KeepingSink(), True)
    expected = entries(tmp_path / "whole")
    for at in range(5, killer.n_steps, 5 * EVERY):
        for again in range(3, 60, 3 * EVERY):
            folder = tmp_path / f"{at}-{again}"
            for kill_at in (at, again, None):
                killer.begin(kill_at)
                try:
                    listen(detector, given, folder, KeepingSink(), True)
                except Kill:
                    assert kill_at is not None
            assert entries(folder) == expected, f"killed at steps {at} and {again}"
