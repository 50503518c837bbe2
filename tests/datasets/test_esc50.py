from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from skaudio_ad.datasets import load_esc50

# Rows of the publisher's table meta/esc50.csv, some of each of the five categories of sound.
PUBLISHED = [
    ("1-100032-A-0.wav", "dog"),
    ("1-27724-A-1.wav", "rooster"),
    ("1-103298-A-9.wav", "crow"),
    ("1-17367-A-10.wav", "rain"),
    ("1-17150-A-12.wav", "crackling_fire"),
    ("1-100038-A-14.wav", "chirping_birds"),
    ("1-101296-A-19.wav", "thunderstorm"),
    ("1-187207-A-20.wav", "crying_baby"),
    ("1-17295-A-29.wav", "drinking_sipping"),
    ("1-101336-A-30.wav", "door_wood_knock"),
    ("1-51805-A-33.wav", "door_wood_creaks"),
    ("1-21934-A-38.wav", "clock_tick"),
    ("1-20133-A-39.wav", "glass_breaking"),
    ("1-172649-A-40.wav", "helicopter"),
    ("1-13571-A-46.wav", "church_bells"),
    ("1-115545-A-48.wav", "fireworks"),
    ("1-18810-A-49.wav", "hand_saw"),
]


def write_audio(root, clips_per_class):
    """The folder `audio`. The first two clips of a fold of a class are cut from one recording."""
    (root / "audio").mkdir(parents=True)
    for number in range(50):
        for index in range(clips_per_class):
            fold, place = 1 + index // 8, index % 8
            recording = 1000 * number + 10 * fold + max(place - 1, 0)
            # The loader opens no recording, so empty files are enough.
            (root / "audio" / f"{fold}-{recording}-{'AB'[place == 1]}-{number}.wav").touch()


def write_table(root, names):
    """The table of the publisher for the files in `audio`."""
    rows = ["filename,fold,target,category,esc10,src_file,take"]
    for path in sorted((root / "audio").glob("*.wav")):
        fold, recording, take, number = path.stem.split("-")
        rows.append(f"{path.name},{fold},{number},{names[int(number)]},False,{recording},{take}")
    (root / "meta").mkdir()
    (root / "meta" / "esc50.csv").write_text("\n".join(rows), encoding="utf-8")


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    root = tmp_path_factory.mktemp("data") / "ESC-50-master"
    write_audio(root, 40)
    return root


@pytest.fixture
def small(tmp_path, monkeypatch):
    """A set with one clip of each class, with the table."""
    monkeypatch.setattr("skaudio_ad.datasets._esc50._CLIPS_PER_CLASS", 1)
    write_audio(tmp_path / "esc50", 1)
    names = dict(enumerate(dict.fromkeys(load_esc50("dog", data_home=tmp_path).metadata["category"])))
    write_table(tmp_path / "esc50", names)
    return tmp_path


def edit_table(home, old, new):
    table = home / "esc50" / "meta" / "esc50.csv"
    text = table.read_text(encoding="utf-8")
    assert old in text
    table.write_text(text.replace(old, new), encoding="utf-8")


def test_one_class_is_normal_and_all_clips_have_class_fold_and_recording(published):
    sounds = load_esc50("Church bells", data_home=published.parent)
    assert len(sounds.paths) == 2000
    assert Counter(sounds.metadata["category"]) == dict.fromkeys(sounds.metadata["category"][::40], 40)
    assert Counter(sounds.metadata["fold"].tolist()) == dict.fromkeys(range(1, 6), 400)
    assert np.flatnonzero(sounds.target == 1).tolist() == list(range(46 * 40, 47 * 40))
    assert sounds.metadata["clip"][:3].tolist() == ["10", "10", "11"]
    assert set(sounds.metadata["split"]) == set(sounds.metadata["section"]) == {""}
    assert "CC BY-NC 3.0" in sounds.DESCR


def test_the_numbers_of_the_classes_are_the_published_ones(published):
    sounds = load_esc50("dog", data_home=published)
    names = {
        int(Path(path).stem.split("-")[3]): category
        for path, category in zip(sounds.paths, sounds.metadata["category"])
    }
    assert len(names) == 50
    for name, category in PUBLISHED:
        assert names[int(Path(name).stem.split("-")[3])] == category


def test_clips_of_one_recording_are_one_group(small):
    (small / "esc50" / "audio" / "1-10-B-0.wav").write_bytes(b"another take")
    edit_table(small, "1-10-A-0.wav,", "1-10-B-0.wav,1,0,dog,False,10,B\n1-10-A-0.wav,")
    for number, path in enumerate(sorted((small / "esc50" / "audio").glob("*.wav"))):
        path.write_bytes(bytes([number]))  # no two clips are equal
    with pytest.warns(UserWarning, match="another number of dog"):
        sounds = load_esc50("dog", data_home=small)
    assert sounds.groups.tolist() == [0, 0, *range(1, 50)]


def test_the_table_tells_classes_of_files_with_other_names(small):
    audio = small / "esc50" / "audio"
    (audio / "1-10-A-0.wav").rename(audio / "a_dog.wav")
    edit_table(small, "1-10-A-0.wav", "a_dog.wav")
    sounds = load_esc50("dog", data_home=small)
    assert [Path(path).name for path in np.array(sounds.paths)[sounds.target == 1]] == ["a_dog.wav"]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("0,dog", "0,wolf", r"line 2: the class must be one of ESC-50 with its number, got 'wolf' with '0'"),
        ("1,0,dog", "1,1,dog", r"got 'dog' with '1'"),
        ("A-0.wav,1,", "A-0.wav,6,", r"line 2: fold must be 1 to 5, got '6'"),
        ("A-0.wav,1,", "A-0.wav,2,", r"1-10-A-0\.wav contradicts its fold"),
        ("filename,fold", "name,fold", r"must have the columns filename, .*filename not found among name"),
    ],
)
def test_a_table_that_contradicts_itself_is_refused(small, old, new, message):
    edit_table(small, old, new)
    with pytest.raises(ValueError, match=message):
        load_esc50("dog", data_home=small)


def test_files_that_the_table_lists_in_vain_are_named(small):
    (small / "esc50" / "audio" / "1-1010-A-1.wav").unlink()
    with pytest.raises(
        FileNotFoundError, match=r"lists 1 files that are not in .*audio: 1-1010-A-1\.wav\. Unpack"
    ):
        load_esc50("dog", data_home=small)


def test_files_that_the_table_does_not_list_are_left_out_with_a_warning(small):
    (small / "esc50" / "audio" / "mine.wav").touch()
    (small / "esc50" / "audio" / "._1-10-A-0.wav").touch()
    with pytest.warns(UserWarning, match=r"1 files in .*audio are not listed in .*The first is mine\.wav"):
        assert len(load_esc50("dog", data_home=small).paths) == 50


def test_a_class_without_clips_is_named(small):
    edit_table(small, "1-49010-A-49.wav,1,49,hand_saw,False,49010,A", "")
    with (
        pytest.warns(UserWarning, match="not listed"),
        pytest.raises(FileNotFoundError, match="no clips of hand_saw"),
    ):
        load_esc50("dog", data_home=small)


@pytest.mark.parametrize("normal", ["wolf", "", None, ["dog"]])
def test_an_unknown_class_lists_the_known_ones(published, normal):
    with pytest.raises(ValueError, match=r"Unknown class .* known ones: dog, rooster, .*hand_saw"):
        load_esc50(normal, data_home=published)


def test_a_folder_of_another_set_is_recognised(tmp_path):
    (tmp_path / "-6_dB" / "fan" / "id_00").mkdir(parents=True)
    with pytest.raises(FileNotFoundError, match=r"looks like MIMII, which load_mimii reads\. ESC-50 by"):
        load_esc50("dog", data_home=tmp_path)
