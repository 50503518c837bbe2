"""Tests that the contenders of the training benchmark do the same work."""

import csv

import numpy as np
import pytest
import torch

from benchmarks import _autoencoders
from benchmarks.speed import training
from skaudio_ad.training import fit_module
from skaudio_ad.training._loop import _mixed, _update_statistics


def test_the_bare_loop_ends_at_the_weights_of_fit_module():
    data = torch.from_numpy(_autoencoders.make_rows(300, 0, seed=0)[0])
    bare, ours = training._module(), training._module()
    _autoencoders.bare_loop(bare, data, epochs=3, batch_size=64, seed=5)
    history = fit_module(
        ours,
        data,
        _autoencoders.loss,
        seed=5,
        max_epochs=3,
        batch_size=64,
        learning_rate=_autoencoders.LEARNING_RATE,
    )
    assert history.best_epoch == 2  # fit_module must not go back to earlier weights
    # fit_module computes the statistics of batch normalisation again after every epoch.
    _update_statistics(bare, data, _autoencoders.loss, _mixed(torch.arange(len(data)), seed=5), 4096)
    bare.eval()
    for name, value in bare.state_dict().items():
        torch.testing.assert_close(ours.state_dict()[name], value)


def test_anomalies_differ_from_normal_rows_only_in_the_combination_of_their_halves():
    X, y = _autoencoders.make_rows(4000, 4000, seed=0)
    normal, anomalous = X[y == 1], X[y == -1]
    np.testing.assert_allclose(normal.std(axis=0), anomalous.std(axis=0), rtol=0.15)

    def halves(rows):
        return np.abs(np.corrcoef(rows.T)[:320, 320:]).max()

    assert halves(normal) > 0.3
    assert halves(anomalous) < 0.1


@pytest.mark.filterwarnings("ignore")  # PyOD's own
def test_both_autoencoders_have_the_same_layers_and_learn():
    pytest.importorskip("pyod")
    X, _ = _autoencoders.make_rows(4000, 0, seed=0)
    X_test, y_test = _autoencoders.make_rows(300, 300, seed=1)
    settings = {"epochs": 12, "batch_size": 128, "scaled": False, "seed": 0}
    ours = _autoencoders.our_detector(**settings).fit(X)
    pyod = _autoencoders.pyod_detector(**settings).fit(X)
    shapes = [[p.shape for p in module.parameters()] for module in (ours.module_, pyod.model)]
    assert shapes[0] == shapes[1]
    assert _autoencoders.anomaly_auc(-ours.score_samples(X_test), y_test) > 0.75
    assert _autoencoders.anomaly_auc(pyod.decision_function(X_test), y_test) > 0.75


@pytest.mark.filterwarnings("ignore")  # PyOD's own
def test_the_report_shows_that_distance_alone_finds_no_anomalies(tmp_path):
    pytest.importorskip("pyod")
    sizes = {"rows": 600, "epochs": 1, "pyod-rows": 600, "pyod-epochs": 1, "repeats": 1, "callback-epochs": 2}
    training.main([f"--{name}={value}" for name, value in {**sizes, "output": tmp_path}.items()])
    with open(tmp_path / "training-seconds_per_epoch.csv", newline="") as file:
        assert len(list(csv.DictReader(file))) == 4
    line = next(
        line
        for line in (tmp_path / "training.md").read_text().splitlines()
        if line.startswith("The distance")
    )
    assert float(line.rstrip(".").split()[-1]) == pytest.approx(0.5, abs=0.05)
