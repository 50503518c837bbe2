"""Labels of the clips that a backbone is tuned on, and the clips that are held out."""

import warnings
from typing import Any

import numpy as np
from sklearn.utils import column_or_1d
from sklearn.utils.multiclass import check_classification_targets

from .._checks import users_level
from .._input_checks import check_groups
from .._lazy import is_missing
from .._typing import IntArray
from ..audio import AudioClips
from ..training import split_normal

_WAY_OUT = 'Or tune without labels: objective="self".'


def check_labels(y: Any, n_clips: int, objective: str) -> np.ndarray | None:
    """Check that every clip has a label.

    Parameters
    ----------
    y : array-like of shape (n_clips,) or None
    n_clips : int
    objective : str
        "self" needs no labels.

    Returns
    -------
    ndarray of shape (n_clips,) or None

    Raises
    ------
    ValueError
        If labels are needed and missing for all or some clips, are of several types or no classes, or their number is
        wrong.
    """
    if y is None:
        if objective == "self":
            return None
        raise ValueError(
            f"FineTunedEmbedding requires y to be passed, but the target y is None: objective={objective!r} learns "
            f"from labels that normal clips have, such as machine, section or patient. {_WAY_OUT}"
        )
    # NumPy makes strings of all entries of a list with a string, also of NaN.
    values = np.array(y, dtype=object) if isinstance(y, (list, tuple)) else column_or_1d(y, warn=True)
    y = column_or_1d(y, warn=True)
    if len(y) != n_clips:
        raise ValueError(f"y must have one label a clip: got {len(y)} labels for {n_clips} clips.")
    if objective == "self" and not _of_this_package(y):
        return None
    missing = [index for index, label in enumerate(values) if _is_missing(label)]
    if missing:
        raise ValueError(
            f"y must have a label for every clip, but {len(missing)} of {n_clips} have none (None or NaN), first clip "
            f"{missing[0]}. Leave these clips out, or give them a label of their own. {_WAY_OUT}"
        )
    kinds = {type(label.item() if isinstance(label, np.generic) else label) for label in values}
    if len(kinds) > 1 and str in kinds:
        raise ValueError(
            f"y must have labels of one type, got {', '.join(sorted(kind.__name__ for kind in kinds))}. Convert them, "
            "for example with np.asarray(y).astype(str)."
        )
    if str in kinds:
        return y.astype(str)
    check_classification_targets(y)
    return y


def training_clips(
    clips: AudioClips, y: np.ndarray | None
) -> tuple[list[np.ndarray], IntArray, np.ndarray | None]:
    """Decode the clips, and select those that train: readable clips that are not labelled anomalous.

    If all labels are 1 and -1, they are the labels of this package, and clips with -1 are left out.

    Parameters
    ----------
    clips : AudioClips
    y : ndarray of shape (n_clips,) or None

    Returns
    -------
    waveforms : list of ndarray of shape (n_samples,), float32
    positions : ndarray of int
        Positions of the waveforms in `clips`.
    labels : ndarray or None
        Labels of the waveforms.

    Warns
    -----
    UserWarning
        If clips are left out.

    Raises
    ------
    ValueError
        If no clip is left.
    """
    waveforms = [np.asarray(clip, dtype=np.float32) for clip in clips]
    present = np.array([not is_missing(clip) for clip in waveforms])
    positions = _usable(y, present)
    return [waveforms[i] for i in positions], positions, None if y is None else y[positions]


def _usable(y, present):
    if not present.all():
        warnings.warn(
            f"FineTunedEmbedding leaves out {np.count_nonzero(~present)} of {len(present)} clips: they could not be "
            "read.",
            stacklevel=users_level(),
        )
    usable = present.copy()
    if y is not None and _of_this_package(y):
        anomalous = np.asarray(y == -1, dtype=bool)
        usable &= ~anomalous
        if anomalous.any():
            warnings.warn(
                f"FineTunedEmbedding leaves out {np.count_nonzero(anomalous)} of {len(y)} clips: they are labelled "
                "-1, anomalous.",
                stacklevel=users_level(),
            )
    if not usable.any():
        raise ValueError("FineTunedEmbedding has no clip to train on: no clip is both readable and normal.")
    return np.flatnonzero(usable)


def number_classes(y: np.ndarray) -> tuple[np.ndarray, IntArray]:
    """The classes, sorted, and the number of the class of every clip.

    Parameters
    ----------
    y : ndarray of shape (n_clips,)

    Returns
    -------
    classes : ndarray of shape (n_classes,)
    labels : ndarray of int of shape (n_clips,)

    Raises
    ------
    ValueError
        If there is only one class.

    Warns
    -----
    UserWarning
        If classes have a single clip.
    """
    classes, labels, counts = np.unique(y, return_inverse=True, return_counts=True)
    if len(classes) < 2:
        meaning = (
            " 1 and -1 are the labels of normal and anomalous clips in this package, and no classes."
            if _of_this_package(y)
            else ""
        )
        raise ValueError(
            f"y must have at least 2 classes to tell apart, got one class, {classes.tolist()[0]!r}.{meaning} Pass "
            f"labels that differ between normal clips. {_WAY_OUT}"
        )
    single = classes[counts == 1].tolist()
    if single:
        shown = ", ".join(map(repr, single[:5])) + (", ..." if len(single) > 5 else "")
        warnings.warn(
            f"{len(single)} of {len(classes)} classes have a single clip, so that none of it can be held out: {shown}.",
            stacklevel=users_level(),
        )
    return classes, labels


def hold_out(labels: IntArray, fraction: float, seed: int, groups: Any = None) -> tuple[IntArray, IntArray]:
    """Hold out some clips of every class, in whole groups, so that every class keeps clips to train on.

    Parameters
    ----------
    labels : ndarray of int of shape (n_clips,)
        Class of every clip. A single class stands for clips without labels.
    fraction : float
        Fraction of every class to hold out, in [0, 1). At least one group is held out unless the fraction is 0.
    seed : int
    groups : ndarray of shape (n_clips,), default=None

    Returns
    -------
    train, held_out : ndarray of int

    Raises
    ------
    ValueError
        If no group can be held out.
    """
    groups = check_groups(groups, len(labels))
    if fraction == 0 or labels.max() == 0:
        return split_normal(len(labels), fraction, seed, groups)
    numbers = np.arange(len(labels)) if groups is None else np.unique(groups, return_inverse=True)[1]
    counts = np.zeros((numbers.max() + 1, labels.max() + 1), dtype=int)  # clips of every group and class
    np.add.at(counts, (numbers, labels), 1)
    sizes = counts.sum(axis=0)
    order = np.random.default_rng(seed).permutation(len(counts))
    held, total = [], np.zeros_like(sizes)
    for group in order:
        if np.all((counts[group] == 0) | (total + counts[group] <= np.round(fraction * sizes))):
            held.append(group)
            total += counts[group]
    if not held:  # the groups are larger than the fraction: one of them is held out
        held = [group for group in order if np.all((counts[group] == 0) | (counts[group] < sizes))][:1]
    if not held:
        raise ValueError(
            f"validation_fraction={fraction} cannot hold out a {'clip' if groups is None else 'whole group'} so that "
            "every class keeps clips to train on. Pass more clips or finer groups, or set validation_fraction=0 to "
            "hold out none."
        )
    is_held = np.isin(numbers, held)
    return np.flatnonzero(~is_held), np.flatnonzero(is_held)


def _of_this_package(y):
    """Whether all labels are 1 and -1, the labels of normal and anomalous clips."""
    return all(not isinstance(label, (str, bool)) and label in (1, -1) for label in dict.fromkeys(y.tolist()))


def _is_missing(label):
    if label is None or type(label).__name__ == "NAType":  # NAType is the type of pandas.NA
        return True
    return isinstance(label, (float, np.floating)) and bool(np.isnan(label))
