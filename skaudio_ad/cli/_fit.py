"""``skaudio-ad fit``."""

import sys
import time
import warnings

import click

from .._base import ENOUGH_HELD_OUT
from ..persistence import save_detector
from ..presets import make_preset
from ._common import check_writable, expand_recordings


def run_fit(recordings, output, preset, **settings):
    """Train a preset on recordings and save it.

    Parameters
    ----------
    recordings : sequence of pathlib.Path
        Files and folders.
    output : pathlib.Path
    preset : str
    **settings : dict
        For :func:`make_preset`; None is the preset's own.
    """
    if output.suffix != ".skops":
        raise click.BadParameter(f"{output} must end in .skops.", param_hint="--output")
    check_writable(output)
    paths = expand_recordings(recordings)
    pipeline = make_preset(preset, **{name: value for name, value in settings.items() if value is not None})
    start = time.perf_counter()
    fit_with_progress(pipeline, paths)
    seconds = time.perf_counter() - start
    save_detector(pipeline, output)
    click.echo(f"{output}: {describe_fit(pipeline)}, {seconds:.1f} s")
    held_out = len(pipeline.steps[-1][1].held_out_indices_)
    if held_out < ENOUGH_HELD_OUT:
        click.echo(
            f"Note: a threshold from {held_out} held-out recording(s) is rough; {ENOUGH_HELD_OUT} or more promise at "
            "most one false alarm in twenty. Give more recordings, or a larger --held-out. Scores are not affected.",
            err=True,
        )


def fit_with_progress(pipeline, X):
    """Fit, with a progress bar where stdout is a terminal."""
    if not sys.stdout.isatty():
        return pipeline.fit(X)
    from sklearn.callback import ProgressBar

    pipeline.set_callbacks(ProgressBar(max_propagation_depth=None))
    try:
        with warnings.catch_warnings():
            # The steps before the detector have no epochs to report.
            warnings.filterwarnings("ignore", message="The estimator .* does not support callbacks")
            return pipeline.fit(X)
    finally:
        pipeline.set_callbacks()


def describe_fit(pipeline):
    """One line about a fitted preset."""
    detector = pipeline.steps[-1][1]
    held_out = len(detector.held_out_indices_)
    return (
        f"trained on {detector.n_samples_fit_} recordings ({held_out} of them held out to set the threshold), "
        f"{detector.n_iter_} epochs, threshold {detector.offset_:.6g}"
    )
