"""``skaudio-ad demo``: generate sounds, compare detectors, score and draw."""

import csv
import time
from pathlib import Path

import click
import numpy as np

from .._atomic import atomic_path
from ..datasets import make_machine_sounds
from ..metrics import anomaly_auc_score, bootstrap_interval, partial_auc_score
from ..persistence import save_detector
from ._common import check_writable, friendly_errors
from ._options import FOLDER
from ._pictures import draw_recording
from ._table import open_table
from ._terminal import progress_bar, say

_MACHINES = ("fan", "pump", "slider", "valve")
# Duration of a clip in seconds: several strokes of the slowest machine, and a demo of less than two minutes.
_DURATION = 4.0
# Number of draws of a bootstrap interval. More draws would take a fifth of the time of the demo.
_N_RESAMPLES = 300
# Machine of the report, and maximum number of its normal clips and of its clips with a fault.
_REPORTED, _N_REPORT = "valve", 10
_OWN = "mini, nearest"  # name of the detector on the pretrained backbone


@click.command()
@click.option(
    "--output",
    "-o",
    type=FOLDER,
    default=Path("demo_output"),
    show_default=True,
    help="Folder for sounds, detectors, tables and pictures.",
)
@click.option(
    "--n-train",
    type=click.IntRange(min=4),
    default=100,
    show_default=True,
    help="Number of normal clips to train on.",
)
@click.option(
    "--n-test",
    type=click.IntRange(min=4),
    default=40,
    show_default=True,
    help="Number of normal test clips, and number of anomalous test clips.",
)
@click.option(
    "--max-epochs",
    type=click.IntRange(min=1),
    default=15,
    show_default=True,
    help="Maximum number of epochs of the autoencoder.",
)
@click.option(
    "--seed",
    type=int,
    default=0,
    show_default=True,
    help="Seed of the sounds and detectors. The same seed gives the same demo.",
)
@friendly_errors
def demo(output, n_train, n_test, max_epochs, seed):
    """Generate sounds of four machines, compare detectors, score and draw.

    Five detectors learn the normal sounds of a machine, and score other normal sounds and sounds with faults. The first
    one uses the pretrained backbone of the package. The demo needs no network.
    """
    run_demo(output, n_train=n_train, n_test=n_test, max_epochs=max_epochs, seed=seed)


def run_demo(output, *, n_train, n_test, max_epochs, seed):
    """Compare detectors on the sounds of every machine, print two tables and draw.

    Parameters
    ----------
    output : pathlib.Path
    n_train : int
        Number of normal clips to train on.
    n_test : int
        Number of normal test clips, and number of anomalous test clips.
    max_epochs : int
        Maximum number of epochs of the autoencoder.
    seed : int
        Seed of the sounds and of the detectors.
    """
    from ._demo_pictures import draw_comparison

    check_writable(output, folder=True)
    start = time.perf_counter()
    rows = []
    for machine in _MACHINES:
        rows += _run_machine(machine, output / machine, n_train, n_test, max_epochs, seed)
    page = _write_report(output / _REPORTED, n_train, min(n_test, _N_REPORT))
    with (
        atomic_path(output / "results.csv") as temporary,
        open(temporary, "w", newline="", encoding="utf-8") as file,
    ):
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    draw_comparison(rows, output / "comparison.png")
    _print_tables(rows, n_train, n_test)
    say()
    say(f"The demo took {time.perf_counter() - start:.0f} s. Look at {output}/comparison.png, and open")
    say(f"{page} in a browser to listen to clips of the {_REPORTED}.")
    say(
        "The folder of each machine holds detector.skops, scores.csv, distribution.png, and pictures of the most normal"
    )
    say("and the most anomalous clip. Listen to the clips in normal/ and anomalous/, or score them again:")
    say(f"  skaudio-ad score {output}/valve/detector.skops {output}/valve/anomalous")


def _run_machine(machine, folder, n_train, n_test, max_epochs, seed):
    """Generate the sounds of a machine, run all detectors, and return their rows of results.csv."""
    from ._demo_detectors import run_autoencoder, run_classical, run_embedding

    with progress_bar(machine, total=4) as advance:
        sounds = make_machine_sounds(
            n_train + n_test,
            n_test,
            machine=machine,
            duration=_DURATION,
            output_dir=folder,
            random_state=seed,
        )
        train, test = sounds.paths[:n_train], sounds.paths[n_train:]
        y_test = sounds.target[n_train:]
        advance()
        pipeline, recordings, result = run_embedding(train, test, seed)
        results = {_OWN: result}
        advance()
        results |= {f"log-mel, {name}": each for name, each in run_classical(train, test, seed).items()}
        advance()
    results["autoencoder"] = run_autoencoder(train, test, seed, max_epochs)
    _write_files(pipeline, recordings, y_test, result.scores, folder, machine)
    return [_row(machine, name, y_test, each) for name, each in results.items()]


def _write_report(folder, n_train, n_each):
    """Write a page about a few clips of the machine, and return the path of the page."""
    from ..audio import find_audio_files
    from ..persistence import load_detector
    from ..report import make_report

    normal = find_audio_files(folder / "normal")
    chosen = normal[n_train : n_train + n_each], find_audio_files(folder / "anomalous")[:n_each]
    labels = [1] * len(chosen[0]) + [-1] * len(chosen[1])
    detector = load_detector(folder / "detector.skops")
    return make_report(
        detector, [*chosen[0], *chosen[1]], folder / "report.html", y=labels, normal=normal[:n_train]
    )


def _row(machine, name, y_test, result):
    low, high = bootstrap_interval(anomaly_auc_score, y_test, result.scores, n_resamples=_N_RESAMPLES)
    return {
        "machine": machine,
        "detector": name,
        "auc": round(anomaly_auc_score(y_test, result.scores), 4),
        "auc_low": round(low, 4),
        "auc_high": round(high, 4),
        "partial_auc": round(partial_auc_score(y_test, result.scores), 4),
        "false_alarms": round(float(result.alarms[y_test == 1].mean()), 4),
        "detected": round(float(result.alarms[y_test == -1].mean()), 4),
        "seconds": round(result.seconds, 2),
    }


def _write_files(pipeline, recordings, y_test, scores, folder, machine):
    """Write detector.skops, scores.csv, the distribution of the scores, and the pictures of two clips."""
    from ._demo_pictures import draw_distribution

    save_detector(pipeline, folder / "detector.skops")
    with open_table(folder / "scores.csv") as write_row:
        for recording in recordings:
            write_row(recording)
    draw_distribution(y_test, scores, pipeline[-1].offset_, machine, folder / "distribution.png")
    for name, index in (("most_normal", int(np.argmax(scores))), ("most_anomalous", int(np.argmin(scores)))):
        draw_recording(pipeline, recordings[index], folder / f"{name}.png")


def _print_tables(rows, n_train, n_test):
    """Print the means of every detector over the machines, and the machines of the detector on the backbone."""
    from ._demo_detectors import FALSE_ALARMS

    means = []
    for name in dict.fromkeys(row["detector"] for row in rows):
        own = [row for row in rows if row["detector"] == name]
        mean = {
            key: np.mean([row[key] for row in own]) for key in own[0] if key not in ("machine", "detector")
        }
        means.append(
            (
                name,
                f"{mean['auc']:.3f}",
                f"{mean['partial_auc']:.3f}",
                f"{mean['false_alarms']:.1%}",
                f"{mean['detected']:.0%}",
                f"{len(own) * mean['seconds']:.1f}",
            )
        )
    own = [
        (
            row["machine"],
            f"{row['auc']:.3f} [{row['auc_low']:.3f}, {row['auc_high']:.3f}]",
            f"{row['partial_auc']:.3f}",
            f"{row['false_alarms']:.1%}",
            f"{row['detected']:.0%}",
            f"{row['seconds']:.1f}",
        )
        for row in rows
        if row["detector"] == _OWN
    ]
    clips = f"{n_train} normal clips to train, {n_test} normal and {n_test} anomalous clips to test"
    title = f"Means of {len(own)} machines. Each has {clips}."
    columns = ("partial AUC", f"false alarms (for {FALSE_ALARMS:.0%})", "detected", "seconds")
    _print_table(title, ("detector", "AUC", *columns), means)
    say()
    _print_table(f'"{_OWN}" on every machine', ("machine", "AUC [95 % interval]", *columns), own)


def _print_table(title, columns, rows):
    from rich.box import SIMPLE
    from rich.console import Console
    from rich.table import Table

    table = Table(
        box=SIMPLE, show_edge=False, padding=(0, 1), pad_edge=False, title=title, title_justify="left"
    )
    for number, column in enumerate(columns):
        table.add_column(column, justify="right" if number else "left", no_wrap=number < 2)
    for row in rows:
        table.add_row(*row)
    Console(highlight=False).print(table)
