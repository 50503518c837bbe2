"""torch.nn modules, and nothing but."""

from ._dense import DenseAutoencoder

__all__ = ["DenseAutoencoder"]
