"""Labels and weights of the clips that a classifier is trained on, and which of these clips are held out."""

import numpy as np
from scipy.sparse import issparse
from sklearn.utils import assert_all_finite, check_array, column_or_1d
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets, type_of_target

from .._checks import check_number
from ._clip_rows import BLOCK, slices


def encode_labels(y, n_clips, name):
    """Check the labels and number the classes.

    Parameters
    ----------
    y : array-like of shape (n_clips,), or of 0 and 1 of shape (n_clips, n_classes)
    n_clips : int
    name : str
        Name of the classifier, for messages.

    Returns
    -------
    labels : ndarray of shape (n_clips,), or of int of shape (n_clips, n_classes)
    multi_label : bool

    Raises
    ------
    ValueError
        If y is None, a clip has no label, or y holds no labels of classes.
    """
    if y is None:
        raise ValueError(f"{name} requires y to be passed, but the target y is None.")
    labels = y.toarray() if issparse(y) else np.asarray(y)
    _refuse_unlabelled(labels)
    _refuse_mixed(y)
    if labels.dtype.kind == "f":
        assert_all_finite(labels, input_name="y")
    if labels.ndim < 2 or labels.shape[1] == 1:
        labels = column_or_1d(labels, warn=True)
    if len(labels) != n_clips:
        raise ValueError(
            f"Found input variables with inconsistent numbers of samples: y has {len(labels)} labels for {n_clips} "
            "clips."
        )
    check_classification_targets(labels)
    if labels.ndim == 1:
        return labels, False
    if type_of_target(labels, input_name="y") != "multilabel-indicator" or not np.isin(labels, (0, 1)).all():
        raise ValueError(
            f"y must be one label a clip, (n_clips,), or 0 and 1 for every clip and class, (n_clips, n_classes), got "
            f"shape {labels.shape} with the values {np.unique(labels)[:5].tolist()}."
        )
    return labels.astype(int), True


def _refuse_mixed(y):
    """Raise if some labels are strings and others are not: NumPy would convert the others to strings."""
    values = y if isinstance(y, (list, tuple)) else getattr(y, "values", y)
    if not isinstance(values, (list, tuple)) and getattr(getattr(values, "dtype", None), "kind", "") != "O":
        return
    is_text = [isinstance(value, str) for value in values]
    if any(is_text) and not all(is_text):
        others = [i for i, text in enumerate(is_text) if not text]
        raise ValueError(
            f"y mixes strings with other labels: {values[others[0]]!r} for clip {others[0]}, {len(others)} such "
            "labels. If they stand for clips without a label, remove these clips from X and y. Otherwise make all "
            "labels strings."
        )


def _refuse_unlabelled(labels):
    if labels.dtype.kind == "f":
        has_none = np.isnan(labels)
    elif labels.dtype.kind == "O":
        has_none = np.frompyfunc(_is_unlabelled, 1, 1)(labels).astype(bool)
    else:
        return
    if labels.ndim and has_none.any():
        clips = np.flatnonzero(has_none.reshape(len(labels), -1).any(axis=1))
        raise ValueError(
            f"Input y contains NaN or None: {len(clips)} of {len(labels)} clips have no label: {_first(clips)}. Remove "
            "these clips from X and y."
        )


def _is_unlabelled(value):
    # A comparison with the missing value of pandas has no truth value.
    return value is None or type(value).__name__ == "NAType" or bool(value != value)


def refuse_missing(missing, n_clips, name, way_out):
    """Raise if a clip is NaN, because there is no label for a clip that could not be read.

    Parameters
    ----------
    missing : ndarray of int
        Positions of the rows with NaN.
    n_clips : int
    name : str
        Name of the classifier.
    way_out : str
        Expression that removes these clips.
    """
    if len(missing):
        raise ValueError(
            f"Input X contains NaN in {len(missing)} of {n_clips} rows: {_first(missing)}. That is how a clip that "
            f"could not be read looks, and {name} has no label for it: remove such rows first, {way_out}, and their "
            "labels with them."
        )


def _first(positions):
    return ", ".join(map(str, positions[:5])) + (", ..." if len(positions) > 5 else "")


def check_sample_weight(sample_weight, n_rows):
    """Check the weights: one number for every row, none negative, not all zero. Return float64."""
    if sample_weight is None:
        return np.ones(n_rows)
    weight = np.asarray(sample_weight)
    if weight.shape != (n_rows,):
        raise ValueError(f"sample_weight must have one number a row, ({n_rows},), got shape {weight.shape}.")
    weight = check_array(weight, ensure_2d=False, dtype=np.float64, input_name="sample_weight")
    if weight.min() < 0:
        raise ValueError(f"sample_weight must not be negative, got {weight.min()} in row {weight.argmin()}.")
    if not weight.any():
        raise ValueError("sample_weight must not be zero throughout: no row is left to train on.")
    return weight


def check_class_weight(class_weight):
    """Raise unless `class_weight` is None, "balanced" or a dict of positive numbers."""
    if isinstance(class_weight, dict):
        for label, weight in class_weight.items():
            check_number(weight, f"class_weight[{label!r}]", low=0, closed="neither")
    elif class_weight is not None and class_weight != "balanced":
        raise ValueError(
            f'class_weight must be None, "balanced" or a dict of label to weight, got {class_weight!r}.'
        )


def standardisation(rows, weight):
    """Weighted mean and standard deviation of every feature. The deviation is infinite if the feature never varies.

    Parameters
    ----------
    rows : ndarray of shape (n_rows, n_features)
    weight : ndarray of shape (n_rows,), float64

    Returns
    -------
    mean, scale : ndarray of shape (n_features,), float64
    """
    # The origin is subtracted first, so that a feature that never varies gets a deviation of exactly 0.
    origin, total = rows[0].astype(np.float64), weight.sum()
    parts = list(slices(len(rows), BLOCK))
    mean = sum(weight[part] @ (rows[part] - origin) for part in parts) / total
    variance = sum(weight[part] @ (rows[part] - origin - mean) ** 2 for part in parts) / total
    deviation = np.sqrt(variance)
    return origin + mean, np.where(deviation > 0, deviation, np.inf)


def loss_weights(class_weight, targets, sample_weight, train, classes):
    """Weights of the clips in the loss, of mean 1 over the training clips.

    Parameters
    ----------
    class_weight : dict, "balanced" or None
        With several labels a clip, the keys of the dict are numbers of classes.
    targets : ndarray of int of shape (n_clips,) or (n_clips, n_classes)
        Numbers of classes, or 0 and 1.
    sample_weight : ndarray of shape (n_clips,)
    train : ndarray of int
        Positions of the training clips. "balanced" counts these clips alone.
    classes : ndarray of shape (n_classes,)

    Returns
    -------
    ndarray of float64, shaped like `targets`
    """
    if targets.ndim == 1:
        of_class = compute_class_weight(
            class_weight,
            classes=classes,
            y=classes[targets[train]],
            sample_weight=sample_weight[train],
        )
        weight = sample_weight * of_class[targets]
        return weight / weight[train].mean()
    weight = np.repeat(sample_weight[:, None], len(classes), axis=1)
    if isinstance(class_weight, dict):
        unknown = sorted(set(class_weight) - set(classes.tolist()), key=str)
        if unknown:
            raise ValueError(
                f"class_weight must map numbers of classes, 0 to {len(classes) - 1}, to weights, got {unknown}."
            )
        weight *= [class_weight.get(number, 1.0) for number in classes.tolist()]
    elif class_weight == "balanced":
        for number, column in enumerate(targets.T):
            values = np.unique(column[train])
            of_value = compute_class_weight(
                "balanced", classes=values, y=column[train], sample_weight=sample_weight[train]
            )
            weight[:, number] *= np.array([dict(zip(values, of_value)).get(value, 1.0) for value in (0, 1)])[
                column
            ]
    return weight / weight[train].mean()


def split_labelled(targets, validation_fraction, seed, groups=None):
    """Hold out clips so that every class keeps a clip to train on.

    Clips with one label are held out in proportion to the classes. Groups, and clips with several labels, are held out
    in random order.

    Parameters
    ----------
    targets : ndarray of int of shape (n_clips,) or (n_clips, n_classes)
    validation_fraction : float
        Fraction of the clips, or of the groups, in [0, 1).
    seed : int
    groups : ndarray of int of shape (n_clips,), default=None
        Number of the group of every clip. Clips of one group stay together.

    Returns
    -------
    train, held_out : ndarray of int
        Sorted positions.

    Raises
    ------
    ValueError
        If every clip (group) is the only one of a class.
    """
    n_clips = len(targets)
    check_number(validation_fraction, "validation_fraction", low=0, high=1, closed="left")
    if validation_fraction == 0:
        return np.arange(n_clips), np.arange(0)
    units = np.arange(n_clips) if groups is None else groups
    n_units = units.max() + 1
    rng = np.random.default_rng(seed)
    if groups is None and targets.ndim == 1:
        order = np.argsort(_spread(targets, rng))
    else:
        order = rng.permutation(n_units)
    indicator = np.eye(targets.max() + 1, dtype=int)[targets] if targets.ndim == 1 else targets
    counts = np.zeros((n_units, indicator.shape[1]), dtype=int)
    np.add.at(counts, units, indicator)
    left, n_wanted = counts.sum(axis=0), min(n_units - 1, max(1, round(validation_fraction * n_units)))
    chosen: list[int] = []
    for unit in order:
        if len(chosen) == n_wanted:
            break
        if ((left - counts[unit] > 0) | (counts[unit] == 0)).all():
            left -= counts[unit]
            chosen.append(unit)
    if not chosen:
        what = "clip" if groups is None else "group"
        raise ValueError(
            f"no {what} can be held out, because a class would have no {what} left to train on: got "
            f"n_samples={n_clips}, {n_units} {what}s and {indicator.shape[1]} classes. Pass more {what}s of every "
            "class, or set validation_fraction=0 to hold out none."
        )
    held_out = np.isin(units, chosen)
    return np.flatnonzero(~held_out), np.flatnonzero(held_out)


def _spread(targets, rng):
    """Numbers in [0, 1) for the clips. The clips with the lowest numbers hold every class in its proportion."""
    spread = np.empty(len(targets))
    for number in np.unique(targets):
        members = rng.permutation(np.flatnonzero(targets == number))
        spread[members] = (np.arange(len(members)) + rng.random()) / len(members)
    return spread
