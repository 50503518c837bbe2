"""Kill a monitor at random moments, and compare its events with those of a monitor that ran through.

A monitor runs in a process of its own, which gets SIGKILL again and again. After every kill another process goes on
with the same state folder. Two sources are tried: one file that is played fast, and a folder that grows while the
monitor listens. The sound is noise with louder tones at random times. The events of the log and of a sink (JSON lines)
are compared with those of a run without kills.

==================  ==================================================================================
column              meaning
==================  ==================================================================================
kills               number of processes that were killed
events              number of events without kills
lost, doubled       entries of the log (raised and cleared) that are missing, or that stand there twice
changed             entries whose times or number of windows differ
invented            entries that the run without kills has not
lost by the sink    entries that the sink has not
moments             median and maximum of the time from the start of listening to a kill, in seconds
==================  ==================================================================================

Goal: zeros in all columns from "lost" to "lost by the sink".

Run: ``python -m benchmarks.monitor.kills [--kills 20] [--minutes 20]``; about three minutes a source.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np
import soundfile

from benchmarks._report import Report

RATE, START = 8000, 1_767_225_600.0  # 2026-01-01 00:00:00 UTC
# Number of seconds between two faults, on average.
BETWEEN = 30.0
# Number of seconds of sound per second that the monitor gets.
SPEED = 40.0
# Number of seconds of one file of the folder.
FILE_SECONDS = 20


def make_sound(seconds, seed):
    """Return noise with tones of 1 to 8 s at random times."""
    random = np.random.default_rng(seed)
    samples = random.normal(scale=0.05, size=round(seconds * RATE))
    time_of_fault = 10.0
    while (time_of_fault := time_of_fault + random.exponential(BETWEEN)) < seconds - 10:
        length = random.uniform(1, 8)
        place = slice(round(time_of_fault * RATE), round((time_of_fault + length) * RATE))
        samples[place] += 0.2 * np.sin(2 * np.pi * 1000 * np.arange(place.stop - place.start) / RATE)
        time_of_fault += length
    return samples.astype(np.float32)


def make_detector(path, seed):
    """Fit a small detector on noise, and save it."""
    from sklearn.pipeline import make_pipeline

    from skaudio_ad import (
        AudioLoader,
        MelTransformer,
        NearestNeighborsDetector,
        TemporalPooling,
        ThresholdedDetector,
    )
    from skaudio_ad.persistence import save_detector

    mel = MelTransformer(sample_rate=RATE, n_fft=512, hop_length=256, n_mels=16)
    head = ThresholdedDetector(NearestNeighborsDetector(), cv=0.5, random_state=seed)
    clips = np.random.default_rng(seed + 1).normal(scale=0.05, size=(400, RATE)).astype(np.float32)
    detector = make_pipeline(AudioLoader(RATE, duration=1.0), mel, TemporalPooling(), head).fit(clips)
    save_detector(detector, path)


def listen(work, source, state):
    """Listen until the source ends, or until SIGTERM. The body of the process that is killed."""
    from skaudio_ad.monitoring import Monitor
    from skaudio_ad.monitoring.sinks import JsonLinesSink
    from skaudio_ad.monitoring.sources import FileSource, FolderSource
    from skaudio_ad.persistence import load_detector
    from skaudio_ad.recordings import AlarmPolicy

    if source == "file":
        heard = FileSource(work / "sound.wav", speed=SPEED, start=START)
    else:
        heard = FolderSource(work / "folder", settle=0.2, poll=0.1, time_zone="UTC")
    state.mkdir(exist_ok=True)
    detector = load_detector(work / "detector.skops")
    level = detector[-1].offset_
    policy = AlarmPolicy(1.5 * level, level, n_raise=2, refractory=5.0)
    monitor = Monitor(detector, heard, [JsonLinesSink(state / "records.jsonl")], policy, state=state)
    signal.signal(signal.SIGTERM, lambda *_: monitor.stop())
    (state / "listening").write_text("")
    monitor.run()
    (state / "ended").write_text("")


def start(work, source, state):
    """Start a monitor in a process, and wait until it listens."""
    (state / "listening").unlink(missing_ok=True)
    argv = [sys.executable, "-m", "benchmarks.monitor.kills", "--child", str(work), source, str(state)]
    child = subprocess.Popen(argv, env={**os.environ, "OMP_NUM_THREADS": "1"})
    while not (state / "listening").exists():
        if child.poll() is not None:
            raise RuntimeError(f"the monitor ended with {child.returncode} before it listened.")
        time.sleep(0.02)
    return child


class Folder:
    """Folder that gets the files of a recorder, as time goes by. There is no gap but one of ten minutes."""

    def __init__(self, path, samples):
        path.mkdir()
        self.path, self.samples, self.n_files = path, samples, 0

    @property
    def is_complete(self):
        return self.n_files * FILE_SECONDS * RATE >= len(self.samples)

    def write_next(self):
        """Write the next file under a hidden name, and rename it."""
        seconds = self.n_files * FILE_SECONDS
        size = FILE_SECONDS * RATE
        gap = 600 if self.n_files * size >= len(self.samples) / 2 else 0
        name = time.strftime("%Y%m%d_%H%M%S.wav", time.gmtime(START + seconds + gap))
        soundfile.write(
            self.path / f".{name}", self.samples[self.n_files * size :][:size], RATE, format="WAV"
        )
        os.replace(self.path / f".{name}", self.path / name)
        self.n_files += 1


def run(work, source, samples, n_kills, random):
    """Run a source with a number of kills. Return the state folder and the moments of the kills."""
    state = work / f"{source}-{n_kills}"
    state.mkdir()
    folder = None
    if source == "folder":
        shutil.rmtree(work / "folder", ignore_errors=True)
        folder = Folder(work / "folder", samples)
    moments = []
    next_file = 0.0
    while not (state / "ended").exists():
        child = start(work, source, state)
        begun = time.monotonic()
        wait = random.uniform(0, 2) if len(moments) < n_kills else np.inf
        while child.poll() is None and time.monotonic() < begun + wait:
            now = time.monotonic()
            if folder is not None and not folder.is_complete and now >= next_file:
                folder.write_next()
                next_file = now + FILE_SECONDS / SPEED
            if folder is not None and folder.is_complete and is_heard(state, samples):
                child.send_signal(signal.SIGTERM)
                child.wait()
            time.sleep(0.01)
        if child.poll() is None:
            child.kill()
            child.wait()
            moments.append(time.monotonic() - begun)
        elif child.returncode:
            raise RuntimeError(f"the monitor ended with {child.returncode}.")
    return state, moments


def is_heard(state, samples):
    """Whether the last window is in the file of the sink."""
    try:
        with open(state / "records.jsonl", "rb") as file:
            file.seek(max(0, os.path.getsize(state / "records.jsonl") - 5000))
            lines = [line for line in file.read().splitlines()[1:] if b'"window"' in line]
        return json.loads(lines[-1])["end"] >= START + 600 + len(samples) / RATE - 1
    except (OSError, ValueError, IndexError):
        return False


def read(path):
    """Return the events of a file of JSON lines, and the notices of the source."""
    entries = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    own = ("start", "stop", "restart", "sink", "disk", "memory")
    return [e for e in entries if e["type"] == "event" or (e["type"] == "notice" and e["kind"] not in own)]


def facts(entry):
    """Return what must be equal with and without kills."""
    return (
        entry.get("reason"),
        entry.get("start"),
        entry.get("end"),
        entry.get("n_windows"),
        entry.get("time"),
    )


def compare(whole, killed):
    """Return the counts of a row of the table."""
    expected = {entry["key"]: entry for entry in read(whole / "log.jsonl")}
    found = read(killed / "log.jsonl")
    counts = Counter(entry["key"] for entry in found)
    sent = {entry["key"] for entry in read(killed / "records.jsonl")}
    events = [key for key, entry in expected.items() if entry["type"] == "event"]
    return {
        "events": len(events) // 2,
        "lost": len(expected.keys() - counts.keys()),
        "doubled": sum(n > 1 for n in counts.values()),
        "changed": sum(e["key"] in expected and facts(e) != facts(expected[e["key"]]) for e in found),
        "invented": len(counts.keys() - expected.keys()),
        "lost by the sink": len(set(events) - sent),
    }


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--sources", nargs="+", default=["file", "folder"], choices=["file", "folder"])
    parser.add_argument("--child", nargs=3, metavar=("WORK", "SOURCE", "STATE"), help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.child:
        work, source, state = given.child
        listen(Path(work), source, Path(state))
        return
    random = np.random.default_rng(given.seed)
    seconds = FILE_SECONDS * round(given.minutes * 60 / FILE_SECONDS)
    text = (
        f"{given.minutes:g} minutes of noise with tones at random times, {RATE} Hz, windows of 1 s every 0.5 s, played "
        f"at {SPEED:g} times real time."
    )
    report = Report("monitor-kills", data=text, seed=given.seed)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        samples = make_sound(seconds, given.seed)
        soundfile.write(work / "sound.wav", samples, RATE)
        make_detector(work / "detector.skops", given.seed)
        for source in given.sources:
            whole, _ = run(work, source, samples, 0, random)
            killed, moments = run(work, source, samples, given.kills, random)
            row = {"source": source, "kills": len(moments), **compare(whole, killed)}
            row["moments"] = f"{np.median(moments):.2f} to {max(moments):.2f}" if moments else ""
            rows.append(row)
            print(row, flush=True)
    report.table("Kills", rows, "The goal is 0 in the columns from lost to lost by the sink.")


if __name__ == "__main__":
    main()
