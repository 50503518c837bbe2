"""Memory and CPU time of a monitor over a simulated week, with a state folder, a log and a test for drift."""

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time

import numpy as np

from skaudio_ad.monitoring import Monitor, Notice
from skaudio_ad.monitoring.sinks import JsonLinesSink
from skaudio_ad.recordings import Event

from ._sounds import (
    HOP,
    LOW_RATE,
    SECONDS,
    START,
    JoinedSource,
    calibrate,
    cheap_detector,
    fault_clips,
    normal_clips,
)

N_DAYS = 7
# Number of clips that calibrate the alarm.
N_CALIBRATION_CLIPS = 2000
# Number of clips from one fault to the next: an hour.
EVERY = 360


def resident_megabytes():
    """Return the memory of this process in MB, or NaN where /proc does not exist."""
    try:
        with open("/proc/self/status", encoding="utf-8") as file:
            return int(re.search(r"VmRSS:\s+(\d+) kB", file.read())[1]) / 1024
    except OSError:
        return float("nan")


def listen(day, seed=0, n_days=N_DAYS):
    """Listen for some days, as fast as possible.

    Parameters
    ----------
    day : float
        Duration of a day, in seconds.
    seed, n_days : int

    Returns
    -------
    list of dict
        One row at the start and after every day.
    """
    normal, quiet, live = np.split(normal_clips(300, seed), 3)
    detector = cheap_detector(normal)
    calibration = calibrate(
        detector,
        JoinedSource(quiet, LOW_RATE, N_CALIBRATION_CLIPS, random_state=seed),
        SECONDS,
        HOP,
    )
    n_clips, faults = round(n_days * day / SECONDS), fault_clips(8, seed)
    places = {place: faults[number % 8] for number, place in enumerate(range(EVERY // 2, n_clips, EVERY))}
    source = JoinedSource(live, LOW_RATE, n_clips, places, random_state=seed)
    counts = {"windows": 0, "events": 0, "drift notices": 0}
    made, used = [], time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        sink = JsonLinesSink(f"{folder}/events.jsonl")
        monitor = Monitor(
            detector,
            source,
            [sink],
            calibration.policy,
            window=SECONDS,
            hop=HOP,
            state=f"{folder}/state",
            calibration=calibration,
        )
        for record in monitor:
            if isinstance(record, Event):
                counts["events"] += record.state == "raised"
            elif isinstance(record, Notice):
                counts["drift notices"] += record.kind == "drift"
            else:
                if not counts["windows"] or record.end >= START + len(made) * day:
                    spent = time.process_time() - used
                    made.append(
                        {"day": len(made), **counts, "MB": resident_megabytes(), "CPU seconds": spent}
                    )
                counts["windows"] += 1
    return made


def rows(day=86400.0, seed=0, n_days=N_DAYS):
    """Listen in a process of its own, whose memory holds nothing else."""
    code = [sys.executable, "-m", "benchmarks.monitor.week", str(day), str(seed), str(n_days)]
    done = subprocess.run(code, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"the simulated week has failed: {done.stderr[-2000:]}")
    return format_rows(json.loads(done.stdout.splitlines()[-1]), day)


def format_rows(made, day):
    """Return the rows of the table from those of :func:`listen`."""
    return [
        {
            **{name: row[name] for name in ("day", "windows", "events", "drift notices")},
            "memory, MB": f"{row['MB']:.0f}",
            "CPU time, s": f"{row['CPU seconds']:.0f}",
            "share of a core": f"{row['CPU seconds'] / (row['day'] * day):.2%}" if row["day"] else "",
        }
        for row in made
    ]


def tables(*, quick, seed):
    """Return the table of this part."""
    made = rows(1200.0, seed, 2) if quick else rows(seed=seed)
    notes = (
        "Generated sound of a fan with a fault every hour, windows of 10 s every 5 s, as fast as possible, in a "
        "process of its own. The detector is cheap: nearest neighbours of pooled log-mel spectrograms at 8 kHz. The "
        "monitor has a state folder, a log, a calibration and the test for drift."
    )
    if quick:
        notes += " A day lasts 20 minutes."
    return [("memory and CPU time over a week", made, notes)]


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("day", type=float)
    parser.add_argument("seed", type=int)
    parser.add_argument("n_days", type=int)
    options = parser.parse_args()
    print(json.dumps(listen(options.day, options.seed, options.n_days)))
