"""Heart and lung sounds: the preset ``heart_lung`` beside classical detectors on the same splits.

The preset is the dense autoencoder on MFCCs of HLS-CMDS. ``docs/examples/systems/plot_heart_lung_autoencoder.py``
explains the system. Normal recordings are split 70/15/15 into training, validation (inside ``fit`` of the detector) and
test. All abnormal recordings are in the test set. No choice uses a label.

"by file" splits the files, as published. "distinct" first drops copies: the data set holds many recordings twice or
more often, and "by file" puts copies on both sides of the split. The classical detectors take mean and standard
deviation of the same MFCCs, standardised by the training clips, with scikit-learn's defaults. Only the number of
neighbours is 5 instead of 20, because some training sets have only 10 clips. "loudness" is the distance of a clip's
level in dB from the mean level of the training clips.

Columns: errors and their ratio are medians over the splits. The interval is a bootstrap within the first split, and the
range is over all splits. Rates are means, at each detector's own threshold.

Run: ``python -m benchmarks.detection.heart_lung [--data-home FOLDER] [--splits 10]``. The benchmark needs HLS-CMDS.
"""

import argparse

import numpy as np

from skaudio_ad.datasets import load_hls_cmds
from skaudio_ad.features import TemporalPooling
from skaudio_ad.metrics import anomaly_auc_score
from skaudio_ad.presets import make_preset

from .._evaluation import (
    Loudness,
    auc_with_interval,
    classical_detectors,
    fit_and_score,
    levels,
    mean_and_range,
    rates,
)
from .._report import RESULTS, Report


def detectors(seed):
    """Return the contenders by name, each with its kind of features.

    Parameters
    ----------
    seed : int

    Returns
    -------
    dict of {str: tuple of (str, estimator)}
    """
    return {
        "heart_lung": ("flat", make_preset("heart_lung", random_state=seed)[-2:]),
        **{name: ("pooled", model) for name, model in classical_detectors(seed).items()},
        "loudness": ("level", Loudness()),
    }


def features(paths):
    """Compute the features of every recording.

    Parameters
    ----------
    paths : list of str

    Returns
    -------
    dict of {str: ndarray of shape (n_clips, n_features)}
    """
    load, mfcc, flatten = (step for _, step in make_preset("heart_lung").steps[:3])
    clips = load.fit_transform(paths)
    coefficients = mfcc.fit_transform(clips)
    return {
        "flat": flatten.fit_transform(coefficients),
        "pooled": TemporalPooling().fit_transform(coefficients),
        "level": levels(clips),
    }


def split(y, seed):
    """Return positions for training (85 % of the normal clips) and for the test (all other clips)."""
    normal = np.random.default_rng(seed).permutation(np.flatnonzero(y == 1))
    n_test = max(2, round(0.15 * len(normal)))
    return normal[n_test:], np.concatenate([normal[:n_test], np.flatnonzero(y == -1)])


def evaluate(X, y, n_splits):
    """Return the rows of the table for one data set.

    Parameters
    ----------
    X : dict of {str: ndarray}
        Result of :func:`features`.
    y : ndarray of shape (n_clips,)
    n_splits : int

    Returns
    -------
    list of dict
    """
    rows = []
    for name in detectors(0):
        runs = []
        for seed in range(n_splits):
            train, test = split(y, seed)
            kind, model = detectors(seed)[name]
            runs.append(fit_and_score(model, X[kind], y, train, test))
        rows.append({"detector": name, **summarise(runs, errors=name == "heart_lung")})
    return rows


def summarise(runs, *, errors):
    """Return one row from (labels, scores, flagged) of every split. `errors` says that scores are negative errors."""
    row = {"normal error": "", "abnormal error": "", "ratio": ""}
    if errors:
        means = np.array([[-scores[y == 1].mean(), -scores[y == -1].mean()] for y, scores, _ in runs])
        row["normal error"], row["abnormal error"] = (f"{value:.4f}" for value in np.median(means, axis=0))
        row["ratio"] = f"{np.median(means[:, 1] / means[:, 0]):.2f}"
    return {
        **row,
        **rates(runs),
        "AUC of split 0 [95 %]": auc_with_interval(*runs[0][:2]),
        "mean AUC (range)": mean_and_range([anomaly_auc_score(y, scores) for y, scores, _ in runs]),
    }


def main(arguments=None):
    """Run the benchmark with command-line arguments; see the module's docstring."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.detection.heart_lung")
    parser.add_argument("--data-home", help="folder of HLS-CMDS  [default: SKAUDIO_AD_DATA]")
    parser.add_argument("--splits", type=int, default=10)
    parser.add_argument("--output", default=RESULTS)
    options = parser.parse_args(arguments)
    try:
        sets = {sound: load_hls_cmds(sound=sound, data_home=options.data_home) for sound in ("heart", "lung")}
    except FileNotFoundError as error:
        print(f"benchmarks.detection.heart_lung is left out: {error}")
        return
    report = Report(
        "heart_lung",
        data=f"HLS-CMDS, {options.splits} splits with the seeds 0, 1, ....",
        seed=0,
        folder=options.output,
    )
    for sound, data in sets.items():
        X = features(data.paths)
        keep = np.sort(np.unique(data.groups, return_index=True)[1])
        for how, chosen in (("by file", np.arange(len(data.target))), ("distinct", keep)):
            y = data.target[chosen]
            rows = evaluate({kind: values[chosen] for kind, values in X.items()}, y, options.splits)
            report.table(
                f"{sound}, {how}", rows, f"{np.sum(y == 1)} normal and {np.sum(y == -1)} abnormal recordings."
            )


if __name__ == "__main__":
    main()
