"""The recordings in a folder."""

from pathlib import Path

import soundfile


def find_audio_files(folder, *, recursive=True):
    """List the recordings in a folder, sorted by path.

    Parameters
    ----------
    folder : str or path-like

    recursive : bool, default=True
        Whether to descend into folders below it.

    Returns
    -------
    list of str
        Files whose ending names a format that libsndfile decodes. Hidden files are left out.

    Raises
    ------
    FileNotFoundError
        If there is no such folder, or no recording in it.

    Notes
    -----
    A broken link, a pipe or a device with such an ending is listed too: whoever reads it says what is wrong,
    and no recording is left out unseen.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder}: no such folder.")
    endings = {"." + name.lower() for name in soundfile.available_formats()} | {
        ".aif",
        ".oga",
        ".opus",
        ".mpga",
    }
    endings -= {".raw"}  # headerless: its rate cannot be known
    found = sorted(
        str(path)
        for path in (folder.rglob("*") if recursive else folder.glob("*"))
        if path.suffix.lower() in endings and not path.name.startswith(".") and not path.is_dir()
    )
    if not found:
        raise FileNotFoundError(
            f"{folder}: holds no recording; wav, flac, ogg, mp3 and similar endings are looked for."
        )
    return found
