"""Functions that the loaders of published recordings share: find the files, find copies, recognise other sets."""

import hashlib
import os
from collections import Counter

import numpy as np

from ._home import get_data_home

# Number of bytes to compare first. Two recordings of noise differ within the first few samples.
_START = 4096

# Layouts that `recognise` knows: the set, the loaders that read the set, and patterns of which one must match.
_LAYOUTS = (
    (
        "MIMII",
        ("load_mimii",),
        ("*_dB/*/id_[0-9][0-9]", "*_dB_*/id_[0-9][0-9]", "*_dB_*/*/id_[0-9][0-9]", "id_[0-9][0-9]/*normal"),
    ),
    ("HLS-CMDS", ("load_hls_cmds",), ("HS.csv", "csv_files/HS.csv")),
    ("ESC-50", ("load_esc50", "load_esc10"), ("meta/esc50.csv", "esc50.csv", "audio/[1-5]-*-[A-Z]-*.wav")),
    ("ESC-10", ("load_esc10",), ("001 - Dog bark",)),
    (
        "PhysioNet/CinC Challenge 2016",
        ("load_physionet2016",),
        ("training-[a-f]/REFERENCE.csv", "training/training-[a-f]/REFERENCE.csv", "REFERENCE.csv"),
    ),
    (
        "SPRSound",
        ("load_sprsound",),
        ("train*_json", "test*_json", "BioCAS20[0-9][0-9]", "Classification/*_json"),
    ),
    (
        "a set of DCASE Task 2",
        ("load_dcase_task2",),
        (
            "dev_data",
            "eval_data",
            *(
                f"{folder}/{name}"
                for folder in ("train", "*/train")
                for name in ("section_[0-9]*", "normal_id_*")
            ),
        ),
    ),
    (
        "a folder of normal and anomalous recordings",
        ("load_folder",),
        ("normal", "abnormal", "anomalous", "anomaly", "*/normal", "*/abnormal", "*/anomaly"),
    ),
)


def recognise(folder, *, loader=""):
    """Say what a folder looks like, as a sentence for the error of a loader that does not find its own files.

    Parameters
    ----------
    folder : pathlib.Path
        The folder itself is looked at, not the folders of several data sets below.
    loader : str, default=""
        Name of the function that asks. Layouts that this function reads are passed over.

    Returns
    -------
    str
        " FOLDER looks like SET, which load_NAME reads.", or "" for a folder that no pattern matches.
    """
    for name, loaders, patterns in _LAYOUTS:
        if loader not in loaders and any(next(folder.glob(pattern), None) for pattern in patterns):
            return f" {folder} looks like {name}, which {loaders[0]} reads."
    return ""


def several(paths, *, shown=3):
    """Name the first few of many paths, for an error."""
    names = ", ".join(map(str, paths[:shown]))
    return names + (f" and {len(paths) - shown} more" if len(paths) > shown else "")


def find_home(data_home, layout, source):
    """Call `get_data_home`. The error also says which files the loader needs and where to get these files."""
    try:
        return get_data_home(data_home=data_home)
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{error} Looked for {layout}. {source}.") from None


def content_groups(paths):
    """Number the distinct contents by first appearance. Returns one number per file, int64 of shape (n_files,)."""
    # Read whole files only where size and start agree, because MIMII has 14 GB of recordings of a single machine.
    starts = [_start(path) for path in paths]
    counts = Counter(starts)
    contents = [start if counts[start] == 1 else _digest(path) for path, start in zip(paths, starts)]
    return numbered(contents)


def numbered(labels):
    """Number labels by first appearance. Returns one number per label, int64 of shape (n_labels,)."""
    numbers: dict = {}
    return np.array([numbers.setdefault(label, len(numbers)) for label in labels], dtype=np.int64)


def _start(path):
    with open(path, "rb") as file:
        return os.path.getsize(path), hashlib.sha256(file.read(_START)).digest()


def _digest(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").digest()
