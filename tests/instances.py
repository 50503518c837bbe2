"""Instances of every public estimator, for scikit-learn's checks.

A class without an entry in ``PARAMETERS`` is checked with its defaults.
"""

import ast
import inspect
from functools import partial
from importlib import import_module
from pathlib import Path

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.ensemble import IsolationForest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import OneClassSVM
from sklearn.utils.validation import _num_samples

import skaudio_ad
from skaudio_ad import (
    AutoencoderDetector,
    ChannelResidual,
    FleetDetector,
    MobileNetEmbedding,
    NearestNeighborsDetector,
    NormalOnly,
    QuantileThreshold,
    ShrinkageWhitener,
    SoundQualities,
    ThresholdedDetector,
)

from .embeddings.family_cases import SMALL

ROOT = Path(skaudio_ad.__file__).parent
# The program's package defines commands, not estimators.
SUBPACKAGES = sorted(path.parent.name for path in ROOT.glob("*/__init__.py") if path.parent.name != "cli")
# Modules that are public without being a package.
MODULES = ("persistence",)


class ChannelResidualOfAnyTable(ChannelResidual):
    """The checks pass tables with an odd number of columns. A column of zeros makes the number even."""

    def _check(self, X, *, reset):
        X = self._check_kind(X, reset)
        return np.pad(X, ((0, 0), (0, X.shape[1] % 2)))


class SoundQualitiesOfAnyTable(SoundQualities):
    """The checks pass rows of a few samples. Repetition makes every row as long as one frame."""

    def _function(self):
        return partial(_of_repeated_samples, super()._function())


def _of_repeated_samples(function, clip):
    return function(np.resize(clip, max(len(clip), 200)))


class NormalOnlyWithoutLabels(NormalOnly):
    """The checks pass classes of their own as y, which are no labels of normal and anomalous clips."""

    def fit(self, X, y=None):
        return super().fit(X)

    def fit_predict(self, X, y=None):
        return super().fit_predict(X)


class FleetDetectorOfOneMachine(FleetDetector):
    """The checks pass no machines."""

    def fit(self, X, y=None):
        return super().fit(X, y, machines=np.zeros(_num_samples(X)))

    def fit_predict(self, X, y=None):
        return super().fit_predict(X, y, machines=np.zeros(_num_samples(X)))


class ThresholdedDetectorWithoutLabels(ThresholdedDetector):
    """The checks pass classes of their own as y, which are no labels of normal and anomalous clips."""

    def fit(self, X, y=None):
        return super().fit(X)


# Parameters of the instances to check, where the defaults are too slow or too large: the checks send rows of a few
# samples, so windows must be that short.
PARAMETERS = {
    "AutoencoderDetector": [
        {"max_epochs": 5, "random_state": 0},
        {
            "max_epochs": 5,
            "hidden_sizes": (4,),
            "bottleneck_size": 2,
            "batch_norm": False,
            "activation": "selu",
            "error": "mahalanobis",
        },
    ],
    "BackboneEmbedding": [{"variant": "mn01", "weights": None}],
    "BEATsEmbedding": [{"variant": SMALL["beats"], "weights": None}],
    "BandMemoryDetector": [{"n_neighbors": 2, "metric": "euclidean", "normalization": "ratio"}],
    "CEDEmbedding": [{"variant": SMALL["ced"], "weights": None}],
    "ClipScaler": [
        {},
        {"method": "zscore", "statistics": "bin"},
        {"method": "minmax", "statistics": "dataset"},
    ],
    "DashengEmbedding": [{"variant": SMALL["dasheng"], "weights": None}],
    "DetectorPipeline": [
        {"steps": [("whiten", ShrinkageWhitener()), ("detector", NearestNeighborsDetector(coreset_size=0.5))]}
    ],
    "EATEmbedding": [{"variant": SMALL["eat"], "weights": None}],
    "ECHOEmbedding": [{"variant": SMALL["echo"], "weights": None}],
    "FISHEREmbedding": [{"variant": SMALL["fisher"], "weights": None}],
    "FineTunedEmbedding": [
        {
            "embedding": MobileNetEmbedding("mn01", weights=None),
            "trainable": 1,
            "max_epochs": 1,
            "windows_per_clip": 1,
            "random_state": 0,
        }
    ],
    "FleetDetector": [{"detector": IsolationForest(n_estimators=5, random_state=0), "unknown": "merged"}],
    "FrameTransformer": [{"frame_length": 1, "hop_length": 1}],
    "LevelNormalizer": [{}, {"method": "peak"}],
    "MFCCTransformer": [{"n_fft": 64, "n_mels": 8, "n_mfcc": 4}],
    "MahalanobisDetector": [{}, {"covariance": "oas", "time_pooling": "max"}],
    "MelTransformer": [{"n_fft": 64, "n_mels": 8}],
    "MobileNetEmbedding": [{"variant": "mn01", "weights": None, "random_state": 0}],
    # Without tensors: joblib.hash, by which a check compares parameters, tells a tensor from its own copy.
    "ModuleEmbedding": [
        {
            "module": torch.nn.Sequential(torch.nn.Unflatten(1, (1, -1)), torch.nn.AvgPool1d(4)),
            "sample_rate": 100,
        }
    ],
    "NearestNeighborsDetector": [
        {},
        {"n_neighbors": 3, "metric": "cosine", "aggregate": "max"},
        {"normalization": "varmin", "random_state": 0},
    ],
    "NormalOnly": [
        {"estimator": make_pipeline(StandardScaler(), OneClassSVM())},
        {"estimator": AutoencoderDetector(max_epochs=5, random_state=0)},
    ],
    "PatchTransformer": [{"patch_length": 1, "hop_length": 1}],
    "RLKLClassifier": [
        {"hidden_sizes": (16,), "max_epochs": 50, "learning_rate": 0.02, "random_state": 0},
        {
            "hidden_sizes": (16,),
            "activation": "identity",
            "max_epochs": 50,
            "learning_rate": 0.02,
            "random_state": 0,
        },
    ],
    "ScoreEnsemble": [
        {
            "detectors": [("nearest", NearestNeighborsDetector()), ("svm", OneClassSVM())],
            "calibrate": "p-value",
            "combine": "harmonic",
            "cv": 2,
            "random_state": 0,
        }
    ],
    "SequenceAutoencoderDetector": [{"window_length": 2, "hidden_size": 4, "max_epochs": 3}],
    # With held-out clips or several batches, a sample weight of 2 is not the same clip given twice.
    "SequenceClassifier": [
        {
            "head": head,
            "hidden_size": 4,
            "max_epochs": 20,
            "batch_size": None,
            "learning_rate": 0.1,
            "validation_fraction": 0,
            "early_stopping": None,
            "random_state": 0,
        }
        for head in ("linear", "gru")
    ],
    "SequencePredictorDetector": [
        {"n_context_frames": 1, "hidden_size": 4, "max_epochs": 3, "random_state": 0}
    ],
    "SoundQualities": [{"sample_rate": 1000}],
    "TemporalPooling": [{}, {"statistics": ("gem", "rdp", "percentile_90", "flatten")}],
    "ThresholdedDetector": [
        {"detector": IsolationForest(n_estimators=5, random_state=0), "selector": QuantileThreshold()}
    ],
    "VAEDetector": [
        {"max_epochs": 5, "hidden_sizes": (8,), "latent_size": 2, "random_state": 0},
        {
            "max_epochs": 5,
            "hidden_sizes": (8,),
            "latent_size": 2,
            "score_by": "mahalanobis",
            "batch_norm": False,
        },
    ],
}

# Subclasses that are checked in place of the public class.
STAND_INS = {
    "ChannelResidual": ChannelResidualOfAnyTable,
    "FleetDetector": FleetDetectorOfOneMachine,
    "NormalOnly": NormalOnlyWithoutLabels,
    "SoundQualities": SoundQualitiesOfAnyTable,
    "ThresholdedDetector": ThresholdedDetectorWithoutLabels,
}

_SCORES = "scikit-learn's checks pass tables, and a selector takes one score a clip"
# Classes that are not checked, each with the reason.
UNCHECKED = {
    **dict.fromkeys(
        (
            "ConformalThreshold",
            "FBetaThreshold",
            "GammaThreshold",
            "MeanStdThreshold",
            "ParetoTailThreshold",
            "QuantileThreshold",
            "ROCThreshold",
        ),
        _SCORES,
    ),
    "HubEmbedding": (
        "its network comes from a file on the disk; tests/embeddings/test_hub_embedding.py tests the contract"
    ),
    "PaSSTEmbedding": (
        "a check would draw 86 million weights; MobileNetEmbedding runs the same code around its network"
    ),
}


def exports():
    """The names that the package root exports, each with the subpackage that the name comes from."""
    stub = ast.parse((ROOT / "__init__.pyi").read_text(encoding="utf-8"))
    imports = [node for node in stub.body if isinstance(node, ast.ImportFrom) and node.module]
    return {alias.name: node.module for node in imports for alias in node.names}


def public_estimators():
    """(subpackage, class) of every estimator, a class with ``fit``, in the ``__all__`` of a subpackage."""
    found = []
    for package in (*SUBPACKAGES, *MODULES):
        module = import_module(f"skaudio_ad.{package}")
        for name in getattr(module, "__all__", ()):
            thing = getattr(module, name)
            if inspect.isclass(thing) and issubclass(thing, BaseEstimator) and hasattr(thing, "fit"):
                found.append((package, thing))
    return found


def instances():
    """Yield one estimator or more of every public class that scikit-learn's checks run on."""
    for _, public in public_estimators():
        if public.__name__ in UNCHECKED:
            continue
        for parameters in PARAMETERS.get(public.__name__, [{}]):
            yield STAND_INS.get(public.__name__, public)(**parameters)
