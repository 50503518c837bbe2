"""Thresholds: false alarms and detections of every selector, beside the false alarms that the selector promised.

Detectors: NearestNeighborsDetector ("1-NN") and scikit-learn's detectors on clip embeddings of a frozen MobileNet,
standardised by the training clips, and a small AutoencoderDetector on log-mel spectrograms. Each detector has a
``ThresholdedDetector`` around it. The selectors aim at a false-alarm rate of 0.1, which ten normal clips can promise.
For normal distributions this rate corresponds to 1.28 standard deviations. The selectors get only training clips, and
the first column says how these clips were scored:

- "5 folds", "leave one out" and "half" are ``cv=5``, ``"loo"`` and ``0.5``. The rows "by recording" use GroupKFold and
  GroupShuffleSplit, because in ESC-10 several clips are cut from one recording. ESC-10's own folds keep such clips
  together.
- "in-sample" scores the clips on which the detector was trained. Users of other tools do this, and the rows are only
  for contrast.
- "the detector's own" is ``predict`` of the detector itself, with its defaults.

Selectors that need anomalies get five, and these five are not in the test set. No setting is chosen by labels of test
clips.

Data sets:

- MIMII at -6 dB, all four types of machine. Training uses six random normal clips of every machine.
- HLS-CMDS without copies, split as "distinct" in ``benchmarks.detection.heart_lung``.
- ESC-10, one class against the nine others. Training uses all but one of the folds of the class.

Clips are brought to one level.

Columns: "promised" is the mean of ``false_alarm_rate_``. Rates are means over the test clips, and each clip has the
same weight in any number of splits. Intervals, of 95 %, are a bootstrap of test clips. The true uncertainty is larger,
because there are only as many thresholds as splits, and each threshold has its own rate. A selector refuses if it
cannot keep its promise, for example with too few clips.

Run: ``python -m benchmarks.detection.thresholds [--variant mn04] [--data-home FOLDER] [--splits 4] [--jobs 2]``. The
benchmark needs the weights of the variant, and at least one of MIMII, HLS-CMDS and ESC-10. It takes about 4 minutes on
two cores.
"""

import argparse
import warnings
from collections import Counter, defaultdict

import numpy as np
from joblib import Parallel, delayed
from sklearn.base import clone
from sklearn.ensemble import IsolationForest
from sklearn.neighbors import LocalOutlierFactor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import OneClassSVM

from skaudio_ad.audio import AudioLoader, LevelNormalizer
from skaudio_ad.datasets import load_esc10, load_hls_cmds, load_mimii
from skaudio_ad.detectors import AutoencoderDetector, NearestNeighborsDetector
from skaudio_ad.embeddings import MobileNetEmbedding, WeightsError, weights_path
from skaudio_ad.features import ClipScaler, MelTransformer
from skaudio_ad.metrics import bootstrap_interval
from skaudio_ad.thresholds import (
    ConformalThreshold,
    FBetaThreshold,
    GammaThreshold,
    MeanStdThreshold,
    ParetoTailThreshold,
    QuantileThreshold,
    ROCThreshold,
    ThresholdedDetector,
)

from .._report import RESULTS, Report, one_thread
from . import heart_lung, machines

RATE = 0.1
# Number of anomalies for selectors that need anomalies.
N_ANOMALIES = 5
NORMAL_ONLY = (
    ConformalThreshold(RATE),
    QuantileThreshold(RATE),
    GammaThreshold(RATE),
    ParetoTailThreshold(RATE, tail_fraction=0.5),
    MeanStdThreshold(1.28),
)
LABELLED = (
    ROCThreshold("closest"),
    ROCThreshold("fpr", value=RATE),
    ROCThreshold("tpr", value=0.8),
    FBetaThreshold(),
)
#: Selectors by the way in which their clips are scored.
SELECTORS = {
    "5 folds": (*NORMAL_ONLY, *LABELLED),
    "5 folds by recording": NORMAL_ONLY[:2],
    "5 folds, trained again": NORMAL_ONLY[:2],
    "leave one out": NORMAL_ONLY[:2],
    "half": NORMAL_ONLY,
    "half by recording": NORMAL_ONLY[:2],
    "in-sample": NORMAL_ONLY[1:3],
}
OWN = ("the detector's own", "")


def features(paths, variant, memory=None):
    """Compute the features of every recording.

    Parameters
    ----------
    paths : list of str
    variant : str
        Variant of MobileNetEmbedding.
    memory : path-like, default=None
        Folder of the cache of embeddings.

    Returns
    -------
    dict of {str: ndarray or list}
        "embeddings" has the shape (n_clips, n_features). "log-mel" has the shape (n_clips, n_bins, n_frames), or is
        a list.
    """
    clips = LevelNormalizer().fit_transform(AudioLoader(32000, channel=0).fit_transform(paths))
    # A step of 128 ms between frames, so that networks train in half a second.
    mel = MelTransformer(32000, n_fft=4096, hop_length=4096, n_mels=64)
    return {
        "embeddings": MobileNetEmbedding(variant, memory=memory).fit_transform(clips),
        "log-mel": mel.fit_transform(clips),
    }


def detectors(seed):
    """Return the detectors by name, each with its kind of features.

    Parameters
    ----------
    seed : int

    Returns
    -------
    dict of {str: tuple of (str, Pipeline)}
    """
    # scikit-learn's defaults, except for fewer trees, and 5 neighbours instead of 20, because half of the clips may be
    # few.
    heads = {
        "1-NN": NearestNeighborsDetector(),
        "OneClassSVM": OneClassSVM(),
        "LocalOutlierFactor": LocalOutlierFactor(n_neighbors=5, novelty=True),
        "IsolationForest": IsolationForest(n_estimators=30, random_state=seed),
    }
    network = AutoencoderDetector(
        hidden_sizes=(64, 64), max_epochs=20, early_stopping=None, random_state=seed
    )
    return {
        **{name: ("embeddings", make_pipeline(StandardScaler(), head)) for name, head in heads.items()},
        "autoencoder": ("log-mel", make_pipeline(ClipScaler("zscore", statistics="bin"), network)),
    }


def judge(model, X, y, train, handful, test, *, groups=None, seed=0):
    """Decide about the test clips by every selector.

    Parameters
    ----------
    model : detector or Pipeline
    X : ndarray of shape (n_clips, ...) or list
    y : ndarray of shape (n_clips,)
    train, handful, test : ndarray of int
        Positions of normal training clips, of anomalous clips for selectors that need anomalies, and of test clips.
    groups : ndarray of shape (n_clips,), default=None
        Recording from which every clip was cut.
    seed : int, default=0

    Returns
    -------
    dict of {(str, str): tuple of (float, ndarray of shape (n_test,)) or None}
        Promised rate and mask of the alarms. The key is the way of scoring and the selector. The value is None if the
        selector refuses. There is no entry for a combination that was not tried.
    """
    shown = np.concatenate([train, handful])
    X_train, X_shown, X_test = (_take(X, positions) for positions in (train, shown, test))
    ways = {
        "5 folds": {"cv": 5},
        "5 folds, trained again": {"cv": 5, "ensemble": False},
        "leave one out": {"cv": "loo"},
        "half": {"cv": 0.5},
    }
    if isinstance(model[-1], AutoencoderDetector):
        del ways["leave one out"]  # one network per clip would take too long
    if groups is not None:
        ways |= {"5 folds by recording": {"cv": 5}, "half by recording": {"cv": 0.5}}
    model = clone(model).fit(X_train)
    found = {OWN: (np.nan, model.predict(X_test) == -1)}
    scores, new_scores = model.score_samples(X_train), model.score_samples(X_test)
    for selector in SELECTORS["in-sample"]:
        try:
            selector = clone(selector).fit(scores)
        except ValueError:
            found["in-sample", repr(selector)] = None
        else:
            found["in-sample", repr(selector)] = (
                selector.false_alarm_rate_,
                selector.predict(new_scores) == -1,
            )
    for name, settings in ways.items():
        detector = ThresholdedDetector(model, QuantileThreshold(), random_state=seed, **settings)
        params = {"groups": groups[shown]} if name.endswith("by recording") else {}
        detector.fit(X_shown, y[shown], **params)
        new_scores = detector.score_samples(X_test)
        for selector in SELECTORS[name]:
            try:
                detector.set_threshold(selector)
            except ValueError:
                found[name, repr(selector)] = None
            else:
                alarms = ~(new_scores >= detector.threshold_)
                found[name, repr(selector)] = detector.false_alarm_rate_, alarms
    return found


def _take(X, positions):
    """Return the clips at `positions`. Spectrograms of different lengths are a list."""
    return X[positions] if isinstance(X, np.ndarray) else [X[position] for position in positions]


def tally(tasks, variant, *, n_jobs=1, memory=None):
    """Run every detector on every split.

    Parameters
    ----------
    tasks : list of (list of str, list of tuple)
        Results of :func:`mimii`, :func:`hls_cmds` or :func:`esc10`.
    variant : str
    n_jobs : int, default=1
    memory : path-like, default=None

    Returns
    -------
    dict of {str: list of (str, ndarray, ndarray, dict)}
        For every detector and split: name of the task, positions and labels of the test clips, and the result of
        :func:`judge`.
    """
    runs = defaultdict(list)
    for paths, splits in tasks:
        X = features(paths, variant, memory)
        jobs = [
            (name, detector, kind, model, split)
            for name, *split in splits
            for detector, (kind, model) in detectors(split[-1]).items()
        ]
        found = Parallel(n_jobs)(delayed(_run)(model, X[kind], *split) for _, _, kind, model, split in jobs)
        for (name, detector, _, _, split), decisions in zip(jobs, found):
            y, _, _, test, _, _ = split
            runs[detector].append((name, test, y[test], decisions))
        print(", ".join(dict.fromkeys(name for name, *_ in splits)), flush=True)  # show progress
    return runs


def _run(model, X, y, train, handful, test, groups, seed):
    with one_thread(), warnings.catch_warnings():
        # A gamma fit of scores that are not distances tries impossible shapes.
        warnings.simplefilter("ignore", RuntimeWarning)
        # The table shows the consequence of different scales.
        warnings.filterwarnings("ignore", "the models of the folds score clips on another scale", UserWarning)
        return judge(model, X, y, train, handful, test, groups=groups, seed=seed)


def summarise(runs):
    """Return the rows of the table.

    Parameters
    ----------
    runs : dict
        Result of :func:`tally`.

    Returns
    -------
    list of dict
    """
    rows = []
    tried = {key for splits in runs.values() for *_, found in splits for key in found}
    order = [OWN, *((way, repr(selector)) for way, selectors in SELECTORS.items() for selector in selectors)]
    for key in filter(tried.__contains__, order):
        promised, cells = [], {}
        for detector, splits in runs.items():
            made = [(name, test, y, found[key]) for name, test, y, found in splits if key in found]
            kept = [(name, test, y, *of) for name, test, y, of in made if of is not None]
            promised += [rate for *_, rate, _ in kept]
            texts = _rates(kept) if kept else ("refused" if made else "", "")
            if kept and len(kept) < len(made):
                texts = (f"{texts[0]}; refused in {len(made) - len(kept)} of {len(made)} splits", texts[1])
            cells[f"{detector}: false alarms"], cells[f"{detector}: detected"] = texts
        promise = "" if not promised or np.isnan(promised[0]) else f"{np.mean(promised):.1%}"
        rows.append({"scored by": key[0], "selector": key[1], "promised": promise, **cells})
    return rows


def _rates(splits):
    """Return the rates of false alarms and detections with their intervals, as text."""
    n_flagged, n_tested, labels = Counter(), Counter(), {}
    for name, test, y, _, flagged in splits:
        for position, label, alarm in zip(test, y, flagged):
            clip = (name, position)
            n_flagged[clip] += int(alarm)
            n_tested[clip] += 1
            labels[clip] = label
    y = np.array(list(labels.values()))
    share = np.array([n_flagged[clip] / n_tested[clip] for clip in labels])
    texts = []
    for label in (1, -1):

        def rate(y, share, label=label):
            return share[y == label].mean()

        low, high = bootstrap_interval(rate, y, share)
        texts.append(f"{100 * rate(y, share):.0f} % [{100 * low:.0f}, {100 * high:.0f}]")
    return tuple(texts)


def _split(y, train, test, seed, groups=None, handful_from=None):
    """Return a split. A handful of anomalies moves from the test clips to the selectors that need anomalies."""
    anomalies = np.flatnonzero(y == -1) if handful_from is None else handful_from
    handful = np.random.default_rng(seed).choice(anomalies, N_ANOMALIES, replace=False)
    return y, train, handful, np.setdiff1d(test, handful), groups, seed


def mimii(home, n_splits):
    """Return the recordings of every type of machine, and their splits.

    Parameters
    ----------
    home : path-like or None
    n_splits : int

    Returns
    -------
    list of (list of str, list of tuple)
        Paths and splits. A split has a name, labels, positions of the training clips, of the handful of anomalies and
        of the test clips, groups or None, and a seed.
    """
    tasks = []
    for machine in machines.MACHINES:
        data = load_mimii(machine, data_home=home)
        splits = []
        for seed in range(n_splits):
            order = np.random.default_rng(seed).permutation(len(data.target))
            # Take the first clips of every machine in this random order.
            train, _ = machines.split(data.target[order], data.metadata["machine_id"][order])
            train = order[train]
            test = np.setdiff1d(order, train)
            splits.append((machine, *_split(data.target, train, test, seed)))
        tasks.append((data.paths, splits))
    return tasks


def hls_cmds(home, n_splits):
    """Do the same as :func:`mimii` for the distinct recordings of heart and lung, with four times as many splits."""
    tasks = []
    for sound in ("heart", "lung"):
        data = load_hls_cmds(sound=sound, data_home=home)
        distinct = np.sort(np.unique(data.groups, return_index=True)[1])
        y = data.target[distinct]
        splits = [(sound, *_split(y, *heart_lung.split(y, seed), seed)) for seed in range(4 * n_splits)]
        tasks.append(([data.paths[index] for index in distinct], splits))
    return tasks


def esc10(home, n_splits):
    """Do the same as :func:`mimii` for every class against all others. Each split leaves out one of five folds."""
    data = load_esc10("dog bark", data_home=home)
    category, fold = data.metadata["category"], data.metadata["fold"]
    splits = []
    for own in np.unique(category):
        y = np.where(category == own, 1, -1)
        for seed in range(min(n_splits, 5)):
            left_out = fold == seed + 1
            train = np.flatnonzero((y == 1) & ~left_out)
            handful_from = np.flatnonzero((y == -1) & ~left_out)
            test = np.flatnonzero((y == -1) | left_out)
            splits.append((own, *_split(y, train, test, seed, data.metadata["clip"], handful_from)))
    return [(data.paths, splits)]


DATA = {"MIMII": mimii, "HLS-CMDS": hls_cmds, "ESC-10": esc10}


def main(arguments=None):
    """Run the benchmark with command-line arguments; see the module's docstring."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.detection.thresholds")
    parser.add_argument("--variant", default="mn04", help="variant of MobileNetEmbedding  [default: mn04]")
    parser.add_argument("--data-home", help="folder of the data sets  [default: SKAUDIO_AD_DATA]")
    parser.add_argument(
        "--splits", type=int, default=4, help="number of splits of MIMII and ESC-10  [default: 4]"
    )
    parser.add_argument("--jobs", type=int, default=2, help="number of processes  [default: 2]")
    parser.add_argument("--memory", help="folder of the cache of embeddings  [default: no cache]")
    parser.add_argument("--output", default=RESULTS)
    options = parser.parse_args(arguments)
    try:
        # Do not download without a request, because all benchmarks must run without a network.
        weights_path(options.variant, download=False)
    except WeightsError as error:
        print(f"benchmarks.detection.thresholds is left out: {error}")
        return
    sets = {}
    for name, load in DATA.items():
        try:
            sets[name] = load(options.data_home, options.splits)
        except FileNotFoundError as error:
            print(f"benchmarks.detection.thresholds: {name} is left out: {error}")
    if not sets:
        return
    report = Report(
        "thresholds",
        data=f"{', '.join(sets)}; {options.variant}; {options.splits} splits with the seeds 0, 1, ....",
        seed=0,
        folder=options.output,
    )
    for name, tasks in sets.items():
        runs = tally(tasks, options.variant, n_jobs=options.jobs, memory=options.memory)
        train = sorted({len(split[2]) for _, splits in tasks for split in splits})
        report.table(
            name,
            summarise(runs),
            f"{' to '.join(map(str, dict.fromkeys((train[0], train[-1]))))} normal training clips.",
        )


if __name__ == "__main__":
    main()
