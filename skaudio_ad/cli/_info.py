"""``skaudio-ad info``: describe a detector or this installation."""

import os
import re

import click

from .._versions import show_versions
from ..persistence import load_detector, read_metadata
from ..presets import HEADS, PRESETS
from ..recordings._unwrap import last_step
from ._common import friendly_errors
from ._options import FILE
from ._terminal import say

_FOLDERS = {"SKAUDIO_AD_DATA": "data sets", "SKAUDIO_AD_WEIGHTS": "weights"}
# Libraries whose versions a description of a detector names.
_VERSIONS = ("skaudio_ad", "python", "scikit-learn", "torch", "numpy")


@click.command()
@click.argument("detector", type=FILE, required=False)
@friendly_errors
def info(detector):
    """Describe a detector, or this installation.

    DETECTOR is a file that `fit` wrote. The command prints the date and versions, the training set, the threshold with
    its promise, and the steps with their parameters. Without DETECTOR the command prints the versions, presets and
    folders of this installation.
    """
    if detector is None:
        describe_installation()
    else:
        describe_detector(detector)


def describe_installation():
    """Print versions, heads, presets and folders."""
    show_versions()
    for title, texts in (("Heads (fit --head)", HEADS), ("Presets (fit --preset)", PRESETS)):
        say(f"{title}:")
        width = max(map(len, texts))
        for name, text in texts.items():
            say(f"  {name:<{width}} {text}")
    say("Folders (environment variables):")
    for variable, purpose in _FOLDERS.items():
        say(f"  {variable:<18} {purpose}: {os.environ.get(variable, 'not set')}")


def describe_detector(path):
    """Print the metadata, the steps of a saved pipeline, their parameters and the results of training."""
    pipeline = load_detector(path)
    say(f"{path}:")
    for line in _describe_metadata(read_metadata(path)):
        say(f"  {line}")
    for name, step in getattr(pipeline, "steps", [("detector", pipeline)]):
        say(f"  {name}: {type(step).__name__}")
        for parameter, value in sorted(step.get_params(deep=False).items()):
            text = re.sub(r"\n\s*", " ", repr(value))  # scikit-learn breaks the text of a pipeline into lines
            say(f"    {parameter} = {text}")
    detector = last_step(pipeline)
    for attribute in ("offset_", "n_iter_", "best_epoch_", "stopped_by_", "n_features_in_"):
        if hasattr(detector, attribute):
            say(f"  {attribute} = {getattr(detector, attribute)!r}")


def _describe_metadata(metadata):
    """Yield lines about the date, the versions, the training set, the promise and the backbone."""
    if "date" in metadata:
        versions = metadata.get("versions", {})
        named = ", ".join(f"{name} {versions[name]}" for name in _VERSIONS if name in versions)
        yield f"saved: {metadata['date']} ({named})"
    training = metadata.get("training") or {}
    if training:
        parts = [f"{training.get('n_recordings')} recording(s)"]
        if training.get("minutes") is not None:
            parts.append(f"{training['minutes']:.1f} minutes")
        parts += [f"{n} at {rate} Hz" for rate, n in training.get("sample_rates", {}).items()]
        if training.get("window"):
            hop = training.get("hop", training["window"])
            parts.append(
                f"{training.get('n_segments')} segments of {training['window']:g} s, every {hop:g} s"
            )
        if training.get("n_groups"):
            parts.append(f"{training['n_groups']} groups")
        yield f"trained on: {', '.join(parts)}, in {training.get('seconds', 0):.1f} s"
        yield f"system: {training.get('system')}"
        machines = training.get("machines") or {}
        if machines:
            named = ", ".join(f"{machine} ({n} recordings)" for machine, n in machines.items())
            yield f"machines: {named}"
    promise = metadata.get("promise") or {}
    if promise:
        reason = f" {promise['reason']}" if promise.get("reason") else ""
        yield f"promise: {promise.get('text')}.{reason}"
    embedding = metadata.get("embedding") or {}
    if embedding:
        names = embedding.get("names") or [""]
        settings = ", ".join(f"{name} {value}" for name, value in embedding.get("settings", {}).items())
        yield f"embedding: {len(names)} values ({names[0]} to {names[-1]}); {settings or 'settings unknown'}"
        yield f"weights: sha256 {embedding.get('weights_sha256') or 'unknown'}"
