from pathlib import Path

import pytest

from skaudio_ad.datasets import load_mimii_dg, load_mimii_due, load_toyadmos2

from .trees import DCASE, touch, write_year

DUE = DCASE[2021]
DG = [row for row in DCASE[2022] if row[-1] == "dev"]
MIXED = {
    "train/section_00_source_train_normal_00001_B1s1.wav": ("source", 1, "train", "B1s1"),
    "train/section_01_target_train_normal_00001_D2s5.wav": ("target", 1, "train", "D2s5"),
    "source_test/section_00_source_test_anomaly_00001_B1s1aL.wav": ("source", -1, "test", "B1s1aL"),
    "target_test/section_01_target_test_normal_00001.wav": ("target", 1, "test", ""),
}


@pytest.mark.parametrize(
    ("load", "year", "rows", "place"),
    [
        (load_mimii_due, 2021, DUE, "mimii_due/{}"),
        (load_mimii_due, 2021, DUE, "{}"),
        (load_mimii_dg, 2022, DG, "mimii_dg"),
        (load_mimii_dg, 2022, DG, "."),
    ],
)
def test_the_recordings_of_hitachi_are_read_as_in_dcase(tmp_path, load, year, rows, place):
    for path, *_ in rows:
        part, rest = path.split("/", 1)
        touch(tmp_path, f"{place.format(part)}/{rest}")
    if year == 2022:
        touch(tmp_path, f"{place}/slider/attributes_00.csv")
    sounds = load(data_home=tmp_path)
    names = ("machine", "section", "domain", "attributes", "split")
    found = zip(*(sounds.metadata[name].tolist() for name in names), sounds.target.tolist())
    assert {(Path(path).name, *row) for path, row in zip(sounds.paths, found)} == {
        (Path(path).name, *row[:-1]) for path, *row in rows
    }
    train = load(rows[0][1], split="train", data_home=tmp_path)
    assert set(train.metadata["split"]) == {"train"}
    assert "zenodo.org/records" in sounds.DESCR


@pytest.mark.parametrize(
    ("load", "year", "message"),
    [
        (load_mimii_due, 2020, r"does not look like MIMII DUE.*load_dcase_task2\(2020\)"),
        (load_mimii_due, 2022, r"does not look like MIMII DUE.*load_dcase_task2\(2022\)"),
        (load_mimii_dg, 2021, r"does not look like MIMII DG.*load_dcase_task2\(2021\)"),
        (load_mimii_dg, 2024, r"does not look like MIMII DG.*load_dcase_task2\(2024\)"),
        (load_toyadmos2, 2021, r"does not look like ToyADMOS2.*load_dcase_task2\(2021\)"),
    ],
)
def test_the_folder_of_a_year_of_dcase_is_refused(tmp_path, load, year, message):
    write_year(tmp_path, year, "." if load is load_toyadmos2 else "{}")
    with pytest.raises(ValueError, match=message):
        load(data_home=tmp_path)


def test_toys_beside_the_machines_show_dcase(tmp_path):
    for path, *_ in DUE:
        touch(tmp_path, path)
    touch(tmp_path, "dev_data/ToyCar/train/section_00_source_train_normal_0000.wav")
    with pytest.raises(
        ValueError, match=r"has ToyCar, so .* DCASE 2021 .*load_dcase_task2\(2021, machine=\['fan'"
    ):
        load_mimii_due(data_home=tmp_path)


@pytest.mark.parametrize("below", ["toyadmos2", "."])
def test_what_the_mixer_of_toyadmos2_writes_is_read(tmp_path, below):
    touch(tmp_path / below, *(f"ToyCar/{name}" for name in MIXED))
    sounds = load_toyadmos2("ToyCar", data_home=tmp_path)
    found = {
        "/".join(Path(path).parts[-2:]): row
        for path, *row in zip(
            sounds.paths,
            sounds.metadata["domain"],
            sounds.target.tolist(),
            sounds.metadata["split"],
            sounds.metadata["attributes"],
        )
    }
    assert {name: tuple(row) for name, row in found.items()} == MIXED
    assert set(load_toyadmos2(split="test", data_home=tmp_path).metadata["split"]) == {"test"}


def test_the_source_material_of_toyadmos2_needs_the_mixer(tmp_path):
    touch(tmp_path, "stat.csv", "ToyCar/normal/CN031-carB1-speed1_mic3_00001.wav")
    with pytest.raises(FileNotFoundError, match=r"source material.*python mixer\.py"):
        load_toyadmos2(data_home=tmp_path)
    with pytest.raises(ValueError, match="ToyADMOS2 has no machine 'fan'; known ones: ToyCar, ToyTrain"):
        load_toyadmos2("fan", data_home=tmp_path)
    with pytest.raises(ValueError, match="Unknown split 'supplemental'; known ones: train, test"):
        load_toyadmos2(split="supplemental", data_home=tmp_path)


@pytest.mark.parametrize("load", [load_mimii_due, load_mimii_dg, load_toyadmos2])
def test_an_empty_folder_is_reported_with_the_source(tmp_path, load):
    with pytest.raises(FileNotFoundError, match=r"has no recordings in .*zenodo\.org/records"):
        load(data_home=tmp_path)
