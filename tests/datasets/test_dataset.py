import copy
import pickle
import re

import numpy as np
import pytest

from skaudio_ad.datasets import AudioDataset


@pytest.fixture
def files(tmp_path):
    paths = []
    for name, content in (("a", b"one"), ("b", b"two"), ("c", b"one"), ("d", b"three"), ("e", b"four")):
        (tmp_path / name).write_bytes(content)
        paths.append(str(tmp_path / name))
    return paths


def test_columns_that_a_set_does_not_know_hold_an_empty_text():
    sounds = AudioDataset(["a", "b"], [1, 0], {"machine": ["fan", "pump"], "take": [3, 4]})
    assert list(sounds.metadata) == ["machine", "section", "domain", "attributes", "split", "take"]
    assert sounds.metadata["section"].tolist() == ["", ""]
    assert sounds.metadata["take"].tolist() == [3, 4]
    assert sounds.target.dtype == np.int64


def test_no_file_is_opened_before_groups_are_read():
    sounds = AudioDataset(["nowhere"] * 2, [1, 1])
    repr(sounds), sounds.subset([0]), sounds.to_frame()
    with pytest.raises(FileNotFoundError, match="nowhere"):
        _ = sounds.groups


def test_copies_are_one_group_and_recordings_of_a_unit_too(files):
    assert AudioDataset(files, [1] * 5).groups.tolist() == [0, 1, 0, 2, 3]
    # a and c are copies, b and c are of one patient: a, b and c belong together.
    sounds = AudioDataset(files, [1] * 5, units=["p", "q", "q", "r", "r"])
    assert sounds.groups.tolist() == [0, 0, 0, 1, 1]
    assert sounds["groups"] is sounds.groups


def test_a_subset_keeps_together_what_belongs_together(files):
    sounds = AudioDataset(
        files, [1, 1, -1, 0, 1], {"machine": list("vwxyz")}, units=["p", "q", "q", "r", "r"]
    )
    _ = sounds.groups
    part = sounds.subset(
        [1, 0, 4]
    )  # without c, only the groups of the whole set say that a and b belong together
    assert part.groups.tolist() == [0, 0, 1]
    assert part.metadata["machine"].tolist() == ["w", "v", "z"]
    assert sounds.subset(sounds.target == 1).paths == [files[0], files[1], files[4]]


def test_a_data_set_survives_pickle_and_copies(files):
    sounds = AudioDataset(files, [1] * 5, units=["p", "q", "q", "r", "r"], DESCR="about")
    for other in (pickle.loads(pickle.dumps(sounds)), copy.deepcopy(sounds)):
        assert other.groups.tolist() == [0, 0, 0, 1, 1]
        assert other.DESCR == "about"


def test_the_summary_counts_labels_and_names_machines():
    sounds = AudioDataset(list("abcdef"), [1, 1, -1, 0, 0, 0], {"machine": list("uvwxyz")})
    counts = "6 recordings: 2 normal, 1 anomalous, 3 unknown"
    assert repr(sounds) == f"AudioDataset({counts}; machine: u, v, w, x and 2 more)"


def test_the_summary_names_no_empty_column_or_value():
    sounds = AudioDataset(["a", "b"], [1, 1], {"domain": ["", "source"]})
    assert repr(sounds) == "AudioDataset(2 recordings: 2 normal, 0 anomalous, 0 unknown; domain: source)"


def test_a_set_without_recordings_has_no_groups():
    assert AudioDataset([], [], units=[]).groups.tolist() == []


def test_a_table_has_one_row_per_recording():
    frame = AudioDataset(["a", "b"], [1, -1], {"machine": ["fan", "pump"]}).to_frame()
    assert frame.columns.tolist() == ["path", "target", "machine", "section", "domain", "attributes", "split"]
    assert frame["machine"].tolist() == ["fan", "pump"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((["a"], [1, 1]), "target must have one value for each of 1 paths, got 2"),
        ((["a"], [1], {"take": [1, 2]}), "take must have one value"),
        ((["a", "b"], [1, 2]), r"target must be 1 \(normal\), -1 \(anomalous\) or 0 \(unknown\), got \[2\]"),
    ],
)
def test_columns_of_another_length_and_unknown_labels_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        AudioDataset(*arguments)
    with pytest.raises(ValueError, match="units must have one value"):
        AudioDataset(["a"], [1], units=["p", "q"])


def test_an_entry_that_does_not_exist_is_an_error():
    sounds = AudioDataset(["a"], [1])
    with pytest.raises(KeyError):
        sounds["group"]
    with pytest.raises(AttributeError):
        _ = sounds.group


def test_a_notebook_shows_counts_and_columns_and_names_are_text():
    paths = ["<b>.wav", "b.wav", "c.wav"]
    sounds = AudioDataset(paths, [1, 1, -1], {"machine": ["fan", "fan", "<i>pump"], "snr": [0.5, 6.0, -6.0]})
    shown = sounds._repr_html_()
    cells = re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", shown)
    rows = dict(zip(cells[::2], cells[1::2], strict=True))
    assert [rows[name] for name in ("normal", "anomalous", "unknown")] == ["2", "1", "0"]
    assert rows["machine"] == "&lt;i&gt;pump, fan"
    assert rows["snr"] == "-6.0, 0.5, 6.0"
    assert rows["first recording"] == "&lt;b&gt;.wav"
    assert "domain" not in rows  # the set does not know this column
    assert "0 recordings" in AudioDataset([], [])._repr_html_()
