"""``skaudio-ad weights``."""

import click

from ..embeddings import AUDIOSET_LABELS, BACKBONES, find_weights, weights_path, weights_places
from ._messages import translate
from ._terminal import say


def run_list():
    """Print a table of what the store knows and where on this machine it is."""
    say(f"{'name':<15}  {'MB':>5}  {'embedding':>9}  {'licence':<10}  where")
    for file in (*BACKBONES.values(), AUDIOSET_LABELS):
        size = getattr(file, "embedding_size", "")
        where = find_weights(file) or "not here"
        say(f"{file.name:<15}  {file.megabytes:>5.3g}  {size:>9}  {file.licence:<10}  {where}")
    say(f"Looked in {', '.join(map(str, weights_places()))}")


def run_download(names, *, quiet):
    """Download files that are not here yet, and print where each is.

    Parameters
    ----------
    names : sequence of str
    quiet : bool
    """
    for name in names:
        _check_name(name)
    for name in names:
        say(f"{name}: {weights_path(name, quiet=quiet)}")


def run_path(name):
    """Print where a file is, without downloading it.

    Parameters
    ----------
    name : str
    """
    _check_name(name)
    say(weights_path(name, download=False))


def _check_name(name):
    """Raise what click makes exit code 2 of, before anything is downloaded."""
    try:
        find_weights(name)
    except ValueError as error:
        raise click.BadParameter(translate(error).replace("backbone must", "NAME must", 1)) from error
