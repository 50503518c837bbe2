"""``skaudio-ad fit``."""

import time
import warnings

import click

from .._base import ENOUGH_HELD_OUT
from ..persistence import save_detector
from ..presets import PRESETS, make_preset
from ._common import check_writable, expand_recordings, friendly_errors
from ._groups import read_groups
from ._options import FILE, recordings_argument
from ._terminal import progress_bar, say


@click.command()
@recordings_argument
@click.option(
    "--output",
    "-o",
    type=FILE,
    required=True,
    metavar="FILE.skops",
    help="Where to write the detector.",
)
@click.option(
    "--preset",
    type=click.Choice(list(PRESETS)),
    default="autoencoder",
    show_default=True,
    help="The system to train.",
)
@click.option(
    "--duration",
    type=click.FloatRange(min=0, min_open=True),
    metavar="SECONDS",
    help="Use this much of every recording.  [default: as the preset]",
)
@click.option(
    "--level",
    type=click.Choice(["rms", "peak", "none"]),
    default="rms",
    show_default=True,
    help="Bring recordings to one level first, so that a recorder's gain does not count; 'none' keeps loudness.",
)
@click.option(
    "--max-epochs", type=click.IntRange(min=1), help="Most passes over the data.  [default: as the preset]"
)
@click.option(
    "--held-out",
    type=click.FloatRange(min=0, max=1, max_open=True),
    metavar="FRACTION",
    help="Part of the recordings that is not trained on but sets the threshold.  [default: as the preset]",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Same seed, same detector.")
@click.option(
    "--on-error",
    type=click.Choice(["raise", "skip"]),
    default="raise",
    show_default=True,
    help="Stop at a recording that cannot be read, or train without it.",
)
@click.option(
    "--groups-from",
    metavar="folder|REGEX",
    help="Hold out together what belongs together, such as the recordings of one machine or patient: those of one "
    "folder, or those in whose file names the parentheses of a regular expression, as in '^(id_[0-9]+)_', match the "
    "same text.",
)
@friendly_errors
def fit(recordings, output, preset, duration, level, max_epochs, held_out, seed, on_error, groups_from):
    """Train a detector on recordings of normal sounds.

    RECORDINGS are files or folders. Every sound in them must be normal.
    """
    run_fit(
        recordings,
        output,
        preset,
        groups_from=groups_from,
        max_epochs=max_epochs,
        validation_fraction=held_out,
        duration=duration,
        level=None if level == "none" else level,
        on_error=on_error,
        random_state=seed,
    )


def run_fit(recordings, output, preset, *, groups_from=None, **settings):
    """Train a preset on recordings and save it.

    Parameters
    ----------
    recordings : sequence of pathlib.Path
        Files and folders.
    output : pathlib.Path
    preset : str
    groups_from : str or None, default=None
        Which recordings leave together when the threshold is set (:func:`read_groups`); None is each alone.
    **settings : dict
        For :func:`make_preset`; None is the preset's own.
    """
    if output.suffix != ".skops":
        raise click.BadParameter(f"{output} must end in .skops.", param_hint="--output")
    check_writable(output)
    paths = expand_recordings(recordings)
    groups = None if groups_from is None else read_groups(groups_from, paths)
    pipeline = make_preset(preset, **{name: value for name, value in settings.items() if value is not None})
    start = time.perf_counter()
    fit_with_progress(pipeline, paths, groups)
    seconds = time.perf_counter() - start
    save_detector(pipeline, output)
    say(f"{output}: {describe_fit(pipeline)}, {seconds:.1f} s")
    if groups is not None:
        say(f"Note: {len(paths)} recordings in {len(set(groups))} groups.", err=True)
    held_out = len(pipeline.steps[-1][1].held_out_indices_)
    if held_out < ENOUGH_HELD_OUT:
        say(
            f"Note: a threshold from {held_out} held-out recording(s) is rough; {ENOUGH_HELD_OUT} or more promise at "
            "most one false alarm in twenty. Give more recordings, or a larger --held-out. Scores are not affected.",
            err=True,
        )


def fit_with_progress(pipeline, X, groups=None):
    """Fit, and show the epochs on a bar where that disturbs nothing.

    Parameters
    ----------
    pipeline : sklearn.pipeline.Pipeline
    X : list of str
    groups : list of str or None, default=None
        Of the recordings; for the last step, which holds out whole groups.

    Returns
    -------
    sklearn.pipeline.Pipeline
        `pipeline`, fitted.
    """
    parameters = {} if groups is None else {f"{pipeline.steps[-1][0]}__groups": groups}
    with progress_bar("training") as advance, warnings.catch_warnings():
        # The steps before the detector have no epochs to report.
        warnings.filterwarnings("ignore", message="The estimator .* does not support callbacks")
        pipeline.set_callbacks(_EpochBar(advance))
        try:
            return pipeline.fit(X, **parameters)
        finally:
            pipeline.set_callbacks()


class _EpochBar:
    """A callback of scikit-learn that notes every epoch on a bar."""

    # scikit-learn hands it down to whatever trains in epochs, however deep that sits.
    max_propagation_depth = None

    def __init__(self, advance):
        self.advance = advance

    def setup(self, estimator, context):
        """There is nothing to open."""

    def teardown(self, estimator, context):
        """There is nothing to close."""

    def on_fit_task_begin(self, estimator, context):
        """An epoch counts when it has ended."""

    def on_fit_task_end(self, estimator, context):
        """Note an epoch."""
        if context.task_name == "epoch":
            self.advance(context.parent.max_subtasks)


def describe_fit(pipeline):
    """One line about a fitted preset."""
    detector = pipeline.steps[-1][1]
    held_out = len(detector.held_out_indices_)
    return (
        f"trained on {detector.n_samples_fit_} recordings ({held_out} of them held out to set the threshold), "
        f"{detector.n_iter_} epochs, threshold {detector.offset_:.6g}"
    )
