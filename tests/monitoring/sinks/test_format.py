"""Tests of the records as dicts."""

import datetime as dt
import json
import math

import numpy as np
import pytest

from skaudio_ad.monitoring.sinks import record_to_dict
from skaudio_ad.monitoring.sinks._format import event_stem, to_json, utc

from .records import START, event, notice, window


def test_an_event_has_its_times_in_seconds_and_in_utc():
    entry = record_to_dict(event())
    assert entry["start"] == START
    assert entry["start_utc"] == "2027-01-15T08:00:00.000Z"
    assert entry["worst_time_utc"] == "2027-01-15T08:00:10.000Z"
    assert entry["type"] == "event"
    assert entry["source"] == "fan"


def test_every_record_is_json_without_nan_features_and_positions():
    records = [
        window(score=math.nan, level_db=-math.inf, features=np.zeros(3, np.float32)),
        event(p_value=math.nan),
        notice(position={"file": "/secret"}, duration=math.nan),
    ]
    for record in records:
        entry = json.loads(to_json(record_to_dict(record, "mic")))
        assert not {"features", "position"} & set(entry)
    assert record_to_dict(records[0], "mic")["score"] is None
    assert record_to_dict(records[0], "mic")["source"] == "mic"


def test_a_line_of_json_has_no_character_that_a_program_takes_for_a_line_break():
    text = "a\nb\u2028c\u2029d\x85e\x0bf\x1cg\r"
    line = to_json(record_to_dict(notice(text=text)))
    assert len(line.splitlines()) == 1
    assert json.loads(line)["text"] == text


def test_the_keys_of_a_raised_and_a_cleared_event_differ_and_a_repeated_record_has_the_same_key():
    keys = {record_to_dict(r)["key"] for r in (event(), event(state="cleared"), event(end=START + 99))}
    assert keys == {"event fan-0 raised", "event fan-0 cleared"}


@pytest.mark.parametrize("seconds", [0.0, 0.9996, -0.5, 951782400.0, START + 0.123456])
def test_a_time_is_that_of_the_calendar_of_python(seconds):
    expected = dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(milliseconds=round(seconds * 1000))
    assert dt.datetime.fromisoformat(utc(seconds)) == expected


def test_a_time_that_no_calendar_has_is_none():
    assert utc(math.nan) is utc(math.inf) is utc(1e300) is None


def test_something_else_than_a_record_is_an_error():
    with pytest.raises(TypeError, match="Window, an Event or a Notice, got str"):
        record_to_dict("alarm")


def test_the_file_name_of_an_event_is_safe_and_tells_events_apart():
    hostile = event(id="../../etc/passwd", source='a/..\\<b>:"|?*\n\u202e')
    names = {event_stem(e) for e in (event(), event(id="fan-x"), hostile)}
    assert len(names) == 3
    for name in names:
        assert name.startswith("20270115T080000Z_")
        assert not set('<>:"/\\|?*\n\u202e') & set(name)
