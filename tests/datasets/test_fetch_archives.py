"""The engine of ``fetch_*``: downloads from a server on this machine, with all kinds of failures."""

import hashlib
import json
import shutil
import stat
import zipfile
from collections import namedtuple
from multiprocessing.pool import ThreadPool

import pytest

from skaudio_ad.datasets import FetchError, fetch_esc50, fetch_mimii, fetch_mimii_dg, load_mimii
from skaudio_ad.datasets._records import ESC50, MIMII, MIMII_DG

from ..publishers_server import make_zip

NAME = "-6_dB_fan.zip"
PATH = f"/api/records/{MIMII.number}/files/{NAME}/content"
MEMBERS = {
    "fan/id_00/normal/00000000.wav": bytes(range(256)) * 200,
    "fan/id_00/normal/00000001.wav": b"one",
    "fan/id_00/abnormal/00000000.wav": b"two",
}
ARCHIVE = make_zip(MEMBERS)
Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def mimii(publishers):
    publishers.publish_record(MIMII.number, {NAME: ARCHIVE})
    return publishers


@pytest.fixture
def home(tmp_path):
    return tmp_path / "data"


@pytest.fixture
def store(home):
    return home / "archives" / "mimii"


def fetch(home, **options):
    return fetch_mimii("fan", data_home=home, quiet=True, **options)


def files_below(folder):
    """Return the paths of the visible files, relative to the folder."""
    return {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and not path.name.startswith(".")
    }


def test_the_first_call_brings_the_files_that_the_loader_reads(mimii, home):
    folder = fetch(home)
    assert folder == home / "mimii"
    assert files_below(folder) == {f"-6_dB/{name}" for name in MEMBERS}
    for name, content in MEMBERS.items():
        assert (folder / "-6_dB" / name).read_bytes() == content
    for data_home in (home, folder):
        assert list(load_mimii("fan", ids="id_00", data_home=data_home).target) == [1, 1, -1]


def test_the_second_call_makes_no_request(mimii, home, store):
    fetch(home)
    assert not (store / NAME).exists()
    mimii.requests.clear()
    assert fetch(home) == home / "mimii"
    assert mimii.requests == []


def test_archives_are_kept_on_request_and_used_again(mimii, home, store):
    fetch(home, keep_archives=True)
    assert (store / NAME).read_bytes() == ARCHIVE
    shutil.rmtree(home / "mimii")
    fetch(home)
    assert mimii.archives() == [PATH]
    assert files_below(home / "mimii") == {f"-6_dB/{name}" for name in MEMBERS}


def test_recordings_that_were_deleted_are_fetched_again(mimii, home):
    deleted = fetch(home) / "-6_dB/fan/id_00/normal/00000001.wav"
    deleted.unlink()
    fetch(home)
    assert deleted.read_bytes() == b"one"
    assert len(mimii.archives()) == 2


def test_a_broken_connection_is_resumed_where_it_stopped(mimii, home):
    mimii.cuts = [300, 100]
    fetch(home)
    assert [range_ for _, path, range_ in mimii.requests if path == PATH] == [
        None,
        "bytes=300-",
        "bytes=400-",
    ]


def test_an_archive_that_breaks_off_for_good_is_resumed_by_the_next_call(mimii, home, store):
    mimii.cuts = [300, 0, 0, 0]
    with pytest.raises(FetchError, match="300 of") as error:
        fetch(home)
    assert f"{mimii.url}{PATH}" in str(error.value)
    assert f"as {store / NAME}" in str(error.value)
    assert (store / f"{NAME}.part").stat().st_size == 300
    fetch(home)
    assert mimii.requests[-1] == ("GET", PATH, "bytes=300-")
    assert files_below(home / "mimii") == {f"-6_dB/{name}" for name in MEMBERS}


def test_an_archive_with_another_checksum_is_removed_and_named(mimii, home, store):
    mimii.publish_record(MIMII.number, {NAME: ARCHIVE}, checksums={NAME: "0" * 32})
    with pytest.raises(FetchError, match="removed: its md5 is") as error:
        fetch(home)
    assert NAME in str(error.value)
    assert hashlib.md5(ARCHIVE).hexdigest() in str(error.value)
    assert files_below(store) == {f"{MIMII.key}.files.json"}
    assert files_below(home / "mimii") == set()


def test_an_archive_of_another_size_is_removed_and_named(mimii, home):
    mimii.answers[PATH] = ARCHIVE + b"more"
    with pytest.raises(FetchError, match=f"it has {len(ARCHIVE) + 4} bytes, expected {len(ARCHIVE)}"):
        fetch(home)


def test_a_disk_that_is_too_small_is_found_before_the_download(mimii, home, monkeypatch):
    # The archive and 1.5 times its size for the content must fit.
    free = int(2.5 * len(ARCHIVE)) - 2
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: Usage(free, 0, free))
    with pytest.raises(FetchError, match=r"too small for the archives to fetch \(1\)") as error:
        fetch(home)
    assert str(home / "mimii") in str(error.value)
    assert mimii.archives() == []
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: Usage(10**9, 0, 10**9))
    fetch(home)


def test_the_check_of_the_disk_knows_that_archives_are_deleted_one_by_one(publishers, home, monkeypatch):
    archives = {f"{name}.zip": make_zip({f"{name}/a.wav": ARCHIVE}) for name in ("bearing", "fan")}
    publishers.publish_record(MIMII_DG.number, archives)
    sizes = [len(content) for content in archives.values()]
    free = int(1.5 * sum(sizes)) + sizes[1] + 2  # the content of both, and the second archive
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: Usage(free, 0, free))
    with pytest.raises(FetchError, match=r"too small for the archives to fetch \(2\)"):
        fetch_mimii_dg(["bearing", "fan"], data_home=home, keep_archives=True, quiet=True)
    folder = fetch_mimii_dg(["bearing", "fan"], data_home=home, quiet=True)
    assert files_below(folder) == {"bearing/a.wav", "fan/a.wav"}


def test_a_disk_that_is_too_small_for_the_content_is_found_before_unpacking(mimii, home, monkeypatch):
    content = sum(map(len, MEMBERS.values()))
    assert content > 3 * len(ARCHIVE)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: Usage(content, 0, content - 1))
    with pytest.raises(FetchError, match=f"too small for the content of {NAME}"):
        fetch(home)
    assert files_below(home / "mimii") == set()


def entry(name, mode):
    info = zipfile.ZipInfo(name)
    info.external_attr = mode << 16
    return info


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("../evil.wav", "leaves the folder"),
        ("fan/../../../evil.wav", "leaves the folder"),
        ("/evil.wav", "leaves the folder"),
        ("fan\\..\\..\\evil.wav", "leaves the folder"),
        ("C:/evil.wav", "leaves the folder"),
        (entry("fan/link", stat.S_IFLNK | 0o777), "a link"),
        (entry("fan/pipe", stat.S_IFIFO | 0o600), "a link or no file"),
    ],
)
def test_an_archive_that_could_change_other_files_is_refused_whole(publishers, home, tmp_path, name, reason):
    archive = make_zip({"fan/id_00/normal/00000001.wav": b"good", name: b"evil"})
    publishers.publish_record(MIMII.number, {NAME: archive})
    with pytest.raises(FetchError, match=reason) as error:
        fetch(home)
    assert NAME in str(error.value)
    assert files_below(home / "mimii") == set()
    assert list(tmp_path.rglob("*evil*")) == []


def test_two_names_that_are_one_file_on_some_systems_are_refused(publishers, home):
    publishers.publish_record(MIMII.number, {NAME: make_zip({"fan/a.wav": b"a", "fan/A.WAV": b"b"})})
    with pytest.raises(FetchError, match=r"has 2 files with the name -6_db/fan/a\.wav"):
        fetch(home)


def test_a_truncated_archive_without_a_published_checksum_is_found(publishers, home):
    archive = make_zip({f"ESC-50-{ESC50.commit}/audio/a.wav": b"a" * 5000}, comment=ESC50.commit.encode())
    publishers.answers[f"/karolpiczak/ESC-50/archive/{ESC50.commit}.zip"] = archive[:-60]
    with pytest.raises(FetchError, match="removed: it is no zip archive, or is cut short"):
        fetch_esc50(data_home=home, quiet=True)


def test_an_archive_of_another_commit_is_found(publishers, home):
    archive = make_zip({f"ESC-50-{ESC50.commit}/audio/a.wav": b"a"}, comment=b"0" * 40)
    publishers.answers[f"/karolpiczak/ESC-50/archive/{ESC50.commit}.zip"] = archive
    with pytest.raises(FetchError, match=f"expected the commit {ESC50.commit}"):
        fetch_esc50(data_home=home, quiet=True)


def test_a_flipped_byte_is_found_without_a_published_checksum(publishers, home):
    name = f"ESC-50-{ESC50.commit}/audio/a.wav"
    archive = bytearray(make_zip({name: bytes(range(256)) * 40}, comment=ESC50.commit.encode()))
    archive[len(name) + 60] ^= 255
    publishers.answers[f"/karolpiczak/ESC-50/archive/{ESC50.commit}.zip"] = bytes(archive)
    with pytest.raises(FetchError, match=r"damaged \(.*\)\. The archive was removed"):
        fetch_esc50(data_home=home, quiet=True)
    assert list((home / "archives").rglob("*.zip")) == []
    assert files_below(home / "ESC-50-master") == set()


def test_without_a_connection_the_error_says_what_to_put_where(home, store, monkeypatch, unused_port):
    monkeypatch.setattr("skaudio_ad.datasets._publishers.ZENODO", f"http://127.0.0.1:{unused_port}")
    monkeypatch.setattr("skaudio_ad._download._WAIT", 0.0)
    with pytest.raises(FetchError, match="list of files could not be read: the server") as error:
        fetch(home)
    assert f"save {NAME} from http://127.0.0.1:{unused_port}/records/3384388" in str(error.value)
    assert f"in the folder {store}" in str(error.value)
    store.joinpath(NAME).write_bytes(ARCHIVE)
    with pytest.warns(UserWarning, match="without the publisher's checksum") as caught:
        fetch(home)
    assert caught[0].filename == __file__.replace(".pyc", ".py")
    assert files_below(home / "mimii") == {f"-6_dB/{name}" for name in MEMBERS}
    fetch(home)  # no warning, and no connection


def test_the_environment_variable_forbids_requests(mimii, home, store, monkeypatch):
    monkeypatch.setenv("SKAUDIO_AD_OFFLINE", "1")
    with pytest.raises(FetchError, match="SKAUDIO_AD_OFFLINE forbids downloads"):
        fetch(home)
    assert mimii.requests == []


def test_an_archive_put_there_by_hand_is_used_after_its_check(mimii, home, store):
    store.mkdir(parents=True)
    store.joinpath(NAME).write_bytes(ARCHIVE)
    fetch(home)
    assert mimii.archives() == []
    assert files_below(home / "mimii") == {f"-6_dB/{name}" for name in MEMBERS}


def test_a_damaged_archive_put_there_by_hand_is_named_and_kept(mimii, home, store):
    store.mkdir(parents=True)
    damaged = bytes([*ARCHIVE[:-1], 7])
    store.joinpath(NAME).write_bytes(damaged)
    with pytest.raises(FetchError, match="its md5 is") as error:
        fetch(home)
    assert str(store / NAME) in str(error.value)
    assert store.joinpath(NAME).read_bytes() == damaged


def test_a_stored_list_of_files_checks_archives_without_a_connection(mimii, home, store, monkeypatch):
    mimii.cuts = [0, 0, 0]
    with pytest.raises(FetchError):
        fetch(home)
    monkeypatch.setenv("SKAUDIO_AD_OFFLINE", "1")
    store.joinpath(NAME).write_bytes(make_zip({"fan/id_00/normal/00000000.wav": b"other"}))
    with pytest.raises(FetchError, match=f"expected {len(ARCHIVE)}"):
        fetch(home)
    store.joinpath(NAME).write_bytes(ARCHIVE)
    fetch(home)
    assert files_below(home / "mimii") == {f"-6_dB/{name}" for name in MEMBERS}


def test_two_threads_at_once_download_once(mimii, home):
    with ThreadPool(2) as pool:
        folders = pool.map(lambda _: fetch(home), range(2))
    assert folders == [home / "mimii"] * 2
    assert mimii.archives() == [PATH]


def test_what_a_killed_process_left_behind_is_removed(mimii, home):
    left = home / "mimii" / ".unpack-killed" / "fan"
    left.mkdir(parents=True)
    fetch(home)
    assert not left.parent.exists()
    assert list((home / "mimii").glob(".unpack-*")) == []


def test_a_file_with_another_content_is_not_overwritten(mimii, home):
    mine = home / "mimii/-6_dB/fan/id_00/normal/00000001.wav"
    mine.parent.mkdir(parents=True)
    mine.write_bytes(b"mine")
    with pytest.raises(FetchError, match="differs from the file of the archive; move the file away") as error:
        fetch(home)
    assert str(mine) in str(error.value)
    assert mine.read_bytes() == b"mine"
    mine.write_bytes(b"one")  # the same as in the archive
    fetch(home)
    assert files_below(home / "mimii") == {f"-6_dB/{name}" for name in MEMBERS}


def test_an_extra_folder_and_files_beside_the_recordings_do_not_disturb(publishers, home, store):
    members = {f"dev/data/{name}": content for name, content in MEMBERS.items()}
    extra = {"dev/LICENSE": b"free", "__MACOSX/._fan": b"", "dev/data/fan/.DS_Store": b""}
    publishers.publish_record(MIMII.number, {NAME: make_zip(members | extra)})
    fetch(home)
    assert files_below(home / "mimii") == {f"-6_dB/{name}" for name in MEMBERS}
    assert (store / "-6_dB_fan/dev/LICENSE").read_bytes() == b"free"


def test_an_archive_of_something_else_is_named(publishers, home):
    publishers.publish_record(MIMII.number, {NAME: make_zip({"pump/id_00/normal/0.wav": b""})})
    with pytest.raises(FetchError, match="has no files in a folder fan, but has pump"):
        fetch(home)


def changed(archive, local, central, value):
    """Return the archive with another byte in the header and in the directory entry of its only member."""
    content = bytearray(archive)
    content[local] = value
    content[content.index(b"PK\x01\x02") + central] = value
    return bytes(content)


@pytest.mark.parametrize(
    ("local", "central", "value", "reason"),
    [
        (6, 8, 1, "the archive is encrypted"),
        (8, 10, 9, "unpack the archive with another program"),  # Deflate64, which Windows uses
    ],
)
def test_an_archive_that_python_cannot_read_is_kept_and_the_error_says_so(
    publishers, home, store, local, central, value, reason
):
    archive = changed(make_zip({"fan/a.wav": b"a"}), local, central, value)
    publishers.publish_record(MIMII.number, {NAME: archive})
    with pytest.raises(FetchError, match=reason):
        fetch(home)
    assert (store / NAME).read_bytes() == archive
    assert files_below(home / "mimii") == set()


def test_a_busy_publisher_is_asked_again(mimii, home):
    mimii.statuses = [503, 429]
    fetch(home)
    assert len(mimii.requests) == 4
    assert files_below(home / "mimii") == {f"-6_dB/{name}" for name in MEMBERS}


@pytest.mark.parametrize("form", ["records", "deposits", "entries"])
def test_all_forms_of_the_answer_of_zenodo_are_understood(publishers, home, form):
    publishers.publish_record(MIMII.number, {NAME: ARCHIVE}, form=form)
    fetch(home)
    assert files_below(home / "mimii") == {f"-6_dB/{name}" for name in MEMBERS}


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"<html>busy</html>", "not with JSON"),
        (b"[]", "another form than expected"),
        (b'{"files": [{"key": "a"}]}', "another form than expected"),
        (b'{"files": [{"key": "../a", "size": 1, "checksum": "md5:0"}]}', "another form than expected"),
        (b'{"files": [{"key": "a", "size": 1, "checksum": "crc:0"}]}', "another form than expected"),
        (b'{"files": []}', f"has no file {NAME}. Its files are none"),
    ],
)
def test_an_answer_that_is_no_list_of_files_is_an_error(publishers, home, answer, reason):
    publishers.answers[f"/api/records/{MIMII.number}"] = answer
    with pytest.raises(FetchError, match=reason):
        fetch(home)


def test_a_link_to_another_server_is_not_followed(mimii, home):
    answer = json.loads(mimii.answers[f"/api/records/{MIMII.number}"])
    answer["files"][0]["links"]["self"] = f"http://192.0.2.1/{NAME}"  # an address that no machine has
    mimii.answers[f"/api/records/{MIMII.number}"] = json.dumps(answer).encode()
    fetch(home)
    assert mimii.archives() == [f"/records/{MIMII.number}/files/{NAME}"]


def test_the_data_folder_is_created_but_must_be_known(mimii, tmp_path, monkeypatch):
    monkeypatch.delenv("SKAUDIO_AD_DATA", raising=False)
    with pytest.raises(FileNotFoundError, match="No data folder is known"):
        fetch(None)
    monkeypatch.setenv("SKAUDIO_AD_DATA", str(tmp_path / "from" / "variable"))
    assert fetch(None) == tmp_path / "from" / "variable" / "mimii"
    tmp_path.joinpath("file").write_bytes(b"")
    with pytest.raises(FetchError, match="cannot be created"):
        fetch(tmp_path / "file")
