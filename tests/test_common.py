"""scikit-learn's own checks on every estimator."""

import pytest
import torch
from sklearn.ensemble import IsolationForest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import OneClassSVM
from sklearn.utils.estimator_checks import parametrize_with_checks

from skaudio_ad import (
    AudioLoader,
    Augmenter,
    AutoencoderDetector,
    BackboneEmbedding,
    ClipScaler,
    FrameTransformer,
    LevelNormalizer,
    MelTransformer,
    MFCCTransformer,
    MobileNetEmbedding,
    ModuleEmbedding,
    NearestNeighborsDetector,
    NormalOnly,
    PatchTransformer,
    QuantileThreshold,
    RLKLClassifier,
    SequenceAutoencoderDetector,
    SequencePredictorDetector,
    TemporalPooling,
    ThresholdedDetector,
    VAEDetector,
)

_AUGMENTS = "fit_transform augments the training clips, transform leaves clips to be scored alone: that is the contract"
_KNOWS_ITS_OWN = (
    "a training clip is its own nearest neighbour: predict calls none anomalous, fit_predict leaves it out"
)
_HOLDS_OUT = "fit_predict decides about a training clip by models that were not trained on it, predict by the final one"


class _NormalOnly(NormalOnly):
    """Without y, for the same reason as `_ThresholdedDetector`."""

    def fit(self, X, y=None):
        return super().fit(X)

    def fit_predict(self, X, y=None):
        return super().fit_predict(X)


class _ThresholdedDetector(ThresholdedDetector):
    """Without y: the checks pass classes of their own, which are no labels of normal and anomalous clips."""

    def fit(self, X, y=None):
        return super().fit(X)


_EXPECTED = {
    "Augmenter": {
        "check_transformer_general": _AUGMENTS,
        "check_transformer_data_not_an_array": _AUGMENTS,
    },
    "NearestNeighborsDetector": {
        "check_outliers_train": _KNOWS_ITS_OWN,
        "check_outliers_fit_predict": _KNOWS_ITS_OWN,
    },
    "_ThresholdedDetector": {"check_outliers_fit_predict": _HOLDS_OUT},
}

# The checks send rows of a few samples: windows must be that short.
ESTIMATORS = [
    AudioLoader(),
    LevelNormalizer(),
    LevelNormalizer(method="peak"),
    MelTransformer(n_fft=64, n_mels=8),
    MFCCTransformer(n_fft=64, n_mels=8, n_mfcc=4),
    BackboneEmbedding("mn01", weights=None),
    MobileNetEmbedding("mn01", weights=None, random_state=0),
    # Without tensors: joblib.hash, by which a check compares parameters, tells a tensor from its own copy.
    ModuleEmbedding(
        torch.nn.Sequential(torch.nn.Unflatten(1, (1, -1)), torch.nn.AvgPool1d(4)), sample_rate=100
    ),
    FrameTransformer(frame_length=1, hop_length=1),
    PatchTransformer(patch_length=1, hop_length=1),
    ClipScaler(),
    ClipScaler(method="zscore", statistics="bin"),
    ClipScaler(method="minmax", statistics="dataset"),
    TemporalPooling(),
    TemporalPooling(("gem", "rdp", "percentile_90", "flatten")),
    Augmenter(),
    AutoencoderDetector(max_epochs=5, random_state=0),
    AutoencoderDetector(
        max_epochs=5, hidden_sizes=(4,), bottleneck_size=2, batch_norm=False, activation="selu"
    ),
    SequencePredictorDetector(n_context_frames=1, hidden_size=4, max_epochs=3, random_state=0),
    SequenceAutoencoderDetector(window_length=2, hidden_size=4, max_epochs=3),
    VAEDetector(max_epochs=5, hidden_sizes=(8,), latent_size=2, random_state=0),
    VAEDetector(max_epochs=5, hidden_sizes=(8,), latent_size=2, score_by="mahalanobis", batch_norm=False),
    NearestNeighborsDetector(),
    NearestNeighborsDetector(3, metric="cosine", aggregate="max"),
    RLKLClassifier(max_epochs=100, random_state=0),
    RLKLClassifier(activation="identity", max_epochs=100, random_state=0),
    _NormalOnly(make_pipeline(StandardScaler(), OneClassSVM())),
    _NormalOnly(AutoencoderDetector(max_epochs=5, random_state=0)),
    _ThresholdedDetector(IsolationForest(n_estimators=5, random_state=0), QuantileThreshold()),
]


@parametrize_with_checks(ESTIMATORS, expected_failed_checks=lambda e: _EXPECTED.get(type(e).__name__, {}))
@pytest.mark.filterwarnings("ignore:Empty filters detected:UserWarning")
@pytest.mark.filterwarnings(
    "ignore:(Backbone|MobileNet)Embedding with weights=None has random weights:UserWarning"
)
def test_estimator_meets_scikit_learns_contract(estimator, check):
    check(estimator)
