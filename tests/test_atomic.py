"""Files are written whole or not at all."""

import errno
import os
import stat
import threading

import pytest

from skaudio_ad._atomic import atomic_path

from .killed import write_until_killed


def write(path, text):
    with atomic_path(path) as temporary, open(temporary, "w", encoding="utf-8") as file:
        file.write(text)


def fail(path, error):
    with atomic_path(path) as temporary:
        open(temporary, "w", encoding="utf-8").close()
        raise error


def test_a_file_gets_its_name_at_the_end_of_the_block(tmp_path):
    path = tmp_path / "table.csv"
    with atomic_path(path) as temporary:
        with open(temporary, "w", encoding="utf-8") as file:
            file.write("all of it")
        assert os.path.dirname(temporary) == str(tmp_path)
        assert not path.exists()
    assert path.read_text(encoding="utf-8") == "all of it"
    assert os.listdir(tmp_path) == ["table.csv"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, OSError])
def test_what_fails_leaves_the_old_file_and_nothing_else(error, tmp_path):
    path = tmp_path / "table.csv"
    write(path, "old")
    with pytest.raises(error):
        fail(path, error)
    assert path.read_text(encoding="utf-8") == "old"
    assert os.listdir(tmp_path) == ["table.csv"]


def test_a_full_disk_names_the_path_and_what_to_do(tmp_path):
    path = tmp_path / "table.csv"
    with pytest.raises(OSError, match=r"MB free in .*try again: '.*table\.csv'") as caught:
        fail(path, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
    assert caught.value.errno == errno.ENOSPC
    assert os.listdir(tmp_path) == []


def test_an_error_of_another_file_stays_what_it_is(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"'.*other\.wav'"), atomic_path(tmp_path / "table.csv"):
        open(tmp_path / "other.wav", encoding="utf-8").close()
    with pytest.raises(BrokenPipeError) as caught:
        fail(tmp_path / "table.csv", BrokenPipeError(errno.EPIPE, "Broken pipe"))
    assert caught.value.filename is None


def test_a_folder_that_is_missing_or_in_the_way_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"missing does not exist; make it first: '.*table\.csv'"):
        write(tmp_path / "missing" / "table.csv", "")
    with pytest.raises(IsADirectoryError, match="is a folder; name a file"):
        write(tmp_path, "")


def test_a_link_is_followed_and_permissions_are_kept(tmp_path):
    path, link = tmp_path / "table.csv", tmp_path / "link.csv"
    write(path, "old")
    path.chmod(0o640)
    link.symlink_to(path)
    write(link, "new")
    assert link.is_symlink()
    assert path.read_text(encoding="utf-8") == "new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_a_new_file_gets_the_permissions_of_any_other(tmp_path):
    write(tmp_path / "new", "")
    (tmp_path / "other").write_text("", encoding="utf-8")
    assert (tmp_path / "new").stat().st_mode == (tmp_path / "other").stat().st_mode


def test_a_named_pipe_is_written_to_directly(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    read = []
    reader = threading.Thread(target=lambda: read.append(path.read_text(encoding="utf-8")))
    reader.start()
    write(path, "through")
    reader.join(10)
    assert read == ["through"]
    assert stat.S_ISFIFO(path.stat().st_mode)


def test_names_of_255_bytes_can_be_written(tmp_path):
    path = tmp_path / ("ü" * 127)
    write(path, "long")
    assert path.read_text(encoding="utf-8") == "long"


def test_two_writers_of_one_path_do_not_meet(tmp_path):
    path = tmp_path / "table.csv"
    with atomic_path(path) as first, atomic_path(path) as second:
        for temporary, text in ((first, "first"), (second, "second")):
            with open(temporary, "w", encoding="utf-8") as file:
                file.write(text)
    assert path.read_text(encoding="utf-8") == "first"  # the outer block ends last
    assert os.listdir(tmp_path) == ["table.csv"]


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("wait", [0.0, 0.0003, 0.001, 0.003])
def test_a_process_that_is_killed_leaves_the_old_file_or_the_new_one(wait, tmp_path):
    path = tmp_path / "table"

    def work():
        for letter in "ab":
            with atomic_path(path) as temporary, open(temporary, "w", encoding="utf-8") as file:
                for _ in range(100):
                    file.write(letter * 1000)
                    file.flush()

    write_until_killed(work, path.exists, wait)
    assert path.read_text(encoding="utf-8") in ("a" * 100_000, "b" * 100_000)
