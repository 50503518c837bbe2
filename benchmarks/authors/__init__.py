"""Networks as their authors publish them, to compare ours with.

The code of the authors is not part of this package. Put a checkout of every repository into one folder, and name the
folder in the environment variable `SKAUDIO_AD_AUTHORS`. The modules of this folder say which repositories and commits.
"""

import os
import sys
from pathlib import Path

#: Name of the environment variable that names the folder of the checkouts.
AUTHORS_VARIABLE = "SKAUDIO_AD_AUTHORS"


def authors_folder(name: str) -> Path | None:
    """The checkout of some authors, or None where it is not on this machine.

    Parameters
    ----------
    name : str
        Name of the folder in `SKAUDIO_AD_AUTHORS`, such as "beats".

    Returns
    -------
    pathlib.Path or None
    """
    root = os.environ.get(AUTHORS_VARIABLE)
    folder = Path(root).expanduser() / name if root else None
    return folder if folder is not None and folder.is_dir() else None


def import_from(name: str, module: str):
    """Import a module of a checkout, without keeping the folder or its modules for later imports.

    Checkouts have modules of the same name, such as "models".

    Parameters
    ----------
    name : str
        Name of the folder in `SKAUDIO_AD_AUTHORS`. A path below it is allowed: "beats", "echo/models".
    module : str
        Name of the module, with dots.

    Returns
    -------
    module

    Raises
    ------
    FileNotFoundError
        If there is no such folder.
    """
    folder = authors_folder(name)
    if folder is None:
        raise FileNotFoundError(f"{AUTHORS_VARIABLE} must name a folder that holds {name!r}.")
    before = set(sys.modules)
    sys.path.insert(0, str(folder))
    try:
        __import__(module)
        return sys.modules[module]
    finally:
        sys.path.remove(str(folder))
        # A folder without __init__.py is a package with a path and without a file.
        files = {
            added: getattr(sys.modules[added], "__file__", None)
            or "".join(getattr(sys.modules[added], "__path__", ()))
            for added in set(sys.modules) - before
        }
        for added, file in files.items():
            if file.startswith(str(folder)):
                del sys.modules[added]
