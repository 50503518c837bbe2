"""The functions ``fetch_*``: which archives they ask for, and where the content ends up."""

import hashlib

import pytest

from skaudio_ad.datasets import (
    FetchError,
    fetch_dcase_task2,
    fetch_esc50,
    fetch_mimii,
    fetch_mimii_dg,
    fetch_mimii_due,
    fetch_physionet2016,
    fetch_sprsound,
    fetch_toyadmos2,
    load_dcase_task2,
    load_esc10,
)

from ..publishers_server import make_zip
from . import trees

ESC50_COMMIT = "33c8ce9eb2cf0b1c2f8bcf322eb349b6be34dbb6"
SPRSOUND_COMMIT = "bca1e51422a42a042441010081519610ef3845d0"
# Records and archives as in scripts of participants that download the sets: one machine of each part of each year.
DCASE = [
    (2020, "dev", "fan", 3678171, "dev_data_fan.zip"),
    (2020, "eval_train", "ToyConveyor", 3727685, "eval_data_train_ToyConveyor.zip"),
    (2020, "eval_test", "slider", 3841772, "eval_data_test_slider.zip"),
    (2021, "dev", "pump", 4562016, "dev_data_pump.zip"),
    (2021, "eval_train", "gearbox", 4660992, "eval_data_gearbox_train.zip"),
    (2021, "eval_test", "ToyTrain", 4884786, "eval_data_ToyTrain_test.zip"),
    (2022, "dev", "bearing", 6355122, "dev_bearing.zip"),
    (2022, "eval_train", "valve", 6462969, "eval_data_valve_train.zip"),
    (2022, "eval_test", "ToyCar", 6586456, "eval_data_ToyCar_test.zip"),
    (2023, "dev", "ToyTrain", 7882613, "dev_ToyTrain.zip"),
    (2023, "eval_train", "ToyNscale", 7830345, "eval_data_ToyNscale_train.zip"),
    (2023, "eval_test", "Vacuum", 7860847, "eval_data_Vacuum_test.zip"),
    (2024, "dev", "gearbox", 10902294, "dev_gearbox.zip"),
    (2024, "eval_train", "3DPrinter", 11259435, "eval_data_3DPrinter_train_r2.zip"),
    (2024, "eval_train", "RoboticArm", 11259435, "eval_data_RoboticArm_train_r2.zip"),
    (2024, "eval_train", "HairDryer", 11259435, "eval_data_HairDryer_train.zip"),
    (2024, "eval_test", "3DPrinter", 11363076, "eval_data_3DPrinter_test.zip"),
    (2025, "dev", "slider", 15097779, "dev_slider.zip"),
    (2025, "eval_train", "HomeCamera", 15392814, "eval_data_HomeCamera_train.zip"),
    (2025, "eval_test", "CoffeeGrinder", 15519362, "eval_data_CoffeeGrinder_test.zip"),
    (2026, "dev", "ToyCar", 19336329, "dev_ToyCar_r2.zip"),
    (2026, "dev", "ToyCarEmu", 19336329, "dev_ToyCarEmu.zip"),
    (2026, "eval_train", "Sander", 20151556, "eval_data_Sander_train.zip"),
    (2026, "eval_test", "ToothBrush", 20437238, "eval_data_ToothBrush_test.zip"),
]


def files_below(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize(("year", "part", "machine", "record", "archive"), DCASE)
def test_every_part_of_every_year_of_dcase_has_its_record_and_archive(
    monkeypatch, year, part, machine, record, archive
):
    calls = []
    monkeypatch.setattr("skaudio_ad.datasets._fetch.fetch_archives", lambda *args, **_: calls.append(args))
    fetch_dcase_task2(year, machine, parts=part)
    (([(publisher, [asked])], name),) = calls
    assert (publisher.number, asked.name, name) == (record, archive, f"dcase{year}_task2")


@pytest.mark.parametrize(("year", "records"), [(2021, (4562016, 4884786)), (2024, (10902294, 11259435))])
def test_dcase_is_what_the_loader_reads(publishers, tmp_path, year, records):
    rows = trees.DCASE[year]
    for record, side in zip(records, ("dev_data", "eval_data")):
        paths = [row[0] for row in rows if row[0].startswith(side)]
        machine = paths[0].split("/")[1]
        asked = {2021: "eval_data_fan_test.zip", 2024: "eval_data_3DPrinter_train_r2.zip"}[year]
        name = f"dev_{'data_' * (year == 2021)}{machine}.zip" if side == "dev_data" else asked
        archive = make_zip({path.removeprefix(f"{side}/"): path.encode() for path in paths})
        publishers.publish_record(record, {name: archive})
    parts = ("dev", "eval_test" if year == 2021 else "eval_train")
    machines = sorted({row[1] for row in rows})
    folder = fetch_dcase_task2(year, machines, parts=parts, data_home=tmp_path, quiet=True)
    for data_home in (folder, tmp_path):
        clips = load_dcase_task2(year, data_home=data_home)
        assert sorted(clips.paths) == sorted(str(folder / row[0]) for row in rows)


def test_training_and_test_clips_of_the_evaluation_share_the_folder_of_the_machine(publishers, tmp_path):
    members = {"train": {"shaker/train/a.wav": b"a"}, "test": {"eval_data/shaker/test/b.wav": b"b"}}
    for record, part in ((7830345, "train"), (7860847, "test")):
        publishers.publish_record(record, {f"eval_data_shaker_{part}.zip": make_zip(members[part])})
    folder = fetch_dcase_task2(
        2023, ["shaker"], parts=["eval_train", "eval_test"], data_home=tmp_path, quiet=True
    )
    assert files_below(folder) == ["eval_data/shaker/test/b.wav", "eval_data/shaker/train/a.wav"]


def test_a_machine_is_asked_for_only_in_the_parts_that_have_it(publishers, tmp_path):
    publishers.publish_record(15097779, {"dev_fan.zip": make_zip({"fan/train/a.wav": b"a"})})
    fetch_dcase_task2(2025, "fan", parts=("dev", "eval_train", "eval_test"), data_home=tmp_path, quiet=True)
    assert [path for _, path, _ in publishers.requests if path.startswith("/api")] == [
        "/api/records/15097779",
        "/api/records/15097779/files/dev_fan.zip/content",
    ]


def test_without_a_connection_the_error_lists_the_archives_of_all_parts(monkeypatch, tmp_path):
    monkeypatch.setenv("SKAUDIO_AD_OFFLINE", "1")
    with pytest.raises(FetchError) as error:
        fetch_dcase_task2(2024, ["3DPrinter", "fan"], parts=("dev", "eval_train"), data_home=tmp_path)
    assert (
        "save dev_fan.zip from https://zenodo.org/records/10902294 and eval_data_3DPrinter_train_r2.zip from "
        f"https://zenodo.org/records/11259435 in the folder {tmp_path / 'archives' / 'dcase2024_task2'}"
    ) in str(error.value)


def test_no_machine_means_all_machines_of_the_part(publishers, tmp_path):
    machines = ["ToyCar", "ToyTrain", "bearing", "fan", "gearbox", "slider", "valve"]
    publishers.publish_record(
        7882613, {f"dev_{name}.zip": make_zip({f"{name}/train/a.wav": b"a"}) for name in machines}
    )
    folder = fetch_dcase_task2(2023, data_home=tmp_path, quiet=True)
    assert files_below(folder) == [f"dev_data/{name}/train/a.wav" for name in machines]


def test_mimii_due_leaves_out_archives_that_the_record_does_not_have(publishers, tmp_path):
    publishers.publish_record(
        4740355,
        {
            "dev_data_fan.zip": make_zip({"dev_data_fan/fan/train/a.wav": b"a"}),
            "eval_data_fan_train.zip": make_zip({"fan/train/b.wav": b"b"}),
        },
    )
    for _ in range(2):
        folder = fetch_mimii_due(
            "fan", parts=("dev", "eval_train", "eval_test"), data_home=tmp_path, quiet=True
        )
        assert files_below(folder) == ["dev_data/fan/train/a.wav", "eval_data/fan/train/b.wav"]
    assert len(publishers.requests) == 3  # the second call makes no request


def test_mimii_dg_has_one_folder_for_each_machine(publishers, tmp_path):
    publishers.publish_record(6529888, {"bearing.zip": make_zip({"bearing/attributes_00.csv": b"file_name"})})
    folder = fetch_mimii_dg("bearing", data_home=tmp_path, quiet=True)
    assert files_below(folder) == ["bearing/attributes_00.csv"]


def test_toyadmos2_is_all_zip_archives_of_the_record(publishers, tmp_path):
    publishers.publish_record(
        4580270,
        {
            "a.zip": make_zip({"car/A/1.mp4": b"a"}),
            "b.zip": make_zip({"train/B/2.mp4": b"b"}),
            "c.pdf": b"text",
        },
    )
    for _ in range(2):
        folder = fetch_toyadmos2(data_home=tmp_path, quiet=True)
        assert files_below(folder) == ["car/A/1.mp4", "train/B/2.mp4"]
    assert len(publishers.requests) == 3


@pytest.mark.filterwarnings("ignore:ESC-10 has 40 clips")
def test_esc50_is_what_the_loader_reads(publishers, tmp_path):
    numbers = (0, 1, 10, 11, 12, 20, 21, 38, 40, 41)  # the classes of ESC-10 in ESC-50
    members = {f"ESC-50-{ESC50_COMMIT}/audio/1-{number}-A-{number}.wav": b"" for number in numbers}
    archive = make_zip(members, comment=ESC50_COMMIT.encode())
    publishers.answers[f"/karolpiczak/ESC-50/archive/{ESC50_COMMIT}.zip"] = archive
    folder = fetch_esc50(data_home=tmp_path, quiet=True)
    assert folder == tmp_path / "ESC-50-master"
    for data_home in (folder, tmp_path):
        assert len(load_esc10("rain", data_home=data_home).paths) == 10


def test_an_archive_of_github_put_there_by_hand_needs_no_connection(monkeypatch, tmp_path):
    monkeypatch.setenv("SKAUDIO_AD_OFFLINE", "1")
    path = tmp_path / "archives" / "ESC-50-master" / f"ESC-50-{ESC50_COMMIT}.zip"
    path.parent.mkdir(parents=True)
    path.write_bytes(make_zip({"ESC-50/audio/a.wav": b"a"}, comment=b"1" * 40))
    with pytest.raises(FetchError, match="expected the commit 33c8ce9"):
        fetch_esc50(data_home=tmp_path)
    path.write_bytes(make_zip({"ESC-50/audio/a.wav": b"a"}, comment=ESC50_COMMIT.encode()))
    assert files_below(fetch_esc50(data_home=tmp_path, quiet=True)) == ["audio/a.wav"]


def test_sprsound_keeps_the_folders_of_the_repository(publishers, tmp_path):
    top = f"SPRSound-{SPRSOUND_COMMIT}"
    archive = make_zip({f"{top}/BioCAS2022/train2022_wav/a.wav": b"a"}, comment=SPRSOUND_COMMIT.encode())
    publishers.answers[f"/SJTU-YONGFU-RESEARCH-GRP/SPRSound/archive/{SPRSOUND_COMMIT}.zip"] = archive
    assert files_below(fetch_sprsound(data_home=tmp_path, quiet=True)) == ["BioCAS2022/train2022_wav/a.wav"]


def physionet(publishers, **archives):
    sums = [f"{hashlib.sha256(content).hexdigest()} {name}.zip" for name, content in archives.items()]
    publishers.answers["/files/challenge-2016/1.0.0/SHA256SUMS.txt"] = "\n".join(sums).encode()
    for name, content in archives.items():
        publishers.answers[f"/files/challenge-2016/1.0.0/{name}.zip"] = content


@pytest.mark.parametrize("top", ["", "training/"])
def test_physionet_has_one_folder_for_each_database(publishers, tmp_path, top):
    members = {f"{top}training-{letter}/REFERENCE.csv": b"" for letter in "ab"}
    physionet(publishers, training=make_zip(members), validation=make_zip({"validation/REFERENCE.csv": b""}))
    folder = fetch_physionet2016(data_home=tmp_path, quiet=True)
    assert files_below(folder) == ["training-a/REFERENCE.csv", "training-b/REFERENCE.csv"]
    fetch_physionet2016(parts="validation", data_home=tmp_path, quiet=True)
    assert files_below(folder)[2:] == ["validation/REFERENCE.csv"]


def test_physionet_compares_the_published_sha256(publishers, tmp_path):
    physionet(publishers, training=make_zip({"training-a/a.wav": b"a"}))
    publishers.answers["/files/challenge-2016/1.0.0/training.zip"] = make_zip({"training-a/a.wav": b"b"})
    with pytest.raises(FetchError, match="removed: its sha256 is"):
        fetch_physionet2016(data_home=tmp_path, quiet=True)


def test_physionet_without_a_list_of_checksums_is_an_error(publishers, tmp_path):
    publishers.answers["/files/challenge-2016/1.0.0/SHA256SUMS.txt"] = b"moved"
    with pytest.raises(FetchError, match=r"SHA256SUMS\.txt holds no checksums"):
        fetch_physionet2016(data_home=tmp_path, quiet=True)


@pytest.mark.parametrize(
    ("call", "error", "reason"),
    [
        (lambda **o: fetch_dcase_task2(2019, **o), ValueError, "Unknown year 2019 .* 2020, 2021, 2022"),
        (
            lambda **o: fetch_dcase_task2(2023, "shaker", **o),
            ValueError,
            "Unknown machine 'shaker'.* ToyCar",
        ),
        (lambda **o: fetch_dcase_task2(2023, parts="test", **o), ValueError, "Unknown parts 'test'.* dev"),
        (lambda **o: fetch_dcase_task2(2023, parts=(), **o), ValueError, "parts must have at least one"),
        (lambda **o: fetch_mimii("bearing", **o), ValueError, "Unknown machine 'bearing'.* fan, pump"),
        (lambda **o: fetch_mimii(snr="6dB", **o), ValueError, "Unknown snr '6dB'.* 6_dB"),
        (lambda **o: fetch_mimii(7, **o), TypeError, "machine must be a name such as 'fan'"),
    ],
)
def test_an_unknown_name_is_an_error_before_any_request(publishers, tmp_path, call, error, reason):
    with pytest.raises(error, match=reason):
        call(data_home=tmp_path)
    assert publishers.requests == []
    assert list(tmp_path.iterdir()) == []
