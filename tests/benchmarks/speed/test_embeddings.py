"""Tests that the contenders of the benchmark of backbones compute the same embeddings."""

import csv
from importlib.util import find_spec

import numpy as np
import pytest

from benchmarks.speed import embeddings
from skaudio_ad.embeddings import Backbone

TINY = Backbone(
    name="tiny", filename="tiny.pt", family="mobilenet", settings={"width": 0.1}, embedding_size=96
)
SMALL = Backbone(
    name="small", filename="small.pt", family="passt", settings={"stride": 16, "depth": 1}, embedding_size=768
)
# Rounding errors of a very small network with random weights are larger than those in the tables.
TOLERANCE = {"float32": 1e-5, "bfloat16": 5e-2}

PACKAGES = ("hear21passt", "onnx", "onnxruntime", "openvino")
# Do not use importorskip, because an import of openvino reports its use.
pytestmark = pytest.mark.skipif(not all(map(find_spec, PACKAGES)), reason=f"needs {', '.join(PACKAGES)}")


@pytest.fixture
def waveforms():
    return np.random.default_rng(0).normal(scale=0.1, size=(2, 16_000)).astype(np.float32)


@pytest.mark.parametrize(
    ("contenders", "backbone", "reference", "n_contenders"),
    [
        (embeddings.passt_contenders, SMALL, "hear21passt", 6),
        (embeddings.mobilenet_contenders, TINY, "eager", 5),
    ],
    ids=["passt", "mobilenet"],
)
def test_all_contenders_equal_the_reference(contenders, backbone, reference, n_contenders, waveforms):
    rows = embeddings.compare(contenders(backbone, waveforms), 2, 1)
    assert len(rows) == n_contenders
    assert rows[0]["contender"] == reference
    errors = {row["contender"]: float(row["relative error"]) for row in rows}
    assert errors.pop(reference) == 0
    for name, error in errors.items():
        precision = name.partition(", ")[2]
        assert error < TOLERANCE[precision], name
        assert error > 0 if precision == "bfloat16" else True, name


def test_the_error_is_the_largest_error_of_a_row():
    expected = np.array([[3.0, 4.0], [0.0, 1.0]])
    assert embeddings.largest_error(expected + [[0.0, 0.5], [0.0, 0.2]], expected) == pytest.approx(0.2)


def test_every_stage_from_files_to_embeddings_is_timed(write_wavs):
    row = embeddings.end_to_end(TINY, "torch", write_wavs([8000, 9000, 7000]), 0.5, 1)
    assert {name for name in row if name.endswith(", ms")} == {f"{stage}, ms" for stage in embeddings.STAGES}
    assert sum(float(row[f"{stage}, share"].rstrip("%")) for stage in embeddings.STAGES) == pytest.approx(
        100, abs=2
    )
    assert float(row["clips per second"]) == pytest.approx(1e3 / float(row["ms per clip"]), rel=0.1, abs=1)


def test_a_run_leaves_a_table_for_every_comparison(tmp_path, monkeypatch):
    monkeypatch.setattr(embeddings, "get_backbone", lambda name: {"passt_s_swa": SMALL}.get(name, TINY))
    fewer = {"torch, float32": ("torch", "float32"), "OpenVINO, float32": ("openvino", "float32")}
    monkeypatch.setattr(embeddings, "OURS", fewer)
    options = ["--repeats", "1", "--seconds", "1", "--variants", "mn10"]
    options += ["--data-home", str(tmp_path / "none"), "--output", str(tmp_path)]
    embeddings.main(options)
    tables = {
        path.stem: list(csv.DictReader(path.read_text().splitlines())) for path in tmp_path.glob("*.csv")
    }
    assert {name: len(rows) for name, rows in tables.items()} == {
        "embeddings-passt_three_at_once": 3,
        "embeddings-mn10_8_at_once": 3,
        "embeddings-mn10_1_at_once": 3,
    }
    assert "hear21passt 0.0.26" in (tmp_path / "embeddings.md").read_text()
