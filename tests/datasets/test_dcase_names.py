import numpy as np
import pytest

from skaudio_ad.datasets import expand_attributes
from skaudio_ad.datasets._dcase_names import example_of, folders_of, parse_name


@pytest.mark.parametrize(
    ("texts", "keys", "expected"),
    [
        (["car_A2_spd_28V", "car_A1_spd_31V"], None, {"car": ["A2", "A1"], "spd": ["28V", "31V"]}),
        (["vel_9_f-n_A", "", "vel_12"], None, {"vel": ["9", "", "12"], "f-n": ["A", "", ""]}),
        (["car_A2_mic_2_mic_1"], None, {"car": ["A2"], "mic": ["2"], "mic_2": ["1"]}),
        (
            ["mic_imp34dt05_mic_pos_A_grind_100_bkg_A"],
            ["mic", "mic_pos", "grind", "bkg"],
            {"mic": ["imp34dt05"], "mic_pos": ["A"], "grind": ["100"], "bkg": ["A"]},
        ),
        (["strength_1_ambient", "strength_2_x_y"], ["strength"], {"strength": ["1_ambient", "2_x_y"]}),
        ([], None, {}),
    ],
)
def test_attributes_become_one_column_per_key(texts, keys, expected):
    columns = expand_attributes(np.array(texts), keys=keys)
    assert {name: values.tolist() for name, values in columns.items()} == expected


@pytest.mark.parametrize(
    ("texts", "keys", "message"),
    [
        (["vel_9", "strength_1_ambient"], None, r"got 'strength_1_ambient' for recording 1\. Name the keys"),
        (["spd1300_BckgE"], None, "got 'spd1300_BckgE'"),  # neither part is a key
        (["mic_1"], ["vel"], r"got 'mic_1' for recording 0\. The keys are \['vel'\]"),
        (["vel_"], ["vel"], "got 'vel_'"),
    ],
)
def test_text_without_pairs_is_refused(texts, keys, message):
    with pytest.raises(ValueError, match=message):
        expand_attributes(texts, keys=keys)
    with pytest.raises(TypeError, match="keys must be a list of names, got 'vel'"):
        expand_attributes(texts, keys="vel")


@pytest.mark.parametrize("layout", ["ids", "domain folders", "sections", "mixed"])
def test_the_example_in_an_error_fits_the_pattern_of_its_folder(layout):
    for folder in folders_of(layout):
        assert parse_name(layout, folder, example_of(layout, folder)) is not None


@pytest.mark.parametrize(
    ("layout", "folder", "name"),
    [
        (
            "sections",
            "train",
            "section_00_source_train_normal_0000_target_test.wav",
        ),  # "target" in the attributes
        ("domain folders", "train", "section_00_source_train_normal_0000_anomaly.wav"),
    ],
)
def test_words_in_the_attributes_are_not_taken_for_domain_or_label(layout, folder, name):
    parsed = parse_name(layout, folder, name)
    assert (parsed.domain, parsed.label) == ("source", 1)
    assert parsed.attributes == name.removesuffix(".wav").split("0000_")[1]


@pytest.mark.parametrize(
    ("layout", "folder", "name"),
    [
        ("ids", "train", "anomaly_id_00_00000000.wav"),
        ("ids", "train", "id_00_00000000.wav"),
        ("ids", "test", "normal_id_00_0000000.wav"),
        ("domain folders", "source_test", "section_00_target_test_normal_0000.wav"),
        ("domain folders", "test", "section_00_0000.wav"),
        ("sections", "test", "section_00_source_test_0000.wav"),
        ("sections", "test", "section_00_0000_vel_9.wav"),
        ("sections", "train", "section_00_source_train_normal_00001_B1s1.wav"),
        ("sections", "supplemental", "section_00_source_train_normal_0000.wav"),
        ("mixed", "train", "section_00_source_train_normal_.wav"),
        ("sections", "train", "section_00_source_train_normal_0000.mp3"),
    ],
)
def test_names_of_other_folders_years_and_sets_are_not_read(layout, folder, name):
    assert parse_name(layout, folder, name) is None
