"""What all benchmarks share: timing in turn, limits on threads, and tables that say where they come from."""

import csv
import os
import platform
import re
import statistics
import time
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

RESULTS = Path(__file__).parent / "results"
_PACKAGES = ("skaudio_ad", "numpy", "scipy", "scikit-learn", "torch", "librosa", "soundfile", "soxr")


@dataclass(frozen=True)
class Timing:
    """Seconds of one contender over the repetitions.

    Attributes
    ----------
    best : float
        The fastest: what the code needs when nothing else runs.
    median : float
        Much larger than `best` means a busy machine: run again.
    """

    best: float
    median: float


def interleave(contenders, *, repeats, clock=time.perf_counter):
    """Time functions in turn (A B C, A B C, ...), so that a busy spell meets all of them.

    Parameters
    ----------
    contenders : dict of {str: callable}
        Each is called without arguments; once more before the clock starts, which fills caches.

    repeats : int

    clock : callable, default=time.perf_counter
        Returns seconds.

    Returns
    -------
    dict of {str: Timing}
    """
    for function in contenders.values():
        function()
    seconds = {name: [] for name in contenders}
    for _ in range(repeats):
        for name, function in contenders.items():
            start = clock()
            function()
            seconds[name].append(clock() - start)
    return {name: Timing(min(values), statistics.median(values)) for name, values in seconds.items()}


@contextmanager
def one_thread():
    """Run a block with one thread in torch, BLAS and OpenMP, and restore their numbers after it."""
    import torch
    from threadpoolctl import threadpool_limits

    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(1):
            yield
    finally:
        torch.set_num_threads(n_threads)


def speed_rows(timings, *, unit, n_items=1, reference, scale=1e3):
    """Rows of a table of speeds.

    Parameters
    ----------
    timings : dict of {str: Timing}

    unit : str
        Heads the columns of times, such as "ms per clip".

    n_items : int, default=1
        Items that one timed call works through.

    reference : str
        The contender whose best time is 1.00 in the last column.

    scale : float, default=1e3
        From seconds to the unit.

    Returns
    -------
    list of dict
    """
    return [
        {
            "contender": name,
            f"best {unit}": f"{timing.best / n_items * scale:.3g}",
            f"median {unit}": f"{timing.median / n_items * scale:.3g}",
            f"speed relative to {reference}": f"{timings[reference].best / timing.best:.2f}",
        }
        for name, timing in timings.items()
    ]


class Report:
    """The tables of one benchmark, printed and written to ``benchmarks/results``.

    Parameters
    ----------
    name : str
        The benchmark's; names its files.

    data : str
        The data set and its settings.

    seed : int

    packages : tuple of str, default=()
        Distributions of the peers, whose versions belong in the report.

    folder : path-like, default=RESULTS
    """

    def __init__(self, name, *, data, seed, packages=(), folder=RESULTS):
        self.name, self.folder = name, Path(folder)
        self._parts = [f"# {name}", f"Data: {data} Seed {seed}.", environment(packages)]
        print("\n\n".join(self._parts), flush=True)

    def table(self, title, rows, notes=""):
        """Print one table and write all so far.

        Parameters
        ----------
        title : str
            Names the CSV file too.
        rows : list of dict
            With the same keys, the heads of the columns.
        notes : str, default=""
            What a reader must know to judge the numbers.
        """
        part = "\n\n".join(filter(None, [f"## {title}", markdown(rows), notes]))
        print(f"\n{part}", flush=True)
        self._parts.append(part)
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / f"{self.name}.md").write_text("\n\n".join(self._parts) + "\n", encoding="utf-8")
        slug = re.sub(r"[^a-z0-9]+", "_", title.lower()).strip("_")
        with open(self.folder / f"{self.name}-{slug}.csv", "w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, rows[0])
            writer.writeheader()
            writer.writerows(rows)


def markdown(rows):
    """A Markdown table of dicts with the same keys.

    Parameters
    ----------
    rows : list of dict

    Returns
    -------
    str
    """
    lines = [list(rows[0]), ["---"] * len(rows[0]), *(list(row.values()) for row in rows)]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def environment(packages=()):
    """One line of hardware, threads and versions.

    Parameters
    ----------
    packages : tuple of str, default=()
        Distributions besides those that every benchmark uses.

    Returns
    -------
    str
    """
    import torch

    versions = ", ".join(f"{package} {version(package)}" for package in (*_PACKAGES, *packages))
    # Where other programs keep the cores busy, the table says so itself.
    load = f", load average {os.getloadavg()[0]:.1f} at the start" if hasattr(os, "getloadavg") else ""
    return (
        f"{_processor()}, {os.cpu_count()} cores{load}, torch on {torch.get_num_threads()} threads unless said; "
        f"{platform.system()}, Python {platform.python_version()}, {versions}."
    )


def _processor():
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            return next(line.split(":")[1].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
