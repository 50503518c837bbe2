"""``skaudio-ad check``: find what would spoil a training set."""

import csv
import json
import sys

import click
import numpy as np

from .._atomic import atomic_path
from .._csv_text import text_cell, utf8_name
from .._json import without_nan
from ..recordings import RecordingsCheck
from ..recordings._check import measure_recordings
from ..recordings._findings import find_problems
from ._common import check_writable, expand_recordings, friendly_errors
from ._messages import translate
from ._options import FILE, recordings_argument
from ._terminal import say, shown, track

# Number of files of a finding that are shown. The tables hold all of them.
_SHOWN = 10


@click.command()
@recordings_argument
@click.option(
    "--csv", "csv_path", type=FILE, metavar="FILE.csv", help="File for a table of all measurements."
)
@click.option(
    "--json",
    "json_path",
    type=FILE,
    metavar="FILE.json",
    help="File for all measurements and findings as JSON.",
)
@click.option("--all", "show_all", is_flag=True, help=f"Show all files of a finding, not only {_SHOWN}.")
@click.option("--strict", is_flag=True, help="End with exit code 1 if anything was found.")
@friendly_errors
def check(recordings, csv_path, json_path, show_all, strict):
    """Check recordings for what would spoil a training set.

    RECORDINGS are files or folders. The command decodes every recording and reports mixed sample rates, less bandwidth
    than the others, other levels and durations, clipping, silence, gaps, offsets, dead channels, copies and near
    copies, and files that cannot be read. Every finding names the files and says what to do.
    """
    sys.exit(run_check(recordings, csv_path, json_path, show_all=show_all, strict=strict))


def run_check(recordings, csv_path=None, json_path=None, *, show_all=False, strict=False):
    """Check recordings and print the findings.

    Parameters
    ----------
    recordings : sequence of pathlib.Path
        Files and folders.
    csv_path, json_path : pathlib.Path or None, default=None
    show_all : bool, default=False
        Whether to print all files of a finding.
    strict : bool, default=False

    Returns
    -------
    int
        Exit code: 1 if something was found and `strict` is set, otherwise 0.
    """
    for path in (csv_path, json_path):
        if path is not None:
            check_writable(path)
    paths = expand_recordings(recordings)
    measured = list(track(measure_recordings(paths), "checking", len(paths)))
    made = RecordingsCheck(measured, find_problems(measured))
    say(_summary(measured))
    for finding in made.findings:
        say()
        say(f"{finding.kind}: {finding.message}")
        files = list(finding.files.items())
        for path, detail in files if show_all else files[:_SHOWN]:
            say(f"  {path}: {translate(detail)}")
        if not show_all and len(files) > _SHOWN:
            say(f"  ... and {len(files) - _SHOWN} more (--all shows them)")
        say(f"  {finding.advice}")
    if csv_path is not None:
        _write_csv(made, csv_path)
    if json_path is not None:
        _write_json(made, json_path)
    if not made.findings:
        say("Nothing was found that would spoil a training set.")
    return 1 if strict and made.findings else 0


def _summary(measured):
    readable = [row for row in measured if not row.error]
    if not readable:
        return f"{len(measured)} recordings, none of them readable."
    hours = sum(row.duration for row in readable) / 3600
    bandwidths = [row.bandwidth for row in readable if np.isfinite(row.bandwidth)]
    levels = [row.level for row in readable if not row.is_silent]
    parts = [
        f"{len(measured)} recordings",
        f"{hours:.2f} hours" if hours >= 1 else f"{60 * hours:.1f} minutes",
        f"{_range([row.duration for row in readable], '.1f')} s each",
        f"{_range([row.sample_rate for row in readable], 'd')} Hz",
    ]
    if levels:
        parts += [f"level {_range(levels, '.0f')} dB", f"bandwidth {_range(bandwidths, '.0f')} Hz"]
    return ", ".join(parts) + "."


def _range(values, form):
    low, high = format(min(values), form), format(max(values), form)
    return low if low == high else f"{low} to {high}"


def _write_csv(made, path):
    rows = made.rows()
    with atomic_path(path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_NONNUMERIC)
        writer.writerow(rows[0])
        for row in rows:
            row["path"] = utf8_name(row["path"])
            row["error"] = shown(translate(row["error"]))
            writer.writerow(
                [text_cell(cell) if isinstance(cell, str) else _number(cell) for cell in row.values()]
            )


def _number(value):
    return "" if isinstance(value, float) and np.isnan(value) else value


def _write_json(made, path):
    with atomic_path(path) as temporary, open(temporary, "w", encoding="utf-8") as file:
        json.dump(without_nan(made.to_dict()), file, indent=1)
        file.write("\n")
