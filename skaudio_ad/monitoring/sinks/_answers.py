"""Answers of the local servers: health, metrics, files and parts of files."""

import os
import re
import stat
from pathlib import Path
from typing import Any

from ._local_server import Request
from ._metrics import Metrics

# Number of bytes of a file that are sent at once.
_CHUNK = 1 << 16
# Flags for opening a file: no link is followed, a pipe does not wait, and Windows changes no line break.
_FLAGS = os.O_RDONLY | sum(getattr(os, name, 0) for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_BINARY"))
# One part of a file: "bytes=FIRST-LAST", "bytes=FIRST-" or "bytes=-NUMBER". Other headers get the whole file.
_RANGE = re.compile(r"bytes=(?:(\d{1,18})-(\d{0,18})|-(\d{1,18}))")


def send_health(request: Request, status: dict[str, Any], patience: float) -> None:
    """Answer 200 while windows arrive, and 503 otherwise."""
    value = {"ok": status["healthy"], "last_window_age_seconds": status["age"], "limit_seconds": patience}
    request.send_json({**value, "state": status["state"]}, 200 if status["healthy"] else 503)


def send_metrics(request: Request, metrics: Metrics | None) -> None:
    """Answer with the metrics in the format of Prometheus."""
    if metrics is None:
        text = "Metrics need the package prometheus-client: pip install skaudio_ad[monitor].\n"
        request.send_text(text, 404)
    else:
        request.send_bytes(*metrics.text())


def send_file(request: Request, path: Path, media_type: str) -> bool:
    """Send a file, or the part of the file that was asked for. Safari plays sound only from a server of parts.

    Parameters
    ----------
    request : Request
    path : pathlib.Path
    media_type : str

    Returns
    -------
    bool
        Whether the file exists.
    """
    try:
        descriptor = os.open(path, _FLAGS)
    except OSError:
        return False
    with open(descriptor, "rb") as file:
        about = os.fstat(descriptor)
        if not stat.S_ISREG(about.st_mode):
            return False
        tag = f'"{about.st_mtime_ns:x}-{about.st_size:x}"'
        headers = {"Content-Type": media_type, "Accept-Ranges": "bytes", "ETag": tag}
        asked = request.headers.get("Range", "")
        is_old = request.headers.get("If-Range", tag) != tag  # the file has been replaced meanwhile
        if is_old or not _RANGE.fullmatch(asked):
            asked = ""
        start, stop = _part(asked, about.st_size)
        if start >= stop and asked:
            request.start(416, {**headers, "Content-Range": f"bytes */{about.st_size}"}, 0)
            return True
        if asked:
            headers["Content-Range"] = f"bytes {start}-{stop - 1}/{about.st_size}"
        request.start(206 if asked else 200, headers, stop - start)
        if request.command != "HEAD":
            _copy(file, request.wfile, start, stop)
    return True


def _part(text, size):
    """Return the first byte and the end of the part that a header asks for, or of the whole file without a header."""
    found = _RANGE.fullmatch(text)
    if found is None:
        return 0, size
    first, last, number = found.groups()
    if number:
        return max(0, size - int(number)), size
    return int(first), min(size, int(last) + 1) if last else size


def _copy(file, to, start, stop):
    file.seek(start)
    while start < stop:
        data = file.read(min(_CHUNK, stop - start))
        if not data:  # the file became shorter, so the length that was promised cannot be sent
            raise ConnectionAbortedError("the file became shorter")
        to.write(data)
        start += len(data)
