import csv
import os
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from skaudio_ad.datasets import get_data_home, load_hls_cmds

HS = "Gender,Heart Sound Type,Location,Heart Sound ID\nF,Normal,RC,F_N_RC\nF,Tachycardia,LC,F_T_RC\n"
# The tables have a byte order mark, both abbreviations, a blank before an id, and no line feed at the end.
LS = (
    "\ufeffGender,Lung Sound Type,Location,Lung Sound ID\nM,Normal,RUA,M_N_RUA\nM,Fine Crackles,LUA,M_C_LUA\n"
    "F,Coarse Crackles,LMA,F_G_LMA\nM,Wheezing,LMA, M_W_LMA"
)
MIX = (
    "Gender,Heart Sound Type,Lung Sound Type,Location,Heart Sound ID,Lung Sound ID,Mixed Sound ID\n"
    "F,S3,Normal,RLA,H0001,L0001,M0001\nM,Normal,Normal,RC,H0002,L0002,M0002\n"
)
FILES = {
    "HS": ("F_N_RC", "F_T_RC"),
    "LS": ("M_N_RUA", "M_FC_LUA", "F_CC_LMA", "M_W_LMA"),
    "Mix": ("H0001", "L0001", "M0001", "H0002", "L0002", "M0002"),
}


def write_data_set(sounds, tables):
    """A tree of silent recordings. All files differ in length, except that H0002 is a copy of F_N_RC."""
    tables.mkdir(parents=True, exist_ok=True)
    for name, text in (("HS", HS), ("LS", LS), ("Mix", MIX)):
        (tables / f"{name}.csv").write_text(text, encoding="utf-8")
    length = 10
    for folder, names in FILES.items():
        (sounds / folder).mkdir(parents=True)
        for name in names:
            length += 1
            sf.write(sounds / folder / f"{name}.wav", np.zeros(length), 4000, subtype="PCM_16")
    (sounds / "Mix" / "H0002.wav").write_bytes((sounds / "HS" / "F_N_RC.wav").read_bytes())


@pytest.fixture
def home(tmp_path):
    write_data_set(tmp_path / "hls_cmds" / "Sound", tmp_path / "hls_cmds" / "csv_files")
    return tmp_path


def names(bunch):
    return [Path(path).stem for path in bunch.paths]


def test_heart_sounds_come_from_the_heart_folder_and_from_the_mixtures(home):
    heart = load_hls_cmds(sound="heart", data_home=home)
    assert names(heart) == ["F_N_RC", "F_T_RC", "H0001", "H0002"]
    assert heart.target.tolist() == [1, -1, -1, 1]
    assert heart.metadata["detail"].tolist() == ["Normal", "Tachycardia", "S3", "Normal"]
    assert heart.metadata["source"].tolist() == ["HS", "HS", "Mix", "Mix"]
    assert heart.metadata["section"].tolist() == ["HS", "HS", "Mix", "Mix"]
    assert heart.metadata["sex"].tolist() == ["F", "F", "F", "M"]
    assert heart.metadata["recording"].tolist() == names(heart)
    assert all(isinstance(path, str) and Path(path).is_file() for path in heart.paths)


def test_ids_of_the_lung_table_find_files_with_other_abbreviations(home):
    lung = load_hls_cmds(sound="lung", data_home=home)
    assert names(lung) == ["F_CC_LMA", "M_FC_LUA", "M_N_RUA", "M_W_LMA", "L0001", "L0002"]
    assert lung.metadata["detail"].tolist() == [
        "Coarse Crackles",
        "Fine Crackles",
        "Normal",
        "Wheezing",
        "Normal",
        "Normal",
    ]
    assert lung.target.tolist() == [-1, -1, 1, -1, 1, 1]
    assert lung.metadata["sex"].tolist() == ["F", "M", "M", "M", "F", "M"]


def test_a_mixture_is_normal_only_if_heart_and_lung_are(home):
    mixed = load_hls_cmds(sound="mixed", data_home=home)
    assert names(mixed) == ["M0001", "M0002"]
    assert mixed.metadata["detail"].tolist() == ["S3 + Normal", "Normal + Normal"]
    assert mixed.target.tolist() == [-1, 1]


def test_the_location_column_is_kept_even_if_the_id_disagrees(home):
    heart = load_hls_cmds(sound="heart", data_home=home)
    assert heart.metadata["location"][1] == "LC"
    assert heart.metadata["recording"][1] == "F_T_RC"
    assert "F_T_RC" in heart.DESCR


def test_files_of_the_same_content_share_a_group(home):
    # H0002 is a copy of F_N_RC, the first file. The others differ in length.
    assert load_hls_cmds(sound="heart", data_home=home).groups.tolist() == [0, 1, 2, 0]


@pytest.mark.parametrize(
    ("sounds", "tables"),
    [
        (".", "."),
        ("Sound", "csv_files"),
        ("hls_cmds", "hls_cmds"),
        ("hls_cmds/deep/er", "hls_cmds/csv_files"),
    ],
)
def test_the_folders_may_be_in_the_data_folder_or_deeper(tmp_path, sounds, tables):
    write_data_set(tmp_path / sounds, tmp_path / tables)
    assert names(load_hls_cmds(sound="mixed", data_home=tmp_path)) == ["M0001", "M0002"]


def test_the_environment_variable_names_the_folder(home, monkeypatch):
    monkeypatch.setenv("SKAUDIO_AD_DATA", str(home))
    assert get_data_home() == home
    assert len(load_hls_cmds().paths) == 4


def test_without_a_folder_the_error_says_how_to_name_a_folder_and_where_to_get_the_data(monkeypatch):
    monkeypatch.delenv("SKAUDIO_AD_DATA", raising=False)
    with pytest.raises(FileNotFoundError, match="export SKAUDIO_AD_DATA=") as caught:
        load_hls_cmds()
    assert "10.1109/IEEEDATA.2025.3566012" in str(caught.value)
    assert "CC BY 4.0" in str(caught.value)
    assert "HS.csv" in str(caught.value)


def test_a_folder_that_does_not_exist_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("SKAUDIO_AD_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(FileNotFoundError, match=r"nowhere.*from environment variable SKAUDIO_AD_DATA"):
        get_data_home()


def test_an_empty_folder_is_reported_with_what_was_looked_for(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"HS\.csv is not in .*IEEEDATA\.2025\.3566012"):
        load_hls_cmds(data_home=tmp_path)


def test_a_listed_recording_without_a_file_is_named_with_its_table(home):
    (home / "hls_cmds" / "Sound" / "LS" / "M_FC_LUA.wav").unlink()
    with pytest.raises(
        FileNotFoundError, match=r"LS\.csv: recording 'M_C_LUA'.*M_C_LUA\.wav and M_FC_LUA\.wav"
    ):
        load_hls_cmds(sound="lung", data_home=home)


def test_crackle_abbreviations_are_not_tried_for_heart_sounds(home):
    folder = home / "hls_cmds" / "Sound" / "HS"
    (folder / "F_T_RC.wav").rename(folder / "F_CC_RC.wav")
    table = home / "hls_cmds" / "csv_files" / "HS.csv"
    table.write_text(HS.replace("F_T_RC", "F_G_RC"), encoding="utf-8")
    with pytest.raises(FileNotFoundError, match=r"HS\.csv: recording 'F_G_RC'"):
        load_hls_cmds(sound="heart", data_home=home)


def test_an_unlisted_recording_gives_a_warning(home):
    sf.write(home / "hls_cmds" / "Sound" / "HS" / "X_N_A.wav", np.zeros(5), 4000)
    with pytest.warns(UserWarning, match=r"does not list 1 recordings.*X_N_A\.wav"):
        heart = load_hls_cmds(sound="heart", data_home=home)
    assert "X_N_A" not in names(heart)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (HS.replace("Location", "Site"), "must have the columns .*Location not found among Gender"),
        (HS.replace("Tachycardia", ""), r"line 3: every column must have a value; Heart Sound Type is empty"),
        (HS.replace("F_T_RC", "F_N_RC"), r"both name F_N_RC\.wav"),
    ],
)
def test_a_damaged_table_is_refused(home, table, message):
    (home / "hls_cmds" / "csv_files" / "HS.csv").write_text(table, encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        load_hls_cmds(sound="heart", data_home=home)


def test_two_copies_of_a_table_are_refused(home):
    (home / "hls_cmds" / "copy").mkdir()
    (home / "hls_cmds" / "copy" / "HS.csv").write_text(HS, encoding="utf-8")
    with pytest.raises(ValueError, match="must exist once, got 2"):
        load_hls_cmds(sound="heart", data_home=home)


def test_an_unknown_sound_lists_the_known_ones(tmp_path):
    with pytest.raises(ValueError, match="Unknown sound 'bowel'; known ones: heart, lung, mixed"):
        load_hls_cmds(sound="bowel", data_home=tmp_path)


@pytest.fixture
def real_home():
    if not os.environ.get("SKAUDIO_AD_DATA"):
        pytest.skip("SKAUDIO_AD_DATA is not set")
    home = get_data_home()
    if not (home / "hls_cmds").is_dir():
        pytest.skip("SKAUDIO_AD_DATA has no hls_cmds")
    return home


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("sound", "n_normal", "n_abnormal"), [("heart", 22, 173), ("lung", 40, 155), ("mixed", 3, 142)]
)
def test_the_published_recordings_have_the_published_counts(real_home, sound, n_normal, n_abnormal):
    bunch = load_hls_cmds(sound=sound, data_home=real_home)
    assert Counter(bunch.target.tolist()) == {1: n_normal, -1: n_abnormal}
    assert sf.info(bunch.paths[0]).samplerate == 4000
    assert len(set(bunch.paths)) == len(bunch.paths)
    # Copies of a file must have the same label, because a group stays on one side of a split.
    for group in np.unique(bunch.groups):
        assert len(np.unique(bunch.target[bunch.groups == group])) == 1


@pytest.mark.real_data
@pytest.mark.parametrize("sound", ["heart", "lung", "mixed"])
def test_the_published_recordings_agree_with_an_independent_list(real_home, sound):
    manifest = real_home / "hls_cmds" / "manifest.csv"
    if not manifest.is_file():
        pytest.skip("no manifest.csv next to the data set")
    with open(manifest, newline="", encoding="utf-8") as file:
        expected = {
            str(manifest.parent / row["path"]): (row["label"] == "normal", row["detail"], row["group"])
            for row in csv.DictReader(file)
            if row["machine_or_source"] == sound
        }
    bunch = load_hls_cmds(sound=sound, data_home=real_home)
    rows = zip(bunch.target == 1, bunch.metadata["detail"], bunch.metadata["location"])
    assert dict(zip(bunch.paths, rows)) == expected
