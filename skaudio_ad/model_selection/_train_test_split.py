"""`normal_only_train_test_split`: one split into training, validation and test."""

import numpy as np
from sklearn.utils import check_consistent_length, check_random_state, column_or_1d

from .._checks import check_number, check_option
from .._lazy import take
from ._split import labels_of


def normal_only_train_test_split(
    *arrays,
    y,
    validation_size=0.15,
    test_size=0.15,
    anomalies="test",
    groups=None,
    random_state=None,
):
    """Split clips into a training part of normal clips, a validation part, and a test part with all anomalies.

    Parameters
    ----------
    *arrays : sequences of length n_clips
        Arrays, lists, pandas objects, sparse matrices or ``AudioClips``; at least one. Pass ``np.arange(n_clips)``
        for the positions.

    y : array-like of shape (n_clips,) or None
        1 for normal, -1 for anomalous clips. None means that all are normal.

    validation_size, test_size : float or int, default=0.15
        Fraction of the normal clips, or their number. The defaults leave 70 % for training, a customary split of
        autoencoders on sound. 0 leaves the part without normal clips.

    anomalies : {"test", "shared"}, default="test"
        Where the anomalies go: all to the test, or one half to the validation, which then can serve to choose a
        threshold or a model by labels, and the other half to the test.

    groups : array-like of shape (n_clips,), default=None
        Clips of one group, such as copies of a recording, or recordings of a patient, come into one part. A group
        with an anomaly is therefore not trained on, whatever normal clips it holds. Sizes are met as nearly as
        groups allow, and every part gets at least one group.

    random_state : int, RandomState instance or None, default=None
        Seed of the split. None draws a new one every time.

    Returns
    -------
    list
        For each of `arrays`, then for `y`: its training, its validation and its test part, in the clips' order and
        of the kind that was passed. The labels are arrays of 1 and -1, those of the training part all 1.

    Raises
    ------
    ValueError
        If a label is neither 1 nor -1, lengths differ, sizes are out of range, or a part would get no normal clip
        though it shall have some.

    See Also
    --------
    NormalOnlySplit : Several splits, for cross-validation.

    Examples
    --------
    >>> import numpy as np
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
            "pass at least one array to split; np.arange(len(y)) gives the positions of the clips."
        )
    check_option(anomalies, "anomalies", ("test", "shared"))
    y = labels_of(arrays[0], y)
    check_consistent_length(*arrays, y, groups)
    n_normal = np.count_nonzero(y == 1)
    targets = _sizes(n_normal, validation_size=validation_size, test_size=test_size)
    _, groups = np.unique(np.arange(len(y)) if groups is None else column_or_1d(groups), return_inverse=True)
    # Not the global generator, which stays as it was.
    rng = np.random.RandomState() if random_state is None else check_random_state(random_state)

    part_of_group = np.full(groups.max() + 1, -1)
    n_anomalous = np.bincount(groups, weights=y == -1)
    # Groups with anomalies first: they decide which normal clips are not for training.
    shares = np.array([0, anomalies == "shared", 1], dtype=float)
    _fill(part_of_group, rng.permutation(np.flatnonzero(n_anomalous)), n_anomalous, shares)
    sizes = np.bincount(groups, weights=y == 1)
    _fill(part_of_group, rng.permutation(np.flatnonzero(n_anomalous == 0)), sizes, targets)

    part = part_of_group[groups]
    for index, name in enumerate(("training", "validation", "test")):
        if targets[index] and not np.any((part == index) & (y == 1)):
            tied = np.count_nonzero((n_anomalous > 0) & (sizes > 0))
            raise ValueError(
                f"no normal clip is left for the {name} part: the {n_normal} normal clips belong to "
                f"{np.count_nonzero(sizes)} groups, which stay together, {tied} of them with anomalies, which are not "
                "trained on. Use finer groups, or NormalOnlySplit(GroupKFold(...)), which tests every group in turn."
            )
    positions = [np.flatnonzero(part == index) for index in range(3)]
    return [take(array, rows) for array in (*arrays, y) for rows in positions]


def _sizes(n_normal, *, validation_size, test_size):
    """How many normal clips are for training, validation and test, float (3,)."""
    counts = []
    for name, size in (("validation_size", validation_size), ("test_size", test_size)):
        if isinstance(size, (int, np.integer)):
            check_number(size, name, low=0, integer=True)
            counts.append(int(size))
        else:
            check_number(size, name, low=0, high=1, closed="left")
            # At least one clip, where a part is asked for.
            counts.append(max(round(size * n_normal), int(size > 0)))
    if sum(counts) >= n_normal:
        raise ValueError(
            f"validation_size={validation_size} and test_size={test_size} of {n_normal} normal clips are "
            f"{counts[0]} and {counts[1]}, which leaves none for training. Use smaller sizes, or more clips."
        )
    return np.array([n_normal - sum(counts), *counts], dtype=float)


def _fill(part_of_group, order, sizes, targets):
    """Put the groups, in this order, each where it fits best: parts grow in proportion to their targets."""
    placed = part_of_group >= 0
    filled = np.bincount(part_of_group[placed], weights=sizes[placed], minlength=3)
    wanted = targets > 0
    for n_before, group in enumerate(order):
        open_to = wanted & (filled == 0)
        # The last groups are kept for parts that have none.
        if len(order) - n_before > np.count_nonzero(open_to):
            open_to = wanted
        load = np.full(3, np.inf)
        load[open_to] = (filled + sizes[group])[open_to] / targets[open_to]
        part = 2 - np.argmin(load[::-1])  # the test first
        part_of_group[group] = part
        filled[part] += sizes[group]
