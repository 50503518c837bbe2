"""Make the page of results in ``docs`` from the CSV files of the benchmarks, so that no figure is typed by hand.

``docs/results`` holds the CSV files and pictures that the page shows. ``--source FOLDER`` first copies them from a
folder that the benchmarks wrote: those of ``python -m benchmarks.detection`` from ``FOLDER/detection``, and those of
each benchmark of `SECTIONS` from ``FOLDER``. A test compares the page with the files.

Run: ``python -m benchmarks.results_page [--source benchmarks/results]``.
"""

import argparse
import csv
import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from ._report import markdown
from .detection._configurations import REFERENCE as DEFAULT
from .detection._figures import picture_name
from .detection._tables import MEAN

DOCS = Path(__file__).parents[1] / "docs"

INTRODUCTION = """\
# Results

<!-- python -m benchmarks.results_page makes this page. Do not edit it: edit benchmarks/results_page.py. -->

A script makes this page from the CSV files of the benchmarks, so every figure comes from a run. Every section names
its command, its date, the machine and the versions. Times depend on the machine: compare the ratios.

"Level" means that the interval of a difference includes 0. Detectors train on normal recordings only, and no choice
uses a label of a test recording. The settings of the default were chosen earlier, with labels of the same sets. The
figures of the default are therefore somewhat too good, and its differences from other detectors too."""


@dataclass(frozen=True)
class Section:
    """A benchmark that writes a `Report`, and its place on the page.

    Parameters
    ----------
    name : str
        Name of the report.
    title : str
        Heading.
    text : str
        What the benchmark compares, without figures.
    tables : tuple of str, default=()
        Titles of the tables to show, or their beginnings. () shows all tables. The page links to the others.
    pictures : tuple of str, default=()
        Names of files beside the tables.
    """

    name: str
    title: str
    text: str
    tables: tuple[str, ...] = ()
    pictures: tuple[str, ...] = ()


SECTIONS = (
    Section(
        "official",
        "Beside the program of the official DCASE baseline",
        "The published program and our preset train on the same folder of files. With few batches an epoch, the "
        "running statistics of the program's batch normalisation lag behind its weights, and our statistics do not.",
    ),
    Section(
        "speed",
        "Speed",
        "Each part runs beside the tool that a user would otherwise take. A ratio above 1 means that ours is faster.",
    ),
    Section(
        "encoders",
        "Transformers beside their authors' code",
        "Every contender of a backbone has the same random weights, so the error is that of the computation. A speed "
        "below 1 is slower than ours with torch.",
    ),
    Section(
        "scaling",
        "How time and memory grow",
        "An exponent of 1 means that twice the size takes twice the time.",
        pictures=("scaling.png",),
    ),
    Section(
        "monitor",
        "Listening all day",
        "Days of sound are simulated, and the events of a monitor are compared with faults at known times. The text of "
        "a table says what is simulated: scores, or sounds.",
    ),
    Section(
        "monitor-kills",
        "Monitors that are killed",
        "A monitor is killed again and again, and its events are compared with those of a monitor that ran through.",
    ),
)


def collect(source, destination, sections=SECTIONS):
    """Copy what the page shows.

    Parameters
    ----------
    source, destination : pathlib.Path
    sections : sequence of Section

    Raises
    ------
    FileNotFoundError
        If `source` has none of the results.
    """
    copied = []
    destination.mkdir(parents=True, exist_ok=True)
    detection = source / "detection"
    if (detection / "detection.json").is_file():
        (destination / "detection").mkdir(exist_ok=True)
        for pattern in ("detection.json", "summary.csv", "pairs.csv", "ranks.csv", "AUC-*.png"):
            copied += [
                shutil.copy(path, destination / "detection" / path.name)
                for path in sorted(detection.glob(pattern))
            ]
    for section in sections:
        about = source / f"{section.name}.json"
        if about.is_file():
            tables = [table["file"] for table in json.loads(about.read_text(encoding="utf-8"))["tables"]]
            copied += [
                shutil.copy(source / name, destination / name)
                for name in (about.name, *tables, *section.pictures)
                if (source / name).is_file()
            ]
    if not copied:
        raise FileNotFoundError(
            f"{source} has no results: neither detection/detection.json nor {sections[0].name}.json. Run "
            "the benchmarks first."
        )


def page(folder, sections=SECTIONS):
    """Return the text of the page.

    Parameters
    ----------
    folder : pathlib.Path
        ``docs/results``.
    sections : sequence of Section

    Returns
    -------
    str
    """
    parts = [INTRODUCTION]
    if (folder / "detection" / "detection.json").is_file():
        parts += detection_parts(folder / "detection")
    for section in sections:
        if (folder / f"{section.name}.json").is_file():
            parts += report_parts(section, folder)
    return "\n\n".join(parts) + "\n"


def report_parts(section, folder):
    """Return the parts of the page about one report.

    Parameters
    ----------
    section : Section
    folder : pathlib.Path

    Returns
    -------
    list of str
    """
    about = json.loads((folder / f"{section.name}.json").read_text(encoding="utf-8"))
    parts = [f"## {section.title}", section.text, _origin(about), f"Data: {about['data']}"]
    others = []
    for table in about["tables"]:
        if section.tables and not table["title"].startswith(section.tables):
            others.append(table)
            continue
        parts += [
            f"### {table['title'][0].upper()}{table['title'][1:]}",
            markdown(_read(folder / table["file"])),
        ]
        parts += [table["notes"]] if table["notes"] else []
    parts += [
        f"![{section.title}]({folder.name}/{name})" for name in section.pictures if (folder / name).is_file()
    ]
    if others:
        links = ", ".join(f"[{table['title']}]({folder.name}/{table['file']})" for table in others)
        parts.append(f"Further tables: {links}.")
    return parts


def detection_parts(folder):
    """Return the parts of the page about the benchmark of detection.

    Parameters
    ----------
    folder : pathlib.Path
        Folder with ``detection.json``, ``summary.csv``, ``pairs.csv`` and ``ranks.csv``.

    Returns
    -------
    list of str
    """
    about = json.loads((folder / "detection.json").read_text(encoding="utf-8"))
    summary, pairs = _read(folder / "summary.csv"), _read(folder / "pairs.csv")
    ranks = {row["configuration"]: row for row in _read(folder / "ranks.csv")}
    sets = list(dict.fromkeys(row["set"] for row in summary if row["set"] != MEAN))
    parts = ["## Which detector wins where", _origin(about), *about["notes"]]
    means = [row for row in summary if row["set"] == MEAN]
    if means:
        parts += [
            "### Mean over the sets",
            winners(MEAN, means, pairs),
            markdown(mean_rows(means, summary, pairs, ranks, sets)),
        ]
    for name in sets:
        own = [row for row in summary if row["set"] == name and row["AUC"]]
        if own:
            parts += [f"### {name}", winners(name, own, pairs)]
            picture = picture_name(name)
            if (folder / picture).is_file():
                parts.append(f"![AUC and rates of {name}](results/detection/{picture})")
    links = ", ".join(f"[{stem}](results/detection/{stem}.csv)" for stem in ("summary", "pairs", "ranks"))
    parts.append(f"All figures: {links}.")
    if about["left out"]:
        names = {}
        for name, reason in about["left out"].items():
            names.setdefault(_without_paths(reason), []).append(name)
        rows = [{"left out": ", ".join(own), "reason": reason} for reason, own in names.items()]
        parts += ["### Left out", markdown(rows)]
    return parts


def winners(name, rows, pairs):
    """Say in sentences which configuration is first in a set, and where the default stands.

    Parameters
    ----------
    name : str
        Set.
    rows : list of dict
        Rows of the summary of this set.
    pairs : list of dict
        Differences from the default, of all sets.

    Returns
    -------
    str
    """
    ordered = sorted(rows, key=lambda row: -float(row["AUC"]))
    place = next((i for i, row in enumerate(ordered) if row["configuration"] == DEFAULT), None)
    first = ordered[0]
    text = f"{first['configuration']} has the highest mean AUC, {_with_interval(first)}."
    if place is None:
        return text
    own = {row["configuration"]: row for row in pairs if row["set"] == name}
    if place:
        pair = own[first["configuration"]]
        verdict = "level with the first" if pair["AUC is"] == "level" else "worse than the first"
        text += (
            f" The default, {DEFAULT}, is number {place + 1} of {len(ordered)} with {_with_interval(ordered[place])}, "
            f"and {verdict}: the first is higher by {_difference(pair)}."
        )
    else:
        text += f" This is the default, {DEFAULT}, among {len(ordered)} configurations."
    better = [name for name, row in own.items() if row["AUC is"] == "better"]
    worse = [name for name, row in own.items() if row["AUC is"] == "worse"]
    n_level = len(own) - len(better) - len(worse)
    listed = f" ({', '.join(better)})" if better else ""
    return f"{text} Better than the default: {len(better)}{listed}. Level: {n_level}. Worse: {len(worse)}."


def mean_rows(means, summary, pairs, ranks, sets):
    """Return the rows of the table of means over the sets, the best first.

    Parameters
    ----------
    means, summary, pairs : list of dict
    ranks : dict of {str: dict}
    sets : list of str

    Returns
    -------
    list of dict
    """
    differences = {row["configuration"]: row for row in pairs if row["set"] == MEAN}
    by_set = {(row["set"], row["configuration"]): row for row in summary}
    shown = [name for name in sets if any((name, row["configuration"]) in by_set for row in means)]
    rows = []
    for row in sorted(means, key=lambda row: -float(row["AUC"])):
        name = row["configuration"]
        own = {each: by_set.get((each, name), {}).get("AUC") for each in shown}
        rows.append(
            {
                "configuration": f"**{name}**" if name == DEFAULT else name,
                "mean AUC": _with_interval(row),
                "minus default": _difference(differences[name]) if name in differences else "",
                **{each: f"{float(value):.3f}" if value else "" for each, value in own.items()},
                "average rank": f"{float(ranks[name]['average rank']):.1f}" if name in ranks else "",
                "false alarms": _number(row["false alarms"]),
                "detected": _number(row["detected"]),
            }
        )
    return rows


def _number(value):
    return f"{float(value):.2f}" if value else ""


def _with_interval(row):
    return "{:.3f} [{:.3f}, {:.3f}]".format(*(float(row[key]) for key in ("AUC", "AUC low", "AUC high")))


def _difference(row):
    return "{:+.3f} [{:+.3f}, {:+.3f}]".format(
        *(float(row[key]) for key in ("AUC difference", "AUC low", "AUC high"))
    )


def _without_paths(reason):
    """Return the reason of an error without the places where a loader looked, which depend on the machine."""
    return re.sub(r"(?<!\S)/[^\s:;,]+", "the folder of the data sets", re.split(r"[:;] looked", reason)[0])


def _origin(about):
    return f"`{about['command']}`, {about['date']}. {about['environment']}"


def _read(path):
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def main(arguments=None):
    """Make the page with command-line arguments; see the module's docstring."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.results_page")
    parser.add_argument("--source", type=Path, help="folder of results to copy  [default: none]")
    parser.add_argument("--docs", type=Path, default=DOCS, help="folder of the page")
    options = parser.parse_args(arguments)
    if options.source is not None:
        collect(options.source, options.docs / "results")
    (options.docs / "results.md").write_text(page(options.docs / "results"), encoding="utf-8")


if __name__ == "__main__":
    main()
