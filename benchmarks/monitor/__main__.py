"""Days of monitoring, simulated: false events, delays, drift, memory, time, and receivers that are away.

=========  ==========================================================================================================
part       what is measured
=========  ==========================================================================================================
rates      false events per day beside the promise of the calibration; scores are simulated, 40 seeds of 90 days
drift      alarms of the test for drift without and with a drift; scores are simulated
delays     windows from an obvious fault to its event; generated sounds of four machines, with "mini"
replays    the same on normal recordings of MIMII and HLS-CMDS in shuffled order, with abnormal ones put in, 20 seeds
week       memory and CPU time over seven days of generated sound, with a cheap detector, as fast as possible
latency    time from the end of a window to its record, at real time with "mini"; 16 sources in one process
outage     events while the receiver of a sink is away for an hour of simulated time
=========  ==========================================================================================================

Targets: an alarm at most two windows after the onset of an obvious fault, a false-event rate within the promise, drift
alarms in at most 1 of 100 runs without drift, flat memory, less than a fifth of a core for each source, 16 sources on
two cores, and no lost event.

Every part keeps its tables in ``benchmarks/results/monitor``, and the report holds the newest tables of all parts. So
the parts can run one by one, such as ``latency`` on an idle machine. ``--collect`` writes the report anew.
``python -m benchmarks.monitor.kills`` kills monitors, and has a report of its own.

Run: ``python -m benchmarks.monitor [PART ...] [--quick] [--seed 0]``; all parts take half an hour on two cores, and
``--quick`` about a minute.
"""

import argparse
import importlib
import json
import os
from datetime import UTC, datetime
from pathlib import Path

from .._report import RESULTS, Report

PARTS = ("rates", "drift", "delays", "replays", "week", "latency", "outage")


def run_part(name, folder, *, quick=False, seed=0):
    """Run one part, and keep its tables.

    Parameters
    ----------
    name : str
    folder : pathlib.Path
    quick : bool, default=False
    seed : int, default=0

    Returns
    -------
    list of dict
        "title", "rows" and "notes" of every table.
    """
    load = f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown"
    tables = importlib.import_module(f"{__package__}.{name}").tables(quick=quick, seed=seed)
    when = (
        f"{'A quick run' if quick else 'Run'} on {datetime.now(UTC).date().isoformat()}, load average {load}."
    )
    made = [{"title": title, "rows": rows, "notes": f"{notes} {when}"} for title, rows, notes in tables]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")
    return made


def collect(folder, *, seed, output):
    """Write the report of all parts that have tables.

    Parameters
    ----------
    folder : pathlib.Path
    seed : int
    output : path-like

    Returns
    -------
    Report
    """
    report = Report(
        "monitor",
        data="simulated scores, generated sounds of machines, and recordings of MIMII and HLS-CMDS.",
        seed=seed,
        folder=output,
    )
    for name in PARTS:
        path = folder / f"{name}.json"
        if path.is_file():
            for table in json.loads(path.read_text(encoding="utf-8")):
                report.table(table["title"], table["rows"], table["notes"])
    return report


def main(arguments=None):
    """Run the benchmark with command-line arguments; see the module's docstring."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.monitor")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"parts  [default: {' '.join(PARTS)}]")
    parser.add_argument("--quick", action="store_true", help="fewer runs, about a minute")
    parser.add_argument(
        "--collect", action="store_true", help="run no part, and write the report of all tables"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, default=RESULTS)
    options = parser.parse_args(arguments)
    unknown = set(options.parts) - set(PARTS)
    if unknown:
        parser.error(f"no part is called {', '.join(sorted(unknown))}; the parts are {', '.join(PARTS)}.")
    folder = options.output / "monitor"
    for name in () if options.collect else options.parts or PARTS:
        print(f"== {name}", flush=True)
        run_part(name, folder, quick=options.quick, seed=options.seed)
    return collect(folder, seed=options.seed, output=options.output)


if __name__ == "__main__":
    main()
