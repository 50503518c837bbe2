import pytest

from benchmarks.guide_tables import (
    DOCS,
    TABLES,
    backbone_rows,
    head_rows,
    page,
    same_network,
    time_network,
)
from skaudio_ad.embeddings import BACKBONES


@pytest.mark.parametrize("name", TABLES)
def test_the_table_of_a_page_is_the_one_that_the_script_makes(name):
    assert page(name) == (DOCS / name).read_text(encoding="utf-8")


def test_the_table_of_backbones_counts_the_weights_and_names_the_published_precision():
    row = {row["name"]: row for row in backbone_rows()}['`"mn10"`']
    assert row["weights, M"] == "4.9"  # 4.88 million in the README of EfficientAT
    assert row["mAP"] == "0.471"  # mn10_as_mAP_471.pt


def test_the_table_of_heads_agrees_with_the_page_of_results():
    results = (DOCS / "results.md").read_text(encoding="utf-8")
    line = next(line for line in results.splitlines() if line.startswith("| mini/one_class_svm |"))
    row = next(row for row in head_rows() if "one_class_svm" in row["head"])
    for name in ("MIMII", "HLS-CMDS", "ESC-10", "PhysioNet", "false alarms", "detected"):
        assert f" {row[name]} |" in line


def test_checkpoints_with_the_same_figures_share_a_row():
    rows = backbone_rows()
    names = ", ".join(row["name"] for row in rows)
    assert all(f'`"{name}"`' in names for name in BACKBONES)
    assert len(rows) < len(BACKBONES)
    assert next(row for row in rows if row["name"].startswith('`"beats_iter3"`'))["RMIS"] == "62.16"


def test_checkpoints_of_one_network_are_timed_once():
    assert same_network(BACKBONES["passt_s_swa"]) == same_network(BACKBONES["passt_s_kd"])
    assert same_network(BACKBONES["eat_base"]) == same_network(BACKBONES["eat_base_as2m"])
    assert same_network(BACKBONES["passt_s_swa"]) != same_network(BACKBONES["passt_s_s16"])
    assert same_network(BACKBONES["echo_tiny"]) != same_network(BACKBONES["echo_small"])


def test_a_time_stands_beside_that_of_the_reference_in_the_same_moments(monkeypatch):
    clock = {"now": 0.0, "load": 1.0}

    def call(seconds):
        def run():
            clock["now"] += seconds * clock["load"]
            clock["load"] *= 1.01  # the machine becomes busier with every call

        return run

    monkeypatch.setattr("time.process_time", lambda: clock["now"])
    monkeypatch.setattr("benchmarks.guide_tables.embedder", lambda name: call(3.0))
    made = time_network("ced_tiny", call(1.0))
    assert made["seconds"] / made["reference_seconds"] == pytest.approx(3, rel=0.001)
    of_reference = time_network("mn10", call(1.0))
    assert of_reference["seconds"] == of_reference["reference_seconds"]
