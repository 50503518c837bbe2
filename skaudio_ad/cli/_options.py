"""Arguments and types of options that several commands have."""

from pathlib import Path

import click

FILE = click.Path(dir_okay=False, path_type=Path)
FOLDER = click.Path(file_okay=False, path_type=Path)
recordings_argument = click.argument("recordings", nargs=-1, required=True, type=click.Path(path_type=Path))
