"""What the commands share: recordings from arguments, errors for a shell, tables, progress."""

import functools
import os
import sys
from pathlib import Path

import click

from ..audio import find_audio_files


def friendly_errors(command):
    """Turn an error about input into one line on stderr and exit code 1; ``--debug`` keeps the traceback."""

    @functools.wraps(command)
    def wrapped(*args, **kwargs):
        try:
            return command(*args, **kwargs)
        except (ValueError, OSError) as error:
            if click.get_current_context().find_root().obj["debug"]:
                raise
            raise click.ClickException(str(error)) from error

    return wrapped


def warn_plainly(message, category, filename, lineno, file=None, line=None):
    """A warning as a shell user expects it: one line on stderr."""
    click.echo(f"Warning: {message}", err=True)


def expand_recordings(arguments):
    """Files as they are, folders as the recordings in them.

    Parameters
    ----------
    arguments : sequence of pathlib.Path

    Returns
    -------
    list of str
        Each path once, in the order given.

    Raises
    ------
    FileNotFoundError
        If a folder holds no recording. A missing file is left for the loader, which reports it by name.
    """
    paths: list[str] = []
    for argument in arguments:
        paths += find_audio_files(argument) if argument.is_dir() else [str(argument)]
    return list(dict.fromkeys(paths))


def check_writable(path, *, folder=False):
    """Raise before hours of work rather than after, if `path` cannot be written."""
    parent = Path(path) if folder else Path(path).parent
    if folder:
        parent.mkdir(parents=True, exist_ok=True)
    if not parent.is_dir():
        raise FileNotFoundError(f"{path}: the folder {parent} does not exist; make it first.")
    if not os.access(parent, os.W_OK):
        raise PermissionError(f"{path}: the folder {parent} may not be written to.")
    if not folder and Path(path).is_dir():
        raise IsADirectoryError(f"{path}: is a folder; name a file.")


def console():
    """A rich console on stdout."""
    from rich.console import Console

    return Console(highlight=False)


def track(iterable, description, total):
    """Iterate with a progress bar on stderr, where that is a terminal."""
    from rich.console import Console
    from rich.progress import track as rich_track

    return rich_track(
        iterable, description, total, console=Console(stderr=True), disable=not sys.stderr.isatty()
    )


def format_time(seconds):
    """A moment in a recording, or nothing."""
    return "" if seconds is None else f"{seconds:.2f}"
