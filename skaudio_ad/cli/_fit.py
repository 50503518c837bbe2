"""``skaudio-ad fit``: train a detector on recordings of normal sounds."""

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
    help="File to write the detector to.",
)
@click.option(
    "--preset",
    type=click.Choice(list(PRESETS)),
    default="autoencoder",
    show_default=True,
    help="Detector to train.",
)
@click.option(
    "--duration",
    type=click.FloatRange(min=0, min_open=True),
    metavar="SECONDS",
    help="Duration of every recording that is used.  [default: as the preset]",
)
@click.option(
    "--level",
    type=click.Choice(["rms", "peak", "none"]),
    default="rms",
    show_default=True,
    help="Normalise recordings to one level, so that the gain of the recorder does not matter. 'none' keeps the "
    "loudness.",
)
@click.option(
    "--max-epochs", type=click.IntRange(min=1), help="Maximum number of epochs.  [default: as the preset]"
)
@click.option(
    "--held-out",
    type=click.FloatRange(min=0, max=1, max_open=True),
    metavar="FRACTION",
    help="Fraction of the recordings that is held out from training and sets the threshold.  [default: as the preset]",
)
@click.option(
    "--seed",
    type=int,
    default=0,
    show_default=True,
    help="Seed of the training. The same seed gives the same detector.",
)
@click.option(
    "--on-error",
    type=click.Choice(["raise", "skip"]),
    default="raise",
    show_default=True,
    help="Stop at a recording that cannot be read, or train without the recording.",
)
@click.option(
    "--groups-from",
    metavar="folder|REGEX",
    help="Hold out whole groups of recordings, such as all recordings of one machine or patient. A group is a folder, "
    "or all files whose names have the same text in the parentheses of a regular expression, as in '^(id_[0-9]+)_'.",
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
        Groups of recordings that are held out together to set the threshold (:func:`read_groups`). None makes every
        recording its own group.
    **settings : dict
        Parameters of :func:`make_preset`. None keeps the value of the preset.
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
    """Fit a pipeline and show the epochs on a progress bar.

    Parameters
    ----------
    pipeline : sklearn.pipeline.Pipeline
    X : list of str
    groups : list of str or None, default=None
        Groups of the recordings. The last step holds out whole groups.

    Returns
    -------
    sklearn.pipeline.Pipeline
        `pipeline`, fitted.
    """
    parameters = {} if groups is None else {f"{pipeline.steps[-1][0]}__groups": groups}
    with progress_bar("training") as advance, warnings.catch_warnings():
        # scikit-learn warns that the steps before the detector do not support callbacks. These steps have no epochs.
        warnings.filterwarnings("ignore", message="The estimator .* does not support callbacks")
        pipeline.set_callbacks(_EpochBar(advance))
        try:
            return pipeline.fit(X, **parameters)
        finally:
            pipeline.set_callbacks()


class _EpochBar:
    """Callback of scikit-learn that counts every epoch on a progress bar."""

    # None: scikit-learn passes the callback to estimators at any depth.
    max_propagation_depth = None

    def __init__(self, advance):
        self.advance = advance

    def setup(self, estimator, context):
        """Do nothing, because there is nothing to open."""

    def teardown(self, estimator, context):
        """Do nothing, because there is nothing to close."""

    def on_fit_task_begin(self, estimator, context):
        """Do nothing, because an epoch is counted at its end."""

    def on_fit_task_end(self, estimator, context):
        """Count an epoch."""
        if context.task_name == "epoch":
            self.advance(context.parent.max_subtasks)


def describe_fit(pipeline):
    """Describe a fitted preset in one line."""
    detector = pipeline.steps[-1][1]
    held_out = len(detector.held_out_indices_)
    return (
        f"trained on {detector.n_samples_fit_} recordings ({held_out} of them held out to set the threshold), "
        f"{detector.n_iter_} epochs, threshold {detector.offset_:.6g}"
    )
