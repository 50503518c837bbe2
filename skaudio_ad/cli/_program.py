"""End the program after Ctrl-C, a closed pipe or an error of the command line."""

import contextlib
import signal
import sys
import threading

import click

from ._lazy_group import LazyGroup
from ._terminal import ends_at_closed_pipe, say, shown

# Exit code after Ctrl-C: 128 + SIGINT, as in a shell.
INTERRUPTED = 130


class Program(LazyGroup):
    """The group of all commands. It returns the exit codes of a shell."""

    def main(self, args=None, prog_name=None, complete_var=None, standalone_mode=True, **extra):
        """Run the command line and exit. Without `standalone_mode`, return or raise as click does."""
        if not standalone_mode:
            return super().main(args, prog_name, complete_var, standalone_mode=False, **extra)
        sys.exit(self._exit_code(args, prog_name, complete_var, extra))

    def _exit_code(self, args, prog_name, complete_var, extra):
        try:
            code = super().main(args, prog_name, complete_var, standalone_mode=False, **extra)
            with ends_at_closed_pipe():
                sys.stdout.flush()
            return code
        except click.Abort:
            _die_at_next_interrupt()
            with contextlib.suppress(click.exceptions.Exit):
                say("Interrupted.", err=True)
            return INTERRUPTED
        except click.exceptions.Exit as error:
            return error.exit_code
        except click.ClickException as error:
            # The message is escaped, because an argument may be a hostile file name that the shell inserted for a *.
            vars(error)["message"] = shown(error.message)
            error.show()
            return error.exit_code


def _die_at_next_interrupt():
    """End at once at the second Ctrl-C, without waiting for threads that still score a recording."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.SIG_DFL)
