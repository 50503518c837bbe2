"""Loader of MIMII, sounds of machines in factory noise."""

import re
import warnings
from collections.abc import Sequence
from typing import Literal

import numpy as np

from .._typing import PathLike
from ._dataset import AudioDataset
from ._files import find_home
from ._machine_folders import describe_home, few, list_folder

_MACHINES = ("fan", "pump", "slider", "valve")
# Ratios as in the names of the archives, and the folders to which the publisher's script unpacks the archives.
_SNRS = {"-6_dB": "min6dB", "0_dB": "0dB", "6_dB": "6dB"}
_IDS = ("id_00", "id_02", "id_04", "id_06")  # version "public 1.0"

_NAME = re.compile(r"\d{8}\.wav")

_LAYOUT = "folders such as -6_dB/fan/id_00/normal and .../abnormal with wav files"
_SOURCE = (
    "MIMII by H. Purohit et al. is published by Hitachi under CC BY-SA 4.0 at "
    "https://zenodo.org/records/3384388. The archives of all signal-to-noise ratios have the same folders "
    "inside: unpack -6_dB_fan.zip into a folder -6_dB or -6_dB_fan of its own, or call "
    "fetch_mimii, which downloads and unpacks the archives"
)

_DESCR = """\
MIMII: sounds of fans, pumps, slide rails and valves, normal and with faults, in the noise of real factories.

Recordings of 10 s at 16 kHz, 16 bit, with eight microphones in a circle. There are four machines of each type
(id_00, id_02, id_04, id_06). The noise was added at a signal-to-noise ratio of -6, 0 or 6 dB. Faults include
contamination, leakage, rotating unbalance and rail damage.

Recordings with neighbouring numbers often share background and level. For every fan at -6 dB, the level alone
separates the first ten normal from the first five anomalous recordings, by its distance from the median level of
the normal recordings. Therefore compare a detector with loudness alone, and normalise the level.

The publisher's baseline trains one model per machine. Its test set is all anomalous recordings of the machine and
the same number of normal recordings, the first ones by name.

H. Purohit, R. Tanabe, K. Ichige, T. Endo, Y. Nikaido, K. Suefusa and Y. Kawaguchi, "MIMII Dataset: Sound
Dataset for Malfunctioning Industrial Machine Investigation and Inspection", DCASE Workshop, 2019,
https://arxiv.org/abs/1909.09347. Copyright Hitachi, Ltd. Licence CC BY-SA 4.0.
"""


def load_mimii(
    machine: Literal["fan", "pump", "slider", "valve"] | None = None,
    *,
    snr: Literal["-6_dB", "0_dB", "6_dB"] = "-6_dB",
    ids: str | Sequence[str] | None = None,
    data_home: PathLike | None = None,
) -> AudioDataset:
    """Load MIMII, sounds of machines in factory noise, from a folder.

    ==================   =================================
    Machines             4 each of fan, pump, slider, valve
    Clip                 10 s at 16 kHz, 8 channels
    ==================   =================================

    Parameters
    ----------
    machine : {"fan", "pump", "slider", "valve"} or None, default=None
        Type of machine. None loads all four types.
    snr : {"-6_dB", "0_dB", "6_dB"}, default="-6_dB"
        Signal-to-noise ratio, as in the names of the archives. The default is the most difficult ratio.
    ids : str or list of str or None, default=None
        Machines of the type, such as "id_00". None loads the four machines of version "public 1.0": id_00, id_02,
        id_04 and id_06.
    data_home : str or path-like, default=None
        Folder that contains the data set, directly or below `mimii`. None uses the environment variable
        `SKAUDIO_AD_DATA`. The loader looks for the fan id_00 at -6 dB in `-6_dB/fan/id_00`, `-6_dB_fan/fan/id_00`,
        `-6_dB_fan/id_00` and `min6dB/fan/id_00`, in this order. The paths of all other machines follow the same
        pattern.

    Returns
    -------
    AudioDataset
        paths : list of str of length n_clips
            Paths of the wav files, sorted by machine, id, kind (normal before anomalous) and name.
        target : ndarray of shape (n_clips,), int64
            1 is normal, -1 is anomalous (the folders `abnormal`).
        groups : ndarray of shape (n_clips,), int64
            Number of the content of every file. Files with equal bytes have the same number.
        metadata : dict of ndarray of shape (n_clips,), str
            `machine`, `machine_id` (such as "id_00"), `section` (the same id) and `recording`. `recording` is the
            name of the file without its extension. The same names occur in every folder.
        DESCR : str
            Description, licence and citation.

    Raises
    ------
    FileNotFoundError
        If the folder, a requested machine, or the normal or anomalous recordings of a machine are missing.
    ValueError
        If `machine` or `snr` is unknown or `ids` is empty, or if a file is not named like those of MIMII.
    TypeError
        If `ids` holds a value that is not a string.

    Warns
    -----
    UserWarning
        If `ids` is None and there are folders of other ids. The loader leaves out these folders.

    See Also
    --------
    load_esc10 : Environmental sounds.
    load_hls_cmds : Heart and lung sounds.
    load_mimii_due : Sounds of machines under changing conditions.
    make_machine_sounds : Generated sounds of the same four types of machine.

    Notes
    -----
    The files have eight channels, one for each microphone. Load one channel with
    ``AudioLoader(sample_rate=16000, channel=0)``, as the publisher's baseline does [2]_. The mean of the channels
    (``channel="mix"``) weakens high frequencies, because sound reaches the microphones at different times.

    References
    ----------
    .. [1] H. Purohit, R. Tanabe, K. Ichige, T. Endo, Y. Nikaido, K. Suefusa and Y. Kawaguchi, "MIMII Dataset:
       Sound Dataset for Malfunctioning Industrial Machine Investigation and Inspection", DCASE Workshop,
       2019, https://arxiv.org/abs/1909.09347.
    .. [2] https://github.com/MIMII-hitachi/mimii_baseline

    Examples
    --------
    >>> from skaudio_ad import AudioLoader
    >>> from skaudio_ad.datasets import load_mimii
    >>> fans = load_mimii("fan", ids="id_00")  # doctest: +SKIP
    >>> clips = AudioLoader(16000, channel=0).fit_transform(fans.paths)  # doctest: +SKIP
    """
    if machine is not None and machine not in _MACHINES:
        raise ValueError(f"Unknown machine {machine!r}; known ones: {', '.join(_MACHINES)}.")
    if snr not in _SNRS:
        raise ValueError(f"Unknown signal-to-noise ratio snr {snr!r}; known ones: {', '.join(_SNRS)}.")
    wanted = _check_ids(ids)
    home = find_home(data_home, _LAYOUT, _SOURCE)

    clips = []
    for name in _MACHINES if machine is None else (machine,):
        folder = _find(home, name, snr)
        there = sorted(path.name for path in folder.glob("id_*"))
        missing = [machine_id for machine_id in wanted if machine_id not in there]
        if missing:
            raise FileNotFoundError(
                f"{folder} has no {', '.join(missing)}. It has {', '.join(there)}. Unpack the archive "
                f"again, or name the machines to load, such as ids={there!r}."
            )
        others = [machine_id for machine_id in there if machine_id not in _IDS]
        if ids is None and others:
            warnings.warn(
                f"{folder} also has {', '.join(others)}, which are left out. Pass ids={there!r} to load them as well.",
                stacklevel=2,
            )
        for machine_id in wanted:
            for kind, label in (("normal", 1), ("abnormal", -1)):
                files = _recordings(folder / machine_id / kind)
                clips += [(str(path), label, name, machine_id, path.stem) for path in files]
    paths, target, machines, machine_ids, recordings = zip(*clips)
    return AudioDataset(
        paths=list(paths),
        target=np.array(target, dtype=np.int64),
        metadata={
            "machine": np.array(machines),
            "section": np.array(machine_ids),
            "machine_id": np.array(machine_ids),
            "recording": np.array(recordings),
        },
        DESCR=_DESCR,
    )


def _check_ids(ids):
    """Return the ids to load, sorted."""
    if ids is None:
        return list(_IDS)
    listed = list(ids) if np.iterable(ids) and not isinstance(ids, str) else [ids]
    if not listed:
        raise ValueError(f"ids must name at least one machine, such as 'id_00', or be None, got {ids!r}.")
    if not all(isinstance(machine_id, str) for machine_id in listed):
        raise TypeError(f"ids must be a name such as 'id_00', a list of such names or None, got {ids!r}.")
    return sorted(set(listed))


def _find(home, machine, snr):
    """Return the folder of one type of machine at one signal-to-noise ratio."""
    places = (f"{snr}/{machine}", f"{snr}_{machine}/{machine}", f"{snr}_{machine}", f"{_SNRS[snr]}/{machine}")
    for root in (home / "mimii", home):
        for place in places:
            if any((root / place).glob("id_*")):
                return root / place
    raise FileNotFoundError(
        f"MIMII has no recordings of machine {machine!r} at {snr} here: looked for folders id_00 and so on in "
        f"{', '.join(places)}, below {home / 'mimii'} and {home}. Unpack the archive {snr}_{machine}.zip "
        f"there, choose a machine and snr that exist, or pass another data_home. {_SOURCE}."
        f"{describe_home(home, mimii=False)}"
    )


def _recordings(folder):
    names = [entry.name for entry in list_folder(folder)] if folder.is_dir() else []
    recordings = [name for name in names if name.endswith(".wav")]
    if not recordings:
        # A warning is not enough, because no metric works without normal and anomalous recordings.
        raise FileNotFoundError(
            f"{folder} has no wav files, but every machine of MIMII has normal and abnormal recordings. "
            "Unpack the archive again, or leave out the machine by ids."
        )
    wrong = [name for name in names if not _NAME.fullmatch(name)]
    if wrong:
        raise ValueError(
            f"{len(wrong)} of {len(names)} files in {folder} are not named like 00000000.wav: {few(wrong)}. Move "
            "these files out of the folder, or unpack the archive again."
        )
    return [folder / name for name in names]
