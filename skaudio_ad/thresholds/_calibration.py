"""Which clips calibrate a detector, and their scores by models that have not seen them."""

import numbers

import numpy as np
from sklearn.model_selection import KFold, LeaveOneOut, ShuffleSplit, check_cv
from sklearn.pipeline import Pipeline

from .._lazy import take


def splits_by_itself(cv):
    """Whether `cv` is a number or a name, and no splitter that looks at X, y and groups."""
    return isinstance(cv, (str, numbers.Real))


def make_splitter(cv, random_state):
    """The splitter that `cv` stands for, None for "prefit"."""
    if isinstance(cv, str) and cv in ("loo", "prefit"):
        return LeaveOneOut() if cv == "loo" else None
    if isinstance(cv, (int, np.integer)) and not isinstance(cv, bool) and cv >= 2:
        return KFold(cv, shuffle=True, random_state=random_state)
    if isinstance(cv, (float, np.floating)) and 0 < cv < 1:
        return ShuffleSplit(1, test_size=cv, random_state=random_state)
    if cv is None or splits_by_itself(cv):
        raise ValueError(
            'cv must be an integer from 2 on, a fraction in (0, 1), "loo", "prefit", a splitter or an iterable of '
            f"splits, got {cv!r}."
        )
    return check_cv(cv)


def split_clips(cv, splitter, X, y, anomalous, missing, **params):
    """Positions (train, test) of every fold: readable normal clips to train on, readable ones to score."""
    if splits_by_itself(cv):
        # Only normal clips are split; every model scores all anomalies.
        normal, others = np.flatnonzero(~anomalous & ~missing), np.flatnonzero(anomalous & ~missing)
        return [
            (normal[train], np.concatenate([normal[test], others])) for train, test in splitter.split(normal)
        ]
    labels = None if y is None else np.where(anomalous, -1, 1)
    positions = np.arange(len(anomalous))  # an iterable may hold masks
    splits = [(positions[train], positions[test]) for train, test in splitter.split(X, labels, **params)]
    return [(train[~(anomalous | missing)[train]], test[~missing[test]]) for train, test in splits]


def fit_and_score(detector, X, train, test, params):
    """Scores of the clips at the positions `test` by a detector trained on those at `train`."""
    return score_clips(fit_clips(detector, X, train, params), take(X, test))


def fit_clips(detector, X, positions, params):
    """Train on the clips at `positions`, with those entries of the parameters that have one a clip."""
    params = {
        name: take(value, positions) if np.shape(value)[:1] == (_n_clips(X),) else value
        for name, value in params.items()
    }
    return detector.fit(take(X, positions), None, **params)  # FrozenEstimator insists on a y


def score_clips(detector, X):
    """Scores of all clips, float64; NaN for the rows that are missing, whatever the detector makes of NaN."""
    missing = missing_rows(X)
    if missing.any():
        scores = np.full(len(missing), np.nan)
        if not missing.all():
            scores[~missing] = score_clips(detector, take(X, np.flatnonzero(~missing)))
        return scores
    if isinstance(detector, Pipeline) and len(detector) > 1:
        return score_clips(detector[-1], detector[:-1].transform(X))  # rows may be missing from the loader on
    return np.asarray(detector.score_samples(X), dtype=np.float64)


def missing_rows(X):
    """Which rows of an array or a table are NaN throughout; none where X is anything else."""
    if hasattr(X, "isna"):
        return X.isna().to_numpy().all(axis=1)
    if isinstance(X, np.ndarray) and X.dtype.kind == "f" and X.ndim > 1 and X.size:
        return np.isnan(X.reshape(len(X), -1)).all(axis=1)
    return np.zeros(_n_clips(X), dtype=bool)


def check_has(estimator, name, methods, or_else=None):
    """Raise unless `estimator` is an instance with these methods; `or_else` says what else would do."""
    lacking = [method for method in methods if not hasattr(estimator, method)]
    if lacking or isinstance(estimator, type):
        wanted = or_else or f"an estimator with {' and '.join(methods)}"
        raise TypeError(
            f"{name} must be {wanted}, got {estimator!r}"
            + (f", which has no {lacking[0]}" if lacking else ", a class: make an instance")
            + (". LocalOutlierFactor has it with novelty=True." if "score_samples" in lacking else ".")
        )


def _n_clips(X):
    return X.shape[0] if getattr(X, "shape", ()) else len(X)  # a sparse matrix has no length
