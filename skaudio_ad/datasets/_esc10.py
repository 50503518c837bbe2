"""Loader of ESC-10, environmental sounds of ten classes."""

import re
import warnings

import numpy as np
from sklearn.utils import Bunch

from ._files import content_groups, find_home

# Classes in the order of the ogg edition's folders ("001 - Dog bark"), each with its number in ESC-50.
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
# Fold, id of the recording on Freesound, take; ESC-50 adds the number of the class.
_NAME = re.compile(r"([1-5])-(\d+)-[A-Z](-\d+)?")

_LAYOUT = (
    "the ogg files in the folders '001 - Dog bark' to '010 - Fire crackling', or the wav files in ESC-50's "
    "folder audio"
)
# The last commit of the ESC-10 repository took the recordings out; this is the one before.
_SOURCE = (
    "ESC-10 by K. J. Piczak is published under CC BY 3.0 in ogg, "
    "https://github.com/karolpiczak/ESC-10/archive/553c8f1743b9dba6b282e1323c3ca8fa76923448.zip, and in wav "
    "as a part of ESC-50, https://github.com/karolpiczak/ESC-50"
)

_DESCR = """\
ESC-10: environmental sounds of ten classes, from recordings on Freesound.

400 clips of about 5 s at 44.1 kHz, mono, 40 of each class: Dog bark, Rain, Sea waves, Baby cry, Clock tick,
Person sneeze, Helicopter, Chainsaw, Rooster, Fire crackling. There are five folds with 8 clips of each class.
The clips are cut from 304 recordings; those cut from one recording are in one fold.

One-class use: one class is normal, the other nine are anomalous. Train on the normal clips of four folds,
test on those of the fifth and on anomalous clips.

No two clips are the same file. 2-28314-A and 2-30322-A are nearly the same sound, in one fold.

In the ogg edition most clips are 5.0 s long, some from 3.6 s to 7.2 s. Short sounds are filled up with
digital silence: 41 % of all samples of Person sneeze, 36 % of Rooster and 16 % of Dog bark are exactly zero,
at most 3 % of any other class. The share of silence alone tells a sneeze or a rooster from all other clips
with an AUC of 0.86 or 0.84; a dog bark with 0.55.

K. J. Piczak, "ESC: Dataset for Environmental Sound Classification", Proceedings of the 23rd ACM International
Conference on Multimedia, 2015, https://doi.org/10.1145/2733373.2806390. Licence CC BY 3.0; the publisher's
README.md (ogg) or LICENSE (wav) credits each clip.
"""


def load_esc10(normal, *, data_home=None):
    """Load the environmental sounds ESC-10 from a folder, one class as the normal one.

    ==================   =================================
    Clips                400
    Normal               40
    Clip                 about 5 s at 44.1 kHz, mono
    ==================   =================================

    Parameters
    ----------
    normal : str
        The class that counts as normal, in upper or lower case: "Dog bark", "Rain", "Sea waves", "Baby cry",
        "Clock tick", "Person sneeze", "Helicopter", "Chainsaw", "Rooster" or "Fire crackling". The others
        are anomalous. There is no default: the data set has no normal class of its own.
    data_home : str or path-like, default=None
        Folder that contains the data set, directly or below `esc10`, or as the publisher's archives of ESC-10
        and ESC-50 unpack (`ESC-10-...`, `ESC-50-...`). None takes it from the environment variable
        `SKAUDIO_AD_DATA`. Of ESC-50 only the clips of ESC-10 are taken.

    Returns
    -------
    :class:`~sklearn.utils.Bunch`
        paths : list of str of length n_clips
            The ogg or wav files, by class in the order above, then by name.
        target : ndarray of shape (n_clips,), int64
            1 normal, -1 anomalous (the other nine classes).
        groups : ndarray of shape (n_clips,), int64
            The same number for files that are bit for bit the same.
        metadata : dict of ndarray of shape (n_clips,)
            `category` (name of the class, str), `fold` (the publisher's, 1 to 5, int64) and `clip` (id of the
            recording on Freesound that the clip was cut from, str; clips cut from one recording are in one
            fold).
        DESCR : str
            Description, licence and citation.

    Raises
    ------
    FileNotFoundError
        If the folder or all clips of a class are missing.
    ValueError
        If `normal` is no class of ESC-10.

    Warns
    -----
    UserWarning
        If a class has not 40 clips, or if its folder has files that are not named like ESC-10's; those are
        left out.

    See Also
    --------
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
            f"{len(left_out)} files are not named like those of ESC-10 (1-100032-A.ogg), the first being "
            f"{left_out[0]}; they are left out.",
            stacklevel=2,
        )
    paths, categories, folds, recordings = zip(*clips)
    return Bunch(
        paths=[str(path) for path in paths],
        target=np.where(np.array(categories) == normal_category, 1, -1).astype(np.int64),
        groups=content_groups(paths),
        metadata={
            "category": np.array(categories),
            "fold": np.array(folds, dtype=np.int64),
            "clip": np.array(recordings),
        },
        DESCR=_DESCR,
    )


def _find(home):
    """Files of every class, as a dict of lists, from the first folder that has any."""
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
        f"ESC-10 is {_LAYOUT}; they are neither in {home} nor in a folder esc10, ESC-10* or ESC-50* "
        f"there. Unpack the publisher's archive there, or pass another data_home. {_SOURCE}."
    )


def _visible(root, pattern):
    # Files that begin with a dot are an operating system's own, not recordings.
    return sorted(path for path in root.glob(pattern) if not path.name.startswith("."))
