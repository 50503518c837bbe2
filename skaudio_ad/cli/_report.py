"""``skaudio-ad report``: a page to look at recordings and to listen to them, with the scores of a detector."""

import sys
from pathlib import Path

import click

from .._clip_errors import shown
from .._csv_text import path_of_cell
from ..audio import find_audio_files
from ..persistence import load_detector, read_metadata
from ..recordings._check import measure_recordings
from ..recordings._unwrap import find_loader
from ._common import check_writable, expand_recordings, friendly_errors
from ._embedding_tables import find_table
from ._messages import translate
from ._options import FILE, recordings_argument
from ._score import warn_of_lower_rates
from ._terminal import say, track
from ._training import DIGEST_LENGTH

# Number of folders that a message names.
_SHOWN = 3


@click.command()
@click.argument("detector", type=FILE)
@recordings_argument
@click.option(
    "--output", "-o", type=FILE, required=True, metavar="FILE.html", help="File to write the page to."
)
@click.option(
    "--normal",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="File or folder of normal recordings to compare with; the option may be repeated.  [default: the recordings "
    "that the detector was trained on, if they are still there]",
)
@click.option(
    "--labels",
    "marks",
    type=FILE,
    metavar="FILE.csv",
    help="Table of marks that the page has exported. The new page shows them, and how well the scores fit.",
)
@click.option("--title", metavar="TEXT", help="Title of the page.")
@click.option(
    "--assets/--no-assets",
    default=None,
    help="Put sounds and pictures into a folder beside the page, or into the page.  [default: a folder if they are "
    "larger than 100 MB]",
)
@click.option(
    "--audio-format",
    type=click.Choice(["mp3", "wav", "flac"]),
    default="mp3",
    show_default=True,
    help="Format of the sounds in the page.",
)
@click.option(
    "--max-duration",
    type=click.FloatRange(min=0, min_open=True),
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="Maximum duration of a sound. Of a longer recording the page has the part around the worst moment.",
)
@friendly_errors
def report(detector, recordings, output, normal, marks, title, assets, audio_format, max_duration):
    """Write a page to listen to recordings and to see why they are anomalous.

    DETECTOR is a file that `fit` wrote. RECORDINGS are files or folders. The page needs only a browser: it shows the
    least normal recordings first, plays them beside the nearest normal recordings, and marks where they sound wrong.
    Marks of a listener are exported as a table, which --labels reads. If a recording cannot be scored, the page gives
    the reason, and the command ends with exit code 1.
    """
    settings = {"audio_format": audio_format, "max_duration": max_duration, "title": title, "marks": marks}
    sys.exit(run_report(detector, recordings, output, normal, assets=assets, **settings))


def run_report(detector, recordings, output, normal=(), *, assets=None, **settings):
    """Score recordings and write the page.

    Parameters
    ----------
    detector : pathlib.Path
    recordings, normal : sequence of pathlib.Path
        Files and folders.
    output : pathlib.Path
    assets : bool or None, default=None
        None chooses by size.
    **settings : dict
        Other parameters of :func:`skaudio_ad.report.make_report`.

    Returns
    -------
    int
        Exit code: 1 if a recording could not be scored, otherwise 0.
    """
    from ..report._make_report import build_report

    table = find_table(recordings)
    if table is not None:
        raise click.UsageError(f"a report needs recordings, and {table} is a table of embeddings.")
    pipeline = load_detector(detector)
    check_writable(output)
    if find_loader(pipeline) is None:
        raise ValueError(
            f"{detector}: does not score recordings. Train a detector on recordings, not on a table."
        )
    paths = expand_recordings(recordings)
    notes = []
    if normal:
        normal_paths = expand_recordings(normal)
    else:
        normal_paths, note = find_training_recordings(read_metadata(detector).get("training"))
        notes += [note] if note else []
    made = build_report(
        pipeline,
        paths,
        output,
        normal=normal_paths or None,
        assets="auto" if assets is None else assets,
        track=track,
        notes=notes,
        **settings,
    )
    recordings_made = [clip.recording for clip in made.clips]
    failed = [recording for recording in recordings_made if recording.error]
    for recording in failed:
        say(f"Error: {recording.path}: {translate(recording.error)}", err=True)
    n_anomalous = sum(recording.decision == "anomalous" for recording in recordings_made)
    beside = "" if made.folder is None else f", sounds and pictures in {made.folder}"
    say(f"{output}: {len(paths)} recording(s), {n_anomalous} anomalous{beside}")
    for note in notes:
        say(f"Note: {note}", err=True)
    warn_of_lower_rates(pipeline, [recording.path for recording in recordings_made if not recording.error])
    if failed:
        say(f"Error: {len(failed)} of {len(paths)} recordings could not be scored, see above.", err=True)
    return 1 if failed else 0


def find_training_recordings(training):
    """Find the recordings that a detector was trained on, by the checksums of their samples.

    Parameters
    ----------
    training : dict or None
        Facts that `fit` has saved.

    Returns
    -------
    paths : list of str
        Recordings with the samples of a training recording.
    note : str
        Which recordings are missing, or "".
    """
    # A file from elsewhere may hold anything.
    training = training if isinstance(training, dict) else {}
    places = {
        path_of_cell(str(place["folder"])): bool(place.get("recursive"))
        for place in training.get("places") or ()
        if isinstance(place, dict) and "folder" in place
    }
    digests = set(map(str, training.get("digests") or ()))
    if not places or not digests:
        return [], ""
    paths: list[str] = []
    for folder, recursive in places.items():
        try:
            paths += find_audio_files(folder, recursive=recursive)
        except FileNotFoundError:  # the folder has been moved, or is empty now
            continue
    found: dict[str, str] = {}
    paths = list(dict.fromkeys(paths))
    for row in track(measure_recordings(paths, spectra=False), "checking", len(paths)):
        if not row.error and row.digest[:DIGEST_LENGTH] in digests:
            found.setdefault(row.digest[:DIGEST_LENGTH], row.path)
    missing = len(digests) - len(found)
    note = ""
    if missing:
        named = ", ".join(map(shown, list(places)[:_SHOWN])) + (
            " and other folders" if len(places) > _SHOWN else ""
        )
        note = (
            f"{missing} of {len(digests)} training recordings are no longer in {named}, or have changed. --normal "
            "names other normal recordings."
        )
    return sorted(found.values()), note
