"""Functions that all benchmarks share."""

import csv
import itertools
import json
from pathlib import Path

import pytest
import torch
from threadpoolctl import threadpool_info, threadpool_limits

import benchmarks
from benchmarks.__main__ import NAMES
from benchmarks._report import (
    Report,
    Timing,
    command,
    environment,
    interleave,
    markdown,
    one_thread,
    speed_rows,
)
from benchmarks.monitor.__main__ import PARTS


def test_contenders_take_turns_after_one_round_that_is_not_timed():
    calls = []
    interleave({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, repeats=2)
    assert calls == ["a", "b"] * 3


def test_times_are_the_best_and_the_median_of_the_repetitions():
    clock = itertools.accumulate([0, 3, 0, 1, 0, 8])  # start and end of three calls: 3, 1 and 8 s
    timings = interleave({"a": lambda: None}, repeats=3, clock=lambda: next(clock))
    assert timings == {"a": Timing(best=1, median=3)}


def test_speeds_are_per_item_and_relative_to_the_reference():
    rows = speed_rows(
        {"peer": Timing(4.0, 5.0), "ours": Timing(1.0, 2.0)}, unit="ms per clip", n_items=8, reference="peer"
    )
    assert [row["best ms per clip"] for row in rows] == ["500", "125"]
    assert [row["median ms per clip"] for row in rows] == ["625", "250"]
    assert [row["speed relative to peer"] for row in rows] == ["1.00", "4.00"]


def test_one_thread_limits_torch_and_blas_and_gives_the_threads_back():
    torch.set_num_threads(2)
    with threadpool_limits(2):
        with one_thread():
            assert torch.get_num_threads() == 1
            assert {pool["num_threads"] for pool in threadpool_info()} == {1}
        assert torch.get_num_threads() == 2
        assert {pool["num_threads"] for pool in threadpool_info()} == {2}


def test_a_report_writes_its_tables_and_where_they_come_from(tmp_path, capsys):
    report = Report("speed", data="3 clips.", seed=7, folder=tmp_path)
    rows = [{"contender": "a, b", "ms": 1}, {"contender": "c", "ms": 2}]
    report.table("On one thread", rows, "A note.")
    report.table("On all cores", rows[:1])
    text = (tmp_path / "speed.md").read_text()
    assert text in capsys.readouterr().out
    assert text.count("| c | 2 |") == 1
    assert text.count("| a, b | 1 |") == 2
    assert "Data: 3 clips. Seed 7." in text
    assert "A note." in text
    with open(tmp_path / "speed-on_one_thread.csv", newline="") as file:
        assert list(csv.DictReader(file)) == [{"contender": "a, b", "ms": "1"}, {"contender": "c", "ms": "2"}]
    about = json.loads((tmp_path / "speed.json").read_text())
    assert about["tables"] == [
        {"title": "On one thread", "notes": "A note.", "file": "speed-on_one_thread.csv"},
        {"title": "On all cores", "notes": "", "file": "speed-on_all_cores.csv"},
    ]
    assert about["environment"] in text
    assert about["seed"] == 7


def test_a_command_holds_no_path_of_this_machine():
    words = ["/usr/bin/python3", "-m", "benchmarks.speed.mel", "--data", "/home/me/my data", "--repeats", "3"]
    assert command(words) == "python3 -m benchmarks.speed.mel --data 'my data' --repeats 3"
    assert str(Path.home()) not in command()


def test_a_table_has_a_head_a_rule_and_a_line_for_every_row():
    assert markdown([{"x": 1, "y": 2}]) == "| x | y |\n| --- | --- |\n| 1 | 2 |"


@pytest.mark.parametrize("package", ["skaudio_ad", "torch", "librosa"])
def test_the_environment_names_versions_and_threads(package):
    from importlib.metadata import version

    assert f"{package} {version(package)}" in environment()
    assert f"torch on {torch.get_num_threads()} threads" in environment()


def test_every_public_benchmark_is_run():
    folder = Path(benchmarks.__file__).parent
    modules = {path.relative_to(folder).with_suffix("").parts for path in folder.rglob("*.py")}
    public = {".".join(parts) for parts in modules if not parts[-1].startswith("_")}
    # A training of the backbone takes hours, so `make bench` does not train. Two benchmarks need programs or data of
    # others, the tables of the documentation need the tables of all benchmarks. Networks of authors are no benchmarks.
    others = {"detection.official", "detection.rmis", "guide_tables", "results_page", "systems_pages"}
    parts = {f"monitor.{name}" for name in PARTS}  # `python -m benchmarks.monitor` runs its parts itself
    assert (set(NAMES) - {"monitor"}) | others | parts == {
        name for name in public if not name.startswith(("pretraining.", "authors."))
    }
