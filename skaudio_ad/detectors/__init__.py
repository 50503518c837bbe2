"""Arrays to scores: detectors trained on normal clips."""

from ._autoencoder import AutoencoderDetector
from ._band_memory import BandMemoryDetector
from ._mahalanobis import MahalanobisDetector
from ._nearest_neighbors import NearestNeighborsDetector
from ._rlkl_classifier import RLKLClassifier
from ._score_ensemble import ScoreEnsemble
from ._sequence_autoencoder import SequenceAutoencoderDetector
from ._sequence_predictor import SequencePredictorDetector
from ._vae import VAEDetector

__all__ = [
    "AutoencoderDetector",
    "BandMemoryDetector",
    "MahalanobisDetector",
    "NearestNeighborsDetector",
    "RLKLClassifier",
    "ScoreEnsemble",
    "SequenceAutoencoderDetector",
    "SequencePredictorDetector",
    "VAEDetector",
]
