"""Networks: torch modules without scikit-learn."""

from ._beats import BEATs, BEATsFrontEnd
from ._ced import CED
from ._classifier import DenseClassifier
from ._dasheng import Dasheng
from ._decibel_mel import CEDFrontEnd
from ._dense import DenseAutoencoder
from ._describe import LayerDescription, NetworkDescription, describe
from ._eat import EAT, EATFrontEnd
from ._echo import ECHO
from ._fisher import FISHER
from ._front_end import AudioSetFrontEnd
from ._inference import for_inference
from ._kaldi import KaldiFilterBank
from ._log_spectrogram import LogSpectrogram
from ._lora import LowRank, add_low_rank, merge_low_rank
from ._metric_heads import AdaCosHead, ArcFaceHead, SoftmaxHead, nt_xent
from ._mobilenet import MobileNet
from ._passt import PaSST
from ._recurrent import SequenceAutoencoder, SequencePredictor
from ._sequence_classifier import PooledClassifier
from ._tuned import TunedNetwork, make_head
from ._vae import VariationalAutoencoder, convolutional_vae, dense_vae, kl_divergence

__all__ = [
    "CED",
    "EAT",
    "ECHO",
    "FISHER",
    "AdaCosHead",
    "ArcFaceHead",
    "AudioSetFrontEnd",
    "BEATs",
    "BEATsFrontEnd",
    "CEDFrontEnd",
    "Dasheng",
    "DenseAutoencoder",
    "DenseClassifier",
    "EATFrontEnd",
    "KaldiFilterBank",
    "LayerDescription",
    "LogSpectrogram",
    "LowRank",
    "MobileNet",
    "NetworkDescription",
    "PaSST",
    "PooledClassifier",
    "SequenceAutoencoder",
    "SequencePredictor",
    "SoftmaxHead",
    "TunedNetwork",
    "VariationalAutoencoder",
    "add_low_rank",
    "convolutional_vae",
    "dense_vae",
    "describe",
    "for_inference",
    "kl_divergence",
    "make_head",
    "merge_low_rank",
    "nt_xent",
]
