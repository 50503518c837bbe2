"""The state of a monitor at a glance."""

import math
from dataclasses import replace

import pytest

from skaudio_ad.monitoring.sinks._status import Status

from . import records

START = records.START


class Clock:
    """Seconds that a test sets."""

    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def status(clock):
    return Status(records.info(), clock)


def names(status):
    found = status.get()
    return [found["state"], *(also["state"] for also in found["also"])]


def test_a_monitor_waits_for_its_first_window_and_is_then_normal(status):
    assert (names(status), status.get()["since"]) == (["waiting"], None)
    status.add(records.window())
    assert (names(status), status.get()["since"]) == (["normal"], START)


def test_an_event_is_an_alarm_until_the_event_ends(status):
    status.add(records.window())
    status.add(records.event(1))
    assert (names(status), status.get()["since"]) == (["alarm"], START + 100)
    status.add(records.event(1, "cleared", end=START + 160))
    assert (names(status), status.get()["since"]) == (["normal"], START + 160)


def test_an_alarm_that_began_before_a_restart_is_known_from_the_windows(status):
    status.add(records.window(0, alarm=True))
    assert names(status) == ["alarm"]
    status.add(records.window(1))
    assert names(status) == ["normal"]


def test_windows_that_stop_arriving_are_no_sound(status, clock):
    status.add(records.window())
    clock.now = 25.0  # three hops of 5 s and one window of 10 s
    assert status.is_healthy
    clock.now = 25.1
    found = status.get()
    assert (found["state"], found["since"], found["age"], found["healthy"]) == (
        "no_sound",
        START + 10,
        25.1,
        False,
    )
    status.add(records.window(9))
    assert names(status) == ["normal"]


def test_a_monitor_whose_first_window_never_comes_has_no_sound(status, clock):
    clock.now = 30.0
    assert (names(status), status.get()["since"]) == (["no_sound"], None)


@pytest.mark.parametrize("kind", ["silence", "lost", "end", "stop"])
def test_no_sound_after_a_notice_lasts_until_a_window_with_sound(status, kind):
    status.add(records.window())
    status.add(records.notice(20, kind=kind))
    status.add(records.window(5, level_db=-math.inf))
    status.add(records.window(6, level_db=-85.0))  # silent for the watchdog too
    assert (names(status), status.get()["since"]) == (["no_sound"], START + 20)
    status.add(records.window(7, level_db=-50.0))
    assert names(status) == ["normal"]


def test_the_end_of_a_silence_is_no_silence(status):
    status.add(records.window())
    status.add(records.notice(20, kind="silence"))
    status.add(replace(records.notice(30, kind="silence"), details={"over": True}))
    assert names(status) == ["normal"]


@pytest.mark.parametrize("record", [records.window(1, drift=2.0), records.notice(15, kind="drift")])
def test_drift_lasts_until_the_detector_changes(status, record):
    status.add(records.window())
    status.add(record)
    status.add(records.window(2, drift=1.0))
    assert (names(status), status.get()["since"]) == (["drift"], START + 15)
    status.add(records.notice(30, kind="memory"))
    assert names(status) == ["normal"]


def test_the_most_urgent_state_comes_first(status, clock):
    status.add(records.window(0, drift=3.0))
    status.add(records.event())
    clock.now = 100.0
    assert names(status) == ["alarm", "no_sound", "drift"]


def test_a_gap_is_no_state(status):
    status.add(records.window())
    status.add(records.notice())
    assert names(status) == ["normal"]
