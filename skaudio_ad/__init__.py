"""Audio anomaly detection on pretrained embeddings, the scikit-learn way.

Estimators and `show_versions` are importable from here; functions and data sets from their subpackages.
Nothing heavy is imported until it is asked for: torch alone takes longer to import than everything else
together.
"""

from importlib import import_module

# name -> the subpackage or module that defines it
_EXPORTS = {
    "AudioClips": "audio",
    "AudioLoader": "audio",
    "LevelNormalizer": "audio",
    "Augmenter": "features",
    "ClipScaler": "features",
    "FrameTransformer": "features",
    "MFCCTransformer": "features",
    "MelTransformer": "features",
    "PatchTransformer": "features",
    "TemporalPooling": "features",
    "BackboneEmbedding": "embeddings",
    "MobileNetEmbedding": "embeddings",
    "PaSSTEmbedding": "embeddings",
    "ModuleEmbedding": "embeddings",
    "HubEmbedding": "embeddings",
    "AutoencoderDetector": "detectors",
    "VAEDetector": "detectors",
    "SequencePredictorDetector": "detectors",
    "SequenceAutoencoderDetector": "detectors",
    "NearestNeighborsDetector": "detectors",
    "RLKLClassifier": "detectors",
    "ConformalThreshold": "thresholds",
    "FBetaThreshold": "thresholds",
    "GammaThreshold": "thresholds",
    "MeanStdThreshold": "thresholds",
    "ParetoTailThreshold": "thresholds",
    "QuantileThreshold": "thresholds",
    "ROCThreshold": "thresholds",
    "ThresholdedDetector": "thresholds",
    "NormalOnly": "model_selection",
    "NormalOnlySplit": "model_selection",
    "show_versions": "_versions",
}
_SUBPACKAGES = (
    "audio",
    "datasets",
    "detectors",
    "embeddings",
    "features",
    "inspection",
    "metrics",
    "model_selection",
    "presets",
    "thresholds",
    "training",
)

__all__ = [*_EXPORTS, *_SUBPACKAGES]


def __getattr__(name):
    if name in _EXPORTS:
        return getattr(import_module(f".{_EXPORTS[name]}", __name__), name)
    if name in _SUBPACKAGES:
        return import_module(f".{name}", __name__)
    if name == "__version__":
        from importlib.metadata import version

        return version("skaudio_ad")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted([*__all__, "__version__"])
