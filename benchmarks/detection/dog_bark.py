"""Dog barks: the preset ``dog_bark_vae`` beside classical detectors, and classifiers of its two losses per clip.

``docs/examples/systems/plot_dog_bark_vae.py`` explains the system. The data set is ESC-10, with dog barks as the
normal class. The variational autoencoders (VAEs) and all other detectors train on the barks of folds 1 to 4. The test
set is the barks of fold 5 and all clips of the other nine classes. No choice uses a label.

Detectors:

- "convolutional VAE" is the preset on the first 1, 2 and 3 s, with 32 16 8 8 8 filters and batches of 8. With the
  preset's batches of 64, an epoch on 27 barks would have only one step. ``--published`` adds the preset with its
  published 512 256 128 64 32 filters, once, with seed 0.
- "dense VAE" is VAEDetector with its defaults on 2-D features: mean, deviation and maximum over time of every band of
  the log-mel spectrogram of 5 s.
- The classical detectors take the same statistics, standardised by the training barks, with scikit-learn's defaults,
  except for 5 neighbours of LocalOutlierFactor.
- "nearest bark" is the distance to the nearest training bark in these statistics.
- "loudness" is the distance of a clip's level in dB from the mean level of the training barks.

A VAE has three scores: RL, the reconstruction loss; KL, the Kullback-Leibler divergence of the posterior from the
prior; and the Mahalanobis distance from the held-out barks in the plane of RL and KL.

Classifiers of (RL, KL): five VAEs train on the barks of four folds each, and compute RL and KL of all clips of the
fifth fold. The classifiers are cross-validated over the same folds. The published accuracies, on other barks, are 0.900
(identity) and 0.902 (relu).

Columns: the interval is a bootstrap of the test clips with the models of seed 0. The range is over the seeds.

Run: ``python -m benchmarks.detection.dog_bark [--data-home FOLDER] [--seeds 10] [--published]``. The benchmark needs
ESC-10, and takes about 15 minutes on one thread. ``--published`` adds about 40 minutes. ``--epochs 1`` is a quick try.
"""

import argparse

import numpy as np
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, balanced_accuracy_score
from sklearn.model_selection import PredefinedSplit, cross_val_predict
from sklearn.neighbors import NearestNeighbors
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skaudio_ad.datasets import load_esc10
from skaudio_ad.detectors import RLKLClassifier, VAEDetector
from skaudio_ad.features import TemporalPooling
from skaudio_ad.metrics import anomaly_auc_score
from skaudio_ad.presets import make_preset

from .._evaluation import Loudness, auc_with_interval, classical_detectors, levels, mean_and_range
from .._report import RESULTS, Report

SECONDS = (1, 2, 3)
SMALL = {"filters": (32, 16, 8, 8, 8), "batch_size": 8}


class NearestClip(NearestNeighbors):
    """Detector by the distance to the nearest training clip."""

    def score_samples(self, X):
        """Return the negative Euclidean distance, (n_clips,)."""
        return -self.kneighbors(X, n_neighbors=1)[0][:, 0]


def features(paths):
    """Compute the features of every recording.

    Parameters
    ----------
    paths : list of str

    Returns
    -------
    dict of {str: ndarray}
        "1 s", "2 s" and "3 s" have the shape (n_clips, n_bins, n_frames). "statistics" and "level" have the shape
        (n_clips, n_features).
    """
    X = {
        f"{seconds} s": make_preset("dog_bark_vae", duration=seconds)[:-1].fit_transform(paths)
        for seconds in SECONDS
    }
    load, mel = (step for _, step in make_preset("dog_bark_vae", duration=5).steps[:2])
    clips = load.fit_transform(paths)
    return X | {
        "statistics": TemporalPooling(("mean", "std", "max")).fit_transform(mel.fit_transform(clips)),
        "level": levels(clips),
    }


def vaes(seed, *, published=False, **limits):
    """Return variational autoencoders by name, each with its kind of features.

    Parameters
    ----------
    seed : int
    published : bool, default=False
        Whether to add the networks of the published size.
    **limits : dict
        Parameters for all networks.

    Returns
    -------
    dict of {str: tuple of (str, Pipeline)}
    """
    settings = {"score_by": "mahalanobis", "random_state": seed, **limits}
    sizes = {"": SMALL, ", published size": {}} if published else {"": SMALL}
    convolutional = {
        f"convolutional VAE{size}, {seconds} s": (
            f"{seconds} s",
            make_preset("dog_bark_vae", **network, **settings)[-1:],
        )
        for size, network in sizes.items()
        for seconds in SECONDS
    }
    dense = {
        name: ("statistics", make_pipeline(StandardScaler(), VAEDetector(**settings, **batches)))
        for name, batches in (("dense VAE", {}), ("dense VAE, batch_size=8", {"batch_size": 8}))
    }
    return convolutional | dense


def detectors(seed, **options):
    """Return all contenders by name, each with its kind of features. `options` are the options of :func:`vaes`."""
    return {
        **vaes(seed, **options),
        "nearest bark": ("statistics", make_pipeline(StandardScaler(), NearestClip())),
        **{name: ("statistics", model) for name, model in classical_detectors(seed).items()},
        "loudness": ("level", Loudness()),
    }


def all_scores(model, X):
    """Return scores by the name of their loss. A variational autoencoder has three scores."""
    if not hasattr(model, "transform"):
        return {"": model.score_samples(X)}
    rl, kl = model.transform(X).T
    return {"RL": -rl, "KL": -kl, "distance in the plane": model.score_samples(X)}


def one_class_rows(X, y, fold, *, n_seeds, published=False, **limits):
    """Return the rows of a table: AUC of every detector that trains only on barks.

    Parameters
    ----------
    X : dict of {str: ndarray}
        Result of :func:`features`.
    y, fold : ndarray of shape (n_clips,)
    n_seeds : int
    published : bool, default=False
        Whether to add the networks of the published size, only with seed 0.
    **limits : dict
        Parameters for all networks.

    Returns
    -------
    list of dict
    """
    train = (y == 1) & (fold < 5)
    runs = {}
    for seed in range(n_seeds):
        for name, (kind, model) in detectors(seed, published=published and seed == 0, **limits).items():
            model.fit(X[kind][train])
            for score, values in all_scores(model, X[kind][~train]).items():
                runs.setdefault((name, score), []).append(values)
    return [
        {
            "detector": name,
            "score": score,
            "AUC of seed 0 [95 %]": auc_with_interval(y[~train], values[0]),
            "mean AUC (range)": mean_and_range([anomaly_auc_score(y[~train], value) for value in values]),
        }
        for (name, score), values in runs.items()
    ]


def out_of_fold(model, X, y, fold):
    """Return (RL, KL) of every clip, (n_clips, 2), by the VAE that trained on the barks of the other folds."""
    features = np.empty((len(X), 2))
    for seen, unseen in PredefinedSplit(fold).split():
        features[unseen] = model.fit(X[seen[y[seen] == 1]]).transform(X[unseen])
    return features


def judge(classifier, features, y, fold):
    """Return accuracy, balanced accuracy and AUC of a classifier, cross-validated over the folds."""
    proba = cross_val_predict(classifier, features, y, cv=PredefinedSplit(fold), method="predict_proba")[:, 1]
    said = np.where(proba >= 0.5, 1, -1)
    return accuracy_score(y, said), balanced_accuracy_score(y, said), anomaly_auc_score(y, proba)


def classification_rows(X, y, fold, *, n_seeds, published=False, **limits):
    """Return the rows of a table: metrics of classifiers of (RL, KL).

    Parameters
    ----------
    X, y, fold, n_seeds, published, **limits
        The same as for :func:`one_class_rows`.

    Returns
    -------
    list of dict
    """
    results = {("none", "the larger class"): [judge(DummyClassifier(), np.zeros((len(y), 2)), y, fold)]}
    for seed in range(n_seeds):
        classifiers = {
            "RLKLClassifier, identity": RLKLClassifier(activation="identity", random_state=seed, **limits),
            "RLKLClassifier, relu": RLKLClassifier(activation="relu", random_state=seed, **limits),
            "LogisticRegression": make_pipeline(StandardScaler(), LogisticRegression(C=np.inf)),
        }
        for name, (kind, model) in vaes(seed, published=published and seed == 0, **limits).items():
            if kind in ("1 s", "2 s"):
                continue
            features = out_of_fold(model, X[kind], y, fold)
            for classifier, estimator in classifiers.items():
                results.setdefault((name, classifier), []).append(judge(estimator, features, y, fold))
    return [
        {
            "(RL, KL) of": name,
            "classifier": classifier,
            **{
                column: mean_and_range(values)
                for column, values in zip(("accuracy", "balanced accuracy", "AUC"), zip(*runs))
            },
        }
        for (name, classifier), runs in results.items()
    ]


def main(arguments=None):
    """Run the benchmark with command-line arguments; see the module's docstring."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.detection.dog_bark")
    parser.add_argument("--data-home", help="folder of ESC-10  [default: SKAUDIO_AD_DATA]")
    parser.add_argument("--seeds", type=int, default=10, help="number of seeds  [default: 10]")
    parser.add_argument("--published", action="store_true", help="add the network of the published size")
    parser.add_argument("--epochs", type=int, help="number of epochs of every network  [default: its own]")
    parser.add_argument("--output", default=RESULTS)
    options = parser.parse_args(arguments)
    try:
        data = load_esc10("dog bark", data_home=options.data_home)
    except FileNotFoundError as error:
        print(f"benchmarks.detection.dog_bark is left out: {error}")
        return
    y, fold = data.target, data.metadata["fold"]
    report = Report(
        "dog_bark",
        data=f"ESC-10, {np.sum(y == 1)} barks and {np.sum(y == -1)} other clips; {options.seeds} seeds 0, 1, ....",
        seed=0,
        folder=options.output,
    )
    X = features(data.paths)
    settings = {"n_seeds": options.seeds, "published": options.published}
    if options.epochs is not None:
        settings["max_epochs"] = options.epochs
    n_train = np.sum((y == 1) & (fold < 5))
    report.table(
        "One-class detectors",
        one_class_rows(X, y, fold, **settings),
        f"{n_train} barks for training and {np.sum(y == 1) - n_train} barks for the test, so the intervals are wide. "
        "The settings of the dense VAE are VAEDetector's defaults. A choice of batch_size by the nine other classes, "
        "each in turn as the normal class and without barks, gives 8, so the table also has rows with this value.",
    )
    report.table(
        "Classifiers of (RL, KL) over five folds",
        classification_rows(X, y, fold, **settings),
        'Convolutional VAE on 3 s. "the larger class" always answers "no bark", and its accuracy equals the published '
        "accuracy. Therefore compare balanced accuracy and AUC.",
    )


if __name__ == "__main__":
    main()
