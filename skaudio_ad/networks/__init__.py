"""Networks: torch modules without scikit-learn."""

from ._classifier import DenseClassifier
from ._dense import DenseAutoencoder
from ._describe import LayerDescription, NetworkDescription, describe
from ._front_end import AudioSetFrontEnd
from ._inference import for_inference
from ._mobilenet import MobileNet
from ._passt import PaSST
from ._recurrent import SequenceAutoencoder, SequencePredictor
from ._sequence_classifier import PooledClassifier
from ._vae import VariationalAutoencoder, convolutional_vae, dense_vae, kl_divergence

__all__ = [
    "AudioSetFrontEnd",
    "DenseAutoencoder",
    "DenseClassifier",
    "LayerDescription",
    "MobileNet",
    "NetworkDescription",
    "PaSST",
    "PooledClassifier",
    "SequenceAutoencoder",
    "SequencePredictor",
    "VariationalAutoencoder",
    "convolutional_vae",
    "dense_vae",
    "describe",
    "for_inference",
    "kl_divergence",
]
