"""``skaudio-ad fit``."""

import sys
import time
import warnings

import click

from ..persistence import save_detector
from ..presets import make_preset
from ._common import check_writable, expand_recordings


def run_fit(recordings, output, preset, *, max_epochs, **settings):
    """Train a preset on recordings and save it.

    Parameters
    ----------
    recordings : sequence of pathlib.Path
        Files and folders.
    output : pathlib.Path
    preset : str
    max_epochs : int or None
    **settings : dict
        For :func:`make_preset`.
    """
    if output.suffix != ".skops":
        raise click.BadParameter(f"{output} must end in .skops.", param_hint="--output")
    check_writable(output)
    paths = expand_recordings(recordings)
    epochs = {} if max_epochs is None else {"max_epochs": max_epochs}
    pipeline = make_preset(preset, **settings, **epochs)
    start = time.perf_counter()
    fit_with_progress(pipeline, paths)
    seconds = time.perf_counter() - start
    save_detector(pipeline, output)
    click.echo(f"{output}: {describe_fit(pipeline)}, {seconds:.1f} s")


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
