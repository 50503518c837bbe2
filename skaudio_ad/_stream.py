"""The one streaming loop over clips."""

import os
from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any

import numpy as np

from ._clip_errors import Named, leave_out

# Maximum number of threads: more threads only wait for the disk and hold more clips in memory.
_MAX_THREADS = 4


def stream(function: Callable[[Any], Any], items: Any) -> Iterator[Any]:
    """Yield ``function(item)`` for every item, in order. Threads compute a few items ahead.

    The threads also get ``items[i]``, so that they decode files while the consumer computes. The number of
    results that exist at the same time has a small maximum, whatever the length of `items`.

    Parameters
    ----------
    function : callable
    items : sequence

    Yields
    ------
    object
        ``function(items[i])`` for i = 0, 1, ...
    """
    if len(items) == 1:  # there is nothing to compute ahead, and threads take time to start
        yield _apply(function, items, 0)
        return
    n_threads = min(_MAX_THREADS, os.cpu_count() or 1)
    with ThreadPoolExecutor(n_threads, thread_name_prefix="skaudio_ad") as pool:
        pending: deque = deque()
        try:
            for index in range(len(items)):
                pending.append(pool.submit(_apply, function, items, index))
                if len(pending) > 2 * n_threads:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            # No work goes on after a consumer stops early or an item fails.
            for future in pending:
                future.cancel()


def _apply(function, items, index):
    try:
        return function(items[index])
    except Exception as error:
        leave_out(items, index, error)
        return function(missing_clip(items, index))


def missing_clip(items: Any, index: int) -> Any:
    """Return the array of NaN that replaces clip `index` where the clip is left out."""
    return items.missing(index) if isinstance(items, Named) else np.full_like(items[index], np.nan)


def ahead(iterator: Generator[Any, None, None]) -> Iterator[Any]:
    """Yield the items of an iterator. A thread computes the next item while the consumer works.

    Parameters
    ----------
    iterator : generator
        The generator is closed after the last item, and when the consumer stops early.

    Yields
    ------
    object
    """
    end = object()
    with ThreadPoolExecutor(1, thread_name_prefix="skaudio_ad") as pool:
        future = pool.submit(next, iterator, end)
        try:
            while (item := future.result()) is not end:
                future = pool.submit(next, iterator, end)
                yield item
        finally:
            wait([future])  # a generator that runs cannot be closed
            iterator.close()
