"""What the loaders of DCASE Task 2, MIMII DUE, MIMII DG and ToyADMOS2 share."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ._dataset import AudioDataset
from ._machine_folders import Recording, check_copies, describe_home, find_machines, scan_machine

#: Values of the parameter `split`.
SPLIT_NAMES = ("train", "test", "supplemental")


def check_split(split: Any, known: Sequence[str] = SPLIT_NAMES) -> tuple[str, ...]:
    """Return the splits to load."""
    if split is not None and split not in known:
        raise ValueError(f"Unknown split {split!r}; known ones: {', '.join(known)}, or None for all.")
    return tuple(known) if split is None else (split,)


def check_machine(machine: Any, known: Sequence[str], title: str, others: Callable[[str], str]) -> list[str]:
    """Return the requested machines in the order of the request, or no machine for None."""
    if machine is None:
        return []
    wanted = [machine] if isinstance(machine, str) else list(machine) if np.iterable(machine) else []
    if not wanted or not all(isinstance(name, str) for name in wanted):
        raise TypeError(f"machine must be a name such as 'fan', a list of names or None, got {machine!r}.")
    unknown = [name for name in wanted if name not in known]
    if unknown:
        raise ValueError(
            f"{title} has no machine {unknown[0]!r}; known ones: {', '.join(known)}.{others(unknown[0])}"
        )
    return list(dict.fromkeys(wanted))


def find_folders(
    home: Path,
    wanted: Sequence[str],
    known: Sequence[str],
    title: str,
    names: Sequence[str],
    places: Sequence[str],
    source: str,
) -> list[tuple[str, str]]:
    """Return name and path of the folders of all machines that are there, after checking the requested ones."""
    found = find_machines(home, names, places)
    there = {machine for machine, _ in found}
    missing = [machine for machine in wanted if machine not in there]
    if not there or missing:
        what = f"machine {', '.join(missing)}" if there else "recordings"
        has = f" It has {', '.join(sorted(there))}." if there else describe_home(home)
        looked = ", ".join(str(home / name) for name in (*names, "."))
        raise FileNotFoundError(
            f"{title} has no {what} in {home}: looked for folders such as {(*wanted, *known)[0]}/train in {looked}, "
            f"and below in {', '.join(place for place in places if place)}.{has} Unpack the archives there, or pass "
            f"another data_home. {source}"
        )
    order = list(wanted or known)
    return sorted(
        ((machine, path) for machine, path in found if not wanted or machine in wanted),
        key=lambda item: order.index(item[0]) if item[0] in order else len(order),
    )


def scan_folders(
    folders: Sequence[tuple[str, str]], layout: str, *, prefer_renamed: bool = True
) -> list[Recording]:
    """Return the recordings of all folders, sorted by machine, in the order of `folders`, and by split."""
    recordings = [
        recording
        for machine, path in folders
        for recording in scan_machine(machine, path, layout, prefer_renamed=prefer_renamed)
    ]
    check_copies(recordings)
    order = {machine: number for number, machine in enumerate(dict.fromkeys(name for name, _ in folders))}
    return sorted(recordings, key=lambda item: (order[item.machine], SPLIT_NAMES.index(item.split)))


def choose_split(
    recordings: Sequence[Recording],
    splits: Sequence[str],
    wanted: Sequence[str],
    title: str,
    source: str,
    part: Callable[[Recording], str] = lambda recording: "dev",
) -> list[Recording]:
    """Return the recordings of some splits.

    Raises
    ------
    FileNotFoundError
        If a requested machine has no recording of these splits. If a machine has training recordings of the
        development set (`part` is "dev") but no test recordings, because the archive holds both.
    """
    chosen = [recording for recording in recordings if recording.split in splits]
    empty = [name for name in wanted if all(recording.machine != name for recording in chosen)]
    if not wanted and not chosen:
        empty = list(dict.fromkeys(recording.machine for recording in recordings))
    missing = splits[0] if len(splits) == 1 else " or ".join(splits)
    if "test" in splits and not empty:
        missing = "test"
        tested = {
            recording.machine
            for recording in chosen
            if recording.split == "test" and part(recording) == "dev"
        }
        trained = dict.fromkeys(recording.machine for recording in recordings if part(recording) == "dev")
        empty = [name for name in trained if name not in tested]
    if empty:
        near = next((recording.path for recording in recordings if recording.machine == empty[0]), "")
        raise FileNotFoundError(
            f"{title} has no {missing} recordings of {', '.join(empty)} here; there is {near}. Unpack the archive "
            f"again, or choose another split, such as split='train'. {source}"
        )
    return chosen


def to_dataset(recordings: Sequence[Recording], DESCR: str, **columns: Any) -> AudioDataset:
    """Return the recordings as a data set."""
    return AudioDataset(
        [recording.path for recording in recordings],
        [recording.name.label for recording in recordings],
        {
            "machine": np.array([recording.machine for recording in recordings]),
            "section": np.array([recording.name.section for recording in recordings]),
            "domain": np.array([recording.name.domain for recording in recordings]),
            "attributes": np.array([recording.name.attributes for recording in recordings]),
            "split": np.array([recording.split for recording in recordings]),
            "file": np.array([recording.file for recording in recordings]),
            **columns,
        },
        DESCR,
    )
