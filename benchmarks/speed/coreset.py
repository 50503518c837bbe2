"""Coreset of ``NearestNeighborsDetector``: seconds and memory of the greedy k-centre choice.

The naive traversal computes the distances of all rows from the last pick, for every pick. The choice of the detector is
the same. The time of both is linear in the number of rows and in the number of picks.

"one cloud" is standard normal. "clusters" are 200 normal clusters of different widths. Memory is the growth of the peak
of the process beside the rows, of 384 values in float32.

Target: 10 000 of 100 000 rows in minutes: ``--clips 100000 --sizes 10000 --no-naive``.

Run: ``python -m benchmarks.speed.coreset [--clips 5000 10000 20000] [--sizes 500 1000 2000] [--no-naive]``
"""

import argparse
import time

import numpy as np

from skaudio_ad.detectors._coreset import choose_coreset

from .._peak_memory import peak, reset_peak
from .._report import RESULTS, Report, one_thread

SEED, N_FEATURES, N_CLUSTERS = 0, 384, 200
# Distance of copies. The rows of this benchmark have no copies.
_SMALLEST = 1e-6


def make_rows(kind, n_clips):
    """Make rows, float32 (n_clips, 384). `kind` is "one cloud" or "clusters"."""
    rng = np.random.default_rng(SEED)
    rows = rng.standard_normal((n_clips, N_FEATURES), dtype=np.float32)
    if kind == "clusters":
        cluster = rng.integers(N_CLUSTERS, size=n_clips)
        rows *= rng.gamma(1, 0.3, N_CLUSTERS).astype(np.float32)[cluster, np.newaxis]
        rows += rng.standard_normal((N_CLUSTERS, N_FEATURES), dtype=np.float32)[cluster]
    return rows


def naive(rows, n_chosen):
    """Choose rows one by one, with float32 products of all rows and the last pick."""
    halves = np.einsum("ij,ij->i", rows, rows) / 2
    chosen = [int(np.linalg.norm(rows - rows.mean(axis=0), axis=1).argmax())]
    nearest = np.full(len(rows), np.inf, dtype=np.float32)
    while len(chosen) < n_chosen:
        np.minimum(nearest, halves + halves[chosen[-1]] - rows @ rows[chosen[-1]], out=nearest)
        nearest[chosen[-1]] = -1
        chosen.append(int(nearest.argmax()))
    return chosen


def run(kind, n_clips, n_chosen, with_naive):
    """Return the row of the table for one size.

    Parameters
    ----------
    kind : {"one cloud", "clusters"}
    n_clips, n_chosen : int
    with_naive : bool

    Returns
    -------
    dict
    """
    rows = make_rows(kind, n_clips)
    before, start = reset_peak(), time.perf_counter()
    chosen, radius = choose_coreset(rows, n_chosen, None, n_compared=N_FEATURES, smallest=_SMALLEST)
    seconds, growth = time.perf_counter() - start, peak() - before
    row = {
        "rows": n_clips,
        "coreset": n_chosen,
        "data": kind,
        "s": f"{seconds:.1f}",
        "growth of peak, MB": f"{growth:.0f}",
        "radius": f"{radius:.3f}",
    }
    if with_naive:
        start = time.perf_counter()
        expected = naive(rows, n_chosen)
        row["naive, s"] = f"{time.perf_counter() - start:.1f}"
        row["same choice"] = f"{np.mean(chosen == expected):.3f}"
    return row


def main(arguments=None):
    """Run the benchmark with command-line arguments; see the module's docstring."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed.coreset")
    parser.add_argument("--clips", type=int, nargs="+", default=[5000, 10_000, 20_000])
    parser.add_argument("--sizes", type=int, nargs="+", default=[500, 1000, 2000])
    parser.add_argument("--no-naive", action="store_true", help="leave out the naive traversal")
    parser.add_argument("--output", default=RESULTS)
    options = parser.parse_args(arguments)
    report = Report(
        "coreset", data=f"rows of {N_FEATURES} values, float32.", seed=SEED, folder=options.output
    )
    with one_thread():
        table = [
            run(kind, n_clips, n_chosen, not options.no_naive)
            for kind in ("one cloud", "clusters")
            for n_clips in options.clips
            for n_chosen in options.sizes
        ]
    report.table("Coreset", table, "One thread. The naive traversal computes in float32.")


if __name__ == "__main__":
    main()
