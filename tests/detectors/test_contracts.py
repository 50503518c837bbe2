"""What holds for every detector alike: frozen parameters, labels of anomalies, huge values, lazy clips held once."""

import copy
import tracemalloc
import warnings

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import skaudio_ad.detectors
from skaudio_ad import (
    AutoencoderDetector,
    MahalanobisDetector,
    NearestNeighborsDetector,
    NormalOnly,
    RLKLClassifier,
    SequenceAutoencoderDetector,
    SequencePredictorDetector,
    ThresholdedDetector,
    VAEDetector,
)
from skaudio_ad._lazy import LazySequence
from skaudio_ad.detectors import _clip_rows, _neighbor_rows, _neighbor_search
from skaudio_ad.detectors._row_detector import RowDetector
from skaudio_ad.thresholds import QuantileThreshold

DETECTORS = {
    "NearestNeighborsDetector": NearestNeighborsDetector(2),
    "MahalanobisDetector": MahalanobisDetector(),
    "AutoencoderDetector": AutoencoderDetector(
        context=2, hidden_sizes=(4,), bottleneck_size=2, max_epochs=1, random_state=0
    ),
    "SequencePredictorDetector": SequencePredictorDetector(
        n_context_frames=2, hidden_size=3, max_epochs=1, random_state=0
    ),
    "SequenceAutoencoderDetector": SequenceAutoencoderDetector(
        window_length=3, hidden_size=3, max_epochs=1, random_state=0
    ),
    "VAEDetector": VAEDetector(
        filters=(2,),
        strides=2,
        hidden_sizes=(4,),
        latent_size=2,
        max_epochs=1,
        learning_rate=1e-3,
        score_by="mahalanobis",
        random_state=0,
    ),
}
# Another value for every parameter that a detector or a wrapper has, but for the device.
OTHER = {
    "activation": "tanh",
    "aggregate": "max",
    "batch_norm": False,
    "batch_size": 7,
    "bottleneck_activation": False,
    "bottleneck_size": 3,
    "cell": "gru",
    "contamination": 0.4,
    "coreset_size": 0.5,
    "context": 3,
    "covariance": "oas",
    "cv": 3,
    "error": "mahalanobis-clip",
    "deterministic": True,
    "domain_normalization": "zscore",
    "early_stopping": None,
    "ensemble": False,
    "filters": (3, 3),
    "hidden_size": 5,
    "hidden_sizes": (3, 3),
    "index": "faiss",
    "kernel_sizes": 2,
    "kl_weight": 7.0,
    "latent_size": 3,
    "learning_rate": 0.5,
    "max_epochs": 2,
    "metric": "cosine",
    "n_context_frames": 3,
    "n_iter_no_change": 3,
    "n_layers": 1,
    "n_neighbors": 3,
    "n_predicted_frames": 2,
    "normalization": "ratio",
    "normalization_neighbors": 2,
    "output_activation": "sigmoid",
    "oversample": "mixup",
    "random_state": 1,
    "reconstruction_weight": 3.0,
    "score_by": "kl",
    "selector": QuantileThreshold(0.4),
    "strides": 1,
    "time_pooling": "max",
    "time_quantile": 0.1,
    "tol": 0.5,
    "validation_fraction": 0.4,
    "verbose": True,
    "weight_decay": 0.5,
    "window_length": 4,
}
QUIET = pytest.mark.filterwarnings("ignore:the posterior collapsed")


def clips(n_clips=24, seed=0):
    return np.random.default_rng(seed).normal(size=(n_clips, 4, 9)).astype(np.float32)


def features(n_clips=24, seed=0):
    return np.random.default_rng(seed).normal(size=(n_clips, 6))


@pytest.fixture(params=DETECTORS)
def detector(request):
    return clone(DETECTORS[request.param])


def test_every_detector_of_the_package_is_among_them():
    # BandMemoryDetector takes grids and FleetDetector machines: test_band_memory.py and test_fleet.py test the same.
    every = {name for name in skaudio_ad.detectors.__all__ if name.endswith("Detector")}
    assert set(DETECTORS) == every - {"BandMemoryDetector", "FleetDetector"}


# Parameters set after a fit


@QUIET
@pytest.mark.parametrize(
    "wrap", [None, ThresholdedDetector, NormalOnly], ids=["alone", "threshold", "normal"]
)
def test_parameters_set_after_a_fit_wait_for_the_next_one(detector, wrap):
    X, new = clips(), clips(5, seed=1)
    if wrap is not None:
        detector = wrap(detector)
    if wrap is ThresholdedDetector:
        detector.set_params(selector=QuantileThreshold(), cv=2, random_state=0)
    detector.fit(X)
    scores, decisions = detector.score_samples(new), detector.predict(X)
    frames = detector.score_frames(new)
    for name in detector.get_params():
        last = name.rpartition("__")[2]
        if last in OTHER and not name.startswith("selector__"):
            detector.set_params(**{name: OTHER[last]})
        else:
            assert last in ("device", "n_jobs", "detector", "estimator") or name.startswith("selector__"), (
                name
            )
        np.testing.assert_array_equal(detector.score_samples(new), scores, err_msg=name)
    for again in (detector, copy.deepcopy(detector)):
        np.testing.assert_array_equal(again.predict(X), decisions)
        np.testing.assert_array_equal(again.score_frames(new), frames)
        np.testing.assert_array_equal(again.decision_function(new), scores - detector.offset_)


@QUIET
def test_the_next_fit_takes_them(detector):
    X, new = clips(), clips(5, seed=1)
    names = ("score_by", "aggregate", "time_pooling")
    name = next(name for name in names if name in detector.get_params())
    before = detector.fit(X).score_samples(new)
    after = detector.set_params(**{name: OTHER[name]}).fit(X).score_samples(new)
    fresh = clone(DETECTORS[type(detector).__name__]).set_params(**{name: OTHER[name]}).fit(X)
    np.testing.assert_array_equal(after, fresh.score_samples(new))
    assert (after != before).all()


# Labels


def fit_with(detector, X, y):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        detector.fit(X, y)
    return [str(entry.message) for entry in caught if "labels -1" in str(entry.message)]


@QUIET
@pytest.mark.parametrize("kind", ["array", "list", "lazy"])
def test_clips_labelled_anomalous_are_left_out_and_counted_before_a_classifier_silently(detector, kind):
    X, y = clips(30), np.ones(30, dtype=int)
    y[[0, 4, 11]] = -1
    X[y == -1] += 5
    given = {"array": X, "list": list(X), "lazy": LazySequence(X)}[kind]
    messages = fit_with(detector, given, y)
    expected = clone(detector).fit(X[y == 1])
    np.testing.assert_array_equal(detector.score_samples(X), expected.score_samples(X))
    np.testing.assert_array_equal(detector.held_out_scores_, expected.held_out_scores_)
    assert detector.n_samples_fit_ == 27
    if isinstance(detector, VAEDetector):
        assert not messages
    else:
        (message,) = messages
        assert message.startswith(
            f"{type(detector).__name__} is trained without 3 of 30 clips, which y labels -1"
        )
        assert "NormalOnly" in message


@QUIET
@pytest.mark.parametrize("labels", [(0, 1), (-1, 0, 1), (1,), ("1", "-1"), (1.0, np.nan)])
def test_other_labels_are_the_classes_of_somebody_else(detector, labels):
    X = clips()
    y = np.array(labels)[np.arange(24) % len(labels)]
    assert fit_with(detector, X, y) == []
    np.testing.assert_array_equal(detector.score_samples(X), clone(detector).fit(X).score_samples(X))


def test_nothing_but_anomalies_is_nothing_to_train_on_and_labels_have_the_length_of_the_clips(detector):
    with pytest.raises(ValueError, match="has nothing to train on: every clip is labelled -1"):
        detector.fit(clips(), np.full(24, -1))
    with pytest.raises(ValueError, match=r"labels for 24 clips|inconsistent numbers of samples"):
        detector.fit(clips(), np.ones(23))


def test_fit_predict_decides_about_labelled_anomalies_and_missing_clips_too():
    X, y = features(40), np.ones(40, dtype=int)
    y[[3, 7]] = -1
    X[3] += 50
    X[7], X[9] = X[8], np.nan
    detector = NearestNeighborsDetector()
    with pytest.warns(UserWarning, match="without"):
        decisions = detector.fit_predict(X, y)
    assert decisions[[3, 7, 9]].tolist() == [-1, 1, -1]  # 7 is a copy of a training clip
    normal = np.setdiff1d(np.arange(40), [3, 7, 9])
    np.testing.assert_array_equal(
        decisions[normal], np.where(detector.held_out_scores_ >= detector.offset_, 1, -1)
    )
    assert detector.kneighbors(X[[0]], 1)[1].tolist() == [[0]]
    assert detector.kneighbors(X[[39]], 1)[1].tolist() == [[39]]


@QUIET
def test_a_classifier_behind_an_autoencoder_gets_all_clips():
    X, y = features(60), np.where(np.arange(60) % 3, 1, -1)
    model = make_pipeline(
        StandardScaler(), clone(DETECTORS["VAEDetector"]), RLKLClassifier(max_epochs=2, random_state=0)
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        warnings.filterwarnings("ignore", message="the posterior collapsed")
        model.fit(X, y)
    assert model[1].n_samples_fit_ == 40
    assert model.predict(X).shape == (60,)


# Huge values


@QUIET
@pytest.mark.parametrize("kind", ["features", "clips"])
@pytest.mark.parametrize("score_by", [None, "elbo", "kl"])
def test_a_huge_clip_has_a_low_finite_score_and_is_anomalous(detector, kind, score_by):
    if score_by is not None and not isinstance(detector, VAEDetector):
        detector = AutoencoderDetector(
            hidden_sizes=(4,), bottleneck_size=2, max_epochs=1, time_pooling="max", context=1
        )
    elif score_by is not None:
        detector.set_params(score_by=score_by)
    X = clips() if kind == "clips" else features(24)
    largest = np.finfo(X.dtype).max
    new = np.concatenate([X[:1]] * 5)
    new[1], new[2], new[3, 1:], new[4] = 1e19, -1e30, largest, -largest
    new[4, 0] = largest
    detector.fit(X)
    normal = np.r_[detector.score_samples(X).min(), detector.offset_].min()
    scores = detector.score_samples(new)
    assert np.isfinite(scores).all()
    assert (scores[1:] < normal).all()
    assert detector.predict(new)[1:].tolist() == [-1] * 4
    # Sums over a batch of another size are rounded in another order.
    assert scores[0] == pytest.approx(detector.score_samples(X[:1])[0], rel=1e-12)
    frames = detector.score_frames(new)
    assert np.isfinite(frames).all()


@QUIET
def test_a_huge_clip_in_training_is_an_error_that_says_what_to_do(detector):
    X = clips()
    X[:8] = 1e25
    with pytest.raises(ValueError, match=r"StandardScaler"):
        detector.fit(X)


# Lazy clips


class Counted(LazySequence):
    """Clips that are made when they are asked for, and count how often."""

    def __init__(self, n_clips, lengths, n_bins=8192):
        super().__init__(np.arange(n_clips))
        self.lengths, self.n_bins, self.asked = lengths, n_bins, []

    def _source(self, index):
        self.asked.append(index)
        rng = np.random.default_rng(index)
        return rng.standard_normal((self.n_bins, self.lengths[index % len(self.lengths)]), dtype=np.float32)


@QUIET
@pytest.mark.parametrize("lengths", [(20,), (12, 28, 20)], ids=["one length", "lengths"])
def test_a_lazy_corpus_is_computed_once_and_held_once(detector, lengths, monkeypatch):
    if isinstance(detector, VAEDetector) and len(lengths) > 1:
        return  # takes clips of one size
    X = Counted(20, lengths)
    if isinstance(detector, MahalanobisDetector):
        X = Counted(
            20, [64 * length for length in lengths], n_bins=128
        )  # the covariance is small beside the clips
    n_bytes = 20 * 20 * 8192 * 4
    if isinstance(detector, RowDetector):
        for module in (_clip_rows, _neighbor_rows, _neighbor_search):
            monkeypatch.setattr(module, "BLOCK", 16)  # rows that are held in float64 at a time
        monkeypatch.setattr(_neighbor_search, "_PAIRS", 16)
    else:
        detector.fit(X[:3])  # what torch keeps for itself
    X.asked.clear()
    tracemalloc.start()
    try:
        detector.fit(X)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert sorted(index for index in X.asked if index) == list(range(1, 20))  # the first is looked at before
    assert n_bytes < peak < 1.6 * n_bytes


@QUIET
def test_lazy_clips_of_several_lengths_train_what_a_list_trains(detector):
    lengths = (9,) if isinstance(detector, VAEDetector) else (9, 6, 12)
    X = Counted(24, lengths, n_bins=4)
    given = [X[index] for index in range(24)]
    lazy, listed = clone(detector).fit(X), clone(detector).fit(given)
    np.testing.assert_array_equal(lazy.score_samples(X), listed.score_samples(given))
    assert lazy.offset_ == listed.offset_
