"""Shared by all benchmarks: timing in turn, limits on threads, and tables with their data and versions."""

import csv
import json
import os
import platform
import re
import shlex
import statistics
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

RESULTS = Path(__file__).parent / "results"
_PACKAGES = ("skaudio_ad", "numpy", "scipy", "scikit-learn", "torch", "librosa", "soundfile", "soxr")


@dataclass(frozen=True)
class Timing:
    """Time of one contender over the repetitions, in seconds.

    Attributes
    ----------
    best : float
        Minimum over the repetitions, which is the time without other programs.
    median : float
        Median over the repetitions. If the median is much larger than `best`, the machine was busy. Then run again.
    """

    best: float
    median: float


def interleave(contenders, *, repeats, clock=time.perf_counter):
    """Time functions in turn (A B C, A B C, ...), so that a busy period slows down all of them.

    Parameters
    ----------
    contenders : dict of {str: callable}
        Functions without arguments. Each function is called once before the clock starts, to fill caches.

    repeats : int
        Number of timed calls of every function.

    clock : callable, default=time.perf_counter
        Function that returns seconds.

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
    """Run a block with one thread in torch, BLAS and OpenMP, and restore the numbers of threads after the block."""
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
    """Return the rows of a table of speeds.

    Parameters
    ----------
    timings : dict of {str: Timing}

    unit : str
        Unit of the times in the heads of the columns, such as "ms per clip".

    n_items : int, default=1
        Number of items that one timed call processes.

    reference : str
        Name of the contender whose speed is 1.00 in the last column.

    scale : float, default=1e3
        Factor from seconds to the unit.

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
    """Tables of one benchmark, which are printed and written to ``benchmarks/results``.

    ``NAME.md`` holds all tables. Each table is also a file ``NAME-TITLE.csv``, and ``NAME.json`` says what a page of
    results needs besides: data, seed, command, date, machine and versions, and title, notes and file of every table.

    Parameters
    ----------
    name : str
        Name of the benchmark and of its files.

    data : str
        Description of the data set and its settings.

    seed : int

    packages : tuple of str, default=()
        Distributions of the peers. The report contains their versions.

    folder : path-like, default=RESULTS

    Attributes
    ----------
    tables : dict of {str: list of dict}
        Rows of the tables so far, by title.
    """

    def __init__(self, name, *, data, seed, packages=(), folder=RESULTS):
        self.name, self.folder = name, Path(folder)
        self.tables = {}
        self._about = {
            "data": data,
            "seed": seed,
            "command": command(),
            "date": datetime.now(UTC).date().isoformat(),
            "environment": environment(packages),
            "tables": [],
        }
        self._parts = [f"# {name}", f"Data: {data} Seed {seed}.", self._about["environment"]]
        print("\n\n".join(self._parts), flush=True)

    def table(self, title, rows, notes=""):
        """Print one table, and write all tables so far.

        Parameters
        ----------
        title : str
            Title of the table, also used in the name of the CSV file.
        rows : list of dict
            Rows with the same keys, which are the heads of the columns.
        notes : str, default=""
            Facts that a reader needs to judge the numbers.
        """
        part = "\n\n".join(filter(None, [f"## {title}", markdown(rows), notes]))
        print(f"\n{part}", flush=True)
        self._parts.append(part)
        self.tables[title] = rows
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / f"{self.name}.md").write_text("\n\n".join(self._parts) + "\n", encoding="utf-8")
        slug = re.sub(r"[^a-z0-9]+", "_", title.lower()).strip("_")
        name = f"{self.name}-{slug}.csv"
        with open(self.folder / name, "w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, rows[0], lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
        self._about["tables"].append({"title": title, "notes": notes, "file": name})
        about = json.dumps(self._about, indent=1, ensure_ascii=False)
        (self.folder / f"{self.name}.json").write_text(about + "\n", encoding="utf-8")


def command(arguments=None):
    """Return the command line of this process. Folders outside the present one are shortened to their names.

    Parameters
    ----------
    arguments : list of str, default=None
        Command line. None means that of this process.

    Returns
    -------
    str
    """
    words = [sys.executable, *sys.orig_argv[1:]] if arguments is None else arguments
    return shlex.join(Path(word).name if os.path.isabs(word) else word for word in words)


def markdown(rows):
    """Return a Markdown table of dicts with the same keys.

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
    """Return one line of hardware, threads and versions.

    Parameters
    ----------
    packages : tuple of str, default=()
        Distributions in addition to those that every benchmark uses.

    Returns
    -------
    str
    """
    import torch

    versions = ", ".join(f"{package} {_version(package)}" for package in (*_PACKAGES, *packages))
    # The load average shows whether other programs use the cores.
    load = f", load average {os.getloadavg()[0]:.1f} at the start" if hasattr(os, "getloadavg") else ""
    return (
        f"{_processor()}, {os.cpu_count()} cores{load}, torch on {torch.get_num_threads()} threads unless said; "
        f"{platform.system()}, Python {platform.python_version()}, {versions}."
    )


def _version(package):
    try:
        return version(package)
    except PackageNotFoundError:  # the benchmark leaves out this contender
        return "is not installed"


def _processor():
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            return next(line.split(":")[1].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
