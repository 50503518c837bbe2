"""Checksums of files: comparison with the published checksum, or with the record of the first use."""

import contextlib
import hashlib
import json
import os
from functools import lru_cache
from pathlib import Path

from ._atomic import atomic_path
from ._typing import PathLike


class WeightsError(OSError):
    """Weights are missing, or cannot be downloaded, read or trusted. The message says what to do."""


def weights_digest(path: PathLike) -> str:
    """Return the checksum of a file.

    The checksum comes from the record or from memory if size and time of the file are unchanged.

    Parameters
    ----------
    path : str or path-like

    Returns
    -------
    str
        SHA-256, 64 hexadecimal digits.

    Raises
    ------
    WeightsError
        If ``NAME.json`` beside the file is not a record.
    """
    path = Path(path)
    record = _read_record(path)
    if record is not None and record == {**record, **_state(path)}:
        return record["sha256"]
    return content_digest(path)


def content_digest(path):
    """Return the SHA-256 of the current content of a file, without its record.

    A process reads a file once per size and time.

    Parameters
    ----------
    path : str or path-like

    Returns
    -------
    str
    """
    path = Path(path)
    return _hash(path, **_state(path))


@lru_cache(maxsize=64)
def _hash(path, size, mtime_ns):
    """Compute the checksum of a file once per process and content, because 330 MB take 0.2 s."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest_problem(digest, path, weights):
    """Return the problem of the content of a file, or None.

    Parameters
    ----------
    digest : str
        SHA-256 of the file.
    path : pathlib.Path
        Present or future path of the file. A record may exist from an earlier use.
    weights : WeightsFile
        Description of the file, with the attributes ``sha256`` and ``first_bytes``.

    Returns
    -------
    str or None
    """
    if weights.sha256 is not None:
        known, origin = weights.sha256, "published"
    elif (record := _read_record(path)) is not None:
        known = record["sha256"]
        origin = (
            f"recorded at its first use in {_record_path(path)}; delete the record if the change was intended"
        )
    else:
        return None
    return None if digest == known else f"its sha256 is {digest}, expected {known} ({origin})"


def verify(path, weights):
    """Raise unless a file has the expected content. Record its checksum if the folder is writable.

    A file that is part of an installed package gets no record, because the package says its checksum.

    If a SHA-256 is published, each process reads the file once and compares the checksums. A record is not enough then,
    because a person who changes the file can also change its record.

    Parameters
    ----------
    path : pathlib.Path
    weights : WeightsFile
        Description of the file, with the attributes ``sha256``, ``first_bytes`` and ``folder``.

    Raises
    ------
    WeightsError
        If the checksum differs from the published or recorded checksum, or if the file has other first bytes than
        expected.
    """
    digest = weights_digest(path) if weights.sha256 is None else content_digest(path)
    problem = digest_problem(digest, path, weights) or _head_problem(path, weights.first_bytes)
    if problem is not None:
        raise WeightsError(f"{path}: damaged, or not the expected file: {problem}. {_remedy(path, weights)}")
    if is_packaged(path, weights):
        return
    record, known = {"sha256": digest, **_state(path)}, None
    with contextlib.suppress(
        WeightsError
    ):  # a damaged record is replaced, because the file is the published one
        known = _read_record(path)
    if record != known and may_write(path.parent):
        with atomic_path(_record_path(path)) as temporary:
            Path(temporary).write_text(json.dumps(record) + "\n", encoding="utf-8")


def is_packaged(path, weights):
    """Return whether a file of weights is part of an installed package."""
    return weights.folder is not None and path.parent == Path(weights.folder)


def reinstall(weights):
    """Return the sentence that says how to get a file of an installed package back."""
    if Path(__file__).parent in Path(weights.folder).parents:
        return "Reinstall skaudio_ad: pip install --force-reinstall --no-deps skaudio_ad."
    return "Reinstall the package that the file belongs to."


def _remedy(path, weights):
    if is_packaged(path, weights):
        return reinstall(weights)
    return "Delete the file, and it is downloaded again."


def may_write(folder):
    """Return whether a folder exists and is writable by its mode. Root may write anywhere, but should not."""
    return folder.is_dir() and os.access(folder, os.W_OK) and bool(folder.stat().st_mode & 0o222)


def _head_problem(path, first_bytes):
    with open(path, "rb") as file:
        head = file.read(max(map(len, first_bytes), default=0))
    if first_bytes and not head.startswith(first_bytes):
        return f"it begins with {head!r}, like a web page that was saved by mistake"
    return None


def _record_path(path):
    return path.with_name(path.name + ".json")


def _state(path):
    stat = path.stat()
    return {"size": stat.st_size, "mtime_ns": stat.st_mtime_ns}


def _read_record(path):
    """Return SHA-256, size and time of an earlier use, or None."""
    try:
        record = json.loads(_record_path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError:
        record = None
    if not isinstance(record, dict) or "sha256" not in record:
        raise WeightsError(f"{_record_path(path)}: not a record of a checksum. Delete this file.")
    return record
