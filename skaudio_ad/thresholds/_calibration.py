"""Which clips calibrate a detector, and their scores by models that have not seen them."""

import numbers

import numpy as np
from sklearn.model_selection import (
    GroupKFold,
    GroupShuffleSplit,
    KFold,
    LeaveOneGroupOut,
    LeaveOneOut,
    ShuffleSplit,
    check_cv,
)
from sklearn.utils import indexable

from .._clip_calls import fit_clips, score_clips
from .._lazy import take


def splits_by_itself(cv):
    """Whether `cv` is a number or a name, and no splitter that looks at X, y and groups."""
    return isinstance(cv, (str, numbers.Real))


def make_splitter(cv, random_state, grouped=False):
    """The splitter that `cv` stands for, None for "prefit"; `grouped`, it keeps groups together."""
    if isinstance(cv, str) and cv in ("loo", "prefit"):
        if cv == "prefit":
            return None
        return LeaveOneGroupOut() if grouped else LeaveOneOut()
    if isinstance(cv, (int, np.integer)) and not isinstance(cv, bool) and cv >= 2:
        return (GroupKFold if grouped else KFold)(cv, shuffle=True, random_state=random_state)
    if isinstance(cv, (float, np.floating)) and 0 < cv < 1:
        return (GroupShuffleSplit if grouped else ShuffleSplit)(1, test_size=cv, random_state=random_state)
    if cv is None or splits_by_itself(cv):
        raise ValueError(
            'cv must be an integer from 2 on, a fraction in (0, 1), "loo", "prefit", a splitter or an iterable of '
            f"splits, got {cv!r}."
        )
    return check_cv(cv)


def split_clips(cv, splitter, X, y, anomalous, missing, groups=None, **params):
    """Positions (train, test) of every fold: readable normal clips to train on, readable ones to score."""
    if splits_by_itself(cv):
        # Only normal clips are split; every model scores all anomalies.
        normal, others = np.flatnonzero(~anomalous & ~missing), np.flatnonzero(anomalous & ~missing)
        own_groups = None if groups is None else groups[normal]
        if groups is not None:
            _check_enough_groups(cv, own_groups)
        return [
            (normal[train], np.concatenate([normal[test], others]))
            for train, test in splitter.split(normal, groups=own_groups)
        ]
    labels = None if y is None else np.where(anomalous, -1, 1)
    positions = np.arange(len(anomalous))  # an iterable may hold masks
    splits = splitter.split(X, labels, groups=groups, **params)
    splits = [(positions[train], positions[test]) for train, test in splits]
    return [(train[~(anomalous | missing)[train]], test[~missing[test]]) for train, test in splits]


def check_splits(splits, anomalous, groups=None):
    """Raise where a fold has nothing to train on, or trains on a clip or a group that it tests."""
    for number, (train, test) in enumerate(splits):
        if not len(train):
            raise ValueError(
                f"fold {number} of cv leaves no normal clip to train on, of n_samples={len(anomalous)}."
            )
        both = np.intersect1d(train, test)
        if len(both):
            raise ValueError(
                f"fold {number} of cv trains on clips that it tests, first on clip {both[0]}: a threshold from such "
                "scores raises far more false alarms than it says. Make its two parts disjoint."
            )
        if groups is not None:
            shared = np.intersect1d(groups[train], groups[test[~anomalous[test]]])
            if len(shared):
                raise ValueError(
                    f"fold {number} of cv trains on clips of the group {shared[0]!r} and tests others of that group, "
                    "so its scores do not tell how a new group scores. Pass an integer, a fraction, or a splitter that "
                    "keeps groups together, such as GroupKFold(5)."
                )


def _check_enough_groups(cv, groups):
    n_groups = len(np.unique(groups))
    n_needed = cv if isinstance(cv, (int, np.integer)) else 2
    if n_groups < n_needed:
        raise ValueError(
            f"cv={cv!r} takes normal clips of at least {n_needed} groups, got {n_groups}: pass clips of more groups"
            + (f", or cv={n_groups}." if n_groups >= 2 else ".")
        )


def fit_and_score(detector, X, train, test, params, keep=False):
    """Scores of the clips at `test` by the detector, trained on those at `train`; and the detector, to `keep` it."""
    detector = fit_clips(detector, X, train, params)
    scores = score_clips(detector, take(X, test)) if len(test) else np.empty(0)
    return scores, detector if keep else None


def as_clips(X, *others):
    """X and what has an entry for each of its clips, to be indexed. A column of a data frame becomes a list."""
    if hasattr(X, "isna") and X.ndim == 1:
        X = X.to_list()
    return indexable(X, *others)


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
