"""Progress of an embedding on stderr: a bar on a terminal, and lines elsewhere."""

import contextlib
import sys
import time
from collections.abc import Iterator

import numpy as np

# Number of lines for all clips where stderr is no terminal, such as a notebook or a file.
_N_LINES = 10


def with_progress(embeddings: Iterator[np.ndarray], n_clips: int) -> Iterator[np.ndarray]:
    """Yield embeddings, and show on stderr how many of the clips are done.

    Parameters
    ----------
    embeddings : iterator of ndarray
    n_clips : int

    Yields
    ------
    ndarray
    """
    with contextlib.ExitStack() as stack:
        stack.callback(getattr(embeddings, "close", lambda: None))
        if getattr(sys.stderr, "isatty", lambda: False)():
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

            columns = (TextColumn("embedding"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
            bar = stack.enter_context(Progress(*columns, console=Console(stderr=True), transient=True))
            task = bar.add_task("embedding", total=n_clips)
            for embedding in embeddings:
                yield embedding
                bar.advance(task)
            return
        # rich's widget for notebooks warns where ipywidgets is missing, so notebooks get lines.
        start = time.perf_counter()
        for n_done, embedding in enumerate(embeddings, 1):
            yield embedding
            if n_done * _N_LINES // n_clips > (n_done - 1) * _N_LINES // n_clips:
                seconds = time.perf_counter() - start
                print(f"embedded {n_done} of {n_clips} clips in {seconds:.0f} s", file=sys.stderr, flush=True)
