"""`list_backbones`: the table of all backbones."""

import sys

import numpy as np
import pytest

from skaudio_ad.embeddings import BACKBONES, get_family, list_backbones
from skaudio_ad.embeddings._backbone_engine import build_on_meta
from skaudio_ad.embeddings._backbone_table import TIME_REFERENCE, measured_costs, significant


@pytest.fixture
def fresh_install(tmp_path, monkeypatch):
    monkeypatch.delenv("SKAUDIO_AD_WEIGHTS", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_every_backbone_was_measured():
    missing = set(BACKBONES) - set(measured_costs()["backbones"])
    unknown = set(measured_costs()["backbones"]) - set(BACKBONES)
    assert not missing, f"run python -m benchmarks.guide_tables --measure {' '.join(sorted(missing))}"
    assert not unknown


@pytest.mark.parametrize("family", sorted({backbone.family for backbone in BACKBONES.values()}))
def test_the_parameters_are_those_of_the_network(family):
    table = list_backbones(family=family)
    row = min(table.backbones, key=lambda row: row.parameters)
    network = build_on_meta(BACKBONES[row.name])
    assert row.parameters == sum(weight.numel() for weight in network.parameters())


def test_a_row_has_the_figures_of_the_registry_and_of_the_measurement(fresh_install):
    rows = {row["name"]: row for row in list_backbones().rows()}
    assert list(rows) == list(BACKBONES)
    passt = rows["passt_s_kd"]
    assert (passt["family"], passt["sample_rate"], passt["embedding_size"]) == ("passt", 32_000, 768)
    assert (passt["mean_average_precision"], passt["licence"]) == (0.486, "Apache-2.0")
    assert (passt["n_classes"], rows["mini"]["n_classes"]) == (527, 0)
    assert (passt["path"], passt["filename"]) == (None, "passt-s-kd-ap.486.pt")
    assert passt["url"] == BACKBONES["passt_s_kd"].url
    assert rows[TIME_REFERENCE]["relative_time"] == 1
    # 4.88 million weights and 0.54 thousand million multiply-accumulates in the README of EfficientAT.
    assert rows["mn10"]["parameters"] == pytest.approx(4.88e6, rel=0.002)
    assert rows["mn10"]["multiply_accumulates"] == pytest.approx(0.54e9, rel=0.01)
    assert rows["mn01"]["relative_time"] < 1 < rows["mn40"]["relative_time"] < passt["relative_time"]


def test_the_table_can_be_limited_to_a_family_and_to_this_machine(fresh_install, tmp_path):
    (tmp_path / BACKBONES["mn04"].filename).touch()
    assert [row.name for row in list_backbones(here=True).backbones] == ["mini"]
    here = list_backbones(here=True, path=tmp_path)
    assert [row.name for row in here.backbones] == ["mini", "mn04"]
    assert here.rows()[1]["path"] == str(tmp_path / BACKBONES["mn04"].filename)
    assert len(list_backbones(family="passt", here=True, path=tmp_path)) == 0
    with pytest.raises(ValueError, match=r"family must be one of .*'mobilenet'.* got 'resnet'"):
        list_backbones(family="resnet")


def test_the_table_is_a_data_frame_with_numbers(fresh_install):
    table = list_backbones()
    frame = table.to_frame()
    assert list(frame["name"]) == list(BACKBONES)
    numbers = frame.dtypes[["parameters", "sample_rate", "rmis", "siren", "mean_average_precision"]]
    assert all(kind == np.float64 for kind in numbers)
    assert list_backbones(family="passt", here=True).to_frame().empty


def test_without_pandas_the_table_names_the_package_and_the_other_way(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match=r"pip install pandas.*rows\(\)"):
        list_backbones().to_frame()


def test_a_notebook_shows_the_table_and_a_terminal_prints_it(fresh_install):
    table = list_backbones(family="passt")
    assert repr(table) == f"<BackboneTable: {len(table)} backbones>"
    text = str(table).splitlines()
    assert text[0].split()[0] == "name"
    assert [line.split()[0] for line in text[1:]] == [row.name for row in table.backbones]
    page = table._repr_html_()
    assert page.count("<tr>") == 1 + len(table)
    assert "<td>passt_s_swa</td>" in page


def test_a_path_with_special_characters_is_shown_as_a_text(fresh_install, tmp_path):
    folder = tmp_path / "<b>\nweights"
    folder.mkdir()
    (folder / BACKBONES["mn04"].filename).touch()
    table = list_backbones(path=folder, here=True)
    assert "&lt;b&gt;\\nweights" in table._repr_html_()
    assert len(str(table).splitlines()) == 1 + len(table)


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, ""), (0.123, "0.12"), (0.98, "0.98"), (4.26, "4.3"), (9.96, "10"), (345, "345")],
)
def test_numbers_have_two_significant_digits_and_no_decimals_from_ten_on(value, text):
    assert significant(value) == text


def test_a_backbone_of_any_rate_and_one_without_classes_are_recognised():
    for row in list_backbones().backbones:
        family = get_family(row.family)
        assert (row.sample_rate is None) == (family.sample_rate is None)
        assert (row.n_classes == 527) == ("logits" in family.output_names(BACKBONES[row.name]))
