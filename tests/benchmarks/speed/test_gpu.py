"""Tests of the benchmark of the GPU on the CPU: its contenders compute the same, and it ends where there is no GPU."""

import numpy as np
import pytest

from benchmarks.speed import gpu
from benchmarks.speed._ratios import NO_GPU
from benchmarks.speed.embeddings import largest_error


def test_contenders_give_the_embeddings_of_the_plain_network():
    waveforms = np.random.default_rng(0).normal(scale=0.1, size=(2, 16_000)).astype(np.float32)
    contenders = gpu.embedding_contenders("mini", waveforms, "cpu")
    expected = contenders.pop("eager")()
    assert expected.shape == (2, 384)
    assert largest_error(contenders["torch, float32"](), expected) < 1e-5
    assert 0 < largest_error(contenders["torch, bfloat16"](), expected) < 5e-2


def test_devices_train_the_same_network_on_the_same_rows():
    contenders = gpu.training_contenders(300, 1, ["cpu", "meta"])
    assert list(contenders) == ["cpu", "meta"]
    assert contenders["cpu"]().loss_curve == contenders["cpu"]().loss_curve


def test_without_a_gpu_the_benchmark_says_so(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert gpu.main(["--output", str(tmp_path)]) is None
    assert NO_GPU in capsys.readouterr().out


@pytest.mark.skipif("not __import__('torch').cuda.is_available()", reason="needs a GPU")
def test_a_gpu_gives_ratios(tmp_path):
    options = ["--clips", "2", "--seconds", "1", "--rows", "600", "--repeats", "1", "--variants", "mini"]
    report = gpu.main([*options, "--output", str(tmp_path)])
    assert all(float(row["ratio"]) > 0 for row in gpu.ratios(report.tables))
