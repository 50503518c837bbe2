"""Label-free scorers: how well ``pseudo_anomaly_scorer`` and ``inlier_variance_scorer`` rank detectors.

Candidates, in `candidates`: nearest neighbours, one-class SVMs, an isolation forest, a local outlier factor and
Gaussian densities, with and without scaling and PCA. Each candidate runs on log-mel statistics (mean and standard
deviation of every band over time) and on clip embeddings of a frozen MobileNet. The label-free score of a candidate is
its mean over the folds of a cross-validation of the normal training clips, as in GridSearchCV. Pseudo-anomalies are
made from the features themselves (``before=0``), so that all candidates get the same pseudo-anomalies. The true score
is the AUC on test clips, which are used for no other purpose.

Data sets:

- MIMII at -6 dB, one type of machine at a time, split as in ``benchmarks.detection.machines``.
- HLS-CMDS without copies, as "distinct" in ``benchmarks.detection.heart_lung``.
- ESC-10, one class against the nine others. The class trains on folds 1 to 4 and is tested on fold 5.

Clips are brought to one level.

Columns, by scorer: Spearman's rank correlation of the two scores over the candidates (1 for the same order, 0 for no
relation), and the AUC of the candidate with the highest label-free score (the mean if several are equal). "mean AUC" is
the expectation of a random choice, and "best AUC" is the best choice with labels. If a scorer has no value for a fold,
the fold counts as the scorer's lowest value. HLS-CMDS has means over the splits.

Run: ``python -m benchmarks.detection.label_free [--variant mn04] [--data-home FOLDER] [--splits 3]``. The benchmark
needs the weights of the variant, and at least one of MIMII, HLS-CMDS and ESC-10. It takes about 3 minutes on one
thread.
"""

import argparse
import warnings

import numpy as np
from scipy.stats import spearmanr
from sklearn.base import clone
from sklearn.covariance import EllipticEnvelope
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import KFold, cross_validate
from sklearn.neighbors import LocalOutlierFactor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import OneClassSVM

from skaudio_ad.audio import AudioLoader, LevelNormalizer
from skaudio_ad.datasets import load_esc10, load_hls_cmds, load_mimii
from skaudio_ad.detectors import NearestNeighborsDetector
from skaudio_ad.embeddings import MobileNetEmbedding, WeightsError, weights_path
from skaudio_ad.features import MelTransformer, TemporalPooling
from skaudio_ad.metrics import anomaly_auc_score
from skaudio_ad.model_selection import inlier_variance_scorer, pseudo_anomaly_scorer

from .._report import RESULTS, Report
from . import heart_lung, machines

SCORERS = {
    "extrapolate": pseudo_anomaly_scorer("extrapolate", before=0),
    "resample": pseudo_anomaly_scorer("resample", before=0),
    "inlier variance": inlier_variance_scorer(),
}


def features(paths, variant):
    """Compute the features of every recording.

    Parameters
    ----------
    paths : list of str
    variant : str
        Variant of MobileNetEmbedding.

    Returns
    -------
    dict of {str: ndarray of shape (n_clips, n_features)}
    """
    clips = LevelNormalizer().fit_transform(AudioLoader(32000, channel=0).fit_transform(paths))
    statistics = make_pipeline(MelTransformer(32000, lazy=True), TemporalPooling())
    return {
        "log-mel": statistics.fit_transform(clips),
        variant: MobileNetEmbedding(variant).fit_transform(clips),
    }


def candidates():
    """Return the detectors to choose from, by name.

    Returns
    -------
    dict of {str: Pipeline}
    """
    detectors = {}
    for k in (1, 2, 4):
        detectors[f"{k}-NN"] = make_pipeline(NearestNeighborsDetector(n_neighbors=k))
        detectors[f"{k}-NN, scaled"] = make_pipeline(
            StandardScaler(), NearestNeighborsDetector(n_neighbors=k)
        )
        detectors[f"{k}-NN, cosine"] = make_pipeline(NearestNeighborsDetector(n_neighbors=k, metric="cosine"))
    for nu in (0.1, 0.5):
        for gamma in ("scale", 1e-4, 1e-2):
            name = f"OneClassSVM, nu {nu}, gamma {gamma}"
            detectors[name] = make_pipeline(OneClassSVM(nu=nu, gamma=gamma))
            detectors[f"{name}, scaled"] = make_pipeline(StandardScaler(), OneClassSVM(nu=nu, gamma=gamma))
    detectors["IsolationForest"] = make_pipeline(IsolationForest(n_estimators=50, random_state=0))
    detectors["LocalOutlierFactor, scaled"] = make_pipeline(
        StandardScaler(), LocalOutlierFactor(n_neighbors=3, novelty=True)
    )
    for n_components in (2, 5):
        pca = PCA(n_components, random_state=0)
        # All training clips are normal, so the covariance uses all of them.
        detectors[f"EllipticEnvelope, PCA of {n_components}"] = make_pipeline(
            StandardScaler(), pca, EllipticEnvelope(support_fraction=1.0, random_state=0)
        )
    detectors["1-NN, PCA of 5"] = make_pipeline(
        StandardScaler(), PCA(5, random_state=0), NearestNeighborsDetector()
    )
    for n_components in (1, 2):
        density = GaussianMixture(n_components, covariance_type="diag", reg_covar=1e-2, random_state=0)
        detectors[f"GaussianMixture of {n_components}, scaled"] = make_pipeline(StandardScaler(), density)
    return detectors


def judge(X, y, train, test):
    """Return true and label-free scores of every candidate on one kind of features.

    Parameters
    ----------
    X : ndarray of shape (n_clips, n_features)
    y : ndarray of shape (n_clips,)
    train, test : ndarray of int
        Positions of clips. The training clips are normal.

    Returns
    -------
    ndarray of shape (n_candidates, 1 + n_scorers)
        The AUC on the test clips, then the scores of `SCORERS`.
    """
    folds = KFold(min(5, len(train) // 2), shuffle=True, random_state=0)
    table = []
    for model in candidates().values():
        with warnings.catch_warnings():
            # Ignore scorers without a value for a fold, and degenerate densities.
            warnings.simplefilter("ignore")
            found = cross_validate(clone(model), X[train], cv=folds, scoring=SCORERS)
            model.fit(X[train])
        values = [np.nan_to_num(found[f"test_{name}"], nan=0.0).mean() for name in SCORERS]
        table.append([anomaly_auc_score(y[test], model.score_samples(X[test])), *values])
    return np.array(table)


def row(name, table):
    """Return one row: how well every scorer ranks the candidates of a data set.

    Parameters
    ----------
    name : str
        Name of the data set.
    table : ndarray of shape (n_candidates, 1 + n_scorers)
        Result of :func:`judge`.

    Returns
    -------
    dict
    """
    auc = table[:, 0]
    found = {"data": name, "best AUC": auc.max(), "mean AUC": auc.mean()}
    for scorer, values in zip(SCORERS, table[:, 1:].T):
        tied = np.ptp(values) == 0 or np.ptp(auc) == 0
        found[f"{scorer}: rank correlation"] = 0.0 if tied else spearmanr(auc, values)[0]
        found[f"{scorer}: AUC of its choice"] = auc[values == values.max()].mean()
    return found


def summarise(rows):
    """Return the rows as text, then a row of means and a row with the numbers of positive correlations.

    Parameters
    ----------
    rows : list of dict
        Results of :func:`row`.

    Returns
    -------
    list of dict
    """
    columns = list(rows[0])[1:]
    mean = {"data": f"mean of {len(rows)}"} | {
        column: np.mean([row[column] for row in rows]) for column in columns
    }
    positive = {"data": "correlations above 0"} | dict.fromkeys(columns, "")
    for column in columns:
        if column.endswith("correlation"):
            positive[column] = str(sum(row[column] > 0 for row in rows))
    as_text = [
        {name: value if isinstance(value, str) else f"{value:.2f}" for name, value in row.items()}
        for row in (*rows, mean)
    ]
    return [*as_text, positive]


def mimii(home, n_splits):
    """Return the recordings of every type of machine, with names and splits.

    Parameters
    ----------
    home : path-like or None
    n_splits : int
        Number of splits, for data sets without their own split. Other data sets ignore this value.

    Returns
    -------
    list of (list of str, dict of str to list of tuple)
        Paths, and a dict from the name of the row to its splits. A split has labels, training and test positions.
    """
    tasks = []
    for machine in machines.MACHINES:
        data = load_mimii(machine, data_home=home)
        split = machines.split(data.target, data.metadata["machine_id"])
        tasks.append((data.paths, {f"MIMII {machine}": [(data.target, *split)]}))
    return tasks


def hls_cmds(home, n_splits):
    """Do the same as :func:`mimii` for the distinct recordings of heart and lung."""
    tasks = []
    for sound in ("heart", "lung"):
        data = load_hls_cmds(sound=sound, data_home=home)
        distinct = np.sort(np.unique(data.groups, return_index=True)[1])
        y = data.target[distinct]
        splits = [(y, *heart_lung.split(y, seed)) for seed in range(n_splits)]
        tasks.append(([data.paths[index] for index in distinct], {f"HLS-CMDS {sound}": splits}))
    return tasks


def esc10(home, n_splits):
    """Do the same as :func:`mimii` for every class against all others."""
    data = load_esc10("dog bark", data_home=home)
    splits = {}
    for category in np.unique(data.metadata["category"]):
        own = data.metadata["category"] == category
        train = np.flatnonzero(own & (data.metadata["fold"] != 5))
        test = np.setdiff1d(np.arange(len(own)), train)
        splits[f"ESC-10 {category}"] = [(np.where(own, 1, -1), train, test)]
    return [(data.paths, splits)]


DATA = {"MIMII": mimii, "HLS-CMDS": hls_cmds, "ESC-10": esc10}


def main(arguments=None):
    """Run the benchmark with command-line arguments; see the module's docstring."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.detection.label_free")
    parser.add_argument("--variant", default="mn04", help="variant of MobileNetEmbedding  [default: mn04]")
    parser.add_argument("--data-home", help="folder of the data sets  [default: SKAUDIO_AD_DATA]")
    parser.add_argument("--splits", type=int, default=3, help="number of splits of HLS-CMDS  [default: 3]")
    parser.add_argument("--output", default=RESULTS)
    options = parser.parse_args(arguments)
    variant = options.variant
    try:
        # Do not download without a request, because all benchmarks must run without a network.
        weights_path(variant, download=False)
    except WeightsError as error:
        print(f"benchmarks.detection.label_free is left out: {error}")
        return
    tasks, there = [], []
    for name, load in DATA.items():
        try:
            tasks += load(options.data_home, options.splits)
            there.append(name)
        except FileNotFoundError as error:
            print(f"benchmarks.detection.label_free: {name} is left out: {error}")
    if not tasks:
        return
    report = Report(
        "label_free",
        data=f"{', '.join(there)}; {variant}; {options.splits} splits of HLS-CMDS with the seeds 0, 1, ....",
        seed=0,
        folder=options.output,
    )
    rows = {"log-mel": [], variant: [], "both": []}
    for paths, sets in tasks:
        X = features(paths, variant)
        for name, splits in sets.items():
            tables = {kind: np.mean([judge(X[kind], *split) for split in splits], axis=0) for kind in X}
            tables["both"] = np.concatenate(list(tables.values()))
            for kind, table in tables.items():
                rows[kind].append(row(name, table))
            print(name, flush=True)  # show progress, because a data set takes minutes
    n_candidates = len(candidates())
    titles = {
        "log-mel": f"{n_candidates} candidates on log-mel statistics",
        variant: f"{n_candidates} candidates on {variant} embeddings",
        "both": f"{2 * n_candidates} candidates on both",
    }
    for kind, title in titles.items():
        report.table(title, summarise(rows[kind]))


if __name__ == "__main__":
    main()
