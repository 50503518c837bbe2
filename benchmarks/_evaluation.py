"""Shared by the benchmarks of detection: classical detectors, loudness, AUCs and rates of false alarms."""

import numpy as np
from sklearn.ensemble import IsolationForest
from sklearn.neighbors import LocalOutlierFactor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import OneClassSVM

from skaudio_ad.metrics import anomaly_auc_score, bootstrap_interval


class Loudness:
    """Detector by loudness: distance of a clip's level in dB from the mean level of the training clips."""

    def fit(self, levels):
        """Compute the mean of ``levels``, (n_clips, 1)."""
        self.mean_ = float(np.mean(levels))
        return self

    def score_samples(self, levels):
        """Return the negative distance from the mean level, (n_clips,)."""
        return -np.abs(np.asarray(levels)[:, 0] - self.mean_)


def levels(clips):
    """Return the level of every clip in dB relative to full scale. Silence has a level of -120 dB.

    Parameters
    ----------
    clips : sequence of ndarray of shape (n_samples,)

    Returns
    -------
    ndarray of shape (n_clips, 1)
    """
    return np.array([[10 * np.log10(np.mean(np.square(clip, dtype=np.float64)) + 1e-12)] for clip in clips])


def classical_detectors(seed):
    """Return scikit-learn's detectors on features standardised by the training clips.

    The parameters are the defaults, except for 5 neighbours instead of 20, because some data sets have only 10 training
    clips.

    Parameters
    ----------
    seed : int

    Returns
    -------
    dict of {str: Pipeline}
    """
    models = {
        "IsolationForest": IsolationForest(random_state=seed),
        "OneClassSVM": OneClassSVM(),
        "LocalOutlierFactor": LocalOutlierFactor(n_neighbors=5, novelty=True),
    }
    return {name: make_pipeline(StandardScaler(), model) for name, model in models.items()}


def fit_and_score(model, X, y, train, test):
    """Train on some clips and test on others.

    Parameters
    ----------
    model : detector, pipeline or Loudness
    X : ndarray of shape (n_clips, ...)
    y : ndarray of shape (n_clips,)
    train, test : ndarray of int
        Positions of clips.

    Returns
    -------
    y, scores, flagged : ndarray of shape (n_test,)
        Labels and scores, and a mask of the clips below the detector's own threshold. `flagged` is None if the model
        has no threshold.
    """
    model.fit(X[train])
    flagged = model.predict(X[test]) == -1 if hasattr(model, "predict") else None
    return y[test], model.score_samples(X[test]), flagged


def auc_with_interval(y, scores):
    """Return the AUC with its bootstrap interval of 95 %, as text."""
    low, high = bootstrap_interval(anomaly_auc_score, y, scores)
    return f"{anomaly_auc_score(y, scores):.3f} [{low:.3f}, {high:.3f}]"


def mean_and_range(values):
    """Return the mean of numbers, and the range if there are several numbers, as text."""
    several = f" ({min(values):.3f}-{max(values):.3f})" if len(values) > 1 else ""
    return f"{np.mean(values):.3f}{several}"


def rates(runs):
    """Return the rates of false alarms and of detections, as means over the runs.

    Parameters
    ----------
    runs : list of tuple
        Results of :func:`fit_and_score`.

    Returns
    -------
    dict of {str: str}
        Rates as text, or empty texts if the detector has no threshold.
    """
    if runs[0][2] is None:
        return {"false alarms": "", "detected": ""}
    return {
        name: f"{np.mean([flagged[y == label].mean() for y, _, flagged in runs]):.0%}"
        for name, label in (("false alarms", 1), ("detected", -1))
    }
