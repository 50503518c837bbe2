"""Downloads from a server on this machine, with all kinds of failures."""

import errno
import hashlib
import os
import re
import signal
import subprocess
import sys
import textwrap
import urllib.request
from multiprocessing.pool import ThreadPool

import pytest

import skaudio_ad._download
from skaudio_ad._download import DownloadError
from skaudio_ad.embeddings import WeightsError, weights_path

# Code of another process of the user, such as a worker of joblib.
_PROCESS = """
import sys
from skaudio_ad.embeddings import Backbone, weights_path
mine = Backbone(
    name="mine", filename="mine.pt", url=sys.argv[1], family="mobilenet", settings={"width": 0.1}, embedding_size=96
)
print(weights_path(mine))
"""


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(skaudio_ad._download, "_TIMEOUT", 0.2)


def start_process(server):
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(_PROCESS), server.url],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def visible(folder):
    """Return the names in the folder, without the lock, which is empty and stays."""
    return {path.name for path in folder.iterdir()} - {".mine.pt.lock"}


def test_a_file_is_downloaded_whole_once_and_then_found(server, cache, content, make_backbone):
    path = weights_path(make_backbone(sha256=sha256(content)))
    assert path == cache / "mine.pt"
    assert path.read_bytes() == content
    assert weights_path(make_backbone()) == path
    assert server.sent == [len(content)]
    assert visible(cache) == {"mine.pt", "mine.pt.json"}


def test_a_broken_connection_is_resumed_where_it_stopped(server, cache, content, make_backbone):
    server.cuts = [100_000, 50_000]
    assert weights_path(make_backbone()).read_bytes() == content
    assert [request.get("Range") for request in server.requests] == [None, "bytes=100000-", "bytes=150000-"]
    assert server.sent == [100_000, 50_000, len(content) - 150_000]


def test_the_number_of_connections_is_not_limited_while_each_brings_new_bytes(
    server, cache, content, make_backbone
):
    server.cuts = [20_000] * 10
    assert weights_path(make_backbone()).read_bytes() == content
    assert len(server.sent) == 11


def test_a_truncated_file_never_gets_its_name(server, cache, make_backbone):
    server.cuts = [100_000] + [0] * 9
    with pytest.raises(
        WeightsError, match=r"ended after 100000 of 300004 bytes; 0\.1 MB are kept for the next"
    ):
        weights_path(make_backbone())
    assert visible(cache) == {"mine.pt.part", "mine.pt.part.etag"}
    assert len(server.requests) == 4


def test_the_next_call_resumes_the_part_of_the_last_call(server, cache, content, make_backbone):
    server.cuts = [100_000, 0, 0, 0]
    with pytest.raises(WeightsError):
        weights_path(make_backbone())
    assert weights_path(make_backbone(sha256=sha256(content))).read_bytes() == content
    assert server.requests[-1]["Range"] == "bytes=100000-"
    assert server.sent[-1] == len(content) - 100_000


def test_a_server_that_cannot_resume_sends_the_whole_file(server, cache, content, make_backbone):
    server.resumes = False
    server.cuts = [100_000]
    assert weights_path(make_backbone()).read_bytes() == content
    assert server.sent == [100_000, len(content)]


def test_a_download_gives_up_if_the_server_cannot_resume_and_always_breaks(server, cache, make_backbone):
    server.resumes = False
    server.cuts = [100_000] * 9
    with pytest.raises(WeightsError, match="ended after 100000 of 300004 bytes"):
        weights_path(make_backbone())
    # One connection brought bytes, and three connections brought no more.
    assert len(server.requests) == 4


def test_parts_of_an_older_and_a_newer_file_are_not_mixed(server, cache, content, make_backbone):
    server.cuts = [100_000, 0, 0, 0]
    with pytest.raises(WeightsError):
        weights_path(make_backbone())
    server.content = b"PK\x03\x04" + b"newer" * 50_000
    server.etag = '"2"'
    assert weights_path(make_backbone()).read_bytes() == server.content


@pytest.mark.parametrize("etag", [None, 'W/"1"'])
def test_a_file_without_a_tag_is_not_resumed(etag, server, cache, content, make_backbone):
    server.etag = etag
    server.cuts = [100_000]
    assert weights_path(make_backbone()).read_bytes() == content
    assert [request.get("Range") for request in server.requests] == [None, None]


def test_a_range_from_elsewhere_is_refused_and_the_download_starts_again(
    server, cache, content, make_backbone
):
    server.wrong_range = True
    server.cuts = [100_000]
    assert weights_path(make_backbone()).read_bytes() == content
    assert [request.get("Range") for request in server.requests] == [None, "bytes=100000-", None]


def test_a_part_that_is_longer_than_the_file_starts_again(server, cache, content, make_backbone):
    cache.mkdir(parents=True)
    (cache / "mine.pt.part").write_bytes(content + b"more")
    (cache / "mine.pt.part.etag").write_text('"1"')
    assert weights_path(make_backbone()).read_bytes() == content
    assert server.requests[0]["Range"] == f"bytes={len(content) + 4}-"


def test_a_redirected_download_resumes_too(server, cache, content, make_backbone):
    server.cuts = [100_000]
    moved = make_backbone(url=server.url.replace("/weights.pt", "/moved"))
    assert weights_path(moved).read_bytes() == content
    assert server.sent == [100_000, len(content) - 100_000]


@pytest.mark.parametrize("location", ["file:///etc/hostname", "ftp://127.0.0.1/weights.pt", "data:,weights"])
def test_a_redirect_to_anything_but_http_is_refused(location, server, cache, make_backbone):
    server.location = location
    with pytest.raises(WeightsError, match=f"could not be downloaded: .*[Rr]edirect.* .?{location}"):
        weights_path(make_backbone(url=server.url.replace("/weights.pt", "/moved")))
    assert len(server.requests) == 1
    assert visible(cache) == set()


def test_a_redirect_from_https_back_to_http_is_refused_and_the_other_way_is_followed(content):
    redirects = skaudio_ad._download._SafeRedirects()

    def follow(old, new):
        request = urllib.request.Request(old)
        return redirects.redirect_request(request, None, 302, "Found", {}, new).full_url

    assert follow("http://a.org/1", "https://a.org/2") == "https://a.org/2"
    assert follow("https://a.org/1", "https://b.org/2") == "https://b.org/2"
    with pytest.raises(
        DownloadError, match=r"from https://a\.org/1 to http://a\.org/2, .* changed on its way"
    ):
        follow("https://a.org/1", "http://a.org/2")


def test_a_server_that_resumes_with_another_file_is_noticed(server, cache, content, make_backbone):
    server.cuts = [100_000, 0, 0, 0]
    with pytest.raises(WeightsError):
        weights_path(make_backbone())
    server.content, server.etag = content[:50] + b"newer" + content[55:], '"2"'
    server.ignores_if_range = True
    assert weights_path(make_backbone()).read_bytes() == server.content


def test_a_file_of_unknown_length_is_downloaded(server, cache, content, make_backbone):
    server.sends_length = False
    assert weights_path(make_backbone()).read_bytes() == content


def test_a_file_with_another_checksum_is_removed_and_both_are_named(server, cache, content, make_backbone):
    wrong = "0" * 64
    message = (
        f"could not be downloaded: damaged .* its sha256 is {sha256(content)}, expected {wrong} .published"
    )
    with pytest.raises(WeightsError, match=message):
        weights_path(make_backbone(sha256=wrong))
    assert visible(cache) == set()


@pytest.mark.parametrize("cuts", [[], [100_000, 0, 0, 0]])
def test_a_web_page_is_refused_and_the_part_is_kept(cuts, server, cache, content, make_backbone):
    server.cuts = list(cuts)
    if cuts:
        with pytest.raises(WeightsError):
            weights_path(make_backbone())
    server.content, server.etag = b"<!DOCTYPE html><title>Welcome to our hotel</title>", '"hotel"'
    with pytest.raises(
        WeightsError, match=r"sent something else, .* begins with b'<!DO': a log-in or an error"
    ):
        weights_path(make_backbone())
    assert visible(cache) == ({"mine.pt.part", "mine.pt.part.etag"} if cuts else set())
    server.content, server.etag = content, '"1"'
    assert weights_path(make_backbone()).read_bytes() == content
    assert server.sent[-1] == len(content) - sum(cuts)


@pytest.mark.parametrize("status", [403, 404, 410])
def test_a_final_answer_is_not_requested_again(status, server, cache, make_backbone):
    server.statuses = [status] * 9
    with pytest.raises(WeightsError, match=f"the server answered {status} "):
        weights_path(make_backbone())
    assert len(server.requests) == 1
    assert visible(cache) == set()


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_a_busy_server_is_asked_again(status, server, cache, content, make_backbone):
    server.statuses = [status] * 2
    assert weights_path(make_backbone()).read_bytes() == content
    server.statuses = [status] * 9
    with pytest.raises(WeightsError, match=f"the server answered {status} "):
        weights_path(make_backbone(filename="other.pt"))
    assert len(server.requests) == 3 + 3


def test_a_silent_connection_is_closed_and_resumed(server, cache, content, make_backbone, impatient):
    server.stalls = [100_000]
    assert weights_path(make_backbone()).read_bytes() == content
    assert server.requests[-1]["Range"] == "bytes=100000-"


def test_a_server_that_never_answers_is_an_error(server, cache, make_backbone, impatient):
    server.stalls = [0] * 9
    with pytest.raises(WeightsError, match="timed out"):
        weights_path(make_backbone())


def test_without_a_network_the_error_says_what_to_do(cache, make_backbone, unused_port):
    url = f"http://127.0.0.1:{unused_port}/weights.pt"
    message = (
        rf"^mine could not be downloaded: the server cannot be reached: .*refused.* By hand: save {url} as "
        rf"{re.escape(str(cache))}/mine\.pt, or .*environment variable SKAUDIO_AD_WEIGHTS names\. Looked in "
        rf"{re.escape(str(cache))}\. To try again: `skaudio-ad weights download mine`\."
    )
    with pytest.raises(WeightsError, match=message):
        weights_path(make_backbone(url=url))
    assert visible(cache) == set()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is always full")
def test_a_full_disk_is_named_and_not_tried_again(server, cache, make_backbone):
    cache.mkdir(parents=True)
    (cache / "mine.pt.part").symlink_to("/dev/full")
    with pytest.raises(WeightsError, match=r"the disk is full \(\d+ MB free in "):
        weights_path(make_backbone())
    assert len(server.requests) == 1
    assert "mine.pt" not in visible(cache)


class FullDisk:
    """Open a file like `open`, on a disk with 70 000 free bytes."""

    def __init__(self, *arguments):
        self.file = open(*arguments)  # noqa: SIM115 (closed by __exit__)
        self.tell, self.flush = self.file.tell, self.file.flush

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.file.close()

    def write(self, data):
        self.file.write(data[: 70_000 - self.tell()])
        if self.tell() == 70_000:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_disk_that_becomes_full_keeps_the_part_and_the_error_names_it(
    server, cache, content, make_backbone, monkeypatch
):
    cache.mkdir(parents=True)
    monkeypatch.setattr(skaudio_ad._download, "open", FullDisk, raising=False)
    part = cache / "mine.pt.part"
    with pytest.raises(
        WeightsError,
        match=rf"the disk is full \(\d+ MB free in {cache}\); 0\.1 MB are kept .*, in {part}\. By hand",
    ):
        weights_path(make_backbone())
    assert len(server.requests) == 1
    assert part.read_bytes() == content[:70_000]
    monkeypatch.undo()
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache.parent.parent))
    assert weights_path(make_backbone(sha256=sha256(content))).read_bytes() == content
    assert server.requests[-1]["Range"] == "bytes=70000-"


def test_a_cache_that_cannot_be_made_is_named(server, cache, make_backbone):
    cache.parent.parent.write_text("a file where the folder should be")
    with pytest.raises(WeightsError, match=r"could not be downloaded: .*cache.* By hand: save http"):
        weights_path(make_backbone())


def test_progress_goes_to_stderr_and_can_be_silenced(server, cache, make_backbone, capsys):
    weights_path(make_backbone(), quiet=True)
    assert capsys.readouterr() == ("", "")
    weights_path(make_backbone(filename="other.pt"))
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err == f"Downloading {server.url} to {cache}\n"


def test_a_file_that_is_there_is_announced_by_nothing(server, cache, make_backbone, capsys):
    weights_path(make_backbone(), quiet=True)
    weights_path(make_backbone())
    assert capsys.readouterr() == ("", "")


def test_processes_that_start_together_download_once(server, cache, content):
    server.stalls = [100_000]
    first = start_process(server)
    assert server.stalled.wait(30)
    second = start_process(server)
    # It says so as soon as it waits.
    said = second.stderr.readline()
    assert said == f"Waiting for another process that downloads {cache / 'mine.pt'}\n"
    server.go_on.set()
    for process in (first, second):
        output, errors = process.communicate(timeout=30)
        assert process.returncode == 0, errors
        assert output.strip() == str(cache / "mine.pt")
    assert len(server.requests) == 1
    assert (cache / "mine.pt").read_bytes() == content


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs a signal that no process can handle")
def test_a_process_that_is_killed_leaves_no_lock_and_a_part_to_go_on_with(
    server, cache, content, make_backbone
):
    server.stalls = [100_000]
    process = start_process(server)
    assert server.stalled.wait(30)
    part = cache / "mine.pt.part"
    while not part.is_file() or part.stat().st_size < 100_000:
        assert process.poll() is None
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=30)
    assert visible(cache) == {"mine.pt.part", "mine.pt.part.etag"}
    assert weights_path(make_backbone()).read_bytes() == content
    assert server.requests[-1]["Range"] == "bytes=100000-"


def test_threads_that_start_together_download_once(server, cache, make_backbone):
    server.stalls = [100_000]
    with ThreadPool(4) as pool:
        results = pool.map_async(weights_path, [make_backbone()] * 4)
        assert server.stalled.wait(10)
        server.go_on.set()
        assert set(results.get(timeout=30)) == {cache / "mine.pt"}
    assert len(server.requests) == 1
