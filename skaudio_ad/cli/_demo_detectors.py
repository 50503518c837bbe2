"""Detectors that the demo compares: a pretrained backbone, classical detectors, and an autoencoder."""

import time
from dataclasses import dataclass

import numpy as np
from sklearn.ensemble import IsolationForest
from sklearn.neighbors import LocalOutlierFactor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import OneClassSVM

from ..audio import AudioLoader, LevelNormalizer
from ..features import MelTransformer, TemporalPooling
from ..presets import make_detector, make_preset
from ..recordings import score_recordings
from ..thresholds import ConformalThreshold, ThresholdedDetector
from ._training import fit_with_progress

#: False-alarm rate that every detector of the demo aims at.
FALSE_ALARMS = 0.05
_SAMPLE_RATE = 16_000  # Hz, of the generated sounds
# Number of neighbours of LocalOutlierFactor, the value of Breunig et al. (2000) that scikit-learn recommends.
_N_NEIGHBORS = 20


@dataclass
class Result:
    """Scores and decisions of one detector on the test clips of one machine.

    Attributes
    ----------
    scores : ndarray of shape (n_clips,)
        Higher is more normal.
    alarms : ndarray of shape (n_clips,), bool
        Whether the detector calls a clip anomalous.
    seconds : float
        Time of features, training and scores.
    """

    scores: np.ndarray
    alarms: np.ndarray
    seconds: float


def run_embedding(train, test, seed):
    """Train and score the detector on the pretrained backbone.

    Parameters
    ----------
    train, test : list of str
        Paths of the clips.
    seed : int

    Returns
    -------
    pipeline : DetectorPipeline
    recordings : list of ScoredRecording
    result : Result
    """
    start = time.perf_counter()
    pipeline = make_detector(false_alarms=FALSE_ALARMS, random_state=seed).fit(train)
    recordings = list(score_recordings(pipeline, test))
    scores = np.array([recording.score for recording in recordings])
    alarms = np.array([recording.decision == "anomalous" for recording in recordings])
    return pipeline, recordings, Result(scores, alarms, time.perf_counter() - start)


def run_classical(train, test, seed):
    """Train and score scikit-learn's detectors on mean and deviation over time of a log-mel spectrogram.

    Parameters
    ----------
    train, test : list of str
        Paths of the clips.
    seed : int

    Returns
    -------
    dict of {str: Result}
    """
    start = time.perf_counter()
    features = make_pipeline(
        AudioLoader(_SAMPLE_RATE),
        LevelNormalizer(),
        MelTransformer(_SAMPLE_RATE, lazy=True),
        TemporalPooling(),
    )
    X_train, X_test = features.fit_transform(train), features.transform(test)
    shared = time.perf_counter() - start
    results = {}
    for detector in (
        IsolationForest(random_state=seed),
        OneClassSVM(),
        LocalOutlierFactor(n_neighbors=min(_N_NEIGHBORS, len(train) // 2), novelty=True),
    ):
        start = time.perf_counter()
        model = ThresholdedDetector(
            make_pipeline(StandardScaler(), detector),
            ConformalThreshold(FALSE_ALARMS, too_few="estimate"),
            cv="auto",
            random_state=seed,
        ).fit(X_train)
        result = _score(model, X_test, start)
        result.seconds += shared
        results[type(detector).__name__] = result
    return results


def run_autoencoder(train, test, seed, max_epochs):
    """Train and score the dense autoencoder on windows of a log-mel spectrogram.

    Parameters
    ----------
    train, test : list of str
        Paths of the clips.
    seed, max_epochs : int

    Returns
    -------
    Result
    """
    start = time.perf_counter()
    # A fifth of the clips is held out instead of a tenth, because few held-out clips make the threshold inaccurate.
    pipeline = make_preset(
        "autoencoder", level="rms", max_epochs=max_epochs, validation_fraction=0.2, random_state=seed
    )
    fit_with_progress(pipeline, train)
    return _score(pipeline, test, start)


def _score(model, X, start):
    scores = model.score_samples(X)
    threshold = getattr(model, "steps", [("", model)])[-1][1].offset_
    return Result(scores, scores < threshold, time.perf_counter() - start)
