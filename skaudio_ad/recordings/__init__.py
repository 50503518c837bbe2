"""Scores of recordings, and checks for what would spoil a training set."""

from ._check import RecordingsCheck, check_recordings
from ._findings import Finding
from ._measure import CheckedRecording
from ._moments import Moment, find_moments
from ._score import score_recordings
from ._scored import ScoredRecording, ScoredRecordings
from ._unwrap import find_clock

__all__ = [
    "CheckedRecording",
    "Finding",
    "Moment",
    "RecordingsCheck",
    "ScoredRecording",
    "ScoredRecordings",
    "check_recordings",
    "find_clock",
    "find_moments",
    "score_recordings",
]
