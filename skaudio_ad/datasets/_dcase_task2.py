"""Loader of the data of DCASE Challenge Task 2, anomalous sounds of machines, 2020 to 2026."""

import numbers
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from .._typing import PathLike
from ._dataset import AudioDataset
from ._dcase_truth import apply_truth, read_truth
from ._dcase_years import YEARS, is_development, machines_of, years_of
from ._files import find_home
from ._machine_folders import describe, look_at, machine_folders, possible_years
from ._section_sets import check_machine, check_split, choose_split, find_folders, scan_folders, to_dataset

_LAYOUT = "folders such as dev_data/raw/fan/train, dev_data/fan/train or fan/train with wav files"

_DESCR = """\
DCASE {year} Challenge Task 2: sounds of machines, normal and with faults, in the noise of their surroundings.

Training recordings are normal. Test recordings of the development set are labelled. Test recordings of the evaluation
set have no label in their names; the organisers published the labels later. A section is a part of the recordings of
a machine type. Recordings of the source domain and of the target domain differ in operating conditions or noise.

Development set https://zenodo.org/records/{records[0]}, additional training set https://zenodo.org/records/{records[1]},
evaluation set https://zenodo.org/records/{records[2]}. The licence is given there. Description of the task: {paper}.
"""
_SECTIONS_2020 = "The section is the ID of the machine, and there are no domains.\n"
_STEREO = (
    "Recordings have two channels. Channel 0 is near the machine, and channel 1 is far from it. The baseline uses "
    "channel 0.\n"
)


def load_dcase_task2(
    year: Literal[2020, 2021, 2022, 2023, 2024, 2025, 2026],
    machine: str | Sequence[str] | None = None,
    *,
    split: Literal["train", "test", "supplemental"] | None = None,
    ground_truth: PathLike | None = None,
    data_home: PathLike | None = None,
) -> AudioDataset:
    """Load the data of DCASE Challenge Task 2 of one year from a folder.

    =========  ==========================================  =====================  =============
    Year       Machines                                    Sections, domains      Channels
    =========  ==========================================  =====================  =============
    2020       6, in development and evaluation set        machine IDs, none      1
    2021       7, in both sets                             00 to 05, two          1
    2022       7, in both sets                             00 to 05, two          1
    2023-2025  7 of development, 7 to 9 of evaluation      00, two                1
    2026       7 of development, 5 of evaluation           00, two                2, near and far
    =========  ==========================================  =====================  =============

    All recordings have a sample rate of 16 kHz.

    Parameters
    ----------
    year : int
        2020 to 2026.
    machine : str or list of str or None, default=None
        Names of the machines, as the organisers write the names, such as "ToyCar" or "fan". None loads all machines
        that are there.
    split : {"train", "test", "supplemental"} or None, default=None
        Part of the recordings to load. None loads all parts. Supplemental recordings (2025) are never among the
        training recordings.
    ground_truth : str or path-like, default=None
        Labels of the evaluation recordings: the folder of an official evaluator, which has the folder
        `ground_truth_data` (2021 to 2024), or a list such as `eval_data_list_2023.csv` of the official baseline or
        its folder (2020 to 2025). Recordings are matched by machine and name. None leaves the labels unknown.
    data_home : str or path-like, default=None
        Folder that contains the data set, directly or below `dcase2023t2`, `dcase2023_task2` or `dcase_task2/2023`.
        None uses the environment variable `SKAUDIO_AD_DATA`. The loader looks for `fan/train` in `dev_data/raw`,
        `dev_data`, `eval_data/raw`, `eval_data`, folders that are named like the records of Zenodo, and in the folder
        itself. `data_home` may also be the folder of one machine.

    Returns
    -------
    AudioDataset
        paths : list of str of length n_clips
            Paths of the wav files, sorted by machine, split and name.
        target : ndarray of shape (n_clips,), int64
            1 is normal, -1 is anomalous, and 0 is unknown: evaluation recordings without `ground_truth`, and
            supplemental recordings of noise.
        groups : ndarray of shape (n_clips,), int64
            Number of the content of every file. Files with equal bytes have the same number.
        metadata : dict of ndarray of shape (n_clips,), str
            `machine`; `section` ("00", in 2020 the machine ID); `domain` ("source", "target" or ""); `attributes`
            (as in the names, see :func:`expand_attributes`; "" if the organisers concealed the attributes); `split`
            ("train", "test" or "supplemental"); `file` (name, the key of submissions); `dataset` ("dev" or "eval");
            `kind` of supplemental recordings ("machine" or "noise").
        DESCR : str
            Description and sources.

    Raises
    ------
    FileNotFoundError
        If the folder, a requested machine or its recordings of `split` are missing, or a folder is empty.
    ValueError
        If `year`, `machine` or `split` is unknown. If a folder looks like another year or another set, a file is
        not named like those of the data set, or a recording is there twice. If `ground_truth` does not fit the
        recordings.

    Warns
    -----
    UserWarning
        If published labels contradict each other. The tables of 2022 do for ToyCar and ToyTrain: the labels of the
        official evaluator differ from the attribute tables of the same repository and from the list of the baseline.
        The loader takes the labels of the evaluator, which the ranking used.

    See Also
    --------
    load_mimii_due : The machines of 2021 that Hitachi recorded.
    load_mimii_dg : The machines of 2022 that Hitachi recorded.
    expand_attributes : Split attributes into columns.

    Notes
    -----
    2021: the official scripts copy `source_test` and `target_test` into a folder `test`. The loader counts such copies
    once. The scripts also make labelled copies of the evaluation recordings, `test_rename`. The loader takes these
    copies in place of the originals, except with `ground_truth`.

    2023 to 2025 have the same development machines. The loader tells these years apart by the machines whose
    attributes are concealed. A single machine that looks alike in two years cannot be told apart. A part of 2021 or
    2022 with section 00 alone looks like a later year: load such a part with the later year.

    The names of 2020 to 2022, 2024 and 2025 were checked on the published lists of all evaluation recordings, and the
    names of 2026 on a list of all recordings. The names of supplemental recordings are known from descriptions only,
    which disagree about the order of the words. The loader therefore accepts several orders.

    Examples
    --------
    >>> from skaudio_ad.datasets import load_dcase_task2
    >>> fans = load_dcase_task2(2023, "fan")  # doctest: +SKIP
    >>> train = fans.subset(fans.metadata["split"] == "train")  # doctest: +SKIP
    """
    if not isinstance(year, numbers.Integral) or isinstance(year, bool) or year not in YEARS:
        raise ValueError(f"Unknown year {year!r}; known ones: {', '.join(map(str, YEARS))}.")
    facts, title = YEARS[year], f"DCASE {year} Task 2"
    splits = check_split(split)
    known = machines_of(year)
    wanted = check_machine(machine, known, title, _other_years)
    truth = None if ground_truth is None else read_truth(ground_truth, year)
    source = "Archives: " + ", ".join(
        f"https://zenodo.org/records/{record} ({name})"
        for record, name in zip(facts.records, ("development", "additional training", "evaluation"))
    )
    source += f"; fetch_dcase_task2({year}) downloads and unpacks the archives"
    home = find_home(data_home, _LAYOUT, source)

    names = (f"dcase{year}t2", f"dcase{year}_task2", f"dcase_task2/{year}")
    places = ("dev_data/raw", "dev_data", "eval_data/raw", "eval_data", *map(str, facts.records), "raw", "")
    folders = find_folders(home, wanted, known, title, names, places, f"{source}.")
    _check_year(year, folders, title)
    recordings = scan_folders(folders, facts.layout, prefer_renamed=truth is None)

    def part(recording):
        return "dev" if is_development(year, recording.machine, recording.name.section) else "eval"

    recordings = choose_split(recordings, splits, wanted, title, f"{source}.", part)
    if truth is not None and ground_truth is not None:
        recordings = apply_truth(recordings, truth, ground_truth)
    return to_dataset(
        recordings,
        _DESCR.format(year=year, records=facts.records, paper=facts.paper)
        + {2020: _SECTIONS_2020, 2026: _STEREO}.get(year, ""),
        dataset=np.array([part(recording) for recording in recordings]),
        kind=np.array([recording.name.kind for recording in recordings]),
    )


def _other_years(machine):
    years = years_of(machine)
    if not years:
        return ""
    calls = " or ".join(f"load_dcase_task2({year})" for year in years)
    return f" {machine} is a machine of {' and '.join(map(str, years))}: {calls} loads its recordings."


def _check_year(year, folders, title):
    """Raise an error if a folder beside the requested machines looks like another year or another set."""
    # The neighbours count, because the same machine can look alike in several years.
    looked = {path: machine for machine, path in folders}
    for parent in {Path(path).parent for path in looked}:
        looked |= {path: machine for machine, path in machine_folders(parent).items() if years_of(machine)}
    for path, machine in looked.items():
        evidence = look_at(machine, path)
        if evidence.style and year not in possible_years(evidence):
            raise ValueError(
                f"The folder does not look like {title}. {describe(evidence)}. Pass the folder of "
                f"{title} as data_home, or choose another loader. Every year needs a folder of its own."
            )
        if machine not in machines_of(year):
            raise ValueError(f"{path}: {title} has no machine {machine!r}.{_other_years(machine)}")
