"""A monitor reports windows, events and notices of a source, in order and once."""

import math

import numpy as np
import pytest

from skaudio_ad.monitoring import Monitor, Notice, Window
from skaudio_ad.recordings import AlarmPolicy, Event, find_events

from .stand_ins import START, ListSource, blocks, loud_detector, sound

POLICY = AlarmPolicy(-0.5, -0.4, refractory=0.0)


@pytest.fixture(scope="module")
def detector():
    return loud_detector()


def listen(detector, items, policy=POLICY, **settings):
    return list(Monitor(detector, ListSource.of(items), policy=policy, **settings))


def windows_of(records):
    return [record for record in records if isinstance(record, Window)]


def events_of(records):
    return [record for record in records if isinstance(record, Event)]


def test_windows_have_the_times_scores_and_levels_of_the_sound(detector):
    samples = sound(5, [(2, 2.4)])
    found = windows_of(listen(detector, blocks(samples, seconds=0.37)))
    starts = START + np.arange(0, 4.01, 0.5)
    np.testing.assert_allclose([window.start for window in found], starts, atol=1e-5)
    np.testing.assert_allclose([window.end for window in found], starts + 1, atol=1e-5)
    cut = [samples[place : place + 1000, 0] for place in range(0, 4001, 500)]
    np.testing.assert_allclose([window.score for window in found], [-np.abs(x).max() for x in cut])
    levels = [10 * np.log10(np.mean(x.astype(float) ** 2)) for x in cut]
    np.testing.assert_allclose([window.level_db for window in found], levels)
    np.testing.assert_allclose([window.margin for window in found], [w.score + 0.5 for w in found])
    assert [window.alarm for window in found] == [False] * 3 + [True] * 2 + [False] * 4
    assert math.isnan(found[0].drift)


def test_events_are_those_of_the_scores_of_the_windows(detector):
    records = listen(detector, blocks(sound(20, [(3, 5), (9, 9.2), (15, 20)])))
    found = windows_of(records)
    expected = find_events(
        [w.start for w in found], [w.end for w in found], [w.score for w in found], POLICY, source="list"
    )
    cleared = [event for event in events_of(records) if event.state == "cleared"]
    assert [(e.start, e.end, e.score) for e in cleared] == [(e.start, e.end, e.score) for e in expected]
    assert [event.state for event in events_of(records)] == ["raised", "cleared"] * 3
    assert cleared[-1].reason == "the source has ended"
    assert [notice.kind for notice in records if isinstance(notice, Notice)] == ["start", "stop"]
