"""Parts of the page of a report, also for other pages, and checksums for the security policy of a page."""

import base64
import hashlib
from importlib.resources import files


def read_part(name: str) -> str:
    """Return a script, the style or the markup of the page of a report.

    Parameters
    ----------
    name : str
        File in the folder ``_page``, such as "tools.js".

    Returns
    -------
    str
    """
    return (files(__package__) / "_page" / name).read_text(encoding="utf-8")


def checksum(text: str) -> str:
    """Return the checksum with which a security policy allows a script or a style.

    Parameters
    ----------
    text : str
        Content of the element. ASCII, so that the encoding of the page does not matter.

    Returns
    -------
    str
        "sha256-" and the checksum in base64.

    Raises
    ------
    ValueError
        If `text` is not ASCII.
    """
    if not text.isascii():
        raise ValueError("The script and the style of the page must be ASCII.")
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode("ascii")).digest()).decode("ascii")
