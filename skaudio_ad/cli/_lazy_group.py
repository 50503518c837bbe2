"""A group of commands that imports the module of a command only when the command is needed."""

from importlib import import_module

import click
from click.shell_completion import CompletionItem


class LazyGroup(click.Group):
    """Group whose list of commands costs no import.

    The module of a command is imported when the command runs or its help is asked for, because the module imports
    scikit-learn and takes seconds to load.

    Parameters
    ----------
    *args, **settings
        Passed to ``click.Group``.
    lazy_commands : dict of str to str
        Short help of every command, by name. The command ``fit`` is the object ``fit`` of the module ``_fit`` of this
        package.
    """

    def __init__(self, *args, lazy_commands, **settings):
        super().__init__(*args, **settings)
        self.lazy_commands = lazy_commands

    def list_commands(self, ctx):
        """Names of the commands, sorted."""
        return sorted(self.lazy_commands)

    def get_command(self, ctx, cmd_name):
        """Import a command; None for an unknown name."""
        if cmd_name not in self.lazy_commands:
            return None
        return getattr(import_module(f"{__package__}._{cmd_name}"), cmd_name)

    def format_commands(self, ctx, formatter):
        """Write the list of commands into the help of the group."""
        with formatter.section("Commands"):
            formatter.write_dl(sorted(self.lazy_commands.items()))

    def shell_complete(self, ctx, incomplete):
        """Complete the name of a command or of an option of the group."""
        names = [name for name in self.list_commands(ctx) if name.startswith(incomplete)]
        commands = [CompletionItem(name, help=self.lazy_commands[name]) for name in names]
        return [*commands, *click.Command.shell_complete(self, ctx, incomplete)]
