"""Progress of a long loop: a bar on a terminal, a line that changes in a notebook, and lines on stderr elsewhere."""

import contextlib
import sys
import time
from collections.abc import Iterator
from typing import TypeVar

_Item = TypeVar("_Item")

# Number of lines for all items where stderr is no terminal, such as a file. In a notebook, the number of changes.
_N_LINES = 10


def with_progress(
    items: Iterator[_Item],
    n_items: int,
    *,
    title: str = "embedding",
    done: str = "embedded",
    unit: str = "clips",
) -> Iterator[_Item]:
    """Yield items, and show how many of the items are done.

    Parameters
    ----------
    items : iterator
    n_items : int
    title : str, default="embedding"
        Text beside the bar.
    done : str, default="embedded"
        First word of a line.
    unit : str, default="clips"
        Kind of the items, for a line.

    Yields
    ------
    object
    """
    with contextlib.ExitStack() as stack:
        stack.callback(getattr(items, "close", lambda: None))
        if getattr(sys.stderr, "isatty", lambda: False)():
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

            columns = (TextColumn(title), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
            bar = stack.enter_context(Progress(*columns, console=Console(stderr=True), transient=True))
            task = bar.add_task(title, total=n_items)
            for item in items:
                yield item
                bar.advance(task)
            return
        # rich's widget for notebooks warns where ipywidgets is missing, so a notebook gets one line that changes. The
        # line is on stdout, because notebooks show stderr as an error.
        in_notebook = type(sys.stdout).__module__.partition(".")[0] == "ipykernel"
        stream = sys.stdout if in_notebook else sys.stderr
        start = time.perf_counter()
        for n_done, item in enumerate(items, 1):
            yield item
            if n_done * _N_LINES // n_items > (n_done - 1) * _N_LINES // n_items:
                seconds = time.perf_counter() - start
                line = f"{done} {n_done} of {n_items} {unit} in {seconds:.0f} s"
                is_open = in_notebook and n_done < n_items
                print(
                    f"\r{line}" if in_notebook else line, file=stream, end="" if is_open else "\n", flush=True
                )
