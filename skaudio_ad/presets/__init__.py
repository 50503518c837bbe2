"""Pipelines from recordings to decisions: detectors on pretrained embeddings, and published systems."""

from ._detector_pipeline import DetectorPipeline
from ._make_detector import HEADS, make_detector
from ._presets import PRESETS, make_preset

__all__ = ["HEADS", "PRESETS", "DetectorPipeline", "make_detector", "make_preset"]
