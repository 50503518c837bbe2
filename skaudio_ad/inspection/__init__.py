"""Displays of scores, thresholds, losses and reconstructions."""

from ._det_display import DETDisplay
from ._displays import LossCurveDisplay, ScoreDistributionDisplay
from ._local_display import LocalScoreDisplay
from ._p_value_display import PValueCalibrationDisplay
from ._reconstruction_display import ReconstructionDisplay
from ._rl_kl_display import RLKLDisplay
from ._roc_display import ROCDisplay
from ._threshold_display import ThresholdDisplay

__all__ = [
    "DETDisplay",
    "LocalScoreDisplay",
    "LossCurveDisplay",
    "PValueCalibrationDisplay",
    "RLKLDisplay",
    "ROCDisplay",
    "ReconstructionDisplay",
    "ScoreDistributionDisplay",
    "ThresholdDisplay",
]
