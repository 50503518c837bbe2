"""Sequences whose items are computed on access."""

import copy
from collections.abc import Sequence

import numpy as np

from ._clip_errors import ClipError, ClipList, Named, leave_out, with_names
from ._stream import missing_clip, stream

# Values up to which what stands for a missing clip is lengthened until a window fits in.
_LARGEST_STAND_IN = 1 << 22


def take(clips, positions):
    """The clips at some positions, of whatever holds clips: paths, arrays, lists, lazy sequences, data frames.

    Parameters
    ----------
    clips : array-like of clips
    positions : ndarray of int

    Returns
    -------
    array-like of clips
    """
    if hasattr(clips, "iloc"):
        return clips.iloc[positions]
    if isinstance(clips, ClipList):
        return ClipList([clips[i] for i in positions], [clips.name(i) for i in positions], clips.origin)
    # Lists and tuples take no array of indices; everything else that holds clips does.
    return [clips[index] for index in positions] if isinstance(clips, (list, tuple)) else clips[positions]


def is_missing(item):
    """Whether `item` stands for a clip that could not be read: an array of nothing but NaN."""
    return item.size > 0 and bool(np.isnan(item.flat[0])) and bool(np.isnan(item).all())


class _PassMissing:
    """`function`, except that a missing clip stays missing, in the shape `function` gives it."""

    def __init__(self, function):
        self.function = function

    def __call__(self, item):
        if not is_missing(item):
            return self.function(item)
        while True:
            try:
                made = self.function(item)
                # Steps that cut silence away leave nothing of NaN.
                return np.full_like(made if np.size(made) else item, np.nan)
            except ClipError:
                # What stands for a clip of unknown length may be shorter than one window.
                if item.size > _LARGEST_STAND_IN:
                    raise
                item = np.concatenate([item, item], axis=-1)


class _Checked(_PassMissing):
    """The same, and a result that is no array of numbers is an error of its clip."""

    def __call__(self, item):
        return _check_step(super().__call__(item), self)


def _check_step(item, function):
    """`item`, which a step of a lazy sequence has made, if it is an array of numbers; or missing.

    After every step: the next may turn one NaN into nothing but NaN, and so a fault into a missing clip.
    """
    values = np.asarray(item)
    is_numbers = values.dtype.kind in "fiu"
    if is_numbers and values.size and (np.isfinite(values).all() or is_missing(values)):
        return item
    found = "is empty, or contains NaN or infinity," if is_numbers else "is no array of numbers"
    step = getattr(function, "function", function)
    raise ClipError(
        f"{found} after {getattr(step, '__name__', type(step).__name__)}. Mend this step; where it cannot do anything "
        "with a clip, an array of nothing but NaN makes it one that could not be read."
    )


class LazySequence(Named, Sequence):
    """Sequence of arrays, each computed when it is asked for and then forgotten.

    Parameters
    ----------
    items : sequence
        What the arrays are computed from: another sequence, or anything with ``len`` and ``[int]``.

    functions : tuple of callable, default=()
        Applied to an item one after the other. They must pickle, or joblib cannot send the sequence on.
    """

    def __init__(self, items, functions=()):
        self._items = items
        self._functions = tuple(functions)
        self._positions = None  # of the items in the sequence that this is a part of

    def __len__(self):
        return len(self._items)

    def __getitem__(self, key):
        if isinstance(key, tuple) and len(key) == 2 and key[1] is Ellipsis:
            key = key[0]  # how scikit-learn indexes the rows of anything that has a shape
        if isinstance(key, (int, np.integer)):
            if not -len(self) <= key < len(self):
                raise IndexError(f"clip {key} does not exist: there are {len(self)} clips.")
            index = int(key) % len(self)
            try:
                return self._compute(index)
            except Exception as error:
                leave_out(self, index, error)
                return self.missing(index)
        return self._subset(self._indices(key))

    def __iter__(self):
        return stream(_identity, self)

    def __array__(self, dtype=None, copy=None):  # NumPy's names
        if copy is False:
            raise ValueError(
                f"{type(self).__name__} computes its items on access: an array of them is a copy."
            )
        stacked = collect(self)
        if isinstance(stacked, list):
            shapes = sorted({item.shape for item in stacked})
            raise ValueError(
                f"{type(self).__name__} holds clips of different lengths, which do not fit one array: "
                f"shapes {shapes[0]} to {shapes[-1]}. Give AudioLoader a duration and a pad, or use list(clips)."
            )
        return stacked if dtype is None else stacked.astype(dtype)

    def __repr__(self):
        return f"<{type(self).__name__} of {len(self)} clips>"

    def name(self, index):
        """What to call item `index` in a message: its file, or its place in the sequence that this is a part of."""
        if isinstance(self._items, LazySequence):
            return self._items.name(self._place(index))
        return f"clip {index if self._positions is None else self._positions[index]}"

    def map(self, function):
        """Apply `function` to every item, lazily.

        Parameters
        ----------
        function : callable
            Takes and returns an array; must pickle. An array that is empty, or holds NaN or infinity among
            numbers, is an error when it is asked for.

        Returns
        -------
        LazySequence
            Of the same length; missing clips (all NaN) stay missing.
        """
        return self._replace(self._items, (*self._functions, _PassMissing(function)))

    def _source(self, index):
        """Item `index` before `functions`; what a subclass that makes its items itself defines."""
        return self._items[index]

    def _place(self, index):
        """Position, in the sequence below, of what item `index` is made from."""
        return index

    @property
    def origin(self):
        """The sequence of files that the items are computed from, or None if they are from none."""
        return self._items.origin if isinstance(self._items, LazySequence) else None

    def missing(self, index):
        """What stands for item `index` once it is left out: NaN throughout.

        Parameters
        ----------
        index : int

        Returns
        -------
        ndarray
        """
        return self._through(missing_clip(self._items, self._place(index)))

    def _compute(self, index):
        return self._through(self._source(index))

    def _through(self, item):
        for function in self._functions:
            item = _check_step(function(item), function)
        return item

    def _indices(self, key):
        """Positions that a slice, a list, an array of indices or a boolean mask selects."""
        if isinstance(key, slice):
            return np.arange(len(self))[key]
        indices = np.asarray(key)
        if indices.ndim == 1 and indices.size == 0:
            return indices.astype(int)
        if indices.ndim != 1 or indices.dtype.kind not in "iub":
            raise TypeError(f"clips are indexed with an int, a slice or a 1-D array of them, got {key!r}.")
        if indices.dtype.kind == "b" and len(indices) != len(self):
            raise IndexError(f"a boolean index must have one entry per clip: {len(indices)} for {len(self)}.")
        return np.arange(len(self))[indices]

    def _subset(self, indices):
        if isinstance(self._items, np.ndarray):
            items = self._items[indices]
        elif isinstance(self._items, LazySequence):
            items = self._items._subset(indices)
        else:
            items = [self._items[index] for index in indices]
        part = self._replace(items, self._functions)
        part._positions = indices if self._positions is None else self._positions[indices]
        return part

    def _replace(self, items, functions):
        new = copy.copy(self)
        new._items, new._functions = items, tuple(functions)
        return new


def _identity(item):
    return item


def collect(items):
    """Gather equal shapes into one float32 array, different ones into a list.

    The array is allocated when the first item arrives, so that memory grows by the result alone.

    Parameters
    ----------
    items : sized iterable of ndarray

    Returns
    -------
    ndarray of shape (n_items, ...) or list of ndarray
    """
    return gather(iter(items), len(items), items)


def map_collect(function, items, *, finite=False):
    """``collect`` over ``function(item)``, computed ahead in threads; missing clips stay missing.

    Parameters
    ----------
    function : callable
    items : sequence of ndarray
    finite : bool, default=False
        Whether NaN or infinity in a result is an error of its clip, as it is in a lazy sequence.

    Returns
    -------
    ndarray of shape (n_items, ...) or list of ndarray
    """
    step = _Checked(function) if finite else _PassMissing(function)
    return gather(stream(step, items), len(items), items)


def gather(iterator, n_items, source=None):
    """:func:`collect` for an iterator that says beforehand how many items will come, and from which clips."""
    array, rows, item = None, None, np.empty(0, dtype=np.float32)
    for index, item in enumerate(iterator):
        if rows is not None:
            rows.append(item)
            continue
        if is_missing(item):
            continue  # its row is NaN already, in the shape of the clips around it
        if array is None:
            array = np.full((n_items, *item.shape), np.nan, dtype=np.float32)
        if item.shape == array.shape[1:]:
            array[index] = item
        else:
            rows = [*(row.copy() for row in array[:index]), item]
            array = None
    if rows is not None:
        return with_names(rows, source)
    return np.full((n_items, *item.shape), np.nan, dtype=np.float32) if array is None else array
