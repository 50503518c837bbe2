"""Waveforms to arrays: log-mel, MFCC, frames, patches, scaling, pooling, augmentation. Time is the last axis."""

from ._augment import Augmenter
from ._mel import MelTransformer, MFCCTransformer
from ._pooling import TemporalPooling
from ._scaling import ClipScaler
from ._windows import FrameTransformer, PatchTransformer

__all__ = [
    "Augmenter",
    "ClipScaler",
    "FrameTransformer",
    "MFCCTransformer",
    "MelTransformer",
    "PatchTransformer",
    "TemporalPooling",
]
