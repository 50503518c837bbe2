import os

import numpy as np
import pytest

from skaudio_ad.datasets import load_folder, load_mimii


@pytest.fixture
def tree(tmp_path):
    """Return a function that makes files, which are no recordings because the loader opens none."""

    def make(*names):
        for name in names:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_bytes(name.encode())
        return tmp_path

    return make


def write_table(folder, text, name="labels.csv"):
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


def names(sounds, folder):
    return [os.path.relpath(path, folder) for path in sounds.paths]


@pytest.mark.parametrize(
    ("folder", "label", "split", "rest"),
    [
        ("normal", 1, "", ""),
        ("Abnormal", -1, "", ""),
        ("ANOMALY", -1, "", ""),
        ("pump/good", 1, "", "pump"),
        ("unlabelled", 0, "", ""),
        ("train/normal", 1, "train", ""),
        ("normal/testing", 1, "test", ""),
        ("test/id_00/anomalous/left", -1, "test", "id_00/left"),
        ("train_normal", 1, "train", ""),
        ("Test-Anomaly", -1, "test", ""),
        ("val/ok", 1, "validation", ""),
    ],
)
def test_names_of_folders_give_label_split_and_the_rest(tree, folder, label, split, rest):
    root = tree(f"{folder}/a.wav", "normal/b.flac")
    sounds = load_folder(root)
    row = names(sounds, root).index(f"{folder}/a.wav")
    assert sounds.target[row] == label
    assert sounds.metadata["split"][row] == split
    assert sounds.metadata["folder"][row] == rest


def test_recordings_are_sorted_and_other_files_are_passed_over(tree):
    root = tree("normal/b.wav", "normal/a.WAV", "abnormal/c.ogg", "normal/notes.txt", "normal/._a.wav")
    sounds = load_folder(root)
    assert names(sounds, root) == ["abnormal/c.ogg", "normal/a.WAV", "normal/b.wav"]
    assert sounds.target.tolist() == [-1, 1, 1]


def test_recordings_without_a_label_are_listed(tree):
    root = tree("normal/a.wav", "normals/b.wav", "c.wav", "train/d.wav", "x/e.wav")
    with pytest.raises(
        ValueError,
        match=r"4 of 5 recordings .* are in no folder .*: .*c\.wav, .*b\.wav, .*d\.wav and 1 more\. The",
    ):
        load_folder(root)


@pytest.mark.parametrize("folder", ["normal/abnormal", "train/normal/test", "normal_bad"])
def test_folders_that_contradict_one_another_are_listed(tree, folder):
    root = tree("normal/a.wav", f"{folder}/b.wav")
    with pytest.raises(
        ValueError, match=r"1 of 2 recordings .* contradict one another: .*b\.wav\. The folders"
    ):
        load_folder(root)


def test_a_folder_of_a_published_set_is_recognised(tree):
    root = tree("fan/train/section_00_source_train_normal_0000_strength_1.wav")
    with pytest.raises(ValueError, match="looks like a set of DCASE Task 2, which load_dcase_task2 reads"):
        load_folder(root)


def test_a_folder_that_is_a_link_gives_a_warning(tree):
    root = tree("normal/a.wav", "x/b.wav")
    (root / "x").rename(root.parent / f"{root.name}_elsewhere")
    (root / "abnormal").symlink_to(root.parent / f"{root.name}_elsewhere")
    with pytest.warns(
        UserWarning, match=r"1 folders in .* are links, which are not entered: .*abnormal\. Replace"
    ):
        assert load_folder(root).target.tolist() == [1]


def test_groups_come_from_folders_or_from_names(tree):
    root = tree("normal/p1/1_a.wav", "test/bad/p1/1_b.wav", "normal/p2/2_a.wav", "normal/p3/1_c.wav")
    assert load_folder(root).groups.tolist() == [0, 1, 2, 3]
    # Sorted: normal/p1, normal/p2, normal/p3, test/bad/p1.
    assert load_folder(root, groups="folder").groups.tolist() == [0, 1, 2, 0]
    assert load_folder(root, groups="^([0-9])_").groups.tolist() == [0, 1, 0, 0]
    with pytest.raises(ValueError, match=r"groups '\^\(x\)' finds no group in the name of 4 of 4 recordings"):
        load_folder(root, groups="^(x)")


def test_one_group_for_all_recordings_is_refused(tree):
    root = tree("normal/p1/1_a.wav", "abnormal/p1/1_b.wav")
    with pytest.raises(
        ValueError, match=r'groups="folder" finds one folder for all 2 recordings, \'p1\'\. Put'
    ):
        load_folder(root, groups="folder")
    with pytest.raises(ValueError, match="groups all 2 recordings are in one group, '1'"):
        load_folder(root, groups="^([0-9])_")


def test_a_table_gives_labels_columns_and_groups(tree):
    root = tree("a.wav", "sub/b.wav", "sub/c.wav")
    table = write_table(
        root,
        "\ufeffPath, Label ,Machine,split,group,Operator\n"
        'sub/b.wav,Anomaly,fan,test,p1,"Smith, J."\na.wav,normal,pump,train,p2,\nsub/c.wav,,fan,test,p1,x\n,,,,,\n',
    )
    sounds = load_folder(root, labels=table)
    assert names(sounds, root) == ["sub/b.wav", "a.wav", "sub/c.wav"]
    assert sounds.target.tolist() == [-1, 1, 0]
    assert sounds.metadata["machine"].tolist() == ["fan", "pump", "fan"]
    assert sounds.metadata["split"].tolist() == ["test", "train", "test"]
    assert sounds.metadata["operator"].tolist() == ["Smith, J.", "", "x"]
    assert sounds.groups.tolist() == [0, 1, 0]


def test_relative_paths_begin_at_the_folder_of_the_table(tree, monkeypatch):
    root = tree("data/a.wav", "tables/x")
    monkeypatch.chdir(root)
    table = write_table(root / "tables", f"file,label\n../data/a.wav,1\n{root}/tables/x,-1\n")
    sounds = load_folder("data", labels=os.path.relpath(table))
    assert sounds.target.tolist() == [1, -1]
    assert [os.path.basename(path) for path in sounds.paths] == ["a.wav", "x"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("path,label\na.wav,fine\n", r"labels\.csv, line 2: label must be one of normal, .* got 'fine'"),
        ("path,label\na.wav,1\nb.wav,0\n", r"line 3: label 0 can be read in two ways"),
        ("path,label\na.wav,1\n./a.wav,1\n", r"lines 2 and 3: \./a\.wav is there twice"),
        ("path,label,group\na.wav,1,p\nb.wav,1,\n", "line 3: every recording must have a group, or none"),
        (
            "path;label\na.wav;1\n",
            r"columns path, label; .* among path;label\. Separate the values by commas",
        ),
        ("name,label\na.wav,1\n", "columns path, label; path not found among name, label"),
        ("path,label\na.wav,1,x\n", "line 2: the line must have at most 2 values"),
        ("path,label,group\na.wav,1\n", "line 2: the line must have 3 values, like the first line"),
        ("path,label\n,1\n", "line 2: every column must have a value; path is empty"),
        ("path,label,label\na.wav,1,1\n", "two columns called label"),
        ("path,label,target\na.wav,1,1\n", "cannot be called target"),
        ("path,label\n", "must list at least one recording"),
        ("", "must have the columns path, label"),
    ],
)
def test_a_wrong_table_is_refused_with_its_line(tree, text, message):
    root = tree("a.wav", "b.wav")
    with pytest.raises(ValueError, match=message):
        load_folder(root, labels=write_table(root, text))


def test_zero_is_unknown_beside_both_other_labels(tree):
    root = tree("a.wav", "b.wav", "c.wav")
    table = write_table(root, "path,label\na.wav,1.0\nb.wav,0\nc.wav,-1\n")
    assert load_folder(root, labels=table).target.tolist() == [1, 0, -1]


def test_a_table_in_another_encoding_is_named(tree):
    root = tree("a.wav")
    (root / "labels.csv").write_bytes("path,label\nä.wav,1\n".encode("latin-1"))
    with pytest.raises(ValueError, match=r"labels\.csv: the table must be a csv file in UTF-8"):
        load_folder(root, labels=root / "labels.csv")


def test_recordings_of_the_table_that_do_not_exist_are_listed(tree):
    root = tree("a.wav")
    table = write_table(root, "path,label\na.wav,1\n" + "".join(f"{number}.wav,1\n" for number in range(5)))
    with pytest.raises(
        FileNotFoundError, match=r"lists 5 .* exist: .*0\.wav \(line 3\), .*2\.wav .* and 2 more\."
    ):
        load_folder(root, labels=table)


def test_recordings_that_the_table_does_not_list_are_left_out_with_a_warning(tree):
    root = tree("a.wav", "b.wav", "notes.txt")
    with pytest.warns(
        UserWarning, match=r"does not list 1 recordings in .*b\.wav\. These recordings are left out"
    ):
        sounds = load_folder(root, labels=write_table(root, "path,label\na.wav,1\n"))
    assert names(sounds, root) == ["a.wav"]


def test_groups_are_refused_beside_a_table(tree):
    with pytest.raises(ValueError, match="Add a column group to the table"):
        load_folder(tree("a.wav"), labels="labels.csv", groups="folder")


def test_missing_folders_and_tables_are_named(tree):
    root = tree("a/x.txt")
    with pytest.raises(FileNotFoundError, match=r"nowhere: no such folder"):
        load_folder(root / "nowhere")
    with pytest.raises(FileNotFoundError, match="holds no recording"):
        load_folder(root)
    with pytest.raises(FileNotFoundError, match=r"labels\.csv: no such table of labels"):
        load_folder(root, labels=root / "labels.csv")


def test_columns_of_a_table_come_in_the_order_of_the_contract(tree):
    root = tree("a.wav")
    sounds = load_folder(root, labels=write_table(root, "path,x,split,label,domain\na.wav,1,test,1,source\n"))
    assert list(sounds.metadata) == ["machine", "section", "domain", "attributes", "split", "x"]
    assert sounds.metadata["domain"].dtype == np.array(["source"]).dtype


@pytest.mark.real_data
def test_published_folders_give_the_labels_of_their_own_loader(data_home):
    if not (data_home / "mimii").is_dir():
        pytest.skip("SKAUDIO_AD_DATA has no mimii")
    fans = load_mimii("fan", data_home=data_home)
    sounds = load_folder(os.path.dirname(os.path.dirname(os.path.dirname(fans.paths[0]))))
    assert dict(zip(sounds.paths, sounds.target.tolist())) == dict(zip(fans.paths, fans.target.tolist()))
    assert set(sounds.metadata["folder"]) == set(fans.metadata["machine_id"])
