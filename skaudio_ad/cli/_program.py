"""How the program ends: Ctrl-C, a closed pipe, an error of the command line."""

import contextlib
import signal
import sys
import threading

import click

from ._lazy_group import LazyGroup
from ._terminal import ends_at_closed_pipe, say, shown

# 128 + SIGINT, as a shell shows it for a program that Ctrl-C has ended.
INTERRUPTED = 130


class Program(LazyGroup):
    """The group of all commands; it ends as programs of a shell do."""

    def main(self, args=None, prog_name=None, complete_var=None, standalone_mode=True, **extra):
        """Run the command line and exit; without `standalone_mode`, return or raise as click does."""
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
            # Arguments may be file names that a shell has put in the place of a *.
            vars(error)["message"] = shown(error.message)
            error.show()
            return error.exit_code


def _die_at_next_interrupt():
    """Threads may still finish a recording; who presses Ctrl-C again does not want to wait for them."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.SIG_DFL)
