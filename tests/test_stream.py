"""Tests of the streaming loop."""

import threading
import time

import pytest

from skaudio_ad._lazy import ClipError
from skaudio_ad._stream import stream

from .sources import Source, double


def threads_of_the_stream():
    return [thread for thread in threading.enumerate() if thread.name.startswith("skaudio_ad")]


def test_the_stream_keeps_the_order_even_if_some_items_take_longer():
    source = Source(50, delays=(0.008, 0.0, 0.004, 0.0, 0.002))
    assert [int(item[0]) for item in stream(double, source)] == list(range(0, 100, 2))
    assert sorted(source.asked) == list(range(50))


def test_the_stream_runs_only_a_few_items_ahead_of_a_slow_consumer():
    source = Source(100)
    ahead = []
    for n_consumed, _ in enumerate(stream(double, source), start=1):
        time.sleep(0.002)
        ahead.append(len(source.asked) - n_consumed)
    assert 1 <= max(ahead) <= 10


def test_an_error_in_one_item_stops_the_stream_and_names_the_clip():
    source = Source(300, delays=(0.001,))

    def refuse_the_sixth(item):
        if item[0] == 5:
            raise ClipError("is broken; mend it.")
        return item

    running = stream(refuse_the_sixth, source)
    assert [int(next(running)[0]) for _ in range(5)] == [0, 1, 2, 3, 4]
    with pytest.raises(ClipError, match=r"^clip 5: is broken; mend it\.$"):
        next(running)
    assert len(source.asked) < 20
    assert not threads_of_the_stream()


def test_an_unexpected_error_reaches_the_consumer_unchanged():
    def divide(item):
        return 1 // int(item[0])

    with pytest.raises(ZeroDivisionError, match="integer"):
        list(stream(divide, Source(3)))


def test_a_stream_that_is_closed_early_leaves_no_thread_and_no_work():
    source = Source(300, delays=(0.001,))
    running = stream(double, source)
    assert [int(next(running)[0]) for _ in range(3)] == [0, 2, 4]
    running.close()
    n_asked = len(source.asked)
    assert not threads_of_the_stream()
    time.sleep(0.03)
    assert len(source.asked) == n_asked < 20


def test_waiting_items_of_a_closed_stream_are_never_computed():
    source = Source(50, delays=(0.2,))
    running = stream(double, source)
    next(running)
    time.sleep(0.05)  # the threads compute their next items, and other items wait
    n_asked = len(source.asked)
    running.close()
    assert len(source.asked) == n_asked
