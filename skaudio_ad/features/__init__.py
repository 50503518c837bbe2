"""Turn waveforms into arrays and back: log-mel, MFCC, patches, scaling, augmentation. Time is the last axis."""

from ._augment import Augmenter
from ._channel_residual import ChannelResidual
from ._inversion import mel_to_audio
from ._mel import MelTransformer, MFCCTransformer
from ._pooling import TemporalPooling
from ._scaling import ClipScaler
from ._sound_qualities import SoundQualities
from ._whitening import ShrinkageWhitener
from ._windows import FrameTransformer, PatchTransformer

__all__ = [
    "Augmenter",
    "ChannelResidual",
    "ClipScaler",
    "FrameTransformer",
    "MFCCTransformer",
    "MelTransformer",
    "PatchTransformer",
    "ShrinkageWhitener",
    "SoundQualities",
    "TemporalPooling",
    "mel_to_audio",
]
