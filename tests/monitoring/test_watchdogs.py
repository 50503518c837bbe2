"""Watchdogs report silence, clipping, a stuck source and lost sound, once at the beginning and once at the end."""

import json

import numpy as np
import pytest

from skaudio_ad.monitoring._watchdogs import Watchdogs

from .stand_ins import RATE, START, blocks, sound

GOOD = sound(30)
SILENT = np.zeros((30 * RATE, 1), np.float32)
CLIPPED = np.clip(sound(30, seed=1) * 20, -1, 1)
STUCK = np.tile(sound(0.5), (60, 1))


def watch(samples, dog=None, **settings):
    dog = Watchdogs(RATE) if dog is None else dog
    return [notice for block in blocks(samples, **settings) for notice in dog.push(block)]


@pytest.mark.parametrize(("kind", "bad"), [("silence", SILENT), ("clipping", CLIPPED), ("stuck", STUCK)])
def test_a_fault_is_reported_when_it_begins_and_when_it_is_over(kind, bad):
    begun, over = watch(np.concatenate([GOOD, bad, GOOD]))
    assert (begun.kind, over.kind) == (kind, kind)
    assert 30 <= begun.time - START <= 40
    assert 60 <= over.time - START <= 70
    assert over.details == {"since": begun.time}


def test_good_sound_and_a_short_silence_give_no_notice():
    assert watch(np.concatenate([GOOD, SILENT[:5000], GOOD])) == []


def test_lost_sound_of_more_than_one_percent_of_an_hour_is_reported():
    dog = Watchdogs(RATE)
    assert watch(GOOD, dog) == []
    assert watch(GOOD, dog, start=START + 60) == []  # 30 s are lost
    (dropped,) = watch(GOOD, dog, start=START + 100)  # 10 s more
    assert (dropped.kind, dropped.duration) == ("dropped", pytest.approx(40))
    assert dropped.time == START + 100


def test_watchdogs_go_on_from_their_state():
    given = blocks(np.concatenate([GOOD, SILENT, CLIPPED, STUCK, GOOD]))
    whole = Watchdogs(RATE)
    expected = [notice for block in given for notice in whole.push(block)]
    assert len(expected) == 6
    dog, found = Watchdogs(RATE), []
    for block in given:
        state = json.loads(json.dumps(dog.get_state()))
        dog = Watchdogs(RATE)
        dog.set_state(state)
        found += dog.push(block)
    assert found == expected
