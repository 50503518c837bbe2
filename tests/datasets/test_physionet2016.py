import csv
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from skaudio_ad.datasets import load_physionet2016

# In the publisher's tables 1 is abnormal. The header file of the published recording a0001 says "Abnormal" too.
TABLES = {
    "training-a": ("a0001,1\na0002,-1\na0003,1\n", "a0001,1,1\na0002,-1,0\na0003,1,1\n"),
    "training-e": ("e00001,-1\r\ne00002,1\r\n", None),
    "validation": ("a0001,1\ne00001,-1\n", None),
}


def write_folder(root, name):
    reference, quality = TABLES[name]
    folder = root / name
    folder.mkdir(parents=True)
    (folder / "REFERENCE.csv").write_text(reference, encoding="utf-8", newline="")
    if quality:
        (folder / "REFERENCE-SQI.csv").write_text(quality, encoding="utf-8")
    for line in reference.split():
        # The loader opens no recording until groups are read.
        (folder / f"{line.split(',')[0]}.wav").write_bytes(line.encode())
    return folder


@pytest.fixture
def home(tmp_path):
    for name in TABLES:
        write_folder(tmp_path / "physionet2016", name)
    return tmp_path


def test_the_sign_of_the_published_labels_is_turned(home):
    heart = load_physionet2016(data_home=home)
    assert heart.metadata["recording"].tolist() == ["a0001", "a0002", "a0003", "e00001", "e00002"]
    assert heart.target.tolist() == [-1, 1, -1, 1, -1]
    assert heart.metadata["section"].tolist() == list("aaaee")
    assert heart.metadata["quality"].tolist() == [1, 0, 1, -1, -1]
    assert set(heart.metadata["split"]) == {""}
    assert "ODC-By 1.0" in heart.DESCR


def test_databases_can_be_chosen(home):
    assert load_physionet2016("e", data_home=home).metadata["recording"].tolist() == ["e00001", "e00002"]
    assert len(load_physionet2016(["e", "a"], data_home=home).paths) == 5


def test_the_validation_set_is_loaded_on_request_only(home):
    heart = load_physionet2016(part="validation", data_home=home)
    assert [Path(path).parent.name for path in heart.paths] == ["validation"] * 2
    assert heart.target.tolist() == [-1, 1]
    assert heart.metadata["section"].tolist() == ["a", "e"]


@pytest.mark.parametrize(
    "place",
    [
        ".",
        "training",
        "physionet2016/training",
        "classification-of-heart-sound-recordings-the-physionet-computing-in-cardiology-challenge-2016-1.0.0",
    ],
)
def test_the_folders_may_be_those_of_the_archive_or_of_single_files(tmp_path, place):
    write_folder(tmp_path / place, "training-a")
    assert load_physionet2016("a", data_home=tmp_path).target.tolist() == [-1, 1, -1]


def test_a_manifest_gives_databases_labels_and_split(tmp_path):
    (tmp_path / "a.flac").touch()
    (tmp_path / "b.flac").touch()
    (tmp_path / "manifest.csv").write_text("path,database,label,split\nb.flac,b,1,train\na.flac,a,-1,test\n")
    heart = load_physionet2016(data_home=tmp_path)
    assert heart.paths == [str(tmp_path / "b.flac"), str(tmp_path / "a.flac")]
    assert heart.target.tolist() == [1, -1]
    assert heart.metadata["split"].tolist() == ["train", "test"]
    assert load_physionet2016("a", data_home=tmp_path).metadata["section"].tolist() == ["a"]


@pytest.mark.parametrize("row", ["a.flac,x,1,", "a.flac,a,0,", "a.flac,a,1,\na.flac,a,1,"])
def test_a_wrong_row_of_a_manifest_is_named_with_its_line(tmp_path, row):
    (tmp_path / "a.flac").touch()
    (tmp_path / "manifest.csv").write_text(f"path,database,label,split\n{row}\n")
    with pytest.raises(
        ValueError, match=r"manifest\.csv, line [23]: database must be a to f, label 1 .*got a\.flac"
    ):
        load_physionet2016(data_home=tmp_path)


@pytest.mark.parametrize(
    ("table", "text", "message"),
    [
        ("REFERENCE.csv", "a0001,1\na0001,-1", r"REFERENCE\.csv, line 2: .* not there twice"),
        ("REFERENCE.csv", "a0001,0", r"line 1: .* and 1 or -1, got 'a0001,0'"),
        ("REFERENCE.csv", "name,label\na0001,1", "line 1: .* got 'name,label'"),
        ("REFERENCE.csv", "e00001,1", "e00001 is not of database a"),
        ("REFERENCE-SQI.csv", "a0001,1", r"REFERENCE-SQI\.csv, line 1: .*1 or -1 and 0 or 1, got 'a0001,1'"),
    ],
)
def test_a_damaged_table_is_refused(home, table, text, message):
    (home / "physionet2016" / "training-a" / table).write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        load_physionet2016(data_home=home)


def test_listed_recordings_that_are_missing_are_named(home):
    (home / "physionet2016" / "training-a" / "a0002.wav").unlink()
    with pytest.raises(
        FileNotFoundError, match=r"lists 1 recordings that are not there: a0002\.wav\. Unpack"
    ):
        load_physionet2016(data_home=home)


def test_an_unlisted_recording_gives_a_warning(home):
    (home / "physionet2016" / "training-a" / "a0009.wav").touch()
    (home / "physionet2016" / "training-a" / "._a0001.wav").touch()
    with pytest.warns(UserWarning, match=r"does not list 1 recordings\. The first is a0009\.wav"):
        assert len(load_physionet2016(data_home=home).paths) == 5


def test_a_database_that_is_not_there_is_named(home):
    with pytest.raises(FileNotFoundError, match=r"physionet2016 has no database b, c\. It has a, e\."):
        load_physionet2016(["a", "b", "c"], data_home=home)


def test_two_copies_of_a_database_are_refused(home):
    write_folder(home / "physionet2016" / "training", "training-a")
    with pytest.raises(
        ValueError, match=r"training-a must exist once, got .*training-a.*training/training-a"
    ):
        load_physionet2016(data_home=home)


@pytest.mark.parametrize("database", ["g", [], 1, ["a", "x"]])
def test_an_unknown_database_lists_the_known_ones(home, database):
    with pytest.raises(ValueError, match="one or several of a, b, c, d, e, f, or None"):
        load_physionet2016(database, data_home=home)


def test_an_unknown_part_lists_the_known_ones(home):
    with pytest.raises(ValueError, match="known ones: training, validation"):
        load_physionet2016(part="test", data_home=home)


def test_a_folder_of_another_set_is_recognised_although_it_has_a_manifest(tmp_path):
    (tmp_path / "001 - Dog bark").mkdir()
    (tmp_path / "manifest.csv").write_text("path,label\n")
    with pytest.raises(
        FileNotFoundError, match=r"looks like ESC-10, which load_esc10 reads\. The heart sounds"
    ):
        load_physionet2016(data_home=tmp_path)


@pytest.mark.real_data
def test_the_published_databases_have_the_published_counts_and_agree_with_their_folders(data_home):
    if not (data_home / "physionet2016").is_dir():
        pytest.skip("SKAUDIO_AD_DATA has no physionet2016")
    heart = load_physionet2016(["a", "b"], data_home=data_home)
    cells = Counter(zip(heart.metadata["section"].tolist(), heart.target.tolist()))
    assert cells == {("a", 1): 117, ("a", -1): 292, ("b", 1): 386, ("b", -1): 104}
    manifest = data_home / "physionet2016" / "manifest.csv"
    if manifest.is_file():
        folders = [Path(path).parent.name for path in heart.paths]
        assert np.where(np.array(folders) == "normal", 1, -1).tolist() == heart.target.tolist()
        with open(manifest, newline="", encoding="utf-8") as file:
            splits = [row["split"] for row in csv.DictReader(file)]
        assert heart.metadata["split"].tolist() == splits
