import pytest

from benchmarks.guide_tables import DOCS, TABLES, backbone_rows, head_rows, page


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
