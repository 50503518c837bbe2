"""``skaudio-ad weights``: find and download the weights of pretrained backbones."""

import csv
import json

import click

from .._atomic import atomic_path
from .._csv_text import text_cell, utf8_name
from ..embeddings import (
    AUDIOSET_LABELS,
    ListedBackbone,
    find_weights,
    list_backbones,
    weights_path,
    weights_places,
)
from ..embeddings.families import FAMILIES
from ._common import check_writable, friendly_errors
from ._messages import translate
from ._options import FILE
from ._terminal import say


@click.group()
def weights():
    """Find and download the weights of pretrained backbones."""


@weights.command("list")
@click.option(
    "--family",
    type=click.Choice([family.name for family in FAMILIES]),
    help="List the backbones of one family.",
)
@click.option("--here", is_flag=True, help="List only backbones whose weights are on this machine.")
@click.option("--csv", "csv_path", type=FILE, metavar="FILE.csv", help="File for the table as CSV.")
@click.option("--json", "json_path", type=FILE, metavar="FILE.json", help="File for the table as JSON.")
@friendly_errors
def list_weights(family, here, csv_path, json_path):
    """List backbones with sizes, published figures, licences and the places of their weights.

    "GMAC" is the number of multiply-accumulates for 10 s of sound, in thousands of millions. "time" is the measured
    time of a processor, where mn10 is 1. "values" is the length of an embedding. "mAP" is the published precision on
    AudioSet. RMIS and SIREN are two publications of scores of frozen networks on DCASE Task 2, in percent. --csv and
    --json also have the addresses of the files.
    """
    for path in (csv_path, json_path):
        if path is not None:
            check_writable(path)
    table = list_backbones(family=family, here=here)
    for line in str(table).splitlines():
        say(line)
    if family is None:
        labels = find_weights(AUDIOSET_LABELS)
        where = labels or f"not here: `skaudio-ad weights download {AUDIOSET_LABELS.name}`"
        say(f"Names of AudioSet's classes, for tags ({AUDIOSET_LABELS.licence}): {where}")
    say(f"Looked in {', '.join(map(str, weights_places()))}")
    if csv_path is not None:
        _write_csv(table, csv_path)
    if json_path is not None:
        with atomic_path(json_path) as temporary, open(temporary, "w", encoding="utf-8") as file:
            json.dump(table.rows(), file, indent=1)
            file.write("\n")


def _write_csv(table, path):
    names = list(ListedBackbone.__dataclass_fields__)
    with atomic_path(path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_NONNUMERIC)
        writer.writerow(names)
        for row in table.rows():
            if row["path"] is not None:
                row["path"] = utf8_name(row["path"])
            writer.writerow([text_cell(cell) if isinstance(cell, str) else cell for cell in row.values()])


@weights.command("download")
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@click.option("--quiet", "-q", is_flag=True, help="Show no progress on stderr.")
@friendly_errors
def download_weights(names, quiet):
    """Download the weights of every NAME that this machine does not have yet."""
    for name in names:
        _check_name(name)
    for name in names:
        say(f"{name}: {weights_path(name, quiet=quiet)}")


@weights.command("path")
@click.argument("name")
@friendly_errors
def print_weights_path(name):
    """Print the path of the weights of NAME. The exit code is 1 if the weights are not on this machine."""
    _check_name(name)
    say(weights_path(name, download=False))


def _check_name(name):
    """Raise an error of the command line (exit code 2) for an unknown name, before any download."""
    try:
        find_weights(name)
    except ValueError as error:
        raise click.BadParameter(translate(error).replace("backbone must", "NAME must", 1)) from error
