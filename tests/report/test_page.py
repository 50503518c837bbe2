"""Tests of the file of a report: structure, escapes, assets, security policy."""

import base64
import hashlib
import json
import math
import re
from html.parser import HTMLParser

import pytest

from skaudio_ad.report._write_page import write_page

from .pages import report_data


class _Page(HTMLParser):
    """Elements with their attributes, and the text of every script and style."""

    def __init__(self, path):
        super().__init__()
        self.elements, self.texts, self._open = [], {}, None
        self.feed(path.read_text(encoding="ascii"))

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self._open = dict(attrs).get("id") or tag

    def handle_endtag(self, tag):
        self._open = None

    def handle_data(self, text):
        self.texts[self._open] = self.texts.get(self._open, "") + text


def write(tmp_path, assets=(), folder=None, **changes):
    return write_page(tmp_path / "page.html", report_data([]) | changes, iter(assets), folder=folder)


def policy(page):
    (meta,) = (a for _, a in page.elements if a.get("http-equiv") == "Content-Security-Policy")
    return dict(part.split(" ", 1) for part in meta["content"].split("; "))


def test_the_data_and_the_assets_are_read_back_from_one_file(tmp_path):
    sound = bytes(range(256)) * 4000  # longer than one chunk of base64
    detail = {"text": "</script><!--&\u2028é\udcff"}
    assets = [
        ("clip-0.json", "application/json", json.dumps(detail).encode()),
        ("clip-0.mp3", "audio/mpeg", sound),
    ]
    path = write(tmp_path, assets, title="</script>$assets$data")
    page = _Page(path)
    assert json.loads(page.texts["report-data"]) == report_data([]) | {"title": "</script>$assets$data"}
    assert json.loads(page.texts["report-folder"]) is None
    assert json.loads(page.texts["asset-clip-0.json"]) == detail
    assert base64.b64decode(page.texts["asset-clip-0.mp3"]) == sound
    kinds = {
        a["id"]: (a["type"], a["data-type"]) for _, a in page.elements if a.get("id", "").startswith("asset-")
    }
    assert kinds == {
        "asset-clip-0.json": ("text/plain", "application/json"),
        "asset-clip-0.mp3": ("text/plain", "audio/mpeg"),
    }
    assert list(tmp_path.iterdir()) == [path]


def test_markup_in_texts_makes_no_element(tmp_path):
    plain = [tag for tag, _ in _Page(write(tmp_path)).elements]
    hostile = "<script>x</script><img src=x onerror=y>\u2028"
    path = write(tmp_path, title=hostile, normals={hostile: {"name": hostile}})
    assert [tag for tag, _ in _Page(path).elements] == plain
    assert "onerror=y>" not in path.read_text()


def test_the_security_policy_allows_only_the_script_and_the_style_of_the_page(tmp_path):
    page = _Page(write(tmp_path))
    allowed = policy(page)
    checksum = {
        tag: base64.b64encode(hashlib.sha256(page.texts[tag].encode()).digest()).decode()
        for tag in ("script", "style")
    }
    assert allowed["default-src"] == "'none'"
    assert allowed["script-src"] == f"'sha256-{checksum['script']}'"
    assert allowed["style-src"] == f"'sha256-{checksum['style']}'"
    assert not re.search(r"https?:|\*|unsafe", " ".join(allowed.values()))
    handlers = [name for _, attributes in page.elements for name in attributes if name.startswith("on")]
    assert not handlers


def test_the_script_never_makes_markup_of_texts_and_asks_no_server(tmp_path):
    script = _Page(write(tmp_path)).texts["script"]
    for name in (
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval(",
        "Function(",
        "fetch(",
        "XMLHttpRequest",
        "srcdoc",
    ):
        assert name not in script, name
    assert not re.findall(r"https?://(?!www\.w3\.org/2000/svg)", script)


def test_a_folder_holds_binary_files_and_scripts_with_json(tmp_path):
    assets = [
        ("clip-0.json", "application/json", b'{"a": "</script>"}'),
        ("clip-0.png", "image/png", b"\x89PNG"),
    ]
    folder = tmp_path / "a b%"
    page = _Page(write(tmp_path, assets, folder))
    assert json.loads(page.texts["report-folder"]) == "a%20b%25"
    assert "'strict-dynamic'" in policy(page)["script-src"]
    assert (folder / "clip-0.png").read_bytes() == b"\x89PNG"
    assert (
        folder / "clip-0.json.js"
    ).read_text() == 'skaudioAsset("clip-0.json",{"a":"\\u003c/script\\u003e"});\n'
    assert not any(a.get("id", "").startswith("asset-") for _, a in page.elements)


def test_an_older_folder_of_a_report_is_replaced_but_no_other_folder(tmp_path):
    folder = tmp_path / "assets"
    folder.mkdir()
    write(tmp_path, [("clip-0.png", "image/png", b"1"), ("clip-1.png", "image/png", b"1")], folder)
    write(tmp_path, [("clip-0.png", "image/png", b"2")], folder)
    assert (folder / "clip-0.png").read_bytes() == b"2"
    assert not (folder / "clip-1.png").exists()
    other = tmp_path / "music"
    other.mkdir()
    (other / "song.mp3").touch()
    with pytest.raises(FileExistsError, match=r"exists and is no folder of a report.*music"):
        write(tmp_path, folder=other)
    assert [path.name for path in other.iterdir()] == ["song.mp3"]


def test_an_error_leaves_the_older_page_and_folder(tmp_path):
    def broken():
        yield "clip-0.png", "image/png", b"2"
        raise RuntimeError("the detector failed")

    folder = tmp_path / "assets"
    old = write(tmp_path, [("clip-0.png", "image/png", b"1")], folder).read_bytes()
    with pytest.raises(RuntimeError, match="failed"):
        write(tmp_path, broken(), folder)
    assert (tmp_path / "page.html").read_bytes() == old
    assert (folder / "clip-0.png").read_bytes() == b"1"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["assets", "page.html"]


def test_assets_are_written_one_after_another(tmp_path):
    sizes = []

    def assets():
        for i in range(3):
            yield f"clip-{i}.mp3", "audio/mpeg", bytes(3_000_000)
            (part,) = tmp_path.glob(".page*")
            sizes.append(part.stat().st_size)

    write(tmp_path, assets())
    assert sizes[2] - sizes[0] > 7_000_000


@pytest.mark.parametrize("name", ["../x.png", "a/b.png", "A.png", "x", 'x.png"><b', ""])
def test_a_name_that_is_no_plain_file_name_is_refused(tmp_path, name):
    with pytest.raises(ValueError, match=r"name of an asset must be lower-case"):
        write(tmp_path, [(name, "image/png", b"")])


def test_a_name_that_is_used_twice_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"used once, got 'x\.png' twice"):
        write(tmp_path, [("x.png", "image/png", b"")] * 2)


def test_numbers_that_are_not_finite_are_refused(tmp_path):
    with pytest.raises(ValueError, match="data of a report must be finite"):
        write(tmp_path, clips=[{"score": math.nan}])
    with pytest.raises(ValueError, match=r"clip-0\.json is not valid JSON: NaN is not a finite number"):
        write(tmp_path, [("clip-0.json", "application/json", b'{"score": NaN}')])
    assert not list(tmp_path.iterdir())


def test_a_folder_that_does_not_exist_is_named(tmp_path):
    with pytest.raises(OSError, match=r"missing does not exist; make it first"):
        write_page(tmp_path / "missing" / "page.html", report_data([]), [], folder=None)
