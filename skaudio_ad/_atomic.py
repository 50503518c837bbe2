"""Files that are written whole or not at all."""

import contextlib
import errno
import os
import secrets
import shutil
import stat

# Errors of a write, which name no file themselves.
_WRITE_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


@contextlib.contextmanager
def atomic_path(path):
    """Write a file whole or not at all: a writer that fails or is killed leaves the old file.

    The caller writes to the temporary path that is yielded, and closes the file before the end of the block. The
    temporary file lies in the folder of `path`, and every writer gets another name. At the end of the block the
    temporary file is renamed to `path`; if the block raises, the temporary file is removed. Of two writers of one
    path, the one whose block ends last wins. A process that is killed leaves its temporary file, a hidden one
    that ends in ``.part`` and may be deleted.

    A link is followed, and the permissions of a file that is replaced are kept. What exists but is no regular file,
    such as ``/dev/stdout`` or a named pipe, is yielded itself, because it can only be written to directly.

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
    # Part of the name only, because a name has 255 bytes at most and a character up to four.
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
        return None  # whoever opens it says what is wrong


def _remove(path):
    with contextlib.suppress(OSError):
        os.unlink(path)


def _reason(error, folder):
    """What went wrong, and what a user can do about it."""
    reason = error.strerror or str(error)
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        free = shutil.disk_usage(folder).free / 1e6
        return f"{reason} ({free:.0f} MB free in {folder}): the file was not written; free some space and try again"
    if error.errno == errno.ENOENT and not os.path.isdir(folder):
        return f"the folder {folder} does not exist; make it first"
    return reason
