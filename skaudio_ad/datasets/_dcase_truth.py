"""Labels, domains and attributes of the evaluation recordings, as the official evaluators publish them."""

import os
import re
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from .._typing import PathLike
from ._dcase_names import Name, file_key, parse_full_name
from ._machine_folders import Recording, read_rows

_FILE = re.compile(r"ground_truth_(?P<machine>.+)_section_\d{2}(?:_(?:source|target))?_test\.csv")
_FOLDERS = ("ground_truth_data", "ground_truth_domain", "ground_truth_attributes")
_LAYOUT = (
    "the folder of an official evaluator (with ground_truth_data and, from 2022 on, ground_truth_domain), or a list "
    "such as eval_data_list_2023.csv of the official baseline"
)
# Number of files that an error names.
_SHOWN = 3


class Truth(NamedTuple):
    """What is known about an evaluation recording."""

    label: int
    domain: str
    attributes: str


def read_truth(path: PathLike, year: int) -> dict[tuple[str, str], Truth]:
    """Read published labels. The keys of the result are machine and name of the recording.

    Raises
    ------
    FileNotFoundError
        If there is no table.
    ValueError
        If a table is damaged.

    Warns
    -----
    UserWarning
        If two tables contradict each other.
    """
    root = Path(path).expanduser()
    if root.is_file():
        return _read_list(root, year)
    if root.name in _FOLDERS:
        root = root.parent
    if (root / _FOLDERS[0]).is_dir():
        return _read_folders(root)
    for name in (f"eval_data_list_{year}.csv", "eval_data_list.csv"):
        if (root / name).is_file():
            return _read_list(root / name, year)
    raise FileNotFoundError(f"ground_truth must be {_LAYOUT}, got {str(root)!r}.")


def _read_folders(root):
    labels = _read_codes(root / _FOLDERS[0], {"0": 1, "1": -1})
    domains = _read_codes(root / _FOLDERS[1], {"0": "source", "1": "target"})
    names = _read_full_names(root / _FOLDERS[2])
    if not labels:
        raise FileNotFoundError(
            f"{root / _FOLDERS[0]} has no table such as ground_truth_fan_section_03_test.csv. Get the folder again "
            "from the evaluator."
        )
    contradictions = [
        key
        for key, full in names.items()
        if key in labels and (full.label, full.domain) != (labels[key], domains.get(key, full.domain))
    ]
    machines = sorted({machine for machine, _ in contradictions})
    if machines:
        warnings.warn(
            f"{root}: {_FOLDERS[2]} contradicts {_FOLDERS[0]} and {_FOLDERS[1]} about {len(contradictions)} recordings "
            f"of {' and '.join(machines)}, such as {'/'.join(contradictions[0])}. The labels and domains are those of "
            f"{_FOLDERS[0]} and {_FOLDERS[1]}, as in the official evaluator. The attributes of these "
            "machines are left out.",
            stacklevel=4,
        )
    truth = {}
    for key, label in labels.items():
        full = None if key[0] in machines else names.get(key)
        domain = domains.get(key) or (full.domain if full else _domain_in(key[1]))
        truth[key] = Truth(label, domain, full.attributes if full else "")
    for table, others in ((_FOLDERS[1], domains), (_FOLDERS[2], names)):
        foreign = [key for key in others if key not in labels]
        if foreign:
            raise ValueError(
                f"{root / table} has {len(foreign)} recordings that {_FOLDERS[0]} does not have, such as "
                f"{'/'.join(foreign[0])}. Get both folders from one evaluator."
            )
    return truth


def _domain_in(name):
    # The names of 2021 hold the domain. The recordings of 2020 have none.
    match = re.fullmatch(r"section_\d{2}_(source|target)_test_\d{4}\.wav", name)
    return match[1] if match else ""


def _read_codes(folder, meanings):
    """Return the meaning of the second column by machine and name."""
    found: dict[tuple[str, str], int | str] = {}
    for machine, table in _tables(folder):
        for line, row in read_rows(table):
            if len(row) < 2 or row[1] not in meanings:
                raise ValueError(
                    f"{table}, line {line}: a row must be the name of a recording and 0 or 1, got {','.join(row)!r}. "
                    "Get the table again from the evaluator."
                )
            _add(found, (machine, file_key(row[0])), meanings[row[1]], table, line)
    return found


def _read_full_names(folder):
    """Return what the full name of every recording says, by machine and name."""
    found: dict[tuple[str, str], Name] = {}
    for machine, table in _tables(folder):
        # A third column holds the attributes of machines whose names end in "noAttribute".
        found |= {(machine, file_key(row[0])): _full(table, line, row[-1]) for line, row in read_rows(table)}
    for table in sorted(folder.glob("*/attributes_*.csv")):
        # The last column of these tables of 2022 holds the full name. The first row is the header.
        found |= {
            (table.parent.name, file_key(_base(row[0]))): _full(table, line, _base(row[-1]))
            for line, row in read_rows(table)
            if line > 1
        }
    return found


def _read_list(table, year):
    """Read a list in which the name of a machine stands in a line of its own, above its recordings."""
    truth: dict[tuple[str, str], Truth] = {}
    machine = ""
    for line, row in read_rows(table):
        row = [cell for cell in row if cell]
        if len(row) == 1 and not row[0].endswith(".wav"):
            machine = row[0]
            continue
        if not machine or len(row) < 2:
            raise ValueError(
                f"{table}, line {line}: expected the name of a machine, or the two names of a recording below it, "
                f"got {','.join(row)!r}. Get the list again from the official baseline."
            )
        full = _full(table, line, row[1])
        _add(truth, (machine, file_key(row[0])), Truth(full.label, full.domain, full.attributes), table, line)
    toys = sorted({machine for machine, _ in truth} & {"ToyCar", "ToyTrain"})
    if year == 2022 and toys:
        warnings.warn(
            f"{table}: the published list of 2022 contradicts the official evaluator about many recordings of "
            f"{' and '.join(toys)}. Pass the folder of the evaluator of 2022 as ground_truth for these machines.",
            stacklevel=4,
        )
    if not truth:
        raise ValueError(f"{table} names no recording. Get the list again from the official baseline.")
    return truth


def _base(path):
    return path.rsplit("/", 1)[-1]


def _full(table, line, name):
    full = parse_full_name(name)
    if full is None:
        raise ValueError(
            f"{table}, line {line}: {name!r} is not the full name of a recording, such as "
            "section_00_source_test_normal_0000_vel_9.wav. Get the table again from its publisher."
        )
    return full


def _tables(folder):
    if not folder.is_dir():
        return []
    found = [(_FILE.fullmatch(entry.name), entry) for entry in sorted(folder.iterdir())]
    return [(match["machine"], entry) for match, entry in found if match]


def _add(found, key, value, table, line):
    if key in found:
        raise ValueError(
            f"{table}, line {line}: {'/'.join(key)} must be there once, but the recording has a row already. Get the "
            "table again from its publisher."
        )
    found[key] = value


def apply_truth(recordings: Sequence[Recording], truth: dict, path: PathLike) -> list[Recording]:
    """Return the recordings with the labels of `truth` in place of unknown labels.

    Raises
    ------
    ValueError
        If a test recording without a label is not in `truth`, or if `truth` has a recording of these machines and
        sections that is not among the test recordings.
    """
    unknown = {
        (recording.machine, file_key(recording.file)): recording
        for recording in recordings
        if recording.split == "test" and not recording.name.label
    }
    loaded = {(recording.machine, recording.name.section) for recording in unknown.values()}
    missing = [key for key in unknown if key not in truth]
    foreign = [key for key in truth if key not in unknown and (key[0], _section(key[1])) in loaded]
    if missing or foreign:
        parts = [
            f"{len(keys)} {what} ({_few(keys)})"
            for keys, what in (
                (missing, "test recordings have no row"),
                (foreign, "rows have no test recording"),
            )
            if keys
        ]
        raise ValueError(
            f"The ground truth in {os.fspath(path)} does not fit the test recordings: {' and '.join(parts)}. "
            "Get the ground truth of the same year, and unpack the archive of the evaluation set again."
        )
    labelled = []
    for recording in recordings:
        key = (recording.machine, file_key(recording.file))
        if unknown.get(key) is recording:
            recording = recording._replace(name=recording.name._replace(**truth[key]._asdict()))
        labelled.append(recording)
    return labelled


def _section(name):
    match = re.match(r"(?:section|id)_(\d{2})_", name)
    return match[1] if match else ""


def _few(keys):
    names = ["/".join(key) for key in keys]
    return ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
