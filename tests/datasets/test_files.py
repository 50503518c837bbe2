import pytest

from skaudio_ad.datasets._files import recognise, several


@pytest.mark.parametrize(
    ("name", "loader"),
    [
        ("-6_dB/fan/id_00/normal/00000000.wav", "load_mimii"),
        ("6_dB_pump/pump/id_02/abnormal/00000000.wav", "load_mimii"),
        ("id_00/abnormal/00000000.wav", "load_mimii"),
        ("csv_files/HS.csv", "load_hls_cmds"),
        ("meta/esc50.csv", "load_esc50"),
        ("audio/1-100032-A-0.wav", "load_esc50"),
        ("001 - Dog bark/1-100032-A.ogg", "load_esc10"),
        ("training-a/REFERENCE.csv", "load_physionet2016"),
        ("BioCAS2022/train2022_json/65044484_6.1_1_p1_10.json", "load_sprsound"),
        ("train_json/65044484_6.1_1_p1_10.json", "load_sprsound"),
        ("fan/train/section_00_source_train_normal_0000_strength_1.wav", "load_dcase_task2"),
        ("train/normal_id_00_00000000.wav", "load_dcase_task2"),
        ("dev_data/raw/fan/x.wav", "load_dcase_task2"),
        ("normal/a.wav", "load_folder"),
        ("test/abnormal/a.wav", "load_folder"),
    ],
)
def test_a_layout_names_the_loader_that_reads_it(tmp_path, name, loader):
    (tmp_path / name).parent.mkdir(parents=True)
    (tmp_path / name).touch()
    assert recognise(tmp_path).startswith(f" {tmp_path} looks like ")
    assert recognise(tmp_path).endswith(f", which {loader} reads.")
    assert loader not in recognise(tmp_path, loader=loader)


@pytest.mark.parametrize("name", ["mimii/-6_dB/fan/id_00/normal/0.wav", "recordings/a.wav", "train/a.wav"])
def test_a_folder_of_several_sets_or_of_other_files_is_not_recognised(tmp_path, name):
    (tmp_path / name).parent.mkdir(parents=True)
    (tmp_path / name).touch()
    assert recognise(tmp_path) == ""


def test_a_long_list_is_cut():
    assert several(["a", "b", "c"]) == "a, b, c"
    assert several(["a", "b", "c", "d", "e"]) == "a, b, c and 2 more"
