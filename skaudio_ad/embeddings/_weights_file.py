"""Files of weights, as the weights store finds and downloads them."""

import re
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class WeightsFile:
    """A file that the weights store finds or downloads.

    Attributes
    ----------
    name : str
        Name that users type.
    filename : str
        Name of the file on the disk, without a folder. Files of different content need different names.
    url : str or None, default=None
        Address at which the authors publish the file, https or http. None for a file that is only on the disk.
    sha256 : str or None, default=None
        Checksum, 64 hexadecimal digits, where one is published. If it is None, the first use records the checksum.
    megabytes : float or None, default=None
        Approximate size of the file, for people.
    licence : str, default="unknown"
        Licence of the weights, as their authors state it.
    source : str, default=""
        Publication to cite.
    first_bytes : tuple of bytes, default=()
        Possible first bytes of the file; () allows any. These bytes tell a checkpoint from the web page that a server
        or the network of a hotel may send instead.
    folder : str or None, default=None
        Folder of a file that is part of an installed package. This folder is searched before all others.
    """

    name: str
    filename: str
    url: str | None = None
    sha256: str | None = None
    megabytes: float | None = field(default=None, repr=False)
    licence: str = field(default="unknown", repr=False)
    source: str = field(default="", repr=False)
    first_bytes: tuple[bytes, ...] = field(default=(), repr=False)
    folder: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if not self.name:
            raise ValueError("name must not be empty.")
        if not re.fullmatch(r"[^/\\]+", self.filename) or self.filename in (".", ".."):
            raise ValueError(f"filename must be the name of a file without a folder, got {self.filename!r}.")
        if self.url is not None and not re.match(r"https?://", self.url):
            raise ValueError(f"url must begin with https:// or http://, got {self.url!r}.")
        if self.sha256 is not None and not re.fullmatch("[0-9a-f]{64}", self.sha256):
            raise ValueError(f"sha256 must be 64 lower-case hexadecimal digits, got {self.sha256!r}.")
