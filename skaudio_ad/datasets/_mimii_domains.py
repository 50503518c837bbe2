"""Loaders of MIMII DUE and MIMII DG, sounds of machines under changing conditions."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from .._typing import PathLike
from ._dataset import AudioDataset
from ._dcase_years import is_development
from ._files import find_home
from ._machine_folders import describe, look_at, machine_folders, possible_years
from ._section_sets import check_machine, check_split, choose_split, find_folders, scan_folders, to_dataset

_MACHINES = {
    "MIMII DUE": ("fan", "gearbox", "pump", "slider", "valve"),
    "MIMII DG": ("bearing", "fan", "gearbox", "slider", "valve"),
}
# Years of DCASE Task 2 whose data hold the recordings of the set.
_YEARS = {"MIMII DUE": 2021, "MIMII DG": 2022}
_LAYOUTS = {"MIMII DUE": "domain folders", "MIMII DG": "sections"}
_EXAMPLES = {
    "MIMII DUE": "fan/train, fan/source_test and fan/target_test",
    "MIMII DG": "fan/train, fan/test and fan/attributes_00.csv",
}
_SOURCES = {
    "MIMII DUE": "MIMII DUE by R. Tanabe et al. is published by Hitachi at https://zenodo.org/records/4740355, "
    "and fetch_mimii_due downloads the archives.",
    "MIMII DG": "MIMII DG by K. Dohi et al. is published by Hitachi at https://zenodo.org/records/6529888, "
    "and fetch_mimii_dg downloads the archives.",
}
_SPLITS = ("train", "test")

_DUE_DESCR = """\
MIMII DUE: sounds of fans, gearboxes, pumps, slide rails and valves, normal and with faults, in factory noise.

Recordings of 10 s at 16 kHz, mono. Every machine type has the sections 00 to 05. A section has about 1000 normal
training recordings of the source domain and 3 of the target domain, where operating conditions or noise differ. The
data of DCASE 2021 Task 2 consist of these recordings and of toy machines.

R. Tanabe, H. Purohit, K. Dohi, T. Endo, Y. Nikaido, T. Nakamura and Y. Kawaguchi, "MIMII DUE: Sound Dataset for
Malfunctioning Industrial Machine Investigation and Inspection with Domain Shifts due to Changes in Operational and
Environmental Conditions", WASPAA, 2021, https://arxiv.org/abs/2105.02702. The licence is given at
https://zenodo.org/records/4740355.
"""
_DG_DESCR = """\
MIMII DG: sounds of bearings, fans, gearboxes, slide rails and valves, normal and with faults, in factory noise.

Recordings of 10 s at 16 kHz, mono. Every machine type has the sections 00 to 02. A section has 990 normal training
recordings of the source domain and 10 of the target domain, where operating conditions or noise differ, and 200 test
recordings. The development set of DCASE 2022 Task 2 consists of such recordings and of toy machines.

K. Dohi, T. Nishida, H. Purohit, R. Tanabe, T. Endo, M. Yamamoto, Y. Nikaido and Y. Kawaguchi, "MIMII DG: Sound
Dataset for Malfunctioning Industrial Machine Investigation and Inspection for Domain Generalization Task", DCASE
Workshop, 2022, https://arxiv.org/abs/2205.13879. The licence is given at https://zenodo.org/records/6529888.
"""


def load_mimii_due(
    machine: str | Sequence[str] | None = None,
    *,
    split: Literal["train", "test"] | None = None,
    data_home: PathLike | None = None,
) -> AudioDataset:
    """Load MIMII DUE, sounds of machines under changing conditions, from a folder.

    ==================   ========================================
    Machines             fan, gearbox, pump, slider, valve
    Sections             00 to 05 of every machine
    Recording            10 s at 16 kHz, mono
    ==================   ========================================

    Parameters
    ----------
    machine : str or list of str or None, default=None
        Names of the machines. None loads all machines that are there.
    split : {"train", "test"} or None, default=None
        Part of the recordings to load. None loads both parts.
    data_home : str or path-like, default=None
        Folder that contains the data set, directly or below `mimii_due`. None uses the environment variable
        `SKAUDIO_AD_DATA`. The loader looks for `fan/train` in `dev_data`, `eval_data`, `dev`, `eval` and in the folder
        itself.

    Returns
    -------
    AudioDataset
        The entries of :func:`load_dcase_task2`. `target` is 0 for recordings whose names have no label, as in the
        sections 03 to 05 of DCASE 2021. `metadata` has no column `kind`.

    Raises
    ------
    FileNotFoundError
        If the folder, a requested machine or its recordings of `split` are missing.
    ValueError
        If `machine` or `split` is unknown. If a folder looks like another set, a file is not named like those of the
        data set, or a recording is there twice.

    See Also
    --------
    load_dcase_task2 : The same recordings as a part of DCASE 2021 Task 2.
    load_mimii_dg : The set of the year after.

    Notes
    -----
    The names of training and test recordings are those that public code reads from unpacked archives. The archives
    themselves were not checked.

    References
    ----------
    .. [1] R. Tanabe et al., "MIMII DUE: Sound Dataset for Malfunctioning Industrial Machine Investigation and
       Inspection with Domain Shifts due to Changes in Operational and Environmental Conditions", WASPAA, 2021,
       https://arxiv.org/abs/2105.02702.

    Examples
    --------
    >>> from skaudio_ad.datasets import load_mimii_due
    >>> fans = load_mimii_due("fan", split="train")  # doctest: +SKIP
    """
    return _load("MIMII DUE", ("mimii_due", "MIMII_DUE"), machine, split, data_home, _DUE_DESCR)


def load_mimii_dg(
    machine: str | Sequence[str] | None = None,
    *,
    split: Literal["train", "test"] | None = None,
    data_home: PathLike | None = None,
) -> AudioDataset:
    """Load MIMII DG, sounds of machines for domain generalisation, from a folder.

    ==================   ========================================
    Machines             bearing, fan, gearbox, slider, valve
    Sections             00 to 02 of every machine
    Recording            10 s at 16 kHz, mono
    ==================   ========================================

    Parameters
    ----------
    machine : str or list of str or None, default=None
        Names of the machines. None loads all machines that are there.
    split : {"train", "test"} or None, default=None
        Part of the recordings to load. None loads both parts.
    data_home : str or path-like, default=None
        Folder that contains the data set, directly or below `mimii_dg`. None uses the environment variable
        `SKAUDIO_AD_DATA`.

    Returns
    -------
    AudioDataset
        The entries of :func:`load_dcase_task2`. `metadata` has no column `kind`.

    Raises
    ------
    FileNotFoundError
        If the folder, a requested machine or its recordings of `split` are missing.
    ValueError
        If `machine` or `split` is unknown. If a folder looks like another set, a file is not named like those of the
        data set, or a recording is there twice.

    See Also
    --------
    load_dcase_task2 : Such recordings as a part of DCASE 2022 Task 2.
    load_mimii_due : The set of the year before.

    Notes
    -----
    The names are those that public code reads from unpacked archives, and the names of DCASE 2022. The archives
    themselves were not checked.

    References
    ----------
    .. [1] K. Dohi et al., "MIMII DG: Sound Dataset for Malfunctioning Industrial Machine Investigation and Inspection
       for Domain Generalization Task", DCASE Workshop, 2022, https://arxiv.org/abs/2205.13879.

    Examples
    --------
    >>> from skaudio_ad.datasets import load_mimii_dg
    >>> fans = load_mimii_dg("fan", split="train")  # doctest: +SKIP
    """
    return _load("MIMII DG", ("mimii_dg", "MIMII_DG"), machine, split, data_home, _DG_DESCR)


def _load(title, names, machine, split, data_home, DESCR):
    splits = check_split(split, _SPLITS)
    known, source = _MACHINES[title], _SOURCES[title]
    wanted = check_machine(machine, known, title, lambda name: "")
    home = find_home(data_home, f"folders such as {_EXAMPLES[title]} with wav files", source.rstrip("."))
    places = ("dev_data/raw", "dev_data", "eval_data/raw", "eval_data", "dev", "eval", "")
    folders = find_folders(home, wanted, known, title, names, places, source)
    _check_set(title, folders)
    recordings = scan_folders(folders, _LAYOUTS[title])
    year = _YEARS[title]

    def part(recording):
        return "dev" if is_development(year, recording.machine, recording.name.section) else "eval"

    recordings = choose_split(recordings, splits, wanted, title, source, part)
    return to_dataset(recordings, DESCR, dataset=np.array([part(recording) for recording in recordings]))


def _check_set(title, folders):
    """Raise an error if a folder looks like another set."""
    year = _YEARS[title]
    for parent in {Path(path).parent for _, path in folders}:
        toys = sorted({"ToyCar", "ToyTrain"} & set(machine_folders(parent)))
        if toys:
            raise ValueError(
                f"{parent} has {' and '.join(toys)}, so the folder looks like DCASE {year} Task 2, which contains "
                f"{title}: load_dcase_task2({year}, machine={list(_MACHINES[title])}) reads the folder."
            )
    for machine, path in folders:
        evidence = look_at(machine, path)
        if evidence.style and year not in possible_years(evidence):
            raise ValueError(
                f"The folder does not look like {title}. {describe(evidence)}. Pass the folder of "
                f"{title} as data_home, or choose another loader."
            )
