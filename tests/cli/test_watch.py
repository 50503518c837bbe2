"""Tests of ``skaudio-ad watch``: the steps of the page about listening, from training to a false alarm."""

import contextlib
import json

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

from skaudio_ad.cli import main
from skaudio_ad.datasets import make_machine_sounds
from skaudio_ad.monitoring._state import StateFolder

RATE = 16000


def run(*arguments, code=0):
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == code, result.output
    return result


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Folder with a detector, its calibration, and a recording with a fault from second 7 to 10."""
    folder = tmp_path_factory.mktemp("watch")
    sounds = make_machine_sounds(8, 1, machine="pump", duration=15.0, random_state=0)
    normal, fault = sounds.waveforms[sounds.target == 1], sounds.waveforms[sounds.target == -1][0]
    names = [folder / f"normal_{i}.wav" for i in range(7)]
    for path, samples in zip(names, normal):
        soundfile.write(path, samples, RATE)
    today = normal[7].copy()
    today[7 * RATE : 10 * RATE] = fault[: 3 * RATE]
    soundfile.write(folder / "today.wav", today, RATE)
    run("fit", *names[:4], "--window", 1, "--hop", 1, "-o", folder / "pump.skops")
    run("calibrate", folder / "pump.skops", *names[4:], "--hop", 0.5, "-o", folder / "alarm.json")
    return folder


def read_lines(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_a_fault_is_an_event_and_a_confirmed_event_is_none_any_more(world, tmp_path):
    fast = ("--no-view", "--alarm", world / "alarm.json", "--state", tmp_path / "state")
    run("watch", world / "pump.skops", world / "today.wav", *fast, "--jsonl", tmp_path / "all.jsonl")
    windows = [line for line in read_lines(tmp_path / "all.jsonl") if line["type"] == "window"]
    assert len(windows) == 29  # windows of 1 s every 0.5 s in 15 s
    events = [line for line in read_lines(tmp_path / "state" / "log.jsonl") if line["type"] == "event"]
    assert [event["state"] for event in events] == ["raised", "cleared"]
    start = windows[0]["start"]
    assert 6.0 <= events[1]["start"] - start <= 7.0
    assert 10.0 <= events[1]["end"] - start <= 11.0

    run("confirm", tmp_path / "state", events[0]["id"], "--normal", "--yes")
    (tmp_path / "state" / "state.json").unlink()  # begin anew
    shifted = tmp_path / "tomorrow.wav"
    samples = soundfile.read(world / "today.wav", dtype="float32")[0]
    soundfile.write(shifted, np.concatenate([samples[RATE:], samples[:RATE]]), RATE)
    run("watch", world / "pump.skops", shifted, *fast)
    ids = {line["id"] for line in read_lines(tmp_path / "state" / "log.jsonl") if line["type"] == "event"}
    assert ids == {events[0]["id"]}


def test_settings_come_from_a_file_and_the_terminal_shows_events(world, tmp_path):
    config = world / "watch.toml"
    config.write_text(
        'detector = "pump.skops"\nsource = "today.wav"\nalarm = "alarm.json"\n', encoding="utf-8"
    )
    output = run("watch", "--config", config).output
    assert "raised" in output.lower() or "alarm" in output.lower()


def test_a_folder_of_another_monitor_is_refused_in_one_line(world, tmp_path):
    with contextlib.closing(StateFolder(tmp_path)):
        arguments = [world / "pump.skops", world / "today.wav", "--state", tmp_path, "--no-view"]
        output = run("watch", *arguments, code=1).output
    assert "Error: " in output
    assert "another monitor uses this folder" in output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "DETECTOR is missing"),
        (("pump.skops", "nowhere"), "'nowhere' names no source"),
        (("pump.skops", "today.wav", "--window", "5"), "trained on clips of 1 s"),
        (("pump.skops", "today.wav", "--alarm", "today.wav"), "today.wav"),
    ],
)
def test_a_wrong_command_is_refused_before_the_first_window(world, monkeypatch, arguments, message):
    monkeypatch.chdir(world)
    result = CliRunner().invoke(main, ["watch", *arguments, "--no-view"])
    assert result.exit_code in (1, 2)
    assert message in result.output
