"""Machines: the presets ``next_frame_lstm``, ``window_gru`` and ``dcase_baseline`` beside classical detectors.

``docs/examples/plot_lstm_next_frame.py`` tells the story. MIMII at -6 dB, microphone 0. The first six normal clips of
every machine of a type train one detector for all of them; the other normal clips and all anomalous ones test. No label
takes part in any choice. Every clip is brought to one level first (``level="rms"``), since in MIMII loudness alone
gives much away: "loudness", the distance of a clip's level in dB before that from the training clips' mean level, says
how much.

"dcase_baseline" takes decibels as they are, as published, for 50 epochs instead of 100; "dcase_baseline, standardised"
has every band standardised by the training clips, as the recurrent presets have, so that detectors are compared and not
scalers. The classical detectors take mean and standard deviation over time of every band, standardised by the training
clips, with scikit-learn's defaults but for 5 neighbours of LocalOutlierFactor.

Columns: AUCs with a bootstrap interval of the test clips, of seed 0; their mean over the machines, and its range over
the seeds where there are several; rates are means over machines and seeds, at each detector's own threshold.

Run: ``python -m benchmarks.detection.machines [--data-home FOLDER] [--machines fan pump slider valve] [--epochs 50]
[--seeds 1]``; needs MIMII. Some 3 minutes a machine and seed on one thread.
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
N_TRAIN = 6  # normal clips of every machine


def features(paths):
    """What the contenders take of every recording.

    Parameters
    ----------
    paths : list of str

    Returns
    -------
    dict of {str: ndarray}
        "log-mel", (n_clips, n_bins, n_frames), "pooled" and "level", (n_clips, n_features).
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
    """Contenders by name, each with the features it takes.

    Parameters
    ----------
    seed : int
    epochs : int
        The most for any network; the recurrent ones have 10 of their own.

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
    """Positions to train on and to test on: the first normal clips of every machine, and all others."""
    first = [np.flatnonzero((machine_id == name) & (y == 1))[:N_TRAIN] for name in np.unique(machine_id)]
    train = np.concatenate(first)
    return train, np.setdiff1d(np.arange(len(y)), train)


def evaluate(data, *, epochs, n_seeds):
    """Runs of every contender on one type of machine.

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
            # The only sign of life for half an hour.
            print(
                f"{data.metadata['machine'][0]}, seed {seed}, {name}: {time.perf_counter() - start:.0f} s",
                flush=True,
            )
    return runs


def summarise(runs):
    """Rows of the table.

    Parameters
    ----------
    runs : dict of {str: dict}
        By machine, from :func:`evaluate`.

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
    parser.add_argument("--epochs", type=int, default=50, help="the most of any network  [default: 50]")
    parser.add_argument("--seeds", type=int, default=1, help="how many  [default: 1]")
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
        f"Clips to train on, normal and anomalous ones to test: {'; '.join(counts)}. A recurrent network trains for 10 "
        f"epochs, a dense autoencoder for {options.epochs}.",
    )


if __name__ == "__main__":
    main()
