"""Loader of ToyADMOS2, sounds of toy cars and toy trains."""

from collections.abc import Sequence
from typing import Literal

from .._typing import PathLike
from ._dataset import AudioDataset
from ._files import find_home
from ._machine_folders import describe, look_at
from ._section_sets import check_machine, check_split, choose_split, find_folders, scan_folders, to_dataset

_TITLE = "ToyADMOS2"
_MACHINES = ("ToyCar", "ToyTrain")
_SPLITS = ("train", "test")
_LAYOUT = "folders such as ToyCar/train, ToyCar/source_test and ToyCar/target_test with wav files"
_SOURCE = (
    "The recordings of ToyADMOS2 are published by NTT at https://zenodo.org/records/4580270, and fetch_toyadmos2 "
    "downloads the archives. The recordings are source material: the mixer at "
    "https://github.com/nttcslab/ToyADMOS2-dataset makes a data set from them, for example "
    "'python mixer.py ToyADMOS2 toyadmos2 recipe_benchmark.xlsx 6'"
)

_DESCR = """\
ToyADMOS2: sounds of toy cars and toy trains, normal and deliberately damaged, mixed with the noise of factories.

The published recordings are source material. The mixer of the publisher makes a data set from them, as its recipe
says: which conditions, microphones, noise and how many recordings, and at which signal-to-noise ratio. The folders and
names are those of DCASE 2021 Task 2. In the recipe of the paper a section is one condition, and attributes such as
"B1s1aL" name the model (B1), the speed (s1), and of an anomalous recording the defect (a) and its level (L).

N. Harada, D. Niizumi, D. Takeuchi, Y. Ohishi, M. Yasuda and S. Saito, "ToyADMOS2: Another Dataset of Miniature-Machine
Operating Sounds for Anomalous Sound Detection under Domain Shift Conditions", DCASE Workshop, 2021,
https://arxiv.org/abs/2106.02369. The licence is given in the repository of the mixer.
"""


def load_toyadmos2(
    machine: str | Sequence[str] | None = None,
    *,
    split: Literal["train", "test"] | None = None,
    data_home: PathLike | None = None,
) -> AudioDataset:
    """Load a data set that the mixer of ToyADMOS2 has made, sounds of toy cars and toy trains, from a folder.

    Parameters
    ----------
    machine : {"ToyCar", "ToyTrain"} or list of str or None, default=None
        Names of the machines. None loads all machines that are there.
    split : {"train", "test"} or None, default=None
        Part of the recordings to load. None loads both parts.
    data_home : str or path-like, default=None
        Folder that contains the data set, directly or below `toyadmos2`. None uses the environment variable
        `SKAUDIO_AD_DATA`. The folder is the second argument of the mixer.

    Returns
    -------
    AudioDataset
        paths : list of str of length n_clips
            Paths of the wav files, sorted by machine, split and name.
        target : ndarray of shape (n_clips,), int64
            1 is normal, -1 is anomalous.
        groups : ndarray of shape (n_clips,), int64
            Number of the content of every file. Files with equal bytes have the same number.
        metadata : dict of ndarray of shape (n_clips,), str
            `machine`, `section` (such as "00"), `domain` ("source" or "target"), `attributes` (such as "B1s1aL", as
            in the recipe), `split` and `file` (name).
        DESCR : str
            Description and citation.

    Raises
    ------
    FileNotFoundError
        If the folder, a requested machine or its recordings of `split` are missing, or if the folder holds the source
        material.
    ValueError
        If `machine` or `split` is unknown, a folder looks like DCASE Task 2, or a file is not named like those of the
        mixer.

    See Also
    --------
    load_dcase_task2 : DCASE Task 2, which has recordings of ToyADMOS2 since 2021.

    Notes
    -----
    The names were checked on the three recipes in the repository of the mixer. A test set may be missing, because a
    recipe need not make one.

    References
    ----------
    .. [1] N. Harada et al., "ToyADMOS2: Another Dataset of Miniature-Machine Operating Sounds for Anomalous Sound
       Detection under Domain Shift Conditions", DCASE Workshop, 2021, https://arxiv.org/abs/2106.02369.

    Examples
    --------
    >>> from skaudio_ad.datasets import load_toyadmos2
    >>> cars = load_toyadmos2("ToyCar")  # doctest: +SKIP
    """
    splits = check_split(split, _SPLITS)
    wanted = check_machine(machine, _MACHINES, _TITLE, lambda name: "")
    home = find_home(data_home, _LAYOUT, _SOURCE)
    for folder in (home / "toyadmos2", home):
        if (folder / "stat.csv").is_file():
            raise FileNotFoundError(
                f"{folder} holds the source material of ToyADMOS2 (there is stat.csv). Mix a data set. {_SOURCE}."
            )
    folders = find_folders(home, wanted, _MACHINES, _TITLE, ("toyadmos2",), ("",), f"{_SOURCE}.")
    for name, path in folders:
        evidence = look_at(name, path)
        if evidence.style not in ("mixed", "") or name not in _MACHINES:
            raise ValueError(
                f"The folder does not look like {_TITLE}. {describe(evidence)}. Pass the folder of "
                f"{_TITLE} as data_home, or choose another loader."
            )
    recordings = scan_folders(folders, "mixed")
    return to_dataset(
        choose_split(recordings, splits, wanted, _TITLE, f"{_SOURCE}.", lambda recording: "eval"), _DESCR
    )
