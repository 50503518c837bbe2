"""Judge checkpoints of the small backbone on real recordings: AUC of whitened nearest neighbours on every output.

The sets and splits are those of ``benchmarks.detection.heads``. Labels of real recordings are used, so every run is a
look at the development sets. Count the runs, and judge all sets together.

``--speed 2`` plays recordings of at most 4 kHz twice as fast: samples at half the rate are declared to have the full
rate. Recordings of other sets are played as they are.

Run: ``python -m benchmarks.pretraining.judge CHECKPOINT [CHECKPOINT ...] [--average] [--speed 2]``. With ``--average``
the mean of the weights of all checkpoints is judged too. About 3 minutes on one core for each checkpoint.
"""

import argparse
import tempfile
import warnings
from pathlib import Path

import numpy as np
import torch

from skaudio_ad.audio import AudioClips, AudioLoader, LevelNormalizer
from skaudio_ad.detectors import NearestNeighborsDetector
from skaudio_ad.embeddings import MobileNetEmbedding
from skaudio_ad.features import ShrinkageWhitener
from skaudio_ad.metrics import anomaly_auc_score

from .._report import RESULTS, Report
from ..detection.heads import SETS
from .export import write_packaged_weights

OUTPUTS = ("clip", "clip_stats", "block11", "block13", "block15", "multilevel")
#: Features that are compared: outputs, or several outputs side by side.
FEATURES = [(output,) for output in OUTPUTS] + [("block11", "block15"), ("block13", "block15")]
_LOW_RATE_SETS = ("HLS-CMDS", "PhysioNet")  # 4 kHz and 2 kHz


def average(checkpoints):
    """Mean of the weights of several state dicts. All must descend from one start, or the mean is no network."""
    first = checkpoints[0]
    return {
        name: torch.stack([each[name].float() for each in checkpoints]).mean(0)
        if value.is_floating_point()
        else value
        for name, value in first.items()
    }


def read_student(path):
    """State dict of `features` in a checkpoint."""
    content = torch.load(path, map_location="cpu", weights_only=True)
    return content.get("student", content)


def embed(paths, weights, speed):
    """Every output of every recording, (n_clips, n_values), by name."""
    network = MobileNetEmbedding("mini", weights=weights, output=list(OUTPUTS))
    rate = 32_000 // speed
    clips = LevelNormalizer().fit_transform(AudioLoader(rate).fit_transform(paths))
    if speed != 1:
        clips = AudioClips([np.asarray(clip) for clip in clips], 32_000)
    values = network.fit_transform(clips)
    sizes = [len(MobileNetEmbedding("mini", output=output).get_feature_names_out()) for output in OUTPUTS]
    return dict(zip(OUTPUTS, np.split(values, np.cumsum(sizes)[:-1], axis=1)))


def judge(weights, data_home, speed=1):
    """AUC of every feature on every set, as rows of a table.

    Parameters
    ----------
    weights : path-like
        File of packaged weights.
    data_home : path-like or None
    speed : int, default=1

    Returns
    -------
    list of dict
    """
    aucs = {feature: {name: [] for name in SETS} for feature in FEATURES}
    for name, tasks in SETS.items():
        embedded, X = None, {}
        for _, paths, y, train, test in tasks(data_home):
            if paths != embedded:
                X, embedded = embed(paths, weights, speed if name in _LOW_RATE_SETS else 1), paths
            for feature in FEATURES:
                both = np.concatenate([X[output] for output in feature], axis=1)
                whitener = ShrinkageWhitener().fit(both[train])
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # copies are a fact of these data sets
                    detector = NearestNeighborsDetector().fit(whitener.transform(both[train]))
                scores = detector.score_samples(whitener.transform(both[test]))
                aucs[feature][name].append(anomaly_auc_score(y[test], scores))
    rows = []
    for feature, own in aucs.items():
        means = {name: np.mean(values) for name, values in own.items()}
        shown = {name: f"{value:.3f}" for name, value in means.items()}
        rows.append({"output": " + ".join(feature), **shown, "mean": f"{np.mean(list(means.values())):.3f}"})
    return rows


def main(arguments=None):
    """Judge the checkpoints of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("checkpoints", type=Path, nargs="+")
    parser.add_argument("--average", action="store_true")
    parser.add_argument("--speed", type=int, default=1)
    parser.add_argument("--data-home")
    parser.add_argument("--output", default=RESULTS)
    options = parser.parse_args(arguments)
    students = {path.name: read_student(path) for path in options.checkpoints}
    if options.average:
        students["average"] = average(list(students.values()))
    report = Report(
        "mini", data=f"{', '.join(SETS)}; played {options.speed} times as fast", seed=0, folder=options.output
    )
    with tempfile.TemporaryDirectory() as folder:
        for name, student in students.items():
            path = Path(folder) / "mini.safetensors"
            write_packaged_weights(student, path)
            report.table(
                name, judge(path, options.data_home, options.speed), "Whitened 1-NN, mean AUC over the tasks."
            )


if __name__ == "__main__":
    main()
