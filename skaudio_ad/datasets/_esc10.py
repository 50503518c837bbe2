"""Loader of ESC-10, environmental sounds of ten classes."""

import re
import warnings

import numpy as np

from .._typing import PathLike
from ._dataset import AudioDataset
from ._files import find_home, recognise

# Classes in the order of the folders of the ogg edition ("001 - Dog bark"), and their numbers in ESC-50.
_CLASSES = {
    "Dog bark": 0,
    "Rain": 10,
    "Sea waves": 11,
    "Baby cry": 20,
    "Clock tick": 38,
    "Person sneeze": 21,
    "Helicopter": 40,
    "Chainsaw": 41,
    "Rooster": 1,
    "Fire crackling": 12,
}
_CLIPS_PER_CLASS = 40
_LAYOUTS = ("{folder:03d} - {category}/*.ogg", "audio/[1-5]-*-[A-Z]-{number}.wav")
# A name holds the fold, the id of the recording on Freesound and the take. ESC-50 adds the number of the class.
_NAME = re.compile(r"([1-5])-(\d+)-[A-Z](-\d+)?")

_LAYOUT = (
    "the ogg files in the folders '001 - Dog bark' to '010 - Fire crackling', or the wav files in ESC-50's "
    "folder audio"
)
# The last commit of the ESC-10 repository removed the recordings, so the link names the commit before.
_SOURCE = (
    "ESC-10 by K. J. Piczak is published under CC BY 3.0 in ogg, "
    "https://github.com/karolpiczak/ESC-10/archive/553c8f1743b9dba6b282e1323c3ca8fa76923448.zip, and in wav "
    "as a part of ESC-50, https://github.com/karolpiczak/ESC-50; fetch_esc50 downloads and unpacks ESC-50"
)

_DESCR = """\
ESC-10: environmental sounds of ten classes, from recordings on Freesound.

400 clips of about 5 s at 44.1 kHz, mono, 40 of each class: Dog bark, Rain, Sea waves, Baby cry, Clock tick,
Person sneeze, Helicopter, Chainsaw, Rooster, Fire crackling. There are five folds with 8 clips of each class.
The clips are cut from 304 recordings. Clips that are cut from one recording are in one fold.

One-class use: one class is normal, and the other nine classes are anomalous. Train on the normal clips of four
folds. Test on the normal clips of the fifth fold and on anomalous clips.

No two clips are the same file. 2-28314-A and 2-30322-A are nearly the same sound, and are in one fold.

In the ogg edition most clips are 5.0 s long, and some are from 3.6 s to 7.2 s long. Short sounds are padded with
digital silence. The share of silence alone tells some classes from all other clips:

Class           Samples that are exactly zero   AUC of the share of silence
Person sneeze   41 %                            0.86
Rooster         36 %                            0.84
Dog bark        16 %                            0.55
other classes   at most 3 % each

K. J. Piczak, "ESC: Dataset for Environmental Sound Classification", Proceedings of the 23rd ACM International
Conference on Multimedia, 2015, https://doi.org/10.1145/2733373.2806390. Licence CC BY 3.0; the publisher's
README.md (ogg) or LICENSE (wav) credits each clip.
"""


def load_esc10(normal: str, *, data_home: PathLike | None = None) -> AudioDataset:
    """Load the environmental sounds ESC-10 from a folder, with one class as the normal class.

    ==================   =================================
    Clips                400
    Normal               40
    Clip                 about 5 s at 44.1 kHz, mono
    ==================   =================================

    Parameters
    ----------
    normal : str
        The normal class, in upper or lower case: "Dog bark", "Rain", "Sea waves", "Baby cry", "Clock tick",
        "Person sneeze", "Helicopter", "Chainsaw", "Rooster" or "Fire crackling". The other nine classes are
        anomalous. There is no default, because the data set does not define a normal class.
    data_home : str or path-like, default=None
        Folder that contains the data set, directly, below `esc10`, or in a folder of the publisher's archives of
        ESC-10 and ESC-50 (`ESC-10-...`, `ESC-50-...`). None uses the environment variable `SKAUDIO_AD_DATA`. From
        ESC-50 the loader takes only the clips of ESC-10.

    Returns
    -------
    AudioDataset
        paths : list of str of length n_clips
            Paths of the ogg or wav files, sorted by class in the order above, then by name.
        target : ndarray of shape (n_clips,), int64
            1 is normal, -1 is anomalous (the other nine classes).
        groups : ndarray of shape (n_clips,), int64
            Number of the content of every file. Files with equal bytes have the same number.
        metadata : dict of ndarray of shape (n_clips,)
            `category` (str) is the name of the class. `fold` (int64) is the publisher's fold, 1 to 5. `clip` (str)
            is the id of the recording on Freesound from which the clip was cut. Clips from one recording are in
            one fold. The publisher defines folds instead of a split, so `split` is "".
        DESCR : str
            Description, licence and citation.

    Raises
    ------
    FileNotFoundError
        If the folder or all clips of a class are missing.
    ValueError
        If `normal` is not a class of ESC-10.

    Warns
    -----
    UserWarning
        If a class does not have 40 clips, or if its folder has files that are not named like those of ESC-10. The
        loader leaves out these files.

    See Also
    --------
    load_esc50 : The same and 40 more classes.
    load_hls_cmds : Heart and lung sounds.
    load_mimii : Sounds of machines in factory noise.

    References
    ----------
    .. [1] K. J. Piczak, "ESC: Dataset for Environmental Sound Classification", Proceedings of the 23rd ACM
       International Conference on Multimedia, 2015, https://doi.org/10.1145/2733373.2806390.

    Examples
    --------
    >>> from skaudio_ad.datasets import load_esc10
    >>> sounds = load_esc10("dog bark")  # doctest: +SKIP
    >>> train = (sounds.target == 1) & (sounds.metadata["fold"] < 5)  # doctest: +SKIP
    >>> len(sounds.paths), int(train.sum())  # doctest: +SKIP
    (400, 32)
    """
    known = {category.lower(): category for category in _CLASSES}
    normal_category = known.get(str(normal).lower())
    if normal_category is None:
        raise ValueError(f"Unknown class {normal!r} for normal; known ones: {', '.join(_CLASSES)}.")
    files = _find(find_home(data_home, _LAYOUT, _SOURCE))

    clips = []
    left_out = []
    for category, paths in files.items():
        names = [_NAME.fullmatch(path.stem) for path in paths]
        found = [(path, category, int(name[1]), name[2]) for path, name in zip(paths, names) if name]
        left_out += [path for path, name in zip(paths, names) if not name]
        if len(found) != _CLIPS_PER_CLASS:
            warnings.warn(
                f"ESC-10 has {_CLIPS_PER_CLASS} clips of {category}, got {len(found)} in {paths[0].parent}. "
                "Unpack the archive again.",
                stacklevel=2,
            )
        clips += found
    if left_out:
        warnings.warn(
            f"{len(left_out)} files are not named like those of ESC-10 (1-100032-A.ogg). The first is "
            f"{left_out[0]}. These files are left out.",
            stacklevel=2,
        )
    paths, categories, folds, recordings = zip(*clips)
    return AudioDataset(
        paths=[str(path) for path in paths],
        target=np.where(np.array(categories) == normal_category, 1, -1).astype(np.int64),
        metadata={
            "category": np.array(categories),
            "fold": np.array(folds, dtype=np.int64),
            "clip": np.array(recordings),
        },
        DESCR=_DESCR,
    )


def _find(home):
    """Return the files of every class, as a dict of lists, from the first folder that has files."""
    roots = [home / "esc10", *sorted(home.glob("ESC-10*")), *sorted(home.glob("ESC-50*")), home]
    for root in roots:
        for layout in _LAYOUTS:
            files = {
                category: _visible(root, layout.format(folder=folder, category=category, number=number))
                for folder, (category, number) in enumerate(_CLASSES.items(), start=1)
            }
            missing = [
                category
                for category, paths in files.items()
                if not any(_NAME.fullmatch(path.stem) for path in paths)
            ]
            if missing and len(missing) < len(files):
                raise FileNotFoundError(
                    f"ESC-10 has ten classes; {root} has no recordings of {', '.join(missing)}. Unpack the "
                    f"archive again. {_SOURCE}."
                )
            if not missing:
                return files
    raise FileNotFoundError(
        f"ESC-10 is {_LAYOUT}. These files are neither in {home} nor in a folder esc10, ESC-10* or ESC-50* "
        "there. Unpack the publisher's archive there, or pass another data_home."
        f"{recognise(home, loader='load_esc10')} {_SOURCE}."
    )


def _visible(root, pattern):
    # Files whose names begin with a dot belong to the operating system.
    return sorted(path for path in root.glob(pattern) if not path.name.startswith("."))
