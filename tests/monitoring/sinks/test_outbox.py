"""Tests of the outbox: nothing is lost, and nothing blocks."""

import threading
import time

import pytest

from skaudio_ad.monitoring.sinks import Outbox, RefusedError, RetryLaterError, record_to_dict
from skaudio_ad.monitoring.sinks._problems import Problems
from skaudio_ad.monitoring.sinks._spool import Spool

from ...killed import write_until_killed
from .records import event, notice, window


class FakeClock:
    """A clock that jumps over every waiting time."""

    def __init__(self):
        self.now, self.waits = 0.0, []

    def time(self):
        return self.now

    def wait(self, condition, seconds):
        self.waits.append(seconds)
        self.now += seconds


def until(condition):
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end, "the outbox did nothing"
        time.sleep(0.001)


def test_records_are_delivered_in_order_and_removed(tmp_path):
    got = []
    outbox = Outbox(tmp_path / "spool", got.append)
    outbox.open()
    for record in (window(), event(), notice(), event(state="cleared")):
        outbox.send(record, "fan")
    outbox.close()
    assert [entry["type"] for entry in got] == ["window", "event", "notice", "event"]
    assert list((tmp_path / "spool").glob("*.json")) == []
    assert outbox.take_notices() == []


@pytest.mark.parametrize("in_memory", [False, True], ids=["on disk", "in memory"])
def test_a_receiver_that_is_down_for_an_hour_loses_no_event(tmp_path, in_memory):
    clock, got = FakeClock(), []

    def deliver(entry):
        if clock.now < 3600:
            raise ConnectionRefusedError("down")
        got.append(entry["id"])

    outbox = Outbox(None if in_memory else tmp_path, deliver, clock=clock)
    outbox.open()
    for number in range(30):
        outbox.send(event(number))
    until(lambda: len(got) == 30)
    outbox.close()
    assert got == [event(number).id for number in range(30)]
    # The schedule, with a quarter more at most: 10 waits reach 811 s, and every later wait takes 300 s.
    for wait, base in zip(clock.waits, (1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300)):
        assert base <= wait <= 1.25 * base
    assert sum(outbox.losses.values()) == 0
    begun, solved = outbox.take_notices()
    assert "cannot be delivered" in begun.text
    assert "down" in begun.text
    assert "delivered again" in solved.text


def test_new_records_do_not_shorten_the_waiting_time(tmp_path):
    calls = []

    def deliver(entry):
        calls.append(entry)
        raise ConnectionError

    outbox = Outbox(tmp_path, deliver)
    outbox.open()
    for number in range(20):
        outbox.send(notice(number))
        time.sleep(0.001)
    outbox.close()
    assert len(calls) == 1


def test_a_receiver_that_asks_to_wait_is_left_alone_for_that_time(tmp_path):
    clock, got = FakeClock(), []

    def deliver(entry):
        if not clock.waits:
            raise RetryLaterError("busy", seconds=77)
        got.append(entry)

    outbox = Outbox(tmp_path, deliver, clock=clock)
    outbox.open()
    outbox.send(event())
    until(lambda: got)
    outbox.close()
    assert 77 <= clock.waits[0] <= 1.25 * 77


def test_records_of_an_earlier_run_are_delivered_first(tmp_path):
    def down(entry):
        raise ConnectionError

    first = Outbox(tmp_path, down)
    first.open()
    first.send(event(0))
    first.send(event(1))
    first.close()
    assert "2 records not delivered: kept in" in first.take_notices()[-1].text
    got = []
    second = Outbox(tmp_path, lambda entry: got.append(entry["id"]))
    second.open()
    second.send(event(2))
    second.close()
    assert got == ["fan-0", "fan-1", "fan-2"]


def test_every_record_that_was_taken_survives_a_kill(tmp_path):
    taken = tmp_path / "taken"

    def work():
        spool = Spool(tmp_path / "spool", 100_000, 1e9, Problems("spool"))
        spool.open()
        with open(taken, "ab", buffering=0) as file:
            for number in range(100_000):
                spool.put({"type": "notice", "key": str(number)})
                file.write(b"%d\n" % number)

    write_until_killed(work, lambda: taken.exists() and taken.stat().st_size > 500, 0.002)
    spool = Spool(tmp_path / "spool", 100_000, 1e9, Problems("spool"))
    spool.open()
    kept = []
    while (item := spool.head()) is not None:
        kept.append(spool.read(item)["key"])
        spool.done(item)
    spool.close()
    confirmed = taken.read_text().splitlines()
    assert kept[: len(confirmed)] == confirmed
    assert len(kept) - len(confirmed) <= 1
    assert not [path for path in (tmp_path / "spool").iterdir() if path.name != ".lock"]


def test_a_full_spool_drops_windows_first_then_notices_and_events_last(tmp_path):
    outbox = Outbox(tmp_path, lambda entry: None, max_items=4)
    spool = outbox._spool
    spool.open()
    records = [window(0), notice(0), event(0), event(1), event(2), event(3), event(4), window(1), notice(1)]
    for record in records:
        spool.put(record_to_dict(record))
    kept = []
    while (item := spool.head()) is not None:
        kept.append(spool.read(item)["id"])
        spool.done(item)
    spool.close()
    assert kept == ["fan-1", "fan-2", "fan-3", "fan-4"]
    assert outbox.losses == {"window": 2, "notice": 2, "event": 1}
    assert "full" in outbox.take_notices()[0].text
    assert spool.n_bytes == 0


def test_the_size_of_the_spool_is_bounded(tmp_path):
    spool = Spool(tmp_path, 1000, 5000, Problems("spool"))
    spool.open()
    for number in range(50):
        spool.put({"type": "notice", "key": f"{number:0400d}"})
        assert sum(path.stat().st_size for path in tmp_path.glob("*.json")) <= 5000
    spool.close()
    assert 5 < len(spool) < 50
    assert len(spool) + spool.losses["notice"] == 50


def test_a_record_that_the_receiver_refuses_is_put_aside_with_the_reason(tmp_path):
    got = []

    def deliver(entry):
        if entry["id"] == "fan-0":
            raise RefusedError("the receiver knows no such machine")
        got.append(entry["id"])

    outbox = Outbox(tmp_path, deliver)
    outbox.open()
    outbox.send(event(0))
    outbox.send(event(1))
    outbox.close()
    assert got == ["fan-1"]
    (refused,) = (tmp_path / "refused").iterdir()
    assert "no such machine" in refused.read_text()
    assert "fan-0" in refused.read_text()
    assert "no such machine" in outbox.take_notices()[0].text


def test_a_delivery_that_hangs_is_abandoned_and_blocks_neither_send_nor_close(tmp_path):
    free, calls = threading.Event(), []

    def deliver(entry):
        calls.append(entry["id"])
        free.wait(10)

    outbox = Outbox(tmp_path, deliver, timeout=0.01, retry=(0.0,))
    outbox.open()
    begun = time.monotonic()
    outbox.send(event(0))
    outbox.send(event(1))
    until(lambda: outbox._n_hung == 4)
    time.sleep(0.03)
    assert len(calls) == 4  # the number of threads is bounded
    outbox.close(timeout=0.05)
    assert time.monotonic() - begun < 5
    assert len(list(tmp_path.glob("*.json"))) == 2
    assert "took more than 0.01 s" in outbox.take_notices()[0].text
    free.set()
    until(lambda: outbox._n_hung == 0)
    # The four deliveries of the first record have succeeded late, and the second record waits for the next run.
    assert [path.name for path in tmp_path.glob("*.json")] == ["000000000001-e.json"]


def test_close_waits_for_its_timeout_and_not_longer_for_a_slow_delivery(tmp_path):
    free = threading.Event()
    outbox = Outbox(tmp_path, lambda entry: free.wait(10), timeout=10)
    outbox.open()
    outbox.send(event())
    begun = time.monotonic()
    outbox.close(timeout=0.02)
    assert time.monotonic() - begun < 2
    free.set()
    until(lambda: not any("delivery" in thread.name for thread in threading.enumerate()))


def test_a_damaged_file_of_the_spool_is_reported_and_the_others_are_delivered(tmp_path):
    got = []
    (tmp_path / "000000000000-e.json").write_bytes(b"")
    outbox = Outbox(tmp_path, lambda entry: got.append(entry["id"]))
    outbox.open()
    outbox.send(event(1))
    outbox.close()
    assert got == ["fan-1"]
    assert outbox.losses["event"] == 1
    assert "damaged" in outbox.take_notices()[0].text


def test_records_in_memory_that_are_not_delivered_are_reported_as_lost():
    def down(entry):
        raise ConnectionError

    outbox = Outbox(None, down)
    outbox.open()
    outbox.send(event())
    outbox.close()
    assert "1 record not delivered: lost, because the outbox has no folder" in outbox.take_notices()[-1].text


def test_a_folder_that_cannot_be_written_keeps_records_in_memory(tmp_path):
    got, go = [], threading.Event()
    outbox = Outbox(tmp_path / "spool", lambda entry: go.wait(10) and got.append(entry["id"]))
    outbox.open()
    (tmp_path / "spool").rename(tmp_path / "moved")
    outbox.send(event())
    go.set()
    outbox.close()
    assert got == ["fan-0"]
    assert outbox.take_notices()[0].kind == "disk"


def test_two_outboxes_on_one_folder_are_refused(tmp_path):
    first = Outbox(tmp_path, print)
    first.open()
    with pytest.raises(OSError, match=r"is in use\. Give every sink of a monitor another name"):
        Outbox(tmp_path, print).open()
    first.close()


def test_bad_parameters_and_a_closed_outbox_are_errors(tmp_path):
    with pytest.raises(ValueError, match="timeout must lie in"):
        Outbox(tmp_path, print, timeout=0)
    with pytest.raises(ValueError, match="retry must hold one waiting time"):
        Outbox(tmp_path, print, retry=())
    with pytest.raises(RuntimeError, match="is not open"):
        Outbox(tmp_path, print).send(event())
