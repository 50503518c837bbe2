"""Tests that the contenders of the sequence benchmark do the same work, and that fit does not copy windows."""

import csv
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.lib.stride_tricks import sliding_window_view

from benchmarks import _fit_memory
from benchmarks._autoencoders import bare_loop
from benchmarks.speed import sequences
from skaudio_ad.training import fit_module

DETECTORS = list(sequences.BARE_LOSSES)


@pytest.fixture
def X():
    return np.random.default_rng(0).standard_normal((3, sequences.N_BINS, 30), dtype=np.float32)


@pytest.mark.parametrize("detector_type", DETECTORS)
@pytest.mark.parametrize("kind", ["views", "windows cut out"])
def test_the_bare_loop_ends_at_the_weights_of_fit_module(detector_type, kind, X):
    detector = detector_type(hidden_size=8)
    data, rows = sequences.make_windows(detector, X)[kind]
    settings = {"rows": rows, "seed": 5, "batch_size": 16, "learning_rate": 1e-3}
    bare, ours = sequences.make_network(detector), sequences.make_network(detector)
    bare_loop(bare, data, loss=sequences.BARE_LOSSES[detector_type], epochs=2, **settings)
    history = fit_module(ours, data, detector._loss, max_epochs=2, **settings)
    assert history.best_epoch == 1  # fit_module must not go back to earlier weights
    for name, value in bare.state_dict().items():
        torch.testing.assert_close(ours.state_dict()[name], value)


@pytest.mark.parametrize(("detector_type", "length"), list(zip(DETECTORS, (11, 10))))
def test_both_kinds_of_windows_hold_the_windows_of_every_clip(detector_type, length, X):
    data = sequences.make_windows(detector_type(), X)
    view, rows = data["views"]
    windows, _ = data["windows cut out"]
    expected = sliding_window_view(X, length, axis=2).transpose(0, 2, 3, 1).reshape(-1, length, X.shape[1])
    np.testing.assert_array_equal(view[rows], expected)
    np.testing.assert_array_equal(windows, expected)
    assert view.data_ptr() == X.ctypes.data
    assert windows.is_contiguous()


@pytest.mark.parametrize("detector_type", DETECTORS)
def test_the_network_is_the_network_of_the_detector(detector_type, X):
    detector = detector_type(hidden_size=8, max_epochs=1, validation_fraction=0, device="cpu").fit(X)
    shapes = [
        [parameter.shape for parameter in module.parameters()]
        for module in (detector.module_, sequences.make_network(detector))
    ]
    assert shapes[0] == shapes[1]


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="only Linux has a peak to reset")
def test_fit_does_not_copy_windows_because_they_need_ten_times_the_memory():
    result = _fit_memory.measure("SequencePredictorDetector", "array", 100, 313)
    assert result["spectrograms"] == pytest.approx(100 * 128 * 313 * 4 / 1e6)
    assert result["growth"] < 3 * result["spectrograms"]


def test_the_report_has_both_detectors(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(
        sequences,
        "memory_rows",
        lambda names, **sizes: asked.append((names, sizes)) or [{"detector": "none"}],
    )
    sizes = {"clips": 2, "frames": 16, "hidden-size": 4, "memory-clips": 20, "repeats": 1, "output": tmp_path}
    sequences.main([f"--{name}={value}" for name, value in sizes.items()])
    names = [detector_type.__name__ for detector_type in DETECTORS]
    assert asked == [(names, {"n_clips": 20, "n_frames": 16})]
    for name in names:
        with open(tmp_path / f"sequences-{name.lower()}_seconds_per_epoch.csv", newline="") as file:
            contenders = [row["contender"] for row in csv.DictReader(file)]
        assert contenders == [
            f"{loop}, {kind}" for kind in ("views", "windows cut out") for loop in ("bare loop", "fit_module")
        ]
    # 16 frames give 16 - 11 + 1 windows of 11 frames.
    assert "windows cut out take 4.1 times the memory" in (tmp_path / "sequences.md").read_text()
