"""How time and memory grow with clips, seconds, the bank of training clips, and workers: curves and exponents.

===========  ========================================================================================================
Curve        Work, and its size
===========  ========================================================================================================
clips        Embed files of 5 s with the packaged backbone; number of files.
seconds      Embed one file; length of the file in seconds. Windows of 10 s overlap by three quarters.
search       Find the nearest training clip of 1000 embeddings of 384 values; number of training clips.
fit          Fit the same detector, which also finds the nearest other clip of every training clip; number of clips.
workers      Embed 64 files of 5 s with joblib's loky; number of processes, which have started before the clock starts.
===========  ========================================================================================================

Every point is measured in its own process, on one thread of torch and BLAS in each worker. The process does the work
once at a small size. It then notes its memory, does the work, and reads the peak of its memory. The growth is the peak
minus the noted memory. The time is the best of the repetitions after that. Workers have memory of their own, so that
the curve of the workers has no growth. Where the system cannot reset the peak (not Linux), the growth is a lower bound.

An exponent is the slope of a line through the logarithms of size and value, by least squares. An exponent of 1 is
proportional growth, and 0 is no growth. For workers, -1 is perfect. The spread is the factor exp(s), where s is the
root mean square of the distances of the points from the line in natural logarithms: 1.05 means that points are 5 % off
the line. A constant part of the time, such as the start of a call, makes an exponent smaller. Growth below 1 MB is left
out of the fit, because it is smaller than the parts in which memory is allocated.

The default sizes take less than 5 minutes on two idle cores.

Run: ``python -m benchmarks.speed.scaling [--curves clips fit] [--clips 8 16 ...] [--search 1000 ...] [--repeats 3]``
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import joblib
import numpy as np

from .._peak_memory import peak, reset_peak
from .._report import RESULTS, Report, one_thread

SEED = 0
RATE = 32_000  # of the files, in hertz
SECONDS = 5.0  # length of a file, except in the curve of the seconds
N_FEATURES, N_QUERIES = 384, 1000
# Number of files that every number of workers embeds.
N_SHARED = 64
SIZES = {
    "clips": [8, 16, 32, 64, 128],
    "seconds": [5, 10, 20, 40, 80, 160],
    "search": [1000, 2000, 4000, 8000, 16_000, 32_000],
    "fit": [1000, 2000, 4000, 8000, 16_000],
    "workers": sorted({1, 2, os.cpu_count() or 1}),
}
UNITS = {
    "clips": "clips",
    "seconds": "seconds of one clip",
    "search": "training clips",
    "fit": "training clips",
    "workers": "workers",
}
TIME, GROWTH = "best seconds", "growth of peak, MB"
# Minimum growth in MB that takes part in a fit.
SMALLEST_GROWTH = 1.0


def write_noise(folder, n_files, seconds):
    """Write files of white noise, and return their paths."""
    import soundfile

    generator = np.random.default_rng(SEED)
    paths = [str(Path(folder) / f"{index:05d}.wav") for index in range(n_files)]
    for path in paths:
        noise = 0.1 * generator.standard_normal(round(seconds * RATE), dtype=np.float32)
        soundfile.write(path, noise, RATE)
    return paths


def embedding_work(paths):
    """Return a function that embeds files in this process, or in the workers that joblib is set to."""
    from skaudio_ad.embeddings import MobileNetEmbedding

    embedding = MobileNetEmbedding("mini", device="cpu")
    return lambda: embedding.transform(paths)


def bank_work(curve, n_clips):
    """Return a function that searches a bank of `n_clips` rows ("search"), or that fits a detector on them ("fit")."""
    from skaudio_ad.detectors import NearestNeighborsDetector

    rows = np.random.default_rng(SEED).standard_normal((n_clips + N_QUERIES, N_FEATURES), dtype=np.float32)
    bank, queries = rows[:n_clips], rows[n_clips:]
    if curve == "fit":
        return lambda: NearestNeighborsDetector().fit(bank)
    # A set threshold needs no distances between training clips, so only the search is large.
    from .neighbors import OurSearch

    search = OurSearch("euclidean").fit(bank)
    return lambda: search.kneighbors(queries)


def measure(curve, size, repeats):
    """Do the work of one point in this process.

    Parameters
    ----------
    curve : str
        A key of `SIZES`.
    size : int or float
    repeats : int
        Number of timed repetitions.

    Returns
    -------
    dict
        Best time in seconds, and growth of the peak in MB or None.
    """
    with tempfile.TemporaryDirectory() as folder, one_thread():
        if curve in ("search", "fit"):
            bank_work(curve, 200)()
            return _observe(bank_work(curve, int(size)), repeats)
        if curve == "seconds":
            embedding_work(write_noise(folder, 1, SECONDS))()
            return _observe(embedding_work(write_noise(folder, 1, size)), repeats)
        n_files = N_SHARED if curve == "workers" else int(size)
        work = embedding_work(write_noise(folder, n_files, SECONDS))
        if curve == "clips":
            embedding_work(write_noise(folder, 2, SECONDS))()
            return _observe(work, repeats)
        with joblib.parallel_config(backend="loky", n_jobs=int(size)):
            return {**_observe(work, repeats), GROWTH: None}


def _observe(work, repeats):
    before = reset_peak()
    work()
    growth, seconds = peak() - before, []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return {TIME: min(seconds), GROWTH: growth}


def fit_exponent(sizes, values):
    """Fit a power of the size by least squares of the logarithms.

    Parameters
    ----------
    sizes, values : sequence of float
        Positive numbers.

    Returns
    -------
    exponent, factor, spread : float
        The fit is ``factor * size**exponent``. The spread is exp of the root mean square residual of the logarithms.
        All are NaN for fewer than three sizes, because a line goes through any two points.
    """
    if len(set(sizes)) < 3:
        return float("nan"), float("nan"), float("nan")
    x, y = np.log(sizes), np.log(values)
    exponent, constant = np.polyfit(x, y, 1)
    residual = y - exponent * x - constant
    return float(exponent), float(np.exp(constant)), float(np.exp(np.sqrt(np.mean(residual**2))))


def exponent_rows(points):
    """Return the rows of the table of exponents.

    Parameters
    ----------
    points : dict of {str: dict of {float: dict}}
        Results of `measure` by curve and size.

    Returns
    -------
    list of dict
    """
    rows = []
    for curve, measured in points.items():
        for quantity in (TIME, GROWTH):
            sizes, values = _fitted(measured, quantity)
            exponent, _, spread = fit_exponent(sizes, values)
            row = {"curve": curve, "quantity": quantity.partition(",")[0], "points in the fit": len(sizes)}
            known = not np.isnan(exponent)
            row["exponent"] = f"{exponent:.2f}" if known else ""
            row["spread"] = f"{spread:.2f}" if known else ""
            rows.append(row)
    return rows


def _fitted(measured, quantity):
    """Sizes and values that take part in a fit."""
    lowest = SMALLEST_GROWTH if quantity == GROWTH else 0
    kept = [(size, row[quantity]) for size, row in measured.items() if (row[quantity] or 0) > lowest]
    return [size for size, _ in kept], [value for _, value in kept]


def draw(points, path):
    """Draw time and memory of every curve, with the fitted lines.

    Parameters
    ----------
    points : dict
        As for `exponent_rows`.
    path : path-like
        Picture, a png.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(3 * len(points), 5.6), layout="constrained")
    panels = figure.subplots(2, len(points), squeeze=False, sharex="col")
    for column, (curve, measured) in enumerate(points.items()):
        for panel, quantity, label in zip(
            panels[:, column], (TIME, GROWTH), ("time, s", "growth of peak memory, MB")
        ):
            _draw_panel(panel, measured, quantity)
            if column == 0:
                panel.set_ylabel(label)
        panels[0, column].set_title(curve)
        panels[1, column].set_xlabel(UNITS[curve])
    figure.savefig(path, dpi=120)


def _draw_panel(panel, measured, quantity):
    from matplotlib.ticker import LogLocator

    # The panels of a column share the axis of the sizes.
    panel.set_xscale("log")
    panel.set_xticks(
        list(measured), [f"{size:g}" if size < 1000 else f"{size / 1000:g}k" for size in measured]
    )
    panel.tick_params(axis="x", which="minor", bottom=False, labelbottom=False)
    sizes, values = _fitted(measured, quantity)
    if not sizes:
        was_measured = any(row[quantity] is not None for row in measured.values())
        text = f"below {SMALLEST_GROWTH:g} MB" if was_measured else "not measured"
        panel.text(0.5, 0.5, text, ha="center", transform=panel.transAxes)
        panel.set_yticks([])
        return
    panel.set_yscale("log")
    panel.plot(sizes, values, "o")
    exponent, factor, _ = fit_exponent(sizes, values)
    if not np.isnan(exponent):
        ends = np.array([min(sizes), max(sizes)], dtype=float)
        panel.plot(ends, factor * ends**exponent, "--", label=f"exponent {exponent:.2f}")
        panel.legend(frameon=False, fontsize="small")
    panel.yaxis.set_major_formatter("{x:g}")
    panel.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    panel.yaxis.set_minor_formatter("")
    panel.grid(alpha=0.3, which="both")


def _elsewhere(curve, size, repeats):
    """Return what `measure` returns in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.speed.scaling", "--measure", curve, str(size)]
    process = subprocess.run(
        [*command, "--repeats", str(repeats)],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).resolve().parents[2],
    )
    return json.loads(process.stdout.splitlines()[-1])


def main(arguments=None):
    """Run the benchmark with command-line arguments; see the module's docstring."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed.scaling")
    parser.add_argument("--curves", nargs="+", choices=SIZES, default=list(SIZES))
    for curve, sizes in SIZES.items():
        kind = float if curve == "seconds" else int
        parser.add_argument(f"--{curve}", nargs="+", type=kind, default=sizes, help=UNITS[curve])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--output", default=RESULTS)
    parser.add_argument("--measure", nargs=2, metavar=("CURVE", "SIZE"), help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.measure:
        print(json.dumps(measure(options.measure[0], float(options.measure[1]), options.repeats)))
        return None
    report = Report(
        "scaling",
        data=f"White noise: files of {SECONDS:g} s at {RATE} Hz, and embeddings of {N_FEATURES} values. "
        f"{time.strftime('%Y-%m-%d')}.",
        seed=SEED,
        packages=("joblib",),
        folder=options.output,
    )
    points = {
        curve: {size: _elsewhere(curve, size, options.repeats) for size in getattr(options, curve)}
        for curve in options.curves
    }
    rows = [
        {
            "curve": curve,
            "size": size,
            "unit": UNITS[curve],
            TIME: f"{row[TIME]:.4g}",
            GROWTH: "" if row[GROWTH] is None else f"{row[GROWTH]:.1f}",
        }
        for curve, measured in points.items()
        for size, row in measured.items()
    ]
    report.table("Curves", rows)
    report.table("Exponents", exponent_rows(points))
    draw(points, Path(options.output) / "scaling.png")
    return report


if __name__ == "__main__":
    main()
