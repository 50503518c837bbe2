"""What goes to the terminal: lines that are safe to show, and progress bars that lines are printed above."""

import contextlib
import os
import stat
import sys

import click

from .._clip_errors import shown

# Exit code of a program that writes to a pipe that nobody reads any more: 128 + SIGPIPE, as for cat and grep.
CLOSED_PIPE = 141

# Consoles of the bars that are on the screen, the innermost last.
_consoles: list = []


def say(text="", *, err=False):
    """Write one line to stdout or stderr; where a bar is on the screen, above the bar.

    Parameters
    ----------
    text : object
        Passes :func:`shown`.
    err : bool, default=False
        Whether the line is a message, for stderr, and no result.

    Raises
    ------
    click.exceptions.Exit
        With the code 141 if nobody reads the stream any more, as in ``skaudio-ad score ... | head``.
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
    """Turn the error of a closed pipe into the end of the program, without a word."""
    try:
        yield
    except BrokenPipeError as error:
        # What is still in the buffers would be an error once more, when Python flushes them at its end.
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
    """Show a bar on stderr during the block, where that disturbs nothing.

    There is a bar if stderr is a terminal, unless stdout is a pipe: what reads the pipe often writes to the same
    terminal and would write over the bar.

    Parameters
    ----------
    description : str
    total : int or None, default=None
        Number of steps; None is not known yet.

    Yields
    ------
    callable
        ``advance(total=None)`` notes one more step, and the number of all steps where it is known by now.
    """
    if not _is_terminal(sys.stderr) or _is_pipe(sys.stdout):
        yield lambda total=None: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    # `say` knows of the bar. Lines of others would pass unescaped if rich redirected the streams.
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
    """Iterate with a :func:`progress_bar`, and close a generator at the end of the loop, however it ends."""
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
    except (AttributeError, OSError, ValueError):  # no file of the system
        return False
