"""Sequences whose items are computed on access."""

import copy
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Self

import numpy as np

from ._clip_errors import ClipError, ClipList, Named, leave_out, with_names
from ._stream import missing_clip, stream

# Maximum number of values of a missing clip that is lengthened until one window fits in.
_LARGEST_STAND_IN = 1 << 22


def take(clips: Any, positions: Any) -> Any:
    """Take the clips at some positions from any container of clips.

    Parameters
    ----------
    clips : array-like of clips
        Array, list, tuple, lazy sequence, pandas Series or data frame.
    positions : ndarray of int

    Returns
    -------
    array-like of clips
        Container of the same kind.
    """
    if hasattr(clips, "iloc"):
        return clips.iloc[positions]
    if isinstance(clips, ClipList):
        return ClipList([clips[i] for i in positions], [clips.name(i) for i in positions], clips.origin)
    # Lists and tuples cannot be indexed with an array. All other containers of clips can.
    return [clips[index] for index in positions] if isinstance(clips, (list, tuple)) else clips[positions]


def is_missing(item: Any) -> bool:
    """Tell whether an array is NaN throughout, and so stands for a clip that could not be read."""
    return item.size > 0 and bool(np.isnan(item.flat[0])) and bool(np.isnan(item).all())


class _PassMissing:
    """`function` for clips; a missing clip stays missing, and gets the shape of the output of `function`."""

    def __init__(self, function):
        self.function = function

    def __call__(self, item):
        if not is_missing(item):
            return self.function(item)
        while True:
            try:
                made = self.function(item)
                # A step that removes silence returns an empty array for NaN.
                return np.full_like(made if np.size(made) else item, np.nan)
            except ClipError:
                # A missing clip of unknown length may be shorter than one window.
                if item.size > _LARGEST_STAND_IN:
                    raise
                item = np.concatenate([item, item], axis=-1)


class _Checked(_PassMissing):
    """`_PassMissing` that checks the result: a result that is not an array of numbers is an error of the clip."""

    def __call__(self, item):
        return _check_step(super().__call__(item), self)


def _check_step(item, function):
    """Return `item`, the result of one step, if `item` is an array of finite numbers or a missing clip.

    The check follows every step, because the next step may spread one NaN over the whole clip. The clip would then
    count as missing, and the fault would stay hidden.
    """
    values = np.asarray(item)
    is_numbers = values.dtype.kind in "fiu"
    if is_numbers and values.size and (np.isfinite(values).all() or is_missing(values)):
        return item
    found = "is empty, or contains NaN or infinity," if is_numbers else "is not an array of numbers"
    step = getattr(function, "function", function)
    raise ClipError(
        f"{found} after {getattr(step, '__name__', type(step).__name__)}. Mend this step. Where the step cannot use "
        "a clip, let the step return an array that is NaN throughout: the clip then counts as unreadable."
    )


class LazySequence(Named, Sequence):
    """Sequence of arrays. Each array is computed on access and not kept.

    Parameters
    ----------
    items : sequence
        Sequence that the arrays are computed from; any object with ``len`` and ``[int]``.

    functions : tuple of callable, default=()
        Functions that are applied to an item in this order. The functions must pickle, because joblib
        pickles the sequence for its workers.
    """

    def __init__(self, items: Any, functions: Iterable[Callable[[Any], Any]] = ()) -> None:
        self._items = items
        self._functions = tuple(functions)
        self._positions: Any = None  # positions of the items in the sequence that this one is a part of

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, tuple) and len(key) == 2 and key[1] is Ellipsis:
            key = key[0]  # scikit-learn indexes the rows of an object with a shape with (rows, ...)
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

    def __iter__(self) -> Iterator[Any]:
        return stream(_identity, self)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:  # NumPy's names
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

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {len(self)} clips>"

    def name(self, index: int) -> str:
        """Return the name of item `index` for messages: its file, or its place in the whole sequence."""
        if isinstance(self._items, LazySequence):
            return self._items.name(self._place(index))
        return f"clip {index if self._positions is None else self._positions[index]}"

    def map(self, function: Callable[[Any], Any]) -> Self:
        """Apply `function` to every item, on access.

        Parameters
        ----------
        function : callable
            Takes and returns an array; must pickle. A result that is empty, or holds NaN or infinity among
            numbers, raises an error on access.

        Returns
        -------
        LazySequence
            Sequence of the same length. Missing clips (NaN throughout) stay missing.
        """
        return self._replace(self._items, (*self._functions, _PassMissing(function)))

    def _source(self, index):
        """Return item `index` before `functions` are applied. A subclass may compute the item itself."""
        return self._items[index]

    def _place(self, index):
        """Return the position, in the sequence below, of the item that item `index` is computed from."""
        return index

    @property
    def origin(self) -> Any:
        """Sequence of files that the items are computed from. None where the items come from no files."""
        return self._items.origin if isinstance(self._items, LazySequence) else None

    def missing(self, index: int) -> Any:
        """Return the array of NaN that replaces item `index` where the item is left out.

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
        """Return the positions that a slice, a list, an array of indices or a boolean mask selects."""
        if isinstance(key, slice):
            return np.arange(len(self))[key]
        indices = np.asarray(key)
        if indices.ndim == 1 and indices.size == 0:
            return indices.astype(int)
        if indices.ndim != 1 or indices.dtype.kind not in "iub":
            raise TypeError(
                f"clips are indexed with an int, a slice or a 1-D array of ints or bools, got {key!r}."
            )
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


def collect(items: Any) -> Any:
    """Gather items of one shape in a float32 array, and items of different shapes in a list.

    The array is allocated when the first item arrives, so that no second copy of the items is in memory.

    Parameters
    ----------
    items : sized iterable of ndarray

    Returns
    -------
    ndarray of shape (n_items, ...) or list of ndarray
    """
    return gather(iter(items), len(items), items)


def map_collect(function: Callable[[Any], Any], items: Any, *, finite: bool = False) -> Any:
    """Gather ``function(item)`` of every item, as :func:`collect` does. Missing clips stay missing.

    Parameters
    ----------
    function : callable
    items : sequence of ndarray
    finite : bool, default=False
        Whether NaN or infinity in a result is an error of its clip, as in a lazy sequence.

    Returns
    -------
    ndarray of shape (n_items, ...) or list of ndarray
    """
    step = _Checked(function) if finite else _PassMissing(function)
    return gather(stream(step, items), len(items), items)


def gather(iterator: Iterable[Any], n_items: int, source: Any = None) -> Any:
    """Gather the items of an iterator, as :func:`collect` does.

    Parameters
    ----------
    iterator : iterable of ndarray
    n_items : int
        Number of items that the iterator yields.
    source : sequence, default=None
        Clips that the items are computed from. A list gets the names of these clips.

    Returns
    -------
    ndarray of shape (n_items, ...) or list of ndarray
    """
    array, rows, item = None, None, np.empty(0, dtype=np.float32)
    for index, item in enumerate(iterator):
        if rows is not None:
            rows.append(item)
            continue
        if is_missing(item):
            continue  # the row of this item is NaN already
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
