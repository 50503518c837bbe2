"""Groups of recordings from their paths; ``tests/cli/test_groups.py`` has the messages."""

import pytest

from skaudio_ad._path_groups import groups_from_paths


def test_groups_are_folders_or_the_text_in_the_parentheses():
    paths = ["x/m1/id_00_a.wav", "x/m1/id_02_b.wav", "y/m2/id_00_c.wav"]
    assert groups_from_paths("folder", paths) == ["m1", "m1", "m2"]
    assert groups_from_paths("^(id_[0-9]+)_", paths) == ["id_00", "id_02", "id_00"]


@pytest.mark.parametrize(
    ("groups_from", "message"),
    [
        ("(", r"must be 'folder' or a regular expression, got '\('"),
        ("id", "needs one group in parentheses"),
        ("^(x)", "finds no group in the name of 2 of 2 recordings, the first being a/1.wav"),
        ("folder", "all 2 recordings are in one group, 'a'"),
    ],
)
def test_paths_without_groups_raise_an_error(groups_from, message):
    with pytest.raises(ValueError, match=message):
        groups_from_paths(groups_from, ["a/1.wav", "a/2.wav"])
