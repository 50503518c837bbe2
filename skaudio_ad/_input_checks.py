"""Checks of features, spectrograms and groups, shared by every estimator."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.utils.validation import column_or_1d, validate_data

from ._clip_errors import ClipError, with_names
from ._lazy import LazySequence, is_missing
from ._typing import IntArray

_GRIDS = "grids of embeddings, (n_clips, n_channels, n_bands, n_frames) or a list of (n_channels, n_bands, n_frames_i)"
_GRID_REMEDY = 'Give the embedding output="grid", which keeps the frequency axis.'


def check_groups(groups: Any, n_clips: int, kind: str = "group") -> npt.NDArray[Any] | None:
    """Check that every clip has a group.

    Parameters
    ----------
    groups : array-like of shape (n_clips,) or None
    n_clips : int
    kind : str, default="group"
        What the labels name, for messages.

    Returns
    -------
    ndarray of shape (n_clips,) or None
        Group of every clip. None where `groups` is None.

    Raises
    ------
    ValueError
        If the number of groups differs from the number of clips, or a clip has no group.
    """
    if groups is None:
        return None
    groups = column_or_1d(groups)
    if len(groups) != n_clips:
        raise ValueError(f"{kind}s must have one entry a clip: got {len(groups)} for {n_clips} clips.")
    unknown = [index for index, group in enumerate(groups) if group is None or group != group]
    if unknown:
        raise ValueError(
            f"{kind}s must name a {kind} for every clip, got {groups[unknown[0]]} for clip {unknown[0]}. Give a clip "
            f"that belongs to no {kind} a {kind} of its own."
        )
    return groups


def number_groups(groups: Any, n_clips: int) -> IntArray | None:
    """Check that every clip has a group, and number the groups from 0.

    Parameters
    ----------
    groups : array-like of shape (n_clips,) or None
    n_clips : int

    Returns
    -------
    ndarray of int of shape (n_clips,) or None
        Number of the group of every clip. None where `groups` is None.

    Raises
    ------
    ValueError
        If the number of groups differs from the number of clips, or a clip has no group.
    """
    groups = check_groups(groups, n_clips)
    return None if groups is None else np.unique(groups, return_inverse=True)[1]


def check_features(estimator: Any, X: Any, *, reset: bool, ndims: Sequence[int] = (2, 3)) -> Any:
    """Check that features or spectrograms are finite, rectangular, and have as many bins as in `fit`.

    Parameters
    ----------
    estimator : estimator
        Its ``n_features_in_`` is set where `reset` is True. For spectrograms, it is the number of bins.
    X : array-like or list of ndarray or LazySequence
        ``(n_clips, n_features)``, ``(n_clips, n_bins, n_frames)``, or a list (or lazy sequence) of
        ``(n_bins, n_frames_i)`` for clips of different lengths. A clip that is NaN throughout passes, because
        such a clip stands for a file that could not be read.
    reset : bool
        True in `fit`, False afterwards.
    ndims : tuple of int, default=(2, 3)
        Numbers of dimensions that the estimator takes. The first axis is the clips.

    Returns
    -------
    ndarray or list of ndarray or LazySequence
        An array is float32 or float64. A lazy sequence is returned unchanged: its items are computed later.

    Raises
    ------
    ValueError
        If X is empty, ragged or not finite, has a wrong number of dimensions, or has other bins than in `fit`.
    """
    if not reset and _is_sound(estimator, X, ndims):
        return X
    name = type(estimator).__name__
    if isinstance(X, (list, tuple, LazySequence)) and not len(X):
        raise ValueError(f"{name} got no clips: X has 0 samples, at least 1 is required.")
    if isinstance(X, LazySequence):
        first = X[0]
        if getattr(X, "n_channels", 1) > 1:  # a clip of two waveforms has two axes, as a spectrogram has
            raise ValueError(
                f"{name} takes features or spectrograms, got {X!r}: put an embedding in front of it, or load the clips "
                'with AudioLoader(channel="mix") and put a MelTransformer in front of it.'
            )
        if first.ndim != 2:
            raise ValueError(
                f"{name} takes spectrograms of shape (n_bins, n_frames), got {X!r}, whose first clip has the shape "
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
    _check_missing(name, X)
    return X


def check_grids(estimator: Any, X: Any, *, reset: bool) -> Any:
    """Check that grids of embeddings are finite, rectangular, and have as many channels and bands as in `fit`.

    Parameters
    ----------
    estimator : estimator
        Its ``n_features_in_`` (number of channels) and ``n_bands_`` are set where `reset` is True.
    X : array-like or list of ndarray or LazySequence
        ``(n_clips, n_channels, n_bands, n_frames)``, or a list (or lazy sequence) of
        ``(n_channels, n_bands, n_frames_i)``. ``(n_clips, n_channels)`` is one band of one frame.
    reset : bool
        True in `fit`, False afterwards.

    Returns
    -------
    ndarray of shape (n_clips, n_channels, n_bands, n_frames), list of ndarray or LazySequence
        A lazy sequence is returned unchanged: :func:`check_grid` checks its items when they are computed.

    Raises
    ------
    ValueError
        If X is empty, ragged or not finite, or has another number of dimensions, channels or bands.
    """
    name = type(estimator).__name__
    if isinstance(X, (list, tuple, LazySequence)) and not len(X):
        raise ValueError(f"{name} got no clips: X has 0 samples, at least 1 is required.")
    if reset:
        estimator.__dict__.pop("n_bands_", None)
    if isinstance(X, LazySequence):
        return X
    if _is_list_of_arrays(X):
        for index, item in enumerate(X):
            check_grid(estimator, item, X, index)
        return with_names(list(X), X)
    shape = np.shape(X) if hasattr(X, "shape") else ()
    if len(shape) == 4 and not reset and 0 not in shape:
        _raise_other_bands(estimator, shape)
    X = validate_data(
        estimator,
        X,
        reset=reset,
        dtype=[np.float32, np.float64],
        allow_nd=True,
        ensure_2d=len(shape) < 3,
        ensure_all_finite="allow-nan",
    )
    if X.ndim not in (2, 4):
        raise ValueError(f"{name} takes {_GRIDS}, got X of shape {X.shape}. {_GRID_REMEDY}")
    if 0 in X.shape:
        raise ValueError(f"{name} got clips without any value: X has the shape {X.shape}.")
    _check_missing(name, X)
    X = X[:, :, np.newaxis, np.newaxis] if X.ndim == 2 else X
    _raise_other_bands(estimator, X.shape)
    return X


def check_grid(estimator: Any, grid: Any, X: Any, index: int) -> None:
    """Check one clip of a list or a lazy sequence. The first readable clip of a fit sets the numbers to expect.

    Parameters
    ----------
    estimator : estimator
    grid : ndarray of shape (n_channels, n_bands, n_frames)
    X : list or LazySequence
        The clips, which know the name of the clip.
    index : int
        Position of the clip in X.

    Raises
    ------
    ClipError
        If the clip has another shape, is empty, or holds NaN among numbers or infinity.
    """
    if is_missing(grid):
        return
    if grid.ndim != 3:
        problem = f"has the shape {grid.shape}, but {type(estimator).__name__} takes {_GRIDS}. {_GRID_REMEDY}"
    elif grid.size == 0:
        problem = f"is empty, its shape is {grid.shape}."
    elif not np.isfinite(grid).all():
        problem = "contains NaN or infinity."
    else:
        problem = _other_bands(estimator, *grid.shape[:2])
    if problem:
        raise ClipError(problem).of(X, index)


def _other_bands(estimator, n_channels, n_bands):
    """What is wrong with these numbers of channels and bands; an empty text if they are those of `fit`."""
    if not hasattr(estimator, "n_bands_"):
        estimator.n_features_in_, estimator.n_bands_ = n_channels, n_bands
    expected = estimator.n_features_in_, estimator.n_bands_
    if (n_channels, n_bands) == expected:
        return ""
    return (
        f"has {_described(n_channels, n_bands)}, but {type(estimator).__name__} expects {_described(*expected)}, as "
        "the first clip of fit has: use the same backbone and the same output."
    )


def _raise_other_bands(estimator, shape):
    if problem := _other_bands(estimator, *shape[1:3]):
        raise ValueError(f"X {problem}")


def _described(n_channels, n_bands):
    return f"{n_bands} band{'s' * (n_bands != 1)} of {n_channels} channel{'s' * (n_channels != 1)}"


def _check_missing(name, X):
    """Raise if a clip holds NaN among numbers."""
    # A clip that could not be read is NaN throughout. A NaN among numbers is an error of an earlier step. The sums
    # find suspect rows, because a mask of all values would need memory in the size of the corpus.
    rows = X.reshape(len(X), -1)
    with np.errstate(over="ignore", invalid="ignore"):  # inf - inf is NaN
        suspects = np.flatnonzero(np.isnan(rows.sum(axis=1, dtype=np.float64)))
    broken = [i for i in suspects if np.isnan(rows[i]).any() and not is_missing(rows[i])]
    if broken:
        raise ValueError(
            f"Input X contains NaN among numbers, first in clip {broken[0]}. {name} accepts NaN only in a clip "
            "that is NaN throughout, because such a clip stands for a file that could not be read."
        )


def _is_sound(estimator, X, ndims):
    """Whether X surely passes every check. For one clip, the checks of scikit-learn take longer than the scores."""
    fits = (
        type(X) is np.ndarray
        and X.dtype in (np.float32, np.float64)
        and X.ndim in ndims
        and X.shape[1] == getattr(estimator, "n_features_in_", None)
        and not hasattr(estimator, "feature_names_in_")
        and X.size > 0
    )
    with np.errstate(
        over="ignore", invalid="ignore"
    ):  # a sum that overflows is not finite: then all checks run
        return fits and bool(np.isfinite(X.sum(dtype=np.float64)))


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
