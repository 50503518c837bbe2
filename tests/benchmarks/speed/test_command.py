"""Tests of ``python -m benchmarks.speed``: ratios from the tables of the parts, and reasons where there is none."""

import csv
import importlib
import subprocess

import pytest

from benchmarks.speed import __main__ as command
from benchmarks.speed import embeddings, latency, neighbors
from benchmarks.speed._ratios import NO_GPU, ratio_row

# librosa.load imports audioread, which imports modules that Python 3.13 removes.
pytestmark = pytest.mark.filterwarnings("ignore:.*slated for removal:DeprecationWarning")
TABLES = {
    "Search": [
        {"threads": 1, "metric": "cosine", "contender": "peer", "best s": "6", "median s": "9"},
        {"threads": 1, "metric": "cosine", "contender": "ours", "best s": "2", "median s": "9"},
        {"threads": 2, "metric": "cosine", "contender": "ours", "best s": "1", "median s": "9"},
    ]
}


def read(folder):
    with open(folder / "speed-ratios.csv", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize(("target", "met"), [(3, "yes"), (3.1, "no"), (None, "")])
def test_a_ratio_is_the_best_time_of_the_peer_divided_by_ours_in_the_rows_that_are_asked_for(target, met):
    row = ratio_row(
        TABLES, "Search", what="search", ours="ours", peer="peer", target=target, where={"threads": 1}
    )
    assert (row["ratio"], row["time of ours"], row["time of peer"], row["unit"]) == ("3.00", "2", "6", "s")
    assert (row["met"], row["note"]) == (met, "")


def test_a_pair_without_a_contender_names_the_missing_package_or_the_contender():
    peer = {"what": "search", "ours": "ours", "peer": "peer"}
    row = ratio_row(TABLES, "Search", where={"threads": 2}, needs=("no_such_package", "numpy"), **peer)
    assert (row["ratio"], row["note"]) == ("", "Not installed: no_such_package.")
    assert ratio_row(TABLES, "Search", where={"threads": 2}, **peer)["note"] == "peer was not measured."
    assert ratio_row({}, "Search", **peer)["note"] == "ours was not measured."


def test_bfloat16_is_left_out_on_a_processor_without_instructions_for_it(monkeypatch):
    monkeypatch.setattr(embeddings, "lacks_bfloat16", lambda: "no instructions")
    assert {precision for _, precision in embeddings.measurable().values()} == {"float32"}
    notes = {
        row["ours"]: row["note"]
        for row in embeddings.ratios({"mn10, 8 at once": []})
        if not row["note"].startswith("Not")
    }
    assert notes["torch, bfloat16"] == "no instructions"
    assert notes["torch, float32"] == "torch, float32 was not measured."


def test_latency_compares_the_whole_path_with_the_steps_and_the_eager_network():
    times = {"decode": 1, "network, eager": 5, "network, torch": 3, "score": 2}
    tables = {
        "Path to score": [{"runtime": "torch", "median, ms": "4"}],
        "Steps": [{"step": name, "median, ms": str(value)} for name, value in times.items()],
    }
    rows = {row["ours"]: row for row in latency.ratios(tables)}
    assert rows["network, torch"]["ratio"] == f"{5 / 3:.2f}"
    assert rows["detector, torch"]["ratio"] == f"{(1 + 5 + 2) / 4:.2f}"
    assert rows["network, openvino"]["note"]


@pytest.mark.parametrize("name", command.PARTS)
def test_every_part_has_a_module_with_the_interface_of_the_command(name):
    module = importlib.import_module(f"benchmarks.speed.{command.PARTS[name].module}")
    assert all(row["note"] for row in module.ratios({}))


def test_quick_sizes_of_two_parts_give_one_table_of_ratios(tmp_path):
    assert command.main(["--quick", "--here", "--only", "mel", "decoding", "--output", str(tmp_path)]) == 0
    rows = read(tmp_path)
    assert {row["part"] for row in rows} == {"mel", "decoding"}
    assert all(float(row["ratio"]) > 0 and not row["note"] for row in rows)
    assert ("mp3 to samples", "librosa.load") in {(row["what"], row["peer"]) for row in rows}
    text = (tmp_path / "speed.md").read_text()
    assert "the ratios mean nothing" in text
    assert "torchaudio 2" in text
    assert (tmp_path / "mel-log_mel_on_one_thread.csv").exists()


def test_a_part_that_fails_has_a_row_that_says_why_and_the_others_go_on(tmp_path, monkeypatch):
    def fail(arguments):
        raise OSError("the disk is\nfull")

    monkeypatch.setattr(neighbors, "main", fail)
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    n_failed = command.main(["--quick", "--here", "--only", "neighbors", "gpu", "--output", str(tmp_path)])
    assert n_failed == 1
    assert [(row["part"], row["note"]) for row in read(tmp_path)] == [
        ("neighbors", "OSError: the disk is full"),
        ("gpu", NO_GPU),
    ]


def test_a_process_that_dies_has_a_row_and_its_rows_are_read_otherwise(tmp_path, monkeypatch):
    commands = []

    def run(arguments, **_):
        commands.append(arguments)
        if "mel" in arguments:
            return subprocess.CompletedProcess(arguments, -9, stderr="warning\nKilled\n")
        (tmp_path / "parts").mkdir()
        (tmp_path / "parts" / "speed-ratios.csv").write_text(
            "part,what,ours,peer,unit,time of ours,time of peer,ratio,target,met,note\n"
            "decoding,wav,a,b,ms,1,2,2.00,,,\n"
        )
        return subprocess.CompletedProcess(arguments, 0, stderr="")

    monkeypatch.setattr(subprocess, "run", run)
    # The table of the part before stands in the folder when the second process dies.
    assert command.main(["--quick", "--only", "decoding", "mel", "--output", str(tmp_path)]) == 1
    first, second = read(tmp_path)
    assert (first["part"], first["ratio"]) == ("decoding", "2.00")
    assert (second["part"], second["note"]) == ("mel", "The process ended with code -9: Killed")
    assert all({"--quick", "--here"} <= set(arguments) for arguments in commands)
