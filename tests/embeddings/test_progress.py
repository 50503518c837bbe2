"""verbose= of embeddings: a bar on a terminal, a line in a notebook, lines elsewhere, and silence by default."""

import io
import re
import sys
import warnings

import numpy as np
import pytest

from .small_backbones import noise


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_lines_say_how_many_clips_are_done_where_there_is_no_terminal(make, capsys):
    clips = noise(*[0.05] * 25)
    expected = make().transform(clips)
    assert capsys.readouterr() == ("", "")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made = make(verbose=True).fit(clips).transform(clips)
    np.testing.assert_array_equal(made, expected)
    out, err = capsys.readouterr()
    assert out == ""
    lines = err.splitlines()
    assert len(lines) == 10
    assert re.fullmatch(r"embedded 3 of 25 clips in \d+ s", lines[0])
    assert lines[-1].startswith("embedded 25 of 25 clips in ")


def test_few_clips_have_a_line_each(make, capsys):
    make(verbose=True).transform(noise(0.05, 0.05, 0.05))
    lines = capsys.readouterr().err.splitlines()
    assert [line.rpartition(" in ")[0] for line in lines] == [f"embedded {n} of 3 clips" for n in (1, 2, 3)]


def test_a_notebook_shows_one_line_that_changes_and_no_error_output(make, monkeypatch, capsys):
    # A stream of a Jupyter kernel is an object of the package ipykernel.
    kernel = type("OutStream", (io.StringIO,), {"__module__": "ipykernel.iostream"})()
    monkeypatch.setattr(sys, "stdout", kernel)
    make(verbose=True).transform(noise(*[0.05] * 25))
    assert capsys.readouterr().err == ""
    start, *changes = kernel.getvalue().split("\r")
    assert start == ""
    assert len(changes) == 10
    assert changes[0].startswith("embedded 3 of 25 clips in ")
    assert re.fullmatch(r"embedded 25 of 25 clips in \d+ s\n", changes[-1])


def test_a_terminal_shows_a_bar(make, monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    make(verbose=True).transform(noise(0.05, 0.05, 0.05))
    assert "embedding" in terminal.getvalue()
    assert "3/3" in terminal.getvalue()
    assert "clips in" not in terminal.getvalue()


def test_a_stream_is_silent_because_its_user_has_the_loop(make, capsys):
    list(make(verbose=True).stream(noise(0.05, 0.05)))
    assert capsys.readouterr() == ("", "")


def test_verbose_must_be_a_boolean(make):
    with pytest.raises(ValueError, match="verbose must be one of False, True, got 'yes'"):
        make(verbose="yes").fit(noise(0.05))
