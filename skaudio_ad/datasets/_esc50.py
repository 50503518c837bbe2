"""Loader of ESC-50, environmental sounds of 50 classes."""

import re
import warnings

import numpy as np

from .._typing import PathLike
from ._dataset import AudioDataset
from ._files import find_home, recognise, several
from ._tables import read_table

# Names of the classes, in the order of their numbers in the names of the files, 0 to 49.
_CLASSES = tuple(
    re.findall(
        r"\w+",
        "dog rooster pig cow frog cat hen insects sheep crow rain sea_waves crackling_fire crickets chirping_birds "
        "water_drops wind pouring_water toilet_flush thunderstorm crying_baby sneezing clapping breathing coughing "
        "footsteps laughing brushing_teeth snoring drinking_sipping door_wood_knock mouse_click keyboard_typing "
        "door_wood_creaks can_opening washing_machine vacuum_cleaner clock_alarm clock_tick glass_breaking helicopter "
        "chainsaw siren car_horn engine train church_bells airplane fireworks hand_saw",
    )
)
# Number of clips of each class.
_CLIPS_PER_CLASS = 40
# A name holds the fold, the id of the recording on Freesound, the take and the number of the class.
_NAME = re.compile(r"([1-5])-(\d+)-[A-Z]-(\d|[1-4]\d)")

_LAYOUT = "the folder audio with 2000 wav files such as 1-100032-A-0.wav, and the table meta/esc50.csv"
_SOURCE = (
    "ESC-50 by K. J. Piczak is published under CC BY-NC 3.0 at https://github.com/karolpiczak/ESC-50 "
    "(archive/master.zip, about 650 MB); fetch_esc50 downloads and unpacks the archive"
)

_DESCR = """\
ESC-50: environmental sounds of 50 classes, from recordings on Freesound.

2000 clips of 5 s at 44.1 kHz, mono, 40 of each class. There are five folds with 8 clips of each class. Clips that are
cut from one recording are in one fold and in one group. Short sounds are padded with digital silence.

One-class use: one class is normal, and the other 49 classes are anomalous. Train on the normal clips of four folds.
Test on the normal clips of the fifth fold and on the anomalous clips of the fifth fold.

K. J. Piczak, "ESC: Dataset for Environmental Sound Classification", Proceedings of the 23rd ACM International
Conference on Multimedia, 2015, https://doi.org/10.1145/2733373.2806390. Licence CC BY-NC 3.0; the publisher's file
LICENSE credits each clip.
"""


def load_esc50(normal: str, *, data_home: PathLike | None = None) -> AudioDataset:
    """Load the environmental sounds ESC-50 from a folder, with one class as the normal class.

    ==================   =================================
    Clips                2000
    Normal               40
    Clip                 5 s at 44.1 kHz, mono
    ==================   =================================

    Parameters
    ----------
    normal : str
        The normal class, as in the column `category` of the publisher's table, such as "dog" or "church_bells". Upper
        case and blanks are accepted ("Church bells"). The other 49 classes are anomalous. There is no default, because
        the data set does not define a normal class. For several normal classes, make the target from
        ``metadata["category"]``.
    data_home : str or path-like, default=None
        Folder that contains the data set, directly, below `esc50`, or in a folder of the publisher's archive
        (`ESC-50-master`). None uses the environment variable `SKAUDIO_AD_DATA`.

    Returns
    -------
    AudioDataset
        paths : list of str of length n_clips
            Paths of the wav files, sorted by the number of the class, then by name.
        target : ndarray of shape (n_clips,), int64
            1 is normal, -1 is anomalous (the other 49 classes).
        groups : ndarray of shape (n_clips,), int64
            Clips that are cut from one recording, and files with equal bytes, have the same number.
        metadata : dict of ndarray of shape (n_clips,)
            `category` (str) is the name of the class. `fold` (int64) is the publisher's fold, 1 to 5. `clip` (str) is
            the id of the recording on Freesound from which the clip was cut. The publisher defines folds instead of a
            split, so `split` is "". The publisher compares classifiers by cross-validation over the five folds.
        DESCR : str
            Description, licence and citation.

    Raises
    ------
    FileNotFoundError
        If the folder, all clips of a class, or files that the table lists are missing.
    ValueError
        If `normal` is not a class of ESC-50, or a row of the table contradicts the list of classes or the name of its
        file.

    Warns
    -----
    UserWarning
        If a class does not have 40 clips, or if there are wav files that the table does not list, or that are not named
        like those of ESC-50 where there is no table. The loader leaves out these files.

    See Also
    --------
    load_esc10 : Ten of these classes, with a free licence.

    Notes
    -----
    The classes and folds come from the table `meta/esc50.csv`. If there is no table, they come from the names of the
    files, such as `1-100032-A-0.wav`: fold, id of the recording, take and number of the class.

    References
    ----------
    .. [1] K. J. Piczak, "ESC: Dataset for Environmental Sound Classification", Proceedings of the 23rd ACM
       International Conference on Multimedia, 2015, https://doi.org/10.1145/2733373.2806390.

    Examples
    --------
    >>> from skaudio_ad.datasets import load_esc50
    >>> sounds = load_esc50("dog")  # doctest: +SKIP
    >>> train = (sounds.target == 1) & (sounds.metadata["fold"] < 5)  # doctest: +SKIP
    >>> test = sounds.metadata["fold"] == 5  # doctest: +SKIP
    """
    wanted = re.sub(r"[\s-]", "_", str(normal).lower())
    if wanted not in _CLASSES:
        raise ValueError(f"Unknown class {normal!r} for normal; known ones: {', '.join(_CLASSES)}.")
    home = find_home(data_home, _LAYOUT, _SOURCE)
    roots = [root for root in (home / "esc50", *sorted(home.glob("ESC-50*")), home) if root.is_dir()]
    root = next((root for root in roots if any((root / "audio").glob("*.wav"))), None)
    if root is None:
        raise FileNotFoundError(
            f"ESC-50 is {_LAYOUT}. These files are neither in {home} nor in a folder esc50 or ESC-50* there. "
            f"Unpack the publisher's archive there, or pass another data_home.{recognise(home, loader='load_esc50')} "
            f"{_SOURCE}."
        )
    # Files whose names begin with a dot belong to the operating system.
    files = {path.name: path for path in (root / "audio").glob("*.wav") if not path.name.startswith(".")}
    table = root / "meta" / "esc50.csv"
    clips = _read_table(table, files) if table.is_file() else _read_names(files)
    left_out = sorted(set(files) - {name for _, name, _, _ in clips})
    if left_out:
        rule = f"listed in {table}" if table.is_file() else "named like those of ESC-50 (1-100032-A-0.wav)"
        warnings.warn(
            f"{len(left_out)} files in {root / 'audio'} are not {rule}. The first is {left_out[0]}. These files are "
            "left out.",
            stacklevel=2,
        )
    numbers = [number for number, _, _, _ in clips]
    missing = [name for number, name in enumerate(_CLASSES) if number not in numbers]
    if missing:
        raise FileNotFoundError(
            f"ESC-50 has 50 classes; {root} has no clips of {several(missing)}. Unpack the archive "
            f"again. {_SOURCE}."
        )
    uneven = [name for number, name in enumerate(_CLASSES) if numbers.count(number) != _CLIPS_PER_CLASS]
    if uneven:
        warnings.warn(
            f"ESC-50 has {_CLIPS_PER_CLASS} clips of each class; {root} has another number of {several(uneven)}. "
            "Unpack the archive again.",
            stacklevel=2,
        )
    clips.sort()
    categories = np.array([_CLASSES[number] for number, _, _, _ in clips])
    recordings = np.array([recording for _, _, _, recording in clips])
    return AudioDataset(
        paths=[str(files[name]) for _, name, _, _ in clips],
        target=np.where(categories == wanted, 1, -1).astype(np.int64),
        metadata={
            "category": categories,
            "fold": np.array([fold for _, _, fold, _ in clips], dtype=np.int64),
            "clip": recordings,
        },
        DESCR=_DESCR,
        units=recordings,
    )


def _read_names(files):
    """Return number of the class, name of the file, fold and recording of every file with the publisher's name."""
    names = {name: _NAME.fullmatch(path.stem) for name, path in files.items()}
    return [(int(match[3]), name, int(match[1]), match[2]) for name, match in names.items() if match]


def _read_table(table, files):
    """Return the same from the publisher's table, which must agree with the names of the files."""
    clips = {}
    for line, row in read_table(table, ("filename", "fold", "target", "category", "src_file")):
        name, category = row["filename"], row["category"]
        if category not in _CLASSES or row["target"] != str(_CLASSES.index(category)):
            raise ValueError(
                f"{table}, line {line}: the class must be one of ESC-50 with its number, got {category!r} with "
                f"{row['target']!r}. Get the table from the publisher again."
            )
        if not re.fullmatch("[1-5]", row["fold"]):
            raise ValueError(f"{table}, line {line}: fold must be 1 to 5, got {row['fold']!r}.")
        match = _NAME.fullmatch(name.removesuffix(".wav"))
        if name in clips or (match and match.groups() != (row["fold"], row["src_file"], row["target"])):
            reason = "is there twice" if name in clips else "contradicts its fold, src_file or target"
            raise ValueError(
                f"{table}, line {line}: {name} {reason}. Get the table from the publisher again."
            )
        clips[name] = (int(row["target"]), name, int(row["fold"]), row["src_file"])
    absent = [name for name in clips if name not in files]
    if absent:
        raise FileNotFoundError(
            f"{table} lists {len(absent)} files that are not in {table.parent.parent / 'audio'}: {several(absent)}. "
            "Unpack the archive again."
        )
    return list(clips.values())
