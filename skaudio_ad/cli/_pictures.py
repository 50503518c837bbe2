"""Names of pictures that hold on any disk."""

import unicodedata
from pathlib import Path

# Maximum number of bytes of a name before its number and ending. File systems take 255 in all, and the name of the
# temporary file is longer.
_LONGEST = 180
# What some file systems do not take in a name, or take for the end of a folder.
_RESERVED = frozenset('<>:"/\\|?*')


def picture_names(paths):
    """One file name a recording, all different on disks that ignore case or the form of accents as well.

    Parameters
    ----------
    paths : list of str

    Returns
    -------
    dict of str to str
        The stem of every path with the ending ``.png``. Characters that are reserved or do not print are replaced by
        ``_``, long stems are cut, and recordings of one name are numbered.
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
        names[path] = f"{name}.png"
    return names


def _key(name):
    """What two names have in common that are one name on some disk."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def _safe_stem(path):
    stem = "".join(
        char if char.isprintable() and char not in _RESERVED else "_"
        for char in unicodedata.normalize("NFC", Path(path).stem)
    )
    # A cut through the bytes of one character leaves bytes that are no character.
    stem = stem.encode("utf-8")[:_LONGEST].decode("utf-8", "ignore")
    return stem.strip(" .") or "recording"
