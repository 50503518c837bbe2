"""torch.nn modules, and nothing but."""

from ._classifier import DenseClassifier
from ._dense import DenseAutoencoder
from ._recurrent import SequenceAutoencoder, SequencePredictor
from ._vae import VariationalAutoencoder, convolutional_vae, dense_vae, kl_divergence

__all__ = [
    "DenseAutoencoder",
    "DenseClassifier",
    "SequenceAutoencoder",
    "SequencePredictor",
    "VariationalAutoencoder",
    "convolutional_vae",
    "dense_vae",
    "kl_divergence",
]
