"""Download one file: resumable, checked, and once for all processes. An incomplete file never gets its name."""

import contextlib
import errno
import http.client
import os
import shutil
import time
import urllib.error
import urllib.parse
import urllib.request

# Name of the environment variable that forbids downloads, of weights and of data sets.
OFFLINE_VARIABLE = "SKAUDIO_AD_OFFLINE"

# Maximum number of seconds without a byte. After this time a connection counts as dead.
_TIMEOUT = 30.0
# Maximum number of connections in a row that bring no new bytes, and number of seconds to wait after the first one.
_ATTEMPTS = 3
_WAIT = 0.5
# Maximum number of bytes of a text, such as a list of files.
_TEXT_SIZE = 50_000_000
_HEADERS = {"User-Agent": "skaudio_ad"}


class DownloadError(Exception):
    """The file could not be downloaded. The message says why."""


def download_file(url, destination, *, check, first_bytes=(), quiet=False):
    """Download a file, unless another process does so first.

    The file grows as ``NAME.part``. It gets its name when it is complete and has passed `check`. An interrupted
    download is resumed if the server still has the same file, by its ETag or date.

    Parameters
    ----------
    url : str
        Address of the file.
    destination : pathlib.Path
        Path of the complete file.
    check : callable
        Function of the path of the complete file. It raises if the content is wrong, and the file is then removed.
    first_bytes : tuple of bytes, default=()
        Possible first bytes of the file. () allows any bytes.
    quiet : bool, default=False
        Whether to write nothing to stderr.

    Raises
    ------
    DownloadError
        If the server cannot be reached, refuses or sends another content, or if the disk is full.
    OSError
        If the folder cannot be created or written to.
    """
    destination.parent.mkdir(parents=True, exist_ok=True)
    with file_lock(destination, quiet=quiet):
        if destination.is_file():
            return
        part = _beside(destination, ".part")
        with _progress(url, destination, quiet) as report:
            _download_in_pieces(url, part, first_bytes, report)
        try:
            check(part)
        except Exception:
            part.unlink()
            raise
        os.replace(part, destination)


def _beside(path, ending):
    return path.with_name(path.name + ending)


def refuse_offline():
    """Raise DownloadError if the environment variable forbids downloads."""
    if os.environ.get(OFFLINE_VARIABLE):
        raise DownloadError(f"the environment variable {OFFLINE_VARIABLE} forbids downloads")


def read_text(url):
    """Return the text at an address. The text stays in memory.

    Parameters
    ----------
    url : str

    Returns
    -------
    str

    Raises
    ------
    DownloadError
        If downloads are forbidden, the server cannot be reached or refuses, or the text is too long or is not UTF-8.
    """
    refuse_offline()
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            with _open(urllib.request.Request(url, headers=dict(_HEADERS))) as response:
                content = response.read(_TEXT_SIZE + 1)
            break
        except (OSError, http.client.HTTPException) as error:
            reason, again = _diagnose(error)
            if not again or attempt == _ATTEMPTS:
                raise DownloadError(reason) from error
            time.sleep(_WAIT * attempt)
    if len(content) > _TEXT_SIZE:
        raise DownloadError(f"the text is longer than {_TEXT_SIZE / 1e6:.0f} MB")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DownloadError(f"the server sent no text, but {content[:20]!r}") from error


def content_length(url):
    """Return the size of the file at an address in bytes, or None if the server does not say the size.

    Parameters
    ----------
    url : str

    Returns
    -------
    int or None
    """
    try:
        with _open(urllib.request.Request(url, headers=dict(_HEADERS), method="HEAD")) as response:
            length = response.headers.get("Content-Length", "")
    except (DownloadError, OSError, http.client.HTTPException):
        return None  # the download itself raises the error with its reason
    return int(length) if length.isdigit() else None


@contextlib.contextmanager
def file_lock(destination, *, quiet=False):
    """Hold the system's lock on ``.NAME.lock``. The lock ends with its process, and the empty file stays.

    Parameters
    ----------
    destination : pathlib.Path
        Path of the file or folder that only one thread or process may write. Its folder exists.
    quiet : bool, default=False
        Whether to write nothing to stderr.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(destination.with_name(f".{destination.name}.lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        say(f"Waiting for another process that downloads {destination}", quiet=quiet)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _download_in_pieces(url, part, first_bytes, report):
    """Connect until `part` is complete. Give up when several connections bring no new bytes."""
    failures = 0
    largest = _size(part)
    while True:
        try:
            return _download_rest(url, part, first_bytes, report)
        except (OSError, http.client.HTTPException) as error:
            if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
                free = shutil.disk_usage(part.parent).free / 1e6
                raise DownloadError(
                    f"the disk is full ({free:.0f} MB free in {part.parent}){_kept(part)}"
                ) from error
            reason, again = _diagnose(error)
            failures = 0 if _size(part) > largest else failures + 1
            largest = max(largest, _size(part))
            if not again or failures == _ATTEMPTS:
                raise DownloadError(f"{reason}{_kept(part)}") from error
            time.sleep(_WAIT * failures)


def _kept(part):
    """Return the text of an error about the bytes that are on the disk."""
    return f"; {_size(part) / 1e6:.1f} MB are kept for the next try, in {part}" if _size(part) else ""


def _diagnose(error):
    """Return the reason of an error, and whether to try again."""
    if isinstance(error, urllib.error.HTTPError):
        # 408 and 429 mean: try later. 416 means that the part no longer fits. Other 4xx are final.
        again = error.code >= 500 or error.code in (408, 416, 429)
        return f"the server answered {error.code} {error.reason}", again
    if isinstance(error, urllib.error.URLError):
        return f"the server cannot be reached: {error.reason}", True
    return f"the connection broke: {error}", True


class _SafeRedirects(urllib.request.HTTPRedirectHandler):
    """Follow redirects to http and https only, and never from https back to http."""

    def redirect_request(self, req, fp, code, msg, headers, newurl):
        old, new = (urllib.parse.urlsplit(address).scheme for address in (req.full_url, newurl))
        if new not in ("http", "https") or (old, new) == ("https", "http"):
            raise DownloadError(
                f"the server redirects from {req.full_url} to {newurl}, and {new} is not allowed here"
                + (", because the file could be changed on its way" if new == "http" else "")
            )
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _open(request):
    try:
        return urllib.request.build_opener(_SafeRedirects).open(request, timeout=_TIMEOUT)
    except urllib.error.HTTPError as error:
        error.close()
        raise


def _download_rest(url, part, first_bytes, report):
    """Download the missing bytes of `part`, or all bytes if the server does not resume."""
    tag_file = _beside(part, ".etag")
    headers = dict(_HEADERS)
    if _size(part) and tag_file.is_file():
        # With If-Range a server sends the whole file if the file has changed, and not only its end.
        headers |= {"Range": f"bytes={_size(part)}-", "If-Range": tag_file.read_text(encoding="utf-8")}
    try:
        response = _open(urllib.request.Request(url, headers=headers))
    except urllib.error.HTTPError as error:
        if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            part.unlink(missing_ok=True)
        raise
    with response:
        start = _size(part) if response.status == http.HTTPStatus.PARTIAL_CONTENT else 0
        if start and not response.headers.get("Content-Range", "").startswith(f"bytes {start}-"):
            part.unlink()
            raise http.client.HTTPException(f"the server sent {response.headers.get('Content-Range')}")
        if start and _tag_of(response.headers) not in (None, headers["If-Range"]):
            part.unlink()
            raise http.client.HTTPException("the server sent the end of a different file")
        head = b"" if start else response.read(max(map(len, first_bytes), default=0))
        if not start and not head.startswith(first_bytes or b""):
            kind = response.headers.get("Content-Type", "of unknown type")
            raise DownloadError(
                f"the server sent something else, {kind}, that begins with {head!r}: a log-in or an error page?"
            )
        length = response.headers.get("Content-Length")
        total = None if length is None else start + int(length)
        with open(part, "ab" if start else "wb") as file:
            _write_tag(tag_file, response.headers)
            file.write(head)
            while chunk := response.read1(1 << 20):
                file.write(chunk)
                # Flush, so that an interruption keeps the bytes and a full disk raises here.
                file.flush()
                report(file.tell(), total)
    # urllib does not distinguish the end of a connection from the end of the file.
    if total is not None and _size(part) != total:
        raise http.client.HTTPException(f"it ended after {_size(part)} of {total} bytes")
    tag_file.unlink(missing_ok=True)


def _size(path):
    return path.stat().st_size if path.is_file() else 0


def _tag_of(headers):
    return headers.get("ETag") or headers.get("Last-Modified")


def _write_tag(path, headers):
    """Keep the tag of this version of the server's file. Without a tag, a download cannot be resumed."""
    tag = _tag_of(headers)
    if tag is None or tag.startswith("W/"):
        path.unlink(missing_ok=True)
    else:
        path.write_text(tag, encoding="utf-8")


def say(message, *, quiet=False):
    """Write a line to stderr.

    Parameters
    ----------
    message : str
    quiet : bool, default=False
        Whether to write nothing.
    """
    from rich.console import Console

    Console(stderr=True, quiet=quiet, soft_wrap=True).print(message, markup=False, highlight=False)


@contextlib.contextmanager
def _progress(url, destination, quiet):
    """Yield a function of (bytes so far, total bytes or None) that draws the progress on a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn

    say(f"Downloading {url} to {destination.parent}", quiet=quiet)
    console = Console(stderr=True)
    shown = not quiet and (console.is_terminal or console.is_jupyter)
    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not shown) as progress:
        task = progress.add_task("", total=None)
        yield lambda completed, total: progress.update(task, completed=completed, total=total)
