"""``skaudio-ad score``."""

import contextlib
import csv
import itertools
from pathlib import Path

import click

from ..inspection import LocalScoreDisplay, score_recordings
from ..persistence import load_detector
from ._common import check_writable, expand_recordings, format_time, track

_COLUMNS = ("path", "score", "decision", "worst_time_s", "error")


def run_score(detector, recordings, csv_path, plot_folder):
    """Score recordings, print a table, write and draw what was asked for.

    Parameters
    ----------
    detector : pathlib.Path
    recordings : sequence of pathlib.Path
        Files and folders.
    csv_path, plot_folder : pathlib.Path or None

    Returns
    -------
    int
        Exit code: 1 if a recording could not be scored, else 0.
    """
    pipeline = load_detector(detector)
    paths = expand_recordings(recordings)
    if csv_path is not None:
        check_writable(csv_path)
    if plot_folder is not None:
        check_writable(plot_folder, folder=True)
    failed = 0
    pictures = _picture_names(paths)
    with open_table(csv_path) as write_row:
        click.echo(f"{'score':>12}  {'decision':<9}  {'worst (s)':>9}  recording")
        for recording in track(score_recordings(pipeline, paths), "scoring", len(paths)):
            write_row(recording)
            if recording.error:
                failed += 1
                click.echo(f"Error: {recording.path}: {recording.error}", err=True)
            elif plot_folder is not None:
                draw_recording(pipeline, recording, plot_folder / pictures[recording.path])
            worst = format_time(recording.worst_time)
            shown = "" if recording.error else f"{recording.score:.6g}"
            click.echo(f"{shown:>12}  {recording.decision:<9}  {worst:>9}  {recording.path}")
    if failed:
        click.echo(f"Error: {failed} of {len(paths)} recordings could not be scored, see above.", err=True)
    return 1 if failed else 0


@contextlib.contextmanager
def open_table(path):
    """Yield a function that appends a :class:`ScoredRecording` to a CSV file, row by row as they come."""
    if path is None:
        yield lambda recording: None
        return
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(_COLUMNS)

        def write_row(recording):
            score = "" if recording.error else repr(recording.score)
            worst = format_time(recording.worst_time)
            writer.writerow([recording.path, score, recording.decision, worst, recording.error])
            file.flush()

        yield write_row


def draw_recording(pipeline, recording, path):
    """Draw the spectrogram and the local score of one recording into a PNG file."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 5), layout="constrained")
    LocalScoreDisplay.from_estimator(pipeline, recording.path, recording=recording, figure=figure)
    figure.savefig(path, dpi=110)


def _picture_names(paths):
    """One file name a recording; recordings of one name in several folders are numbered."""
    names, taken = {}, set()
    for path in paths:
        stem = Path(path).stem
        numbered = (f"{stem}_{number}.png" for number in itertools.count(2))
        names[path] = next(name for name in itertools.chain([f"{stem}.png"], numbered) if name not in taken)
        taken.add(names[path])
    return names
