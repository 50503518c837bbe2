"""A server on this machine that answers as Zenodo, PhysioNet and GitHub do. It keeps a log of requests."""

import contextlib
import hashlib
import http.server
import io
import json
import re
import zipfile
from dataclasses import dataclass, field
from urllib.parse import quote, unquote, urlsplit

from .weights_server import running


def make_zip(members, *, comment=b""):
    """Return the bytes of a zip archive with the members, a dict of name or ZipInfo to bytes."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as zipped:
        for name, data in members.items():
            zipped.writestr(name, data)
        zipped.comment = comment
    return content.getvalue()


@dataclass
class PublishersServer:
    """State of the server: answers by path, faults and requests."""

    answers: dict = field(default_factory=dict)  # bytes of the answer by path
    cuts: list = field(default_factory=list)  # close the connection to an archive after this number of bytes
    statuses: list = field(default_factory=list)  # answer with this status instead
    requests: list = field(default_factory=list)  # (method, path, Range header)
    url: str = ""

    def publish_record(self, number, files, *, checksums=None, form="records"):
        """Serve a record of Zenodo with the files, a dict of name to bytes, in one of the forms of the answer."""
        entries = []
        for name, content in files.items():
            path = f"/api/records/{number}/files/{quote(name)}/content"
            md5 = (checksums or {}).get(name) or hashlib.md5(content).hexdigest()
            self.answers[path] = content
            self.answers[f"/records/{number}/files/{quote(name)}"] = content
            if form == "deposits":  # the form of October 2023: its links were answered with 404
                link = f"{self.url}/api/records/{number}/files/306d4b58-718b"
                entry = {"filename": name, "filesize": len(content), "checksum": md5, "links": {"self": link}}
            else:
                link = f"{self.url}{path}"
                entry = {
                    "key": name,
                    "size": len(content),
                    "checksum": f"md5:{md5}",
                    "links": {"self": link},
                }
            entries.append(entry)
        listed = (
            {"enabled": True, "entries": {e["key"]: e for e in entries}} if form == "entries" else entries
        )
        self.answers[f"/api/records/{number}"] = json.dumps({"id": number, "files": listed}).encode()

    def archives(self):
        """Return the paths of archives that were asked for, without the lists of files."""
        return [path for method, path, _ in self.requests if method == "GET" and "zip" in path]


class _Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *arguments):
        pass

    def do_HEAD(self):
        self._answer(with_body=False)

    def do_GET(self):
        self._answer(with_body=True)

    def _answer(self, *, with_body):
        server = self.server.state
        path = urlsplit(self.path).path
        server.requests.append((self.command, unquote(path), self.headers.get("Range")))
        content = server.answers.get(path)
        status = server.statuses.pop(0) if server.statuses else None
        if content is None or status is not None:
            self.send_error(status or 404)
            return
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        start = int(asked[1]) if asked else 0
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(content) - start))
        self.send_header("ETag", '"1"')
        self.end_headers()
        if not with_body:
            return
        cut = server.cuts.pop(0) if server.cuts and "zip" in path else len(content)
        with contextlib.suppress(ConnectionError):
            self.wfile.write(content[start : start + cut])


@contextlib.contextmanager
def serve_publishers():
    """Serve until the end of the block; yields the :class:`PublishersServer`."""
    state = PublishersServer()
    with running(_Handler, state) as state.url:
        yield state
