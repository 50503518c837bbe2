"""Scores of recordings: the score, the decision and the worst moment of every recording."""

from ._score import ScoredRecording, score_recordings
from ._unwrap import find_clock

__all__ = ["ScoredRecording", "find_clock", "score_recordings"]
