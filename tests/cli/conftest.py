"""What the tests of the shell share."""

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
    """Function that runs a command line as a shell would, and gives its exit code and what it has written."""
    before = signal.getsignal(signal.SIGINT)
    yield lambda *arguments: CliRunner().invoke(main, [str(argument) for argument in arguments])
    signal.signal(signal.SIGINT, before)  # the program lets the second Ctrl-C end it at once


@pytest.fixture
def rows_of():
    """Function that reads a CSV table."""

    def read(path):
        with open(path, newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))

    return read


@pytest.fixture
def scores_of(monkeypatch):
    """Function that lets `score` find given scores, or errors, by the paths of recordings; an exception is raised."""

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
        monkeypatch.setattr(skaudio_ad.cli._score, "score_recordings", score_recordings)

    return replace
