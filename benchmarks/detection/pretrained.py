"""Pretrained embeddings: simple detectors on a frozen MobileNet beside log-mel statistics, and tags of the network.

``docs/examples/embeddings/plot_pretrained_embeddings.py`` explains the system. Every clip is brought to one level,
resampled to 32 kHz and embedded once for each output. The detectors train only on normal clips, and no choice uses a
label.

Detectors:

- "1-NN" is NearestNeighborsDetector with its defaults on values standardised by the training clips. Frames are
  standardised per band (ClipScaler).
- "cosine" is the same detector with the cosine metric, on values without scaling.
- "OneClassSVM" has scikit-learn's defaults.
- "log-mel" is mean and standard deviation over time of MelTransformer's bands. It runs at 16 kHz, the rate of MIMII,
  and at 32 kHz on the clips that the network gets. Resampling leaves the upper bands of these clips empty.
- "loudness" is the distance of a clip's original level in dB from the mean level of the training clips. Compare every
  other AUC with it.

MIMII at -6 dB, microphone 0: one detector per type of machine trains on the first six normal clips of every machine, as
in ``benchmarks.detection.machines``. The level matters to the network, because its front end takes log(x + 1e-5).
Therefore there are two tables: -20 dB, the default of LevelNormalizer, and -26 dB. At -26 dB our AUCs equal those of
another implementation, whose level is not known:

======================  ======  =====  =====  ====
Other implementation    slider  pump   valve  fan
======================  ======  =====  =====  ====
1-NN, clip              .95     .77    .58    .36
1-NN, multi-level       .85     .67    .50    .53
OneClassSVM                            .79
======================  ======  =====  =====  ====

HLS-CMDS: splits as in ``benchmarks.detection.heart_lung``. "by file" splits the files, and the AUCs are too high,
because about half of the files are exact copies of others and are on both sides of a split. "distinct" first drops the
copies.

ESC-10: a clip is recognised if one of the names in `TAGS` is among the five most likely of AudioSet's 527 classes.

Columns: AUCs with a bootstrap interval of the test clips (on HLS-CMDS of the first split), and the range over the
splits. Rates are means, at each detector's own threshold.

Run: ``python -m benchmarks.detection.pretrained [--variant mn04] [--data-home FOLDER] [--splits 10]``. The benchmark
needs the weights of the variant, and at least one of MIMII, HLS-CMDS and ESC-10. It takes about 5 minutes on one
thread.
"""

import argparse

import numpy as np
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import OneClassSVM

from skaudio_ad.audio import AudioLoader, LevelNormalizer
from skaudio_ad.datasets import load_esc10, load_hls_cmds, load_mimii
from skaudio_ad.detectors import NearestNeighborsDetector
from skaudio_ad.embeddings import MobileNetEmbedding, WeightsError, class_labels, weights_path
from skaudio_ad.features import ClipScaler, MelTransformer, TemporalPooling
from skaudio_ad.metrics import anomaly_auc_score

from .._evaluation import Loudness, auc_with_interval, fit_and_score, levels, mean_and_range, rates
from .._report import RESULTS, Report
from . import heart_lung, machines

OUTPUTS = ("clip", "multilevel", "frames")
LEVELS = (-20.0, -26.0)  # dB relative to full scale
#: AudioSet's names for the classes of ESC-10: the class itself, and kinds or parts of the class.
TAGS = {
    "Dog bark": ("Dog", "Bark", "Yip", "Howl", "Bow-wow", "Growling", "Whimper (dog)"),
    "Rooster": ("Chicken, rooster", "Crowing, cock-a-doodle-doo"),
    "Rain": ("Rain", "Raindrop", "Rain on surface"),
    "Chainsaw": ("Chainsaw",),
    "Helicopter": ("Helicopter",),
    "Baby cry": ("Baby cry, infant cry", "Crying, sobbing"),
    "Sea waves": ("Ocean", "Waves, surf"),
    "Clock tick": ("Clock", "Tick", "Tick-tock"),
    "Person sneeze": ("Sneeze",),
    "Fire crackling": ("Fire", "Crackle"),
}


def features(paths, variant, level):
    """Compute the features of every recording.

    Parameters
    ----------
    paths : list of str
    variant : str
        Variant of MobileNetEmbedding.
    level : float
        Level of the normalised clips, in dB relative to full scale.

    Returns
    -------
    dict of {str: ndarray}
        "frames" has the shape (n_clips, n_features, n_frames). All others have the shape (n_clips, n_features).
    """
    normalizer = LevelNormalizer(target_level=level)
    X = {"level": levels(AudioLoader(16000, channel=0).fit_transform(paths))}
    for rate in (16000, 32000):
        clips = normalizer.fit_transform(AudioLoader(rate, channel=0).fit_transform(paths))
        statistics = make_pipeline(MelTransformer(rate, lazy=True), TemporalPooling())
        X[f"log-mel {rate // 1000} kHz"] = statistics.fit_transform(clips)
    return X | {output: MobileNetEmbedding(variant, output=output).fit_transform(clips) for output in OUTPUTS}


def detectors(variant):
    """Return the contenders by name, each with its kind of features.

    Parameters
    ----------
    variant : str

    Returns
    -------
    dict of {str: tuple of (str, estimator)}
    """

    def standardised(detector):
        return make_pipeline(StandardScaler(), detector)

    sequences = make_pipeline(ClipScaler("zscore", statistics="bin"), NearestNeighborsDetector())
    return {
        "log-mel 16 kHz, 1-NN": ("log-mel 16 kHz", standardised(NearestNeighborsDetector())),
        "log-mel 16 kHz, OneClassSVM": ("log-mel 16 kHz", standardised(OneClassSVM())),
        "log-mel 32 kHz, 1-NN": ("log-mel 32 kHz", standardised(NearestNeighborsDetector())),
        f"{variant} clip, 1-NN": ("clip", standardised(NearestNeighborsDetector())),
        f"{variant} clip, 1-NN, cosine": ("clip", NearestNeighborsDetector(metric="cosine")),
        f"{variant} clip, OneClassSVM": ("clip", standardised(OneClassSVM())),
        f"{variant} multilevel, 1-NN": ("multilevel", standardised(NearestNeighborsDetector())),
        f"{variant} frames, 1-NN": ("frames", sequences),
        "loudness": ("level", Loudness()),
    }


def machine_runs(data, variant, level):
    """Run every contender on one type of machine.

    Parameters
    ----------
    data : Bunch
        Result of ``load_mimii``.
    variant : str
    level : float

    Returns
    -------
    dict of {str: list of tuple}
        One result of ``fit_and_score`` by name.
    """
    X = features(data.paths, variant, level)
    train, test = machines.split(data.target, data.metadata["machine_id"])
    return {
        name: [fit_and_score(model, X[kind], data.target, train, test)]
        for name, (kind, model) in detectors(variant).items()
    }


def split_rows(X, y, variant, n_splits):
    """Return the rows of a table of random splits.

    Parameters
    ----------
    X : dict of {str: ndarray}
        Result of :func:`features`.
    y : ndarray of shape (n_clips,)
    variant : str
    n_splits : int

    Returns
    -------
    list of dict
    """
    rows = []
    for name, (kind, model) in detectors(variant).items():
        runs = [fit_and_score(model, X[kind], y, *heart_lung.split(y, seed=seed)) for seed in range(n_splits)]
        rows.append(
            {
                "detector": name,
                "AUC of split 0 [95 %]": auc_with_interval(*runs[0][:2]),
                "mean AUC (range)": mean_and_range([anomaly_auc_score(*run[:2]) for run in runs]),
                **rates(runs),
            }
        )
    return rows


def tag_rows(category, tags):
    """Return the rows of a table: number of recognised clips of every class.

    Parameters
    ----------
    category : ndarray of str of shape (n_clips,)
        Classes of ESC-10.
    tags : list of list of (str, float)
        Result of ``predict_tags``.

    Returns
    -------
    list of dict
    """
    heard = np.array([any(name in TAGS[own] for name, _ in found) for own, found in zip(category, tags)])
    rows = [
        {
            "class": own,
            "clips": np.sum(category == own),
            "recognised": np.sum(heard[category == own]),
            "AudioSet's names for it": "; ".join(names),
        }
        for own, names in TAGS.items()
    ]
    return [
        *rows,
        {"class": "all", "clips": len(heard), "recognised": heard.sum(), "AudioSet's names for it": ""},
    ]


def main(arguments=None):
    """Run the benchmark with command-line arguments; see the module's docstring."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.detection.pretrained")
    parser.add_argument("--variant", default="mn04", help="variant of MobileNetEmbedding  [default: mn04]")
    parser.add_argument("--data-home", help="folder of the data sets  [default: SKAUDIO_AD_DATA]")
    parser.add_argument("--splits", type=int, default=10, help="number of splits of HLS-CMDS  [default: 10]")
    parser.add_argument("--output", default=RESULTS)
    options = parser.parse_args(arguments)
    home, variant = options.data_home, options.variant
    try:
        # Do not download without a request, because all benchmarks must run without a network.
        weights_path(variant, download=False)
        class_labels(download=False)
    except WeightsError as error:
        print(f"benchmarks.detection.pretrained is left out: {error}")
        return
    loaders = {
        "MIMII": lambda: {name: load_mimii(name, data_home=home) for name in machines.MACHINES},
        "HLS-CMDS": lambda: {name: load_hls_cmds(sound=name, data_home=home) for name in ("heart", "lung")},
        "ESC-10": lambda: load_esc10("dog bark", data_home=home),
    }
    sets = {}
    for name, load in loaders.items():
        try:
            sets[name] = load()
        except FileNotFoundError as error:
            print(f"benchmarks.detection.pretrained: {name} is left out: {error}")
    if not sets:
        return
    report = Report(
        "pretrained",
        data=f"{', '.join(sets)}; {variant}; {options.splits} splits of HLS-CMDS with the seeds 0, 1, ....",
        seed=0,
        folder=options.output,
    )
    if "MIMII" in sets:
        for level in LEVELS:
            runs = {name: machine_runs(data, variant, level) for name, data in sets["MIMII"].items()}
            report.table(
                f"MIMII, clips at {level:g} dB",
                machines.summarise(runs),
                "Each type has 24 training clips, and 16 normal and 20 anomalous test clips, so the intervals are "
                "wide. Loudness tells fans apart, because the first recordings of a class share a background.",
            )
    for sound, data in sets.get("HLS-CMDS", {}).items():
        X = features(data.paths, variant, LEVELS[0])
        distinct = np.sort(np.unique(data.groups, return_index=True)[1])
        for how, chosen in (("by file", np.arange(len(data.target))), ("distinct", distinct)):
            y = data.target[chosen]
            rows = split_rows(
                {kind: values[chosen] for kind, values in X.items()}, y, variant, options.splits
            )
            report.table(
                f"{sound}, {how}", rows, f"{np.sum(y == 1)} normal and {np.sum(y == -1)} abnormal recordings."
            )
    if "ESC-10" in sets:
        clips = AudioLoader(32000).fit_transform(sets["ESC-10"].paths)
        tags = MobileNetEmbedding(variant).predict_tags(clips, top=5)
        report.table(
            "ESC-10, class among the five most likely of AudioSet",
            tag_rows(sets["ESC-10"].metadata["category"], tags),
        )


if __name__ == "__main__":
    main()
