"""Functions that download data sets from their publishers, into the folders that the loaders read."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

from .._typing import PathLike
from . import _mimii, _mimii_domains, _records
from ._archives import fetch_archives
from ._dcase_years import YEARS
from ._publishers import Archive


def fetch_dcase_task2(
    year: int,
    machine: str | Sequence[str] | None = None,
    *,
    parts: str | Sequence[str] = ("dev",),
    data_home: PathLike | None = None,
    keep_archives: bool = False,
    quiet: bool = False,
) -> Path:
    """Download DCASE Challenge Task 2 of one year from Zenodo.

    The files are what :func:`load_dcase_task2` reads. A second call downloads nothing.

    Parameters
    ----------
    year : int
        Year of the challenge, 2020 to 2026.
    machine : str or list of str or None, default=None
        Types of machine, such as "fan". None fetches all machines of the parts. A part that does not have a machine is
        left out for this machine, because since 2023 the machines of development and evaluation differ.
    parts : str or list of str, default=("dev",)
        "dev" is the development set. "eval_train" and "eval_test" are the training clips and the test clips of the
        evaluation machines. The test clips of the evaluation have no labels in the archives.
    data_home : str or path-like, default=None
        Folder of the data sets, which is created. None uses the environment variable `SKAUDIO_AD_DATA`.
    keep_archives : bool, default=False
        Whether to keep the zip archives, in ``data_home/archives/dcase<year>_task2``.
    quiet : bool, default=False
        Whether to write nothing to stderr.

    Returns
    -------
    pathlib.Path
        Folder ``data_home/dcase<year>_task2`` with ``dev_data/<machine>`` and ``eval_data/<machine>``.

    Raises
    ------
    FetchError
        If the publisher cannot be reached, the disk is too small, or an archive is damaged.
    FileNotFoundError
        If no data folder is known.
    ValueError
        If `year`, `machine` or `parts` is unknown.

    Notes
    -----
    Sizes and MD5 checksums come from Zenodo's list of the files of each record. The page of each record names the
    licence of the recordings.

    Examples
    --------
    >>> from skaudio_ad.datasets import fetch_dcase_task2
    >>> folder = fetch_dcase_task2(2023, "fan", data_home="data")  # doctest: +SKIP
    """
    if year not in YEARS:
        raise ValueError(f"Unknown year {year!r} of DCASE Task 2; known ones: {', '.join(map(str, YEARS))}.")
    machines = {part: _records.dcase_machines(year, part) for part in _names(parts, _records.PARTS, "parts")}
    wanted = _names(machine, sorted(set().union(*machines.values())), "machine")
    requests = []
    for part, there in machines.items():
        archives = [_records.dcase_archive(year, part, name) for name in there if name in wanted]
        if archives:
            requests.append((_records.dcase_record(year, part), archives))
    return fetch_archives(
        requests, f"dcase{year}_task2", data_home=data_home, keep_archives=keep_archives, quiet=quiet
    )


def fetch_mimii(
    machine: str | Sequence[str] | None = None,
    *,
    snr: Literal["-6_dB", "0_dB", "6_dB"] = "-6_dB",
    data_home: PathLike | None = None,
    keep_archives: bool = False,
    quiet: bool = False,
) -> Path:
    """Download MIMII, sounds of machines in factory noise, from Zenodo.

    The files are what :func:`load_mimii` reads: all recordings with eight channels. One machine at one signal-to-noise
    ratio is an archive of about 10 GB. A second call downloads nothing.

    Parameters
    ----------
    machine : str or list of str or None, default=None
        Types of machine: "fan", "pump", "slider", "valve". None fetches all four.
    snr : {"-6_dB", "0_dB", "6_dB"}, default="-6_dB"
        Signal-to-noise ratio. The default is the default of :func:`load_mimii`.
    data_home : str or path-like, default=None
        Folder of the data sets, which is created. None uses the environment variable `SKAUDIO_AD_DATA`.
    keep_archives : bool, default=False
        Whether to keep the zip archives, in ``data_home/archives/mimii``.
    quiet : bool, default=False
        Whether to write nothing to stderr.

    Returns
    -------
    pathlib.Path
        Folder ``data_home/mimii`` with ``<snr>/<machine>/id_00`` and so on.

    Raises
    ------
    FetchError
        If the publisher cannot be reached, the disk is too small, or an archive is damaged.
    FileNotFoundError
        If no data folder is known.
    ValueError
        If `machine` or `snr` is unknown.

    Notes
    -----
    Copyright Hitachi, Ltd. Licence CC BY-SA 4.0, https://zenodo.org/records/3384388. Sizes and MD5 checksums come from
    Zenodo's list of the files of the record.

    Examples
    --------
    >>> from skaudio_ad.datasets import fetch_mimii, load_mimii
    >>> fans = load_mimii("fan", data_home=fetch_mimii("fan", data_home="data"))  # doctest: +SKIP
    """
    (ratio,) = _names(snr, tuple(_mimii._SNRS), "snr", several=False)
    archives = [
        Archive(f"{ratio}_{name}.zip", into=ratio, root=name)
        for name in _names(machine, _mimii._MACHINES, "machine")
    ]
    return fetch_archives(
        [(_records.MIMII, archives)],
        "mimii",
        data_home=data_home,
        keep_archives=keep_archives,
        quiet=quiet,
    )


def fetch_mimii_due(
    machine: str | Sequence[str] | None = None,
    *,
    parts: str | Sequence[str] = ("dev",),
    data_home: PathLike | None = None,
    keep_archives: bool = False,
    quiet: bool = False,
) -> Path:
    """Download MIMII DUE, sounds of machines under domain shift, from Zenodo.

    The files are what :func:`load_mimii_due` reads. A second call downloads nothing.

    Parameters
    ----------
    machine : str or list of str or None, default=None
        Types of machine: "fan", "gearbox", "pump", "slider", "valve". None fetches all five.
    parts : str or list of str, default=("dev",)
        "dev" has sections 00 to 02. "eval_train" and "eval_test" have sections 03 to 05. An archive of the evaluation
        that the record does not have is left out.
    data_home : str or path-like, default=None
        Folder of the data sets, which is created. None uses the environment variable `SKAUDIO_AD_DATA`.
    keep_archives : bool, default=False
        Whether to keep the zip archives, in ``data_home/archives/mimii_due``.
    quiet : bool, default=False
        Whether to write nothing to stderr.

    Returns
    -------
    pathlib.Path
        Folder ``data_home/mimii_due`` with ``dev_data/<machine>`` and ``eval_data/<machine>``.

    Raises
    ------
    FetchError
        If the publisher cannot be reached, the disk is too small, or an archive is damaged.
    FileNotFoundError
        If no data folder is known.
    ValueError
        If `machine` or `parts` is unknown.

    Notes
    -----
    https://zenodo.org/records/4740355 names the licence. Sizes and MD5 checksums come from Zenodo's list of the files
    of the record.

    Examples
    --------
    >>> from skaudio_ad.datasets import fetch_mimii_due
    >>> folder = fetch_mimii_due("gearbox", data_home="data")  # doctest: +SKIP
    """
    machines = _names(machine, _mimii_domains._MACHINES["MIMII DUE"], "machine")
    archives = []
    for part in _names(parts, _records.PARTS, "parts"):
        for name in machines:
            file = (
                f"dev_data_{name}.zip"
                if part == "dev"
                else f"eval_data_{name}_{part.removeprefix('eval_')}.zip"
            )
            folder = "dev_data" if part == "dev" else "eval_data"
            archives.append(Archive(file, into=folder, root=re.escape(name), required=part == "dev"))
    return fetch_archives(
        [(_records.MIMII_DUE, archives)],
        "mimii_due",
        data_home=data_home,
        keep_archives=keep_archives,
        quiet=quiet,
    )


def fetch_mimii_dg(
    machine: str | Sequence[str] | None = None,
    *,
    data_home: PathLike | None = None,
    keep_archives: bool = False,
    quiet: bool = False,
) -> Path:
    """Download MIMII DG, sounds of machines for domain generalization, from Zenodo.

    The files are what :func:`load_mimii_dg` reads. A second call downloads nothing.

    Parameters
    ----------
    machine : str or list of str or None, default=None
        Types of machine: "bearing", "fan", "gearbox", "slider", "valve". None fetches all five.
    data_home : str or path-like, default=None
        Folder of the data sets, which is created. None uses the environment variable `SKAUDIO_AD_DATA`.
    keep_archives : bool, default=False
        Whether to keep the zip archives, in ``data_home/archives/mimii_dg``.
    quiet : bool, default=False
        Whether to write nothing to stderr.

    Returns
    -------
    pathlib.Path
        Folder ``data_home/mimii_dg`` with one folder for each machine.

    Raises
    ------
    FetchError
        If the publisher cannot be reached, the disk is too small, or an archive is damaged.
    FileNotFoundError
        If no data folder is known.
    ValueError
        If `machine` is unknown.

    Notes
    -----
    Licence CC BY 4.0, https://zenodo.org/records/6529888. Sizes and MD5 checksums come from Zenodo's list of the files
    of the record.

    Examples
    --------
    >>> from skaudio_ad.datasets import fetch_mimii_dg
    >>> folder = fetch_mimii_dg("bearing", data_home="data")  # doctest: +SKIP
    """
    machines = _names(machine, _mimii_domains._MACHINES["MIMII DG"], "machine")
    archives = [Archive(f"{name}.zip", root=name) for name in machines]
    return fetch_archives(
        [(_records.MIMII_DG, archives)],
        "mimii_dg",
        data_home=data_home,
        keep_archives=keep_archives,
        quiet=quiet,
    )


def _names(given, known, parameter, *, several=True):
    """Return the names that the user asks for, in the order of `known`."""
    if given is None and several:
        return list(known)
    if several and not isinstance(given, (str, Iterable)):
        raise TypeError(
            f"{parameter} must be a name such as {known[0]!r}, a list of names or None, got {given!r}."
        )
    listed = [given] if isinstance(given, str) or not several else list(given)
    if not listed:
        raise ValueError(f"{parameter} must have at least one of {', '.join(known)}, got {given!r}.")
    for name in listed:
        if name not in known:
            raise ValueError(f"Unknown {parameter} {name!r}; known ones: {', '.join(known)}.")
    return [name for name in known if name in listed]
