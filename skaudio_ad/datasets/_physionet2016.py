"""Loader of the heart sounds of the PhysioNet/CinC Challenge 2016."""

import csv
import re
import warnings
from collections.abc import Sequence
from typing import Literal

import numpy as np

from .._typing import PathLike
from ._dataset import AudioDataset
from ._files import find_home, recognise, several
from ._tables import read_header, read_table

_DATABASES = ("a", "b", "c", "d", "e", "f")
# The first letter of a recording is the letter of its database.
_NAME = re.compile(r"([a-f])\d{4,5}")
# Columns that tell a manifest of this data set from those of other sets.
_MANIFEST = {"path", "database", "label"}

_LAYOUT = (
    "the folders training-a to training-f, each with wav files and the table REFERENCE.csv, or a table manifest.csv "
    "with the columns path, database, label (1 normal, -1 abnormal) and split"
)
_SOURCE = (
    "The heart sounds of the PhysioNet/CinC Challenge 2016 by C. Liu et al. are published under ODC-By 1.0 at "
    "https://physionet.org/content/challenge-2016/1.0.0/ (training.zip); fetch_physionet2016 downloads "
    "and unpacks the archives"
)

_DESCR = """\
PhysioNet/CinC Challenge 2016: heart sounds of healthy persons and of patients, recorded at one place on the chest.

3240 recordings of 5 s to about 120 s at 2 kHz, mono, of six databases from several clinics and countries:

Database   Normal   Abnormal
a             117        292
b             386        104
c               7         24
d              27         28
e            1958        183
f              80         34

Evaluate inside one database. Each database has its own stethoscope and its own share of abnormal recordings, so that
across databases the stethoscope tells the label.

A person gave one to six recordings. The published files do not say which recordings are of one person, so `groups`
keep together only equal files. Results on a random split may therefore be too good.

The challenge kept its test recordings. The loader sets no split, except that of a manifest.

C. Liu, D. Springer, Q. Li et al., "An open access database for the evaluation of heart sound algorithms",
Physiological Measurement 37(12), 2181-2213, 2016, https://doi.org/10.1088/0967-3334/37/12/2181. Published by
PhysioNet under ODC-By 1.0.
"""


def load_physionet2016(
    database: str | Sequence[str] | None = None,
    *,
    part: Literal["training", "validation"] = "training",
    data_home: PathLike | None = None,
) -> AudioDataset:
    """Load the heart sounds of the PhysioNet/CinC Challenge 2016 from a folder.

    ==================   ===========================================
    Recordings           3240 in six databases, "a" to "f"
    Normal               2575
    Recording            5 s to about 120 s at 2 kHz, mono
    ==================   ===========================================

    Parameters
    ----------
    database : {"a", "b", "c", "d", "e", "f"}, list of these, or None, default=None
        Databases to load. None loads all databases that are in the folder. Evaluate inside one database, because across
        databases the stethoscope tells the label.
    part : {"training", "validation"}, default="training"
        "validation" loads the folder `validation` instead of the folders `training-a` to `training-f`. That folder has
        copies of some training recordings. Therefore never train on one part and test on the other.
    data_home : str or path-like, default=None
        Folder that contains the data set: directly, below `physionet2016`, or in the folder of the publisher's archive
        (`classification-of-heart-sound-recordings-...`). None uses the environment variable `SKAUDIO_AD_DATA`. The
        folder `training-a` may be inside a folder `training`. A folder with a table `manifest.csv`, which has the
        columns path, database, label (1 normal, -1 abnormal) and perhaps split, is read by this table.

    Returns
    -------
    AudioDataset
        paths : list of str of length n_clips
            Paths of the recordings, in the order of the tables, database by database.
        target : ndarray of shape (n_clips,), int64
            1 is normal, -1 is abnormal. The publisher's tables have the opposite sign: 1 is abnormal.
        groups : ndarray of shape (n_clips,), int64
            Number of the content of every file. The published files do not tell the persons.
        metadata : dict of ndarray of shape (n_clips,)
            `section` (str) is the database. `recording` (str) is the name of the file without its extension. `quality`
            (int64) is the publisher's signal quality: 1 is good, 0 is unsure, and -1 means that there is no table
            REFERENCE-SQI.csv. `split` (str) is that of the manifest, else "".
        DESCR : str
            Description, licence and citation.

    Raises
    ------
    FileNotFoundError
        If the folder, a requested database, or recordings that a table lists are missing.
    ValueError
        If a database is unknown, or if a row of a table is not valid, is there twice, or belongs to another database.

    Warns
    -----
    UserWarning
        If a folder has recordings that its table does not list. The loader leaves out these recordings.

    See Also
    --------
    load_hls_cmds : Heart and lung sounds of a manikin.
    load_sprsound : Respiratory sounds of children.

    References
    ----------
    .. [1] C. Liu, D. Springer, Q. Li et al., "An open access database for the evaluation of heart sound algorithms",
       Physiological Measurement 37(12), 2181-2213, 2016, https://doi.org/10.1088/0967-3334/37/12/2181.

    Examples
    --------
    >>> from skaudio_ad.datasets import load_physionet2016
    >>> heart = load_physionet2016("a")  # doctest: +SKIP
    >>> len(heart.paths), int((heart.target == 1).sum())  # doctest: +SKIP
    (409, 117)
    """
    wanted = _check_databases(database)
    if part not in ("training", "validation"):
        raise ValueError(f"Unknown part {part!r}; known ones: training, validation.")
    home = find_home(data_home, _LAYOUT, _SOURCE)
    archives = sorted(home.glob("classification-of-heart-sound-recordings*"))
    roots = [root for root in (home / "physionet2016", *archives, home) if root.is_dir()]
    clips = _find(roots, part)
    if not clips:
        raise FileNotFoundError(
            f"The {part} set of the PhysioNet/CinC Challenge 2016 is {_LAYOUT}. It is not in "
            f"{' or '.join(map(str, roots))}. Unpack the publisher's archive there, or pass another data_home."
            f"{recognise(home, loader='load_physionet2016')} {_SOURCE}."
        )
    there = sorted({clip["section"] for clip in clips})
    missing = [letter for letter in wanted or () if letter not in there]
    if missing:
        raise FileNotFoundError(
            f"{clips[0]['root']} has no database {', '.join(missing)}. It has {', '.join(there)}. Unpack the archive "
            "again, or name other databases."
        )
    chosen = [clip for clip in clips if wanted is None or clip["section"] in wanted]
    return AudioDataset(
        paths=[str(clip["path"]) for clip in chosen],
        target=[clip["label"] for clip in chosen],
        metadata={
            "section": np.array([clip["section"] for clip in chosen]),
            "split": np.array([clip["split"] for clip in chosen]),
            "recording": np.array([clip["path"].stem for clip in chosen]),
            "quality": np.array([clip["quality"] for clip in chosen], dtype=np.int64),
        },
        DESCR=_DESCR,
    )


def _check_databases(database):
    if database is None:
        return None
    listed = [database] if isinstance(database, str) or not np.iterable(database) else list(database)
    unknown = [letter for letter in listed if letter not in _DATABASES]
    if unknown or not listed:
        raise ValueError(
            f"database must be one or several of {', '.join(_DATABASES)}, or None, got {database!r}."
        )
    return sorted(set(listed))


def _find(roots, part):
    """Return the clips of the first root that has any."""
    for root in roots:
        manifest = root / "manifest.csv"
        if part == "training" and manifest.is_file() and set(read_header(manifest)) >= _MANIFEST:
            return _read_manifest(root, manifest)
        clips = []
        for name in [f"training-{letter}" for letter in _DATABASES] if part == "training" else ["validation"]:
            folders = [root / name, root / part / name]
            tables = [folder / "REFERENCE.csv" for folder in folders if (folder / "REFERENCE.csv").is_file()]
            if len(tables) > 1:
                raise ValueError(f"{name} must exist once, got {several(tables)}. Remove the spare copy.")
            clips += [clip for table in tables for clip in _read_folder(root, table)]
        if clips:
            return sorted(clips, key=lambda clip: clip["section"])  # the order inside a database stays
    return []


def _read_folder(root, table):
    """Return the clips of a folder of the publisher."""
    folder = table.parent
    database = folder.name.removeprefix("training-")
    qualities = {
        name: int(rest[1])
        for name, *rest in _read_rows(folder / "REFERENCE-SQI.csv", ("1", "-1"), ("0", "1"))
    }
    files = {path.stem: path for path in sorted(folder.glob("*.wav")) if not path.name.startswith(".")}
    clips = {}
    for name, label in _read_rows(table, ("1", "-1")):
        if database in _DATABASES and name[0] != database:
            raise ValueError(
                f"{table}: {name} is not of database {database}. Get the table from the publisher again."
            )
        clips[name] = {
            "root": root,
            "path": files.get(name),
            "section": name[0],
            "label": -int(label),  # in the publisher's table 1 is abnormal
            "split": "",
            "quality": qualities.get(name, -1),
        }
    _check_files(table, [f"{name}.wav" for name in clips if name not in files])
    unlisted = [path.name for name, path in files.items() if name not in clips]
    if unlisted:
        warnings.warn(
            f"{table} does not list {len(unlisted)} recordings. The first is {unlisted[0]}. These recordings are left "
            "out.",
            stacklevel=4,
        )
    return list(clips.values())


def _read_rows(table, *choices):
    """Return the rows of a table without names of columns: the recording, then one of the choices in each column."""
    if not table.is_file():
        return []
    # A damaged character becomes a line that is refused below, with its number.
    with open(table, encoding="utf-8-sig", errors="replace", newline="") as file:
        rows = [[value.strip() for value in row] for row in csv.reader(file)]
    names = set()
    for line, row in enumerate(rows, start=1):
        known = len(row) == 1 + len(choices) and all(
            value in choice for value, choice in zip(row[1:], choices)
        )
        if row and (not known or not _NAME.fullmatch(row[0]) or row[0] in names):
            rule = " and ".join(" or ".join(choice) for choice in choices)
            raise ValueError(
                f"{table}, line {line}: a line must be the name of a recording, such as a0001, which is not there "
                f"twice, and {rule}, got {','.join(row)!r}. Get the table from the publisher again."
            )
        names.update(row[:1])
    return [row for row in rows if row]


def _read_manifest(root, table):
    """Return the clips of a folder with a manifest."""
    clips = {}
    for line, row in read_table(table, ("path", "database", "label"), optional=("split",)):
        path = root / row["path"]
        if row["database"] not in _DATABASES or row["label"] not in ("1", "-1") or path in clips:
            raise ValueError(
                f"{table}, line {line}: database must be a to f, label 1 (normal) or -1 (abnormal), and path must not "
                f"be there twice, got {', '.join(row.values())}. Correct the line."
            )
        clips[path] = {
            "root": root,
            "path": path,
            "section": row["database"],
            "label": int(row["label"]),
            "split": row.get("split", ""),
            "quality": -1,
        }
    _check_files(table, [path for path in clips if not path.is_file()])
    return list(clips.values())


def _check_files(table, absent):
    if absent:
        raise FileNotFoundError(
            f"{table} lists {len(absent)} recordings that are not there: {several(absent)}. Unpack the archive again."
        )
