"""Fetch archives of publishers: ask for sizes, check the disk, download, compare checksums, unpack, remember."""

import hashlib
import os
import shutil
import warnings
import zipfile
from pathlib import Path

from .._download import DownloadError, download_file, file_lock, refuse_offline
from ._fetched import is_unpacked, read_listing, write_listing, write_record
from ._home import HOME_VARIABLE, get_data_home
from ._publishers import Archive, PublishedFile
from ._unpacking import DamagedArchiveError, UnpackError, unpack

# Maximum number of bytes that one byte of an archive unpacks to. Recordings of MIMII and ESC-50 unpack to 1.2 to 1.4.
_RATIO = 1.5
_ZIP = (b"PK\x03\x04",)


class FetchError(OSError):
    """A data set could not be fetched. The message says why and what to do."""


def fetch_archives(requests, name, *, data_home=None, keep_archives=False, quiet=False):
    """Bring the archives of a data set onto this machine, and unpack the archives.

    The archives are in ``data_home/archives/NAME``, with a record of each archive that was unpacked. An archive that
    somebody put there by hand is checked and used. Without a connection, and without a stored list of the publisher's
    files, the check of such an archive is the CRC-32 of its content alone.

    Parameters
    ----------
    requests : list of (publisher, list of Archive or None)
        What to fetch. None means all zip archives of the publisher.
    name : str
        Folder of the data set, below `data_home`.
    data_home : str or path-like, default=None
        Folder of the data sets. The folder is created. None uses the environment variable `SKAUDIO_AD_DATA`.
    keep_archives : bool, default=False
        Whether to keep the archives after they are unpacked.
    quiet : bool, default=False
        Whether to write nothing to stderr.

    Returns
    -------
    pathlib.Path
        Folder of the data set.

    Raises
    ------
    FetchError
        If the publisher cannot be reached or does not have an archive, if the disk is too small, or if an archive is
        damaged or cannot be unpacked.
    FileNotFoundError
        If no data folder is known.
    """
    home = _make_home(data_home)
    destination, store = home / name, home / "archives" / name
    if _is_complete(requests, destination, store):
        return destination
    try:
        store.mkdir(parents=True, exist_ok=True)
        destination.mkdir(exist_ok=True)
        with file_lock(store, quiet=quiet):
            if not _is_complete(requests, destination, store):  # another process may have been faster
                _Fetch(destination, store, keep_archives, quiet).run(requests)
    except FetchError:
        raise
    except OSError as error:
        raise FetchError(f"{name} could not be fetched into {home}: {error}") from error
    return destination


def _make_home(data_home):
    """Return the data folder. Create the folder if its name is given."""
    given = data_home if data_home is not None else os.environ.get(HOME_VARIABLE)
    if given:
        try:
            Path(given).expanduser().mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise FetchError(f"the data folder {str(given)!r} cannot be created: {error}") from error
    return get_data_home(data_home=data_home)


def _is_complete(requests, destination, store):
    """Return whether all archives were unpacked earlier and their files are still there. Makes no request."""
    for publisher, archives in requests:
        listed = read_listing(store, publisher)
        if archives is None and listed is None:
            return False
        for archive in _select(archives, listed):
            if not is_unpacked(archive, destination, store):
                return False
    return True


def _select(archives, listed):
    """Return the archives to fetch, without those that are not required and that the publisher does not have."""
    if archives is None:
        return [Archive(name) for name in sorted(listed) if name.lower().endswith(".zip")]
    return [archive for archive in archives if archive.required or listed is None or archive.name in listed]


class _Fetch:
    """One run for one data set, which holds the lock."""

    def __init__(self, destination, store, keep_archives, quiet):
        self.destination, self.store = destination, store
        self.keep_archives, self.quiet = keep_archives, quiet
        # `to_save` has one text for each publisher: the archives that a person without a connection has to save.
        # `reason` is the error of the last request.
        self.to_save, self.reason = [], None

    def run(self, requests):
        lists = []
        # The loop is no comprehension, because a comprehension adds a level to the stack, which warnings count.
        for publisher, archives in requests:
            lists.append(self._files(publisher, archives))
        if self.to_save:
            raise FetchError(
                f"{self.destination.name} could not be fetched, because the publisher's list of files could not be "
                f"read: {self.reason}. By hand: save {' and '.join(self.to_save)} in the folder {self.store}, and call "
                "the function again. Archives that are there are checked and used, and are not downloaded."
            )
        pending = []
        for (publisher, archives), files in zip(requests, lists):
            for archive in _select(archives, files):
                if not is_unpacked(archive, self.destination, self.store):
                    pending.append((publisher, archive, files[archive.name]))
        self._check_disk([file for _, _, file in pending])
        for publisher, archive, file in pending:
            self._fetch(publisher, archive, file)

    def _files(self, publisher, archives):
        """Return the files of a publisher by name: its list, the list of an earlier call, or the archives here."""
        known = read_listing(self.store, publisher)
        try:
            files = publisher.files([archive.name for archive in archives or ()])
        except DownloadError as error:
            if known is None:
                return self._files_by_hand(publisher, archives, error)
            files = known
        else:
            files = {**(known or {}), **files}
            write_listing(self.store, publisher, files.values())
        wanted = _select(archives, files)
        missing = [archive.name for archive in wanted if archive.name not in files]
        if missing or not wanted:
            raise FetchError(
                f"{publisher.page} has no file {' or '.join(missing) or 'that can be fetched'}. Its files are "
                f"{', '.join(sorted(files)) or 'none'}. Update skaudio_ad."
            )
        return files

    def _files_by_hand(self, publisher, archives, error):
        """Return the archives in the store. Note in `to_save` what is missing there."""
        here = {path.name for path in self.store.glob("*.zip")}
        unpacked = {a.name for a in archives or () if is_unpacked(a, self.destination, self.store)}
        wanted = _select(archives, here | unpacked)
        missing = [archive.name for archive in wanted if archive.name not in here | unpacked]
        if missing or not wanted:
            self.reason = error
            self.to_save.append(f"{', '.join(missing) or 'the zip archives'} from {publisher.page}")
            return {}
        for name in sorted(here & {archive.name for archive in wanted} - unpacked):
            warnings.warn(
                f"{self.store / name} is used without the publisher's checksum, because the list of files at "
                f"{publisher.page} could not be read: {error}. Only the CRC-32 of each file in it is compared.",
                stacklevel=6,
            )
        return {archive.name: PublishedFile(archive.name, url=publisher.page) for archive in wanted}

    def _check_disk(self, files):
        """Raise FetchError if the archives and their content do not fit.

        The archives are fetched one by one. An archive that is not kept is deleted before the next one is fetched.
        """
        most = unpacked = kept = 0
        for file in files:
            size = file.size or file.estimate or _size(self.store / file.name)
            to_download = max(
                0, size - _size(self.store / file.name) - _size(self.store / f"{file.name}.part")
            )
            unpacked += int(size * _RATIO)
            most = max(most, kept + to_download + unpacked)
            kept += to_download if self.keep_archives else 0
        self._check_space(most, f"the archives to fetch ({len(files)}) and their content")

    def _check_space(self, needed, what):
        free = shutil.disk_usage(self.destination).free
        if needed > free:
            raise FetchError(
                f"The disk is too small for {what}: about {_amount(needed)} are needed, and {_amount(free)} "
                f"are free in {self.destination}. Free some space, fetch less at once, or pass another data_home."
            )

    def _fetch(self, publisher, archive, file):
        path = self.store / archive.name
        by_hand = path.is_file()
        if by_hand:
            problem = _problem(path, file)
            if problem is not None:
                raise FetchError(
                    f"{path} is damaged, or not the archive at {publisher.page}: {problem}. Delete the file, and call "
                    "the function again."
                )
        else:
            self._download(publisher, file, path)
        try:
            folders = unpack(
                path,
                self.destination,
                archive=archive,
                about=self.store / path.stem,
                check_space=lambda needed: self._check_space(needed, f"the content of {path.name}"),
                quiet=self.quiet,
            )
        except UnpackError as error:
            remedy = ""
            if isinstance(error, DamagedArchiveError):
                remedy = " Delete the archive, and call the function again."
                if not by_hand:
                    path.unlink()
                    remedy = (
                        " The archive was removed. Call the function again to download the archive again."
                    )
            raise FetchError(f"{path} cannot be unpacked: {error}.{remedy}") from error
        write_record(archive, file, folders, self.store)
        if not self.keep_archives:
            path.unlink()

    def _download(self, publisher, file, path):
        def check(part):
            problem = _problem(part, file)
            if problem is not None:
                raise DownloadError(f"damaged on the way, or another file, and removed: {problem}")

        try:
            refuse_offline()
            download_file(file.url, path, check=check, first_bytes=_ZIP, quiet=self.quiet)
        except (DownloadError, OSError) as error:
            raise FetchError(
                f"{file.name} could not be downloaded from {file.url}: {error}. Call the function again to go on. By "
                f"hand: save the file from {publisher.page} as {path}, and call the function again. The archive is "
                "then checked and used."
            ) from error


def _amount(n_bytes):
    return f"{n_bytes / 1e9:.1f} GB" if n_bytes >= 1e9 else f"{n_bytes / 1e6:.1f} MB"


def _size(path):
    return path.stat().st_size if path.is_file() else 0


def _problem(path, file):
    """Return what is wrong with an archive, or None."""
    size = _size(path)
    if file.size is not None and size != file.size:
        return f"it has {size} bytes, expected {file.size}"
    if file.checksum is not None:
        function, _, expected = file.checksum.partition(":")
        with open(path, "rb") as content:
            # An md5 finds damage, but a forger could make another file with the same md5. Zenodo offers no other.
            found = hashlib.file_digest(
                content, lambda: hashlib.new(function, usedforsecurity=False)
            ).hexdigest()
        if found != expected.lower():
            return f"its {function} is {found}, expected {expected}"
    if not zipfile.is_zipfile(path):
        return "it is no zip archive, or is cut short"
    if file.comment is not None:
        with zipfile.ZipFile(path) as zipped:
            comment = zipped.comment.decode("ascii", "replace")
        if comment != file.comment:
            return f"its comment is {comment!r}, expected the commit {file.comment}"
    return None
