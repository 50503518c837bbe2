"""Fixtures for tests of the command line."""

import csv
import signal

import numpy as np
import pytest
from click.testing import CliRunner

import skaudio_ad.cli._score
from skaudio_ad.cli import main
from skaudio_ad.recordings import ScoredRecording


@pytest.fixture
def run():
    """Return a function that runs a command line and returns the result of click."""
    before = signal.getsignal(signal.SIGINT)
    yield lambda *arguments: CliRunner().invoke(main, [str(argument) for argument in arguments])
    signal.signal(signal.SIGINT, before)  # the program changes the signal handler after the first Ctrl-C


@pytest.fixture
def rows_of():
    """Return a function that reads a CSV table."""

    def read(path):
        with open(path, newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))

    return read


@pytest.fixture
def scores_of(monkeypatch):
    """Return a function that sets the result of `score` by path: a score, the text of an error, or an exception."""

    def replace(found):
        def score_recordings(pipeline, paths):
            for path in paths:
                said = found[path]
                if isinstance(said, BaseException):
                    raise said
                if isinstance(said, str):
                    yield ScoredRecording(path, error=said)
                else:
                    decision = "normal" if said >= 0 else "anomalous"
                    yield ScoredRecording(path, said, decision, np.array([0.5]), np.array([said]))

        monkeypatch.setattr(skaudio_ad.cli._score, "load_detector", lambda path: "a detector")
        monkeypatch.setattr(skaudio_ad.cli._score, "read_metadata", lambda path: {})
        monkeypatch.setattr(skaudio_ad.cli._score, "score_recordings", score_recordings)

    return replace
