"""Print safe lines to the terminal, above a progress bar if there is one."""

import contextlib
import os
import stat
import sys

import click

from .._clip_errors import shown

# Exit code after writing to a pipe that no program reads any more: 128 + SIGPIPE, as for cat and grep.
CLOSED_PIPE = 141

# Consoles of the progress bars on the screen. The last one is the innermost.
_consoles: list = []


def say(text="", *, err=False):
    """Write one line to stdout or stderr. If a progress bar is on the screen, the line appears above the bar.

    Parameters
    ----------
    text : object
        Object with a text form. :func:`shown` escapes unsafe characters.
    err : bool, default=False
        Whether the line is a message for stderr. Results go to stdout.

    Raises
    ------
    click.exceptions.Exit
        If no program reads the stream any more, as in ``skaudio-ad score ... | head``. The exit code is 141.
    """
    stream = sys.stderr if err else sys.stdout
    with ends_at_closed_pipe():
        if _consoles and _is_terminal(stream):
            from rich.text import Text

            _consoles[-1].print(Text(shown(text)), soft_wrap=True)
        else:
            click.echo(shown(text), err=err)


@contextlib.contextmanager
def ends_at_closed_pipe():
    """End the program without a message if a pipe is closed."""
    try:
        yield
    except BrokenPipeError as error:
        # The streams are redirected, because flushing their buffers at the end of Python would raise the error again.
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(BrokenPipeError):
                stream.flush()
                continue
            with contextlib.suppress(OSError, ValueError):
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, stream.fileno())
                os.close(nowhere)
        raise click.exceptions.Exit(CLOSED_PIPE) from error


@contextlib.contextmanager
def progress_bar(description, total=None):
    """Show a progress bar on stderr during the block, if stderr is a terminal and stdout is not a pipe.

    With a pipe there is no bar, because the program that reads the pipe often writes to the same terminal and would
    overwrite the bar.

    Parameters
    ----------
    description : str
    total : int or None, default=None
        Number of steps. None means that the number is not known yet.

    Yields
    ------
    callable
        ``advance(total=None)`` counts one more step. Set `total` once the number of steps is known.
    """
    if not _is_terminal(sys.stderr) or _is_pipe(sys.stdout):
        yield lambda total=None: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    # rich must not redirect the streams, because lines of other code would reach the terminal unescaped. `say` prints
    # above the bar without the redirection.
    bar = Progress(
        *columns,
        console=Console(stderr=True, highlight=False),
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
    )
    with bar:
        task = bar.add_task(description, total=total)

        def advance(total=None):
            bar.update(task, advance=1, **({} if total is None else {"total": total}))

        _consoles.append(bar.console)
        try:
            yield advance
        finally:
            _consoles.pop()


def track(iterable, description, total):
    """Iterate with a :func:`progress_bar`. A generator is closed when the loop ends, also after an error."""
    with contextlib.ExitStack() as stack:
        if hasattr(iterable, "close"):
            stack.callback(iterable.close)
        advance = stack.enter_context(progress_bar(description, total))
        for item in iterable:
            yield item
            advance()


def _is_terminal(stream):
    return bool(getattr(stream, "isatty", lambda: False)())


def _is_pipe(stream):
    try:
        return stat.S_ISFIFO(os.fstat(stream.fileno()).st_mode)
    except (AttributeError, OSError, ValueError):  # the stream has no file descriptor
        return False
