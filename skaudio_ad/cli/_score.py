"""``skaudio-ad score``: score recordings with a trained detector."""

import sys

import click

from .._atomic import atomic_path
from ..inspection import LocalScoreDisplay
from ..persistence import load_detector
from ..recordings import score_recordings
from ._common import check_writable, describe_error, expand_recordings, format_time, friendly_errors
from ._messages import translate
from ._options import FILE, FOLDER, recordings_argument
from ._pictures import picture_names
from ._summary import summarize
from ._table import open_table
from ._terminal import say, track


@click.command()
@click.argument("detector", type=FILE)
@recordings_argument
@click.option("--csv", "csv_path", type=FILE, metavar="FILE.csv", help="File to write the table to as well.")
@click.option(
    "--plot",
    "plot_folder",
    type=FOLDER,
    metavar="FOLDER",
    help="Folder for a picture of the spectrogram and the local scores of every recording.",
)
@friendly_errors
def score(detector, recordings, csv_path, plot_folder):
    """Score recordings with a trained detector.

    DETECTOR is a file that `fit` wrote. RECORDINGS are files or folders. The command prints a table with the score
    (higher is more normal), the decision, and the time of the worst moment. If a recording cannot be scored, the
    command reports the recording, scores the others, and ends with exit code 1.
    """
    sys.exit(run_score(detector, recordings, csv_path, plot_folder))


def run_score(detector, recordings, csv_path, plot_folder):
    """Score recordings and print a table. Write a CSV table and draw pictures if paths for them are given.

    Parameters
    ----------
    detector : pathlib.Path
    recordings : sequence of pathlib.Path
        Files and folders.
    csv_path, plot_folder : pathlib.Path or None

    Returns
    -------
    int
        Exit code: 1 if a recording could not be scored or drawn, otherwise 0.
    """
    pipeline = load_detector(detector)
    paths = expand_recordings(recordings)
    if csv_path is not None:
        check_writable(csv_path)
    if plot_folder is not None:
        check_writable(plot_folder, folder=True)
    pictures = picture_names(paths)
    undrawn = 0
    scores: list[float] = []
    decisions: list[str] = []
    with open_table(csv_path) as write_row:
        say(f"{'score':>12}  {'decision':<9}  {'worst (s)':>9}  recording")
        for recording in track(score_recordings(pipeline, paths), "scoring", len(paths)):
            write_row(recording)
            scores.append(recording.score)
            decisions.append(recording.decision)
            _say_row(recording)
            if plot_folder is not None and not recording.error:
                undrawn += not _try_to_draw(pipeline, recording, plot_folder / pictures[recording.path])
    failed = decisions.count("error")
    if undrawn:
        say(f"Error: {undrawn} of {len(paths)} recordings could not be drawn, see above.", err=True)
    if failed:
        say(f"Error: {failed} of {len(paths)} recordings could not be scored, see above.", err=True)
    for line in summarize(pipeline, scores, decisions):
        say(line, err=True)
    return 1 if failed or undrawn else 0


def _say_row(recording):
    score = "" if recording.error else f"{recording.score:.6g}"
    if recording.error:
        say(f"Error: {recording.path}: {translate(recording.error)}", err=True)
    say(f"{score:>12}  {recording.decision:<9}  {format_time(recording.worst_time):>9}  {recording.path}")


def _try_to_draw(pipeline, recording, path):
    """Draw one recording. An error is printed and not raised, so that the other recordings are drawn.

    Returns
    -------
    bool
        Whether the picture was drawn.
    """
    try:
        draw_recording(pipeline, recording, path)
    except Exception as error:  # any error: a changed file, a full disk, a fault of the drawing
        say(f"Error: {recording.path}: could not be drawn: {describe_error(error)}", err=True)
        return False
    return True


def draw_recording(pipeline, recording, path):
    """Draw the spectrogram and the local scores of one recording into a PNG file."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 5), layout="constrained")
    LocalScoreDisplay.from_estimator(pipeline, recording.path, recording=recording, figure=figure)
    save_figure(figure, path)


def save_figure(figure, path):
    """Write a picture atomically: a failed write leaves the old file."""
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=110, format="png")
