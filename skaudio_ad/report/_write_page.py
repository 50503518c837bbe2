"""Write the page of a report: one HTML file that needs no network, or a page with a folder of assets beside it."""

import base64
import contextlib
import errno
import html
import json
import os
import re
import secrets
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from string import Template
from typing import Any, BinaryIO

from .._atomic import atomic_path
from ._page_parts import checksum, read_part

# Parts of the script in the order of the page. A part uses only names of the parts before it when the page starts.
_SCRIPTS = (
    "tools",
    "data",
    "assets",
    "axes",
    "charts",
    "marks",
    "exports",
    "player",
    "summary",
    "list",
    "clip",
    "panels",
    "theme",
    "main",
)
# Name of an asset. The name is part of a file name and of an id of the page.
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*(\.[a-z0-9_-]+)+")
_JSON = "application/json"
# Name of the empty file that marks a folder of assets, so that no other folder is ever replaced.
_MARKER = "skaudio-ad-report"
# Number of bytes that are encoded at once. A multiple of three leaves no padding inside the base64 text.
_CHUNK = 3 << 18


def write_page(
    output: str | os.PathLike[str],
    data: dict[str, Any],
    assets: Iterable[tuple[str, str, bytes]],
    *,
    folder: str | os.PathLike[str] | None,
) -> Path:
    """Write the page of a report.

    The assets are written one after another, so that only one asset is in memory. The page replaces an older page when
    everything has been written; an error leaves the older page and the older folder.

    Parameters
    ----------
    output : str or path-like
        Path of the page.
    data : dict
        Summary and list of clips. All texts are shown as texts, never as markup. Numbers are finite or None.
    assets : iterable of (str, str, bytes)
        Name, media type and content of every asset. JSON assets are UTF-8.
    folder : str, path-like or None
        Folder of the assets. The page refers to the folder relative to its own, so both must be moved together. An
        older folder of a report is replaced. None embeds all assets in the page.

    Returns
    -------
    pathlib.Path
        `output`.

    Raises
    ------
    ValueError
        If the name of an asset is not allowed or used twice, if a JSON asset is not valid, or if `data` holds a number
        that is not finite.
    FileExistsError
        If `folder` exists and was not written by this function.
    OSError
        If a file cannot be written. The error names the file.
    """
    output = Path(output)
    with atomic_path(output) as temporary, _new_folder(folder) as new_folder:
        place = None if folder is None else _relative_url(folder, output)
        before, after = _markup(data, place)
        with open(temporary, "wb") as page:
            page.write(before)
            names: set[str] = set()
            for name, media_type, content in assets:
                _check_name(name, names)
                if media_type == _JSON:
                    content = _escaped_json(_parsed(name, content))
                if new_folder is None:
                    _embed(page, name, media_type, content)
                else:
                    _write_file(new_folder, name, media_type, content)
            page.write(after)
    return output


def _markup(data, place):
    """Return the parts of the page before and after its assets, as bytes of ASCII."""
    style = "\n" + read_part("page.css")
    scripts = [read_part(f"{name}.js") for name in _SCRIPTS]
    script = "\n".join(['\n"use strict";', "(() => {", *scripts, "})();", ""])
    policy = "; ".join(
        [
            "default-src 'none'",
            # Scripts of the folder are loaded by the script whose checksum is given here, and by no markup.
            f"script-src '{checksum(script)}'" + (" 'strict-dynamic'" if place is not None else ""),
            f"style-src '{checksum(style)}'",
            "img-src blob: data: 'self' file:",
            "media-src blob: data: 'self' file:",
            "base-uri 'none'",
            "form-action 'none'",
        ]
    )
    template = read_part("page.html")
    try:
        text = _escaped_json(data).decode("ascii")
    except ValueError as error:
        raise ValueError(f"The data of a report must be finite numbers, texts or None: {error}.") from error
    values = {
        "policy": policy,
        "title": html.escape(str(data.get("title", "Report"))),
        "data": text,
        "folder": _escaped_json(place).decode("ascii"),
        "style": style,
        "script": script,
    }
    parts = template.split("$assets")
    return [Template(part).substitute(values).encode("ascii", "xmlcharrefreplace") for part in parts]


def _escaped_json(value):
    """Return JSON of ASCII that neither ends a script element nor begins a comment."""
    text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    for char in "<>&$":
        text = text.replace(char, f"\\u{ord(char):04x}")
    return text.encode("ascii")


def _parsed(name, content):
    try:
        return json.loads(content, parse_constant=_refuse)
    except ValueError as error:
        raise ValueError(f"The asset {name} is not valid JSON: {error}.") from error


def _refuse(constant):
    raise ValueError(f"{constant} is not a finite number")


def _check_name(name, names):
    if not _NAME.fullmatch(name):
        raise ValueError(
            f"The name of an asset must be lower-case letters, digits, - and _ with an extension, got {name!r}."
        )
    if name in names:
        raise ValueError(f"The name of an asset must be used once, got {name!r} twice.")
    names.add(name)


def _embed(page: BinaryIO, name, media_type, content):
    """Write an asset as an element that the browser does not interpret before the script asks for it."""
    media_type = html.escape(media_type)
    page.write(f'<script type="text/plain" id="asset-{name}" data-type="{media_type}">'.encode("ascii"))
    if media_type == _JSON:
        page.write(content)
    else:
        for start in range(0, len(content), _CHUNK):
            page.write(base64.b64encode(content[start : start + _CHUNK]))
    page.write(b"</script>\n")


def _write_file(folder, name, media_type, content):
    # A page that was opened from a disk may load scripts, but it may not read files.
    if media_type == _JSON:
        name, content = f"{name}.js", b'skaudioAsset("' + name.encode("ascii") + b'",' + content + b");\n"
    path = folder / name
    try:
        path.write_bytes(content)
    except OSError as error:
        raise OSError(error.errno, error.strerror, os.fspath(path)) from error


def _relative_url(folder, output):
    from urllib.parse import quote_from_bytes

    try:
        relative = os.path.relpath(os.path.realpath(folder), os.path.dirname(os.path.realpath(output)))
    except ValueError as error:  # two drives of Windows
        raise ValueError(
            f"folder must be on the drive of the page {os.fspath(output)}, got {os.fspath(folder)}."
        ) from error
    return quote_from_bytes(os.fsencode(relative.replace(os.sep, "/")))


@contextlib.contextmanager
def _new_folder(folder) -> Iterator[Path | None]:
    """Yield a temporary folder that replaces `folder` at the end of the block. Yield None if `folder` is None."""
    if folder is None:
        yield None
        return
    folder = Path(os.path.realpath(folder))
    is_ours = (folder / _MARKER).is_file()
    if folder.exists() and not is_ours and not (folder.is_dir() and not any(folder.iterdir())):
        raise FileExistsError(
            errno.EEXIST,
            "exists and is no folder of a report; choose another name, or remove it",
            os.fspath(folder),
        )
    temporary = folder.with_name(f".{folder.name[:40]}.{secrets.token_hex(8)}.part")
    temporary.mkdir()
    try:
        (temporary / _MARKER).touch()
        yield temporary
        if folder.exists():
            shutil.rmtree(folder)
        temporary.rename(folder)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
