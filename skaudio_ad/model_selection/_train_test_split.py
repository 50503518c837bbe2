"""`normal_only_train_test_split`: one split into training, validation and test."""

from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from sklearn.utils import check_consistent_length, check_random_state, column_or_1d

from .._checks import check_number, check_option
from .._lazy import take
from .._typing import Labels, RandomState
from ._split import labels_of


def normal_only_train_test_split(
    *arrays: Any,
    y: Labels | None,
    validation_size: float | int = 0.15,
    test_size: float | int = 0.15,
    anomalies: Literal["test", "shared"] = "test",
    groups: npt.ArrayLike | None = None,
    random_state: RandomState = None,
) -> list[Any]:
    """Split clips into a training part of normal clips, a validation part, and a test part with the anomalies.

    Parameters
    ----------
    *arrays : sequences of length n_clips
        At least one array, list, pandas object, sparse matrix or ``AudioClips``. Pass ``np.arange(n_clips)`` to get
        positions.

    y : array-like of shape (n_clips,) or None
        1 for normal, -1 for anomalous clips. None means that all are normal.

    validation_size, test_size : float or int, default=0.15
        Fraction or number of the normal clips. The defaults leave 70 % for training, a usual split for autoencoders
        on sound. With 0 the part has no normal clips.

    anomalies : {"test", "shared"}, default="test"
        Part that gets the anomalies. "test" puts all anomalies into the test part. "shared" puts one half into the
        validation part, to choose a threshold or a model by labels, and the other half into the test part.

    groups : array-like of shape (n_clips,), default=None
        Group of every clip. All clips of a group, such as copies of a recording or recordings of a patient, go into
        the same part. Therefore a group with an anomaly is not used for training, even if the group also holds
        normal clips. The sizes are as close as the groups allow, and every part gets at least one group.

    random_state : int, RandomState instance or None, default=None
        Seed of the split. None draws a new split at every call.

    Returns
    -------
    list
        Training, validation and test part of each of `arrays`, then of `y`. The clips keep their order, and the parts
        keep the type that was passed. The labels are arrays of 1 and -1. All training labels are 1.

    Raises
    ------
    ValueError
        If a label is neither 1 nor -1, lengths differ, sizes are out of range, or a part gets no normal clip although
        its size is not 0.

    See Also
    --------
    NormalOnlySplit : Several splits, for cross-validation.

    Examples
    --------
    >>> from typing import Any, Literal

    import numpy as np
    import numpy.typing as npt
    >>> from skaudio_ad.model_selection import normal_only_train_test_split
    >>> paths = [f"clip_{i}.wav" for i in range(22)]
    >>> y = np.repeat([1, -1], [20, 2])
    >>> train, validation, test, y_train, y_validation, y_test = normal_only_train_test_split(
    ...     paths, y=y, random_state=0
    ... )
    >>> len(train), len(validation), len(test)
    (14, 3, 5)
    >>> y_test.tolist()
    [1, 1, 1, -1, -1]
    """
    if not arrays:
        raise ValueError(
            "pass at least one array to split. np.arange(len(y)) gives the positions of the clips."
        )
    check_option(anomalies, "anomalies", ("test", "shared"))
    labels = labels_of(arrays[0], y)
    check_consistent_length(*arrays, labels, groups)
    n_normal = np.count_nonzero(labels == 1)
    targets = _sizes(n_normal, validation_size=validation_size, test_size=test_size)
    _, groups = np.unique(
        np.arange(len(labels)) if groups is None else column_or_1d(groups), return_inverse=True
    )
    # A new generator, so that the global generator keeps its state.
    rng = np.random.RandomState() if random_state is None else check_random_state(random_state)

    part_of_group = np.full(groups.max() + 1, -1)
    n_anomalous = np.bincount(groups, weights=labels == -1)
    # Place groups with anomalies first, because these groups decide which normal clips are not for training.
    shares = np.array([0, anomalies == "shared", 1], dtype=float)
    _fill(part_of_group, rng.permutation(np.flatnonzero(n_anomalous)), n_anomalous, shares)
    sizes = np.bincount(groups, weights=labels == 1)
    _fill(part_of_group, rng.permutation(np.flatnonzero(n_anomalous == 0)), sizes, targets)

    part = part_of_group[groups]
    for index, name in enumerate(("training", "validation", "test")):
        if targets[index] and not np.any((part == index) & (labels == 1)):
            tied = np.count_nonzero((n_anomalous > 0) & (sizes > 0))
            raise ValueError(
                f"no normal clip is left for the {name} part: the {n_normal} normal clips belong to "
                f"{np.count_nonzero(sizes)} groups, which stay together. {tied} of these groups hold anomalies, so "
                "they are not used for training. Use smaller groups, or NormalOnlySplit(GroupKFold(...)), which "
                "tests every group in turn."
            )
    positions = [np.flatnonzero(part == index) for index in range(3)]
    return [take(array, rows) for array in (*arrays, labels) for rows in positions]


def _sizes(n_normal, *, validation_size, test_size):
    """Return the number of normal clips for training, validation and test, float (3,)."""
    counts = []
    for name, size in (("validation_size", validation_size), ("test_size", test_size)):
        if isinstance(size, (int, np.integer)):
            check_number(size, name, low=0, integer=True)
            counts.append(int(size))
        else:
            check_number(size, name, low=0, high=1, closed="left")
            # A size above 0 gives at least one clip.
            counts.append(max(round(size * n_normal), int(size > 0)))
    if sum(counts) >= n_normal:
        raise ValueError(
            f"validation_size={validation_size} and test_size={test_size} of {n_normal} normal clips are "
            f"{counts[0]} and {counts[1]} clips, which leaves no clip for training. Use smaller sizes, or more clips."
        )
    return np.array([n_normal - sum(counts), *counts], dtype=float)


def _fill(part_of_group, order, sizes, targets):
    """Assign each group, in this order, to the part that is emptiest relative to its target."""
    placed = part_of_group >= 0
    filled = np.bincount(part_of_group[placed], weights=sizes[placed], minlength=3)
    wanted = targets > 0
    for n_before, group in enumerate(order):
        open_to = wanted & (filled == 0)
        # Keep the last groups for parts that have no group yet.
        if len(order) - n_before > np.count_nonzero(open_to):
            open_to = wanted
        load = np.full(3, np.inf)
        load[open_to] = (filled + sizes[group])[open_to] / targets[open_to]
        part = 2 - np.argmin(load[::-1])  # equal loads: prefer the test part
        part_of_group[group] = part
        filled[part] += sizes[group]
