import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from skaudio_ad import AudioLoader
from skaudio_ad.datasets import load_esc10

# Folder of the ogg edition, name in ESC-50's table and number in ESC-50's table.
CLASSES = [
    ("001 - Dog bark", 0),
    ("002 - Rain", 10),
    ("003 - Sea waves", 11),
    ("004 - Baby cry", 20),
    ("005 - Clock tick", 38),
    ("006 - Person sneeze", 21),
    ("007 - Helicopter", 40),
    ("008 - Chainsaw", 41),
    ("009 - Rooster", 1),
    ("010 - Fire crackling", 12),
]
NAMES = [folder[6:] for folder, _ in CLASSES]


@pytest.fixture(scope="module")
def ogg(tmp_path_factory):
    path = tmp_path_factory.mktemp("ogg") / "clip.ogg"
    sf.write(path, np.random.default_rng(0).uniform(-0.5, 0.5, 2000), 44100, format="OGG", subtype="VORBIS")
    return path.read_bytes()


def write_ogg_edition(root, ogg):
    """Ten folders with 8 clips per fold: six recordings, and two of them have two takes. All clips differ."""
    for number, (folder, _) in enumerate(CLASSES, start=1):
        (root / folder).mkdir(parents=True)
        for fold in range(1, 6):
            for index in range(8):
                recording, take = f"{number}{fold}{index % 6}", "AB"[index // 6]
                name = f"{fold}-{recording}-{take}"
                # The result is not a sound file, but the loader of the set does not decode.
                (root / folder / f"{name}.ogg").write_bytes(ogg + name.encode())


def write_wav_edition(root):
    """The folder `audio` of ESC-50, with classes that ESC-10 does not have."""
    (root / "audio").mkdir(parents=True)
    for number in (*(number for _, number in CLASSES), 2, 22, 30, 49):
        for index in range(40):
            name = f"{1 + index // 8}-{100 * number + index}-A-{number}"
            (root / "audio" / f"{name}.wav").write_bytes(name.encode())


@pytest.fixture
def home(tmp_path, ogg):
    write_ogg_edition(tmp_path / "esc10", ogg)
    return tmp_path


@pytest.mark.parametrize("normal", ["Dog bark", "dog bark", "DOG BARK"])
def test_one_class_is_normal_and_the_nine_others_are_anomalous(home, normal):
    sounds = load_esc10(normal, data_home=home)
    assert len(sounds.paths) == 400
    assert [Path(path).parent.name for path in sounds.paths[::40]] == [folder for folder, _ in CLASSES]
    assert sounds.target.tolist() == [1] * 40 + [-1] * 360
    assert sounds.target.dtype == np.int64
    assert "CC BY 3.0" in sounds.DESCR


def test_any_class_can_be_the_normal_one(home):
    for normal in NAMES:
        sounds = load_esc10(normal, data_home=home)
        assert set(sounds.metadata["category"][sounds.target == 1]) == {normal}
        assert np.sum(sounds.target == 1) == 40


def test_fold_and_source_recording_come_from_the_file_name(home):
    metadata = load_esc10("Rain", data_home=home).metadata
    assert metadata["category"].tolist() == np.repeat(NAMES, 40).tolist()
    assert metadata["fold"].dtype == np.int64
    assert metadata["fold"][:40].tolist() == np.repeat([1, 2, 3, 4, 5], 8).tolist()
    # The paths are sorted by name, so the two takes of a recording follow one another.
    assert metadata["clip"][:9].tolist() == ["110", "110", "111", "111", "112", "113", "114", "115", "120"]
    assert metadata["clip"][-1] == "1055"


def test_paths_are_sorted_and_can_be_loaded(home, ogg):
    (home / "esc10" / "001 - Dog bark" / "1-110-B.ogg").write_bytes(ogg)
    paths = load_esc10("Rain", data_home=home).paths
    assert paths == sorted(paths)
    assert all(isinstance(path, str) for path in paths)
    assert AudioLoader(44100).fit_transform(paths[:2])[1].shape == (2000,)


def test_files_of_the_same_content_share_a_group(home):
    rain = home / "esc10" / "002 - Rain"
    (rain / "1-210-A.ogg").write_bytes((home / "esc10" / "001 - Dog bark" / "1-111-A.ogg").read_bytes())
    groups = load_esc10("Rain", data_home=home).groups
    # The fortieth file is a copy of the third file. No other file occurs twice.
    assert groups[40] == groups[2] == 2
    assert groups.tolist() == [*range(40), 2, *range(40, 399)]


def test_files_with_the_same_beginning_are_in_different_groups(home):
    folder = home / "esc10" / "001 - Dog bark"
    for name, end in (("1-110-A", b"a"), ("1-110-B", b"b"), ("1-111-A", b"a")):
        (folder / f"{name}.ogg").write_bytes(bytes(100_000) + end)
    assert load_esc10("Rain", data_home=home).groups[:4].tolist() == [0, 1, 0, 2]


@pytest.mark.parametrize(
    "folder", [".", "esc10", "ESC-10", "ESC-10-master", "ESC-10-553c8f1743b9dba6b282e1323c3ca8fa76923448"]
)
def test_the_class_folders_may_be_in_the_data_folder_or_in_a_folder_of_the_archive(tmp_path, ogg, folder):
    write_ogg_edition(tmp_path / folder, ogg)
    (tmp_path / "ESC-10-0.zip").write_bytes(b"the archive itself, which comes first by name")
    assert len(load_esc10("Rain", data_home=tmp_path).paths) == 400


@pytest.mark.parametrize("folder", [".", "esc10", "ESC-50", "ESC-50-master"])
def test_only_the_clips_of_esc_10_are_taken_from_esc_50(tmp_path, folder):
    write_wav_edition(tmp_path / folder)
    sounds = load_esc10("rooster", data_home=tmp_path)
    assert sounds.metadata["category"].tolist() == np.repeat(NAMES, 40).tolist()
    for path, category in zip(sounds.paths, sounds.metadata["category"]):
        assert dict(zip(NAMES, CLASSES))[category][1] == int(Path(path).stem.split("-")[-1])
    assert Counter(sounds.metadata["fold"].tolist()) == dict.fromkeys(range(1, 6), 80)
    assert sounds.metadata["clip"][:3].tolist() == ["0", "1", "2"]
    assert (sounds.target[8 * 40 : 9 * 40] == 1).all()
    assert (sounds.target == 1).sum() == 40


def test_the_environment_variable_names_the_folder(home, monkeypatch):
    monkeypatch.setenv("SKAUDIO_AD_DATA", str(home))
    assert len(load_esc10("Rain").paths) == 400


def test_the_normal_class_has_no_default():
    with pytest.raises(TypeError, match="normal"):
        load_esc10()


@pytest.mark.parametrize("normal", ["cat", "", None, 1, ["Rain"]])
def test_an_unknown_class_lists_the_known_ones(home, normal):
    with pytest.raises(
        ValueError, match=r"Unknown class .* for normal; known ones: Dog bark, Rain, .*crackling"
    ):
        load_esc10(normal, data_home=home)


def test_without_a_folder_the_error_says_how_to_name_a_folder_and_where_to_get_the_data(monkeypatch):
    monkeypatch.delenv("SKAUDIO_AD_DATA", raising=False)
    with pytest.raises(FileNotFoundError, match="export SKAUDIO_AD_DATA=") as caught:
        load_esc10("Rain")
    assert "https://github.com/karolpiczak/ESC-50" in str(caught.value)
    assert "CC BY 3.0" in str(caught.value)
    assert "001 - Dog bark" in str(caught.value)


def test_an_error_names_the_folder_without_data_and_the_missing_files(tmp_path):
    (tmp_path / "audio").mkdir()
    (tmp_path / "audio" / "machine-1.wav").touch()  # not a file of ESC-50
    with pytest.raises(FileNotFoundError, match=r"'001 - Dog bark' to .*archive/[0-9a-f]{40}\.zip") as caught:
        load_esc10("Rain", data_home=tmp_path)
    assert str(tmp_path) in str(caught.value)


def test_classes_that_are_missing_are_named(home):
    for folder in ("004 - Baby cry", "009 - Rooster"):
        (home / "esc10" / folder).rename(home / folder[6:])
    with pytest.raises(FileNotFoundError, match=r"esc10 has no recordings of Baby cry, Rooster\. Unpack"):
        load_esc10("Rain", data_home=home)


def test_a_class_with_too_few_clips_gives_a_warning(home):
    (home / "esc10" / "005 - Clock tick" / "3-532-A.ogg").unlink()
    with pytest.warns(UserWarning, match="has 40 clips of Clock tick, got 39 in .*005 - Clock tick"):
        assert len(load_esc10("Rain", data_home=home).paths) == 399


def test_files_with_other_names_are_left_out_with_a_warning_and_hidden_files_without(home):
    folder = home / "esc10" / "001 - Dog bark"
    for name in ("6-100-A.ogg", "my dog.ogg", "._1-110-A.ogg"):
        (folder / name).touch()
    with pytest.warns(UserWarning, match=r"2 files are not named .*6-100-A\.ogg\. These files are left out"):
        assert len(load_esc10("Rain", data_home=home).paths) == 400


@pytest.fixture(scope="module")
def published(data_home):
    if not (data_home / "esc10").is_dir():
        pytest.skip("SKAUDIO_AD_DATA has no esc10")
    return load_esc10("dog bark", data_home=data_home)


@pytest.mark.real_data
def test_the_published_set_has_8_clips_of_each_class_in_each_fold(published):
    cells = Counter(zip(published.metadata["category"].tolist(), published.metadata["fold"].tolist()))
    assert cells == {(name, fold): 8 for name in NAMES for fold in range(1, 6)}
    assert published.target.tolist() == [1] * 40 + [-1] * 360
    assert sf.info(published.paths[0]).samplerate == 44100


@pytest.mark.real_data
def test_no_published_recording_is_in_two_folds_or_two_classes(published):
    metadata = published.metadata
    places = set(zip(metadata["clip"], metadata["fold"], metadata["category"]))
    assert len(places) == len(np.unique(metadata["clip"])) == 304


@pytest.mark.real_data
def test_no_two_published_clips_are_the_same_file(published):
    assert published.groups.tolist() == list(range(400))


@pytest.mark.real_data
def test_the_silence_in_the_published_clips_is_as_described(published):
    def share(category):
        waveforms = [
            sf.read(path)[0]
            for path, name in zip(published.paths, published.metadata["category"])
            if name == category
        ]
        return np.mean(np.concatenate(waveforms) == 0)

    for name, percent in {"Person sneeze": 41, "Rooster": 36, "Dog bark": 16}.items():
        assert re.search(rf"^{name} +{percent} %", published.DESCR, flags=re.MULTILINE)
        assert round(100 * share(name)) == percent
