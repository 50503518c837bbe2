import time
from pathlib import Path

import numpy as np
import pytest

from skaudio_ad.datasets import load_dcase_task2, load_mimii

from .trees import DCASE, touch, write_year

COLUMNS = ("machine", "section", "domain", "attributes", "split")


@pytest.mark.parametrize("year", DCASE)
@pytest.mark.parametrize("place", ["dcase{year}t2/{part}/raw", "{part}", "dcase_task2/{year}/{part}"])
def test_every_name_of_a_year_is_read_as_the_organisers_describe_the_names(tmp_path, year, place):
    write_year(tmp_path, year, place.replace("{year}", str(year)).replace("{part}", "{}"))
    sounds = load_dcase_task2(year, data_home=tmp_path)
    rows = {
        (Path(path).name, *values)
        for path, *values in zip(
            sounds.paths,
            *(sounds.metadata[name] for name in COLUMNS),
            sounds.target.tolist(),
            sounds.metadata["dataset"],
        )
    }
    assert rows == {(Path(path).name, *expected) for path, *expected in DCASE[year]}
    assert len(sounds.paths) == len(DCASE[year])
    assert [Path(path).name for path in sounds.paths] == sounds.metadata["file"].tolist()
    assert f"DCASE {year}" in sounds.DESCR


@pytest.mark.parametrize("year", [2023, 2024, 2025, 2026])
def test_machines_may_stand_directly_in_the_folder(tmp_path, year):
    write_year(tmp_path, year, ".")
    sounds = load_dcase_task2(year, data_home=tmp_path)
    expected = {(row[1], row[-1]) for row in DCASE[year]}
    assert set(zip(sounds.metadata["machine"], sounds.metadata["dataset"])) == expected


def test_the_folder_may_be_that_of_one_machine_or_of_the_records(tmp_path):
    write_year(tmp_path / "flat", 2023, ".")
    bandsaw = load_dcase_task2(2023, data_home=tmp_path / "flat" / "bandsaw")
    assert set(bandsaw.metadata["machine"]) == {"bandsaw"}
    # Additional training recordings and evaluation recordings come from two records.
    touch(tmp_path / "records", "7830345/bandsaw/train/section_00_source_train_normal_0000_vel_9.wav")
    touch(tmp_path / "records", "7860847/bandsaw/test/section_00_0000.wav")
    assert load_dcase_task2(2023, data_home=tmp_path / "records").metadata["split"].tolist() == [
        "train",
        "test",
    ]


def test_recordings_are_sorted_by_machine_split_and_name(tmp_path):
    write_year(tmp_path, 2020)
    touch(
        tmp_path,
        "dev_data/ToyCar/train/normal_id_01_00000001.wav",
        "dev_data/ToyCar/test/normal_id_01_00000000.wav",
    )
    touch(tmp_path, "dev_data/ToyCar/train/normal_id_01_00000000.wav")
    cars = [
        "train/normal_id_01_00000000.wav",
        "train/normal_id_01_00000001.wav",
        "test/normal_id_01_00000000.wav",
    ]
    fans = [row[0].split("fan/")[1] for row in DCASE[2020]]
    sounds = load_dcase_task2(2020, data_home=tmp_path)
    assert ["/".join(Path(path).parts[-2:]) for path in sounds.paths] == cars + fans
    turned = load_dcase_task2(2020, ["fan", "ToyCar"], data_home=tmp_path)
    assert ["/".join(Path(path).parts[-2:]) for path in turned.paths] == fans + cars


@pytest.mark.parametrize("split", ["train", "test", "supplemental"])
def test_one_split_can_be_loaded_and_supplemental_recordings_are_in_no_other(tmp_path, split):
    sounds = load_dcase_task2(2025, "bearing", split=split, data_home=write_year(tmp_path, 2025))
    assert set(sounds.metadata["split"]) == {split}
    expected = {"machine", "noise"} if split == "supplemental" else {""}
    assert set(sounds.metadata["kind"]) == expected


@pytest.mark.parametrize(
    "name",
    [
        "section_00_machine_0001_.wav",
        "section_00_machine_source_0000_noAttribute.wav",
        "section_00_source_supplemental_machine_0000.wav",
        "section_00_noise_0000.wav",
        "section_00_noise_supplemental_normal_0000.wav",
    ],
)
def test_the_orders_of_words_in_supplemental_names_are_accepted(tmp_path, name):
    touch(write_year(tmp_path, 2025), f"dev_data/bearing/supplemental/{name}")
    sounds = load_dcase_task2(2025, split="supplemental", data_home=tmp_path)
    kinds = dict(zip(sounds.metadata["file"], sounds.metadata["kind"]))
    assert kinds[name] == ("noise" if "noise" in name else "machine")


def test_no_recording_is_opened_and_hidden_files_are_no_recordings(tmp_path, monkeypatch):
    touch(
        write_year(tmp_path, 2023),
        "dev_data/gearbox/train/._section_00_source_train_normal_0000_volt_1.5.wav",
    )
    opened = []
    monkeypatch.setattr("builtins.open", lambda path, *args, **kwargs: opened.append(path))
    sounds = load_dcase_task2(2023, data_home=tmp_path)
    assert len(sounds.paths) == len(DCASE[2023])
    assert opened == []


def test_attributes_that_a_name_does_not_have_come_from_the_table(tmp_path):
    write_year(tmp_path, 2023)
    touch(tmp_path, "dev_data/gearbox/train/section_00_source_train_normal_0001.wav")
    (tmp_path / "dev_data/gearbox/attributes_00.csv").write_text(
        "\ufefffile_name,d1p,d1v,d2p,d2v\ngearbox/train/section_00_source_train_normal_0001.wav,volt,2.5,wt,50\n"
        "gearbox/train/section_00_source_train_normal_0000_volt_1.5.wav,other,0\n",
        encoding="utf-8",
    )
    sounds = load_dcase_task2(2023, "gearbox", split="train", data_home=tmp_path)
    assert sounds.metadata["attributes"].tolist() == ["volt_1.5", "volt_2.5_wt_50"]
    (tmp_path / "dev_data/gearbox/attributes_00.csv").write_bytes(b"file_name,\xff\xfe")
    with pytest.raises(ValueError, match=r"attributes_00\.csv must be a csv file in UTF-8"):
        load_dcase_task2(2023, "gearbox", data_home=tmp_path)


def test_copies_that_the_official_scripts_make_count_once(tmp_path):
    write_year(tmp_path, 2021)
    touch(tmp_path, "dev_data/fan/test/section_00_source_test_anomaly_0000.wav")
    touch(tmp_path, "dev_data/fan/test/section_00_target_test_normal_0000.wav")
    assert len(load_dcase_task2(2021, data_home=tmp_path).paths) == len(DCASE[2021])
    # test_rename holds labelled copies of the evaluation recordings.
    touch(tmp_path, "eval_data/fan/test_rename/section_03_source_test_anomaly_0000.wav")
    with pytest.raises(
        ValueError, match=r"test_rename must have a copy of every .*got 1 files for 2 recordings"
    ):
        load_dcase_task2(2021, data_home=tmp_path)
    touch(tmp_path, "eval_data/fan/test_rename/section_03_target_test_normal_0000.wav")
    sounds = load_dcase_task2(2021, data_home=tmp_path)
    tests = sounds.subset((sounds.metadata["dataset"] == "eval") & (sounds.metadata["split"] == "test"))
    assert tests.metadata["domain"].tolist() == ["source", "target"]
    assert tests.target.tolist() == [-1, 1]


@pytest.mark.parametrize("year", DCASE)
@pytest.mark.parametrize("other", DCASE)
def test_the_folder_of_another_year_is_refused_and_the_right_loader_is_named(tmp_path, year, other):
    write_year(tmp_path, other)
    if year == other:
        assert len(load_dcase_task2(year, data_home=tmp_path).paths) == len(DCASE[year])
        return
    with pytest.raises(ValueError, match=rf"load_dcase_task2\({other}\)") as caught:
        load_dcase_task2(year, data_home=tmp_path)
    assert f"DCASE {year} Task 2" in str(caught.value)


def test_a_machine_of_several_years_is_told_apart_by_its_neighbours(tmp_path):
    # The names of fan are alike in 2023 and 2024. gearbox has no attributes in 2024.
    touch(
        tmp_path,
        "fan/train/section_00_source_train_normal_0000_m-n_W.wav",
        "fan/test/section_00_source_test_normal_0000.wav",
    )
    assert len(load_dcase_task2(2023, "fan", data_home=tmp_path).paths) == 2
    touch(tmp_path, "gearbox/train/section_00_source_train_normal_0000_noAttribute.wav")
    with pytest.raises(ValueError, match=r"gearbox: .*no attributes in the names.*Task 2 of 2024 looks so"):
        load_dcase_task2(2023, "fan", data_home=tmp_path)
    assert len(load_dcase_task2(2024, "fan", data_home=tmp_path).paths) == 2


def test_supplemental_recordings_show_2025_or_later(tmp_path):
    touch(tmp_path, "fan/train/section_00_source_train_normal_0000_m-n_W.wav")
    touch(tmp_path, "fan/test/section_00_source_test_normal_0000_m-n_W.wav")
    touch(tmp_path, "fan/supplemental/section_00_noise_0000.wav")
    assert len(load_dcase_task2(2025, "fan", data_home=tmp_path).paths) == 3
    with pytest.raises(ValueError, match=r"load_dcase_task2\(2025\) or load_dcase_task2\(2026\) reads"):
        load_dcase_task2(2023, "fan", data_home=tmp_path)


def test_other_sets_are_refused_by_their_loader(tmp_path):
    touch(tmp_path / "a", "-6_dB/fan/id_00/normal/00000000.wav")
    with pytest.raises(FileNotFoundError, match="looks like MIMII: load_mimii reads MIMII"):
        load_dcase_task2(2020, data_home=tmp_path / "a")
    touch(tmp_path / "b", "ToyCar/train/section_00_source_train_normal_00001_B1s1.wav")
    with pytest.raises(ValueError, match="load_toyadmos2 reads such a folder"):
        load_dcase_task2(2021, data_home=tmp_path / "b")
    with pytest.raises(FileNotFoundError, match=r"2020 looks so, and load_dcase_task2\(2020\) reads"):
        load_mimii("fan", data_home=write_year(tmp_path / "c", 2020))


def test_files_with_other_names_are_counted_and_the_first_three_are_named(tmp_path):
    write_year(tmp_path, 2023)
    names = [
        "section_00_source_test_normal_0000_volt_1.5.wav",  # a test recording
        "section_00_source_train_anomaly_0000_volt_1.5.wav",
        "section_0_source_train_normal_0000_volt_1.5.wav",
        "section_00_source_train_normal_0000_volt_1.5.wav.part",
        "xsection_00_source_train_normal_0000.wav",
    ]
    touch(tmp_path, *(f"dev_data/gearbox/train/{name}" for name in names))
    with pytest.raises(ValueError, match=r"5 of 6 files in .*gearbox.train are not named like") as caught:
        load_dcase_task2(2023, data_home=tmp_path)
    assert ", ".join(sorted(names)[:3]) + " and 2 more" in str(caught.value)


def test_a_folder_that_the_set_does_not_have_is_refused(tmp_path):
    touch(write_year(tmp_path, 2020), "dev_data/fan/supplemental/normal_id_00_00000000.wav")
    with pytest.raises(
        ValueError, match=r"no other folders of recordings than train, test.*, got supplemental"
    ):
        load_dcase_task2(2020, data_home=tmp_path)


def test_a_recording_in_two_folders_is_refused(tmp_path):
    write_year(tmp_path, 2023)
    write_year(tmp_path, 2023, "{}/raw")
    with pytest.raises(ValueError, match=r"must be there once, got .*raw.*gearbox.* and .*gearbox"):
        load_dcase_task2(2023, data_home=tmp_path)


def test_an_absent_machine_is_named_with_those_that_are_there_and_the_archives(tmp_path):
    write_year(tmp_path, 2023)
    with pytest.raises(FileNotFoundError, match=r"no machine fan in .*It has bandsaw, gearbox\.") as caught:
        load_dcase_task2(2023, ["gearbox", "fan"], data_home=tmp_path)
    assert "https://zenodo.org/records/7882613 (development)" in str(caught.value)
    (tmp_path / "empty").mkdir()
    with pytest.raises(
        FileNotFoundError, match=r"has no recordings in .*looked for folders such as ToyCar/train"
    ):
        load_dcase_task2(2023, data_home=tmp_path / "empty")
    with pytest.raises(FileNotFoundError, match=r"folder must exist.*zenodo"):
        load_dcase_task2(2023, data_home=tmp_path / "nowhere")


def test_an_empty_folder_and_a_missing_test_folder_are_named(tmp_path):
    write_year(tmp_path, 2023)
    test = tmp_path / "dev_data/gearbox/test"
    for path in test.iterdir():
        path.unlink()
    with pytest.raises(FileNotFoundError, match=r"gearbox.test is empty"):
        load_dcase_task2(2023, data_home=tmp_path)
    test.rmdir()
    with pytest.raises(FileNotFoundError, match=r"no test recordings of gearbox here.*split='train'"):
        load_dcase_task2(2023, data_home=tmp_path)
    assert len(load_dcase_task2(2023, split="train", data_home=tmp_path).paths) == 2
    # The archive of the evaluation set is another one, and may be missing.
    assert len(load_dcase_task2(2023, "bandsaw", data_home=tmp_path).paths) == 2
    (tmp_path / "eval_data/bandsaw/test/section_00_0000.wav").unlink()
    (tmp_path / "eval_data/bandsaw/test").rmdir()
    assert load_dcase_task2(2023, "bandsaw", data_home=tmp_path).target.tolist() == [1]
    with pytest.raises(FileNotFoundError, match="no test recordings of bandsaw"):
        load_dcase_task2(2023, "bandsaw", split="test", data_home=tmp_path)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"year": 2019}, ValueError, "Unknown year 2019; known ones: 2020, 2021"),
        ({"year": True}, ValueError, "Unknown year True"),
        ({"year": 2023.0}, ValueError, r"Unknown year 2023\.0"),
        ({"year": "2023"}, ValueError, "Unknown year '2023'"),
        ({"split": "dev"}, ValueError, "Unknown split 'dev'; known ones: train, test, supplemental"),
        (
            {"machine": "pump"},
            ValueError,
            r"no machine 'pump'; known.*of 2020 and 2021: load_dcase_task2\(2020\)",
        ),
        ({"machine": "lathe"}, ValueError, "no machine 'lathe'; known ones: ToyCar, .*shaker.$"),
        ({"machine": 3}, TypeError, "machine must be a name such as 'fan'"),
        ({"machine": []}, TypeError, r"machine must be a name.*got \[\]"),
    ],
)
def test_a_wrong_argument_is_named_with_the_rule(tmp_path, arguments, error, message):
    with pytest.raises(error, match=message):
        load_dcase_task2(**({"year": 2023, "data_home": tmp_path} | arguments))


def test_thousands_of_recordings_are_listed_in_a_moment(tmp_path):
    folder = tmp_path / "fan" / "train"
    folder.mkdir(parents=True)
    for index in range(2000):
        open(folder / f"section_00_source_train_normal_{index:04d}_m-n_W.wav", "w").close()
    start = time.process_time()
    sounds = load_dcase_task2(2023, split="train", data_home=tmp_path)
    assert time.process_time() - start < 1
    assert len(sounds.paths) == 2000
    assert np.all(sounds.target == 1)
