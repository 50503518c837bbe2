import json

import numpy as np

from skaudio_ad.monitoring import Block
from skaudio_ad.monitoring._watchdogs import Watchdogs

RATE = 100


def notices(parts, watchdogs=None, start=1000.0, stop=None):
    """Push blocks of a second, made by functions of a generator, and return (kind, time) of the notices."""
    watchdogs, rng, found = watchdogs or Watchdogs(RATE), np.random.default_rng(0), []
    for second, part in enumerate(parts):
        samples = np.asarray(part(rng), dtype=np.float32).reshape(-1, 1)
        found += watchdogs.push(Block(start + second, samples, RATE))
    return [(notice.kind, notice.time - start, notice.id) for notice in found]


def noise(rng):
    return rng.uniform(-0.5, 0.5, RATE)


def silence(rng):
    return np.zeros(RATE)


def clipped(rng):
    return np.clip(rng.uniform(-0.5, 0.5, RATE) + np.sin(np.arange(RATE) / 10) * 2, -1, 1)


def constant(rng):
    return np.full(RATE, 0.25)


def test_each_fault_gives_a_notice_at_its_beginning_and_at_its_end():
    for kind, part, after in (("silence", silence, 10), ("clipping", clipped, 10), ("stuck", constant, 3)):
        found = notices([noise] * 20 + [part] * 30 + [noise] * 30)
        assert found == [(kind, 20.0 + after, f"{kind}-1020.000"), (kind, 60.0, f"{kind}-1020.000-end")]


def test_sound_far_below_the_usual_level_counts_as_silence():
    found = notices([noise] * 700 + [lambda rng: noise(rng) / 100] * 12)
    assert [kind for kind, _, _ in found] == ["silence"]


def test_more_than_a_hundredth_of_lost_sound_is_reported():
    watchdogs = Watchdogs(RATE)
    assert notices([noise] * 5, watchdogs) == []
    assert [kind for kind, _, _ in notices([noise] * 2, watchdogs, start=1050.0)] == ["dropped"]


def test_watchdogs_go_on_from_their_state():
    first, second = Watchdogs(RATE), Watchdogs(RATE)
    assert notices([noise] * 5 + [silence] * 5, first) == []
    second.set_state(json.loads(json.dumps(first.get_state())))
    assert notices([silence] * 6, second, start=1010.0) == [("silence", 5.0, "silence-1005.000")]
