"""`find_audio_files`: list the recordings in a folder."""

from pathlib import Path

import soundfile

from .._typing import PathLike


def find_audio_files(folder: PathLike, *, recursive: bool = True) -> list[str]:
    """List the recordings in a folder, sorted by path.

    Parameters
    ----------
    folder : str or path-like

    recursive : bool, default=True
        Whether to list the folders below `folder` too.

    Returns
    -------
    list of str
        Paths of the files whose ending names a format that libsndfile decodes. Hidden files are left out.

    Raises
    ------
    FileNotFoundError
        If the folder does not exist, or holds no recording.

    Notes
    -----
    A broken link, a pipe or a device with such an ending is listed too. The step that reads the path raises an
    error, so that no recording is left out silently.
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
    endings -= {".raw"}  # a headerless file: its sample rate cannot be known
    found = sorted(
        str(path)
        for path in (folder.rglob("*") if recursive else folder.glob("*"))
        if path.suffix.lower() in endings and not path.name.startswith(".") and not path.is_dir()
    )
    if not found:
        raise FileNotFoundError(
            f"{folder}: holds no recording. Recordings are files that end in wav, flac, ogg, mp3 or the like."
        )
    return found
