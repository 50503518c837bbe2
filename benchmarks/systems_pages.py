"""Write the tables of ``docs/systems`` from the CSV files of the benchmarks, so that no figure is typed by hand.

A table in a page stands between two comments. The first comment names the file, the rows and the columns::

    <!-- table
    file: systems/heart_lung-heart_distinct.csv
    rows: heart_lung = system A, LocalOutlierFactor
    columns: ratio, mean AUC (range)
    -->
    ...
    <!-- end of table -->

``file`` is relative to ``docs/results``. ``rows`` are values of the first column, or of the column that ``key`` names,
in the order of the table. A label may follow the value. A value with a comma stands in double quotes. ``where:
set=MIMII`` keeps the rows with this value. A number with the columns "NAME low" and "NAME high" beside it is written
with its interval.

``--source FOLDER`` first copies the reports of the benchmarks of the systems from a folder.

Run: ``python -m benchmarks.systems_pages [--source benchmarks/results]``.
"""

import argparse
import csv
import json
import re
import shutil
from pathlib import Path

from ._report import markdown
from .results_page import DOCS

#: Names of the reports that the pages of the systems show.
REPORTS = ("heart_lung", "dog_bark", "machines")
_TABLE = re.compile(r"(<!-- table\n(.*?)-->\n).*?(<!-- end of table -->)", re.DOTALL)


def collect(source, docs=DOCS):
    """Copy reports of the benchmarks into ``docs/results/systems``.

    The recorded command loses its option ``--output``, because a folder of the machine does not change a figure.

    Parameters
    ----------
    source : path-like
        Folder that the benchmarks wrote to.

    docs : path-like, default=DOCS

    Raises
    ------
    FileNotFoundError
        If `source` has none of the reports.
    """
    source, target = Path(source), Path(docs) / "results" / "systems"
    found = [source / f"{name}.json" for name in REPORTS if (source / f"{name}.json").is_file()]
    if not found:
        raise FileNotFoundError(
            f"{source} has none of the reports {', '.join(REPORTS)}. Run python -m benchmarks.detection.NAME."
        )
    target.mkdir(parents=True, exist_ok=True)
    for path in found:
        about = json.loads(path.read_text(encoding="utf-8"))
        about["command"] = re.sub(r" --output \S+", "", about["command"])
        (target / path.name).write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
        for table in about["tables"]:
            shutil.copyfile(source / table["file"], target / table["file"])


def fill(text, docs=DOCS):
    """Return the text of a page with all its tables made anew.

    Parameters
    ----------
    text : str

    docs : path-like, default=DOCS

    Returns
    -------
    str

    Raises
    ------
    ValueError
        If a file lacks a row or a column that a table asks for.
    """
    return _TABLE.sub(lambda match: f"{match[1]}\n{_table(match[2], Path(docs))}\n\n{match[3]}", text)


def _table(request, docs):
    asked = dict(line.split(": ", 1) for line in request.strip().splitlines())
    path = docs / "results" / asked["file"]
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    if "where" in asked:
        column, value = asked["where"].split("=")
        rows = [row for row in rows if row[column] == value]
    key = asked.get("key", next(iter(rows[0])))
    columns = _items(asked["columns"])
    labels = dict((*item.split(" = "), item)[:2] for item in _items(asked["rows"]))
    for missing in (set(labels) - {row[key] for row in rows}) | (set(columns) - set(rows[0])):
        raise ValueError(f"{path} has no row or column {missing!r}.")
    chosen = [row for name in labels for row in rows if row[key] == name]
    about = _about(path)
    rows = [{key: labels[row[key]], **{column: _cell(row, column) for column in columns}} for row in chosen]
    source = f"[{path.name}](../results/{asked['file']}), `{about['command']}`, {about['date']}."
    return f"{markdown(rows)}\n\n{source}"


def _about(path):
    """Read the file that says how a CSV file was made: of its report, or of the benchmark of all sets."""
    report = path.with_name(f"{path.stem.split('-')[0]}.json")
    about = report if report.is_file() else path.with_name(f"{path.parent.name}.json")
    return json.loads(about.read_text(encoding="utf-8"))


def _items(text):
    return next(csv.reader([text], skipinitialspace=True))


def _cell(row, column):
    value = row[column]
    if row.get(f"{column} low"):
        low, high = float(row[f"{column} low"]), float(row[f"{column} high"])
        return f"{float(value):.3f} [{low:.3f}, {high:.3f}]"
    return value


def main(arguments=None):
    """Write the tables of all pages; see the module's docstring."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.systems_pages")
    parser.add_argument("--source", type=Path, help="folder of reports to copy  [default: none]")
    parser.add_argument("--docs", type=Path, default=DOCS)
    options = parser.parse_args(arguments)
    if options.source is not None:
        collect(options.source, options.docs)
    for page in sorted((options.docs / "systems").glob("*.md")):
        page.write_text(fill(page.read_text(encoding="utf-8"), options.docs), encoding="utf-8")


if __name__ == "__main__":
    main()
