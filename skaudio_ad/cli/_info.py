"""``skaudio-ad info``: describe a detector or this installation."""

import os

import click

from .._versions import show_versions
from ..persistence import load_detector
from ..presets import PRESETS
from ._common import friendly_errors
from ._options import FILE
from ._terminal import say

_FOLDERS = {"SKAUDIO_AD_DATA": "data sets", "SKAUDIO_AD_WEIGHTS": "weights"}


@click.command()
@click.argument("detector", type=FILE, required=False)
@friendly_errors
def info(detector):
    """Describe a detector, or this installation.

    DETECTOR is a file that `fit` wrote. Without DETECTOR the command prints the versions, presets and folders of this
    installation.
    """
    if detector is None:
        describe_installation()
    else:
        describe_detector(detector)


def describe_installation():
    """Print versions, presets and folders."""
    show_versions()
    say("Presets (fit --preset):")
    for name, text in PRESETS.items():
        say(f"  {name:<14} {text}")
    say("Folders (environment variables):")
    for variable, purpose in _FOLDERS.items():
        say(f"  {variable:<18} {purpose}: {os.environ.get(variable, 'not set')}")


def describe_detector(path):
    """Print the steps of a saved pipeline, their parameters and the results of training."""
    pipeline = load_detector(path)
    say(f"{path}:")
    for name, step in getattr(pipeline, "steps", [("detector", pipeline)]):
        say(f"  {name}: {type(step).__name__}")
        for parameter, value in sorted(step.get_params(deep=False).items()):
            say(f"    {parameter} = {value!r}")
    detector = getattr(pipeline, "steps", [("", pipeline)])[-1][1]
    for attribute in ("offset_", "n_iter_", "best_epoch_", "stopped_by_", "n_features_in_"):
        if hasattr(detector, attribute):
            say(f"  {attribute} = {getattr(detector, attribute)!r}")
