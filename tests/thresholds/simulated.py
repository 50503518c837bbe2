"""Ensembles of many draws of clips, simulated at once.

`ThresholdedDetector` spends most of the time of a small fit on checks. The functions here score the clips of all draws
with arrays of shape (n_draws, n_clips, n_features), and use the package only to combine the scores of the folds.
"""

import numpy as np
from sklearn.covariance import EmpiricalCovariance
from sklearn.decomposition import PCA

from benchmarks.promises import N_ANOMALIES, N_NEW, RATES, SHIFT, detectors
from skaudio_ad import ConformalThreshold
from skaudio_ad.thresholds._cross_conformal import cross_conformal_scores


def distances(points, bank):
    """Euclidean distances between the points and the bank of every draw, shape (n_draws, n_points, n_bank)."""
    squares = (points**2).sum(2)[:, :, np.newaxis] + (bank**2).sum(2)[:, np.newaxis]
    return np.sqrt(np.maximum(squares - 2 * points @ bank.transpose(0, 2, 1), 0))


def nearest(train, new):
    """Minus the distance to the nearest training clip."""
    return -distances(new, train).min(axis=2)


def whitened_nearest(train, new):
    """Minus the distance to the nearest training clip after PCA whitening, with a PCA for every draw."""
    fitted = [PCA(whiten=True).fit(clips) for clips in train]
    whitened = [
        np.array([pca.transform(clips) for pca, clips in zip(fitted, part)], dtype=np.float64)
        for part in (train, new)
    ]
    return nearest(*whitened)


def mahalanobis(train, new):
    """Minus the squared distance by the covariance of the training clips."""
    covariances = [EmpiricalCovariance().fit(clips) for clips in train]
    centred = new - np.array([fitted.location_ for fitted in covariances])[:, np.newaxis]
    precisions = np.array([fitted.get_precision() for fitted in covariances])
    return -np.einsum("dnp,dnp->dn", centred @ precisions, centred)


def each(name):
    """Fit the detector of the benchmark once for every draw."""

    def score(train, new):
        return np.array(
            [detectors(0)[name][0].fit(clips).score_samples(others) for clips, others in zip(train, new)]
        )

    return score


CHEAP = {
    "1-NN": nearest,
    "PCA-whitened 1-NN": whitened_nearest,
    "Mahalanobis": mahalanobis,
    "OneClassSVM": each("OneClassSVM"),
    "GaussianMixture": each("GaussianMixture"),
}


def draw_clips(n, p, n_folds, n_draws):
    """Clips to fit, new clips of which the last are anomalies, and the number of the fold of every clip to fit."""
    rng = np.random.default_rng([0, n, p])
    clips = rng.standard_normal((n_draws, n, p))
    new = rng.standard_normal((n_draws, N_NEW + N_ANOMALIES, p))
    new[:, N_NEW:] += SHIFT
    return clips, new, np.arange(n) % n_folds


def score_by_folds(name, clips, new, folds):
    """Scores of held-out clips (n_draws, n_clips), and of new clips by every model (n_folds, n_draws, n_new)."""
    held_out, by_model = np.empty(clips.shape[:2]), []
    for number in range(folds.max() + 1):
        own = folds == number
        scores = CHEAP[name](clips[:, ~own], np.concatenate([clips[:, own], new], axis=1))
        held_out[:, own] = scores[:, : own.sum()]
        by_model.append(scores[:, own.sum() :])
    return held_out, np.array(by_model)


def decide(held_out, by_model, folds, rate):
    """Alarms of one draw, and the promised rate."""
    selector = ConformalThreshold(rate).fit(held_out)
    return cross_conformal_scores(by_model, held_out, folds) < selector.threshold_, selector.false_alarm_rate_


def simulate_ensembles(name, n, p, n_folds, n_draws):
    """Rows like those of `benchmarks.promises.simulate`, one for every rate."""
    clips, new, folds = draw_clips(n, p, n_folds, n_draws)
    held_out, by_model = score_by_folds(name, clips, new, folds)
    rows = []
    for rate in RATES:
        made = [decide(held_out[draw], by_model[:, draw], folds, rate) for draw in range(n_draws)]
        alarms = np.array([alarm[:N_NEW].mean() for alarm, _ in made])
        found = np.mean([alarm[N_NEW:].mean() for alarm, _ in made])
        error = max(alarms.std(ddof=1) / np.sqrt(n_draws), 1e-12)
        excess = (alarms.mean() - made[0][1]) / error
        rows.append({"detector": name, "asked": rate, "excess": excess, "found": found})
    return rows
