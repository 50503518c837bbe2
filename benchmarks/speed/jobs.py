"""Embedding files with several processes: joblib's back ends and Dask beside one process.

Files of 10 s (machine sounds at 32 kHz, 16-bit wav) through ``MobileNetEmbedding``, with random weights, which take
as long as any. Every contender embeds all files again in every repetition; its processes are started, and have
loaded the network, before the clock starts. Dask is a LocalCluster of as many processes of one thread, first as it
comes, then with ``MALLOC_TRIM_THRESHOLD_`` at 1 GiB: its nanny starts workers with 64 KiB, at which the C library
hands memory back to the system after every batch, and asks for it again. The last contenders are embeddings that are
in the cache (``memory``) already, and a process that was itself started without and with those settings, which no
package can make for you.

Run: ``python -m benchmarks.speed.jobs [--files 128] [--jobs 2] [--variant mn10] [--repeats 3]``
"""

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import warnings

import joblib

from skaudio_ad.datasets import make_machine_sounds
from skaudio_ad.embeddings import MobileNetEmbedding

from .._report import RESULTS, Report, interleave, one_thread, speed_rows

RATE = 32_000
SEED = 0
# Bytes; glibc then keeps what a batch needs from one to the next.
MALLOC = {"MALLOC_TRIM_THRESHOLD_": str(1 << 30), "MALLOC_MMAP_THRESHOLD_": str(1 << 30)}


def write_files(folder, n_files):
    """Write recordings of ten seconds; their paths."""
    make_machine_sounds(n_files, 0, duration=10.0, sample_rate=RATE, output_dir=folder, random_state=SEED)
    return sorted(str(entry.path) for entry in os.scandir(os.path.join(folder, "normal")))


def embedding(variant, **parameters):
    """An embedding with random weights, which does not say so every time."""
    warnings.filterwarnings("ignore", message=".* has random weights")
    return MobileNetEmbedding(variant, weights=None, **parameters)


@contextlib.contextmanager
def dask_cluster(n_jobs, settings):
    """A client of a cluster on this machine, whose workers start with settings of the C library."""
    import dask
    from distributed import Client, LocalCluster

    names = {f"distributed.nanny.pre-spawn-environ.{name}": int(value) for name, value in settings.items()}
    before = dict(os.environ)
    for name in MALLOC:
        os.environ.pop(name, None)  # it would take precedence
    with (
        dask.config.set(names),
        LocalCluster(n_workers=n_jobs, threads_per_worker=1, dashboard_address=":0") as cluster,
        Client(cluster) as client,
    ):
        # The nannies write their settings into this process too, where the next cluster would find them.
        os.environ.clear()
        os.environ.update(before)
        yield client


def seconds_of_a_process(variant, paths, repeats, settings):
    """Best time of a process of its own, started with settings of the C library, on one thread."""
    command = [sys.executable, "-m", "benchmarks.speed.jobs", "--alone", variant, str(repeats)]
    process = subprocess.run(
        command,
        input=json.dumps(paths),
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", **settings},
    )
    return float(process.stdout)


def _alone(variant, repeats):
    paths = json.load(sys.stdin)
    with one_thread():
        made = interleave({"": lambda: embedding(variant).transform(paths)}, repeats=repeats)
    print(made[""].best)


def main(arguments=None):
    """Run the benchmark with command-line arguments; see the module's docstring."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed.jobs")
    parser.add_argument("--files", type=int, default=128)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--variant", default="mn10")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--output", default=RESULTS)
    parser.add_argument("--alone", nargs=2, metavar=("VARIANT", "REPEATS"), help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.alone:
        _alone(options.alone[0], int(options.alone[1]))
        return
    report = Report(
        "jobs",
        data=f"{options.files} wav files of 10 s at {RATE} Hz, {options.variant} with random weights.",
        seed=SEED,
        packages=("joblib", "dask", "distributed"),
        folder=options.output,
    )
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        paths = write_files(folder, options.files)
        report.table(
            "Embedding files in several processes",
            speed_rows(
                _time(options, paths, folder, stack),
                unit="ms per file",
                n_items=len(paths),
                reference="one process, one thread",
            ),
            "Relative speed: the reference's best time over the contender's. A process of its own is not in turn with "
            "the others: only the two of them compare.",
        )


def _time(options, paths, folder, stack):
    import torch

    def alone():
        with one_thread():
            embedding(options.variant).transform(paths)

    def threads():
        before = torch.get_num_threads()
        torch.set_num_threads(options.jobs)
        try:
            embedding(options.variant).transform(paths)
        finally:
            torch.set_num_threads(before)

    def in_backend(backend, **settings):
        with one_thread(), joblib.parallel_config(backend=backend, **settings):
            embedding(options.variant).transform(paths)

    kept = embedding(options.variant, memory=folder)
    clients = {
        "Dask": stack.enter_context(dask_cluster(options.jobs, {})),
        "Dask, MALLOC_TRIM_THRESHOLD_": stack.enter_context(dask_cluster(options.jobs, MALLOC)),
    }
    made = interleave(
        {
            "one process, one thread": alone,
            f"one process, {options.jobs} threads of torch": threads,
            f"loky, {options.jobs} processes": lambda: in_backend("loky", n_jobs=options.jobs),
            f"threading, {options.jobs} threads of joblib": lambda: in_backend(
                "threading", n_jobs=options.jobs
            ),
            **{
                name: lambda client=client: in_backend("dask", client=client)
                for name, client in clients.items()
            },
            "from the cache": lambda: kept.transform(paths),
        },
        repeats=options.repeats,
    )
    for name, settings in {"a process of its own": {}, "the same with MALLOC_ settings": MALLOC}.items():
        seconds = seconds_of_a_process(options.variant, paths, options.repeats, settings)
        made[name] = type(made["from the cache"])(seconds, seconds)
    return made


if __name__ == "__main__":
    main()
