"""Nearest neighbours beside scikit-learn's brute-force search: seconds, errors and memory.

Search: every query looks for its nearest training embedding. The contenders are the search of
``NearestNeighborsDetector.kneighbors`` and ``NearestNeighbors(n_neighbors=1, algorithm="brute").kneighbors``. The data
are standard normal values, float32. These data are more difficult to search than embeddings, because no neighbour is
much closer than the others. The bare product multiplies all queries with all training rows, 1024 queries at a time,
into memory that is already allocated. The bare product is nearly a lower bound of the time of a search that computes
every distance in float32. Errors are the errors of the distances of some queries, relative to float64.

Fit: a fit of the detector scores every training clip and leaves out the clip itself, to set its threshold. The
counterpart in scikit-learn is ``fit`` and ``kneighbors()``, which also leaves out the clip itself.

For Euclidean distances, scikit-learn converts float32 to float64, a few rows at a time. For cosine distances,
scikit-learn computes in float32, keeps a gigabyte of distances and sorts them.

Threads are the threads of BLAS and OpenMP. Where other programs use the cores, products on two threads wait for each
other. Then only the results of one thread are valid.

Memory: the growth of the peak in a separate process, from the data to the end of the search. A detector keeps one copy
of the rows, which stands in place of the data. The growth therefore leaves out one copy for all contenders of ours.

``index="faiss"`` is a contender where FAISS is installed.

Targets: at least 1.8 times scikit-learn's speed, and less than 500 MB beside the data. The targets are meant for 10 000
queries among 100 000 embeddings of 768 values: ``--clips 100000 --queries 10000 --features 768 --skip-fit``.

Run: ``python -m benchmarks.speed.neighbors [--clips 20000] [--queries 20000] [--features 384] [--repeats 3]
[--threads 1 2] [--metrics cosine euclidean] [--skip-fit]``
"""

import argparse
import importlib.util
import json
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from .._peak_memory import peak, reset_peak
from .._report import RESULTS, Report, interleave, speed_rows
from ._ratios import ratio_row

SEED = 0
METRICS = ("cosine", "euclidean")
# Number of queries whose distances are compared with float64.
N_CHECKED = 50


def make_embeddings(n_clips, n_queries, n_features):
    """Make training embeddings and queries, float32 (n_clips, n_features) and (n_queries, n_features)."""
    rows = np.random.default_rng(SEED).standard_normal((n_clips + n_queries, n_features), dtype=np.float32)
    return rows[:n_clips], rows[n_clips:]


class OurSearch:
    """Search of a `NearestNeighborsDetector` without the leave-one-out scores that its `fit` computes.

    Parameters
    ----------
    metric : {"cosine", "euclidean"}
    index : {"exact", "faiss"}, default="exact"
    """

    def __init__(self, metric, index="exact"):
        self.metric, self.index = metric, index

    def fit(self, rows):
        """Prepare the rows, in a copy as the detector does."""
        from skaudio_ad.detectors._indexes import FaissSearch
        from skaudio_ad.detectors._neighbor_rows import prepare_bank
        from skaudio_ad.detectors._neighbor_search import NeighborSearch

        bank = np.empty((len(rows), rows.shape[1] + 1), dtype=rows.dtype)
        bank[:, :-1] = rows
        search = FaissSearch if self.index == "faiss" else NeighborSearch
        self.search = search(bank, self.metric, prepare_bank(bank, self.metric))
        return self

    def kneighbors(self, queries):
        """Find the nearest row of every query, as ``NearestNeighborsDetector.kneighbors`` does."""
        return self.search.nearest(queries, 1)


def sklearn_search(metric):
    """Return scikit-learn's brute-force search for one neighbour."""
    from sklearn.neighbors import NearestNeighbors

    return NearestNeighbors(n_neighbors=1, algorithm="brute", metric=metric)


SEARCHES = {"NearestNeighbors, brute": sklearn_search, "NearestNeighborsDetector": OurSearch}
if importlib.util.find_spec("faiss") is not None:
    SEARCHES["NearestNeighborsDetector, faiss"] = partial(OurSearch, index="faiss")


def bare_product(rows, queries):
    """Return a function that multiplies all queries with all rows, 1024 queries at a time."""
    products = np.empty((1024, len(rows)), dtype=rows.dtype)

    def multiply():
        for start in range(0, len(queries), 1024):
            part = queries[start : start + 1024]
            np.matmul(part, rows.T, out=products[: len(part)])

    return multiply


def largest_error(name, found, metric, rows, queries):
    """Return the largest error of a contender's distances of the first queries, relative to float64.

    Parameters
    ----------
    name : str
        A key of `SEARCHES`.
    found : ndarray of shape (n_queries, 1)
        Distances of the contender.
    metric : {"cosine", "euclidean"}
    rows, queries : ndarray of shape (n_rows, n_features)

    Returns
    -------
    float
        Error on the scale of the detector. scikit-learn's cosine distance is twice as large.
    """
    from scipy.spatial.distance import cdist

    expected = cdist(queries[:N_CHECKED].astype(np.float64), rows.astype(np.float64), metric).min(axis=1)
    scale = 0.5 if metric == "cosine" else 1.0
    own = scale if SEARCHES[name] is sklearn_search else 1.0
    return float(np.abs(own * found[:N_CHECKED, 0] - scale * expected).max())


def measure(name, metric, n_clips, n_queries, n_features):
    """Return the growth of the peak of this process, in MB, from the data to the end of the search.

    Parameters
    ----------
    name : str
        A key of `SEARCHES`.
    metric : {"cosine", "euclidean"}
    n_clips, n_queries, n_features : int

    Returns
    -------
    float
    """
    rows, queries = make_embeddings(n_clips, n_queries, n_features)
    before = reset_peak()
    search = SEARCHES[name](metric).fit(rows)
    search.kneighbors(queries)
    copy = 0 if SEARCHES[name] is sklearn_search else rows.nbytes / 1e6
    return peak() - before - copy


def main(arguments=None):
    """Run the benchmark with command-line arguments; see the module's docstring."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed.neighbors")
    parser.add_argument("--clips", type=int, default=20_000, help="number of training embeddings")
    parser.add_argument("--queries", type=int, default=20_000)
    parser.add_argument("--features", type=int, default=384)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--metrics", nargs="+", choices=METRICS, default=list(METRICS))
    parser.add_argument("--skip-fit", action="store_true", help="measure the search only")
    parser.add_argument("--skip-memory", action="store_true", help="start no processes that measure memory")
    parser.add_argument("--output", default=RESULTS)
    parser.add_argument("--measure", nargs=2, metavar=("NAME", "METRIC"), help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    sizes = options.clips, options.queries, options.features
    if options.measure:
        print(json.dumps(measure(*options.measure, *sizes)))
        return None
    report = Report(
        "neighbors",
        data=f"{sizes[0]} training embeddings and {sizes[1]} queries of {sizes[2]} standard normal values, float32.",
        seed=SEED,
        folder=options.output,
    )
    rows, queries = make_embeddings(*sizes)
    target = "Target: at least 1.8 times the speed of NearestNeighbors, brute."
    table = [
        row
        for n in options.threads
        for m in options.metrics
        for row in _search(rows, queries, m, n, options.repeats)
    ]
    report.table("Search", table, target)
    if not options.skip_fit:
        table = [
            row for n in options.threads for m in options.metrics for row in _fit(rows, m, n, options.repeats)
        ]
        report.table("Fit with leave-one-out scores", table)
    if not options.skip_memory:
        table = [_memory_row(name, metric, sizes) for metric in options.metrics for name in SEARCHES]
        report.table("Memory of the search", table, "Target: less than 500 MB.")
    return report


def ratios(tables):
    """Return the rows of ``python -m benchmarks.speed``."""
    threads = sorted({row["threads"] for row in tables.get("Search", [])}) or [1]
    return [
        ratio_row(
            tables,
            title,
            what=f"{what}, {metric}, {n_threads} thread{'s' if n_threads > 1 else ''}",
            ours="NearestNeighborsDetector",
            peer="NearestNeighbors, brute",
            target=target,
            where={"threads": n_threads, "metric": metric},
        )
        for title, what, target in (
            ("Search", "nearest neighbour of queries", 1.8),
            ("Fit with leave-one-out scores", "fit with leave-one-out distances", None),
        )
        for metric in METRICS
        for n_threads in threads
    ]


def _search(rows, queries, metric, n_threads, repeats):
    found = {}

    def search(name):
        fitted = SEARCHES[name](metric).fit(rows)

        def run():
            found[name], _ = fitted.kneighbors(queries)

        return run

    contenders = {name: search(name) for name in SEARCHES}
    contenders["bare product"] = bare_product(rows, queries)
    table = _timed(contenders, metric, n_threads, repeats)
    for row in table:
        name = row["contender"]
        error = f"{largest_error(name, found[name], metric, rows, queries):.1e}" if name in found else ""
        row["largest error of a distance"] = error
    return table


def _fit(rows, metric, n_threads, repeats):
    from skaudio_ad.detectors import NearestNeighborsDetector

    contenders = {
        "NearestNeighbors, brute": lambda: sklearn_search(metric).fit(rows).kneighbors(),
        "NearestNeighborsDetector": lambda: NearestNeighborsDetector(metric=metric).fit(rows),
    }
    return _timed(contenders, metric, n_threads, repeats)


def _timed(contenders, metric, n_threads, repeats):
    with threadpool_limits(n_threads):
        timings = interleave(contenders, repeats=repeats)
    table = speed_rows(timings, unit="s", reference="NearestNeighbors, brute", scale=1)
    return [{"threads": n_threads, "metric": metric, **row} for row in table]


def _memory_row(name, metric, sizes):
    names = ("--clips", "--queries", "--features")
    options = [text for pair in zip(names, map(str, sizes)) for text in pair]
    command = [sys.executable, "-m", "benchmarks.speed.neighbors", "--measure", name, metric, *options]
    process = subprocess.run(
        command, check=True, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).resolve().parents[2]
    )
    return {
        "metric": metric,
        "contender": name,
        "growth of peak, MB": f"{json.loads(process.stdout):.0f}",
    }


if __name__ == "__main__":
    main()
