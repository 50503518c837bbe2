"""``skaudio-ad calibrate``: choose the level of an alarm, and state the rate of false events."""

import sys

import click

from ..monitoring import calibrate_alarms
from ..persistence import load_detector, read_metadata
from ._common import check_writable, expand_recordings, friendly_errors
from ._options import FILE, recordings_argument
from ._score import warn_of_lower_rates
from ._terminal import progress_bar, say

_SECONDS = click.FloatRange(min=0, min_open=True)
_FROM_ZERO = click.FloatRange(min=0)


@click.command()
@click.argument("detector", type=FILE)
@recordings_argument
@click.option(
    "-o",
    "--output",
    type=FILE,
    required=True,
    metavar="ALARM.json",
    help="File for the levels. Give it to `watch`.",
)
@click.option(
    "--events-per-day",
    type=_SECONDS,
    default=1.0,
    show_default=True,
    metavar="NUMBER",
    help="Maximum number of false events per day.",
)
@click.option(
    "--confidence",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.95,
    show_default=True,
    help="Probability that the stated number of events per day holds.",
)
@click.option(
    "--window", type=_SECONDS, metavar="SECONDS", help="Duration of a window.  [default: as in the training]"
)
@click.option(
    "--hop",
    type=_SECONDS,
    metavar="SECONDS",
    help="Time between the starts of two windows.  [default: half a window]",
)
@click.option(
    "--n-raise",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    metavar="N",
    help="Number of windows in a row that raise an alarm.",
)
@click.option(
    "--min-duration",
    type=_FROM_ZERO,
    default=0.0,
    show_default=True,
    metavar="SECONDS",
    help="Minimum duration of an event.",
)
@click.option(
    "--max-duration",
    type=_SECONDS,
    default=600.0,
    show_default=True,
    metavar="SECONDS",
    help="Maximum duration of an event. The next event begins after a normal window.",
)
@click.option(
    "--refractory",
    type=_FROM_ZERO,
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="Time after an event in which no other event is raised.",
)
@click.option(
    "--extrapolate",
    is_flag=True,
    help="If there are too few hours, extrapolate the level. Nothing is promised then.",
)
@friendly_errors
def calibrate(
    detector, recordings, output, events_per_day, confidence, window, hop, extrapolate, **shape
):  # the other options are the parameters of an AlarmPolicy
    """Choose the level of an alarm, and state the rate of false events.

    RECORDINGS are files or folders of normal sound, hours of it, that DETECTOR was not trained on. The command replays
    them window by window and counts the events at every level. The level is the highest one at which normal sound
    raises at most --events-per-day events with the given confidence. With too few hours, the level is the highest one
    without an event, and the command says what these hours support and how many hours the wish takes.
    """
    sys.exit(
        run_calibrate(
            detector,
            recordings,
            output,
            events_per_day=events_per_day,
            confidence=confidence,
            window=window,
            hop=hop,
            shape=shape,
            extrapolate=extrapolate,
        )
    )


def run_calibrate(detector, recordings, output, **options):
    """Calibrate the alarms of a detector, write the file and print the statement.

    Parameters
    ----------
    detector : pathlib.Path
        File of the detector.
    recordings : sequence of pathlib.Path
        Files and folders.
    output : pathlib.Path
        File for the calibration.
    **options
        Parameters of :func:`calibrate_alarms`.

    Returns
    -------
    int
        Exit code: 0.
    """
    pipeline = load_detector(detector)
    training = read_metadata(detector).get("training")
    digests = training.get("digests") if isinstance(training, dict) else None  # a file from elsewhere
    check_writable(output)
    paths = expand_recordings(recordings)
    with progress_bar("calibrating", len(paths)) as advance:
        found = calibrate_alarms(
            pipeline, paths, training_digests=digests or (), progress=lambda path: advance(), **options
        )
    warn_of_lower_rates(pipeline, paths)
    found.save(output)
    say(found.statement)
    levels = f"raise below {found.policy.raise_level:.4g}, clear from {found.policy.clear_level:.4g}"
    say(f"{output}: {levels}; windows of {found.window:g} s every {found.hop:g} s")
    if not digests:
        say(
            f"Note: {detector} does not say which recordings it was trained on, so nobody has checked that it was not "
            "trained on these.",
            err=True,
        )
    return 0
