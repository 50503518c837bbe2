"""Named configurations of the benchmark of detection: a feature and a detector, as ``FEATURE/HEAD``.

=============  =====================================================================================================
feature        values of a recording
=============  =====================================================================================================
log-mel        mean and deviation over time of a log-mel spectrogram of 16 kHz
mfcc           mean and deviation over time of 20 MFCCs of 16 kHz and of their first and second deltas
NAME           the outputs of the backbone NAME that ``make_detector`` takes by default
NAME:clip      the embedding "clip" of the backbone, where "clip" is not the default
loudness       level in dB. All other features bring the recordings to one level
=============  =====================================================================================================

The heads are those of ``make_detector``, and IsolationForest and LocalOutlierFactor of scikit-learn on standardised
features. "loudness" has no head: its score is the distance from the mean level of the training recordings.
"""

import fnmatch
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
from scipy.signal import savgol_filter
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skaudio_ad.audio import AudioLoader, LevelNormalizer
from skaudio_ad.embeddings import BACKBONES, available_backbones
from skaudio_ad.features import MelTransformer, MFCCTransformer, TemporalPooling
from skaudio_ad.presets import HEADS, make_detector

from .._evaluation import Loudness, classical_detectors, levels

#: False-alarm rate that all thresholds aim at.
FALSE_ALARMS = 0.05
#: Name of the configuration that equals ``make_detector()``.
REFERENCE = "mini/nearest"
# Number of frames of the window of the deltas, the default of librosa.feature.delta.
DELTA_WIDTH = 9
# Modules of further configurations. Each module has a function ``configurations() -> list of Configuration``, and
# optionally ``left_out() -> dict of {str: str}`` with names and reasons.
MODULES = ("_peers", "_systems")


@dataclass(frozen=True)
class Configuration:
    """One detector that the benchmark runs.

    Parameters
    ----------
    name : str
        Name in tables and on the command line, such as "mini/nearest".
    features : str
        Name of the features. Configurations with equal names share the features. "paths" where `embed` is None.
    embed : callable or None
        ``embed(memory)`` returns a transformer of paths to an array or a list. The transformer must learn nothing
        from the recordings, because the recordings of a set are transformed together. `memory` is a folder that keeps
        embeddings, or None. If `embed` is None, the detector takes the paths.
    detector : callable
        ``detector(seed)`` returns an estimator with ``fit(X)`` and ``score_samples(X)``, and with ``threshold_`` or
        ``predict`` if the estimator has a threshold.
    is_random : bool, default=False
        Whether scores depend on the seed. Other configurations run with the first seed only.
    packages : tuple of str, default=()
        Distributions besides those of this package whose versions belong to the result.
    """

    name: str
    features: str
    embed: Callable[[Any], Any] | None
    detector: Callable[[int], Any]
    is_random: bool = False
    packages: tuple[str, ...] = ()


class LoudnessDetector(BaseEstimator):
    """:class:`Loudness` as an estimator of scikit-learn."""

    def fit(self, X, y=None):
        """Compute the mean level of X, (n_clips, 1)."""
        self.loudness_ = Loudness().fit(X)
        return self

    def score_samples(self, X):
        """Return the negative distance from the mean level, (n_clips,)."""
        return self.loudness_.score_samples(X)


class DeltaStatistics(TransformerMixin, BaseEstimator):
    """Mean and deviation over time of coefficients, and of their first and second deltas.

    A delta is the slope or curvature of a polynomial through `DELTA_WIDTH` frames, as in ``librosa.feature.delta``
    with ``mode="nearest"``. The transformer learns nothing.
    """

    def fit(self, X, y=None):
        """Do nothing."""
        return self

    def transform(self, X):
        """Return the statistics of every clip.

        Parameters
        ----------
        X : sequence of ndarray of shape (n_coefficients, n_frames_i)

        Returns
        -------
        ndarray of shape (n_clips, 6 * n_coefficients)
        """
        return np.array([self._statistics(clip) for clip in X], dtype=np.float32)

    def __sklearn_is_fitted__(self):
        return True

    def _statistics(self, clip):
        deltas = [
            savgol_filter(clip, DELTA_WIDTH, deriv=order, polyorder=order, mode="nearest") for order in (1, 2)
        ]
        rows = np.concatenate([clip, *deltas])
        return np.concatenate([rows.mean(axis=1), rows.std(axis=1)])


def calibrated(head, seed):
    """Return a detector on vectors with the threshold of ``make_detector``.

    Parameters
    ----------
    head : str or estimator
        Name of ``HEADS``, or a detector with ``score_samples``.
    seed : int

    Returns
    -------
    ThresholdedDetector
    """
    return make_detector(head=head, false_alarms=FALSE_ALARMS, random_state=seed)[-1]


def log_mel(memory=None):
    """Return the transformer from paths to mean and deviation of a log-mel spectrogram."""
    return make_pipeline(
        AudioLoader(16_000), LevelNormalizer(), MelTransformer(16_000, lazy=True), TemporalPooling()
    )


def mfcc(memory=None):
    """Return the transformer from paths to statistics of MFCCs and their deltas."""
    return make_pipeline(
        AudioLoader(16_000), LevelNormalizer(), MFCCTransformer(16_000, lazy=True), DeltaStatistics()
    )


def loudness(memory=None):
    """Return the transformer from paths to the level in dB, (n_clips, 1)."""
    return make_pipeline(AudioLoader(16_000), FunctionTransformer(levels))


def features():
    """Return the features by name: functions from a folder of embeddings, or None, to a transformer of paths.

    Returns
    -------
    dict of {str: callable}
        Backbones are those whose weights are on this machine.
    """
    made = {"log-mel": log_mel, "mfcc": mfcc}
    for name in available_backbones():
        made[name] = _embedding(name)
        if make_detector(name)["embed"].output != "clip":
            made[f"{name}:clip"] = _embedding(name, output="clip")
    return made


def _embedding(name, **settings):
    def embed(memory=None):
        return make_detector(name, memory=memory, **settings)[:-1]

    return embed


def heads():
    """Return the heads by name: functions from a seed to a calibrated detector, and whether the scores are random.

    Returns
    -------
    dict of {str: tuple of (callable, bool)}
        OneClassSVM is among the heads of ``make_detector``.
    """
    made = {name: (_named_head(name), False) for name in HEADS}
    for name in ("IsolationForest", "LocalOutlierFactor"):
        made[name] = _classical_head(name), name == "IsolationForest"
    return made


def _named_head(name):
    return lambda seed: calibrated(name, seed)


def _classical_head(name):
    return lambda seed: calibrated(classical_detectors(seed)[name], seed)


def configurations():
    """Return all configurations that can run on this machine, and the reasons why others cannot.

    Returns
    -------
    found : dict of {str: Configuration}
        In the order of running: fast ones first.
    left_out : dict of {str: str}
        Reason by name or pattern of names.
    """
    all_heads = heads()
    found = [
        Configuration(f"{feature}/{head}", feature, embed, detector, is_random)
        for feature, embed in features().items()
        for head, (detector, is_random) in all_heads.items()
    ]
    found.append(
        Configuration("loudness", "loudness", loudness, lambda seed: calibrated(LoudnessDetector(), seed))
    )
    missing = [name for name in BACKBONES if name not in available_backbones()]
    left_out = {f"{name}/*": "the weights are not on this machine" for name in missing}
    for name in MODULES:
        try:
            module = import_module(f".{name}", __package__)
        except ImportError as error:
            left_out[f"configurations of {name[1:]}"] = str(error)
            continue
        found += module.configurations()
        left_out |= getattr(module, "left_out", dict)()
    return {own.name: own for own in found}, left_out


def choose(patterns, found, left_out):
    """Return the configurations whose names match.

    Parameters
    ----------
    patterns : list of str
        Names, or patterns such as "mini/*".
    found : dict of {str: Configuration}
    left_out : dict of {str: str}

    Returns
    -------
    list of Configuration

    Raises
    ------
    ValueError
        If a pattern matches nothing. The message says why, if the configuration is known but cannot run.
    """
    chosen = {}
    for pattern in patterns:
        names = fnmatch.filter(found, pattern)
        if not names:
            reasons = [
                f"{name}: {reason}"
                for name, reason in left_out.items()
                if fnmatch.fnmatchcase(pattern, name) or fnmatch.fnmatchcase(name, pattern)
            ]
            raise ValueError(
                f"no configuration is named {pattern!r}"
                + (f" ({'; '.join(reasons)})." if reasons else f"; known names: {', '.join(found)}.")
            )
        chosen |= {name: found[name] for name in names}
    return [own for own in found.values() if own.name in chosen]
