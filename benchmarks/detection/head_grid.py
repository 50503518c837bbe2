"""Heads by features by backbones on real recordings: which fixed combination is best over all sets together.

Sets, tasks and splits are those of ``benchmarks.detection.heads``. Every recording is brought to one level. Every
combination is fixed before any label is read, and the same for all tasks. Only the ranking is judged (AUC), so no
threshold is set. "minus default" is the difference of the mean AUC from the default of ``make_detector`` with a paired
bootstrap interval of 95 %: in every draw all combinations get the same resampled test clips of every task.

===========  =======================================================================================================
feature      values of a recording
===========  =======================================================================================================
clip         mean of the last map of the backbone over frequency and time
clip_stats   mean and deviation over time of the last map, without frequency
block13, 15  mean and deviation over time of an intermediate map, with frequency kept; both together by default
grid         last map with frequency and time kept, for heads that keep a memory of every band
log-mel      mean and deviation over time of a log-mel spectrogram of 128 bands, 16 kHz
===========  =======================================================================================================

Run: ``python -m benchmarks.detection.head_grid [--backbones mini mn04 log-mel] [--data-home FOLDER] [--sets NAME ...]
[--memory FOLDER]``. About 30 minutes on one core, most of them for embeddings, which `--memory` keeps.
"""

import argparse
import time
import warnings
from collections import defaultdict

import numpy as np
from scipy.stats import rankdata
from sklearn.mixture import GaussianMixture
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import OneClassSVM

from skaudio_ad import (
    AudioLoader,
    BandMemoryDetector,
    LevelNormalizer,
    MahalanobisDetector,
    MelTransformer,
    NearestNeighborsDetector,
    ScoreEnsemble,
    ShrinkageWhitener,
    TemporalPooling,
)
from skaudio_ad.embeddings import WeightsError
from skaudio_ad.presets import make_detector

from .._report import RESULTS, Report
from .heads import N_DRAWS, SETS, auc, resampled_aucs

BACKBONES = ("mini", "mn04", "log-mel")
VECTORS = ("clip", "clip_stats", "block13", "block15")
FEATURES = {**{name: (name,) for name in VECTORS}, "block13+15": ("block13", "block15")}
DEFAULT = "mini | block13+15 | whitened 1-NN"


def whitened(**settings):
    """Whitening, and neighbours behind it."""
    return make_pipeline(ShrinkageWhitener(), NearestNeighborsDetector(**settings))


def vector_heads():
    """Heads on one vector a recording, by name."""
    nearest, mahalanobis = whitened(), MahalanobisDetector()
    svm = make_pipeline(StandardScaler(), OneClassSVM())
    three = [("nearest", nearest), ("mahalanobis", mahalanobis), ("svm", svm)]
    densities = ("ratio", "difference", "varmin", "cluster-exit")
    return {
        "whitened 1-NN": nearest,
        "whitened 5-NN": whitened(n_neighbors=5),
        **{f"whitened 1-NN, {name}": whitened(normalization=name) for name in densities},
        "cosine 1-NN": NearestNeighborsDetector(metric="cosine"),
        **{
            f"cosine 1-NN, {name}": NearestNeighborsDetector(metric="cosine", normalization=name)
            for name in densities
        },
        "Mahalanobis": mahalanobis,
        "OneClassSVM": svm,
        "Gaussian": make_pipeline(
            StandardScaler(), GaussianMixture(covariance_type="diag", reg_covar=1e-3, random_state=0)
        ),
        "three heads, least anomalous z": ScoreEnsemble(three, combine="min", random_state=0),
        "three heads, mean z": ScoreEnsemble(three, combine="mean", random_state=0),
        "three heads, mean p": ScoreEnsemble(three, combine="mean", calibrate="p-value", random_state=0),
        "three heads, harmonic p": ScoreEnsemble(
            three, combine="harmonic", calibrate="p-value", random_state=0
        ),
        "three heads, Fisher": ScoreEnsemble(three, combine="fisher", calibrate="p-value", random_state=0),
    }


def grid_heads():
    """Heads that keep a memory of every band of a grid, by name."""
    return {
        "bands, mean over time": BandMemoryDetector(),
        "bands, mean over time, ratio": BandMemoryDetector(normalization="ratio"),
        "bands, rdp": BandMemoryDetector(time_pooling="rdp"),
    }


def features_of(backbone, paths, memory):
    """Yield (name, values, heads) of every feature of recordings."""
    if backbone == "log-mel":
        steps = AudioLoader(16_000), LevelNormalizer(), MelTransformer(16_000, lazy=True), TemporalPooling()
        yield "mean and deviation", make_pipeline(*steps).fit_transform(paths), vector_heads()
        return
    embed = make_detector(backbone, output=list(VECTORS), memory=memory)[:-1].fit(paths)
    values = embed.transform(paths)
    names = embed[-1].get_feature_names_out()
    for feature, outputs in FEATURES.items():
        starts = tuple(f"{backbone}_{output}{'_' if output[-1].isdigit() else ''}" for output in outputs)
        columns = [
            name.startswith(starts) and name[len(_longest(name, starts)) :].isdigit() for name in names
        ]
        yield feature, values[:, np.array(columns)], vector_heads()
    grid = make_detector(backbone, output="grid", memory=memory)[:-1].fit(paths)
    yield "grid", grid.transform(paths), grid_heads()


def _longest(name, starts):
    return max((start for start in starts if name.startswith(start)), key=len)


def run_set(tasks, backbones, memory, home):
    """Run every combination on the tasks of a set.

    Returns
    -------
    list of dict
        "task", "n_train", "is_normal" (a mask of the test clips), and "scores" and "seconds" by combination.
    """
    found, known = [], {}
    for task, paths, y, train, test in tasks(home):
        result = {"task": task, "n_train": len(train), "is_normal": y[test] == 1, "scores": {}, "seconds": {}}
        for backbone in backbones:
            if known.get(backbone, (None,))[0] != paths:  # splits and classes of one set share the recordings
                try:
                    known[backbone] = paths, list(features_of(backbone, paths, memory))
                except WeightsError:  # mn04 is not on the disk
                    known[backbone] = paths, []
            for feature, X, heads in known[backbone][1]:
                for head, detector in heads.items():
                    name = f"{backbone} | {feature} | {head}"
                    start = time.perf_counter()
                    with warnings.catch_warnings():
                        warnings.simplefilter("ignore")  # copies are a fact of these data sets
                        detector.fit(_rows(X, train))
                    result["scores"][name] = detector.score_samples(_rows(X, test))
                    result["seconds"][name] = time.perf_counter() - start
        found.append(result)
    return found


def _rows(X, rows):
    return [X[i] for i in rows] if isinstance(X, list) else X[rows]


def summarise(results):
    """Return one row for each combination: mean AUC of every set with its interval, mean, rank and difference."""
    draws = {name: resampled_aucs(tasks, N_DRAWS) for name, tasks in results.items()}
    names = list(next(iter(results.values()))[0]["scores"])
    means, ends = defaultdict(dict), defaultdict(dict)
    ranks = defaultdict(list)
    for set_name, tasks in results.items():
        table = np.array([[auc(task["is_normal"], task["scores"][name]) for task in tasks] for name in names])
        for name, row, rank in zip(names, table, rankdata(-table, axis=0).mean(axis=1)):
            means[name][set_name] = row.mean()
            ranks[name].append(rank)
            drawn = [draw[name] for draw in draws[set_name]]
            ends[name][set_name] = np.quantile(drawn, [0.025, 0.975])
    rows = []
    for name in names:
        backbone, feature, head = name.split(" | ")
        row = {"backbone": backbone, "feature": feature, "head": head}
        for set_name in results:
            low, high = ends[name][set_name]
            row[set_name] = f"{means[name][set_name]:.3f} [{low:.2f}, {high:.2f}]"
        row["mean"] = f"{np.mean(list(means[name].values())):.3f}"
        if DEFAULT in names:
            gaps = [
                np.mean([draws[s][i][name] - draws[s][i][DEFAULT] for s in results]) for i in range(N_DRAWS)
            ]
            gap = np.mean([means[name][s] - means[DEFAULT][s] for s in results])
            row["minus default"] = "{:+.3f} [{:+.3f}, {:+.3f}]".format(
                gap, *np.quantile(gaps, [0.025, 0.975])
            )
        row["mean rank"] = f"{np.mean(ranks[name]):.1f}"
        rows.append(row)
    return sorted(rows, key=lambda row: -float(row["mean"]))


def main(arguments=None):
    """Run the benchmark with command-line arguments; see the module's docstring."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.detection.head_grid")
    parser.add_argument("--backbones", nargs="+", choices=BACKBONES, default=list(BACKBONES))
    parser.add_argument("--data-home", help="folder of the data sets  [default: SKAUDIO_AD_DATA]")
    parser.add_argument("--sets", nargs="+", choices=list(SETS), default=list(SETS))
    parser.add_argument("--memory", help="folder that keeps embeddings  [default: none]")
    parser.add_argument("--output", default=RESULTS)
    options = parser.parse_args(arguments)
    results = {}
    for name in options.sets:
        try:
            results[name] = run_set(SETS[name], options.backbones, options.memory, options.data_home)
        except FileNotFoundError as error:
            print(f"benchmarks.detection.head_grid: {name} is left out: {error}")
    if not results:
        return
    report = Report(
        "head_grid",
        data=f"{', '.join(results)}; {', '.join(options.backbones)}; level rms.",
        seed=0,
        folder=options.output,
    )
    note = f"Means over the tasks of a set, with bootstrap intervals of 95 %. Default: {DEFAULT}."
    report.table("AUC", summarise(results), note)
    report.table(
        "AUC of every task",
        [
            {"set": name, "task": task["task"], "training clips": task["n_train"], "combination": combination}
            | {
                "AUC": f"{auc(task['is_normal'], scores):.3f}",
                "seconds": f"{task['seconds'][combination]:.2f}",
            }
            for name, tasks in results.items()
            for task in tasks
            for combination, scores in task["scores"].items()
        ],
    )


if __name__ == "__main__":
    main()
