"""The protocol of RMIS: scores of DCASE Task 2, and classes of fault diagnosis. ``rmis.py`` describes the protocol."""

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.model_selection import train_test_split
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import normalize

from skaudio_ad.metrics import dcase_scores, harmonic_mean_score


class RmisNeighbors(BaseEstimator):
    """1-NN with the cosine distance, and with one bank per domain if domains are given."""

    def fit(self, X, y=None, domains=None):
        """Keep the training clips.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_features)
        y : None
        domains : array-like of shape (n_clips,), default=None
            Domain of every clip. None puts all clips into one bank.

        Returns
        -------
        self
        """
        X = np.asarray(X)
        parts = [X] if domains is None else [X[np.asarray(domains) == name] for name in np.unique(domains)]
        self.banks_ = [NearestNeighbors(n_neighbors=1, metric="cosine").fit(part) for part in parts]
        return self

    def score_samples(self, X):
        """Return the negative distance from the nearest training clip.

        With several banks the distances from each bank are standardised over the clips of `X`, so that the score of a
        clip depends on the other clips.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_features)

        Returns
        -------
        ndarray of shape (n_clips,)
        """
        distances = [bank.kneighbors(X)[0][:, 0] for bank in self.banks_]
        if len(distances) > 1:
            # Equal distances say nothing, and have the standard deviation 0.
            distances = [(own - own.mean()) / (own.std() or 1.0) for own in distances]
        return -np.min(distances, axis=0)


def score_recordings(data, embeddings, year):
    """Score the test recordings of every section against the training recordings of the section.

    Parameters
    ----------
    data : AudioDataset
        From ``load_dcase_task2``.
    embeddings : ndarray of shape (n_clips, n_features)
    year : int

    Returns
    -------
    ndarray of shape (n_clips,)
        Higher is more normal. NaN for recordings that are not in a test set.

    Raises
    ------
    ValueError
        If a section has no training recordings, or since 2022 none of one domain.
    """
    columns, scores = data.metadata, np.full(len(data.paths), np.nan)
    for machine, section in sorted(set(zip(columns["machine"].tolist(), columns["section"].tolist()))):
        own = (columns["machine"] == machine) & (columns["section"] == section)
        train, test = (np.flatnonzero(own & (columns["split"] == split)) for split in ("train", "test"))
        if not len(test):
            continue
        domains = columns["domain"][train] if year > 2021 else None
        wanted = {"source", "target"} if year > 2021 else set()
        if not len(train) or wanted - set(columns["domain"][train].tolist()):
            raise ValueError(
                f"machine {machine!r}, section {section!r} has {len(train)} training recordings of the domains "
                f"{sorted(set(columns['domain'][train].tolist()))}. The protocol of {year} needs training recordings"
                + (" of both domains." if wanted else ".")
            )
        model = RmisNeighbors().fit(embeddings[train], domains=domains)
        scores[test] = model.score_samples(embeddings[test])
    return scores


def evaluate(data, embeddings, year):
    """Compute the figure of a year.

    Parameters
    ----------
    data : AudioDataset
        From ``load_dcase_task2``, with labels of the test recordings.
    embeddings : ndarray of shape (n_clips, n_features)
    year : int

    Returns
    -------
    parts : dict of {str: Bunch}
        Results of ``dcase_scores`` of "dev" and "eval", as far as the test recordings have labels.
    total : float or None
        Figure of the leaderboard, in percent. None unless both parts are there.
    """
    scores, parts = score_recordings(data, embeddings, year), {}
    for part in ("dev", "eval"):
        chosen = np.flatnonzero((data.metadata["dataset"] == part) & ~np.isnan(scores))
        if len(chosen) and (data.target[chosen] != 0).all():
            tested = data.subset(chosen)
            parts[part] = dcase_scores(tested, dict(zip(tested.paths, scores[chosen])), year=year)
    if len(parts) < 2:
        return parts, None
    mean = np.mean if year == 2020 else harmonic_mean_score
    return parts, 100 * float(mean([result.omega for result in parts.values()]))


def split_recordings(recordings, classes, run, *, test_size=0.5, seed=111):
    """Split the segments of a set of fault diagnosis at random: one run of RMIS.

    Parameters
    ----------
    recordings : array-like of str of shape (n_clips,)
        Recording that every segment is cut from. The segments of a recording stay together.
    classes : array-like of shape (n_clips,)
    run : int
        Number of the run, from 0.
    test_size : float, default=0.5
        Share of the recordings in the test set. The default is that of RMIS.
    seed : int, default=111
        Seed of run 0. The default is that of RMIS.

    Returns
    -------
    train, test : ndarray of int
        Positions, in the order of RMIS. Splits that lack a class on one side are drawn again.

    Raises
    ------
    ValueError
        If a class has fewer than two recordings, so that no split has the class on both sides.
    """
    recordings, classes = np.asarray(recordings), np.asarray(classes)
    names = list(dict.fromkeys(recordings.tolist()))
    single = [name for name in np.unique(classes).tolist() if len(np.unique(recordings[classes == name])) < 2]
    if single:
        raise ValueError(
            f"class {single[0]!r} has one recording only: both sides of a split need every class."
        )
    positions = {name: np.flatnonzero(recordings == name) for name in names}
    state = seed + run
    while True:
        sides = train_test_split(names, test_size=test_size, random_state=state)
        train, test = (np.concatenate([positions[name] for name in side]) for side in sides)
        if set(classes[train]) == set(classes[test]) == set(classes):
            return train, test
        state += 100


def macro_accuracy(embeddings, classes, train, test, *, n_neighbors=5):
    """Classify test segments by their nearest training segments.

    Parameters
    ----------
    embeddings : ndarray of shape (n_clips, n_features)
    classes : array-like of shape (n_clips,)
    train, test : ndarray of int
    n_neighbors : int, default=5
        Number of neighbours that vote. The default is that of RMIS.

    Returns
    -------
    float
        Mean over the classes of the share of segments that are classified correctly.
    """
    names, codes = np.unique(np.asarray(classes), return_inverse=True)
    X = normalize(np.asarray(embeddings, dtype=np.float32))
    search = NearestNeighbors(n_neighbors=min(n_neighbors, len(train)), metric="cosine").fit(X[train])
    distances, neighbors = search.kneighbors(X[test])
    votes = np.zeros((len(test), len(names)))
    np.add.at(votes, (np.arange(len(test))[:, np.newaxis], codes[train][neighbors]), 1 - distances)
    correct = votes.argmax(axis=1) == codes[test]
    return float(np.mean([correct[codes[test] == code].mean() for code in np.unique(codes[test])]))


def fault_diagnosis(embeddings, classes, recordings, *, n_runs=10):
    """Compute the figure of a set of fault diagnosis that has no official split.

    Parameters
    ----------
    embeddings : ndarray of shape (n_clips, n_features)
    classes, recordings : array-like of str of shape (n_clips,)
    n_runs : int, default=10
        Number of random splits. The default is that of RMIS.

    Returns
    -------
    ndarray of shape (n_runs,)
        Macro accuracy of every run, in percent. The leaderboard gives the mean.
    """
    splits = [split_recordings(recordings, classes, run) for run in range(n_runs)]
    return 100 * np.array([macro_accuracy(embeddings, classes, *split) for split in splits])
