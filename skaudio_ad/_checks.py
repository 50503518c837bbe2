"""Checks of parameters and of spectrogram-like input, shared by every estimator."""

import numbers
import sys

import numpy as np
from sklearn.utils.validation import column_or_1d, validate_data

from ._clip_errors import with_names
from ._lazy import LazySequence, is_missing

# Packages whose functions lie between the user's line and what it sets going.
_BETWEEN = {__name__.partition(".")[0], "sklearn", "joblib"}


def check_number(value, name, *, low=None, high=None, closed="both", integer=False, none=False):
    """Raise unless `value` is a number in the interval from `low` to `high`.

    Parameters
    ----------
    value : object
    name : str
        The parameter's name, for the message.
    low, high : number or None, default=None
        Ends of the interval; None is open to infinity.
    closed : {"both", "left", "right", "neither"}, default="both"
        Which ends belong to the interval.
    integer : bool, default=False
        Whether only integers will do.
    none : bool, default=False
        Whether None will do as well.

    Raises
    ------
    TypeError
        If `value` is no number of the kind asked for.
    ValueError
        If `value` lies outside the interval.
    """
    if none and value is None:
        return
    kind = numbers.Integral if integer else numbers.Real
    if not isinstance(value, kind) or isinstance(value, (bool, np.bool_)):
        wanted = ("an integer" if integer else "a number") + (" or None" if none else "")
        raise TypeError(f"{name} must be {wanted}, got {value!r}.")
    above = low is None or value > low or (value == low and closed in ("both", "left"))
    below = high is None or value < high or (value == high and closed in ("both", "right"))
    if not (above and below):
        left = f"{'[' if closed in ('both', 'left') else '('}{'-inf' if low is None else low}"
        right = f"{'inf' if high is None else high}{']' if closed in ('both', 'right') else ')'}"
        raise ValueError(f"{name} must lie in {left}, {right}, got {value!r}.")


def check_option(value, name, options):
    """Raise a ValueError that lists `options` unless `value` is one of them."""
    if not any(value is option or value == option for option in options):
        raise ValueError(f"{name} must be one of {', '.join(map(repr, options))}, got {value!r}.")


def check_sizes(value, name, *, at_least=0):
    """Raise unless `value` is a sequence of `at_least` or more positive integers."""
    if not isinstance(value, (list, tuple, np.ndarray)):
        raise TypeError(f"{name} must be a sequence of integers, got {value!r}.")
    if len(value) < at_least:
        raise ValueError(f"{name} must hold at least {at_least}, got {value!r}.")
    for size in value:
        check_number(size, name, low=1, integer=True)


def check_groups(groups, n_clips):
    """The group of every clip as a number, ndarray of int of shape (n_clips,); None where `groups` is None.

    Raises
    ------
    ValueError
        If there is not one group a clip.
    """
    if groups is None:
        return None
    groups = column_or_1d(groups)
    if len(groups) != n_clips:
        raise ValueError(f"groups must have one entry a clip: got {len(groups)} for {n_clips} clips.")
    unknown = [index for index, group in enumerate(groups) if group is None or group != group]
    if unknown:
        raise ValueError(
            f"groups must name a group for every clip, got {groups[unknown[0]]} for clip {unknown[0]}. Give a clip "
            "that is alone a group of its own."
        )
    return np.unique(groups, return_inverse=True)[1]


def check_features(estimator, X, *, reset, ndims=(2, 3)):
    """Validate features or spectrograms: finite, rectangular, and as many bins as in `fit`.

    Parameters
    ----------
    estimator : estimator
        Gets ``n_features_in_`` (bins, for spectrograms) on `reset`.
    X : array-like or list of ndarray or LazySequence
        ``(n_clips, n_features)``, ``(n_clips, n_bins, n_frames)``, or a list (or lazy sequence) of
        ``(n_bins, n_frames_i)`` for clips of different lengths. A clip of nothing but NaN stands for one
        that could not be read and passes.
    reset : bool
        True in `fit`, False afterwards.
    ndims : tuple of int, default=(2, 3)
        Numbers of dimensions that the estimator takes, the first axis being the clips.

    Returns
    -------
    ndarray or list of ndarray or LazySequence
        An array is float32 or float64. A lazy sequence comes back as it is: its items are computed later.

    Raises
    ------
    ValueError
        If X is empty, ragged, not finite, of the wrong dimension or with other bins than in `fit`.
    """
    name = type(estimator).__name__
    if isinstance(X, (list, tuple, LazySequence)) and not len(X):
        raise ValueError(f"{name} got no clips: X has 0 samples, at least 1 is required.")
    if isinstance(X, LazySequence):
        first = X[0]
        if first.ndim != 2:
            raise ValueError(
                f"{name} takes spectrograms, (n_bins, n_frames) each, got {X!r} whose first has the shape "
                f"{first.shape}: put a MelTransformer in front of it."
            )
        _check_bins(estimator, [first], reset)
        return X
    if _is_list_of_arrays(X):
        return _check_list(estimator, X, reset, ndims)
    X = validate_data(
        estimator,
        X,
        reset=reset,
        dtype=[np.float32, np.float64],
        allow_nd=max(ndims) > 2,
        ensure_2d=2 in ndims,
        ensure_all_finite="allow-nan",
    )
    if X.ndim not in ndims:
        shapes = {2: "(n_clips, n_features)", 3: "(n_clips, n_bins, n_frames)"}
        wanted = " or ".join(shapes[n] for n in ndims)
        raise ValueError(f"{name} takes X of shape {wanted}, got {X.shape}. Time is the last axis.")
    # A clip that could not be read is NaN throughout; a NaN in the midst of numbers is an error upstream. The sums
    # find the rows to look at without a mask as long as the corpus.
    rows = X.reshape(len(X), -1)
    with np.errstate(over="ignore", invalid="ignore"):  # infinities of either sign add up to NaN
        suspects = np.flatnonzero(np.isnan(rows.sum(axis=1, dtype=np.float64)))
    broken = [i for i in suspects if np.isnan(rows[i]).any() and not is_missing(rows[i])]
    if broken:
        raise ValueError(
            f"Input X contains NaN among numbers, first in clip {broken[0]}. {name} accepts NaN only as a clip "
            "that is NaN throughout, which stands for a file that could not be read."
        )
    return X


def _is_list_of_arrays(X):
    return (
        isinstance(X, (list, tuple))
        and len(X) > 0
        and all(isinstance(x, np.ndarray) and x.ndim > 1 for x in X)
    )


def _check_list(estimator, X, reset, ndims):
    name = type(estimator).__name__
    if 3 not in ndims:
        raise ValueError(f"{name} takes X of shape (n_clips, n_features), got a list of spectrograms.")
    for index, item in enumerate(X):
        if item.ndim != 2:
            raise ValueError(f"{name}: clip {index} must be (n_bins, n_frames), got shape {item.shape}.")
        if item.size == 0:
            raise ValueError(f"{name}: clip {index} is empty, its shape is {item.shape}.")
        if not np.isfinite(item).all() and not is_missing(item):
            raise ValueError(f"{name}: clip {index} contains NaN or infinity.")
    _check_bins(estimator, X, reset)
    return with_names(list(X), X)


def _check_bins(estimator, items, reset):
    if reset:
        estimator.n_features_in_ = items[0].shape[0]
    expected = getattr(estimator, "n_features_in_", items[0].shape[0])
    for index, item in enumerate(items):
        if item.shape[0] != expected:
            raise ValueError(
                f"clip {index} has {item.shape[0]} bins, but {type(estimator).__name__} expects {expected}: "
                "all clips need the same feature settings."
            )


def users_level():
    """The stacklevel of a warning that shall point at the user's line, however many pipelines lie between.

    Returns
    -------
    int
        For ``warnings.warn`` in the function that calls this one.
    """
    frame, level = sys._getframe(1), 1
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] in _BETWEEN:
        frame, level = frame.f_back, level + 1
    return level
