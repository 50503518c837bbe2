"""The program of the official baseline of DCASE 2023-2026 Task 2 beside ours, on one folder of recordings.

The program is https://github.com/nttcslab/dcase2023_task2_baseline_ae. The benchmark downloads nothing: ``--baseline``
is a checkout. The benchmark copies the checkout to a folder of its own, writes the recordings there in the layout of
2023, and executes the program's ``train.py`` as published. Ours are the presets "dcase_baseline" (mean squared error)
and "dcase_mahalanobis_clip" (the program's selective Mahalanobis mode), on the same files with the same seeds.

Recordings: MIMII at -6 dB, microphone 0. The first six normal clips of every machine train, as in
``benchmarks.detection.machines``. The machine id_06 is the target domain, the others are the source domain. The
program knows the machine types of its year only, so that the pump has the name of another type (``NAMES``).

"AUC" and "partial AUC" (``max_fpr=0.1``, McClish) are over all test clips of a type, computed by our metrics from the
scores of both. Cells are the mean over the seeds, and the range. "inside" says whether the mean of ours lies in the
range of the program. One more seed of the program itself would lie outside the range of three seeds in half of the
cases. Therefore the difference has an interval of 95 % too, by Welch's t test over the seeds. The intervals are about
the seeds only: 36 test clips of a type say little about other clips.

Both train on one thread for the same number of epochs. The program's seconds are those of its epochs. Ours are those of
the whole ``fit`` on spectrograms, which also computes the scores of the training clips and the threshold. Features are
not timed, because the program keeps them on the disk. CPU seconds hardly change where other programs use the machine.

The settings are the same. The two differ in the following:

- The program holds out a tenth of the windows, and ours a tenth of the clips.
- The program keeps the weights of the last epoch, and ours those with the smallest held-out loss.
- Ours computes the statistics of batch normalisation anew after every epoch. The statistics of the program are running
  means over about a hundred batches (momentum 0.01). These recordings make 27 batches an epoch, so that the statistics
  lag behind the weights. With the 1000 clips of the challenge an epoch has a thousand batches, and the lag is short.
- The program checks every gradient (``torch.autograd.set_detect_anomaly``), which takes time.
- For the covariance the program centres the residuals of a domain batch by batch, and ours once.
- The program fits the gamma distribution of its threshold to mean losses of batches of shuffled windows. These losses
  vary less than those of clips, so that the program raises many false alarms. Ours takes the held-out clips.

The program runs with ``--python``. An environment that works: Python 3.11, torch 2.14, librosa 0.11, PyYAML, seaborn,
fasteners, tqdm, pandas and matplotlib 3.10. With matplotlib 3.11 the program ends with an error in its figure of the
scores, because ``Axes.boxplot`` has no argument `labels` any more.

Run: ``python -m benchmarks.detection.official --baseline FOLDER [--data DIR] [--python PATH] [--seeds 0 1 2]
[--epochs 100] [--output FOLDER]``. Every type of machine is kept in the folder of the output. A run with the same
seeds and epochs goes on from there.
"""

import argparse
import csv
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from skaudio_ad.datasets import load_mimii
from skaudio_ad.presets import make_preset

from .._report import RESULTS, Report, one_thread
from . import machines
from ._official_tables import MODES, Outcome, alarm_rows, keep, kept, score_rows, time_rows

#: Name of the program's machine type that stands for a type of MIMII. The development set of 2023 has no pump.
NAMES = {"fan": "fan", "pump": "gearbox", "slider": "slider", "valve": "valve"}
TARGET_ID = "id_06"
PROGRAM = Path(__file__).with_name("_official_program.py")
# Number of characters of the program's log that an error shows.
_TAIL = 1500


@dataclass(frozen=True)
class Recordings:
    """The recordings of one type of machine in the folders of the program.

    Attributes
    ----------
    train, test : list of str
        Paths.
    train_domains : ndarray of str
        "source" or "target".
    y : ndarray of int
        Labels of the test clips.
    """

    train: list[str]
    train_domains: np.ndarray
    test: list[str]
    y: np.ndarray


def write_recordings(name, data_home, program):
    """Write the recordings of a type of machine into the folder of the program.

    Parameters
    ----------
    name : str
        Type of machine of MIMII.
    data_home : path-like or None
        Folder of MIMII.
    program : Path
        Copy of the program.

    Returns
    -------
    Recordings
    """
    data = load_mimii(name, data_home=data_home)
    ids = data.metadata["machine_id"]
    train, test = machines.split(data.target, ids)
    raw = program / "data" / "dcase2023t2" / "dev_data" / "raw" / NAMES[name]
    domains = np.where(ids == TARGET_ID, "target", "source")
    written = {}
    for part, positions in (("train", train), ("test", test)):
        (raw / part).mkdir(parents=True, exist_ok=True)
        numbers = {}
        for position in positions:
            kind = "normal" if data.target[position] == 1 else "anomaly"
            prefix = f"section_00_{domains[position]}_{part}_{kind}"
            numbers[prefix] = numbers.get(prefix, -1) + 1
            path = raw / part / f"{prefix}_{numbers[prefix]:04d}_machine_{ids[position]}.wav"
            sound, rate = soundfile.read(data.paths[position], dtype="int16", always_2d=True)
            soundfile.write(path, sound[:, 0], rate, subtype="PCM_16")
            written[position] = str(path)
    return Recordings(
        [written[i] for i in train], domains[train], [written[i] for i in test], data.target[test]
    )


def run_program(name, recordings, *, program, python, seeds, epochs):
    """Run the program on one type of machine with all seeds and in both modes.

    Parameters
    ----------
    name : str
    recordings : Recordings
    program : Path
        Copy of the program that holds the recordings.
    python : str
        Interpreter of the program.
    seeds : sequence of int
    epochs : int

    Returns
    -------
    dict of {str: list of Outcome}
        Outcomes of the seeds by mode.

    Raises
    ------
    RuntimeError
        If the program fails. The message has the end of its log.
    """
    runs = []
    for seed in seeds:
        common = [f"--dataset=DCASE2023T2{NAMES[name]}", "-d", "-tag", "id(0_)", "--use_ids", "0"]
        common += ["--seed", str(seed), "--epochs", str(epochs), "--use_cuda", "False"]
        arguments = [[*common, "--score", "MSE"], [*common, "--score", "MAHALA", "--test_only"]]
        runs.append({"machine": name, "seed": seed, "epochs": epochs, "arguments": arguments})
    plan, answers, log = (program / f"{name}-{part}" for part in ("runs.json", "results.json", "log.txt"))
    plan.write_text(json.dumps(runs), encoding="utf-8")
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    environment |= {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "MPLBACKEND": "Agg"}
    with open(log, "w", encoding="utf-8") as file:
        code = subprocess.run(
            [python, str(PROGRAM), str(plan), str(answers)],
            cwd=program,
            env=environment,
            stdout=file,
            stderr=subprocess.STDOUT,
            check=False,
        ).returncode
    found = json.loads(answers.read_text(encoding="utf-8")) if answers.exists() else []
    errors = [f"seed {own['seed']}: {own['error']}" for own in found if own["error"]]
    if code or errors or len(found) < len(seeds):
        tail = log.read_text(encoding="utf-8", errors="replace")[-_TAIL:]
        reason = "; ".join(errors) or f"exit code {code}"
        raise RuntimeError(f"the program failed on {name} ({reason}). Its log {log} ends with:\n{tail}")
    outcomes = {}
    for mode, (score, _) in MODES.items():
        outcomes[mode] = [
            Outcome(
                -read_column(program, "anomaly_score", name, score, own["seed"], recordings.test),
                read_column(program, "decision_result", name, score, own["seed"], recordings.test) == 1,
                own["seconds"],
                own["CPU seconds"],
            )
            for own in found
        ]
    return outcomes


def read_column(program, kind, name, score, seed, paths):
    """Read a file of the program's results in the order of the test clips, joined by the names of the files.

    Parameters
    ----------
    program : Path
    kind : {"anomaly_score", "decision_result"}
    name : str
        Type of machine of MIMII.
    score : {"MSE", "MAHALA"}
    seed : int
    paths : list of str
        Paths of the test clips.

    Returns
    -------
    ndarray of shape (n_clips,), float64

    Raises
    ------
    ValueError
        If the file has other clips than the test.
    """
    folder = program / "results" / "dev_data" / f"baseline_{score}"
    path = folder / f"{kind}_DCASE2023T2{NAMES[name]}_section_00_test_seed{seed}_id(0_).csv"
    with open(path, encoding="utf-8", newline="") as file:
        values = {row[0]: float(row[1]) for row in csv.reader(file)}
    names = [Path(clip).name for clip in paths]
    if set(values) != set(names):
        raise ValueError(f"{path} has {len(values)} clips, which are not the {len(names)} clips of the test.")
    return np.array([values[clip] for clip in names])


def run_ours(recordings, *, seeds, epochs):
    """Run our presets on the recordings of one type of machine.

    Parameters
    ----------
    recordings : Recordings
    seeds : sequence of int
    epochs : int

    Returns
    -------
    dict of {str: list of Outcome}
    """
    outcomes = {mode: [] for mode in MODES}
    spectrograms = make_preset("dcase_baseline")[:-1]
    X_train, X_test = (spectrograms.fit_transform(paths) for paths in (recordings.train, recordings.test))
    for seed in seeds:
        for mode, (_, preset) in MODES.items():
            detector = make_preset(preset, max_epochs=epochs, random_state=seed, device="cpu")[-1]
            with one_thread():
                wall, cpu = time.perf_counter(), time.process_time()
                detector.fit(X_train, domains=recordings.train_domains)
                wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
                scores, alarms = detector.score_samples(X_test), detector.predict(X_test) == -1
            outcomes[mode].append(Outcome(scores, alarms, wall, cpu))
    return outcomes


def main(arguments=None):
    """Run the benchmark with command-line arguments; see the module's docstring."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.detection.official")
    parser.add_argument(
        "--baseline", required=True, type=Path, help="checkout of dcase2023_task2_baseline_ae"
    )
    parser.add_argument("--data", help="folder of MIMII  [default: SKAUDIO_AD_DATA]")
    parser.add_argument(
        "--python", default=sys.executable, help="interpreter of the program  [default: this one]"
    )
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--machines", nargs="+", choices=list(NAMES), default=list(NAMES))
    parser.add_argument("--work", type=Path, help="new folder for the copy  [default: a temporary folder]")
    parser.add_argument("--output", default=RESULTS)
    options = parser.parse_args(arguments)
    if not (options.baseline / "train.py").is_file() or not (options.baseline / "networks").is_dir():
        parser.error(
            f"--baseline {options.baseline} has no train.py and networks/, so it is no checkout of the program. Run "
            "git clone https://github.com/nttcslab/dcase2023_task2_baseline_ae"
        )
    if options.work is not None and options.work.exists():
        parser.error(
            f"--work {options.work} exists already: name a new folder, because old results would mix in."
        )
    with tempfile.TemporaryDirectory() as temporary:
        program = options.work or Path(temporary) / "program"
        shutil.copytree(options.baseline, program, ignore=shutil.ignore_patterns(".git"))
        try:
            recordings = {name: write_recordings(name, options.data, program) for name in options.machines}
        except FileNotFoundError as error:
            print(f"benchmarks.detection.official is left out: {error}")
            return
        results = {}
        for name, own in recordings.items():
            settings = {"seeds": options.seeds, "epochs": options.epochs}
            cell = Path(options.output) / "official" / f"{name}.json"
            results[name] = kept(cell, settings)
            if results[name] is None:
                theirs = run_program(name, own, program=program, python=options.python, **settings)
                results[name] = own.y, theirs, run_ours(own, **settings)
                keep(cell, settings, results[name])
            print(f"{name} is done.", flush=True)  # show progress, because a machine takes minutes
    report = Report(
        "official",
        data=f"MIMII at -6 dB, {', '.join(results)}; {options.epochs} epochs; seeds "
        f"{', '.join(map(str, options.seeds))}.",
        seed=options.seeds[0],
        folder=options.output,
    )
    report.table(
        "AUC", score_rows(results), "Mean over the seeds, and the range. Differences have intervals of 95 %."
    )
    report.table("Training", time_rows(results), "Means over the seeds. One thread each.")
    report.table("Decisions", alarm_rows(results), "Each at its own threshold. Means over the seeds.")


if __name__ == "__main__":
    main()
