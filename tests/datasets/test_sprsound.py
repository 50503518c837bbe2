import json
from pathlib import Path

import pytest

from skaudio_ad.datasets import load_sprsound

TRAIN = {
    "65044484_6.1_1_p1_10": ("Normal", ["Normal", "Normal"]),
    "65044484_6.1_1_p2_11": ("CAS", ["Wheeze", "Normal"]),
    "40943224_9.7_0_p3_12": ("Poor Quality", []),
}
INTRA = {"65044484_6.1_1_p4_13": ("DAS", ["Fine Crackle"])}
INTER = {"40512331_8.1_1_p1_14": ("CAS & DAS", ["Wheeze+Crackle"])}
TEST_2023 = {"662293914_7.9_0_p4_15": ("Normal", ["Normal"])}
# Since 2024 there is no annotation of the whole recording, and the publisher hides the patients of some recordings.
TEST_2024 = {"_5.8_0_p8_16": (None, ["Normal"]), "_0.7_1_p7_17": (None, ["Stridor", "Normal"])}
LAYOUTS = {
    "BioCAS": {
        ("BioCAS2022/train2022_json", "BioCAS2022/train2022_wav"): TRAIN,
        ("BioCAS2022/test2022_json/intra_test_json", "BioCAS2022/test2022_wav"): INTRA,
        ("BioCAS2022/test2022_json/inter_test_json", "BioCAS2022/test2022_wav"): INTER,
        ("BioCAS2023/test2023_json", "BioCAS2023/test2023_wav"): TEST_2023,
        ("BioCAS2024/test2024_json", "BioCAS2024/test2024_wav"): TEST_2024,
    },
    "Classification": {
        ("Classification/train_classification_json", "Classification/train_classification_wav"): TRAIN,
        (
            "Classification/valid_classification_json/2022/intra_test_json",
            "Classification/valid_classification_wav/2022",
        ): INTRA,
        (
            "Classification/valid_classification_json/2022/inter_test_json",
            "Classification/valid_classification_wav/2022",
        ): INTER,
        (
            "Classification/valid_classification_json/2023",
            "Classification/valid_classification_wav/2023",
        ): TEST_2023,
        ("Detection/test2024_detection_json", "Detection/test2024_detection_wav"): TEST_2024,
        ("Detection/train_detection_json", "Detection/train_detection_wav"): TRAIN,
    },
    "first": {
        ("train_json", "train_wav"): TRAIN,
        ("test_json/intra_test_json", "test_wav"): INTRA,
        ("test_json/inter_test_json", "test_wav"): INTER,
    },
}


def write_layout(root, layout):
    for (annotations, wavs), clips in layout.items():
        for folder in (annotations, wavs):
            (root / folder).mkdir(parents=True, exist_ok=True)
        for name, (label, events) in clips.items():
            content = {} if label is None else {"record_annotation": label}
            content["event_annotation"] = [{"start": "5", "end": "9", "type": event} for event in events]
            (root / annotations / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")
            # The loader opens no recording until groups are read.
            (root / wavs / f"{name}.wav").write_bytes(name.encode())
    return root


@pytest.fixture
def home(tmp_path):
    write_layout(tmp_path / "sprsound", LAYOUTS["BioCAS"])
    return tmp_path


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("place", [".", "sprsound", "SPRSound-main"])
def test_the_set_of_2022_has_the_same_labels_and_splits_in_every_layout(tmp_path, layout, place):
    write_layout(tmp_path / place, LAYOUTS[layout])
    sounds = load_sprsound(data_home=tmp_path)
    numbers = [name.split("_")[-1] for name in sounds.metadata["recording"]]
    assert numbers == ["12", "10", "11", "14", "13"]
    assert sounds.target.tolist() == [0, 1, -1, -1, -1]
    assert sounds.metadata["split"].tolist() == ["train"] * 3 + ["test"] * 2
    assert sounds.metadata["test_set"].tolist() == ["", "", "", "inter", "intra"]
    assert [Path(path).stem for path in sounds.paths] == sounds.metadata["recording"].tolist()
    assert all(Path(path).is_file() for path in sounds.paths)


def test_names_and_annotations_become_columns(home):
    metadata = load_sprsound(data_home=home).metadata
    assert metadata["patient"].tolist() == ["40943224", "65044484", "65044484", "40512331", "65044484"]
    assert metadata["age"].tolist() == [9.7, 6.1, 6.1, 8.1, 6.1]
    assert metadata["sex"].tolist() == ["M", "F", "F", "F", "F"]
    assert metadata["location"].tolist() == ["p3", "p1", "p2", "p1", "p4"]
    assert metadata["annotation"].tolist() == ["Poor Quality", "Normal", "CAS", "CAS & DAS", "DAS"]
    assert metadata["events"].tolist() == ["", "Normal", "Normal, Wheeze", "Wheeze+Crackle", "Fine Crackle"]
    assert metadata["n_events"].tolist() == [0, 2, 2, 1, 1]
    assert set(metadata["year"].tolist()) == {2022}


def test_recordings_of_a_patient_are_one_group(home):
    assert load_sprsound(data_home=home).groups.tolist() == [0, 1, 1, 2, 1]


def test_later_years_are_test_sets_and_have_labels_only_where_published(home):
    sounds = load_sprsound([2024, 2023], data_home=home)
    assert sounds.metadata["year"].tolist() == [2023, 2024, 2024]
    assert sounds.target.tolist() == [1, 0, 0]
    assert set(sounds.metadata["split"]) == {"test"}
    assert sounds.groups.tolist() == [0, 1, 1]  # two recordings of hidden patients may be of one patient
    assert len(load_sprsound(None, data_home=home).paths) == 8


def test_an_annotation_without_a_recording_is_named(home):
    (home / "sprsound" / "BioCAS2022" / "test2022_wav" / "40512331_8.1_1_p1_14.wav").unlink()
    with pytest.raises(FileNotFoundError, match=r"1 annotated recordings are missing: .*_14\.wav\. Unpack"):
        load_sprsound(data_home=home)


def test_a_recording_without_annotation_is_left_out_with_a_warning(home):
    (home / "sprsound" / "BioCAS2022" / "train2022_wav" / "40512331_8.1_1_p1_99.wav").touch()
    (home / "sprsound" / "BioCAS2022" / "train2022_wav" / "._x.wav").touch()
    with pytest.warns(UserWarning, match=r"1 recordings have no annotations: .*_99\.wav\. These"):
        assert len(load_sprsound(data_home=home).paths) == 5


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", r"_10\.json holds no annotations of SPRSound \(JSONDecodeError"),
        ("[]", "holds no annotations of SPRSound"),
        (
            '{"record_annotation": "Normal"}',
            r"holds no annotations of SPRSound \(KeyError: 'event_annotation'\)",
        ),
        ('{"record_annotation": "Fine", "event_annotation": []}', "one of Normal, CAS, DAS, .* got 'Fine'"),
    ],
)
def test_a_damaged_annotation_is_named(home, text, message):
    path = home / "sprsound" / "BioCAS2022" / "train2022_json" / "65044484_6.1_1_p1_10.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        load_sprsound(data_home=home)


def test_annotations_with_other_names_are_listed(home):
    for number in range(5):
        (home / "sprsound" / "BioCAS2022" / "train2022_json" / f"child {number}.json").write_text("{}")
    with pytest.raises(
        ValueError, match=r"5 files are not named .*child 0\.json, .*child 2\.json and 2 more"
    ):
        load_sprsound(data_home=home)


def test_a_recording_that_is_there_twice_is_refused(home):
    write_layout(home / "sprsound", LAYOUTS["first"])
    with pytest.raises(ValueError, match="are of one recording"):
        load_sprsound(data_home=home)


def test_an_unknown_folder_of_annotations_is_refused(home):
    folder = home / "sprsound" / "BioCAS2022" / "test2022_json"
    (folder / "intra_test_json").rename(folder / "mine")
    with pytest.raises(ValueError, match="mine is no folder of SPRSound"):
        load_sprsound(data_home=home)


def test_a_year_that_is_not_there_is_named(home):
    with pytest.raises(FileNotFoundError, match=r"no annotations of 2025\. It has 2022, 2023, 2024"):
        load_sprsound([2022, 2025], data_home=home)


@pytest.mark.parametrize("year", [2021, [], "2022", 2022.5])
def test_an_unknown_year_lists_the_known_ones(home, year):
    with pytest.raises(ValueError, match="one or several of 2022, 2023, 2024, 2025, or None"):
        load_sprsound(year, data_home=home)


def test_a_folder_of_another_set_is_recognised(tmp_path):
    (tmp_path / "training-a").mkdir()
    (tmp_path / "training-a" / "REFERENCE.csv").touch()
    with pytest.raises(
        FileNotFoundError, match=r"looks like PhysioNet/CinC .*, which load_physionet2016 reads"
    ):
        load_sprsound(data_home=tmp_path)
