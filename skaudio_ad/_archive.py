"""Check that a .skops file is undamaged and unpacks to a limited size, before skops loads the file."""

import io
import json
import zipfile

# Number of bytes that are unpacked at once.
_BLOCK_SIZE = 1 << 20
# Maximum unpacked size by default: this number of bytes, or this multiple of the size of the file.
_SMALL = 256 << 20
_RATIO = 10
# Number of times that the schema counts, because Python objects take more memory than the text that describes them.
_SCHEMA_WEIGHT = 10
_SCHEMA = "schema.json"


class ArchiveError(Exception):
    """An archive is damaged, too large or no .skops file. The message is written to follow the path of the file."""


def checked_archive(file, max_size=None):
    """Check a .skops file and return a file that skops can read safely.

    The unpacked size is the sum of ten times the size of ``schema.json`` and of the size of every array, as often as
    the schema names the array. The array of a sparse matrix is an archive itself, so its unpacked size is added.

    Parameters
    ----------
    file : binary file
        Seekable file.
    max_size : int or None, default=None
        Maximum unpacked size, in bytes. None is ten times the size of the file, and at least 256 MiB.

    Returns
    -------
    binary file
        `file`, if nothing in the file is compressed. Otherwise a copy in memory that is not compressed, so that skops
        unpacks nothing. The directory of an archive can state a smaller size than the archive holds.

    Raises
    ------
    ArchiveError
        If the file is no .skops file, is damaged, or is too large.
    """
    size = file.seek(0, io.SEEK_END)
    if max_size is None:
        max_size = max(_SMALL, _RATIO * size)
    if not zipfile.is_zipfile(file):
        raise ArchiveError(
            "no detector saved by skaudio_ad or skops (the file is no skops file, or is cut short)"
        )
    checked = file
    try:
        with zipfile.ZipFile(file) as archive:
            if _SCHEMA not in archive.namelist():
                raise ArchiveError(
                    "no detector saved by skaudio_ad or skops (the file is an archive of something else)"
                )
            _check_size(_directory_size(archive), max_size)
            if _is_packed(archive):
                checked = _unpacked_copy(archive)
            else:
                _read_all(archive)
        with zipfile.ZipFile(checked) as archive:
            _check_size(_size_in_use(archive), max_size)
    except ArchiveError:
        raise
    except Exception as error:  # damage makes zipfile, zlib and json raise many types of errors
        reason = f"{type(error).__name__}: {error}".rstrip(": ")
        raise ArchiveError(f"damaged ({reason}); copy the file again, or save the detector again") from error
    return checked


def _check_size(size, max_size):
    if size > max_size:
        raise ArchiveError(
            f"it unpacks to {size / 1e6:.0f} MB, more than the {max_size / 1e6:.0f} MB allowed, and was not unpacked. "
            "If you trust the source of the file, raise max_size"
        )


def _directory_size(archive):
    """Return the size of all members in bytes according to the directory of an archive, without unpacking."""
    infos = archive.infolist()
    if len({info.filename for info in infos}) < len(infos):
        raise ArchiveError(
            "damaged (two members have the same name); copy the file again, or save the detector again"
        )
    if not {info.compress_type for info in infos} <= {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
        # Other methods can unpack a few bytes to any number of bytes in one step.
        raise ArchiveError(
            "the file is compressed by another method than deflate; save the detector again with deflate"
        )
    return sum(info.file_size for info in infos)


def _is_packed(archive):
    return any(info.compress_type != zipfile.ZIP_STORED for info in archive.infolist())


def _read_all(archive):
    """Read every member to its end, because zipfile then compares the CRC-32."""
    for info in archive.infolist():
        with archive.open(info) as member:
            while member.read(_BLOCK_SIZE):
                pass


def _unpacked_copy(archive):
    """Copy all members into an archive in memory without compression. Reading compares the CRC-32."""
    copy = io.BytesIO()
    with zipfile.ZipFile(copy, "w") as target:
        for info in archive.infolist():
            with archive.open(info) as member, target.open(info.filename, "w", force_zip64=True) as out:
                while block := member.read(_BLOCK_SIZE):
                    out.write(block)
    return copy


def _size_in_use(archive):
    """Return the number of bytes that skops reads and unpacks from an undamaged archive."""
    size = _SCHEMA_WEIGHT * archive.getinfo(_SCHEMA).file_size
    sizes = {}
    for name in _named_files(json.loads(archive.read(_SCHEMA))):
        if name not in sizes:
            sizes[name] = _size_with_content(archive, name)
        size += sizes[name]
    return size


def _size_with_content(archive, name):
    size = archive.getinfo(name).file_size
    with archive.open(name) as member:
        if member.read(2) == b"PK":
            member.seek(0)
            if not zipfile.is_zipfile(
                member
            ):  # bytes that a parameter holds, such as the first bytes of a file
                return size
            member.seek(0)
            with zipfile.ZipFile(member) as inner:
                size += _directory_size(inner)
    return size


def _named_files(schema):
    """Yield every name of a file in a schema, as often as the schema contains the name."""
    waiting = [schema]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            if isinstance(value.get("file"), str):
                yield value["file"]
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value
