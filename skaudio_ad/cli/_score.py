"""``skaudio-ad score``: score recordings with a trained detector."""

import json
import math
import sys

import click

from .._file_names import file_names
from .._json import without_nan
from ..audio._rates import describe_lower_rates, find_lower_rates
from ..persistence import load_detector, read_metadata
from ..recordings import ScoredRecording, score_recordings
from ..recordings._exports import (
    check_raven_path,
    moments_in_file,
    write_label_tracks,
    write_selection_table,
)
from ..recordings._summary import summarize
from ..recordings._unwrap import find_loader
from ._common import check_writable, expand_recordings, format_time, friendly_errors
from ._embedding_tables import find_table, read_table
from ._messages import translate
from ._options import FILE, FOLDER, recordings_argument
from ._pictures import try_to_draw
from ._score_windows import WindowScores, find_windows, window_options
from ._table import open_table
from ._table_scores import score_table
from ._terminal import say, track

# Exit code of `--exit-code` if an anomaly was found. 1 and 2 are errors, also for the tools diff and grep.
ANOMALIES_FOUND = 3
# Message for a detector without a time axis.
_NO_TIMES = (
    "Note: this detector scores a recording as a whole, so no time of a worst moment is given. "
    "`skaudio-ad fit --preset autoencoder` trains a detector that gives the time."
)


@click.command()
@click.argument("detector", type=FILE)
@recordings_argument
@click.option("--csv", "csv_path", type=FILE, metavar="FILE.csv", help="File to write the table to as well.")
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Print one JSON object for every recording (JSON lines) instead of the table.",
)
@click.option(
    "--sort", is_flag=True, help="Print the least normal recordings first, after all have been scored."
)
@click.option(
    "--exit-code",
    is_flag=True,
    help=f"End with exit code {ANOMALIES_FOUND} if a recording is anomalous, or has an event, and no error occurred.",
)
@click.option(
    "--plot",
    "plot_folder",
    type=FOLDER,
    metavar="FOLDER",
    help="Folder for a picture of the spectrogram and the local scores of every recording.",
)
@click.option(
    "--audacity",
    "audacity_folder",
    type=FOLDER,
    metavar="FOLDER",
    help="Folder for a label track of Audacity for every anomalous recording, with the moments that sound wrong.",
)
@click.option(
    "--raven",
    "raven_path",
    type=FILE,
    metavar="FILE.txt",
    help="File for a selection table of Raven with the moments of all anomalous recordings.",
)
@window_options
@friendly_errors
def score(
    detector,
    recordings,
    csv_path,
    as_json,
    sort,
    exit_code,
    plot_folder,
    audacity_folder,
    raven_path,
    window,
    hop,
    events_path,
):
    """Score recordings with a trained detector.

    DETECTOR is a file that `fit` wrote. RECORDINGS are files or folders, or one table of embeddings that `embed` wrote.
    The command prints a table: the score (higher is more normal), the p-value (the probability that a normal recording
    scores as low), the decision, and the time of the worst moment. --csv and --json also have the margin, the distance
    to the threshold. If a recording cannot be scored, the command reports the recording, scores the others, and ends
    with exit code 1.

    With --window, or a detector that was trained with `fit --window`, the command scores the windows of long
    recordings. The table then holds one line for every event, a stretch that sounds wrong: its start, its end and its
    worst moment in hours, minutes and seconds, and the score and the p-value of its least normal window.
    """
    sys.exit(
        run_score(
            detector,
            recordings,
            csv_path,
            plot_folder,
            as_json=as_json,
            sort=sort,
            exit_code=exit_code,
            audacity_folder=audacity_folder,
            raven_path=raven_path,
            window=window,
            hop=hop,
            events_path=events_path,
        )
    )


def run_score(
    detector,
    recordings,
    csv_path,
    plot_folder,
    *,
    as_json=False,
    sort=False,
    exit_code=False,
    audacity_folder=None,
    raven_path=None,
    window=None,
    hop=None,
    events_path=None,
):
    """Score recordings and print a table. Write a CSV table and draw pictures if paths for them are given.

    Parameters
    ----------
    detector : pathlib.Path
    recordings : sequence of pathlib.Path
        Files and folders, or one table of embeddings.
    csv_path, plot_folder : pathlib.Path or None
    as_json : bool, default=False
        Whether to print JSON lines instead of the table.
    sort : bool, default=False
        Whether to print the least normal recordings first.
    exit_code : bool, default=False
        Whether the exit code tells that an anomaly was found.
    audacity_folder, raven_path : pathlib.Path, default=None
        Folder of label tracks and file of the selection table for the moments that sound wrong.
    window, hop : float or None, default=None
        Duration of windows and time between their starts, in seconds. None takes windows only if the detector was
        trained on segments.
    events_path : pathlib.Path or None, default=None
        Table of the events of windows.

    Returns
    -------
    int
        Exit code: 1 if a recording could not be scored or drawn, 3 if a recording is anomalous and `exit_code` is set,
        otherwise 0.
    """
    table = find_table(recordings)
    of_recordings = {
        "--plot": plot_folder,
        "--audacity": audacity_folder,
        "--raven": raven_path,
        "--window": window,
        "--hop": hop,
        "--events-csv": events_path,
    }
    for option, given in of_recordings.items():
        if table is not None and given is not None:
            raise click.UsageError(f"{option} does not apply to {table}, a table of embeddings.")
    pipeline = load_detector(detector)
    window = None if table is not None else find_windows(read_metadata(detector), window, hop)
    if window is None and events_path is not None:
        raise click.UsageError(
            "--events-csv needs --window, or a detector that was trained with `fit --window`."
        )
    for path in (csv_path, raven_path, events_path):
        if path is not None:
            check_writable(path)
    for folder in (plot_folder, audacity_folder):
        if folder is not None:
            check_writable(folder, folder=True)
    if table is None:
        if find_loader(pipeline) is None and read_metadata(detector).get("embedding"):
            raise ValueError(
                f"{detector}: was trained on a table of embeddings. Embed the recordings with `skaudio-ad embed`, and "
                "score that table."
            )
        paths = expand_recordings(recordings)
        for path in paths if raven_path is not None else ():
            check_raven_path(path)
        if window is not None:
            scores = WindowScores(pipeline, window, hop)
            scores.run(
                paths,
                csv_path=csv_path,
                events_path=events_path,
                as_json=as_json,
                sort=sort,
                pictures=plot_folder,
            )
            for line in scores.summarize():
                say(line, err=True)
            warn_of_lower_rates(pipeline, [path for path in paths if path not in scores.failed])
            _write_moments(scores.found, audacity_folder, raven_path)
            return scores.exit_code(ANOMALIES_FOUND if exit_code else 0)
        scored = track(score_recordings(pipeline, paths), "scoring", len(paths))
    else:
        embedded = read_table(table)
        scored, paths = score_table(pipeline, embedded, detector), embedded.paths
    undrawn = 0
    pictures = file_names(paths, ".png")
    done: list[ScoredRecording] = []
    found = []
    show = _say_json if as_json else _say_row
    with open_table(csv_path) as write_row:
        if not as_json:
            say(f"{'score':>12}  {'p-value':>7}  {'decision':<9}  {'worst (s)':>9}  recording")
        for recording in scored:
            write_row(recording)
            done.append(_without_windows(recording))
            found.append(moments_in_file(recording))
            _say_error(recording)
            if not sort:
                show(recording)
            if plot_folder is not None and not recording.error:
                undrawn += not try_to_draw(pipeline, recording, plot_folder / pictures[recording.path])
        for recording in sorted(done, key=_rank) if sort else ():
            show(recording)
    decisions = [recording.decision for recording in done]
    failed = decisions.count("error")
    if undrawn:
        say(f"Error: {undrawn} of {len(paths)} recordings could not be drawn, see above.", err=True)
    if failed:
        say(f"Error: {failed} of {len(paths)} recordings could not be scored, see above.", err=True)
    for line in summarize(pipeline, [recording.score for recording in done], decisions):
        say(line, err=True)
    if failed < len(done) and all(recording.worst_time is None for recording in done):
        say(_NO_TIMES, err=True)
    if table is None:
        warn_of_lower_rates(pipeline, [recording.path for recording in done if not recording.error])
    _write_moments(found, audacity_folder, raven_path)
    if failed or undrawn:
        return 1
    return ANOMALIES_FOUND if exit_code and "anomalous" in decisions else 0


def warn_of_lower_rates(pipeline, paths):
    """Warn about recordings with a lower sample rate than all training recordings.

    Parameters
    ----------
    pipeline : fitted estimator
    paths : list of str
    """
    loader = find_loader(pipeline)
    trained_on = getattr(loader, "sample_rates_", ())
    if len(trained_on):
        lower = find_lower_rates(paths, trained_on, loader.sample_rate)
        if lower:
            say(f"Warning: {describe_lower_rates(lower, len(paths), trained_on)}", err=True)


def _without_windows(recording):
    """Copy a recording without its local scores, so that memory stays bounded."""
    return ScoredRecording(
        recording.path,
        recording.score,
        recording.decision,
        error=recording.error,
        margin=recording.margin,
        p_value=recording.p_value,
        **_worst_window(recording),
    )


def _worst_window(recording):
    index = recording.worst_window
    if index is None:
        return {}
    return {"times": recording.times[[index]], "local_scores": recording.local_scores[[index]]}


def _rank(recording):
    """Return a key that sorts the least normal recordings first, and errors last."""
    return (bool(recording.error), 0.0 if recording.error else recording.score)


def _say_error(recording):
    if recording.error:
        say(f"Error: {recording.path}: {translate(recording.error)}", err=True)


def _say_row(recording):
    score = "" if recording.error else f"{recording.score:.6g}"
    p_value = "" if math.isnan(recording.p_value) else f"{recording.p_value:.2g}"
    say(
        f"{score:>12}  {p_value:>7}  {recording.decision:<9}  {format_time(recording.worst_time):>9}  {recording.path}"
    )


def _say_json(recording):
    say(
        json.dumps(
            without_nan(
                {
                    "path": recording.path,
                    "score": recording.score,
                    "margin": recording.margin,
                    "p_value": recording.p_value,
                    "decision": recording.decision,
                    "worst_time_s": recording.worst_time,
                    "error": translate(recording.error),
                }
            )
        )
    )


def _write_moments(found, audacity_folder, raven_path):
    if audacity_folder is not None:
        n_tracks = len(write_label_tracks(audacity_folder, found))
        say(f"{n_tracks} label track(s) of Audacity are in {audacity_folder}.", err=True)
    if raven_path is not None:
        write_selection_table(raven_path, found)
        say(
            f"{sum(len(moments) for _, moments in found)} selection(s) of Raven are in {raven_path}.",
            err=True,
        )
