"""The live page: its state, its stream of messages, and the files of events."""

import base64
import hashlib
import json
import os
import re

import pytest

from skaudio_ad.monitoring.sinks import PageSink, _page_server, _page_state
from skaudio_ad.monitoring.sinks._format import event_stem, record_to_dict
from skaudio_ad.monitoring.sinks._status import Status

from . import records
from .web import OUTSIDE, Stream, ask

SOUND = bytes(range(256)) * 4


@pytest.fixture
def sink(tmp_path):
    sink = PageSink(port=0, audio_folder=tmp_path, history=100)
    sink.open(records.info())
    yield sink
    sink.close()


def state(sink):
    return json.loads(ask(sink, "/state.json")[2])


def test_the_state_holds_what_was_sent(sink):
    for record in (records.window(0, p_value=1e-9), records.event(), records.notice()):
        sink.send(record)
    found = state(sink)
    row = dict(zip(found["columns"], found["windows"][0], strict=True))
    assert (row["start"], row["score"], row["p_value"], row["level_db"]) == (records.START, -1.0, 1e-9, -30.0)
    assert [event["id"] for event in found["events"]] == ["fan-0"]
    assert [notice["text"] for notice in found["notices"]] == ["Two seconds are missing."]
    assert found["facts"]["statement"] == "at most one event a day"


def test_windows_older_than_the_history_are_forgotten(sink):
    for number in range(30):
        sink.send(records.window(number))
    # The newest window ends 155 s after the start, so the oldest window ends 55 s or more after the start.
    assert [row[1] - records.START for row in state(sink)["windows"]] == list(range(55, 156, 5))


def test_the_number_of_events_and_notices_is_bounded(sink):
    for number in range(_page_state.MAX_EVENTS + 5):
        sink.send(records.event(number))
        sink.send(records.notice(number))
    found = state(sink)
    assert [found["events"][i]["id"] for i in (0, -1)] == ["fan-5", "fan-204"]
    assert (len(found["events"]), len(found["notices"])) == (200, 100)
    assert ask(sink, "/event/fan-4.json")[0] == 404


def test_a_cleared_event_replaces_the_raised_one(sink):
    sink.send(records.event())
    sink.send(records.event(state="cleared", reason="normal again"))
    assert [(event["state"], event["reason"]) for event in state(sink)["events"]] == [
        ("cleared", "normal again")
    ]


def test_a_value_that_is_not_finite_is_none_in_the_state(sink):
    sink.send(records.window(0, score=float("nan"), level_db=float("-inf"), error="the sound is constant"))
    row = dict(zip(state(sink)["columns"], state(sink)["windows"][0], strict=True))
    assert (row["score"], row["level_db"], row["error"]) == (None, None, "the sound is constant")


def test_a_stream_begins_with_the_state_and_goes_on_with_every_record(sink):
    sink.send(records.window(0))
    with Stream(sink) as stream:
        _, name, value = stream.next()
        assert (name, len(value["windows"])) == ("state", 1)
        sink.send(records.window(1))
        sink.send(records.event())
        found = [stream.next()[1:] for _ in range(2)]
    assert [name for name, _ in found] == ["window", "event"]
    assert found[0][1]["record"][0] == records.START + 5
    assert (found[1][1]["record"]["id"], found[1][1]["status"]["state"]) == ("fan-0", "alarm")


def test_a_client_that_connects_again_gets_what_it_has_missed(sink):
    with Stream(sink) as stream:
        last_id = stream.next()[0]
    sink.send(records.notice(1))
    sink.send(records.notice(2))
    with Stream(sink, last_id) as stream:
        found = [stream.next() for _ in range(2)]
    assert [(name, value["record"]["id"]) for _, name, value in found] == [
        ("notice", "gap-1"),
        ("notice", "gap-2"),
    ]
    with Stream(sink, found[0][0]) as stream:
        assert stream.next()[2]["record"]["id"] == "gap-2"


@pytest.mark.parametrize("last_id", ["other-0", "", "-", "x" * 300, "{run}-99", "{run}--1", "{run}-\u0661"])
def test_a_client_of_another_run_gets_the_whole_state(sink, last_id):
    last_id = last_id.format(run=sink._state._run).encode("utf-8").decode("latin-1")
    with Stream(sink, last_id) as stream:
        assert stream.next()[1] == "state"


def test_a_client_that_missed_too_much_gets_the_whole_state(sink):
    with Stream(sink) as stream:
        last_id = stream.next()[0]
    for number in range(_page_state._N_KEPT + 1):
        sink.send(records.notice(number))
    with Stream(sink, last_id) as stream:
        assert stream.next()[1] == "state"


def test_a_client_that_reads_too_slowly_is_dropped_and_send_does_not_wait(sink):
    client = sink._state.connect("", 1)
    for number in range(_page_state._MAX_WAITING + 10):
        sink.send(records.window(number))
    assert client.is_dropped
    assert client.messages.qsize() <= _page_state._MAX_WAITING + 1
    assert sink._state.connect("", 1) is not None  # the place is free again


def test_more_pages_than_the_maximum_are_turned_away_and_a_closed_page_makes_room(sink, monkeypatch):
    monkeypatch.setattr(_page_server, "_MAX_PAGES", 1)
    monkeypatch.setattr(_page_server, "_BEAT", 0.01)
    with Stream(sink) as stream:
        stream.next()
        status, headers, content = ask(sink, "/events")
        assert (status, headers["Retry-After"]) == (503, "5")
        assert b"close another page" in content
    for _ in range(500):  # the server sees the closed connection at the next beats
        if ask(sink, "/events", "HEAD")[0] == 200:
            return
    pytest.fail("the place of the closed page is still taken")


def test_a_monitor_that_has_nothing_to_say_tells_its_state_again_and_again(sink, monkeypatch):
    monkeypatch.setattr(_page_server, "_BEAT", 0.01)
    with Stream(sink) as stream:
        names = [stream.next()[1] for _ in range(3)]
    assert names == ["state", "beat", "beat"]


def test_closing_ends_a_stream(sink):
    with Stream(sink) as stream:
        stream.next()
        sink.close()
        assert stream.next() is None


def test_the_page_allows_its_own_script_and_style_alone(sink):
    status, headers, content = ask(sink, "/")
    page, policy = content.decode("ascii"), headers["Content-Security-Policy"]
    assert status == 200
    for tag, name in (("script", "script-src"), ("style", "style-src")):
        inner = re.search(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)[1]
        checksum = base64.b64encode(hashlib.sha256(inner.encode()).digest()).decode()
        assert f"{name} 'sha256-{checksum}';" in policy
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", page)
    assert not re.search(r"innerHTML|insertAdjacentHTML|document\.write|eval\(", page)


@pytest.fixture
def saved(sink, tmp_path):
    """Event with a sound and a picture."""
    event = records.event(0, id="fan/0?#%")
    for ending, content in (("flac", SOUND), ("png", b"picture")):
        (tmp_path / f"{event_stem(event)}.{ending}").write_bytes(content)
    sink.send(event)
    return "/event/fan%2F0%3F%23%25"


@pytest.mark.parametrize(
    ("asked", "expected", "content_range"),
    [
        (None, SOUND, None),
        ("bytes=0-", SOUND, "bytes 0-1023/1024"),
        ("bytes=0-1", SOUND[:2], "bytes 0-1/1024"),
        ("bytes=1000-2000", SOUND[1000:], "bytes 1000-1023/1024"),
        ("bytes=-24", SOUND[1000:], "bytes 1000-1023/1024"),
        ("bytes=-5000", SOUND, "bytes 0-1023/1024"),
        ("bytes=0-1,4-5", SOUND, None),  # several parts: the whole file is allowed (RFC 9110, section 14.2)
        ("metres=0-1", SOUND, None),
        ("bytes=1024-", b"", "bytes */1024"),
        ("bytes=5-4", b"", "bytes */1024"),
    ],
)
def test_the_sound_of_an_event_is_served_in_parts(sink, saved, asked, expected, content_range):
    status, headers, content = ask(sink, f"{saved}.flac?version=1", headers={"Range": asked} if asked else {})
    assert content == expected
    assert headers["Content-Range"] == content_range
    assert status == (200 if content_range is None else 206 if expected else 416)
    assert headers["Content-Type"] == "audio/flac"


def test_a_part_of_a_file_that_was_replaced_is_not_served(sink, saved):
    tag = ask(sink, f"{saved}.flac")[1]["ETag"]
    headers = {"Range": "bytes=0-1", "If-Range": tag}
    assert ask(sink, f"{saved}.flac", headers=headers)[0] == 206
    assert ask(sink, f"{saved}.flac", headers=headers | {"If-Range": '"old"'})[2] == SOUND


def test_an_event_tells_which_files_it_has(sink, saved, tmp_path):
    event = json.loads(ask(sink, f"{saved}.json")[2])
    assert (event["id"], sorted(event["files"])) == ("fan/0?#%", ["flac", "png"])
    next(tmp_path.glob("*.flac")).unlink()
    assert list(json.loads(ask(sink, f"{saved}.json")[2])["files"]) == ["png"]
    assert ask(sink, f"{saved}.flac")[0] == 404


def test_no_path_of_a_request_reaches_another_file(sink, saved, tmp_path):
    secret = tmp_path / "secret.png"
    secret.write_bytes(b"secret")
    stem = next(tmp_path.glob("*.flac")).stem
    for path in (
        "/event/secret.png",
        f"/event/{stem}.png",
        "/event/..%2Fsecret.png",
        "/event/%00.png",
        "/event/../x.png",
    ):
        assert ask(sink, path)[0] == 404


@pytest.mark.skipif(not hasattr(os, "O_NOFOLLOW"), reason="the system cannot refuse links")
def test_a_link_and_a_pipe_in_the_folder_are_not_served(sink, saved, tmp_path):
    sound = next(tmp_path.glob("*.flac"))
    sound.unlink()
    sound.symlink_to("/etc/hostname")
    assert ask(sink, f"{saved}.flac")[0] == 404
    sound.unlink()
    os.mkfifo(sound)
    assert ask(sink, f"{saved}.flac")[0] == 404


def test_events_have_no_sound_without_a_folder():
    sink = PageSink(port=0)
    sink.open(records.info())
    try:
        sink.send(records.event())
        assert json.loads(ask(sink, "/event/fan-0.json")[2])["files"] == {}
        assert ask(sink, "/event/fan-0.flac")[0] == 404
    finally:
        sink.close()


def test_events_and_notices_of_an_earlier_run_come_from_the_log(tmp_path):
    events = [records.event(), records.event(state="cleared", p_value=float("nan"))]
    lines = [json.dumps(record_to_dict(record)) for record in (*events, records.notice())]
    damaged = [
        '{"type": "event"}',
        "[]",
        "3",
        '{"type": "notice", "key": 1}',
        '{"type": "event", "torn',
        "\x00\xff",
    ]
    (tmp_path / "log.jsonl").write_text("\n".join(damaged + lines), encoding="utf-8")
    (tmp_path / f"{event_stem(events[0])}.flac").write_bytes(SOUND)
    sink = PageSink(port=0, audio_folder=tmp_path)
    sink.open(records.info(state=tmp_path))
    try:
        sink.send(records.notice())  # a restart may repeat a record
        found = state(sink)
        assert [(event["id"], event["state"]) for event in found["events"]] == [("fan-0", "cleared")]
        assert [notice["id"] for notice in found["notices"]] == ["gap-0"]
        assert ask(sink, "/event/fan-0.flac")[2] == SOUND
    finally:
        sink.close()


def test_health_fails_when_no_window_arrives(sink, monkeypatch):
    sink.send(records.window())
    status, _, content = ask(sink, "/healthz")
    assert (status, json.loads(content)["ok"]) == (200, True)
    # Three hops of 5 s and one window of 10 s are allowed.
    monkeypatch.setattr(Status, "age", 25.1)
    status, _, content = ask(sink, "/healthz")
    assert (status, json.loads(content)) == (
        503,
        {"ok": False, "last_window_age_seconds": 25.1, "limit_seconds": 25.0, "state": "no_sound"},
    )


def test_texts_from_outside_are_data_in_the_answers(sink):
    sink.send(records.notice(text=OUTSIDE, kind=OUTSIDE))
    found = state(sink)["notices"][0]
    assert (found["text"], found["kind"]) == (OUTSIDE, OUTSIDE)
    assert ask(sink, "/state.json")[1]["X-Content-Type-Options"] == "nosniff"


def test_a_record_before_the_sink_is_open_is_an_error():
    with pytest.raises(RuntimeError, match="call open"):
        PageSink().send(records.window())


def test_a_history_that_is_no_duration_is_refused():
    with pytest.raises(ValueError, match="history must be a positive number of seconds, got 0"):
        PageSink(history=0)
