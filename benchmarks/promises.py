"""Compare the false alarms of :class:`ThresholdedDetector` with the promised rate, over many draws of the clips.

Every draw has n normal clips of p features to fit, 200 new normal clips, and 20 clear anomalies. Features have a
standard normal distribution. Anomalies have 3 added to every feature. n near p is the ordinary case for embeddings, and
the hardest case for detectors with a covariance.

===========  =========================  =========================================
calibration  settings                   promise
===========  =========================  =========================================
ensemble     ``cv=5``, the default      keeps the models of the folds, estimated
half         ``cv=0.5``                 guaranteed on average
refit        ``cv=5, ensemble=False``   nothing is promised, for comparison
===========  =========================  =========================================

Both rates, 0.05 and 0.1, come from the same fits, by ``set_threshold``. A cell is left out if there are too few clips
for a rate. The columns of the tables:

=========  ==================================================================================================
column     meaning
=========  ==================================================================================================
promised   ``false_alarm_rate_``
proved     ``false_alarm_bound_``
observed   mean rate over the draws, with its standard error
excess     observed minus promised, in standard errors; above 4 the promise is broken
found      share of the anomalies that raise an alarm
warned     share of draws in which `fit` warned of another scale
=========  ==================================================================================================

Number of draws: 500. Whitened nearest neighbours get a fifth, isolation forests and robust covariances a tenth, and
networks a hundredth of the draws, because their fits take longer.

Goal: no excess above 4 with "ensemble" and "half", and every detector finds anomalies.

Run: ``python -m benchmarks.promises [--draws 500] [--jobs 2] [--detectors NAME ...]``; about an hour on two cores.
"""

import argparse
import warnings
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from sklearn import config_context
from sklearn.base import BaseEstimator, OutlierMixin
from sklearn.covariance import EllipticEnvelope, EmpiricalCovariance
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.mixture import GaussianMixture
from sklearn.pipeline import make_pipeline
from sklearn.svm import OneClassSVM

from skaudio_ad.detectors import AutoencoderDetector, NearestNeighborsDetector
from skaudio_ad.features import ShrinkageWhitener
from skaudio_ad.thresholds import ConformalThreshold, ThresholdedDetector

from ._report import RESULTS, Report, one_thread

RATES = (0.05, 0.1)
N_CLIPS, N_FEATURES = (20, 44, 100, 200), (3, 20, 40, 80)
N_NEW, N_ANOMALIES, SHIFT = 200, 20, 3.0
CALIBRATIONS = {"ensemble": {"cv": 5}, "half": {"cv": 0.5}, "refit": {"cv": 5, "ensemble": False}}


class Mahalanobis(OutlierMixin, BaseEstimator):
    """Minus the squared Mahalanobis distance, with the empirical covariance of the training clips (no shrinkage)."""

    def fit(self, X, y=None):
        """Estimate mean and covariance."""
        self.covariance_ = EmpiricalCovariance().fit(X)
        return self

    def score_samples(self, X):
        """Minus the squared distance of every clip."""
        return -self.covariance_.mahalanobis(X)


def detectors(seed: int) -> dict[str, tuple[Any, float]]:
    """Detectors by name, each with its share of the draws.

    Parameters
    ----------
    seed : int

    Returns
    -------
    dict of {str: tuple of (estimator, float)}
    """
    nearest = NearestNeighborsDetector(metric="euclidean")
    network = AutoencoderDetector(hidden_sizes=(16,), bottleneck_size=2, max_epochs=5, random_state=seed)
    return {
        "1-NN": (nearest, 1),
        "whitened 1-NN": (make_pipeline(ShrinkageWhitener(), nearest), 0.2),
        "PCA-whitened 1-NN": (make_pipeline(PCA(whiten=True), nearest), 1),
        "Mahalanobis": (Mahalanobis(), 1),
        "OneClassSVM": (OneClassSVM(nu=0.1), 1),
        "GaussianMixture": (GaussianMixture(2, init_params="random_from_data", random_state=seed), 1),
        "IsolationForest": (IsolationForest(n_estimators=20, random_state=seed), 0.1),
        "EllipticEnvelope": (EllipticEnvelope(random_state=seed), 0.1),
        "Autoencoder": (network, 0.01),
    }


def draw(name, n_clips, n_features, seed, calibrations=CALIBRATIONS):
    """False alarms and detections of one draw of clips.

    Parameters
    ----------
    name : str
        Name of the detector.
    n_clips, n_features : int
    seed : int
    calibrations : dict of {str: dict}, default=all
        Settings of ThresholdedDetector by name.

    Returns
    -------
    dict of {(str, float): tuple of float}
        Keys are the calibration and the requested rate. Values are the promised rate, the proved bound, the share of
        the new normal clips with an alarm, the share of the anomalies with an alarm, and whether `fit` warned. A key is
        absent if there are too few clips.
    """
    rng = np.random.default_rng([seed, n_clips, n_features])
    X = rng.standard_normal((n_clips, n_features))
    new = rng.standard_normal((N_NEW + N_ANOMALIES, n_features))
    new[N_NEW:] += SHIFT
    found = {}
    for calibration, settings in calibrations.items():
        detector = ThresholdedDetector(detectors(seed)[name][0], random_state=seed, **settings)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")  # singular covariances warn too
            detector.fit(X)
            scores = detector.score_samples(new)
        warned = any("on another scale" in str(warning.message) for warning in caught)
        for rate in RATES:
            try:
                detector.set_threshold(ConformalThreshold(rate))
            except ValueError:
                continue
            alarms = scores < detector.threshold_
            bound = detector.false_alarm_bound_
            found[calibration, rate] = (
                detector.false_alarm_rate_,
                np.nan if bound is None else bound,
                alarms[:N_NEW].mean(),
                alarms[N_NEW:].mean(),
                warned,
            )
    return found


def simulate(name, n_clips, n_features, n_draws, calibrations=CALIBRATIONS):
    """Rows of the table for one detector and size.

    Parameters
    ----------
    name : str
    n_clips, n_features, n_draws : int
    calibrations : dict of {str: dict}, default=all
        Settings of ThresholdedDetector by name.

    Returns
    -------
    list of dict
        "excess" is in standard errors. Other numbers are rates.
    """
    # Without these settings, thousands of fits of tiny matrices spend most of their time on checks.
    with one_thread(), config_context(assume_finite=True, skip_parameter_validation=True):
        draws = [draw(name, n_clips, n_features, seed, calibrations) for seed in range(n_draws)]
    rows = []
    for calibration, rate in draws[0]:
        promised, proved, alarms, detected, warned = np.transpose([made[calibration, rate] for made in draws])
        # The deviation is 0 if no draw has an alarm.
        error = max(alarms.std(ddof=1) / np.sqrt(n_draws), 1e-12)
        rows.append(
            {
                "detector": name,
                "clips": n_clips,
                "features": n_features,
                "draws": n_draws,
                "calibration": calibration,
                "asked": rate,
                "promised": promised.mean(),
                "proved": proved.mean(),
                "observed": alarms.mean(),
                "standard error": error,
                "excess": (alarms.mean() - promised.mean()) / error,
                "found": detected.mean(),
                "warned": warned.mean(),
            }
        )
    return rows


def format_row(row):
    """Format the numbers of a row as text."""
    digits = {"excess": ".1f", "found": ".2f", "warned": ".2f"}
    shown = {
        key: value if isinstance(value, (str, int)) else format(value, digits.get(key, ".3f"))
        for key, value in row.items()
    }
    if np.isnan(row["proved"]):
        shown["proved"] = "nothing"
    if row["calibration"] != "refit":
        shown["warned"] = ""
    return shown


def summarise(rows):
    """Find the worst cell of every calibration and detector, over sizes and rates.

    Parameters
    ----------
    rows : list of dict
        From :func:`simulate`.

    Returns
    -------
    list of dict
    """
    made = []
    for calibration in CALIBRATIONS:
        for name in dict.fromkeys(row["detector"] for row in rows):
            own = [row for row in rows if (row["calibration"], row["detector"]) == (calibration, name)]
            if not own:
                continue
            largest = max(own, key=lambda row: row["observed"] - row["asked"])
            made.append(
                {
                    "calibration": calibration,
                    "detector": name,
                    "cells": len(own),
                    "largest excess, standard errors": f"{max(row['excess'] for row in own):.1f}",
                    "cells above 4": sum(row["excess"] > 4 for row in own),
                    "highest rate": f"{largest['observed']:.3f} for {largest['promised']:.3f}",
                    "lowest rate for 0.1": f"{min(r['observed'] for r in own if r['asked'] == 0.1):.3f}",
                    "fewest found": f"{min(row['found'] for row in own):.2f}",
                }
            )
    return made


def main(arguments: list[str] | None = None) -> None:
    """Run the benchmark with command-line arguments; see the module's docstring."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.promises")
    parser.add_argument("--draws", type=int, default=500, help="draws of cheap detectors  [default: 500]")
    parser.add_argument("--jobs", type=int, default=2, help="processes  [default: 2]")
    parser.add_argument("--detectors", nargs="+", choices=list(detectors(0)), default=list(detectors(0)))
    parser.add_argument("--clips", nargs="+", type=int, default=N_CLIPS)
    parser.add_argument("--features", nargs="+", type=int, default=N_FEATURES)
    parser.add_argument("--output", default=RESULTS)
    options = parser.parse_args(arguments)
    report = Report(
        "promises",
        data=f"standard normal clips; {N_NEW} new ones and {N_ANOMALIES} anomalies a draw.",
        seed=0,
        folder=options.output,
    )
    rows = []
    for name in options.detectors:
        n_draws = max(2, round(options.draws * detectors(0)[name][1]))
        made = Parallel(options.jobs)(
            delayed(simulate)(name, n_clips, n_features, n_draws)
            for n_clips in options.clips
            for n_features in options.features
        )
        own = [row for part in made for row in part]
        rows += own
        report.table(name, [format_row(row) for row in own])
    report.table("worst of all sizes", summarise(rows), "An excess above 4 is a broken promise.")


if __name__ == "__main__":
    main()
