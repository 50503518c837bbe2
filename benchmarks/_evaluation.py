"""What the benchmarks of published systems share: classical detectors, loudness, AUCs and rates of false alarms."""

import numpy as np
from sklearn.ensemble import IsolationForest
from sklearn.neighbors import LocalOutlierFactor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import OneClassSVM

from skaudio_ad.metrics import anomaly_auc_score, bootstrap_interval


class Loudness:
    """How far a clip's level in dB is from the mean level of the training clips."""

    def fit(self, levels):
        """Learn the mean level of ``levels``, (n_clips, 1)."""
        self.mean_ = float(np.mean(levels))
        return self

    def score_samples(self, levels):
        """Minus the distance from it, (n_clips,)."""
        return -np.abs(np.asarray(levels)[:, 0] - self.mean_)


def levels(clips):
    """Level of every clip in dB relative to full scale, silence as -120.

    Parameters
    ----------
    clips : sequence of ndarray of shape (n_samples,)

    Returns
    -------
    ndarray of shape (n_clips, 1)
    """
    return np.array([[10 * np.log10(np.mean(np.square(clip, dtype=np.float64)) + 1e-12)] for clip in clips])


def classical_detectors(seed):
    """scikit-learn's detectors on features standardised by the training clips.

    Its defaults but for 5 neighbours instead of 20, since there are as few as 10 training clips.

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
    """One run: train on some clips, test on others.

    Parameters
    ----------
    model : detector, pipeline or Loudness
    X : ndarray of shape (n_clips, ...)
    y : ndarray of shape (n_clips,)
    train, test : ndarray of int
        Positions.

    Returns
    -------
    y, scores, flagged : ndarray of shape (n_test,)
        Labels, scores, and whether the detector's own threshold calls the clip anomalous; `flagged` is None where the
        model has no threshold.
    """
    model.fit(X[train])
    flagged = model.predict(X[test]) == -1 if hasattr(model, "predict") else None
    return y[test], model.score_samples(X[test]), flagged


def auc_with_interval(y, scores):
    """AUC with its bootstrap interval of 95 %, as text."""
    low, high = bootstrap_interval(anomaly_auc_score, y, scores)
    return f"{anomaly_auc_score(y, scores):.3f} [{low:.3f}, {high:.3f}]"


def mean_and_range(values):
    """Mean of numbers, and their range where there are several, as text."""
    several = f" ({min(values):.3f}-{max(values):.3f})" if len(values) > 1 else ""
    return f"{np.mean(values):.3f}{several}"


def rates(runs):
    """Shares of the normal and of the anomalous clips that are called anomalous, as means over the runs.

    Parameters
    ----------
    runs : list of tuple
        From :func:`fit_and_score`.

    Returns
    -------
    dict of {str: str}
        Empty texts where the detector has no threshold.
    """
    if runs[0][2] is None:
        return {"false alarms": "", "detected": ""}
    return {
        name: f"{np.mean([flagged[y == label].mean() for y, _, flagged in runs]):.0%}"
        for name, label in (("false alarms", 1), ("detected", -1))
    }
