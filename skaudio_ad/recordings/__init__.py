"""Scores of recordings, and checks for what would spoil a training set."""

from ._check import RecordingsCheck, check_recordings
from ._findings import Finding
from ._measure import CheckedRecording
from ._score import ScoredRecording, score_recordings
from ._unwrap import find_clock

__all__ = [
    "CheckedRecording",
    "Finding",
    "RecordingsCheck",
    "ScoredRecording",
    "check_recordings",
    "find_clock",
    "score_recordings",
]
