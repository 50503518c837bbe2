"""Machines: the presets ``next_frame_lstm``, ``window_gru`` and ``dcase_baseline`` beside classical detectors.

``docs/examples/systems/plot_lstm_next_frame.py`` explains the systems. The data set is MIMII at -6 dB, microphone 0.
One detector per type of machine trains on the first six normal clips of every machine of this type. The test set is the
other normal clips and all anomalous clips. No choice uses a label. Every clip is first brought to one level
(``level="rms"``), because in MIMII loudness alone reveals many anomalies. "loudness" shows how much: it is the distance
of a clip's original level in dB from the mean level of the training clips.

"dcase_baseline" takes decibels without scaling, as published, and trains for 50 epochs instead of 100. In
"dcase_baseline, standardised" every band is standardised by the training clips, as in the recurrent presets, so that
the comparison is between detectors and not between scalers. The classical detectors take mean and standard deviation
over time of every band, standardised by the training clips, with scikit-learn's defaults, except for 5 neighbours of
LocalOutlierFactor.

Columns: AUCs of seed 0 with a bootstrap interval of the test clips; the mean over the machines, with the range over the
seeds if there are several; and rates, which are means over machines and seeds, at each detector's own threshold.

Run: ``python -m benchmarks.detection.machines [--data-home FOLDER] [--machines fan pump slider valve] [--epochs 50]
[--seeds 1]``. The benchmark needs MIMII, and takes about 3 minutes per machine and seed on one thread.
"""

import argparse
import time

import numpy as np

from skaudio_ad.datasets import load_mimii
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

MACHINES = ("fan", "pump", "slider", "valve")
# Number of normal training clips of every machine.
N_TRAIN = 6


def features(paths):
    """Compute the features of every recording.

    Parameters
    ----------
    paths : list of str

    Returns
    -------
    dict of {str: ndarray}
        "log-mel" has the shape (n_clips, n_bins, n_frames). "pooled" and "level" have the shape
        (n_clips, n_features).
    """
    load, level, mel = (step for _, step in make_preset("next_frame_lstm", level="rms").steps[:3])
    clips = load.set_params(channel=0).fit_transform(paths)
    spectrograms = mel.fit_transform(level.fit_transform(clips))
    return {
        "log-mel": spectrograms,
        "pooled": TemporalPooling().fit_transform(spectrograms),
        "level": levels(clips),
    }


def detectors(seed, epochs):
    """Return the contenders by name, each with its kind of features.

    Parameters
    ----------
    seed : int
    epochs : int
        Maximum number of epochs of any network. Recurrent networks train for at most 10 epochs.

    Returns
    -------
    dict of {str: tuple of (str, estimator)}
    """
    names = ("next_frame_lstm", "window_gru", "dcase_baseline")
    networks = {name: make_preset(name, level="rms", random_state=seed) for name in names}
    networks["dcase_baseline, standardised"] = make_preset("next_frame_lstm", level="rms").set_params(
        detector=make_preset("dcase_baseline", random_state=seed)[-1]
    )
    for model in networks.values():
        model.set_params(detector__max_epochs=min(model[-1].max_epochs, epochs))
    return {
        **{name: ("log-mel", model[3:]) for name, model in networks.items()},
        **{name: ("pooled", model) for name, model in classical_detectors(seed).items()},
        "loudness": ("level", Loudness()),
    }


def split(y, machine_id):
    """Return positions for training (the first normal clips of every machine) and for the test (all other clips)."""
    first = [np.flatnonzero((machine_id == name) & (y == 1))[:N_TRAIN] for name in np.unique(machine_id)]
    train = np.concatenate(first)
    return train, np.setdiff1d(np.arange(len(y)), train)


def evaluate(data, *, epochs, n_seeds):
    """Run every contender on one type of machine.

    Parameters
    ----------
    data : Bunch
        From ``load_mimii``.
    epochs, n_seeds : int

    Returns
    -------
    dict of {str: list of tuple}
        By name, one run a seed, from ``fit_and_score``.
    """
    X = features(data.paths)
    train, test = split(data.target, data.metadata["machine_id"])
    runs = {}
    for seed in range(n_seeds):
        for name, (kind, model) in detectors(seed, epochs).items():
            start = time.perf_counter()
            runs.setdefault(name, []).append(fit_and_score(model, X[kind], data.target, train, test))
            # Show progress, because the benchmark takes half an hour.
            print(
                f"{data.metadata['machine'][0]}, seed {seed}, {name}: {time.perf_counter() - start:.0f} s",
                flush=True,
            )
    return runs


def summarise(runs):
    """Return the rows of the table.

    Parameters
    ----------
    runs : dict of {str: dict}
        Results of :func:`evaluate` by machine.

    Returns
    -------
    list of dict
    """
    rows = []
    for name in next(iter(runs.values())):
        by_machine = {machine: contenders[name] for machine, contenders in runs.items()}
        aucs = [[anomaly_auc_score(*run[:2]) for run in seeds] for seeds in by_machine.values()]
        rows.append(
            {
                "detector": name,
                **{machine: auc_with_interval(*seeds[0][:2]) for machine, seeds in by_machine.items()},
                "mean over machines": mean_and_range(np.mean(aucs, axis=0)),
                **rates([run for seeds in by_machine.values() for run in seeds]),
            }
        )
    return rows


def main(arguments=None):
    """Run the benchmark with command-line arguments; see the module's docstring."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.detection.machines")
    parser.add_argument("--data-home", help="folder of MIMII  [default: SKAUDIO_AD_DATA]")
    parser.add_argument("--machines", nargs="+", choices=MACHINES, default=MACHINES)
    parser.add_argument(
        "--epochs", type=int, default=50, help="maximum number of epochs of any network  [default: 50]"
    )
    parser.add_argument("--seeds", type=int, default=1, help="number of seeds  [default: 1]")
    parser.add_argument("--output", default=RESULTS)
    options = parser.parse_args(arguments)
    try:
        sets = {machine: load_mimii(machine, data_home=options.data_home) for machine in options.machines}
    except FileNotFoundError as error:
        print(f"benchmarks.detection.machines is left out: {error}")
        return
    report = Report(
        "machines",
        data=f"MIMII at -6 dB, {', '.join(sets)}; {options.seeds} seeds 0, 1, ....",
        seed=0,
        folder=options.output,
    )
    runs = {
        machine: evaluate(data, epochs=options.epochs, n_seeds=options.seeds)
        for machine, data in sets.items()
    }
    counts = []
    for machine, data in sets.items():
        train, test = split(data.target, data.metadata["machine_id"])
        n_normal = np.sum(data.target[test] == 1)
        counts.append(f"{machine} {len(train)}, {n_normal} and {len(test) - n_normal}")
    report.table(
        "AUC [95 %]",
        summarise(runs),
        f"Numbers of training clips, normal and anomalous test clips: {'; '.join(counts)}. A recurrent network "
        f"trains for 10 epochs, a dense autoencoder for {options.epochs}.",
    )


if __name__ == "__main__":
    main()
