"""Loader of SPRSound, respiratory sounds of children."""

import json
import os
import re
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from .._typing import PathLike
from ._dataset import AudioDataset
from ._files import find_home, recognise, several

_YEARS = (2022, 2023, 2024, 2025)
# Labels of the publisher's annotations of whole recordings.
_LABELS = {"Normal": 1, "CAS": -1, "DAS": -1, "CAS & DAS": -1, "Poor Quality": 0}
# A name holds the number of the patient (empty where the publisher hides it), age in years, sex, place and number.
_NAME = re.compile(r"(\d*)_(\d+(?:\.\d+)?)_([01])_(p\d)_(\d+)")
# Folders with annotations: of today's repository, of its state in 2023 and 2024, and of its state in 2022.
_FOLDER = re.compile(r"(train|test|valid)(20\d\d)?(?:_classification)?_json|test(2024)_detection_json")
_PLACES = ("*_json", "BioCAS20*/*_json", "Classification/*_json", "Detection/test*_json")

_LAYOUT = (
    "the folders BioCAS2022/train2022_wav, train2022_json, test2022_wav and test2022_json, BioCAS2023/test2023_wav and "
    "so on"
)
_SOURCE = (
    "SPRSound by Q. Zhang et al. is published at https://github.com/SJTU-YONGFU-RESEARCH-GRP/SPRSound, with its "
    "licence in the file LICENSE; fetch_sprsound downloads and unpacks the archive"
)

_DESCR = """\
SPRSound: respiratory sounds of children from 1 month to 18 years, recorded at Shanghai Children's Medical Center.

Recordings with a digital stethoscope at the back and the sides of the chest, 8 kHz, mono. Physicians annotated every
recording and every respiratory event in it. CAS are continuous adventitious sounds (wheeze, rhonchi, stridor), and DAS
are discontinuous ones (crackles).

Year   Training   Test   Patients of the test
2022   1949        379   of the training set ("intra")
                   355   others ("inter")
2023                871   not said
2024               1704   not said, and no label for whole recordings
2025               1309   not said, and no label for whole recordings

The label is 1 for "Normal", -1 for "CAS", "DAS" and "CAS & DAS", and 0 for "Poor Quality", because in such a recording
the physicians could not tell. Recordings without an annotation as a whole have the label 0 too.

`groups` keep the recordings of a patient together. The official "intra" test shares its patients with the training
set. Report the "intra" and the "inter" test apart, because a patient that was heard in training is easier.

Q. Zhang, J. Zhang, J. Yuan et al., "SPRSound: Open-Source SJTU Paediatric Respiratory Sound Database", IEEE
Transactions on Biomedical Circuits and Systems 16(5), 867-881, 2022, https://doi.org/10.1109/TBCAS.2022.3204910.
The licence is in the file LICENSE of the publisher's repository.
"""


class _Part(NamedTuple):
    """Annotations in one folder, and the folder of the recordings."""

    year: int
    split: str
    test_set: str
    folder: Path
    wavs: Path


def load_sprsound(
    year: int | Sequence[int] | None = 2022, *, data_home: PathLike | None = None
) -> AudioDataset:
    """Load the respiratory sounds of children SPRSound from a folder.

    ==================   =======================================================
    Recordings           1949 for training; 734, 871, 1704 and 1309 for testing
    Recording            some seconds at 8 kHz, mono
    ==================   =======================================================

    Parameters
    ----------
    year : {2022, 2023, 2024, 2025}, list of these, or None, default=2022
        Years of the IEEE BioCAS challenges. 2022 is the training set and the test set of the paper. The other years are
        test sets. None loads all years that are in the folder.
    data_home : str or path-like, default=None
        Folder that contains the data set: directly, below `sprsound`, or in the folder of the publisher's archive
        (`SPRSound-...`). None uses the environment variable `SKAUDIO_AD_DATA`. Three layouts of the publisher's
        repository are read: `BioCAS2022/train2022_wav`, `Classification/train_classification_wav` and `train_wav`, each
        with the folders of annotations beside.

    Returns
    -------
    AudioDataset
        paths : list of str of length n_clips
            Paths of the wav files, sorted by year, training before test, and name.
        target : ndarray of shape (n_clips,), int64
            1 is normal, -1 is anomalous (CAS, DAS or both), 0 is unknown (poor quality, or no annotation of the whole
            recording, as in 2024 and 2025).
        groups : ndarray of shape (n_clips,), int64
            Recordings of a patient, and files with equal bytes, have the same number. All recordings whose name has no
            number of a patient are one group, because they may be of one patient.
        metadata : dict of ndarray of shape (n_clips,)
            `split` (str) is the official "train" or "test". `test_set` (str) is "intra" (patients of the training set)
            or "inter" (other patients) where the publisher says so, else "". `annotation` (str) is that of the whole
            recording, "" if there is none. `events` (str) has the types of the annotated events, sorted, such as
            "Normal, Wheeze", and `n_events` (int64) has their number. `patient` (str), `age` (float64, years), `sex`
            ("F" or "M"), `location` ("p1" left posterior, "p2" left lateral, "p3" right posterior, "p4" right lateral,
            further ones since 2024), `recording` (str) and `year` (int64) come from the names.
        DESCR : str
            Description, licence and citation.

    Raises
    ------
    FileNotFoundError
        If the folder, a requested year, or the recordings of annotations are missing.
    ValueError
        If a year is unknown, a file of annotations is damaged or not named like those of SPRSound, or a recording is
        there twice.

    Warns
    -----
    UserWarning
        If there are recordings without a file of annotations. The loader leaves out these recordings.

    See Also
    --------
    load_hls_cmds : Heart and lung sounds of a manikin.
    load_physionet2016 : Heart sounds.

    Notes
    -----
    The loader opens the files of annotations (JSON), and no recording. For a rougher label where the annotation of the
    whole recording is missing, use the events: ``np.where(metadata["events"] == "Normal", 1, -1)`` for the recordings
    with at least one event.

    References
    ----------
    .. [1] Q. Zhang, J. Zhang, J. Yuan et al., "SPRSound: Open-Source SJTU Paediatric Respiratory Sound Database", IEEE
       Transactions on Biomedical Circuits and Systems 16(5), 867-881, 2022,
       https://doi.org/10.1109/TBCAS.2022.3204910.

    Examples
    --------
    >>> from skaudio_ad.datasets import load_sprsound
    >>> sounds = load_sprsound()  # doctest: +SKIP
    >>> train = (sounds.metadata["split"] == "train") & (sounds.target == 1)  # doctest: +SKIP
    >>> inter = (sounds.metadata["test_set"] == "inter") & (sounds.target != 0)  # doctest: +SKIP
    """
    wanted = _check_years(year)
    home = find_home(data_home, _LAYOUT, _SOURCE)
    roots = [root for root in (home / "sprsound", *sorted(home.glob("SPRSound*")), home) if root.is_dir()]
    for root in roots:
        parts = sorted(part for place in _PLACES for folder in root.glob(place) for part in _parts(folder))
        if parts:
            break
    else:
        raise FileNotFoundError(
            f"SPRSound is {_LAYOUT}. These folders are not in {' or '.join(map(str, roots))}. Unpack the publisher's "
            f"archive there, or pass another data_home.{recognise(home, loader='load_sprsound')} {_SOURCE}."
        )
    there = sorted({part.year for part in parts})
    missing = [year for year in wanted or () if year not in there]
    if missing:
        raise FileNotFoundError(
            f"{root} has no annotations of {', '.join(map(str, missing))}. It has {', '.join(map(str, there))}. Unpack "
            "the archive again, or name other years."
        )
    chosen = [part for part in parts if wanted is None or part.year in wanted]
    clips = _read(chosen)
    annotated = {path.stem for part in parts for path in _files(part.folder, ".json")}
    silent = sorted(
        {path for part in chosen for path in _files(part.wavs, ".wav") if path.stem not in annotated}
    )
    if silent:
        warnings.warn(
            f"{len(silent)} recordings have no annotations: {several(silent)}. These recordings are left out.",
            stacklevel=2,
        )
    columns = {
        name: np.array([clip[name] for clip in clips]) for name in clips[0] if name not in ("path", "wav")
    }
    return AudioDataset(
        paths=[str(clip["wav"]) for clip in clips],
        target=[_LABELS.get(annotation, 0) for annotation in columns["annotation"]],
        metadata=columns,
        DESCR=_DESCR,
        units=columns["patient"],
    )


def _check_years(year):
    if year is None:
        return None
    listed = list(year) if np.iterable(year) and not isinstance(year, str) else [year]
    if not listed or any(one not in _YEARS for one in listed):
        raise ValueError(
            f"year must be one or several of {', '.join(map(str, _YEARS))}, or None, got {year!r}."
        )
    return sorted({int(one) for one in listed})


def _parts(folder):
    """Find the annotations in a folder such as test2022_json, whose subfolders tell the year and the kind of test."""
    match = _FOLDER.fullmatch(folder.name)
    if match is None:
        return
    wavs = folder.with_name(folder.name.removesuffix("_json") + "_wav")
    for place in sorted({path.parent for path in _files(folder, ".json")}):
        year, test_set = int(match[2] or match[3] or _YEARS[0]), ""
        for name in place.relative_to(folder).parts:
            if name in map(str, _YEARS):
                year = int(name)
            elif name in ("inter_test_json", "intra_test_json"):
                test_set = name.removesuffix("_test_json")
            else:
                raise ValueError(
                    f"{place} is no folder of SPRSound. Move it elsewhere, or unpack the archive again."
                )
        yield _Part(year, "train" if match[1] == "train" else "test", test_set, place, wavs)


def _files(folder, suffix):
    """List the files in a folder and below. Files whose names begin with a dot belong to the operating system."""
    return [
        Path(place, name)
        for place, _, names in os.walk(folder)
        for name in names
        if name.endswith(suffix) and not name.startswith(".")
    ]


def _read(parts):
    """Return the clips of several folders of annotations."""
    wavs = {
        folder: {path.stem: path for path in _files(folder, ".wav")}
        for folder in {part.wavs for part in parts}
    }
    clips: dict = {}
    wrong, absent = [], []
    for part in parts:
        for path in sorted(part.folder.glob("[!.]*.json")):
            name = _NAME.fullmatch(path.stem)
            if name is None:
                wrong.append(path)
            elif path.stem not in wavs[part.wavs]:
                absent.append(part.wavs / f"{path.stem}.wav")
            elif path.stem in clips:
                raise ValueError(
                    f"{path} and {clips[path.stem]['path']} are of one recording. Remove the spare copy."
                )
            else:
                clips[path.stem] = {
                    "path": path,
                    "wav": wavs[part.wavs][path.stem],
                    "split": part.split,
                    "test_set": part.test_set,
                    **_read_annotation(path),
                    "patient": name[1],
                    "age": float(name[2]),
                    "sex": "MF"[int(name[3])],
                    "location": name[4],
                    "recording": path.stem,
                    "year": part.year,
                }
    if wrong:
        raise ValueError(
            f"{len(wrong)} files are not named like those of SPRSound (65101170_0.4_0_p1_3246.json): {several(wrong)}. "
            "Move them elsewhere."
        )
    if absent:
        raise FileNotFoundError(
            f"{len(absent)} annotated recordings are missing: {several(absent)}. Unpack the archive again."
        )
    return sorted(
        clips.values(), key=lambda clip: (clip["year"], clip["split"] != "train", clip["recording"])
    )


def _read_annotation(path):
    try:
        annotation = json.loads(path.read_text(encoding="utf-8"))
        # The publisher's README calls the entry recording_annotation.
        label = annotation.get("record_annotation", annotation.get("recording_annotation", ""))
        types = [event["type"] for event in annotation["event_annotation"]]
        events = ", ".join(sorted(set(types)))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f"{path} holds no annotations of SPRSound ({type(error).__name__}: {error}). Get the file from the "
            "publisher again."
        ) from error
    if label not in ("", *_LABELS):
        raise ValueError(f"{path}: the annotation must be one of {', '.join(_LABELS)}, got {label!r}.")
    return {"annotation": label, "events": events, "n_events": len(types)}
