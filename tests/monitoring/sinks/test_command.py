"""Tests of the commands that run for events."""

import json
import os
import time

import pytest

from skaudio_ad.monitoring.sinks import CommandSink, RefusedError, RetryLaterError, record_to_dict

from .records import event, info, notice, window

pytestmark = pytest.mark.skipif(os.name != "posix", reason="the commands of the tests are those of POSIX")


def run(script, *arguments, **parameters):
    """Return a sink whose command is a script. The shell is the program here, and no record is in its arguments."""
    return CommandSink(["/bin/sh", "-c", script, "sh", *arguments], **parameters)


def test_the_command_gets_the_event_as_json_and_as_variables(tmp_path):
    sink = run('cat > "$1"; env > "$2"', str(tmp_path / "record"), str(tmp_path / "env"))
    sink.open(info(tmp_path / "state"))
    sink.send(event())
    sink.send(event(state="cleared"))
    sink.send(window())
    sink.send(notice())
    sink.close()
    assert json.loads((tmp_path / "record").read_text()) == record_to_dict(event())
    variables = (tmp_path / "env").read_text().splitlines()
    assert "SKAUDIO_AD_TYPE=event" in variables
    assert "SKAUDIO_AD_EVENT_ID=fan-0" in variables
    assert "SKAUDIO_AD_EVENT_STATE=raised" in variables
    assert "SKAUDIO_AD_EVENT_SCORE=-7.5" in variables
    assert "SKAUDIO_AD_EVENT_LOW_HZ=" in variables
    assert sink.take_notices() == []


def test_no_text_of_an_event_is_run_or_ends_a_variable(tmp_path):
    hostile = f"$(touch {tmp_path}/hacked); `touch {tmp_path}/hacked` \0 \nPATH=/tmp" + "x" * 200_000
    sink = run('printf "%s\n" "$SKAUDIO_AD_EVENT_SOURCE" > "$1"', str(tmp_path / "out"))
    sink.deliver(record_to_dict(event(source=hostile)))
    assert os.listdir(tmp_path) == ["out"]
    (line,) = (tmp_path / "out").read_text().splitlines()
    assert line.startswith("$(touch")
    assert len(line) == 4096


def test_a_command_that_fails_is_reported_with_its_output_and_not_repeated(tmp_path):
    sink = run("echo no such mailbox; exit 3")
    sink.open(info(tmp_path))
    sink.send(event())
    sink.close()
    (problem,) = sink.take_notices()
    assert "exit code 3. Its output: no such mailbox" in problem.text
    (refused,) = (tmp_path / "spool" / "command" / "refused").iterdir()
    assert json.loads(refused.read_text())["record"]["id"] == "fan-0"


def test_the_exit_code_75_asks_for_another_try():
    with pytest.raises(RetryLaterError, match="wants to be run again later"):
        run("exit 75").deliver(record_to_dict(event()))


def test_a_command_that_takes_too_long_is_ended_with_its_children(tmp_path):
    pids = tmp_path / "pids"
    sink = run('sleep 30 & echo $! > "$1"; trap "" TERM; wait', str(pids), timeout=0.1)
    begun = time.monotonic()
    with pytest.raises(RefusedError, match=r"took more than 0\.1 s and was ended"):
        sink.deliver(record_to_dict(event()))
    assert time.monotonic() - begun < 10
    child = int(pids.read_text())
    for _ in range(100):
        try:
            state = open(f"/proc/{child}/stat").read().split()[2]  # noqa: SIM115
        except FileNotFoundError:
            state = "gone"
        if state in ("Z", "gone"):
            return
        time.sleep(0.01)
    raise AssertionError(f"the child of the command still runs ({state})")


def test_the_output_of_a_command_is_bounded():
    with pytest.raises(RefusedError) as failure:
        run("head -c 3000000 /dev/zero | tr '\\0' x; exit 1").deliver(record_to_dict(event()))
    assert len(str(failure.value)) < 1000


def test_a_command_that_reads_no_input_gets_a_long_record_without_waiting():
    run("exit 0", timeout=5).deliver(record_to_dict(notice(text="x" * 1_000_000)))


def test_a_missing_program_a_text_and_an_unknown_choice_are_errors(tmp_path):
    with pytest.raises(FileNotFoundError, match="'no-such-program' is not found"):
        CommandSink(["no-such-program"]).open(info(tmp_path))
    with pytest.raises(TypeError, match="argv must be a list"):
        CommandSink("rm -rf /").open(info(tmp_path))
    with pytest.raises(ValueError, match="every entry of on must be one of 'raised'"):
        CommandSink(["true"], on=("started",)).open(info(tmp_path))
    with pytest.raises(ValueError, match=r"on must be a tuple such as \('raised',\)"):
        CommandSink(["true"], on="raised").open(info(tmp_path))


def test_the_arguments_of_a_command_are_in_no_description():
    assert "secret" not in repr(CommandSink(["curl", "-u", "me:secret"]))
