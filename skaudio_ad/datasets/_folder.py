"""Loader of the user's own recordings: folders named normal and abnormal, or a table."""

import os
import re
import warnings
from pathlib import Path

import numpy as np

from .._path_groups import FOLDER, groups_from_paths
from .._typing import PathLike
from ..audio import find_audio_files
from ._dataset import COLUMNS, AudioDataset
from ._files import recognise, several
from ._tables import read_header, read_table

_LABELS = {
    **dict.fromkeys(("normal", "good", "ok", "healthy"), 1),
    **dict.fromkeys(("abnormal", "anomalous", "anomaly", "anomalies", "faulty", "bad", "ng"), -1),
    **dict.fromkeys(("unknown", "unlabelled", "unlabeled"), 0),
}
_SPLITS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("test", "testing"), "test"),
    **dict.fromkeys(("validation", "valid", "val"), "validation"),
}
# A table of pandas writes 1.0 where other rows of the column are empty.
_NUMBERS = {"1": 1, "1.0": 1, "-1": -1, "-1.0": -1, "0": 0, "0.0": 0, "": 0}
_REMEDY = "Correct the table."


def load_folder(path: PathLike, *, labels: PathLike | None = None, groups: str | None = None) -> AudioDataset:
    """Load your own recordings from a folder, with labels from the names of the folders or from a table.

    Parameters
    ----------
    path : str or path-like
        Folder with the recordings, in folders of any depth. The recordings are the files that
        :func:`~skaudio_ad.audio.find_audio_files` lists.
    labels : str or path-like, default=None
        Table of the recordings (csv file in UTF-8 with commas). None takes the labels from the names of the folders.
        The first line has the names of the columns:

        ===========================================  ==========================================================
        column                                       value
        ===========================================  ==========================================================
        `path` or `file`                             path of the recording, relative to the folder of the table
        `label`                                      a name of the table in Notes; 1, -1; nothing if unknown
        `machine`, `section`, `domain`,              text, optional
        `attributes`, `split`
        `group`                                      what belongs together, such as a patient, optional
        any other column                             text, which becomes a column of `metadata`
        ===========================================  ==========================================================

    groups : str or None, default=None
        Where the group of a recording is found if there is no table. "folder" is the folder without the names of labels
        and splits. Any other value is a regular expression with one group in parentheses, which is searched in the name
        of the file: ``"^(patient[0-9]+)_"``. None keeps only equal files together.

    Returns
    -------
    AudioDataset
        paths : list of str of length n_clips
            Paths of the recordings: sorted, or in the order of the table.
        target : ndarray of shape (n_clips,), int64
            1 is normal, -1 is anomalous, 0 is unknown.
        groups : ndarray of shape (n_clips,), int64
            Recordings of one group, and files with equal bytes, have the same number.
        metadata : dict of ndarray of shape (n_clips,), str
            `split` is "train", "test" or "validation" by the names of the folders, or that of the table. Without a
            table, `folder` is the folder below `path` without the names of labels and splits. With a table, its
            columns.
        DESCR : str
            The folder and the table.

    Raises
    ------
    FileNotFoundError
        If the folder or the table does not exist, if the folder holds no recording, or if recordings of the table are
        missing.
    ValueError
        If a folder gives no label or two labels, or if the table lacks a column, has an unknown label, or has a
        recording twice. The error names files or lines. If `groups` is no valid expression, does not match a name, or
        puts all recordings into one group.

    Warns
    -----
    UserWarning
        If the folder has recordings that the table does not list, or if there is no table and folders are links. The
        loader leaves out these recordings, and does not enter these folders.

    See Also
    --------
    AudioDataset : The type that all loaders return.
    skaudio_ad.audio.find_audio_files : List recordings that have no labels.

    Notes
    -----
    These names of folders are known, in upper or lower case:

    ============================================================================  ============
    name                                                                          meaning
    ============================================================================  ============
    normal, good, ok, healthy                                                     1
    abnormal, anomalous, anomaly, anomalies, faulty, bad, ng                      -1
    unknown, unlabelled, unlabeled                                                0
    train, training                                                               split "train"
    test, testing                                                                 split "test"
    validation, valid, val                                                        split "validation"
    ============================================================================  ============

    Labels and splits may be in folders of their own (`train/normal`, `normal/train`) or in one name (`train_normal`,
    `test-anomaly`). Other folders are allowed anywhere. The number 0 as a label is refused in a table without -1,
    because in many tables 0 is normal and 1 is anomalous.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from skaudio_ad.datasets import load_folder
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for name in ("train/normal/pump 1", "test/normal/pump 2", "test/abnormal/pump 2"):
    ...         (Path(folder) / name).mkdir(parents=True)
    ...         (Path(folder) / name / "a.wav").touch()
    ...     sounds = load_folder(folder, groups="folder")
    >>> sounds
    AudioDataset(3 recordings: 2 normal, 1 anomalous, 0 unknown; split: test, train)
    >>> sounds.metadata["folder"].tolist()
    ['pump 2', 'pump 2', 'pump 1']
    """
    folder = Path(path).expanduser()
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder}: no such folder.")
    if labels is None:
        return _by_folders(folder, groups)
    if groups is not None:
        raise ValueError("groups must be None if labels names a table. Add a column group to the table.")
    return _by_table(folder, Path(labels).expanduser())


def _by_folders(folder, groups):
    paths = find_audio_files(folder)
    links = [os.path.join(place, name) for place, names, _ in os.walk(folder) for name in names]
    links = sorted(path for path in links if os.path.islink(path))
    if links:
        warnings.warn(
            f"{len(links)} folders in {folder} are links, which are not entered: {several(links)}. Replace each link "
            "by a folder, or list the recordings in a table.",
            stacklevel=3,
        )
    meanings: dict = {}
    for place in {os.path.dirname(path) for path in paths}:
        meanings[place] = _meaning(Path(place).relative_to(folder).parts)
    rows = [meanings[os.path.dirname(path)] for path in paths]
    for kind, problem in (
        ("nothing", "are in no folder whose name says whether they are normal"),
        ("several", "are in folders whose names contradict one another"),
    ):
        wrong = [path for path, row in zip(paths, rows) if row[0] == kind]
        if wrong:
            raise ValueError(
                f"{len(wrong)} of {len(paths)} recordings in {folder} {problem}: {several(wrong)}. The folders below "
                f"{folder} must have one of the names {', '.join(_LABELS)}, and perhaps one of {', '.join(_SPLITS)}. "
                "Rename the folders, move the files, or pass a table as labels."
                f"{recognise(folder, loader='load_folder')}"
            )
    places = [place for _, _, place in rows]
    units = None if groups is None else _groups(groups, paths, places)
    return AudioDataset(
        paths,
        [label for label, _, _ in rows],
        {"split": np.array([split for _, split, _ in rows]), "folder": np.array(places)},
        f"Recordings in {folder}, labelled by the names of their folders.",
        units=units,
    )


def _groups(groups, paths, places):
    if groups != FOLDER:
        try:
            return groups_from_paths(groups, paths)
        except ValueError as error:
            raise ValueError(f"groups {error}") from None
    if len(set(places)) < 2:
        raise ValueError(
            f'groups="folder" finds one folder for all {len(paths)} recordings, {places[0]!r}. Put the recordings of '
            "each machine or patient into a folder of its own, or pass a regular expression for the names of the files."
        )
    return places


def _meaning(parts):
    """Return label, split and remaining folders that the names of folders give."""
    labels, splits, others = set(), set(), []
    for part in parts:
        words = re.split(r"[_\-. ]+", part.lower())
        if all(word in _LABELS or word in _SPLITS for word in words):
            labels |= {_LABELS[word] for word in words if word in _LABELS}
            splits |= {_SPLITS[word] for word in words if word in _SPLITS}
        else:
            others.append(part)
    if len(labels) > 1 or len(splits) > 1:
        return "several", "", ""
    return (labels.pop() if labels else "nothing"), (splits.pop() if splits else ""), "/".join(others)


def _by_table(folder, table):
    if not table.is_file():
        raise FileNotFoundError(f"{table}: no such table of labels.")
    header = [name.lower() for name in read_header(table)]
    key = "file" if "file" in header and "path" not in header else "path"
    rows = read_table(table, (key, "label"), blank=("label",), optional=None, lower=True, remedy=_REMEDY)
    if not rows:
        raise ValueError(f"{table}: the table must list at least one recording. {_REMEDY}")
    lines: dict = {}
    for line, row in rows:
        path = os.path.normpath(table.parent / row[key])
        if path in lines:
            raise ValueError(f"{table}, lines {lines[path]} and {line}: {row[key]} is there twice. {_REMEDY}")
        lines[path] = line
    absent = [f"{path} (line {line})" for path, line in lines.items() if not os.path.isfile(path)]
    if absent:
        raise FileNotFoundError(
            f"{table} lists {len(absent)} recordings that do not exist: {several(absent)}. Relative paths begin at the "
            f"folder of the table. {_REMEDY}"
        )
    names = [name for name in rows[0][1] if name not in (key, "label", "group")]
    if "target" in names:
        raise ValueError(f"{table}: a column of metadata cannot be called target. Rename the column.")
    target, units = _table_labels(table, rows), _table_groups(table, rows)
    _warn_of_unlisted(folder, table, lines)
    return AudioDataset(
        list(lines),
        target,
        {name: np.array([row[name] for _, row in rows]) for name in sorted(names, key=_place)},
        f"Recordings in {folder}, labelled by {table}.",
        units=units,
    )


def _place(name):
    return COLUMNS.index(name) if name in COLUMNS else len(COLUMNS)


def _table_labels(table, rows):
    known = _LABELS | _NUMBERS
    texts = [row["label"].lower() for _, row in rows]
    for (line, row), text in zip(rows, texts):
        if text not in known:
            raise ValueError(
                f"{table}, line {line}: label must be one of {', '.join(_LABELS)}, 1 (normal), -1 (anomalous) or "
                f"nothing, got {row['label']!r}. {_REMEDY}"
            )
        if text in ("0", "0.0") and not {"-1", "-1.0"} & set(texts):
            raise ValueError(
                f"{table}, line {line}: label 0 can be read in two ways, because in many tables 0 is normal and 1 is "
                "anomalous. Write normal and anomalous, and unknown where the label is unknown."
            )
    return [known[text] for text in texts]


def _table_groups(table, rows):
    if "group" not in rows[0][1]:
        return None
    for line, row in rows:
        if not row["group"]:
            raise ValueError(f"{table}, line {line}: every recording must have a group, or none. {_REMEDY}")
    return [row["group"] for _, row in rows]


def _warn_of_unlisted(folder, table, listed):
    try:
        found = find_audio_files(folder)
    except FileNotFoundError:
        return  # all recordings of the table are elsewhere
    known = {os.path.abspath(path) for path in listed}
    unlisted = [path for path in found if os.path.abspath(path) not in known]
    if unlisted:
        warnings.warn(
            f"{table} does not list {len(unlisted)} recordings in {folder}: {several(unlisted)}. These recordings are "
            "left out.",
            stacklevel=4,
        )
