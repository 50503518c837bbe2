"""Progress bars, file names with control characters, closed pipes and Ctrl-C at a terminal."""

import os
import signal
import subprocess
import sys
import warnings
from functools import partial
from pathlib import Path

import click
import pytest

import skaudio_ad.cli._check
import skaudio_ad.cli._demo
import skaudio_ad.cli._embed
import skaudio_ad.cli._evaluate
import skaudio_ad.cli._fit
import skaudio_ad.cli._score
import skaudio_ad.cli._weights
from skaudio_ad.cli import main
from skaudio_ad.cli._terminal import progress_bar, say, shown
from skaudio_ad.datasets import make_machine_sounds
from skaudio_ad.persistence import save_detector
from skaudio_ad.presets import make_preset

from .terminal import seen_on_screen, terminal

HOSTILE = "\x1b[2J\x1b[31m\r\n   1.0  normal\u202e.wav"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a.wav", "a.wav"),
        ("größe 日本\u3000x é.wav", "größe 日本\u3000x é.wav"),
        (r"C:\new\x.wav", r"C:\new\x.wav"),
        ("a\nb\rc\td\0", r"a\nb\rc\td\x00"),
        ("\x1b[31m\x9b", r"\x1b[31m\x9b"),
        ("\u202e\u2066\u200b\u2028", r"\u202e\u2066\u200b\u2028"),
        (os.fsdecode(b"x\xe9"), r"x\xe9"),
        ("\ud800\U000e0001", r"\ud800\U000e0001"),
        (12, "12"),
    ],
    ids=["plain", "letters", "backslash", "lines", "escapes", "direction", "no UTF-8", "others", "number"],
)
def test_control_characters_are_shown_as_escapes(text, expected):
    assert shown(text) == expected


def test_the_test_terminal_obeys_control_sequences():
    assert seen_on_screen("ab\rc\n\x1b[32md\x1b[0m\x1b[1A\x1b[2Ke\n") == [" e", "d"]


def test_rows_and_messages_are_above_the_bar_and_the_bar_disappears_at_the_end(scores_of, monkeypatch):
    paths = [f"{index}.wav" for index in range(5)]
    scores_of({**dict.fromkeys(paths, 1.0), "2.wav": "is empty."})
    states = []
    with terminal(monkeypatch, "stdout", "stderr") as seen:
        say_row = skaudio_ad.cli._score._say_row
        monkeypatch.setattr(
            skaudio_ad.cli._score, "_say_row", lambda row: (say_row(row), states.append(seen.screen))
        )
        with pytest.raises(SystemExit):
            main(["score", "d.skops", *paths])
    expected = ["       score  p-value  decision   worst (s)  recording"]
    for path in paths:
        if path == "2.wav":
            expected += ["Error: 2.wav: is empty.", "                       error                 2.wav"]
        else:
            expected.append(f"           1           normal          0.50  {path}")
    assert seen.screen[: len(expected)] == expected
    assert "scoring" in seen.written
    assert not [line for line in seen.screen if "scoring" in line]


def test_a_hostile_name_forges_no_row_and_sends_no_control_sequence(scores_of, monkeypatch):
    scores_of({HOSTILE: 1.0, "x.wav": f"{HOSTILE}: no"})
    with terminal(monkeypatch, "stdout", "stderr") as seen, pytest.raises(SystemExit):
        main(["score", "d.skops", HOSTILE, "x.wav"])
    assert "\x1b[2J" not in seen.written
    assert "\u202e" not in seen.written
    rows = [line for line in seen.screen if line.endswith(r"\x1b[2J\x1b[31m\r\n   1.0  normal\u202e.wav")]
    assert len(rows) == 1
    assert (
        len([line for line in seen.screen if "normal" in line]) == 2
    )  # the row, and the message about x.wav


def test_a_hostile_argument_is_shown_as_escapes_in_an_error_of_the_command_line(run):
    result = run("fit", "x.wav", "--output", HOSTILE)
    assert result.exit_code == 2
    assert r"\x1b[2J\x1b[31m\r\n" in result.stderr
    assert "\x1b" not in result.stderr


def test_a_hostile_name_in_a_warning_is_shown_as_escapes(run, monkeypatch):
    def warn(*arguments, **settings):
        warnings.warn(f"left out {HOSTILE}", stacklevel=1)

    monkeypatch.setattr(skaudio_ad.cli._fit, "run_fit", warn)
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        result = run("fit", "x.wav", "-o", "d.skops")
    assert result.stderr == f"Warning: left out {shown(HOSTILE)}\n"


def test_there_is_no_bar_if_stdout_is_a_pipe(monkeypatch):
    read, write = os.pipe()
    with terminal(monkeypatch, "stderr") as seen, os.fdopen(write, "w") as pipe:
        monkeypatch.setattr(sys, "stdout", pipe)
        with progress_bar("working", 2) as advance:
            advance()
            say("a message", err=True)
    os.close(read)
    assert seen.written == "a message\n"


def test_a_bar_counts_the_epochs_and_no_callback_stays_in_the_pipeline(monkeypatch, rng):
    pipeline = make_preset("dcase_baseline", level="rms", max_epochs=3, random_state=0)
    with terminal(monkeypatch, "stdout", "stderr") as seen:
        skaudio_ad.cli._training.fit_with_progress(pipeline, rng.uniform(-0.3, 0.3, (6, 8000)))
    assert "training" in seen.written
    assert "3/3" in seen.written
    assert seen.screen == [""]
    assert pipeline[-1].n_iter_ == 3
    assert not any("callback" in name for step in (pipeline, pipeline[-1]) for name in vars(step))


def interrupt(*arguments, **settings):
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("module", "function", "arguments"),
    [
        (skaudio_ad.cli._check, "measure_recordings", ["check", "a.wav", "--json", "c.json"]),
        (skaudio_ad.cli._evaluate, "load_detector", ["evaluate", "d.skops", "a.wav", "b.wav"]),
        (skaudio_ad.cli._fit, "fit_embeddings", ["fit", "a.wav", "-o", "d.skops"]),
        (
            skaudio_ad.cli._fit,
            "save_detector",
            ["fit", "a.wav", "b.wav", "-o", "d.skops", "--preset", "autoencoder", "--max-epochs", "1"],
        ),
        (skaudio_ad.cli._score, "load_detector", ["score", "d.skops", "a.wav"]),
        (skaudio_ad.cli._embed, "embedding_class", ["embed", "a.wav", "-o", "e.npz"]),
        (skaudio_ad.cli._demo, "_run_machine", ["demo", "-o", "demo"]),
        (skaudio_ad.cli._weights, "weights_path", ["weights", "download", "mn10"]),
    ],
    ids=["check", "evaluate", "fit", "fit that saves", "score", "embed", "demo", "weights"],
)
def test_ctrl_c_ends_every_command_with_exit_code_130_and_one_line(
    module, function, arguments, run, monkeypatch, write_wavs, tmp_path
):
    write_wavs([8000, 8000])
    for index, name in enumerate("ab"):
        os.rename(tmp_path / f"clip_{index}.wav", tmp_path / f"{name}.wav")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(module, function, interrupt)
    result = run(*arguments)
    assert result.exit_code == 130
    assert result.stderr.splitlines()[-1] == "Interrupted."
    assert {path.name for path in Path().rglob("*") if path.is_file()} == {"a.wav", "b.wav"}


@pytest.mark.parametrize("error", [EOFError("too short"), ImportError("no such library"), MemoryError()])
def test_an_error_of_the_input_is_one_line(error, run, monkeypatch):
    def fail(*arguments, **settings):
        raise error

    monkeypatch.setattr(skaudio_ad.cli._score, "run_score", fail)
    result = run("score", "d.skops", "a.wav")
    assert result.exit_code == 1
    assert result.stderr == f"Error: {str(error) or 'there is not enough memory.'}\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Make a folder with a detector ``d.skops`` and a folder ``new`` that takes several seconds to score."""
    sounds = make_machine_sounds(
        4, 0, machine="fan", duration=1.0, output_dir=tmp_path_factory.mktemp("sounds"), random_state=0
    )
    folder = tmp_path_factory.mktemp("shell")
    (folder / "new").mkdir()
    for index in range(3000):
        os.link(sounds.paths[index % 4], folder / "new" / f"{index}.wav")
    save_detector(
        make_preset("dcase_baseline", max_epochs=1, random_state=0).fit(sounds.paths), folder / "d.skops"
    )
    return folder


def start(folder, *arguments):
    program = Path(sys.executable).with_name("skaudio-ad")
    # A shell starts its background jobs with Ctrl-C ignored, and a program that the tests start would inherit that.
    answers_ctrl_c = partial(signal.signal, signal.SIGINT, signal.default_int_handler)
    return subprocess.Popen(
        [program, *arguments],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=answers_ctrl_c,
    )


def test_a_closed_pipe_ends_the_program_without_a_message(folder):
    with start(folder, "score", "d.skops", "new") as process:
        assert "recording" in process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait(60) == 141


def test_ctrl_c_keeps_the_old_table_and_the_finished_rows(folder, rows_of):
    (folder / "t.csv").write_text("old")
    with start(folder, "score", "d.skops", "new", "--csv", "t.csv") as process:
        assert "recording" in process.stdout.readline()
        assert "wav" in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        lines = process.stderr.read().splitlines()
        assert process.wait(60) == 130
    assert (folder / "t.csv").read_text() == "old"
    kept = rows_of(folder / "t.csv.partial")
    assert 1 <= len(kept) < 3000
    assert lines == [
        f"t.csv is not written; its {len(kept)} finished rows are kept in t.csv.partial.",
        "",
        "Interrupted.",
    ]
    assert sorted(path.name for path in folder.iterdir()) == ["d.skops", "new", "t.csv", "t.csv.partial"]


def test_the_exit_code_after_a_closed_pipe_is_141(monkeypatch):
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as pipe:
        monkeypatch.setattr(sys, "stdout", pipe)
        with pytest.raises(click.exceptions.Exit) as ended:
            say("nobody reads this")
    assert ended.value.exit_code == 141
