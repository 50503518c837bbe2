from pathlib import Path

import pytest

from skaudio_ad.datasets import load_dcase_task2

from .trees import DCASE, touch, write_year

DATA = {
    "slider_section_03": "section_03_0000.wav,1\nsection_03_0001.wav,0\n",
    "slider_section_04": "section_04_0000.wav,0\n",
}
DOMAIN = {
    "slider_section_03": "section_03_0000.wav,0\nsection_03_0001.wav,1\n",
    "slider_section_04": "section_04_0000.wav,1\n",
}


def write_tables(root, folder, tables):
    for name, text in tables.items():
        (root / folder).mkdir(parents=True, exist_ok=True)
        (root / folder / f"ground_truth_{name}_test.csv").write_text(text)
    return root


@pytest.fixture
def home(tmp_path):
    touch(write_year(tmp_path / "data", 2022), "eval_data/slider/test/section_03_0001.wav")
    return tmp_path / "data"


@pytest.fixture
def evaluator(tmp_path):
    write_tables(tmp_path / "evaluator", "ground_truth_data", DATA)
    return write_tables(tmp_path / "evaluator", "ground_truth_domain", DOMAIN)


def evaluation(sounds):
    """Label, domain and attributes of the evaluation recordings by name."""
    tests = sounds.subset((sounds.metadata["dataset"] == "eval") & (sounds.metadata["split"] == "test"))
    rows = zip(
        tests.target.tolist(), tests.metadata["domain"].tolist(), tests.metadata["attributes"].tolist()
    )
    return dict(zip(tests.metadata["file"].tolist(), rows))


def test_labels_and_domains_come_from_the_folder_of_an_evaluator(home, evaluator):
    expected = {
        "section_03_0000.wav": (-1, "source", ""),
        "section_03_0001.wav": (1, "target", ""),
        # The tables leave out the word "test" that some archives have in the names.
        "section_04_test_0000.wav": (1, "target", ""),
    }
    sounds = load_dcase_task2(2022, data_home=home, ground_truth=evaluator)
    assert evaluation(sounds) == expected
    known = load_dcase_task2(2022, data_home=home)
    assert sounds.paths == known.paths
    development = known.metadata["dataset"] == "dev"
    assert sounds.target[development].tolist() == known.target[development].tolist()
    assert (
        evaluation(load_dcase_task2(2022, data_home=home, ground_truth=evaluator / "ground_truth_data"))
        == expected
    )
    # Training recordings have no ground truth, and need none.
    assert set(load_dcase_task2(2022, split="train", data_home=home, ground_truth=evaluator).target) == {1}


def test_attributes_come_from_the_table_of_2022(home, evaluator):
    (evaluator / "ground_truth_attributes" / "slider").mkdir(parents=True)
    (evaluator / "ground_truth_attributes" / "slider" / "attributes_03.csv").write_text(
        "file_name,d1p,d1v,file_name_with_full_attributes\n"
        "slider/test/section_03_0000.wav,ac,0.02,slider/test/section_03_source_test_anomaly_0000_ac_0.02.wav\n"
    )
    found = evaluation(load_dcase_task2(2022, data_home=home, ground_truth=evaluator))
    assert found["section_03_0000.wav"] == (-1, "source", "ac_0.02")
    assert found["section_03_0001.wav"] == (1, "target", "")


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ("section_00_target_test_normal_0007_vel_12", (1, "target", "vel_12")),
        ("section_00_target_normal_0007_weight35_BckgE", (1, "target", "weight35_BckgE")),
        (
            "section_00_target_test_normal_0007_noAttribute,section_00_target_test_normal_0007_fl_0_nos_1.wav\r",
            (1, "target", "fl_0_nos_1"),
        ),
    ],
)
def test_attributes_come_from_the_full_names_of_2023_and_2024(tmp_path, names, expected):
    write_year(tmp_path / "data", 2023)
    for folder, text in (("data", "0"), ("domain", "1"), ("attributes", names)):
        write_tables(
            tmp_path, f"ground_truth_{folder}", {"bandsaw_section_00": f"section_00_0000.wav,{text}\n"}
        )
    sounds = load_dcase_task2(2023, data_home=tmp_path / "data", ground_truth=tmp_path)
    assert evaluation(sounds) == {"section_00_0000.wav": expected}


def test_the_domain_of_2021_stands_in_the_name(tmp_path):
    write_year(tmp_path / "data", 2021)
    tables = {
        f"fan_section_03_{domain}": f"section_03_{domain}_test_0000.wav,{code}\n"
        for domain, code in (("source", 1), ("target", 0))
    }
    write_tables(tmp_path, "ground_truth_data", tables)
    found = evaluation(load_dcase_task2(2021, data_home=tmp_path / "data", ground_truth=tmp_path))
    assert found == {
        "section_03_source_test_0000.wav": (-1, "source", ""),
        "section_03_target_test_0000.wav": (1, "target", ""),
    }


@pytest.mark.parametrize(
    ("year", "text", "expected"),
    [
        (2020, "fan\r\nid_01_00000000.wav,anomaly_id_01_00000098.wav,1\r\n", (-1, "", "")),
        (
            2023,
            "bandsaw\nsection_00_0000.wav,section_00_source_test_anomaly_0005_vel_15.wav\n",
            (-1, "source", "vel_15"),
        ),
    ],
)
def test_labels_come_from_the_lists_of_the_baseline(tmp_path, year, text, expected):
    write_year(tmp_path / "data", year)
    (tmp_path / f"eval_data_list_{year}.csv").write_text(text, newline="")
    for path in (tmp_path, tmp_path / f"eval_data_list_{year}.csv"):
        found = evaluation(load_dcase_task2(year, data_home=tmp_path / "data", ground_truth=path))
        assert list(found.values()) == [expected]


def test_recordings_and_rows_without_partner_are_counted_and_named(home, evaluator):
    for name in ("data", "domain"):
        table = evaluator / f"ground_truth_{name}" / "ground_truth_slider_section_03_test.csv"
        table.write_text("section_03_0000.wav,0\nsection_03_0005.wav,0\nsection_03_0006.wav,0\n")
    with pytest.raises(
        ValueError, match=r"1 test recordings have no row \(slider/section_03_0001\.wav\)"
    ) as caught:
        load_dcase_task2(2022, data_home=home, ground_truth=evaluator)
    assert "2 rows have no test recording (slider/section_03_0005.wav, slider/section_03_0006.wav)" in str(
        caught.value
    )


def test_rows_of_machines_that_are_not_loaded_are_no_error(tmp_path, home, evaluator):
    write_tables(evaluator, "ground_truth_data", {"fan_section_03": "section_03_0000.wav,1\n"})
    write_tables(evaluator, "ground_truth_domain", {"fan_section_03": "section_03_0000.wav,1\n"})
    assert 0 not in load_dcase_task2(2022, "slider", data_home=home, ground_truth=evaluator).target


@pytest.mark.parametrize(
    ("folder", "text", "message"),
    [
        ("data", "section_03_0000.wav,2\n", r"line 1: a row must be .*0 or 1, got 'section_03_0000\.wav,2'"),
        ("data", "section_03_0000.wav\n", r"line 1: a row must be"),
        ("data", "section_03_0000.wav,1\n" * 2, r"line 2: slider/section_03_0000\.wav must be there once"),
        (
            "domain",
            "section_03_0000.wav,\0",
            r"ground_truth_slider_section_03_test\.csv.*line 1: a row must be",
        ),
        (
            "domain",
            "section_03_0009.wav,1\n",
            r"ground_truth_domain has 1 recordings that ground_truth_data does not",
        ),
        ("attributes", "section_03_0000.wav,section_03_x\n", "line 1: 'section_03_x' is not the full name"),
    ],
)
def test_damaged_tables_are_refused(home, evaluator, folder, text, message):
    write_tables(evaluator, f"ground_truth_{folder}", {"slider_section_03": text})
    with pytest.raises(ValueError, match=message):
        load_dcase_task2(2022, data_home=home, ground_truth=evaluator)


def test_tables_that_contradict_each_other_give_a_warning_and_the_labels_of_the_evaluator(home, evaluator):
    names = "section_03_0000.wav,section_03_source_test_normal_0000_vel_9\n"  # the label is -1 in ground_truth_data
    names += "section_03_0001.wav,section_03_target_test_normal_0001_vel_9\n"
    write_tables(evaluator, "ground_truth_attributes", {"slider_section_03": names})
    with pytest.warns(
        UserWarning, match=r"about 1 recordings of slider, such as slider/section_03_0000\.wav"
    ):
        found = evaluation(load_dcase_task2(2022, data_home=home, ground_truth=evaluator))
    assert found["section_03_0000.wav"] == (-1, "source", "")
    assert found["section_03_0001.wav"] == (1, "target", "")


def test_the_list_of_2022_gives_a_warning_for_toys(tmp_path):
    touch(tmp_path, "ToyCar/test/section_03_0000.wav", "ToyCar/attributes_03.csv")
    (tmp_path / "list.csv").write_text("ToyCar\nsection_03_0000.wav,section_03_source_test_normal_0000.wav\n")
    with pytest.warns(UserWarning, match="contradicts the official evaluator .* ToyCar"):
        load_dcase_task2(2022, data_home=tmp_path, ground_truth=tmp_path / "list.csv")


def test_a_place_without_tables_and_a_damaged_list_are_refused(tmp_path, home):
    (tmp_path / "elsewhere" / "ground_truth_data").mkdir(parents=True)
    for place in (tmp_path / "elsewhere", tmp_path / "nowhere"):
        with pytest.raises(FileNotFoundError, match=r"ground_truth"):
            load_dcase_task2(2022, data_home=home, ground_truth=place)
    damaged = tmp_path / "list.csv"
    for text, message in (
        (
            "section_03_0000.wav,section_03_source_test_normal_0000.wav\n",
            "line 1: expected the name of a machine",
        ),
        ("slider\nsection_03_0000.wav,x.wav\n", "line 2: 'x.wav' is not the full name"),
        ("slider\n", "names no recording"),
    ):
        damaged.write_text(text)
        with pytest.raises(ValueError, match=message):
            load_dcase_task2(2022, data_home=home, ground_truth=damaged)


def test_labelled_copies_are_left_out_where_a_ground_truth_is_given(tmp_path):
    write_year(tmp_path / "data", 2023)
    touch(tmp_path / "data", "eval_data/bandsaw/test_rename/section_00_source_test_anomaly_0005_vel_15.wav")
    (tmp_path / "eval_data_list_2023.csv").write_text(
        "bandsaw\nsection_00_0000.wav,section_00_source_test_anomaly_0005_vel_15.wav\n"
    )
    labelled = load_dcase_task2(2023, data_home=tmp_path / "data")
    named = load_dcase_task2(2023, data_home=tmp_path / "data", ground_truth=tmp_path)
    assert list(evaluation(labelled)) == ["section_00_source_test_anomaly_0005_vel_15.wav"]
    assert list(evaluation(named)) == ["section_00_0000.wav"]
    assert (
        list(evaluation(labelled).values()) == list(evaluation(named).values()) == [(-1, "source", "vel_15")]
    )
    assert len(named.paths) == len(DCASE[2023])
    assert Path(named.paths[-1]).parent.name == "test"
