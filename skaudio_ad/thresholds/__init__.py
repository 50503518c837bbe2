"""Thresholds: from scores to decisions, and detectors that come with one."""

from ._conformal import ConformalThreshold
from ._distributions import GammaThreshold, ParetoTailThreshold
from ._false_discoveries import control_false_discoveries
from ._labelled import FBetaThreshold, ROCThreshold
from ._martingale import ExchangeabilityMartingale
from ._normal_scores import MeanStdThreshold, QuantileThreshold
from ._shift import ShiftCheck, check_shift, get_calibration_scores
from ._thresholded_detector import ThresholdedDetector

__all__ = [
    "ConformalThreshold",
    "ExchangeabilityMartingale",
    "FBetaThreshold",
    "GammaThreshold",
    "MeanStdThreshold",
    "ParetoTailThreshold",
    "QuantileThreshold",
    "ROCThreshold",
    "ShiftCheck",
    "ThresholdedDetector",
    "check_shift",
    "control_false_discoveries",
    "get_calibration_scores",
]
