"""Unpack zip archives: nothing leaves the folder, every byte is checked, and half a folder never gets its name."""

import filecmp
import os
import re
import shutil
import stat
import sys
import tempfile
import zipfile
import zlib
from collections import Counter
from pathlib import Path, PurePosixPath

from .._download import say
from .._progress import with_progress

# Names of folders of archives that are unpacked. They stay behind where a process is killed.
_TEMPORARY = ".unpack-"
# Number of bytes to copy at once.
_BLOCK_SIZE = 1 << 20


class UnpackError(Exception):
    """The archive cannot be unpacked. The message says why."""


class DamagedArchiveError(UnpackError):
    """The content of the archive differs from its own checksums."""


def unpack(path, destination, *, archive, about, check_space, quiet=False):
    """Unpack a zip archive.

    The content is written into a hidden folder in `destination`, and the folders are then renamed. Reading compares
    the CRC-32 of every file.

    Parameters
    ----------
    path : pathlib.Path
        The zip archive.
    destination : pathlib.Path
        Folder of the data set, which exists.
    archive : Archive
        Says where the content belongs.
    about : pathlib.Path
        Folder for the files that are outside of the folders that match ``archive.root``, such as a licence.
    check_space : callable
        Function of a number of bytes, which raises if the disk has less space.
    quiet : bool, default=False
        Whether to write nothing to stderr.

    Returns
    -------
    dict of str to int
        Number of files of each folder that got files, relative to `destination`.

    Raises
    ------
    UnpackError
        If a path of the archive is not safe, if the archive is encrypted or compressed by a method that Python does
        not know, if it has none of the expected folders, or if a file is there already with another content.
    DamagedArchiveError
        If the archive is damaged.
    """
    for left in destination.glob(f"{_TEMPORARY}*"):  # of a process that was killed; the caller holds the lock
        shutil.rmtree(left)
    say(f"Unpacking {path.name} to {destination / archive.into}", quiet=quiet)
    temporary = Path(tempfile.mkdtemp(prefix=_TEMPORARY, dir=destination))
    try:
        with zipfile.ZipFile(path) as zipped:
            members = _members(zipped.infolist(), archive)
            check_space(sum(info.file_size for info, _, _ in members))
            _write(zipped, members, temporary, quiet)
        content = temporary / "content"
        _refuse_conflicts(content, destination)
        _move(content, destination)
        if (temporary / "about").is_dir():
            shutil.copytree(temporary / "about", about, dirs_exist_ok=True)
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise DamagedArchiveError(f"the archive is damaged ({error})") from error
    except NotImplementedError as error:
        raise UnpackError(
            f"Python cannot read the archive ({error}); unpack the archive with another program, such as 7-Zip, in "
            f"{destination / archive.into}, and call the loader"
        ) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return dict(Counter(str(path.parent) for _, kind, path in members if kind == "content"))


def _members(infos, archive):
    """Return the files of an archive: the entry, "content" or "about", and the path below that folder."""
    members = []
    for info in infos:
        if info.filename == "./":
            continue
        path = _safe_path(info)
        if info.is_dir() or path.parts[0] == "__MACOSX" or path.name in (".DS_Store", "Thumbs.db"):
            continue  # files of the operating system of the person who made the archive
        if archive.root is None:
            kept = path.parts[archive.n_stripped :]
        else:
            matches = [
                n for n, part in enumerate(path.parts[:-1]) if re.fullmatch(archive.root, part) is not None
            ]
            kept = path.parts[matches[0] :] if matches else ()
        if kept:
            members.append((info, "content", PurePosixPath(archive.into, *kept)))
        else:
            members.append((info, "about", path))
    if not any(kind == "content" for _, kind, _ in members):
        names = sorted({path.parts[0] for _, _, path in members})
        expected = f"files in a folder {archive.root}" if archive.root else "files"
        raise UnpackError(f"the archive has no {expected}, but has {', '.join(names[:5]) or 'nothing'}")
    # Some systems do not distinguish upper and lower case, and two members would be one file there.
    counts = Counter((kind, str(path).lower()) for _, kind, path in members)
    (_, name), n = counts.most_common(1)[0]
    if n > 1:
        raise UnpackError(f"the archive has {n} files with the name {name}")
    return members


def _safe_path(info):
    """Return the path of an entry. Raise UnpackError if writing the entry could change files elsewhere."""
    name = info.filename
    path = PurePosixPath(name.replace("\\", "/"))  # some programs for Windows write paths in their own form
    mode = info.external_attr >> 16
    if path.is_absolute() or ".." in path.parts or not path.parts or set(name) & set(":\0"):
        raise UnpackError(f"the archive has the path {name!r}, which leaves the folder")
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise UnpackError(f"the archive has {name!r}, which is a link or no file")
    if info.flag_bits & 1:
        raise UnpackError(f"the archive is encrypted ({name!r})")
    return path


def _write(zipped, members, folder, quiet):
    terminal = not quiet and getattr(sys.stderr, "isatty", lambda: False)()
    shown = with_progress(iter(members), len(members), title="unpacking") if terminal else iter(members)
    for info, kind, path in shown:
        target = folder / kind / path
        target.parent.mkdir(parents=True, exist_ok=True)
        with zipped.open(info) as source, open(target, "xb") as file:
            shutil.copyfileobj(source, file, _BLOCK_SIZE)


def _refuse_conflicts(source, target):
    """Raise UnpackError if a file of `source` is in `target` with another content."""
    for folder, _, names in os.walk(source):
        there = target / Path(folder).relative_to(source)
        if there.exists() and not there.is_dir():
            raise UnpackError(f"{there} must be a folder, and is a file; move the file away")
        for name in names if there.is_dir() else ():
            mine = there / name
            if mine.exists() and not (
                mine.is_file() and filecmp.cmp(Path(folder, name), mine, shallow=False)
            ):
                raise UnpackError(
                    f"{mine} differs from the file of the archive; move the file away, or fetch into another data_home"
                )


def _move(source, target):
    """Rename the files and folders of `source` that `target` does not have."""
    for path in sorted(source.iterdir()):
        there = target / path.name
        if path.is_dir() and there.is_dir():
            _move(path, there)
        elif not there.exists():
            os.replace(path, there)
