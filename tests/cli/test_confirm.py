"""``skaudio-ad confirm``: lists, marks, undo, and what the command line refuses."""

import json

import pytest

from skaudio_ad.monitoring import NormalMemory

from ..monitoring.test_confirm import state  # noqa: F401 -- a fixture


def test_a_list_shows_events_marks_and_changes(run, state):  # noqa: F811
    assert run("confirm", state, "c3", "--fault").exit_code == 0
    result = run("confirm", state, "aa", "--normal", "--list")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0] == "aa01: normal. 3 windows join the memory (m1)."
    assert [line.split() for line in lines[2:5]] == [
        ["c3", "50.0", "s", "20.0", "-9", "nan", "0", "fault"],
        ["aa01", "100.0", "s", "20.0", "-9", "0.01", "3", "normal", "(m1)"],
        ["ab02", "200.0", "s", "20.0", "-9", "0.01", "3", "-"],
    ]
    assert lines[5] == "3 events: 1 normal, 1 faults, 1 without a mark."
    assert lines[6] == "50 % of the marked events were false alarms."
    assert lines[7].startswith("m1 ")
    assert lines[7].endswith(", event aa01")
    assert "confirmed, 3 windows, by " in lines[7]


def test_a_list_is_what_the_command_does_without_an_option(run, state):  # noqa: F811
    result = run("confirm", state)
    assert result.exit_code == 0
    assert result.stdout.splitlines()[-1] == "3 events: 0 normal, 0 faults, 3 without a mark."


def test_an_event_far_from_normal_is_learnt_only_with_yes(run, state):  # noqa: F811
    result = run("confirm", state, "ab02", "--normal")
    assert result.exit_code == 1
    assert "2.2 times as far" in result.stderr
    assert NormalMemory(state).changes == []
    assert run("confirm", state, "ab02", "--normal", "--yes").exit_code == 0


def test_an_undo_warns_of_calibrations_that_rest_on_the_change(run, state):  # noqa: F811
    run("confirm", state, "aa01", "--normal")
    with open(state / "marks.jsonl", "a", encoding="utf-8") as file:
        file.write(json.dumps({"calibration": "/alarm.json", "changes": ["m1"]}) + "\n")
    result = run("confirm", state, "--undo", "m1")
    assert result.exit_code == 0
    assert result.stdout == "m1 is undone: 3 windows do not count as normal any more (m2).\n"
    assert "Warning: the level of /alarm.json was calibrated with m1" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["aa01"], "say what they were: --normal or --fault"),
        (["--normal"], "name the events"),
        (["--calibration", "alarm.json"], "belong together"),
    ],
)
def test_half_a_command_is_an_error_of_the_command_line(run, state, arguments, message):  # noqa: F811
    result = run("confirm", state, *arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert NormalMemory(state).changes == []


@pytest.mark.parametrize("arguments", [["nothing", "--fault"], ["--undo", "m7"], ["c3", "--normal"]])
def test_what_is_not_there_is_named(run, state, arguments):  # noqa: F811
    result = run("confirm", state, *arguments)
    assert result.exit_code == 1
    assert arguments[-2 if arguments[-1].startswith("--") else -1] in result.stderr


def test_an_event_is_not_normal_and_a_fault_at_once(run, state):  # noqa: F811
    result = run("confirm", state, "aa", "--normal", "--fault")
    assert result.exit_code == 2
    assert "give one of them" in result.stderr
