"""Scores of recordings and the moments that sound wrong, and checks for what would spoil a training set."""

from ._check import RecordingsCheck, check_recordings
from ._events import AlarmPolicy, Event, EventFinder, find_events
from ._exports import write_audacity_labels, write_raven_selections
from ._findings import Finding
from ._measure import CheckedRecording
from ._moments import Moment, find_moments
from ._score import score_recordings
from ._scored import ScoredRecording, ScoredRecordings
from ._timeline import RecordingTimeline, score_recording
from ._unwrap import find_clock

__all__ = [
    "AlarmPolicy",
    "CheckedRecording",
    "Event",
    "EventFinder",
    "Finding",
    "Moment",
    "RecordingTimeline",
    "RecordingsCheck",
    "ScoredRecording",
    "ScoredRecordings",
    "check_recordings",
    "find_clock",
    "find_events",
    "find_moments",
    "score_recording",
    "score_recordings",
    "write_audacity_labels",
    "write_raven_selections",
]
