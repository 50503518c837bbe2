"""Arrays to scores: detectors trained on normal clips."""

from ._autoencoder import AutoencoderDetector

__all__ = ["AutoencoderDetector"]
