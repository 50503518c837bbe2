"""Embedding files with several processes: joblib's back ends and Dask beside one process.

The files are 10 s of machine sounds at 32 kHz, 16-bit wav. ``MobileNetEmbedding`` has random weights, which take the
same time as published weights. Every contender embeds all files again in every repetition. The processes of a contender
start, and load the network, before the clock starts.

Dask is a LocalCluster with the same number of processes, of one thread each. It runs with its defaults, and with
``MALLOC_TRIM_THRESHOLD_`` at 1 GiB. By default the nanny of Dask starts workers with 64 KiB. At this value the C
library returns memory to the system after every batch, and requests the memory again. The other contenders are:
embeddings that are already in the cache (``memory``), a separate process without these settings, and a separate process
with them. A package cannot make these settings for its user, because a process reads them when it starts.

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
# Thresholds in bytes. With these values glibc keeps the memory of a batch for the next batch.
MALLOC = {"MALLOC_TRIM_THRESHOLD_": str(1 << 30), "MALLOC_MMAP_THRESHOLD_": str(1 << 30)}


def write_files(folder, n_files):
    """Write recordings of ten seconds, and return their paths."""
    make_machine_sounds(n_files, 0, duration=10.0, sample_rate=RATE, output_dir=folder, random_state=SEED)
    return sorted(str(entry.path) for entry in os.scandir(os.path.join(folder, "normal")))


def embedding(variant, **parameters):
    """Return an embedding with random weights, and silence the warning about random weights."""
    warnings.filterwarnings("ignore", message=".* has random weights")
    return MobileNetEmbedding(variant, weights=None, **parameters)


@contextlib.contextmanager
def dask_cluster(n_jobs, settings):
    """Yield a client of a cluster on this machine whose workers start with settings of the C library."""
    import dask
    from distributed import Client, LocalCluster

    names = {f"distributed.nanny.pre-spawn-environ.{name}": int(value) for name, value in settings.items()}
    before = dict(os.environ)
    for name in MALLOC:
        os.environ.pop(name, None)  # this variable would take precedence
    with (
        dask.config.set(names),
        LocalCluster(n_workers=n_jobs, threads_per_worker=1, dashboard_address=":0") as cluster,
        Client(cluster) as client,
    ):
        # Restore the variables, because the nannies also set them in this process, where the next cluster would
        # read them.
        os.environ.clear()
        os.environ.update(before)
        yield client


def seconds_of_a_process(variant, paths, repeats, settings):
    """Return the best time of a separate process on one thread, started with settings of the C library."""
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
            "Relative speed is the best time of the reference divided by the best time of the contender. The separate "
            "processes do not take turns with the others, so compare only the two separate processes.",
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
    for name, settings in {
        "a separate process": {},
        "a separate process with MALLOC_ settings": MALLOC,
    }.items():
        seconds = seconds_of_a_process(options.variant, paths, options.repeats, settings)
        made[name] = type(made["from the cache"])(seconds, seconds)
    return made


if __name__ == "__main__":
    main()
