"""Tests of the benchmark of transformers, on small networks."""

import numpy as np
import pytest

from benchmarks.authors import authors_folder
from benchmarks.speed import encoders
from benchmarks.speed.embeddings import measurable
from skaudio_ad.embeddings import BACKBONES, get_family
from skaudio_ad.embeddings._runtimes import check_runtime

from ...embeddings.family_cases import SMALL

FAMILIES = sorted(encoders.AUTHORS)


def waveform(backbone):
    n_samples = backbone.sample_rate // 2
    return np.random.default_rng(0).normal(scale=0.1, size=(1, n_samples)).astype(np.float32)


def test_without_the_code_of_the_authors_the_table_says_so_and_has_the_other_contenders(monkeypatch):
    monkeypatch.delenv("SKAUDIO_AD_AUTHORS", raising=False)
    made, left_out = encoders.contenders(SMALL["ced"], waveform(SMALL["ced"]))
    assert next(iter(made)) == encoders.TORCH
    assert set(made) <= set(measurable())
    assert left_out == ["SKAUDIO_AD_AUTHORS names no folder with the authors' code of CED."]
    rows = encoders.compare({encoders.TORCH: made[encoders.TORCH]}, 1, 1)
    assert [(row["contender"], float(row["relative error"])) for row in rows] == [(encoders.TORCH, 0)]


def test_a_contender_that_a_family_refuses_is_left_out_with_the_reason(monkeypatch):
    monkeypatch.setattr(
        encoders, "measurable", lambda: {"ONNX Runtime, bfloat16": ("onnxruntime", "bfloat16")}
    )
    monkeypatch.setattr(encoders, "AUTHORS", {})
    made, left_out = encoders.contenders(SMALL["ced"], waveform(SMALL["ced"]))
    assert made == {}
    assert left_out[0].startswith("ONNX Runtime, bfloat16: runtime='onnxruntime' takes precision=\"float32\"")


def test_seeded_weights_keep_tables_that_the_network_computes():
    state = encoders.seeded(SMALL["echo"])
    network = get_family("echo").build_network(SMALL["echo"])
    assert (state["pos_embed"] == network.pos_embed).all()
    assert list(state) == list(network.state_dict())


@pytest.mark.parametrize("family", FAMILIES)
def test_the_code_of_the_authors_gives_the_same_embedding(family, monkeypatch):
    if authors_folder(family) is None:
        pytest.skip(f"SKAUDIO_AD_AUTHORS names no folder with the code of {family}")
    backbone = encoders.at_a_rate(SMALL[family])
    monkeypatch.setattr(encoders, "measurable", lambda: {encoders.TORCH: ("torch", "float32")})
    made, left_out = encoders.contenders(backbone, waveform(backbone))
    assert left_out == []
    errors = {row["contender"]: float(row["relative error"]) for row in encoders.compare(made, 1, 1)}
    assert list(errors) == ["authors", encoders.TORCH]
    assert errors["authors"] < 1e-5


def test_the_rows_of_the_command_name_the_peer_and_the_target():
    times = {"authors": 2.6, encoders.TORCH: 2.0, "ONNX Runtime, float32": 1.0}
    table = [
        {"backbone": "beats_iter3", "contender": name, "best ms per clip": value}
        for name, value in times.items()
    ]
    rows = {row["ours"]: row for row in encoders.ratios({encoders.TITLE: table})}
    assert (rows[encoders.TORCH]["ratio"], rows[encoders.TORCH]["met"]) == ("1.30", "yes")
    assert rows["ONNX Runtime, float32"]["ratio"] == "2.00"
    assert rows["OpenVINO, float32"]["ratio"] == ""
    only_ours = encoders.ratios({encoders.TITLE: table[1:]})[0]
    assert only_ours["note"].startswith("SKAUDIO_AD_AUTHORS names no folder")


def test_the_variants_of_the_full_run_are_of_the_registry():
    for name in encoders.VARIANTS:
        family = get_family(BACKBONES[name].family)
        assert check_runtime("torch", family=family, precision="float32", device="cpu") == "cpu"
