"""Find the folders of machines, read the names in these folders, and say which data set a folder looks like."""

import csv
import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from ._dcase_names import SPLITS, Name, example_of, file_key, folders_of, has_no_attributes, parse_name
from ._dcase_years import YEARS, years_of

# Number of files that an error names.
_SHOWN = 3
_SECTION_NAME = re.compile(r"section_(\d{2})_(?:[a-z]+_)*(\d+)(?:_(.*))?\.wav")


class Recording(NamedTuple):
    """A recording, and what its path says."""

    path: str
    file: str
    machine: str
    split: str
    name: Name


class Evidence(NamedTuple):
    """What the folder of a machine shows without opening a recording."""

    path: str
    machine: str
    style: str  # "ids", "sections", "mixed" or "" for unknown names
    folders: tuple[str, ...]
    sections: tuple[str, ...]
    has_table: bool
    no_attribute: bool | None  # None: no training recording is there


def list_folder(folder: str | os.PathLike[str]) -> list[os.DirEntry]:
    """Return the entries of a folder, sorted by name. Names that begin with a dot belong to the operating system."""
    with os.scandir(folder) as entries:
        return sorted(
            (entry for entry in entries if not entry.name.startswith(".")), key=lambda entry: entry.name
        )


def machine_folders(root: Path) -> dict[str, str]:
    """Return the paths of the folders below `root` that have a folder of recordings, such as train."""
    if not root.is_dir():
        return {}
    return {
        entry.name: entry.path
        for entry in list_folder(root)
        if entry.is_dir() and any(os.path.isdir(os.path.join(entry.path, name)) for name in SPLITS)
    }


def find_machines(home: Path, names: Sequence[str], places: Sequence[str]) -> list[tuple[str, str]]:
    """Return name and path of all folders of machines, from the first folder of a data set that has any.

    `names` are folders of the data set below `home`, and `places` are folders below the folder of the data set.
    """
    for base in (*(home / name for name in names), home):
        if not base.is_dir():
            continue
        found = [item for place in places for item in machine_folders(base / place).items()]
        if found:
            return found
    if any((home / name).is_dir() for name in SPLITS):
        return [(home.resolve().name, str(home))]
    return []


def scan_machine(machine: str, folder: str, layout: str, *, prefer_renamed: bool = True) -> list[Recording]:
    """Return the recordings of one folder of a machine, in the order of the folders of the layout and of names.

    Raises
    ------
    ValueError
        If a name fits no pattern.
    FileNotFoundError
        If a folder is empty.
    """
    there = [name for name in SPLITS if os.path.isdir(os.path.join(folder, name))]
    others = [name for name in there if name not in folders_of(layout)]
    if others:
        raise ValueError(
            f"{folder} must have no other folders of recordings than {', '.join(folders_of(layout))}, got "
            f"{', '.join(others)}. Move the others elsewhere, or choose the loader of the set that has such folders."
        )
    there.sort(key=folders_of(layout).index)
    listed = {name: list_folder(os.path.join(folder, name)) for name in there}
    for name, entries in listed.items():
        if not entries:
            raise FileNotFoundError(
                f"{os.path.join(folder, name)} is empty. Unpack the archive again, or remove the folder."
            )
    originals = [name for name in ("test", "source_test", "target_test") if name in listed]
    if originals and "test_rename" in listed:
        _check_renamed(folder, listed, originals)
        for name in originals if prefer_renamed else ("test_rename",):
            del listed[name]
    recordings: dict[str, Recording] = {}
    for name, entries in listed.items():
        parsed = [(entry, parse_name(layout, name, entry.name)) for entry in entries]
        wrong = [entry.name for entry, result in parsed if result is None]
        if wrong:
            raise ValueError(
                f"{len(wrong)} of {len(entries)} files in {os.path.join(folder, name)} are not named like "
                f"{example_of(layout, name)}: {_few(wrong)}. Move these files out of the folder, or unpack the "
                "archive again."
            )
        for entry, result in parsed:
            # A copy of source_test or target_test in the folder test has the same name. The first one stays.
            key = entry.name if SPLITS[name] == "test" else f"{name}/{entry.name}"
            assert result is not None
            recordings.setdefault(key, Recording(entry.path, entry.name, machine, SPLITS[name], result))
    return _with_table_attributes(folder, list(recordings.values()))


def _check_renamed(folder, listed, originals):
    """Raise an error if the copies in test_rename are not complete."""
    n_originals = len({entry.name for name in originals for entry in listed[name]})
    if len(listed["test_rename"]) != n_originals:
        raise ValueError(
            f"{os.path.join(folder, 'test_rename')} must have a copy of every test recording, got "
            f"{len(listed['test_rename'])} files for {n_originals} recordings. Run the script that makes the copies "
            "again, or remove the folder test_rename."
        )


def check_copies(recordings: Iterable[Recording]) -> None:
    """Raise an error if the same recording is there in two folders."""
    seen: dict[tuple[str, str, str], str] = {}
    for recording in recordings:
        key = (recording.machine, recording.split, file_key(recording.file))
        if key in seen:
            raise ValueError(
                f"Every recording must be there once, got {seen[key]} and {recording.path}. Remove one of the "
                "folders, or pass the other one as data_home."
            )
        seen[key] = recording.path


def _with_table_attributes(folder, recordings):
    """Fill attributes that a name does not have from the tables attributes_00.csv."""
    tables: dict[str, dict[str, str]] = {}
    filled = []
    for recording in recordings:
        section = recording.name.section
        if not recording.name.attributes and recording.split != "supplemental":
            if section not in tables:
                tables[section] = read_attributes(os.path.join(folder, f"attributes_{section}.csv"))
            text = tables[section].get(recording.file.removesuffix(".wav"), "")
            recording = recording._replace(name=recording.name._replace(attributes=text))
        filled.append(recording)
    return filled


def read_attributes(table: str) -> dict[str, str]:
    """Return the attributes by name of the recording, without ".wav". A table that does not exist has no rows."""
    if not os.path.isfile(table):
        return {}
    rows = [row for _, row in read_rows(Path(table))]
    # The columns are file_name, d1p, d1v, d2p, d2v and so on: parameters and their values.
    return {
        row[0].rsplit("/", 1)[-1].removesuffix(".wav"): "_".join(
            f"{key}_{value}" for key, value in zip(row[1::2], row[2::2]) if key and value
        )
        for row in rows[1:]
    }


def read_rows(table: Path) -> list[tuple[int, list[str]]]:
    """Return the number of the line and the cells of every row of a csv file that is not empty.

    Raises
    ------
    ValueError
        If the file is no text.
    """
    try:
        with open(table, encoding="utf-8-sig", newline="") as file:
            rows = [[cell.strip() for cell in row] for row in csv.reader(file)]
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{table} must be a csv file in UTF-8: {error}. Get the file again.") from error
    return [(line, row) for line, row in enumerate(rows, start=1) if any(row)]


def look_at(machine: str, path: str) -> Evidence:
    """Look at the names in the folder of a machine."""
    entries = {entry.name for entry in list_folder(path)}
    folders = tuple(name for name in SPLITS if name in entries)
    names = {name: [entry.name for entry in list_folder(os.path.join(path, name))] for name in folders}
    listed = [name for folder in folders if folder != "supplemental" for name in names[folder]]
    matches = [match for match in map(_SECTION_NAME.fullmatch, listed) if match]
    if any(name.startswith(("normal_id_", "anomaly_id_", "id_")) for name in listed):
        style = "ids"
    else:
        style = "sections" if any(len(match[2]) == 4 for match in matches) else "mixed" if matches else ""
    train = [match[3] for match in map(_SECTION_NAME.fullmatch, names.get("train", ())) if match]
    return Evidence(
        path,
        machine,
        style,
        folders,
        tuple(sorted({match[1] for match in matches})),
        any(name.startswith("attributes_") and name.endswith(".csv") for name in entries),
        all(map(has_no_attributes, train)) if train else None,
    )


def possible_years(evidence: Evidence) -> set[int]:
    """Return the years of DCASE Task 2 that a folder may belong to."""
    if evidence.style == "ids":
        years = {2020}
    elif evidence.style != "sections":
        return set()
    elif {"source_test", "target_test"} & set(evidence.folders):
        years = {2021}
    elif evidence.sections and evidence.sections[-1] > "00":
        # The archives of 2022 have tables of attributes, those of 2021 do not.
        years = {2022} if evidence.has_table else {2021, 2022}
    else:
        years = {2023, 2024, 2025, 2026}
        if "supplemental" in evidence.folders:
            years = {2025, 2026}
        if evidence.no_attribute is not None:
            years = {
                year
                for year in years
                if (evidence.machine in YEARS[year].no_attribute) == evidence.no_attribute
            }
    return years & set(years_of(evidence.machine))


def describe(evidence: Evidence) -> str:
    """Say in words what a folder shows, and which loader reads the folder."""
    facts = []
    if evidence.style == "ids":
        facts.append("its recordings are named like normal_id_00_00000000.wav")
    elif evidence.style == "mixed":
        facts.append("its recordings are numbered as the mixer of ToyADMOS2 numbers them")
    elif evidence.style == "sections":
        facts.append(f"it has section {', '.join(evidence.sections)}")
    facts.append(f"the folders {', '.join(evidence.folders)}")
    if evidence.style == "sections":
        facts.append("attribute tables" if evidence.has_table else "no attribute table")
        if evidence.no_attribute is not None:
            facts.append(f"{'no ' if evidence.no_attribute else ''}attributes in the names of its recordings")
    said = f"{evidence.path}: {', '.join(facts)}"
    years = sorted(possible_years(evidence))
    if evidence.style == "mixed":
        return f"{said}. load_toyadmos2 reads such a folder"
    if not years:
        return f"{said}. No loader reads such a folder of a machine {evidence.machine!r}"
    calls = " or ".join(f"load_dcase_task2({year})" for year in years)
    return f"{said}. DCASE Task 2 of {' or '.join(map(str, years))} looks so, and {calls} reads such a folder"


def describe_home(home: Path, *, mimii: bool = True) -> str:
    """Say what a folder holds instead of the requested data set, as a sentence for an error, or "" for nothing known.

    `mimii` says whether MIMII would be another data set than the requested one.
    """
    roots = [home, *(Path(entry.path) for entry in list_folder(home) if entry.is_dir())]
    roots += [
        root / place
        for root in roots
        for place in ("dev_data/raw", "dev_data", "eval_data/raw", "eval_data", "raw")
    ]
    for root in roots:
        if not os.access(root, os.R_OK | os.X_OK):
            continue
        for machine, path in machine_folders(root).items():
            return f" There is {describe(look_at(machine, path))}."
    for pattern in ("id_*/normal", "*/id_*/normal", "*/*/id_*/normal", "*/*/*/id_*/normal") if mimii else ():
        for folder in sorted(home.glob(pattern)):
            return f" There is {folder}, which looks like MIMII: load_mimii reads MIMII."
    return ""


def _few(names):
    return ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
