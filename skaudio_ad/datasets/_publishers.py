"""Publishers of the data sets: the addresses, sizes and checksums of their archives.

A publisher has `key` (name for its stored list of files), `page` (address for people) and `files(names)`, which asks
the publisher for its list of files. Only `files` needs a connection.
"""

import hashlib
import json
import re
import urllib.parse
from dataclasses import dataclass
from typing import Any

from .._download import DownloadError, content_length, read_text

ZENODO = "https://zenodo.org"
PHYSIONET = "https://physionet.org"
GITHUB = "https://github.com"


@dataclass(frozen=True)
class PublishedFile:
    """A file of a publisher.

    Attributes
    ----------
    name : str
    url : str
    size : int or None
        Number of bytes. None if the publisher does not say the size.
    checksum : str or None
        Name of the hash function, a colon and hexadecimal digits, such as "md5:9a1c...". None if the publisher has no
        checksum.
    comment : str or None
        Comment of the zip archive. GitHub puts the commit there.
    estimate : int or None
        Approximate number of bytes, for the check of the disk if `size` is None.
    """

    name: str
    url: str
    size: int | None = None
    checksum: str | None = None
    comment: str | None = None
    estimate: int | None = None


@dataclass(frozen=True)
class Archive:
    """An archive to fetch.

    Attributes
    ----------
    name : str
    into : str
        Folder for its content, relative to the folder of the data set.
    root : str or None
        Regular expression of a folder. The paths of the content begin with the first folder that matches, because some
        archives have a folder more than others. None keeps the paths.
    n_stripped : int
        Number of folders to leave out at the beginning of each path, if `root` is None.
    required : bool
        Whether the publisher has the archive in any case.
    """

    name: str
    into: str = ""
    root: str | None = None
    n_stripped: int = 0
    required: bool = True


@dataclass(frozen=True)
class ZenodoRecord:
    """A record of Zenodo. Its files do not change, because a new version gets a new number."""

    number: int

    @property
    def key(self):
        return f"zenodo-{self.number}"

    @property
    def page(self):
        return f"{ZENODO}/records/{self.number}"

    def files(self, names):
        """Return all files of the record by name. `names` is not used."""
        answer = _read_json(f"{ZENODO}/api/records/{self.number}")
        # The API for records has "files" with "key", "size" and "checksum". For some time in 2023 the names were those
        # of deposits, "filename" and "filesize". The API for the files of a record has "entries".
        listed: Any = answer.get("files") if isinstance(answer, dict) else None
        if isinstance(listed, dict):
            listed = list((listed.get("entries") or {}).values())
        try:
            files = [self._file(entry) for entry in listed]
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise DownloadError(
                f"the answer of {self.page} has another form than expected ({error!r}); update skaudio_ad"
            ) from error
        return {file.name: file for file in files}

    def _file(self, entry):
        name = entry["key"] if "key" in entry else entry["filename"]
        size = entry["size"] if "size" in entry else entry["filesize"]
        checksum = entry["checksum"] if ":" in entry["checksum"] else f"md5:{entry['checksum']}"
        if checksum.partition(":")[0] not in hashlib.algorithms_guaranteed:
            raise ValueError(f"checksum {checksum!r}")
        links = entry.get("links") or {}
        url = links.get("content") or links.get("self") or ""
        quoted = urllib.parse.quote(name)
        # Links that end with an id of the file are answered with 404. A link to another host would name a server that
        # the user did not choose.
        ending = (f"/{quoted}", f"/{name}", f"/{quoted}/content", f"/{name}/content")
        if not url.startswith(f"{ZENODO}/") or not url.endswith(ending):
            url = f"{ZENODO}/records/{self.number}/files/{quoted}?download=1"
        return PublishedFile(
            name=_plain(name),
            url=url,
            size=int(size),
            checksum=checksum,
        )


@dataclass(frozen=True)
class PhysioNetProject:
    """A version of a project of PhysioNet. The file ``SHA256SUMS.txt`` has the checksums of all files."""

    slug: str
    version: str

    @property
    def key(self):
        return f"physionet-{self.slug}-{self.version}"

    @property
    def page(self):
        return f"{PHYSIONET}/content/{self.slug}/{self.version}/"

    def files(self, names):
        """Return the zip archives of the project by name. The sizes of `names` are asked of the server."""
        folder = f"{PHYSIONET}/files/{self.slug}/{self.version}"
        sums = read_text(f"{folder}/SHA256SUMS.txt")
        rows = [re.fullmatch(r"([0-9a-fA-F]{64})\s+\*?(.+)", line.strip()) for line in sums.splitlines()]
        checksums = {row[2]: f"sha256:{row[1].lower()}" for row in rows if row}
        if not checksums:
            raise DownloadError(f"{folder}/SHA256SUMS.txt holds no checksums; update skaudio_ad")
        urls = {name: f"{folder}/{urllib.parse.quote(name)}" for name in checksums if name.endswith(".zip")}
        return {
            name: PublishedFile(name, url, content_length(url) if name in names else None, checksums[name])
            for name, url in urls.items()
        }


@dataclass(frozen=True)
class GitHubCommit:
    """The files of a repository at one commit, as a zip archive.

    GitHub makes the archive on demand and publishes neither size nor checksum. The comment of the archive is the
    commit.
    """

    repository: str
    commit: str
    estimate: int | None = None

    @property
    def key(self):
        return f"github-{self.repository.replace('/', '-')}-{self.commit[:12]}"

    @property
    def page(self):
        return f"{GITHUB}/{self.repository}/tree/{self.commit}"

    @property
    def name(self):
        """Name of the archive."""
        return f"{self.repository.rpartition('/')[2]}-{self.commit}.zip"

    def files(self, names):
        """Return the archive by name, without a request. `names` is not used."""
        url = f"{GITHUB}/{self.repository}/archive/{self.commit}.zip"
        return {self.name: PublishedFile(self.name, url, comment=self.commit, estimate=self.estimate)}


def _read_json(url):
    text = read_text(url)
    try:
        return json.loads(text)
    except ValueError as error:
        raise DownloadError(f"{url} answered with {text[:40]!r} and not with JSON") from error


def _plain(name):
    """Return a name of a file. Raise ValueError if the name is a path, because it would leave the folder."""
    if not name or name in (".", "..") or set(name) & set('/\\:"<>|?*\0'):
        raise ValueError(f"name {name!r}")
    return name
