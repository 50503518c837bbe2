"""``skaudio-ad weights``: find and download the weights of pretrained backbones."""

import click

from ..embeddings import AUDIOSET_LABELS, BACKBONES, find_weights, weights_path, weights_places
from ._common import friendly_errors
from ._messages import translate
from ._terminal import say


@click.group()
def weights():
    """Find and download the weights of pretrained backbones."""


@weights.command("list")
@friendly_errors
def list_weights():
    """List backbones with sizes, licences and the places of their weights."""
    say(f"{'name':<15}  {'MB':>5}  {'embedding':>9}  {'licence':<12}  where")
    for file in (*BACKBONES.values(), AUDIOSET_LABELS):
        size = getattr(file, "embedding_size", "")
        where = find_weights(file) or "not here"
        say(f"{file.name:<15}  {file.megabytes:>5.3g}  {size:>9}  {file.licence:<12}  {where}")
    say(f"Looked in {', '.join(map(str, weights_places()))}")


@weights.command("download")
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@click.option("--quiet", "-q", is_flag=True, help="Show no progress on stderr.")
@friendly_errors
def download_weights(names, quiet):
    """Download the weights of every NAME that this machine does not have yet."""
    for name in names:
        _check_name(name)
    for name in names:
        say(f"{name}: {weights_path(name, quiet=quiet)}")


@weights.command("path")
@click.argument("name")
@friendly_errors
def print_weights_path(name):
    """Print the path of the weights of NAME. The exit code is 1 if the weights are not on this machine."""
    _check_name(name)
    say(weights_path(name, download=False))


def _check_name(name):
    """Raise an error of the command line (exit code 2) for an unknown name, before any download."""
    try:
        find_weights(name)
    except ValueError as error:
        raise click.BadParameter(translate(error).replace("backbone must", "NAME must", 1)) from error
