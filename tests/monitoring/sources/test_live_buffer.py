"""Times of live sound, and the buffer between a thread that hears and a monitor that scores."""

import numpy as np
import pytest

from skaudio_ad.monitoring.sources._live_buffer import End, LiveBuffer
from skaudio_ad.monitoring.sources._sound_clock import SoundClock

from .fake_timer import NOON, FakeTimer, blocks_of, notices_of

RATE = 10


@pytest.fixture
def timer():
    return FakeTimer()


@pytest.fixture
def clock(timer):
    return SoundClock("mic", timer)


def listen(clock, timer, n_blocks, step=1.0, duration=1.0):
    """Return the times of blocks that arrive every `step` seconds, and all notices."""
    times, notices = [], []
    for _ in range(n_blocks):
        timer.pass_by(step)
        time, told = clock.stamp(duration)
        times.append(time - NOON)
        notices += told
    return np.array(times), notices


def test_the_first_block_ends_now_and_further_times_count_samples(clock, timer):
    times, notices = listen(clock, timer, 100, step=1.001)
    np.testing.assert_allclose(times, 0.001 + np.arange(100), atol=1e-6)
    assert notices == []


@pytest.mark.parametrize("jump", [3600.0, -3600.0])
def test_a_clock_that_was_set_moves_the_times_with_one_notice(clock, timer, jump):
    listen(clock, timer, 3)
    timer.wall += jump
    times, notices = listen(clock, timer, 3)
    np.testing.assert_allclose(times, jump + np.array([3.0, 4.0, 5.0]))
    (notice,) = notices
    assert notice.kind == "clock"
    assert notice.details["shift"] == pytest.approx(jump)
    assert ("set forwards" if jump > 0 else "set back") in notice.text


@pytest.mark.parametrize("error", [0.0005, -0.0005])
def test_a_device_with_an_inexact_rate_is_corrected_by_two_seconds_at_a_time(clock, timer, error):
    times, notices = listen(clock, timer, 10_000, step=1.0 + error)
    true = (1.0 + error) * np.arange(1, 10_001) - 1.0
    assert np.abs(times - true).max() < 2.1
    assert [notice.kind for notice in notices] == ["clock"] * 2
    assert all(1.9 < abs(notice.details["shift"]) < 2.1 for notice in notices)


def test_sound_that_is_delayed_and_then_catches_up_changes_no_time(clock, timer):
    listen(clock, timer, 20)
    timer.pass_by(8.0)
    times, notices = listen(clock, timer, 9, step=0.0)
    assert notices == []
    np.testing.assert_allclose(times, 20.0 + np.arange(9))


def test_missing_sound_moves_the_times_after_ten_seconds(clock, timer):
    listen(clock, timer, 20)
    timer.pass_by(5.0)
    times, notices = listen(clock, timer, 30)
    (notice,) = notices
    assert notice.duration == pytest.approx(5.0)
    assert times[-1] == 20.0 + 5.0 + 29.0


def test_a_stream_that_begins_with_old_sound_is_corrected_within_two_minutes(clock, timer):
    times, notices = listen(clock, timer, 8, step=0.01)
    assert notices == []
    times, notices = listen(clock, timer, 130)
    (notice,) = notices
    assert notice.details["shift"] == pytest.approx(-7.0, abs=0.1)
    assert times[-1] == pytest.approx(130.0 - 1.0 + 0.08, abs=0.1)


def test_sound_from_a_file_counts_samples_and_says_so_once(clock, timer):
    times, notices = listen(clock, timer, 1000, step=0.01)
    np.testing.assert_allclose(np.diff(times), 1.0)
    assert len(notices) == 1
    assert clock.is_fast


def fill(buffer, timer, n_blocks, first=0):
    for index in range(first, first + n_blocks):
        timer.pass_by(1.0)
        buffer.put(np.full((RATE, 1), index, np.float32), RATE)


def empty(buffer):
    items = []
    while (item := buffer.get()) is not None:
        items.append(item)
    return items


def test_a_full_buffer_drops_the_oldest_sound_and_says_how_much(timer):
    buffer = LiveBuffer("mic", timer, max_seconds=5.0)
    fill(buffer, timer, 3)
    before = [buffer.get(), buffer.get()]
    fill(buffer, timer, 9, first=3)
    items = empty(buffer)
    (notice,) = notices_of(items)
    assert items[0] is notice
    assert (notice.kind, notice.duration, notice.time) == ("overrun", 5.0, NOON + 2.0)
    assert [block.samples[0, 0] for block in blocks_of(items)] == [7, 8, 9, 10, 11]
    assert blocks_of(items)[0].time == NOON + 7.0
    assert before[0].stream == before[1].stream != blocks_of(items)[0].stream
    assert len({block.stream for block in blocks_of(items)}) == 1


def test_a_source_that_was_lost_comes_back_with_the_duration_of_the_gap(timer):
    buffer = LiveBuffer("mic", timer)
    fill(buffer, timer, 2)
    timer.pass_by(100.0)
    assert buffer.mark_lost() == NOON + 102.0
    timer.pass_by(20.0)
    fill(buffer, timer, 1, first=2)
    first, second, back, third = empty(buffer)
    assert (back.kind, back.duration, back.details["away"]) == ("back", 120.0, 21.0)
    assert third.time == back.time == NOON + 122.0
    assert first.stream == second.stream != third.stream


def test_a_clock_notice_begins_a_new_stream(timer):
    buffer = LiveBuffer("mic", timer)
    fill(buffer, timer, 2)
    timer.wall += 50.0
    fill(buffer, timer, 1)
    first, second, notice, third = empty(buffer)
    assert notice.kind == "clock"
    assert first.stream == second.stream != third.stream
    assert third.time == second.time + 51.0


def test_the_end_comes_after_the_sound(timer):
    buffer = LiveBuffer("mic", timer)
    fill(buffer, timer, 1)
    buffer.put_end(End("over"))
    assert [type(item).__name__ for item in empty(buffer)] == ["Block", "End"]


def test_waiting_takes_half_a_second_at_most(timer):
    buffer = LiveBuffer("mic", timer)
    assert buffer.get() is None
    assert timer.mono == 0.5
    assert buffer.silent_for() == 0.5
    buffer.close()
    assert buffer.get() is None
    assert timer.mono == 0.5
