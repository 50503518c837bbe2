import io
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from skaudio_ad import AudioLoader
from skaudio_ad.datasets import load_mimii

MACHINES = ["fan", "pump", "slider", "valve"]
IDS = ["id_00", "id_02", "id_04", "id_06"]


def write_machine(folder, first=0, ids=IDS):
    """Three normal and two anomalous recordings of every id, with eight channels of noise. All recordings differ."""
    file = io.BytesIO()
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, (50, 8))
    sf.write(file, noise, 16000, format="WAV", subtype="PCM_16")
    for machine_id in ids:
        for kind, n_clips in (("normal", 3), ("abnormal", 2)):
            (folder / machine_id / kind).mkdir(parents=True)
            for index in range(n_clips):
                first += 1
                # The last two samples hold the number of the recording.
                content = file.getvalue()[:-4] + first.to_bytes(4, "little")
                (folder / machine_id / kind / f"{index:08d}.wav").write_bytes(content)


@pytest.fixture
def home(tmp_path):
    for number, machine in enumerate(MACHINES):
        write_machine(tmp_path / "mimii" / "-6_dB" / machine, 100 * number)
    return tmp_path


def places(sounds):
    return ["/".join(Path(path).parts[-4:]) for path in sounds.paths]


def test_recordings_are_sorted_by_id_and_normal_recordings_come_first(home):
    fans = load_mimii("fan", data_home=home)
    expected = [
        f"fan/{machine_id}/{kind}/{index:08d}.wav"
        for machine_id in IDS
        for kind, n_clips in (("normal", 3), ("abnormal", 2))
        for index in range(n_clips)
    ]
    assert places(fans) == expected
    assert fans.target.tolist() == [1, 1, 1, -1, -1] * 4
    assert fans.target.dtype == np.int64
    assert all(isinstance(path, str) for path in fans.paths)
    assert "CC BY-SA 4.0" in fans.DESCR


def test_metadata_hold_machine_and_recording(home):
    metadata = load_mimii("pump", data_home=home).metadata
    assert metadata["machine"].tolist() == ["pump"] * 20
    assert metadata["machine_id"].tolist() == np.repeat(IDS, 5).tolist()
    assert metadata["section"].tolist() == metadata["machine_id"].tolist()
    assert metadata["recording"][:5].tolist() == [f"0000000{index}" for index in (0, 1, 2, 0, 1)]


def test_without_a_name_all_four_machines_come_in_alphabetical_order(home):
    sounds = load_mimii(data_home=home)
    assert sounds.metadata["machine"].tolist() == np.repeat(MACHINES, 20).tolist()
    assert sounds.paths == [path for name in MACHINES for path in load_mimii(name, data_home=home).paths]


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        ("id_04", ["id_04"]),
        (["id_04", "id_00"], ["id_00", "id_04"]),
        (("id_02", "id_02"), ["id_02"]),
        (np.array(["id_06"]), ["id_06"]),
    ],
)
def test_chosen_ids_are_sorted_and_loaded_once(home, ids, expected):
    valves = load_mimii("valve", ids=ids, data_home=home)
    assert valves.metadata["machine_id"].tolist() == np.repeat(expected, 5).tolist()


@pytest.mark.parametrize(
    ("snr", "place"),
    [
        ("-6_dB", "-6_dB/fan"),
        ("0_dB", "0_dB_fan/fan"),
        ("6_dB", "6_dB_fan"),
        ("-6_dB", "min6dB/fan"),
        ("0_dB", "0dB/fan"),
        ("6_dB", "6dB/fan"),
    ],
)
@pytest.mark.parametrize("below", ["mimii", "."])
def test_the_folders_of_the_archives_are_found(tmp_path, snr, place, below):
    write_machine(tmp_path / below / place)
    fans = load_mimii("fan", snr=snr, data_home=tmp_path)
    assert len(fans.paths) == 20
    assert set(fans.metadata["machine"]) == {"fan"}


def test_recordings_of_another_signal_to_noise_ratio_are_not_taken(home):
    shutil.copytree(home / "mimii" / "-6_dB" / "fan", home / "mimii" / "0_dB" / "fan")
    assert all("/-6_dB/" in Path(path).as_posix() for path in load_mimii("fan", data_home=home).paths)
    assert all(
        "/0_dB/" in Path(path).as_posix() for path in load_mimii("fan", snr="0_dB", data_home=home).paths
    )


def test_a_machine_folder_without_its_ratio_is_refused_with_a_remedy(tmp_path):
    # The archives of all ratios unpack to fan/id_00, so the ratio of this folder is unknown.
    write_machine(tmp_path / "mimii" / "fan")
    with pytest.raises(FileNotFoundError, match=r"unpack -6_dB_fan\.zip into a folder -6_dB or -6_dB_fan"):
        load_mimii("fan", data_home=tmp_path)


def test_files_of_the_same_content_share_a_group(home):
    fan = home / "mimii" / "-6_dB" / "fan" / "id_02" / "normal" / "00000001.wav"
    fan.write_bytes((home / "mimii" / "-6_dB" / "fan" / "id_00" / "abnormal" / "00000000.wav").read_bytes())
    assert load_mimii("fan", data_home=home).groups.tolist() == [*range(6), 3, *range(6, 19)]


def test_one_channel_of_eight_can_be_loaded(home):
    paths = load_mimii("fan", ids="id_00", data_home=home).paths
    first = AudioLoader(16000, channel=0).fit_transform(paths)[0]
    np.testing.assert_allclose(first, sf.read(paths[0])[0][:, 0], atol=1e-6)


def test_the_environment_variable_names_the_folder(home, monkeypatch):
    monkeypatch.setenv("SKAUDIO_AD_DATA", str(home))
    assert len(load_mimii("fan").paths) == 20


def test_without_a_folder_the_error_says_how_to_name_a_folder_and_where_to_get_the_data(monkeypatch):
    monkeypatch.delenv("SKAUDIO_AD_DATA", raising=False)
    with pytest.raises(FileNotFoundError, match="export SKAUDIO_AD_DATA=") as caught:
        load_mimii("fan")
    assert "https://zenodo.org/records/3384388" in str(caught.value)
    assert "CC BY-SA 4.0" in str(caught.value)
    assert "-6_dB/fan/id_00/normal" in str(caught.value)


def test_an_error_about_a_missing_machine_names_the_folders_and_the_archive(home):
    shutil.rmtree(home / "mimii" / "-6_dB" / "slider")
    with pytest.raises(
        FileNotFoundError, match=r"machine 'slider' at -6_dB .*-6_dB/slider, -6_dB_slider"
    ) as caught:
        load_mimii(data_home=home)
    assert "-6_dB_slider.zip" in str(caught.value)
    assert str(home / "mimii") in str(caught.value)
    assert len(load_mimii("fan", data_home=home).paths) == 20


def test_an_error_about_a_missing_id_lists_the_existing_ids(home):
    shutil.rmtree(home / "mimii" / "-6_dB" / "fan" / "id_04")
    with pytest.raises(FileNotFoundError, match=r"has no id_04\. It has id_00, id_02, id_06.*such as ids="):
        load_mimii("fan", data_home=home)
    with pytest.raises(FileNotFoundError, match=r"has no id_08, id_09\. It has id_00, id_02, id_06"):
        load_mimii("fan", ids=["id_00", "id_08", "id_09"], data_home=home)
    assert len(load_mimii("fan", ids=["id_00", "id_02", "id_06"], data_home=home).paths) == 15


@pytest.mark.parametrize("kind", ["normal", "abnormal"])
def test_an_id_without_normal_or_without_abnormal_recordings_is_refused(home, kind):
    folder = home / "mimii" / "-6_dB" / "fan" / "id_06" / kind
    for path in folder.iterdir():
        path.rename(path.with_suffix(".txt"))
    with pytest.raises(
        FileNotFoundError, match=rf"id_06.{kind} has no wav files.*leave out the machine by ids"
    ):
        load_mimii("fan", data_home=home)
    shutil.rmtree(folder)
    with pytest.raises(FileNotFoundError, match=rf"id_06.{kind} has no wav files"):
        load_mimii("fan", data_home=home)


def test_other_ids_give_a_warning_and_can_be_loaded(home):
    write_machine(home / "mimii" / "-6_dB" / "fan", ids=["id_01"])
    with pytest.warns(UserWarning, match=r"fan also has id_01, which are left out"):
        assert len(load_mimii("fan", data_home=home).paths) == 20
    assert len(load_mimii("fan", ids="id_01", data_home=home).paths) == 5


def test_hidden_files_are_not_recordings(home):
    (home / "mimii" / "-6_dB" / "fan" / "id_00" / "normal" / "._00000000.wav").touch()
    assert len(load_mimii("fan", data_home=home).paths) == 20


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"machine": "lathe"}, ValueError, "Unknown machine 'lathe'; known ones: fan, pump, slider, valve"),
        ({"snr": "-6 dB"}, ValueError, "snr '-6 dB'; known ones: -6_dB, 0_dB, 6_dB"),
        ({"snr": 6}, ValueError, "snr 6; known ones: -6_dB, 0_dB, 6_dB"),
        ({"ids": []}, ValueError, r"ids must name at least one machine.*got \[\]"),
        ({"ids": 0}, TypeError, "ids must be a name such as 'id_00'.*got 0"),
        ({"ids": ["id_00", 2]}, TypeError, r"ids must be a name such as 'id_00'.*got \['id_00', 2\]"),
    ],
)
def test_a_wrong_argument_is_named_with_the_rule(home, arguments, error, message):
    with pytest.raises(error, match=message):
        load_mimii(**({"data_home": home} | arguments))


@pytest.fixture(scope="module")
def published(data_home):
    if not (data_home / "mimii").is_dir():
        pytest.skip("SKAUDIO_AD_DATA has no mimii")
    return load_mimii(data_home=data_home)


@pytest.mark.real_data
def test_the_published_sample_has_every_machine_with_normal_and_anomalous_recordings(published):
    metadata = published.metadata
    cells = Counter(
        zip(metadata["machine"].tolist(), metadata["machine_id"].tolist(), published.target.tolist())
    )
    expected = {(name, machine_id, 1): 10 for name in MACHINES for machine_id in IDS}
    assert cells == expected | {(name, machine_id, -1): 5 for name in MACHINES for machine_id in IDS}
    assert {sf.info(path).samplerate for path in published.paths[::15]} == {16000}
    assert {sf.info(path).duration for path in published.paths[::15]} == {10.0}


@pytest.mark.real_data
def test_no_two_recordings_of_the_published_sample_are_the_same_file(published):
    assert published.groups.tolist() == list(range(240))


@pytest.mark.real_data
def test_the_level_tells_the_published_fans_apart_as_described(published):
    assert (
        "the level alone\nseparates the first ten normal from the first five anomalous recordings"
        in published.DESCR
    )
    for machine_id in IDS:
        rows = (published.metadata["machine"] == "fan") & (published.metadata["machine_id"] == machine_id)
        level = np.array(
            [20 * np.log10(np.std(sf.read(published.paths[i])[0])) for i in np.flatnonzero(rows)]
        )
        normal = published.target[rows] == 1
        distance = np.abs(level - np.median(level[normal]))
        assert distance[normal].max() < distance[~normal].min()
