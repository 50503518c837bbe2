"""What a fitted detector says, recording by recording, and pictures of it."""

from ._displays import LossCurveDisplay, ScoreDistributionDisplay
from ._local_display import LocalScoreDisplay
from ._reconstruction_display import ReconstructionDisplay
from ._recordings import ScoredRecording, find_clock, score_recordings
from ._rl_kl_display import RLKLDisplay
from ._roc_display import ROCDisplay

__all__ = [
    "LocalScoreDisplay",
    "LossCurveDisplay",
    "RLKLDisplay",
    "ROCDisplay",
    "ReconstructionDisplay",
    "ScoreDistributionDisplay",
    "ScoredRecording",
    "find_clock",
    "score_recordings",
]
