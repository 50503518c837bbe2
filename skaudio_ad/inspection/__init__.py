"""What a fitted detector says, recording by recording, and pictures of it."""

from ._displays import LossCurveDisplay, ScoreDistributionDisplay
from ._local_display import LocalScoreDisplay
from ._recordings import ScoredRecording, find_clock, score_recordings

__all__ = [
    "LocalScoreDisplay",
    "LossCurveDisplay",
    "ScoreDistributionDisplay",
    "ScoredRecording",
    "find_clock",
    "score_recordings",
]
