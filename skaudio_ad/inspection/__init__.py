"""Displays of scores, thresholds, losses and reconstructions."""

from ._band_score_display import BandScoreDisplay
from ._det_display import DETDisplay
from ._displays import LossCurveDisplay, ScoreDistributionDisplay
from ._embedding_map import EmbeddingMapDisplay
from ._false_alarm_display import FalseAlarmDisplay
from ._group_score_display import GroupScoreDisplay
from ._local_display import LocalScoreDisplay
from ._p_value_display import PValueCalibrationDisplay
from ._reconstruction_display import ReconstructionDisplay
from ._rl_kl_display import RLKLDisplay
from ._roc_display import ROCDisplay
from ._spectrogram_display import SpectrogramDisplay
from ._threshold_display import ThresholdDisplay
from ._timeline_display import TimelineDisplay

__all__ = [
    "BandScoreDisplay",
    "DETDisplay",
    "EmbeddingMapDisplay",
    "FalseAlarmDisplay",
    "GroupScoreDisplay",
    "LocalScoreDisplay",
    "LossCurveDisplay",
    "PValueCalibrationDisplay",
    "RLKLDisplay",
    "ROCDisplay",
    "ReconstructionDisplay",
    "ScoreDistributionDisplay",
    "SpectrogramDisplay",
    "ThresholdDisplay",
    "TimelineDisplay",
]
