"""Where weights are looked for, what is checked, and what is made of them."""

import dataclasses
import hashlib
import json
import os
import shutil
from pathlib import Path

import pytest
import torch

from skaudio_ad.embeddings import (
    AUDIOSET_LABELS,
    BACKBONES,
    Backbone,
    WeightsError,
    class_labels,
    find_weights,
    load_state_dict,
    weights_digest,
    weights_path,
    weights_places,
)

MN04 = BACKBONES["mn04"]


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def rewrite(path, content):
    """Change a file so that its time changes too, whatever the clock of the file system."""
    stat = path.stat()
    path.write_bytes(content)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns + 1_000_000_000))


@pytest.fixture
def mine():
    """A backbone that has no URL."""
    return Backbone(
        name="mine", filename="mine.pt", family="mobilenet", settings={"width": 0.1}, embedding_size=96
    )


@pytest.fixture
def put(tmp_path, content):
    """Function that puts ``mine.pt`` into a folder and returns the path."""

    def put(folder, content=content, name="mine.pt"):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
        return folder / name

    return put


@pytest.fixture
def weights_folder():
    """The folder of real weights that some tests read."""
    folder = Path(os.environ.get("SKAUDIO_AD_WEIGHTS", "")).expanduser()
    if not os.environ.get("SKAUDIO_AD_WEIGHTS") or not (folder / MN04.filename).is_file():
        pytest.skip(f"SKAUDIO_AD_WEIGHTS names no folder with {MN04.filename}")
    return folder


def test_the_places_are_searched_in_order(mine, cache, put, tmp_path, monkeypatch):
    monkeypatch.setenv("SKAUDIO_AD_WEIGHTS", str(tmp_path / "variable"))
    (tmp_path / "variable").mkdir()
    (tmp_path / "folder").mkdir()
    assert find_weights(mine, path=tmp_path / "folder") is None
    for folder in (cache, tmp_path / "variable", tmp_path / "folder"):
        put(folder)
        assert find_weights(mine, path=tmp_path / "folder") == folder / "mine.pt"
        assert weights_path(mine, path=str(tmp_path / "folder")) == folder / "mine.pt"
    assert find_weights(mine) == tmp_path / "variable" / "mine.pt"
    assert weights_places(tmp_path / "folder") == [tmp_path / "folder", tmp_path / "variable", cache]


def test_a_download_goes_to_the_first_folder_that_may_be_written_to(
    server, cache, make_backbone, tmp_path, monkeypatch
):
    for name in ("read_only", "variable", "folder"):
        (tmp_path / name).mkdir()
    # No one's permission to write, which root must respect as well.
    (tmp_path / "read_only").chmod(0o555)
    backbones = [make_backbone(filename=f"{number}.pt") for number in range(4)]
    assert weights_path(backbones[0]) == cache / "0.pt"
    monkeypatch.setenv("SKAUDIO_AD_WEIGHTS", str(tmp_path / "variable"))
    assert weights_path(backbones[1]) == tmp_path / "variable" / "1.pt"
    assert weights_path(backbones[2], path=tmp_path / "folder") == tmp_path / "folder" / "2.pt"
    assert weights_path(backbones[3], path=tmp_path / "read_only") == tmp_path / "variable" / "3.pt"
    monkeypatch.setenv("SKAUDIO_AD_WEIGHTS", str(tmp_path / "read_only"))
    assert weights_path(backbones[3]) == cache / "3.pt"
    assert list((tmp_path / "read_only").iterdir()) == []


def test_a_file_that_is_named_is_taken_as_it_is(cache, put, tmp_path):
    path = put(tmp_path, b"fine-tuned", name="pumps.pt")
    assert weights_path("mn04", path=path) == path
    assert find_weights("mn04", path=str(path)) == path
    assert not (tmp_path / "pumps.pt.json").exists()


def test_a_file_in_the_variable_goes_by_its_name(mine, cache, put, tmp_path, monkeypatch):
    path = put(tmp_path)
    monkeypatch.setenv("SKAUDIO_AD_WEIGHTS", str(path))
    assert weights_path(mine) == path
    assert find_weights("mn10") is None
    assert find_weights("audioset_labels") is None


@pytest.mark.parametrize("given", ["path", "variable"])
def test_a_place_that_does_not_exist_is_an_error_that_says_who_named_it(
    given, mine, cache, put, tmp_path, monkeypatch
):
    put(cache)
    missing = str(tmp_path / "missing")
    if given == "variable":
        monkeypatch.setenv("SKAUDIO_AD_WEIGHTS", missing)
    origin = "path" if given == "path" else "environment variable SKAUDIO_AD_WEIGHTS"
    with pytest.raises(
        WeightsError, match=f"The {origin} must name a folder or file that exists, got '{missing}'"
    ):
        weights_path(mine, path=missing if given == "path" else None)


@pytest.mark.parametrize(
    ("platform", "variables", "expected"),
    [
        ("linux", {}, "home/.cache"),
        ("darwin", {}, "home/Library/Caches"),
        ("win32", {"LOCALAPPDATA": "local"}, "local"),
        ("linux", {"XDG_CACHE_HOME": "xdg"}, "xdg"),
        ("darwin", {"XDG_CACHE_HOME": "xdg"}, "xdg"),
    ],
)
def test_the_cache_is_where_the_system_keeps_caches(
    platform, variables, expected, cache, tmp_path, monkeypatch
):
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr("sys.platform", platform)
    monkeypatch.setattr(Path, "home", lambda: tmp_path / "home")
    for name, value in variables.items():
        monkeypatch.setenv(name, str(tmp_path / value))
    assert weights_places() == [tmp_path / expected / "skaudio_ad" / "weights"]


def test_what_is_not_here_and_may_not_be_downloaded_is_an_error_with_the_way_out(
    cache, server, make_backbone
):
    message = (
        rf"^mine: mine\.pt is not on this machine, looked in {cache}\. "
        rf"Download it: `skaudio-ad weights download mine`\. By hand: save {server.url} "
        rf"as {cache}/mine\.pt, or under the same name in a folder that .* SKAUDIO_AD_WEIGHTS names\. "
        r"Backbones with weights on this machine: mini\.$"
    )
    with pytest.raises(WeightsError, match=message):
        weights_path(make_backbone(), download=False)
    assert server.requests == []


def test_what_is_not_here_and_has_no_url_is_an_error_with_the_way_out(mine, cache):
    with pytest.raises(
        WeightsError, match=rf"looked in {cache}\. Put it there as {cache}/mine\.pt, or under"
    ):
        weights_path(mine)


def test_an_unknown_name_lists_what_the_store_knows(cache):
    with pytest.raises(ValueError, match=r"one of 'mini', .*'audioset_labels'.* got 'mn11'"):
        weights_path("mn11")
    with pytest.raises(TypeError, match="must be a name or a Backbone, got 4"):
        load_state_dict(4)


def test_the_first_use_records_the_checksum_and_later_ones_hold_the_file_to_it(mine, cache, put, content):
    path = put(cache)
    weights_path(mine)
    record = json.loads((cache / "mine.pt.json").read_text())
    assert record["sha256"] == sha256(content)
    weights_path(mine)
    damaged = content[:-1] + bytes([content[-1] ^ 1])
    rewrite(path, damaged)
    message = (
        f"{path}: damaged, or not the expected file: its sha256 is {sha256(damaged)}, expected {sha256(content)} "
        rf"\(recorded at its first use in {path}\.json; delete the record if the change was intended\)\."
        r" Delete the file"
    )
    for _ in range(2):
        with pytest.raises(WeightsError, match=message):
            weights_path(mine)
    (cache / "mine.pt.json").unlink()
    assert weights_path(mine) == path
    assert json.loads((cache / "mine.pt.json").read_text())["sha256"] == sha256(damaged)


def test_a_file_that_was_copied_or_touched_is_still_the_same(mine, cache, put, content):
    path = put(cache)
    weights_path(mine)
    rewrite(path, content)
    assert weights_path(mine) == path
    assert json.loads((cache / "mine.pt.json").read_text())["mtime_ns"] == path.stat().st_mtime_ns


def test_a_file_that_has_not_changed_is_not_read_again(mine, cache, put, monkeypatch):
    path = put(cache)
    weights_path(mine)
    reads = []
    digest = hashlib.file_digest
    monkeypatch.setattr(hashlib, "file_digest", lambda *args: reads.append(args) or digest(*args))
    weights_path(mine)
    assert reads == []
    rewrite(path, path.read_bytes())
    weights_path(mine)
    assert len(reads) == 1


def test_a_download_is_held_to_the_record_of_the_first_one(server, cache, content, make_backbone):
    path = weights_path(make_backbone())
    path.unlink()
    server.content, server.etag = b"PK\x03\x04 the authors changed their mind", '"2"'
    with pytest.raises(
        WeightsError, match=f"could not be downloaded: .* expected {sha256(content)} .recorded at"
    ):
        weights_path(make_backbone())
    assert not path.exists()


def test_a_published_checksum_counts_and_not_the_record(mine, cache, put, content):
    path = put(cache)
    weights_path(mine)
    published = Backbone(**{**vars(mine), "sha256": "0" * 64})
    with pytest.raises(
        WeightsError, match=rf"its sha256 is {sha256(content)}, expected 0{{64}} \(published\)"
    ):
        weights_path(published)
    assert path.exists()


def test_a_folder_that_may_not_be_written_to_is_read_and_checked_only(mine, put, cache, tmp_path, content):
    path = put(tmp_path / "read_only")
    path.parent.chmod(0o555)
    assert weights_path(mine, path=path.parent) == path
    published = Backbone(**{**vars(mine), "sha256": sha256(content)})
    assert weights_path(published, path=path.parent) == path
    path.write_bytes(content + b"more")
    with pytest.raises(WeightsError, match="damaged"):
        weights_path(published, path=path.parent)
    assert [file.name for file in path.parent.iterdir()] == ["mine.pt"]


def test_a_web_page_saved_by_hand_is_refused_at_the_first_use(mine, cache, put):
    path = put(cache, b"<html>404</html>")
    with pytest.raises(
        WeightsError, match=rf"{path}: .* begins with b'<htm', like a web page that was saved"
    ):
        weights_path(mine)
    assert not (cache / "mine.pt.json").exists()


def test_a_forged_record_does_not_stand_for_a_published_checksum(mine, cache, put, content):
    path = put(cache, content=b"PK\x03\x04 forged")
    state = {"size": path.stat().st_size, "mtime_ns": path.stat().st_mtime_ns}
    (cache / "mine.pt.json").write_text(json.dumps({"sha256": sha256(content), **state}))
    weights_path(mine)  # with nothing published, the record is all there is
    with pytest.raises(WeightsError, match=rf"its sha256 is \w+, expected {sha256(content)} .published"):
        weights_path(dataclasses.replace(mine, sha256=sha256(content)))


@pytest.mark.parametrize("record", ["", "{", "[]", "{}"])
def test_a_damaged_record_of_a_published_file_is_written_anew(record, mine, cache, put, content):
    path = put(cache)
    (cache / "mine.pt.json").write_text(record)
    assert weights_path(dataclasses.replace(mine, sha256=sha256(content))) == path
    assert json.loads((cache / "mine.pt.json").read_text())["sha256"] == sha256(content)


@pytest.mark.parametrize("record", ["", "{", "[]", '"sha256"', "{}"])
def test_a_record_that_is_none_is_named(record, mine, cache, put):
    put(cache)
    (cache / "mine.pt.json").write_text(record)
    with pytest.raises(
        WeightsError, match=rf"{cache}/mine\.pt\.json: not a record of a checksum\. Delete this file"
    ):
        weights_path(mine)


def test_the_digest_is_that_of_the_content_with_and_without_a_record(mine, cache, put, content):
    path = put(cache)
    assert weights_digest(path) == sha256(content)
    weights_path(mine)
    assert weights_digest(str(path)) == sha256(content)
    rewrite(path, b"changed")
    assert weights_digest(path) == sha256(b"changed")


def test_a_state_dict_comes_back_as_it_was_saved(mine, cache):
    cache.mkdir(parents=True)
    module = torch.nn.Linear(3, 2)
    torch.save(module.state_dict(), cache / "mine.pt")
    state = load_state_dict(mine)
    assert list(state) == ["weight", "bias"]
    assert torch.equal(state["weight"], module.weight)


class _Bomb:
    def __reduce__(self):
        return os.mkdir, ("bomb",)


def test_a_file_that_would_run_code_is_refused(mine, cache, tmp_path, monkeypatch):
    cache.mkdir(parents=True)
    torch.save({"weight": _Bomb()}, cache / "mine.pt")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(WeightsError, match=rf"{cache}/mine\.pt: not a file that .*weights_only=True\) reads"):
        load_state_dict(mine)
    assert not (tmp_path / "bomb").exists()


@pytest.mark.parametrize("damage", [b"", b"no weights", b"PK\x03\x04 and nothing", b"\x80\x02 and nothing"])
def test_a_file_that_torch_cannot_read_is_named(damage, put, cache, tmp_path):
    path = put(tmp_path, damage, name="any.pt")
    with pytest.raises(WeightsError, match=rf"{path}: not a file that torch\.load"):
        load_state_dict("mn04", path=path)


@pytest.mark.parametrize(
    ("saved", "described"),
    [
        ({"epoch": 3, "state_dict": {"weight": torch.ones(1)}}, "a dict with the keys 'epoch', 'state_dict'"),
        ({}, "a dict with the keys none"),
        (torch.ones(2), "a Tensor"),
        ({0: torch.ones(1)}, "a dict with the keys 0"),
    ],
)
def test_a_file_that_holds_no_state_dict_says_what_it_holds(saved, described, cache, tmp_path):
    torch.save(saved, tmp_path / "any.pt")
    with pytest.raises(WeightsError, match=rf"any\.pt: must hold a state dict, .* holds {described}\. Write"):
        load_state_dict("mn04", path=tmp_path / "any.pt")


def write_labels(path, indices, header="index,mid,display_name"):
    rows = [f'{index},/m/{index},"Sound {index}, and more"' for index in indices]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")


def test_class_labels_are_in_the_order_of_the_index(cache):
    write_labels(cache / AUDIOSET_LABELS.filename, reversed(range(527)))
    labels = class_labels()
    assert labels == [f"Sound {index}, and more" for index in range(527)]


@pytest.mark.parametrize(
    ("indices", "header", "message"),
    [
        (range(526), "index,mid,display_name", "must name the classes 0 to 526, and names 526"),
        (range(1, 528), "index,mid,display_name", "must name the classes 0 to 526"),
        (range(527), "index,mid,name", "with the columns index, mid, display_name"),
        (["x"], "index,mid,display_name", "with the columns index, mid, display_name"),
    ],
)
def test_a_table_of_other_classes_is_refused(indices, header, message, cache):
    write_labels(cache / AUDIOSET_LABELS.filename, indices, header)
    with pytest.raises(WeightsError, match=f"{AUDIOSET_LABELS.filename}: .*{message}"):
        class_labels()


def test_the_real_mn04_has_its_published_checksum_and_loads(weights_folder):
    assert weights_path("mn04", download=False) == weights_folder / MN04.filename
    assert sha256((weights_folder / MN04.filename).read_bytes()) == MN04.sha256
    state = load_state_dict("mn04", download=False)
    assert state["classifier.5.weight"].shape[0] == 527
    assert state["classifier.2.weight"].shape[1] == MN04.embedding_size
    # .984 million parameters, as the authors say; the rest are the statistics of batch norm.
    statistics = ("running_mean", "running_var", "num_batches_tracked")
    n_parameters = sum(value.numel() for key, value in state.items() if not key.endswith(statistics))
    assert n_parameters == pytest.approx(0.984e6, rel=1e-3)


def test_the_real_mn04_with_a_flipped_bit_is_refused(weights_folder, cache):
    cache.mkdir(parents=True)
    content = bytearray((weights_folder / MN04.filename).read_bytes())
    content[2_000_000] ^= 1
    (cache / MN04.filename).write_bytes(content)
    with pytest.raises(WeightsError, match=f"expected {MN04.sha256} .published"):
        weights_path("mn04")


def test_audioset_names_its_classes(weights_folder, tmp_path):
    if not (weights_folder / AUDIOSET_LABELS.filename).is_file():
        pytest.skip("the folder of weights has no labels")
    shutil.copy(weights_folder / AUDIOSET_LABELS.filename, tmp_path)
    labels = class_labels(path=tmp_path, download=False)
    assert len(set(labels)) == 527
    assert (labels[0], labels[74], labels[526]) == ("Speech", "Dog", "Field recording")


def test_nothing_is_downloaded_where_the_environment_says_offline(make_backbone, cache, monkeypatch):
    monkeypatch.setenv("SKAUDIO_AD_OFFLINE", "1")
    with pytest.raises(WeightsError, match="weights download mine`, with SKAUDIO_AD_OFFLINE not set"):
        weights_path(make_backbone())
    assert not cache.exists()
    monkeypatch.delenv("SKAUDIO_AD_OFFLINE")
    assert weights_path(make_backbone()).parent == cache
