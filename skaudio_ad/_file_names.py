"""Choose names of files that are valid on any disk."""

import unicodedata
from collections.abc import Iterable
from pathlib import Path

# Maximum number of bytes of a name before its number and ending. File systems allow 255 bytes in all, and the name of
# the temporary file is longer.
_MAX_BYTES = 180
# Characters that some file systems do not allow in a name, or read as the end of a folder.
_RESERVED = frozenset('<>:"/\\|?*')


def file_names(paths: Iterable[str], ending: str) -> dict[str, str]:
    """Choose a file name for every recording. The names differ also on disks that ignore case or the form of accents.

    Parameters
    ----------
    paths : iterable of str
    ending : str
        Ending of every name, such as ".png".

    Returns
    -------
    dict of str to str
        File name for every path: the stem with the ending. Reserved and unprintable characters are replaced by ``_``,
        long stems are cut, and recordings with equal names are numbered.
    """
    names: dict[str, str] = {}
    numbers: dict[str, int] = {}
    taken = set()
    for path in paths:
        stem = _safe_stem(path)
        name = stem
        while _key(name) in taken:
            numbers[_key(stem)] = numbers.get(_key(stem), 1) + 1
            name = f"{stem}_{numbers[_key(stem)]}"
        taken.add(_key(name))
        names[path] = f"{name}{ending}"
    return names


def _key(name):
    """Return a key that is equal for two names that are the same name on some disk."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def _safe_stem(path):
    stem = "".join(
        char if char.isprintable() and char not in _RESERVED else "_"
        for char in unicodedata.normalize("NFC", Path(path).stem)
    )
    # decode drops the bytes of a character that the cut has split.
    stem = stem.encode("utf-8")[:_MAX_BYTES].decode("utf-8", "ignore")
    return stem.strip(" .") or "recording"
