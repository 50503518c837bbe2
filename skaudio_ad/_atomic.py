"""Write files atomically: the complete new file or the old file."""

import contextlib
import errno
import os
import secrets
import shutil
import stat
from collections.abc import Iterator

from ._typing import PathLike

# Error codes of a failed write. These errors name no file.
_WRITE_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


@contextlib.contextmanager
def atomic_path(path: PathLike) -> Iterator[str]:
    """Write a file atomically: a writer that fails or is killed leaves the old file.

    The caller writes to the temporary path that is yielded, and closes the file before the end of the block. The
    temporary file is in the folder of `path`, and every writer gets another name. At the end of the block the
    temporary file is renamed to `path`. If the block raises an error, the temporary file is removed. If two writers
    write one path, the file of the block that ends last stays. A process that is killed leaves its temporary file: a
    hidden file that ends in ``.part`` and may be deleted.

    Links are followed. A new file gets the permissions of the file that it replaces. If `path` exists but is no regular
    file, such as ``/dev/stdout`` or a named pipe, the path itself is yielded, because such a path can only be written
    directly.

    Parameters
    ----------
    path : str or path-like

    Yields
    ------
    str

    Raises
    ------
    OSError
        If the file cannot be written, for instance because the disk is full. The error names `path`.
    """
    path = os.fspath(path)
    old_mode = _mode(path)
    if old_mode is not None and not stat.S_ISREG(old_mode):
        if stat.S_ISDIR(old_mode):
            raise IsADirectoryError(errno.EISDIR, "is a folder; name a file", path)
        yield path
        return
    target = os.path.realpath(path)
    folder, name = os.path.split(target)
    # The name is cut, because a file name has at most 255 bytes and a character has up to four.
    temporary = os.path.join(folder, f".{name[:40]}.{secrets.token_hex(8)}.part")
    try:
        yield temporary
        if old_mode is not None:
            os.chmod(temporary, stat.S_IMODE(old_mode))
        os.replace(temporary, target)
    except OSError as error:
        _remove(temporary)
        if error.filename == temporary or (error.filename is None and error.errno in _WRITE_ERRORS):
            raise OSError(error.errno, _reason(error, folder), path) from error
        raise
    except BaseException:
        _remove(temporary)
        raise


def _mode(path):
    try:
        return os.stat(path).st_mode
    except OSError:
        return None  # opening the file raises an error with the reason


def _remove(path):
    with contextlib.suppress(OSError):
        os.unlink(path)


def _reason(error, folder):
    """Return the reason of an error and how to fix it."""
    reason = error.strerror or str(error)
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        free = shutil.disk_usage(folder).free / 1e6
        return f"{reason} ({free:.0f} MB free in {folder}): the file was not written; free some space and try again"
    if error.errno == errno.ENOENT and not os.path.isdir(folder):
        return f"the folder {folder} does not exist; make it first"
    return reason
