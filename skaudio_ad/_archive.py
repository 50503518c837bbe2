"""Whether a .skops file is whole, and how much memory it takes, before anything is made of it."""

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
    """What an archive is instead of a whole and small one; the message is to follow the path."""


def checked_archive(file, max_size=None):
    """Read a .skops file once, raise unless it is whole and small enough, and return what skops may read.

    Counted is what skops reads: ``schema.json``, ten times, and every array as often as the schema names it. An array
    that is an archive itself, as that of a sparse matrix is, counts with what it unpacks to.

    Parameters
    ----------
    file : binary file
        It can seek.
    max_size : int or None, default=None
        Maximum unpacked size, in bytes. None is ten times the size of the file, and at least 256 MiB.

    Returns
    -------
    binary file
        `file`, if nothing in it is compressed. Otherwise a copy in memory that is not compressed: then skops
        unpacks nothing, even if the directory of the archive says less than the archive holds.

    Raises
    ------
    ArchiveError
        If it is no .skops file, is damaged, or is too large.
    """
    size = file.seek(0, io.SEEK_END)
    if max_size is None:
        max_size = max(_SMALL, _RATIO * size)
    if not zipfile.is_zipfile(file):
        raise ArchiveError(
            "no detector saved by skaudio_ad or skops (it is no skops file, or it is cut short)"
        )
    checked = file
    try:
        with zipfile.ZipFile(file) as archive:
            if _SCHEMA not in archive.namelist():
                raise ArchiveError(
                    "no detector saved by skaudio_ad or skops (it is an archive of something else)"
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
    except Exception as error:  # zipfile, zlib and json raise whatever the damage leads to
        reason = f"{type(error).__name__}: {error}".rstrip(": ")
        raise ArchiveError(f"damaged ({reason}); copy the file again, or save the detector again") from error
    return checked


def _check_size(size, max_size):
    if size > max_size:
        raise ArchiveError(
            f"it unpacks to {size / 1e6:.0f} MB, more than the {max_size / 1e6:.0f} MB allowed, and was not unpacked. "
            "If you trust where the file comes from, raise max_size"
        )


def _directory_size(archive):
    """Bytes of all members, as the directory of an archive says; nothing is unpacked."""
    infos = archive.infolist()
    if len({info.filename for info in infos}) < len(infos):
        raise ArchiveError(
            "damaged (two members have one name); copy the file again, or save the detector again"
        )
    if not {info.compress_type for info in infos} <= {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
        # The others unpack a few bytes to any number of bytes at once.
        raise ArchiveError(
            "it is compressed by another method than deflate; save the detector again with deflate"
        )
    return sum(info.file_size for info in infos)


def _is_packed(archive):
    return any(info.compress_type != zipfile.ZIP_STORED for info in archive.infolist())


def _read_all(archive):
    """Read every member to its end, which compares its CRC-32."""
    for info in archive.infolist():
        with archive.open(info) as member:
            while member.read(_BLOCK_SIZE):
                pass


def _unpacked_copy(archive):
    """The same members in memory, not compressed; their CRC-32 is compared, too."""
    copy = io.BytesIO()
    with zipfile.ZipFile(copy, "w") as target:
        for info in archive.infolist():
            with archive.open(info) as member, target.open(info.filename, "w", force_zip64=True) as out:
                while block := member.read(_BLOCK_SIZE):
                    out.write(block)
    return copy


def _size_in_use(archive):
    """Bytes that skops will read and what is in them, of an archive whose members are whole."""
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
            with zipfile.ZipFile(member) as inner:
                size += _directory_size(inner)
    return size


def _named_files(schema):
    """Every name of a file in a schema, as often as it stands there."""
    waiting = [schema]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            if isinstance(value.get("file"), str):
                yield value["file"]
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value
