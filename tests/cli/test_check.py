"""``skaudio-ad check``: findings, tables and exit codes."""

import json

import numpy as np
import pytest
import soundfile


@pytest.fixture
def folder(tmp_path):
    """Make a folder with twelve recordings and eleven copies of the first one."""
    folder = tmp_path / "sounds"
    folder.mkdir()
    for i in range(12):
        samples = 0.1 * np.random.default_rng(i).normal(size=4000)
        soundfile.write(folder / f"{i:02}.wav", samples, 8000)
    for i in range(12, 23):
        (folder / f"{i}.wav").write_bytes((folder / "00.wav").read_bytes())
    return folder


def test_findings_name_the_files_and_the_remedy(run, folder):
    result = run("check", folder)
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0].startswith(
        "23 recordings, 0.2 minutes, 0.5 s each, 8000 Hz, level -20 dB, bandwidth 4000 Hz"
    )
    assert lines[2] == "copies: 11 of 23 recordings: the samples equal those of another recording."
    assert lines[3] == f"  {folder}/12.wav: same samples as {folder}/00.wav"
    assert lines[13] == "  ... and 1 more (--all shows them)"
    assert lines[14].startswith("  Remove the copies")
    assert f"{folder}/22.wav" not in result.stdout
    assert f"{folder}/22.wav" in run("check", folder, "--all").stdout


def test_strict_turns_findings_into_exit_code_1(run, folder):
    assert run("check", folder, "--strict").exit_code == 1
    good = [folder / f"{i:02}.wav" for i in range(12)]
    result = run("check", *good, "--strict")
    assert result.exit_code == 0
    assert result.stdout.splitlines()[-1] == "Nothing was found that would spoil a training set."


def test_the_tables_hold_all_measurements_and_findings(run, folder, tmp_path, rows_of):
    (folder / "broken.wav").write_bytes(b"no audio")
    result = run("check", folder, "--csv", tmp_path / "t.csv", "--json", tmp_path / "t.json")
    assert result.exit_code == 0, result.output
    rows = rows_of(tmp_path / "t.csv")
    assert len(rows) == 24
    assert rows[0]["findings"] == ""
    assert rows[12]["findings"] == "copies"
    assert float(rows[0]["duration"]) == 0.5
    assert (rows[-1]["level"], rows[-1]["findings"]) == ("", "unreadable")
    assert "leave it out with on_error" not in rows[-1]["error"]
    made = json.loads((tmp_path / "t.json").read_text(encoding="utf-8"))
    assert [finding["kind"] for finding in made["findings"]] == ["unreadable", "copies"]
    assert made["recordings"][-1]["level"] is None


def test_a_table_in_a_missing_folder_is_an_error_before_the_check(run, folder, tmp_path):
    result = run("check", folder, "--json", tmp_path / "none" / "t.json")
    assert result.exit_code == 1
    assert result.stdout == ""
    assert "does not exist; make it first" in result.stderr
