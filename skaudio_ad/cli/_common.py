"""Functions of several commands: recordings from arguments, error messages, checks of output paths."""

import functools
import os
import warnings
from pathlib import Path

import click

from ._messages import translate
from ._terminal import ends_at_closed_pipe, say

# Types of errors that the input or the machine causes. Any other error is a fault of the program.
_INPUT_ERRORS = (ValueError, OSError, ImportError, MemoryError, EOFError)


def friendly_errors(command):
    """Turn an error of the input into one line on stderr and exit code 1. ``--debug`` keeps the traceback."""

    @functools.wraps(command)
    def wrapped(*args, **kwargs):
        context = click.get_current_context()
        # The command is bound here, because threads that warn have no context of click.
        show, warnings.showwarning = warnings.showwarning, functools.partial(warn_plainly, context.command)
        try:
            with ends_at_closed_pipe():
                return command(*args, **kwargs)
        except _INPUT_ERRORS as error:
            if context.find_root().obj["debug"]:
                raise
            raise click.ClickException(describe_error(error)) from error
        finally:
            warnings.showwarning = show

    return wrapped


def describe_error(error):
    """Describe an error in one line, with options of the command line instead of parameters of Python.

    Parameters
    ----------
    error : Exception

    Returns
    -------
    str
    """
    from ..audio import AudioReadError

    if isinstance(error, AudioReadError):
        return f"{error.path}: {translate(error.reason)}"  # the path is not translated
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        return f"{os.fsdecode(error.filename)}: {error.strerror}"
    if isinstance(error, MemoryError):
        return f"there is not enough memory. {error}".rstrip()
    return translate(error)


def warn_plainly(command, message, category, filename, lineno, file=None, line=None):
    """Print a warning as one line on stderr."""
    say(f"Warning: {translate(message, command)}", err=True)


def expand_recordings(arguments):
    """Replace every folder by the recordings in the folder.

    Parameters
    ----------
    arguments : sequence of pathlib.Path

    Returns
    -------
    list of str
        Every path once, in the given order.

    Raises
    ------
    FileNotFoundError
        If a folder holds no recording. A missing file raises no error here, because the loader reports it by name.
    """
    from ..audio import find_audio_files

    paths: list[str] = []
    for argument in arguments:
        paths += find_audio_files(argument) if argument.is_dir() else [str(argument)]
    return list(dict.fromkeys(paths))


def check_writable(path, *, folder=False):
    """Raise an error if `path` cannot be written, before hours of work and not after."""
    parent = Path(path) if folder else Path(path).parent
    if folder:
        parent.mkdir(parents=True, exist_ok=True)
    if not parent.is_dir():
        raise FileNotFoundError(f"{path}: the folder {parent} does not exist; make it first.")
    if not os.access(parent, os.W_OK):
        raise PermissionError(f"{path}: the folder {parent} may not be written to; choose another folder.")
    if not folder and Path(path).is_dir():
        raise IsADirectoryError(f"{path}: is a folder; name a file.")


def format_time(seconds):
    """Format a time in seconds with two decimals. None is an empty text."""
    return "" if seconds is None else f"{seconds:.2f}"
