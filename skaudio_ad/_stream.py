"""The one streaming loop over clips."""

import os
from collections import deque
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from ._clip_errors import Named, leave_out

# More threads than this only queue behind the disk and hold more clips in memory.
_MAX_THREADS = 4


def stream(function, items):
    """Yield ``function(item)`` for every item, in order, computed a few items ahead in threads.

    Access to ``items[i]`` happens in the threads too, so that decoding runs ahead while the consumer
    computes. At most a handful of results exist at any time, whatever the length of `items`.

    Parameters
    ----------
    function : callable
    items : sequence

    Yields
    ------
    object
        ``function(items[i])`` for i = 0, 1, ...
    """
    if len(items) == 1:  # nothing to run ahead of: threads would only cost their start
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
            # A consumer that stops early, or an item that fails, must not leave work behind it.
            for future in pending:
                future.cancel()


def _apply(function, items, index):
    try:
        return function(items[index])
    except Exception as error:
        leave_out(items, index, error)
        return function(missing_clip(items, index))


def missing_clip(items, index):
    """What stands for clip `index` once it is left out."""
    return items.missing(index) if isinstance(items, Named) else np.full_like(items[index], np.nan)
