"""Arguments and types of options that several commands have."""

from pathlib import Path

import click

FILE = click.Path(dir_okay=False, path_type=Path)
FOLDER = click.Path(file_okay=False, path_type=Path)
recordings_argument = click.argument("recordings", nargs=-1, required=True, type=click.Path(path_type=Path))
memory_option = click.option(
    "--memory",
    type=click.Path(file_okay=False),
    metavar="FOLDER",
    help="Folder that caches the embedding of every recording, so that an interrupted run can continue.",
)


def _check_jobs(context, parameter, value):
    if value == 0:
        raise click.BadParameter("must not be 0: 1 is one process, -1 is one process for every core.")
    return value


jobs_option = click.option(
    "--jobs",
    "n_jobs",
    type=int,
    callback=_check_jobs,
    metavar="N",
    help="Number of processes that embed. -1 uses all cores.  [default: 1]",
)
