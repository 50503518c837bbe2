"""The folder that holds the data sets."""

import os
from pathlib import Path

from .._typing import PathLike

HOME_VARIABLE = "SKAUDIO_AD_DATA"


def get_data_home(*, data_home: PathLike | None = None) -> Path:
    """Return the folder in which the loaders look for data sets.

    Parameters
    ----------
    data_home : str or path-like, default=None
        Folder of the data sets. None uses the environment variable `SKAUDIO_AD_DATA`.

    Returns
    -------
    pathlib.Path
        Path of the folder, which exists. The function creates nothing.

    Raises
    ------
    FileNotFoundError
        If no folder is given and the environment variable is not set, or if the folder does not exist.

    Examples
    --------
    >>> import tempfile
    >>> from skaudio_ad.datasets import get_data_home
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     get_data_home(data_home=folder).is_dir()
    True
    """
    if data_home is not None:
        home, origin = Path(data_home).expanduser(), "data_home"
    elif os.environ.get(HOME_VARIABLE):
        home, origin = Path(os.environ[HOME_VARIABLE]).expanduser(), f"environment variable {HOME_VARIABLE}"
    else:
        raise FileNotFoundError(
            f"No data folder is known: data_home is None and the environment variable {HOME_VARIABLE} is not "
            f"set. Pass data_home='folder', or set the variable: export {HOME_VARIABLE}=folder."
        )
    if not home.is_dir():
        raise FileNotFoundError(
            f"The data folder must exist, got {str(home)!r} (from {origin}). Create it and put the data there, "
            f"or name another folder by data_home or {HOME_VARIABLE}."
        )
    return home
