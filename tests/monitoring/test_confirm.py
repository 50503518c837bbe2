"""What a person says about events, and calibrations that are made again."""

import dataclasses
import json

import numpy as np
import pytest

from skaudio_ad.monitoring import NormalMemory
from skaudio_ad.monitoring._confirm import EventMarks

from .test_memory import ensemble, event, rows, window  # noqa: F401 -- a fixture

KEY = "k" * 32


@pytest.fixture
def state(tmp_path):
    """A folder of a monitor with three events: near the level, far from it, and one without kept windows."""
    memory = NormalMemory(tmp_path)
    memory._key = KEY
    for name, shift, score in (("aa01", 0.0, -6.0), ("ab02", 100.0, -11.0)):
        windows = [
            window(100.0 + shift + 5 * n, rows(1, seed=n)[0], score=score, margin=score + 5) for n in range(3)
        ]
        memory.keep(event(name, start=100.0 + shift), windows)
    lines = [
        {"type": "event", **dataclasses.asdict(event("c3", start=50.0)), "state": "raised"},
        {"type": "event", **dataclasses.asdict(event("c3", start=50.0)), "p_value": None},
        {"type": "notice", "id": "n1"},
        {"type": "event", "id": "of another version"},
    ]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (tmp_path / "log.jsonl").write_text(text + '{"type": "ev')
    return tmp_path


def marks_of(state):
    return [
        (marked.event.id, marked.mark, marked.change, marked.n_windows)
        for marked in EventMarks(state).listed()
    ]


def test_events_of_the_log_and_events_with_windows_are_listed_in_the_order_of_time(state):
    assert marks_of(state) == [("c3", "", "", 0), ("aa01", "", "", 3), ("ab02", "", "", 3)]
    assert EventMarks(state).listed()[0].event.state == "cleared"


def test_a_false_alarm_joins_the_memory_and_an_undo_takes_its_mark_back(state):
    change = EventMarks(state).mark_normal("aa01")
    assert (change.event, change.source, change.n_windows, change.detector_key) == ("aa01", "source", 3, KEY)
    assert marks_of(state)[1] == ("aa01", "normal", "m1", 3)
    np.testing.assert_array_equal(
        NormalMemory(state)._log.features(change), np.concatenate([rows(1, seed=n) for n in range(3)])
    )
    EventMarks(state).undo("m1")
    assert marks_of(state)[1] == ("aa01", "", "", 3)
    assert EventMarks(state).mark_normal("aa01").id == "m3"


def test_a_fault_is_noted_and_its_windows_leave_the_memory(state):
    marks = EventMarks(state)
    assert marks.mark_fault("c3") is None
    marks.mark_normal("aa01")
    assert marks.mark_fault("aa01").undoes == "m1"
    assert marks_of(state)[:2] == [("c3", "fault", "", 0), ("aa01", "fault", "", 3)]
    assert NormalMemory(state).active == []


def test_an_event_far_from_normal_needs_a_second_word(state):
    with pytest.raises(ValueError, match=r"lies 2\.2 times as far.*Listen to the event.*--yes"):
        EventMarks(state).mark_normal("ab02")
    assert NormalMemory(state).changes == []
    assert EventMarks(state).mark_normal("ab02", force=True).n_windows == 3


def test_an_event_is_found_by_the_first_characters_of_its_id(state):
    marks = EventMarks(state)
    assert marks.find("aa").event.id == "aa01"
    for name, problem in (("a", "several events"), ("x", "no event"), ("", "no event")):
        with pytest.raises(ValueError, match=f"{problem}.*--list"):
            marks.find(name)


def test_an_event_cannot_be_learnt_twice_or_without_windows(state):
    marks = EventMarks(state)
    marks.mark_normal("aa01")
    with pytest.raises(ValueError, match="normal already, by the change m1"):
        marks.mark_normal("aa01")
    with pytest.raises(FileNotFoundError, match="no windows of an event 'c3' are kept"):
        marks.mark_normal("c3")


def test_a_torn_last_mark_is_left_out_and_does_not_join_the_next_one(state):
    marks = EventMarks(state)
    marks.mark_fault("c3")
    path = state / "marks.jsonl"
    path.write_bytes(path.read_bytes() + b'{"event": "aa01", "ma')
    assert [mark for _, mark, *_ in marks_of(state)] == ["fault", "", ""]
    marks.mark_fault("aa01")
    assert [mark for _, mark, *_ in marks_of(state)] == ["fault", "fault", ""]


def test_a_folder_that_is_missing_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere: no such folder.*watch --state"):
        EventMarks(tmp_path / "nowhere")
