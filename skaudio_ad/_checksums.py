"""Whether a file of weights is what it should be, and the record of what it was at its first use."""

import contextlib
import hashlib
import json
import os
from functools import lru_cache
from pathlib import Path

from ._atomic import atomic_path


class WeightsError(OSError):
    """Weights that are not there, cannot be downloaded, read or trusted; the message says what to do."""


def weights_digest(path):
    """Checksum of a file, taken from its record, or from memory, where the file has kept its size and time since.

    Parameters
    ----------
    path : str or path-like

    Returns
    -------
    str
        sha256, 64 hexadecimal digits.

    Raises
    ------
    WeightsError
        If the file beside it, ``NAME.json``, is no record.
    """
    path = Path(path)
    record = _read_record(path)
    if record is not None and record == {**record, **_state(path)}:
        return record["sha256"]
    return content_digest(path)


def content_digest(path):
    """sha256 of a file as it is now, whatever its record says; read once a process for every size and time.

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
    """Checksum of a file, which takes 0.2 s for a third of a gigabyte, once a process for every content."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest_problem(digest, path, weights):
    """What is wrong with the content of a file, or None.

    Parameters
    ----------
    digest : str
        Its sha256.
    path : pathlib.Path
        Where the file is, or will be: a record may be there from before.
    weights : WeightsFile

    Returns
    -------
    str or None
    """
    if weights.sha256 is not None:
        known, origin = weights.sha256, "published"
    elif (record := _read_record(path)) is not None:
        known = record["sha256"]
        origin = f"recorded at its first use in {_record_path(path)}; delete that if the change was meant"
    else:
        return None
    return None if digest == known else f"its sha256 is {digest}, expected {known} ({origin})"


def verify(path, weights):
    """Raise unless a file is what it should be; record its checksum where it may be recorded.

    Where a sha256 is published, the file is read once a process and compared with it: whoever can change the file
    can write a record beside it, too.

    Parameters
    ----------
    path : pathlib.Path
    weights : WeightsFile

    Raises
    ------
    WeightsError
        If the checksum is another one than published or recorded; or, where there is none, if the file does
        not begin as it should.
    """
    digest = weights_digest(path) if weights.sha256 is None else content_digest(path)
    problem = digest_problem(digest, path, weights) or _head_problem(path, weights.first_bytes)
    if problem is not None:
        raise WeightsError(
            f"{path}: damaged, or not the file that it should be: {problem}. Delete it, and it is downloaded again."
        )
    record, known = {"sha256": digest, **_state(path)}, None
    with contextlib.suppress(WeightsError):  # a damaged record of a file that is what was published
        known = _read_record(path)
    if record != known and may_write(path.parent):
        with atomic_path(_record_path(path)) as temporary:
            Path(temporary).write_text(json.dumps(record) + "\n", encoding="utf-8")


def may_write(folder):
    """Whether a folder is there and meant to be written to: root may write anywhere, and should not."""
    return folder.is_dir() and os.access(folder, os.W_OK) and bool(folder.stat().st_mode & 0o222)


def _head_problem(path, first_bytes):
    with open(path, "rb") as file:
        head = file.read(max(map(len, first_bytes), default=0))
    if first_bytes and not head.startswith(first_bytes):
        return f"it begins with {head!r}, as a web page that was saved by mistake may"
    return None


def _record_path(path):
    return path.with_name(path.name + ".json")


def _state(path):
    stat = path.stat()
    return {"size": stat.st_size, "mtime_ns": stat.st_mtime_ns}


def _read_record(path):
    """The sha256, size and time that an earlier use found, or None."""
    try:
        record = json.loads(_record_path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError:
        record = None
    if not isinstance(record, dict) or "sha256" not in record:
        raise WeightsError(f"{_record_path(path)}: no record of a checksum; delete it.")
    return record
