"""Loader of HLS-CMDS, heart and lung sounds of a clinical manikin."""

import csv
import warnings
from pathlib import Path

import numpy as np
from sklearn.utils import Bunch

from ._files import content_groups, find_home

_SOURCE = (
    "HLS-CMDS by Y. Torabi, S. Shirani and J. P. Reilly is published on Mendeley Data under CC BY 4.0 and "
    "described in IEEE Data Descriptions, https://doi.org/10.1109/IEEEDATA.2025.3566012, which links to it"
)
_LAYOUT = "the folders HS, LS and Mix with the wav files, and the tables HS.csv, LS.csv and Mix.csv"

# LS.csv abbreviates crackles differently from the names of the files: its ids with C (fine crackles) and
# G (coarse crackles) belong to files with FC and CC. The sound type in the same row confirms it.
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
with the heart and the lung sound it consists of. Normal and abnormal: heart 22 and 173, lung 40 and 155,
mixed 3 and 142; a mixture is normal if both of its sounds are.

Many recordings are bit-for-bit the same file under two or more names (a sound used in several mixtures, or
also present by itself): `groups` has one number per distinct file. Keep a group on one side of a split.

`location` is the Location column as published. One row disagrees with its own id: the heart sound F_T_RC is
listed at LC. The column is kept, as in every other row, and the id is in `recording`.

Y. Torabi, S. Shirani, J. P. Reilly, "Descriptor: Heart and Lung Sounds Dataset Recorded from a Clinical
Manikin using Digital Stethoscope (HLS-CMDS)", IEEE Data Descriptions, 2025,
https://doi.org/10.1109/IEEEDATA.2025.3566012. Licence CC BY 4.0.
"""


def load_hls_cmds(*, sound="heart", data_home=None):
    """Load the heart and lung sounds data set HLS-CMDS from a folder.

    ==================   =================================
    Clips                195 heart, 195 lung or 145 mixed
    Normal               22, 40 or 3
    Clip                 15 s at 4 kHz, mono
    ==================   =================================

    Parameters
    ----------
    data_home : str or path-like, default=None
        Folder that contains the data set, directly or below `hls_cmds`. None takes it from the environment
        variable `SKAUDIO_AD_DATA`. The folders HS, LS and Mix and the tables HS.csv, LS.csv and Mix.csv may
        lie up to two folders deeper, as the publisher's archives unpack (`Sound/HS`, `csv_files/HS.csv`).
    sound : {"heart", "lung", "mixed"}, default="heart"
        Which recordings: those of the heart (HS and the heart part of every mixture), those of the lung
        (LS and the lung parts), or the mixtures.

    Returns
    -------
    :class:`~sklearn.utils.Bunch`
        paths : list of str of length n_clips
            The wav files: first HS or LS, then Mix, each by name.
        target : ndarray of shape (n_clips,), int64
            1 normal, -1 anomalous (any type of sound but "Normal").
        groups : ndarray of shape (n_clips,), int64
            The same number for files that are bit for bit the same, for group-wise splits.
        metadata : dict of ndarray of shape (n_clips,), str
            `detail` (type of sound; of a mixture, "heart type + lung type"), `sex` ("F" or "M"), `location`
            (auscultation site), `source` ("HS", "LS" or "Mix") and `recording` (name of the file without its
            extension).
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
        If a folder has recordings that its table does not list; they are left out.

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
    return Bunch(
        paths=[str(path) for path in paths],
        target=np.where(normal, 1, -1).astype(np.int64),
        groups=content_groups(paths),
        metadata={key: np.array([clip[key] for clip in clips]) for key in clips[0]} if clips else {},
        DESCR=_DESCR,
    )


def _read_part(home, source, id_column):
    """Clips of one table, as dicts, in its order."""
    table = _find(home, f"{source}.csv", lambda path: path.is_file())
    folder = _find(home, source, lambda path: path.is_dir() and any(path.glob("*.wav")))
    type_columns = _IDS[source][id_column]
    clips: list[dict] = []
    rows: dict[Path, str] = {}
    for row in _read_table(table, ("Gender", "Location", id_column, *type_columns)):
        path = _resolve(table, folder, source, id_column, row[id_column])
        if path in rows:
            raise ValueError(
                f"{table}: {row[id_column]!r} and {rows[path]!r} in column {id_column!r} both lead to {path.name}. "
                "Every row must have a recording of its own; take the table from the publisher again."
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
    """The one path called `name` at the least depth below the data folder."""
    roots = [root for root in (home / "hls_cmds", home) if root.is_dir()]
    for root in roots:
        for pattern in (name, f"*/{name}", f"*/*/{name}"):
            found = [path for path in sorted(root.glob(pattern)) if accept(path)]
            if len(found) > 1:
                raise ValueError(
                    f"{name} of HLS-CMDS must be there once, got {len(found)}: {', '.join(map(str, found))}. "
                    "Remove the spare copies, or pass the folder of one copy as data_home."
                )
            if found:
                return found[0]
    looked = " and ".join(str(root) for root in roots)
    raise FileNotFoundError(
        f"HLS-CMDS consists of {_LAYOUT}; {name} is not in {looked}, nor up to two folders below. Unpack the "
        f"publisher's archives there, or pass another data_home. {_SOURCE}."
    )


def _read_table(table, columns):
    """Rows of a csv file, with blanks around every value removed."""
    # utf-8-sig drops the byte order mark that spreadsheet programs add; without it the first column would
    # be called '\ufeffGender'. LS.csv has a blank before one id.
    with open(table, encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file, skipinitialspace=True)
        header = [(name or "").strip() for name in reader.fieldnames or []]
        reader.fieldnames = header
        missing = [column for column in columns if column not in header]
        if missing:
            raise ValueError(
                f"{table}: the table must have the columns {', '.join(columns)}; {', '.join(missing)} not found "
                f"among {', '.join(header)}. Take the table from the publisher again."
            )
        rows = []
        for row in reader:
            values = {column: (row[column] or "").strip() for column in columns}
            if not any(values.values()):
                continue  # a line of separators at the end of the table
            empty = [column for column, value in values.items() if not value]
            if empty:
                raise ValueError(
                    f"{table}, line {reader.line_num}: every column must have a value; {', '.join(empty)} is empty. "
                    "Take the table from the publisher again."
                )
            rows.append(values)
    return rows


def _resolve(table, folder, source, id_column, identifier):
    """File of the recording that a table calls `identifier`."""
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
    # Files that begin with a dot are an operating system's own, not recordings.
    unlisted = [
        path.name
        for path in sorted(folder.glob(f"{prefix}*.wav"))
        if path not in listed and not path.name.startswith(".")
    ]
    if unlisted:
        warnings.warn(
            f"{table} does not list {len(unlisted)} recordings of {folder}, the first being {unlisted[0]}; they "
            "are left out.",
            stacklevel=4,
        )
