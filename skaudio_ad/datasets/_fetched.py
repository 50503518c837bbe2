"""What was fetched earlier: records beside the archives, so that a second call needs no connection."""

import json
import os
from dataclasses import asdict
from pathlib import Path

from .._atomic import atomic_path
from ._publishers import PublishedFile


def is_unpacked(archive, destination, store):
    """Return whether an archive was unpacked, and its folders still have as many files.

    Parameters
    ----------
    archive : Archive
    destination : pathlib.Path
        Folder of the data set.
    store : pathlib.Path
        Folder of the archives and the records.

    Returns
    -------
    bool
    """
    try:
        folders = json.loads(_record(store, archive).read_text(encoding="utf-8"))["folders"]
        return all(len(os.listdir(destination / folder)) >= n for folder, n in folders.items())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def write_record(archive, file, folders, store):
    """Remember that an archive was unpacked.

    Parameters
    ----------
    archive : Archive
    file : PublishedFile
    folders : dict of str to int
        Number of files of each folder, relative to the folder of the data set.
    store : pathlib.Path
        Folder of the archives and the records.
    """
    _write_json(_record(store, archive), {"url": file.url, "checksum": file.checksum, "folders": folders})


def read_listing(store, publisher):
    """Return the stored list of files of a publisher, a dict of name to PublishedFile, or None.

    Parameters
    ----------
    store : pathlib.Path
    publisher : ZenodoRecord, PhysioNetProject or GitHubCommit

    Returns
    -------
    dict of str to PublishedFile, or None
    """
    try:
        rows = json.loads(_listing(store, publisher).read_text(encoding="utf-8"))
        return {row["name"]: PublishedFile(**row) for row in rows}
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write_listing(store, publisher, files):
    """Store the list of files of a publisher.

    Parameters
    ----------
    store : pathlib.Path
    publisher : ZenodoRecord, PhysioNetProject or GitHubCommit
    files : iterable of PublishedFile
    """
    _write_json(_listing(store, publisher), [asdict(file) for file in files])


def _record(store, archive):
    return store / f"{archive.name}.unpacked.json"


def _listing(store, publisher):
    return store / f"{publisher.key}.files.json"


def _write_json(path, value):
    with atomic_path(path) as temporary:
        Path(temporary).write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")
