"""The default detector on real recordings, beside another backbone, log-mel statistics and loudness alone.

The sets and splits are those of ``benchmarks.detection.heads``. All detectors are calibrated alike, for a false-alarm
rate of 0.05, and get recordings at one level. No choice uses a label of the test clips. The README shows the table and
the picture.

==================  ================================================================================================
detector            consists of
==================  ================================================================================================
mini                ``make_detector()``
mn04                ``make_detector("mn04")``, if its weights are on the disk
log-mel, nearest    mean and deviation over time of a log-mel spectrogram of 16 kHz, with the head of ``make_detector``
log-mel, SVM        the same values, standardised, with scikit-learn's OneClassSVM
loudness            distance from the mean level of the training recordings in dB, without the one level
==================  ================================================================================================

Run: ``python -m benchmarks.detection.overview [--data-home FOLDER] [--sets NAME ...] [--memory FOLDER]``. About 10
minutes on one core.
"""

import argparse
import time
import warnings
from pathlib import Path

import numpy as np

from skaudio_ad.embeddings import WeightsError
from skaudio_ad.presets import make_detector

from .._report import RESULTS, Report
from ._configurations import FALSE_ALARMS, LoudnessDetector, calibrated, log_mel, loudness
from .heads import N_DRAWS, SETS, auc, mean_aucs, resampled_aucs

PICTURE = Path(__file__).parents[2] / "docs" / "images" / "real_recordings.png"


def contenders(memory):
    """Return a transformer from paths to vectors and a detector on the vectors, by name."""
    statistics, made = log_mel(), {}
    for backbone in ("mini", "mn04"):
        detector = make_detector(backbone, false_alarms=FALSE_ALARMS, memory=memory, random_state=0)
        made[backbone] = detector[:-1], detector[-1]
    for name, head in (("log-mel, nearest", "nearest"), ("log-mel, SVM", "one_class_svm")):
        made[name] = statistics, make_detector(head=head, false_alarms=FALSE_ALARMS, random_state=0)[-1]
    made["loudness"] = loudness(), calibrated(LoudnessDetector(), 0)
    return made


def run_set(tasks, memory, home):
    """Run every contender on the tasks of a set.

    Parameters
    ----------
    tasks : callable
        A value of ``heads.SETS``.
    memory, home : path-like or None

    Returns
    -------
    list of dict
        As from ``heads.run_task``, with the seconds of the features too.
    """
    found, known = [], {}
    for task, paths, y, train, test in tasks(home):
        result = {"task": task, "is_normal": y[test] == 1, "scores": {}, "alarms": {}, "seconds": {}}
        for name, (transformer, detector) in contenders(memory).items():
            key = repr(transformer)
            start = time.perf_counter()
            if known.get(key, (None,))[0] != paths:
                try:
                    known[key] = paths, transformer.fit(paths).transform(paths)
                except WeightsError:  # mn04 is not on the disk
                    continue
            X = known[key][1]
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # copies are a fact of these data sets
                detector.fit(X[train])
            scores = detector.score_samples(X[test])
            result["seconds"][name] = time.perf_counter() - start
            result["scores"][name], result["alarms"][name] = scores, scores < detector.threshold_
        found.append(result)
    return found


def intervals(tasks, n_draws=N_DRAWS):
    """Mean AUC of every contender, with an interval of 95 % from resampled test clips of every task."""
    draws = resampled_aucs(tasks, n_draws)
    means = mean_aucs(tasks)
    return {
        name: (means[name], *np.quantile([draw[name] for draw in draws], [0.025, 0.975])) for name in means
    }


def draw(areas, path):
    """Draw the mean AUC of every detector on every set."""
    from matplotlib.figure import Figure

    from skaudio_ad.inspection._drawing import CURVES, MARKERS

    figure = Figure(figsize=(8, 4), layout="constrained")
    ax = figure.subplots()
    names = list(next(iter(areas.values())))
    for number, name in enumerate(names):
        mean, low, high = np.array([own[name] for own in areas.values()]).T
        place = np.arange(len(areas)) + 0.14 * (number - (len(names) - 1) / 2)
        style = {"fmt": MARKERS[number], "color": CURVES[number], "capsize": 3, "markersize": 6}
        ax.errorbar(place, mean, [mean - low, high - mean], label=name, **style)
    ax.axhline(0.5, color="0.5", linestyle=":", label="a coin")
    ax.set_xticks(range(len(areas)), list(areas))
    ax.set(ylabel="mean AUC, with 95 % interval", title="Real recordings, trained on normal ones only")
    figure.legend(loc="outside lower center", ncols=6, frameon=False)
    path.parent.mkdir(exist_ok=True)
    figure.savefig(path, dpi=110)


def main(arguments=None):
    """Run the benchmark with command-line arguments; see the module's docstring."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.detection.overview")
    parser.add_argument("--data-home", help="folder of the data sets  [default: SKAUDIO_AD_DATA]")
    parser.add_argument("--sets", nargs="+", choices=list(SETS), default=list(SETS))
    parser.add_argument("--memory", help="folder that keeps embeddings  [default: none]")
    parser.add_argument("--picture", type=Path, default=PICTURE)
    parser.add_argument("--output", default=RESULTS)
    options = parser.parse_args(arguments)
    results = {}
    for name in options.sets:
        try:
            results[name] = run_set(SETS[name], options.memory, options.data_home)
        except FileNotFoundError as error:
            print(f"benchmarks.detection.overview: {name} is left out: {error}")
    if not results:
        return
    report = Report("overview", data=f"{', '.join(results)}; level rms", seed=0, folder=options.output)
    areas = {name: intervals(tasks) for name, tasks in results.items()}
    names = list(next(iter(areas.values())))
    shown = "{:.3f} [{:.3f}, {:.3f}]"
    report.table(
        "AUC",
        [
            {"detector": name, **{each: shown.format(*own[name]) for each, own in areas.items()}}
            for name in names
        ],
        "Means over the tasks of a set, with intervals of 95 %.",
    )
    rows = []
    for name in names:
        row = {"detector": name}
        for each, tasks in results.items():
            alarms = [
                (task["alarms"][name][task["is_normal"]], task["alarms"][name][~task["is_normal"]])
                for task in tasks
            ]
            rate, found = (np.mean([part[k].mean() for part in alarms]) for k in (0, 1))
            row[each] = f"{rate:.3f} / {found:.2f}"
        rows.append(row)
    report.table("false alarms / detected", rows, f"Requested rate of false alarms: {FALSE_ALARMS}.")
    report.table(
        "AUC of every task",
        [
            {"set": each, "task": task["task"]}
            | {name: f"{auc(task['is_normal'], task['scores'][name]):.3f}" for name in names}
            for each, tasks in results.items()
            for task in tasks
        ],
    )
    draw(areas, options.picture)


if __name__ == "__main__":
    main()
