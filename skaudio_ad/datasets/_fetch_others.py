"""Functions that download data sets other than those of machines under domain shift."""

from collections.abc import Sequence
from pathlib import Path

from .._typing import PathLike
from . import _records
from ._archives import fetch_archives
from ._fetch import _names
from ._publishers import Archive


def fetch_toyadmos2(
    *, data_home: PathLike | None = None, keep_archives: bool = False, quiet: bool = False
) -> Path:
    """Download the source recordings of ToyADMOS2, sounds of miniature machines, from Zenodo.

    ToyADMOS2 is a set of source recordings of machines and of noise. The publisher's mixer makes data sets from these
    recordings, and :func:`load_toyadmos2` reads what the mixer writes. Run the mixer on the folder that this function
    returns. A second call downloads nothing.

    Parameters
    ----------
    data_home : str or path-like, default=None
        Folder of the data sets, which is created. None uses the environment variable `SKAUDIO_AD_DATA`.
    keep_archives : bool, default=False
        Whether to keep the zip archives, in ``data_home/archives/toyadmos2_source``.
    quiet : bool, default=False
        Whether to write nothing to stderr.

    Returns
    -------
    pathlib.Path
        Folder ``data_home/toyadmos2_source``, with the content of all zip archives of the record.

    Raises
    ------
    FetchError
        If the publisher cannot be reached, the disk is too small, or an archive is damaged.
    FileNotFoundError
        If no data folder is known.

    Notes
    -----
    The record is https://zenodo.org/records/4580270, and the licence is NTT's own. Sizes and MD5 checksums come from
    Zenodo's list of the files of the record. The mixer is at https://github.com/nttcslab/ToyADMOS2-dataset.

    Examples
    --------
    >>> from skaudio_ad.datasets import fetch_toyadmos2
    >>> folder = fetch_toyadmos2(data_home="data")  # doctest: +SKIP
    """
    return fetch_archives(
        [(_records.TOYADMOS2, None)],
        "toyadmos2_source",
        data_home=data_home,
        keep_archives=keep_archives,
        quiet=quiet,
    )


def fetch_esc50(
    *, data_home: PathLike | None = None, keep_archives: bool = False, quiet: bool = False
) -> Path:
    """Download ESC-50, environmental sounds of fifty classes, from GitHub.

    ESC-50 contains ESC-10. The files are what :func:`load_esc50` and :func:`load_esc10` read. The archive has about
    650 MB. A second call downloads nothing.

    Parameters
    ----------
    data_home : str or path-like, default=None
        Folder of the data sets, which is created. None uses the environment variable `SKAUDIO_AD_DATA`.
    keep_archives : bool, default=False
        Whether to keep the zip archive, in ``data_home/archives/ESC-50-master``.
    quiet : bool, default=False
        Whether to write nothing to stderr.

    Returns
    -------
    pathlib.Path
        Folder ``data_home/ESC-50-master`` with the folders ``audio`` and ``meta``.

    Raises
    ------
    FetchError
        If the publisher cannot be reached, the disk is too small, or the archive is damaged.
    FileNotFoundError
        If no data folder is known.

    Notes
    -----
    Licence CC BY-NC 3.0, and CC BY 3.0 for the clips of ESC-10, https://github.com/karolpiczak/ESC-50. GitHub makes the
    archive on demand and publishes no checksum. The function therefore fetches one fixed commit, compares the commit
    that GitHub writes into the archive, and compares the CRC-32 of every file in the archive. GitHub cannot resume a
    download that breaks off.

    Examples
    --------
    >>> from skaudio_ad.datasets import fetch_esc50, load_esc10
    >>> rain = load_esc10("Rain", data_home=fetch_esc50(data_home="data"))  # doctest: +SKIP
    """
    archive = Archive(_records.ESC50.name, n_stripped=1)
    return fetch_archives(
        [(_records.ESC50, [archive])],
        "ESC-50-master",
        data_home=data_home,
        keep_archives=keep_archives,
        quiet=quiet,
    )


def fetch_physionet2016(
    *,
    parts: str | Sequence[str] = ("training",),
    data_home: PathLike | None = None,
    keep_archives: bool = False,
    quiet: bool = False,
) -> Path:
    """Download the heart sounds of the PhysioNet/CinC Challenge 2016 from PhysioNet.

    The files are what :func:`load_physionet2016` reads. A second call downloads nothing.

    Parameters
    ----------
    parts : str or list of str, default=("training",)
        "training" has the databases, such as ``training-a``. "validation" has copies of some recordings of the
        training set, so never test on "validation" after training on "training".
    data_home : str or path-like, default=None
        Folder of the data sets, which is created. None uses the environment variable `SKAUDIO_AD_DATA`.
    keep_archives : bool, default=False
        Whether to keep the zip archives, in ``data_home/archives/physionet2016``.
    quiet : bool, default=False
        Whether to write nothing to stderr.

    Returns
    -------
    pathlib.Path
        Folder ``data_home/physionet2016`` with folders such as ``training-a`` and ``validation``.

    Raises
    ------
    FetchError
        If the publisher cannot be reached, the disk is too small, or an archive is damaged.
    FileNotFoundError
        If no data folder is known.
    ValueError
        If `parts` is unknown.

    Notes
    -----
    Licence ODC-By 1.0, https://physionet.org/content/challenge-2016/1.0.0/. The checksums are those of the publisher's
    file ``SHA256SUMS.txt``.

    Examples
    --------
    >>> from skaudio_ad.datasets import fetch_physionet2016
    >>> folder = fetch_physionet2016(data_home="data")  # doctest: +SKIP
    """
    roots = {"training": "training-[a-z]", "validation": "validation"}
    archives = [Archive(f"{part}.zip", root=roots[part]) for part in _names(parts, tuple(roots), "parts")]
    return fetch_archives(
        [(_records.PHYSIONET2016, archives)],
        "physionet2016",
        data_home=data_home,
        keep_archives=keep_archives,
        quiet=quiet,
    )


def fetch_sprsound(
    *, data_home: PathLike | None = None, keep_archives: bool = False, quiet: bool = False
) -> Path:
    """Download SPRSound, respiratory sounds of children, from GitHub.

    The files are what :func:`load_sprsound` reads. A second call downloads nothing.

    Parameters
    ----------
    data_home : str or path-like, default=None
        Folder of the data sets, which is created. None uses the environment variable `SKAUDIO_AD_DATA`.
    keep_archives : bool, default=False
        Whether to keep the zip archive, in ``data_home/archives/sprsound``.
    quiet : bool, default=False
        Whether to write nothing to stderr.

    Returns
    -------
    pathlib.Path
        Folder ``data_home/sprsound`` with the content of the repository, such as ``BioCAS2022/train2022_wav``.

    Raises
    ------
    FetchError
        If the publisher cannot be reached, the disk is too small, or the archive is damaged.
    FileNotFoundError
        If no data folder is known.

    Notes
    -----
    https://github.com/SJTU-YONGFU-RESEARCH-GRP/SPRSound names the licence. GitHub makes the archive on demand and
    publishes neither size nor checksum. The function therefore fetches one fixed commit, compares the commit that
    GitHub writes into the archive, and compares the CRC-32 of every file in the archive. The disk is checked before the
    archive is unpacked, but not before the download.

    Examples
    --------
    >>> from skaudio_ad.datasets import fetch_sprsound
    >>> folder = fetch_sprsound(data_home="data")  # doctest: +SKIP
    """
    archive = Archive(_records.SPRSOUND.name, n_stripped=1)
    return fetch_archives(
        [(_records.SPRSOUND, [archive])],
        "sprsound",
        data_home=data_home,
        keep_archives=keep_archives,
        quiet=quiet,
    )
