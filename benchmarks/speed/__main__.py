"""Every benchmark of speed in one command and one table of ratios: ``python -m benchmarks.speed``.

A ratio is the time of a named peer divided by ours, so 2 is twice as fast. Every part runs the benchmark of one module
with the sizes below, in its own process, and the module says how it measures. Contenders take turns inside a part, so
that other programs slow down all of them: ratios mean something on a busy machine, and times do not. The folder
`parts` of the output keeps the full tables of every part. Latency is in seconds of the processor, because the single
calls of its contenders are too short to share a busy period.

A part that fails has a row that says why, and so has a pair whose peer is not installed. The other parts go on.

``--quick`` runs the smallest sizes that work, in about two minutes, to see whether everything runs. Its ratios mean
nothing.

Run: ``python -m benchmarks.speed [--only mel decoding] [--quick] [--output FOLDER]``, about 10 minutes on two cores.
"""

import argparse
import csv
import subprocess
import sys
import time
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from .._report import RESULTS, Report
from ._ratios import COLUMNS, NO_GPU, plain_row


@dataclass(frozen=True)
class Part:
    """One benchmark of the command.

    Attributes
    ----------
    module : str
        Module in this folder with ``main(arguments)``, which returns a report, and ``ratios(tables)``.
    full, quick : str
        Arguments for an ordinary run and for ``--quick``.
    packages : tuple of str
        Distributions of the peers. The report contains their versions.
    """

    module: str
    full: str
    quick: str
    packages: tuple = ()


_RUNTIMES = ("onnxruntime", "openvino")
PARTS = {
    "mel": Part("mel", "--clips 16 --repeats 5", "--clips 2 --seconds 1 --repeats 1", ("torchaudio",)),
    "decoding": Part("decoding", "--files 4 --repeats 5", "--files 1 --seconds 1 --repeats 1"),
    "embeddings": Part(
        "embeddings",
        "--repeats 2 --variants mini mn10 --files 20",
        "--repeats 1 --seconds 1 --variants mini --files 2 --skip-passt",
        ("hear21passt", *_RUNTIMES),
    ),
    "encoders": Part(
        "encoders",
        "--repeats 3 --variants ced_tiny echo_tiny fisher_small dasheng_base eat_base beats_iter3",
        "--repeats 1 --seconds 1 --variants ced_tiny",
        _RUNTIMES,
    ),
    "gpu": Part("gpu", "", "--clips 2 --seconds 1 --rows 1000 --repeats 1"),
    "training": Part(
        "training",
        "--repeats 2 --pyod-rows 5000 --callback-epochs 20",
        "--repeats 1 --rows 600 --epochs 1 --pyod-rows 600 --pyod-epochs 1 --callback-epochs 2",
        ("pyod",),
    ),
    "neighbors": Part(
        "neighbors",
        "--clips 10000 --queries 10000 --threads 1 --skip-memory",
        "--clips 300 --queries 60 --features 8 --repeats 1 --threads 1 --skip-memory",
    ),
    "end_to_end": Part(
        "end_to_end",
        "--files 50 --new 50 --repeats 2",
        "--files 12 --new 4 --seconds 1 --repeats 1",
        ("pyod",),
    ),
    "latency": Part("latency", "--clips 100 --clock cpu", "--clips 8 --seconds 1", _RUNTIMES),
}


def measure(name, part, arguments, output):
    """Run one part in this process.

    Parameters
    ----------
    name : str
        Name of the part.
    part : Part
    arguments : str
    output : path-like
        Folder for the full tables.

    Returns
    -------
    list of dict
        Rows of the table of ratios.
    """
    try:
        module = import_module(f".{part.module}", __package__)
        report = module.main([*arguments.split(), "--output", str(output)])
        if report is None:
            return [_failed(name, NO_GPU)]
        rows = module.ratios(report.tables)
    except Exception as error:  # the other parts go on
        return [_failed(name, f"{type(error).__name__}: {error}")]
    return [{"part": name, **row} for row in rows]


def measure_elsewhere(name, options):
    """Run one part in a process of its own; parameters are the name of the part and the options of the command."""
    folder = Path(options.output) / "parts"
    command = [sys.executable, "-m", "benchmarks.speed", "--only", name, "--here", "--output", str(folder)]
    command += ["--quick"] if options.quick else []
    table = folder / "speed-ratios.csv"
    table.unlink(missing_ok=True)  # a part that dies must not leave the rows of the part before
    process = subprocess.run(
        command, cwd=Path(__file__).resolve().parents[2], stderr=subprocess.PIPE, text=True, errors="replace"
    )
    if not table.exists():
        lines = process.stderr.strip().splitlines() or ["no message"]
        return [_failed(name, f"The process ended with code {process.returncode}: {lines[-1]}")]
    with open(table, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _failed(name, reason):
    row = plain_row("", "", "", note=" ".join(reason.split()))
    return {"part": name, **row}


def main(arguments=None):
    """Run the command with command-line arguments; see the module's docstring.

    Returns
    -------
    int
        Number of parts that failed.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), help="parts to run")
    parser.add_argument(
        "--quick", action="store_true", help="run the smallest sizes, whose ratios mean nothing"
    )
    parser.add_argument("--output", default=RESULTS / "speed")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)  # run in this process
    options = parser.parse_args(arguments)
    options.output = Path(options.output).resolve()
    rows = []
    for name in options.only:
        print(f"== {name}", flush=True)
        part, start = PARTS[name], time.perf_counter()
        if options.here:
            arguments = part.quick if options.quick else part.full
            made = measure(name, part, arguments, options.output)
        else:
            made = measure_elsewhere(name, options)
        print(f"{name} took {time.perf_counter() - start:.0f} s.", flush=True)
        rows += made
    sizes = {name: PARTS[name].quick if options.quick else PARTS[name].full for name in options.only}
    report = Report(
        "speed",
        data=f"{time.strftime('%Y-%m-%d')}. "
        + "; ".join(f"{name}: {size or 'defaults of the module'}" for name, size in sizes.items())
        + ".",
        seed=0,
        packages=sorted({package for name in options.only for package in PARTS[name].packages}),
        folder=options.output,
    )
    report.table(
        "Ratios",
        [{column: row[column] for column in COLUMNS} for row in rows],
        "The ratio is the time of the peer divided by ours."
        + (" These are the sizes of --quick, so the ratios mean nothing." if options.quick else ""),
    )
    return sum(not row["what"] and row["note"] != NO_GPU for row in rows)


if __name__ == "__main__":
    sys.exit(main())
