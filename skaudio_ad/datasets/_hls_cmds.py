"""Loader of HLS-CMDS, heart and lung sounds of a clinical manikin."""

import warnings
from pathlib import Path
from typing import Literal

import numpy as np

from .._typing import PathLike
from ._dataset import AudioDataset
from ._files import find_home, recognise
from ._tables import read_table

_SOURCE = (
    "HLS-CMDS by Y. Torabi, S. Shirani and J. P. Reilly is published on Mendeley Data under CC BY 4.0 and "
    "described in IEEE Data Descriptions, https://doi.org/10.1109/IEEEDATA.2025.3566012, which links to it "
    "(https://doi.org/10.17632/8972jxbpmp.3)"
)
_LAYOUT = "the folders HS, LS and Mix with the wav files, and the tables HS.csv, LS.csv and Mix.csv"

# LS.csv and the file names abbreviate crackles differently. Ids with C (fine crackles) belong to files with FC, and
# ids with G (coarse crackles) belong to files with CC. The sound type in the same row confirms this.
_LUNG_ALIASES = {"C": "FC", "G": "CC"}
_IDS: dict[str, dict[str, tuple[str, ...]]] = {
    "HS": {"Heart Sound ID": ("Heart Sound Type",)},
    "LS": {"Lung Sound ID": ("Lung Sound Type",)},
    "Mix": {
        "Heart Sound ID": ("Heart Sound Type",),
        "Lung Sound ID": ("Lung Sound Type",),
        "Mixed Sound ID": ("Heart Sound Type", "Lung Sound Type"),
    },
}
_PARTS = {
    "heart": (("HS", "Heart Sound ID"), ("Mix", "Heart Sound ID")),
    "lung": (("LS", "Lung Sound ID"), ("Mix", "Lung Sound ID")),
    "mixed": (("Mix", "Mixed Sound ID"),),
}
_PREFIX = {"Heart Sound ID": "H", "Lung Sound ID": "L", "Mixed Sound ID": "M"}

_DESCR = """\
HLS-CMDS: heart and lung sounds recorded from a clinical manikin with a digital stethoscope.

535 recordings of 15 s at 4 kHz, mono: 50 of the heart (HS), 50 of the lung (LS), and 145 mixtures (Mix), each
with its heart sound and its lung sound. A mixture is normal if both of its sounds are normal.

Sound   Normal   Abnormal
heart   22       173
lung    40       155
mixed   3        142

Many recordings are the same file, byte for byte, under two or more names, because a sound is used in several
mixtures or is also published alone. `groups` has one number per distinct file. Keep a group on one side of a split.

`location` is the Location column as published. In one row this column disagrees with the id: the table lists the
heart sound F_T_RC at LC. The loader keeps the column, and the id is in `recording`.

Y. Torabi, S. Shirani, J. P. Reilly, "Descriptor: Heart and Lung Sounds Dataset Recorded from a Clinical
Manikin using Digital Stethoscope (HLS-CMDS)", IEEE Data Descriptions, 2025,
https://doi.org/10.1109/IEEEDATA.2025.3566012. Licence CC BY 4.0.
"""


def load_hls_cmds(
    *, sound: Literal["heart", "lung", "mixed"] = "heart", data_home: PathLike | None = None
) -> AudioDataset:
    """Load the heart and lung sounds data set HLS-CMDS from a folder.

    ==================   =================================
    Clips                195 heart, 195 lung or 145 mixed
    Normal               22, 40 or 3
    Clip                 15 s at 4 kHz, mono
    ==================   =================================

    Parameters
    ----------
    sound : {"heart", "lung", "mixed"}, default="heart"
        Recordings to load. "heart" is HS and the heart part of every mixture, "lung" is LS and the lung part of every
        mixture, and "mixed" is the mixtures.
    data_home : str or path-like, default=None
        Folder that contains the data set, directly or below `hls_cmds`. None uses the environment variable
        `SKAUDIO_AD_DATA`. The folders HS, LS and Mix and the tables HS.csv, LS.csv and Mix.csv may be up to two
        folders deeper, as in the publisher's archives (`Sound/HS`, `csv_files/HS.csv`).

    Returns
    -------
    AudioDataset
        paths : list of str of length n_clips
            Paths of the wav files: first HS or LS, then Mix, each sorted by name.
        target : ndarray of shape (n_clips,), int64
            1 is normal, -1 is anomalous (every type of sound except "Normal").
        groups : ndarray of shape (n_clips,), int64
            Number of the content of every file. Files with equal bytes have the same number. Use it for group-wise
            splits.
        metadata : dict of ndarray of shape (n_clips,), str
            `detail` is the type of sound, which is "heart type + lung type" for a mixture. `sex` is "F" or "M".
            `location` is the auscultation site. `source` and `section` are "HS", "LS" or "Mix". `recording` is the
            name of the file without its extension. The publisher splits nothing, so `split` is "".
        DESCR : str
            Description, licence and citation.

    Raises
    ------
    FileNotFoundError
        If the folder, a table or the file of a listed recording is missing.
    ValueError
        If `sound` is unknown, a table lacks a column or a value, or two rows claim the same file.

    Warns
    -----
    UserWarning
        If a folder has recordings that its table does not list. The loader leaves out these recordings.

    References
    ----------
    .. [1] Y. Torabi, S. Shirani and J. P. Reilly, "Descriptor: Heart and Lung Sounds Dataset Recorded from a
       Clinical Manikin using Digital Stethoscope (HLS-CMDS)", IEEE Data Descriptions, 2025,
       https://doi.org/10.1109/IEEEDATA.2025.3566012.

    Examples
    --------
    >>> from skaudio_ad.datasets import load_hls_cmds
    >>> heart = load_hls_cmds(sound="heart")  # doctest: +SKIP
    >>> len(heart.paths), int((heart.target == 1).sum())  # doctest: +SKIP
    (195, 22)
    """
    if sound not in _PARTS:
        raise ValueError(f"Unknown sound {sound!r}; known ones: {', '.join(_PARTS)}.")
    home = find_home(data_home, _LAYOUT, _SOURCE)

    clips = []
    for source, id_column in _PARTS[sound]:
        clips += sorted(_read_part(home, source, id_column), key=lambda clip: clip["recording"])
    paths = [clip.pop("path") for clip in clips]
    normal = np.array([clip.pop("normal") for clip in clips], dtype=bool)
    return AudioDataset(
        paths=[str(path) for path in paths],
        target=np.where(normal, 1, -1).astype(np.int64),
        metadata={
            "section": np.array([clip["source"] for clip in clips]),
            **{key: np.array([clip[key] for clip in clips]) for key in (clips[0] if clips else ())},
        },
        DESCR=_DESCR,
    )


def _read_part(home, source, id_column):
    """Return the clips of one table as dicts, in the order of the table."""
    table = _find(home, f"{source}.csv", lambda path: path.is_file())
    folder = _find(home, source, lambda path: path.is_dir() and any(path.glob("*.wav")))
    type_columns = _IDS[source][id_column]
    clips: list[dict] = []
    rows: dict[Path, str] = {}
    for _, row in read_table(table, ("Gender", "Location", id_column, *type_columns)):
        path = _resolve(table, folder, source, id_column, row[id_column])
        if path in rows:
            raise ValueError(
                f"{table}: {row[id_column]!r} and {rows[path]!r} in column {id_column!r} both name {path.name}. "
                "Every row must have its own recording. Get the table from the publisher again."
            )
        rows[path] = row[id_column]
        types = [row[column] for column in type_columns]
        clips.append(
            {
                "path": path,
                "normal": all(kind == "Normal" for kind in types),
                "detail": " + ".join(types),
                "sex": row["Gender"],
                "location": row["Location"],
                "source": source,
                "recording": path.stem,
            }
        )
    _warn_of_unlisted(table, folder, _PREFIX[id_column] if source == "Mix" else "", rows)
    return clips


def _find(home, name, accept):
    """Return the only path called `name` at the smallest depth below the data folder."""
    roots = [root for root in (home / "hls_cmds", home) if root.is_dir()]
    for root in roots:
        for pattern in (name, f"*/{name}", f"*/*/{name}"):
            found = [path for path in sorted(root.glob(pattern)) if accept(path)]
            if len(found) > 1:
                raise ValueError(
                    f"{name} of HLS-CMDS must exist once, got {len(found)}: {', '.join(map(str, found))}. "
                    "Remove the spare copies, or pass the folder of one copy as data_home."
                )
            if found:
                return found[0]
    looked = " and ".join(str(root) for root in roots)
    raise FileNotFoundError(
        f"HLS-CMDS consists of {_LAYOUT}. {name} is not in {looked}, nor up to two folders below. Unpack the "
        f"publisher's archives there, or pass another data_home.{recognise(home, loader='load_hls_cmds')} {_SOURCE}."
    )


def _resolve(table, folder, source, id_column, identifier):
    """Return the file of the recording that a table calls `identifier`."""
    names = [identifier]
    parts = identifier.split("_")
    if source == "LS" and len(parts) == 3 and parts[1] in _LUNG_ALIASES:
        names.append("_".join([parts[0], _LUNG_ALIASES[parts[1]], parts[2]]))
    for name in names:
        path = Path(folder) / f"{name}.wav"
        if path.is_file():
            return path
    raise FileNotFoundError(
        f"{table}: recording {identifier!r} of column {id_column!r} has no file; looked for "
        f"{' and '.join(f'{name}.wav' for name in names)} in {folder}. Unpack the archive again if it is "
        "incomplete, or correct the id."
    )


def _warn_of_unlisted(table, folder, prefix, listed):
    # Files whose names begin with a dot belong to the operating system.
    unlisted = [
        path.name
        for path in sorted(folder.glob(f"{prefix}*.wav"))
        if path not in listed and not path.name.startswith(".")
    ]
    if unlisted:
        warnings.warn(
            f"{table} does not list {len(unlisted)} recordings of {folder}. The first is {unlisted[0]}. These "
            "recordings are left out.",
            stacklevel=4,
        )
