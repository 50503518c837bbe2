"""``skaudio-ad demo``: generate sounds, train detectors, score and draw."""

import csv
import time
from pathlib import Path

import click
import numpy as np

from .._atomic import atomic_path
from ..datasets import make_machine_sounds
from ..inspection import LossCurveDisplay, ScoreDistributionDisplay
from ..metrics import anomaly_auc_score, bootstrap_interval, partial_auc_score
from ..persistence import save_detector
from ..presets import make_preset
from ..recordings import score_recordings
from ._common import check_writable, friendly_errors
from ._options import FOLDER
from ._score import draw_recording, save_figure
from ._table import open_table
from ._terminal import say, track
from ._training import fit_with_progress

_MACHINES = ("fan", "pump", "slider", "valve")
# Duration of a clip in seconds: several strokes of the slowest machine, and a demo of a few minutes.
_DURATION = 4.0


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
    default=200,
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
    default=60,
    show_default=True,
    help="Maximum number of epochs.",
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
    """Generate sounds of four machines, train, score and draw.

    The detectors are trained on normal sounds and score other normal sounds and anomalous sounds. The demo needs no
    network.
    """
    run_demo(output, n_train=n_train, n_test=n_test, max_epochs=max_epochs, seed=seed)


def run_demo(output, *, n_train, n_test, max_epochs, seed):
    """Generate, train, score and draw the sounds of every machine, and print a table.

    Parameters
    ----------
    output : pathlib.Path
    n_train : int
        Number of normal clips to train on.
    n_test : int
        Number of normal test clips, and number of anomalous test clips.
    max_epochs : int
        Maximum number of epochs.
    seed : int
        Seed of the sounds and of the detectors.
    """
    check_writable(output, folder=True)
    rows = [
        _run_machine(machine, output / machine, n_train, n_test, max_epochs, seed) for machine in _MACHINES
    ]
    with (
        atomic_path(output / "results.csv") as temporary,
        open(temporary, "w", newline="", encoding="utf-8") as file,
    ):
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    _print_table(rows, n_train, n_test)
    say()
    say(
        f"In {output}/<machine>/: detector.skops, scores.csv, distribution.png, loss.png, and the spectrogram and"
    )
    say(
        "local score of the most normal and of the most anomalous clip. Listen to normal/ and anomalous/ too, or"
    )
    say(f"score them again: skaudio-ad score {output}/valve/detector.skops {output}/valve/anomalous")


def _run_machine(machine, folder, n_train, n_test, max_epochs, seed):
    start = time.perf_counter()
    sounds = make_machine_sounds(
        n_train + n_test, n_test, machine=machine, duration=_DURATION, output_dir=folder, random_state=seed
    )
    train, test = sounds.paths[:n_train], sounds.paths[n_train:]
    y_test = sounds.target[n_train:]
    generated = time.perf_counter()
    # A fifth of the clips is held out instead of a tenth, because few held-out clips make the threshold inaccurate.
    pipeline = make_preset(
        "autoencoder", level="rms", max_epochs=max_epochs, validation_fraction=0.2, random_state=seed
    )
    fit_with_progress(pipeline, train)
    trained = time.perf_counter()
    with open_table(folder / "scores.csv") as write_row:
        scored = []
        for recording in track(score_recordings(pipeline, test), machine, len(test)):
            write_row(recording)
            scored.append(recording)
    finished = time.perf_counter()
    scores = np.array([recording.score for recording in scored])
    save_detector(pipeline, folder / "detector.skops")
    _draw(pipeline, scored, scores, y_test, folder, machine)
    low, high = bootstrap_interval(anomaly_auc_score, y_test, scores)
    alarms = np.array([recording.decision == "anomalous" for recording in scored])
    return {
        "machine": machine,
        "auc": round(anomaly_auc_score(y_test, scores), 4),
        "auc_low": round(low, 4),
        "auc_high": round(high, 4),
        "partial_auc": round(partial_auc_score(y_test, scores), 4),
        "false_alarms": round(float(alarms[y_test == 1].mean()), 4),
        "detected": round(float(alarms[y_test == -1].mean()), 4),
        "generate_s": round(generated - start, 1),
        "train_s": round(trained - generated, 1),
        "score_s": round(finished - trained, 1),
    }


def _draw(pipeline, scored, scores, y_test, folder, machine):
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    detector = pipeline.steps[-1][1]
    display = ScoreDistributionDisplay.from_predictions(
        y_test, scores, offset=detector.offset_, ax=figure.subplots()
    )
    display.ax_.set_title(f"{machine}: clips that the detector was not trained on")
    save_figure(figure, folder / "distribution.png")
    figure = Figure(figsize=(7, 4), layout="constrained")
    LossCurveDisplay.from_estimator(pipeline, ax=figure.subplots())
    save_figure(figure, folder / "loss.png")
    for name, index in (("most_normal", int(np.argmax(scores))), ("most_anomalous", int(np.argmin(scores)))):
        draw_recording(pipeline, scored[index], Path(folder) / f"{name}.png")


def _print_table(rows, n_train, n_test):
    from rich.box import SIMPLE
    from rich.console import Console
    from rich.table import Table

    table = Table(
        box=SIMPLE,
        show_edge=False,
        padding=(0, 1),
        pad_edge=False,
        title=f"trained on {n_train} normal clips; tested on {n_test} normal and {n_test} anomalous clips",
        title_justify="left",
    )
    for column in ("machine", "AUC [95 % interval]", "partial AUC", "false alarms", "detected", "seconds"):
        table.add_column(column, justify="left" if column == "machine" else "right", no_wrap=True)
    for row in rows:
        table.add_row(
            row["machine"],
            f"{row['auc']:.3f} [{row['auc_low']:.3f}, {row['auc_high']:.3f}]",
            f"{row['partial_auc']:.3f}",
            f"{row['false_alarms']:.0%}",
            f"{row['detected']:.0%}",
            f"{row['generate_s'] + row['train_s'] + row['score_s']:.1f}",
        )
    Console(highlight=False).print(table)
