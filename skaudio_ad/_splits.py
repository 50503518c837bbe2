"""Split clips into those that train a model and those that the model scores."""

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

# Maximum number of clips, or groups, for which cv="auto" leaves one out at a time. With 20 clips the proved bound of
# the false-alarm rate is .10 instead of .22, and the mean AUC on MIMII, with 24 clips, is .010 higher than with five
# models (benchmarks.detection.heads). A score takes longer, because every clip has its own model.
_LARGEST_LOO = 30
# Minimum number of clips, or groups, for a threshold. The nearest neighbours of two clips are each other, so that both
# have the same score, and the scores show no spread.
_FEWEST = 3


def choose_cv(cv, usable, groups):
    """Choose the folds for ``cv="auto"`` by the number of normal clips, or groups. Other values are returned unchanged.

    Parameters
    ----------
    cv : object
    usable : ndarray of shape (n_clips,), bool
        Normal clips that can be read.
    groups : ndarray of shape (n_clips,) or None

    Returns
    -------
    object
        None if there are too few clips for any threshold.
    """
    if not (isinstance(cv, str) and cv == "auto"):
        return cv
    n_units = np.count_nonzero(usable) if groups is None else len(np.unique(groups[usable]))
    if n_units < _FEWEST:
        return None
    return "loo" if n_units <= _LARGEST_LOO else 5


def is_number_or_name(cv):
    """Whether `cv` is a number or a name. Only other values of `cv` split by looking at X, y and groups."""
    return isinstance(cv, (str, numbers.Real))


def make_splitter(cv, random_state, grouped=False):
    """Make the splitter for the parameter `cv`, None for "prefit". With `grouped`, groups stay together."""
    if isinstance(cv, str) and cv == "auto":
        cv = 5
    if isinstance(cv, str) and cv in ("loo", "prefit"):
        if cv == "prefit":
            return None
        return LeaveOneGroupOut() if grouped else LeaveOneOut()
    if isinstance(cv, (int, np.integer)) and not isinstance(cv, bool) and cv >= 2:
        return (GroupKFold if grouped else KFold)(cv, shuffle=True, random_state=random_state)
    if isinstance(cv, (float, np.floating)) and 0 < cv < 1:
        return (GroupShuffleSplit if grouped else ShuffleSplit)(1, test_size=cv, random_state=random_state)
    if cv is None or is_number_or_name(cv):
        raise ValueError(
            'cv must be an integer of 2 or more, a fraction in (0, 1), "auto", "loo", "prefit", a splitter or an '
            f"iterable of splits, got {cv!r}."
        )
    return check_cv(cv)


def split_clips(cv, splitter, X, y, anomalous, missing, groups=None, **params):
    """Positions (train, test) of every fold: readable normal clips to train on, readable clips to score."""
    if is_number_or_name(cv):
        # Only normal clips are split. Every model scores all anomalies.
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
    """Raise where a fold has no clip to train on, or trains on a clip or a group that the fold tests."""
    for number, (train, test) in enumerate(splits):
        if not len(train):
            raise ValueError(
                f"fold {number} of cv leaves no normal clip to train on, of n_samples={len(anomalous)}. Pass more "
                "normal clips, or another splitter."
            )
        both = np.intersect1d(train, test)
        if len(both):
            raise ValueError(
                f"fold {number} of cv trains on clips that it tests, first on clip {both[0]}. A threshold from such "
                "scores raises far more false alarms than promised. Make the two parts of the fold disjoint."
            )
        if groups is not None:
            shared = np.intersect1d(groups[train], groups[test[~anomalous[test]]])
            if len(shared):
                raise ValueError(
                    f"fold {number} of cv trains on clips of the group {shared[0]!r} and tests others of that group, "
                    "so the scores do not show how a new group scores. Pass an integer, a fraction, or a splitter that "
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
