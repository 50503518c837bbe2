"""Tests of listing the recordings in a folder."""

import re
from pathlib import Path

import pytest

from skaudio_ad.audio import find_audio_files


def test_a_folders_recordings_are_listed_by_path(tmp_path):
    for name in ("b.WAV", "a.flac", "sub/c.mp3", "sub/d.ogg", ".hidden.wav", "notes.txt", "headerless.raw"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    (tmp_path / "folder.wav").mkdir()
    listed = [str(Path(path).relative_to(tmp_path)) for path in find_audio_files(tmp_path)]
    assert listed == ["a.flac", "b.WAV", str(Path("sub/c.mp3")), str(Path("sub/d.ogg"))]
    here = find_audio_files(str(tmp_path), recursive=False)
    assert [Path(path).name for path in here] == ["a.flac", "b.WAV"]


def test_a_folder_without_recordings_is_refused_by_name(tmp_path):
    (tmp_path / "notes.txt").touch()
    with pytest.raises(
        FileNotFoundError,
        match=re.escape(f"{tmp_path}: holds no recording. Recordings are files that end in wav, flac"),
    ):
        find_audio_files(tmp_path)
    with pytest.raises(FileNotFoundError, match=re.escape(f"{tmp_path / 'missing'}: no such folder")):
        find_audio_files(tmp_path / "missing")
